"""Figures, asserted on what they show (`*_info`) rather than on how it is drawn."""

import itertools
import math
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import MAX_EPOCHS, make_study, make_verified, trial

from fewest.dashboards.curves import MAX_BACKGROUND_CURVES, curves_info, plot_curves
from fewest.dashboards.depth import depth_info, plot_depth
from fewest.dashboards.front import front_info, plot_front
from fewest.dashboards.pruning import plot_pruning, pruning_info
from fewest.dashboards.seeds import agreement, plot_seeds, seeds_info
from fewest.dashboards.style import AccuracyAxis, hover_network, size_axis, size_position
from fewest.search.answers.front import FrontPoint
from fewest.storage.trials.records import CurvePoint, VerifiedNetwork

TARGETS = (0.9, 0.95)


def points(*accuracies: float) -> list[CurvePoint]:
    return [CurvePoint(epoch, 1.0, 0.5, 1.0, accuracy) for epoch, accuracy in enumerate(accuracies)]


def verified(widths: tuple[int, ...], *scores: float) -> list[VerifiedNetwork]:
    return [VerifiedNetwork(widths, seed, score, score, 15, 0.4) for seed, score in enumerate(scores)]


# The front


def test_the_front_shows_every_trial_whose_accuracy_is_known() -> None:
    trials = [
        trial(2, widths=(8,), validation_accuracy=0.95),
        trial(0, widths=(), validation_accuracy=0.92),
        trial(1, "pruned", widths=(4,)),
        trial(3, "pruned", widths=(5,)),
        trial(4, "fail"),
        trial(5, "running"),
        trial(6, validation_accuracy=math.nan),
    ]
    info = front_info(trials, {1001: points(0.5, 0.7, 0.6)}, TARGETS)
    assert [(dot.trial, dot.size, dot.accuracy, dot.pruned, dot.on_front) for dot in info.dots] == [
        (0, 0, 0.92, False, True),
        (1, 4, 0.7, True, False),
        (2, 8, 0.95, False, True),
    ]


def test_the_front_tells_the_fewest_for_each_target() -> None:
    trials = [
        trial(0, widths=(), validation_accuracy=0.92),
        trial(1, widths=(8,), validation_accuracy=0.95),
        trial(2, widths=(9,), validation_accuracy=0.94),
    ]
    info = front_info(trials, {}, (0.99, 0.95, 0.9))
    assert info.targets == ((0.9, 0), (0.95, 8), (0.99, None))
    assert info.front == (FrontPoint(0, 0, 0.92), FrontPoint(1, 8, 0.95))
    assert info.steps == ((0, 0.92), (8, 0.92), (8, 0.95), (9, 0.95))


def test_target_labels_say_what_reaches_them() -> None:
    figure = plot_front([trial(0, widths=(), validation_accuracy=0.92)], {}, (0.9, 0.95))
    labels = [annotation.text.replace("\xa0", " ") for annotation in figure.layout.annotations]
    assert labels == ["90 %: softmax alone", "95 %: not reached"]


# Learning curves


def test_curves_are_sorted_into_pruned_complete_and_front() -> None:
    trials = [
        trial(0, validation_accuracy=0.9),
        trial(1, validation_accuracy=0.8),
        trial(2, "pruned"),
        trial(3, "running"),
        trial(4, validation_accuracy=0.7),
    ]
    curves = {1000 + number: points(0.5, 0.6) for number in range(4)}
    info = curves_info(trials, curves, TARGETS)
    assert [(curve.trial, curve.kind) for curve in info.curves] == [
        (0, "front"),
        (1, "complete"),
        (2, "pruned"),
    ]


def test_points_that_are_not_finite_are_left_out_of_a_curve() -> None:
    info = curves_info([trial(0)], {1000: points(0.5, math.nan, 0.7)}, TARGETS)
    assert (info.curves[0].epochs, info.curves[0].accuracies) == ((0, 2), (0.5, 0.7))


def test_epochs_are_drawn_as_epochs_trained() -> None:
    figure = plot_curves([trial(0)], {1000: points(0.5, 0.7)}, TARGETS)
    assert list(figure.data[-1].x) == [1, 2]


def test_very_many_curves_are_thinned_but_never_the_front() -> None:
    n_trials = MAX_BACKGROUND_CURVES + 50
    trials = [trial(0), *(trial(number, "pruned") for number in range(1, n_trials))]
    figure = plot_curves(trials, {1000 + number: points(0.5, 0.6) for number in range(n_trials)}, TARGETS)
    crosses = next(trace for trace in figure.data if trace.mode == "markers")
    assert len(crosses.x) == MAX_BACKGROUND_CURVES
    assert figure.data[-1].name == "front, 1 hidden layer"


# By depth


def test_each_depth_has_its_own_rising_line() -> None:
    trials = [
        trial(0, widths=(4,), validation_accuracy=0.9),
        trial(1, widths=(8,), validation_accuracy=0.89),
        trial(2, widths=(12,), validation_accuracy=0.95),
        trial(3, widths=(6, 6), validation_accuracy=0.93),
        trial(4, "pruned", widths=(9,)),
    ]
    info = depth_info(trials, [], TARGETS)
    assert info.accuracy_of == "validation"
    lines = {depth: [(point.widths, point.accuracy) for point in line] for depth, line in info.lines.items()}
    assert lines == {1: [((4,), 0.9), ((12,), 0.95)], 2: [((6, 6), 0.93)]}


def test_verified_networks_give_means_with_intervals() -> None:
    """Student's t of three: 4.303 x 0.01 / sqrt(3) = 0.02484."""
    info = depth_info([trial(0)], verified((8,), 0.94, 0.95, 0.96), TARGETS)
    (point,) = info.lines[1]
    assert info.accuracy_of == "test"
    assert point.accuracy == pytest.approx(0.95)
    assert point.interval == pytest.approx((0.95 - 0.02484, 0.95 + 0.02484), abs=1e-5)


def test_a_single_seed_has_no_interval() -> None:
    info = depth_info([], verified((8,), 0.94), TARGETS)
    assert info.lines[1][0].interval is None


def test_a_diverged_network_is_not_averaged() -> None:
    assert depth_info([], verified((8,), 0.94, math.nan), TARGETS).lines[1][0].n_networks == 1


# Every seed


def test_seeds_are_summarised_by_their_tenths() -> None:
    info = seeds_info(verified((8,), *(0.9 + 0.001 * step for step in range(11))), TARGETS)
    (seen,) = info.architectures
    assert (seen.tenth, seen.median, seen.ninetieth) == pytest.approx((0.901, 0.905, 0.909))


def test_architectures_are_ordered_by_depth_then_size() -> None:
    networks = [*verified((6, 6), 0.9), *verified((9,), 0.9), *verified((), 0.9), *verified((8,), 0.9)]
    info = seeds_info(networks, TARGETS)
    assert [seen.widths for seen in info.architectures] == [(), (8,), (9,), (6, 6)]


def test_a_single_seed_is_its_own_spread() -> None:
    (seen,) = seeds_info(verified((8,), 0.9), TARGETS).architectures
    assert (seen.tenth, seen.median, seen.ninetieth) == (0.9, 0.9, 0.9)


def test_chance_is_that_of_two_binomial_shares() -> None:
    """1.96 x sqrt(0.9 x 0.1 x (1/1000 + 1/1000)) = 0.0263."""
    found = agreement(verified((8,), 0.9), 1000, 1000)
    assert found.chance == pytest.approx(0.0263, abs=1e-4)
    assert (found.gap, found.by_more_than_chance) == (0.0, False)


def test_networks_that_trained_on_the_whole_file_are_drawn_and_have_nothing_to_agree_with() -> None:
    whole = [one._replace(validation_accuracy=math.nan, test_bits=b"") for one in verified((8,), 0.9)]
    assert agreement(whole, 1000, 1000) is None
    assert len(seeds_info(whole, TARGETS).architectures) == 1


# Pruning


def test_pruning_counts_what_was_saved() -> None:
    trials = [
        trial(0, epochs=15),
        trial(1, "pruned", epochs=3, reason="too low"),
        trial(2, "pruned", epochs=5),
        trial(3, "fail", epochs=1),
        trial(4, "running", epochs=2),
        trial(5, "waiting", epochs=None),
    ]
    info = pruning_info(trials, MAX_EPOCHS)
    assert [bar.trial for bar in info.bars] == [0, 1, 2, 3]
    assert (info.epochs_trained, info.epochs_saved, info.median_pruned_after) == (24, 22, 4)


def test_nothing_pruned_has_no_median() -> None:
    assert pruning_info([trial(0)], MAX_EPOCHS).median_pruned_after is None


# All of them


def test_nothing_to_draw_is_said() -> None:
    for figure in (
        plot_front([], {}, TARGETS),
        plot_curves([], {}, TARGETS),
        plot_depth([], [], TARGETS),
        plot_seeds([], TARGETS),
        plot_pruning([], MAX_EPOCHS),
    ):
        assert "yet" in figure.layout.annotations[0].text


def test_figures_hold_only_numbers_that_json_knows() -> None:
    """Neither NaN nor NumPy's binary arrays, which older readers of saved figures do not know."""
    trials, curves = make_study(80)
    for figure in (
        plot_front(trials, curves, TARGETS),
        plot_curves(trials, curves, TARGETS),
        plot_depth(trials, [], TARGETS),
        plot_depth(trials, make_verified(), TARGETS),
        plot_seeds(make_verified(), TARGETS),
        plot_pruning(trials, MAX_EPOCHS),
    ):
        text = figure.to_json()
        assert "NaN" not in text and "bdata" not in text


@pytest.mark.parametrize("accuracies", [[0.76, 0.96], [0.3, 0.92], [0.5, 0.999], [0.0, 0.97]])
def test_labels_of_an_accuracy_axis_do_not_overlap(accuracies):
    """0.76 to 0.96 has few round accuracies, and one a percent would be on top of each other at its lower end."""
    axis = AccuracyAxis.over(accuracies)
    layout = axis.layout("accuracy")
    bottom, top = layout["range"]
    places = layout["tickvals"]
    assert len(places) >= 4
    assert min(b - a for a, b in itertools.pairwise(places)) >= 0.04 * (top - bottom)


def test_perfect_accuracy_is_drawn_at_a_finite_height() -> None:
    axis = AccuracyAxis.over([0.9, 0.999, 1.0])
    assert axis.position(0.999) < axis.position(1.0) < math.inf
    assert axis.layout("")["ticktext"][-1] == "100\xa0%"


@given(st.lists(st.floats(0, 1), min_size=2))
def test_a_higher_accuracy_is_never_drawn_lower(accuracies: list[float]) -> None:
    axis = AccuracyAxis.over(accuracies)
    heights = [axis.position(accuracy) for accuracy in sorted(accuracies)]
    bottom, top = axis.layout("")["range"]
    assert heights == sorted(heights)
    assert bottom <= heights[0] and heights[-1] <= top


@given(st.lists(st.integers(0, 10_000), min_size=1))
def test_every_size_lies_on_its_axis_and_some_are_labelled(sizes: list[int]) -> None:
    axis = size_axis(sizes)
    low, high = axis["range"]
    assert all(low <= size_position(one) <= high for one in sizes)
    assert axis["ticktext"]


def test_zero_neurons_have_a_tick() -> None:
    assert size_axis([0, 16])["ticktext"] == ["0", "1", "2", "4", "8", "16"]


def test_hover_text_is_escaped() -> None:
    assert hover_network((3,), "<b>reason</b>") == "<b>3</b> (3 neurons)<br>&lt;b&gt;reason&lt;/b&gt;"


def test_drawing_never_loads_tensorflow() -> None:
    program = (
        "import sys, fewest.dashboards.report, fewest.dashboards.saved, fewest.dashboards.server\n"
        "sys.exit(any(name in sys.modules for name in ('tensorflow', 'keras')))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
