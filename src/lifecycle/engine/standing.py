"""What operators ask of a store: trustees as they stand, the vault's epochs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from lifecycle.domain.trustee.events import TrusteeEngaged
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.ledger.envelope import read_header
from lifecycle.storage.tables import epoch_erasure, event_header, pending_custody, pending_erasure
from lifecycle.vault.loading import open_epochs
from lifecycle.vault.tables import custody_key, epoch, subject_key


def told(trustee: Trustee) -> dict[str, Any]:
    return {
        "trustee": trustee.name_id,
        "engaged": trustee.engaged,
        "version": trustee.version,
        "agreements": [
            {
                "id": agreement.id,
                "purpose": agreement.purpose,
                "starts": agreement.starts.isoformat(),
                "ends": agreement.ends.isoformat(),
                "method": agreement.method,
                "categories": sorted(agreement.categories),
                "signed_at": agreement.signed_at.isoformat(),
                "ended_at": agreement.ended_at.isoformat() if agreement.ended_at is not None else None,
            }
            for agreement in trustee.agreements
        ],
    }


def engaged(c: Connection) -> list[str]:
    """The ids of trustees that were ever engaged, by a walk over all events: asked for seldom, and by people."""
    column = event_header.c
    rows = c.execute(select(column.header).where(column.kind == TrusteeEngaged.kind))
    return sorted({read_header(row.header).data["trustee"] for row in rows})


def vault_standing(c: Connection) -> dict[str, Any]:
    """Counts only: whose keys they are is nobody's business here."""
    now_open = open_epochs(c)
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
    }


def _count(c: Connection, table: Any) -> int:
    return c.execute(select(func.count()).select_from(table)).scalar_one()
