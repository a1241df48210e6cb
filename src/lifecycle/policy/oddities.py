"""What is lawful in a policy but odd: warnings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pydantic import BaseModel

from lifecycle.policy.coherence import Complaint
from lifecycle.policy.lines import Place
from lifecycle.policy.model import Policy
from lifecycle.policy.packs import Pack, Topic, Unit, known_packs
from lifecycle.policy.parts import Assumable, AssumedPeriod, Purpose, Retention, Technology
from lifecycle.policy.scope import fewest_and_most_days, is_longer
from lifecycle.policy.vocabulary import LegalBasis


def oddities_of(policy: Policy) -> list[Complaint]:
    return [complaint for look in LOOKS for complaint in look(policy)]


def _nobody_reads(policy: Policy) -> Iterator[Complaint]:
    for name, purpose in policy.purposes.items():
        if not purpose.readers:
            yield Complaint(("purposes", name), "nobody may read this purpose's data (`readers`)")


def _nobody_needs(policy: Policy) -> Iterator[Complaint]:
    needed = {each for purpose in policy.purposes.values() for each in purpose.all_categories}
    needed |= {each for technology in policy.technologies.values() for each in technology.categories}
    needed |= {policy.minors.birth_date_category} if policy.minors else set()
    for name, category in policy.categories.items():
        if name not in needed and not category.reserved:
            reason = "no purpose and no technology needs this category; say `reserved = true` if that is meant"
            yield Complaint(("categories", name), reason)
        if name in needed and category.reserved:
            yield Complaint(("categories", name, "reserved"), "is reserved, yet something needs it")


def _sensitive_without_separate_consent(policy: Policy) -> Iterator[Complaint]:
    for name, purpose in policy.purposes.items():
        sensitive = sorted(each for each in purpose.all_categories if policy.is_sensitive(each))
        others = [basis for basis in purpose.bases if basis is not LegalBasis.CONSENT]
        if sensitive and others:
            reason = f"allows the sensitive {', '.join(sensitive)} without separate consent, on {', '.join(others)}"
            yield Complaint(("purposes", name, "bases"), reason)


def _contract_clock_on_other_bases(policy: Policy) -> Iterator[Complaint]:
    for name, purpose in policy.purposes.items():
        others = [basis for basis in purpose.bases if basis is not LegalBasis.CONTRACT]
        if purpose.retention.while_contract_lasts and others:
            reason = f"keeps data on {', '.join(others)} until the purpose is ended: there is no contract to end it"
            yield Complaint(("purposes", name, "retention"), reason)


def _trustee_without_work(policy: Policy) -> Iterator[Complaint]:
    for name, trustee in policy.trustees.items():
        for each in trustee.purposes:
            if name not in policy.purposes[each].recipients:
                reason = f"serves {each!r}, which does not name it among its recipients"
                yield Complaint(("trustees", name, "purposes"), reason)


def _assumed_without_reason(policy: Policy) -> Iterator[Complaint]:
    for place, part in _parts(policy, ()):
        if isinstance(part, Assumable | AssumedPeriod):
            if part.assumed and not part.reason:
                yield Complaint(place, "is assumed without a reason")
            if part.reason and not part.assumed:
                yield Complaint((*place, "reason"), "gives a reason for a number that is not marked `assumed`")


def _kept_longer_than_law_allows(policy: Policy) -> Iterator[Complaint]:
    kept: list[tuple[Place, frozenset[str], Retention]] = [
        (("purposes", name, "retention"), _categories(part), part.retention) for name, part in policy.purposes.items()
    ]
    kept += [
        (("technologies", name, "retention"), _categories(part), part.retention)
        for name, part in policy.technologies.items()
    ]
    for pack in _packs(policy):
        for limit in pack.about(Topic.RETENTION_MAXIMUM).values():
            for place, categories, retention in kept:
                narrowed = not limit.categories or categories & set(limit.categories)
                if narrowed and is_longer(retention.period, limit.period()):
                    yield Complaint(place, f"is longer than {limit.value} {limit.unit} ({limit.citation})")


def _younger_than_law_says(policy: Policy) -> Iterator[Complaint]:
    for pack in _packs(policy):
        for number in pack.about(Topic.MINORS).values():
            if number.unit is Unit.YEARS and policy.minors and policy.minors.age < number.value:
                yield Complaint(("minors", "age"), f"is below {number.value} {number.unit} ({number.citation})")


def _slower_than_law_says(policy: Policy) -> Iterator[Complaint]:
    promised = policy.response_times.days
    for pack in _packs(policy):
        for number in pack.about(Topic.RESPONSE).values():
            working = number.unit is Unit.WORKING_DAYS
            limit = number.value if working else fewest_and_most_days(number.period())[1]
            if (promised if working else _fewest_days(promised)) > limit:
                reason = f"is longer than {number.value} {number.unit} ({number.citation})"
                yield Complaint(("response_times", "days"), reason)


def _fewest_days(working_days: int) -> int:
    """How few days so many working days can take: only weekends lie between, and the first day is a Monday."""
    return working_days + 2 * ((working_days - 1) // 5)


def _categories(part: Purpose | Technology) -> frozenset[str]:
    return part.all_categories if isinstance(part, Purpose) else frozenset(part.categories)


def _packs(policy: Policy) -> list[Pack]:
    return [known_packs()[code] for code in policy.jurisdictions]


def _parts(part: object, place: Place) -> Iterator[tuple[Place, object]]:
    """Every piece of the policy with its place."""
    if isinstance(part, BaseModel):
        yield place, part
        for name in type(part).model_fields:
            yield from _parts(getattr(part, name), (*place, name))
    elif isinstance(part, dict):
        for key, value in part.items():
            yield from _parts(value, (*place, str(key)))
    elif isinstance(part, tuple):
        for index, value in enumerate(part):
            yield from _parts(value, (*place, index))


LOOKS: tuple[Callable[[Policy], Iterator[Complaint]], ...] = (
    _nobody_reads,
    _nobody_needs,
    _sensitive_without_separate_consent,
    _contract_clock_on_other_bases,
    _trustee_without_work,
    _assumed_without_reason,
    _kept_longer_than_law_allows,
    _younger_than_law_says,
    _slower_than_law_says,
)
