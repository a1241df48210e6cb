"""Which stream an event belongs to. No stream name carries personal data."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid5

_NAMES = UUID("6f0f2b1e-3a55-5c0a-9d7e-2f4f0a4c11fe")
_VERSION_NIBBLE = 0xF << 76
_VERSION_AND_VARIANT = _VERSION_NIBBLE | 3 << 62  # RFC 9562, section 4: of its own variant are those with bits 1 and 0
_OF_A_PERSON = 7 << 76 | 2 << 62  # subjects are UUIDv7, nothing else is
_OF_ACCESS = 8 << 76 | 2 << 62  # the version that access_stream_of gives

SYSTEM = UUID(int=0)
"""Holds no events, only the log's own entries: genesis, epochs destroyed."""


def access_stream_of(subject_id: UUID) -> UUID:
    """The person's second stream, for reads and refused attempts: the same id with version 8 for version 7."""
    return UUID(int=(subject_id.int & ~_VERSION_NIBBLE) | (8 << 76))


def subject_of_access(stream_id: UUID) -> UUID:
    """The inverse of `access_stream_of`."""
    return UUID(int=(stream_id.int & ~_VERSION_NIBBLE) | (7 << 76))


def is_access_stream(stream_id: UUID) -> bool:
    return stream_id.int & _VERSION_AND_VARIANT == _OF_ACCESS


def is_person_stream(stream_id: UUID) -> bool:
    return stream_id.int & _VERSION_AND_VARIANT == _OF_A_PERSON


def trustee_stream(trustee: str) -> UUID:
    return uuid5(_NAMES, f"trustee:{trustee}")


def transfer_stream(transfer: str) -> UUID:
    return uuid5(_NAMES, f"transfer:{transfer}")


def incident_stream(incident: str) -> UUID:
    return uuid5(_NAMES, f"incident:{incident}")


def policy_stream() -> UUID:
    return uuid5(_NAMES, "policy")


def attempts_stream(day: date) -> UUID:
    """Refused attempts for people the engine does not know, a stream a day so that none grows without end."""
    return uuid5(_NAMES, f"attempts:{day.isoformat()}")
