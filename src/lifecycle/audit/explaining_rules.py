"""The rules of processing in general, from the policy itself: as JSON, and in plain words. Policy clauses 7.4 and 8."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

from lifecycle.audit.explanation_texts import Texts
from lifecycle.policy.model import Policy
from lifecycle.policy.parts import Purpose, Retention, Technology

Json = dict[str, Any]


def rules_of(policy: Policy) -> Json:
    """What the policy says, for a program to read; ids stay ids, each with the label that people are shown."""
    return {
        "controller": policy.controller.model_dump(mode="json"),
        "purposes": [_purpose(policy, each) for each in policy.purposes.values()],
        "technologies": [_technology(policy, each) for each in policy.technologies.values()],
        "sensitive": _labelled(policy, [name for name in policy.categories if policy.is_sensitive(name)]),
        "minors": policy.minors.model_dump(mode="json", exclude_none=True) if policy.minors is not None else None,
        "rights": [{"kind": kind.value, **right.model_dump(mode="json")} for kind, right in policy.rights.items()],
        "response_times": policy.response_times.model_dump(mode="json", exclude_defaults=True),
        "revisions": policy.revisions.model_dump(mode="json"),
        "third_party_products": [
            {**each.model_dump(mode="json"), "in_scope": False} for each in policy.third_party_products.values()
        ],
        "incidents": policy.incidents.model_dump(mode="json", exclude_none=True) if policy.incidents else None,
    }


def _purpose(policy: Policy, purpose: Purpose) -> Json:
    return {
        "purpose": purpose.id,
        "clause": purpose.clause,
        "label": purpose.label,
        "categories": _labelled(policy, purpose.categories),
        "optional": _labelled(policy, purpose.optional),
        "bases": [
            {
                "basis": basis.value,
                "label": policy.bases[basis].label,
                "articles": list(policy.bases[basis].articles),
                "iri": policy.bases[basis].iri,
            }
            for basis in purpose.bases
        ],
        "kept": _retention(purpose.retention),
        "minimums": [
            {"law": policy.laws[rule.law], "bases": [b.value for b in rule.bases], "period": str(rule.period)}
            for rule in policy.minimums
            if rule.purpose == purpose.id
        ],
        "recipients": [
            policy.trustees[each].model_dump(mode="json", include={"id", "name", "contact", "country", "methods"})
            for each in purpose.recipients
        ],
    }


def _technology(policy: Policy, technology: Technology) -> Json:
    told = technology.model_dump(mode="json", exclude={"retention", "categories"})
    return {
        **told,
        "categories": _labelled(policy, technology.categories),
        "kept": _retention(technology.retention),
        "consent": "separate for each technology",
    }


def _retention(kept: Retention) -> Json:
    period = kept.period
    return {
        "counts_from": kept.counts_from.value if period is not None else None,
        "period": str(period) if period is not None else None,
        "while_contract_lasts": kept.while_contract_lasts,
    }


def _labelled(policy: Policy, names: Any) -> list[Json]:
    return [{"category": name, "label": policy.categories[name].label} for name in names]


# -- in plain words ------------------------------------------------------------------------------------------------


def sentences_of(policy: Policy, day: date, texts: Texts) -> Iterator[str]:
    """The rules as a person reads them, one sentence after another."""

    def say(key: str, **filled: object) -> str:
        return texts.say("rules", key, **filled)

    yield say("title", policy=policy.id, version=policy.version, day=day.isoformat())
    controller = policy.controller
    contacts = texts.listed(controller.contacts.values())
    yield say("controller", name=controller.name, country=controller.country, contacts=contacts)
    for purpose in policy.purposes.values():
        yield from _of_purpose(policy, purpose, texts)
    for technology in policy.technologies.values():
        yield say(
            "technology",
            **technology.model_dump(include={"name", "clause", "provider", "contact", "purpose"}),
            categories=_labels(policy, technology.categories, texts),
            kept=texts.kept(technology.retention.counts_from.value, technology.retention.period),
        )
    sensitive = [name for name in policy.categories if policy.is_sensitive(name)]
    if sensitive:
        yield say("sensitive", categories=_labels(policy, sensitive, texts))
    if policy.minors is not None:
        yield say("minor", age=policy.minors.age)
    for right in policy.rights.values():
        yield say("right", label=right.label, clause=right.clause)
    yield say("answer", days=policy.response_times.days, clause=policy.response_times.clause)
    yield say("revision", channels=texts.listed(policy.revisions.notice_channels), clause=policy.revisions.clause)
    if policy.revisions.continued_use_accepts:
        yield say("use")
    if policy.incidents is not None:
        yield say("incident", hours=policy.incidents.authority_hours, clause=policy.incidents.clause)
    for product in policy.third_party_products.values():
        yield say("product", **product.model_dump(include={"name", "provider", "terms", "clause"}))


def _of_purpose(policy: Policy, purpose: Purpose, texts: Texts) -> Iterator[str]:
    kept = texts.kept(purpose.retention.counts_from.value, purpose.retention.period)
    yield texts.say(
        "rules",
        "purpose",
        label=purpose.label,
        clause=purpose.clause,
        categories=_labels(policy, purpose.categories, texts),
        bases=texts.listed(texts.say("bases", basis.value) for basis in purpose.bases),
        kept=kept,
        recipients=texts.listed(policy.trustees[each].name for each in purpose.recipients),
    )
    if purpose.optional:
        optional = _labels(policy, purpose.optional, texts)
        yield texts.say("rules", "optional", label=purpose.label, categories=optional)
    for rule in policy.minimums:
        if rule.purpose == purpose.id:
            told = {"law": policy.laws[rule.law], "period": texts.length(rule.period)}
            yield texts.say("rules", "minimum", label=purpose.label, **told)


def _labels(policy: Policy, names: Any, texts: Texts) -> str:
    return texts.listed(label_of(policy, name) for name in names)


def label_of(policy: Policy, category: str) -> str:
    """What people are shown; a category of another version by its id."""
    declared = policy.categories.get(category)
    return declared.label if declared is not None else category
