"""Checkpoints: arrays and a little JSON, in one file that is there whole or not at all.

A file is a magic number, the SHA-256 of all that follows, the header's length, the header as JSON (what the
caller calls `meta`, and each array's name, dtype and shape), and the arrays' bytes. It is written beside its
place, forced to disk and renamed into it. Nothing in it is executed when it is read.

    store = CheckpointStore(directory)
    store.save("study-7", {"kernel": kernel, "momentum": momentum}, {"epoch": 4},
    fence=leases.fences()[trial_id]) found = store.load("study-7")            # None: start again
"""

import contextlib
import errno
import hashlib
import json
import logging
import math
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from storage.errors import StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Checkpoint", "CheckpointStore", "is_due"]

COST_SHARE = 0.05
"""Of the time, at most, that checkpoints may take."""

_MAGIC = b"howmany1"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_SUFFIX = ".checkpoint"
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PLAIN_KINDS = "biufc"
"""NumPy's kinds of booleans, integers, floating-point and complex numbers: those that are nothing but their
bytes."""

_logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """What was saved. The arrays are fresh copies, free to be written to."""

    arrays: "dict[str, NDArray[Any]]"
    meta: dict[str, Any]


def is_due(since_last_seconds: float, cost_seconds: float, share: float = COST_SHARE) -> bool:
    """Whether saving again keeps checkpoints within their share of the time.

    Args:
        since_last_seconds: Since the last one was saved, or since training began.
        cost_seconds: What the last one took; 0 before the first.
        share: Of the time.

    >>> is_due(10.0, 0.4), is_due(10.0, 0.6)
    (True, False)
    """
    return since_last_seconds * share >= cost_seconds


class CheckpointStore:
    """A folder of checkpoints, made when the first is saved, and again if somebody deletes it.

    Args:
        directory: The folder. Workers on several machines need one that they share.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def save(self, key: str, arrays: "Mapping[str, NDArray[Any]]", meta: Mapping[str, Any], *, fence: int = 0) -> None:
        """Save a checkpoint and replace the key's earlier ones.

        Args:
            key: Letters, digits, `_`, `-` and `.`, which it must not begin with.
            arrays: Of booleans or numbers, by name, of any shape.
            meta: JSON values by key. Put in what tells whose state this is, and compare it after `load`: a
                database may have been replaced under the same folder.
            fence: The owner's lease's fence. A former owner, who has a lower one, cannot displace what is
                newer.

        Raises:
            ValueError: The key has other characters, or an array holds something else.
            StorageError: The disk is full, or the folder cannot be written; an earlier checkpoint is still
                there.
        """
        place = self._place(key, fence)
        content = _pack(arrays, meta)
        try:
            try:
                _write_atomically(place, content)
            except FileNotFoundError:  # The folder was deleted after it was made.
                _write_atomically(place, content)
            for older in self._files(key):
                if _fence_of(older) < fence:
                    older.unlink(missing_ok=True)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            step = "Make room" if full else "Check its permissions and its disk"
            raise StorageError(
                f"Checkpoints must be writable in {self.directory}, got: {error.strerror or error}. {step}, "
                "then continue with `howmany resume`."
            ) from error

    def load(self, key: str) -> Checkpoint | None:
        """The newest checkpoint of a key that is whole; the log has a notice of any that is damaged.

        Returns:
            None if there is none.

        Raises:
            ValueError: The key has other characters than `save` allows.
        """
        for path in sorted(self._files(key), key=_fence_of, reverse=True):
            try:
                return _unpack(path.read_bytes())
            except (OSError, ValueError, KeyError, TypeError) as error:
                _logger.warning("The checkpoint %s is damaged and passed over: %s", path, error)
        return None

    def remove(self, key: str) -> None:
        """Delete a key's checkpoints, and what a killed process left of them half-written.

        Never fails: what cannot be deleted is only logged.
        """
        half_written = self._matching(f".{key}.*.tmp", re.escape(f".{key}.") + r"\d{10,}\..*")
        for path in (*self._files(key), *half_written):
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                _logger.warning("The checkpoint %s could not be deleted: %s", path, error)

    def _place(self, key: str, fence: int) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"`key` must be letters, digits, '_', '-' and '.', got {key!r}.")
        return self.directory / f"{key}.{fence:010d}{_SUFFIX}"

    def _files(self, key: str) -> list[Path]:
        self._place(key, 0)
        return self._matching(f"{key}.*{_SUFFIX}", re.escape(f"{key}.") + r"\d{10,}" + re.escape(_SUFFIX))

    def _matching(self, glob: str, pattern: str) -> list[Path]:
        """The files of one key only, which a glob cannot tell from those of a longer key."""
        return [path for path in self.directory.glob(glob) if re.fullmatch(pattern, path.name)]


def _fence_of(path: Path) -> int:
    return int(path.name.removesuffix(_SUFFIX).rpartition(".")[2])


def _write_atomically(place: Path, content: bytes) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    key = place.name.removesuffix(_SUFFIX)
    temporary = place.with_name(f".{key}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(place)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    _sync_folder(place.parent)


def _sync_folder(folder: Path) -> None:
    """Force the renaming itself to disk, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _pack(arrays: "Mapping[str, NDArray[Any]]", meta: Mapping[str, Any]) -> bytes:
    import numpy as np

    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    for name, array in plain.items():
        if array.dtype.kind not in _PLAIN_KINDS:
            raise ValueError(f"A checkpoint's arrays must be of numbers, got {array.dtype} for {name!r}.")
    described = [
        # ascontiguousarray makes a vector of a scalar.
        {"name": name, "dtype": array.dtype.str, "shape": np.shape(arrays[name])}
        for name, array in plain.items()
    ]
    header = json.dumps({"meta": dict(meta), "arrays": described}).encode()
    body = b"".join(
        [len(header).to_bytes(_LENGTH_BYTES, "big"), header, *(array.tobytes() for array in plain.values())]
    )
    return _MAGIC + hashlib.sha256(body).digest() + body


def _unpack(content: bytes) -> Checkpoint:
    """The inverse of `_pack`.

    Raises:
        ValueError: It is not what `_pack` made.
    """
    view = memoryview(content)
    start = len(_MAGIC) + _DIGEST_BYTES
    if view[: len(_MAGIC)] != _MAGIC:
        raise ValueError("it is not a checkpoint of this version")
    body = view[start:]
    if hashlib.sha256(body).digest() != view[len(_MAGIC) : start]:
        raise ValueError("its checksum does not match")
    n_header = int.from_bytes(body[:_LENGTH_BYTES], "big")
    header = json.loads(bytes(body[_LENGTH_BYTES : _LENGTH_BYTES + n_header]))
    arrays = dict(_arrays(header["arrays"], body[_LENGTH_BYTES + n_header :]))
    return Checkpoint(arrays, header["meta"])


def _arrays(described: list[dict[str, Any]], data: memoryview) -> "Iterator[tuple[str, NDArray[Any]]]":
    import numpy as np

    at = 0
    for entry in described:
        dtype: np.dtype[Any] = np.dtype(entry["dtype"])
        n_values = math.prod(entry["shape"])
        yield (
            entry["name"],
            np.frombuffer(data, dtype, n_values, at).reshape(entry["shape"]).copy()
            if n_values
            else np.empty(entry["shape"], dtype),
        )
        at += n_values * dtype.itemsize
