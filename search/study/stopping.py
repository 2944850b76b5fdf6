"""The stopping rule of a search: a budget is spent, the front has levelled off, or nothing is left to try.

Pure: only the settings and the trials so far decide, so all workers of a study stop for the same reason.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from fewest.search.answers.front import FrontPoint, levelled_off
from fewest.search.settings.config import StudyConfig

if TYPE_CHECKING:  # Those who only watch a study do without NumPy.
    from fewest.search.study.history import History

__all__ = ["Ending", "StoppingRule", "has_levelled_off"]

Ending: TypeAlias = Literal["trials", "timeout", "plateau", "space", "bracket"]
"""The reason for a search's end: a budget is spent, the front no longer improves, an answer is wanted and every
architecture has a trial, or only the bracket was wanted."""


def has_levelled_off(
    config: StudyConfig,
    n_ended: int,
    front: Iterable[FrontPoint],
    front_before: Callable[[int], Iterable[FrontPoint]],
) -> bool:
    """Say whether the last `budget.patience` trials of a search have not improved its front.

    Args:
        config: Settings of the study. A search of listed architectures tries all of them.
        n_ended: Number of trials that have ended.
        front: The front of the complete trials.
        front_before: Returns the front of the trials below a number.
    """
    patience, space = config.budget.patience, config.space
    if patience is None or n_ended <= patience or space.architectures is not None:
        return False
    return levelled_off(front_before(n_ended - patience), front, max_size=space.max_width * space.max_depth)


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

    def has_levelled_off(self) -> bool:
        """Say whether the search has stopped improving the front."""
        history = self.history
        return has_levelled_off(self.config, len(history.ended), history.front, history.front_before)

    def n_new(self, n: int) -> int:
        """Limit `n` to the number of new trials that the study may have."""
        left = self.config.n_trials - self.history.n_trials
        if self.config.budget.goal == "answer":  # More seeds of an architecture are verification's work.
            left = min(left, self.config.space.search_space().n_architectures() - len(self.history.tried))
        # A cohort at most doubles the study, so that sampler and pruning rule soon have trials to learn from.
        return max(0, min(n, self.history.n_trials, left))

    def takes_no_more(self) -> bool:
        """Say whether no trial is created any more."""
        return self.n_new(1) == 0 or self.has_levelled_off()

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
