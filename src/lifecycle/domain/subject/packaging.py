"""Who is given an access package: a requester who has proven who they are, with a token that lasts and was not used.
Policy clause 7.1."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import package_events as e
from lifecycle.domain.subject import package_refusals as r
from lifecycle.domain.subject.refusals import NotPermitted
from lifecycle.domain.subject.request_refusals import NotVerified, RequestClosed
from lifecycle.domain.subject.requesting import named
from lifecycle.domain.subject.requests import FOR_ACCESS, Request, Status
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import chosen, open_record
from lifecycle.policy.vocabulary import Role

ISSUERS = frozenset({Role.OFFICER, Role.SERVICE})
ANSWERED_OTHERWISE = frozenset({Status.REFUSED, Status.WITHDRAWN})


def issue_access_token(subject: Subject, asked: Asked, *, role: Role, request: str, token: str) -> Decision:
    """`token` is the SHA-256 of a secret that nobody but the requester keeps."""
    open_record(subject)
    if role not in ISSUERS:
        raise NotPermitted(f"the role {role} may not issue tokens for access packages")
    known = _for_access(subject, request)
    if not known.is_open:
        raise RequestClosed(known.status)
    expires = asked.now + timedelta(hours=asked.policy.response_times.package_hours)
    issued = e.AccessTokenIssued(occurred_at=asked.now, request=request, token=token, expires=expires)
    return Decision((issued,))


def make_access_package(
    subject: Subject,
    asked: Asked,
    *,
    request: str,
    token: str,
    holdings: Sequence[str],
    digest: str | None,
    language: str,
) -> Decision:
    """Without a `digest` it is only asked whether a package may be made. The request may have been answered in between:
    with this package."""
    open_record(subject)
    known = _for_access(subject, request)
    if known.status in ANSWERED_OTHERWISE:
        raise RequestClosed(known.status)
    issued = subject.access_tokens.get(token)
    if issued is None or issued.request != request:
        raise r.TokenWrong
    if issued.used_at is not None:
        raise r.TokenUsed
    if issued.expires <= asked.now:
        raise r.TokenExpired
    if digest is None:
        return NOTHING
    given = tuple(holding.id for holding in chosen(subject, (), holdings)) if holdings else ()
    made = e.AccessPackageMade(
        occurred_at=asked.now, request=request, token=token, holdings=given, digest=digest, language=language
    )
    return Decision((made,))


def _for_access(subject: Subject, request: str) -> Request:
    known = named(subject, request)
    if known.asks not in FOR_ACCESS:
        raise r.NotForAccess
    if not known.verified:
        raise NotVerified
    return known
