"""Outcomes: from decisions, from refusals, and rebuilt from events when a command is repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import Connection, bindparam, select

from lifecycle.commands.outcome import Outcome, RequestTold
from lifecycle.domain.decision import Decision
from lifecycle.domain.streams import is_person_stream
from lifecycle.domain.subject.events import Effect, ErasureOrdered
from lifecycle.errors import LifecycleError, Refused
from lifecycle.ledger.envelope import b64url, read_header
from lifecycle.storage.idempotency import Seen
from lifecycle.storage.tables import event_header

column = event_header.c
LED_TO = (  # written out once: a file that is imported again asks it for each of its lines
    select(column.header)
    .where(column.stream_id == bindparam("stream"), column.version.between(bindparam("first"), bindparam("last")))
    .order_by(column.version)
)


class NotRead(Refused):
    """Why clear values were not handed out, in the words of the decision."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message or "Not permitted.")
        self.code = outcome.code or "not-permitted"  # type: ignore[misc]  # each refusal has its own
        self.clause = outcome.clause  # type: ignore[misc]
        self.remedy = outcome.remedy or ""  # type: ignore[misc]


def done(id: str, stream: UUID, version: int, decision: Decision, kinds: Sequence[str]) -> Outcome:
    return Outcome(
        id=id,
        outcome="done",
        subject=stream if is_person_stream(stream) else None,
        version=version,
        events=tuple(kinds),
        effects=decision.effects,
        request=_request([event.header_data() for event in decision.events if "request" in event.field_names]),
    )


def nothing(id: str, stream: UUID | None, version: int | None, effects: tuple[Effect, ...] = ()) -> Outcome:
    subject = stream if stream is not None and is_person_stream(stream) else None
    return Outcome(id=id, outcome="nothing", subject=subject, version=version, effects=effects)


def subject_erased(id: str) -> Outcome:
    """A late repeat of a command of somebody who was erased registers nobody (settled rule 10)."""
    return Outcome(
        id=id, outcome="nothing", code="subject-erased", clause="7.3", message="This person's data has been erased."
    )


def refused(id: str | None, refusal: Refused, subject: UUID | None, version: int | None) -> Outcome:
    return Outcome(
        id=id,
        outcome="refused",
        subject=subject,
        version=version,
        code=refusal.code,
        clause=refusal.clause,
        message=refusal.message,
        remedy=refusal.remedy or None,
    )


def failed(id: str | None, answer: Any, error: LifecycleError, version: int | None = None) -> Outcome:
    """`answer` is "invalid" or "conflict"."""
    return Outcome(
        id=id,
        outcome=answer,
        version=version,
        code=error.code,
        clause=error.clause,
        message=error.message,
        remedy=error.remedy or None,
    )


def again(c: Connection, id: str, seen: Seen) -> Outcome:
    """The first answer, rebuilt from the events that it led to."""
    stream = seen.answer_stream or seen.stream_id
    person = seen.stream_id if is_person_stream(seen.stream_id) else None
    told = orjson.loads(seen.told) if seen.told else {}
    if seen.first_version is None:
        return nothing(
            id, person, seen.last_version, tuple(Effect.model_validate(each) for each in told.get("effects", ()))
        )
    last = seen.first_version if seen.outcome == "refused" else seen.last_version
    rows = c.execute(LED_TO, {"stream": stream, "first": seen.first_version, "last": last})
    headers = [read_header(row.header) for row in rows]
    if seen.outcome == "refused":
        return _refused_again(id, person, seen.last_version, headers[0].data, told.get("message"))
    effects = next((header.data["effects"] for header in headers if header.data.get("effects")), ())
    return Outcome(
        id=id,
        outcome="done",
        subject=person,
        version=seen.last_version,
        events=tuple(header.kind for header in headers),
        effects=tuple(Effect.model_validate(effect) for effect in effects),
        receipt=receipt(c, stream) if _whole(headers) else None,
        request=_request([header.data for header in headers]),
    )


def _request(facts: Sequence[Mapping[str, Any]]) -> RequestTold | None:
    """Of which request the facts tell. A clock that rests has no day; a receipt says that it waits."""
    told = next((data for data in facts if "request" in data), None) if facts else None
    if told is None:
        return None
    limit: Mapping[str, Any] = next(iter(told.get("deadlines") or ()), {}) if told.get("waits_until") is None else {}
    return RequestTold(
        id=told["request"],
        **{name: limit[name] for name in ("due", "due_on", "provisional") if name in limit},
        duplicate_of=told.get("duplicate_of"),
        together=tuple(told.get("together", ())),
    )


def told_beside(outcome: Outcome) -> bytes | None:
    """What a later repeat could not say from the events alone. Messages and effects never contain a value."""
    if outcome.outcome == "refused":
        return orjson.dumps({"message": outcome.message})
    if outcome.outcome == "nothing" and outcome.effects:
        return orjson.dumps({"effects": [effect.model_dump(mode="json") for effect in outcome.effects]})
    return None


def _refused_again(
    id: str, person: UUID | None, version: int | None, data: dict[str, Any], message: str | None
) -> Outcome:
    refusal = _refusals().get(data["code"], Refused)
    return Outcome(
        id=id,
        outcome="refused",
        subject=person,
        version=version,
        code=data["code"],
        clause=data.get("clause"),
        message=message or "Refused before under this id.",
        remedy=refusal.remedy or None,
    )


def _refusals() -> dict[str, type[Refused]]:
    return {refusal.code: refusal for refusal in Refused.__subclasses__()}


def _whole(headers: Sequence[Any]) -> bool:
    return any(header.kind == ErasureOrdered.kind and header.data.get("whole") for header in headers)


def receipt(c: Connection, stream: UUID) -> dict[str, str]:
    """What the erased person keeps: with it, and with nothing else, the record of the erasure can be asked for."""
    row = c.execute(select(column.header, column.salt).where(column.stream_id == stream, column.version == 1)).one()
    return {"sid": b64url(read_header(row.header).sid), "salt": b64url(row.salt)}
