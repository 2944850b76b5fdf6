"""Durable storage: the database, learning curves, leases, checkpoints and artifacts.

This package imports no other package of ours. Callers get frozen records, never ORM objects or sessions.
"""

from typing import Final

__all__ = ["DEFAULT_URL"]

DEFAULT_URL: Final = "sqlite:///fewest.db"
"""The storage of a user who names none. Here, where the command line finds it without loading a database."""
