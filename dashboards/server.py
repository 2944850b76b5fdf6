"""optuna-dashboard and the studies' reports over a storage, on a production server, safe to leave running.

It is read-only unless asked otherwise, and only this machine reaches it unless it has a password. A request passes
waitress, which bounds its size, then `Guard`, `Login` where there is a password, `PlainErrors`, `Shared` and `Reports`.
"""

import errno
import logging
import os
import socket
import threading
import warnings
import webbrowser
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import waitress

from fewest.dashboards.console import err
from fewest.dashboards.console import say as say_line
from fewest.dashboards.found import all_studies
from fewest.dashboards.guard import EVERYWHERE, Guard, is_loopback
from fewest.dashboards.login import PASSWORD_VARIABLE, Login
from fewest.dashboards.plain_errors import PlainErrors
from fewest.dashboards.served_report import Reports
from fewest.dashboards.shared import Shared
from fewest.dashboards.uploads import MOST_BYTES, take_uploads
from fewest.search.settings.files import storage_option
from fewest.storage.database.database import is_writable
from fewest.storage.errors import FewestError, MisuseError
from fewest.storage.trials.cohort_storage import CohortStorage, optuna_storage

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment
    from waitress.server import BaseWSGIServer

    from fewest.storage.database.optuna_private import ArtifactStore

__all__ = ["ServerError", "listening_at", "make_app", "make_server", "serve"]

THREADS: Final = 8
CONNECTIONS: Final = 1_000
"""Most open connections: browsers keep theirs open between requests."""

MOST_HEADER_BYTES: Final = 16_384

READ_ONLY: Final = "This dashboard is read-only. `fewest dashboard --edit` lets its pages change studies."
NO_RIGHTS: Final = "A change must reach the storage, which can only be read here. Start the dashboard as its owner."


class ServerError(FewestError, OSError):
    """The dashboard cannot listen where it was told to."""


def serve(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    artifact_store: "ArtifactStore | None" = None,
    edit: bool = False,
    password: str | None = None,
    open_browser: bool = False,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C.

    Args:
        url: The storage, which must exist.
        host: Address to listen at. Anything but this machine's own loopback needs a password.
        port: Port to listen at; 0 takes any that is free.
        artifact_store: Where trained networks are kept, for downloads.
        edit: Whether the dashboard's pages may change studies.
        password: Password to ask for; None asks for none.
        open_browser: Whether to open the dashboard in a browser.
        say: Takes the lines that tell where the dashboard is; stderr by default.

    Raises:
        MisuseError: The storage does not exist, its URL is wrong, `host` is no address, or needs a password.
        StorageError: The storage cannot be opened.
        ServerError: The port is taken, or may not be used.
    """
    say = say or partial(say_line, err())
    _require_password(host, password)
    app = make_app(url, host=host, artifact_store=artifact_store, edit=edit, password=password)
    _hush(say)
    with listening_at(host, port) as listening:
        server = make_server(app, listening, admits=app.admits if edit else None)
        shown = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listening.getsockname()[1]}/"
        for line in _lines(url, host, edit=edit, locked=password is not None):
            say(line)
        say(f"Dashboard at {address} ({'pages may change studies' if edit else 'read-only'}; Ctrl-C ends it).")
        if open_browser:
            threading.Thread(target=_open, args=(address, say), daemon=True).start()
        server.run()  # Until Ctrl-C, which it takes for the end.
        server.close()
        say("Dashboard ended.")


def make_app(
    url: str,
    *,
    host: str = "127.0.0.1",
    artifact_store: "ArtifactStore | None" = None,
    edit: bool = False,
    password: str | None = None,
) -> Guard:
    """Return the guarded dashboard as a WSGI application, for a server of your own; see `serve`."""
    storage = optuna_storage(url, create=False) if edit else CohortStorage(url, read_only=True)
    from optuna_dashboard import wsgi

    pages = wsgi(storage, artifact_store=artifact_store)
    pages.catchall = False  # Else Bottle prints a traceback for a file that is not kept any more.
    # Whoever changes a study must see the change at once.
    shared = ("/report/",) if edit else ("/api/", "/report/")
    app: WSGIApplication = PlainErrors(Shared(Reports(pages, partial(_rendered, url)), shared))
    read_only = READ_ONLY if not edit else NO_RIGHTS if storage.read_only else None
    if password is None:
        return Guard(app, host, read_only=read_only)
    login = Login(app, password)
    return Guard(login, host, read_only=read_only, behind=login.admits)


def make_server(
    app: "WSGIApplication", listening: socket.socket, *, admits: "Callable[[WSGIEnvironment], bool] | None" = None
) -> "BaseWSGIServer":
    """Create the server for a listening socket; its `run` serves until Ctrl-C.

    Args:
        app: The application.
        listening: A socket that listens, of IPv4 or IPv6.
        admits: Function that says of which requests the body may be as large as an upload; None takes no uploads.
    """
    server = waitress.create_server(
        app,
        sockets=[listening],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,  # `select` ends at 1,024 files.
        max_request_header_size=MOST_HEADER_BYTES,
        max_request_body_size=MOST_BYTES,
        ident=None,
    )
    if admits is not None:
        take_uploads(server, admits)
    return server


def listening_at(host: str, port: int) -> socket.socket:
    """Listen at an address.

    Raises:
        MisuseError: `host` is no address of this machine, or `port` is out of range.
        ServerError: The port is taken, or may not be used.
    """
    if not 0 <= port <= 65_535:
        raise MisuseError(f"`--port` must be within 0 and 65535, got {port}.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.getaddrinfo(host, port, family)  # `create_server` would not tell a wrong name from a wrong address.
        return socket.create_server((host, port), family=family, backlog=CONNECTIONS)
    except socket.gaierror as error:
        raise MisuseError(f"`--host` must be an address of this machine such as 127.0.0.1, got {host!r}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"Port {port} of {host} must be free, but a program listens there already. "
                "Choose another with `--port`, or 0 for any."
            ) from error
        raise ServerError(
            f"The dashboard must be able to listen at {host}, port {port}, got: {os.strerror(error.errno or 0)}. "
            "Choose another address or port with `--host` and `--port`."
        ) from error


def _rendered(url: str, name: str) -> str:
    """Make a study's report; drawing is imported when the first one is asked for."""
    from fewest.dashboards.report import render_report
    from fewest.dashboards.report_of_study import report_of

    return render_report(report_of(name, url))


def _require_password(host: str, password: str | None) -> None:
    if password is None and not is_loopback(host):
        raise MisuseError(
            f"A dashboard that other machines can reach must have a password, and `--host {host}` came without one. "
            f"Set {PASSWORD_VARIABLE}, or name a file with `--password-file`; or leave out `--host`."
        )


def _lines(url: str, host: str, *, edit: bool, locked: bool) -> list[str]:
    """Return what to say of a dashboard before its address."""
    lines = []
    if not is_loopback(host):
        may, where = "change" if edit else "see", host or "this machine"
        lines.append(
            f"Warning: all who can reach {where} and know the password can {may} the studies. "
            "The connection is not encrypted: use it in a network you trust, or behind a proxy with TLS."
        )
    elif edit and not locked:
        lines.append(
            "Warning: every user of this machine can change the studies here, because there is no password. "
            f"Set {PASSWORD_VARIABLE}, or name a file with `--password-file`."
        )
    if edit and not is_writable(url):
        lines.append("The storage can only be read by you: the dashboard shows it, and refuses changes.")
    if not all_studies(url):
        command = f"fewest run STUDY{storage_option(url)}"
        lines.append(f"The storage has no study yet. Start one with `{command}`; it appears here.")
    return lines


def _open(address: str, say: Callable[[str], None]) -> None:
    if not webbrowser.open(address):
        say(f"No browser could be opened here. Open {address} in one.")


class _OneLine(logging.Handler):
    """Passes what a library logs on as one line, without its traceback."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.ERROR)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say the first line of a record."""
        self._say(record.getMessage().partition("\n")[0])


def _hush(say: Callable[[str], None]) -> None:
    """Let libraries say errors in one line each, and nothing else."""
    warnings.simplefilter("ignore")
    for name in ("optuna", "optuna_dashboard", "waitress"):
        logger = logging.getLogger(name)
        logger.handlers = [_OneLine(say)]
        logger.propagate = False
