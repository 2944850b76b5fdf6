"""The fence of a trial: what a worker writes after another has taken the trial over is refused.

Whoever writes for a trial asks first, within the same transaction. `leases` says who holds a trial, and since when.
"""

from collections.abc import Iterable, Mapping

import sqlalchemy as sa
from sqlalchemy import Connection

from fewest.storage.database.tables import leases, trials

__all__ = ["lost_trials"]


def lost_trials(connection: Connection, trial_ids: Iterable[int], fences: Mapping[int, int] | None) -> frozenset[int]:
    """Return the trials that a worker may no longer write to; the others are locked until the transaction ends.

    Args:
        connection: A connection in the transaction that will write.
        trial_ids: The trials that will be written to.
        fences: The worker's fences by trial id; None checks only that the trials still exist.
    """
    wanted = set(trial_ids)
    if fences is None:
        existing = sa.select(trials.c.trial_id).where(trials.c.trial_id.in_(wanted)).order_by(trials.c.trial_id)
        return frozenset(wanted.difference(connection.scalars(existing.with_for_update(read=True, key_share=True))))
    held = sa.select(leases.c.trial_id, leases.c.fence).where(leases.c.trial_id.in_(wanted))
    rows = connection.execute(held.order_by(leases.c.trial_id).with_for_update())
    return frozenset(wanted.difference(trial_id for trial_id, fence in rows if fences.get(trial_id) == fence))
