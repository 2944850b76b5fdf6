"""A worker: it trains for studies until none has work left, or waits for the next study.

It takes settings and data from each study itself. It passes over a study that it cannot work on, and says so in a line:
the study is not ours, its data are not on this machine, or it makes no progress.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from fewest.dashboards.console import err
from fewest.dashboards.found import all_studies, stored_study
from fewest.job import Manner, opened, say_to
from fewest.quiet import quiet_libraries
from fewest.search.settings.files import Override, command_on, overridden, storage_option
from fewest.search.settings.stored import our_study
from fewest.search.study.next_study import has_free_trials, next_study
from fewest.signals import stoppable
from fewest.storage.errors import FewestError, MisuseError, NotFoundError, StorageError
from fewest.storage.trials.records import StudyRecord

__all__ = ["help_studies", "help_until"]

PATIENCE_SECONDS = 60.0
"""Seconds that a worker waits in a study that other workers finish, before it looks at another such study."""


def help_studies(names: Sequence[str], url: str, *, wait: bool, manner: Manner, data_path: str | None = None) -> None:
    """Train and verify for studies in a storage, together with its other workers.

    Args:
        names: Names of the studies to work on; empty for all.
        url: URL of the storage.
        wait: Whether to wait for the next study when all are finished, instead of returning.
        manner: The command's way of working.
        data_path: Path on this machine of the data of the one study named; None takes the study's own path.

    Raises:
        MisuseError: There is no such study and `wait` is False, or `data_path` is given without exactly one name.
        StorageError: The storage fails.
        SearchInterruptedError: The user stopped the worker; its trials are free for others.
    """
    if data_path is not None and len(names) != 1:
        raise MisuseError(f"`--data` must go with one study, got {len(names)}. Name the study whose data they are.")
    if not wait:
        all_studies(url)
        for name in names:
            stored_study(name, url)
    say = say_to(err())
    with stoppable(say, "Stopped; nothing is lost.") as should_stop:
        say(help_until(should_stop, names, url, wait=wait, manner=manner, data_path=data_path))


def help_until(
    should_stop: Callable[[], bool],
    names: Sequence[str],
    url: str,
    *,
    wait: bool,
    manner: Manner,
    data_path: str | None = None,
) -> str:
    """Do the work of `help_studies` until `should_stop` returns True.

    Returns:
        A sentence about the work done.

    Raises:
        SearchInterruptedError: `should_stop` returned True; the worker's trials are free for others.
    """
    quiet_libraries()
    from fewest.search.listener import SearchInterruptedError

    worker = _Worker(names, url, wait, manner, say_to(err()), data_path)
    try:
        worker.work(should_stop)
    except SearchInterruptedError:
        raise SearchInterruptedError(f"Interrupted; nothing is lost. {worker.account()}") from None
    return f"No study has work left. {worker.account()}"


class NoProgressError(FewestError, RuntimeError):
    """A study looks unfinished, but a worker finds nothing to do in it."""


class _Worker:
    """One worker's way through the studies of a storage."""

    def __init__(
        self,
        names: Sequence[str],
        url: str,
        wait: bool,
        manner: Manner,
        say: Callable[[str], None],
        data_path: str | None,
    ) -> None:
        self._names, self._url, self._wait = names, url, wait
        self._data: list[Override] = [] if data_path is None else [("data.name", data_path)]
        self._manner, self._say = manner, say
        self._reachable: bool | None = None  # None: not known yet.
        self._passed_over: set[str] = set()
        self._trained: Counter[str] = Counter()

    def account(self) -> str:
        """Return a sentence about the work done."""
        if not self._trained:
            return "Trained no network."
        return f"Trained {', '.join(f'{n} networks of {name}' for name, n in self._trained.items())}."

    def work(self, should_stop: Callable[[], bool]) -> None:
        """Take up one study after another; when none is left, return or wait for the next."""
        from fewest.search.listener import SearchInterruptedError

        last: str | None = None
        while True:
            if should_stop():
                raise SearchInterruptedError("Interrupted.")
            if study := self._next(last):
                last = study.name
                self._help(study, should_stop)
            elif self._wait:
                self._manner.pace.sleep(self._manner.pace.idle_seconds)
            else:
                return

    def _next(self, last: str | None) -> StudyRecord | None:
        try:
            studies = all_studies(self._url)
        except NotFoundError:  # No storage yet.
            studies = []
        except StorageError as error:
            if not self._wait or self._reachable is None:
                raise
            if self._reachable:
                self._say(f"{error.in_shell()} This worker waits for it.")
            self._reachable = False
            return None
        self._reachable = True
        return next_study(studies, self._names, self._passed_over, last)

    def _help(self, study: StudyRecord, should_stop: Callable[[], bool]) -> None:
        """Work on one study until it is finished, or until only others work on it and another study has work."""
        from fewest.search.listener import LeftToOthersError, SearchInterruptedError

        try:
            config = overridden(our_study(study).config, self._data)
            with opened(config, self._url, manner=self._manner) as job:
                try:
                    job.work(should_stop, self._elsewhere(study.name))
                finally:
                    if job.study.n_told:
                        self._trained[study.name] += job.study.n_told
            self._require_progress(study)
        except LeftToOthersError:
            pass
        except (SearchInterruptedError, StorageError):
            raise
        except FewestError as error:
            self._say(f"Study '{study.name}' is passed over: {error.in_shell()}")
            self._passed_over.add(study.name)

    def _require_progress(self, before: StudyRecord) -> None:
        """Check that a pass to the end has finished the study, or that somebody has changed the study meanwhile.

        Raises:
            NoProgressError: Neither is so: the next pass would be the same as this one.
        """
        now = stored_study(before.name, self._url)
        if now == before and next_study([now]) is not None:
            raise NoProgressError(
                "Its work must end or move on, but nothing has changed. "
                f"`{command_on('resume', before.name, storage_option(self._url))}` says more."
            )

    def _elsewhere(self, name: str) -> Callable[[], bool]:
        """Return a function that says whether another study has work, so that waiting in this one is a waste."""
        since: float | None = None

        def elsewhere() -> bool:
            nonlocal since
            since = time.monotonic() if since is None else since
            try:
                studies = all_studies(self._url)
            except StorageError:  # A lasting failure shows in the present study's own work.
                return False
            other = next_study(studies, self._names, {*self._passed_over, name})
            waited = time.monotonic() - since >= PATIENCE_SECONDS
            return other is not None and (waited or has_free_trials(other))

        return elsewhere
