"""A study open for work: a command's way of working, and what it does until nothing is left to do.

`opened` loads the data and opens the study; `Job.work` searches and verifies, with progress and figures.
"""

import shlex
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from fewest.dashboards.console import err, say
from fewest.dashboards.found import Found, read_found
from fewest.quiet import quiet_libraries
from fewest.search.answers.answer import Answer, is_answered, is_settled
from fewest.search.answers.sentences import guess_caution, statements
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.targets import unvalued
from fewest.search.study.pace import USUAL, Pace

if TYPE_CHECKING:
    from fewest.progress import Show
    from fewest.search.data.samples import SealedTest, SearchData
    from fewest.search.keeper import Keeper
    from fewest.search.listener import Listener
    from fewest.search.study.study import OpenStudy
    from fewest.search.training.interface import Engine

__all__ = ["Job", "Manner", "Places", "engine_for", "opened", "say_to", "tell_found"]

_EARLY_ENDINGS = {
    "timeout": "The study's timeout is spent; a larger one extends it.",
    "plateau": "The front has not improved over the last {patience} trials, so the search ends here; "
    "a larger `budget.patience` goes on.",
    "space": "Every architecture of the space is trained, so the search ends here; the goal `front` repeats them.",
}
"""Lines to print when a search ends before all its trials are trained, by the reason."""


class Places(NamedTuple):
    """Places that the user named for artifacts and checkpoints; None for the storage's usual place."""

    artifacts: str | None = None
    checkpoints: str | None = None

    def options(self) -> str:
        """Return the command-line options that name these places."""
        given = ((name, place) for name, place in self._asdict().items() if place is not None)
        return "".join(f" --{name} {shlex.quote(place)}" for name, place in given)


HERE = Places()


def engine_for(config: StudyConfig) -> "Engine":
    """Create the engine that a study's settings name."""
    from fewest.search.training.engines import ENGINES

    return ENGINES[config.engine]()


@dataclass(frozen=True)
class Manner:
    """A command's way of working, the same for every study.

    Attributes:
        quiet: Whether to show no progress.
        places: Places of artifacts and checkpoints.
        pace: Intervals between checkpoints, heartbeats and looks at the storage.
        make_engine: Function that creates the engine for a study's settings.
        draws: Whether to store figures with the study, for optuna-dashboard.
        silent: Whether to print nothing at all.
    """

    quiet: bool = False
    places: Places = HERE
    pace: Pace = USUAL
    make_engine: Callable[[StudyConfig], "Engine"] = engine_for
    draws: bool = True
    silent: bool = False


@dataclass(frozen=True)
class Job:
    """A study open for work, with everything that the work needs."""

    study: "OpenStudy"
    engine: "Engine"
    sealed: "SealedTest"
    keeper: "Keeper"
    console: Console
    manner: Manner

    def work(
        self,
        should_stop: Callable[[], bool],
        should_leave: Callable[[], bool] = lambda: False,
        *,
        searching: bool = True,
    ) -> None:
        """Search and verify until nothing is left to do; `Listener` describes the two other ways to end."""
        from fewest.figures import Figures
        from fewest.progress import following
        from fewest.search.listener import Listener
        from fewest.search.loop import search
        from fewest.search.verification.verify import verify

        figures = Figures(self.study)
        with following(self.console, quiet=self.manner.quiet) as show:
            if not self.manner.quiet:
                show = self._forecasting(show, searching)
            echo, poll_seconds = say_to(self.console), self.manner.pace.poll_seconds
            on_cohort = figures.refresh_if_old if self.manner.draws else lambda: None
            listener = Listener(show, on_cohort, echo, should_stop, should_leave, poll_seconds)
            if searching and self._settles(listener):
                listener.echo("The answers stand, so the study ends here; the goal `front` searches on.")
            else:
                if searching:
                    ending = search(self.study, self.engine, listener, self.keeper, self._first_answer(listener))
                    if ending in _EARLY_ENDINGS:
                        listener.echo(_EARLY_ENDINGS[ending].format(patience=self.study.config.budget.patience))
                verify(self.study, self.engine, self.sealed, listener, self.keeper)
            if self.manner.draws:
                figures.refresh()
            if searching:
                self.study.finish()

    def _forecasting(self, show: "Show", searching: bool) -> "Show":
        """Print how long the work will take, and return a function that shows progress with the time left."""
        from fewest.progress import duration
        from fewest.time_left import forecast_for, with_time_left

        forecast, seconds = forecast_for(self.study, self.engine, searching=searching)
        if seconds:
            say_to(self.console)(f"The answer will take {duration(seconds)} on this machine, as a first guess.")
        return with_time_left(show, forecast)

    def _settles(self, listener: "Listener") -> bool:
        """Work for the answer alone, if that is the goal; say whether bracket and verification have settled it.

        A target relative to the best needs a search to its end. One that one hidden layer is not shown to reach needs a
        search, too: nothing is known yet of the deeper networks that may.
        """
        from fewest.search.listener import wait
        from fewest.search.loop import search
        from fewest.search.verification.verify import verify_bracket

        study, budget = self.study, self.study.config.budget
        if budget.goal != "answer" or study.is_searched() or unvalued(budget.targets, None):
            return False
        search(study, self.engine, listener, self.keeper, self._first_answer(listener), beyond_bracket=False)
        if study.bracketed() is None:
            return False
        for deeper, is_enough in ((False, is_answered), (True, is_settled)):
            while not verify_bracket(study, self.engine, self.sealed, listener, self.keeper, deeper=deeper):
                wait(listener)
            if not all(map(is_enough, _found(study).summary.targets)):
                return False
        return True

    def _first_answer(self, listener: "Listener") -> Callable[[], bool]:
        """Return a function that verifies softmax and one hidden layer, and prints what it has found, once."""
        from fewest.search.verification.verify import verify_bracket

        def verified() -> bool:
            before = len(self.study.results())
            done = verify_bracket(self.study, self.engine, self.sealed, listener, self.keeper, deeper=False)
            if not done or self.manner.quiet:
                return done
            known = _found(self.study)
            if len(known.verified) > before:
                answered = tuple(of for of in known.summary.targets if isinstance(of.typical, Answer))
                for sentence in statements(replace(known.summary, targets=answered), known.verified):
                    listener.echo(f"First answer: {sentence}.")
            return done

        return verified


@contextmanager
def opened(
    config: StudyConfig, url: str, *, manner: Manner, loaded: "tuple[SearchData, SealedTest] | None" = None
) -> Iterator[Job]:
    """Create or continue a study, and yield it open for work, with its data.

    Args:
        config: Settings of the study.
        url: URL of the storage.
        manner: The command's way of working.
        loaded: Data of the study that are in memory already; None loads those that the settings name.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
    """
    quiet_libraries()
    from fewest.search.data.loading import load_for
    from fewest.search.keeper import Keeper
    from fewest.search.study.opening import open_study
    from fewest.storage.files.places import place_for
    from fewest.storage.trials.cohort_storage import optuna_storage

    console = err()
    console.quiet = manner.silent
    data, sealed = loaded or load_for(config)
    checkpoints = place_for(url, "checkpoints", manner.places.checkpoints)
    artifacts = place_for(url, "artifacts", manner.places.artifacts)
    storage = optuna_storage(url)
    with open_study(
        storage,
        config,
        data,
        sealed,
        checkpoints=checkpoints,
        artifacts=artifacts,
        pace=manner.pace,
    ) as study:
        tell_found(study, console)
        asked, guess = config.budget.targets[0], sealed.guessing.get(config.data.metric)
        if isinstance(asked, float) and (caution := guess_caution(asked, guess, config.data.metric)):
            say_to(console)(f"{caution}: a target of {asked:g} asks for no more.")
        if warning := study.sharing_warning():
            say_to(console)(warning)
        yield Job(study, manner.make_engine(config), sealed, Keeper(study, say_to(console)), console, manner)


def _found(study: "OpenStudy") -> Found:
    """Read what the study has found so far."""
    with study.reading() as connection:
        return read_found(connection, study.config.name)


def tell_found(study: "OpenStudy", console: Console) -> None:
    """Print what was found of the data, once, when the study is created; the report has it, too."""
    found = (*(study.data.table.words if study.data.table else ()), *study.data.notes)
    for words in found if study.created else ():
        say_to(console)(words)


def say_to(console: Console) -> Callable[[str], None]:
    """Return a function that prints one plain line on a console."""
    return partial(say, console)
