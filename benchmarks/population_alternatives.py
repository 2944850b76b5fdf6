"""Two ways not taken of training 64 networks of 16 neurons at batch 128, beside the one taken, in one run.

    python -m benchmarks.population_alternatives

Printed: network-epochs a second of one process with all cores, and of one process a core with a thread each; and the
rate of the two large matrix products of a step in float32 and in bfloat16, through TensorFlow's own
kernels outside XLA.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

REPEATS = 4
UNITS, FEATURES, BATCH, STEPS = 64 * 16, 784, 128, 398


def epoch_seconds(count: int, threads: int | None, ready: "multiprocessing.Barrier | None" = None) -> float:  # type: ignore[valid-type]
    """Seconds of the best epoch of `count` networks of 16; `ready` makes processes start together."""
    import tensorflow as tf

    if threads is not None:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    from benchmarks.population_speed import best, cohort, population_epoch
    from search.datasets import load
    from search.protocol import Protocol

    data, _ = load("mnist", validation="stratified", validation_share=0.15, seed=0)
    epoch, _ = population_epoch(cohort(count, (16,)), data, Protocol(batch_size=BATCH), validate=False)
    if ready is not None:
        ready.wait()
    return best({"epoch": epoch}, REPEATS)["epoch"]


def in_process(count: int, threads: int, ready: object, results: "multiprocessing.Queue[float]") -> None:
    """One of several processes that train at the same time."""
    results.put(epoch_seconds(count, threads, ready))  # type: ignore[arg-type]


def side_by_side(processes: int) -> float:
    """Networks a second of several processes of one thread each, which share the 64 networks."""
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(processes), context.Queue()
    count = 64 // processes
    workers = [context.Process(target=in_process, args=(count, 1, ready, results)) for _ in range(processes)]
    for worker in workers:
        worker.start()
    taken = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return sum(count / seconds for seconds in taken)


def product_rate(kind: str) -> float:
    """GFLOP/s of the two products in a type of numbers."""
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


def _best(epoch: Callable[[], None]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        epoch()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def main() -> None:
    """Measures all four."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    cores = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        together = 64 / pool.apply(epoch_seconds, (64, None))
    print(f"one process, all threads:          {together:7.0f} network-epochs a second")
    print(f"{cores} processes of one thread each:   {side_by_side(cores):7.0f} network-epochs a second")
    for kind in ("float32", "bfloat16"):
        print(f"the two large products, {kind:9} {product_rate(kind):7.0f} GFLOP/s")


if __name__ == "__main__":
    main()
