"""Options that several commands share, and what they make: a study's settings, a command's way of working."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from fewest.search.settings.config import EngineName, Goal
from fewest.storage import DEFAULT_URL

if TYPE_CHECKING:
    from fewest.search.settings.config import StudyConfig
    from fewest.search.settings.files import Override
    from fewest.train_commands import Manner

__all__ = [
    "as_overrides",
    "manner_given",
    "study_given",
    "with_artifacts",
    "with_budget",
    "with_moved_data",
    "with_names",
    "with_places",
    "with_quiet",
    "with_storage",
    "with_study",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def with_storage(command: Command) -> Command:
    """Add the option for the storage."""
    return click.option(
        "--storage",
        "url",
        metavar="URL",
        envvar="FEWEST_STORAGE",
        default=DEFAULT_URL,
        show_default=True,
        help="Database with the studies; also read from FEWEST_STORAGE.",
    )(command)


def with_artifacts(command: Command) -> Command:
    """Add the option for the place of trained networks."""
    return click.option(
        "--artifacts",
        metavar="PLACE",
        envvar="FEWEST_ARTIFACTS",
        help="Folder or s3://BUCKET/PREFIX for trained networks; also read from FEWEST_ARTIFACTS. Default: "
        "FILE.artifacts beside a SQLite file, fewest.artifacts in the current folder with PostgreSQL. Several "
        "machines need a place that they share.",
    )(command)


def with_places(command: Command) -> Command:
    """Add the options for the places of trained networks and of checkpoints."""
    checkpoints = click.option(
        "--checkpoints",
        metavar="PLACE",
        envvar="FEWEST_CHECKPOINTS",
        help="Folder or s3://BUCKET/PREFIX for checkpoints; also read from FEWEST_CHECKPOINTS. Without a checkpoint, "
        "a cohort restarts from its first epoch.",
    )
    return with_artifacts(checkpoints(command))


def with_budget(command: Command) -> Command:
    """Add the options for the study's budget. Budgets are totals: a larger one extends the study."""
    options = (
        click.option("--trials", type=int, help="Networks to train in all."),
        click.option("--timeout", type=float, metavar="SECONDS", help="Seconds of training in all."),
        click.option(
            "--goal",
            type=click.Choice(get_args(Goal)),
            help="Where to end: with the answers, a level front as well (default), or answers for every depth, too.",
        ),
    )
    return _with_all(command, options)


def with_study(command: Command) -> Command:
    """Add the study file as an argument, and the options that override its settings."""
    options = (
        click.argument("study"),
        click.option("--name", help="Name of the study in the storage; by default the file's."),
        click.option(
            "--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Override any setting; repeatable."
        ),
        click.option("--seed", type=int, help="Seed of every random number in the study."),
        click.option("--engine", type=click.Choice(get_args(EngineName)), help="How networks are trained."),
        click.option("--data", metavar="PATH", help="A table, or an .npz file with x_train, y_train, x_test, y_test."),
        click.option("--label", metavar="COLUMN", help="A table's column of labels; the last one by default."),
        click.option(
            "--ignore", multiple=True, metavar="COLUMN", help="A table's column that is no input; repeatable."
        ),
        click.option("--test", metavar="SHARE|PATH", help="A table's test rows; by default a fifth of each class."),
        click.option(
            "--target", "targets", type=float, multiple=True, metavar="ACCURACY", help="Accuracy to reach; repeatable."
        ),
    )
    return _with_all(command, options)


def with_names(command: Command) -> Command:
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
    return _with_all(command, options)


def with_moved_data(command: Command) -> Command:
    """Add the option for a data file that has moved."""
    return click.option(
        "--data",
        metavar="PATH",
        help="New path of the study's data file, if it has moved; its content must be the same.",
    )(command)


def with_quiet(command: Command) -> Command:
    """Add the option that hides progress."""
    return click.option("--quiet", is_flag=True, help="Show no progress.")(command)


def _with_all(command: Command, options: Sequence[Callable[[Command], Command]]) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def manner_given(quiet: bool, artifacts: str | None, checkpoints: str | None) -> "Manner":
    """Return the manner given to `main`, changed by `--quiet` and `with_places`."""
    from fewest.train_commands import Manner, Places

    given = click.get_current_context().obj or Manner()
    return replace(given, quiet=quiet, places=Places(artifacts, checkpoints))


def study_given(
    study: str,
    name: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    engine: str | None,
    data: str | None,
    label: str | None,
    ignore: tuple[str, ...],
    test: str | None,
    targets: tuple[float, ...],
    trials: int | None,
    timeout: float | None,
    goal: str | None,
) -> "StudyConfig":
    """Load the study file, or make settings for a data file, and apply those of `with_study` and `with_budget`."""
    from fewest.search.data.own_data import is_data, settings_for
    from fewest.search.settings.files import checked, load

    given = {
        "name": name,
        "seed": seed,
        "engine": engine,
        "data.name": data,
        "data.label": label,
        "data.ignore": list(ignore) or None,
        "data.test": _share_or_path(test),
        "budget.targets": list(targets) or None,
        "budget.trials": trials,
        "budget.timeout": timeout,
        "budget.goal": goal,
    }
    changes = [*overrides, *as_overrides(given)]
    return checked(settings_for(study), changes) if is_data(study) else load(study, changes)


def _share_or_path(test: str | None) -> float | str | None:
    try:
        return None if test is None else float(test)
    except ValueError:
        return test


def as_overrides(given: dict[str, Any]) -> list["Override"]:
    """Return the options that were given as overrides of settings."""
    return [(name, value) for name, value in given.items() if value is not None]
