"""Until when who has to be told of an incident, and what a notice contains: by the policy, and by law's numbers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta

from lifecycle.domain.incident.events import Due, Risk, Whom
from lifecycle.policy.incident_law import NoticeRule
from lifecycle.policy.model import Policy
from lifecycle.policy.packs import Pack, Unit, known_packs


def at_detection(policy: Policy, detected: datetime) -> tuple[Due, ...]:
    """What the policy promises counts from the detection, whatever the assessment will say."""
    if policy.incidents is None:
        return ()
    hours = {"authority": policy.incidents.authority_hours, "subjects": policy.incidents.hours_for_subjects}
    rule = f"policy@{policy.version}"
    return (
        Due(whom="authority", rule=rule, due=detected + timedelta(hours=hours["authority"])),
        Due(whom="subjects", rule=rule, due=detected + timedelta(hours=hours["subjects"])),
    )


def for_people(policy: Policy, since: datetime) -> tuple[Due, ...]:
    """For those who turn out to have been hit only after a notice, or whom an authority wants to be told."""
    return tuple(due for due in at_detection(policy, since) if due.whom == "subjects")


def at_count(policy: Policy, detected: datetime, assessed: datetime, people: int, risk: Risk) -> tuple[Due, ...]:
    """What law asks, now that it is known how many were hit and how badly."""
    return tuple(
        Due(whom=rule.whom, rule=f"{pack.jurisdiction}.{rule.number}", due=_due(policy, pack, rule, detected, assessed))
        for pack, rule in _rules(policy)
        if rule.number is not None
        and _in_force(policy, pack, rule.number, detected)
        and rule.holds(people, risk, _numbers(pack))
    )


def thresholds(policy: Policy, detected: datetime, people: int) -> tuple[str, ...]:
    """Numbers of people from which law asks more, as far as they are reached."""
    named = {(pack.jurisdiction, rule.if_people) for pack, rule in _rules(policy) if rule.if_people is not None}
    reached = [
        f"{code}.{name}"
        for code, name in named
        if name is not None
        and people >= known_packs()[code].numbers[name].value
        and _in_force(policy, known_packs()[code], name, detected)
    ]
    return tuple(sorted(reached))


def missing(jurisdictions: Iterable[str], whom: Whom, said: Collection[str]) -> list[str]:
    """What a notice lacks that law asks for there."""
    laws = [law for code in jurisdictions if (law := known_packs()[code].incidents) is not None]
    return sorted({key for law in laws for key in law.contents(whom)} - set(said))


def _rules(policy: Policy) -> Iterator[tuple[Pack, NoticeRule]]:
    for code in policy.jurisdictions:
        pack = known_packs()[code]
        for rule in pack.incidents.notices if pack.incidents is not None else ():
            yield pack, rule


def _numbers(pack: Pack) -> dict[str, int]:
    return {name: number.value for name, number in pack.numbers.items()}


def _in_force(policy: Policy, pack: Pack, name: str, at: datetime) -> bool:
    since = pack.numbers[name].since
    return since is None or since <= policy.day_of(at)


def _due(policy: Policy, pack: Pack, rule: NoticeRule, detected: datetime, assessed: datetime) -> datetime:
    assert rule.number is not None
    number, since = pack.numbers[rule.number], detected if rule.counts_from == "detection" else assessed
    if number.unit is Unit.HOURS:
        return since + timedelta(hours=number.value)
    return number.period().due(since, policy.time_zone)
