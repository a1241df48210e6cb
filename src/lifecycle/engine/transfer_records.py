"""How far each transfer to another controller is: from its own record, and from those of the people whom it reached."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select

from lifecycle.domain.subject.transfer_events import SubjectReceived
from lifecycle.domain.transfer.refusals import TransferUnknown
from lifecycle.domain.transfer.transfer import Status, Transfer
from lifecycle.ledger.envelope import read_header
from lifecycle.projections import transfers as rows
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import one_of

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

_OVER = (Status.CONFIRMED, Status.COMPLETED, Status.CANCELLED)


class TransferRecords:
    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def record(self, transfer: str) -> Transfer:
        """Errors: TransferUnknown."""
        found: Transfer = self._engine.open_record(("transfer", transfer))
        if found.status is Status.UNKNOWN:
            raise TransferUnknown(transfer)
        return found

    def announced(self, transfer: str) -> dict[str, Any]:
        """Who takes over, in words: they are nobody's personal data."""
        self.record(transfer)
        with self._engine.database.read() as c:
            record: Transfer = self._engine.open_record(("transfer", transfer), c)
        return {
            "transfer": transfer,
            "cause": record.cause,
            "name": record.name,
            "contact": record.contact,
            "country": record.country,
            "purposes": None if record.purposes is None else list(record.purposes),
        }

    def progress(self, record: Transfer) -> rows.Progress:
        """In people. It counts everybody, so it is asked once a run."""
        self._engine.drain()
        with self._engine.database.read() as c:
            return rows.progress_of(c, record.name_id, record.purposes)

    def status(self, transfer: str) -> dict[str, Any]:
        record = self.record(transfer)
        progress = self.progress(record)
        waiting = progress.concerned - progress.notified if record.status not in _OVER else 0
        return {
            "transfer": transfer,
            "status": record.status.value,
            "cause": record.cause,
            "country": record.country,
            "purposes": None if record.purposes is None else list(record.purposes),
            "in_scope": progress.concerned,
            "to_notify": max(waiting, 0),
            "notified": progress.notified,
            "transferred": progress.transferred,
            "erased_before": progress.erased,
            "skipped": progress.skipped,
            "handed_over": record.handovers[-1].people if record.handovers else 0,
        }

    def all(self) -> list[dict[str, Any]]:
        self._engine.drain()
        with self._engine.database.read() as c:
            return [
                {**row, "announced_at": row["announced_at"] and row["announced_at"].isoformat()}
                for row in rows.all_transfers(c)
            ]

    def asked_anew(self, people: Iterable[UUID]) -> Iterator[tuple[UUID, tuple[str, ...]]]:
        """Of people who came from another controller: the purposes for which they have to be asked again."""
        head = event_header.c
        with self._engine.database.read() as c:
            found = c.execute(
                select(head.stream_id, head.header).where(
                    one_of(head.stream_id, people), head.kind == SubjectReceived.kind
                )
            ).all()
        for row in found:
            yield row.stream_id, tuple(read_header(bytes(row.header)).data["asked_anew"])
