"""A trained network as a file that other programs run: Keras, LiteRT (float32 or INT8) or ONNX, checked.

Every file takes raw samples as the data set holds them (uint8 pixels or float32 features; scaling is inside)
and returns class probabilities:

| format | samples at once | out |
|---|---|---|
| `keras` | any number | float32 |
| `onnx` | any number | float32 |
| `tflite` | 1 | float32 |
| `tflite-int8` | 1 | int8 `q`; the probability is `(q + 128) / 256` |

A network of this project is a few dense layers, so LiteRT and ONNX graphs are written down directly rather
than through a converter, by `litert` and `onnx`; `docs/measurements/export.md` has the measurements behind
that. Nothing is drawn at random: the same network gives the same bytes, but for `.keras`, whose archive
holds its date.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fewest.search.data.metrics import score
from fewest.search.data.samples import Images, SearchData, TestData
from fewest.search.export import litert, onnx
from fewest.search.export.inputs import beside, require_place, write_inputs
from fewest.search.export.layers import ExportError, optional
from fewest.search.export.record import Measured, Record
from fewest.search.settings.keras_settings import keras
from fewest.search.training.network import predict_labels, save
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import is_stream, replacing, require_writable

__all__ = ["DEFAULT_TOLERANCE", "FORMATS", "ExportError", "ExportReport", "check_request", "export", "format_of"]

DEFAULT_TOLERANCE: Final = 0.005
"""Test accuracy that an exported file may lose: half a percentage point."""


@dataclass(frozen=True)
class ExportReport:
    """What was written, and what running it showed.

    Attributes:
        path: The file.
        format: One of `FORMATS`.
        bytes: Size of the file.
        parameters: Trainable weights and biases, output layer included.
        accuracy_before: The Keras network's accuracy on the test set, by the data's metric.
        accuracy_after: The same for the file, run by the format's own runtime.
        labels_changed: Test samples that the file labels otherwise than the network, right or wrong.
        inputs: The file beside it that says how inputs are made from the data's numbers; None if they are the same.
    """

    path: Path
    format: str
    bytes: int
    parameters: int
    accuracy_before: float
    accuracy_after: float
    labels_changed: int
    inputs: Path | None


class _Format(NamedTuple):
    """How a format is recognised, written and run.

    Attributes:
        suffix: How its files end.
        packages: Optional modules it needs.
        write: Puts a network into a new file, calibrated on training samples where the format asks for it.
        run: The labels a file gives to samples: integer `(samples,)`.
    """

    suffix: str
    packages: tuple[str, ...]
    write: Callable[[keras.Sequential, Path, SearchData], None]
    run: Callable[[Path, Images], NDArray[np.intp]]


def export(
    network: keras.Sequential,
    fmt: str | None,
    path: str | os.PathLike[str],
    data: SearchData,
    test: TestData,
    *,
    tolerance: float = DEFAULT_TOLERANCE,
    record: Record | None = None,
) -> ExportReport:
    """Write a network to a file, run the file on the test set, and keep it if it is as good as the network.

    Where the data's loader has standardised features, the file takes them so; NAME.inputs.json beside it says how.

    The file appears under its name complete and checked, or not at all; until then an older one stays.

    Args:
        network: As `training.network.build` makes it, trained. Compiled or not makes no difference to the file.
        fmt: One of `FORMATS`; None takes the one that `path` ends like.
        path: The file to write; must end like the format's files do. Its folder must exist. A pipe, a device or
            stdout is written into, whatever its name.
        data: Gives INT8 its calibration samples: the search's training samples, on which verified networks train, too.
        test: What both the network and the file are scored on.
        tolerance: Accuracy that may be lost, 0 to 1.
        record: What the network's study knows of it, which both the network and the file must agree with; None if
            it has none.

    Raises:
        MisuseError: Unknown format, a name that does not fit it, a tolerance out of range, or a path that
            cannot be written.
        RecordError: The network or the file is not as accurate as recorded.
        ExportError: A package is missing, the network has layers that the format cannot hold or weights
            that are not finite, or the file loses more than `tolerance`.
    """
    path = Path(path)
    name = check_request(path, fmt, tolerance)
    form = FORMATS[name]
    require_place(path, data)
    _require_finite(network)
    samples = {"validation": TestData(data.x_validation, data.y_validation), "test": test}
    before = {which: predict_labels(network, of.x) for which, of in samples.items()}
    if record is not None:
        record.require_network({which: Measured.of(data.metric, of.y, before[which]) for which, of in samples.items()})
    with _writing(path), replacing(path, suffix=form.suffix) as partial:
        partial.touch()  # fails now, with the reason, where nothing can be written; Keras would say less, later
        form.write(network, partial, data)
        report = _checked(_report(network, name, path, partial, before["test"], test, data), tolerance)
        if record is not None:
            after = {which: Measured.of(data.metric, of.y, form.run(partial, of.x)) for which, of in samples.items()}
            record.require_file(after, name, tolerance)
        write_inputs(path, data)
        return report


def check_request(path: Path, fmt: str | None, tolerance: float) -> str:
    """Refuse what no network could be exported as; for callers who have to train one first.

    Args:
        path: As for `export`.
        fmt: As for `export`.
        tolerance: As for `export`.

    Returns:
        The format.

    Raises:
        MisuseError: Unknown format, a name that does not fit it, a tolerance out of range, or a path that
            cannot be written.
        ExportError: A package is missing.
    """
    with _writing(path):
        name = _format_asked(path) if fmt is None else _checked_format(fmt, path)
    if not 0.0 <= tolerance <= 1.0:
        raise MisuseError(f"`tolerance` must be from 0 to 1, got {tolerance}.")
    with _writing(path):
        require_writable(path)
    for package in FORMATS[name].packages:
        optional(package)
    return name


def format_of(path: str | os.PathLike[str]) -> str:
    """Return the format of a file's name; `.int8.tflite` means INT8.

    Raises:
        MisuseError: No format's files end so.

    Example:
        >>> format_of("small.onnx"), format_of("small.tflite"), format_of("small.int8.tflite")
        ('onnx', 'tflite', 'tflite-int8')
    """
    name = Path(path).name.lower()
    if name.endswith(".int8.tflite"):
        return "tflite-int8"
    for fmt, form in FORMATS.items():
        if name.endswith(form.suffix):
            return fmt
    endings = ", ".join([*dict.fromkeys(form.suffix for form in FORMATS.values()), ".int8.tflite"])
    raise MisuseError(f"The output file must end in one of {endings}, got '{path}'.")


# --- Checks ----------------------------------------------------------------------------------------------


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the system says of an output into one line."""
    try:
        yield
    except BrokenPipeError:
        raise  # Whoever read has seen enough.
    except OSError as error:
        reason = error.strerror or error
        raise MisuseError(f"'{path}' must be a file that can be written, got: {reason}.") from error


def _format_asked(path: Path) -> str:
    if is_stream(path) and not path.suffix:
        raise MisuseError(f"`--format` must be given for an output whose name does not end in one, got '{path}'.")
    return format_of(path)


def _checked_format(fmt: str, path: Path) -> str:
    if fmt not in FORMATS:
        raise MisuseError(f"`format` must be one of {', '.join(FORMATS)}, got '{fmt}'.")
    if path.suffix.lower() != FORMATS[fmt].suffix and not is_stream(path):
        raise MisuseError(f"A file in format {fmt} must end in {FORMATS[fmt].suffix}, got '{path}'.")
    return fmt


def _require_finite(network: keras.Sequential) -> None:
    if not all(np.isfinite(weight).all() for weight in network.get_weights()):
        raise ExportError("A network must have finite weights to be exported; this one's training diverged.")


def _report(
    network: keras.Sequential,
    name: str,
    path: Path,
    partial: Path,
    before: NDArray[np.intp],
    test: TestData,
    data: SearchData,
) -> ExportReport:
    """Run the file written to `partial` on the test set, and compare it with the network's labels `before`."""
    after = FORMATS[name].run(partial, test.x)
    return ExportReport(
        path=path,
        format=name,
        bytes=partial.stat().st_size,
        parameters=sum(math.prod(weight.shape) for weight in network.trainable_weights),
        accuracy_before=score(data.metric, test.y, before),
        accuracy_after=score(data.metric, test.y, after),
        labels_changed=int(np.sum(before != after)),
        inputs=beside(path, data),
    )


def _checked(report: ExportReport, tolerance: float) -> ExportReport:
    """Refuse a file that loses more than it may."""
    # Both are shares of the same samples: a loss of exactly the tolerance must not fail by its last bit.
    if report.accuracy_before - report.accuracy_after > tolerance + 1e-9:
        raise ExportError(
            f"An exported file must not lose more than {tolerance:g} test accuracy; as {report.format} it fell from"
            f" {report.accuracy_before:.4f} to {report.accuracy_after:.4f}. Nothing was written: allow more"
            " with `tolerance`, or choose another format."
        )
    return report


# --- Keras -----------------------------------------------------------------------------------------------


def _write_keras(network: keras.Sequential, path: Path, data: SearchData) -> None:
    save(network, path)


def _run_keras(path: Path, x: Images) -> NDArray[np.intp]:
    return predict_labels(keras.models.load_model(path, compile=False), x)


FORMATS: Final[dict[str, _Format]] = {
    "keras": _Format(".keras", (), _write_keras, _run_keras),
    "tflite": _Format(".tflite", litert.PACKAGES, litert.write_float, litert.run),
    "tflite-int8": _Format(".tflite", litert.PACKAGES, litert.write_int8, litert.run),
    "onnx": _Format(".onnx", onnx.PACKAGES, onnx.write, onnx.run),
}
"""Every format, by name."""
