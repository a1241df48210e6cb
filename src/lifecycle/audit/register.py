"""The register of processing activities (GDPR Art. 30): from the policy in force, the agreements as they stand, and
from how many people there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from lifecycle.audit.telling import instant
from lifecycle.domain.trustee.trustee import Trustee
from lifecycle.policy.model import Policy, Purpose, Retention
from lifecycle.policy.succession import in_force
from lifecycle.projections.processing_register import Processed

Json: TypeAlias = dict[str, Any]

MEASURES = (
    "each value is sealed under a key of its own, wrapped by the person's key and by one that changes",
    "values are masked on reading; clear ones need a role, a purpose and a live ground, and leave an event",
    "erasing destroys keys, so that copies in backups are dead, too",
    "every event is in a public log of commitments, so that a change or a loss is noticed",
)
"""What the engine does for every purpose: a general description, as Art. 30(1)(g) asks for."""


@dataclass(frozen=True, slots=True)
class Engaged:
    """A trustee as it stands, with the protective measures that each agreement names."""

    trustee: Trustee
    measures: Mapping[str, str]


def register(
    policies: Sequence[Policy], processed: Mapping[str, Processed], trustees: Mapping[str, Engaged], now: datetime
) -> Json:
    """One entry a purpose; one that a later policy gave up stays as long as somebody's data is processed for it."""
    policy = in_force(policies, now) or policies[-1]
    given_up = sorted(set(processed) - set(policy.purposes))
    return {
        "at": instant(now),
        "policy": policy.judged_by,
        "controller": policy.controller.model_dump(mode="json"),
        "measures": list(MEASURES),
        "purposes": [_entry(policy, purpose, processed, trustees, now) for purpose in policy.purposes.values()]
        + [_of_earlier(policies, purpose, processed, trustees, now) for purpose in given_up],
    }


def _of_earlier(
    policies: Sequence[Policy],
    purpose: str,
    processed: Mapping[str, Processed],
    trustees: Mapping[str, Engaged],
    now: datetime,
) -> Json:
    for policy in reversed(policies):
        if purpose in policy.purposes:
            return _entry(policy, policy.purposes[purpose], processed, trustees, now) | {"in_policy": False}
    counted = processed[purpose]  # a purpose of the engine's own: a birth date is kept because law asks the age
    return {
        "purpose": purpose,
        "in_policy": False,
        "people": counted.people,
        "categories": [{"category": each, "people": number} for each, number in sorted(counted.by_category.items())],
        "bases": [{"basis": each, "people": number} for each, number in sorted(counted.by_basis.items())],
        "retention": None,
        "recipients": [],
        "technologies": [],
        "transfers_abroad": [],
    }


def _entry(
    policy: Policy,
    purpose: Purpose,
    processed: Mapping[str, Processed],
    trustees: Mapping[str, Engaged],
    now: datetime,
) -> Json:
    counted = processed.get(purpose.id, Processed())
    recipients = [_recipient(policy, purpose, name, trustees.get(name), now) for name in purpose.recipients]
    return {
        "purpose": purpose.id,
        "label": purpose.label,
        "clause": purpose.clause,
        "in_policy": True,
        "people": counted.people,
        "categories": [
            {"category": each, "label": policy.categories[each].label, "people": counted.by_category.get(each, 0)}
            | {"sensitive": policy.is_sensitive(each)}
            for each in sorted(purpose.all_categories | set(counted.by_category) & set(policy.categories))
        ],
        "bases": [_basis(policy, counted, basis.value) for basis in purpose.bases],
        "retention": _retention(purpose.retention),
        "minimums": [
            {"law": rule.law, "period": str(rule.period), "bases": [basis.value for basis in rule.bases]}
            for rule in policy.minimums
            if rule.purpose == purpose.id
        ],
        "recipients": recipients,
        "technologies": [
            {"technology": each.id, "provider": each.provider, "categories": list(each.categories)}
            for each in policy.technologies.values()
            if purpose.id in each.purposes
        ],
        "transfers_abroad": [
            {"recipient": each["recipient"], "country": each["country"]} for each in recipients if each["abroad"]
        ],
    }


def _basis(policy: Policy, counted: Processed, basis: str) -> Json:
    declared = next(each for id, each in policy.bases.items() if id.value == basis)
    people = counted.by_basis.get(basis, 0)
    return {"basis": basis, "label": declared.label, "articles": list(declared.articles), "people": people}


def _retention(retention: Retention) -> Json:
    period = retention.period
    return {
        "period": None if period is None else str(period),
        "counts_from": retention.counts_from.value,
        "while_contract_lasts": retention.while_contract_lasts,
    }


def _recipient(policy: Policy, purpose: Purpose, name: str, engaged: Engaged | None, now: datetime) -> Json:
    declared, day = policy.trustees[name], policy.day_of(now)
    agreements = () if engaged is None else engaged.trustee.agreements
    in_force_now = [one for one in agreements if one.purpose == purpose.id and one.in_force(now, day)]
    return {
        "recipient": name,
        "name": declared.name,
        "country": declared.country,
        "abroad": declared.country != policy.controller.country,
        "engaged": engaged is not None and engaged.trustee.engaged,
        "agreements": [
            {
                "agreement": one.id,
                "ends": one.ends.isoformat(),
                "method": one.method,
                "categories": sorted(one.categories),
                "measures": engaged.measures.get(one.id) if engaged is not None else None,
            }
            for one in in_force_now
        ],
    }
