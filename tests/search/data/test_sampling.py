"""Samples of rows that keep every class, and tables that would not fit into memory."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fewest.search.data import npz
from fewest.search.data.errors import DataError
from fewest.search.data.loading import load
from fewest.search.data.own_data import settings_for
from fewest.search.data.sampling import sample_of
from fewest.search.data.tables import extent_of
from fewest.search.settings.config import DataConfig

pd = pytest.importorskip("pandas")


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 50), min_size=1, max_size=6), share=st.floats(0.05, 1.2))
def test_a_sample_has_its_size_and_about_the_shares_of_the_classes(counts: list[int], share: float) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    n = max(3 * len(counts), round(share * len(labels)))
    rows = sample_of(labels, n, "t")
    assert len(rows) == min(n, len(labels))
    assert (np.diff(rows) > 0).all()
    drawn = np.bincount(labels[rows], minlength=len(counts))
    assert all(d >= min(3, count) for d, count in zip(drawn, counts, strict=True))
    if min(counts) * n >= 3 * len(labels):  # No class needs more than its share.
        np.testing.assert_allclose(drawn, np.array(counts) * len(rows) / len(labels), atol=1)


def test_a_sample_is_always_the_same_and_drawn_at_random() -> None:
    labels = np.tile(["a", "b"], 500)
    rows = sample_of(labels, 100, "t")
    np.testing.assert_array_equal(rows, sample_of(labels, 100, "t"))
    assert rows.max() > 900
    assert rows.min() < 100


@pytest.mark.parametrize("labels", [np.eye(4, dtype=int)[np.arange(40) % 4], (np.arange(40) % 4)[:, None]])
def test_labels_of_any_shape_are_sampled(labels: Any) -> None:
    rows = sample_of(labels, 12, "t")
    assert np.bincount(rows % 4).tolist() == [3, 3, 3, 3]


def test_too_few_rows_for_the_classes_are_refused() -> None:
    with pytest.raises(DataError) as error:
        sample_of(np.arange(1000) % 50, 100, "t.csv")
    assert error.value.in_shell() == (
        "`--rows` must be at least 3 for each class, and the labels of t.csv have 50 values; got 100. Is the column "
        "one of classes? `--label` names another."
    )


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    path = tmp_path / "t.csv"
    frame = {"x": rng.normal(size=400), "y": rng.normal(size=400), "kind": np.tile(list("aaab"), 100)}
    pd.DataFrame(frame).to_csv(path, index=False)
    return path


def test_a_table_is_sampled_before_its_test_rows_are_set_aside(table: Path) -> None:
    choice = DataConfig(name=str(table), rows=100)
    data, sealed = load(str(table), validation="stratified", validation_share=0.25, seed=0, choice=choice)
    assert (len(data.y_train), len(data.y_validation), sealed.n_samples) == (60, 20, 20)
    assert np.bincount(sealed.unseal().y).tolist() == [15, 5]
    assert data.table is not None
    assert data.table.words[0] == "Rows: a sample of 100 of 400, with every class's share."


def test_more_rows_than_there_are_change_nothing(table: Path) -> None:
    sampled, whole = (
        load(str(table), validation="tail", validation_share=0.2, seed=0, choice=DataConfig(name="t", rows=rows))[0]
        for rows in (400, None)
    )
    assert sampled.fingerprint == whole.fingerprint
    assert sampled.table == whole.table


def test_arrays_are_sampled_and_their_test_part_is_whole() -> None:
    choice = DataConfig(name="digits", rows=200)
    data, sealed = load("digits", validation="stratified", validation_share=0.2, seed=0, choice=choice)
    assert (len(data.y_train), len(data.y_validation), sealed.n_samples) == (160, 40, 359)


def test_the_settings_fit_the_sample(table: Path) -> None:
    assert settings_for(str(table), 100)["training"] == settings_for(str(table))["training"] | {
        "batch_size": 8,
        "epochs": 60,
    }


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet", ".feather"])
def test_a_look_tells_how_much_a_table_holds(suffix: str, table: Path) -> None:
    frame, path = pd.read_csv(table), table.with_name(f"it{suffix}")
    if suffix == ".csv.gz":
        path.write_bytes(gzip.compress(table.read_bytes()))
    else:
        {".csv": frame.to_csv, ".parquet": frame.to_parquet, ".feather": frame.to_feather}[suffix](
            path, **({"index": False} if suffix == ".csv" else {})
        )
    extent = extent_of(path)
    assert 390 <= extent.n_rows <= 410
    assert extent.n_columns == 3
    if suffix.startswith(".csv"):
        assert 0.9 < extent.n_bytes / table.stat().st_size < 1.1


def test_a_table_too_large_says_how_many_rows_would_fit(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    n_bytes = table.stat().st_size
    monkeypatch.setattr(npz, "available_memory", lambda: 5 * n_bytes * 2)
    with pytest.raises(DataError) as error:
        load(str(table), validation="tail", validation_share=0.2, seed=0)
    said = str(error.value)
    assert said.startswith("'t.csv' must fit into memory: 401 of its about 401 rows of 3 columns are estimated to take")
    n = int(said.split("`--rows ")[1].split("`")[0])
    assert 100 < n < 400
    data, _ = load(str(table), validation="tail", validation_share=0.2, seed=0, choice=DataConfig(name="t", rows=n))
    assert len(data.y_train) + len(data.y_validation) == n - round(n * 0.2)


def test_a_table_whose_text_alone_is_too_large_gets_other_advice(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npz, "available_memory", lambda: 1000)
    with pytest.raises(DataError, match="Not even its text fits; write fewer columns or rows"):
        load(str(table), validation="tail", validation_share=0.2, seed=0)
