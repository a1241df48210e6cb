"""Answers to requests: fulfilled, refused with a reason and the way to complain, withdrawn; complaints passed on."""

from __future__ import annotations

from collections.abc import Collection

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import request_events as e
from lifecycle.domain.subject import request_refusals as r
from lifecycle.domain.subject.custody import preserve_copies
from lifecycle.domain.subject.refusals import UnknownWord
from lifecycle.domain.subject.requesting import may, named, said
from lifecycle.domain.subject.requests import FOR_ACCESS, Act, Request, duplicates_of
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.regulators import complaint_route, regulators
from lifecycle.policy.vocabulary import RequestKind


def fulfil_request(
    subject: Subject, asked: Asked, *, request: str, note: str | None, otherwise: str | None = None
) -> Decision:
    """Answered as asked; only to who has proven who they are, where the policy asks for that. Access and copies are
    given by a package, or the record says how they were given `otherwise`. Clause 7.1."""
    known = named(subject, request)
    if not may(known, Act.FULFIL):
        return NOTHING
    together = _together(subject, known)
    fulfilled = e.RequestFulfilled(
        occurred_at=asked.at,
        request=request,
        kept=asked.policy.request_records_rule(),
        together=together,
        answered=_answered(subject, asked, {request, known.duplicate_of, *together}, otherwise)
        if known.asks in FOR_ACCESS
        else None,
        values=said(subject, request, {"note": note, "otherwise": otherwise}),
    )
    return Decision((fulfilled,))


def _answered(
    subject: Subject, asked: Asked, requests: Collection[str | None], otherwise: str | None
) -> e.Answered | None:
    """How access was given; of somebody whose data we have no longer there is no package to give."""
    if otherwise is not None:
        return "otherwise"
    if subject.erasure is not None or subject.is_transferred:
        return None
    tokens = [token for token in subject.access_tokens.values() if token.request in requests]
    if any(token.used_at is not None for token in tokens):
        return "package"
    if any(token.expires > asked.now for token in tokens):
        return "token"
    raise r.PackageMissing


def refuse_request(subject: Subject, asked: Asked, *, request: str, reason: str) -> Decision:
    """Refused with the reason, and with where to complain: clauses 7.6 and 10.2. Of what access was refused to, a copy
    is preserved where law asks for that (PDPA s 22A)."""
    known = named(subject, request)
    if not may(known, Act.REFUSE):
        return NOTHING
    route = complaint_route(asked.policy, known.region)
    refused = e.RequestRefused(
        occurred_at=asked.at,
        request=request,
        kept=asked.policy.request_records_rule(),
        regulators=tuple(each.region for each in regulators(asked.policy, known.region)),
        together=_together(subject, known),
        values=said(subject, request, {"reason": reason, "route": route}),
    )
    wants_access = known.asks in FOR_ACCESS and subject.erasure is None
    held = [holding.id for holding in subject.kept()] if wants_access else []
    return Decision((refused, *preserve_copies(subject, held, asked.at, asked.policy, request)))


def withdraw_request(subject: Subject, asked: Asked, *, request: str, reason: str | None) -> Decision:
    """By whoever asked. What repeats it stands on its own from now on."""
    known = named(subject, request)
    if not may(known, Act.WITHDRAW):
        return NOTHING
    withdrawn = e.RequestWithdrawn(
        occurred_at=asked.at,
        request=request,
        kept=asked.policy.request_records_rule(),
        values=said(subject, request, {"reason": reason}),
    )
    return Decision((withdrawn,))


def escalate_complaint(
    subject: Subject, asked: Asked, *, request: str, region: str | None, reason: str | None
) -> Decision:
    """The complaint goes to the authority of the person's region; ours is answered all the same."""
    known = named(subject, request)
    may(known, Act.ESCALATE)
    if known.asks is not RequestKind.COMPLAINT:
        raise r.NotAComplaint
    where = region or known.region or _only_one(asked)
    if where is None:
        raise r.RegionMissing
    if where not in asked.policy.jurisdictions:
        raise UnknownWord("jurisdiction", where)
    if known.escalated_to == where:
        return NOTHING
    escalated = e.ComplaintEscalated(
        occurred_at=asked.at, request=request, region=where, values=said(subject, request, {"reason": reason})
    )
    return Decision((escalated,))


def _only_one(asked: Asked) -> str | None:
    jurisdictions = asked.policy.jurisdictions
    return jurisdictions[0] if len(jurisdictions) == 1 else None


def _together(subject: Subject, known: Request) -> tuple[str, ...]:
    """The duplicates that this answer answers too; who has yet to prove who they are is not given it."""
    return tuple(each.id for each in duplicates_of(subject.requests, known.id) if not each.is_unproven)
