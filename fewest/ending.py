"""How a command ends: an exit status, and one line about what a user can mend. Bugs keep their traceback.

What the system says of paths and pipes is put into words here, for every command.
"""

import contextlib
import errno
import io
import os
import sys

import click

from fewest.dashboards.console import one_line, visible
from fewest.storage.errors import FewestError

__all__ = ["INTERRUPTED", "Ending", "discard_results", "ending_of", "prepare_streams", "tell"]

INTERRUPTED = 130
"""Exit status after Ctrl-C."""

PIPE_CLOSED = 141
"""Exit status when the reader of a pipe left, as `answer | head -1` does: what a shell reports of SIGPIPE."""

_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})

Ending = tuple[int, str]
"""The exit status, and what to say; empty for nothing."""


def ending_of(error: BaseException) -> Ending | None:
    """Judge how a command ends that raised an error.

    Args:
        error: What it raised.

    Returns:
        None if it is a bug, or an exit of the command's own.

    >>> ending_of(FileNotFoundError(2, "No such file or directory", "a[b]"))
    (1, "Error: The path 'a[b]' must be usable, got: No such file or directory. Mend it or name another.")
    >>> ending_of(KeyError("a bug")) is None
    True
    """
    if _reader_left(error):
        return PIPE_CLOSED, ""
    if isinstance(error, click.ClickException):
        return error.exit_code, _shown(error)
    if isinstance(error, FewestError):
        said = one_line(str(error))
        return error.exit_status, said if error.exit_status == INTERRUPTED else f"Error: {said}"
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED, "Interrupted."
    meaning = _of_system(error)
    return None if meaning is None else (1, f"Error: {meaning}")


def prepare_streams() -> None:
    """Let output fail on no character, and let a stream that the caller closed lead nowhere.

    Otherwise the next file that is opened, a database perhaps, would take the closed one's place.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # It gets the lowest free number, which is this.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_results(error: BaseException) -> None:
    """Let the rest of stdout lead nowhere if writing failed, for Python would try it once more.

    Args:
        error: What ended the command.
    """
    writing_failed = isinstance(error, OSError) and error.filename is None and not isinstance(error, FewestError)
    if not writing_failed and not _reader_left(error):
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def tell(said: str) -> None:
    """Write the last words to stderr; nobody may be there to read them."""
    if said:
        with contextlib.suppress(OSError):
            click.echo(said, err=True)


def _reader_left(error: BaseException) -> bool:
    """Tell whether nobody reads the pipe any more; Click and Rich make a SystemExit of that."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)


def _of_system(error: BaseException) -> str | None:
    """Put into a line what the system says of a path or a stream; None of anything else."""
    if isinstance(error, OSError):
        if isinstance(error.filename, (str, bytes, os.PathLike)):
            path = one_line(os.fsdecode(error.filename))
            return f"The path '{path}' must be usable, got: {error.strerror}. Mend it or name another."
        if error.errno in _DISK_FAULTS:
            return f"The output must be written, got: {error.strerror}. Make room or write elsewhere, then try again."
    if isinstance(error, UnicodeEncodeError) and "surrogates" in error.reason:
        return f"A name or path must be valid UTF-8, got '{one_line(error.object)}'. Rename it or name another."
    if isinstance(error, ValueError) and "embedded null" in str(error):
        return "A path must have no NUL character in it. Name another."
    if isinstance(error, RuntimeError) and "home directory" in str(error):
        return "`~` must stand for a home directory that this machine knows, and it does not. Name the path in full."
    return None


def _shown(error: click.ClickException) -> str:
    """Give what Click says of a misuse: usage, hint and error."""
    text = io.StringIO()
    error.show(file=text)
    return visible(text.getvalue().rstrip("\n"))
