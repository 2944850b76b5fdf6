"""Memory that this process keeps: glibc's malloc is told not to return large blocks to the system at every free.

A training step allocates and frees blocks of megabytes. Each that comes fresh from the system costs a page fault for
every 4 KiB (`docs/decisions/0036-malloc-keeps-memory.md`).
"""

import ctypes
import os
import sys

__all__ = ["keep_memory"]

MIB = 1024 * 1024

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Names of parameters in glibc's `malloc.h`."""

PARAMETERS = {
    M_MMAP_THRESHOLD: 32 * MIB,  # The largest that glibc takes; it ignores larger ones without a word.
    M_TRIM_THRESHOLD: 2**31 - 1,
    M_TOP_PAD: 256 * MIB,
}
"""Bytes: the least block with a mapping of its own, the free memory that is returned, and the memory taken ahead."""


def keep_memory() -> bool:
    """Let glibc's malloc keep freed memory; where there is another C library, do nothing.

    TensorFlow undoes a part of this when it first makes a data set from a generator. So the engines call this again.
    A user's own settings of malloc win: variables named `MALLOC_...`, or `GLIBC_TUNABLES` that name malloc.

    Returns:
        Whether the settings were made.
    """
    if sys.platform != "linux" or _user_decides():
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "gnu_get_libc_version"):
        return False  # Other libraries have no `mallopt`, or one with other parameters.
    made = [library.mallopt(name, value) == 1 for name, value in PARAMETERS.items()]
    return all(made)


def _user_decides() -> bool:
    return "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(
        name.startswith("MALLOC_") for name in os.environ
    )
