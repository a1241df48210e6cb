"""What a new version of a policy changes: for each change who has to agree anew, what loses its cover, and whether
going on using the service is enough. Policy clauses 9.1 and 9.2; PIPL Art. 14.

Of every change people are told before it takes effect. Somebody has to be asked where data is used on their consent and
the purpose, its categories, recipients or methods became wider, it is kept longer, or a category became sensitive: just
where the scope of the old consent does not carry the new version.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from lifecycle.policy.model import Policy
from lifecycle.policy.parts import Part, Purpose, Retention, Technology
from lifecycle.policy.periods import Period
from lifecycle.policy.scope import is_longer
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis

Change = Literal["new", "dropped", "wider", "narrower", "longer", "shorter", "changed"]
VERSION_ITSELF = ("id", "version", "effective")
CONSENT = LegalBasis.CONSENT.value


@dataclass(frozen=True, slots=True)
class Difference:
    """One change. `purpose`, `category` and `basis` say whose data it is about; without them it is about everybody.

    `ask`: people on whose consent the purpose rests have to agree anew. `loses_cover`: grounds of that purpose,
    category and basis end. `rides`: going on using the service after the notice counts as accepting it; where `ask`
    is set only for those whose data is used on another basis.
    """

    what: str
    change: Change
    where: str  # the key of the policy file
    purpose: str | None = None
    category: str | None = None
    basis: str | None = None
    old: Any = None
    new: Any = None
    ask: bool = False
    loses_cover: bool = False
    rides: bool = True


def differences(old: Policy, new: Policy) -> tuple[Difference, ...]:
    """Every change from one version to the other, in the order of the policy file."""
    return tuple(found for look in LOOKS for found in look(old, new))


def asked_anew(found: tuple[Difference, ...]) -> tuple[str, ...]:
    """The purposes that people have to consent to anew."""
    return tuple(sorted({each.purpose for each in found if each.ask and each.purpose is not None}))


# -- purposes ------------------------------------------------------------------------------------------------------


def _purposes(old: Policy, new: Policy) -> Iterator[Difference]:
    for name in _all(old.purposes, new.purposes):
        before, after = old.purposes.get(name), new.purposes.get(name)
        place = f"purposes.{name}"
        if before is None and after is not None:
            ask = _rests_on_consent(after)
            yield Difference("purpose", "new", place, name, new=after.label, ask=ask, rides=_has_other_basis(after))
        elif after is None and before is not None:
            yield Difference("purpose", "dropped", place, name, old=before.label, loses_cover=True)
        elif before is not None and after is not None:
            yield from _within_purpose(old, new, before, after)


def _within_purpose(old: Policy, new: Policy, before: Purpose, after: Purpose) -> Iterator[Difference]:
    name, ask = after.id, _rests_on_consent(after)
    asking: dict[str, Any] = {"ask": ask, "rides": not ask or _has_other_basis(after)}
    yield from _categories(f"purposes.{name}", name, before.all_categories, after.all_categories, asking)
    for category in sorted(before.all_categories & after.all_categories):
        if (category in before.categories) is not (category in after.categories):
            told = _required(category, before), _required(category, after)
            yield Difference(
                "category", "changed", f"purposes.{name}.categories", name, category, old=told[0], new=told[1]
            )
    yield from _bases(before, after)
    yield from _sets("recipient", f"purposes.{name}.recipients", name, before.recipients, after.recipients, asking)
    methods = _methods(old, before), _methods(new, after)
    yield from _sets("method", f"purposes.{name}.recipients", name, *methods, asking)
    yield from _retention(f"purposes.{name}.retention", name, before.retention, after.retention, asking)
    yield from _sets("reader", f"purposes.{name}.readers", name, before.readers, after.readers, {})
    for field in ("clause", "label", "consent_lasts"):
        yield from _plain(field, f"purposes.{name}.{field}", getattr(before, field), getattr(after, field), name)
    if _essence(before.retention) == _essence(after.retention) and before.retention != after.retention:
        yield Difference("reason", "changed", f"purposes.{name}.retention", name)


def _rests_on_consent(purpose: Purpose) -> bool:
    return LegalBasis.CONSENT in purpose.bases


def _has_other_basis(purpose: Purpose) -> bool:
    return any(basis is not LegalBasis.CONSENT for basis in purpose.bases)


def _required(category: str, purpose: Purpose) -> str:
    return "required" if category in purpose.categories else "optional"


def _methods(policy: Policy, purpose: Purpose) -> list[str]:
    """How its data reaches those who may be given it."""
    return sorted({method for each in purpose.recipients for method in policy.trustees[each].methods})


def _bases(before: Purpose, after: Purpose) -> Iterator[Difference]:
    place = f"purposes.{after.id}.bases"
    for basis in sorted({*before.bases, *after.bases}):
        if basis not in before.bases:
            yield Difference("basis", "new", place, after.id, basis=basis.value, new=basis.value)
        elif basis not in after.bases:
            yield Difference("basis", "dropped", place, after.id, basis=basis.value, old=basis.value, loses_cover=True)


def _categories(
    place: str, purpose: str, before: frozenset[str], after: frozenset[str], asking: dict[str, Any]
) -> Iterator[Difference]:
    for category in sorted(before ^ after):
        if category in after:
            yield Difference("category", "wider", f"{place}.categories", purpose, category, new=category, **asking)
        else:
            place_of = f"{place}.categories"
            yield Difference(
                "category", "narrower", place_of, purpose, category, old=category, loses_cover=True
            )  # fmt: skip


def _sets(
    what: str, place: str, purpose: str | None, before: Any, after: Any, asking: dict[str, Any]
) -> Iterator[Difference]:
    for each in sorted(set(before) ^ set(after)):
        if each in after:
            yield Difference(what, "wider", place, purpose, new=str(each), **asking)
        else:
            yield Difference(what, "narrower", place, purpose, old=str(each))


# -- how long ------------------------------------------------------------------------------------------------------


def _essence(kept: Retention) -> tuple[CountsFrom, Period | None]:
    return kept.counts_from, kept.period


def _retention(
    place: str, purpose: str, before: Retention, after: Retention, asking: dict[str, Any]
) -> Iterator[Difference]:
    """Longer, if it can last longer in any way: the same comparison as that of consents."""
    if _essence(before) == _essence(after):
        return
    moves_now = before.counts_from is not after.counts_from and after.counts_from is CountsFrom.LAST_ACTIVITY
    longer = moves_now or is_longer(after.period, before.period)
    told: dict[str, Any] = {"old": _kept(before), "new": _kept(after)} | (asking if longer else {})
    yield Difference("retention", "longer" if longer else "shorter", place, purpose, **told)


def _kept(kept: Retention) -> dict[str, Any]:
    period = kept.period
    if period is None:
        return {"while_contract_lasts": True}
    length = {"days": period.days} if period.days is not None else {"months": period.months}
    return {**length, "counts_from": kept.counts_from.value}


# -- technologies, trustees, categories ------------------------------------------------------------------------------


def _technologies(old: Policy, new: Policy) -> Iterator[Difference]:
    """Each rests on a consent of its own."""
    for name in _all(old.technologies, new.technologies):
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
    yield from _sets("purpose of a technology", f"{place}.purposes", None, before.purposes, after.purposes, asking)
    for purpose in after.purposes:
        yield from _categories(place, purpose, frozenset(before.categories), frozenset(after.categories), asking)
        yield from _retention(f"{place}.retention", purpose, before.retention, after.retention, asking)
        if before.provider != after.provider:
            told = {"old": before.provider, "new": after.provider} | asking
            yield Difference("provider", "changed", f"{place}.provider", purpose, **told)
    for field in ("clause", "name", "contact", "purpose"):
        yield from _plain(field, f"{place}.{field}", getattr(before, field), getattr(after, field))
    if _essence(before.retention) == _essence(after.retention) and before.retention != after.retention:
        yield Difference("reason", "changed", f"{place}.retention")


def _sensitivity(old: Policy, new: Policy) -> Iterator[Difference]:
    """A category that became sensitive needs separate consent wherever consent carries it (PIPL Art. 29)."""
    for name in _all(old.categories, new.categories):
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
                ask = change == "wider" and _rests_on_consent(purpose)
                rides = not ask or _has_other_basis(purpose)
                yield Difference(
                    "sensitivity", change, place, purpose.id, name, basis=CONSENT if ask else None,
                    ask=ask, rides=rides, **told,
                )  # fmt: skip
            if not using:
                yield Difference("sensitivity", change, place, category=name, **told)
        for field in ("label", "format", "mask", "reserved"):
            yield from _plain(field, f"{place}.{field}", getattr(before, field), getattr(after, field))


def _declared(what: str, key: str) -> Callable[[Policy, Policy], Iterator[Difference]]:
    """Tables of things by their ids, of which people are told: what is new, what is gone, what changed within."""

    def look(old: Policy, new: Policy) -> Iterator[Difference]:
        before, after = getattr(old, key), getattr(new, key)
        for name in _all(before, after):
            place = f"{key}.{name}"
            if name not in before or name not in after:
                yield Difference(what, "new" if name not in before else "dropped", place)
            elif before[name] != after[name]:
                yield from _fields(what, place, before[name], after[name])

    return look


def _fields(what: str, place: str, before: Any, after: Any) -> Iterator[Difference]:
    if not isinstance(after, Part):
        yield Difference(what, "changed", place, old=_told(before), new=_told(after))
        return
    for field in type(after).model_fields:
        yield from _plain(what, f"{place}.{field}", getattr(before, field), getattr(after, field))


def _plain(what: str, place: str, before: Any, after: Any, purpose: str | None = None) -> Iterator[Difference]:
    if before != after:
        yield Difference(what, "changed", place, purpose, old=_told(before), new=_told(after))


def _told(value: Any) -> Any:
    return value.model_dump(mode="json", exclude_defaults=True) if hasattr(value, "model_dump") else _simple(value)


def _simple(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_told(each) for each in value]
    if isinstance(value, dict):
        return {str(key): _told(each) for key, each in value.items()}
    return value if isinstance(value, int | bool | None.__class__) else str(value)


# -- contacts, rights, clocks ----------------------------------------------------------------------------------------


def _controller(old: Policy, new: Policy) -> Iterator[Difference]:
    for field in ("name", "country"):
        place = f"controller.{field}"
        yield from _plain("controller", place, getattr(old.controller, field), getattr(new.controller, field))
    before, after = old.controller.contacts, new.controller.contacts
    for name in _all(before, after):
        yield from _plain("contact", f"controller.contacts.{name}", before.get(name), after.get(name))


def _response_times(old: Policy, new: Policy) -> Iterator[Difference]:
    before, after = old.response_times, new.response_times
    if before.days != after.days:
        change: Change = "longer" if after.days > before.days else "shorter"
        yield Difference("response time", change, "response_times.days", old=before.days, new=after.days)
    for field in ("clause", "calendar", "kinds", "assumed", "reason"):
        yield from _plain("response time", f"response_times.{field}", getattr(before, field), getattr(after, field))


SEEN = (
    "purposes", "technologies", "categories", "trustees", "third_party_products", "systems", "bases", "laws", "rights",
    "controller", "response_times",
)  # fmt: skip


def _whatever_else(old: Policy, new: Policy) -> Iterator[Difference]:
    """So that nothing that a policy says can change without being told."""
    for field in Policy.model_fields:
        if field not in (*SEEN, *VERSION_ITSELF):
            yield from _plain(field.replace("_", " "), field, getattr(old, field), getattr(new, field))


def _all(before: Any, after: Any) -> list[str]:
    """The keys of both, in the order of the newer file; what is gone comes last."""
    return [*after, *(name for name in before if name not in after)]


LOOKS: tuple[Callable[[Policy, Policy], Iterator[Difference]], ...] = (
    _purposes,
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
