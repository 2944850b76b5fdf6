"""Parts of a table, its columns or blocks of its rows, worked on by several threads at a time."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import joblib

__all__ = ["in_threads"]

Taken = TypeVar("Taken")
Given = TypeVar("Given")

MOST_AT_ONCE: Final = 4
"""Parts at a time: 16 columns raise the peak of a large table from 2.6 to 3.7 times its arrays, 4 do not."""


def in_threads(function: Callable[[Taken], Given], values: Iterable[Taken]) -> list[Given]:
    """Apply a function that mostly runs in NumPy or Arrow, which let other threads run.

    Results are in the order of the values, and so is the error that is raised if several fail: the first.
    """
    with ThreadPoolExecutor(min(MOST_AT_ONCE, joblib.cpu_count())) as threads:
        return list(threads.map(function, values))
