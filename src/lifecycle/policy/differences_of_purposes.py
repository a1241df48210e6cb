"""What a new version changes about a purpose: its categories, bases, recipients, methods, and how long it keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lifecycle.policy.difference import Difference, all_names, changed_sets, changed_value
from lifecycle.policy.model import Policy
from lifecycle.policy.parts import Purpose, Retention
from lifecycle.policy.periods import Period
from lifecycle.policy.scope import is_longer
from lifecycle.policy.vocabulary import CountsFrom, LegalBasis


def of_purposes(old: Policy, new: Policy) -> Iterator[Difference]:
    for name in all_names(old.purposes, new.purposes):
        before, after = old.purposes.get(name), new.purposes.get(name)
        place = f"purposes.{name}"
        if before is None and after is not None:
            ask = rests_on_consent(after)
            yield Difference("purpose", "new", place, name, new=after.label, ask=ask, rides=has_other_basis(after))
        elif after is None and before is not None:
            yield Difference("purpose", "dropped", place, name, old=before.label, loses_cover=True)
        elif before is not None and after is not None:
            yield from _within_purpose(old, new, before, after)


def _within_purpose(old: Policy, new: Policy, before: Purpose, after: Purpose) -> Iterator[Difference]:
    name, ask = after.id, rests_on_consent(after)
    asking: dict[str, Any] = {"ask": ask, "rides": not ask or has_other_basis(after)}
    yield from changed_categories(f"purposes.{name}", name, before.all_categories, after.all_categories, asking)
    for category in sorted(before.all_categories & after.all_categories):
        if (category in before.categories) is not (category in after.categories):
            told = _required(category, before), _required(category, after)
            yield Difference(
                "category", "changed", f"purposes.{name}.categories", name, category, old=told[0], new=told[1]
            )
    yield from _bases(before, after)
    yield from changed_sets(
        "recipient", f"purposes.{name}.recipients", name, before.recipients, after.recipients, asking
    )
    methods = _methods(old, before), _methods(new, after)
    yield from changed_sets("method", f"purposes.{name}.recipients", name, *methods, asking)
    yield from changed_retention(f"purposes.{name}.retention", name, before.retention, after.retention, asking)
    yield from changed_sets("reader", f"purposes.{name}.readers", name, before.readers, after.readers, {})
    for field in ("clause", "label", "consent_lasts"):
        yield from changed_value(field, f"purposes.{name}.{field}", getattr(before, field), getattr(after, field), name)
    if essence(before.retention) == essence(after.retention) and before.retention != after.retention:
        yield Difference("reason", "changed", f"purposes.{name}.retention", name)


def rests_on_consent(purpose: Purpose) -> bool:
    return LegalBasis.CONSENT in purpose.bases


def has_other_basis(purpose: Purpose) -> bool:
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


def changed_categories(
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


# -- how long ------------------------------------------------------------------------------------------------------


def essence(kept: Retention) -> tuple[CountsFrom, Period | None]:
    return kept.counts_from, kept.period


def changed_retention(
    place: str, purpose: str, before: Retention, after: Retention, asking: dict[str, Any]
) -> Iterator[Difference]:
    """Longer, if it can last longer in any way: the same comparison as that of consents."""
    if essence(before) == essence(after):
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
