"""Where every weight of every network lies when a cohort trains as one model: pure bookkeeping, no TensorFlow.

Activations are rows: one row a unit, one column a sample of the batch.

- **First layers** are exact: one kernel `(units, features)`, one row a unit of any member, one matrix product for
  all. A network without hidden layers has its class scores among these rows, the last ones.
- **Later layers** are blocks, one a member and layer, each side padded to a width class (`WIDTH_CLASSES`); blocks of
  one kind are multiplied as one batch. A block's input rows are gathered from those of the layer before.

No row and no block is shared, so nothing a member computes, NaN included, can reach another. Where a gather has no
row to read it holds -1, which reads as zeros: padding is never read, so it stays zero whatever the activation.

All that XLA sees of a cohort's architectures is its `Shape`; gathers are data. Counts are rounded up to a coarse
grid, so that cohorts of one study can share compiled programs.
"""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from search.space import Architecture

__all__ = ["Gather", "Kind", "Layout", "Shape", "Weights", "pack", "shape_of", "unpack"]

WIDTH_CLASSES = (32, 128, 512, 2048, 8192)
"""Widths that a side of a block is padded to; of more classes each holds fewer blocks, of fewer each wastes more."""

Weights: TypeAlias = list[NDArray[np.float32]]
"""A network's arrays as a stock network holds them: `[kernel, bias, ...]`, kernels `(fan_in, fan_out)`."""

Index: TypeAlias = tuple[int | slice, ...]


class Kind(NamedTuple):
    """Blocks of one size: `outputs` by `inputs`, `blocks` of them."""

    inputs: int
    outputs: int
    blocks: int

    @property
    def size(self) -> int:
        """Weights in all blocks."""
        return self.inputs * self.outputs * self.blocks


class Gather(NamedTuple):
    """Rows to read, and the same for the gradient.

    Attributes:
        forward: int32 `(targets,)`: the source row that each target row reads; -1 is zeros.
        backward: int32 `(sources,)`: the target row that reads each source row, at most one; -1 for none.
    """

    forward: NDArray[np.int32]
    backward: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a cohort that decides which program XLA compiles for it.

    Attributes:
        n_features: Numbers in a sample.
        n_classes: Of the data set.
        first: Units of first hidden layers.
        softmax: Networks without hidden layers.
        hidden: For each hidden layer after the first, its kinds of blocks.
        outputs: Kinds of blocks of the output layers.
    """

    n_features: int
    n_classes: int
    first: int
    softmax: int
    hidden: tuple[tuple[Kind, ...], ...]
    outputs: tuple[Kind, ...]

    @property
    def slots(self) -> int:
        """Networks it can hold."""
        return sum(kind.blocks for kind in self.outputs) + self.softmax

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of activations after each hidden layer."""
        return (self.first, *(sum(kind.outputs * kind.blocks for kind in kinds) for kinds in self.hidden))

    @property
    def sizes(self) -> list[tuple[int, ...]]:
        """Of the trainable arrays, in the order in which `pack` returns them."""
        later = [kind for kinds in (*self.hidden, self.outputs) for kind in kinds]
        return [
            (self.first + self.softmax * self.n_classes, self.n_features),
            (self.first,),
            (self.slots, self.n_classes),
            *((rows,) for rows in self.rows[1:]),
            *((kind.blocks, kind.outputs, kind.inputs) for kind in later),
        ]

    @property
    def work(self) -> float:
        """Multiply-adds to train a sample, in terms of those of one large matrix product, padding included.

        The first layers are multiplied twice a step, forward and for their gradient. Later layers are three small
        products, which run at about a third of the rate (docs/decisions/0003).
        """
        later = sum(kind.size for kinds in (*self.hidden, self.outputs) for kind in kinds)
        return 2.0 * self.n_features * (self.first + self.softmax * self.n_classes) + 9.0 * later

    @property
    def n_weights(self) -> int:
        """Trainable numbers, padding included."""
        return sum(math.prod(size) for size in self.sizes)

    def holds(self, other: "Shape") -> bool:
        """Whether a cohort of another shape fits into this one."""
        return (
            (self.n_features, self.n_classes) == (other.n_features, other.n_classes)
            and self.first >= other.first
            and self.softmax >= other.softmax
            and len(self.hidden) >= len(other.hidden)
            and all(map(_hold, self.hidden, other.hidden))
            and _hold(self.outputs, other.outputs)
        )

    def joined(self, other: "Shape") -> "Shape":
        """With room for what either holds."""
        pairs = itertools.zip_longest(self.hidden, other.hidden, fillvalue=())
        return replace(
            self,
            first=max(self.first, other.first),
            softmax=max(self.softmax, other.softmax),
            hidden=tuple(itertools.starmap(_join, pairs)),
            outputs=_join(self.outputs, other.outputs),
        )

    def roomier(self, slack: float) -> "Shape":
        """With room for about `slack` standard deviations more of each kind, rounded up.

        Counts of a random cohort vary like a Poisson variable's, by their square root. Kinds that are missing, of sides
        that occur, get room too.
        """

        def kinds(given: tuple[Kind, ...]) -> tuple[Kind, ...]:
            counts = {(kind.inputs, kind.outputs): kind.blocks for kind in given}
            if slack:
                sides = itertools.product({i for i, _ in counts}, {o for _, o in counts})
                counts = dict.fromkeys(sides, 0) | counts
            return tuple(Kind(*sides, round_up(_more(n, slack), steps=2)) for sides, n in sorted(counts.items()))

        members = sum(kind.blocks for kind in self.outputs)
        mean = self.first / members if members else 0.0
        return replace(
            self,
            first=round_up(math.ceil(mean * _more(members, slack)), steps=8),
            softmax=round_up(_more(self.softmax, slack), steps=2),
            hidden=tuple(map(kinds, self.hidden)),
            outputs=kinds(self.outputs),
        )


def shape_of(architectures: Sequence[Architecture], n_features: int, n_classes: int) -> Shape:
    """The tightest shape that holds a cohort of these architectures."""
    depth = max(map(len, architectures))
    hidden = [
        Counter((class_of(a[layer - 1]), class_of(a[layer])) for a in architectures if len(a) > layer)
        for layer in range(1, depth)
    ]
    outputs = Counter((class_of(a[-1]), n_classes) for a in architectures if a)
    return Shape(
        n_features=n_features,
        n_classes=n_classes,
        first=sum(a[0] for a in architectures if a),
        softmax=sum(not a for a in architectures),
        hidden=tuple(map(_kinds, hidden)),
        outputs=_kinds(outputs),
    )


def class_of(width: int) -> int:
    """The width class of a hidden layer.

    >>> class_of(1), class_of(32), class_of(33)
    (32, 32, 128)
    """
    return next((size for size in WIDTH_CLASSES if width <= size), width)


def round_up(n: int, steps: int) -> int:
    """The smallest number at least `n` on a grid of `steps` even steps an octave, all numbers where that is finer.

    >>> [round_up(n, steps=4) for n in (0, 1, 3, 5, 9, 17, 33, 65)]
    [0, 1, 3, 5, 10, 20, 40, 80]
    >>> [round_up(n, steps=1) for n in (1, 3, 5, 64)]
    [1, 4, 8, 64]
    """
    step: int = max(1, 2 ** max(0, (n - 1).bit_length() - 1) // steps)
    return -(-n // step) * step


def _kinds(counts: Mapping[tuple[int, int], int]) -> tuple[Kind, ...]:
    return tuple(Kind(*sides, count) for sides, count in sorted(counts.items()))


def _join(some: tuple[Kind, ...], others: tuple[Kind, ...]) -> tuple[Kind, ...]:
    counts = Counter({(kind.inputs, kind.outputs): kind.blocks for kind in some})
    return _kinds(counts | Counter({(kind.inputs, kind.outputs): kind.blocks for kind in others}))


def _more(count: int, slack: float) -> int:
    return count + math.ceil(slack * math.sqrt(max(1, count)))


def _hold(kinds: tuple[Kind, ...], needed: tuple[Kind, ...]) -> bool:
    return _assign([(kind.inputs, kind.outputs) for kind in needed for _ in range(kind.blocks)], kinds) is not None


def _assign(sides: Sequence[tuple[int, int]], kinds: Sequence[Kind]) -> list[int] | None:
    """Each block's kind: the largest goes first, to the smallest kind with room. None if one finds no room."""
    free = [kind.blocks for kind in kinds]
    by_size = sorted(range(len(kinds)), key=lambda i: kinds[i].inputs * kinds[i].outputs)
    chosen = [0] * len(sides)
    for block in sorted(range(len(sides)), key=lambda i: -sides[i][0] * sides[i][1]):
        inputs, outputs = sides[block]
        fits = (i for i in by_size if free[i] and kinds[i].inputs >= inputs and kinds[i].outputs >= outputs)
        kind = next(fits, None)
        if kind is None:
            return None
        chosen[block], free[kind] = kind, free[kind] - 1
    return chosen


class _Block(NamedTuple):
    """A member's block of one layer: its kind among the layer's, its place in it, and its rows on either side.

    Attributes:
        kind: Index of the kind.
        place: Index among the kind's blocks.
        input_row: First of its rows among the gathered inputs of the layer.
        output_row: First of its rows among the outputs of the layer.
    """

    kind: int
    place: int
    input_row: int
    output_row: int


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each member lies in arrays of a shape.

    Attributes:
        architectures: The members', in order.
        shape: Must hold them.
    """

    architectures: tuple[Architecture, ...]
    shape: Shape

    @cached_property
    def first(self) -> list[slice]:
        """Each member's rows of the first kernel."""
        hidden, softmax, rows = 0, self.shape.first, []
        for architecture in self.architectures:
            if architecture:
                rows.append(slice(hidden, hidden + architecture[0]))
                hidden += architecture[0]
            else:
                rows.append(slice(softmax, softmax + self.shape.n_classes))
                softmax += self.shape.n_classes
        return rows

    @cached_property
    def hidden(self) -> list[dict[int, _Block]]:
        """For each hidden layer after the first, each member's block."""
        return [
            _place(
                {
                    m: (class_of(a[layer - 1]), class_of(a[layer]))
                    for m, a in enumerate(self.architectures)
                    if len(a) > layer
                },
                kinds,
            )
            for layer, kinds in enumerate(self.shape.hidden, start=1)
        ]

    @cached_property
    def outputs(self) -> dict[int, _Block]:
        """Each member's block of its output layer."""
        sides = {m: (class_of(a[-1]), self.shape.n_classes) for m, a in enumerate(self.architectures) if a}
        return _place(sides, self.shape.outputs)

    @cached_property
    def slots(self) -> list[int]:
        """Each member's place among the model's networks, and so in its metrics."""
        classes = self.shape.n_classes
        softmax = itertools.count(self.shape.slots - self.shape.softmax)
        return [
            self.outputs[member].output_row // classes if architecture else next(softmax)
            for member, architecture in enumerate(self.architectures)
        ]

    def tables(self) -> dict[str, NDArray[np.int32]]:
        """All that the program is told of the architectures, by name.

        `forward_L` and `backward_L` gather the inputs of hidden layer L >= 1, counted from 0; `forward` and `backward`
        those of the output layer, from the rows of all hidden layers. `members`, `(slots,)`, is 1 in taken slots.
        """
        members = np.zeros(self.shape.slots, np.int32)
        members[self.slots] = 1
        tables = {"members": members}
        for layer in range(1, len(self.shape.rows)):
            gather = self._gather(layer)
            tables |= {f"forward_{layer}": gather.forward, f"backward_{layer}": gather.backward}
        gather = self._output_gather()
        return tables | {"forward": gather.forward, "backward": gather.backward}

    def rows(self, member: int, layer: int) -> slice:
        """A member's rows among the activations of one of its hidden layers."""
        if layer == 0:
            return self.first[member]
        start = self.hidden[layer - 1][member].output_row
        return slice(start, start + self.architectures[member][layer])

    def _gather(self, layer: int) -> Gather:
        blocks = self.hidden[layer - 1]
        links = {block.input_row: self.rows(member, layer - 1) for member, block in blocks.items()}
        return _linked(links, self.shape.rows[layer - 1], self.shape.hidden[layer - 1])

    def _output_gather(self) -> Gather:
        starts = [0, *itertools.accumulate(self.shape.rows)]
        links = {}
        for member, block in self.outputs.items():
            last = len(self.architectures[member]) - 1
            rows = self.rows(member, last)
            links[block.input_row] = slice(rows.start + starts[last], rows.stop + starts[last])
        return _linked(links, starts[-1], self.shape.outputs)


def _place(sides: Mapping[int, tuple[int, int]], kinds: Sequence[Kind]) -> dict[int, _Block]:
    input_starts = [0, *itertools.accumulate(kind.inputs * kind.blocks for kind in kinds)]
    output_starts = [0, *itertools.accumulate(kind.outputs * kind.blocks for kind in kinds)]
    chosen = _assign(list(sides.values()), kinds)
    assert chosen is not None, "A layout's shape must hold its architectures."
    taken: Counter[int] = Counter()
    blocks = {}
    for member, kind in zip(sides, chosen, strict=True):
        inputs, outputs = kinds[kind].inputs, kinds[kind].outputs
        place = taken[kind]
        blocks[member] = _Block(kind, place, input_starts[kind] + place * inputs, output_starts[kind] + place * outputs)
        taken[kind] += 1
    return blocks


def _linked(links: Mapping[int, slice], n_sources: int, kinds: Sequence[Kind]) -> Gather:
    gather = Gather(
        np.full(sum(kind.inputs * kind.blocks for kind in kinds), -1, np.int32), np.full(n_sources, -1, np.int32)
    )
    for start, rows in links.items():
        n_rows = rows.stop - rows.start
        gather.forward[start : start + n_rows] = np.arange(rows.start, rows.stop)
        gather.backward[rows] = np.arange(start, start + n_rows)
    return gather


def pack(layout: Layout, weights: Mapping[int, Weights]) -> list[NDArray[np.float32]]:
    """Members' stock arrays where the layout has them, zeros elsewhere; float32, of `Shape.sizes`."""
    arrays = [np.zeros(size, np.float32) for size in layout.shape.sizes]
    for member, stock in weights.items():
        for (which, where), array in zip(_places(layout, member), stock, strict=True):
            arrays[which][where] = array.T
    return arrays


def unpack(layout: Layout, arrays: Sequence[NDArray[np.float32]], member: int) -> Weights:
    """A member's stock arrays, copied out of those of the model."""
    return [arrays[which][where].T.copy() for which, where in _places(layout, member)]


def _places(layout: Layout, member: int) -> list[tuple[int, Index]]:
    """For each of a member's stock arrays, which of the model's arrays holds it, transposed, and where."""
    architecture, classes = layout.architectures[member], layout.shape.n_classes
    first, slot = layout.first[member], (2, (layout.slots[member],))
    if not architecture:
        return [(0, (first,)), slot]
    places: list[tuple[int, Index]] = [(0, (first,)), (1, (first,))]
    kernels = itertools.accumulate((len(kinds) for kinds in layout.shape.hidden), initial=3 + len(layout.shape.hidden))
    starts = list(kernels)
    for layer in range(1, len(architecture)):
        block = layout.hidden[layer - 1][member]
        sides = slice(architecture[layer]), slice(architecture[layer - 1])
        places.append((starts[layer - 1] + block.kind, (block.place, *sides)))
        places.append((2 + layer, (layout.rows(member, layer),)))
    block = layout.outputs[member]
    sides = slice(classes), slice(architecture[-1])
    return [*places, (starts[-1] + block.kind, (block.place, *sides)), slot]
