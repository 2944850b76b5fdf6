"""What the commands do: the rooms put together.

Everything that can be wrong with a request is found before the storage is touched: first in the settings,
then in the data.
"""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console

from dashboards.text import print_answer, print_comparison
from howmany.quiet import quiet_libraries
from search.answers import collect
from search.config import StudyConfig, command_for, continued, is_finished, overridden, stored_config
from search.summary import statements, summarise
from storage.curves import read_curves
from storage.engine import DEFAULT_URL, open_engine
from storage.errors import NotFoundError
from storage.records import StudyRecord
from storage.results import read_results
from storage.trials import read_studies, read_study, read_trials

__all__ = [
    "all_studies",
    "print_answer_of",
    "resume_study",
    "run_study",
    "summary_of",
    "verify_study",
    "write_study_report",
]


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
    stored = stored_config(name, read_study(open_engine(url, create=False), name).attributes)
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
    stored = stored_config(name, read_study(open_engine(url, create=False), name).attributes)
    config = continued(stored, overridden(stored, overrides))
    _work(config, url, quiet=quiet, artifacts=artifacts, searching=False)
    _tell(config, url)


def all_studies(url: str) -> list[StudyRecord]:
    """Every study in the storage."""
    return read_studies(open_engine(url, create=False))


def summary_of(name: str, url: str) -> dict[str, Any]:
    """What a study has found: see `search.summary`."""
    engine = open_engine(url, create=False)
    study = read_study(engine, name)
    config = stored_config(name, study.attributes)
    trials = read_trials(engine, study.study_id)
    return summarise(study, config, trials, read_results(engine, study.study_id))


def write_study_report(name: str, url: str, output: Path) -> None:
    """Writes what a study found as one HTML file.

    Raises:
        MisuseError: There is no such study.
        ReportError: The file cannot be written.
    """
    from dashboards.report import ReportData, write_report

    engine = open_engine(url, create=False)
    study = read_study(engine, name)
    config = stored_config(name, study.attributes)
    data = study.attributes["data"]
    report = ReportData(
        study=name,
        answer=summary_of(name, url),
        settings=config.settings(),
        trials=read_trials(engine, study.study_id),
        curves=read_curves(engine, study.study_id),
        command=command_for(config),
        verified=read_results(engine, study.study_id),
        environment=study.attributes["environment"],
        samples={kind: data[f"n_{kind}"] for kind in ("training", "validation", "test")},
        generated=datetime.now(UTC),
    )
    write_report(output, report)


def _stored(name: str, url: str) -> StudyRecord | None:
    """The study of that name; None if there is none, or no storage yet."""
    try:
        return read_study(open_engine(url, create=False), name)
    except NotFoundError:
        return None


def print_answer_of(name: str, url: str) -> None:
    """Prints what a study has found."""
    engine = open_engine(url, create=False)
    study = read_study(engine, name)
    config = stored_config(name, study.attributes)
    verified = read_results(engine, study.study_id)
    summary = summarise(study, config, read_trials(engine, study.study_id), verified)
    console = Console()
    print_answer(console, summary, statements(config, verified))
    results = collect(verified)
    listed = {architecture: results.get(architecture, []) for architecture in config.space.architectures or ()}
    if config.reference is not None and all(len(accuracies) > 1 for accuracies in listed.values()):
        print_comparison(console, config.reference, listed)


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
    from search.datasets import load
    from search.keeping import Keeper
    from search.loop import Listener, search
    from search.study import open_study
    from search.verification import verify
    from storage.artifacts import artifact_folder
    from storage.engine import optuna_storage

    console = Console(stderr=True)
    say = partial(console.print, soft_wrap=True, highlight=False, markup=False)
    choice = config.data
    data, sealed = load(
        choice.name, validation=choice.validation, validation_share=choice.validation_share, seed=config.seed
    )
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
    from search.loop import SearchInterruptedError

    try:
        yield
    except (SearchInterruptedError, KeyboardInterrupt):
        elsewhere = "" if artifacts is None else f" --artifacts {shlex.quote(artifacts)}"
        command = f"howmany resume {name}{_storage_option(url)}{elsewhere}"
        raise SearchInterruptedError(f"Interrupted; nothing is lost. Continue with `{command}`.") from None


def _storage_option(url: str) -> str:
    return "" if url == DEFAULT_URL else f" --storage {shlex.quote(url)}"
