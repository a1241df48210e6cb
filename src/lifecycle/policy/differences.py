"""What a new version of a policy changes: for each change who has to agree anew, what loses its cover, and whether
going on using the service is enough. Policy clauses 9.1 and 9.2; PIPL Art. 14.

Of every change people are told before it takes effect. Somebody has to be asked where data is used on their consent and
the purpose, its categories, recipients or methods became wider, it is kept longer, or a category became sensitive: just
where the scope of the old consent does not carry the new version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from lifecycle.policy.difference import (
    CONSENT,
    Change,
    Difference,
    all_names,
    changed_fields,
    changed_sets,
    changed_value,
)
from lifecycle.policy.differences_of_purposes import (
    changed_categories,
    changed_retention,
    essence,
    has_other_basis,
    of_purposes,
    rests_on_consent,
)
from lifecycle.policy.model import Policy
from lifecycle.policy.parts import Technology

__all__ = ["CONSENT", "Difference", "asked_anew", "differences"]

VERSION_ITSELF = ("id", "version", "effective")


def differences(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """Every change from one version to the other, in the order of the policy file."""
    return tuple(found for look in LOOKS for found in look(old, new))


def asked_anew(found: tuple[Difference, ...]) -> tuple[str, ...]:
    """The purposes that people have to consent to anew."""
    return tuple(sorted({each.purpose for each in found if each.ask and each.purpose is not None}))


# -- technologies, trustees, categories ------------------------------------------------------------------------------


def _technologies(old: Policy, new: Policy) -> Iterator[Difference]:
    """Each rests on a consent of its own."""
    for name in all_names(old.technologies, new.technologies):
        before, after = old.technologies.get(name), new.technologies.get(name)
        place = f"technologies.{name}"
        if before is None and after is not None:
            for purpose in after.purposes:
                yield Difference("technology", "new", place, purpose, new=after.name, ask=True, rides=False)
        elif after is None and before is not None:
            for purpose in before.purposes:
                yield Difference("technology", "dropped", place, purpose, old=before.name, loses_cover=True)
        elif before is not None and after is not None:
            yield from _within_technology(place, before, after)


def _within_technology(place: str, before: Technology, after: Technology) -> Iterator[Difference]:
    asking: dict[str, Any] = {"ask": True, "rides": False}
    yield from changed_sets(
        "purpose of a technology", f"{place}.purposes", None, before.purposes, after.purposes, asking
    )
    for purpose in after.purposes:
        yield from changed_categories(place, purpose, frozenset(before.categories), frozenset(after.categories), asking)
        yield from changed_retention(f"{place}.retention", purpose, before.retention, after.retention, asking)
        if before.provider != after.provider:
            told = {"old": before.provider, "new": after.provider} | asking
            yield Difference("provider", "changed", f"{place}.provider", purpose, **told)
    for field in ("clause", "name", "contact", "purpose"):
        yield from changed_value(field, f"{place}.{field}", getattr(before, field), getattr(after, field))
    if essence(before.retention) == essence(after.retention) and before.retention != after.retention:
        yield Difference("reason", "changed", f"{place}.retention")


def _sensitivity(old: Policy, new: Policy) -> Iterator[Difference]:
    """A category that became sensitive needs separate consent wherever consent carries it (PIPL Art. 29)."""
    for name in all_names(old.categories, new.categories):
        before, after = old.categories.get(name), new.categories.get(name)
        place = f"categories.{name}"
        if before is None or after is None:
            yield Difference("category declared", "new" if before is None else "dropped", place, category=name)
            continue
        if before.sensitivity is not after.sensitivity:
            told: dict[str, Any] = {"old": before.sensitivity.value, "new": after.sensitivity.value}
            change: Change = "wider" if new.is_sensitive(name) else "narrower"
            using = [purpose for purpose in new.purposes.values() if name in purpose.all_categories]
            for purpose in using:
                ask = change == "wider" and rests_on_consent(purpose)
                rides = not ask or has_other_basis(purpose)
                yield Difference(
                    "sensitivity", change, place, purpose.id, name, basis=CONSENT if ask else None,
                    ask=ask, rides=rides, **told,
                )  # fmt: skip
            if not using:
                yield Difference("sensitivity", change, place, category=name, **told)
        for field in ("label", "format", "mask", "reserved"):
            yield from changed_value(field, f"{place}.{field}", getattr(before, field), getattr(after, field))


def _declared(what: str, key: str) -> Callable[[Policy, Policy], Iterator[Difference]]:
    """Tables of things by their ids, of which people are told: what is new, what is gone, what changed within."""

    def look(old: Policy, new: Policy) -> Iterator[Difference]:
        before, after = getattr(old, key), getattr(new, key)
        for name in all_names(before, after):
            place = f"{key}.{name}"
            if name not in before or name not in after:
                yield Difference(what, "new" if name not in before else "dropped", place)
            elif before[name] != after[name]:
                yield from changed_fields(what, place, before[name], after[name])

    return look


# -- contacts, rights, clocks ----------------------------------------------------------------------------------------


def _controller(old: Policy, new: Policy) -> Iterator[Difference]:
    for field in ("name", "country"):
        place = f"controller.{field}"
        yield from changed_value("controller", place, getattr(old.controller, field), getattr(new.controller, field))
    before, after = old.controller.contacts, new.controller.contacts
    for name in all_names(before, after):
        yield from changed_value("contact", f"controller.contacts.{name}", before.get(name), after.get(name))


def _response_times(old: Policy, new: Policy) -> Iterator[Difference]:
    before, after = old.response_times, new.response_times
    if before.days != after.days:
        change: Change = "longer" if after.days > before.days else "shorter"
        yield Difference("response time", change, "response_times.days", old=before.days, new=after.days)
    for field in ("clause", "calendar", "kinds", "assumed", "reason"):
        yield from changed_value(
            "response time", f"response_times.{field}", getattr(before, field), getattr(after, field)
        )


SEEN = (
    "purposes", "technologies", "categories", "trustees", "third_party_products", "systems", "bases", "laws", "rights",
    "controller", "response_times",
)  # fmt: skip


def _whatever_else(old: Policy, new: Policy) -> Iterator[Difference]:
    """So that nothing that a policy says can change without being told."""
    for field in Policy.model_fields:
        if field not in (*SEEN, *VERSION_ITSELF):
            yield from changed_value(field.replace("_", " "), field, getattr(old, field), getattr(new, field))


LOOKS: tuple[Callable[[Policy, Policy], Iterator[Difference]], ...] = (
    of_purposes,
    _technologies,
    _sensitivity,
    _declared("trustee", "trustees"),
    _declared("third-party product", "third_party_products"),
    _declared("system", "systems"),
    _declared("legal basis", "bases"),
    _declared("law", "laws"),
    _declared("right", "rights"),
    _controller,
    _response_times,
    _whatever_else,
)
