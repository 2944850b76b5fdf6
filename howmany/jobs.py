"""What the commands do: the rooms put together.

Everything that can be wrong with a request is found before the storage is touched: first in the settings, then in the data.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.text import print_answer
from howmany.quiet import quiet_libraries
from search.config import StudyConfig, continued, overridden, stored_config
from search.summary import summarise
from storage.engine import DEFAULT_URL, open_engine
from storage.errors import NotFoundError
from storage.records import StudyRecord
from storage.trials import read_studies, read_study, read_trials

__all__ = ["all_studies", "resume_study", "run_study", "summary_of", "write_study_report"]


def run_study(config: StudyConfig, url: str, *, quiet: bool) -> None:
    """Creates or continues a study, searches until its budget is spent, prints its answer.

    Args:
        config: Its settings.
        url: The storage.
        quiet: Show no progress.

    Raises:
        MisuseError: The study exists with other settings, or its data cannot be used.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = _stored(config.name, url)
    if stored is not None:
        config = continued(stored_config(config.name, stored.attributes), config)
    if stored is None or not _is_finished(stored, config):
        _search(config, url, quiet=quiet)
    print_answer(Console(), summary_of(config.name, url))


def resume_study(name: str, overrides: Sequence[str], url: str, *, quiet: bool) -> None:
    """Continues a study from its stored settings.

    Args:
        name: The study.
        overrides: A larger budget, as `dotted.name=value`.
        url: The storage.
        quiet: Show no progress.

    Raises:
        MisuseError: There is no such study.
        SearchInterruptedError: The user stopped it; it can be continued.
    """
    stored = stored_config(name, read_study(open_engine(url, create=False), name).attributes)
    run_study(overridden(stored, overrides), url, quiet=quiet)


def all_studies(url: str) -> list[StudyRecord]:
    """Every study in the storage."""
    return read_studies(open_engine(url, create=False))


def summary_of(name: str, url: str) -> dict[str, Any]:
    """What a study has found: see `search.summary`."""
    engine = open_engine(url, create=False)
    study = read_study(engine, name)
    config = stored_config(name, study.attributes)
    return summarise(study, config, read_trials(engine, study.study_id))


def _stored(name: str, url: str) -> StudyRecord | None:
    """The study of that name; None if there is none, or no storage yet."""
    try:
        return read_study(open_engine(url, create=False), name)
    except NotFoundError:
        return None


def _is_finished(study: StudyRecord, config: StudyConfig) -> bool:
    ended = sum(study.n_trials.get(state, 0) for state in ("complete", "pruned", "fail"))
    return ended >= config.n_trials


def _search(config: StudyConfig, url: str, *, quiet: bool) -> None:
    quiet_libraries()
    from howmany.progress import following
    from howmany.stopping import stoppable
    from search.datasets import load
    from search.loop import Listener, SearchInterruptedError, search
    from search.study import open_study
    from storage.engine import optuna_storage

    console = Console(stderr=True)
    choice = config.data
    data, _ = load(
        choice.name, validation=choice.validation, validation_share=choice.validation_share, seed=config.seed
    )
    study = open_study(optuna_storage(url), config, data)
    try:
        with stoppable(console.print) as should_stop, following(console, quiet=quiet) as show:
            search(study, data, Listener(show, lambda: None, console.print, should_stop))
    except (SearchInterruptedError, KeyboardInterrupt):
        raise SearchInterruptedError(
            f"Interrupted; nothing is lost. Continue with `howmany resume {config.name}{_storage_option(url)}`."
        ) from None


def _storage_option(url: str) -> str:
    return "" if url == DEFAULT_URL else f" --storage {shlex.quote(url)}"
