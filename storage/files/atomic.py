"""Atomic outputs: a file appears complete or not at all; a stream is written into and never replaced.

    with replacing(output_path("report.html")) as partial:
        partial.write_text(...)

A pipe, a device or stdout gets the content once it is complete. A link stays a link: the file behind it is replaced
and keeps its permissions.
"""

import contextlib
import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TextIO

from fewest.storage.errors import MisuseError

__all__ = [
    "STDOUT",
    "is_stdout",
    "is_stream",
    "output_path",
    "replacing",
    "require_output",
    "require_writable",
    "write_whole",
]

STDOUT: Final = Path("/dev/stdout")
"""Stdout as an output, also where it is closed or the system has no such device."""

_MOST_NAME: Final = 60
"""Most characters of a file's name in its partial file's name, so that this does not become too long."""


def output_path(text: str) -> Path:
    """Convert an output that a user typed to a path: `-` is stdout, and `~` a home.

    Raises:
        MisuseError: There is no such home.

    >>> output_path("-"), output_path("./-")
    (PosixPath('/dev/stdout'), PosixPath('-'))
    """
    if text == "-":
        return STDOUT
    try:
        return Path(text).expanduser()
    except RuntimeError as error:
        raise MisuseError(
            f"The output must be a file that can be written, got '{text}': there is no such user. "
            f"Write './{text}' for a file of that name."
        ) from error


def is_stream(target: Path) -> bool:
    """Say whether an output is written into: a pipe, a device, or the target of stdout or stderr.

    Raises:
        OSError: The system does not tell.
    """
    status = _status(target)
    return target == STDOUT or (
        status is not None and (not _is_file_or_folder(status) or _own_stream(status) is not None)
    )


def is_stdout(target: Path) -> bool:
    """Say whether an output has the same target as stdout; nothing else should then go there."""
    status = _status(target)
    return target == STDOUT or (status is not None and _is_open_as(1, status))


def require_writable(target: Path) -> None:
    """Refuse an output that cannot be written, as far as that is known beforehand.

    Raises:
        OSError: It is a folder or in none, its name is too long, or it may not be written; `strerror` says which.
    """
    if target == STDOUT:
        return
    status = _status(target)
    if status is not None and stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(errno.EISDIR, "it is a folder")
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(errno.EACCES, "it may not be written")
    if status is None or stat.S_ISREG(status.st_mode):
        _require_folder((_real(target) if target.is_symlink() else target).parent)


def require_output(target: Path) -> None:
    """Refuse an output that cannot be written, before the work whose result it is to take.

    Raises:
        MisuseError: As far as that is known beforehand, it cannot be written.
    """
    try:
        require_writable(target)
    except OSError as error:
        raise MisuseError(
            f"`--output` must name a file that can be written, got '{target}': {error.strerror or error}."
        ) from error


def write_whole(target: Path, content: bytes) -> None:
    """Write an output in one piece; see `replacing`."""
    with replacing(target) as partial:
        partial.write_bytes(content)


@contextlib.contextmanager
def replacing(target: Path, *, suffix: str = ".tmp", to_disk: bool = False) -> Iterator[Path]:
    """Yield a temporary path; at the end its content replaces the file, or is written into the stream.

    If the block fails, the output stays as it was, and the temporary file is deleted.

    Args:
        target: The output. A file need not exist; its folder must.
        suffix: The end of the temporary path, for writers that depend on it.
        to_disk: Whether to force the content and the renaming to disk, so that a power failure cannot undo them.

    Raises:
        OSError: The output cannot be written, or nothing was.
    """
    require_writable(target)
    if is_stream(target):
        with TemporaryDirectory(prefix="fewest-") as folder:
            partial = Path(folder, f"output{suffix}")
            yield partial
            _pour(partial.read_bytes(), target)
        return
    target = _real(target)
    partial = target.with_name(f".{target.name[:_MOST_NAME]}.{os.getpid()}-{secrets.token_hex(4)}{suffix}")
    try:
        yield partial
        _keep_permissions(target, partial)
        if to_disk:
            _force(partial)
        partial.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise
    if to_disk:
        with contextlib.suppress(OSError):  # Some systems cannot do so with a folder.
            _force(target.parent)


def _status(target: Path) -> os.stat_result | None:
    """Return an output's status, behind all links; None if it does not exist yet."""
    try:
        return target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _is_file_or_folder(status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)


def _real(target: Path) -> Path:
    """Return the path that links lead to, whether the file exists or not."""
    return Path(os.path.realpath(target))


def _require_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder '{folder}'")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"the folder '{folder}' may not be written")


def _is_open_as(descriptor: int, status: os.stat_result) -> bool:
    try:
        return os.path.samestat(status, os.fstat(descriptor))
    except OSError:  # It is closed.
        return False


def _own_stream(status: os.stat_result) -> TextIO | None:
    """Return this process's stream to an output, if any: a second one would overwrite its content."""
    streams = ((1, sys.stdout), (2, sys.stderr))
    return next((stream for descriptor, stream in streams if _is_open_as(descriptor, status)), None)


def _pour(content: bytes, target: Path) -> None:
    status = _status(target)
    stream = sys.stdout if target == STDOUT else status and _own_stream(status)
    if stream is not None:
        _write_through(stream, content)
    elif target == STDOUT:
        raise OSError(errno.EBADF, "stdout is closed")
    else:
        with os.fdopen(os.open(target, os.O_WRONLY), "wb") as file:
            file.write(content)


def _write_through(stream: TextIO, content: bytes) -> None:
    """Write past the stream's buffer: unwritten content would stay in it and fail again at exit."""
    stream.flush()
    raw, left = getattr(stream.buffer, "raw", stream.buffer), memoryview(content)
    while left:
        left = left[raw.write(left) :]


def _keep_permissions(target: Path, partial: Path) -> None:
    """Give a new file the mode, and where allowed the owner, of the file that it replaces."""
    before = _status(target)
    if before is not None:
        with contextlib.suppress(OSError):
            os.chown(partial, before.st_uid, before.st_gid)
        partial.chmod(stat.S_IMODE(before.st_mode))


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
