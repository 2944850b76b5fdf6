"""The command `fewest init`: look at data, and write a study file that fits them."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewest.dashboards.console import err, say
from fewest.progress import duration
from fewest.quiet import quiet_libraries
from fewest.search.settings.config import shown
from fewest.search.settings.files import checked
from fewest.search.settings.study_file import study_file
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import is_stream, require_output, write_whole

if TYPE_CHECKING:
    from fewest.search.data.samples import SearchData
    from fewest.search.settings.config import StudyConfig
    from fewest.search.training.interface import Engine

__all__ = ["write_study_file"]


def write_study_file(
    name: str, given: list[tuple[str, Any]], output: Path | None, *, rows: int | None, force: bool
) -> Path:
    """Look at data and write a study file with settings that fit them.

    Args:
        name: A data file's path, or the name of a data set.
        given: Settings that the user gave; the look chooses targets only where these have none.
        output: File to write; None for the study's name with `.toml` in the current folder.
        rows: Size of the sample that is used; None if all rows are.
        force: Whether a file that exists is replaced.

    Returns:
        The file.

    Raises:
        MisuseError: The file exists, or there are no such data.
        DataError: The data cannot be used.
    """
    from fewest.search.data.own_data import settings_for

    if name.endswith(".toml"):
        raise MisuseError(f"`fewest init` takes data, got the study file {shown(name)}; `fewest run` runs it.")
    settings = settings_for(name, rows)
    config = checked(settings, given)
    path = output or Path(f"{config.name}.toml")
    if path.exists() and not is_stream(path) and not force:
        raise MisuseError(
            f"{shown(str(path))} exists already. Overwrite it with `--force`, or choose another with `--output`."
        )
    require_output(path)
    write_whole(path, _looked(config, settings, given, path).encode())
    return path


def _looked(config: "StudyConfig", settings: dict[str, Any], given: list[tuple[str, Any]], path: Path) -> str:
    """Load the data, look at them, and return the text of the study file."""
    quiet_libraries()
    from fewest.search.data.loading import load_for
    from fewest.search.look import look_at
    from fewest.search.training.engines import ENGINES

    data, sealed = load_for(config)
    say(err(), "Looking at the data: softmax and a wide layer train for a moment.")
    chosen = [*_fitting(data), *given]
    if data.table:
        chosen.append(("data.label", data.table.label))
    config = checked(settings, chosen)
    engine = ENGINES[config.engine]()
    look = look_at(data, config, engine, sealed.n_samples)
    if not any(name == "budget.targets" for name, _ in given):
        config = checked(settings, [*chosen, ("budget.targets", list(look.targets))])
    for words in look.words:
        say(err(), words)
    seconds = f"The answer will take {duration(_seconds(config, data, engine))} on this machine, as a first guess."
    say(err(), seconds)
    file = shlex.quote(f"{config.name}.toml" if is_stream(path) else str(path))
    return study_file(config, [*look.words, seconds], f"fewest run {file}", of_table=bool(data.table))


def _fitting(data: "SearchData") -> list[tuple[str, Any]]:
    """Return batch size and epochs for the rows that train and validate, of data that are no file to count them in."""
    from fewest.search.data.datasets import data_sets
    from fewest.search.data.own_data import schedule

    if data.name not in data_sets():
        return []
    batch_size, epochs = schedule(len(data.y_train) + len(data.y_validation))
    return [("training.batch_size", batch_size), ("training.epochs", epochs)]


def _seconds(config: "StudyConfig", data: "SearchData", engine: "Engine") -> float:
    from fewest.search.forecast import Forecast
    from fewest.search.training.cost import slowdown
    from fewest.search.training.engines import cost_of

    n_cohort = engine.cohort_size(data, config.training, config.space.search_space())
    return Forecast(config, cost_of(config, data).times(slowdown()), n_cohort).first(0, 0)
