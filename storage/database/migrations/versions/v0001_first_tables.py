"""Learning curves, verification results, workers and leases."""

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0001"
down_revision = None

# Optuna's tools open SQLite without foreign keys, and SQLite reuses the ids of deleted rows.
# Without these triggers a new trial could inherit the curve of a deleted one.
_SQLITE_TRIGGERS = (
    """CREATE TRIGGER fewest_trial_deleted AFTER DELETE ON trials BEGIN
        DELETE FROM fewest_curves WHERE trial_id = OLD.trial_id;
        DELETE FROM fewest_leases WHERE trial_id = OLD.trial_id;
    END""",
    """CREATE TRIGGER fewest_study_deleted AFTER DELETE ON studies BEGIN
        DELETE FROM fewest_results WHERE study_id = OLD.study_id;
    END""",
)


def upgrade() -> None:
    """Create our tables beside Optuna's."""
    op.create_table(
        "fewest_curves",
        sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("loss", sa.Float(53)),
        sa.Column("accuracy", sa.Float(53)),
        sa.Column("val_loss", sa.Float(53)),
        sa.Column("val_accuracy", sa.Float(53)),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.trial_id"], ondelete="CASCADE"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "fewest_results",
        sa.Column("study_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("widths", sa.String(512), primary_key=True),
        sa.Column("seed", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("test_accuracy", sa.Float(53)),
        sa.Column("validation_accuracy", sa.Float(53)),
        sa.Column("epochs", sa.Integer, nullable=False),
        sa.Column("seconds", sa.Float(53)),
        sa.ForeignKeyConstraint(["study_id"], ["studies.study_id"], ondelete="CASCADE"),
    )
    op.create_table(
        "fewest_workers",
        sa.Column("worker_id", sa.String(200), primary_key=True),
        sa.Column("host", sa.Text, nullable=False),
        sa.Column("boot", sa.Text, nullable=False),
        sa.Column("pid", sa.BigInteger, nullable=False),
        sa.Column("started", sa.Text, nullable=False),
        sa.Column("lease_seconds", sa.Float(53), nullable=False),
        sa.Column("beat", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "fewest_leases",
        sa.Column("trial_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("worker_id", sa.String(200), nullable=True),
        sa.Column("fence", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.trial_id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["worker_id"], ["fewest_workers.worker_id"], ondelete="SET NULL"),
    )
    op.create_index("ix_fewest_leases_worker_id", "fewest_leases", ["worker_id"])
    if op.get_bind().dialect.name == "sqlite":
        for trigger in _SQLITE_TRIGGERS:
            op.execute(trigger)


def downgrade() -> None:
    """Drop our tables and everything in them."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER fewest_trial_deleted")
        op.execute("DROP TRIGGER fewest_study_deleted")
    for table in ("fewest_leases", "fewest_workers", "fewest_results", "fewest_curves"):
        op.drop_table(table)
