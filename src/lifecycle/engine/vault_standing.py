"""What operators ask of the vault: its epochs, and what waits for the end of one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from lifecycle.storage.tables import epoch_erasure, pending_custody, pending_erasure
from lifecycle.vault.custody import CustodyKeyNeeded, refuse_without_keys
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.tables import custody_key, epoch, subject_key


def vault_standing(c: Connection, custody: CustodyKeys) -> dict[str, Any]:
    """Counts only: whose keys they are is nobody's business here. `epoch_can_end_here` is false where the key is not
    that opens what is in custody; then `lacks` says what to do."""
    now_open = open_epochs(c)
    lacks = None
    try:
        refuse_without_keys(c, custody)
    except CustodyKeyNeeded as needed:
        lacks = str(needed)
    began: datetime = c.execute(select(epoch.c.began_at).where(epoch.c.epoch == now_open[0])).scalar_one()
    return {
        "epoch": now_open[0],
        "began_at": began.isoformat(),
        "rotation_under_way": len(now_open) > 1,
        "people": _count(c, subject_key),
        "erasures_under_way": _count(c, pending_erasure),
        "keys_in_custody": _count(c, custody_key),
        "custody_moves_under_way": _count(c, pending_custody),
        "records_awaiting_finality": _count(c, epoch_erasure),
        "epoch_can_end_here": lacks is None,
        "lacks": lacks,
    }


def _count(c: Connection, table: Any) -> int:
    return c.execute(select(func.count()).select_from(table)).scalar_one()
