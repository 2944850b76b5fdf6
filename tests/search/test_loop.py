"""Whole searches on tiny real networks, in a real database: finished, interrupted, continued."""

import os
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from forked import InstantEngine
from helpers import curves_of, essence, sqlite_url, trials_of

from fewest.search.data.samples import SearchData
from fewest.search.listener import Listener, SearchInterruptedError
from fewest.search.loop import search
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import overridden
from fewest.search.study.opening import open_study
from fewest.search.study.study import OpenStudy
from fewest.search.study.ticket import Ticket
from fewest.search.training import engines
from fewest.search.training.interface import Bystander
from fewest.storage.errors import MisuseError
from fewest.storage.trials.cohort_storage import optuna_storage


class Follower:
    """Follows a search; stops it after `stop_after` epochs in all, if given."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.n_epochs = 0
        self.lines: list[str] = []
        self._stop_after = stop_after

    def listener(self) -> Listener:
        return Listener(lambda progress: None, lambda: None, self.lines.append, self._should_stop)

    def _should_stop(self) -> bool:
        self.n_epochs += 1
        return self.n_epochs == self._stop_after


def run(url: str, config: StudyConfig, data: SearchData, stop_after: int | None = None) -> Follower:
    follower = Follower(stop_after)
    study = open_study(optuna_storage(url), config, data)
    search(study, engines.ENGINES[config.engine](), follower.listener())
    return follower


ENGINES = pytest.mark.parametrize("engine", ["keras", "population"])


class Finished(NamedTuple):
    """A study that nothing interrupted; only to be read."""

    config: StudyConfig
    url: str
    n_epochs: int


@pytest.fixture(scope="module", params=[pytest.param("keras", marks=pytest.mark.slow), "population"])
def finished(request, tmp_path_factory, tiny_config, tiny_data) -> Finished:
    config = overridden(tiny_config, [f"engine={request.param}"])
    url = sqlite_url(tmp_path_factory.mktemp("finished") / "study.db")
    return Finished(config, url, run(url, config, tiny_data).n_epochs)


def test_a_study_trains_its_budget_and_writes_everything_down(finished):
    trials = trials_of(finished.url, "tiny")
    assert [trial.widths for trial in trials[:5]] == [(), (1,), (2,), (4,), (8,)]
    assert len(trials) == 8
    assert len({trial.seed for trial in trials}) == 8
    assert len({trial.widths for trial in trials}) == 8
    for trial in trials:
        assert trial.state in ("complete", "pruned")
        assert trial.neurons == sum(trial.widths)
        assert trial.parameters and trial.seconds and trial.completed
        assert trial.best_epoch == trial.epochs - 1
    [worker] = {trial.worker for trial in trials}
    assert worker is not None and f"-{os.getpid()}-" in worker
    best = max(trial.validation_accuracy or 0 for trial in trials)
    assert best > 0.7


def test_curves_hold_every_epoch_and_end_in_the_trials_accuracy(finished):
    curves = curves_of(finished.url, "tiny")
    for trial in trials_of(finished.url, "tiny"):
        curve = curves[trial.trial_id]
        assert [point.epoch for point in curve] == list(range(trial.epochs))
        if trial.state == "complete":
            assert curve[-1].val_accuracy == pytest.approx(trial.validation_accuracy, abs=1e-6)


def test_a_study_interrupted_at_three_moments_has_the_trials_of_one_that_was_not(finished, tmp_path, tiny_data):
    broken = sqlite_url(tmp_path / "broken.db")
    for stop_after in (1, 3, 2):
        with pytest.raises(SearchInterruptedError):
            run(broken, finished.config, tiny_data, stop_after)
    assert "running" not in {trial.state for trial in trials_of(broken, "tiny")}
    left = run(broken, finished.config, tiny_data).n_epochs
    assert essence(trials_of(broken, "tiny")) == essence(trials_of(finished.url, "tiny"))
    if finished.config.engine == "population":  # A cohort goes on from its checkpoint: no epoch is trained twice.
        assert left == finished.n_epochs - 6
        assert not list((tmp_path / "broken.db.checkpoints").iterdir())


@pytest.mark.slow
def test_a_cohort_whose_checkpoint_is_damaged_starts_again(tmp_path, tiny_config, tiny_data):
    whole, broken = (f"sqlite:///{tmp_path / name}.db" for name in ("whole", "broken"))
    run(whole, tiny_config, tiny_data)
    with pytest.raises(SearchInterruptedError):
        run(broken, tiny_config, tiny_data, stop_after=2)
    [checkpoint] = (tmp_path / "broken.db.checkpoints").iterdir()
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1])
    run(broken, tiny_config, tiny_data)
    assert essence(trials_of(broken, "tiny")) == essence(trials_of(whole, "tiny"))


def test_a_finished_study_trains_nothing(url, tiny_config, tiny_data):
    run(url, tiny_config, tiny_data)
    before = trials_of(url, "tiny")
    assert run(url, tiny_config, tiny_data).n_epochs == 0
    assert trials_of(url, "tiny") == before


@pytest.mark.slow
def test_a_larger_budget_extends_a_study(url, tiny_config, tiny_data):
    run(url, tiny_config, tiny_data)
    run(url, overridden(tiny_config, ["budget.trials=10"]), tiny_data)
    assert len(trials_of(url, "tiny")) == 10


def test_a_spent_timeout_ends_a_study(url, tiny_config, tiny_data):
    run(url, overridden(tiny_config, ["budget.timeout=1e-9"]), tiny_data)
    assert 0 < len([trial for trial in trials_of(url, "tiny") if trial.state == "complete"]) < 8


def test_the_same_name_on_other_data_is_refused(url, tiny_config, tiny_data):
    run(url, tiny_config, tiny_data)
    other = replace(tiny_data, fingerprint="0" * 64)
    with pytest.raises(MisuseError, match="was made on other data: fingerprint"):
        run(url, tiny_config, other)


@pytest.mark.slow
@ENGINES
def test_a_network_that_diverges_fails_its_trial_and_not_the_study(engine, url, tiny_config, tiny_data):
    hot = overridden(
        tiny_config,
        [f"engine={engine}", "training.learning_rate=1e38", "training.schedule=constant", "budget.trials=3"],
    )
    run(url, hot, tiny_data)
    trials = trials_of(url, "tiny")
    assert [trial.state for trial in trials] == ["fail"] * 3
    assert all("loss" in trial.reason for trial in trials)


@pytest.mark.slow
@ENGINES
def test_a_converged_network_completes_with_its_best_weights(engine, url, tiny_settings, tiny_data):
    tiny_settings["training"] = {"protocol": "notebook", "epochs": 40, "patience": 2, "learning_rate": 0.05}
    tiny_settings["budget"]["trials"] = 4
    run(url, StudyConfig.of({**tiny_settings, "engine": engine}), tiny_data)
    trials = trials_of(url, "tiny")
    assert {trial.state for trial in trials} <= {"complete", "pruned"}
    early = [trial for trial in trials if trial.state == "complete" and trial.epochs < 40]
    assert early
    assert all(trial.best_epoch == trial.epochs - 1 - 2 for trial in early)


def test_the_monitor_prints_every_nth_epoch(url, tiny_config, tiny_data):
    follower = run(url, overridden(tiny_config, ["output.monitor_every=2", "budget.trials=2"]), tiny_data)
    assert [line.split(":")[0] for line in follower.lines] == [
        "trial 0 (softmax) epoch 1",
        "trial 1 (1) epoch 1",
    ]


@pytest.mark.slow
def test_listed_architectures_are_trained_in_order_and_nothing_else(url, tiny_settings, tiny_data):
    tiny_settings["space"]["architectures"] = [[2], [], [3, 2]]
    run(url, StudyConfig.of(tiny_settings), tiny_data)
    assert [trial.widths for trial in trials_of(url, "tiny")] == [(2,), (), (3, 2)]


@pytest.mark.slow
def test_trials_enqueued_through_optuna_are_trained_next(url, tiny_config, tiny_data):
    import optuna

    run(url, overridden(tiny_config, ["budget.trials=5"]), tiny_data)
    optuna.load_study(storage=url, study_name="tiny").enqueue_trial({"depth": 1, "width_1": 7})
    run(url, overridden(tiny_config, ["budget.trials=6"]), tiny_data)
    assert trials_of(url, "tiny")[5].widths == (7,)


def test_optuna_reads_the_study_without_our_code(url, tiny_config, tiny_data):
    import optuna

    run(url, tiny_config, tiny_data)
    study = optuna.load_study(storage=url, study_name="tiny")
    assert study.metric_names == ["neurons", "validation_accuracy"]
    assert study.best_trials
    assert all(np.isfinite(trial.values).all() for trial in study.best_trials)


LEVEL = InstantEngine(lambda neurons: 0.5)
"""Its front never grows: no network is better than softmax alone."""


def test_a_search_ends_when_its_front_has_levelled_off_and_goes_on_with_more_patience(url, tiny_config, tiny_data):
    impatient = overridden(tiny_config, ["budget.patience=3"])

    def ending(config: StudyConfig) -> str:
        study = open_study(optuna_storage(url), config, tiny_data)
        return search(study, LEVEL, Follower().listener())

    assert ending(impatient) == "plateau"
    assert len(trials_of(url, "tiny")) == 5  # The ladder, then nothing new.
    assert ending(tiny_config) == "trials"
    assert len(trials_of(url, "tiny")) == 8


def test_a_gain_that_another_worker_tells_at_the_last_moment_counts(url, tiny_config, tiny_data, monkeypatch):
    """This worker's front has levelled off and another one trains: its end may change that."""
    config = overridden(tiny_config, ["budget.patience=12", "budget.trials=40", "space.max_width=64"])
    other, study = (open_study(optuna_storage(url), config, tiny_data) for _ in range(2))

    def tell(tickets: list[Ticket], engine: InstantEngine) -> None:
        networks = [ticket.network for ticket in tickets]
        other.tell(tickets, engine.train(networks, tiny_data, config.training, order=None, watcher=Bystander()))

    tell(other.ask(8), LEVEL)
    held = other.ask(1)
    told: list[int] = []

    def ask(*arguments: object, **named: object) -> list[Ticket]:
        tickets = asked(*arguments, **named)
        if not tickets and not told:
            told.append(len(study.trials()))
            tell(held, InstantEngine(lambda neurons: 0.9))
        return tickets

    asked = study.ask
    monkeypatch.setattr(study, "ask", ask)
    assert search(study, LEVEL, Follower().listener()) == "plateau"
    assert study.is_searched()
    assert len(study.trials()) > told[0]


@pytest.mark.parametrize(("max_depth", "n_architectures"), [(0, 1), (1, 5)])
def test_a_search_for_an_answer_ends_with_its_space(max_depth, n_architectures, url, tiny_config, tiny_data):
    small = [f"space.max_depth={max_depth}", "space.max_width=4", "budget.trials=20", "budget.targets=[0.99]"]
    for goal, ending, n_trials in (("answer", "space", n_architectures), ("front", "trials", 20)):
        config = overridden(tiny_config, [*small, f"budget.goal={goal}"])
        study = open_study(optuna_storage(url), config, tiny_data)
        assert search(study, LEVEL, Follower().listener()) == ending
        assert study.is_searched()
        assert len(trials_of(url, "tiny")) == n_trials


def test_a_keyboard_interrupt_waits_for_nothing_and_the_trials_are_free(url, tiny_config, tiny_data, monkeypatch):
    class Interrupted(InstantEngine):
        def train(self, *arguments, **named):
            raise KeyboardInterrupt

    monkeypatch.setattr(OpenStudy, "release", lambda *_: pytest.fail("writes, and may wait for a lock of its own"))
    with pytest.raises(KeyboardInterrupt), open_study(optuna_storage(url), tiny_config, tiny_data) as study:
        search(study, Interrupted(), Follower().listener())
    with open_study(optuna_storage(url), tiny_config, tiny_data) as study:
        assert search(study, LEVEL, Follower().listener()) == "trials"
    assert {trial.state for trial in trials_of(url, "tiny")} == {"complete"}


def test_what_the_settings_list_is_trained_whatever_the_front_does(url, tiny_config, tiny_data):
    listed = overridden(tiny_config, ["space.architectures=[[], [1], [2], [3]]", "budget.patience=1"])
    search(open_study(optuna_storage(url), listed, tiny_data), LEVEL, Follower().listener())
    assert len(trials_of(url, "tiny")) == 4


RISING = InstantEngine()
"""Networks are as good as they are large: 0.9 takes 8 neurons."""


def test_the_bracket_follows_the_ladder_and_then_the_first_answer_is_due_once(url, tiny_config, tiny_data):
    config = overridden(tiny_config, ["budget.targets=[0.85]", "budget.trials=30"])
    study = open_study(optuna_storage(url), config, tiny_data)
    seen: list[int] = []

    def first_answer() -> bool:
        seen.append(len(study.trials()))
        return len(seen) == 2  # The first time another worker verifies.

    assert search(study, RISING, Follower().listener(), first_answer=first_answer) == "trials"
    assert [trial.widths for trial in study.trials()][5:8] == [(3,), (5,), (6,)]  # 4 is of the ladder.
    assert seen == [8, 16]
    assert study.bracketed() is not None and len(study.bracketed()) == 8


def test_a_search_does_not_end_before_the_first_answer_that_another_worker_verifies(url, tiny_config, tiny_data):
    config = overridden(tiny_config, ["budget.targets=[0.85]", "budget.trials=10"])
    study = open_study(optuna_storage(url), config, tiny_data)
    n_trials: list[int] = []

    def first_answer() -> bool:
        n_trials.append(len(study.trials()))
        return n_trials.count(10) == 3

    assert search(study, RISING, Follower().listener(), first_answer=first_answer) == "trials"
    assert n_trials == [8, 10, 10, 10]


def test_the_bracket_alone_can_be_searched_and_extended(url, tiny_config, tiny_data):
    narrow = overridden(tiny_config, ["budget.targets=[0.85]", "budget.trials=20", "budget.goal=answer"])
    study = open_study(optuna_storage(url), narrow, tiny_data)
    assert search(study, RISING, Follower().listener(), beyond_bracket=False) == "bracket"
    assert {len(trial.widths) for trial in study.trials()[8:]} == {2}
    assert not study.is_searched()
    n = len(study.trials())
    assert n < 20
    assert search(study, RISING, Follower().listener(), beyond_bracket=False) == "bracket"
    assert len(study.trials()) == n
    assert search(study, RISING, Follower().listener()) == "trials"
    assert study.is_searched() and len(study.trials()) == 20


def test_a_study_whose_budget_ends_with_the_ladder_has_no_bracket(url, tiny_config, tiny_data):
    short = overridden(tiny_config, ["budget.targets=[0.85]", "budget.trials=5"])
    study = open_study(optuna_storage(url), short, tiny_data)
    assert search(study, RISING, Follower().listener(), first_answer=lambda: pytest.fail("is not due")) == "trials"
    assert study.bracketed() is None
