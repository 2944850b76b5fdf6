"""The command line. Results go to stdout, progress and errors to stderr.

Exit status: 0 success, 1 failure, 2 misuse, 130 interrupted, 141 the reader of a pipe left. Only the commands that
train or serve import TensorFlow and Optuna. The other commands start at once.
"""

import json
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from fewest import __version__
from fewest.ending import Program, discard_results, ending_of, prepare_streams, tell
from fewest.options import (
    as_overrides,
    as_target,
    manner_given,
    rows_given,
    study_given,
    with_artifacts,
    with_budget,
    with_moved_data,
    with_names,
    with_places,
    with_quiet,
    with_rows,
    with_storage,
    with_study,
)

if TYPE_CHECKING:
    from fewest.job import Manner

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None, manner: "Manner | None" = None) -> None:
    """Run a command and exit. An error that a user can mend is one line; a bug keeps its traceback.

    Args:
        arguments: Words typed in a shell after the program's name; None takes those of this process.
        manner: Defaults of the commands that train, which their options override; None takes the usual ones.
    """
    prepare_streams()
    try:
        cli.main(arguments, prog_name="fewest", standalone_mode=False, obj=manner)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BaseException as error:
        ending = ending_of(error)
        if ending is None:
            raise
        status, said = ending
        discard_results(error)
        tell(said)
        sys.exit(status)


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """How many neurons does a network need to reach a given accuracy on a data set?

    Example: fewest run digits
    """


@cli.command()
@with_study
@with_budget
@with_quiet
@with_places
@with_storage
def run(url: str, quiet: bool, artifacts: str | None, checkpoints: str | None, **study: Any) -> None:
    """Create or continue STUDY: mnist, digits, notebook, a study file (.toml), or data.

    Data are a path or a name: a table (.csv, .tsv, .parquet, .feather, .arff, .jsonl), arrays (.npz, .npy), IDX
    files, a folder of images by class, iris, wine, breast_cancer, fashion_mnist, cifar10, cifar100, or openml:NAME.
    A name wins over a file or folder called so; write ./iris for these.

    Example: fewest run iris.csv --label species

    Example: fewest run mnist --trials 200 --set training.epochs=20

    Example: fewest run mnist --goal answer
    """
    from fewest.train_commands import run_study

    run_study(study_given(**study), url, manner=manner_given(quiet, artifacts, checkpoints))


@cli.command()
@click.argument("data")
@click.option("--name", help="Name of the study; by default the data's.")
@click.option("--seed", type=int, help="Seed of every random number in the study.")
@with_rows
@click.option("--output", metavar="FILE", help="File to write, or - for stdout; by default NAME.toml.")
@click.option("--force", is_flag=True, help="Overwrite the file if it exists.")
def init(data: str, name: str | None, seed: int | None, output: str | None, force: bool, **of_rows: Any) -> None:
    """Look at DATA and write a study file for them: what was found, and settings that fit, each with a comment.

    Example: fewest init iris.csv --label species
    """
    from fewest.init_command import write_study_file
    from fewest.storage.files.atomic import is_stdout, output_path

    overrides = [*as_overrides({"name": name, "seed": seed}), *rows_given(**of_rows)]
    target = output_path(output) if output else None
    path = write_study_file(data, overrides, target, rows=of_rows["rows"], force=force)
    click.echo(path, err=is_stdout(path))


@cli.command()
@with_study
@with_budget
@with_storage
def submit(url: str, **study: Any) -> None:
    """Create STUDY, or extend its budget, and leave the training to workers.

    Example: fewest submit mnist --trials 1000 --storage postgresql://me@server/studies
    """
    from fewest.train_commands import submit_study

    click.echo(submit_study(study_given(**study), url))


@cli.command()
@with_names
@with_moved_data
@with_quiet
@with_places
@with_storage
def worker(names: tuple[str, ...], idle: str, data: str | None, quiet: bool, url: str, **places: str | None) -> None:
    """Work on the studies NAME, or on every unfinished study in the storage. Start as many workers as you like.

    Example: fewest worker --idle wait --storage postgresql://me@server/studies
    """
    from fewest.workers import help_studies

    help_studies(names, url, wait=idle == "wait", manner=manner_given(quiet, **places), data_path=data)


@cli.command()
@with_names
@click.option(
    "--scheduler", metavar="ADDRESS", required=True, help="Address of the Dask scheduler, such as tcp://host:8786."
)
@click.option(
    "--workers", "n_workers", type=click.IntRange(1), required=True, help="Number of workers, each in its own process."
)
@with_places
@with_storage
def cluster(scheduler: str, n_workers: int, names: tuple[str, ...], idle: str, url: str, **places: str | None) -> None:
    """Keep workers running on an existing Dask cluster, and replace those that die. The storage must be PostgreSQL.

    Example: fewest cluster --scheduler tcp://host:8786 --workers 8 --storage postgresql://me@server/studies
    """
    from fewest.cluster import serve_on_cluster
    from fewest.job import Places

    serve_on_cluster(scheduler, n_workers, names, url, wait=idle == "wait", places=Places(**places))


@cli.command()
@click.argument("name")
@with_budget
@with_moved_data
@with_quiet
@with_places
@with_storage
def resume(
    name: str,
    trials: int | None,
    timeout: float | None,
    goal: str | None,
    data: str | None,
    quiet: bool,
    url: str,
    **places: str | None,
) -> None:
    """Continue the interrupted study NAME from its stored settings.

    Example: fewest resume mnist --trials 1000
    """
    from fewest.train_commands import resume_study

    given = {"budget.trials": trials, "budget.timeout": timeout, "budget.goal": goal, "data.name": data}
    resume_study(name, as_overrides(given), url, manner=manner_given(quiet, **places))


@cli.command()
@click.argument("name")
@click.option("--target", "targets", multiple=True, help="Another target, such as 0.96 or 'best - 0.01'; repeatable.")
@click.option("--seeds", type=int, help="Most seeds for each candidate.")
@with_moved_data
@with_quiet
@with_places
@with_storage
def verify(
    name: str,
    targets: tuple[str, ...],
    seeds: int | None,
    data: str | None,
    quiet: bool,
    url: str,
    **places: str | None,
) -> None:
    """Verify study NAME: retrain its candidates from more seeds, score them on the sealed test set.

    Example: fewest verify mnist --target 0.96 --seeds 40
    """
    from fewest.train_commands import verify_study

    more = {"budget.targets": list(targets) or None, "budget.verification_seeds": seeds, "data.name": data}
    verify_study(name, as_overrides(more), url, manner=manner_given(quiet, **places))


@cli.command()
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@with_storage
def answer(name: str, form: str, url: str) -> None:
    """Print the fewest neurons that study NAME found for each target accuracy.

    Example: fewest answer mnist --format json
    """
    from fewest.dashboards.found import found
    from fewest.read_commands import print_answer_of

    if form == "json":
        click.echo(json.dumps(found(name, url).summary.to_json(), indent=2))
    else:
        print_answer_of(name, url)


@cli.command()
@click.argument("names", metavar="NAME NAME...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.option("--output", metavar="FILE", help="HTML file to write instead, with the fronts; or - for stdout.")
@with_storage
def compare(names: tuple[str, ...], form: str, output: str | None, url: str) -> None:
    """Compare studies with the first NAME: settings that differ, and whether answers differ by more than chance.

    NAME@URL names a study in another storage.

    Example: fewest compare relu tanh --output activations.html
    """
    from fewest.compare_command import compare_studies
    from fewest.storage.files.atomic import output_path

    compare_studies(names, url, form, output_path(output) if output else None)


@cli.command()
@with_storage
def studies(url: str) -> None:
    """List the studies in the storage and their progress.

    Example: fewest studies --storage sqlite:///fewest.db
    """
    from fewest.dashboards.console import out
    from fewest.dashboards.found import all_studies
    from fewest.dashboards.text import print_studies

    print_studies(out(), all_studies(url))


@cli.command()
@click.argument("name")
@with_storage
def watch(name: str, url: str) -> None:
    """Show study NAME while it runs: front, answer so far, workers, learning curves, what was pruned. q leaves.

    Without a terminal, print how it stands and end.

    Example: fewest watch mnist --storage postgresql://me@server/studies
    """
    from fewest.watch_command import watch_study

    watch_study(name, url)


@cli.command()
@click.argument("file")
@with_storage
def backup(file: str, url: str) -> None:
    """Copy the storage, a SQLite file, to FILE. Studies may run meanwhile.

    The copy has no trained networks and no checkpoints: they lie in folders beside the storage.

    Example: fewest backup monday.db
    """
    from fewest.storage.files.atomic import output_path
    from fewest.storage.files.backup import back_up

    back_up(url, output_path(file))
    click.echo(file)


@cli.command()
@click.argument("name")
@click.option("--output", metavar="FILE", help="File to write, or - for stdout; by default NAME.html.")
@with_storage
def report(name: str, output: str | None, url: str) -> None:
    """Write a report of study NAME: one HTML file that opens offline.

    Example: fewest report mnist --output mnist.html
    """
    from fewest.read_commands import write_study_report
    from fewest.storage.files.atomic import is_stdout, output_path

    path = output_path(output) if output else Path(f"{name}.html")
    write_study_report(name, url, path)
    click.echo(path, err=is_stdout(path))


@cli.command()
@click.argument("name")
@click.option("--output", metavar="FOLDER", help="Folder to write to; by default NAME-figures.")
@click.option("--dark", is_flag=True, help="Draw on dark paper.")
@with_storage
def figures(name: str, output: str | None, dark: bool, url: str) -> None:
    """Write every figure of study NAME as SVG and PNG; this needs Chromium or Chrome.

    Example: fewest figures mnist --output docs/figures
    """
    from fewest.figures_command import write_figures
    from fewest.storage.files.atomic import output_path

    folder = output_path(output) if output else Path(f"{name}-figures")
    for path in write_figures(name, url, folder, dark=dark):
        click.echo(path)


@cli.command()
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


@cli.command()
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


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at; others need a password.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="Port; 0 takes any.")
@click.option("--edit", is_flag=True, help="Let the pages change studies; without it they only show them.")
@click.option(
    "--password-file", metavar="FILE", help="File with the password to ask for; or set FEWEST_DASHBOARD_PASSWORD."
)
@click.option("--open", "open_browser", is_flag=True, help="Open the dashboard in a browser.")
@with_artifacts
@with_storage
def dashboard(
    host: str,
    port: int,
    edit: bool,
    password_file: str | None,
    open_browser: bool,
    artifacts: str | None,
    url: str,
) -> None:
    """Serve optuna-dashboard and reports for the studies in the storage, for this machine alone and read-only.

    Example: fewest dashboard --port 8081 --open
    """
    from fewest.dashboards.console import err, say
    from fewest.dashboards.login import given_password
    from fewest.dashboards.server import serve
    from fewest.storage.files.artifacts import Artifacts
    from fewest.storage.files.places import place_for

    serve(
        url,
        host=host,
        port=port,
        artifact_store=Artifacts(place_for(url, "artifacts", artifacts)).store(),
        edit=edit,
        password=given_password(password_file, partial(say, err())),
        open_browser=open_browser,
    )


if __name__ == "__main__":
    main()
