"""Putting on record that the words of a notice went out."""

from __future__ import annotations

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.told_events import NoticeSent


def record_sent(subject: Subject, asked: Asked, *, of: int, notice: str, channel: str) -> Decision:
    """Of somebody erased nothing is told any more, and nothing has to be."""
    if subject.erasure is not None:
        return NOTHING
    assert 0 < of <= subject.version, "what was sent stands on this record"
    return Decision((NoticeSent(occurred_at=asked.now, of=of, notice=notice, channel=channel),))
