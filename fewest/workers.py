"""A worker: helps with studies until none has work left, or waits for the next.

It takes settings and data from each study itself. What it cannot help with, a study that is not ours or whose data is
not on this machine, it says in a line and passes over.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence

from fewest.dashboards.console import err
from fewest.jobs import Manner, opened, say_to
from fewest.quiet import quiet_libraries
from fewest.reading import all_studies, stored_study
from fewest.search.settings.files import stored_config
from fewest.search.study.next_study import has_free_trials, next_study
from fewest.stopping import stoppable
from fewest.storage.errors import FewestError, NotFoundError, StorageError
from fewest.storage.trials.records import StudyRecord

__all__ = ["help_studies", "help_until"]

PATIENCE_SECONDS = 60.0
"""How long a worker waits in a study of which others have the rest before it looks at another such."""


def help_studies(names: Sequence[str], url: str, *, wait: bool, manner: Manner) -> None:
    """Trains and verifies for studies in a storage, together with whoever else does.

    Args:
        names: Which; none are all.
        url: The storage.
        wait: When all are finished, wait for the next instead of returning.
        manner: How to work.

    Raises:
        MisuseError: There is no such study; a worker that waits also waits for studies to be made.
        StorageError: The storage fails.
        SearchInterruptedError: The user stopped it; what it was at is free for others.
    """
    if not wait:
        all_studies(url)
        for name in names:
            stored_study(name, url)
    say = say_to(err())
    with stoppable(say) as should_stop:
        say(help_until(should_stop, names, url, wait=wait, manner=manner))


def help_until(should_stop: Callable[[], bool], names: Sequence[str], url: str, *, wait: bool, manner: Manner) -> str:
    """`help_studies` for whoever has another way to stop it.

    Returns:
        What it did.

    Raises:
        SearchInterruptedError: `should_stop` said so; what it was at is free for others.
    """
    quiet_libraries()
    from fewest.search.listener import SearchInterruptedError

    worker = _Worker(names, url, wait, manner, say_to(err()))
    try:
        worker.work(should_stop)
    except (SearchInterruptedError, KeyboardInterrupt):
        raise SearchInterruptedError(f"Interrupted; nothing is lost. {worker.account()}") from None
    return f"No study has work left. {worker.account()}"


class _Worker:
    """One worker's way through the studies of a storage."""

    def __init__(
        self,
        names: Sequence[str],
        url: str,
        wait: bool,
        manner: Manner,
        say: Callable[[str], None],
    ) -> None:
        self._names, self._url, self._wait = names, url, wait
        self._manner, self._say = manner, say
        self._reachable: bool | None = None  # None: not known yet.
        self._passed_over: set[str] = set()
        self._trained: Counter[str] = Counter()

    def account(self) -> str:
        """What it did, in a sentence."""
        if not self._trained:
            return "Trained no network."
        return f"Trained {', '.join(f'{n} networks of {name}' for name, n in self._trained.items())}."

    def work(self, should_stop: Callable[[], bool]) -> None:
        """Takes up one study after another; returns when there is none, unless it is to wait."""
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
                self._say(f"{error} This worker waits for it.")
            self._reachable = False
            return None
        self._reachable = True
        return next_study(studies, self._names, self._passed_over, last)

    def _help(self, study: StudyRecord, should_stop: Callable[[], bool]) -> None:
        """Works on one study until it is finished, or only others' work is left of it and there is some elsewhere."""
        from fewest.search.listener import LeftToOthersError, SearchInterruptedError

        try:
            config = stored_config(study.name, study.attributes)
            with opened(config, self._url, manner=self._manner) as job:
                try:
                    job.work(should_stop, self._elsewhere(study.name))
                finally:
                    if job.study.n_told:
                        self._trained[study.name] += job.study.n_told
        except LeftToOthersError:
            pass
        except (SearchInterruptedError, StorageError):
            raise
        except FewestError as error:
            self._say(f"Study '{study.name}' is passed over: {error}")
            self._passed_over.add(study.name)

    def _elsewhere(self, name: str) -> Callable[[], bool]:
        """Says whether there is something better to do than to wait in a study."""
        since: float | None = None

        def elsewhere() -> bool:
            nonlocal since
            since = time.monotonic() if since is None else since
            try:
                studies = all_studies(self._url)
            except StorageError:  # If it lasts, the study at hand will say so.
                return False
            other = next_study(studies, self._names, {*self._passed_over, name})
            waited = time.monotonic() - since >= PATIENCE_SECONDS
            return other is not None and (waited or has_free_trials(other))

        return elsewhere
