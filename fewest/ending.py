"""How a command ends: an exit status, and one line about what a user can mend. Bugs keep their traceback.

Errors of the operating system about paths and pipes get their words here, for every command.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any

import click

from fewest.dashboards.console import one_line, visible
from fewest.storage.errors import FewestError

__all__ = ["INTERRUPTED", "Ending", "Program", "discard_results", "ending_of", "prepare_streams", "tell"]

INTERRUPTED = 130
"""Exit status after Ctrl-C."""

PIPE_CLOSED = 141
"""Exit status when the reader of a pipe left, as in `answer | head -1`: a shell's status for SIGPIPE."""

_DISK_FAULTS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS})

Ending = tuple[int, str]
"""The exit status and the line to print; an empty line prints nothing."""


class Program(click.Group):
    """A group of commands that says when the reader of a pipe has left; Click alone exits with 1 and no reason."""

    def make_context(self, *arguments: Any, **named: Any) -> click.Context:
        """Parse the command line, which may print help."""
        with _reason_kept():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _reason_kept():
            return super().invoke(ctx)


@contextlib.contextmanager
def _reason_kept() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError as error:
        raise SystemExit(PIPE_CLOSED) from error


def ending_of(error: BaseException) -> Ending | None:
    """Choose the exit status and the last line of a command that raised an error.

    Args:
        error: Exception that the command raised.

    Returns:
        None if the exception is a bug, or the command's own exit.

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
        said = one_line(error.in_shell())
        return error.exit_status, said if error.exit_status == INTERRUPTED else f"Error: {said}"
    if isinstance(error, (KeyboardInterrupt, click.Abort)):
        return INTERRUPTED, "Interrupted."
    meaning = _of_system(error)
    return None if meaning is None else (1, f"Error: {meaning}")


def prepare_streams() -> None:
    """Escape characters that a stream cannot encode, and open the null device for each stream that is closed.

    Otherwise the next file to be opened, perhaps a database, would get the number of the closed stream.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # The system gives the lowest free number: that of the closed stream.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def discard_results(error: BaseException) -> None:
    """Discard the rest of stdout if writing to it failed: Python would try to write it once more.

    Args:
        error: Exception that ended the command.
    """
    writing_failed = isinstance(error, OSError) and error.filename is None and not isinstance(error, FewestError)
    if not writing_failed and not _reader_left(error):
        return
    with contextlib.suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def tell(said: str) -> None:
    """Write a last line to stderr, even if nobody reads it."""
    if said:
        with contextlib.suppress(OSError):
            click.echo(said, err=True)


def _reader_left(error: BaseException) -> bool:
    """Say whether the reader of a pipe has left. Rich and `Program` turn that error into a SystemExit."""
    return isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError)


def _of_system(error: BaseException) -> str | None:
    """Describe an operating system's error about a path or a stream in a line; None for any other error."""
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
    """Return Click's text about a misuse: usage, hint and error."""
    text = io.StringIO()
    error.show(file=text)
    return visible(text.getvalue().rstrip("\n"))
