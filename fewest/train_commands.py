"""The commands that train: `run`, `resume`, `verify` and `submit`.

A request is checked before the storage is touched: first its settings, then its data.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from rich.console import Console

from fewest.dashboards.console import err, say
from fewest.dashboards.found import stored_study
from fewest.job import Manner, opened, say_to, tell_found
from fewest.read_commands import print_answer_of
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import Override, command_on, continued, is_finished, overridden, storage_option
from fewest.search.settings.stored import our_study
from fewest.storage.errors import MisuseError, NotFoundError
from fewest.storage.trials.records import StudyRecord

__all__ = ["resume_study", "run_study", "submit_study", "verify_study"]


def run_study(config: StudyConfig, url: str, *, manner: Manner) -> None:
    """Create or continue a study, search until its budget is spent, verify, print the answer.

    Args:
        config: Settings of the study.
        url: URL of the storage.
        manner: The command's way of working.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
        SearchInterruptedError: The user stopped the study; it can be continued.
    """
    stored = _stored(config.name, url)
    moved = False
    if stored is not None:
        before = our_study(stored).config
        config = continued(before, config)
        moved = config.data.name != before.data.name  # Opening the study compares fingerprints of the data.
    if stored is None or moved or not is_finished(stored, config):
        _work(config, url, manner=manner)
    _tell(config, url)


def submit_study(config: StudyConfig, url: str) -> str:
    """Create a study, or extend its budget, and leave the training to workers.

    Returns:
        One line: the study's name, the networks to train, and the command that starts a worker.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
    """
    from fewest.search.data.loading import load_for
    from fewest.search.study.opening import open_study
    from fewest.storage.trials.cohort_storage import optuna_storage

    data, sealed = load_for(config)
    with open_study(optuna_storage(url), config, data, sealed) as study:
        tell_found(study, err())
        n_trials = study.config.n_trials
    n_left = max(0, n_trials - stored_study(config.name, url).n_ended)
    command = command_on("worker", config.name, storage_option(url))
    return f"Study '{config.name}' has {n_left} of {n_trials} networks left to train. `{command}` takes it up."


def resume_study(name: str, overrides: Sequence[Override], url: str, *, manner: Manner) -> None:
    """Continue a study from its stored settings.

    Args:
        name: Name of the study.
        overrides: A larger budget, or the new path of the data.
        url: URL of the storage.
        manner: The command's way of working.

    Raises:
        MisuseError: There is no such study.
        SearchInterruptedError: The user stopped the study; it can be continued.
    """
    stored = our_study(stored_study(name, url)).config
    run_study(overridden(stored, overrides), url, manner=manner)


def verify_study(name: str, overrides: Sequence[Override], url: str, *, manner: Manner) -> None:
    """Verify the candidates that a study has found so far, without searching on.

    Args:
        name: Name of the study.
        overrides: More targets or seeds, or the new path of the data.
        url: URL of the storage.
        manner: The command's way of working.

    Raises:
        MisuseError: There is no such study, or it has no seeds to verify from.
        SearchInterruptedError: The user stopped the verification; it can be continued.
    """
    stored = our_study(stored_study(name, url)).config
    config = continued(stored, overridden(stored, overrides))
    if config.budget.verification_seeds == 0:
        raise MisuseError(f"Verification must have seeds, and study '{name}' has 0. Say how many with `--seeds`.")
    _work(config, url, manner=manner, searching=False)
    _tell(config, url)


def _stored(name: str, url: str) -> StudyRecord | None:
    """Read the study of that name; return None if there is none, or no storage yet."""
    try:
        return stored_study(name, url)
    except NotFoundError:
        return None


def _tell(config: StudyConfig, url: str) -> None:
    """Print the answer, and the commands that show more."""
    print_answer_of(config.name, url)
    option = storage_option(url)
    say(err(), f"Report: `{command_on('report', config.name, option)}`. Dashboard: `fewest dashboard{option}`.")


def _work(config: StudyConfig, url: str, *, manner: Manner, searching: bool = True) -> None:
    """Search and verify until nothing is left to do, or the user stops the study."""
    options = f"{storage_option(url)}{manner.places.options()}"
    command = command_on("resume" if searching else "verify", config.name, options)
    with ExitStack() as until_closed, opened(config, url, manner=manner) as job:
        should_stop = until_closed.enter_context(_interruptible(job.console, command))
        job.work(should_stop, searching=searching)


@contextmanager
def _interruptible(console: Console, command: str) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether the user asked to stop; add the command to continue with to the error."""
    from fewest.search.listener import SearchInterruptedError
    from fewest.signals import stoppable

    words = f"nothing is lost. Continue with `{command}`."
    try:
        with stoppable(say_to(console), f"Stopped; {words}") as should_stop:
            yield should_stop
    except SearchInterruptedError:
        raise SearchInterruptedError(f"Interrupted; {words}") from None
