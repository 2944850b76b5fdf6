"""A dashboard that serves on this machine while a test asks it."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from waitress import wasyncore

from fewest.dashboards.server import listening_at, make_app, make_server

__all__ = ["Answer", "ask", "serving", "serving_app"]


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@contextmanager
def serving(url: str, **options: Any) -> Iterator[int]:
    """Serve the dashboard over a storage from another thread; yields the port. `options` go to `make_app`."""
    app = make_app(url, **options)
    with serving_app(app, admits=app.admits if options.get("edit") else None) as port:
        yield port


@contextmanager
def serving_app(app: Any, *, admits: Any = None) -> Iterator[int]:
    """Serve any WSGI application from another thread; yields the port."""
    with listening_at("127.0.0.1", 0) as listening:
        server = make_server(app, listening, admits=admits)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            # Within the server's own loop, which ends when it has no connection left.
            server.trigger.pull_trigger(lambda: wasyncore.close_all(server._map, ignore_all=True))
            thread.join()
            server.task_dispatcher.shutdown()


def ask(
    port: int, path: str = "/api/studies", method: str = "GET", body: bytes | None = None, **headers: str
) -> Answer:
    """Send one request, its path as it is; a header is named as an argument, `_` for `-`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body, named)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())
    finally:
        connection.close()
