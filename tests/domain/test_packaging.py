"""In every state of a request, and of a token: who is given a token, and whom it gives a package."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from examples import ANN_ID, MARCH_1, MARCH_2, POLICY
from lifecycle.domain.decision import Asked
from lifecycle.domain.subject.access_tokens import AccessToken
from lifecycle.domain.subject.packaging import issue_access_token, make_access_package
from lifecycle.domain.subject.requests import Pause, Request, Status
from lifecycle.domain.subject.state import Subject
from lifecycle.errors import Refused
from lifecycle.policy.countries import STANDARD
from lifecycle.policy.deadlines import Clock
from lifecycle.policy.vocabulary import PauseReason, RequestKind, Role

LIMITS = Clock(POLICY, STANDARD).limits(RequestKind.ACCESS, POLICY.day_of(MARCH_1))
PROVEN = Request(
    "r", RequestKind.ACCESS, MARCH_1, POLICY.day_of(MARCH_1), "email", LIMITS, LIMITS[0].due_on,
    needs_identity=True, verified=True,
)  # fmt: skip
IN = {
    Status.RECEIVED: replace(PROVEN, needs_identity=False, verified=False),
    Status.AWAITING_IDENTITY: replace(PROVEN, verified=False),
    Status.VERIFIED: PROVEN,
    Status.PAUSED: replace(PROVEN, paused=Pause(MARCH_1, PauseReason.CLARIFICATION, MARCH_2)),
    Status.EXTENDED: replace(PROVEN, extended=True),
    Status.FULFILLED: replace(PROVEN, closed=Status.FULFILLED),
    Status.REFUSED: replace(PROVEN, closed=Status.REFUSED),
    Status.WITHDRAWN: replace(PROVEN, closed=Status.WITHDRAWN),
}
ISSUED = {
    Status.RECEIVED: "not-verified",
    Status.AWAITING_IDENTITY: "not-verified",
    Status.VERIFIED: None,
    Status.PAUSED: None,
    Status.EXTENDED: None,
    Status.FULFILLED: "request-closed",
    Status.REFUSED: "request-closed",
    Status.WITHDRAWN: "request-closed",
}
MADE = ISSUED | {Status.FULFILLED: None}
GOOD = AccessToken("r", MARCH_2)
ASKED = Asked(MARCH_1, MARCH_1, POLICY)


def subject(request: Request, token: AccessToken = GOOD) -> Subject:
    return Subject(ANN_ID, 3, requests={"r": request}, access_tokens={"t": token})


def code(decide: object, **changes: object) -> str | None:
    try:
        decide(**changes)  # type: ignore[operator]
    except Refused as refusal:
        return refusal.code
    return None


def issue(request: Request, role: Role = Role.OFFICER) -> str | None:
    return code(lambda: issue_access_token(subject(request), ASKED, role=role, request="r", token="n"))


def make(request: Request, token: AccessToken = GOOD, asked: Asked = ASKED, brought: str = "t") -> str | None:
    said = {"request": "r", "token": brought, "holdings": (), "digest": "d", "language": "en"}
    return code(lambda: make_access_package(subject(request, token), asked, **said))


def test_every_state_of_a_request_is_in_the_tables():
    assert {status: request.status for status, request in IN.items()} == {status: status for status in Status}
    assert set(ISSUED) == set(MADE) == set(Status)


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("kind", RequestKind)
def test_a_token_and_a_package_are_given_in_these_states_and_for_these_kinds_alone(status: Status, kind: RequestKind):
    request = replace(IN[status], asks=kind)
    for_access = kind in (RequestKind.ACCESS, RequestKind.COPY)
    assert issue(request) == (ISSUED[status] if for_access else "not-for-access")
    assert make(request) == (MADE[status] if for_access else "not-for-access")


@pytest.mark.parametrize("role", Role)
def test_only_officers_and_services_issue_tokens(role: Role):
    assert issue(PROVEN, role) == (None if role in (Role.OFFICER, Role.SERVICE) else "not-permitted")


def test_a_token_is_good_until_the_instant_at_which_it_expires_and_once():
    last = ASKED._replace(now=MARCH_2 - timedelta(microseconds=1))
    assert make(PROVEN, asked=last) is None
    assert make(PROVEN, asked=ASKED._replace(now=MARCH_2)) == "token-expired"
    assert make(PROVEN, replace(GOOD, used_at=MARCH_1)) == "token-used"
    assert make(PROVEN, replace(GOOD, request="another")) == "token-wrong"
    assert make(PROVEN, brought="forged") == "token-wrong"
