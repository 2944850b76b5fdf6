"""Rows that stay together: groups are drawn whole, times are cut, and no class is lost on the way."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewest.search.data.blocks import split_blocks
from fewest.search.data.errors import DataError
from fewest.search.data.loading import load
from fewest.search.data.samples import Blocks, SealedTest, SearchData
from fewest.search.settings.config import DataConfig, SettingsError, StudyConfig

pd = pytest.importorskip("pandas")

CLASSES = np.array(["a", "b"])


def parts(ids: Any, y: Any, share: float = 0.25, *, ordered: bool, then: int = 1, seed: int = 0) -> Any:
    """Positions that stay and that are set aside."""
    blocks = Blocks("c", np.asarray(ids, np.int64), ordered)
    options: dict[str, Any] = {"seed": seed, "part": "test", "then": then, "name": "t.csv"}
    return split_blocks(blocks, np.asarray(y), CLASSES, share, **options)


def test_the_later_rows_are_set_aside_wherever_they_stand_in_the_file() -> None:
    first, second = parts([3, 0, 2, 1], [0, 0, 1, 1], 0.5, ordered=True)
    assert (first.tolist(), second.tolist()) == ([1, 3], [0, 2])


@pytest.mark.parametrize(("share", "n_later"), [(0.2, 2), (0.4, 4), (0.7, 6), (0.9, 6)])
def test_rows_of_one_time_stay_together_at_the_nearer_cut(share: float, n_later: int) -> None:
    """Times 0, 0, 0, 0, 1, 1, 2, 2, 3, 3 can only be cut after 4, 6 and 8 rows."""
    ids = [0, 0, 0, 0, 1, 1, 2, 2, 3, 3]
    assert len(parts(ids, [0, 1] * 5, share, ordered=True)[1]) == n_later


@settings(deadline=None, max_examples=50)
@given(
    groups=st.lists(st.integers(0, 9), min_size=30, max_size=60), share=st.floats(0.1, 0.9), seed=st.integers(0, 2**40)
)
def test_no_group_is_on_both_sides(groups: list[int], share: float, seed: int) -> None:
    ids = np.unique(groups, return_inverse=True)[1]
    y = np.arange(len(ids)) % 2
    try:
        first, second = parts(ids, y, share, ordered=False, seed=seed)
    except DataError:
        return
    assert not set(ids[first]) & set(ids[second])
    assert sorted([*first, *second]) == list(range(len(ids)))
    assert set(y[first]) == set(y[second]) == {0, 1}


def test_groups_are_drawn_so_that_classes_are_even() -> None:
    """Ten groups hold only `a`, ten only `b`: a blind draw of four often takes three or four of a kind."""
    ids = np.repeat(np.arange(20), 5)
    y = (ids >= 10).astype(int)
    for seed in range(20):
        second = parts(ids, y, 0.2, ordered=False, seed=seed)[1]
        assert np.bincount(y[second]).tolist() == [10, 10]


def test_the_rest_can_be_split_again() -> None:
    """Class `b` lies in three groups of twelve: the test takes exactly one of them."""
    ids = np.repeat(np.arange(12), 4)
    y = np.where((ids < 3) & (np.arange(48) % 4 == 0), 1, 0)
    for seed in range(20):
        first, _ = parts(ids, y, 0.3, ordered=False, then=2, seed=seed)
        assert len(set(ids[first][y[first] == 1])) == 2


@pytest.mark.parametrize(
    ("ids", "y", "ordered", "said"),
    [
        ([0, 1, 2, 3], [0, 0, 1, 1], True, "but class a is missing among the test rows when the rows are ordered"),
        ([0, 1, 2, 3], [1, 1, 1, 0], True, "but class a is missing among the others when the rows are ordered"),
        ([0, 0, 0, 0], [0, 1, 0, 1], True, "must hold different times, got one for all rows."),
        ([0, 1, 2, 2], [0, 0, 1, 1], False, "must lie in at least 2 groups of 'c', one for each part; class b lies"),
        ([0, 0, 0, 0], [0, 1, 0, 1], False, "must lie in at least 2 groups of 'c'"),
    ],
)
def test_a_class_that_would_be_lost_is_named(ids: Any, y: Any, ordered: bool, said: str) -> None:
    with pytest.raises(DataError) as error:
        parts(ids, y, ordered=ordered)
    assert said in str(error.value)
    assert "\n" not in str(error.value)


N = 120


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two classes, rows of 30 patients, and a day for every two rows, in no order."""
    rng = np.random.default_rng(1)
    day = rng.permutation(N) // 2
    frame = pd.DataFrame(
        {
            "patient": [f"p{row % 30}" for row in range(N)],
            "day": [str(np.datetime64("2024-01-01") + int(d)) for d in day],
            "x": day.astype(float) + 0.5,
            "z": (np.arange(N) % 30).astype(float) + 0.5,
            "kind": np.tile(["a", "b"], N // 2),
        }
    )
    path = tmp_path / "t.csv"
    frame.to_csv(path, index=False)
    return path


def loaded(path: Path, **choice: Any) -> tuple[SearchData, SealedTest]:
    chosen = DataConfig(name=str(path), **choice)
    return load(str(path), validation="stratified", validation_share=0.25, seed=3, choice=chosen)


def test_a_group_trains_validates_or_tests(table: Path) -> None:
    data, sealed = loaded(table, group="patient", ignore=("day", "x"))
    sides = [set(part.reshape(-1).tolist()) for part in (data.x_train, data.x_validation, sealed.unseal().x)]
    assert list(map(len, sides)) == [18, 6, 6]
    assert len(set.union(*sides)) == 30
    assert data.table is not None
    assert "Groups: patient, no input; all rows of one train, validate or test. 24 groups train and validate." in (
        data.table.words
    )
    assert [rule.column for rule in data.table.rules] == ["z"]


def test_the_last_rows_test_and_the_end_of_the_others_validates(table: Path) -> None:
    data, sealed = loaded(table, order="day", ignore=("patient", "z"))
    sides = [part.reshape(-1) for part in (data.x_train, data.x_validation, sealed.unseal().x)]
    assert list(map(len, sides)) == [72, 24, 24]
    assert sides[0].max() < sides[1].min() <= sides[1].max() < sides[2].min()
    assert data.table is not None
    assert any(words.startswith("Order: day, no input; the last rows are the test") for words in data.table.words)


@pytest.mark.parametrize(("column", "n"), [("group", "patient"), ("order", "day")])
def test_test_rows_of_another_file_leave_only_validation_to_split(table: Path, column: str, n: str) -> None:
    other = table.with_name("test.csv")
    pd.DataFrame({"x": [1.5, 2.5], "z": [1.5, 2.5], "kind": ["a", "b"]}).to_csv(other, index=False)
    data, sealed = loaded(table, test=str(other), ignore=("patient", "day"), **{column: n})
    assert (len(data.y_train) + len(data.y_validation), sealed.n_samples) == (N, 2)
    x = 1 if column == "group" else 0
    sides = [set(part[:, x].tolist()) for part in (data.x_train, data.x_validation)]
    assert not sides[0] & sides[1]


def test_data_are_others_when_their_groups_are(table: Path) -> None:
    """A file whose groups alone changed is split differently, so it is not the data of an older study."""
    before = loaded(table, group="patient", ignore=("day",), test=0.2)[0]
    plain = loaded(table, ignore=("day", "patient"), test=0.2)[0]
    assert before.fingerprint != plain.fingerprint


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"group": "patiend"}, "`--group` must name a column of t.csv, got 'patiend'; did you mean 'patient'?"),
        ({"order": "tag"}, "`--order` must name a column of t.csv, got 'tag'"),
        (
            {"group": "kind", "label": "kind"},
            "`--group` must name another column than the labels, got 'kind' for both.",
        ),
        ({"order": "patient"}, "`--order` must name a column of finite numbers or of dates such as 2024-12-31, but"),
        ({"group": "gaps"}, "Every row of t.csv must have a group, but column 'gaps' has none in 1 of 120 rows"),
        ({"order": "gaps"}, "Every row of t.csv must have a time, but column 'gaps' has none in 1 of 120 rows"),
    ],
)
def test_a_column_that_cannot_split_gets_one_line(choice: Any, said: str, table: Path) -> None:
    frame = pd.read_csv(table)
    frame.insert(0, "gaps", [1.5, None, *range(N - 2)])
    frame.to_csv(table, index=False)
    with pytest.raises(DataError) as error:
        loaded(table, **choice)
    assert error.value.in_shell().startswith(said)
    assert "\n" not in str(error.value)


def test_dates_and_numbers_order_alike(table: Path) -> None:
    by_day = loaded(table, order="day", ignore=("patient", "z"))[0]
    by_number = loaded(table, order="x", ignore=("patient", "day"))[0]
    np.testing.assert_array_equal(by_day.y_validation, by_number.y_validation)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"group": "a", "order": "b"}, "`data.group` and `data.order` exclude each other; give one of them."),
        ({"group": "a", "validation": "tail"}, "`data.validation` must be 'stratified' with `data.group`, got 'tail'."),
    ],
)
def test_settings_that_contradict_each_other_are_refused(data: Any, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        StudyConfig.of({"name": "n", "data": {"name": "x.csv", **data}, "budget": {"trials": 1, "targets": [0.5]}})
    assert str(error.value) == said
