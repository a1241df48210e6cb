"""Who the person is to us: identifiers, guardians, notices. Identifiers' values rest only in the blind index."""

from __future__ import annotations

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.subject import events as e
from lifecycle.domain.subject import refusals as r
from lifecycle.domain.subject.state import Subject
from lifecycle.domain.subject.wording import known_channel, open_record, version_shown
from lifecycle.policy.vocabulary import IdentifierType, Language


def link_identifier(
    subject: Subject, asked: Asked, *, identifier: str, type: IdentifierType, is_own: bool, is_taken: bool
) -> Decision:
    open_record(subject)
    if is_taken:
        raise r.IdentifierTaken(type)
    if is_own:
        return NOTHING
    return Decision((e.IdentifierLinked(occurred_at=asked.at, identifier=identifier, type=type),))


def unlink_identifier(subject: Subject, asked: Asked, *, identifier: str | None) -> Decision:
    """`identifier` is its id, or None if it is not this person's."""
    open_record(subject)
    if identifier is None or identifier not in subject.identifiers:
        return NOTHING
    if len(subject.identifiers) == 1:
        raise r.LastIdentifier
    return Decision((e.IdentifierUnlinked(occurred_at=asked.at, identifier=identifier),))


def record_guardian(subject: Subject, asked: Asked, *, guardian: str, reference: str, evidence: str) -> Decision:
    """`guardian` is the keyed form of `reference`."""
    open_record(subject)
    if guardian in subject.guardians:
        return NOTHING
    recorded = e.GuardianRecorded(occurred_at=asked.at, guardian=guardian, reference=reference, evidence=evidence)
    return Decision((recorded,))


def give_notice(subject: Subject, asked: Asked, *, notice: str, channel: str) -> Decision:
    """Policy clause 9.1. A version that is to come can be told of; one that was replaced cannot."""
    open_record(subject)
    known_channel(version_shown(asked, notice), channel)
    if (notice, channel) in subject.notices:
        return NOTHING
    return Decision((e.NoticeGiven(occurred_at=asked.at, notice=notice, channel=channel),))


def accept_policy(subject: Subject, asked: Asked, *, notice: str, channel: str) -> Decision:
    """Somebody says yes to a version that is in force for them or that they were told of; never consent. Clause 9.2."""
    open_record(subject)
    known_channel(version_shown(asked, notice), channel)
    if notice != asked.policy.version and notice not in subject.told:
        raise r.NoticeMissing(notice)
    if notice in subject.acceptances:
        return NOTHING
    return Decision((e.PolicyAccepted(occurred_at=asked.at, notice=notice, channel=channel),))


def state_language(subject: Subject, asked: Asked, *, language: Language) -> Decision:
    open_record(subject)
    if language == subject.language:
        return NOTHING
    return Decision((e.LanguageStated(occurred_at=asked.at, language=language),))
