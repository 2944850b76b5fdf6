"""What is shown while a search runs, on each kind of terminal."""

import io

import pytest
from rich.console import Console

from fewest.progress import following
from fewest.search.forecast import Forecast
from fewest.search.listener import Progress
from fewest.search.settings.config import StudyConfig
from fewest.search.training.cost import Cost
from fewest.time_left import with_time_left

STANDING = Progress("search", 70, 500, 16, 4, 15, 40, 1, [(0, 0.921)], seconds_left=130.0)


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


@pytest.mark.parametrize(("terminal", "is_terminal"), [("dumb", True), ("xterm", True), ("xterm", False)])
def test_the_time_left_is_shown_on_every_kind_of_terminal(terminal, is_terminal, monkeypatch):
    monkeypatch.setenv("TERM", terminal)
    text = io.StringIO()
    with following(Console(file=text, force_terminal=is_terminal, width=80), quiet=False) as show:
        show(STANDING)
    assert "about 2 min left" in text.getvalue()


def test_the_time_left_comes_with_each_epoch():
    settings = {"name": "a", "data": {"name": "digits"}, "budget": {"trials": 8, "targets": [0.9]}}
    forecast = Forecast(StudyConfig.of(settings), Cost(1.0, 1.0, 1.0, 1.0), 8)
    seen: list[Progress] = []
    ticks = iter([100.0, 101.0])
    with_time_left(seen.append, forecast, lambda: next(ticks))(STANDING)
    assert seen[0].seconds_left not in (None, 130.0)
    assert seen[0]._replace(seconds_left=130.0) == STANDING
