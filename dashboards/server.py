"""optuna-dashboard over a storage, for one person on one machine.

The dashboard has no login and its interface can delete studies, so what keeps others out is that only this
machine can reach it. A web page open in the same browser could still send it requests, or reach it under a
name of its own (DNS rebinding); `Guard` turns both away and lets no page frame it.
"""

import errno
import ipaddress
import re
import socket
import socketserver
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from fewest.dashboards.console import err
from fewest.dashboards.console import say as say_line
from fewest.storage.database.database import is_writable
from fewest.storage.errors import FewestError, MisuseError
from fewest.storage.trials.cohort_storage import optuna_storage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fewest.storage.database.optuna_private import ArtifactStore

__all__ = ["Guard", "ServerError", "make_app", "serve"]

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})
READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

HEADERS: Final = (
    ("X-Frame-Options", "DENY"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    # Beside the dashboard's own policy; a browser obeys both.
    ("Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"),
)
"""Added to every answer."""

_FOREIGN: Final = "A request that changes something must come from the dashboard's own pages."
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class ServerError(FewestError, OSError):
    """The dashboard cannot listen where it was told to."""


def serve(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    artifact_store: "ArtifactStore | None" = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Serve the dashboard until Ctrl-C.

    Args:
        url: The storage, which must exist.
        host: Address to listen at. Anything but this machine's own loopback opens the dashboard, without a
            login, to all who can reach that address, and is warned of.
        port: Port to listen at; 0 takes any that is free.
        artifact_store: Where trained networks are kept, for downloads.
        say: Takes the lines that tell where the dashboard is; stderr by default.

    Raises:
        MisuseError: The storage does not exist, its URL is wrong, or `host` is no address.
        StorageError: The storage cannot be opened.
        ServerError: The port is taken, or may not be used.
    """
    say = say or partial(say_line, err())
    app = make_app(url, host=host, artifact_store=artifact_store)
    with _listen(host, port) as server:
        server.set_app(app)
        shown = "127.0.0.1" if host in EVERYWHERE else f"[{host}]" if ":" in host else host
        if not _is_loopback(host):
            say(
                f"Warning: the dashboard has no login, and everyone who can reach {host or 'this machine'} "
                "can read and delete studies. Leave out `--host` to keep it to this machine."
            )
        if not is_writable(url):
            say("The storage can only be read by you: the dashboard shows it, and refuses changes.")
        say(f"Dashboard at http://{shown}:{server.server_port}/ (Ctrl-C ends it).")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            say("Dashboard ended.")


def make_app(url: str, *, host: str = "127.0.0.1", artifact_store: "ArtifactStore | None" = None) -> "WSGIApplication":
    """Return the guarded dashboard as a WSGI application, for a server of your own; see `serve`."""
    storage = optuna_storage(url, create=False)
    from optuna_dashboard import wsgi

    return Guard(wsgi(storage, artifact_store=artifact_store), host, read_only=storage.read_only)


class Guard:
    """WSGI middleware: refuses requests under foreign names or from foreign pages, and adds `HEADERS`.

    A request must name this machine in `Host`: a loopback name or the address listened at; a server that
    listens everywhere takes its machine's name and any literal address too, as only names can be rebound.
    A request that changes something must, where a browser says from which page it comes, come from the
    dashboard itself; none may where the storage can only be read.
    """

    def __init__(self, app: "WSGIApplication", host: str, *, read_only: bool = False) -> None:
        self._app, self._read_only = app, read_only
        self._names = LOOPBACK_NAMES | {host.lower()}
        self._everywhere = host in EVERYWHERE
        if self._everywhere:
            self._names |= {socket.gethostname().lower()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        refusal = self._refusal(environ)
        if refusal is not None:
            body = f"{refusal}\n".encode()
            start_response(
                "403 Forbidden",
                [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *HEADERS],
            )
            return [body]

        def start_guarded(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            return start_response(status, [*headers, *HEADERS], exc_info)

        return self._app(environ, start_guarded)

    def _refusal(self, environ: "WSGIEnvironment") -> str | None:
        """Return the reason to refuse a request, or None."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return "The Host header must name this machine. Open the dashboard at the address it printed."
        if environ["REQUEST_METHOD"] in READING_METHODS:
            return None
        if self._read_only:
            return "A change must reach the storage, which can only be read here. Start the dashboard as its owner."
        origin = environ.get("HTTP_ORIGIN")
        if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
            return _FOREIGN
        if environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("same-origin", "none"):
            return _FOREIGN
        return None

    def _is_ours(self, host: str) -> bool:
        found = _HOST.fullmatch(host)
        if found is None:
            return False
        name = found["name"].strip("[]").rstrip(".").lower()
        return name in self._names or (self._everywhere and _is_address(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return host in LOOPBACK_NAMES or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


class _Handler(WSGIRequestHandler):
    """Does not log requests: the terminal is for what matters."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name is http.server's
        pass


class _Server(socketserver.ThreadingMixIn, WSGIServer):
    """A thread a request, and no look-up of its own name, which can take long without a network."""

    daemon_threads = True

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])
        self.setup_environ()


class _Server6(_Server):
    address_family = socket.AF_INET6


def _listen(host: str, port: int) -> _Server:
    server = _Server6 if ":" in host else _Server
    try:
        return server((host, port), _Handler)
    except socket.gaierror as error:
        raise MisuseError(f"`--host` must be an address of this machine such as 127.0.0.1, got {host!r}.") from error
    except OverflowError as error:
        raise MisuseError(f"`--port` must be within 0 and 65535, got {port}.") from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ServerError(
                f"Port {port} of {host} must be free, but a program listens there already. "
                "Choose another with `--port`, or 0 for any."
            ) from error
        raise ServerError(
            f"The dashboard must be able to listen at {host}, port {port}, got: {error.strerror or error}. "
            "Choose another address or port with `--host` and `--port`."
        ) from error
