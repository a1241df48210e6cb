"""Sign an agreement with a trustee: all seven terms of clause 3.1a."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from lifecycle.commands.context import TrusteeContext
from lifecycle.commands.document import Day, Name, Said, Shape, TrusteeCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.trustee import trustee


class AgreementTerms(Shape):
    """A term that is left out is not malformed: it is refused, by clause 3.1a. Both days are included."""

    purpose: Name | None = None
    from_: Day | None = Field(default=None, alias="from")
    to: Day | None = None
    method: Name | None = None
    categories: tuple[Name, ...] = ()
    measures: Said | None = None
    rights_and_obligations: Said | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ and self.to and self.to < self.from_:
            raise ValueError("`to` lies before `from`")
        return self


class SignAgreement(TrusteeCommand):
    command: Literal["sign-agreement"] = "sign-agreement"
    agreement: AgreementTerms


def sign_agreement(command: SignAgreement, context: TrusteeContext) -> Decision:
    said = command.agreement
    terms = trustee.Terms(
        purpose=said.purpose,
        starts=said.from_,
        ends=said.to,
        method=said.method,
        categories=said.categories,
        measures=said.measures,
        rights_and_obligations=said.rights_and_obligations,
    )
    return trustee.sign(context.named, context.asked, terms=terms)
