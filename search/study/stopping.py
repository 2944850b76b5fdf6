"""The stopping rule of a search: a budget is spent, the front has levelled off, or nothing is left to try.

Only the settings and the trials so far decide, so all workers of a study stop for the same reason.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from fewest.search.answers.front import FrontPoint, levelled_off, pareto_front
from fewest.search.settings.config import StudyConfig

if TYPE_CHECKING:  # Those who only watch a study do without NumPy.
    from fewest.search.study.history import History

__all__ = ["Ending", "StoppingRule", "trials_until_level"]

Ending: TypeAlias = Literal["trials", "timeout", "plateau", "space", "bracket"]
"""The reason for a search's end: a budget is spent, the front no longer improves, an answer is wanted and every
architecture has a trial, or only the bracket was wanted."""


def trials_until_level(
    config: StudyConfig,
    n_ended: int,
    parted: Callable[[int], tuple[Sequence[FrontPoint], Sequence[FrontPoint]]],
) -> int | None:
    """Count the trials that must still end without a gain before a search's front has levelled off; 0 if it has.

    It has when the last `budget.patience` trials have not improved it.

    Args:
        config: Settings of the study.
        n_ended: Number of trials that have ended.
        parted: Returns the front of the trials below a number, and the complete trials from that number on.

    Returns:
        None where no number would do: without patience, or where the settings list the architectures.
    """
    patience, space = config.budget.patience, config.space
    if patience is None or space.architectures is not None:
        return None
    start = max(0, n_ended - patience)
    before, recent = parted(start)
    now = pareto_front([*before, *recent])

    def was_as_good(number: int) -> bool:
        then = pareto_front([*before, *(point for point in recent if point.trial < number)])
        return levelled_off(then, now, max_size=space.max_width * space.max_depth)

    n_needed = start + bisect_left(range(start, n_ended), True, key=was_as_good)
    return n_needed + patience - n_ended


class StoppingRule(NamedTuple):
    """The stopping rule of one study.

    Attributes:
        config: Settings of the study.
        history: Its trials as of the last refresh.
    """

    config: StudyConfig
    history: "History"

    def is_timeout_spent(self) -> bool:
        """Say whether the seconds of training are spent."""
        timeout = self.config.budget.timeout
        return timeout is not None and self.history.seconds >= timeout

    def until_level(self) -> int | None:
        """Count the trials that must still end without a gain before the search has stopped improving the front."""
        return trials_until_level(self.config, len(self.history.ended), self.history.parted)

    def has_levelled_off(self) -> bool:
        """Say whether the search has stopped improving the front."""
        return self.until_level() == 0

    def n_new(self, n: int) -> int:
        """Limit `n` to the number of new trials that the study may have."""
        left = self.config.n_trials - self.history.n_trials
        if self.config.budget.goal == "answer":  # More seeds of an architecture are verification's work.
            left = min(left, self.config.space.search_space().n_architectures() - len(self.history.tried))
        if (until := self.until_level()) is not None:  # A cohort ends where the front may be level, but is not tiny.
            n = min(n, max(until, n // 4))
        # A cohort at most doubles the study, so that sampler and pruning rule soon have trials to learn from.
        return max(0, min(n, self.history.n_trials, left))

    def takes_no_more(self) -> bool:
        """Say whether no trial is created any more."""
        return self.n_new(1) == 0

    def has_ended(self) -> bool:
        """Say whether the search has nothing left to train, for this worker and all others."""
        if self.is_timeout_spent():
            return True
        return not self.history.unfinished and self.takes_no_more()

    def ending(self) -> Ending:
        """Say why the study has no trials left to give out."""
        if self.is_timeout_spent():
            return "timeout"
        if len(self.history.ended) >= self.config.n_trials:
            return "trials"
        if self.has_levelled_off():
            return "plateau"
        return "bracket" if self.n_new(1) else "space"
