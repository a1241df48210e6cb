"""What an erasure leaves of a person, without what differs from one person to the next."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from engine.stores import CONSENT, QUOTE, document, headers_of
from sqlalchemy import select
from whole.stores import TRIAL, Store

from lifecycle.domain.streams import access_stream_of
from lifecycle.storage.tables import command_seen, epoch_erasure, event_body, pending_erasure, stream_head
from lifecycle.vault.tables import data_key, lookup, subject_key, tombstone

ORDERS: dict[str, dict[str, Any]] = {
    "whole": {"command": "erase", "ground": "7.3c"},
    "part": {"command": "erase", "ground": "7.3d", "categories": ["name"]},
    "identifier": {"command": "unlink-identifier"},
}


def named(name: str) -> dict[str, str]:
    return {"email": f"{name}@example.com"}


def order(kind: str, name: str) -> dict[str, Any]:
    fields = ORDERS[kind] | ({"identifier": {"ref": f"ref-{name}"}} if kind == "identifier" else {})
    return document(id=f"order-{name}", subject=named(name), **fields)


def lived(store: Store, *names: str) -> dict[str, UUID]:
    """People with values, a corrected one among them, a refusal on their second stream and an identifier more."""
    trial = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": TRIAL}
    life = [
        ("give-consent", CONSENT),
        ("collect", trial),
        ("collect", QUOTE | {"purpose": "no-such-purpose", "data": TRIAL}),
        ("correct", {"data": {"name": "Anna"}, "reason": "typing error"}),
    ]
    documents = [
        document(command, f"{number}-{name}", named(name), **fields)
        for name in names
        for number, (command, fields) in enumerate([*life, ("link-identifier", {"identifier": {"ref": f"ref-{name}"}})])
    ]
    outcomes = store.engine.execute_many(documents)
    assert [each.outcome for each in outcomes] == ["done", "done", "refused", "done", "done"] * len(names)
    return {name: outcomes[5 * index].subject for index, name in enumerate(names)}  # type: ignore[misc]


def trace(store: Store, person: UUID) -> dict[str, Any]:
    left: dict[str, Any] = {}
    database = store.engine.database
    both = (person, access_stream_of(person))
    with database.read() as c:
        for table in (event_body, command_seen, pending_erasure, epoch_erasure, stream_head):
            rows = [c.execute(select(table).where(table.c.stream_id == stream)).all() for stream in both]
            left[table.name] = [len(each) for each in rows]
            if table is stream_head:
                left["heads"] = [(row.fenced, row.generation, row.version) for (row,) in rows]
            if table is epoch_erasure:
                left["epochs"] = [[row.epoch for row in each] for each in rows]
        for table in (subject_key, data_key, lookup, tombstone):
            found = c.execute(select(table).where(table.c.subject_id == person)).all()
            left[table.name] = [getattr(row, "generation", None) for row in found]
    headers = [headers_of(database, stream) for stream in both]
    left["kinds"] = [[header.kind for header in each] for each in headers]
    left["completed"] = [
        (header.data["whole"], header.data["epoch"], len(header.data["keys"]))
        for header in headers[0]
        if header.kind == "erasure-completed/1"
    ]
    left["journal"] = [
        (entry.order, entry.whole, len(entry.kids), len(entry.identifiers))
        for entry in store.engine.journal.entries()
        if entry.subject_id == person
    ]
    return left
