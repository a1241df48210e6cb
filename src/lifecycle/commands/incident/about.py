"""What every command about an incident has, and the shape of a scope and of a notice's contents."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Protocol, Self

from pydantic import Field, model_validator

from lifecycle.commands.context import OpenRecordContext
from lifecycle.commands.document import Instant, Name, OpenRecordCommand, Said, Shape
from lifecycle.domain.incident.events import Scope
from lifecycle.domain.incident.incident import Incident
from lifecycle.domain.open_records import Named
from lifecycle.domain.subject.refusals import UnknownWord
from lifecycle.policy.model import Policy

Contents = dict[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)*$", max_length=64)], Said]


class IncidentCommand(OpenRecordCommand):
    """Concerns one incident, named by an id of ours in the policy's style: it never names a person."""

    noun: ClassVar[str] = "incident"
    incident: Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64)]


class IncidentContext(OpenRecordContext, Protocol):
    """One incident at the moment of one command."""

    @property
    def named(self) -> Incident: ...


class IncidentWindow(Shape):
    from_: Instant = Field(alias="from")
    to: Instant | None = None

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.to is not None and self.to < self.from_:
            raise ValueError("`to` lies before `from`")
        return self


class IncidentScope(Shape):
    store: Name | None = None
    trustee: Name | None = None
    keys: tuple[Literal["epoch", "custody"], ...] = ()
    categories: tuple[Name, ...] = ()

    def reads(self) -> Iterable[Named]:
        if self.trustee is not None:
            yield "trustee", self.trustee

    def known(self, context: OpenRecordContext) -> Scope:
        """Raise UnknownWord for a trustee of whom neither the policy nor any record knows: nobody would be found."""
        named = self.trustee
        declared = named is None or named in _recipients(context.asked.policy)
        if named is not None and not declared and context.open_record(("trustee", named)).version == 0:
            raise UnknownWord("trustee", named)
        return Scope(
            store=self.store,
            trustee=self.trustee,
            keys=tuple(sorted(set(self.keys))),
            categories=tuple(sorted(set(self.categories))),
        )


def _recipients(policy: Policy) -> set[str]:
    return {*policy.trustees, *policy.technologies, *policy.third_party_products, *policy.third_parties}
