"""Data from a program: every type that samples and labels come in, parted, prepared, or refused in one line."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.sparse

from fewest.search.data.errors import DataError
from fewest.search.data.given import Given, given, n_given, taken
from fewest.search.data.own_data import settings_of
from fewest.search.settings.config import IN_MEMORY, StudyConfig

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = np.arange(60) % 3


def read(x: Any = X, y: Any = Y, test: Any = 0.2, **choice: Any) -> Given:
    x = taken(x)
    settings = settings_of("it", IN_MEMORY, n_given(x))
    settings["data"] |= choice
    return given(x, y, StudyConfig.of(settings), test)


class Tensor:
    """A tensor of another library, which NumPy takes by `__array__` and which has nothing else."""

    def __init__(self, values: np.ndarray) -> None:
        self._values, self.n_taken = values, 0

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        self.n_taken += 1
        return np.asarray(self._values, dtype)


def test_samples_are_parted_into_training_validation_and_test() -> None:
    made = read()
    assert (len(made.data.y_train), len(made.data.y_validation), made.sealed.n_samples) == (38, 10, 12)
    assert sorted(np.bincount(made.sealed.unseal().y)) == [4, 4, 4]
    assert made.data.x_train.dtype == np.float32


@pytest.mark.parametrize(
    "x", [X.tolist(), X.astype(object), Tensor(X), scipy.sparse.csr_matrix(X), scipy.sparse.coo_array(X)]
)
def test_samples_of_any_type_are_the_same_data(x: Any) -> None:
    assert n_given(taken(x)) == 60
    assert read(x).data.fingerprint == read().data.fingerprint
    np.testing.assert_array_equal(read(x).prepare(x), X.astype(np.float32))


def test_samples_become_an_array_once() -> None:
    tensor = Tensor(X)
    array = taken(tensor)
    assert (array is X, tensor.n_taken) == (True, 1)
    assert taken(array) is array
    assert taken(FRAME) is FRAME


def test_tensors_of_keras_and_tensorflow_are_samples_and_labels() -> None:
    from fewest.search.settings.keras_settings import keras, tf

    for x, y in (
        (keras.ops.convert_to_tensor(X), keras.ops.convert_to_tensor(Y)),
        (tf.Variable(X), tf.constant(Y)),
        (keras.Variable(X, dtype="float64"), Tensor(Y)),
    ):
        made = read(x, y, test=(x[:9], y[:9]) if hasattr(y, "shape") else 0.2)
        assert made.prepare(x).shape == (60, 3)
        assert len(made.classes) == 3


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (Y.tolist(), [0, 1, 2]),
        (Y[:, None], [0, 1, 2]),
        (Y + 1.0, [1.0, 2.0, 3.0]),
        (Y > 0, [False, True]),
        (np.array(["c", "a", "b"])[Y], ["a", "b", "c"]),
        (np.array(["c", "a", "b"], object)[Y], ["a", "b", "c"]),
        (pd.Series(np.array(["c", "a", "b"])[Y], dtype="category"), ["a", "b", "c"]),
    ],
)
def test_labels_of_any_type_keep_their_values(y: Any, classes: list[Any]) -> None:
    made = read(y=y)
    assert made.classes.tolist() == classes
    flat = np.asarray(y).ravel()
    kept = np.sort(made.classes[np.concatenate([made.data.y_train, made.data.y_validation, made.sealed.unseal().y])])
    np.testing.assert_array_equal(kept, np.sort(flat))


def test_test_samples_may_be_given() -> None:
    made = read(test=(X[:9] + 1, Y[:9]))
    assert (len(made.data.y_train) + len(made.data.y_validation), made.sealed.n_samples) == (60, 9)
    np.testing.assert_array_equal(made.sealed.unseal().x, (X[:9] + 1).astype(np.float32))


def test_bytes_are_pixels_and_whole_numbers_in_rows_are_features() -> None:
    pixels = RNG.integers(0, 256, (60, 4))
    assert read(pixels.astype(np.uint8)).data.x_train.dtype == np.uint8
    assert read(pixels.reshape(60, 2, 2)).data.x_train.dtype == np.uint8
    rows = read(pixels)
    assert rows.data.x_train.dtype == np.float32
    assert rows.prepare(pixels + 1000).max() > 1000, "features may be any number"


def test_times_are_standardised_before_they_become_float32() -> None:
    x = X * 10 + 1_700_000_000
    prepared = read(x).prepare(x)
    assert np.abs(prepared.mean(axis=0)).max() < 0.5
    np.testing.assert_allclose(prepared.std(axis=0), 1, rtol=0.2)


FRAME = pd.DataFrame(
    {
        "size": X[:, 0],
        "colour": pd.Categorical(np.array(["red", "blue"])[Y % 2]),
        7: np.where(Y == 0, np.nan, X[:, 1]),
        "kind": np.array(["s", "m", "l"])[Y],
    },
    index=np.arange(100, 160),
)


def test_a_data_frame_is_a_table_in_memory() -> None:
    made = read(FRAME, "kind")
    assert made.classes.tolist() == ["l", "m", "s"]
    assert made.data.table is not None
    assert made.data.input_shape == (5,), "two numbers, one that is missing, two colours"
    assert made.prepare(FRAME.head(2)).shape == (2, 5)
    apart = read(FRAME.drop(columns="kind"), FRAME["kind"])
    assert apart.data.fingerprint == made.data.fingerprint


def test_a_data_frame_may_have_test_rows_of_its_own() -> None:
    assert read(FRAME, "kind", test=(FRAME.head(6), "kind")).sealed.n_samples == 6
    assert read(FRAME.drop(columns="kind"), Y, test=(FRAME.head(6), Y[:6])).sealed.n_samples == 6


@pytest.mark.parametrize(
    ("x", "y", "test", "said"),
    [
        (X, Y[:-1], 0.2, "`x` and `y` must be equally long, got 60 samples and 59 labels."),
        (X, "kind", 0.2, "`y` must be (samples,) and not empty, got shape ()."),
        (X, X[:, 0], 0.2, "`y` must hold classes, got fractions or NaN: to predict numbers is not what fewest does."),
        (X, [None] * 60, 0.2, "`y` must hold labels of one type, numbers or text, got NoneType."),
        (X, ["a", 1] * 30, 0.2, "`y` must hold labels of one type, numbers or text, got int and str."),
        (X, ["a", 1, None] * 20, 0.2, "`y` must hold labels of one type, numbers or text, got NoneType, int and str."),
        (X, np.array(Y, "M8[D]"), 0.2, "`y` must hold labels of one type, numbers or text, got datetime64[D]."),
        (X, pd.Series([1, "a"] * 30), 0.2, "`y` must hold labels of one type, numbers or text, got int and str."),
        (X, np.zeros(60, int), 0.2, "`y_train` of data from Python must hold at least 2 classes, got only 0."),
        (X[:, 0], Y, 0.2, "`x_train` of data from Python must be (samples, features, ...) and not empty, got (48,)."),
        (X.astype(str), Y, 0.2, "`x_train` of data from Python must hold real numbers, got dtype <U32."),
        (X * np.nan, Y, 0.2, "`x_train` of data from Python must hold finite numbers, got 144 NaN or infinite values"),
        ([[1, 2], [3]] * 30, Y, 0.2, "`x` must hold numbers in samples of one shape, got: setting an array element"),
        (X, Y, (X, Y + 1), "`y_test` of data from Python must hold only labels that `y_train` holds, got 3."),
        (
            X,
            np.arange(60) // 2,
            0.2,
            "`y_train` of data from Python must hold classes, got 30 different integers in 60",
        ),
        (
            X,
            np.arange(60) // 58,
            0.2,
            "Every class of data from Python must have at least 3 samples",
        ),
        (FRAME, "kimd", 0.2, "`y` must name a column of `x`, got 'kimd'; did you mean 'kind'? It has size, colour, 7"),
        (FRAME, Y[:-1], 0.2, "`x` and `y` must be equally long, got 60 rows and 59 labels."),
        (FRAME.rename(columns={"size": "7"}), "kind", 0.2, "The columns of `x` must have names of their own, got 7"),
        (FRAME.assign(id=range(60)), "kind", 0.2, "Column 'id' of data from Python cannot be an input: it numbers"),
        (
            FRAME.assign(c=X[:, 0] * 1j),
            "kind",
            0.2,
            "Column 'c' of data from Python cannot be an input: it holds values",
        ),
        (
            FRAME.assign(c=[2**70 + n for n in range(60)]),
            "kind",
            0.2,
            "Column 'c' of data from Python cannot be an input",
        ),
        (FRAME, "kind", (X, Y), "The test samples must be a data frame as `x` is, got ndarray."),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(x: Any, y: Any, test: Any, said: str) -> None:
    with pytest.raises(DataError) as refused:
        read(x, y, test)
    line = str(refused.value)
    assert line.startswith(said)
    assert "\n" not in line


@pytest.mark.parametrize(("test", "got"), [(X, "ndarray"), (True, "bool"), ((X,), "1 values in a tuple")])
def test_the_test_is_a_share_or_a_pair(test: Any, got: str) -> None:
    with pytest.raises(DataError, match=rf"`test` must be a share or a pair `\(x_test, y_test\)`, got {got}\."):
        read(X, [0, 1] * 30, test)


@pytest.mark.parametrize("share", [0, 1, 1.5, -0.1, float("nan")])
def test_the_share_for_the_test_is_a_share(share: float) -> None:
    with pytest.raises(DataError, match="`test`, the share of each class for the test, must be between 0 and 1, got"):
        read(X, [0, 1] * 30, share)


@pytest.mark.parametrize(
    ("x", "got"), [(3, "int"), (None, "NoneType"), ("x.csv", "str"), ((row for row in X), "generator")]
)
def test_what_is_no_array_is_refused(x: Any, got: str) -> None:
    with pytest.raises(DataError, match=rf"^`x` must be an array or a data frame of samples, got {got}\.$"):
        taken(x)


VISITS = pd.DataFrame(
    {
        "size": X[:, 0] + 3 * (Y == 1),
        "patient": np.arange(60) // 5,
        "day": np.arange(60)[::-1],
        "id": [f"{row:05}" for row in range(60)],
        "kind": np.array(["s", "m"])[Y % 2],
    }
)


def test_rows_of_a_group_stay_together() -> None:
    made = read(VISITS, "kind", group="patient", ignore=("day", "id"))
    assert made.data.input_shape == (1,), "neither the group nor what is left out is an input"
    assert made.data.table is not None and made.data.table.blocks is not None
    where = VISITS.set_index(VISITS["size"].astype(np.float32))["patient"]
    samples = (made.data.x_train, made.data.x_validation, made.sealed.unseal().x)
    parts = [set(where.loc[part[:, 0]]) for part in samples]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 12


def test_the_last_rows_in_time_are_the_test() -> None:
    made = read(VISITS, "kind", order="day", ignore=("patient", "id"))
    np.testing.assert_array_equal(made.sealed.unseal().x[:, 0], VISITS["size"].head(12).astype(np.float32))
    others = read(VISITS.iloc[12:], "kind", test=(VISITS.head(12), "kind"), order="day", ignore=("patient", "id"))
    assert others.data.fingerprint == made.data.fingerprint


def test_rows_are_sampled() -> None:
    made = read(VISITS, VISITS["kind"], rows=30, ignore=("id", "kind", "patient", "day"))
    assert len(made.data.y_train) + len(made.data.y_validation) + made.sealed.n_samples == 30
    assert made.prepare(VISITS[["size"]]).shape == (60, 1), "other rows need no column that is no input"
    arrays = read(rows=30)
    assert (len(arrays.data.y_train) + len(arrays.data.y_validation), arrays.sealed.n_samples) == (30, 12)


@pytest.mark.parametrize(
    ("x", "choice", "said"),
    [
        (X, {"group": "patient"}, "`data.group` is for data frames, whose columns have names; got 'patient' for an"),
        (X, {"order": "day"}, "`data.order` is for data frames, whose columns have names; got 'day' for an array."),
        (
            X,
            {"ignore": ["id"]},
            "`data.ignore` is for data frames, whose columns have names; got ('id',) for an array.",
        ),
        (VISITS, {"group": "patiend"}, "`data.group` must name a column of data from Python, got 'patiend'; did you"),
        (VISITS, {"ignore": ["ids"]}, "`data.ignore` must name a column of data from Python, got 'ids'; did you mean"),
        (VISITS, {"order": "kind"}, "`data.order` must name another column than the labels, got 'kind' for both."),
        (VISITS, {"rows": 4}, "`data.rows` must be at least 3 for each class, and the labels of data from Python have"),
        (X, {"rows": 4}, "`data.rows` must be at least 3 for each class, and the labels of data from Python have 3"),
    ],
)
def test_settings_of_columns_and_rows_that_cannot_be_are_refused_in_a_programs_words(
    x: Any, choice: Any, said: str
) -> None:
    with pytest.raises(DataError) as refused:
        read(x, "kind" if x is VISITS else Y, **choice)
    assert str(refused.value).startswith(said)


def test_a_column_is_left_out_by_a_setting() -> None:
    with pytest.raises(DataError) as refused:
        read(FRAME.assign(id=range(60)), "kind")
    assert str(refused.value).endswith("Therefore leave it out with `settings={'data.ignore': ['id']}`.")
    assert (
        read(FRAME.assign(id=range(60)), "kind", ignore=["id"]).data.fingerprint == read(FRAME, "kind").data.fingerprint
    )


def test_other_samples_must_be_like_the_first() -> None:
    with pytest.raises(DataError, match=r"Samples must have the shape \(3,\) of the first ones, got \(2,\)."):
        read().prepare(X[:, :2])
    with pytest.raises(DataError, match="Samples must be a data frame as the first ones were, got ndarray"):
        read(FRAME, "kind").prepare(X)
    with pytest.raises(DataError, match="x must have the columns of the training rows; colour missing"):
        read(FRAME, "kind").prepare(FRAME.drop(columns="colour"))
    pixels = read(RNG.integers(0, 256, (60, 4)).astype(np.uint8))
    with pytest.raises(DataError, match=r"Samples must hold whole numbers in 0\.\.255 as the first ones do"):
        pixels.prepare(X[:, [0, 0, 0, 0]])


def test_nothing_of_the_test_samples_shows_before_verification() -> None:
    noise = FRAME.head(12).assign(size=1e6, colour="green", kind="s")
    seen = [read(FRAME, "kind", test=(rows, "kind")).data for rows in (FRAME.head(12), noise)]
    np.testing.assert_array_equal(seen[0].x_train, seen[1].x_train)
    np.testing.assert_array_equal(seen[0].scale, seen[1].scale)
    assert seen[0].fingerprint == seen[1].fingerprint
    assert seen[0].table.rules == seen[1].table.rules


def test_arrows_categories_and_decimals_are_plain_values() -> None:
    arrow = pytest.importorskip("pyarrow")
    letters = arrow.array(["p", "q", "r"] * 20)
    plain = FRAME.reset_index(drop=True).assign(c=letters.to_pylist(), d=X[:, 0].round(2))
    cents = arrow.array(plain["d"].to_list()).cast(arrow.decimal128(12, 2))
    stored = {
        "c": letters.dictionary_encode(),
        "d": cents,
    }
    typed = {name: pd.Series(values, dtype=pd.ArrowDtype(values.type)) for name, values in stored.items()}
    assert read(plain.assign(**typed), "kind").data.fingerprint == read(plain, "kind").data.fingerprint
