"""Studies side by side: what the figure shows, what the terminal and the page say, and hostile names as text."""

import re
from collections.abc import Sequence
from dataclasses import replace

from plotly.offline import get_plotlyjs
from synthetic import START

from fewest.dashboards.comparison import comparison_info, plot_comparison
from fewest.dashboards.comparison_report import render_comparison
from fewest.dashboards.comparison_text import cell
from fewest.search.answers.answer import Answer, Finding, NoAnswer
from fewest.search.answers.comparison import ComparedAnswer, ComparedTarget, Comparison
from fewest.search.answers.difference import Difference
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.front import FrontPoint
from fewest.search.answers.unlike import SettingRow

HOSTILE = "</script><img src=x onerror=alert(2)>&"
FRONTS = ((FrontPoint(0, 0, 0.9), FrontPoint(3, 8, 0.95)), (FrontPoint(1, 4, 0.94), FrontPoint(2, 16, 0.97)))


def answer(
    study: str,
    neurons: int | None,
    unlike: Difference | None = None,
    *,
    new_samples: tuple[int, int | None] | None = None,
    depth: int | None = None,
) -> ComparedAnswer:
    finding: Finding = NoAnswer("not reached", 32, 33)
    if neurons is not None:
        finding = Answer(neurons, (neurons,), (neurons, neurons), 0.95, 20, new_samples)
    against = None if unlike is None else dict.fromkeys(SHARES, unlike)
    return ComparedAnswer(study, depth, dict.fromkeys(SHARES, finding), against)


def compared(first: str = "relu", second: str = "tanh", remarks: Sequence[str] = ()) -> Comparison:
    answers = (
        answer(first, 14, new_samples=(13, 16)),
        answer(second, 12, Difference(-2, -2, 99), new_samples=(11, None)),
        answer(first, 14, new_samples=(13, 16), depth=1),
    )
    return Comparison(
        studies=(first, second),
        settings=(SettingRow("activation", ("relu", second)),),
        remarks=tuple(remarks),
        fronts=FRONTS,
        targets=(ComparedTarget(0.95, (first,), answers),),
    )


def test_the_figure_shows_every_front_as_far_as_the_largest_network() -> None:
    info = comparison_info(compared())
    [(first, front, steps), (second, _, _)] = info.fronts
    assert (first, second, front, info.targets) == ("relu", "tanh", FRONTS[0], (0.95,))
    assert steps == ((0, 0.9), (8, 0.9), (8, 0.95), (16, 0.95))


def test_fronts_differ_in_colour_and_mark_and_the_title_says_the_answer() -> None:
    drawing = plot_comparison(compared())
    marks = [trace.marker for trace in drawing.data if trace.mode == "markers"]
    assert len({(mark.color, mark.symbol) for mark in marks}) == 2
    assert "needs 2 neurons fewer than" in drawing.layout.title.text


def test_studies_without_trials_are_drawn_as_nothing() -> None:
    drawing = plot_comparison(replace(compared(), fronts=((), ())))
    assert [note.text for note in drawing.layout.annotations] == ["No trial has ended yet."]


def test_a_cell_has_a_difference_only_where_it_is_more_than_chance() -> None:
    assert cell(answer("b", 12, Difference(-2, -1, 95)), "typical") == "12 (12-12), 1-2 fewer"
    assert cell(answer("b", None, Difference(20, None, 99)), "typical") == (
        "not reached up to 32 neurons, at least 20 more"
    )
    assert cell(answer("b", 12, Difference(-2, 1, None)), "typical") == "12 (12-12)"
    assert cell(answer("a", 12), "typical") == "12 (12-12)"


def test_the_page_says_it_and_fetches_nothing() -> None:
    page = render_comparison(compared(remarks=["Mind the split."]), START).replace(get_plotlyjs(), "")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert "needs 2 neurons fewer than" in text
    assert "12 (12-12), 2 fewer" in text
    assert "Mind the split." in text
    assert "activation" in text
    assert re.findall(r"(?:src|href)=|@import", page) == []


def test_new_samples_have_a_row_under_each_answer_over_all_depths() -> None:
    page = render_comparison(compared())
    _, *rows = page[page.index("<h2>The answers") : page.index("<h2>The fronts")].split("<tr")
    cells = [re.findall("<td>(.*?)</td>", row)[:4] for row in rows[1:]]
    assert cells == [
        ["95\N{NO-BREAK SPACE}%", "any", "relu", "14 (14-14)"],
        ["", "", "for new samples", "13-16"],
        ["", "any", "tanh", "12 (12-12), 2 fewer"],
        ["", "", "for new samples", "11 or more"],
        ["", "1", "relu", "14 (14-14)"],
    ]


def test_without_bits_of_test_samples_there_is_no_such_row() -> None:
    """Studies of older versions have none."""
    [target] = compared().targets
    bare = replace(compared(), targets=(replace(target, answers=(answer("relu", 14), answer("tanh", None))),))
    assert "for new samples" not in render_comparison(bare).replace(get_plotlyjs(), "")


def test_hostile_names_are_text() -> None:
    page = render_comparison(compared(second=HOSTILE)).replace(get_plotlyjs(), "")
    assert "<img" not in page
    assert page.count("</script>") == page.count("<script")
