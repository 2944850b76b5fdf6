"""A user of `fewest` and a foreign Optuna program on one storage: each command answers, or says why not in one line."""

import itertools
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from forked import start
from helpers import command
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from fewest.job import Manner
from fewest.search.settings.space import n_neurons
from fewest.search.study.pace import Pace
from fewest.search.training.outcome import EpochMetrics, Outcome

pytestmark = pytest.mark.slow

NAMES = ("one", "two", "three")
TINY = ("training.epochs=2", "space.max_width=4", "space.max_depth=1", "data.validation_share=0.25")
ENQUEUED: tuple[dict[str, Any], ...] = (
    {"depth": 1, "width_1": 3},
    {"depth": 0},
    {"width_1": 2},
    {"depth": 1, "width_1": 0},
    {"depth": 7},
    {"depth": 1, "width_1": 1e9},
    {"depth": "deep"},
    {"neurons": 5},
    {},
)
ATTRIBUTES: tuple[tuple[str, Any], ...] = (
    ("data", {}),
    ("data", 3),
    ("settings", []),
    ("settings", {"name": "two"}),
    ("settings", "gone"),
    ("environment", None),
    ("finished", "yes"),
    ("mine", {"a": [1, 2]}),
)


class InstantEngine:
    """Trains nothing: a network ends as good as it is large. Ends its process after some epochs, if told to."""

    def __init__(self, epochs_to_live: int | None = None) -> None:
        self._left = epochs_to_live

    def cohort_size(self, *_: Any) -> int:
        return 3

    def train(self, networks: Sequence[Any], data: Any, protocol: Any, *, order: Any, watcher: Any) -> list[Outcome]:
        accuracies = [round(1 - 1 / (2 + n_neurons(network.architecture)), 3) for network in networks]
        seen = [EpochMetrics(1.0, accuracy, 1.0, accuracy) for accuracy in accuracies]
        for epoch in range(protocol.epochs):
            if self._left is not None:
                if self._left == 0:
                    os._exit(9)
                self._left -= 1
            watcher.record(epoch, dict(enumerate(seen)))
            watcher.checkpoint(None)
        return [
            Outcome("complete", (metrics,) * protocol.epochs, 0, metrics.val_accuracy, 0.01, weights(network), None)
            for network, metrics in zip(networks, seen, strict=True)
        ]

    def right(self, networks: Sequence[Any], weights: Any, x: Any, y: Any, *_: Any) -> Any:
        shares = [1 - 1 / (2 + n_neurons(network.architecture)) for network in networks]
        return np.array([np.arange(len(y)) < share * len(y) for share in shares])


def weights(network: Any) -> list[Any]:
    """Arrays as a stock network of the tiny data has them."""
    sizes = (16, *network.architecture, 3)
    return [
        array
        for fan_in, fan_out in itertools.pairwise(sizes)
        for array in (np.zeros((fan_in, fan_out), np.float32), np.zeros(fan_out, np.float32))
    ]


def manner(epochs_to_live: int | None = None) -> Manner:
    pace = Pace(lease_seconds=2.0, poll_seconds=0.05)
    return Manner(quiet=True, pace=pace, make_engine=lambda config: InstantEngine(epochs_to_live))


def run_until_killed(arguments: list[str], epochs: int) -> None:
    """In a process of its own, which ends without a word."""
    command(*arguments, manner=manner(epochs))


class UserAndProgram(RuleBasedStateMachine):
    """Both, on one SQLite file."""

    studies = Bundle("studies")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="fewest-users-"))
        self.url = f"sqlite:///{self.folder / 'studies.db'}"
        self.acknowledged: dict[tuple[int, int], list[float]] = {}

    def teardown(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def fewest(self, *arguments: object, epochs: int | None = None) -> int:
        status = command(*arguments, "--storage", self.url, manner=manner(epochs))
        assert status in (0, 1, 2), (arguments, status)
        return status

    def arguments(self, name: str, trials: int) -> list[object]:
        overrides = [part for setting in TINY for part in ("--set", setting)]
        verification = ("--set", "budget.verification_seeds=0", "--set", "budget.targets=[0.6]")
        return ["run", "digits", "--name", name, "--data", DATA, "--trials", trials, *verification, *overrides]

    def optuna_study(self, name: str) -> optuna.Study | None:
        try:
            return optuna.load_study(storage=self.url, study_name=name)
        except (KeyError, ValueError):
            return None

    @initialize(target=studies)
    def first(self) -> str:
        assert self.fewest(*self.arguments("one", 4)) == 0
        return "one"

    @rule(target=studies, name=st.sampled_from(NAMES), trials=st.integers(3, 7))
    def create_or_continue(self, name: str, trials: int) -> str:
        self.fewest(*self.arguments(name, trials))
        return name

    @rule(name=studies, wanted=st.sampled_from(ENQUEUED))
    def enqueue(self, name: str, wanted: dict[str, Any]) -> None:
        if study := self.optuna_study(name):
            study.enqueue_trial(wanted)

    @rule(target=studies, name=studies, copy=st.sampled_from(NAMES))
    def copy(self, name: str, copy: str) -> str:
        if self.optuna_study(name) and not self.optuna_study(copy):
            optuna.copy_study(from_study_name=name, from_storage=self.url, to_storage=self.url, to_study_name=copy)
        return copy

    @rule(name=studies)
    def delete(self, name: str) -> None:
        if self.optuna_study(name):
            optuna.delete_study(study_name=name, storage=self.url)

    @rule(name=studies, attribute=st.sampled_from(ATTRIBUTES))
    def overwrite(self, name: str, attribute: tuple[str, Any]) -> None:
        if study := self.optuna_study(name):
            study.set_user_attr(*attribute)

    @rule(target=studies, name=st.sampled_from(NAMES))
    def make_a_foreign_study(self, name: str) -> str:
        if not self.optuna_study(name):
            optuna.create_study(storage=self.url, study_name=name).set_user_attr("data", "theirs")
        return name

    @rule(name=studies, trials=st.integers(4, 8))
    def resume(self, name: str, trials: int) -> None:
        self.fewest("resume", name, "--trials", trials)

    @rule()
    def work(self) -> None:
        self.fewest("worker")

    @rule(name=studies, epochs=st.integers(0, 4))
    def kill(self, name: str, epochs: int) -> None:
        arguments = ["resume", name, "--trials", 9, "--storage", self.url]
        process = start(run_until_killed, [str(argument) for argument in arguments], epochs)
        process.join(60)
        assert not process.is_alive()

    @rule(name=studies)
    def export(self, name: str) -> None:
        self.fewest("export", name, "--trial", 99, "--output", self.folder / "a.keras")

    @invariant()
    def every_reader_answers(self) -> None:
        self.fewest("studies")
        for name in NAMES:
            self.fewest("answer", name)
            self.fewest("report", name, "--output", self.folder / "a.html")

    @invariant()
    def nothing_acknowledged_is_lost(self) -> None:
        found: dict[tuple[int, int], list[float]] = {}
        studies = optuna.get_all_study_names(self.url) if (self.folder / "studies.db").exists() else []
        for study in (optuna.load_study(storage=self.url, study_name=name) for name in studies):
            for trial in study.get_trials(deepcopy=False):
                if trial.state is optuna.trial.TrialState.COMPLETE:
                    found[study._study_id, trial._trial_id] = list(trial.values)
        alive = {study_id for study_id, _ in found}
        for key, values in self.acknowledged.items():
            assert key[0] not in alive or found[key] == values
        self.acknowledged = found


@pytest.fixture(scope="module", autouse=True)
def data_file(tmp_path_factory: pytest.TempPathFactory, tiny_arrays: dict[str, Any]) -> None:
    """What all studies train on."""
    global DATA
    DATA = str(tmp_path_factory.mktemp("data") / "tiny.npz")
    np.savez(DATA, **tiny_arrays)


@pytest.fixture(autouse=True)
def silent(capsys: pytest.CaptureFixture[str], none_left: None) -> None:
    """Commands print; their lines are not looked at here, but a traceback would leave them."""


DATA = ""
UserAndProgram.TestCase.settings = settings(
    max_examples=5,
    stateful_step_count=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestUserAndProgram = UserAndProgram.TestCase
