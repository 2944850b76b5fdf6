"""What `fewest.search` returns: the answer to each target, the networks behind it, and the study they come from."""

import math
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewest.dashboards.found import Found, found, storage_at
from fewest.dashboards.text import answer_html, answer_text
from fewest.export_command import Request
from fewest.read_commands import write_study_report
from fewest.search.answers.answer import TargetAnswer
from fewest.search.answers.sentences import statements
from fewest.search.answers.summary import FrontMember
from fewest.storage.errors import MisuseError
from fewest.storage.trials.curves import read_curves

if TYPE_CHECKING:
    import numpy as np
    import optuna
    import plotly.graph_objects as go
    from numpy.typing import NDArray

    from fewest.search.data.given import Given
    from fewest.search.settings.keras_settings import keras

__all__ = ["NoTargetError", "StudyAnswer"]


class NoTargetError(MisuseError, KeyError):
    """An answer was asked for an accuracy that is not among its targets."""


class StudyAnswer:
    """The answer of a study on data in memory; it shows itself as a table in a terminal and in a notebook.

    Args:
        name: Name of the study.
        url: URL of its storage.
        data: The data that it was made on.

    Attributes:
        known: The study as its storage had it when the search ended.
        classes: Label of each class, in the order of a network's outputs.
        shift: What is taken away from float samples first: 0, or float64 of a sample's shape.
        divisor: What they are then divided by: 1, or float64 of a sample's shape.
    """

    def __init__(self, name: str, url: str, data: "Given") -> None:
        self.known: Found = found(name, url)
        self.classes: NDArray[Any] = data.classes
        self.shift, self.divisor = data.data.shift, data.data.divisor
        self._name, self._url, self._data = name, url, data

    def __getitem__(self, target: float | str) -> TargetAnswer:
        """Return the `TargetAnswer` to a target: `possible`, `typical` and `reliable` sizes, and those of each depth.

        Args:
            target: Accuracy in 0..1, or what was asked relative to the best, such as "best - 0.01".

        Raises:
            NoTargetError: It is not one of the targets.
        """
        for answer in self.targets:
            near = not isinstance(target, str) and math.isclose(answer.accuracy, target, abs_tol=1e-9)
            if near or answer.asked == target:
                return answer
        known = ", ".join(answer.asked or f"{answer.accuracy:g}" for answer in self.targets)
        raise NoTargetError(f"The target must be one of {known}, got {target!r}. Search with `targets=[{target!r}]`.")

    def __repr__(self) -> str:
        """Return the answer as a table."""
        return answer_text(self.known.summary, self._statements)

    def _repr_html_(self) -> str:
        return answer_html(self.known.summary, self._statements)

    @property
    def targets(self) -> tuple[TargetAnswer, ...]:
        """The answer to every target, lowest first, each a `TargetAnswer`."""
        return self.known.summary.targets

    @property
    def front(self) -> tuple[FrontMember, ...]:
        """The networks on the Pareto front by validation accuracy, from small to large, each a `FrontMember`."""
        return self.known.summary.front

    @cached_property
    def study(self) -> "optuna.Study":
        """The Optuna study."""
        import optuna

        from fewest.storage.trials.cohort_storage import optuna_storage

        return optuna.load_study(storage=optuna_storage(self._url, create=False), study_name=self._name)

    def model(
        self, target: float | str | None = None, *, depth: int | None = None, trial: int | None = None
    ) -> "keras.Model":
        """Return a trained network.

        Args:
            target: The typical answer's network for this target, the best of its seeds by training loss, or by
                validation accuracy where the protocol needs that; None for the highest target.
            depth: Number of hidden layers it must have; None for any.
            trial: Number of a trial whose network is meant instead.

        Returns:
            A network whose outputs are the probabilities of `classes`. It takes what `x` was: arrays like it as they
            are, data frames, sparse matrices and other types through `predict`. It is not compiled.

        Raises:
            MisuseError: There is no such network.
            RecoveryError: It had to be trained again, and that failed.
        """
        from fewest.api.model import PreparedModel

        request = Request(self._name, self._url, target, depth, trial, None, None)
        network, _ = request.recovered(*request.chosen(), self._data.data)
        return PreparedModel(network, self._data.prepare)

    def predict(self, x: Any, target: float | str | None = None) -> "NDArray[np.generic]":
        """Label other samples with the network of `model`.

        Args:
            x: Samples of the type and shape that the search had.
            target: As for `model`.

        Returns:
            A label for each sample, one of `classes`.
        """
        probabilities = self.model(target).predict(x, verbose=0)
        labels: NDArray[np.generic] = self.classes[probabilities.argmax(axis=1)]
        return labels

    def figure(self) -> "go.Figure":
        """Draw the front: size against validation accuracy, with every network that was tried."""
        from fewest.dashboards.front import plot_front
        from fewest.dashboards.style import in_metric

        with storage_at(self._url) as connection:
            curves = read_curves(connection, self.known.study.study_id)
        config, targets = self.known.config, [target.accuracy for target in self.targets]
        return in_metric(plot_front(self.known.trials, curves, targets), config.data.metric)

    def report(self, path: str | Path) -> None:
        """Write everything that was found as one HTML file, which opens offline.

        Raises:
            ReportError: The file cannot be written.
        """
        write_study_report(self._name, self._url, Path(path))

    @property
    def _statements(self) -> list[str]:
        return statements(self.known.summary, self.known.verified)
