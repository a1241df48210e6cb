"""Faults between the parts of a policy, such as names that nothing declares.

Judged on the raw tables, so that they are found although other parts have faults of shape.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lifecycle.policy.lines import Place
from lifecycle.policy.packs import known_packs
from lifecycle.policy.vocabulary import LegalBasis

Raw = Mapping[str, Any]
RECIPIENTS = ("trustees", "third_parties", "third_party_products")
BASES = {basis.value for basis in LegalBasis}


@dataclass(frozen=True, slots=True)
class Complaint:
    """What is wrong, and under which key."""

    place: Place
    reason: str


def faults_of(raw: Raw) -> list[Complaint]:
    return [complaint for check in CHECKS for complaint in check(raw)]


def _table(raw: Raw, key: str) -> dict[str, Any]:
    found = raw.get(key)
    return dict(found) if isinstance(found, Mapping) else {}


def _tables(raw: Raw, key: str) -> Iterator[tuple[str, Raw]]:
    """The tables under a key; what is not a table is a fault of shape, reported elsewhere."""
    return ((name, table) for name, table in _table(raw, key).items() if isinstance(table, Mapping))


def _minimums(raw: Raw) -> Iterator[tuple[int, Raw]]:
    found = raw.get("minimums")
    rules = found if isinstance(found, list) else []
    return ((index, rule) for index, rule in enumerate(rules) if isinstance(rule, Mapping))


def _names(table: Raw, key: str) -> list[str]:
    found = table.get(key)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _unknown(raw: Raw, tables: str, key: str, declared: str | tuple[str, ...], called: str) -> Iterator[Complaint]:
    known = {name for each in ((declared,) if isinstance(declared, str) else declared) for name in _table(raw, each)}
    for name, table in _tables(raw, tables):
        for each in _names(table, key):
            if each not in known:
                yield Complaint((tables, name, key), f"names {each!r}, which is not a declared {called}")


def _names_are_declared(raw: Raw) -> Iterator[Complaint]:
    yield from _unknown(raw, "purposes", "categories", "categories", "category")
    yield from _unknown(raw, "purposes", "optional", "categories", "category")
    yield from _unknown(raw, "purposes", "recipients", RECIPIENTS, "trustee, third party or product")
    yield from _unknown(raw, "third_parties", "purposes", "purposes", "purpose")
    yield from _unknown(raw, "technologies", "categories", "categories", "category")
    yield from _unknown(raw, "technologies", "purposes", "purposes", "purpose")
    yield from _unknown(raw, "trustees", "purposes", "purposes", "purpose")
    yield from _unknown(raw, "systems", "categories", "categories", "category")


def _bases_are_described(raw: Raw) -> Iterator[Complaint]:
    described = _table(raw, "bases").keys()
    for name, purpose in _tables(raw, "purposes"):
        for basis in _names(purpose, "bases"):
            if basis not in described and basis in BASES:
                yield Complaint(("purposes", name, "bases"), f"names {basis!r}, which [bases] does not describe")


def _methods_and_channels_are_declared(raw: Raw) -> Iterator[Complaint]:
    methods, channels = _names(raw, "methods"), _names(raw, "channels")
    for tables in RECIPIENTS:
        for name, recipient in _tables(raw, tables):
            for method in _names(recipient, "methods"):
                if method not in methods:
                    yield Complaint((tables, name, "methods"), f"names {method!r}, which is not a declared method")
    for channel in _names(_table(raw, "revisions"), "notice_channels"):
        if channel not in channels:
            reason = f"names {channel!r}, which is not a declared channel"
            yield Complaint(("revisions", "notice_channels"), reason)


def _recipients_serve_the_purpose(raw: Raw) -> Iterator[Complaint]:
    trustees = dict(_tables(raw, "trustees")) | dict(_tables(raw, "third_parties"))
    for name, purpose in _tables(raw, "purposes"):
        for each in _names(purpose, "recipients"):
            if each in trustees and name not in _names(trustees[each], "purposes"):
                yield Complaint(("purposes", name, "recipients"), f"names {each!r}, which does not serve this purpose")


def _a_recipient_is_one_thing(raw: Raw) -> Iterator[Complaint]:
    """A share names a recipient by its id alone: who decides for itself is not also bound by our agreement."""
    taken: dict[str, str] = {}
    for tables in RECIPIENTS:
        for name in _table(raw, tables):
            if name in taken:
                yield Complaint((tables, name), f"is declared under [{taken[name]}] too; give it another id")
            taken.setdefault(name, tables)


def _nothing_is_said_twice(raw: Raw) -> Iterator[Complaint]:
    for name, purpose in _tables(raw, "purposes"):
        required, optional = _names(purpose, "categories"), _names(purpose, "optional")
        for each in sorted(set(required) & set(optional)):
            yield Complaint(("purposes", name, "optional"), f"names {each!r}, which is already required")
    for tables in ("purposes", "technologies", "trustees", "third_parties", "systems"):
        for name, table in _tables(raw, tables):
            for key in table:
                listed = _names(table, key)
                if len(listed) != len(set(listed)):
                    yield Complaint((tables, name, key), "names the same thing twice")


def _ids_are_keys(raw: Raw) -> Iterator[Complaint]:
    for tables in ("categories", "purposes", "technologies", *RECIPIENTS, "systems"):
        for name, table in _tables(raw, tables):
            if "id" in table:
                yield Complaint((tables, name, "id"), "is not a key that a policy knows: the table's name is its id")


def _contracts_can_end(raw: Raw) -> Iterator[Complaint]:
    for name, purpose in _tables(raw, "purposes"):
        lasting = _table(purpose, "retention").get("while_contract_lasts") is True
        if lasting and "contract" not in _names(purpose, "bases"):
            place = ("purposes", name, "retention", "while_contract_lasts")
            yield Complaint(place, "would never end: the purpose has no contract among its bases")


def _minimums_are_grounded(raw: Raw) -> Iterator[Complaint]:
    purposes, laws = _table(raw, "purposes"), _table(raw, "laws")
    for index, rule in _minimums(raw):
        purpose, law = rule.get("purpose"), rule.get("law")
        if isinstance(purpose, str) and purpose not in purposes:
            yield Complaint(("minimums", index, "purpose"), f"names {purpose!r}, which is not a declared purpose")
        elif isinstance(purpose, str):
            for basis in _names(rule, "bases"):
                if basis not in _names(_table(purposes, purpose), "bases") and basis in BASES:
                    reason = f"names {basis!r}, on which {purpose!r} cannot be based"
                    yield Complaint(("minimums", index, "bases"), reason)
        if isinstance(law, str) and law not in laws:
            yield Complaint(("minimums", index, "law"), f"names {law!r}, which is not a declared law")


def _minors_are_grounded(raw: Raw) -> Iterator[Complaint]:
    minors = _table(raw, "minors")
    for key, declared, called in (("birth_date_category", "categories", "category"), ("law", "laws", "law")):
        name = minors.get(key)
        if isinstance(name, str) and name not in _table(raw, declared):
            yield Complaint(("minors", key), f"names {name!r}, which is not a declared {called}")


def _jurisdictions_have_packs(raw: Raw) -> Iterator[Complaint]:
    known = known_packs()
    for code in _names(raw, "jurisdictions"):
        if code not in known:
            reason = f"names {code!r}, for which there is no pack; there are packs for {', '.join(sorted(known))}"
            yield Complaint(("jurisdictions",), reason)
    calendar = _table(raw, "response_times").get("calendar")
    calendars = {each for pack in known.values() for each in pack.calendars}
    if isinstance(calendar, str) and calendar not in calendars:
        reason = f"names {calendar!r}; working days are known for {', '.join(sorted(calendars))}"
        yield Complaint(("response_times", "calendar"), reason)


def _translations_are_of_what_is_declared(raw: Raw) -> Iterator[Complaint]:
    for language, table in _tables(raw, "translations"):
        for what in ("categories", "purposes"):
            for name in _table(table, what):
                if name not in _table(raw, what):
                    yield Complaint(("translations", language, what, name), "translates what is not declared")


CHECKS: tuple[Callable[[Raw], Iterator[Complaint]], ...] = (
    _names_are_declared,
    _bases_are_described,
    _methods_and_channels_are_declared,
    _recipients_serve_the_purpose,
    _a_recipient_is_one_thing,
    _nothing_is_said_twice,
    _ids_are_keys,
    _contracts_can_end,
    _minimums_are_grounded,
    _minors_are_grounded,
    _jurisdictions_have_packs,
    _translations_are_of_what_is_declared,
)
