"""How large a request's body may be, which its head decides before any of the body is stored.

waitress stores a whole body in a file before the application sees its request. Without this, whoever has no password,
or a foreign page, could fill the disk.
"""

import copy
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment
    from waitress.server import BaseWSGIServer

__all__ = ["MOST_BYTES", "MOST_UPLOAD_BYTES", "take_uploads"]

MOST_BYTES: Final = 1 << 16
"""Most bytes of a body, unless uploads are taken."""

MOST_UPLOAD_BYTES: Final = 1 << 27
"""Optuna-dashboard's own limit, for the upload of an artifact."""


def take_uploads(server: "BaseWSGIServer", admits: "Callable[[WSGIEnvironment], bool]") -> None:
    """Let a server take bodies of `MOST_UPLOAD_BYTES` from requests that are admitted.

    Args:
        server: A server that has not run yet.
        admits: Function that judges a request by its method and headers, which its argument holds as WSGI names them.
    """
    larger = copy.copy(server.adj)
    larger.max_request_body_size = MOST_UPLOAD_BYTES
    parser = staticmethod(partial(_Parser, larger=larger, admits=admits))
    server.channel_class = type("Channel", (HTTPChannel,), {"parser_class": parser})


class _Parser(HTTPRequestParser):  # type: ignore[misc]  # waitress has no types.
    """Reads a request; with its head it knows how large the body may be."""

    def __init__(self, settings: Any, *, larger: Any, admits: "Callable[[WSGIEnvironment], bool]") -> None:
        super().__init__(settings)
        self._larger, self._admits = larger, admits

    def parse_header(self, head: bytes) -> None:
        """Parse the first line and the headers."""
        super().parse_header(head)
        given = {f"HTTP_{name}": value for name, value in self.headers.items()}
        if self._admits({"REQUEST_METHOD": self.command, **given}):
            self.adj = self._larger
