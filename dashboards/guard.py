"""The guard before the dashboard: it decides which requests reach it, and with which headers its answers leave.

A web page open in the same browser could send the dashboard requests, or reach it under a name of its own (DNS
rebinding). `Guard` turns both away, lets no page frame it, and refuses changes where the dashboard is read-only.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from fewest.dashboards.plain_errors import answer_in_a_line

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["EVERYWHERE", "HEADERS", "Guard", "is_loopback"]

LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})
READING_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
"""All that the dashboard's pages need to show a study; every other request changes one."""

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

SANDBOX: Final = ("Content-Security-Policy", "sandbox")
"""Added to artifacts: any program may have kept one, and a page among them must not act as the dashboard's own."""

_FOREIGN: Final = "A request that changes something must come from the dashboard's own pages."
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?")


class Guard:
    """WSGI middleware: refuses requests under foreign names or from foreign pages, and adds `HEADERS`.

    A request must name this machine in `Host`: a loopback name or the address listened at; a server that
    listens everywhere takes its machine's name and any literal address too, as only names can be rebound.
    A request that changes something must, where a browser says from which page it comes, come from the
    dashboard itself. No other origin may read an answer.

    Args:
        app: The application behind the guard.
        host: The address listened at.
        read_only: A sentence that says why every change is refused and what to do; None lets changes pass.
        behind: Function that says whether the application itself admits a request; None where it admits all.
    """

    def __init__(
        self,
        app: "WSGIApplication",
        host: str,
        *,
        read_only: str | None = None,
        behind: "Callable[[WSGIEnvironment], bool] | None" = None,
    ) -> None:
        self._app, self._read_only, self._behind = app, read_only, behind
        self._names = LOOPBACK_NAMES | {host.lower()}
        self._everywhere = host in EVERYWHERE
        if self._everywhere:
            self._names |= {socket.gethostname().lower()}

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        added = [*HEADERS, SANDBOX] if environ["PATH_INFO"].startswith("/artifacts/") else [*HEADERS]

        def start_guarded(
            status: str, headers: list[tuple[str, str]], exc_info: Any = None, /
        ) -> Callable[[bytes], object]:
            kept = [one for one in headers if one[0].lower() != "access-control-allow-origin"]
            return start_response(status, [*kept, *added], exc_info)

        refusal = self._refusal(environ)
        if refusal is not None:
            return answer_in_a_line(start_guarded, "403 Forbidden", refusal)
        return self._app(environ, start_guarded)

    def admits(self, environ: "WSGIEnvironment") -> bool:
        """Say whether a request may pass, here and behind."""
        return self._refusal(environ) is None and (self._behind is None or self._behind(environ))

    def _refusal(self, environ: "WSGIEnvironment") -> str | None:
        """Return the reason to refuse a request, or None."""
        host = environ.get("HTTP_HOST", "")
        if not self._is_ours(host):
            return "The Host header must name this machine. Open the dashboard at the address it printed."
        if environ["REQUEST_METHOD"] in READING_METHODS:
            return None
        if self._read_only is not None:
            return self._read_only
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


def is_loopback(host: str) -> bool:
    """Say whether only this machine reaches an address."""
    return host in LOOPBACK_NAMES or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
