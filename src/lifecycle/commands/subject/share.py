"""Record that holdings were given to a trustee, or to somebody who decides for itself what to do with them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name, Said, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import providing, sharing
from lifecycle.policy.vocabulary import LegalBasis, RecipientKind


class Share(SubjectCommand):
    """By `categories`, or by `holdings`. To a `trustee` under its agreement: policy clause 3.1a. To any other
    `recipient` on a `basis`, with its `evidence`: policy clause 3.1c."""

    command: Literal["share"] = "share"
    trustee: Name | None = None
    recipient: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    basis: LegalBasis | None = None
    evidence: Said | None = None
    purpose: Name
    categories: tuple[Name, ...] = ()
    holdings: tuple[Name, ...] = ()
    method: Name

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.categories) == bool(self.holdings):
            raise ValueError("give either `categories` or `holdings`")
        if (self.trustee is None) == (self.recipient is None):
            raise ValueError("give either `trustee` or `recipient`")
        if self.trustee is not None and (self.basis is not None or self.evidence is not None):
            raise ValueError("`basis` and `evidence` are for a `recipient`; a trustee has an agreement")
        if self.recipient is not None and self.basis is None:
            raise ValueError("a share with a `recipient` needs its `basis`")
        return self


def share(command: Share, person: PersonContext) -> Decision:
    if command.trustee is None:
        return _provide(command, person)
    return sharing.share(
        person.subject,
        person.asked,
        trustee=person.trustee(command.trustee),
        purpose=command.purpose,
        categories=command.categories,
        holdings=command.holdings,
        method=command.method,
    )


def _provide(command: Share, person: PersonContext) -> Decision:
    assert command.recipient is not None and command.basis is not None  # noqa: PT018 -- the model saw to it
    return providing.provide(
        person.subject,
        person.asked,
        recipient=_recipient(command.recipient, person),
        purpose=command.purpose,
        basis=command.basis,
        categories=command.categories,
        holdings=command.holdings,
        method=command.method,
        evidence=command.evidence,
    )


def _recipient(said: str, person: PersonContext) -> providing.Recipient:
    """Whom the policy declares goes by the id; of anybody else the name is the caller's word, and sealed."""
    kind = providing.declared(person.asked.policy, said)
    if kind is not None:
        return providing.Recipient(said, kind)
    return providing.Recipient(person.reference("recipient", said), RecipientKind.UNDECLARED, said)
