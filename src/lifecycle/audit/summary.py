"""A bundle in words: one page without scripts that says who, what was held when and why, and what was erased."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any, NamedTuple

import orjson
from pydantic import JsonValue
from sqlalchemy import Connection

from lifecycle.audit.bundle import Evidence, Keys, Stream, covered_events
from lifecycle.audit.opening import values_of
from lifecycle.audit.telling import instant
from lifecycle.domain.event import Personal, Recorded, Withheld
from lifecycle.domain.subject.fold import born, replay
from lifecycle.domain.subject.state import Subject
from lifecycle.ledger.envelope import b64url
from lifecycle.ledger.subject_map import State
from lifecycle.projections.held import Held, held_by
from lifecycle.storage.mapper import recorded

STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}
th,td{text-align:left;vertical-align:top;border-bottom:1px solid #ccc;padding:.3rem .6rem .3rem 0}
code{font-size:85%;overflow-wrap:anywhere}
.warn{background:#fff3cd;padding:.5rem 1rem}
"""
ABOUT = ("command", "code", "purpose", "purposes", "trustee", "ground", "because", "channel")
ABSENT = "<p>The log holds nothing under this pseudonym: see <code>map.json</code> for the proof.</p>"
EXPUNGED = (
    "<p><strong>This person was erased, and the evidence of it has been expunged: its period is over.</strong> The log "
    "still has the entries, and nobody can say which. See <code>map.json</code> and <code>system.jsonl</code>.</p>"
)
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


class Summary(NamedTuple):
    html: str
    events: int


def summary(
    c: Connection,
    evidence: Evidence,
    streams: Sequence[Stream],
    keys: Keys | None,
    *,
    now: datetime,
    simulated: bool,
    state: State | None = None,
) -> Summary:
    """The page, by the events that the bundle covers; values only where the bundle discloses them."""
    told = [_events(c, evidence, stream) for stream in streams]
    record = streams[0]
    subject = (replay(None, told[0]) if told[0] else None) or (born(record.id) if record.id else None)
    head = _head(evidence, streams, now, simulated)
    if subject is None:
        return Summary(_page(head + (EXPUNGED if state is State.EXPUNGED else ABSENT)), 0)
    held = held_by(subject, now)
    values = _values(c, subject, held, keys)
    body = "".join((_erasure(subject), _holdings(held, values, now), _history(told[0]), _access(told[1:])))
    return Summary(_page(head + body), sum(map(len, told)))


def _events(c: Connection, evidence: Evidence, stream: Stream) -> list[Recorded]:
    if stream.id is None:
        return []
    return [
        recorded(stream.id, row.version, row.header)
        for rows in covered_events(c, stream.id, evidence.size)
        for row in rows
    ]


def _values(
    c: Connection, subject: Subject, held: Iterable[Held], keys: Keys | None
) -> Mapping[str, Personal[JsonValue]]:
    if keys is None:
        return {}
    return values_of(c, keys.vault, subject.id, {one.holding: one.sealed_in for one in held})


# -- the page ---------------------------------------------------------------------------------------------------------


def _page(body: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evidence about one person</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{STYLE}</style></head>'
        f"<body><h1>Evidence about one person</h1>{body}</body></html>\n"
    )


def _head(evidence: Evidence, streams: Sequence[Stream], now: datetime, simulated: bool) -> str:
    warning = '<p class="warn">SIMULATED: the clock of this store was set by hand.</p>' if simulated else ""
    names = "".join(f"<li>{escape(stream.role)}: <code>{b64url(stream.sid)}</code></li>" for stream in streams)
    return (
        f"{warning}<p>Made at {instant(now)} under the checkpoint of <code>{escape(evidence.origin)}</code> with "
        f"{evidence.size} leaves. This page is for reading; the files beside it are the evidence, and "
        f"<code>verify.py</code> checks them with keys that you bring.</p><p>Pseudonyms in the log:</p><ul>{names}</ul>"
    )


def _erasure(subject: Subject) -> str:
    said = {
        "ordered": "This person's erasure has been ordered and is not completed.",
        "completed": "This person has been erased. It becomes final when the epoch's key is destroyed.",
        "finalised": "This person has been erased, and the epoch's key is destroyed: copies are dead, too.",
    }
    return f"<p><strong>{said[subject.erasure]}</strong></p>" if subject.erasure in said else ""


def _holdings(held: Sequence[Held], values: Mapping[str, Personal[JsonValue]], now: datetime) -> str:
    rows = [
        (one.category, one.state(now), _value(values.get(one.holding)), [_ground(ground) for ground in one.grounds])
        for one in held
    ]
    columns = ("what", "state", "value", "why, since, until") if values else ("what", "state", "why, since, until")
    shown = rows if values else [(what, state, why) for what, state, _, why in rows]
    return "<h2>What was held, and why</h2>" + _table(columns, shown)


def _value(value: Personal[JsonValue] | None) -> str:
    if value is None or isinstance(value, Withheld):
        return "not here any more"
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _ground(ground: Any) -> str:
    until = f"until {instant(ground.until)}" if ground.until else "until it is ended"
    ended = f" ({ground.ended})" if ground.ended else ""
    return f"{ground.purpose}, by {ground.basis}: since {instant(ground.since)}, {until}{ended}"


def _history(events: Sequence[Recorded]) -> str:
    rows = [
        (
            event.originator_version,
            instant(event.event.occurred_at),
            instant(event.recorded_at),
            _kind(event),
            event.judged.policy,
            _about(event),
        )
        for event in events
    ]
    columns = ("no.", "happened", "recorded", "what", "judged by", "about")
    return "<h2>What happened</h2>" + _table(columns, rows)


def _kind(event: Recorded) -> str:
    return event.event.kind.partition("/")[0].replace("-", " ")


def _about(event: Recorded) -> list[str]:
    data = event.event.header_data()
    named = {name: data[name] for name in ABOUT if data.get(name)}
    return [f"{name}: {', '.join(said) if isinstance(said, list | tuple) else said}" for name, said in named.items()]


def _access(streams: Sequence[Sequence[Recorded]]) -> str:
    rows = [
        (event.originator_version, instant(event.recorded_at), _kind(event), event.judged.role, _about(event))
        for events in streams
        for event in events
    ]
    if not rows:
        return ""
    return "<h2>Who read, and what was refused</h2>" + _table(("no.", "when", "what", "in the role", "about"), rows)


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _cell(said: Any) -> str:
    if isinstance(said, list):
        return "<br>".join(map(_cell, said))
    return "" if said is None else escape(str(said))
