"""Files that are there whole or not at all."""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

__all__ = ["replacing"]


@contextlib.contextmanager
def replacing(target: Path, *, suffix: str = ".tmp", to_disk: bool = False) -> Iterator[Path]:
    """Give a path beside a file; what is written there takes the file's place at the end.

    If the block fails, the file stays as it was, and what was written is deleted.

    Args:
        target: The file, which need not exist; its folder must.
        suffix: How the path ends, for writers that look at it.
        to_disk: Force the content and the renaming to disk, so that a power failure cannot undo them.

    Raises:
        OSError: The file cannot be replaced, or nothing was written.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}{suffix}")
    try:
        yield temporary
        if to_disk:
            _force(temporary)
        temporary.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    if to_disk:
        with contextlib.suppress(OSError):  # Some systems cannot do so with a folder.
            _force(target.parent)


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
