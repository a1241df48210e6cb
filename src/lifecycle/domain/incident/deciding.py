"""What may happen next with an incident, and when not. The table says which command has a place in which state."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from lifecycle.domain.decision import NOTHING, Asked, Decision
from lifecycle.domain.incident import dues
from lifecycle.domain.incident import events as e
from lifecycle.domain.incident import refusals as r
from lifecycle.domain.incident.exposure import OURS, Reach, Window
from lifecycle.domain.incident.incident import Incident, Status
from lifecycle.domain.incident.tally import Counted
from lifecycle.domain.subject.refusals import UnknownWord
from lifecycle.domain.subject.wording import known_categories, known_channel
from lifecycle.policy.model import Policy

ALWAYS = frozenset({"assess-incident", "take-remedy", "notify-authority"})
TABLE: Mapping[Status, frozenset[str]] = {
    Status.UNKNOWN: frozenset({"detect-incident"}),
    Status.DETECTED: ALWAYS,
    Status.ASSESSED: ALWAYS | {"notify-subjects", "waive-subject-notice", "reopen-incident", "close-incident"},
    Status.WAIVED: ALWAYS | {"notify-subjects", "waive-subject-notice", "reopen-incident", "close-incident"},
    Status.CLOSED: frozenset({"reopen-incident"}),
}


def in_order(incident: Incident, command: str) -> None:
    """Raise the refusal of a command that has no place now."""
    if command in TABLE[incident.status]:
        return
    if incident.status is Status.UNKNOWN:
        raise r.UnknownIncident(incident.name_id)
    raise r.IncidentOutOfOrder(command, incident.status)


def reach_of(incident: Incident, now: datetime) -> Reach:
    """What is to be looked for; a window that is not over reaches until now."""
    said = incident.assessed or incident.detected
    assert said is not None
    assert incident.detected is not None
    return Reach(incident.detected.nature, Window(said.starts, said.ends or now), said.scope)


def detect(
    incident: Incident,
    asked: Asked,
    *,
    nature: e.Nature,
    starts: datetime,
    ends: datetime | None,
    scope: e.Scope,
    description: str | None,
) -> Decision:
    _sound(asked, starts, ends, scope)
    detected = e.IncidentDetected(
        occurred_at=asked.at,
        incident=incident.name_id,
        nature=nature,
        starts=starts,
        ends=ends,
        scope=scope,
        dues=dues.at_detection(asked.policy, asked.at),
        description=description,
    )
    if incident.status is not Status.UNKNOWN:
        before = incident.detected
        assert before is not None
        if (before.nature, before.starts, before.ends, before.scope) == (nature, starts, ends, scope):
            return NOTHING
        raise r.IncidentKnown(incident.name_id)
    return Decision((detected,))


def _sound(asked: Asked, starts: datetime, ends: datetime | None, scope: e.Scope) -> None:
    if starts > asked.now or (ends is not None and not starts <= ends <= asked.now):
        raise r.WindowFaulty
    if scope.store is None and scope.trustee is None and not scope.keys:
        raise r.ScopeMissing
    if scope.store is not None and scope.store not in (*OURS, *asked.policy.systems):
        raise UnknownWord("store", scope.store)
    known_categories(asked.policy, scope.categories)


def assess(
    incident: Incident,
    asked: Asked,
    *,
    severity: e.Severity,
    risk: e.Risk,
    cause: str,
    starts: datetime | None,
    ends: datetime | None,
    scope: e.Scope | None,
) -> Decision:
    """What is found out later widens or narrows window and scope; who was hit is computed anew after it."""
    in_order(incident, "assess-incident")
    before = incident.assessed or incident.detected
    assert before is not None
    first, last, reached = starts or before.starts, ends or before.ends, scope or before.scope
    _sound(asked, first, last, reached)
    assessed = e.IncidentAssessed(
        occurred_at=asked.at,
        incident=incident.name_id,
        severity=severity,
        risk=risk,
        starts=first,
        ends=last,
        scope=reached,
        cause=cause,
    )
    return Decision((assessed,))


def count(incident: Incident, asked: Asked, tally: Counted, known_at: datetime) -> Decision:
    """Put on record who was computed to have been hit; the same result again says nothing new."""
    detected, assessed, before = incident.detected, incident.assessed, incident.counted
    if detected is None or assessed is None or not incident.is_open:
        raise r.NotCounted
    if before is not None and not incident.to_count and (before.digest, before.untold) == (tally.digest, tally.untold):
        return NOTHING
    following = dues.at_count(asked.policy, detected.occurred_at, assessed.occurred_at, tally.people, assessed.risk)
    if incident.untold == 0 and tally.untold > 0 and incident.status is not Status.WAIVED:
        following += dues.for_people(asked.policy, asked.at)
    counted = e.AffectedCounted(
        occurred_at=asked.at,
        incident=incident.name_id,
        people=tally.people,
        holdings=tally.holdings,
        sensitive=tally.sensitive,
        minors=tally.minors,
        age_unknown=tally.age_unknown,
        erased=tally.erased,
        untold=tally.untold,
        fewer=max(before.people - tally.people, 0) if before is not None else 0,
        categories=tally.categories,
        excluded=tally.excluded,
        thresholds=dues.thresholds(asked.policy, detected.occurred_at, tally.people),
        dues=following,
        digest=tally.digest,
        known_at=known_at,
    )
    return Decision((counted,))


def remedy(incident: Incident, asked: Asked, *, measure: str) -> Decision:
    in_order(incident, "take-remedy")
    return Decision((e.RemedyTaken(occurred_at=asked.at, incident=incident.name_id, measure=measure),))


def notify_authority(
    incident: Incident,
    asked: Asked,
    *,
    jurisdictions: Sequence[str],
    authority: str,
    reference: str | None,
    contents: Mapping[str, str],
) -> Decision:
    """With everything that the law of each of these jurisdictions, or of all of the policy's, wants to be told."""
    in_order(incident, "notify-authority")
    unknown = set(jurisdictions) - set(asked.policy.jurisdictions)
    if unknown:
        raise r.UnknownJurisdiction(unknown)
    named = tuple(sorted(set(jurisdictions or asked.policy.jurisdictions)))
    told = _complete(named, "authority", contents)
    notified = e.AuthorityNotified(
        occurred_at=asked.at,
        incident=incident.name_id,
        jurisdictions=named,
        told=told,
        authority=authority,
        reference=reference,
        contents=_json(contents),
    )
    return Decision((notified,))


def _complete(jurisdictions: Collection[str], whom: e.Whom, contents: Mapping[str, str]) -> tuple[str, ...]:
    said = {key for key, text in contents.items() if text.strip()}
    if lacking := dues.missing(jurisdictions, whom, said):
        raise r.ContentsMissing(lacking)
    return tuple(sorted(said))


def _json(contents: Mapping[str, str]) -> str:
    return json.dumps(dict(contents), ensure_ascii=False, sort_keys=True)


def notify_subjects(incident: Incident, asked: Asked, *, channel: str, contents: Mapping[str, str]) -> Decision:
    """Begin to tell everybody who was hit; whoever is found later is told in the same words."""
    in_order(incident, "notify-subjects")
    known_channel(asked.policy, channel)
    told = _complete(asked.policy.jurisdictions, "subjects", contents)
    if incident.counted is None or incident.to_count:
        raise r.NotCounted
    if incident.untold == 0:
        return NOTHING
    begun = e.SubjectNoticeBegun(
        occurred_at=asked.at,
        incident=incident.name_id,
        notice=incident.notices + 1,
        channel=channel,
        told=told,
        contents=_json(contents),
    )
    return Decision((begun,))


def notified(
    incident: Incident, asked: Asked, *, people: int, more: int | None, skipped: Mapping[str, int], digest: str
) -> Decision:
    """Everybody has been told, or skipped for a reason that is counted."""
    if incident.notice is None or not incident.to_tell or not incident.is_open:
        return NOTHING
    done = e.SubjectsNotified(
        occurred_at=asked.at,
        incident=incident.name_id,
        notice=incident.notice.notice,
        people=people,
        more=more,
        skipped={reason: number for reason, number in sorted(skipped.items()) if number},
        digest=digest,
    )
    return Decision((done,))


def waive(incident: Incident, asked: Asked, *, measures: str | None, evidence: str | None) -> Decision:
    in_order(incident, "waive-subject-notice")
    if incident.status is Status.WAIVED:
        return NOTHING
    if incident.ordered:
        raise r.OrderedByAuthority
    if not (measures or "").strip() or not (evidence or "").strip():
        raise r.WaiverWithoutMeasures
    if incident.counted is None or incident.to_count:
        raise r.NotCounted
    waived = e.SubjectNoticeWaived(
        occurred_at=asked.at, incident=incident.name_id, measures=measures, evidence=evidence
    )
    return Decision((waived,))


def reopen(
    incident: Incident, asked: Asked, *, reason: str, authority: str | None, reference: str | None, ordered: bool
) -> Decision:
    """By an authority's order no waiver stands any more; otherwise only a closed incident is opened again."""
    in_order(incident, "reopen-incident")
    if ordered and not ((authority or "").strip() and (reference or "").strip()):
        raise r.OrderWithoutReference
    if not ordered and incident.status is not Status.CLOSED:
        return NOTHING
    if ordered and incident.ordered and incident.status is Status.ASSESSED:
        return NOTHING
    left = incident.status is Status.WAIVED or (incident.untold or 0) > 0
    reopened = e.IncidentReopened(
        occurred_at=asked.at,
        incident=incident.name_id,
        ordered=ordered,
        dues=dues.for_people(asked.policy, asked.at) if ordered and left else (),
        reason=reason,
        authority=authority,
        reference=reference,
    )
    return Decision((reopened,))


def close(incident: Incident, asked: Asked, *, conclusion: str) -> Decision:
    in_order(incident, "close-incident")
    if incident.counted is None or incident.to_count:
        raise r.NotCounted
    if not incident.remedies:
        raise r.RemedyMissing
    if lacking := _authorities_not_told(incident, asked.policy):
        raise r.IncidentNoticeMissing(lacking)
    if not incident.people_are_settled:
        if incident.notice is None:
            raise r.IncidentNoticeMissing("the people who were hit")
        raise r.PeopleNotTold(incident.untold or 0)
    return Decision((e.IncidentClosed(occurred_at=asked.at, incident=incident.name_id, conclusion=conclusion),))


def _authorities_not_told(incident: Incident, policy: Policy) -> str:
    if policy.incidents is not None and not incident.jurisdictions:
        return "the authority"
    waiting = [clock.due.rule for clock in incident.clocks if clock.due.whom == "authority" and not clock.answered]
    return f"the authority, by {', '.join(sorted(waiting))}" if waiting else ""
