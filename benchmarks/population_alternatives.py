"""Alternative ways to train 64 networks of 16 neurons at batch 128, compared with ours in one run.

    python -m benchmarks.population_alternatives

Each measurement runs in processes of its own. Printed:

- network-epochs a second of one process in shards of one thread each (ours), of one shard whose operations have all
  threads, of that compiled by XLA, and of one process a core;
- milliseconds of an optimizer step of Adam over the first kernel, in one pass (ours) and as Keras's own operations;
- the rate of the two large matrix products of a step in float32 and in bfloat16, through TensorFlow's own kernels
  outside XLA;
- milliseconds of these products on one thread, for a batch of MNIST: dense (ours), and by the kernel that skips zeros.
"""

import argparse
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable
from multiprocessing.synchronize import Barrier

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

REPEATS = 4
UNITS, FEATURES, BATCH, STEPS = 64 * 16, 784, 128, 398
CORES = os.cpu_count() or 1


def epoch_seconds(count: int, shards: int, threads: int | None, compiled: bool, ready: Barrier | None = None) -> float:
    """Return the seconds of the best epoch of `count` networks of 16; `ready` makes processes start together."""
    import tensorflow as tf

    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(shards)
    from benchmarks.population_speed import cohort, population_epoch
    from fewest.search.data.loading import load
    from fewest.search.settings.protocol import Protocol

    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    protocol = Protocol(batch_size=BATCH)
    epoch, _ = population_epoch(cohort(count, (16,)), data, protocol, validate=False, n=shards, compiled=compiled)
    if ready is not None:
        ready.wait()
    return _best(epoch)


def in_process(count: int, ready: Barrier, results: "multiprocessing.Queue[float]") -> None:
    """Train in one of several processes that train at the same time."""
    results.put(epoch_seconds(count, 1, 1, False, ready))


def side_by_side() -> float:
    """Return network-epochs a second of one process a core, one thread each; they share the 64 networks."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(CORES), context.Queue()
    count = 64 // CORES
    workers = [context.Process(target=in_process, args=(count, ready, results)) for _ in range(CORES)]
    for worker in workers:
        worker.start()
    taken = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return float(sum(count / seconds for seconds in taken))


def product_rate(kind: str) -> float:
    """Return the GFLOP/s of the two products in a number type."""
    import tensorflow as tf

    dtype = tf.as_dtype(kind)
    kernel = tf.cast(tf.random.normal((UNITS, FEATURES)), dtype)
    x = tf.cast(tf.random.normal((BATCH, FEATURES)), dtype)
    upstream = tf.cast(tf.random.normal((UNITS, BATCH)), dtype)

    def epoch() -> None:
        for _ in range(STEPS):
            tf.matmul(kernel, x, transpose_b=True)
            last = tf.matmul(upstream, x)
        last.numpy()

    return STEPS * 4 * UNITS * FEATURES * BATCH / _best(epoch) / 1e9


def products_milliseconds(units: int, skip_zeros: bool) -> float:
    """Return the time of the two products on one thread, for a batch of MNIST without its empty features."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    from fewest.search.data.loading import load

    images = load("mnist", validation="stratified", validation_share=0.15, seed=0)[0].x_train
    rows = images.reshape(len(images), -1)
    x = tf.constant(rows[:BATCH, rows.any(0)], tf.float32)
    kernel, upstream = tf.random.normal((x.shape[1], units)), tf.random.normal((BATCH, units))
    rows_of_units = tf.transpose(kernel), tf.transpose(upstream)

    def steps() -> None:
        for _ in range(STEPS):
            if skip_zeros:
                tf.matmul(x, kernel, a_is_sparse=True)
                tf.matmul(x, upstream, transpose_a=True, a_is_sparse=True)
            else:
                tf.matmul(rows_of_units[0], x, transpose_b=True)
                tf.matmul(rows_of_units[1], x)

    return 1000 * _best(steps) / STEPS


def adam_milliseconds(fused: bool) -> float:
    """Return the time of an optimizer step over the first kernel, with all threads."""
    import keras
    import tensorflow as tf

    kernel, first, second = (tf.Variable(tf.zeros((UNITS, FEATURES))) for _ in range(3))
    gradient, adam = tf.random.normal((UNITS, FEATURES)), keras.optimizers.Adam()
    handles = {"var": kernel.handle, "m": first.handle, "v": second.handle}
    powers = {"beta1_power": 0.9, "beta2_power": 0.999, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7, "lr": 1e-3}
    variable = keras.Variable(tf.zeros((UNITS, FEATURES)))
    adam.build([variable])

    @tf.function  # type: ignore[untyped-decorator]  # tensorflow is untyped
    def step() -> None:
        if fused:
            tf.raw_ops.ResourceApplyAdam(**handles, **powers, grad=gradient)
        else:
            adam.apply([gradient], [variable])

    def steps() -> None:
        for _ in range(STEPS):
            step()

    return 1000 * _best(steps) / STEPS


def _best(action: Callable[[], None]) -> float:
    seconds = []
    action()
    for _ in range(REPEATS):
        started = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def apart(function: Callable[..., float], *arguments: object) -> float:
    """Call a function in a new process, since a process cannot change its number of threads."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def main() -> None:
    """Measure every alternative."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    ways = {
        f"{CORES} shards of one thread each": (CORES, 1, False),
        "one shard, all threads": (1, None, False),
        "one shard, all threads, XLA": (1, None, True),
    }
    for way, settings in ways.items():
        print(f"{way:45}{64 / apart(epoch_seconds, 64, *settings):7.0f} network-epochs a second", flush=True)
    print(f"{f'{CORES} processes of one thread each':45}{side_by_side():7.0f} network-epochs a second", flush=True)
    for way, fused in (("Adam in one pass", True), ("Keras's Adam", False)):
        print(f"{way:45}{apart(adam_milliseconds, fused):7.2f} ms a step", flush=True)
    for kind in ("float32", "bfloat16"):
        print(f"{f'the two large products, {kind}':45}{apart(product_rate, kind):7.0f} GFLOP/s", flush=True)
    for units, (way, skip_zeros) in itertools.product((512, 2816), (("dense", False), ("skipping zeros", True))):
        milliseconds = apart(products_milliseconds, units, skip_zeros)
        print(f"{f'products of {units} units on a thread, {way}':45}{milliseconds:7.2f} ms a step", flush=True)


if __name__ == "__main__":
    main()
