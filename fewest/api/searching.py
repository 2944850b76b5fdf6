"""`fewest.search`: how many neurons do these data need?

answer = fewest.search(x, y, targets=[0.90, 0.95])
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from fewest.search.settings.config import SettingsError

if TYPE_CHECKING:
    from fewest.api.answer import StudyAnswer

__all__ = ["search"]

TARGETS: Final = (0.90, 0.95)

ARGUMENTS: Final = {
    "data.name": "x",
    "data.label": "y",
    "budget.targets": "targets",
    "data.test": "test",
    "name": "name",
    "seed": "seed",
    "budget.trials": "trials",
    "budget.timeout": "timeout",
}
"""Settings that have an argument of their own."""


def search(
    x: Any,
    y: Any,
    *,
    targets: Sequence[float | str] | float | str = TARGETS,
    test: float | tuple[Any, Any] = 0.2,
    name: str = "search",
    storage: str | None = None,
    seed: int = 0,
    trials: int | None = None,
    timeout: float | None = None,
    settings: Mapping[str, Any] | None = None,
    progress: bool = True,
) -> "StudyAnswer":
    """Find how many neurons a network needs to reach each target accuracy on these data.

    The search trains networks of many sizes, and verifies the smallest candidates from many seeds on test samples that
    nothing else sees. Ctrl-C ends it after the epoch; the answer then holds what is known so far.

    Args:
        x: Samples: an array `(samples, features, ...)`, a sparse matrix, a data frame, or what `numpy.asarray` takes.
            Bytes and whole numbers in three or more axes are taken for pixels; all else is standardised. Columns of a
            data frame become inputs as those of a table in a file.
        y: Labels `(samples,)` of any type that sorts; for a data frame also the name of a column.
        targets: Test accuracies to reach, in 0..1, or relative to the best that the space can do: "best - 0.01"; one or
            several.
        test: Share of each class that is set aside for the test, or `(x_test, y_test)`.
        name: Name of the study.
        storage: URL of a storage, such as `sqlite:///mine.db`: called again with the same data, the study continues.
            None keeps the study in a temporary folder, which goes with the answer.
        seed: Seed of every random number.
        trials: Networks to train in the search; None for the default.
        timeout: Seconds that the search may train; None sets no limit. Verification comes after it.
        settings: Other settings of a study file by dotted name, such as `{"space.max_depth": 1}`. Those that name
            columns are for data frames: with `{"data.group": "patient"}` a patient's rows never train and test.
        progress: Whether to show progress.

    Returns:
        The answer, with its networks.

    Raises:
        DataError: The data cannot be what they are asked to be; also a ValueError.
        MisuseError: A setting is wrong, or the study exists with other settings or data; also a ValueError.
        NothingTrainedError: Every network failed.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> x, y = load_iris(return_X_y=True)
        >>> answer = search(x, y, targets=[0.9], trials=9, settings={"space.max_depth": 1}, progress=False)
        >>> answer[0.9].typical.neurons
        0
    """
    from fewest.api.running import by_name, interruptible, searched

    others = by_name(settings, ARGUMENTS)
    if not isinstance(storage, str | None):
        raise SettingsError(f"`storage` must be a URL such as 'sqlite:///mine.db', got {storage!r}.")
    several = [targets] if isinstance(targets, float | int | str) else list(targets)
    given = {"budget.trials": trials, "budget.timeout": timeout}
    asked = {"name": name, "seed": seed, "budget.targets": several}
    asked |= {setting: value for setting, value in given.items() if value is not None}
    with interruptible(progress) as should_stop:
        return searched(
            x,
            y,
            test=test,
            storage=storage,
            settings={**others, **asked},
            should_stop=should_stop,
            progress=progress,
        )
