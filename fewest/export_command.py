"""The command `fewest export`: choose a network of a study, load or retrain it, write it to a file, check the file."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.table import Table

from fewest.dashboards.console import err, out, say, show
from fewest.dashboards.found import Found, read_found, storage_at
from fewest.quiet import quiet_libraries
from fewest.search.answers.summary import NO_VALUE_YET
from fewest.search.answers.wording import accuracy_words
from fewest.search.export.selection import Choice, network_for_target, network_of_trial
from fewest.search.settings.config import shown
from fewest.search.settings.files import overridden
from fewest.search.settings.spelling import argument
from fewest.search.settings.targets import Asked, valued
from fewest.storage.errors import MisuseError
from fewest.storage.files.artifacts import Artifacts, read_kept
from fewest.storage.files.atomic import is_stdout
from fewest.storage.files.places import place_for

if TYPE_CHECKING:
    from fewest.search.data.samples import SealedTest, SearchData
    from fewest.search.export.export import ExportReport
    from fewest.search.export.recovery import Recovered

__all__ = ["Request", "export_network"]


class Request(NamedTuple):
    """A network of a study, as a user names it.

    Attributes:
        name: Name of the study.
        url: URL of the storage, which is only read.
        target: Target accuracy, 0..1, or a relative one: its answer is meant; None for a trial, or for the study's
            highest target that has a value.
        depth: Number of hidden layers of the answer; None for any.
        trial: Number of the trial; None for an answer.
        artifacts: Place of the study's artifacts; None for the storage's usual place.
        data_path: Path of the study's data, if they have moved. It is not stored, as the storage is only read.
    """

    name: str
    url: str
    target: Asked | None
    depth: int | None
    trial: int | None
    artifacts: str | None
    data_path: str | None

    def chosen(self) -> tuple[Found, Choice]:
        """Read the study and choose the network.

        Raises:
            MisuseError: There is no such study or network, or the options do not fit together.
        """
        if self.depth is not None and self.trial is not None:
            raise MisuseError("A depth goes with a target: a trial has the depth it has.")
        with storage_at(self.url) as connection:
            known = read_found(connection, self.name)
        if self.trial is not None:
            choice = network_of_trial(known.config, known.trials, self.trial)
        else:
            best = known.ours.best.accuracy if known.ours.best else None
            target = _accuracy_of(self.target, known, best)
            choice = network_for_target(known.config, known.trials, known.verified, target, self.depth, best)
        if choice.caution is not None:
            say(err(), choice.caution)
        return known, choice

    def had(self, known: Found, choice: Choice) -> "tuple[Recovered, SearchData, SealedTest]":
        """Load the study's data, and have the network again.

        Raises:
            MisuseError: The data have changed.
            RecoveryError: The network had to be trained again, and that failed.
        """
        from fewest.search.data.loading import load_for

        moved = [] if self.data_path is None else [("data.name", self.data_path)]
        config = overridden(known.config, moved)
        data, sealed = load_for(config)
        if data.fingerprint != known.ours.data.fingerprint:
            raise MisuseError(
                f"Study '{self.name}' was made on other data than {shown(config.data.name)} holds. "
                "Say with `--data PATH` where its data are."
            )
        return self.recovered(known, choice, data), data, sealed

    def recovered(self, known: Found, choice: Choice, data: "SearchData") -> "Recovered":
        """Have the network again, where its study's data are loaded.

        Raises:
            RecoveryError: The network had to be trained again, and that failed.
        """
        from fewest.search.export.recovery import recover

        with storage_at(self.url) as connection:
            kept = read_kept(connection, known.study.study_id)
        artifacts = Artifacts(place_for(self.url, "artifacts", self.artifacts))
        whole, told = known.ours.data.verifies_on_whole, partial(say, err())
        return recover(choice, known.config, data, kept, artifacts, told, verifies_on_whole=whole)


def _accuracy_of(target: Asked | None, known: Found, best: float | None) -> float:
    """Return the accuracy that a target stands for; None stands for the highest."""
    if target is not None and not isinstance(target, str):
        return target
    values = valued(known.config.budget.targets, best)
    found = [value.accuracy for value in values if target in (None, value.asked)]
    if found:
        return found[-1]
    if target in known.config.budget.targets or not values:
        asked = "Relative targets" if target is None else f"Target {target}"
        have = "have" if target is None else "has"
        raise MisuseError(
            f"{asked} of study '{known.study.name}' {have} {NO_VALUE_YET}. Choose a trial with ",
            argument("trial"),
            ".",
        )
    others = ", ".join(value.asked or f"{value.accuracy:g}" for value in values)
    raise MisuseError(f"The target must be one that study '{known.study.name}' has, {others}; got {target}.")


def export_network(request: Request, output: Path, *, fmt: str | None, tolerance: float | None) -> None:
    """Write a network of a study to a file, run the file on the test set, print its accuracy.

    Args:
        request: The network, by a target or a trial.
        output: Path of the file to write.
        fmt: Name in `fewest.search.export.export.FORMATS`; None chooses by the ending of `output`.
        tolerance: Test accuracy that may be lost, 0..1; None for the default.

    Raises:
        MisuseError: There is no such study or network, its data have changed, or the options do not fit together.
        ExportError: This format cannot hold the network, or loses too much accuracy.
        RecoveryError: The network had to be trained again, and that failed.
        RecordError: The network, or the file, is not as accurate as the study recorded.
    """
    if (request.target is None) == (request.trial is None):
        raise MisuseError("Name one network to export, either with `--target` or with `--trial`.")
    known, choice = request.chosen()

    quiet_libraries()
    from fewest.search.export.export import DEFAULT_TOLERANCE, check_request, export
    from fewest.search.export.record import Record
    from fewest.search.study.environment import changed_versions

    tolerance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    fmt = check_request(output, fmt, tolerance)
    (network, had), data, sealed = request.had(known, choice)
    versions, metric = changed_versions(known.ours.environment), known.config.data.metric
    record = Record(choice.words, choice.recorded, had, versions, metric)
    report = export(network, fmt, output, data, sealed.unseal(), tolerance=tolerance, record=record)
    _print(choice, report, sealed.n_samples, accuracy_words("test accuracy", metric))


def _print(choice: Choice, report: "ExportReport", n_test: int, accuracy: str) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    table.add_row("file", str(report.path))
    table.add_row("format", report.format)
    table.add_row("bytes", f"{report.bytes:,}")
    table.add_row("parameters", f"{report.parameters:,}")
    table.add_row(f"{accuracy} before export", f"{report.accuracy_before:.4f}")
    table.add_row(f"{accuracy} after export", f"{report.accuracy_after:.4f}")
    table.add_row("test labels changed", f"{report.labels_changed:,} of {n_test:,}")
    console = err() if is_stdout(report.path) else out()
    say(console, f"{choice.words}.")
    show(console, table)
    if report.inputs is not None:
        say(console, f"It takes your data as '{report.inputs}' says.")
