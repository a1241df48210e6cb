"""An access package to be read by the person: one page without scripts, from nothing but the package, fit for print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from lifecycle.audit import package_model as m
from lifecycle.audit.package_words import PackageWords, package_words

STYLE = """
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","PingFang SC",sans-serif;max-width:64rem;margin:2rem auto;
padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{text-align:left;vertical-align:top;border-bottom:1px solid #ccc;padding:.3rem .6rem .3rem 0}
td{overflow-wrap:anywhere}
.warn{background:#fff3cd;padding:.5rem 1rem}
@page{size:A4;margin:18mm}
@media print{body{font-size:10pt;max-width:none;margin:0;padding:0}thead{display:table-header-group}
tr,h2{break-inside:avoid}h2{break-after:avoid}}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
LANGUAGE_TAGS = {"en": "en", "zh": "zh-Hans"}

Column = tuple[str, Callable[[Any], Any]]


def page(package: m.Package, zone: str) -> str:
    """The whole page; times by the clock of `zone`."""
    writing = _Writing(package, package_words(package.language), ZoneInfo(zone))
    title = escape(writing.words.headings["title"])
    return (
        f'<!doctype html><html lang="{LANGUAGE_TAGS[package.language]}"><head><meta charset="utf-8">'
        f'<title>{title}</title><meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>'
        f"<body><h1>{title}</h1>{writing.body()}</body></html>\n"
    )


class _Writing:
    """One package in one language."""

    def __init__(self, package: m.Package, words: PackageWords, zone: ZoneInfo) -> None:
        self.package = package
        self.words = words
        self.zone = zone
        self.labels = {one.category.id: one.category.label for one in package.holdings}

    def body(self) -> str:
        return "".join(
            (
                self._head(),
                self._table("identifiers", self.package.identifiers, self._identifiers()),
                self._table("holdings", self.package.holdings, self._holdings()),
                self._table("consents", self.package.consents, self._consents()),
                self._table("receipts", self.package.receipts, self._receipts()),
                self._table("recipients", self.package.recipients, self._recipients()),
                self._table("disclosures", self.package.disclosures, self._disclosures()),
                self._table("reads", self.package.reads, self._reads()),
                self._table("requests", self.package.requests, self._requests()),
                self._table("incidents", self.package.incidents, self._incidents()),
                self._table("history", self.package.history, self._history()),
                self._table("rights", self.package.rights, self._rights()),
            )
        )

    def _head(self) -> str:
        said, package = self.words.headings, self.package
        warning = f'<p class="warn">{escape(said["simulated"])}</p>' if package.simulated else ""
        contacts = "; ".join(f"{kind}: {where}" for kind, where in package.controller.contacts.items())
        made = (
            f"{said['made']} {self._when(package.made_at)} ({self.zone.key}), {said['by']} {package.controller.name}, "
            f"{said['under']} {package.policy}."
        )
        return (
            f"{warning}<p>{escape(made)}</p><p>{escape(said['contacts'])}: {escape(contacts)}</p>"
            f"<p>{escape(said['machine'])}</p>"
        )

    # -- the tables -----------------------------------------------------------------------------------------------

    def _holdings(self) -> Sequence[Column]:
        return (
            ("what", lambda one: one.category.label),
            ("state", self._state),
            ("value", self._value),
            ("why", lambda one: [self._ground(ground) for ground in one.grounds]),
            ("source", lambda one: one.source),
            ("kept", lambda one: [self._reason(reason) for reason in one.kept_because]),
            ("earliest", lambda one: self._when(one.earliest_deletion)),
        )

    def _state(self, one: m.HoldingTold) -> list[str]:
        why = one.restriction
        return [self.words.code(one.state), *([self._reason(why)] if why is not None else [])]

    def _value(self, one: m.HoldingTold) -> list[str]:
        notes = [f"{self._when(note.since)}: {note.text}" for note in one.annotations]
        if one.no_value is None:
            return [str(one.value), *notes]
        where = f" {one.held_by.label}" if one.held_by is not None and one.no_value == "held-elsewhere" else ""
        return [self.words.code(one.no_value) + where, *notes]

    def _ground(self, ground: m.GroundTold) -> str:
        by = f" ({ground.technology.label})" if ground.technology is not None else ""
        articles = f", {'; '.join(ground.basis.articles)}" if ground.basis.articles else ""
        until = f" – {self._when(ground.until)}" if ground.until is not None else ""
        return f"{ground.purpose.label}{by}: {ground.basis.label}{articles}; {self._when(ground.since)}{until}"

    def _reason(self, reason: m.ReasonTold | m.RestrictionTold) -> str:
        law = reason.law if isinstance(reason, m.ReasonTold) else None
        named = [self.words.code(reason.because), law, self._when(reason.until)]
        return ", ".join(each for each in named if each)

    def _consents(self) -> Sequence[Column]:
        return (
            ("purpose", lambda one: [one.purpose.label, *([one.technology.label] if one.technology else [])]),
            ("answer", lambda one: self.words.code(one.status)),
            ("since", lambda one: self._when(one.since)),
            ("until", lambda one: self._when(one.until or one.lapses)),
            ("notice", lambda one: one.notice),
        )

    def _identifiers(self) -> Sequence[Column]:
        return (
            ("what", lambda one: self.words.code(one.type)),
            ("value", lambda one: one.value),
            ("since", lambda one: self._when(one.since)),
        )

    def _receipts(self) -> Sequence[Column]:
        return (
            ("what", lambda one: self.words.kind(one.kind)),
            ("about", lambda one: [*one.purposes, *one.technologies]),
            ("when", lambda one: self._when(one.occurred_at)),
            ("file", lambda one: one.file or self.words.headings["not-yet"]),
        )

    def _reads(self) -> Sequence[Column]:
        return (
            ("by", lambda one: self.words.code(one.role)),
            ("purpose", lambda one: one.purpose.label if one.purpose else self._reason_of_opening(one)),
            ("what", lambda one: [self.labels.get(id, id) for id in one.categories]),
            ("when", lambda one: self._when(one.at)),
        )

    def _reason_of_opening(self, one: m.ReadTold) -> str:
        return f"{self.words.code('restricted')}: {self.words.code(one.because)}"

    def _recipients(self) -> Sequence[Column]:
        return (
            ("recipient", lambda one: one.name),
            ("as", lambda one: self.words.code(one.kind)),
            ("what", lambda one: self.labels.get(one.category, one.category)),
            ("first", lambda one: self._when(one.first)),
            ("last", lambda one: self._when(one.last)),
            ("times", lambda one: one.times),
        )

    def _disclosures(self) -> Sequence[Column]:
        categories = {one.holding: one.category.label for one in self.package.holdings}
        return (
            ("authority", lambda one: one.authority),
            ("when", lambda one: self._when(one.at)),
            ("given", lambda one: [categories.get(id, id) for id in one.holdings]),
            ("withheld", lambda one: [self.labels.get(each.category, each.category) for each in one.withheld]),
        )

    def _requests(self) -> Sequence[Column]:
        return (
            ("request", lambda one: self.words.code(one.kind)),
            ("state", lambda one: self.words.code(one.state)),
            ("received", lambda one: self._when(one.received)),
            ("due", lambda one: one.due_on.isoformat()),
            ("words", lambda one: [text for each in one.words or () for text in each.values()]),
        )

    def _incidents(self) -> Sequence[Column]:
        return (
            ("nature", lambda one: self.words.code(one.nature)),
            ("what", lambda one: [self.labels.get(id, id) for id in one.categories]),
            ("when", lambda one: self._when(one.at)),
            ("channel", lambda one: one.channel),
        )

    def _history(self) -> Sequence[Column]:
        return (
            ("number", lambda one: one.number),
            ("what", lambda one: one.label),
            ("about", lambda one: [*one.purposes, *(self.labels.get(id, id) for id in one.categories)]),
            ("when", lambda one: self._when(one.occurred_at)),
            ("by", lambda one: self.words.code(one.role)),
        )

    def _rights(self) -> Sequence[Column]:
        return (("what", lambda one: one.label), ("clause", lambda one: one.clause))

    def _table(self, heading: str, rows: Iterable[Any], columns: Sequence[Column]) -> str:
        said = f"<h2>{escape(self.words.headings[heading])}</h2>"
        body = "".join("<tr>" + "".join(_cell(cell(row)) for _, cell in columns) + "</tr>" for row in rows)
        if not body:
            return f"{said}<p>{escape(self.words.headings['none'])}</p>"
        head = "".join(f"<th>{escape(self.words.columns[name])}</th>" for name, _ in columns)
        return f"{said}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _when(self, at: datetime | None) -> str:
        return "" if at is None else at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M")


def _cell(said: Any) -> str:
    lines = said if isinstance(said, list) else ["" if said is None else said]
    return f"<td>{'<br>'.join(escape(str(line)) for line in lines)}</td>"
