"""The environment in which Alembic runs our migrations: on the given connection, within its transaction."""

from alembic import context

from fewest.storage.database.tables import VERSION_TABLE, metadata

__all__ = ["run"]


def run() -> None:
    """Migrate on the connection that `fewest.storage.database.migrations.upgrade` put into the configuration."""
    context.configure(
        connection=context.config.attributes["connection"],
        target_metadata=metadata,
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # Alembic's name for it; importing this module for its docstring runs nothing.
    run()
