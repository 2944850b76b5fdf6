"""Errors that a user can fix: each is one clear line and an exit status.

Errors of our own making derive from `FewestError` *and* from the builtin that fits, so that a caller who
knows nothing of us can still catch them. Anything else that escapes is a bug and keeps its traceback.
"""

__all__ = ["FewestError", "MisuseError", "NotFoundError", "StorageError", "StudyGoneError", "no_studies"]


class FewestError(Exception):
    """A failure a user can act on: the message says what must hold, what arrived, and the next step."""

    exit_status = 1


class MisuseError(FewestError, ValueError):
    """The request itself is wrong (an unknown name, a value out of range); nothing was changed."""

    exit_status = 2


class NotFoundError(MisuseError, LookupError):
    """There is no such study, or no storage yet to look for it in."""


class StudyGoneError(FewestError, LookupError):
    """The study was deleted or renamed while it ran."""

    def __init__(self, name: str) -> None:
        super().__init__(
            f"Study '{name}' must stay in the storage while it runs, but was deleted or renamed. "
            "`fewest studies` lists what is there; a renamed study goes on with `fewest resume` and its new name."
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
        f"There are no studies in {storage} yet.{hint} "
        "Start one with `fewest run STUDY`, or name the storage with --storage."
    )
