"""The report: it holds the facts, says of which set, fetches nothing, and shows hostile text as text."""

import html
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from plotly.offline import get_plotlyjs
from synthetic import START, make_answer, make_study, make_verified

from fewest.dashboards.colours import DARK
from fewest.dashboards.report import ReportData, ReportError, draw_figures, render_report, write_report
from fewest.dashboards.style import finding_of
from fewest.search.answers.answer import Answer, NoAnswer
from fewest.search.settings.files import load

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>'\"&"


def data(*overrides: str, verified: bool = False, **changes: Any) -> ReportData:
    trials, curves = make_study(70)
    config = load("mnist", ["seed=3", "budget.targets=[0.9, 0.95, 0.99]", *overrides])
    report = ReportData(
        answer=make_answer(trials, verified=verified),
        config=config,
        trials=trials,
        curves=curves,
        verified=make_verified() if verified else (),
        environment={"Python": "3.11.2"},
        samples={"training": 51_000, "validation": 9_000, "test": 10_000},
        generated=START,
    )
    return replace(report, **changes)


def with_first_target(report: ReportData, **changes: Any) -> ReportData:
    """The report with other answers to its lowest target, over all depths, or with other answers by depth."""
    first, *others = report.answer.targets
    by_depth = changes.pop("by_depth", first.by_depth)
    first = replace(first, overall={**first.overall, **changes}, by_depth=by_depth)
    return replace(report, answer=replace(report.answer, targets=(first, *others)))


def rendered(report: ReportData) -> str:
    """The report without Plotly's own code, its no-break spaces plain."""
    return render_report(report).replace(get_plotlyjs(), "").replace("\xa0", " ")


def prose(text: str) -> str:
    """What a reader reads, but for the figures."""
    without_code = re.sub(r"<(script|style)\b.*?</\1>", " ", text, flags=re.DOTALL)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", without_code))


def test_before_verification_every_size_says_so() -> None:
    text = prose(rendered(data()))
    assert "accuracy of 90 %, 95 % and 99 % on mnist, with its 10 classes?" in text
    assert "95 % validation accuracy" in text
    assert "99 % validation accuracy not reached" in text
    assert text.count("not yet verified") > 3
    assert "typically" not in text


def test_after_verification_the_answer_is_of_the_test_set() -> None:
    text = prose(rendered(data(verified=True)))
    assert "95 % test accuracy 13 neurons typically (12 to 14 on this test set), one layer of 13" in text
    assert "14 to be safe (12 to 14): at least 90 % of seeds reach it" in text
    assert "12 with luck" in text
    assert "99 % test accuracy not reached up to 32 neurons typically to be safe: not reached" in text
    assert "2 hidden layers 13 (12 to 14)" in text
    assert "95.10 % ± 0.20" in text
    assert "not yet verified" not in text


def test_an_answer_that_needs_more_seeds_says_so() -> None:
    report = with_first_target(data(verified=True), reliable=NoAnswer("needs more seeds", 16, 14))
    text = prose(rendered(report))
    assert "to be safe: needs more seeds (at least 14 neurons)" in text
    assert "13 neurons typically" in text


@pytest.mark.parametrize(("shares_split", "n_named"), [(False, 1), (True, 0)])
def test_it_says_how_many_samples_verified_networks_trained_on(shares_split: bool, n_named: int) -> None:
    report = data(verified=True)
    text = prose(rendered(replace(report, answer=replace(report.answer, shares_split=shares_split))))
    assert text.count("Training samples in verification 60,000") == n_named


def test_both_intervals_are_named_with_what_they_hold_for() -> None:
    report = with_first_target(data(verified=True), typical=Answer(13, (13,), (12, 14), 0.95, 20, (11, None)))
    report = replace(report, answer=replace(report.answer, shares_split=True))
    text = prose(rendered(report))
    assert "13 neurons typically (12 to 14 on this test set and split, 11 or more for new samples), one layer" in text


def test_what_is_reached_with_luck_alone_is_not_the_headline() -> None:
    report = with_first_target(data(verified=True), typical=NoAnswer("needs more seeds", None, 0))
    assert re.search(r"test accuracy needs more seeds typically .* 12 with luck", prose(rendered(report)))


def test_where_softmax_alone_is_enough_it_says_what_one_hidden_layer_takes() -> None:
    report = data(verified=True)
    one_layer = {1: report.answer.targets[0].overall}
    softmax = Answer(0, (), (0, 0), 0.926, 20)
    text = prose(rendered(with_first_target(report, typical=softmax, by_depth=one_layer)))
    assert "0 neurons typically (0 to 0 on this test set), softmax alone" in text
    assert "with one hidden layer 13 typically (12 to 14)" in text


def test_while_a_deeper_network_could_beat_the_answer_it_says_so() -> None:
    report = data(verified=True)
    assert "could still beat it" not in prose(rendered(report))
    first, *others = report.answer.targets
    open_ = replace(report.answer, targets=(replace(first, could_beat=(2, 3)), *others))
    assert prose(rendered(replace(report, answer=open_))).count("A deeper network could still beat it.") == 1


def test_it_says_whether_validation_and_test_agree() -> None:
    report = data(verified=True)
    assert "The two agree." in rendered(report)
    lower = [network._replace(test_accuracy=network.test_accuracy - 0.02) for network in report.verified]
    assert "disagree by more than chance" in rendered(replace(report, verified=lower))


def test_where_every_verified_network_failed_there_is_nothing_to_compare() -> None:
    report = data(verified=True)
    failed = [network._replace(test_accuracy=0.0, validation_accuracy=math.nan) for network in report.verified]
    text = prose(rendered(replace(report, verified=failed)))
    assert "Verified on the test set" in text and "The two" not in text


def test_the_front_is_listed_with_its_trials() -> None:
    report = data()
    text = rendered(report)
    for member in report.answer.front:
        assert f'<td class="number">{100 * member.validation_accuracy:.2f} %</td>' in text


def test_it_tells_how_the_study_was_run_and_how_to_repeat_it() -> None:
    text = prose(rendered(data()))
    assert "training.epochs 15" in text and "training.patience none" in text
    assert "Python 3.11.2" in text and "Validation samples 9,000" in text
    assert "fewest run mnist --set seed=3 --set" in text
    assert re.search(r"Of \d+ trials that ended, \d+ were pruned, half of them within [\d.]+ of 15 epochs", text)


def test_accuracy_is_never_said_without_its_set() -> None:
    """But for the question itself, headings and settings, which speak of no measurement."""
    for verified in (False, True):
        text = prose(rendered(data(verified=verified)))
        for general in ("to reach an accuracy of", "Accuracy by depth", "data.metric accuracy"):
            text = text.replace(general, "")
        bare = re.findall(r"(?<!validation )(?<!Validation )(?<!test )(?<!Test )accuracy\w*", text)
        assert bare == []


def test_a_balanced_accuracy_is_never_said_to_be_another() -> None:
    for verified in (False, True):
        report = data(verified=verified)
        report = replace(report, answer=replace(report.answer, metric="balanced_accuracy"))
        drawn = rendered(report).partition("</head>")[2]
        assert "balanced test accuracy" in drawn and "reach a balanced accuracy of 90 %" in prose(drawn)
        assert re.findall(r"(?<!alanced )(?:validation|test) accuracy", drawn) == []


def test_a_target_stands_beside_what_guessing_reaches_and_what_was_asked() -> None:
    report = data("budget.targets=[0.9, 'best - 0.01', 'best']", verified=True)
    asked, *others = report.answer.targets
    answer = replace(
        report.answer,
        targets=(replace(asked, asked="best - 0.01"), *others),
        unvalued=("best",),
        guessing={"accuracy": 0.925, "balanced_accuracy": 0.5},
    )
    text = prose(rendered(replace(report, answer=answer)))
    assert "an accuracy of 90 %, best - 0.01 and best on mnist" in text
    assert "asked for: best - 0.01 Guessing the largest class already reaches 92.5 %. typically" in text
    assert text.count("guessing one class reaches 92.50 %") == len(others)
    assert "Without a value yet: best." in text


def test_every_figure_says_its_finding_as_text_and_brings_its_data() -> None:
    report = data(verified=True)
    text = rendered(report)
    findings = [finding_of(figure).replace("\xa0", " ") for figure in draw_figures(report).values()]
    captions = re.findall(r"<figcaption><strong>(.*?)\.</strong>", text)
    assert [html.unescape(caption) for caption in captions] == findings
    drawings = re.findall(r'<script type="application/json">(.*?)</script>', text)
    assert len(drawings) == len(findings) == 11
    assert all({"data", "layout"} <= json.loads(drawing).keys() for drawing in drawings)
    assert f"const dark = {json.dumps(DARK)}" in text


def test_before_verification_its_figures_are_left_out() -> None:
    assert rendered(data()).count("<figcaption>") == 9


def test_nothing_is_fetched() -> None:
    text = rendered(data(verified=True))
    assert f'content="{POLICY}"' in text
    assert not re.search(r"<(script|img|iframe|link)[^>]*\b(src|href)\b", text)
    assert not re.search(r"https?://", text)
    assert "@import" not in text and "url(" not in text
    assert render_report(data()).count(get_plotlyjs()) == 1


def test_hostile_names_are_shown_as_text() -> None:
    report = data()
    hostile = replace(
        report,
        answer=replace(report.answer, study=HOSTILE, dataset=HOSTILE),
        config=load("mnist", ["name='study'", f"data.name={json.dumps(HOSTILE)}"]),
        trials=[replace(trial, reason=HOSTILE) for trial in report.trials],
        environment={HOSTILE: HOSTILE},
    )
    text = rendered(hostile)
    assert "<script>alert" not in text and "<img" not in text
    assert "&lt;script&gt;alert(1)" in text
    assert text.count("</script>") == text.count("<script")


def test_a_study_without_trials_has_a_report() -> None:
    answer = make_answer([], verified=False)
    text = prose(rendered(data(trials=[], curves={}, answer=answer)))
    assert "No trial is complete yet." in text


def test_a_shipped_study_is_repeated_by_its_name() -> None:
    assert '<pre tabindex="0">fewest run mnist</pre>' in rendered(data(config=load("mnist")))


def test_a_report_replaces_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")
    write_report(path, data())
    assert "<h1>How many neurons?</h1>" in path.read_text("utf-8")
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize("name", ["missing/report.html", "folder", "a" * 300])
def test_a_report_that_cannot_be_written_is_one_line(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReportError, match=r"Name another with `path`\.$") as caught:
        write_report(tmp_path / name, data())
    assert caught.value.in_shell().endswith("Name another with `--output`.")
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 1
    assert [file.name for file in tmp_path.iterdir()] == ["folder"]
