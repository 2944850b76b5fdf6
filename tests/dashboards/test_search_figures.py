"""Figures of how a search went: hypervolume, budget, workers, importance; asserted on their `*_info` values."""

import math
from datetime import timedelta

import numpy as np
import pytest
from synthetic import MAX_EPOCHS, START, trial

from fewest.dashboards.elapsed import seconds_worked
from fewest.dashboards.hypervolume import hypervolume_info, plot_hypervolume
from fewest.dashboards.importance import importance_info, shares
from fewest.dashboards.spending import Part, spending_info
from fewest.dashboards.timeline import CohortBar, timeline_info
from fewest.storage.trials.records import TrialRecord, TrialState, VerifiedNetwork


def timed(number: int, start: float, end: float, state: TrialState = "complete", **changes: object) -> TrialRecord:
    """A trial that began and ended so many seconds after the study's first."""
    moments = {"started": START + timedelta(seconds=start), "completed": START + timedelta(seconds=end)}
    return trial(number, state, **moments, **changes)


# Time


def test_a_long_pause_is_no_work_and_a_short_one_is() -> None:
    position = seconds_worked([timed(0, 0, 10), timed(1, 40, 50), timed(2, 1000, 1020)])
    moments = [START + timedelta(seconds=seconds) for seconds in (-5, 0, 25, 50, 500, 1010, 2000)]
    assert [position(moment) for moment in moments] == [0, 0, 25, 50, 50, 60, 70]


def test_trials_side_by_side_are_counted_once() -> None:
    position = seconds_worked([timed(0, 0, 100), timed(1, 10, 20), timed(2, 90, 130)])
    assert position(START + timedelta(seconds=500)) == 130


# Hypervolume


def test_the_hypervolume_is_the_mean_accuracy_over_sizes() -> None:
    """Sizes 1 and 3 of at most 7: (0.5 x 1 + 0.75 x 1) / 3 with both, 0.5 x 2 / 3 with the first."""
    trials = [
        timed(0, 0, 10, widths=(1,), validation_accuracy=0.5),
        timed(1, 0, 20, widths=(2, 5), validation_accuracy=0.4),
        timed(2, 20, 30, widths=(3,), validation_accuracy=0.75),
    ]
    info = hypervolume_info(trials)
    assert [(gain.trial, gain.networks, gain.seconds) for gain in info.gains] == [(0, 1, 10), (2, 3, 30)]
    assert [gain.hypervolume for gain in info.gains] == pytest.approx([1 / 3, 1.25 / 3])
    assert (info.n_networks, info.seconds) == (3, 30)


def test_networks_count_in_the_order_in_which_they_ended() -> None:
    trials = [
        timed(0, 0, 30, widths=(1,), validation_accuracy=0.5),
        timed(1, 0, 10, "pruned", widths=(7,)),
        timed(2, 0, 20, "fail"),
        timed(3, 0, 5, "running"),
    ]
    info = hypervolume_info(trials)
    assert [(gain.trial, gain.networks) for gain in info.gains] == [(0, 3)]


def test_the_finding_names_the_first_network_with_almost_all() -> None:
    trials = [
        timed(number, number, number + 1, widths=(1,), validation_accuracy=accuracy)
        for number, accuracy in enumerate((0.5, 0.8999, 0.9))
    ]
    info = hypervolume_info([*trials, timed(3, 3, 90, "pruned", widths=(8,))])
    assert info.finding("networks") == "The front had 99.9\xa0% of its hypervolume after 2 of 4 networks"
    assert info.finding("time") == "The front had 99.9\xa0% of its hypervolume after 2.0 s of 1 min 30 s"


def test_networks_of_one_size_span_no_area() -> None:
    info = hypervolume_info([trial(0), trial(1)])
    assert info.almost is None
    assert "yet" in plot_hypervolume([trial(0)]).layout.annotations[0].text


# The budget


def test_every_epoch_of_the_budget_has_a_part() -> None:
    trials = [
        trial(0, epochs=15, seconds=3.0),
        trial(1, "pruned", epochs=3, seconds=1.0),
        trial(2, "pruned", epochs=5, seconds=1.5),
        trial(3, "fail", epochs=1, seconds=0.5),
        trial(4, "running", epochs=2),
    ]
    verified = [VerifiedNetwork((8,), seed, 0.9, 0.9, 15, 0.25) for seed in range(2)]
    info = spending_info(trials, verified, MAX_EPOCHS)
    assert info.parts == (
        Part("trained to the end", 1, 15, 3.0),
        Part("trained, then pruned", 2, 8, 2.5),
        Part("failed", 1, 1, 0.5),
        Part("verification", 2, 30, 0.5),
        Part("saved by pruning", 2, 22, None),
    )
    assert info.epochs_trained == 54
    assert info.finding == "Verification took 56\xa0% of 54 epochs; pruning saved 22 more"


def test_before_verification_the_search_took_everything() -> None:
    assert spending_info([trial(0)], [], MAX_EPOCHS).finding == "The search trained 15 epochs; nothing was pruned"


# Workers


def test_a_bar_is_what_one_worker_trained_of_a_cohort() -> None:
    trials = [
        timed(0, 0, 10, cohort=0, worker="b"),
        timed(1, 0, 10, "pruned", cohort=0, worker="b"),
        timed(2, 5, 25, cohort=2, worker="a"),
        timed(3, 5, 40, cohort=2, worker="b"),
        timed(4, 30, 40, worker="a"),
    ]
    info = timeline_info(trials)
    assert info.workers == ("b", "a")
    assert info.bars == (
        CohortBar(1, 0, 1, 2, 0, 10),
        CohortBar(2, 2, 2, 1, 5, 25),
        CohortBar(1, 3, 3, 1, 5, 40),
        CohortBar(2, 4, 4, 1, 30, 40),
    )


def test_a_worker_is_busy_while_any_of_its_cohorts_trains() -> None:
    """One all 40 seconds, though its cohorts overlap; the other 30 of them: 70 of 80."""
    trials = [
        timed(0, 0, 10, worker="b"),
        timed(1, 5, 40, worker="b"),
        timed(2, 5, 25, worker="a"),
        timed(3, 30, 40, worker="a"),
    ]
    info = timeline_info(trials)
    assert info.busy == pytest.approx(70 / 80)
    assert info.finding == "2 workers trained 4 networks in 40.0 s, busy 88\xa0% of the time"


def test_trials_without_a_worker_share_a_row() -> None:
    assert timeline_info([timed(0, 0, 1), timed(1, 1, 2)]).workers == ("",)


def test_a_trial_that_has_not_ended_has_no_bar() -> None:
    assert timeline_info([trial(0, "running", completed=None), trial(1, "waiting", started=None)]).bars == ()


# Importance


def test_columns_that_are_independent_explain_what_each_explains_alone() -> None:
    """A 2 x 2 design, 3 a + 4 b: of the variance 25, a explains 9 and b explains 16."""
    a, b = np.array([-1.0, -1.0, 1.0, 1.0] * 25), np.array([-1.0, 1.0] * 50)
    found = shares({"a": a[:, None], "b": b[:, None]}, 3 * a + 4 * b)
    assert found == pytest.approx({"a": 0.36, "b": 0.64})


def test_columns_that_go_together_share_what_they_explain() -> None:
    a = np.array([-1.0, 1.0] * 50)
    assert shares({"a": a[:, None], "copy": a[:, None]}, a) == pytest.approx({"a": 0.5, "copy": 0.5})


def test_what_is_left_to_chance_is_nobodys() -> None:
    """R^2 is 0.5 of 100 trials; adjusted for one column, 1 - 0.5 x 99 / 98."""
    a, chance = np.array([-1.0, -1.0, 1.0, 1.0] * 25), np.array([-1.0, 1.0] * 50)
    assert shares({"a": a[:, None]}, a + chance) == pytest.approx({"a": 1 - 0.5 * 99 / 98})


def test_values_that_do_not_vary_depend_on_nothing() -> None:
    assert shares({"a": np.array([[0.0], [1.0], [2.0]])}, np.ones(3)) == {"a": 0.0}


def test_depth_decides_where_widths_do_not_vary() -> None:
    trials = [trial(n, widths=(4,) * (1 + n % 2), validation_accuracy=0.9 if n % 2 else 0.8) for n in range(20)]
    info = importance_info(trials)
    assert {one.name for one in info.importances} == {"depth", "width of layer 2"}
    assert sum(one.of_accuracy for one in info.importances) == pytest.approx(1.0)
    assert sum(one.of_size for one in info.importances) == pytest.approx(1.0)


def test_one_layer_has_no_depth_to_decide() -> None:
    trials = [trial(n, widths=(1 + n,), validation_accuracy=1 - 0.5 / (2 + n)) for n in range(20)]
    (layer,) = importance_info(trials).importances
    assert (layer.name, layer.of_size) == ("width of layer 1", pytest.approx(1.0))


def test_few_trials_are_too_few() -> None:
    """Two columns, a width and its square: seven trials, of which one that is not finite does not count."""
    trials = [trial(n, widths=(1 + n,)) for n in range(6)]
    info = importance_info([*trials, trial(6, validation_accuracy=math.nan), trial(7, "pruned")])
    assert (info.n_trials, info.needed, info.importances) == (6, 7, ())
    assert info.finding == "Importance needs 7 complete trials, there are 6"
