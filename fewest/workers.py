"""A worker: helps with studies until none has work left, or waits for the next.

It takes settings and data from each study itself. What it cannot help with, it says in a line and passes over: a study
that is not ours, one whose data is not on this machine, one in which nothing moves.
"""

import shlex
import time
from collections import Counter
from collections.abc import Callable, Sequence

from fewest.dashboards.console import err
from fewest.quiet import quiet_libraries
from fewest.read_commands import all_studies, stored_study
from fewest.search.settings.files import Override, overridden
from fewest.search.settings.stored import our_study
from fewest.search.study.next_study import has_free_trials, next_study
from fewest.signals import stoppable
from fewest.storage.errors import FewestError, MisuseError, NotFoundError, StorageError
from fewest.storage.trials.records import StudyRecord
from fewest.train_commands import Manner, opened, say_to

__all__ = ["help_studies", "help_until"]

PATIENCE_SECONDS = 60.0
"""How long a worker waits in a study of which others have the rest before it looks at another such."""


def help_studies(names: Sequence[str], url: str, *, wait: bool, manner: Manner, data_path: str | None = None) -> None:
    """Trains and verifies for studies in a storage, together with whoever else does.

    Args:
        names: Which; none are all.
        url: The storage.
        wait: When all are finished, wait for the next instead of returning.
        manner: How to work.
        data_path: Where the data of the one study named are on this machine; None where the study says.

    Raises:
        MisuseError: There is no such study, or `data_path` goes with more or fewer than one; a worker that waits also
            waits for studies to be made.
        StorageError: The storage fails.
        SearchInterruptedError: The user stopped it; what it was at is free for others.
    """
    if data_path is not None and len(names) != 1:
        raise MisuseError(f"`--data` must go with one study, got {len(names)}. Name the study whose data they are.")
    if not wait:
        all_studies(url)
        for name in names:
            stored_study(name, url)
    say = say_to(err())
    with stoppable(say) as should_stop:
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
    """`help_studies` for whoever has another way to stop it.

    Returns:
        What it did.

    Raises:
        SearchInterruptedError: `should_stop` said so; what it was at is free for others.
    """
    quiet_libraries()
    from fewest.search.listener import SearchInterruptedError

    worker = _Worker(names, url, wait, manner, say_to(err()), data_path)
    try:
        worker.work(should_stop)
    except (SearchInterruptedError, KeyboardInterrupt):
        raise SearchInterruptedError(f"Interrupted; nothing is lost. {worker.account()}") from None
    return f"No study has work left. {worker.account()}"


class NoProgressError(FewestError, RuntimeError):
    """A study looks unfinished, and there is nothing that a worker can do about it."""


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
            self._say(f"Study '{study.name}' is passed over: {error}")
            self._passed_over.add(study.name)

    def _require_progress(self, before: StudyRecord) -> None:
        """Make sure that a pass which came to its end has ended the study, or that somebody has changed it meanwhile.

        Raises:
            NoProgressError: The next pass would be like this one.
        """
        now = stored_study(before.name, self._url)
        if now == before and next_study([now]) is not None:
            raise NoProgressError(
                "Its work must end or move on, but nothing has changed. "
                f"`fewest resume {shlex.quote(before.name)}` says more."
            )

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
