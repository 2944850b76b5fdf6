"""The time left: what the model says, and how measured seconds correct it."""

from typing import Any

import pytest

from fewest.search.answers.front import FrontPoint
from fewest.search.forecast import (
    Forecast,
    first_round,
    networks_expected,
    networks_left,
    rounds_after,
    search_seconds,
    verification_seconds,
    watched,
)
from fewest.search.listener import Progress
from fewest.search.settings.config import StudyConfig
from fewest.search.training.cost import Cost, slowdown
from fewest.storage.trials.records import TrialRecord

COST = Cost(start=2.0, cohort=1.0, epoch=0.5, network_epoch=0.25)
VERIFYING = Cost(start=2.0, cohort=1.0, epoch=0.625, network_epoch=0.125)
"""Of smaller networks that train on the fifth of the training file that validates in the search, too."""


def ended(seconds: float, epochs: int) -> TrialRecord:
    """A trial that trained so long."""
    return TrialRecord(0, 0, "complete", (4,), 4, 310, 0, epochs, 0, seconds, 0.9, None, None, None)


def config(**budget: Any) -> StudyConfig:
    """A study of 24 trials of 4 epochs, with one hidden layer at most."""
    settings: dict[str, Any] = {"name": "a", "training": {"epochs": 4}}
    settings["data"] = {"name": "digits", "validation_share": 0.2}
    return StudyConfig.of({**settings, "space": {"max_depth": 1}, "budget": {"trials": 24, "targets": [0.9], **budget}})


def test_a_search_costs_its_cohorts_their_epochs_and_their_networks() -> None:
    """Cohorts of 8, 8 and 8 networks, of which a quarter of the epochs and half of the work are left by pruning."""
    assert search_seconds(COST, 0, 24, 100, 4, 0.25) == 3 * (1 + 4 * (0.5 + 0.5 * 8 * 0.25))
    assert search_seconds(COST, 16, 24, 100, 4, 1.0) == 1 + 4 * (0.5 + 8 * 0.25)
    assert search_seconds(COST, 16, 24, 4, 4, 1.0) == 2 * (1 + 4 * (0.5 + 4 * 0.25))
    assert search_seconds(COST, 24, 24, 100, 4, 1.0) == 0.0


def test_a_verification_costs_its_cohorts_too() -> None:
    assert verification_seconds(COST, [10, 4], 8, 4) == 3 * (1 + 4 * 0.5) + 14 * 4 * 0.25
    assert verification_seconds(COST, [], 8, 4) == 0.0


def test_rounds_follow_the_settings() -> None:
    assert first_round(config()) == 22  # softmax and 4.5 candidates, four seeds each
    assert first_round(config(verification_seeds=0)) == 0
    assert rounds_after([22], config(verification_seeds=0)) == []
    listed = {**config().settings(), "space": {"max_depth": 1, "architectures": [[2], [3]]}}
    assert first_round(StudyConfig.of(listed)) == 40
    assert rounds_after([40], StudyConfig.of(listed)) == []


def test_rounds_that_do_not_shrink_are_expected_to_go_on() -> None:
    steady, shrinking = rounds_after([20] * 12, config()), rounds_after([80, 60, 40, 30, 20, 20], config())
    assert len(steady) > len(shrinking)
    assert shrinking == sorted(shrinking, reverse=True)
    assert rounds_after([8] * 1000, config())  # They end, whatever came before.


def test_a_watched_study_goes_on_at_the_pace_of_its_latest_trials() -> None:
    """Two seconds a network in the search, half a second a network-epoch; verification has more samples."""
    latest = [ended(2.0, 4), ended(1.0, 2), ended(3.0, 6)]
    assert watched(config(verification_seeds=0), latest, 10, 0, 1) == 20.0
    assert watched(config(verification_seeds=0), latest, 10, 0, 4) == 5.0
    rounds, each = [22, *rounds_after([22], config())], 4 * 0.5 / (1 - config().data.validation_share)
    assert watched(config(), latest, 0, 0, 4) == pytest.approx(sum(rounds) * each)
    assert watched(config(), latest, 0, 22, 1) == pytest.approx(sum(rounds[1:]) * each)
    assert watched(config(), latest, 0, 1000, 1) == 0.0
    assert watched(config(), [ended(0.0, 0)], 10, 0, 1) is None


LEFT = {
    "no patience": ({"patience": None}, 8, (16, 16)),
    "a gain just now": ({"patience": 6}, 4, (6, 20)),
    "none for three networks": ({"patience": 6}, 7, (3, 17)),
    "levelled off": ({"patience": 6}, 12, (0, 0)),
    "the budget ends first": ({"patience": 40}, 20, (4, 4)),
    "spent": ({"patience": 40}, 24, (0, 0)),
    "the answer's ladder": ({"goal": "answer"}, 4, (9, 9)),
    "the answer may stand": ({"goal": "answer"}, 13, (0, 11)),
}


@pytest.mark.parametrize(("budget", "n_ended", "left"), LEFT.values(), ids=LEFT)
def test_a_search_may_end_before_its_budget(budget: dict[str, Any], n_ended: int, left: tuple[int, int]) -> None:
    """The last gain was the fourth network."""
    points = [FrontPoint(number, number, 0.5 + number / 10) for number in range(4)]
    assert networks_left(config(**budget), points, n_ended) == left


def test_without_patience_a_search_spends_its_budget() -> None:
    assert networks_expected(config(trials=500, patience=None), 0) == 500


def test_the_first_guess_has_search_and_verification() -> None:
    forecast = Forecast(config(), COST, 100)
    search = search_seconds(COST, 0, 24, 100, 4, 0.46)
    rounds = [22, *rounds_after([22], config())]
    assert forecast.first(0, 0) == pytest.approx(2.0 + search + verification_seconds(VERIFYING, rounds, 100, 4))


def test_networks_that_need_validation_samples_cost_what_a_trials_do() -> None:
    settings = {**config().settings(), "training": {"protocol": "notebook"}}
    assert Forecast(StudyConfig.of(settings), COST, 100).verifying == COST._replace(network_epoch=0.4 * 0.25)


def test_nothing_is_left_of_a_study_that_is_done() -> None:
    assert Forecast(config(verification_seeds=0), COST, 100).first(24, 0) == 0.0
    assert Forecast(config(), COST, 100).first(24, 1000) == 0.0
    assert Forecast(config(verification_seeds=0), COST, 100, searching=False).first(0, 0) == 0.0


def test_a_timeout_bounds_the_search_alone() -> None:
    bounded = Forecast(config(timeout=5.0), COST, 100, seconds_spent=2.0)
    verification = Forecast(config(), COST, 100, searching=False).first(0, 0)
    assert bounded.first(0, 0) == pytest.approx(3.0 + verification)


def followed(pace: float, guess: Cost = COST) -> list[tuple[float, float]]:
    """Seconds left and real seconds left after each epoch of a search without pruning or verification."""
    settings = {**config(verification_seeds=0).settings(), "pruning": {"enabled": False}}
    forecast = Forecast(StudyConfig.of(settings), guess, 100)
    forecast.first(0, 0)
    elapsed, seen = 2.0 * pace, []
    for cohort in range(3):
        elapsed += 1.0 * pace
        for epoch in range(4):
            elapsed += (0.5 + 8 * 0.25) * pace
            seen.append((forecast.left(Progress("search", 8 * cohort, 24, 8, epoch, 4), elapsed), elapsed))
    end = seen[-1][1]
    return [(left, end - at) for left, at in seen]


def test_a_machine_as_fast_as_guessed_is_forecast_exactly() -> None:
    for left, actual in followed(1.0):
        assert left == pytest.approx(actual)


@pytest.mark.parametrize("pace", [0.2, 5.0])
def test_a_guess_that_was_wrong_is_soon_forgotten(pace: float) -> None:
    """From the end of the first cohort on, the time left of a machine five times as fast or slow is nearly right."""
    for left, actual in followed(pace)[3:]:
        assert left == pytest.approx(actual, rel=0.5)


def test_verification_is_followed_by_rounds() -> None:
    forecast = Forecast(config(), COST, 100, searching=False)
    forecast.first(24, 0)
    after = verification_seconds(VERIFYING, rounds_after([40], config()), 100, 4)
    left = forecast.left(Progress("verification", 0, 40, 40, 3, 4), 2.0 + 1.0 + (0.625 + 40 * 0.125))
    assert left == pytest.approx(after)


def test_the_first_answer_is_followed_by_the_rest_of_the_search_and_of_verification() -> None:
    """After 12 of 24 networks, verification's first round trains its last epoch; nothing has been pruned."""
    forecast = Forecast(config(), COST, 100)
    forecast.first(0, 0)
    forecast.left(Progress("search", 0, 24, 12, 3, 4), 6.5)
    left = forecast.left(Progress("verification", 0, 22, 22, 3, 4, n_to_search=12), 10.875)
    survival = (12 + 0.46 * 64) / (12 + 64)  # The guess weighs as much as 16 networks of 4 epochs.
    rest = verification_seconds(VERIFYING, rounds_after([22], config()), 100, 4)
    assert left == pytest.approx(search_seconds(COST, 12, 24, 100, 4, survival) + rest)


def test_a_goal_of_the_answer_counts_on_ladder_and_bracket() -> None:
    """Eight widths from 1 to 128, softmax and four widths between: 13 of 24."""
    search = search_seconds(COST, 0, 13, 100, 4, 0.46)
    verification = Forecast(config(), COST, 100, searching=False).first(0, 0)
    assert Forecast(config(goal="answer"), COST, 100).first(0, 0) == pytest.approx(search + verification)


def test_a_clock_that_runs_slower_says_a_slower_machine() -> None:
    ticks = iter([0.0, 10.0])
    assert slowdown(lambda: next(ticks)) == pytest.approx(250.0)
    assert COST.times(2.0) == Cost(4.0, 2.0, 1.0, 0.5)
