"""A look at data before a study: how far softmax and a wide layer come, and targets between them.

Nothing is stored, and the test set stays sealed.
"""

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.errors import one_line
from fewest.search.data.samples import SearchData
from fewest.search.settings.config import StudyConfig
from fewest.search.settings.protocol import n_batches
from fewest.search.settings.seeds import search_order, trial_seed
from fewest.search.settings.space import Architecture, Network
from fewest.search.training.interface import Bystander, Engine

__all__ = ["Look", "look_at", "sensible_targets"]

ASKED: Final = (*(part / 20 for part in range(1, 20)), 0.96, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
"""Accuracies that people ask for."""

MOST_TARGETS: Final = 3

MOST_STEPS: Final = 5000
"""Optimizer steps of the look, beyond which it has fewer epochs than the study."""

SEEDS: Final = 3
"""Networks of each kind, of which the mean counts."""

MOST_CLASSES: Final = 10
"""Classes whose shares are listed."""


class Look(NamedTuple):
    """What a look found.

    Attributes:
        guessing: Share of the largest class.
        softmax: Mean validation accuracy of softmax alone; NaN if it failed to train.
        wide: Mean validation accuracy of a wide layer; NaN if it failed to train.
        width: Units of the wide layer.
        targets: Accuracies worth asking for.
        words: All of it in sentences.
    """

    guessing: float
    softmax: float
    wide: float
    width: int
    targets: tuple[float, ...]
    words: tuple[str, ...]


def look_at(data: SearchData, config: StudyConfig, engine: Engine, n_test: int) -> Look:
    """Train softmax and a wide layer, each from a few seeds, and choose targets.

    Args:
        data: Training and validation samples.
        config: Settings of a study on them.
        engine: What trains.
        n_test: Samples in the sealed test set, for the words.
    """
    width = config.space.max_width
    softmax, wide = _accuracies([(), (width,)], data, config, engine)
    counts = np.bincount(np.concatenate([data.y_train, data.y_validation]), minlength=data.n_classes).astype(np.int64)
    guessing = float(counts.max() / counts.sum())
    targets = sensible_targets(softmax, wide, guessing, len(data.y_validation))
    words = (
        f"{len(data.y_train):,} samples train, {len(data.y_validation):,} validate, {n_test:,} are the sealed test; "
        f"{data.n_features:,} inputs.",
        *(data.table.words if data.table else ()),
        f"Classes: {_shares(data, counts)}.",
        f"Guessing the largest class is right for {guessing:.1%}. Softmax alone reaches {softmax:.1%} of the "
        f"validation samples, and a layer of {width} units {wide:.1%}.",
        *(
            ["Softmax alone is as good as a wide layer here: hidden neurons may gain nothing."]
            if softmax >= wide - _error(wide, len(data.y_validation))
            else []
        ),
    )
    return Look(guessing, softmax, wide, width, targets, words)


def sensible_targets(softmax: float, wide: float, guessing: float, n_validation: int) -> tuple[float, ...]:
    """Choose accuracies that people ask for between softmax's and a wide network's; a few, and at least one.

    The highest leaves the wide network its standard error. If nothing lies between the two, the target is the highest
    that the better of them reaches.

    >>> sensible_targets(0.92, 0.985, 0.1, 10_000)
    (0.95, 0.97, 0.98)
    >>> sensible_targets(0.97, 0.96, 0.34, 30), sensible_targets(0.52, 0.5, 0.5, 100)
    ((0.9,), (0.5,))
    """
    reached = max((accuracy for accuracy in (softmax, wide) if not math.isnan(accuracy)), default=guessing)
    ceiling = reached - _error(reached, n_validation)
    floor = max(guessing, softmax) if softmax < wide else guessing
    between = [accuracy for accuracy in ASKED if floor < accuracy <= ceiling]
    if not between or softmax >= wide:
        return (max((accuracy for accuracy in ASKED if accuracy <= max(ceiling, guessing)), default=ASKED[0]),)
    places = {round(part * (len(between) - 1) / (MOST_TARGETS - 1)) for part in range(MOST_TARGETS)}
    return tuple(between[place] for place in sorted(places))


def _accuracies(
    architectures: Sequence[Architecture], data: SearchData, config: StudyConfig, engine: Engine
) -> list[float]:
    """Return the mean validation accuracy of each architecture over a few seeds; NaN if all failed to train."""
    steps = n_batches(len(data.y_train), config.training.batch_size)
    epochs = min(config.training.epochs, max(2, MOST_STEPS // steps))
    protocol = config.training.model_copy(update={"epochs": epochs})
    networks = [
        Network(architecture, trial_seed(config.seed, index))
        for architecture in architectures
        for index in range(SEEDS)
    ]
    n = engine.cohort_size(data, protocol, config.space.search_space())
    outcomes = [
        outcome
        for start in range(0, len(networks), n)
        for outcome in engine.train(
            networks[start : start + n], data, protocol, order=search_order(config.seed), watcher=Bystander()
        )
    ]
    found = []
    for start in range(0, len(outcomes), SEEDS):
        trained = [one.validation_accuracy for one in outcomes[start : start + SEEDS] if one.state == "complete"]
        found.append(fmean(trained) if trained else math.nan)
    return found


def _error(accuracy: float, n: int) -> float:
    """Return the standard error of an accuracy measured on `n` samples."""
    return math.sqrt(accuracy * (1 - accuracy) / n)


def _shares(data: SearchData, counts: NDArray[np.int64]) -> str:
    """List the classes with their shares, the first ones of many."""
    names = data.table.classes if data.table else range(len(counts))
    total = counts.sum()
    words = [f"{one_line(name)} {count / total:.1%}" for name, count in zip(names, counts, strict=True)]
    more = [f"{len(words) - MOST_CLASSES:,} more"] if len(words) > MOST_CLASSES else []
    return ", ".join([*words[:MOST_CLASSES], *more])
