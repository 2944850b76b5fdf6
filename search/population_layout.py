"""Where every weight of every network lies when a cohort trains as one model: pure bookkeeping, no TensorFlow.

Activations are rows: one row a unit, one column a sample of the batch.

- **First layers** are exact: one kernel `(units, features)`, one row a unit of any member, one matrix product for all.
  A network without hidden layers has its class scores among these rows.
- **Later layers** are cut into tiles of `TILE` by `TILE` weights (the output layer's `classes` by `TILE`), each owned by
  one member, and multiplied as one batch. A tile's input rows are gathered, its output rows summed with those of the
  other tiles of the same unit. A wide layer takes many tiles, a narrow one a single tile padded with zeros, so that
  padding is below one tile a side, however mixed the widths.

No tile and no row is shared, so nothing a member computes, NaN included, can reach another. Where a table points to no
row it holds `-1`, which reads as a row of zeros.

Everything that XLA sees of a cohort's architectures is its `Shape`; the tables are data. `Shape`s are rounded up to a
coarse grid, so that cohorts of one study share compiled programs.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from search.space import Architecture

__all__ = ["TILE", "Layout", "Route", "Shape", "Weights", "pack", "shape_of", "unpack"]

TILE = 32
"""Units on a side of a tile."""

Weights: TypeAlias = list[NDArray[np.float32]]
"""A network's arrays as a stock network holds them: `[kernel, bias, ...]`, kernels `(fan_in, fan_out)`."""

Rows: TypeAlias = NDArray[np.int32]


class Route(NamedTuple):
    """A sum of gathered rows, and the same for its gradient.

    Attributes:
        forward: int32 `(terms, targets)`: target row `t` is the sum of source rows `forward[:, t]`; -1 is zero.
        backward: int32 `(terms, sources)`: the gradient of source row `s` is the sum of the gradients of these targets.
    """

    forward: Rows
    backward: Rows

    def turned(self) -> "Route":
        """The same links from targets to sources."""
        return Route(self.backward, self.forward)


@dataclass(frozen=True, slots=True)
class Shape:
    """All of a cohort that decides which program XLA compiles for it.

    Attributes:
        n_features: Numbers in a sample.
        n_classes: Of the data set.
        members: Networks.
        first: Rows of the first layers' kernel.
        groups: For each hidden layer after the first, groups of `TILE` output rows.
        tiles: For each hidden layer after the first, tiles.
        output_tiles: Tiles of the output layers; 0 if no member has a hidden layer.
        fan: Most tiles whose outputs add up to one unit, or that read one unit.
        softmax: Whether some member has no hidden layer.
    """

    n_features: int
    n_classes: int
    members: int
    first: int
    groups: tuple[int, ...]
    tiles: tuple[int, ...]
    output_tiles: int
    fan: int
    softmax: bool

    @property
    def multiply_adds(self) -> int:
        """Multiplications per sample and forward pass, padding included."""
        later = sum(self.tiles) * TILE + self.output_tiles * self.n_classes
        return self.first * self.n_features + later * TILE

    @property
    def n_weights(self) -> int:
        """Trainable numbers, padding included."""
        later = sum(self.tiles) * TILE + self.output_tiles * self.n_classes + sum(self.groups)
        return self.first * (self.n_features + 1) + later * TILE + self.members * self.n_classes

    @property
    def rows(self) -> tuple[int, ...]:
        """Rows of activations after each hidden layer."""
        return (self.first, *(groups * TILE for groups in self.groups))


def shape_of(architectures: Sequence[Architecture], n_features: int, n_classes: int) -> Shape:
    """The rounded-up shape of a cohort of these architectures."""
    depth = max(map(len, architectures))
    cut = [[n_tiles(width) for width in architecture] for architecture in architectures]
    tiles = [sum(c[layer - 1] * c[layer] for c in cut if len(c) > layer) for layer in range(1, depth)]
    groups = [sum(c[layer] for c in cut if len(c) > layer) for layer in range(1, depth)]
    return Shape(
        n_features=n_features,
        n_classes=n_classes,
        members=round_up(len(architectures), steps=1),
        first=round_up(sum(a[0] if a else n_classes for a in architectures), steps=4),
        groups=tuple(round_up(n, steps=1) for n in groups),
        tiles=tuple(round_up(n, steps=1) for n in tiles),
        output_tiles=round_up(sum(c[-1] for c in cut if c), steps=1),
        fan=round_up(max((max(c) for c in cut if c), default=1), steps=1),
        softmax=not all(architectures),
    )


def n_tiles(width: int) -> int:
    """Tiles that a width takes."""
    return -(-width // TILE)


def round_up(n: int, steps: int) -> int:
    """The smallest number at least `n` on a grid of `steps` even steps an octave.

    >>> [round_up(n, steps=4) for n in (0, 1, 3, 5, 9, 17, 33, 65)]
    [0, 1, 3, 5, 10, 20, 40, 80]
    >>> [round_up(n, steps=1) for n in (1, 3, 5, 64)]
    [1, 4, 8, 64]
    """
    if n <= steps:
        return n if steps > 1 else max(n, 0)
    step = 2 ** max(0, (n - 1).bit_length() - 1) / steps
    return int(-(-n // max(1, step)) * max(1, step))


class _Tile(NamedTuple):
    """One tile of a member's layer: its `number` among all, and the input and output units it connects."""

    number: int
    inputs: slice
    outputs: slice


@dataclass(frozen=True, eq=False)
class Layout:
    """Where each member's weights lie in arrays of a shape.

    Attributes:
        architectures: The members', in order.
        shape: Must hold them.
    """

    architectures: tuple[Architecture, ...]
    shape: Shape

    @cached_property
    def first(self) -> list[slice]:
        """Rows of the first kernel that belong to each member."""
        widths = [a[0] if a else self.shape.n_classes for a in self.architectures]
        ends = np.cumsum(widths).tolist()
        return [slice(end - width, end) for end, width in zip(ends, widths, strict=True)]

    @cached_property
    def hidden_rows(self) -> list[dict[int, slice]]:
        """For each hidden layer, each member's rows of activations."""
        layers = [{m: self.first[m] for m, a in enumerate(self.architectures) if a}]
        for layer in range(1, len(self.shape.rows)):
            rows, start = {}, 0
            for member, architecture in enumerate(self.architectures):
                if len(architecture) > layer:
                    rows[member] = slice(start, start + architecture[layer])
                    start += n_tiles(architecture[layer]) * TILE
            layers.append(rows)
        return layers

    @cached_property
    def hidden_tiles(self) -> list[dict[int, list[_Tile]]]:
        """For each hidden layer after the first, each member's tiles."""
        return [
            _cut({m: (a[layer - 1], a[layer]) for m, a in enumerate(self.architectures) if len(a) > layer})
            for layer in range(1, len(self.shape.rows))
        ]

    @cached_property
    def output_tiles(self) -> dict[int, list[_Tile]]:
        """Each member's tiles of its output layer."""
        cut = _cut({m: (a[-1], 1) for m, a in enumerate(self.architectures) if a})
        whole = slice(0, self.shape.n_classes)
        return {member: [tile._replace(outputs=whole) for tile in tiles] for member, tiles in cut.items()}

    def tables(self) -> dict[str, NDArray[np.int32] | NDArray[np.bool_]]:
        """All that the program is told of the architectures, by name.

        `inputs_L`, `sums_L` for hidden layers L >= 1 counted from 0, `inputs`, `sums` for the output layer and `scores`
        for networks without hidden layers, each with `_forward` and `_backward`; `units_L` which rows of hidden layer L
        are a member's; `members` which members are there.
        """
        shape, rows = self.shape, self.shape.rows
        routes: dict[str, Route] = {}
        masks = {"members": np.arange(shape.members) < len(self.architectures)}
        for layer, tiles in enumerate(self.hidden_tiles, start=1):
            n_rows = shape.tiles[layer - 1] * TILE
            reads, writes = _Links(), _Links()
            units = np.zeros(rows[layer], np.bool_)
            for member, cut in tiles.items():
                before, after = self.hidden_rows[layer - 1][member], self.hidden_rows[layer][member]
                units[after] = True
                for tile in cut:
                    reads.add(before, tile.inputs, tile.number * TILE)
                    writes.add(after, tile.outputs, tile.number * TILE)
            routes[f"inputs_{layer}"] = reads.route(rows[layer - 1], n_rows, shape.fan)
            routes[f"sums_{layer}"] = writes.route(rows[layer], n_rows, shape.fan).turned()
            masks[f"units_{layer}"] = units
        routes.update(self._output_routes())
        return masks | {
            f"{name}_{way}": getattr(route, way) for name, route in routes.items() for way in Route._fields
        }

    def _output_routes(self) -> dict[str, Route]:
        shape, classes = self.shape, self.shape.n_classes
        starts = np.concatenate([[0], np.cumsum(shape.rows)])
        reads, writes, scores = _Links(), _Links(), _Links()
        for member, architecture in enumerate(self.architectures):
            logits = slice(member * classes, (member + 1) * classes)
            if not architecture:
                scores.add(self.first[member], slice(0, classes), logits.start)
                continue
            layer = len(architecture) - 1
            last = self.hidden_rows[layer][member]
            last = slice(last.start + int(starts[layer]), last.stop + int(starts[layer]))
            for tile in self.output_tiles[member]:
                reads.add(last, tile.inputs, tile.number * TILE)
                writes.add(logits, tile.outputs, tile.number * classes)
        n_logits = shape.members * classes
        routes = {}
        if shape.output_tiles:
            routes["inputs"] = reads.route(int(starts[-1]), shape.output_tiles * TILE, 1)
            routes["sums"] = writes.route(n_logits, shape.output_tiles * classes, shape.fan).turned()
        if shape.softmax:
            routes["scores"] = scores.route(shape.first, n_logits, 1)
        return routes


class _Links:
    """Pairs of a unit's row and a tile's row."""

    def __init__(self) -> None:
        self.units: list[NDArray[np.int64]] = []
        self.cells: list[NDArray[np.int64]] = []

    def add(self, rows: slice, within: slice, cell: int) -> None:
        """Units `within` a member's `rows` meet the tile rows from `cell` on."""
        n = within.stop - within.start
        self.units.append(np.arange(rows.start + within.start, rows.start + within.stop))
        self.cells.append(np.arange(cell, cell + n))

    def route(self, n_units: int, n_cells: int, fan: int) -> Route:
        """From units to tile rows."""
        forward = np.full((1, n_cells), -1, np.int32)
        backward = np.full((fan, n_units), -1, np.int32)
        if self.units:
            units, cells = np.concatenate(self.units), np.concatenate(self.cells)
            forward[0, cells] = units
            order = np.argsort(units, kind="stable")
            units, cells = units[order], cells[order]
            first = np.searchsorted(units, units)
            backward[np.arange(len(units)) - first, units] = cells
        return Route(forward, backward)


def _cut(sizes: dict[int, tuple[int, int]]) -> dict[int, list[_Tile]]:
    """Cuts each member's `(fan_in, fan_out)` kernel into tiles, numbered through."""
    count = 0
    cut: dict[int, list[_Tile]] = {}
    for member, (fan_in, fan_out) in sizes.items():
        cut[member] = []
        for outputs in range(0, fan_out, TILE):
            for inputs in range(0, fan_in, TILE):
                reads = slice(inputs, min(inputs + TILE, fan_in))
                writes = slice(outputs, min(outputs + TILE, fan_out))
                cut[member].append(_Tile(count, reads, writes))
                count += 1
    return cut


@dataclass(frozen=True, eq=False)
class Packed:
    """The trainable arrays of a shape, float32; also their Adam slots.

    Attributes:
        first_kernel: `(first, features)`.
        first_bias: `(first,)`; zero in the rows of networks without hidden layers.
        kernels: For each later hidden layer, `(tiles, TILE out, TILE in)`.
        biases: For each later hidden layer, `(groups * TILE,)`.
        output_kernel: `(output tiles, classes, TILE in)`.
        output_bias: `(members, classes)`.
    """

    first_kernel: NDArray[np.float32]
    first_bias: NDArray[np.float32]
    kernels: list[NDArray[np.float32]]
    biases: list[NDArray[np.float32]]
    output_kernel: NDArray[np.float32]
    output_bias: NDArray[np.float32]

    @classmethod
    def zeros(cls, shape: Shape) -> "Packed":
        """All zero."""
        return cls.of([np.zeros(size, np.float32) for size in sizes(shape)])

    @classmethod
    def of(cls, arrays: Sequence[NDArray[np.float32]]) -> "Packed":
        """From a flat list in the order of `arrays`."""
        later = (len(arrays) - 4) // 2
        first_kernel, first_bias, *rest, output_kernel, output_bias = arrays
        return cls(first_kernel, first_bias, rest[:later], rest[later:], output_kernel, output_bias)

    @property
    def arrays(self) -> list[NDArray[np.float32]]:
        """As a flat list."""
        flat: list[NDArray[np.float32]] = []
        for field in fields(self):
            value = getattr(self, field.name)
            flat.extend(value if isinstance(value, list) else [value])
        return flat


def sizes(shape: Shape) -> list[tuple[int, ...]]:
    """Shapes of `Packed.arrays`."""
    return [
        (shape.first, shape.n_features),
        (shape.first,),
        *((tiles, TILE, TILE) for tiles in shape.tiles),
        *((groups * TILE,) for groups in shape.groups),
        (shape.output_tiles, shape.n_classes, TILE),
        (shape.members, shape.n_classes),
    ]


def pack(layout: Layout, weights: dict[int, Weights]) -> list[NDArray[np.float32]]:
    """Puts members' stock arrays where the layout has them; the rest is zero."""
    packed = Packed.zeros(layout.shape)
    for member, stock in weights.items():
        for (where, source), array in zip(
            _places(layout, member, packed), _pieces(layout, member, stock), strict=True
        ):
            where[source] = array
    return packed.arrays


def unpack(layout: Layout, arrays: Sequence[NDArray[np.float32]], member: int) -> Weights:
    """A member's stock arrays, copied."""
    sizes = (layout.shape.n_features, *layout.architectures[member], layout.shape.n_classes)
    stock: Weights = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        stock += [np.zeros((fan_in, fan_out), np.float32), np.zeros(fan_out, np.float32)]
    packed = Packed.of(arrays)
    for (where, source), piece in zip(
        _places(layout, member, packed), _pieces(layout, member, stock), strict=True
    ):
        piece[...] = where[source]
    return stock


def _places(
    layout: Layout, member: int, packed: Packed
) -> list[tuple[NDArray[np.float32], tuple[slice | int, ...]]]:
    """Where the pieces of a member lie, in the order of `_pieces`."""
    first = layout.first[member]
    places: list[tuple[NDArray[np.float32], tuple[slice | int, ...]]] = [(packed.first_kernel, (first,))]
    if not layout.architectures[member]:
        return [*places, (packed.output_bias, (member,))]
    places.append((packed.first_bias, (first,)))
    for layer in range(1, len(layout.architectures[member])):
        for tile in layout.hidden_tiles[layer - 1][member]:
            places.append((packed.kernels[layer - 1], _within(tile)))
        places.append((packed.biases[layer - 1], (layout.hidden_rows[layer][member],)))
    places += [(packed.output_kernel, _within(tile)) for tile in layout.output_tiles[member]]
    return [*places, (packed.output_bias, (member,))]


def _pieces(layout: Layout, member: int, stock: Weights) -> list[NDArray[np.float32]]:
    """Views into a member's stock arrays, transposed to units by inputs."""
    pieces = [stock[0].T, stock[1]]
    for layer in range(1, len(stock) // 2):
        last = layer == len(stock) // 2 - 1
        tiles = layout.output_tiles[member] if last else layout.hidden_tiles[layer - 1][member]
        pieces += [stock[2 * layer].T[tile.outputs, tile.inputs] for tile in tiles]
        pieces.append(stock[2 * layer + 1])
    return pieces


def _within(tile: _Tile) -> tuple[slice | int, ...]:
    return (
        tile.number,
        slice(0, tile.outputs.stop - tile.outputs.start),
        slice(0, tile.inputs.stop - tile.inputs.start),
    )
