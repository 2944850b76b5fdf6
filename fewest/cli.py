"""The command line. Results go to stdout, progress and errors to stderr.

Exit status: 0 success, 1 failure, 2 misuse, 130 interrupted, 141 the reader of a pipe left. Only the commands that
train or serve import TensorFlow and Optuna. The other commands start at once.
"""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fewest import __version__
from fewest.ending import Program, discard_results, ending_of, prepare_streams, tell
from fewest.storage import DEFAULT_URL

if TYPE_CHECKING:
    from fewest.search.settings.config import StudyConfig
    from fewest.search.settings.files import Override
    from fewest.train_commands import Manner

__all__ = ["main"]

Command = TypeVar("Command", bound=Callable[..., Any])


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


def _storage_option(command: Command) -> Command:
    return click.option(
        "--storage",
        "url",
        metavar="URL",
        envvar="FEWEST_STORAGE",
        default=DEFAULT_URL,
        show_default=True,
        help="Database with the studies; also read from FEWEST_STORAGE.",
    )(command)


def _artifacts_option(command: Command) -> Command:
    return click.option(
        "--artifacts",
        metavar="PLACE",
        envvar="FEWEST_ARTIFACTS",
        help="Folder or s3://BUCKET/PREFIX for trained networks; also read from FEWEST_ARTIFACTS. Default: "
        "FILE.artifacts beside a SQLite file, fewest.artifacts in the current folder with PostgreSQL. Several "
        "machines need a place that they share.",
    )(command)


def _places_options(command: Command) -> Command:
    checkpoints = click.option(
        "--checkpoints",
        metavar="PLACE",
        envvar="FEWEST_CHECKPOINTS",
        help="Folder or s3://BUCKET/PREFIX for checkpoints; also read from FEWEST_CHECKPOINTS. Without a checkpoint, "
        "a cohort restarts from its first epoch.",
    )
    return _artifacts_option(checkpoints(command))


def _budget_options(command: Command) -> Command:
    """Add the options for the study's budget. Budgets are totals: a larger one extends the study."""
    options = (
        click.option("--trials", type=int, help="Networks to train in all."),
        click.option("--timeout", type=float, metavar="SECONDS", help="Seconds of training in all."),
    )
    return _with_options(command, options)


def _study_options(command: Command) -> Command:
    """Add the study file as an argument, and the options that override its settings."""
    options = (
        click.argument("study"),
        click.option("--name", help="Name of the study in the storage; by default the file's."),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override any setting; repeatable."
        ),
        click.option("--seed", type=int, help="Seed of every random number in the study."),
        click.option("--engine", type=click.Choice(["population", "keras"]), help="How networks are trained."),
        click.option("--data", metavar="PATH", help="An .npz file with x_train, y_train, x_test, y_test."),
    )
    return _with_options(command, options)


def _names_options(command: Command) -> Command:
    """Add the names of the studies that a worker helps with, and the option to wait for more."""
    options = (
        click.argument("names", metavar="[NAME]...", nargs=-1),
        click.option(
            "--idle",
            type=click.Choice(["stop", "wait"]),
            default="stop",
            show_default=True,
            help="What to do when no study has work left: stop, or wait for the next.",
        ),
    )
    return _with_options(command, options)


def _moved_option(command: Command) -> Command:
    """Add the option for a data file that has moved."""
    return click.option(
        "--data",
        metavar="PATH",
        help="New path of the study's data file, if it has moved; its content must be the same.",
    )(command)


def _quiet_option(command: Command) -> Command:
    return click.option("--quiet", is_flag=True, help="Show no progress.")(command)


def _with_options(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """How many neurons does a network need to reach a given accuracy on a data set?

    Example: fewest run digits
    """


@cli.command()
@_study_options
@_budget_options
@_quiet_option
@_places_options
@_storage_option
def run(url: str, quiet: bool, artifacts: str | None, checkpoints: str | None, **study: Any) -> None:
    """Create or continue STUDY: mnist, digits, notebook, or the path of a TOML file.

    Example: fewest run mnist --trials 200 --set training.epochs=20
    """
    from fewest.train_commands import run_study

    run_study(_study_given(**study), url, manner=_manner(quiet, artifacts, checkpoints))


@cli.command()
@_study_options
@_budget_options
@_storage_option
def submit(url: str, **study: Any) -> None:
    """Create STUDY, or extend its budget, and leave the training to workers.

    Example: fewest submit mnist --trials 1000 --storage postgresql://me@server/studies
    """
    from fewest.train_commands import submit_study

    click.echo(submit_study(_study_given(**study), url))


@cli.command()
@_names_options
@_moved_option
@_quiet_option
@_places_options
@_storage_option
def worker(names: tuple[str, ...], idle: str, data: str | None, quiet: bool, url: str, **places: str | None) -> None:
    """Work on the studies NAME, or on every unfinished study in the storage. Start as many workers as you like.

    Example: fewest worker --idle wait --storage postgresql://me@server/studies
    """
    from fewest.workers import help_studies

    help_studies(names, url, wait=idle == "wait", manner=_manner(quiet, **places), data_path=data)


@cli.command()
@_names_options
@click.option(
    "--scheduler", metavar="ADDRESS", required=True, help="Address of the Dask scheduler, such as tcp://host:8786."
)
@click.option(
    "--workers", "n_workers", type=click.IntRange(1), required=True, help="Number of workers, each in its own process."
)
@_places_options
@_storage_option
def cluster(scheduler: str, n_workers: int, names: tuple[str, ...], idle: str, url: str, **places: str | None) -> None:
    """Keep workers running on an existing Dask cluster, and replace those that die. The storage must be PostgreSQL.

    Example: fewest cluster --scheduler tcp://host:8786 --workers 8 --storage postgresql://me@server/studies
    """
    from fewest.cluster import serve_on_cluster
    from fewest.train_commands import Places

    serve_on_cluster(scheduler, n_workers, names, url, wait=idle == "wait", places=Places(**places))


@cli.command()
@click.argument("name")
@_budget_options
@_moved_option
@_quiet_option
@_places_options
@_storage_option
def resume(
    name: str, trials: int | None, timeout: float | None, data: str | None, quiet: bool, url: str, **places: str | None
) -> None:
    """Continue the interrupted study NAME from its stored settings.

    Example: fewest resume mnist --trials 1000
    """
    from fewest.train_commands import resume_study

    given = {"budget.trials": trials, "budget.timeout": timeout, "data.name": data}
    resume_study(name, _as_overrides(given), url, manner=_manner(quiet, **places))


@cli.command()
@click.argument("name")
@click.option("--target", "targets", type=float, multiple=True, help="Another target accuracy; repeatable.")
@click.option("--seeds", type=int, help="Most seeds for each candidate.")
@_moved_option
@_quiet_option
@_places_options
@_storage_option
def verify(
    name: str,
    targets: tuple[float, ...],
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
    verify_study(name, _as_overrides(more), url, manner=_manner(quiet, **places))


@cli.command()
@click.argument("name")
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table", show_default=True)
@_storage_option
def answer(name: str, form: str, url: str) -> None:
    """Print the fewest neurons that study NAME found for each target accuracy.

    Example: fewest answer mnist --format json
    """
    from fewest.read_commands import found, print_answer_of

    if form == "json":
        click.echo(json.dumps(found(name, url).summary.to_json(), indent=2))
    else:
        print_answer_of(name, url)


@cli.command()
@_storage_option
def studies(url: str) -> None:
    """List the studies in the storage and their progress.

    Example: fewest studies --storage sqlite:///fewest.db
    """
    from fewest.dashboards.console import out
    from fewest.dashboards.text import print_studies
    from fewest.read_commands import all_studies

    print_studies(out(), all_studies(url))


@cli.command()
@click.argument("file")
@_storage_option
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
@_storage_option
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
@click.option("--target", type=float, help="Export the typical answer for this test accuracy.")
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
@_moved_option
@_artifacts_option
@_storage_option
def export(
    name: str,
    target: float | None,
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
    from fewest.export_command import export_network
    from fewest.storage.files.atomic import output_path

    export_network(
        name,
        url,
        output_path(output),
        target=target,
        depth=depth,
        trial=trial,
        fmt=fmt,
        tolerance=tolerance,
        artifacts=artifacts,
        data_path=data,
    )


@cli.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen at.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@_artifacts_option
@_storage_option
def dashboard(host: str, port: int, artifacts: str | None, url: str) -> None:
    """Serve optuna-dashboard for the studies in the storage.

    Example: fewest dashboard --port 8081
    """
    from fewest.dashboards.server import serve
    from fewest.storage.files.artifacts import Artifacts
    from fewest.storage.files.places import place_for

    serve(url, host=host, port=port, artifact_store=Artifacts(place_for(url, "artifacts", artifacts)).store())


def _manner(quiet: bool, artifacts: str | None, checkpoints: str | None) -> "Manner":
    """Return the manner given to `main`, changed by `--quiet` and `_places_options`."""
    from fewest.train_commands import Manner, Places

    given = click.get_current_context().obj or Manner()
    return replace(given, quiet=quiet, places=Places(artifacts, checkpoints))


def _study_given(
    study: str,
    name: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    engine: str | None,
    data: str | None,
    trials: int | None,
    timeout: float | None,
) -> "StudyConfig":
    """Load the study file, with the settings given in `_study_options` and `_budget_options`."""
    from fewest.search.settings.files import load

    given = {
        "name": name,
        "seed": seed,
        "engine": engine,
        "data.name": data,
        "budget.trials": trials,
        "budget.timeout": timeout,
    }
    return load(study, [*overrides, *_as_overrides(given)])


def _as_overrides(given: dict[str, Any]) -> list["Override"]:
    """Return the options that were given as overrides of settings."""
    return [(name, value) for name, value in given.items() if value is not None]


if __name__ == "__main__":
    main()
