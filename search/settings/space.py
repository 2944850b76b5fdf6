"""Architectures and their sizes, and how they map to the parameters of an Optuna trial.

An architecture is the tuple of its hidden widths: `()` is softmax alone, `(16,)` one hidden layer of 16
units. In a trial it is `depth` plus one `width_K` for each hidden layer K = 1..depth, so the search space is
conditional on depth.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple, TypeAlias

__all__ = [
    "Architecture",
    "Network",
    "SearchSpace",
    "architecture_of",
    "describe",
    "n_neurons",
    "n_parameters",
    "parameters_of",
    "width_name",
]

Architecture: TypeAlias = tuple[int, ...]
"""Hidden widths from input to output; empty for softmax alone."""


class Network(NamedTuple):
    """One training of an architecture from one seed."""

    architecture: Architecture
    seed: int


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Every architecture of up to `max_depth` hidden layers of `min_width` to `max_width` units each."""

    max_depth: int
    min_width: int
    max_width: int

    def ladder(self) -> list[Architecture]:
        """Return the first architectures of every search: softmax alone, then one layer of doubling width.

        >>> SearchSpace(max_depth=3, min_width=1, max_width=20).ladder()
        [(), (1,), (2,), (4,), (8,), (16,)]
        """
        steps: list[Architecture] = [()]
        width = self.min_width
        while self.max_depth >= 1 and width <= self.max_width:
            steps.append((width,))
            width *= 2
        return steps

    def n_architectures(self) -> int:
        """Count the architectures.

        >>> SearchSpace(max_depth=2, min_width=1, max_width=4).n_architectures()
        21
        """
        n_widths = self.max_width - self.min_width + 1
        return sum(n_widths**depth for depth in range(self.max_depth + 1))

    def __contains__(self, architecture: Architecture) -> bool:
        return len(architecture) <= self.max_depth and all(
            self.min_width <= width <= self.max_width for width in architecture
        )


def n_neurons(architecture: Architecture) -> int:
    """Count the hidden units of all layers; the output layer's are not counted.

    >>> n_neurons((12, 8))
    20
    """
    return sum(architecture)


def n_parameters(architecture: Architecture, n_features: int, n_classes: int) -> int:
    """Count the trainable weights and biases of all dense layers, the output layer included.

    >>> n_parameters((), 784, 10), n_parameters((16,), 784, 10)
    (7850, 12730)
    """
    sizes = (n_features, *architecture, n_classes)
    return sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(sizes))


def describe(architecture: Architecture) -> str:
    """Write an architecture for people.

    >>> describe(()), describe((16,)), describe((12, 8))
    ('softmax', '16', '12-8')
    """
    return "-".join(map(str, architecture)) or "softmax"


def width_name(layer: int) -> str:
    """Return the name of the trial parameter for the width of hidden layer `layer`, counted from 1."""
    return f"width_{layer}"


def parameters_of(architecture: Architecture) -> dict[str, int]:
    """Return the parameters of an architecture's Optuna trial.

    >>> parameters_of((12, 8))
    {'depth': 2, 'width_1': 12, 'width_2': 8}
    """
    return {
        "depth": len(architecture),
        **{width_name(layer): width for layer, width in enumerate(architecture, start=1)},
    }


def architecture_of(parameters: Mapping[str, int]) -> Architecture:
    """Return the architecture of an Optuna trial's parameters; widths beyond `depth` are ignored.

    >>> architecture_of({"depth": 1, "width_1": 5, "width_2": 9})
    (5,)
    """
    return tuple(int(parameters[width_name(layer)]) for layer in range(1, int(parameters["depth"]) + 1))
