"""Receiving a request, and its clock: identity, pause, extension. Policy clauses 7.1 to 7.6, 10.1 and 10.2."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import request_events as e
from lifecycle.domain.subject import request_refusals as r
from lifecycle.domain.subject.refusals import UnknownWord
from lifecycle.domain.subject.requests import ALLOWED, ALREADY, Act, Request, original_of
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import known_channel
from lifecycle.policy.deadlines import Clock, Deadline
from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import PauseReason, RequestKind


@dataclass(frozen=True, slots=True)
class Requester:
    """Who asks: the person, or somebody `on_behalf` of them. `proven`: they have shown who they are; `authorised`:
    and by what authority they ask for another."""

    proven: bool = False
    on_behalf: e.OnBehalf | None = None
    authorised: bool = False

    @property
    def is_accepted(self) -> bool:
        return self.proven and (self.on_behalf is None or self.authorised)


def said(subject: Subject, request: str, words: Mapping[str, str | None]) -> dict[str, str]:
    """What was said in words, as the value of the request's id; of somebody erased nothing can be sealed any more."""
    spoken = {name: each for name, each in words.items() if each is not None}
    if not spoken or subject.erasure is not None:
        return {}
    return {request: json.dumps(spoken, ensure_ascii=False, sort_keys=True)}


def named(subject: Subject, request: str) -> Request:
    if request not in subject.requests:
        raise r.UnknownRequest
    return subject.requests[request]


def may(request: Request, act: Act) -> bool:
    """Whether the act is possible now; False if it is so already. Raises what stands against it."""
    if act in ALLOWED[request.status]:
        return True
    if (request.status, act) in ALREADY:
        return False
    if not request.is_open:
        raise r.RequestClosed(request.status)
    if request.is_unproven and act in (Act.FULFIL, Act.RESUME):
        raise r.NotVerified
    if request.extended and act is Act.EXTEND:
        raise r.TooLateToExtend("it was extended before")
    raise r.RequestState(request.status, act)


def receive(
    subject: Subject,
    asked: Asked,
    *,
    request: str,
    asks: RequestKind,
    channel: str,
    requester: Requester,
    region: str | None = None,
    about: str | None = None,
    words: Mapping[str, str | None],
) -> Decision:
    """Nobody is turned away: what lacks proof waits for it, what was asked before is answered together with it."""
    policy = asked.policy
    known_channel(policy, channel)
    if region is not None and region not in policy.jurisdictions:
        raise UnknownWord("jurisdiction", region)
    if about is not None:
        named(subject, about)
    if request in subject.requests:
        return _again(subject.requests[request], asked, asks, channel)
    received_on = policy.day_of(asked.at)
    needs = asks in policy.response_times.identity_for and subject.erasure is None  # nothing is left to be shown
    waits = needs and not requester.is_accepted and PauseReason.IDENTITY in policy.response_times.pauses
    received = e.RequestReceived(
        occurred_at=asked.at,
        request=request,
        asks=asks,
        channel=channel,
        received_on=received_on,
        identity="proven" if requester.is_accepted else "awaited" if needs else "not-needed",
        deadlines=_clock(asked).limits(asks, received_on),
        waits_until=_longest_pause(asked) if waits else None,
        on_behalf=requester.on_behalf,
        authorised=None if requester.on_behalf is None else requester.authorised,
        region=region,
        duplicate_of=original_of(subject.requests, asks, about),
        about=about,
        values=said(subject, request, words),
    )
    return Decision((received,))


def _again(known: Request, asked: Asked, asks: RequestKind, channel: str) -> Decision:
    if (known.asks, known.channel, known.at) == (asks, channel, asked.at):
        return NOTHING
    raise r.RequestKnown


def verify_requester(
    subject: Subject,
    asked: Asked,
    *,
    request: str,
    evidence: str | None,
    authority: str | None,
    receipt: bool | None = None,
) -> Decision:
    """Who asks has proven who they are; the clock goes on if it waited for that. Of somebody erased nothing is left to
    compare with but the receipt of the erasure: `receipt` says whether it was brought, and whether it is the one."""
    known = named(subject, request)
    if subject.erasure is not None and receipt is None:
        raise r.ReceiptMissing
    if receipt is False:
        raise r.ReceiptWrong
    if not may(known, Act.VERIFY) or known.verified:
        return NOTHING
    if not known.authorised and authority is None:
        raise r.AuthorityMissing
    limits = rested = None
    if known.paused is not None and known.paused.because is PauseReason.IDENTITY:
        limits, rested = resumed(asked, known, asked.policy.day_of(asked.now))
    verified = e.RequesterVerified(
        occurred_at=asked.at,
        request=request,
        deadlines=limits,
        rested=rested or 0,
        by="erasure-receipt" if receipt else None,
        values=said(subject, request, {"identity": evidence, "authority": authority}),
    )
    return Decision((verified,))


def pause_request(subject: Subject, asked: Asked, *, request: str, because: PauseReason, reason: str) -> Decision:
    """The clock rests while the person has something to do, if the policy lets it rest for that."""
    known = named(subject, request)
    if known.is_unproven and known.paused is not None and because is PauseReason.IDENTITY:
        return NOTHING
    if not may(known, Act.PAUSE):
        return NOTHING
    proven = known.verified and because is PauseReason.IDENTITY
    if because not in asked.policy.response_times.pauses or proven:
        raise r.PauseNotAllowed(because)
    if asked.now >= known.deadline.due:
        raise r.TooLateToPause
    paused = e.RequestPaused(
        occurred_at=asked.now,  # effects start when recorded (settled rule 19): no clock is stopped afterwards
        request=request,
        because=because,
        until=_longest_pause(asked),
        values=said(subject, request, {"reason": reason}),
    )
    return Decision((paused,))


def resume_request(subject: Subject, asked: Asked, *, request: str, reason: str | None) -> Decision:
    known = named(subject, request)
    if not may(known, Act.RESUME):
        return NOTHING
    limits, rested = resumed(asked, known, asked.policy.day_of(asked.now))
    going_on = e.RequestResumed(
        occurred_at=asked.at,
        request=request,
        because="asked",
        deadlines=limits,
        rested=rested,
        values=said(subject, request, {"reason": reason}),
    )
    return Decision((going_on,))


def extend_request(
    subject: Subject, asked: Asked, *, request: str, until: date, reason: str, channel: str | None
) -> Decision:
    """Once, before the first deadline is over, with a reason and a new day of which the person is told at once."""
    known = named(subject, request)
    known_channel(asked.policy, channel or known.channel)
    may(known, Act.EXTEND)  # nothing is ever extended already: that is refused
    if asked.now >= known.deadline.due or known.missed_at is not None:
        raise r.TooLateToExtend
    if until <= known.deadline.due_on:
        raise r.ExtensionTooShort(known.deadline.due_on)
    latest = _clock(asked).latest_extension(known.received_on, known.deadline.due_on, known.rested)
    if latest is not None and until > latest:
        raise r.ExtensionTooLong(latest)
    extended = e.DeadlineExtended(
        occurred_at=asked.at,
        request=request,
        was=known.deadline.due_on,
        deadlines=(_clock(asked).extended(until, asked.policy.day_of(asked.now)),),
        channel=channel or known.channel,
        values=said(subject, request, {"reason": reason}),
    )
    return Decision((extended,))


def resumed(asked: Asked, known: Request, on: date) -> tuple[tuple[Deadline, ...], int]:
    """The limits as they are counted on from that day, and for how many days the clock stood."""
    if known.paused is None:
        return known.deadlines, 0
    paused_on = asked.policy.day_of(known.paused.since)
    return _clock(asked).resumed(known.deadlines, paused_on, on), max(0, (on - paused_on).days)


def _longest_pause(asked: Asked) -> datetime:
    period = Period(days=asked.policy.response_times.pause_days)
    return period.due(asked.now, asked.policy.time_zone)


def _clock(asked: Asked) -> Clock:
    return Clock(asked.policy, asked.calendars)
