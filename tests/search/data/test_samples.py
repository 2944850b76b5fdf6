"""The test set is sealed: nothing before verification can read it."""

import ast
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fewest.search.data.loading import load
from fewest.search.data.samples import SealedTest, SearchData
from fewest.search.listener import Listener
from fewest.search.loop import search
from fewest.search.settings.config import DataConfig
from fewest.search.settings.files import overridden
from fewest.search.study.opening import open_study
from fewest.search.training.population.engine import PopulationEngine
from fewest.storage.trials.cohort_storage import optuna_storage

ROOMS = ("fewest", "dashboards", "search", "storage")
MAY_READ_BITS = {"search/answers/sampling.py", "storage/trials/results.py", "dashboards/seeds.py"}
"""Bits of test samples are stored, counted for the interval, and say in a figure that a network was scored."""

MAY_UNSEAL = {"search/verification/verify.py", "fewest/export_command.py"}
"""Verification scores networks; the export command checks a file that is already written."""


def modules_with(*attributes: str) -> set[str]:
    """The modules that read one of these attributes of anything."""
    root = Path(__file__).parents[3]
    return {
        str(path.relative_to(root))
        for room in ROOMS
        for path in (root / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in attributes
    }


def test_only_verification_and_export_break_the_seal():
    assert modules_with("unseal", "_open") <= MAY_UNSEAL | {"search/data/samples.py"}


def test_nothing_that_searches_reads_which_test_samples_are_right():
    assert modules_with("test_bits") == MAY_READ_BITS
    engines = {module for module in modules_with("right") if module.startswith("search/training/")}
    assert modules_with("right") - engines == {"search/verification/scoring.py"}


def test_search_data_holds_no_test_set():
    assert not [name for name in SearchData.__dataclass_fields__ if "test" in name]


def test_a_sealed_test_shows_numbers_of_samples_alone():
    def broken_seal():
        raise AssertionError("the seal was broken")

    sealed = SealedTest(7, broken_seal)
    assert "7" in repr(sealed)
    assert vars(sealed).keys() == {"n_samples", "_open", "guessing", "class_counts"}
    with pytest.raises(AssertionError, match="the seal was broken"):
        sealed.unseal()


@pytest.mark.slow
def test_a_studys_trials_do_not_depend_on_the_test_set(tmp_path, tiny_arrays, tiny_config):
    rng = np.random.default_rng(0)
    noise = {
        "x_test": rng.integers(0, 256, tiny_arrays["x_test"].shape, np.uint8),
        "y_test": rng.permutation(tiny_arrays["y_test"]),
    }
    outcomes = []
    for name, arrays in {"real": tiny_arrays, "noise": {**tiny_arrays, **noise}}.items():
        np.savez(tmp_path / f"{name}.npz", **arrays)
        data, _ = load(str(tmp_path / f"{name}.npz"), validation="stratified", validation_share=0.25, seed=0)
        study = open_study(optuna_storage(f"sqlite:///{tmp_path / name}.db"), overridden(tiny_config, []), data)
        search(study, PopulationEngine(), Listener(lambda _: None, lambda: None, lambda _: None, lambda: False))
        trials = study.trials()
        outcomes.append([(trial.widths, trial.seed, trial.state, trial.validation_accuracy) for trial in trials])
    assert outcomes[0] == outcomes[1]


def test_the_metric_decides_what_one_validation_sample_counts(tiny_data):
    y = np.repeat([0, 1], [9, 1]).astype(np.int32)
    plain = replace(tiny_data, y_validation=y)
    assert plain.resolution == 0.1
    assert replace(plain, metric="balanced_accuracy").resolution == pytest.approx(1 / 18)


def test_a_file_is_loaded_with_its_metric_and_with_what_guessing_reaches(tmp_path, tiny_arrays):
    """Class 1 has most training samples, and 50 of the 60 test samples are of another class."""
    path = tmp_path / "skewed.npz"
    train, test = np.minimum(tiny_arrays["y_train"], 1), np.where(np.arange(60) < 10, 1, 0)
    np.savez(path, **{**tiny_arrays, "y_train": train, "y_test": test})
    choice = DataConfig(name=str(path), metric="balanced_accuracy")
    data, sealed = load(str(path), validation="stratified", validation_share=0.25, seed=0, choice=choice)
    assert data.metric == "balanced_accuracy"
    assert sealed.guessing == {"accuracy": pytest.approx(1 / 6), "balanced_accuracy": 0.5}
    assert sealed.class_counts == (50, 10)


def test_the_whole_training_file_has_every_sample_once_and_no_split(tiny_data):
    whole = tiny_data.whole
    assert (len(whole.y_train), len(whole.y_validation)) == (240, 0)
    both = np.concatenate([tiny_data.x_train, tiny_data.x_validation]), whole.y_train
    np.testing.assert_array_equal(whole.x_train, both[0])
    assert whole.x_validation.shape == (0, 4, 4)
    assert (whole.scale, whole.fingerprint) == (tiny_data.scale, tiny_data.fingerprint)
    assert tiny_data.whole is whole
