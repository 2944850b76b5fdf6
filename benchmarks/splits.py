"""How far does one split of training and validation samples move all seeds that train on it together?

    python -m benchmarks.splits [digits] [--width 8] [--splits 30] [--seeds 20] [--set NAME=VALUE]

Each split is that of a study of its own seed. On each, this trains networks of one hidden layer as verification does,
in two ways: on the split's training samples, and on the whole training file. For both it prints

- the mean test accuracy, and the standard deviation between seeds;
- the standard deviation between the splits' means, beside the standard error that the seeds alone leave: more than that
  is moved by what the seeds of a split share;
- how far the network that would be kept lies above the mean of its seeds;
- the seconds of training of a network.
"""

import argparse
import math
import time
from statistics import fmean, stdev
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from fewest.quiet import quiet_libraries

quiet_libraries()

from fewest.search.answers.results import merit  # noqa: E402  # after the libraries were told to be quiet
from fewest.search.data.loading import load_for  # noqa: E402
from fewest.search.data.samples import SearchData, TestData  # noqa: E402
from fewest.search.settings.config import StudyConfig  # noqa: E402
from fewest.search.settings.files import load, overridden  # noqa: E402
from fewest.search.settings.seeds import verification_order, verification_seed  # noqa: E402
from fewest.search.settings.space import Network  # noqa: E402
from fewest.search.training.engines import ENGINES  # noqa: E402
from fewest.search.training.interface import Bystander, Engine  # noqa: E402


class Seeds(NamedTuple):
    """The networks of one split.

    Attributes:
        accuracies: Test accuracy of each seed.
        kept: Test accuracy of the seed that would be kept.
        seconds: Seconds of training of a network.
    """

    accuracies: list[float]
    kept: float
    seconds: float


class _AtTheEnd(Bystander):
    """As in verification: no validation before the last epoch."""

    wants_curve = False


def trained(config: StudyConfig, data: SearchData, test: TestData, width: int, n: int, engine: Engine) -> Seeds:
    """Train seeds of one width as verification does, and score them."""
    networks = [Network((width,), verification_seed(config.seed, index)) for index in range(n)]
    started = time.perf_counter()
    order = verification_order(config.seed, 0)
    outcomes = engine.train(networks, data, config.training, order=order, watcher=_AtTheEnd())
    seconds = (time.perf_counter() - started) / n
    right = engine.right(networks, [of.weights for of in outcomes], *test, data, config.training)
    accuracies = right.mean(axis=1).tolist()
    worth = [merit(of.validation_accuracy, of.training_loss) for of in outcomes]
    return Seeds(accuracies, accuracies[worth.index(max(worth))], seconds)


def row(name: str, splits: list[Seeds]) -> list[str]:
    """Write a row of the table."""
    means, between = [fmean(split.accuracies) for split in splits], fmean(stdev(split.accuracies) for split in splits)
    above = fmean(split.kept - mean for split, mean in zip(splits, means, strict=True))
    error = between / math.sqrt(len(splits[0].accuracies))
    # The first cohort's seconds have its tracing.
    seconds = fmean(split.seconds for split in splits[1:] or splits)
    numbers = [fmean(means), between, stdev(means), error, above]
    return [name, *(f"{number:.5f}" for number in numbers), f"{seconds:.3f}"]


def main() -> None:
    """Train all, and print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="digits")
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--splits", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    found: dict[str, list[Seeds]] = {"the split's training samples": [], "the whole training file": []}
    engine = ENGINES["population"]()
    for seed in range(given.splits):
        config = overridden(load(given.study, given.overrides), [f"seed={seed}"])
        data, sealed = load_for(config)
        for splits, samples in zip(found.values(), (data, data.whole), strict=True):
            splits.append(trained(config, samples, sealed.unseal(), given.width, given.seeds, engine))
    table = Table(title=f"{given.study}, {given.width} neurons, {given.splits} splits of {given.seeds} seeds")
    headings = ("mean", "sd of seeds", "sd of splits' means", "standard error", "kept above mean", "s a network")
    for heading in ("trained on", *headings):
        table.add_column(heading, justify="right")
    for name, splits in found.items():
        table.add_row(*row(name, splits))
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
