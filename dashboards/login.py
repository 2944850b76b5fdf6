"""The dashboard's password: where it comes from, and HTTP basic authentication with it."""

import base64
import binascii
import hmac
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fewest.dashboards.plain_errors import answer_in_a_line
from fewest.search.settings.config import shown
from fewest.storage.errors import MisuseError

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["PASSWORD_VARIABLE", "Login", "given_password"]

PASSWORD_VARIABLE: Final = "FEWEST_DASHBOARD_PASSWORD"

FEWEST_CHARACTERS: Final = 8
"""A shorter password is guessed in an evening: nothing slows a guesser down."""

_CHALLENGE: Final = ("WWW-Authenticate", 'Basic realm="fewest dashboard", charset="UTF-8"')


class Login:
    """WSGI middleware: asks for a password by HTTP basic authentication; any user name will do.

    Args:
        app: The application behind the login.
        password: The password, which is compared in constant time.
    """

    def __init__(self, app: "WSGIApplication", password: str) -> None:
        self._app, self._password = app, password.encode()

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        if self.admits(environ):
            return self._app(environ, start_response)
        line = "The dashboard asks for its password; any user name will do."
        return answer_in_a_line(start_response, "401 Unauthorized", line, [_CHALLENGE])

    def admits(self, environ: "WSGIEnvironment") -> bool:
        """Say whether a request carries the password."""
        return hmac.compare_digest(_password_in(environ.get("HTTP_AUTHORIZATION", "")), self._password)


def given_password(file: str | None, say: Callable[[str], None]) -> str | None:
    """Return the password from a file or, without one, from the environment; None if neither names one.

    Args:
        file: Path of a text file; its last line feed is not part of the password.
        say: Takes a warning where others can read the file. It is not refused: secrets of containers lie in such files.

    Raises:
        MisuseError: The file cannot be read, or the password is too short.
    """
    if file is not None:
        password, source = _content(file), f"in {shown(file)}"
        if os.name == "posix" and Path(file).stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            say(f"Warning: other users can read the password in {shown(file)}. `chmod 600` keeps it to you.")
    elif (named := os.environ.get(PASSWORD_VARIABLE)) is not None:
        password, source = named, f"in {PASSWORD_VARIABLE}"
    else:
        return None
    if len(password) < FEWEST_CHARACTERS:
        raise MisuseError(
            f"The dashboard's password {source} must have at least {FEWEST_CHARACTERS} characters, "
            f"got {len(password)}. Choose a longer one."
        )
    return password


def _content(file: str) -> str:
    try:
        return Path(file).read_text("utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no UTF-8 text"
        raise MisuseError(
            f"`--password-file` must name a text file that can be read, got {shown(file)}: {reason}."
        ) from error


def _password_in(authorization: str) -> bytes:
    """Return the password that a request's header carries; empty if it carries none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(encoded.strip(), validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b""
