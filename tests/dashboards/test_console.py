"""What the terminal shows of users' text, and how wide."""

import io

import pytest
from rich.table import Table

from fewest.dashboards.console import err, out, say, show

ODD = ["runs[a]/x.db", "[red]loud[/red]", "a [/] b", ":smile: [bold", "$HOME 'quoted' 12:30 [link=x]y"]

CONTROLS = {
    "a\x1b[31mb": r"a\x1b[31mb",
    "bell\x07": r"bell\x07",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\udcff": r"\udcff",
}


def shown(capsys: pytest.CaptureFixture[str], *cells: str) -> str:
    """What stdout gets of a table with these cells, also in its title."""
    table = Table(title=cells[0])
    table.add_column(cells[0])
    for cell in cells:
        table.add_row(cell)
    show(out(), table)
    return capsys.readouterr().out


@pytest.mark.parametrize("text", ODD)
def test_text_is_no_markup_in_lines_titles_headings_and_cells(text, capsys):
    say(out(), text)
    assert capsys.readouterr().out == f"{text}\n"
    assert shown(capsys, text).count(text) == 3


@pytest.mark.parametrize(("text", "escaped"), CONTROLS.items(), ids=CONTROLS.values())
def test_control_characters_are_escapes(text, escaped, capsys):
    say(err(), text)
    assert capsys.readouterr().err == f"{escaped}\n"
    printed = shown(capsys, text)
    assert printed.count(escaped) == 3
    assert text not in printed


def test_a_line_stays_one(capsys):
    say(out(), "one\ntwo " * 50)
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("columns", ["0", "1", "7", "20", "abc", "-5", ""])
def test_nothing_is_lost_however_narrow_the_terminal_claims_to_be(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", columns)
    cells = ["a rather long name of a study", "x" * 150]
    printed = shown(capsys, *cells)
    assert all(f"│ {cell} " in printed for cell in cells)


def test_a_terminal_without_unicode_gets_escapes_and_straight_tables(monkeypatch):
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr("sys.stdout", ascii_only)
    table = Table("é")
    table.add_row("12345")
    show(out(), table)
    ascii_only.seek(0)
    lines = ascii_only.read().splitlines()
    assert r"| \xe9  |" in lines
    assert len({len(line) for line in lines}) == 1
