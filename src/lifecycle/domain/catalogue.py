"""Every kind of event by its stored name. The stored name is never an import path: moving a class changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from importlib import import_module
from typing import Any

from pydantic import JsonValue

from lifecycle.domain import policy_events
from lifecycle.domain.event import DomainEvent, Personal, Withheld
from lifecycle.domain.subject import (
    custody_events,
    duty_events,
    outgoing_events,
    package_events,
    request_events,
    revision_events,
    told_events,
)
from lifecycle.domain.subject import events as subject_events
from lifecycle.domain.subject import transfer_events as subject_transfer_events
from lifecycle.errors import LifecycleError


class UnknownKind(LifecycleError):
    code = "unknown-kind"
    remedy = "use a newer version of this program: it wrote what this one cannot read"

    def __init__(self, kind: str) -> None:
        super().__init__(f"No event kind {kind!r} is known.")


def _kinds(*modules: Any) -> dict[str, type[DomainEvent]]:
    found: dict[str, type[DomainEvent]] = {}
    for module in modules:
        for member in vars(module).values():
            if isinstance(member, type) and issubclass(member, DomainEvent) and member is not DomainEvent:
                assert member.kind not in found, member.kind
                found[member.kind] = member
    return found


_OF_OPEN_RECORDS = {
    "trustee.events": "trustee-engaged/1 agreement-signed/1 agreement-ended/1 trustee-reviewed/1 trustee-dismissed/1",
    "trustee.supervision_events": (
        "trustee-found-wanting/1 finding-remedied/1 remedy-overdue/1 agreement-ending/1 agreement-lapsed/1 "
        "sub-trustee-approved/1 sub-trustee-reported/1"
    ),
    "transfer.events": (
        "transfer-announced/1 transfer-begun/1 people-skipped/1 handover-prepared/1 transfer-confirmed/1 "
        "transfer-completed/1 transfer-cancelled/1"
    ),
    "incident.events": (
        "incident-detected/1 incident-assessed/1 affected-counted/1 remedy-taken/1 authority-notified/1 "
        "subject-notice-begun/1 subjects-notified/1 subject-notice-waived/1 incident-reopened/1 incident-closed/1 "
        "incident-deadline-missed/1"
    ),
}
"""Module of this room → the kinds that it defines: it is loaded when the first event of one is met."""


class Kinds(Mapping[str, type[DomainEvent]]):
    """All there are. What a person's record consists of is loaded; `loaded` has that and whatever else was met."""

    def __init__(self, *modules: Any, away: Mapping[str, str]) -> None:
        self.loaded = _kinds(*modules)
        self._away = {kind: module for module, kinds in away.items() for kind in kinds.split()}

    def __getitem__(self, kind: str) -> type[DomainEvent]:
        if kind not in self.loaded:
            self.loaded |= _kinds(import_module(f"lifecycle.domain.{self._away[kind]}"))
        return self.loaded[kind]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*self.loaded, *self._away)))

    def __len__(self) -> int:
        return len(self.loaded.keys() | self._away)


KINDS = Kinds(
    subject_events,
    custody_events,
    outgoing_events,
    package_events,
    request_events,
    duty_events,
    subject_transfer_events,
    revision_events,
    policy_events,
    told_events,
    away=_OF_OPEN_RECORDS,
)

Upcast = Callable[[dict[str, Any]], dict[str, Any]]
UPCASTS: dict[str, tuple[str, Upcast]] = {}
"""Old kind → (newer kind, how its data reads there). Empty until a kind gets a second version."""


def decode(
    kind: str,
    data: dict[str, Any],
    record: Mapping[str, Any] | Withheld = Withheld.SEALED,
    values: Mapping[str, Personal[JsonValue]] | None = None,
) -> DomainEvent:
    """Rebuild an event from header data, the words under the record key, and the values opened for this reader."""
    event_class, data = _class_of(kind, data)
    fields = event_class.record_fields
    said = dict.fromkeys(fields, record) if isinstance(record, Withheld) else _said(fields, record)
    return event_class.model_validate({**data, **said, "values": values or {}})


def decode_sealed(kind: str, data: dict[str, Any], hids: Sequence[str]) -> DomainEvent:
    """As `decode`, for whoever opens nothing: header data is validated, and what is sealed is put beside it.

    Only `Withheld.SEALED` goes past validation, which takes longer over it than over everything else.
    """
    event_class = KINDS.loaded.get(kind)
    if event_class is None or kind in UPCASTS:
        event_class, data = _class_of(kind, data)
    at = data.get("occurred_at")
    if type(at) is str:  # Python's own UTC: instants of two kinds of it are compared by asking each for its offset
        data = {**data, "occurred_at": datetime.fromisoformat(at)}
    event: DomainEvent = event_class.__pydantic_validator__.validate_python(data)
    if hids or event_class.record_fields:
        event.__dict__.update(
            dict.fromkeys(event_class.record_fields, Withheld.SEALED), values=dict.fromkeys(hids, Withheld.SEALED)
        )
    return event


def _class_of(kind: str, data: dict[str, Any]) -> tuple[type[DomainEvent], dict[str, Any]]:
    while kind in UPCASTS:
        kind, upcast = UPCASTS[kind]
        data = upcast(data)
    event_class = KINDS.get(kind)
    if event_class is None:
        raise UnknownKind(kind)
    return event_class, data


def _said(fields: Iterable[str], record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in fields if name in record}
