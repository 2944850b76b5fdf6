"""Speed of a cohort that trains as one model, against stock Keras, one network after another, in one run.

    python -m benchmarks.population_speed [--repeats 3] [--rows 64x16@32,...]

Times an epoch of training, and one with validation. Our side uses the engine's model, with one thread an operation.
Stock Keras trains one network of the cohort's median size, in a process of its own with TensorFlow's own choice of
threads. Sides take turns, and the best turn of each counts. The matrix-product rate is that of the two large products
of a step alone, over all features, through TensorFlow's own kernels with all threads.
"""

import argparse
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf

from fewest.search.data.loading import load
from fewest.search.data.samples import SearchData
from fewest.search.settings.protocol import Protocol, n_batches
from fewest.search.settings.seeds import search_order
from fewest.search.settings.space import Network
from fewest.search.training.network import build, initial_weights, optimizer
from fewest.search.training.population.cohort_size import pays_to_compile
from fewest.search.training.population.layout import deal
from fewest.search.training.population.model import Population, n_shards, use_one_thread_per_operation
from fewest.search.training.population.program import DeviceData

ROWS = {
    "64x16@32": (64, (16,), 32, 60),
    "64x16@128": (64, (16,), 128, 60),
    "64 of the default space@128": (64, None, 128, 30),
    "1x16@32": (1, (16,), 32, 8),
}
"""Networks, architecture (None: drawn from the default space), batch size, floor."""


def cohort(count: int, architecture: tuple[int, ...] | None) -> list[Network]:
    """Return networks of one architecture, or drawn ones: depths uniform in 0..3, widths log-uniform in 1..128."""
    rng = np.random.default_rng(0)
    if architecture is not None:
        return [Network(architecture, seed) for seed in range(count)]
    depths = rng.integers(0, 4, count)
    widths = [np.exp(rng.uniform(0, np.log(129), depth)).astype(int).tolist() for depth in depths]
    return [Network(tuple(drawn), seed) for seed, drawn in enumerate(widths)]


def population_epoch(
    networks: Sequence[Network],
    data: SearchData,
    protocol: Protocol,
    *,
    validate: bool,
    n: int | None = None,
    compiled: bool | None = None,
) -> tuple[Callable[[], None], float]:
    """Prepare an epoch of a cohort, and time its first one.

    Args:
        networks: Networks of the cohort.
        data: Training and validation samples, usually of MNIST.
        protocol: Training protocol, used for its batch size.
        validate: Whether an epoch ends with validation.
        n: Number of shards; None for the engine's choice.
        compiled: Whether XLA compiles the step; None for the engine's choice.
    """
    architectures = tuple(network.architecture for network in networks)
    sizes = (data.n_features, data.n_classes, max(map(len, architectures)))
    if compiled is None:
        together = deal(architectures, *sizes, 1)
        compiled = pays_to_compile(together, len(data.y_train), protocol, epoch=0)
    shards = deal(architectures, *sizes, n or (1 if compiled else n_shards()))
    compiled_for = shards.layouts[0] if compiled else None
    device_data = DeviceData(data, protocol)
    model = Population(sizes[-1], len(shards.layouts), device_data.signature, compiled_for)
    weights = {i: initial_weights(n, data.n_features, data.n_classes) for i, n in enumerate(networks)}
    model.load(device_data, shards, weights, {}, 0)
    order = search_order(0).batches(0, len(data.y_train), protocol.batch_size)
    options = tf.data.Options()
    options.autotune.enabled = False
    epochs = tf.data.Dataset.from_tensors((order, validate)).with_options(options)

    def epoch() -> None:
        model.fit(epochs, verbose=0, shuffle=False)

    started = time.perf_counter()
    epoch()
    return epoch, time.perf_counter() - started


def stock_epoch(network: Network, data: SearchData, protocol: Protocol, validate: bool) -> Callable[[], None]:
    """Prepare an epoch of a stock network."""
    model = build(network, data, protocol.activation)
    model.compile(optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=["accuracy"])
    held_out = (data.x_validation, data.y_validation) if validate else None

    def epoch() -> None:
        model.fit(data.x_train, data.y_train, batch_size=protocol.batch_size, validation_data=held_out, verbose=0)

    epoch()
    return epoch


def products(n_units: int, data: SearchData, batch: int) -> Callable[[], None]:
    """Prepare the two large matrix products of each step of an epoch, and nothing else."""
    kernel, x = tf.random.normal((n_units, data.n_features)), tf.random.normal((batch, data.n_features))
    upstream = tf.random.normal((n_units, batch))

    def epoch() -> None:
        for _ in range(n_batches(len(data.y_train), batch)):
            tf.matmul(kernel, x, transpose_b=True)
            last = tf.matmul(upstream, x)
        last.numpy()

    epoch()
    return epoch


def sides_of(row: str, ours: bool) -> tuple[dict[str, Callable[[], None]], float]:
    """Return the actions of one side of a row by name, and the extra seconds of our first epoch."""
    count, architecture, batch, _ = ROWS[row]
    networks, protocol = cohort(count, architecture), Protocol(batch_size=batch)
    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    if ours:
        use_one_thread_per_operation()
        train, first = population_epoch(networks, data, protocol, validate=False)
        validated, _ = population_epoch(networks, data, protocol, validate=True)
        return {"train": train, "validate": validated}, first
    median = sorted(networks, key=lambda n: data.n_parameters(n.architecture))[count // 2]
    return {
        "stock": stock_epoch(median, data, protocol, validate=False),
        "stock validate": stock_epoch(median, data, protocol, validate=True),
        "products": products(n_first(networks, data), data, batch),
    }, 0.0


def side(row: str, ours: bool, asked: Connection) -> None:
    """Do each action asked for over the connection, and answer with its seconds."""
    sides, first = sides_of(row, ours)
    asked.send((list(sides), first))
    while name := asked.recv():
        started = time.perf_counter()
        sides[name]()
        asked.send(time.perf_counter() - started)


def best(row: str, repeats: int) -> tuple[dict[str, float], float]:
    """Return the seconds of the best turn of each action of both sides, and the extra seconds of our first epoch."""
    context = multiprocessing.get_context("spawn")
    seconds: dict[str, float] = {}
    pipes: dict[str, Connection] = {}
    processes = []
    first_epoch = 0.0
    for ours in (True, False):
        here, there = context.Pipe()
        processes.append(context.Process(target=side, args=(row, ours, there), daemon=True))
        processes[-1].start()
        names, first = here.recv()
        pipes |= dict.fromkeys(names, here)
        first_epoch = first_epoch or first
    for _ in range(repeats):
        for name, pipe in pipes.items():
            pipe.send(name)
            seconds[name] = min(seconds.get(name, float("inf")), pipe.recv())
    for pipe in set(pipes.values()):
        pipe.send("")
    for process in processes:
        process.join()
    return seconds, first_epoch


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rows", default=",".join(ROWS))
    arguments = parser.parse_args()
    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    names = ("stock s", "ours s", "times", "floor", "validated", "first s", "GFLOP/s", "share")
    print(f"{'cohort':30}" + "".join(f"{name:>10}" for name in names))
    for row in arguments.rows.split(","):
        count, architecture, batch, floor = ROWS[row]
        networks = cohort(count, architecture)
        seconds, first = best(row, arguments.repeats)
        samples = n_batches(len(data.y_train), batch) * batch
        flops = samples * sum(own_flops(n, data) for n in networks)
        rate = samples * 4 * n_first(networks, data) * data.n_features / seconds["products"]
        print(
            f"{row:30}{seconds['stock']:10.3f}{seconds['train'] / count:10.4f}"
            f"{count * seconds['stock'] / seconds['train']:10.1f}{floor:10}"
            f"{count * seconds['stock validate'] / seconds['validate']:10.1f}{first - seconds['train']:10.2f}"
            f"{flops / seconds['train'] / 1e9:10.0f}{flops / seconds['train'] / rate:10.2f}",
            flush=True,
        )


def n_first(networks: Sequence[Network], data: SearchData) -> int:
    """Return the number of units that read the samples."""
    return sum(network.architecture[0] if network.architecture else data.n_classes for network in networks)


def own_flops(network: Network, data: SearchData) -> int:
    """Return the operations of a sample's forward and backward pass: three products a layer, two in the first."""
    sizes = (data.n_features, *network.architecture, data.n_classes)
    products = [2 * fan_in * fan_out for fan_in, fan_out in itertools.pairwise(sizes)]
    return 3 * sum(products) - products[0]


if __name__ == "__main__":
    main()
