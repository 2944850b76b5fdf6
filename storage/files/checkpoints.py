"""Checkpoints: arrays and a little JSON, in one file that appears complete or not at all.

A file holds a magic number, the SHA-256 of all that follows, the header's length, the header and the arrays' bytes.
The header is JSON: the caller's `meta`, and each array's name, dtype and shape. Reading a file executes no code.

    store = CheckpointStore(place_at("s3://bucket/fewest"))
    store.save("study-7", {"kernel": kernel, "momentum": momentum}, {"epoch": 4}, fence=leases.fences()[trial_id])
    found = store.load("study-7")            # None: start again
"""

import errno
import hashlib
import json
import logging
import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from fewest.storage.errors import StorageError
from fewest.storage.files.places import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Checkpoint", "CheckpointStore", "is_due"]

COST_SHARE = 0.05
"""Largest share of the time that checkpoints may take."""

_MAGIC = b"fewest1"
_DIGEST_BYTES = 32
_LENGTH_BYTES = 8
_SUFFIX = ".checkpoint"
_KEY = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*")
_PLAIN_KINDS = "biufc"
"""NumPy's kinds of booleans, integers, floating-point and complex numbers: dtypes without Python objects."""

_logger = logging.getLogger(__name__)


class Checkpoint(NamedTuple):
    """A saved state. The arrays are fresh, writable copies."""

    arrays: "dict[str, NDArray[Any]]"
    meta: dict[str, Any]


def is_due(since_last_seconds: float, cost_seconds: float) -> bool:
    """Say whether another checkpoint now would stay within `COST_SHARE` of the time.

    Args:
        since_last_seconds: Seconds since the last checkpoint, or since training began.
        cost_seconds: Seconds that the last checkpoint took; 0 before the first.

    >>> is_due(10.0, 0.4), is_due(10.0, 0.6)
    (True, False)
    """
    return since_last_seconds * COST_SHARE >= cost_seconds


class CheckpointStore:
    """Checkpoints in one place.

    Args:
        place: The folder or bucket of the files. Workers on several machines need a shared one.
    """

    def __init__(self, place: Place) -> None:
        self.place = place

    def save(self, key: str, arrays: "Mapping[str, NDArray[Any]]", meta: Mapping[str, Any], *, fence: int = 0) -> None:
        """Save a checkpoint and replace the key's earlier ones.

        Args:
            key: Letters, digits, `_`, `-` and `.`; must not begin with `.`.
            arrays: Arrays of booleans or numbers by name, of any shape.
            meta: JSON values by key. Include values that identify the state, and compare them after `load`: the
                database beside the folder may have been replaced.
            fence: The fence of the owner's lease. A former owner has a lower one and cannot replace newer
                checkpoints.

        Raises:
            ValueError: The key has other characters, or an array holds something else.
            StorageError: The disk is full, or the place cannot be written; an earlier checkpoint is still
                there.
        """
        name = _name(key, fence)
        content = _pack(arrays, meta)
        try:
            self.place.write(name, content)
            for older in self._names(key):
                if _fence_of(older) < fence:
                    self.place.delete(older)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            step = "Make room" if full else "Check its permissions and its disk"
            raise StorageError(
                f"Checkpoints must be writable in {self.place}, got: {error.strerror or error}. {step}, "
                "then continue the study."
            ) from error

    def load(self, key: str) -> Checkpoint | None:
        """Load the newest intact checkpoint of a key; damaged ones are logged.

        Returns:
            The checkpoint; None if there is none.

        Raises:
            ValueError: The key has other characters than `save` allows.
        """
        for name in self._newest_first(key):
            try:
                if (content := self.place.read(name)) is not None:
                    return _unpack(content)
            except (OSError, ValueError, KeyError, TypeError) as error:
                _logger.warning("The checkpoint %s in %s is damaged and passed over: %s", name, self.place, error)
        return None

    def remove(self, key: str) -> None:
        """Delete a key's checkpoints, including a killed process's partial files.

        Never fails: a file that cannot be deleted is only logged.
        """
        try:
            half_written = self._matching(f".{key}.", re.escape(f".{key}.") + r"\d{10,}\..*")
            for name in (*self._names(key), *half_written):
                self.place.delete(name)
        except OSError as error:
            _logger.warning("Checkpoints in %s could not be deleted: %s", self.place, error)

    def _newest_first(self, key: str) -> list[str]:
        try:
            return sorted(self._names(key), key=_fence_of, reverse=True)
        except OSError as error:
            _logger.warning("No checkpoint can be read in %s, and training starts again: %s", self.place, error)
            return []

    def _names(self, key: str) -> list[str]:
        _name(key, 0)
        return self._matching(f"{key}.", re.escape(f"{key}.") + r"\d{10,}" + re.escape(_SUFFIX))

    def _matching(self, start: str, pattern: str) -> list[str]:
        """Return the names of one key's files; a prefix alone would also match longer keys."""
        return [name for name in self.place.names(start) if re.fullmatch(pattern, name)]


def _name(key: str, fence: int) -> str:
    if not _KEY.fullmatch(key):
        raise ValueError(f"`key` must be letters, digits, '_', '-' and '.', got {key!r}.")
    return f"{key}.{fence:010d}{_SUFFIX}"


def _fence_of(name: str) -> int:
    return int(name.removesuffix(_SUFFIX).rpartition(".")[2])


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
    """Unpack the result of `_pack`.

    Raises:
        ValueError: The content was not made by `_pack`.
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
