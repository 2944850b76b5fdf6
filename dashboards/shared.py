"""Answers shared between those who ask for the same at the same time: many readers cost a study little.

Open pages ask for what is new every few seconds. Two hundred of them would take a tenth of a core from the study that
they watch; one answer a second does for all. An answer that takes long to make is shared for longer. It is also packed
once for all: megabytes of a large study, with its figures, become a tenth.
"""

import gzip
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Lock
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Shared", "seconds_shared"]

LEAST_SECONDS: Final = 1.0
MOST_SECONDS: Final = 10.0
"""Longest time for which an answer is shared; optuna-dashboard itself asks for a large study every ten seconds."""

MOST_SHARE: Final = 0.01
"""Most of a core's time that the answers to one question take, up to `MOST_SECONDS`."""

MOST_ANSWERS: Final = 16
"""Answers kept; a large study's has megabytes."""


LEAST_PACKED_BYTES: Final = 4_096
"""A smaller answer is not packed."""

_TAKES_GZIP = re.compile(r"\bgzip\b(?!\s*;\s*q=0(?![.\d]*[1-9]))")


class _Answer(NamedTuple):
    status: str
    headers: list[tuple[str, str]]
    body: bytes


class _Answers(NamedTuple):
    """An answer as it is, and packed for those who take that; twice the same if it is not packed."""

    plain: _Answer
    packed: _Answer


@dataclass
class _Place:
    """The answer to one question, and until when it is shared, in seconds of the clock."""

    lock: Lock = field(default_factory=Lock)
    until: float = float("-inf")
    answers: _Answers | None = None


def seconds_shared(took: float) -> float:
    """Return how long an answer is shared, from the seconds that its making took.

    >>> seconds_shared(0.002), seconds_shared(0.05), seconds_shared(3.0)
    (1.0, 5.0, 10.0)
    """
    return min(MOST_SECONDS, max(LEAST_SECONDS, took / MOST_SHARE))


class Shared:
    """WSGI middleware: a GET soon after another for the same gets the same answer; see `seconds_shared`.

    Args:
        app: The application.
        prefixes: Beginnings of the paths whose answers are shared; all others pass.
        clock: A monotonic clock, in seconds.
    """

    def __init__(
        self, app: "WSGIApplication", prefixes: tuple[str, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._app, self._prefixes, self._clock = app, prefixes, clock
        self._lock = Lock()
        self._places: OrderedDict[tuple[str, str], _Place] = OrderedDict()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if environ["REQUEST_METHOD"] != "GET" or not path.startswith(self._prefixes):
            return self._app(environ, start_response)
        place = self._place((path, environ.get("QUERY_STRING", "")))
        with place.lock:
            answers, began = place.answers, self._clock()
            if answers is None or began >= place.until:
                place.answers = None  # It stays so where an error ends it.
                answers = place.answers = _with_packed(_asked(self._app, environ))
                place.until = began + seconds_shared(self._clock() - began)
        takes_gzip = _TAKES_GZIP.search(environ.get("HTTP_ACCEPT_ENCODING", "").lower())
        answer = answers.packed if takes_gzip else answers.plain
        start_response(answer.status, list(answer.headers))
        return [answer.body]

    def _place(self, question: tuple[str, str]) -> _Place:
        """Return the place of a question's answer; the one that was asked for longest ago makes room for it."""
        with self._lock:
            place = self._places.setdefault(question, _Place())
            self._places.move_to_end(question)
            if len(self._places) > MOST_ANSWERS:
                self._places.popitem(last=False)
            return place


def _with_packed(answer: _Answer) -> _Answers:
    names = {name.lower() for name, _ in answer.headers}
    if len(answer.body) < LEAST_PACKED_BYTES or "content-encoding" in names:
        return _Answers(answer, answer)
    body = gzip.compress(answer.body, compresslevel=1, mtime=0)
    plain = [*answer.headers, ("Vary", "Accept-Encoding")]
    kept = [(name, value) for name, value in plain if name.lower() != "content-length"]
    headers = [*kept, ("Content-Encoding", "gzip"), ("Content-Length", str(len(body)))]
    return _Answers(answer._replace(headers=plain), _Answer(answer.status, headers, body))


def _asked(app: "WSGIApplication", environ: "WSGIEnvironment") -> _Answer:
    """Ask the application and read its whole answer; its errors pass."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None, /) -> Callable[[bytes], None]:
        begun.append((status, headers))
        return written.append

    written: list[bytes] = []  # By applications that use the function that `start_response` returns.
    body = app(environ, start_response)
    try:
        content = b"".join([*written, *body])
    finally:
        if hasattr(body, "close"):
            body.close()
    return _Answer(*begun[-1], content)
