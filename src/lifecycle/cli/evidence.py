"""What the demo proves: of an erased value neither the clear form, nor the sealed bytes, nor the key exist."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lifecycle.engine import Engine

KeysAndBytes = dict[str, tuple[bytes, bytes]]


@dataclass(slots=True)
class Witness:
    """Notes, while it is there, what the store keeps of one value."""

    who: str
    category: str
    value: bytes = field(repr=False)
    sealed: bytes = field(default=b"", repr=False)
    wrapped_key: bytes = field(default=b"", repr=False)

    def note(self, kept: KeysAndBytes) -> None:
        if self.category in kept:
            self.sealed, self.wrapped_key = kept[self.category]

    def search(self, contents: dict[str, bytes]) -> dict[str, Any]:
        """In which files, searched byte for byte, each of the three is."""
        sought = {"value": self.value, "sealed": self.sealed, "key": self.wrapped_key}
        where = {what: [name for name, held in contents.items() if bytes in held] for what, bytes in sought.items()}
        return {"who": self.who, "category": self.category, **where}


def kept_about(engine: Engine, person: dict[str, str]) -> KeysAndBytes:
    """By category: the sealed bytes as they lie in the database, and the wrapped key that opens them."""
    from sqlalchemy import select  # noqa: PLC0415 -- only the demo looks below the engine

    from lifecycle.ledger.envelope import read_header  # noqa: PLC0415
    from lifecycle.storage.tables import event_body, event_header  # noqa: PLC0415
    from lifecycle.vault.tables import data_key  # noqa: PLC0415

    id = engine.read.subject_id(person)
    categories = {row["holding"]: row["category"] for row in engine.read.holdings(id)}
    here = (event_header.c.stream_id == event_body.c.stream_id) & (event_header.c.version == event_body.c.version)
    bodies = select(event_header.c.header, event_body.c.part, event_body.c.ct).join(event_body, here)
    with engine.database.read() as c:
        keys = select(data_key.c.hid, data_key.c.wrapped).where(data_key.c.subject_id == id)
        wrapped = {row.hid: bytes(row.wrapped) for row in c.execute(keys)}
        rows = [
            (read_header(row.header).parts[row.part].hid, bytes(row.ct))
            for row in c.execute(bodies.where(event_header.c.stream_id == id))
        ]
    return {categories[hid]: (sealed, wrapped[hid]) for hid, sealed in rows if hid in categories and hid in wrapped}


def contents_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
