"""Record that an authority was given holdings on an instrument."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Day, Instant, Name, Said, Shape, SubjectCommand
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import disclosing
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import start_of


class InstrumentScope(Shape):
    """What the instrument names: categories, and the days in which the data was collected, both included."""

    categories: tuple[Name, ...] | None = Field(default=None, min_length=1)
    period_from: Day | None = Field(default=None, alias="from")
    period_to: Day | None = Field(default=None, alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.period_from is not None and self.period_to is not None and self.period_to < self.period_from:
            raise ValueError("`to` lies before `from`")
        return self


class Instrument(Shape):
    """The warrant, order or demand. `law` is what it cites to reach what is stored only."""

    kind: Said
    reference: str = Field(max_length=4096)
    issued_on: Day
    expires_on: Day | None = None
    scope: InstrumentScope = InstrumentScope()
    law: Said | None = None


class Disclose(SubjectCommand):
    """`gag_until`: until then, or to the end of that day, the person may not be told. Policy clause 3.1b."""

    command: Literal["disclose"] = "disclose"
    authority: Said
    instrument: Instrument | None = None
    categories: tuple[Name, ...] = Field(min_length=1)
    approved_by: Said
    gag_until: Instant | Day | None = None


def disclose(command: Disclose, person: PersonContext) -> Decision:
    return disclosing.disclose(
        person.subject,
        person.asked,
        authority=person.reference("authority", command.authority),
        name=command.authority,
        instrument=_instrument(command.instrument, person),
        approved_by=command.approved_by,
        categories=command.categories,
        gag_until=_end_of(command.gag_until, person.asked.policy),
    )


def _instrument(said: Instrument | None, person: PersonContext) -> disclosing.Instrument | None:
    if said is None:
        return None
    return disclosing.Instrument(
        kind=said.kind,
        reference=said.reference,
        keyed=person.reference("instrument", said.reference),
        issued_on=said.issued_on,
        expires_on=said.expires_on,
        categories=said.scope.categories,
        period_from=said.scope.period_from,
        period_to=said.scope.period_to,
        law=said.law,
    )


def _end_of(said: datetime | date | None, policy: Policy) -> datetime | None:
    if said is None or isinstance(said, datetime):
        return said
    return start_of(said + timedelta(days=1), policy.time_zone)
