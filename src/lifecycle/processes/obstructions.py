"""What a store outside of ours cannot erase now is said on the person's record, once for each that is in the way."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.event import Judged
from lifecycle.domain.subject.custody_events import ErasureObstructed
from lifecycle.ledger.envelope import read_header
from lifecycle.policy.vocabulary import Role
from lifecycle.processes.doomed import Doomed, Order
from lifecycle.storage.appending import Appending, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.policies import Policies
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import one_of
from lifecycle.vault.sealing import OpenParts
from lifecycle.vault.vault import Vault

Obstructed = tuple[Doomed, tuple[str, ...]]  # an order, and the stores that cannot carry it out now


class Obstructions:
    def __init__(self, database: Database, streams: Streams, vault: Vault, policies: Policies) -> None:
        self._database = database
        self._streams = streams
        self._vault = vault
        self._policies = policies

    def say(self, obstructed: Sequence[Obstructed], now: datetime) -> None:
        """Asked again with nothing new, it adds nothing."""
        appending = Appending()
        label = self._policies.label_at(now)
        with self._database.read() as c:
            heads = load_heads(c, [doomed.order[0] for doomed, _ in obstructed])
            said = _said(c, list(heads))
        for doomed, stores in obstructed:
            if new := tuple(store for store in stores if store not in said.get(doomed.order, ())):
                event = ErasureObstructed(occurred_at=now, order=doomed.order[1], holdings=_ordered(doomed), stores=new)
                judged = Judged(self._vault.cmd(secrets.token_hex(16)), Role.SYSTEM.value, label)
                stream = doomed.order[0]
                _, heads[stream] = appending.append(heads[stream], OpenParts(), event, judged, now)
        if appending.recorded:
            self._streams.save(*appending.recorded, rows=appending.rows)


def _ordered(doomed: Doomed) -> tuple[str, ...]:
    return tuple(each.id for each in doomed.subject.holdings.values() if each.erased_by == doomed.order[1])


def _said(c: Connection, streams: Sequence[UUID]) -> dict[Order, set[str]]:
    head = event_header.c
    rows = c.execute(
        select(head.stream_id, head.header).where(one_of(head.stream_id, streams), head.kind == ErasureObstructed.kind)
    )
    said: dict[Order, set[str]] = {}
    for row in rows:
        data = read_header(row.header).data
        said.setdefault((row.stream_id, data["order"]), set()).update(data["stores"])
    return said
