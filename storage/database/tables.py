"""The tables: our own, and the columns of Optuna's that we read, all in one database.

Ours begin with `fewest_` and are made by the migrations beside this module; Optuna makes and migrates
its own. Only the columns of Optuna's tables that this room touches are listed, so `metadata.create_all` is
never called here.
"""

import sqlalchemy as sa

__all__ = [
    "HEAD_REVISION",
    "REVISIONS",
    "VERSION_TABLE",
    "curves",
    "leases",
    "metadata",
    "results",
    "studies",
    "study_system_attributes",
    "study_user_attributes",
    "trial_system_attributes",
    "trial_user_attributes",
    "trial_values",
    "trials",
    "workers",
]

VERSION_TABLE = "fewest_alembic_version"
"""Where Alembic records the revision of our tables; Optuna's own revision is in `alembic_version`."""

REVISIONS = ("0001", "0002")
"""Every revision this release knows, oldest first."""

HEAD_REVISION = REVISIONS[-1]

metadata = sa.MetaData()

studies = sa.Table(
    "studies",
    metadata,
    sa.Column("study_id", sa.Integer, primary_key=True),
    sa.Column("study_name", sa.String(512)),
)

study_user_attributes = sa.Table(
    "study_user_attributes",
    metadata,
    sa.Column("study_user_attribute_id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.study_id")),
    sa.Column("key", sa.String(512)),
    sa.Column("value_json", sa.Text),
)

study_system_attributes = sa.Table(
    "study_system_attributes",
    metadata,
    sa.Column("study_system_attribute_id", sa.Integer, primary_key=True),
    sa.Column("study_id", sa.ForeignKey("studies.study_id")),
    sa.Column("key", sa.String(512)),
    sa.Column("value_json", sa.Text),
)

trials = sa.Table(
    "trials",
    metadata,
    sa.Column("trial_id", sa.Integer, primary_key=True),
    sa.Column("number", sa.Integer),
    sa.Column("study_id", sa.ForeignKey("studies.study_id")),
    sa.Column("state", sa.Enum("RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING", name="trialstate")),
    # Naive, in UTC.
    sa.Column("datetime_start", sa.DateTime),
    sa.Column("datetime_complete", sa.DateTime),
)


trial_user_attributes = sa.Table(
    "trial_user_attributes",
    metadata,
    sa.Column("trial_user_attribute_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.ForeignKey("trials.trial_id")),
    sa.Column("key", sa.String(512)),
    sa.Column("value_json", sa.Text),
)

trial_system_attributes = sa.Table(
    "trial_system_attributes",
    metadata,
    sa.Column("trial_system_attribute_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.ForeignKey("trials.trial_id")),
    sa.Column("key", sa.String(512)),
    sa.Column("value_json", sa.Text),
)

trial_values = sa.Table(
    "trial_values",
    metadata,
    sa.Column("trial_value_id", sa.Integer, primary_key=True),
    sa.Column("trial_id", sa.ForeignKey("trials.trial_id")),
    sa.Column("objective", sa.Integer),
    sa.Column("value", sa.Float(53)),
    sa.Column("value_type", sa.Enum("FINITE", "INF_POS", "INF_NEG", name="trialvaluetype")),
)

curves = sa.Table(
    "fewest_curves",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trials.trial_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
    # NULL stands for NaN, which SQLite cannot store.
    sa.Column("loss", sa.Float(53)),
    sa.Column("accuracy", sa.Float(53)),
    sa.Column("val_loss", sa.Float(53)),
    sa.Column("val_accuracy", sa.Float(53)),
)

results = sa.Table(
    "fewest_results",
    metadata,
    sa.Column("study_id", sa.ForeignKey("studies.study_id", ondelete="CASCADE"), primary_key=True),
    sa.Column("widths", sa.String(512), primary_key=True),
    sa.Column("seed", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("test_accuracy", sa.Float(53)),
    sa.Column("validation_accuracy", sa.Float(53)),
    sa.Column("epochs", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float(53)),
    sa.Column("training_loss", sa.Float(53)),
    # Packed bits, see `VerifiedNetwork.test_bits`.
    sa.Column("test_bits", sa.LargeBinary),
)

workers = sa.Table(
    "fewest_workers",
    metadata,
    sa.Column("worker_id", sa.String(200), primary_key=True),
    # Which process it is, for observers on the same host.
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("boot", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("started", sa.Text, nullable=False),
    sa.Column("lease_seconds", sa.Float(53), nullable=False),
    sa.Column("beat", sa.BigInteger, nullable=False),
)

leases = sa.Table(
    "fewest_leases",
    metadata,
    sa.Column("trial_id", sa.ForeignKey("trials.trial_id", ondelete="CASCADE"), primary_key=True),
    # NULL once released: anybody may adopt the trial at once.
    sa.Column("worker_id", sa.ForeignKey("fewest_workers.worker_id", ondelete="SET NULL"), index=True),
    # Rises by one with every adoption; what is written under an older fence is refused.
    sa.Column("fence", sa.BigInteger, nullable=False),
)
