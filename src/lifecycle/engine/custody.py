"""Opening custody: asked as a command, recorded, and only then opened, by a custodian and nobody else."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import JsonValue, ValidationError
from sqlalchemy import Connection, select

from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, faults_of
from lifecycle.commands.subject.open_custody import OpenCustody
from lifecycle.domain.event import Personal, Withheld
from lifecycle.domain.subject.custody_events import CustodyOpened
from lifecycle.domain.subject.state import Subject
from lifecycle.engine.answers import NotRead
from lifecycle.ledger.envelope import read_header
from lifecycle.processes.take_custody_of_what_is_stored_only import CustodyUnfinished
from lifecycle.storage import custody_orders
from lifecycle.storage.application import Streams
from lifecycle.storage.database import Database
from lifecycle.storage.folding import folded
from lifecycle.storage.lost_keys import Lacking, explained
from lifecycle.storage.tables import event_body, event_header
from lifecycle.value_lists import among
from lifecycle.vault.custody import Custodian
from lifecycle.vault.sealing import Tampered
from lifecycle.vault.vault import Vault, Wanted

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class OpeningCustody:
    """What `engine.open_custody` does. No other part of the engine opens what is stored only."""

    database: Database
    streams: Streams
    vault: Vault
    custodian: Custodian
    execute: Callable[[OpenCustody], Outcome]

    def open(self, subject: Mapping[str, str], actor: Mapping[str, str], **asked: Any) -> list[Json]:
        document = {"id": secrets.token_hex(16), "subject": subject, "actor": actor, **asked}
        try:
            command = OpenCustody.model_validate(document)
        except ValidationError as error:
            raise Malformed(faults_of(error)) from None
        outcome = self.execute(command)
        if CustodyOpened.kind not in outcome.events or outcome.subject is None:
            raise NotRead(outcome)
        opened = self._values(outcome.subject, [effect.holding for effect in outcome.effects])
        return [_row(effect.model_dump(mode="json"), opened[effect.holding]) for effect in outcome.effects]

    def _values(self, person: UUID, holdings: Sequence[str]) -> dict[str, Personal[JsonValue]]:
        """The newest value of each, as the record says where it is."""
        state: Subject = self.streams.repository.get(person, projector_func=folded)
        places = {id: state.holdings[id].generations[-1].version for id in holdings}
        versions = [(person, version) for version in places.values()]
        head, body = event_header.c, event_body.c
        with self.database.read("custodian") as c:
            keys = self.vault.keys_of(c, [person]).get(person)
            found = c.execute(
                select(head.version, head.header).where(among(head.stream_id, head.version, versions))
            ).all()
            headers = {row.version: read_header(row.header) for row in found}
            if keys is None:
                parts = (each for header in headers.values() for each in header.parts if each.hid in places)
                explained(c, self.vault, person, [Lacking(each.hid, each.kid) for each in parts])
                return dict.fromkeys(holdings, Withheld.ERASED)
            rows = c.execute(
                select(body.version, body.part, body.ct).where(among(body.stream_id, body.version, versions))
            )
            bodies = {(row.version, row.part): bytes(row.ct) for row in rows}
            wanted = []
            for id, version in places.items():
                header = headers[version]
                index, part = next((i, part) for i, part in enumerate(header.parts) if part.hid == id)
                wanted.append(Wanted(keys, header.sid, header.n, part, bodies.get((version, index))))
            opened = dict(zip(places, self.custodian.open_values(c, wanted), strict=True))
            self._explained(c, state, opened)
        return opened

    def _explained(self, c: Connection, state: Subject, opened: Mapping[str, Personal[JsonValue]]) -> None:
        """A key that is not in custody is just being moved there, or somebody took it away."""
        lacking = [id for id, value in opened.items() if isinstance(value, Withheld)]
        if not lacking:
            return
        if any(each.stream_id == state.id for each in custody_orders.pending(c)):
            raise CustodyUnfinished("Keys of this person are just being moved.")
        raise Tampered("A key that should be in custody is not there, and no erasure explains it.")


def _row(effect: Json, value: Personal[JsonValue]) -> Json:
    """As a row of the holdings; what was erased since has no value."""
    is_here = not isinstance(value, Withheld)
    return {
        "holding": effect["holding"],
        "category": effect["category"],
        "state": "restricted",
        "value": value if is_here else None,
        "masked": not is_here,
        "restriction": {"because": effect["because"], "until": effect["until"]},
    }
