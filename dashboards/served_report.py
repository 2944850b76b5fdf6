"""Reports over HTTP: `/report/NAME` is the report of study NAME, made when it is asked for."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final
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


class Reports:
    """WSGI middleware: answers `/report/NAME`, and passes every other request on.

    A name is looked up in the storage and never becomes part of a file's path.

    Args:
        app: The application for all other requests.
        render: Function that makes the report of the study with this name, as HTML; its errors pass.
    """

    def __init__(self, app: "WSGIApplication", render: Callable[[str], str]) -> None:
        self._app, self._render = app, render

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
        html = self._render(name).encode()
        start_response(
            "200 OK",
            [
                ("Content-Type", "text/html; charset=utf-8"),
                ("Content-Length", str(len(html))),
                ("Cache-Control", "no-store"),
            ],
        )
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [html]
