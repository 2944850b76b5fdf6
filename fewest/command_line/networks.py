"""The commands that use a trained network of a study."""

import click

from fewest.command_line.options import as_target, with_artifacts, with_moved_data, with_storage

__all__ = ["export", "predict"]


@click.command()
@click.argument("name")
@click.option("--target", help="Export the typical answer to this target.")
@click.option("--depth", type=click.IntRange(min=0), help="With --target: number of hidden layers of the answer.")
@click.option("--trial", type=int, help="Export this trial's network.")
@click.option("--output", metavar="FILE", required=True, help="File to write, or - for stdout; - needs --format.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["keras", "tflite", "tflite-int8", "onnx"]),
    help="Format of the file; by default from its ending: .keras, .tflite, .int8.tflite or .onnx.",
)
@click.option(
    "--tolerance", type=click.FloatRange(0, 1), help="Test accuracy that the file may lose; by default 0.005."
)
@with_moved_data
@with_artifacts
@with_storage
def export(
    name: str,
    target: str | None,
    depth: int | None,
    trial: int | None,
    output: str,
    fmt: str | None,
    tolerance: float | None,
    data: str | None,
    artifacts: str | None,
    url: str,
) -> None:
    """Write a network of study NAME to a file that other programs run, and check that file on the test set.

    Choose the network by a target accuracy or by a trial. If it was not kept, it is trained again from the same seed.

    Example: fewest export mnist --target 0.95 --output mnist.tflite
    """
    from fewest.export_command import Request, export_network
    from fewest.storage.files.atomic import output_path

    request = Request(name, url, as_target(target), depth, trial, artifacts, data)
    export_network(request, output_path(output), fmt=fmt, tolerance=tolerance)


@click.command()
@click.argument("name")
@click.argument("rows")
@click.option("--target", help="Use the typical answer to this target; by default the highest.")
@click.option("--depth", type=click.IntRange(min=0), help="Number of hidden layers of the answer.")
@click.option("--trial", type=int, help="Use this trial's network.")
@click.option("--output", metavar="FILE", default="-", help="CSV file to write; by default stdout.")
@with_moved_data
@with_artifacts
@with_storage
def predict(
    name: str,
    rows: str,
    target: str | None,
    depth: int | None,
    trial: int | None,
    output: str,
    data: str | None,
    artifacts: str | None,
    url: str,
) -> None:
    """Label ROWS, another table, with a network of study NAME: write them as CSV, with label and probability.

    Example: fewest predict iris new.csv --target 0.95 --output labelled.csv
    """
    from fewest.export_command import Request
    from fewest.predict_command import predict_rows
    from fewest.storage.files.atomic import output_path

    if target is not None and trial is not None:
        raise click.UsageError("Name one network, either with --target or with --trial.")
    predict_rows(Request(name, url, as_target(target), depth, trial, artifacts, data), rows, output_path(output))
