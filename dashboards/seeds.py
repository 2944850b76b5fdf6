"""Every verified network: neurons against test accuracy, each seed a mark, with what most seeds reach.

The bar of an architecture spans the middle 80 % of its seeds and its notch is their median. Where the notch
stands above a target's line, a typical seed reaches the target; where the bar's foot does, nine in ten do.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import plotly.graph_objects as go

from fewest.dashboards.style import (
    AccuracyAxis,
    depth_colour,
    depth_label,
    depth_mark,
    drawn_of,
    finish,
    hover_network,
    percent,
    short_percent,
    size_axis,
    size_position,
    target_lines,
    thinned,
)
from fewest.search.answers.wording import plural
from fewest.search.settings.space import Architecture
from fewest.storage.trials.records import VerifiedNetwork

__all__ = ["Agreement", "agreement", "plot_seeds", "seeds_info"]

MAX_SEEDS: Final = 1_000
"""Most marks of single seeds at each depth; medians and bars are of all."""

BESIDE = 0.06
"""How far apart depths are drawn, so that architectures of one size do not hide each other."""


class VerifiedArchitecture(NamedTuple):
    """One architecture with the test accuracy of every seed it was trained from."""

    widths: Architecture
    seeds: tuple[int, ...]
    accuracies: tuple[float, ...]
    """By seed."""
    median: float
    tenth: float
    """Nine seeds in ten reach at least this; interpolated between seeds."""
    ninetieth: float


@dataclass(frozen=True)
class SeedsInfo:
    """What the figure shows: architectures by depth, then neurons, and the accuracies asked for."""

    architectures: tuple[VerifiedArchitecture, ...]
    targets: tuple[float, ...]

    @property
    def finding(self) -> str:
        """Say how far seeds move test accuracy: the median over architectures of what their middle 80 % span."""
        n_networks = sum(len(seen.seeds) for seen in self.architectures)
        spreads = [seen.ninetieth - seen.tenth for seen in self.architectures if len(seen.seeds) > 1]
        if not spreads:
            return f"{plural(n_networks, 'network')} verified, no architecture from two seeds"
        points = f"{100 * statistics.median(spreads):.2g}"
        of = "" if len(spreads) == 1 else f", in the median of {len(spreads):,} architectures"
        return f"From seed to seed, test accuracy differs by {points} points{of}"


class Agreement(NamedTuple):
    """How far validation and test accuracy are apart."""

    gap: float
    """Mean validation accuracy less mean test accuracy of all verified networks."""
    chance: float
    """What two samples of these sizes differ by in 95 cases of 100, though drawn alike."""

    @property
    def by_more_than_chance(self) -> bool:
        """Say whether the two sets are not alike."""
        return abs(self.gap) > self.chance


def agreement(verified: Sequence[VerifiedNetwork], n_validation: int, n_test: int) -> Agreement | None:
    """Compare both accuracies of the verified networks; None where none has both.

    Networks err largely on the same samples, so more of them do not make chance smaller. Chance is that of one
    network: the normal approximation of two binomial shares.

    Example:
        >>> network = VerifiedNetwork((8,), 0, 0.94, 0.95, 15, 0.4)
        >>> agreement([network], 9_000, 10_000).by_more_than_chance
        True
        >>> agreement([], 9_000, 10_000)
    """
    verified = [network for network in verified if not math.isnan(network.validation_accuracy)]
    if not verified:
        return None
    validation = statistics.fmean(network.validation_accuracy for network in verified)
    test = statistics.fmean(network.test_accuracy for network in verified)
    share = (validation * n_validation + test * n_test) / (n_validation + n_test)
    return Agreement(validation - test, 1.96 * math.sqrt(share * (1 - share) * (1 / n_validation + 1 / n_test)))


def seeds_info(verified: Sequence[VerifiedNetwork], targets: Sequence[float]) -> SeedsInfo:
    """Gather what the figure shows of verification's results."""
    by_widths: dict[Architecture, list[VerifiedNetwork]] = {}
    for network in filter(_is_scored, verified):
        by_widths.setdefault(network.widths, []).append(network)
    ordered = sorted(by_widths.items(), key=lambda item: (len(item[0]), sum(item[0]), item[0]))
    return SeedsInfo(tuple(_summary(widths, seen) for widths, seen in ordered), tuple(sorted(targets)))


def plot_seeds(verified: Sequence[VerifiedNetwork], targets: Sequence[float]) -> go.Figure:
    """Draw `seeds_info`, which takes the same arguments."""
    info = seeds_info(verified, targets)
    figure = go.Figure()
    shown = "Test accuracy of every network verified; bars span the middle 80 % of seeds, the notch is their median"
    if not info.architectures:
        return finish(figure, info.finding, shown, empty="Not yet verified on the test set.")
    axis = AccuracyAxis.over([*(score for seen in info.architectures for score in seen.accuracies), *info.targets])
    for depth in sorted({len(seen.widths) for seen in info.architectures}):
        _draw_depth(figure, axis, depth, [seen for seen in info.architectures if len(seen.widths) == depth])
    target_lines(figure, axis, [(target, f"target {short_percent(target)}") for target in info.targets])
    figure.update_xaxes(size_axis(sum(seen.widths) for seen in info.architectures))
    figure.update_yaxes(axis.layout("test accuracy"))
    return finish(figure, info.finding, shown)


def _is_scored(network: VerifiedNetwork) -> bool:
    """Say whether its training came to its end: a diverged network has no accuracy, in old versions a 0."""
    return network.test_bits is not None or not math.isnan(network.test_accuracy + network.validation_accuracy)


def _summary(widths: Architecture, networks: Sequence[VerifiedNetwork]) -> VerifiedArchitecture:
    by_seed = sorted(networks, key=lambda network: network.seed)
    scores = tuple(network.test_accuracy for network in by_seed)
    tenths = statistics.quantiles(scores, n=10, method="inclusive") if len(scores) > 1 else list(scores) * 9
    seeds = tuple(network.seed for network in by_seed)
    return VerifiedArchitecture(widths, seeds, scores, statistics.median(scores), tenths[0], tenths[8])


def _draw_depth(
    figure: go.Figure, axis: AccuracyAxis, depth: int, architectures: Sequence[VerifiedArchitecture]
) -> None:
    colour, group = depth_colour(depth), f"depth {depth}"
    positions = [size_position(sum(seen.widths)) + BESIDE * max(0, depth - 1) for seen in architectures]
    marks = [
        (position, seen, seed, score)
        for position, seen in zip(positions, architectures, strict=True)
        for seed, score in zip(seen.seeds, seen.accuracies, strict=True)
    ]
    drawn = thinned(marks, MAX_SEEDS)
    figure.add_scatter(
        x=[position for position, _, _, _ in drawn],
        y=[axis.position(score) for _, _, _, score in drawn],
        mode="markers",
        name=drawn_of(depth_label(depth), len(drawn), len(marks)),
        legendgroup=group,
        marker={"color": colour, "symbol": depth_mark(depth), "size": 5, "opacity": 0.6},
        text=[
            hover_network(seen.widths, f"test accuracy {percent(score)}", f"seed {seed}")
            for _, seen, seed, score in drawn
        ],
        hovertemplate="%{text}<extra></extra>",
    )
    medians = [axis.position(seen.median) for seen in architectures]
    figure.add_scatter(
        x=positions,
        y=medians,
        mode="markers",
        legendgroup=group,
        showlegend=False,
        marker={"symbol": "line-ew", "size": 9, "line": {"color": colour, "width": 2.5}},
        error_y={
            "type": "data",
            "symmetric": False,
            "array": [
                axis.position(seen.ninetieth) - middle for seen, middle in zip(architectures, medians, strict=True)
            ],
            "arrayminus": [
                middle - axis.position(seen.tenth) for seen, middle in zip(architectures, medians, strict=True)
            ],
            "color": _translucent(colour),
            "thickness": 8,
            "width": 0,
        },
        text=[
            hover_network(
                seen.widths,
                f"median test accuracy {percent(seen.median)} of {plural(len(seen.seeds), 'seed')}",
                f"nine in ten reach {percent(seen.tenth)}",
            )
            for seen in architectures
        ],
        hovertemplate="%{text}<extra></extra>",
    )


def _translucent(colour: str) -> str:
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red},{green},{blue},0.3)"
