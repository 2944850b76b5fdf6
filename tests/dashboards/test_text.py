"""The answer in a terminal: targets as asked, what guessing reaches, and which accuracy is meant."""

from dataclasses import replace

import pytest
from synthetic import make_answer, make_study

from fewest.dashboards.console import out
from fewest.dashboards.text import answer_text, print_answer
from fewest.search.answers.summary import Summary


def printed(capsys: pytest.CaptureFixture[str], *statements: str, **changes: object) -> str:
    answer = replace(make_answer(make_study(20)[0], verified=bool(statements)), **changes)
    print_answer(out(), answer, statements)
    return capsys.readouterr().out


def first_asked(answer: Summary) -> Summary:
    first, *others = answer.targets
    return replace(answer, targets=(replace(first, asked="best - 0.01"), *others))


def test_a_study_of_an_older_version_has_no_column_of_guessing(capsys: pytest.CaptureFixture[str]) -> None:
    assert "guessing" not in printed(capsys) + printed(capsys, "said")


@pytest.mark.parametrize("statements", [(), ("said",)])
def test_guessing_stands_beside_every_target(statements: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, *statements, guessing={"accuracy": 0.934, "balanced_accuracy": 0.5})
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in shown.splitlines()]
    assert ["0.9", "0.934"] in rows and ["0.95", "0.934"] in rows
    assert ("Guessing the largest class already reaches 93.4 %." in shown) == (not statements)


def test_a_relative_target_is_shown_with_its_value_or_said_to_have_none(capsys: pytest.CaptureFixture[str]) -> None:
    targets = first_asked(make_answer(make_study(20)[0], verified=True)).targets
    shown = printed(capsys, "said", targets=targets, unvalued=("best",))
    assert "0.9 (best - 0.01)" in shown
    assert "Without a value yet: best. " in shown


def test_titles_say_that_an_accuracy_is_balanced(capsys: pytest.CaptureFixture[str]) -> None:
    shown = printed(capsys, metric="balanced_accuracy") + printed(capsys, "said", metric="balanced_accuracy")
    shown = " ".join(shown.split())  # A title is as narrow as its table.
    assert "by the balanced validation accuracy of single networks" in shown
    assert "by balanced test accuracy (95 % interval on this test set)" in shown
    assert shown.count("Pareto front by balanced validation accuracy") == 2


def test_in_a_notebook_the_answer_as_text_is_returned_and_not_displayed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    text = answer_text(make_answer(make_study(20)[0], verified=True), ["said"])
    assert text.startswith("Fewest hidden neurons") and text.endswith("\nsaid.")
    assert capsys.readouterr().out == ""
