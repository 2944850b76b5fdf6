"""Migrations of our own tables to the present revision; Optuna migrates its own tables.

To change a table: change `fewest.storage.database.tables`, add `versions/vNNNN_what.py`, and append its revision to
`REVISIONS` there.
"""

from pathlib import Path

from sqlalchemy import Connection

__all__ = ["upgrade"]


def upgrade(connection: Connection) -> None:
    """Run every migration that the database lacks, within the transaction of `connection`."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    # ConfigParser would expand a percent sign in the path.
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
