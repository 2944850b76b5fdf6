"""What figures say: each title is a sentence made from its values, and the answer's intervals are what it found."""

import json
import re

import plotly.graph_objects as go
import pytest
from synthetic import make_answer, make_study, make_verified, trial

from fewest.dashboards.colours import DARK, in_the_dark
from fewest.dashboards.curves import curves_info
from fewest.dashboards.depth import depth_info
from fewest.dashboards.front import MAX_DOTS, front_info, plot_front
from fewest.dashboards.intervals import Range, intervals_info, plot_intervals
from fewest.dashboards.pruning import MAX_BARS, plot_pruning, pruning_info
from fewest.dashboards.report import ReportData, draw_figures
from fewest.dashboards.seeds import MAX_SEEDS, plot_seeds, seeds_info
from fewest.dashboards.style import finding_of, in_metric
from fewest.search.answers.answer import Answer, Finding, NoAnswer, TargetAnswer
from fewest.search.settings.files import load
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork

UNREACHED = NoAnswer("not reached", 32, 33)
OPEN = NoAnswer("needs more seeds", 32, 30)


def found(neurons: int, low: int, high: int) -> Answer:
    return Answer(neurons, (neurons,) if neurons else (), (low, high), 0.951, 20)


def answers(possible: Finding, typical: Finding, reliable: Finding, **changes: object) -> TargetAnswer:
    overall = {"possible": possible, "typical": typical, "reliable": reliable}
    return TargetAnswer(**{"accuracy": 0.95, "overall": overall, "by_depth": {}, **changes})


def finding(*targets: TargetAnswer) -> str:
    return intervals_info(targets).finding.replace("\xa0", " ")


def drawn(n_trials: int, *, verified: bool = True) -> dict[str, go.Figure]:
    trials, curves = make_study(n_trials)
    networks = make_verified() if verified else []
    answer = make_answer(trials, verified=verified)
    return draw_figures(ReportData(answer, load("mnist"), trials, curves, networks))


# The answer's intervals


def test_intervals_are_those_of_the_answer() -> None:
    info = intervals_info([answers(found(12, 11, 12), found(13, 12, 14), OPEN)])
    assert info.targets[0].ranges == (
        Range("possible", 12, 11, 12, "12 (11-12)"),
        Range("typical", 13, 12, 14, "13 (12-14)"),
        Range("reliable", None, 30, None, "needs more seeds (at least 30 neurons)"),
    )


def test_where_softmax_alone_is_enough_the_intervals_are_of_one_layer() -> None:
    softmax, one_layer = answers(*[found(0, 0, 0)] * 3), answers(found(5, 4, 5), found(5, 5, 6), found(6, 6, 6))
    target = answers(*softmax.overall.values(), by_depth={1: one_layer.overall})
    (shown,) = intervals_info([target]).targets
    assert shown.one_layer and [one.neurons for one in shown.ranges] == [5, 5, 6]
    assert finding(target) == (
        "Softmax alone reaches 95 % test accuracy; 5 neurons in one hidden layer do, too; one more makes it safe"
    )


@pytest.mark.parametrize(
    ("typical", "reliable", "sentence"),
    [
        (found(13, 12, 14), found(14, 13, 15), "13 neurons reach 95 % test accuracy; one more makes it safe"),
        (found(13, 12, 14), found(16, 13, 17), "13 neurons reach 95 % test accuracy; 3 more make it safe"),
        (found(13, 12, 14), found(13, 13, 15), "13 neurons reach 95 % test accuracy with nine seeds in ten"),
        (
            found(1, 1, 2),
            UNREACHED,
            "1 neuron reaches 95 % test accuracy; to be safe: not reached up to 32 neurons",
        ),
        (UNREACHED, UNREACHED, "95 % test accuracy: not reached up to 32 neurons"),
        (found(0, 0, 0), found(0, 0, 0), "Softmax alone reaches 95 % test accuracy with nine seeds in ten"),
    ],
)
def test_the_answer_is_said_in_a_sentence(typical: Finding, reliable: Finding, sentence: str) -> None:
    assert finding(answers(found(0, 0, 1), typical, reliable)) == sentence


def test_the_highest_target_with_an_answer_is_said() -> None:
    ninety = answers(*[found(6, 5, 6)] * 3, accuracy=0.9)
    ninety_nine = answers(*[UNREACHED] * 3, accuracy=0.99)
    assert finding(ninety_nine, answers(*[found(13, 13, 13)] * 3), ninety).startswith("13 neurons reach 95 %")


# Findings of the other figures


def test_the_front_says_what_reached_the_highest_target() -> None:
    trials = [trial(0, widths=(), validation_accuracy=0.92), trial(1, widths=(8,), validation_accuracy=0.95)]
    said = [front_info(trials, {}, targets).finding.replace("\xa0", " ") for targets in ((0.9, 0.95, 0.99), (0.9,))]
    assert said == [
        "8 neurons reached a validation accuracy of 95 %; no network reached 99 %",
        "Softmax alone reached a validation accuracy of 90 %",
    ]
    unreached = front_info(trials, {}, (0.99,)).finding
    assert unreached == "No network reached a validation accuracy of 99\xa0%"


def test_depths_say_what_each_took() -> None:
    trials = [
        trial(0, widths=(13,), validation_accuracy=0.95),
        trial(1, widths=(12, 8), validation_accuracy=0.96),
        trial(2, widths=(4, 4, 4), validation_accuracy=0.9),
    ]
    said = [depth_info(trials, [], targets).finding.replace("\xa0", " ") for targets in ((0.9, 0.95), (0.99,))]
    assert said == [
        "A validation accuracy of 95 % took 13 neurons in 1 layer and 20 in 2",
        "No depth reached a validation accuracy of 99 %",
    ]


def test_seeds_say_how_far_they_move_accuracy() -> None:
    """Eleven seeds a step of 0.1 points apart: their middle 80 % span 0.8; the other spans 1.6, the median 1.2."""
    networks = [
        VerifiedNetwork(widths, seed, 0.9 + step * seed, 0.9, 15, 0.4)
        for widths, step in (((8,), 0.001), ((9,), 0.002))
        for seed in range(11)
    ]
    assert seeds_info(networks, ()).finding == (
        "From seed to seed, test accuracy differs by 1.2 points, in the median of 2 architectures"
    )
    assert seeds_info(networks[:1], ()).finding == "1 network verified, no architecture from two seeds"


def test_curves_say_how_many_made_it() -> None:
    trials = [trial(0), trial(1, validation_accuracy=0.8), trial(2, "pruned"), trial(3, "pruned")]
    curves = {1000 + number: [CurvePoint(0, 1.0, 0.5, 1.0, 0.5)] for number in range(4)}
    assert curves_info(trials, curves, ()).finding == "1 of 4 networks make up the front; 2 were pruned"


def test_pruning_says_what_it_saved() -> None:
    """22 of 15 + 8 + 22 epochs."""
    trials = [trial(0), trial(1, "pruned", epochs=3), trial(2, "pruned", epochs=5)]
    said = pruning_info(trials, 15).finding.replace("\xa0", " ")
    assert said == "Pruning saved 49 % of the search's epochs; half of the cuts came within 4 of 15"
    assert pruning_info(trials[:1], 15).finding == "Nothing was pruned: 1 network trained 15 epochs"


# All of them


@pytest.mark.parametrize("verified", [False, True])
def test_every_title_is_a_sentence_made_from_values(verified: bool) -> None:
    """It has words and a number or a name, no full stop, and another study's says something else."""
    figures, others = drawn(400, verified=verified), drawn(60, verified=verified)
    unverified = set() if verified else {"intervals", "seeds"}
    for name in figures.keys() - unverified:
        said = finding_of(figures[name])
        assert len(said.split()) >= 5 and re.match(r"[A-Z0-9]", said) and not said.endswith("."), said
        assert re.search(r"\d", said), said
    changing = figures.keys() - unverified - {"intervals", "seeds", "depth", "front"}
    assert all(finding_of(figures[name]) != finding_of(others[name]) for name in changing)


def test_every_figure_says_what_is_drawn_and_names_its_axes() -> None:
    for name, figure in drawn(400).items():
        assert len(figure.layout.title.subtitle.text.split()) > 4
        titles = [axis.title.text for axis in (figure.layout.xaxis, figure.layout.yaxis)]
        named = {"spending": 1, "importance": 1, "timeline": 1}.get(name, 2)  # Their rows are named themselves.
        assert len(list(filter(None, titles))) == named, name


def test_where_accuracies_are_balanced_every_title_says_so() -> None:
    for figure in drawn(400).values():
        balanced = in_metric(figure, "balanced_accuracy")
        said = f"{finding_of(balanced)} {balanced.layout.title.subtitle.text}".replace("<br>", " ")
        bare = re.findall(r"(?<!balanced )(?<!balanced validation )(?<!balanced test )accuracy", said.lower())
        assert bare == [], said


def test_in_the_dark_no_light_paper_is_left() -> None:
    figures = drawn(60)
    for figure in figures.values():
        before, after = figure.to_json(), in_the_dark(figure).to_json()
        assert after != before
        assert not [light for light in DARK if json.dumps(light) in after]


def test_what_is_drawn_is_thinned_and_what_is_counted_is_not() -> None:
    n = 4 * MAX_DOTS
    trials = [trial(0), *(trial(number, "pruned", epochs=3) for number in range(1, n + 1))]
    curves = {1000 + number: [CurvePoint(0, 1.0, 0.5, 1.0, 0.5)] for number in range(n + 1)}
    pruned = plot_front(trials, curves, ()).data[0]
    assert (len(pruned.x), pruned.name) == (MAX_DOTS, "pruned, at the best it showed (1,000 of 4,000 drawn)")
    assert len(plot_pruning(trials, 15).data[1].x) == MAX_BARS
    assert pruning_info(trials, 15).epochs_saved == 12 * n
    networks = [VerifiedNetwork((8,), seed, 0.9, 0.9, 15, 0.4) for seed in range(2 * MAX_SEEDS)]
    seeds, medians = plot_seeds(networks, ()).data
    assert len(seeds.x) == MAX_SEEDS and "2,000 seeds" in medians.text[0]


def test_nothing_verified_is_said() -> None:
    assert "yet" in plot_intervals([]).layout.annotations[0].text
