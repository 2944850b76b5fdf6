"""A whole study, search and verification together, against the stock Keras loop, in one run.

    python -m benchmarks.whole_study [mnist] [--seed 0] [--set NAME=VALUE] [--stock-networks 10]

The study runs as `fewest run` does, from reading the data to the last figure. Then a random sample of the networks
that it trained is trained once more, as a user of Keras would: build, compile, `fit` for all epochs of the protocol
with validation, `evaluate` on the test set. Printed for both: networks a minute and network-epochs a minute. The first
counts a pruned network like one trained to its end, as the loop trains all of its own. The second does not count the
epochs that pruning saves.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fewest.dashboards.found import Found, found
from fewest.job import Manner, opened
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import load
from fewest.search.settings.space import Network

__all__ = ["Pace", "run_whole", "trained"]


class Pace(NamedTuple):
    """Networks and epochs trained in a number of seconds."""

    networks: int
    epochs: int
    seconds: float

    def __str__(self) -> str:
        """Write the pace as a line.

        >>> print(Pace(30, 450, 90.0))
            90.0 s     30 networks     450 epochs      20.0 networks a minute     300.0 network-epochs a minute
        """
        return (
            f"{self.seconds:8.1f} s  {self.networks:5d} networks  {self.epochs:6d} epochs  "
            f"{60 * self.networks / self.seconds:8.1f} networks a minute  "
            f"{60 * self.epochs / self.seconds:8.1f} network-epochs a minute"
        )


def run_whole(config: StudyConfig, url: str, *, quiet: bool = True) -> tuple[Found, float]:
    """Search and verify until nothing is left to do.

    Returns:
        The finished study as the storage holds it, and the seconds it took.
    """
    started = time.perf_counter()
    with opened(config, url, manner=Manner(quiet=quiet)) as job:
        job.work(lambda: False)
    return found(config.name, url), time.perf_counter() - started


def trained(known: Found) -> list[Network]:
    """Return every network that a study trained, even for one epoch; the search's come first."""
    searched = [
        Network(trial.widths, trial.seed)
        for trial in known.trials
        if trial.epochs and trial.widths is not None and trial.seed is not None
    ]
    return searched + [Network(network.widths, network.seed) for network in known.verified]


def stock_loop(networks: Sequence[Network], config: StudyConfig, at_most: float) -> Pace:
    """Train networks one after another with stock Keras: the first at least, the next while time is left."""
    import keras

    from fewest.search.data.loading import load_for
    from fewest.search.training.network import build, optimizer

    data, sealed = load_for(config)
    protocol, test = config.training, sealed.unseal()
    n_epochs: list[int] = []
    started = time.perf_counter()
    for network in networks:
        keras.utils.clear_session()
        model = build(network, data, protocol.activation)
        model.compile(optimizer(protocol, len(data.y_train)), "sparse_categorical_crossentropy", metrics=["accuracy"])
        stop = keras.callbacks.EarlyStopping("val_accuracy", patience=protocol.patience, restore_best_weights=True)
        history = model.fit(
            data.x_train,
            data.y_train,
            batch_size=protocol.batch_size,
            epochs=protocol.epochs,
            validation_data=(data.x_validation, data.y_validation),
            callbacks=[stop] if protocol.patience else [],
            verbose=0,
        )
        model.evaluate(test.x, test.y, batch_size=protocol.batch_size, verbose=0)
        n_epochs.append(len(history.epoch))
        if (seconds := time.perf_counter() - started) > at_most:
            break
    return Pace(len(n_epochs), sum(n_epochs), seconds)


def main() -> None:
    """Run both; print a line for each, and the ratio of their speeds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="mnist")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--stock-networks", type=int, default=10)
    parser.add_argument("--stock-seconds", type=float, default=300.0, help="start no further network after so long")
    given = parser.parse_args()
    config = load(given.study, [*given.overrides, f"seed={given.seed}"])
    with tempfile.TemporaryDirectory() as folder:
        known, seconds = run_whole(config, f"sqlite:///{Path(folder, 'study.db')}")
    networks, summary = trained(known), known.summary
    ours = Pace(len(networks), summary.epochs_trained, seconds)
    trials = summary.trials
    print(f"study {ours}")
    print(
        f"      {trials.complete} complete, {trials.pruned} pruned, {trials.failed} failed in the search, "
        f"{len(known.verified)} in the verification",
        flush=True,
    )
    chosen = np.random.default_rng(given.seed).permutation(len(networks))[: given.stock_networks]
    stock = stock_loop([networks[place] for place in chosen], config, given.stock_seconds)
    print(f"stock {stock}")
    print("      of " + ", ".join(str(networks[place].architecture) for place in chosen[: stock.networks]))
    in_networks = ours.networks / ours.seconds / (stock.networks / stock.seconds)
    in_epochs = ours.epochs / ours.seconds / (stock.epochs / stock.seconds)
    print(f"times as many a minute: networks {in_networks:.1f}, network-epochs {in_epochs:.1f}")


if __name__ == "__main__":
    main()
