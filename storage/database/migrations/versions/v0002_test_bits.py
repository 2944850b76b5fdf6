"""Verified networks get their training loss, and a bit for each test sample."""

import sqlalchemy as sa
from alembic import op

__all__ = ["downgrade", "upgrade"]

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the columns; results of older releases have neither."""
    op.add_column("fewest_results", sa.Column("training_loss", sa.Float(53)))
    op.add_column("fewest_results", sa.Column("test_bits", sa.LargeBinary))


def downgrade() -> None:
    """Drop the columns."""
    op.drop_column("fewest_results", "test_bits")
    op.drop_column("fewest_results", "training_loss")
