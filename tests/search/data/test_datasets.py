"""Data sets by name: those of scikit-learn, of Keras and of OpenML, and what a name means beside a path."""

import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data_helpers import N, labels, loaded, pixels, write_images

from fewest.search.data import datasets, npz, openml
from fewest.search.data.errors import FetchError
from fewest.search.data.own_data import is_data, settings_for


@pytest.mark.parametrize(("name", "n", "n_classes"), [("iris", 150, 3), ("wine", 178, 3), ("breast_cancer", 569, 2)])
def test_data_sets_of_scikit_learn_have_names(name: str, n: int, n_classes: int) -> None:
    data, sealed = loaded(name)
    assert len(data.y_train) + len(data.y_validation) + sealed.n_samples == n
    assert data.n_classes == n_classes
    assert is_data(name) and settings_for(name)["name"] == name
    assert loaded(name, test=0.5)[1].n_samples == round(n / 2)


def test_a_name_wins_over_a_folder_and_a_path_says_so(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    write_images(tmp_path / "iris", pixels(), labels())
    assert loaded("iris")[0].input_shape == (4,)
    assert loaded("./iris")[0].input_shape == (4, 5)
    assert is_data("./iris") and not is_data("digits") and not is_data("nowhere")


@pytest.fixture
def openml_frame(tmp_path: Path, monkeypatch: Any) -> Any:
    """What OpenML gives, and an empty cache."""
    pandas = pytest.importorskip("pandas")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kinds = pandas.Categorical(np.array(["a", "b", "c"])[labels()])
    return pandas.DataFrame({"kind": kinds, "x": np.random.default_rng(0).normal(size=N)})


def test_a_data_set_of_openml_is_fetched_once(openml_frame: Any, tmp_path: Path, monkeypatch: Any) -> None:
    import sklearn.datasets
    from sklearn.utils import Bunch

    asked = []

    def fetch(**which: Any) -> Any:
        asked.append(which)
        return Bunch(frame=openml_frame, target_names=["kind"])

    monkeypatch.setattr(sklearn.datasets, "fetch_openml", fetch)
    assert settings_for("openml:my set/1")["name"] == "1"
    data, _ = loaded("openml:my set/1")
    assert data.table is not None and data.table.label == "kind"
    assert [(which["name"], which["as_frame"]) for which in asked] == [("my set/1", True)]
    assert [path.name for path in (tmp_path / "fewest").iterdir()] == ["openml-my%20set%2F1.parquet"]
    openml.fetched("openml:61")
    assert asked[1]["data_id"] == 61


def test_a_data_set_that_cannot_be_fetched_is_one_line(openml_frame: Any, monkeypatch: Any) -> None:
    """This is scikit-learn's own function, without a network."""

    def unreachable(*_: Any, **__: Any) -> Any:
        raise OSError("Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unreachable)
    with pytest.raises(FetchError, match=r"^The data set 'openml:it' could not be fetched from .*Name or service"):
        settings_for("openml:it")


def test_images_of_keras_have_names(monkeypatch: Any) -> None:
    x = np.zeros((50_000, 32, 32, 3), np.uint8)
    y = (np.arange(50_000) % 10)[:, None]
    monkeypatch.setattr(datasets, "fetched", lambda name: npz.Arrays(x, y, x[:10_000], y[:10_000]))
    data, sealed = loaded("cifar10")
    assert (data.input_shape, data.n_classes, sealed.n_samples) == ((32, 32, 3), 10, 10_000)
