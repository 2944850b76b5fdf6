"""The work of `fewest.search`: a study on data in memory, searched and verified."""

import shutil
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from threading import current_thread, main_thread
from typing import TYPE_CHECKING, Any

from fewest.api.answer import StudyAnswer
from fewest.dashboards.console import err
from fewest.job import Manner, opened, say_to
from fewest.quiet import quiet_libraries
from fewest.search.answers.failures import NothingTrainedError, reasons_of_failure
from fewest.search.listener import SearchInterruptedError
from fewest.search.settings.config import IN_MEMORY, SettingsError, StudyConfig
from fewest.search.settings.files import checked, flattened
from fewest.signals import stoppable

if TYPE_CHECKING:
    from fewest.search.data.given import Given

__all__ = ["by_name", "interruptible", "searched"]


def searched(
    x: Any,
    y: Any,
    *,
    test: float | tuple[Any, Any],
    settings: Mapping[str, Any],
    storage: str | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: bool = False,
) -> StudyAnswer:
    """Search and verify on data in memory; errors as for `fewest.search`.

    Args:
        x: As for `fewest.search`.
        y: As for `fewest.search`.
        test: As for `fewest.search`.
        settings: Settings by dotted name, beside those that follow from the number of samples.
        storage: As for `fewest.search`.
        should_stop: Function called after every epoch; True ends the search there.
        progress: Whether to print anything.

    Returns:
        The answer; if the search was ended, what is known so far.
    """
    quiet_libraries()
    from fewest.search.data.given import given, n_given, taken

    x = taken(x)
    config = _config(settings, n_given(x))
    data = given(x, y, config, test)
    manner = Manner(quiet=not progress, silent=not progress, draws=storage is not None)
    if storage is not None:
        return _answered(config, data, storage, manner, should_stop)
    folder = mkdtemp(prefix="fewest-")
    try:
        answer = _answered(config, data, f"sqlite:///{Path(folder, 'fewest.db')}", manner, should_stop)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(answer, shutil.rmtree, folder, ignore_errors=True)
    return answer


def by_name(settings: Mapping[str, Any] | None, arguments: Mapping[str, str]) -> dict[str, Any]:
    """Return settings by dotted name.

    Args:
        settings: Settings by dotted name, or in tables as in a study file.
        arguments: Settings that the caller's function has an argument for, and those arguments.

    Raises:
        SettingsError: They are no mapping, or hold what an argument says.
    """
    if not isinstance(settings, Mapping | None):
        raise SettingsError(f"`settings` must be a mapping such as {{'space.max_depth': 1}}, got {settings!r}.")
    named = {name.strip(): value for name, value in flattened(settings or {})}
    for name in named:
        if name in arguments:
            raise SettingsError(f"`settings` must leave `{name}` to the argument `{arguments[name]}`.")
    return named


def _config(settings: Mapping[str, Any], n_rows: int) -> StudyConfig:
    """Check settings beside those that follow from the number of rows: of the sample, if the settings ask for one."""
    from fewest.search.data.own_data import settings_of

    config = checked(settings_of("search", IN_MEMORY, n_rows), list(settings.items()))
    rows = config.data.rows
    return config if rows is None or rows >= n_rows else _config(settings, rows)


def _answered(
    config: StudyConfig, data: "Given", url: str, manner: Manner, should_stop: Callable[[], bool]
) -> StudyAnswer:
    """Search, verify, and return the answer as far as it is known."""
    with opened(config, url, manner=manner, loaded=(data.data, data.sealed)) as job:
        try:
            job.work(should_stop)
        except SearchInterruptedError:
            known = "this is the answer so far" if job.study.history.ended else "no network is trained yet"
            say_to(job.console)(f"Interrupted: {known}.")
    answer = StudyAnswer(config.name, url, data)
    if reasons := reasons_of_failure(answer.known.trials, answer.known.verified):
        raise NothingTrainedError(config.name, reasons)
    return answer


@contextmanager
def interruptible(progress: bool) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether Ctrl-C was pressed; only a process's main thread may ask for signals."""
    if current_thread() is not main_thread():
        yield lambda: False
        return
    with stoppable(say_to(err()) if progress else lambda line: None) as should_stop:
        yield should_stop
