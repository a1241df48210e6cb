"""Record that whoever asks has proven who they are."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import ErasureReceipt, Said
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import requesting


class VerifyRequester(RequestCommand):
    """`evidence` says how; who asks for another shows by what `authority` too. Of somebody erased it is the `receipt`
    that was handed out at the erasure."""

    command: Literal["verify-requester"] = "verify-requester"
    evidence: Said | None = None
    authority: Said | None = None
    receipt: ErasureReceipt | None = None

    @model_validator(mode="after")
    def _shown(self) -> Self:
        if self.evidence is None and self.receipt is None:
            raise ValueError("how somebody has shown who they are has to be said: `evidence` or `receipt`")
        return self


def verify_requester(command: VerifyRequester, person: PersonContext) -> Decision:
    return requesting.verify_requester(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        evidence=command.evidence,
        authority=command.authority,
        receipt=None if command.receipt is None else person.is_receipt(command.receipt.sid, command.receipt.salt),
    )
