"""The position of every weight of every network when a cohort trains as one model: pure bookkeeping, no TensorFlow.

Activations are rows: one row for each unit, one column for each sample of the batch. Level 0 holds the activations of
the first hidden layers, level L those of the hidden layers after L others.

- **First layers** have no padding: one kernel `(units, features)`, one row for each unit of any member, one matrix
  product for all. The last of these rows are class scores of networks without hidden layers.
- **Later layers** are blocks, one for each member and layer. The blocks that read one level are sorted into a few
  kinds. Those of a kind are padded to the same sides and multiplied as one batch. A block's input rows are gathered.

Members share no row and no block, and padding reads a row of its own member. So no value of a member, NaN included,
can reach another. Weights of padding start at zero, and their gradients are masked, so they stay zero.

The program that trains a cohort depends on the number of levels only: all else of its architectures is data. A cohort
is dealt out to shards, one for each core, each with a layout of its own.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.settings.space import Architecture
from fewest.search.training.outcome import Weights

__all__ = ["HIDDEN_KINDS", "OUTPUT_KINDS", "Kind", "Layout", "Shards", "deal", "pack", "unpack"]

HIDDEN_KINDS = 4
"""Kinds of hidden layers' blocks at a level: more kinds save padding, but each costs the call of a product."""

OUTPUT_KINDS = 2
"""Kinds of output layers' blocks at a level."""

NEVER = np.iinfo(np.int64).max
"""Padding larger than that of any two kinds."""


class Kind(NamedTuple):
    """Blocks padded to one size.

    Attributes:
        inputs: Width of their input side.
        outputs: Width of their output side.
        members: The members that the blocks belong to, in the blocks' order.
    """

    inputs: int
    outputs: int
    members: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of weights in all blocks, padding included."""
        return self.inputs * self.outputs * len(self.members)

    def joined(self, other: "Kind") -> "Kind":
        """Return all blocks of both kinds as one kind."""
        return Kind(max(self.inputs, other.inputs), max(self.outputs, other.outputs), self.members + other.members)


@dataclass(frozen=True, eq=False)
class Layout:
    """The positions of all members.

    Attributes:
        architectures: The members' architectures, in order.
        n_features: Numbers in a sample.
        n_classes: Classes of the data set.
        n_levels: Number of levels: at least 1, and at least the largest depth.
    """

    architectures: tuple[Architecture, ...]
    n_features: int
    n_classes: int
    n_levels: int

    @cached_property
    def kinds(self) -> list[list[Kind]]:
        """For each level, the kinds of blocks that read it: hidden layers, if a level follows, then outputs."""
        return [[*self._hidden_kinds(level), *self._output_kinds(level)] for level in range(self.n_levels)]

    @cached_property
    def rows(self) -> list[dict[int, slice]]:
        """For each level, each member's rows of it."""
        widths = [(m, a[0]) for m, a in enumerate(self.architectures) if a]
        rows = [dict(zip((m for m, _ in widths), _slices(width for _, width in widths), strict=True))]
        for level, kinds in enumerate(self.kinds[:-1]):
            blocks = [(m, kind.outputs) for kind in kinds[:HIDDEN_KINDS] for m in kind.members]
            starts = [span.start for span in _slices(outputs for _, outputs in blocks)]
            widths = [(m, self.architectures[m][level + 1]) for m, _ in blocks]
            rows.append({m: slice(at, at + width) for at, (m, width) in zip(starts, widths, strict=True)})
        return rows

    @cached_property
    def n_rows(self) -> list[int]:
        """Rows of each level, padding included."""
        first = sum(a[0] for a in self.architectures if a)
        later = [sum(k.outputs * len(k.members) for k in kinds[:HIDDEN_KINDS]) for kinds in self.kinds[:-1]]
        return [first, *later]

    @property
    def n_first(self) -> int:
        """Rows of the first kernel."""
        return self.n_rows[0] + self.n_classes * len(self._softmax)

    @cached_property
    def n_biases(self) -> int:
        """Number of biases of all levels and the output layers; in the later weights they precede kernels."""
        return sum(self.n_rows) + self.n_classes * len(self.architectures)

    @cached_property
    def n_later(self) -> int:
        """Number of trainable weights beyond the first kernel, padding included."""
        return self.n_biases + sum(kind.size for kinds in self.kinds for kind in kinds)

    @property
    def n_weights(self) -> int:
        """Number of trainable weights, padding included."""
        return self.n_first * self.n_features + self.n_later

    @property
    def work(self) -> float:
        """Multiply-adds to train a sample, as equivalents in one large matrix product, padding included.

        The first layers take two products a step, forward and for their gradient. Later layers take three small
        products, which run at about a third of the rate (docs/measurements/training-alternatives.md).
        """
        return 2.0 * self.n_features * self.n_first + 9.0 * self.n_later

    def tables(self) -> dict[str, NDArray[np.int32]]:
        """Return all that the program needs of the architectures: int32 tables by name.

        `counts`: `(3,)`, rows of the first level, members and classes. `sizes_L`: `(kinds, 3)`, blocks, outputs and
        inputs of each kind that reads level L. `forward_L`: row indices that gather the blocks' inputs. `backward_L`:
        row indices that gather the gradient of level L.
        """
        tables = {"counts": np.array([self.n_rows[0], len(self.architectures), self.n_classes], np.int32)}
        for level, kinds in enumerate(self.kinds):
            forward, backward = self._gather(level)
            sizes = [(len(kind.members), kind.outputs, kind.inputs) for kind in kinds]
            tables |= {f"forward_{level}": forward, f"backward_{level}": backward}
            tables |= {f"sizes_{level}": np.array(sizes, np.int32)}
        return tables

    @cached_property
    def scored(self) -> list[int]:
        """Members in the order of their class scores: by output block, then those without hidden layers."""
        n_hidden = [HIDDEN_KINDS if level + 1 < self.n_levels else 0 for level in range(self.n_levels)]
        outputs = [kind for n, kinds in zip(n_hidden, self.kinds, strict=True) for kind in kinds[n:]]
        return [*(member for kind in outputs for member in kind.members), *self._softmax]

    def mask(self) -> NDArray[np.float32]:
        """Return float32 `(n_later,)`: 1 where a later weight belongs to a member, 0 where it is padding."""
        mask = np.zeros(self.n_later, np.float32)
        for member in range(len(self.architectures)):
            for span in self.spans(member):
                if span.later:
                    span.view(mask)[...] = 1
        return mask

    def spans(self, member: int) -> list["_Span"]:
        """Return the position of each of a member's stock arrays, in stock order."""
        architecture, classes, features = self.architectures[member], self.n_classes, self.n_features
        output_bias = _Span(True, sum(self.n_rows) + classes * self.scored.index(member), (classes,), (classes,))
        if not architecture:
            start = self.n_rows[0] + classes * self._softmax.index(member)
            return [_Span(False, start, (classes, features), (classes, features)), output_bias]
        spans = [
            _Span(False, self.rows[0][member].start, (architecture[0], features), (architecture[0], features)),
            *self._bias(member, 0),
        ]
        for level, width in enumerate(architecture):
            start, kind = self._blocks[level][member]
            outputs = (*architecture, classes)[level + 1]
            spans.append(_Span(True, start, (kind.outputs, kind.inputs), (outputs, width)))
            spans += self._bias(member, level + 1) if level + 1 < len(architecture) else [output_bias]
        return spans

    @cached_property
    def _softmax(self) -> list[int]:
        return [member for member, architecture in enumerate(self.architectures) if not architecture]

    @cached_property
    def _blocks(self) -> list[dict[int, tuple[int, Kind]]]:
        """For each level and member, the start of its block among the later weights, and the block's kind."""
        start, blocks = self.n_biases, []
        for kinds in self.kinds:
            found = {}
            for kind in kinds:
                for member in kind.members:
                    found[member] = (start, kind)
                    start += kind.outputs * kind.inputs
            blocks.append(found)
        return blocks

    def _bias(self, member: int, level: int) -> list["_Span"]:
        rows = self.rows[level][member]
        n = rows.stop - rows.start
        return [_Span(True, sum(self.n_rows[:level]) + rows.start, (n,), (n,))]

    def _hidden_kinds(self, level: int) -> list[Kind]:
        if level + 1 == self.n_levels:
            return []
        return _kinds(
            {m: (a[level], a[level + 1]) for m, a in enumerate(self.architectures) if len(a) > level + 1}, HIDDEN_KINDS
        )

    def _output_kinds(self, level: int) -> list[Kind]:
        return _kinds(
            {m: (a[level], self.n_classes) for m, a in enumerate(self.architectures) if len(a) == level + 1},
            OUTPUT_KINDS,
        )

    def _gather(self, level: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the level row that each input row reads, and the input row that reads each level row."""
        blocks = [(member, kind.inputs) for kind in self.kinds[level] for member in kind.members]
        forward = np.zeros(sum(inputs for _, inputs in blocks), np.int32)
        backward = np.zeros(self.n_rows[level], np.int32)
        for (member, _), span in zip(blocks, _slices(inputs for _, inputs in blocks), strict=True):
            rows = self.rows[level][member]
            # Padding reads a row of its own member, so that NaN cannot spread to other members.
            forward[span] = rows.start
            forward[span][: rows.stop - rows.start] = np.arange(rows.start, rows.stop)
            # The same holds for padding rows: their gradient meets only zero kernels and masked weights.
            backward[self._padded(level, member)] = span.start
            backward[rows] = np.arange(span.start, span.start + rows.stop - rows.start)
        return forward, backward

    def _padded(self, level: int, member: int) -> slice:
        """Return a member's rows of a level, padding included."""
        rows = self.rows[level][member]
        return slice(rows.start, rows.start + self._blocks[level - 1][member][1].outputs) if level else rows


class _Span(NamedTuple):
    """The position of one stock array, transposed.

    Attributes:
        later: Whether it lies among the later weights; if false, in the first kernel.
        start: Its first weight, or its first row of the first kernel.
        padded: Its shape with padding.
        sides: Its shape without padding.
    """

    later: bool
    start: int
    padded: tuple[int, ...]
    sides: tuple[int, ...]

    def view(self, array: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return its view of the first kernel or of the later weights, without padding."""
        if not self.later:
            return array[self.start : self.start + self.sides[0]]
        found = array[self.start : self.start + int(np.prod(self.padded))].reshape(self.padded)
        return found[tuple(slice(side) for side in self.sides)]


@dataclass(frozen=True, eq=False)
class Shards:
    """A cohort dealt out to cores.

    Attributes:
        members: The members of each shard, by their position in the cohort.
        layouts: The layout of each shard.
    """

    members: tuple[tuple[int, ...], ...]
    layouts: tuple[Layout, ...]

    @property
    def work(self) -> float:
        """Number of shards times the largest `Layout.work` of a shard: all wait for the slowest."""
        return len(self.layouts) * max(layout.work for layout in self.layouts)


def deal(architectures: Sequence[Architecture], n_features: int, n_classes: int, n_levels: int, n: int) -> Shards:
    """Deal a cohort out to `n` shards of about the same work.

    Members are dealt in order of falling work, each to the shard with the least. A cohort of fewer than `n` members
    gets a power of two of shards. Each number of shards needs a model of its own to trace, and a shrinking cohort
    should need few.
    """
    most = max(1, len(architectures))
    shards: list[list[int]] = [[] for _ in range(n if n <= most else 1 << (most.bit_length() - 1))]
    loads = [0.0] * len(shards)
    own_work = [Layout((architecture,), n_features, n_classes, n_levels).work for architecture in architectures]
    for member in sorted(range(len(architectures)), key=lambda member: -own_work[member]):
        least = loads.index(min(loads))
        shards[least].append(member)
        loads[least] += own_work[member]
    members = tuple(tuple(sorted(shard)) for shard in shards)
    return Shards(
        members,
        tuple(Layout(tuple(architectures[m] for m in shard), n_features, n_classes, n_levels) for shard in members),
    )


def _slices(widths: Iterable[int]) -> list[slice]:
    """Return consecutive slices of the given widths."""
    ends = list(itertools.accumulate(widths, initial=0))
    return list(itertools.starmap(slice, itertools.pairwise(ends)))


def _kinds(sides: Mapping[int, tuple[int, int]], n: int) -> list[Kind]:
    """Sort members by their blocks' sides into exactly `n` kinds; join first the two that need the least padding."""
    alike: dict[tuple[int, int], list[int]] = {}
    for member, side in sides.items():
        alike.setdefault(side, []).append(member)
    kinds = [Kind(*side, tuple(members)) for side, members in sorted(alike.items())]
    padding = np.full((len(kinds), len(kinds)), NEVER)
    for i in range(len(kinds)):
        padding[:i, i] = [_padding(kind, kinds[i]) for kind in kinds[:i]]
    while len(kinds) > n:
        pair = divmod(int(padding.argmin()), len(kinds))
        others = np.delete(np.arange(len(kinds)), pair)
        joined = kinds[pair[0]].joined(kinds[pair[1]])
        kinds = [kinds[i] for i in others]
        padding = np.pad(padding[np.ix_(others, others)], (0, 1), constant_values=NEVER)
        padding[:-1, -1] = [_padding(kind, joined) for kind in kinds]
        kinds.append(joined)
    # Empty kinds keep the number of products fixed, so that one traced program serves every layout.
    return kinds + [Kind(1, 1, ())] * (n - len(kinds))


def _padding(one: Kind, other: Kind) -> int:
    """Count the weights of padding that joining two kinds adds."""
    sides = max(one.inputs, other.inputs) * max(one.outputs, other.outputs)
    return sides * (len(one.members) + len(other.members)) - one.size - other.size


def pack(layout: Layout, weights: Mapping[int, Weights]) -> list[NDArray[np.float32]]:
    """Pack members' stock arrays into the first kernel and the later weights; all else is zero."""
    arrays = [np.zeros((layout.n_first, layout.n_features), np.float32), np.zeros(layout.n_later, np.float32)]
    for member, stock in weights.items():
        for span, array in zip(layout.spans(member), stock, strict=True):
            span.view(arrays[span.later])[...] = array.T
    return arrays


def unpack(layout: Layout, arrays: Sequence[NDArray[np.float32]], member: int) -> Weights:
    """Copy a member's stock arrays out of the model's arrays."""
    return [span.view(arrays[span.later]).T.copy() for span in layout.spans(member)]
