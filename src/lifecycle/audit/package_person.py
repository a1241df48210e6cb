"""What is known of a person while their access package is written, and what the policy calls it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

from lifecycle.audit import package_model as m
from lifecycle.audit.opening import Place
from lifecycle.audit.package_words import PackageWords
from lifecycle.audit.why import WhyHeld
from lifecycle.domain.event import Personal, Recorded
from lifecycle.domain.subject.state import Subject
from lifecycle.policy.model import Policy
from lifecycle.vault.revealing import Revealed


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the person while the package is written."""

    subject: Subject
    events: Sequence[Recorded]
    reads: Sequence[Recorded]
    policy: Policy
    now: datetime
    words: PackageWords
    opened: Mapping[Place, Personal[JsonValue]] = field(repr=False)
    identifiers: Sequence[Revealed] = field(repr=False)
    names: Mapping[tuple[str, str], str] = field(repr=False)
    why: Mapping[str, WhyHeld]


def category(person: Known, id: str) -> m.Named:
    declared = person.policy.categories.get(id)
    return m.Named(id=id, label=declared.label if declared else id)


def purpose(person: Known, id: str) -> m.Named:
    declared = person.policy.purposes.get(id)
    return m.Named(id=id, label=declared.label if declared else id)


def technology(person: Known, id: str | None) -> m.Named | None:
    declared = person.policy.technologies.get(id) if id is not None else None
    return None if id is None else m.Named(id=id, label=declared.name if declared else id)


def system(person: Known, id: str | None) -> m.Named | None:
    declared = person.policy.systems.get(id) if id is not None else None
    return None if id is None else m.Named(id=id, label=declared.label if declared else id)
