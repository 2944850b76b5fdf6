"""`fewest export`: a study's network chosen, had again, written to a file and checked."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from fewest.dashboards.console import err, out, say, show
from fewest.quiet import quiet_libraries
from fewest.read_commands import read_found, reading
from fewest.search.export.selection import Choice, network_for_target, network_of_trial
from fewest.search.settings.config import shown
from fewest.search.settings.files import overridden
from fewest.storage.errors import MisuseError
from fewest.storage.files.artifacts import Artifacts, read_kept
from fewest.storage.files.atomic import is_stdout
from fewest.storage.files.places import place_for

if TYPE_CHECKING:
    from fewest.search.export.export import ExportReport

__all__ = ["export_network"]


def export_network(
    name: str,
    url: str,
    output: Path,
    *,
    target: float | None,
    depth: int | None,
    trial: int | None,
    fmt: str | None,
    tolerance: float | None,
    artifacts: str | None,
    data_path: str | None = None,
) -> None:
    """Write a network of a study to a file, and print what running that file on the test set showed.

    Args:
        name: The study's name.
        url: The storage's URL; it is only read.
        output: The file to write.
        target: The accuracy whose answer is wanted; else None.
        depth: Hidden layers the answer must have; None for any.
        trial: The trial whose network is wanted; else None.
        fmt: One of `fewest.search.export.export.FORMATS`; None takes the one that `output` ends like.
        tolerance: Test accuracy that may be lost; None for the usual.
        artifacts: The folder with the study's artifacts, if not the storage's usual one.
        data_path: Where the study's data are now, if they have moved; not remembered, as the storage is only read.

    Raises:
        MisuseError: There is no such study or network, its data are others now, or the options do not fit.
        ExportError: The network cannot be had in this format, or not as accurate.
        RegainError: The network had to be trained again, and failed.
        RecordError: The network, or the file, is not as accurate as the study recorded.
    """
    if (target is None) == (trial is None):
        raise MisuseError("Name one network to export, either with `--target` or with `--trial`.")
    if depth is not None and trial is not None:
        raise MisuseError("`--depth` goes with `--target`: a trial has the depth it has.")
    with reading(url) as connection:
        known = read_found(connection, name)
        kept = read_kept(connection, known.study.study_id)
    config = known.config if data_path is None else overridden(known.config, [("data.name", data_path)])
    if trial is not None:
        choice = network_of_trial(config, known.trials, trial)
    else:
        assert target is not None
        choice = network_for_target(config, known.trials, known.verified, target, depth)
    announce = partial(say, err())
    if choice.caution is not None:
        announce(choice.caution)

    quiet_libraries()
    from fewest.search.data.loading import load_for
    from fewest.search.export.export import DEFAULT_TOLERANCE, check_request, export
    from fewest.search.export.record import Record
    from fewest.search.export.recovery import regain
    from fewest.search.study.environment import changed_versions

    tolerance = DEFAULT_TOLERANCE if tolerance is None else tolerance
    fmt = check_request(output, fmt, tolerance)
    data, sealed = load_for(config)
    if data.fingerprint != known.ours.data.fingerprint:
        raise MisuseError(
            f"Study '{name}' was made on other data than {shown(config.data.name)} holds. "
            "Say with `--data PATH` where its data are."
        )
    network, had = regain(choice, config, data, kept, Artifacts(place_for(url, "artifacts", artifacts)), announce)
    record = Record(choice.words, choice.recorded, had, changed_versions(known.ours.environment))
    report = export(network, fmt, output, data, sealed.unseal(), tolerance=tolerance, record=record)
    _print(choice, report, sealed.n_samples)


def _print(choice: Choice, report: "ExportReport", n_test: int) -> None:
    table = Table(show_header=False)
    table.add_column()
    table.add_column(justify="right", overflow="fold")
    table.add_row("file", str(report.path))
    table.add_row("format", report.format)
    table.add_row("bytes", f"{report.bytes:,}")
    table.add_row("parameters", f"{report.parameters:,}")
    table.add_row("test accuracy before export", f"{report.accuracy_before:.4f}")
    table.add_row("test accuracy after export", f"{report.accuracy_after:.4f}")
    table.add_row("test labels changed", f"{report.labels_changed:,} of {n_test:,}")
    console = err() if is_stdout(report.path) else out()
    say(console, f"{choice.words}.")
    show(console, table)
    if report.inputs is not None:
        say(console, f"It takes features as (x - shift) / divisor; both are in '{report.inputs}'.")
