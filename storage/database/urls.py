"""Storage URLs: parsed, and shown in messages without passwords. Nothing here opens a database."""

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from fewest.storage import DEFAULT_URL
from fewest.storage.database.dialects import dialect_of
from fewest.storage.errors import MisuseError

__all__ = ["folder_beside", "parse_url", "shown"]


def parse_url(url: str) -> URL:
    """Parse a storage URL; SQLite paths become absolute, PostgreSQL URLs name psycopg 3.

    Args:
        url: `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST:PORT/DATABASE` or the same with `postgres://`.

    Raises:
        MisuseError: The URL has none of these forms.

    >>> parse_url("postgres://me@example.org/studies").drivername
    'postgresql+psycopg'
    """
    typed = _harmless(url)
    if re.search(r"[\x00-\x1f\x7f]|%[01][0-9A-Fa-f]", url):
        raise MisuseError(f"`storage` must have no control characters in it, got {typed!r}. Name another.")
    scheme, colon, rest = url.partition(":")
    if scheme.startswith("postgres"):
        _check_encoded(rest, typed)
    try:
        # SQLAlchemy does not know the short name.
        parsed = make_url(f"postgresql{colon}{rest}" if scheme == "postgres" else url)
        dialect = dialect_of(parsed)
    except (ArgumentError, ValueError, KeyError):
        raise MisuseError(
            f"`storage` must be a URL such as {DEFAULT_URL} or postgresql://user@host/database, got {typed!r}."
        ) from None
    return dialect.normalised(parsed, typed)


def folder_beside(url: URL, what: str) -> Path:
    """Return the folder of a storage's files: beside a SQLite file, else in the working directory.

    Args:
        url: The result of `parse_url`.
        what: What the files are, such as `checkpoints`; ends the folder's name.

    >>> folder_beside(parse_url("sqlite:////data/study.db"), "checkpoints").as_posix()
    '/data/study.db.checkpoints'
    >>> folder_beside(parse_url("postgresql://me@example.org/studies"), "checkpoints").as_posix()
    'fewest.checkpoints'
    """
    stem = dialect_of(url).files_stem(url)
    return stem.with_name(f"{stem.name}.{what}")


def shown(url: URL) -> str:
    """Name a storage in a message: the file, or the server and database without the password.

    Args:
        url: The result of `parse_url`.

    >>> shown(parse_url("postgresql://me:secret@example.org/studies"))
    'postgresql://me@example.org/studies'
    """
    return dialect_of(url).shown(url)


def _check_encoded(rest: str, typed: str) -> None:
    """Refuse a user or password that is ambiguous or would be decoded to another text."""
    credentials = rest.rpartition("@")[0]
    if "@" in credentials or re.search(r"%(?![0-9A-Fa-f]{2})", credentials):
        raise MisuseError(
            "A user and a password in `storage` must be percent-encoded: @ as %40, % as %25, / as %2F, : as %3A and "
            f"# as %23, got {typed!r}."
        )


def _harmless(url: str) -> str:
    """Mask every part of a typed URL that could be a password."""
    url = re.sub(r"//.*@", "//***@", url, flags=re.DOTALL)
    if "@" not in url:  # The host may have been forgotten.
        url = re.sub(r"(//[^/:]+:)(?!\d+(?:[/?]|$)).*", r"\1***", url, flags=re.DOTALL)
    return re.sub(r"(?i)(pass\w*=)[^&]*", r"\1***", url)
