"""What several rooms' tests share: a tiny data set, small settings, a database of their own."""

from pathlib import Path

import numpy as np
import pytest

from search.config import StudyConfig
from search.data import SearchData


@pytest.fixture
def url(tmp_path: Path) -> str:
    """The URL of a SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'studies.db'}"


@pytest.fixture(scope="session")
def tiny_arrays() -> dict[str, np.ndarray]:
    """Three classes of 4x4 pixels that a small network tells apart: 240 for training, 60 for the test."""
    rng = np.random.default_rng(5)
    y = np.tile(np.arange(3), 100)
    centres = rng.integers(60, 200, (3, 4, 4))
    x = np.clip(centres[y] + rng.normal(0, 45, (300, 4, 4)), 0, 255).astype(np.uint8)
    return {"x_train": x[:240], "y_train": y[:240], "x_test": x[240:], "y_test": y[240:]}


@pytest.fixture
def tiny_file(tmp_path: Path, tiny_arrays: dict[str, np.ndarray]) -> Path:
    """The tiny data set as a user would bring it."""
    path = tmp_path / "tiny.npz"
    np.savez(path, **tiny_arrays)
    return path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, tiny_arrays: dict[str, np.ndarray]) -> SearchData:
    """The tiny data set as a search sees it."""
    from search.datasets import load

    path = tmp_path_factory.mktemp("data") / "tiny.npz"
    np.savez(path, **tiny_arrays)
    return load(str(path), validation="stratified", validation_share=0.25, seed=0)[0]


@pytest.fixture
def tiny_settings() -> dict:
    """Settings of a study of seconds."""
    return {
        "name": "tiny",
        "data": {"name": "tiny.npz"},
        "space": {"max_depth": 2, "max_width": 8},
        "training": {"epochs": 3, "batch_size": 32},
        "budget": {"trials": 8, "targets": [0.5, 0.9], "verification_seeds": 0},
    }


@pytest.fixture
def tiny_config(tiny_settings: dict) -> StudyConfig:
    """Those settings, checked."""
    return StudyConfig.of(tiny_settings)
