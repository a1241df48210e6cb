"""A bundle in pieces: a proof an event in C2SP's own form, for tools that know nothing of us."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, select

from lifecycle.audit.bundle import Evidence, Stream, covered_events
from lifecycle.ledger.tables import log_entry
from lifecycle.ledger.tlog_proof import TlogProof


def exploded(c: Connection, evidence: Evidence, streams: Sequence[Stream]) -> Iterator[tuple[str, bytes]]:
    """For each event its entry (49 bytes) and a c2sp.org/tlog-proof@v1 of it, by role and version."""
    for stream in streams:
        if stream.id is None:
            continue
        for rows in covered_events(c, stream.id, evidence.size):
            for row in rows:
                entry = c.execute(select(log_entry.c.entry).where(log_entry.c.position == row.position)).scalar_one()
                name = f"{stream.role}-{row.version:06d}"
                proof = TlogProof(row.position, tuple(evidence.log.inclusion(row.position)), evidence.note)
                yield f"{name}.entry", bytes(entry)
                yield f"{name}.tlog-proof", proof.written()
