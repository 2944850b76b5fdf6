"""Places for files that do not belong in a database: a folder, or a bucket of S3 or a compatible service.

A file appears complete or not at all. Workers on several machines need a shared place.

    place = place_at("s3://bucket/fewest")          # needs the extra `s3`
    place.write("16.keras", content)
"""

import contextlib
import io
import re
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from fewest.storage.database.urls import folder_beside, parse_url
from fewest.storage.errors import MisuseError, StorageError
from fewest.storage.extras import require
from fewest.storage.files.atomic import replacing

if TYPE_CHECKING:
    from optuna.artifacts import Boto3ArtifactStore

__all__ = ["Bucket", "Folder", "Place", "place_at", "place_for"]

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://")
_BUCKET = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)(?:/(.*))?")


class Place(Protocol):
    """A place that keeps files by name. All methods raise OSError where the place cannot be reached."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file; it replaces any file of that name."""

    def read(self, name: str) -> bytes | None:
        """Return a file's content; None if there is no such file."""

    def names(self, start: str) -> list[str]:
        """Return the names of all files that begin with `start`."""

    def delete(self, name: str) -> None:
        """Delete a file if it exists."""


def place_for(url: str, what: str, chosen: str | None = None) -> Place:
    """Return the chosen place, or else the storage's default; see `place_at` and `folder_beside`.

    >>> str(place_for("sqlite:////data/study.db", "artifacts"))
    '/data/study.db.artifacts'
    """
    return place_at(chosen or folder_beside(parse_url(url), what))


def place_at(where: str | Path) -> Place:
    """Return the place that a user named.

    Args:
        where: A folder, which need not exist, or `s3://BUCKET/PREFIX`.

    Raises:
        MisuseError: `where` is another kind of URL, or names no bucket.
        StorageError: `where` is a bucket, and boto3 is not installed.
    """
    if isinstance(where, Path) or not _SCHEME.match(where):
        return Folder(Path(where))
    if (parts := _BUCKET.fullmatch(where)) is None:
        raise MisuseError(f"Files must be kept in a folder or in s3://BUCKET/PREFIX, got {where!r}.")
    require("boto3", "s3", StorageError, what=f"Keeping files in {where}")
    return Bucket(parts[1], parts[2] or "")


class Folder:
    """A folder, created with its first file, and again after somebody deletes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __str__(self) -> str:
        return str(self.path)

    def write(self, name: str, content: bytes) -> None:
        """Write a temporary file, force it to disk and rename it."""
        try:
            self._write(name, content)
        except FileNotFoundError:  # The folder was deleted after it was made.
            self._write(name, content)

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        try:
            return (self.path / name).read_bytes()
        except FileNotFoundError:
            return None

    def names(self, start: str) -> list[str]:
        """See `Place.names`; includes a killed process's partial files, which begin with a dot."""
        return [path.name for path in self.path.glob("*") if path.name.startswith(start)]

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        (self.path / name).unlink(missing_ok=True)

    def _write(self, name: str, content: bytes) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        with replacing(self.path / name, to_disk=True) as temporary:
            temporary.write_bytes(content)


class Bucket:
    """Objects of one bucket whose keys begin with a prefix, through Optuna's artifact store.

    Credentials, region and endpoint (`AWS_ENDPOINT_URL`) come from boto3's own settings.
    """

    def __init__(self, bucket: str, prefix: str) -> None:
        self._bucket, self._prefix = bucket, f"{prefix.strip('/')}/".lstrip("/")

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def write(self, name: str, content: bytes) -> None:
        """See `Place.write`: S3 shows an object only once all of it has arrived."""
        with _clear_errors():
            self._store.write(self._prefix + name, io.BytesIO(content))

    def read(self, name: str) -> bytes | None:
        """See `Place.read`."""
        from optuna.artifacts.exceptions import ArtifactNotFound

        try:
            with _clear_errors(), self._store.open_reader(self._prefix + name) as reader:
                return reader.read()
        except ArtifactNotFound:
            return None

    def names(self, start: str) -> list[str]:
        """See `Place.names`."""
        with _clear_errors():
            pages = self._store.client.get_paginator("list_objects_v2")
            found = pages.paginate(Bucket=self._bucket, Prefix=self._prefix + start)
            return [each["Key"].removeprefix(self._prefix) for page in found for each in page.get("Contents", ())]

    def delete(self, name: str) -> None:
        """See `Place.delete`."""
        with _clear_errors():
            self._store.remove(self._prefix + name)

    @cached_property
    def _store(self) -> "Boto3ArtifactStore":
        from optuna.artifacts import Boto3ArtifactStore

        return Boto3ArtifactStore(self._bucket)


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    """Convert boto3's errors into an OSError of one line."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        raise OSError(" ".join(str(error).split())) from error
