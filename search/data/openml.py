"""`openml:NAME` -> a table in the cache, fetched from openml.org by scikit-learn; from then on no network is needed."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from fewest.search.data.errors import DataError, FetchError, reason
from fewest.search.data.fetched import cache_folder, quiet_and_bounded
from fewest.search.settings.config import shown
from fewest.storage import extras
from fewest.storage.errors import MisuseError
from fewest.storage.files.atomic import replacing

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PREFIX", "fetched", "is_openml"]

PREFIX: Final = "openml:"


def is_openml(name: str) -> bool:
    """Say whether a data set is named as one of OpenML's."""
    return name.startswith(PREFIX)


def fetched(name: str) -> Path:
    """Return the path of a data set's table; its last column is the one that OpenML says to predict.

    Args:
        name: `openml:` and the data set's name or number there.

    Raises:
        MisuseError: No name follows.
        DataError: A package is missing.
        FetchError: The data set cannot be fetched, or cannot be kept as a table.
    """
    wanted = name.removeprefix(PREFIX)
    if not wanted.strip():
        raise MisuseError(f"`{PREFIX}` must be followed by a data set's name or number, such as openml:credit-g.")
    path = cache_folder() / f"openml-{quote(wanted, safe='')}.parquet"
    if not path.is_file():
        for package in ("pandas", "pyarrow"):
            extras.require(package, "tables", DataError, what="Reading a table")
        try:
            _kept(_frame(wanted), path)
        except Exception as error:  # a loader may fail in any way: no network, no such name, an odd table
            raise FetchError(
                f"The data set {shown(name)} could not be fetched from openml.org: {reason(error)[:200]}. "
                "Is the name right, and is there a network? Once fetched, it is kept."
            ) from error
    return path


def _frame(wanted: str) -> "pd.DataFrame":
    """Fetch a data set, with the columns to predict at the end."""
    import warnings

    from sklearn.datasets import fetch_openml

    which: dict[str, Any] = {"data_id": int(wanted)} if wanted.isdecimal() else {"name": wanted}
    with quiet_and_bounded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scikit-learn's, about several versions: it takes the oldest active one
        found = fetch_openml(**which, as_frame=True, parser="auto", cache=False, n_retries=1, delay=0.1)
    targets = [column for column in found.target_names if column in found.frame.columns]
    others = [column for column in found.frame.columns if column not in targets]
    return found.frame[[*others, *targets]]


def _kept(frame: "pd.DataFrame", path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, suffix=".parquet") as partial:
        frame.to_parquet(partial, index=False)
