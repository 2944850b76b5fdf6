"""Reports over HTTP: `/report/NAME` is the report of study NAME, made when it is asked for."""

import time
from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

from fewest.dashboards.plain_errors import answer_in_a_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["Reports", "report_path"]

_PREFIX: Final = "/report/"


def report_path(name: str) -> str:
    """Return the path under which a study's report is served.

    >>> report_path("my study/2")
    '/report/my%20study%2F2'
    """
    return _PREFIX + quote(name, safe="")


class _Made(NamedTuple):
    """A report, and when its making began, in seconds of a monotonic clock."""

    began: float
    html: bytes


class Reports:
    """WSGI middleware: answers `/report/NAME`, and passes every other request on.

    A name is looked up in the storage and never becomes part of a file's path. Reports are made one at a time. Requests
    that wait for the same report share the next one, which is made after they came.

    Args:
        app: The application for all other requests.
        render: Function that makes the report of the study with this name, as HTML; its errors pass.
    """

    def __init__(self, app: "WSGIApplication", render: Callable[[str], str]) -> None:
        self._app, self._render = app, render
        self._lock = Lock()
        self._made: dict[str, _Made] = {}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        path = environ["PATH_INFO"]
        if not path.startswith(_PREFIX):
            return self._app(environ, start_response)
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            line = "A report can only be read."
            return answer_in_a_line(start_response, "405 Method Not Allowed", line, [("Allow", "GET, HEAD")])
        # WSGI carries a path's bytes as Latin-1.
        name = path[len(_PREFIX) :].encode("latin-1").decode("utf-8", "replace")
        html = self._report(name, time.monotonic())
        start_response(
            "200 OK",
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(html))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [html]

    def _report(self, name: str, asked: float) -> bytes:
        """Return a study's report, made since `asked`; only the last one is kept, as each has megabytes."""
        with self._lock:
            made = self._made.get(name)
            if made is None or made.began < asked:
                began = time.monotonic()
                made = _Made(began, self._render(name).encode())
                self._made = {name: made}
            return made.html
