"""The commands that train: they start, continue and verify studies. `init` looks at data by training for a moment."""

from typing import Any

import click

from fewest.command_line.options import (
    as_overrides,
    manner_given,
    rows_given,
    study_given,
    with_budget,
    with_moved_data,
    with_names,
    with_places,
    with_quiet,
    with_rows,
    with_storage,
    with_study,
)

__all__ = ["cluster", "init", "resume", "run", "submit", "verify", "worker"]


@click.command()
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


@click.command()
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


@click.command()
@with_study
@with_budget
@with_storage
def submit(url: str, **study: Any) -> None:
    """Create STUDY, or extend its budget, and leave the training to workers.

    Example: fewest submit mnist --trials 1000 --storage postgresql://me@server/studies
    """
    from fewest.train_commands import submit_study

    click.echo(submit_study(study_given(**study), url))


@click.command()
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


@click.command()
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


@click.command()
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


@click.command()
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
