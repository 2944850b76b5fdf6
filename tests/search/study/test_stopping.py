"""The stopping rule: each reason for a search's end, from settings and a history that a hand can count."""

from collections import Counter
from typing import Any

import pytest

from fewest.search.answers.front import FrontPoint, pareto_front
from fewest.search.settings.config import StudyConfig
from fewest.search.study.stopping import StoppingRule

POINTS = [FrontPoint(0, 1, 0.5), FrontPoint(1, 2, 0.7), FrontPoint(2, 3, 0.8)]


class CountedHistory:
    """A history of `n_ended` trials, of which those of `POINTS` alone are on the front."""

    def __init__(self, n_ended: int, n_running: int = 0, seconds: float = 0.0) -> None:
        self.n_trials, self.seconds = n_ended + n_running, seconds
        self.ended, self.unfinished = set(range(n_ended)), [None] * n_running
        self.tried = {(width,) for width in range(1, self.n_trials + 1)}
        self.counts = Counter(complete=n_ended)
        self._points = POINTS[:n_ended]

    def parted(self, number: int) -> tuple[list[FrontPoint], list[FrontPoint]]:
        return pareto_front(self._points[:number]), self._points[number:]


def rule(history: CountedHistory, space: dict[str, Any] | None = None, **budget: Any) -> StoppingRule:
    chosen = {"trials": 20, "targets": [0.9], **budget}
    space = {"max_depth": 1, "max_width": 64, **(space or {})}
    config = StudyConfig.of({"name": "a", "data": {"name": "digits"}, "budget": chosen, "space": space})
    return StoppingRule(config, history)


ENDINGS = {
    "seconds": (rule(CountedHistory(4, seconds=9.0), timeout=9.0), "timeout"),
    "networks": (rule(CountedHistory(20)), "trials"),
    "a level front": (rule(CountedHistory(8), patience=5), "plateau"),
    "every architecture": (rule(CountedHistory(9), {"max_width": 8}, goal="answer", patience=None), "space"),
    "the bracket": (rule(CountedHistory(8), patience=6), "bracket"),
}


@pytest.mark.parametrize(("stopping", "ending"), ENDINGS.values(), ids=ENDINGS)
def test_a_search_ends_for_the_first_reason_there_is(stopping, ending):
    assert stopping.ending() == ending
    assert stopping.has_ended() == (ending != "bracket")


def test_trials_that_still_train_end_with_the_time_alone():
    assert not rule(CountedHistory(8, n_running=1), patience=5).has_ended()
    assert rule(CountedHistory(8, n_running=1), patience=5).takes_no_more()
    assert rule(CountedHistory(8, n_running=1, seconds=9.0), timeout=9.0).has_ended()


def test_a_front_is_level_only_after_more_trials_than_its_patience():
    """The last gain was the third trial, number 2."""
    assert [n for n in range(12) if rule(CountedHistory(n), patience=4).has_levelled_off()] == [7, 8, 9, 10, 11]
    listed = {"architectures": [[1], [2]]}
    assert not rule(CountedHistory(11), listed, patience=4).has_levelled_off()


def test_a_cohort_at_most_doubles_the_study_and_keeps_to_the_budget():
    assert [rule(CountedHistory(n)).n_new(16) for n in (3, 8, 15, 20)] == [3, 8, 5, 0]
    assert rule(CountedHistory(7), {"max_width": 8}, goal="answer").n_new(16) == 2


def test_a_cohort_ends_where_the_front_may_be_level_but_is_at_least_a_quarter_of_a_whole_one():
    """The last gain was the third trial, number 2: with a patience of 8 the front is level after eleven."""
    assert [rule(CountedHistory(n), patience=8).until_level() for n in (3, 6, 10, 11)] == [8, 5, 1, 0]
    assert [rule(CountedHistory(n), patience=8).n_new(8) for n in (6, 8, 10)] == [5, 3, 2]
    assert rule(CountedHistory(6, n_running=5), patience=8).n_new(8) == 5  # What others train spares nobody.
    assert rule(CountedHistory(6), patience=None).n_new(8) == 6
