"""Do studies that differ in their seed alone give the same answers, and those of the exhaustive table?

    python -m benchmarks.agreement [mnist] [--seeds 0 1 2] [--storage sqlite:///agreement.db] [--set NAME=VALUE]
    python -m benchmarks.agreement digits --seeds $(seq 0 29) --set budget.goal=answer     # thirty small studies

The study of each seed runs whole, search and verification, as STUDY-SEED in the storage. A finished study is only read,
an interrupted one is continued. For every target, depth and answer this prints

- each study's number of neurons with its 95 % interval, if there are few of them;
- how many pairs of studies agree, which means that their intervals overlap;
- how many answers lie within the interval of another study;
- for MNIST by the protocol of the table (`benchmarks/verification_table.py`) the true answer: of softmax alone, of one
  hidden layer, and of the two together.

With two hidden layers and more an answer is about the shapes that its study chose. Studies may choose different ones,
so those pairs are counted apart. Two 95 % intervals of one answer share no size in at most 5 % of pairs. Exits with
status 1 if more of the other pairs disagree, or more intervals miss the true answer.
"""

import argparse
import itertools
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks.verification_coverage import covers, read_table
from benchmarks.whole_study import run_whole
from fewest.search.answers.answer import Answer, Finding
from fewest.search.answers.evidence import SHARES, Quantity
from fewest.search.answers.intervals import answer_targets
from fewest.search.answers.results import collect
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.files import load, overridden
from fewest.search.settings.space import Architecture

__all__ = ["Row", "extent", "rows"]

TABLE = Path(__file__).parent / "tables" / "mnist.csv.gz"
MOST_SHARE = 0.05
"""Largest share of disagreeing pairs, and of intervals that miss the true answer."""

MOST_COLUMNS = 5
"""Most studies whose answers are printed one by one."""

KNOWN_DEPTHS = {"any": (0, 1), "0": (0,), "1": (1,)}
"""Numbers of hidden layers in the table that give the true answer, by depth."""


class Row(NamedTuple):
    """One answer, from each study.

    Attributes:
        target: Target accuracy, in 0..1.
        depth: Number of hidden layers, or `any`.
        quantity: Name of the answer: `possible`, `typical` or `reliable`.
        findings: The answer of each study, in order.
        truth: The fewest neurons by the table; infinite if none of its widths is enough; None if it has no such depth.
    """

    target: float
    depth: str
    quantity: Quantity
    findings: Sequence[Finding]
    truth: float | None

    @property
    def n_pairs(self) -> int:
        """Number of pairs of studies."""
        return math.comb(len(self.findings), 2)

    @property
    def n_agreeing(self) -> int:
        """Number of pairs of studies whose intervals overlap."""
        pairs = itertools.combinations(map(extent, self.findings), 2)
        return sum(max(a[0], b[0]) <= min(a[1], b[1]) for a, b in pairs)

    @property
    def n_within(self) -> tuple[int, int]:
        """Number of answers that lie in another study's interval, and number of answers compared."""
        pairs = [(a, extent(b)) for a, b in itertools.permutations(self.findings, 2) if isinstance(a, Answer)]
        return sum(low <= answer.neurons <= high for answer, (low, high) in pairs), len(pairs)

    @property
    def n_true(self) -> int:
        """Number of studies whose interval holds the true answer; all studies if it is unknown."""
        if self.truth is None:
            return len(self.findings)
        truth = None if math.isinf(self.truth) else int(self.truth)
        return sum(covers(finding, truth) for finding in self.findings)


def extent(finding: Finding) -> tuple[float, float]:
    """Return the interval of the number of neurons; without an answer it has no upper end."""
    return finding.interval if isinstance(finding, Answer) else (finding.at_least, math.inf)


def rows(
    studies: Sequence[Mapping[Architecture, Sequence[float]]],
    targets: Sequence[float],
    table: Mapping[Architecture, Sequence[float]] | None,
) -> Iterator[Row]:
    """Yield every answer that all of the studies give.

    Args:
        studies: Test accuracies of each architecture, for each study.
        targets: Target accuracies, in 0..1.
        table: Test accuracies of each architecture in the exhaustive table; None without a table.
    """
    for answers in zip(*(answer_targets(results, targets) for results in studies), strict=True):
        by_depth = [{"any": one.overall, **{str(depth): of for depth, of in one.by_depth.items()}} for one in answers]
        for depth in (depth for depth in by_depth[0] if all(depth in found for found in by_depth)):
            for quantity in SHARES:
                truth = _truth(table, answers[0].accuracy, SHARES[quantity], depth)
                yield Row(answers[0].accuracy, depth, quantity, [found[depth][quantity] for found in by_depth], truth)


def _truth(
    table: Mapping[Architecture, Sequence[float]] | None, target: float, share: float, depth: str
) -> float | None:
    if table is None or depth not in KNOWN_DEPTHS:
        return None
    known = {widths: seen for widths, seen in table.items() if len(widths) in KNOWN_DEPTHS[depth]}
    return min((sum(widths) for widths, seen in known.items() if _share(seen, target) >= share), default=math.inf)


def _share(accuracies: Sequence[float], target: float) -> float:
    return sum(accuracy >= target - 1e-6 for accuracy in accuracies) / len(accuracies)


def _table_for(config: StudyConfig) -> Mapping[Architecture, Sequence[float]] | None:
    """Return the exhaustive table if its networks were trained with this study's protocol; else None."""
    made = load("mnist")
    return read_table(TABLE) if (config.data, config.training) == (made.data, made.training) else None


def _print(seeds: Sequence[int], found: Sequence[Row]) -> None:
    drawn = Table()
    columns = ["pairs agree", "answers within", "table", "intervals true"]
    shown = len(seeds) <= MOST_COLUMNS
    for heading in ("target", "hidden layers", "answer", *(f"seed {seed}" for seed in seeds if shown), *columns):
        drawn.add_column(heading, justify="right")
    for row in found:
        within, beside = row.n_within
        truth = ["", ""] if row.truth is None else [f"{row.truth:g}", f"{row.n_true} of {len(seeds)}"]
        drawn.add_row(
            f"{row.target:g}",
            row.depth,
            row.quantity,
            *(str(finding) for finding in row.findings if shown),
            f"{row.n_agreeing} of {row.n_pairs}",
            f"{within} of {beside}",
            *truth,
        )
    Console(width=160).print(drawn)


def _pairs_apart(found: Sequence[Row]) -> tuple[int, int]:
    """Count the pairs that disagree, and all pairs."""
    n_pairs = sum(row.n_pairs for row in found)
    return n_pairs - sum(row.n_agreeing for row in found), n_pairs


def main() -> int:
    """Run the missing studies, compare all, print the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("study", nargs="?", default="mnist")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--storage", default="sqlite:///agreement.db")
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="NAME=VALUE")
    given = parser.parse_args()
    config = load(given.study, given.overrides)
    studies = []
    for seed in given.seeds:
        named = overridden(config, [f"seed={seed}", f"name={config.name}-{seed}"])
        known, seconds = run_whole(named, given.storage, quiet=False)
        studies.append(collect(known.verified))
        print(f"seed {seed}: {known.summary.networks_trained} networks, {seconds:.0f} s in this run", flush=True)
    numbers = [asked for asked in config.budget.targets if isinstance(asked, float)]
    found = list(rows(studies, numbers, _table_for(config)))
    _print(given.seeds, found)
    shallow, deep = ([row for row in found if (row.depth in KNOWN_DEPTHS) == known] for known in (True, False))
    untrue = sum(len(given.seeds) - row.n_true for row in found)
    (apart, pairs), of_deep = _pairs_apart(shallow), "{} of {}".format(*_pairs_apart(deep))
    print(f"up to one hidden layer and over all {apart} of {pairs} pairs disagree, with more hidden layers {of_deep}")
    print(f"{untrue} intervals miss the table's answer")
    return int(apart > MOST_SHARE * pairs or untrue > MOST_SHARE * len(found) * len(given.seeds))


if __name__ == "__main__":
    sys.exit(main())
