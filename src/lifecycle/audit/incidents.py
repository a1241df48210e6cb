"""The incidents that hit a person, as they are told in the person's own package."""

from __future__ import annotations

from typing import Any

from lifecycle.audit.telling import instant
from lifecycle.domain.subject.state import Subject

Json = dict[str, Any]


def incidents_of(subject: Subject) -> list[Json]:
    """Of which the person was told, in order: what happened, to which of their data, when and how they were told."""
    return [
        {
            "incident": told.incident,
            "nature": told.nature,
            "categories": sorted(told.categories),
            "told_at": instant(told.at),
            "channel": told.channel,
            "notice": told.notice,
        }
        for told in subject.incidents
    ]
