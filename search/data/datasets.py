"""From a name or a path to four arrays: a package's data set, a fetched one, or a user's table, arrays or images."""

import difflib
import stat
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fewest.search.data import openml
from fewest.search.data.errors import DataError, listed, one_line, reason
from fewest.search.data.fetched import MEASURES, fetched
from fewest.search.data.formats import FORMATS_IN_WORDS, format_of, is_data_file
from fewest.search.data.held_out import require_no_test, share_asked, with_test_part
from fewest.search.data.labelled import read_labelled
from fewest.search.data.npz import Arrays
from fewest.search.data.samples import TableInputs
from fewest.search.data.sampling import sampled
from fewest.search.data.tables import TABLE_SUFFIXES, is_table
from fewest.search.settings.config import IN_MEMORY, DataConfig, shown
from fewest.storage.errors import MisuseError

__all__ = ["data_sets", "find", "n_samples_of", "regular_file"]

PACKAGED: Final = {"breast_cancer": 569, "digits": 1_797, "iris": 150, "wine": 178}
"""Data sets that ship with scikit-learn, without a test part, and their samples."""

_KINDS: Final = {stat.S_IFDIR: "folder", stat.S_IFIFO: "named pipe", stat.S_IFSOCK: "socket"}
"""What a path may lead to instead of a file; all else is a device."""


def data_sets() -> list[str]:
    """Names that `load` knows.

    >>> data_sets()
    ['breast_cancer', 'cifar10', 'cifar100', 'digits', 'fashion_mnist', 'iris', 'mnist', 'wine']
    """
    return sorted([*PACKAGED, *MEASURES])


def n_samples_of(name: str) -> int:
    """Return the number of samples of one of `data_sets`, without its test part if it has one."""
    return PACKAGED[name] if name in PACKAGED else MEASURES[name].n_training


def find(name_or_path: str, choice: DataConfig) -> tuple[str, Arrays, TableInputs | None]:
    """Find a data set: its name, its arrays, and what was made of a table's columns; errors as for `loading.load`."""
    if name_or_path == IN_MEMORY:
        raise MisuseError(
            "The data of this study came from Python and are in no file. Continue it there: `fewest.search` with the "
            "same data, `name` and `storage`."
        )
    if name_or_path in data_sets():
        return name_or_path, sampled(_named(name_or_path, choice), choice.rows, name_or_path), None
    path = openml.fetched(name_or_path) if openml.is_openml(name_or_path) else _data_path(name_or_path)
    if is_table(path.name) and not path.is_dir():
        labelled = read_labelled(path, choice)
        return path.name, labelled.arrays, labelled.table
    format_ = format_of(path)
    _require_options(choice, name_or_path, format_.takes)
    return path.name, sampled(format_.read(path, choice), choice.rows, one_line(path.name)), None


def _named(name: str, choice: DataConfig) -> Arrays:
    _require_options(choice, name, ("test",))
    if name in PACKAGED:
        return with_test_part(*_packaged(name), share_asked(choice, name), name)
    require_no_test(choice, name)
    return fetched(name)


def _packaged(name: str) -> tuple[NDArray[np.float64] | NDArray[np.uint8], NDArray[np.int64]]:
    from sklearn import datasets

    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return (x.reshape(-1, 8, 8).astype(np.uint8) if name == "digits" else x), y


def _require_options(choice: DataConfig, name: str, takes: tuple[str, ...]) -> None:
    """Refuse what was chosen for a table where there is none."""
    usual = DataConfig(name=choice.name)
    for option in {"label", "ignore", "test", "group", "order"}.difference(takes):
        if getattr(choice, option) != getattr(usual, option):
            raise MisuseError(f"`data.{option}` is for tables ({listed(TABLE_SUFFIXES)}), not for {shown(name)}.")


def _data_path(name_or_path: str) -> Path:
    """Find the file or folder that a path leads to; errors as for `regular_file`."""
    path, mode = _looked_at(name_or_path)
    return path if stat.S_ISDIR(mode) else _regular(path, mode, name_or_path)


def regular_file(name_or_path: str) -> Path:
    """Find the file that a path leads to, without opening what might never end.

    Raises:
        MisuseError: The path leads nowhere, or to what is no file.
        DataError: It cannot be read.
    """
    return _regular(*_looked_at(name_or_path), name_or_path)


def _looked_at(name_or_path: str) -> tuple[Path, int]:
    """Return the path, and the mode of what it leads to."""
    if not name_or_path:  # Its path would be the current folder.
        raise MisuseError(_not_found(name_or_path))
    try:
        path = Path(name_or_path).expanduser()
        return path, path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise MisuseError(_not_found(name_or_path)) from None
    except PermissionError as error:
        raise DataError(f"The file {shown(name_or_path)} cannot be read: {error.strerror}.") from None
    except OSError as error:
        raise MisuseError(
            f"A data file must have a path that leads somewhere, got {shown(name_or_path)}: {error.strerror}."
        ) from None
    except (ValueError, RuntimeError) as error:  # NUL, text that the file system cannot encode, `~` of nobody
        raise MisuseError(
            f"A data file must have a path that leads somewhere, got {shown(name_or_path)}: {reason(error)}."
        ) from None


def _regular(path: Path, mode: int, name_or_path: str) -> Path:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "device")
        raise MisuseError(f"Data must be {FORMATS_IN_WORDS}, got the {kind} {shown(name_or_path)}.")
    return path


def _not_found(name_or_path: str) -> str:
    if is_data_file(name_or_path) or len(Path(name_or_path).parts) > 1:
        return (
            f"There is no file {shown(name_or_path)}. Say with `--data PATH` where it is, "
            f"or use one of {listed(data_sets())}."
        )
    near = difflib.get_close_matches(name_or_path.lower(), data_sets(), n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return (
        f"Unknown data set {shown(name_or_path)}.{hint} It must be one of {listed(data_sets())}, openml:NAME, "
        f"or the path of {FORMATS_IN_WORDS}."
    )
