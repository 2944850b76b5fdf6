"""Verification on tiny real networks: every network scored once, from seeds of its own, and resumable."""

import math
from collections import Counter

import numpy as np
import pytest

from fewest.search.data.loading import load
from fewest.search.data.metrics import score
from fewest.search.listener import Listener, Progress, SearchInterruptedError
from fewest.search.loop import search
from fewest.search.settings.config import DataConfig, StudyConfig
from fewest.search.settings.files import overridden
from fewest.search.settings.stored import Best
from fewest.search.settings.targets import mean_rounded_down
from fewest.search.study.opening import open_study
from fewest.search.study.study import OpenStudy
from fewest.search.training.engines import ENGINES
from fewest.search.training.population.engine import PopulationEngine
from fewest.search.verification.verify import verify, verify_bracket
from fewest.storage.trials.cohort_storage import optuna_storage


def listener(stop_after: int | None = None) -> Listener:
    asked = 0

    def should_stop() -> bool:
        nonlocal asked
        asked += 1
        return asked == stop_after

    return Listener(lambda _: None, lambda: None, lambda _: None, should_stop)


@pytest.fixture
def loaded(tiny_file):
    return load(str(tiny_file), validation="stratified", validation_share=0.25, seed=0)


def searched(url: str, config: StudyConfig, data) -> OpenStudy:
    study = open_study(optuna_storage(url), overridden(config, ["budget.verification_seeds=4"]), data)
    search(study, ENGINES[config.engine](), listener())
    return study


@pytest.mark.slow
def test_every_network_is_scored_once_from_a_seed_of_its_own(url, tiny_config, loaded):
    class Counting(PopulationEngine):
        def right(self, networks, *rest):
            scored.update(networks)
            return super().right(networks, *rest)

    scored: Counter[tuple] = Counter()
    study = searched(url, tiny_config, loaded[0])
    verify(study, Counting(), loaded[1], listener())
    results = study.results()
    assert set(scored.values()) == {1}
    assert len(results) == sum(scored.values())
    searched_seeds = {trial.seed for trial in study.trials()}
    assert searched_seeds.isdisjoint(network.seed for network in results)


class Seeing(PopulationEngine):
    """An engine that remembers the numbers of training and validation samples of each training."""

    def __init__(self) -> None:
        super().__init__()
        self.n_samples: set[tuple[int, int]] = set()

    def train(self, networks, data, *rest, **more):
        self.n_samples.add((len(data.y_train), len(data.y_validation)))
        return super().train(networks, data, *rest, **more)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("setting", "verifies_on_whole"),
    [("training.epochs=3", True), ("training.patience=2", False)],
    ids=["last", "best"],
)
def test_networks_train_on_the_whole_training_file_unless_they_need_validation(
    setting, verifies_on_whole, url, tiny_config, loaded
):
    study = searched(url, overridden(tiny_config, [setting]), loaded[0])
    engine = Seeing()
    verify(study, engine, loaded[1], listener())
    assert engine.n_samples == {(240, 0) if verifies_on_whole else (180, 60)}
    assert {math.isnan(network.validation_accuracy) for network in study.results()} == {verifies_on_whole}
    assert all(math.isfinite(network.training_loss) for network in study.results())


@pytest.mark.slow
def test_a_study_of_an_older_version_goes_on_with_its_split(url, tiny_config, loaded):
    """Its results never mix both kinds: what it trains on was decided when it was created."""
    study = searched(url, tiny_config, loaded[0])
    described = dict(study.optuna.user_attrs["data"])
    del described["verifies_on_whole"]
    study.optuna.set_user_attr("data", described)
    again = searched(url, tiny_config, loaded[0])
    engine = Seeing()
    verify(again, engine, loaded[1], listener())
    assert engine.n_samples == {(180, 60)}


@pytest.mark.slow
@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy"])
def test_the_bits_of_a_network_are_its_accuracy(metric, url, tiny_config, tiny_file):
    choice = DataConfig(name=str(tiny_file), metric=metric)
    data, sealed = load(str(tiny_file), validation="stratified", validation_share=0.25, seed=0, choice=choice)
    study = searched(url, overridden(tiny_config, [f"data.metric={metric}"]), data)
    verify(study, PopulationEngine(), sealed, listener())
    y = np.sort(sealed.unseal().y)
    for network in study.results():
        right = np.unpackbits(np.frombuffer(network.test_bits, np.uint8))[: len(y)].astype(bool)
        assert score(metric, y, np.where(right, y, -1)) == network.test_accuracy


@pytest.mark.slow
def test_depths_are_verified_apart_and_softmax_always(url, tiny_config, loaded):
    study = searched(url, tiny_config, loaded[0])
    verify(study, PopulationEngine(), loaded[1], listener())
    depths = {len(network.widths) for network in study.results()}
    assert {0, 1} <= depths


@pytest.mark.slow
def test_an_interrupted_verification_goes_on_where_it_was(tmp_path, tiny_config, loaded):
    """In the middle of a cohort: the same scores, no epoch trained twice, no checkpoint left behind."""
    found = []
    for name, stops in (("whole", ()), ("broken", (1, 2))):
        study = searched(f"sqlite:///{tmp_path / name}.db", tiny_config, loaded[0])
        epochs: list[Progress] = []
        for stop_after in stops:
            with pytest.raises(SearchInterruptedError):
                verify(study, PopulationEngine(), loaded[1], listener(stop_after)._replace(on_progress=epochs.append))
        verify(study, PopulationEngine(), loaded[1], listener()._replace(on_progress=epochs.append))
        results = study.results()
        scores = [(network.widths, network.seed, network.test_accuracy) for network in results]
        found.append((scores, [(seen.n_finished, seen.epoch) for seen in epochs]))
    assert found[0] == found[1]
    assert not list(tmp_path.rglob("*.checkpoint"))


@pytest.mark.slow
def test_a_verified_study_trains_nothing_more(url, tiny_config, loaded):
    study = searched(url, tiny_config, loaded[0])
    verify(study, PopulationEngine(), loaded[1], listener())
    verify(study, PopulationEngine(), loaded[1], listener(stop_after=1))


@pytest.mark.slow
def test_the_first_answer_is_verified_once_and_again_for_other_targets(url, tiny_config, loaded):
    """Whatever the last verification has left to do: a study that goes on does not verify its bracket again."""
    study = searched(url, tiny_config, loaded[0])
    assert study.bracketed() is not None and not study.has_first_answer()
    assert verify_bracket(study, PopulationEngine(), loaded[1], listener(), deeper=False)
    assert study.has_first_answer() and study.results()
    again = open_study(optuna_storage(url), study.config, loaded[0])
    again.write_results([again.results()[0]._replace(seed=1)])  # Between two looks: the plan is no longer empty.
    assert again.has_first_answer()
    assert verify_bracket(again, PopulationEngine(), loaded[1], listener(stop_after=1), deeper=False)
    other = open_study(optuna_storage(url), overridden(study.config, ["budget.targets=[0.6]"]), loaded[0])
    assert not other.has_first_answer()


@pytest.mark.slow
def test_listed_architectures_all_get_the_same_seeds(url, tiny_settings, loaded):
    tiny_settings["space"]["architectures"] = [[], [2], [3, 2]]
    study = searched(url, StudyConfig.of(tiny_settings), loaded[0])
    verify(study, PopulationEngine(), loaded[1], listener())
    results = study.results()
    assert Counter(network.widths for network in results) == {(): 4, (2,): 4, (3, 2): 4}


def test_no_seeds_means_no_verification(url, tiny_config, loaded):
    study = open_study(optuna_storage(url), tiny_config, loaded[0])
    verify(study, PopulationEngine(), loaded[1], listener(stop_after=1))
    assert study.results() == []


def relative(config: StudyConfig) -> StudyConfig:
    return overridden(config, [("budget.targets", [0.5, "best - 0.03"])])


def stored_best(study: OpenStudy) -> Best | None:
    stored = study.optuna.user_attrs.get("best")
    return None if stored is None else Best.model_validate(stored)


@pytest.mark.slow
def test_a_relative_target_has_the_value_of_fresh_seeds_of_the_best_network(tmp_path, tiny_config, loaded):
    """The same when verification is cut off on the way; and later seeds do not move it."""
    found = []
    for name, stops in (("whole", ()), ("broken", (2, 3))):
        study = searched(f"sqlite:///{tmp_path / name}.db", relative(tiny_config), loaded[0])
        assert study.targets() == [0.5]
        for stop_after in stops:
            with pytest.raises(SearchInterruptedError):
                verify(study, PopulationEngine(), loaded[1], listener(stop_after))
        verify(study, PopulationEngine(), loaded[1], listener())
        best = stored_best(study)
        assert best is not None
        widths = tuple(best.widths)
        assert widths == study.history.architectures()[-1]
        seeds = [network.test_accuracy for network in study.results() if network.widths == widths][: best.seeds]
        assert (best.seeds, best.accuracy) == (4, mean_rounded_down(seeds))
        assert study.targets() == [0.5, pytest.approx(best.accuracy - 0.03)]
        found.append((best, [(network.widths, network.seed) for network in study.results()]))
    assert found[0] == found[1]
    study.config = overridden(study.config, ["budget.verification_seeds=8"])
    verify(study, PopulationEngine(), loaded[1], listener())
    assert stored_best(study) == best


@pytest.mark.slow
def test_a_relative_target_waits_for_the_end_of_the_search(url, tiny_config, loaded):
    study = searched(url, relative(tiny_config), loaded[0])
    study.optuna.enqueue_trial({"depth": 1, "width_1": 7})
    verify(study, PopulationEngine(), loaded[1], listener())
    assert stored_best(study) is None
    assert study.results()
