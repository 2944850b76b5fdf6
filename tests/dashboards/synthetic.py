"""A study that never ran: trials, curves and verification results shaped like MNIST's, from a seed alone."""

import itertools
import math
import random
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from fewest.search.answers.answer import Answer, Findings, NoAnswer, TargetAnswer
from fewest.search.answers.evidence import SHARES
from fewest.search.answers.front import pareto_front, points_of
from fewest.search.answers.summary import FrontMember, Summary, TestAccuracy, TrialCounts
from fewest.search.settings.protocol import Protocol
from fewest.storage.trials.records import CurvePoint, TrialRecord, TrialState, VerifiedNetwork

MAX_EPOCHS = 15
START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
KNOWN = {0: 0.9246, 1: 0.3736, 2: 0.7141, 3: 0.8192}


def trial(number: int, state: TrialState = "complete", **changes: Any) -> TrialRecord:
    """One trial of a single layer of 4, with what a test cares about changed."""
    widths = changes.pop("widths", (4,))
    sizes = (784, *widths, 10)
    values: dict[str, Any] = {
        "trial_id": 1000 + number,
        "number": number,
        "state": state,
        "widths": widths,
        "neurons": sum(widths),
        "parameters": sum((n_in + 1) * n_out for n_in, n_out in itertools.pairwise(sizes)),
        "seed": number,
        "epochs": MAX_EPOCHS,
        "best_epoch": MAX_EPOCHS - 1,
        "seconds": 0.5,
        "validation_accuracy": 0.9 if state == "complete" else None,
        "reason": None,
        "started": START,
        "completed": START + timedelta(seconds=1),
    }
    return TrialRecord(**{**values, **changes})


def expected_accuracy(widths: Sequence[int]) -> float:
    """Roughly what MNIST gives: depends on the narrowest layer most, a little on the others."""
    if not widths:
        return 0.926
    narrow = min(widths)
    base = KNOWN.get(narrow) or 0.981 - 0.32 / narrow**0.95
    return min(0.984, base + 0.004 * (len(widths) - 1) * math.log1p(sum(widths) - narrow) / 3)


def make_study(n_trials: int = 120, seed: int = 0) -> tuple[list[TrialRecord], dict[int, list[CurvePoint]]]:
    """Trials and curves (by trial id) of a search with pruning."""
    rng = random.Random(seed)
    ladder = [(), *((2**power,) for power in range(8))]
    trials, curves = [], {}
    best: list[tuple[int, float]] = []
    for number in range(n_trials):
        widths = ladder[number] if number < len(ladder) else random_widths(rng)
        final = expected_accuracy(widths) + rng.gauss(0, 0.12 * (1 - expected_accuracy(widths)) ** 1.3)
        final = min(max(final, 0.1), 0.99)
        bar = max((accuracy for neurons, accuracy in best if neurons <= sum(widths)), default=0.0)
        hopeless = number > 30 and final < bar
        epochs = rng.choice([2, 3, 3, 4, 5, 7, 9]) if hopeless else MAX_EPOCHS
        state: TrialState = "fail" if number % 53 == 52 else "pruned" if hopeless else "complete"
        record = trial(
            number,
            state,
            widths=widths,
            epochs=epochs,
            validation_accuracy=final if state == "complete" else None,
            reason=f"could reach {final:.4f} at best, below {bar:.4f}" if hopeless else None,
            started=START + timedelta(seconds=number),
            completed=START + timedelta(seconds=number + 1),
        )
        trials.append(record)
        curves[record.trial_id] = curve(rng, final, epochs)
        if state == "complete":
            best.append((sum(widths), final))
    return trials, curves


def random_widths(rng: random.Random) -> tuple[int, ...]:
    return tuple(max(1, round(2 ** rng.uniform(0, 7))) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))


def curve(rng: random.Random, final: float, epochs: int) -> list[CurvePoint]:
    """Rises to `final` over a whole training, with noise that fades."""
    points = []
    for epoch in range(epochs):
        left = math.exp(-epoch / 3.5)
        accuracy = min(final * (1 - 0.18 * left) + rng.gauss(0, 0.008) * left, 0.995)
        points.append(CurvePoint(epoch, 1.2 - accuracy, accuracy + 0.003, 1.25 - accuracy, accuracy))
    return points


def make_verified(seed: int = 1, n_seeds: int = 12) -> list[VerifiedNetwork]:
    """Candidates around 0.95 in one layer and in two."""
    rng = random.Random(seed)
    candidates = [(), *((width,) for width in (6, 8, 10, 12, 13, 14, 16, 20, 32)), (10, 8), (12, 8), (14, 10)]
    return [
        VerifiedNetwork(
            widths,
            number,
            expected_accuracy(widths) + rng.gauss(0, 0.003),
            expected_accuracy(widths),
            15,
            0.4,
        )
        for widths in candidates
        for number in range(n_seeds)
    ]


def make_answer(trials: Sequence[TrialRecord], *, verified: bool) -> Summary:
    """What such a study has found."""
    by_number = {record.number: record for record in trials}
    states = Counter(record.state for record in trials)
    found = {"widths": (13,), "interval": (12, 14), "test_accuracy": 0.9512, "seeds": 20}
    answers: Findings = {
        "possible": Answer(neurons=12, **found),
        "typical": Answer(neurons=13, **found),
        "reliable": Answer(neurons=14, **found),
    }
    unreached = NoAnswer("not reached", 32, 33) if verified else NoAnswer("needs more seeds", None, 0)
    nothing: Findings = dict.fromkeys(SHARES, unreached)
    spread = TestAccuracy(mean=0.951, sd=0.002, min=0.947, max=0.955, seeds=20) if verified else None
    front = [by_number[point.trial] for point in pareto_front(points_of(trials))]
    likely = answers if verified else nothing
    return Summary(
        study="mnist",
        dataset="mnist",
        protocol=Protocol(protocol="one_cycle", epochs=MAX_EPOCHS, batch_size=128),
        classes=10,
        trials=TrialCounts.of(states),
        networks_trained=len(trials),
        epochs_trained=sum(record.epochs or 0 for record in trials),
        epochs_saved=sum(MAX_EPOCHS - (r.epochs or 0) for r in trials if r.state == "pruned"),
        seconds=61.5,
        front=tuple(
            FrontMember(r.number, r.widths or (), r.neurons, r.parameters, r.validation_accuracy, spread) for r in front
        ),
        targets=(
            TargetAnswer(0.9, likely, {}),
            TargetAnswer(0.95, likely, {0: nothing, 1: answers, 2: answers} if verified else {}),
            TargetAnswer(0.99, nothing, {}),
        ),
    )
