"""What the events of some people say of erasures: ordered, completed, final. For a full audit, a batch at a time."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select

from lifecycle.domain.streams import access_stream_of, is_access_stream, subject_of_access
from lifecycle.domain.subject.events import ErasureCompleted, ErasureFinalised, ErasureOrdered
from lifecycle.ledger.envelope import MalformedHeader, read_header
from lifecycle.ledger.tables import event_position
from lifecycle.storage.tables import event_header
from lifecycle.value_lists import one_of
from lifecycle.vault.tables import chunks

_header, _position = event_header.c, event_position.c
_KINDS = (ErasureOrdered.kind, ErasureCompleted.kind, ErasureFinalised.kind)
_SAID = (
    select(_header.stream_id, _header.version, _header.kind, _header.header, _position.position)
    .outerjoin(event_position, (_position.stream_id == _header.stream_id) & (_position.version == _header.version))
    .where(_header.kind.in_(_KINDS))
    .order_by(_header.stream_id, _header.version)
)


@dataclass(slots=True)
class Erasures:
    """Of one stream. `whole` is the version and position of the event that completed the erasure of the person."""

    ordered: dict[int, bool] = field(default_factory=dict)  # version: whole
    completed: dict[int, tuple[int, bool]] = field(default_factory=dict)  # version: its order, whole
    keys: dict[str, str] = field(default_factory=dict)  # id of a key that was destroyed: its commitment
    whole: tuple[int, int | None] | None = None
    epochs: dict[int, None] = field(default_factory=dict)  # whose ends made something final

    def whole_by(self, covered: int) -> bool:
        return self.whole is not None and self.whole[1] is not None and self.whole[1] < covered


NONE = Erasures()


def record_of(stream_id: UUID) -> UUID:
    """Erasures of a person are told on the record, also those of the second stream."""
    return subject_of_access(stream_id) if is_access_stream(stream_id) else stream_id


def both_of(stream_ids: Iterable[UUID]) -> set[UUID]:
    records = {record_of(stream_id) for stream_id in stream_ids}
    return records | {access_stream_of(record) for record in records}


def erasures_of(c: Connection, stream_ids: Collection[UUID]) -> dict[UUID, Erasures]:
    """What these streams and their people's records say."""
    found: dict[UUID, Erasures] = {}
    wanted = {*stream_ids, *map(record_of, stream_ids)}
    for some in chunks(sorted(wanted)):
        for row in c.execute(_SAID.where(one_of(_header.stream_id, some))):
            _note(found.setdefault(row.stream_id, Erasures()), row)
    return found


def _note(its: Erasures, row: Any) -> None:
    try:
        data = read_header(row.header).data
        if row.kind == ErasureOrdered.kind:
            its.ordered[row.version] = bool(data["whole"])
        elif row.kind == ErasureFinalised.kind:
            its.epochs[int(data["epoch"])] = None
        else:
            its.completed[row.version] = (int(data["order"]), bool(data["whole"]))
            its.keys |= {key["kid"]: key["kc"] for key in data["keys"]}
            if data["whole"]:
                its.whole = (row.version, row.position)
    except (MalformedHeader, KeyError, TypeError, ValueError):
        return  # the header itself is reported where it stands
