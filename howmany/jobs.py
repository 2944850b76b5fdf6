"""What the commands that train do: the rooms put together.

Everything that can be wrong with a request is found before the storage is touched: first in the settings,
then in the data.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from rich.console import Console

from howmany.quiet import quiet_libraries
from howmany.reading import print_answer_of, stored_study
from search.config import StudyConfig, continued, is_finished, overridden, stored_config
from storage.engine import DEFAULT_URL
from storage.errors import NotFoundError
from storage.records import StudyRecord

__all__ = ["resume_study", "run_study", "verify_study"]


def run_study(config: StudyConfig, url: str, *, quiet: bool, artifacts: str | None = None) -> None:
    """Creates or continues a study, searches until its budget is spent, prints its answer.

    Args:
        config: Its settings.
        url: The storage.
        quiet: Show no progress.
        artifacts: The folder to keep trained networks in, if not the storage's usual one.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = _stored(config.name, url)
    if stored is not None:
        config = continued(stored_config(config.name, stored.attributes), config)
    if stored is None or not is_finished(stored, config):
        _work(config, url, quiet=quiet, artifacts=artifacts)
    _tell(config, url)


def resume_study(name: str, overrides: Sequence[str], url: str, *, quiet: bool, artifacts: str | None = None) -> None:
    """Continues a study from its stored settings.

    Args:
        name: The study.
        overrides: A larger budget, as `dotted.name=value`.
        url: The storage.
        quiet: Show no progress.
        artifacts: The folder to keep trained networks in, if not the storage's usual one.

    Raises:
        MisuseError: There is no such study.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = stored_config(name, stored_study(name, url).attributes)
    run_study(overridden(stored, overrides), url, quiet=quiet, artifacts=artifacts)


def verify_study(name: str, overrides: Sequence[str], url: str, *, quiet: bool, artifacts: str | None = None) -> None:
    """Verifies what a study has found so far; nothing is searched.

    Args:
        name: The study.
        overrides: More targets or seeds, as `dotted.name=value`.
        url: The storage.
        quiet: Show no progress.
        artifacts: The folder to keep trained networks in, if not the storage's usual one.

    Raises:
        MisuseError: There is no such study.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = stored_config(name, stored_study(name, url).attributes)
    config = continued(stored, overridden(stored, overrides))
    _work(config, url, quiet=quiet, artifacts=artifacts, searching=False)
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
    option = _storage_option(url)
    Console(stderr=True).print(
        f"Report: `howmany report {config.name}{option}`. Dashboard: `howmany dashboard{option}`.",
        soft_wrap=True,
        highlight=False,
    )


def _work(config: StudyConfig, url: str, *, quiet: bool, artifacts: str | None, searching: bool = True) -> None:
    """Searches and verifies until nothing is left to do."""
    quiet_libraries()
    from howmany.figures import Figures
    from howmany.progress import following
    from howmany.stopping import stoppable
    from search.datasets import load_for
    from search.keeping import Keeper
    from search.loop import search
    from search.study import open_study
    from search.verification import verify
    from search.watch import Listener
    from storage.artifacts import artifact_folder
    from storage.engine import optuna_storage

    console = Console(stderr=True)
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    data, sealed = load_for(config)
    with (
        open_study(optuna_storage(url), config, data, sealed.n_samples) as study,
        _told_how_to_resume(config.name, url, artifacts),
        stoppable(say) as should_stop,
        following(console, quiet=quiet) as show,
    ):
        figures = Figures(study)
        keeper = Keeper(study, data, artifact_folder(url, artifacts), say)
        listener = Listener(show, figures.refresh_if_old, say, should_stop)
        if searching and search(study, data, listener, keeper) == "timeout":
            say("The study's timeout is spent; a larger `--timeout` extends it.")
        verify(study, data, sealed, listener, keeper)
        figures.refresh()
        if searching:
            study.finish()


@contextmanager
def _told_how_to_resume(name: str, url: str, artifacts: str | None) -> Iterator[None]:
    """Turns an interruption into the line that says how to go on."""
    from search.watch import SearchInterruptedError

    try:
        yield
    except (SearchInterruptedError, KeyboardInterrupt):
        elsewhere = "" if artifacts is None else f" --artifacts {shlex.quote(artifacts)}"
        command = f"howmany resume {name}{_storage_option(url)}{elsewhere}"
        raise SearchInterruptedError(f"Interrupted; nothing is lost. Continue with `{command}`.") from None


def _storage_option(url: str) -> str:
    return "" if url == DEFAULT_URL else f" --storage {shlex.quote(url)}"
