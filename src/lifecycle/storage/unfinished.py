"""Whether anything waits to be gone on with: asked at every start, in one statement, before what goes on is loaded."""

from __future__ import annotations

from sqlalchemy import Connection, exists, func, or_, select

from lifecycle.storage.tables import epoch_erasure, expunge_order, pending_custody, pending_erasure
from lifecycle.vault.tables import epoch

_NEWEST_EPOCH = select(func.max(epoch.c.epoch)).scalar_subquery()
_IS_THERE = select(
    or_(
        exists(select(pending_erasure.c.stream_id)),
        exists(select(pending_custody.c.stream_id)),
        exists(select(expunge_order.c.stream_id)),
        # An epoch has ended, and what is final with it is not said yet.
        exists(select(epoch_erasure.c.epoch).where(epoch_erasure.c.epoch < _NEWEST_EPOCH)),
    )
)


def is_there(c: Connection) -> bool:
    """Erasures, moves into custody and expungings that were ordered, and endings that were not called final."""
    return bool(c.execute(_IS_THERE).scalar_one())
