"""Answers are shared for a moment, by those who ask for the same, and only where that is wanted."""

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from fewest.dashboards.shared import LEAST_PACKED_BYTES, LEAST_SECONDS, MOST_ANSWERS, MOST_SHARE, Shared


class Counting:
    """An application that numbers its answers."""

    def __init__(self) -> None:
        self.n_asked = 0

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        self.n_asked += 1
        start_response("200 OK", [("X-Number", str(self.n_asked))])
        return [environ["PATH_INFO"].encode(), b" ", str(self.n_asked).encode()]


class Clock:
    """A clock that a test turns."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def behind() -> Counting:
    return Counting()


@pytest.fixture
def app(behind: Counting, clock: Clock) -> Shared:
    return Shared(behind, ("/api/",), clock)


def ask(
    app: Any, path: str = "/api/1", query: str = "", method: str = "GET", takes: str = ""
) -> tuple[str, list[Any], bytes]:
    begun: list[Any] = []
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method, "HTTP_ACCEPT_ENCODING": takes}
    body = b"".join(app(environ, lambda status, headers, exc_info=None: begun.extend([status, headers])))
    return begun[0], begun[1], body


def test_an_answer_is_shared_for_a_moment(app: Shared, clock: Clock) -> None:
    first = ask(app)
    clock.now = LEAST_SECONDS * 0.9
    assert ask(app) == first == ("200 OK", [("X-Number", "1")], b"/api/1 1")
    clock.now = LEAST_SECONDS
    assert ask(app)[2] == b"/api/1 2"


def test_a_costly_answer_is_shared_for_longer(clock: Clock) -> None:
    """So the answers to one question take no more than a share of a core, however many ask."""
    behind = Counting()

    def costly(environ: Any, start_response: Any) -> list[bytes]:
        clock.now += 0.1
        return behind(environ, start_response)

    app = Shared(costly, ("/api/",), clock)
    ask(app)
    clock.now = 0.1 / MOST_SHARE - 0.01
    ask(app)
    assert behind.n_asked == 1
    clock.now = 0.1 / MOST_SHARE
    ask(app)
    assert behind.n_asked == 2


@pytest.mark.parametrize(
    "other",
    [{"path": "/api/2"}, {"query": "after=3"}, {"path": "/static/1"}, {"method": "HEAD"}, {"method": "POST"}],
)
def test_another_question_has_its_own_answer(app: Shared, other: dict[str, str]) -> None:
    ask(app)
    assert ask(app, **other)[2].endswith(b" 2")


def test_headers_added_outside_are_not_shared(app: Shared) -> None:
    ask(app)[1].append(("X-Frame-Options", "DENY"))
    assert ask(app)[1] == [("X-Number", "1")]


def test_an_error_is_not_kept(clock: Clock) -> None:
    outcomes: Iterator[Any] = iter([ValueError("once"), [b"well"]])

    def failing_once(environ: Any, start_response: Any) -> list[bytes]:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        start_response("200 OK", [])
        return outcome

    app = Shared(failing_once, ("/api/",), clock)
    with pytest.raises(ValueError, match="once"):
        ask(app)
    assert ask(app)[2] == b"well"


def test_an_error_does_not_bring_back_the_answer_before_it(clock: Clock) -> None:
    """The one before may be hours old, and the storage be gone since."""
    n_asked = 0

    def failing_later(environ: Any, start_response: Any) -> list[bytes]:
        nonlocal n_asked
        n_asked += 1
        if n_asked > 1:
            raise ValueError("gone")
        start_response("200 OK", [])
        return [b"well"]

    app = Shared(failing_later, ("/api/",), clock)
    assert ask(app)[2] == b"well"
    clock.now = 3600.0
    for _ in range(2):
        with pytest.raises(ValueError, match="gone"):
            ask(app)


def packing(body: bytes, *headers: tuple[str, str]) -> Shared:
    """An application whose answer may be packed."""

    def answering(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", str(len(body))), *headers])
        return [body]

    return Shared(answering, ("/api/",))


LARGE = b"{}" * LEAST_PACKED_BYTES


@pytest.mark.parametrize("takes", ["gzip", "gzip, deflate, br", "br;q=1.0, GZIP;q=0.8", "gzip;q=0.001"])
def test_a_large_answer_is_packed_for_those_who_take_that(takes: str) -> None:
    app = packing(LARGE)
    _, headers, body = ask(app, takes=takes)
    assert gzip.decompress(body) == LARGE
    assert dict(headers) == {
        "Vary": "Accept-Encoding",
        "Content-Encoding": "gzip",
        "Content-Length": str(len(body)),
    }
    assert ask(app) == ("200 OK", [("Content-Length", str(len(LARGE))), ("Vary", "Accept-Encoding")], LARGE)


@pytest.mark.parametrize("takes", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, br", "notgzipped"])
def test_others_get_it_as_it_is(takes: str) -> None:
    assert ask(packing(LARGE), takes=takes)[2] == LARGE


@pytest.mark.parametrize(("body", "headers"), [(b"small", ()), (LARGE, [("content-encoding", "br")])])
def test_an_answer_that_is_small_or_packed_already_is_left_alone(body: bytes, headers: Any) -> None:
    found = ask(packing(body, *headers), takes="gzip")
    assert found == ("200 OK", [("Content-Length", str(len(body))), *headers], body)


def test_few_answers_are_kept(app: Shared, behind: Counting) -> None:
    for number in range(MOST_ANSWERS + 1):
        ask(app, f"/api/{number}")
    ask(app, f"/api/{MOST_ANSWERS}")
    assert behind.n_asked == MOST_ANSWERS + 1
    ask(app, "/api/0")
    assert behind.n_asked == MOST_ANSWERS + 2


def test_who_asks_meanwhile_waits_for_the_same_answer(clock: Clock) -> None:
    n_asked, answered = [], threading.Event()

    def slow(environ: Any, start_response: Any) -> list[bytes]:
        n_asked.append(1)
        answered.wait(60)
        start_response("200 OK", [])
        return [b"slow"]

    app = Shared(slow, ("/api/",), clock)
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(ask, app) for _ in range(4)]
        answered.set()
        assert [one.result()[2] for one in waiting] == [b"slow"] * 4
    assert len(n_asked) == 1
