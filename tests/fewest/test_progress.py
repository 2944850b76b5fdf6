"""What is shown while a search runs, on each kind of terminal."""

import io

import pytest
from rich.console import Console

from fewest.progress import following
from fewest.search.listener import Progress

STANDING = Progress("search", 70, 500, 16, 4, 15, 40, 1, [(0, 0.921)])


def shown(monkeypatch: pytest.MonkeyPatch, terminal: str, *, is_terminal: bool) -> str:
    """What is written by the time the search is half through."""
    monkeypatch.setenv("TERM", terminal)
    text = io.StringIO()
    with following(Console(file=text, force_terminal=is_terminal), quiet=False) as show:
        show(STANDING)
        return text.getvalue()


@pytest.mark.parametrize(("terminal", "is_terminal"), [("dumb", True), ("unknown", True), ("xterm", False)])
def test_a_terminal_that_cannot_redraw_gets_lines_at_once(terminal, is_terminal, monkeypatch):
    assert shown(monkeypatch, terminal, is_terminal=is_terminal).startswith("search: 70 of 500 networks")


def test_a_terminal_gets_a_bar(monkeypatch):
    assert "\x1b[" in shown(monkeypatch, "xterm", is_terminal=True)
