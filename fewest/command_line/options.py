"""Options that several commands share, and what they make: a study's settings, a command's way of working."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from fewest.search.settings.config import EngineName, Goal, Metric
from fewest.search.settings.targets import parsed
from fewest.storage import DEFAULT_URL
from fewest.storage.errors import MisuseError

if TYPE_CHECKING:
    from fewest.job import Manner
    from fewest.search.settings.config import StudyConfig
    from fewest.search.settings.files import Override
    from fewest.search.settings.targets import Asked

__all__ = [
    "as_overrides",
    "as_target",
    "manner_given",
    "rows_given",
    "study_given",
    "with_artifacts",
    "with_budget",
    "with_moved_data",
    "with_names",
    "with_places",
    "with_quiet",
    "with_rows",
    "with_storage",
    "with_study",
]

Command = TypeVar("Command", bound=Callable[..., Any])


def as_target(text: str | None) -> "Asked | None":
    """Read a target that a study may have: an accuracy, or one relative to the best.

    Raises:
        MisuseError: It is neither.
    """
    if text is None:
        return None
    try:
        return float(text)  # Whoever looks for it says whether it can be an accuracy.
    except ValueError:
        try:
            return parsed(text, "`--target`")
        except ValueError as error:
            raise MisuseError(str(error)) from None


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
        click.option("--data", metavar="PATH", help="The data: a data set's name or a path, as for STUDY."),
    )
    return _with_all(with_rows(command), options)


def with_rows(command: Command) -> Command:
    """Add the options that say what the rows of a table are, and the targets."""
    options = (
        click.option(
            "--label",
            metavar="COLUMN",
            help="A table's column of labels, by default the last one; or the .npy file with the labels of STUDY.",
        ),
        click.option(
            "--ignore", multiple=True, metavar="COLUMN", help="A table's column that is no input; repeatable."
        ),
        click.option(
            "--test",
            metavar="SHARE|PATH",
            help="The test part, for data without one; by default a fifth of each class.",
        ),
        click.option("--group", metavar="COLUMN", help="A table's column of groups, none of which is split."),
        click.option("--order", metavar="COLUMN", help="A table's column of times: its last rows are the test."),
        click.option("--rows", type=int, help="Use a sample of so many rows, with every class's share."),
        click.option(
            "--target",
            "targets",
            multiple=True,
            metavar="ACCURACY",
            help="Accuracy to reach, such as 0.95 or 'best - 0.01'; repeatable.",
        ),
        click.option("--metric", type=click.Choice(get_args(Metric)), help="What an accuracy is; by default accuracy."),
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
    from fewest.job import Manner, Places

    given = click.get_current_context().obj or Manner()
    return replace(given, quiet=quiet, places=Places(artifacts, checkpoints))


def study_given(
    study: str,
    name: str | None,
    overrides: tuple[str, ...],
    seed: int | None,
    engine: str | None,
    data: str | None,
    trials: int | None,
    timeout: float | None,
    goal: str | None,
    **of_rows: Any,
) -> "StudyConfig":
    """Load the study file, or make settings for data, and apply those of `with_study` and others."""
    from fewest.search.data.datasets import data_sets
    from fewest.search.data.own_data import is_data, settings_for
    from fewest.search.settings.files import checked, load, shipped_studies, unknown_study

    given = {
        "name": name,
        "seed": seed,
        "engine": engine,
        "data.name": data,
        "budget.trials": trials,
        "budget.timeout": timeout,
        "budget.goal": goal,
    }
    changes: list[Override] = [*overrides, *as_overrides(given), *rows_given(**of_rows)]
    if is_data(study):
        return checked(settings_for(study, of_rows["rows"]), changes)
    if study not in shipped_studies() and not study.endswith(".toml"):
        raise unknown_study(study, data_sets())
    return load(study, changes)


def rows_given(
    label: str | None,
    ignore: tuple[str, ...],
    test: str | None,
    group: str | None,
    order: str | None,
    rows: int | None,
    targets: tuple[str, ...],
    metric: str | None,
) -> list[tuple[str, Any]]:
    """Return the options of `with_rows` as overrides of settings."""
    return as_overrides(
        {
            "data.label": label,
            "data.ignore": list(ignore) or None,
            "data.test": _share_or_path(test),
            "data.group": group,
            "data.order": order,
            "data.rows": rows,
            "data.metric": metric,
            "budget.targets": list(targets) or None,
        }
    )


def _share_or_path(test: str | None) -> float | str | None:
    try:
        return None if test is None else float(test)
    except ValueError:
        return test


def as_overrides(given: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return the options that were given as overrides of settings."""
    return [(name, value) for name, value in given.items() if value is not None]
