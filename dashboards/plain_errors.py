"""Errors over HTTP: one line of plain text, and no traceback on the terminal for what a user can mend."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optuna.artifacts.exceptions import ArtifactNotFound

from fewest.dashboards.console import one_line
from fewest.storage.errors import FewestError, MisuseError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PlainErrors", "answer_in_a_line"]

_NO_FILE_NAME = (
    "The name of this study has a line break in it, so no file can be named after it. "
    "`optuna trials --format json` lists its trials."
)
_GONE = "This file is not kept any more. `fewest export` trains its network again."


class PlainErrors:
    """WSGI middleware: turns our errors and those of missing files into answers of one line.

    Args:
        app: The application, which lets its errors pass.
    """

    def __init__(self, app: "WSGIApplication") -> None:
        self._app = app

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        try:
            return self._app(environ, start_response)
        except ArtifactNotFound:
            return answer_in_a_line(start_response, "404 Not Found", _GONE)
        except MisuseError as error:
            return answer_in_a_line(start_response, "404 Not Found", error.in_shell())
        except FewestError as error:
            return answer_in_a_line(start_response, "503 Service Unavailable", error.in_shell())
        except ValueError as error:
            # Optuna-dashboard names the file after the study, and Bottle refuses a line break in a header.
            if not (environ["PATH_INFO"].startswith("/csv/") and "control character" in str(error)):
                raise
            return answer_in_a_line(start_response, "501 Not Implemented", _NO_FILE_NAME)


def answer_in_a_line(
    start_response: "StartResponse", status: str, line: str, headers: Iterable[tuple[str, str]] = ()
) -> list[bytes]:
    """Answer a request with one line of plain text.

    Args:
        start_response: WSGI's function that takes status and headers.
        status: Status code and its phrase.
        line: The text; control characters in it are shown as escapes.
        headers: Further headers.
    """
    body = f"{one_line(line)}\n".encode()
    kind, length = ("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))
    start_response(status, [kind, length, *headers])
    return [body]
