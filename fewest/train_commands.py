"""What the commands that train do: the rooms put together.

Everything that can be wrong with a request is found before the storage is touched: first in the settings,
then in the data.
"""

import shlex
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from fewest.dashboards.console import err, say
from fewest.quiet import quiet_libraries
from fewest.read_commands import print_answer_of, stored_study
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import Override, continued, is_finished, overridden
from fewest.search.settings.stored import our_study
from fewest.search.study.pace import USUAL, Pace
from fewest.storage.database.urls import DEFAULT_URL
from fewest.storage.errors import MisuseError, NotFoundError
from fewest.storage.trials.records import StudyRecord

if TYPE_CHECKING:
    from fewest.search.data.samples import SealedTest
    from fewest.search.keeper import Keeper
    from fewest.search.study.study import OpenStudy
    from fewest.search.training.interface import Engine

__all__ = [
    "Job",
    "Manner",
    "Places",
    "opened",
    "resume_study",
    "run_study",
    "say_to",
    "storage_option",
    "submit_study",
    "verify_study",
]


_EARLY_ENDINGS = {
    "timeout": "The study's timeout is spent; a larger `--timeout` extends it.",
    "plateau": "The front has not improved over the last {patience} trials, so the search ends here; "
    "`fewest run` with a larger `--set budget.patience=` goes on.",
}
"""What is said when a search ends before its trials are all trained."""


class Places(NamedTuple):
    """Where the files are kept that belong to a storage, as told by the user; None for the usual place."""

    artifacts: str | None = None
    checkpoints: str | None = None

    def options(self) -> str:
        """The options that say so on a command line."""
        given = ((name, place) for name, place in self._asdict().items() if place is not None)
        return "".join(f" --{name} {shlex.quote(place)}" for name, place in given)


HERE = Places()


def engine_for(config: StudyConfig) -> "Engine":
    """Make the engine that a study's settings name."""
    from fewest.search.training.engines import ENGINES

    return ENGINES[config.engine]()


@dataclass(frozen=True)
class Manner:
    """How a command works, whatever the study.

    Attributes:
        quiet: Show no progress.
        places: Where to keep files, if not in the usual places.
        pace: How often to save, to tell that this worker is alive, and to look again.
        make_engine: Makes what trains a study's networks.
    """

    quiet: bool = False
    places: Places = HERE
    pace: Pace = USUAL
    make_engine: Callable[[StudyConfig], "Engine"] = engine_for


def run_study(config: StudyConfig, url: str, *, manner: Manner) -> None:
    """Creates or continues a study, searches until its budget is spent, prints its answer.

    Args:
        config: Its settings.
        url: The storage.
        manner: How to work.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = _stored(config.name, url)
    moved = False
    if stored is not None:
        before = our_study(stored).config
        config = continued(before, config)
        moved = config.data.name != before.data.name  # Whether these are the same data, their fingerprint says.
    if stored is None or moved or not is_finished(stored, config):
        _work(config, url, manner=manner)
    _tell(config, url)


def submit_study(config: StudyConfig, url: str) -> str:
    """Creates a study, or extends its budget, and leaves the training to workers.

    Returns:
        The study's name, how much there is to train, and the command that takes it up, in one line.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
    """
    from fewest.search.data.loading import load_for
    from fewest.search.study.opening import open_study
    from fewest.storage.trials.cohort_storage import optuna_storage

    data, sealed = load_for(config)
    with open_study(optuna_storage(url), config, data, sealed.n_samples) as study:
        n_trials = study.config.n_trials
    n_left = max(0, n_trials - stored_study(config.name, url).n_ended)
    command = f"fewest worker {shlex.quote(config.name)}{storage_option(url)}"
    return f"Study '{config.name}' has {n_left} of {n_trials} networks left to train. `{command}` takes it up."


def resume_study(name: str, overrides: Sequence[Override], url: str, *, manner: Manner) -> None:
    """Continues a study from its stored settings.

    Args:
        name: The study.
        overrides: A larger budget, or where the data are now.
        url: The storage.
        manner: How to work.

    Raises:
        MisuseError: There is no such study.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = our_study(stored_study(name, url)).config
    run_study(overridden(stored, overrides), url, manner=manner)


def verify_study(name: str, overrides: Sequence[Override], url: str, *, manner: Manner) -> None:
    """Verifies what a study has found so far; nothing is searched.

    Args:
        name: The study.
        overrides: More targets or seeds, or where the data are now.
        url: The storage.
        manner: How to work.

    Raises:
        MisuseError: There is no such study, or it has no seeds to verify from.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = our_study(stored_study(name, url)).config
    config = continued(stored, overridden(stored, overrides))
    if config.budget.verification_seeds == 0:
        raise MisuseError(f"Verification must have seeds, and study '{name}' has 0. Say how many with `--seeds`.")
    _work(config, url, manner=manner, searching=False)
    _tell(config, url)


def _stored(name: str, url: str) -> StudyRecord | None:
    """The study of that name; None if there is none, or no storage yet."""
    try:
        return stored_study(name, url)
    except NotFoundError:
        return None


def _tell(config: StudyConfig, url: str) -> None:
    """Prints the answer, and where there is more to see."""
    print_answer_of(config.name, url)
    option = storage_option(url)
    say(err(), f"Report: `fewest report {shlex.quote(config.name)}{option}`. Dashboard: `fewest dashboard{option}`.")


def _work(config: StudyConfig, url: str, *, manner: Manner, searching: bool = True) -> None:
    """Searches and verifies until nothing is left to do, or the user stops it."""
    options = f"{storage_option(url)}{manner.places.options()}"
    command = f"fewest {'resume' if searching else 'verify'} {shlex.quote(config.name)}{options}"
    with opened(config, url, manner=manner) as job, _interruptible(job.console, command) as should_stop:
        job.work(should_stop, searching=searching)


@dataclass(frozen=True)
class Job:
    """A study open for work, and all that the work needs."""

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
        """Searches and verifies until nothing is left to do; see `Listener` for when else it ends."""
        from fewest.figures import Figures
        from fewest.progress import following
        from fewest.search.listener import Listener
        from fewest.search.loop import search
        from fewest.search.verification.verify import verify

        figures = Figures(self.study)
        with following(self.console, quiet=self.manner.quiet) as show:
            echo, poll_seconds = say_to(self.console), self.manner.pace.poll_seconds
            listener = Listener(show, figures.refresh_if_old, echo, should_stop, should_leave, poll_seconds)
            if searching:
                ending = search(self.study, self.engine, listener, self.keeper)
                if ending in _EARLY_ENDINGS:
                    listener.echo(_EARLY_ENDINGS[ending].format(patience=self.study.config.budget.patience))
            verify(self.study, self.engine, self.sealed, listener, self.keeper)
            figures.refresh()
            if searching:
                self.study.finish()


@contextmanager
def opened(config: StudyConfig, url: str, *, manner: Manner) -> Iterator[Job]:
    """A study, created or continued, with its data.

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
    data, sealed = load_for(config)
    checkpoints = place_for(url, "checkpoints", manner.places.checkpoints)
    artifacts = place_for(url, "artifacts", manner.places.artifacts)
    storage = optuna_storage(url)
    with open_study(
        storage, config, data, sealed.n_samples, checkpoints=checkpoints, artifacts=artifacts, pace=manner.pace
    ) as study:
        if warning := study.sharing_warning():
            say_to(console)(warning)
        yield Job(study, manner.make_engine(config), sealed, Keeper(study, say_to(console)), console, manner)


def say_to(console: Console) -> Callable[[str], None]:
    """What prints one plain line."""
    return partial(say, console)


@contextmanager
def _interruptible(console: Console, command: str) -> Iterator[Callable[[], bool]]:
    """Says whether the user asked to stop; an interruption ends in the line that says which command goes on."""
    from fewest.search.listener import SearchInterruptedError
    from fewest.signals import stoppable

    try:
        with stoppable(say_to(console)) as should_stop:
            yield should_stop
    except (SearchInterruptedError, KeyboardInterrupt):
        raise SearchInterruptedError(f"Interrupted; nothing is lost. Continue with `{command}`.") from None


def storage_option(url: str) -> str:
    """The option that names a storage on a command line, where it has to be named."""
    return "" if url == DEFAULT_URL else f" --storage {shlex.quote(url)}"
