"""One spelling for a reference to a person."""

from __future__ import annotations

from lifecycle.commands.document import SubjectRef
from lifecycle.policy.values import normalise_identifier


def canonical(reference: SubjectRef) -> str:
    """Type and normalised value in one string; raises the error that says what is malformed, without the value."""
    identifier = reference.identifier
    if identifier is None:
        return f"id:{reference.id}"
    type, value = identifier
    return f"{type}:{normalise_identifier(type, value)}"
