"""What is wrong with a data set, in one line, and the words that such lines share."""

from collections.abc import Sequence

from fewest.search.settings.config import shown
from fewest.storage.errors import FewestError

__all__ = ["DataError", "FetchError", "listed", "one_line", "reason"]


class DataError(FewestError, ValueError):
    """A data set that was found but cannot be used; nothing was changed."""

    exit_status = 2


class FetchError(DataError):
    """A data set that could not be fetched. The request may be right: another try may work."""

    exit_status = 1


def one_line(text: object) -> str:
    """Return a name or a label as it is; quoted and escaped where it would break the line."""
    return str(text) if str(text).isprintable() else shown(str(text))


def listed(names: Sequence[str], most: int = 8) -> str:
    """List names on one line; of many, the first `most` and the number of the others."""
    words = [one_line(name) for name in names[:most]]
    more = [f"{len(names) - most:,} more"] if len(names) > most else []
    return ", ".join(words + more)


def reason(error: BaseException) -> str:
    """Return the first line of an exception's message, without its full stop."""
    lines = str(error).strip().splitlines()
    line = lines[0].rstrip(".") if lines else ""
    return "".join(character for character in line if character.isprintable()) or type(error).__name__
