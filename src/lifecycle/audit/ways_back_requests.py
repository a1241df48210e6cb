"""From the events about a request back to the command that must have been asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

from lifecycle.audit.past import WITHHELD, Past
from lifecycle.audit.ways_back_from_endings import Fields
from lifecycle.domain.event import DomainEvent, Withheld
from lifecycle.domain.subject import request_events as e

Words = dict[str, str]


def _said(past: Past, event: DomainEvent, request: str, *needed: str) -> Words | None:
    """What was said in words; stand-ins for what a command cannot do without where it is withheld."""
    value = event.values.get(request)
    if isinstance(value, Withheld):
        return dict.fromkeys(needed, WITHHELD)
    if not isinstance(value, str):
        return {}
    read = json.loads(value)
    return read if isinstance(read, dict) else None


def _receive(past: Past) -> Iterator[Fields]:
    received = past.only(e.RequestReceived)
    if received is None:
        return
    said = _said(past, received, received.request, "text")
    if said is None:
        return
    withheld = not isinstance(received.values.get(received.request), str)  # of somebody erased nothing was kept at all
    name = said.get("name")
    if name is not None:
        past.name(name, received.request)
    yield {
        "at": received.occurred_at,
        "request": name,
        "kind": received.asks,
        "channel": received.channel,
        "text": said.get("text"),
        "identity": said.get("identity", WITHHELD if withheld and received.identity == "proven" else None),
        "on_behalf": _on_behalf(received, said, withheld=withheld),
        "about": received.about,
        "region": received.region,
    }


def _on_behalf(received: e.RequestReceived, said: Words, *, withheld: bool) -> Fields | None:
    if received.on_behalf is None:
        return None
    type, _, value = said.get("requester_reference", "").partition(":")
    return {
        "relation": received.on_behalf,
        "name": said.get("requester"),
        "reference": {type: value} if value else None,
        "evidence": said.get("authority", WITHHELD if withheld and received.authorised else None),
    }


def _verify(past: Past) -> Iterator[Fields]:
    verified = past.only(e.RequesterVerified)
    if verified is None:
        return
    said = _said(past, verified, verified.request, "identity", "authority")
    if said is not None:
        yield {
            "at": verified.occurred_at,
            "request": verified.request,
            "evidence": said.get("identity"),
            "authority": said.get("authority"),
            "receipt": None if verified.by is None else {"sid": WITHHELD, "salt": WITHHELD},
        }


def _pause(past: Past) -> Iterator[Fields]:
    paused = past.only(e.RequestPaused)
    if paused is not None and (said := _said(past, paused, paused.request, "reason")) is not None:
        yield {"at": paused.occurred_at, "request": paused.request, "because": paused.because} | said


def _resume(past: Past) -> Iterator[Fields]:
    resumed = past.only(e.RequestResumed)
    if resumed is not None and (said := _said(past, resumed, resumed.request, "reason")) is not None:
        yield {"at": resumed.occurred_at, "request": resumed.request} | said


def _extend(past: Past) -> Iterator[Fields]:
    extended = past.only(e.DeadlineExtended)
    if extended is not None and (said := _said(past, extended, extended.request, "reason")) is not None:
        until = extended.deadlines[0].due_on.isoformat()
        own = {"at": extended.occurred_at, "request": extended.request, "until": until, "channel": extended.channel}
        yield own | said


def _fulfil(past: Past) -> Iterator[Fields]:
    fulfilled = past.only(e.RequestFulfilled)
    if fulfilled is not None and (said := _said(past, fulfilled, fulfilled.request, "note")) is not None:
        yield {"at": fulfilled.occurred_at, "request": fulfilled.request, "note": said.get("note")} | {
            "otherwise": said.get("otherwise", WITHHELD if fulfilled.answered == "otherwise" else None)
        }


def _refuse(past: Past) -> Iterator[Fields]:
    """The route is not asked for: it follows from the policy."""
    refused = past.only(e.RequestRefused)
    if refused is not None and (said := _said(past, refused, refused.request, "reason")) is not None:
        yield {"at": refused.occurred_at, "request": refused.request, "reason": said.get("reason")}


def _withdraw(past: Past) -> Iterator[Fields]:
    withdrawn = past.only(e.RequestWithdrawn)
    if withdrawn is not None and (said := _said(past, withdrawn, withdrawn.request, "reason")) is not None:
        yield {"at": withdrawn.occurred_at, "request": withdrawn.request, "reason": said.get("reason")}


def _escalate(past: Past) -> Iterator[Fields]:
    escalated = past.only(e.ComplaintEscalated)
    if escalated is not None and (said := _said(past, escalated, escalated.request, "reason")) is not None:
        own = {"at": escalated.occurred_at, "request": escalated.request, "region": escalated.region}
        yield own | {"reason": said.get("reason")}


REQUEST_WAYS: dict[str, Callable[[Past], Iterator[Fields]]] = {
    "receive-request": _receive,
    "verify-requester": _verify,
    "pause-request": _pause,
    "resume-request": _resume,
    "extend-request": _extend,
    "fulfil-request": _fulfil,
    "refuse-request": _refuse,
    "withdraw-request": _withdraw,
    "escalate-complaint": _escalate,
}
