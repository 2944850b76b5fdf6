"""Errors that a user can fix: each is one clear line and an exit status.

Errors of our own making derive from `FewestError` *and* from the builtin that fits, so that a caller who
knows nothing of us can still catch them. Anything else that escapes is a bug and keeps its traceback.
"""

from typing import Any, NamedTuple

__all__ = ["FewestError", "MisuseError", "NotFoundError", "Spelled", "StorageError", "StudyGoneError", "no_studies"]


class Spelled(NamedTuple):
    """A part of a message that names what programs and shells spell differently, such as `name=` and `--name`."""

    program: str
    shell: str


class FewestError(Exception):
    """A failure a user can act on: the message says what must hold, what arrived, and the next step.

    Args:
        parts: The message, in parts where a program and a shell spell something differently. As text an error has a
            program's spelling, since whoever catches it is one; commands print `in_shell`.

    Example:
        >>> error = FewestError("There is such a study; choose another ", Spelled("`name`", "`--name`"), ".")
        >>> str(error), error.in_shell()
        ('There is such a study; choose another `name`.', 'There is such a study; choose another `--name`.')
    """

    exit_status = 1

    def __init__(self, *parts: str | Spelled) -> None:
        super().__init__("".join(part.program if isinstance(part, Spelled) else part for part in parts))
        self._parts = parts

    def __str__(self) -> str:
        """Return the message for a program as it is, where `KeyError` would quote it."""
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the message: a subclass may be made of other arguments."""
        return _again, (type(self), self._parts)

    def in_shell(self) -> str:
        """Return the message for a command line."""
        return "".join(part.shell if isinstance(part, Spelled) else part for part in self._parts)


def _again(kind: type[FewestError], parts: tuple[str | Spelled, ...]) -> FewestError:
    error = kind.__new__(kind)
    FewestError.__init__(error, *parts)
    return error


class MisuseError(FewestError, ValueError):
    """The request itself is wrong (an unknown name, a value out of range); nothing was changed."""

    exit_status = 2


class NotFoundError(MisuseError, LookupError):
    """There is no such study, or no storage yet to look for it in."""


class StudyGoneError(FewestError, LookupError):
    """The study was deleted or renamed while it ran."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Study '{name}' must stay in the storage while it runs, but was deleted or renamed. ",
            Spelled(
                "A renamed study goes on under its new `name`.",
                "`fewest studies` lists what is there; a renamed study goes on with `fewest resume` and its new name.",
            ),
        )


class StorageError(FewestError, OSError):
    """The database cannot be opened, read or written."""


def no_studies(storage: str, hint: str = "") -> NotFoundError:
    """Return the error for a storage without studies.

    Args:
        storage: The storage's name in messages, without a password.
        hint: One more sentence after a blank; may be empty.
    """
    return NotFoundError(
        f"There are no studies in {storage} yet.{hint} ",
        Spelled(
            "`fewest.search` with this `storage` starts one.",
            "Start one with `fewest run STUDY`, or name the storage with --storage.",
        ),
    )
