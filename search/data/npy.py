"""Two `.npy` files -> samples and labels; `--label` names the second one."""

from pathlib import Path

from fewest.search.data.errors import DataError, listed, one_line
from fewest.search.data.held_out import share_asked, with_test_part
from fewest.search.data.npz import Arrays, read_npy
from fewest.search.settings.config import DataConfig, shown
from fewest.storage.errors import MisuseError

__all__ = ["read_pair"]


def read_pair(path: Path, choice: DataConfig) -> Arrays:
    """Read samples from a file and labels from the one that `choice.label` names; set test samples aside.

    Args:
        path: A regular file.
        choice: The path of the labels, and the share of the test samples. A file of labels that is not there is looked
            for beside the samples, since both may have moved.

    Raises:
        MisuseError: No file of labels is named.
        DataError: A file is no array, or the arrays do not fit together.
    """
    name = one_line(path.name)
    share = share_asked(choice, name)
    labels = _labels_of(path, choice.label)
    return with_test_part(read_npy(path), read_npy(labels), share, name)


def _labels_of(path: Path, label: str | None) -> Path:
    name = shown(path.name)
    if label is None:
        others = sorted(other.name for other in path.parent.glob("*.npy") if other.name != path.name)
        beside = f" Beside it: {listed(others)}." if others else ""
        raise MisuseError(f"`--label` must name the file with the labels of {name}, such as `--label y.npy`.{beside}")
    given = Path(label).expanduser()
    for labels in (given, path.parent / given.name):
        if labels.is_file():
            break
    else:
        raise MisuseError(f"`--label` must name the file with the labels of {name}, got {shown(label)}: no such file.")
    if labels.samefile(path):
        raise DataError(f"`--label` must name another file than that of the samples, got {shown(label)} for both.")
    return labels
