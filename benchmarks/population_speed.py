"""Networks trained as one against stock Keras one after another, both sides in one run.

    python -m benchmarks.population_speed [--repeats 3] [--rows 64x16@32,...]

Times an epoch of training, and one with validation, in the model that the engine trains in; stock Keras is timed on
one network of the cohort's median size. Sides take turns, the best of each counts. The matrix-product rate is that of
the two large products of a step alone, through TensorFlow's own kernels.
"""

import argparse
import itertools
import os
import time
from collections.abc import Callable, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf

from search.data import SearchData
from search.datasets import load
from search.network import build, initial_weights, optimizer
from search.population import pays_to_compile
from search.population_layout import deal
from search.population_model import Population, n_shards
from search.population_program import DeviceData
from search.protocol import Protocol, batch_order, n_batches
from search.space import Network, n_parameters

ROWS = {
    "64x16@32": (64, (16,), 32, 60),
    "64x16@128": (64, (16,), 128, 60),
    "64 of the default space@128": (64, None, 128, 30),
    "1x16@32": (1, (16,), 32, 8),
}
"""Networks, architecture (None: drawn from the default space), batch size, floor."""


def cohort(count: int, architecture: tuple[int, ...] | None) -> list[Network]:
    """Networks of one architecture, or drawn: depths uniform in 0..3, widths log-uniform in 1..128."""
    rng = np.random.default_rng(0)
    if architecture is not None:
        return [Network(architecture, seed) for seed in range(count)]
    depths = rng.integers(0, 4, count)
    widths = [np.exp(rng.uniform(0, np.log(129), depth)).astype(int).tolist() for depth in depths]
    return [Network(tuple(drawn), seed) for seed, drawn in enumerate(widths)]


def population_epoch(
    networks: Sequence[Network], data: SearchData, protocol: Protocol, validate: bool
) -> tuple[Callable[[], None], float]:
    """An epoch of a cohort, and how long the first one took."""
    architectures = tuple(network.architecture for network in networks)
    sizes = (data.n_features, data.n_classes, max(map(len, architectures)))
    shards = deal(architectures, *sizes, 1)
    compiled = pays_to_compile(shards, len(data.y_train), protocol, epoch=0)
    if not compiled:
        shards = deal(architectures, *sizes, n_shards())
    layout = shards.layouts[0] if compiled else None
    model = Population(sizes[-1], len(shards.layouts), DeviceData(data), protocol, layout)
    weights = {i: initial_weights(n, data.n_features, data.n_classes) for i, n in enumerate(networks)}
    model.load(shards, weights, {}, 0)
    if not validate:
        model._program.score = lambda shard, *_: (tf.zeros(shard.tables["counts"][1]),) * 2
    order = batch_order(0, 0, len(data.y_train), protocol.batch_size)
    options = tf.data.Options()
    options.autotune.enabled = False
    epochs = tf.data.Dataset.from_tensors(order).with_options(options)

    def epoch() -> None:
        model.fit(epochs, verbose=0, shuffle=False)

    started = time.perf_counter()
    epoch()
    return epoch, time.perf_counter() - started


def stock_epoch(network: Network, data: SearchData, protocol: Protocol, validate: bool) -> Callable[[], None]:
    """An epoch of a stock network."""
    model = build(network, data, protocol.activation)
    model.compile(optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    held_out = (data.x_validation, data.y_validation) if validate else None

    def epoch() -> None:
        model.fit(data.x_train, data.y_train, batch_size=protocol.batch_size, validation_data=held_out, verbose=0)

    epoch()
    return epoch


def products(n_units: int, data: SearchData, batch: int) -> Callable[[], None]:
    """The two large matrix products of each step of an epoch, and nothing else."""
    kernel, x = tf.random.normal((n_units, data.n_features)), tf.random.normal((batch, data.n_features))
    upstream = tf.random.normal((n_units, batch))

    def epoch() -> None:
        for _ in range(n_batches(len(data.y_train), batch)):
            tf.matmul(kernel, x, transpose_b=True)
            last = tf.matmul(upstream, x)
        last.numpy()

    epoch()
    return epoch


def best(sides: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Seconds of each side's best turn."""
    seconds = dict.fromkeys(sides, float("inf"))
    for _ in range(repeats):
        for name, side in sides.items():
            started = time.perf_counter()
            side()
            seconds[name] = min(seconds[name], time.perf_counter() - started)
    return seconds


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    arguments = parser.parse_args()
    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    names = ("stock s", "ours s", "times", "floor", "validated", "first s", "GFLOP/s", "share")
    print(f"{'cohort':30}" + "".join(f"{name:>10}" for name in names))
    for row in arguments.rows.split(","):
        count, architecture, batch, floor = ROWS[row]
        networks, protocol = cohort(count, architecture), Protocol(batch_size=batch)
        median = sorted(networks, key=lambda n: n_parameters(n.architecture, data.n_features, data.n_classes))[
            count // 2
        ]
        units = sum(n.architecture[0] if n.architecture else data.n_classes for n in networks)
        train, first = population_epoch(networks, data, protocol, validate=False)
        sides = {
            "train": train,
            "validate": population_epoch(networks, data, protocol, validate=True)[0],
            "stock": stock_epoch(median, data, protocol, validate=False),
            "stock validate": stock_epoch(median, data, protocol, validate=True),
            "products": products(units, data, batch),
        }
        seconds = best(sides, arguments.repeats)
        keras.backend.clear_session()
        samples = n_batches(len(data.y_train), batch) * batch
        flops = samples * sum(own_flops(n, data) for n in networks)
        rate = samples * 4 * units * data.n_features / seconds["products"]
        print(
            f"{row:30}{seconds['stock']:10.3f}{seconds['train'] / count:10.4f}"
            f"{count * seconds['stock'] / seconds['train']:10.1f}{floor:10}"
            f"{count * seconds['stock validate'] / seconds['validate']:10.1f}{first - seconds['train']:10.2f}"
            f"{flops / seconds['train'] / 1e9:10.0f}{flops / seconds['train'] / rate:10.2f}",
            flush=True,
        )


def own_flops(network: Network, data: SearchData) -> int:
    """Of a sample's forward and backward pass: three products a layer, two in the first."""
    sizes = (data.n_features, *network.architecture, data.n_classes)
    products = [2 * fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes)]
    return 3 * sum(products) - products[0]


if __name__ == "__main__":
    main()
