"""Tables: read in many formats, prepared on training rows alone, and refused in one line."""

import gzip
import json
import os
import sys
import weakref
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_helpers import FUZZ, refused_or_read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder

from fewest.search.data import labelled, npz, tables
from fewest.search.data.columns import Part, as_inputs, read_columns
from fewest.search.data.errors import DataError
from fewest.search.data.labelled import read_labelled
from fewest.search.data.loading import load
from fewest.search.data.own_data import settings_for
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.data.tables import n_rows, read_table
from fewest.search.data.text_columns import distinct, encoded, places, release_memory
from fewest.search.settings.config import DataConfig
from fewest.storage.errors import FewestError

pd = pytest.importorskip("pandas")
pyarrow = pytest.importorskip("pyarrow")

N = 60


@pytest.fixture
def frame() -> Any:
    """A number with gaps, a category with gaps, a date, yes or no, and three classes of labels."""
    rng = np.random.default_rng(4)
    number = rng.normal(size=N).round(3)
    number[::7] = np.nan
    return pd.DataFrame(
        {
            "größe": number,
            "colour": rng.choice(["red", "green", None], N),
            "day": [f"2024-02-{1 + i % 28:02d}" for i in range(N)],
            "big": rng.random(N) < 0.5,
            "kind": np.tile(["a", "b", "c"], N // 3),
        }
    )


def write_arff(frame: Any, path: Path) -> None:
    """Write nominal attributes in quotes, since names and values may hold blanks, and missing values as `?`."""
    kinds = {column: "real" if frame[column].dtype.kind == "f" else "string" for column in frame.columns}
    head = ["% a comment", "@RELATION it", *(f"@attribute '{name}' {kind}" for name, kind in kinds.items()), "@DATA"]
    rows = [
        ",".join("?" if pd.isna(value) else str(value) if isinstance(value, float) else f"'{value}'" for value in row)
        for row in frame.itertuples(index=False)
    ]
    path.write_text("\n".join([*head, rows[0], "% it's another", "% a, b, c, d, e", "", *rows[1:], ""]), "utf-8")


WRITERS: dict[str, Callable[[Any, Path], Any]] = {
    "a.csv": lambda frame, path: frame.to_csv(path, index=False),
    "semicolons.csv": lambda frame, path: frame.to_csv(path, index=False, sep=";", decimal=","),
    "bars.csv": lambda frame, path: frame.to_csv(path, index=False, sep="|"),
    "a.tsv": lambda frame, path: frame.to_csv(path, index=False, sep="\t"),
    "latin.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="cp1252"),
    "mark.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-8-sig"),
    "wide.csv": lambda frame, path: frame.to_csv(path, index=False, encoding="utf-16"),
    "question.csv": lambda frame, path: frame.to_csv(path, index=False, na_rep="?"),
    "A.CSV.GZ": lambda frame, path: path.write_bytes(gzip.compress(frame.to_csv(index=False).encode())),
    "a.csv.bz2": lambda frame, path: frame.to_csv(path, index=False),
    "a.arff": write_arff,
    "a.jsonl": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.jsonl.gz": lambda frame, path: frame.to_json(path, orient="records", lines=True),
    "a.parquet": lambda frame, path: frame.to_parquet(path),
    "a.feather": lambda frame, path: frame.to_feather(path),
}


def loaded(path: Path, **choice: Any) -> tuple[SearchData, SealedTest]:
    chosen = DataConfig(name=str(path), **choice)
    return load(str(path), validation="stratified", validation_share=0.2, seed=0, choice=chosen)


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_is_the_same_in_every_format(name: str, frame: Any, tmp_path: Path) -> None:
    plain, other = tmp_path / "plain.csv", tmp_path / name
    frame.to_csv(plain, index=False)
    WRITERS[name](frame, other)
    (data, sealed), (expected, expected_test) = loaded(other), loaded(plain)
    assert data.fingerprint == expected.fingerprint
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(sealed.unseal().x, expected_test.unseal().x)


@pytest.mark.parametrize(
    ("name", "words"),
    [("semicolons.csv", "columns separated by ';'"), ("latin.csv", "text in cp1252")],
)
def test_an_unusual_format_is_said(name: str, words: str, frame: Any, tmp_path: Path) -> None:
    WRITERS[name](frame, tmp_path / name)
    assert read_table(tmp_path / name).notes == (f"Read {name} with {words}.",)


def test_a_late_character_that_is_no_utf_8_is_read(tmp_path: Path) -> None:
    path = tmp_path / "late.csv"
    path.write_bytes(b"x,y\n" + b"1,a\n" * 30_000 + b"1,\xe4\n")
    assert read_table(path).frame["y"].iloc[-1] == "ä"


def test_columns_become_inputs_fitted_on_training_rows_alone() -> None:
    train = pd.DataFrame(
        {
            "n": [1.0, np.nan, 3.0, 8.0],
            "c": ["red", "blue", None, "red"],
            "b": [True, False, True, True],
            "d": ["1970-01-02", "1970-01-01", "1970-01-01", "1970-01-03"],
        }
    )
    test = pd.DataFrame({"n": [np.nan, 5.0], "c": ["green", "red"], "b": [False, True], "d": ["1970-01-01", None]})
    parts = [Part(dict(frame.items()), None, "a table") for frame in (train, test)]
    inputs = as_inputs(read_columns(*parts), "a table")
    # n filled by the median of 1, 3, 8; b; d in seconds; whether n was missing; blue, red, missing.
    day = 86_400.0
    np.testing.assert_array_equal(
        inputs.x_train,
        [
            [1, 1, day, 0, 0, 1, 0],
            [3, 0, 0, 1, 1, 0, 0],
            [3, 1, 0, 0, 0, 0, 1],
            [8, 1, 2 * day, 0, 0, 1, 0],
        ],
    )
    # A value that training lacks sets none of its inputs, a missing date is the median.
    np.testing.assert_array_equal(inputs.x_test, [[3, 0, 0, 1, 0, 0, 0], [5, 1, day / 2, 0, 0, 1, 0]])
    assert inputs.words == (
        "Numbers: n, b; missing ones are the median, and an input says so: n (1).",
        "Dates, as seconds: d.",
        "Categories, one input a value: c (3).",
    )


def test_inputs_are_those_of_scikit_learn() -> None:
    """Without its two copies of all inputs in float64."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(
        {"a": rng.normal(size=200), "c": rng.choice(["x", "y", "z"], 200), "b": rng.integers(0, 9, 200).astype(float)}
    )
    frame.loc[::9, "b"] = np.nan
    frame.loc[150:, "c"] = rng.choice(["y", "new"], 50)
    kept, held_out = np.arange(150), np.arange(150, 200)
    parts = [Part(dict(frame.items()), rows, "a table") for rows in (kept, held_out)]
    inputs = as_inputs(read_columns(*parts), "a table")
    numbers = SimpleImputer(strategy="median", add_indicator=True)
    steps = [("n", numbers, ["a", "b"]), ("c", OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["c"])]
    transformer = ColumnTransformer(steps)
    np.testing.assert_allclose(inputs.x_train, transformer.fit_transform(frame.iloc[kept]), rtol=1e-7)
    np.testing.assert_allclose(inputs.x_test, transformer.transform(frame.iloc[held_out]), rtol=1e-7)
    np.testing.assert_array_equal(
        inputs.prepare(frame.iloc[held_out], "it"), transformer.transform(frame.iloc[held_out])
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.arff", "a.jsonl", "a.parquet", "a.feather"])
def test_nothing_of_the_test_rows_reaches_the_search(name: str, frame: Any, tmp_path: Path) -> None:
    WRITERS[name](frame, train := tmp_path / f"train{Path(name).suffix}")
    WRITERS[name](frame, test := tmp_path / f"test{Path(name).suffix}")
    before, sealed = loaded(train, test=str(test))
    assert sealed.n_samples == N
    noise = frame.assign(größe=1e9, colour="never seen", big=True, day="1950-01-01")[list(frame.columns[::-1])]
    WRITERS[name](noise, test)
    after, sealed = loaded(train, test=str(test), label="kind")
    assert after.fingerprint == before.fingerprint
    for name in ("x_train", "y_train", "x_validation", "y_validation", "scale", "offset"):
        np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
    assert sealed.unseal().x[0, 0] == 1e9


def test_the_first_bad_column_is_named_however_many_threads_read_them() -> None:
    long, n = pd.Series([f"word {i}" for i in range(5_000)]), 5_000
    columns = {"fine": pd.Series(np.ones(n)), "slow": long} | {f"odd {i}": pd.Series([{}] * n) for i in range(20)}
    with pytest.raises(DataError, match="Column 'slow' of it cannot be an input: it holds text"):
        read_columns(Part(columns, None, "it"), Part(dict(columns), None, "it"))


def test_columns_of_text_are_floats_or_categories() -> None:
    columns = {"n": ["1", "NA", "2.5"], "c": ["b", "a", "b"], "mixed": ["a", 1, None]}
    found = encoded({label: pd.Series(values, dtype=object) for label, values in columns.items()})
    assert {label: column.dtype.name for label, column in found.items()} == {
        "n": "float64",
        "c": "category",
        "mixed": "object",
    }
    codes, values = distinct(found["c"].iloc[:1])
    assert (codes.tolist(), values.tolist()) == ([0], ["b"])  # Other rows' values are not seen.


@pytest.mark.parametrize("name", ["a.csv", "a.arff", "a.jsonl", "a.parquet"])
def test_nothing_of_the_rows_set_aside_reaches_the_search(name: str, frame: Any, tmp_path: Path) -> None:
    """Which rows are set aside depends on the labels alone, so noise can be put in their place."""
    frame["größe"] = np.arange(N) + 0.25  # which tells the rows apart
    WRITERS[name](frame, path := tmp_path / name)
    before, sealed = loaded(path)
    aside = (sealed.unseal().x[:, 0] - 0.25).astype(int)
    frame.loc[aside, "größe"] = np.random.default_rng(0).normal(size=len(aside))
    frame.loc[aside, "colour"] = "never seen"
    frame.loc[aside, "day"] = "1950-01-01"
    WRITERS[name](frame, path)
    after, noise = loaded(path)
    assert after.fingerprint == before.fingerprint and after.table == before.table
    for part in ("x_train", "y_train", "x_validation", "y_validation", "scale", "offset"):
        np.testing.assert_array_equal(getattr(after, part), getattr(before, part))
    assert not np.array_equal(noise.unseal().x, sealed.unseal().x)


@settings(FUZZ, max_examples=40)
@given(
    values=st.lists(
        st.sampled_from(
            ["1", "2.5", "+3", "-4e2", "nan", "NA", "", "?", "inf", "1,5", "a", " 7 ", "07", "True", "1e400"]
        ),
        min_size=30,
        max_size=30,
    )
    | st.lists(st.floats(allow_nan=False).map(repr), min_size=30, max_size=30)
)
def test_columns_of_numbers_read_at_once_are_those_read_value_by_value(tmp_path: Path, values: list[str]) -> None:
    lines = [f'"{value}",{index % 7},{"ab"[index % 2]}' for index, value in enumerate(values)]
    (tmp_path / "it.csv").write_bytes(rows("x,z,y", *lines, n=1))
    found = []
    as_text, value_by_value = (
        ("_table", lambda path, choice: read_table(path)),
        ("encoded", lambda columns: columns),
    )
    for slower in ([], [as_text], [as_text, value_by_value]):
        with pytest.MonkeyPatch.context() as patch:
            for name, read in slower:
                patch.setattr(labelled, name, read)
            try:
                made = read_labelled(tmp_path / "it.csv", DataConfig(name="it"))
                found.append((made.table, made.arrays.x_train.tolist(), made.arrays.x_test.tolist()))
            except DataError as refused:
                found.append(str(refused))
    assert found[0] == found[1] == found[2]


def test_numbers_of_a_text_file_are_numbers_unless_they_are_to_stay_text(tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_bytes(rows(" n ,gaps,bool,none,y", "07,NA,true,?,01", "1e3,2,False,,1"))
    frame = read_table(tmp_path / "it.csv", lambda names: names[-1:]).frame
    assert {name for name in frame.columns if frame[name].dtype == np.float64} == {"n", "gaps"}
    assert frame["n"].tolist() == [7.0, 1000.0] * 12
    assert frame["y"].tolist() == ["01", "1"] * 12
    assert all(kind.kind == "O" for kind in read_table(tmp_path / "it.csv").frame.dtypes)


@pytest.mark.parametrize("late", ["x", "NAN", "1,5"])
def test_a_late_value_that_is_no_number_makes_its_column_text(
    late: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BLOCK_BYTES", 100)
    (tmp_path / "it.csv").write_bytes(rows("n;y", "01;a", "2;b", n=50) + f"{late};a\n".encode())
    column = read_table(tmp_path / "it.csv", lambda names: ["y"]).frame["n"]
    assert column.tolist() == ["01", "2"] * 50 + [late]


def test_labels_and_groups_that_are_numbers_differ_as_text(tmp_path: Path) -> None:
    lines = [f"{i * i % 17},{('1', '01', '2', '3')[i // 2 % 4]},{i % 2}" for i in range(60)]
    grouped = made(tmp_path, rows("x,g,y", *lines, n=1), group="g")
    assert any("3 groups train and validate" in words for words in grouped.table.words)
    with pytest.raises(DataError, match="must have a label"):
        made(tmp_path, rows("x,y", "1,1", "2,", "3,2"))
    assert made(tmp_path, rows("x,y,", "1,1,", "2,NA,", "3,2,")).table.classes == ("1", "2", "NA")


def test_the_beginning_of_a_text_is_looked_at_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's reader of a file that is closed may read ahead from the next file that is opened."""
    csv = pytest.importorskip("pyarrow.csv")
    sources, look = [], csv.open_csv

    def spy(source: Any, *arguments: Any) -> Any:
        sources.append(type(source))
        return look(source, *arguments)

    monkeypatch.setattr(csv, "open_csv", spy)
    (tmp_path / "it.csv").write_bytes(GOOD)
    read_table(tmp_path / "it.csv")
    assert sources == [pyarrow.BufferReader]


def test_a_table_is_freed_before_its_inputs_are_stacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both at once would take more memory than loading may."""
    frames, alive = [], []

    def read(*args: Any) -> Any:
        frames.append(weakref.ref((table := read_table(*args)).frame))
        return table

    def stacked(*args: Any) -> Any:
        alive.append(frames[0]() is not None)
        return as_inputs(*args)

    monkeypatch.setattr(labelled, "read_table", read)
    monkeypatch.setattr(labelled, "as_inputs", stacked)
    made(tmp_path, GOOD)
    assert alive == [False]


def test_a_share_of_every_class_is_set_aside_and_always_the_same(frame: Any, tmp_path: Path) -> None:
    frame.to_csv(path := tmp_path / "a.csv", index=False)
    arrays = read_labelled(path, DataConfig(name="a", test=0.3)).arrays
    again = read_labelled(path, DataConfig(name="a", test=0.3)).arrays
    assert np.unique(arrays.y_test, return_counts=True)[1].tolist() == [6, 6, 6]
    np.testing.assert_array_equal(arrays.x_test, again.x_test)
    assert len(arrays.y_train) + len(arrays.y_test) == N


def test_dates_may_be_classes(tmp_path: Path) -> None:
    day = pd.to_datetime(["2020-01-01", "2021-06-01"] * 20)
    pd.DataFrame({"x": np.random.default_rng(0).normal(size=40), "day": day}).to_parquet(path := tmp_path / "a.parquet")
    assert read_labelled(path, DataConfig(name="a")).table.classes == ("2020-01-01", "2021-06-01")


@pytest.mark.parametrize(
    ("labels", "expected"),
    [([1.0, 2.0], np.int64), ([True, False], "<U5"), (["x", "y"], "<U1"), ([10, 7], np.int64)],
)
def test_labels_of_any_type_are_classes(labels: list[Any], expected: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rng = np.random.default_rng(0)
    pd.DataFrame({"x": rng.normal(size=40), "label": labels * 20}).to_csv(path, index=False)
    found = read_labelled(path, DataConfig(name="a"))
    assert found.arrays.y_train.dtype == expected
    assert found.table.words[0] == (
        "Label: label, the last column, since `--label` names none. 2 classes; the largest has 50.0% of the rows."
    )


def rows(header: str, *lines: str, n: int = 12) -> bytes:
    return "\n".join([header, *lines * n, ""]).encode()


GOOD = rows("x,z,y", "0.5,2.5,a", "1.5,0.25,b")

BAD: dict[str, tuple[bytes, dict[str, Any], str]] = {
    "empty": (b"", {}, "must hold a table, got an empty file"),
    "blank": (b"\n \n", {}, "got an empty file"),
    "a header only": (b"x,y\n", {}, "must hold rows, got only the names of its columns"),
    "bytes": (b"x,y\n\0\0\0", {}, "must be text, got other bytes"),
    "no header": (rows("1,2,3", "4,5,6"), {}, "must name its columns, got values: 1, 2, 3"),
    "one column": (rows("x", "1", "2"), {}, "A column of it.csv besides the labels must be left as an input"),
    "a name twice": (rows("x,x,y", "1,2,a", "3,4,b"), {}, "must have names of their own, got x twice"),
    "a row too long": (GOOD + b"1,2,3,4\n", {}, "cannot be read as a table: Expected 3 columns, got 4"),
    "a row too short": (GOOD + b"1,2\n", {}, "cannot be read as a table: Expected 3 columns, got 2"),
    "no such label": (
        GOOD,
        {"label": "yy"},
        "must name a column of it.csv, got 'yy'; did you mean 'y'? It has x, z, y.",
    ),
    "no such column": (GOOD, {"ignore": ["w"]}, "`--ignore` must name a column of it.csv, got 'w'"),
    "all ignored": (GOOD, {"ignore": ["x", "y", "z"]}, "must be left for the labels"),
    "no input left": (GOOD, {"ignore": ["x", "z"]}, "besides the labels must be left as an input"),
    "a missing label": (GOOD + b"1,2,\n", {}, "must have a label, but column 'y' has none in 1 of 25 rows"),
    "labels as numbers": (rows("x,y", "1,0.5", "2,0.25"), {}, "must hold classes, got numbers such as 0.5"),
    "infinite labels": (rows("x,y", "1,1.0", "2,inf"), {}, "must hold classes, got numbers such as"),
    "one class": (rows("x,y", "1,a", "2,a"), {}, "at least 2 classes, got only a"),
    "a rare class": (GOOD + b"1,2,c\n", {}, "at least 3 rows, one each to train, validate and test; too few have c"),
    "a label a row": (
        rows("x,y", *(f"{i % 7},l{i}" for i in range(50)), n=1),
        {},
        "Is the column one of classes? `--label` names another.",
    ),
    "row numbers": (
        rows("id,x,y", *(f"{i},{i % 5}.5,{'ab'[i % 2]}" for i in range(50)), n=1),
        {},
        "Column 'id' of it.csv cannot be an input: it numbers its rows. Therefore leave it out with `--ignore id`.",
    ),
    "free text": (
        rows("t,x,y", *(f"word {i * i} and more,{i % 5}.5,{'ab'[i % 2]}" for i in range(50)), n=1),
        {},
        "it holds text: 40 different values in 40 rows",
    ),
    "text in a number": (
        rows("x,y", *(f"{'oops' if i == 1 else i / 7:},{'ab'[i % 2]}" for i in range(50)), n=1),
        {},
        "it holds numbers but for 1 values such as 'oops'",
    ),
    "no value": (rows("x,z,y", ",1,a", ",2,b"), {}, "'x' of it.csv cannot be an input: it has no value"),
    "an infinite number": (rows("x,y", "inf,a", "2,b"), {}, "must hold finite numbers, got infinite ones"),
    "values as names": (rows("5.1,3.5,iris", "4.9,3.0,iris"), {}, "must name its columns, got values: 5.1, 3.5, iris"),
    "thousands": (
        rows("p\tx\ty", *(f"{500 + 137 * i:,}\t{i % 4}.5\t{'ab'[i % 2]}" for i in range(50)), n=1).replace(b"\t", b";"),
        {},
        "which may be thousands or a decimal",
    ),
    "labels that run together": (
        rows("x,y", "1,18446744073709551615", "2,28446744073709551615"),
        {},
        "beyond 2**53 they run together. Write them as text.",
    ),
    "long labels": (rows("x,y", f"1,{'a' * 300}", "2,b"), {}, "got text of up to 300 characters"),
    "an index of pandas": (
        rows(",x,y", *(f"{2 * i},{i % 7}.5,{'ab'[i % 2]}" for i in range(50)), n=1),
        {},
        "Column '' of it.csv cannot be an input: it numbers its rows. Therefore leave it out with `--ignore ''`.",
    ),
    "a test file of another kind": (GOOD, {"test": "/dev/null"}, "must be the path of a table or a share such as 0.2"),
    "no test file": (
        GOOD,
        {"test": "nowhere.csv"},
        "must be the path of a table or a share such as 0.2, got 'nowhere.csv'",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_gets_one_line(case: str, tmp_path: Path) -> None:
    content, choice, said = BAD[case]
    path = tmp_path / "it.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as refused:
        loaded(path, **choice)
    assert said in refused.value.in_shell()
    assert "\n" not in refused.value.in_shell()


def made(tmp_path: Path, content: bytes, test: bytes | None = None, **choice: Any) -> Any:
    """What is made of a CSV file, and of another with the test rows."""
    (tmp_path / "it.csv").write_bytes(content)
    if test is not None:
        (tmp_path / "test.csv").write_bytes(test)
        choice["test"] = str(tmp_path / "test.csv")
    return read_labelled(tmp_path / "it.csv", DataConfig(name="it", **choice))


def test_blanks_around_values_mean_nothing(tmp_path: Path) -> None:
    spaced = made(tmp_path, rows("x, z , y", "0.5, NA, a", "1.5, 2.5,b ", "1.5, 4,b", "2.5,?,a "))
    plain = made(tmp_path, rows("x,z,y", "0.5,NA,a", "1.5,2.5,b", "1.5,4,b", "2.5,?,a"))
    np.testing.assert_array_equal(spaced.arrays.x_train, plain.arrays.x_train)
    assert spaced.table == plain.table
    assert plain.table.classes == ("a", "b")
    assert [rule.kind for rule in plain.table.rules] == ["number", "number", "missing"]


def test_each_column_has_a_decimal_mark_of_its_own(tmp_path: Path) -> None:
    lines = [f"{i % 9},{i % 2};{i % 7}.{i % 3};{'1.0.3' if i % 2 else '2.1'};{'ab'[i % 2]}" for i in range(300)]
    found = made(tmp_path, rows("comma;point;version;y", *lines, n=1))
    assert found.table.words[2:] == (
        "Numbers: comma, point.",
        "Decimal commas: comma.",
        "Categories, one input a value: version (2).",
    )
    assert set(np.unique(found.arrays.x_train[:, 0])) == {np.float32(i + half) for i in range(9) for half in (0.0, 0.1)}


@pytest.mark.parametrize(
    ("training", "test", "inputs"),
    [
        (("1", "2", "x"), ("1", "", "2"), [[1, 0, 0], [0, 0, 0], [0, 1, 0]]),
        (("01234", "02345", "N/K"), ("02345", "01234", "1234"), [[0, 1, 0], [1, 0, 0], [0, 0, 0]]),
        (("true", "false", "maybe"), ("true", "false", "true"), [[0, 0, 1], [1, 0, 0], [0, 0, 1]]),
        (("1", "2", "4"), ("1", "2.5", "?"), [[1], [2.5], [2]]),
    ],
)
def test_test_rows_are_read_as_the_training_rows_are(training: Any, test: Any, inputs: Any, tmp_path: Path) -> None:
    lines = [f"{value},{label}" for value in training for label in "ab"]
    others = [f"{value},{label}" for value, label in zip(test, "aba", strict=True)]
    found = made(tmp_path, rows("c,y", *lines, n=3), rows("c,y", *others, n=1))
    np.testing.assert_array_equal(found.arrays.x_test, inputs)


def test_test_rows_that_do_not_fit_are_refused_by_their_own_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"^Column 'c' of test\.csv must hold a number in every row, .*'oops'"):
        made(tmp_path, rows("c,y", "1,a", "2,b"), rows("c,y", "1,a", "oops,b", n=1))


@pytest.mark.parametrize(
    ("training", "other", "kind"),
    [("2024-01-05", "yesterday", "date"), ("true", "maybe", "boolean"), ("1,5", "oops", "decimal comma")],
)
def test_no_value_that_does_not_fit_is_taken_for_a_missing_one(
    training: str, other: str, kind: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=rf"^Column 'c' of test\.csv must hold a {kind} in every row, .*'{other}'"):
        made(tmp_path, rows("c;y", f"{training};a", f"{training};b"), rows("c;y", f"{training};a", f"{other};b", n=1))


def test_labels_are_missing_only_where_nothing_is_written(tmp_path: Path) -> None:
    found = made(tmp_path, rows("x,y", "0.5,-", "1.5,+", "2.5,None", "3.5,NA"))
    assert found.table.classes == ("+", "-", "NA", "None")


def test_labels_of_test_rows_have_the_type_of_the_training_rows(tmp_path: Path) -> None:
    found = made(tmp_path, rows("x,y", "1,1", "2,2", "3,x"), rows("x,y", "1,1", "2,2", n=1))
    assert found.arrays.y_test.tolist() == ["1", "2"]
    found = made(tmp_path, rows("x,y", "1,1", "2,2"), rows("x,y", "1,1.0", "2,2", n=1))
    assert found.arrays.y_test.tolist() == [1, 2]


@pytest.mark.parametrize(
    "content",
    [
        rows("Länge, cm;Breite, cm;Art", "0,5;1,5;a", "1,5;0,25;b", "2,5;0,25;b"),
        rows('"w;x,y",z,Art', "0.5,1.5,a", "1.5,0.25,b", "2.5,0.25,b"),
        b"\n" + rows("x;z;Art", "0.5;1.5;a", "1.5;0.25;b", "2.5;0.25;b"),
        rows("sep=;\nx;z;Art", "0.5;1.5;a", n=1) + rows("1.5;0.25;b", "2.5;0.25;b", "0.5;1.5;a"),
        rows("x,z,Art,", "0.5,1.5,a,", "1.5,0.25,b,", "2.5,0.25,b,"),
        rows("0,1,Art", "0.5,1.5,a", "1.5,0.25,b", "2.5,0.25,b"),
    ],
)
def test_the_names_of_columns_are_found(content: bytes, tmp_path: Path) -> None:
    found = made(tmp_path, content)
    assert found.table.classes == ("a", "b")
    assert found.arrays.x_train.shape[1] == 2
    assert any("Label: Art" in words for words in found.table.words)


def test_parquet_keeps_what_is_data_and_refuses_what_is_none(tmp_path: Path) -> None:
    number = np.random.default_rng(0).normal(size=N)
    y = pd.Categorical(np.tile(["a", "b"], N // 2))
    flag = pd.array([None, True, False] * (N // 3), "boolean")
    price = [Decimal(f"{i % 7}.25") for i in range(N)]
    day = [date(2020, 1, 1 + i % 28) for i in range(N)]
    frame = pd.DataFrame({"x": number, "flag": flag, "price": price, "day": day, "y": y}).set_index("x")
    frame.to_parquet(path := tmp_path / "it.parquet")
    # What pandas notes as its index is a column like any other, at the end of the file.
    found = read_labelled(path, DataConfig(name="it", label="y"))
    assert [(rule.column, rule.kind) for rule in found.table.rules] == [
        ("flag", "number"), ("price", "number"), ("x", "number"), ("day", "date"), ("flag", "missing")
    ]  # fmt: skip
    for odd in ([[1, 2]] * N, [{"a": 1}] * N, [b"a\xff"] * N):
        pd.DataFrame({"odd": odd, "x": number, "y": y}).to_parquet(path)
        with pytest.raises(DataError, match=r"^Column 'odd' of it\.parquet cannot be an input: it holds values of the"):
            read_labelled(path, DataConfig(name="it"))
        assert read_labelled(path, DataConfig(name="it", ignore=("odd",))).arrays.x_train.shape[1] == 1
        with pytest.raises(DataError, match=r"^Column 'odd' of it\.parquet must hold classes, got values of the type"):
            read_labelled(path, DataConfig(name="it", label="odd"))


def test_a_gap_in_a_test_row_changes_nothing_of_the_training_rows(tmp_path: Path) -> None:
    content = rows("b,y", "true,a", "false,b", "true,b")
    whole, gap = (made(tmp_path, content, rows("b,y", more, n=1)) for more in ("true,a", ",a"))
    np.testing.assert_array_equal(whole.arrays.x_train, gap.arrays.x_train)
    assert whole.table == gap.table
    assert [rule.kind for rule in gap.table.rules] == ["number"]


def test_the_training_rows_are_no_test_rows(tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_bytes(GOOD)
    with pytest.raises(DataError, match="must be others than the training rows"):
        loaded(tmp_path / "it.csv", test=str(tmp_path / "it.csv"))


def test_what_cannot_fit_into_memory_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "available_memory", lambda: 1_000)
    with pytest.raises(DataError, match=r"^'it\.csv' must fit into memory"):
        made(tmp_path, GOOD)


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "it.csv")
    assert settings_for(str(tmp_path / "it.csv"))["training"]["batch_size"] == 8
    with pytest.raises(FewestError, match="got the named pipe"):
        loaded(tmp_path / "it.csv")


@pytest.mark.parametrize("name", ["cut.parquet", "cut.feather", "cut.csv.gz", "cut.csv.zst"])
def test_a_truncated_file_gets_one_line(name: str, frame: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("zst"):
        with pyarrow.CompressedOutputStream(str(path), "zstd") as stream:
            stream.write(frame.to_csv(index=False).encode())
    else:
        WRITERS[name.replace("cut.", "a.").replace("a.csv.gz", "A.CSV.GZ")](frame, path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="cannot be read as a table"):
        loaded(path)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    suffix=st.sampled_from([".csv", ".tsv", ".csv.gz", ".csv.zst", ".parquet", ".feather"]),
    content=st.one_of(
        st.binary(max_size=200),
        st.text(alphabet='ab1.,;\t\n"\r\0 -?é', max_size=200).map(str.encode),
        st.binary(max_size=40).map(lambda more: GOOD + more),
        st.binary(max_size=80).map(lambda more: b"PAR1" + more + b"PAR1"),
        st.binary(max_size=80).map(lambda more: b"ARROW1\0\0" + more + b"ARROW1"),
    ),
)
def test_any_bytes_are_data_or_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"it{suffix}"
    path.write_bytes(content)
    try:
        loaded(path)
    except FewestError as refused:
        assert "\n" not in str(refused)
    settings_for(str(path))


def test_options_for_tables_are_refused_for_other_data() -> None:
    with pytest.raises(FewestError, match=r"`data.label` is for tables \(\.csv, "):
        loaded(Path("digits"), label="y")


@FUZZ
@given(
    suffix=st.sampled_from([".arff", ".jsonl", ".arff.gz", ".jsonl.zst"]),
    content=st.one_of(
        st.binary(max_size=200),
        st.text(alphabet="@data{}[]:,'\"\\%? \n1a", max_size=200).map(str.encode),
        st.binary(max_size=60).map(
            lambda more: b"@relation a\n@attribute x real\n@attribute y {a,b}\n@data\n1,a\n" + more
        ),
        st.lists(st.dictionaries(st.text(max_size=2), st.none() | st.integers() | st.text(max_size=3)), max_size=9).map(
            lambda rows: "\n".join(map(json.dumps, rows)).encode()
        ),
    ),
)
def test_any_bytes_in_a_table_are_data_or_one_line(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"it{suffix}"
    path.write_bytes(content)
    refused_or_read(path)
    settings_for(str(path))


def test_arff_of_many_hands_is_read(tmp_path: Path) -> None:
    head = "% c\r\n@Relation 'two words'\r\n\r\n@ATTRIBUTE\t\"a b\"  numeric\r\n@attribute it\\'s {x,'y, z'}\r\n"
    lines = ["1, x, yes", "2.5, 'y, z', no", "?, ?, yes", " 4,'y, z',no", "5,x,?", "%1,2,3"]
    path = tmp_path / "it.arff"
    path.write_bytes((head + "@attribute class {yes, no}\r\n@data\r\n" + "\r\n".join(lines)).encode())
    frame = read_table(path).frame
    assert list(frame.columns) == ["a b", "it's", "class"]
    assert frame["a b"].fillna("-").tolist() == ["1", "2.5", "-", "4", "5"]
    assert frame["class"].fillna("-").tolist() == ["yes", "no", "yes", "no", "-"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_counted_whatever_ends_a_line(end: str, tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_bytes(end.join(["a,y", *["1,x", "2,z"] * 10, ""]).encode())
    assert n_rows(tmp_path / "it.csv") == 20
    assert len(read_table(tmp_path / "it.csv").frame) == 20


@pytest.mark.parametrize("stray", ['"1,2,x', '1,"2,x'])
def test_rows_that_a_stray_quotation_mark_swallows_are_said(stray: str, tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_text("\n".join(["a,b,y", "1,2,x", stray, "3,4,x", stray, "5,6,x", ""]))
    found = read_table(tmp_path / "it.csv")
    assert len(found.frame) == 3
    assert found.notes == (
        "1 value of it.csv may hold whole rows: line breaks, and as many separators as a row. Is a quotation mark "
        "missing there?",
    )


def test_a_line_break_in_a_value_is_no_lost_row(tmp_path: Path) -> None:
    (tmp_path / "it.csv").write_text('a,b,y\n1,"two, or\nthree",x\n')
    assert read_table(tmp_path / "it.csv").notes == ()


def test_a_data_frame_needs_no_arrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    columns = {"x": pd.Series(np.array(["1", "2"], object))}
    assert encoded(columns)["x"] is columns["x"]
    release_memory()
    column = pd.Series(["b", None, "c", "a"], dtype=object)
    assert places(column, ["a", "b", None]).tolist() == [1, 2, -1, 0]
    assert places(column, ["a", "b"]).tolist() == [1, -1, -1, 0]


@pytest.mark.parametrize("name", ["a.parquet", "a.feather"])
def test_the_index_that_pandas_wrote_is_no_input(tmp_path: Path, name: str) -> None:
    """In a shuffled table that was sorted by class, it tells the class."""
    frame = pd.DataFrame({"x": [1.0, 2.0], "y": ["a", "b"]}, index=[1, 0])
    module = pytest.importorskip(f"pyarrow.{name[2:]}")
    write = module.write_table if name == "a.parquet" else module.write_feather
    write(pyarrow.Table.from_pandas(frame), str(tmp_path / name))
    table = read_table(tmp_path / name)
    assert list(table.frame.columns) == ["x", "y"]
    assert table.notes == ("Left out the index that pandas wrote, a column without a name.",)
