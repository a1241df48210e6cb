"""What a batch of commands asks about, read at once: people, their states and keys, trustees, values to compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Select, bindparam, select

from lifecycle.columns import Ask, among, ask_together
from lifecycle.commands.document import Command, OpenRecordCommand, SubjectCommand
from lifecycle.commands.registry import entry_of
from lifecycle.commands.subject.link_identifier import IdentifierCommand
from lifecycle.commands.transfer.receive_subject import ReceiveSubject
from lifecycle.domain.event import Personal
from lifecycle.domain.open_records import Named, OpenRecord, stream_of
from lifecycle.domain.streams import access_stream_of, attempts_stream, is_person_stream, policy_stream
from lifecycle.domain.subject.state import Subject
from lifecycle.engine.record_states import RecordStates
from lifecycle.ledger.envelope import read_header
from lifecycle.policy.model import Policy
from lifecycle.policy.values import normalise_identifier
from lifecycle.storage import idempotency
from lifecycle.storage.appending import Head, heads_asked, heads_in, in_chunks, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.folding import folded
from lifecycle.storage.idempotency import Seen
from lifecycle.storage.policies import HOW_MANY, Policies
from lifecycle.storage.tables import event_body, event_header
from lifecycle.vault.installation import Found, Installation
from lifecycle.vault.sealing import SubjectKeys
from lifecycle.vault.spent import spent_of
from lifecycle.vault.vault import Vault, Wanted

Part = tuple[str, int]
SealedAt = tuple[UUID, str, int]  # person, holding, version
_FEW = 32  # pairs that are asked for by their parts


@dataclass(frozen=True, slots=True)
class Question:
    """A command with what can be said of it before anything is read."""

    command: Command
    cmd: str
    content: bytes = field(repr=False)
    identifier: tuple[Any, str] | None = field(default=None, repr=False)
    subject_id: UUID | None = None

    def person(self, found: Found) -> UUID | None:
        """Who is meant, as far as the blind index knows anybody."""
        owner = found.get(self.identifier) if self.identifier is not None else None
        subject_id = owner[0] if owner is not None else self.subject_id
        return subject_id if subject_id is not None and is_person_stream(subject_id) else None

    @property
    def identifiers(self) -> Iterable[tuple[Any, str]]:
        """All identifiers that the blind index is asked for."""
        if self.identifier is not None:
            yield self.identifier
        if isinstance(self.command, IdentifierCommand):
            yield self.command.normalised()
        if isinstance(self.command, ReceiveSubject):
            yield from self.command.all_normalised()


@dataclass(slots=True)
class Known:
    """The answer: one consistent snapshot."""

    installation: Installation
    policies: tuple[Policy, ...]
    found: Found = field(repr=False)
    heads: Mapping[UUID, Head]
    states: Mapping[UUID, Subject]
    keys: Mapping[UUID, SubjectKeys]
    open_records: dict[Named, OpenRecord]
    seen: dict[tuple[UUID, str], Seen]
    spent: set[str]
    values: Mapping[UUID, dict[Part, Personal[str]]] = field(repr=False)


class Snapshot:
    """Reads everything that a batch needs in a handful of queries, however many commands it has."""

    def __init__(self, streams: Streams, vault: Vault, policies: Policies) -> None:
        self._streams = streams
        self._vault = vault
        self._policies = policies
        self._records = RecordStates(streams)

    def read(self, c: Connection, questions: Sequence[Question], now: datetime) -> Known:
        identifiers = {each for question in questions for each in question.identifiers}
        installation, found, how_many = self._vault.found(c, identifiers, HOW_MANY)
        published = self._policies.all_in(c, how_many)
        people = {person for question in questions if (person := question.person(found)) is not None}
        changing = {q.command.named for q in questions if isinstance(q.command, OpenRecordCommand)}
        named = changing.union(*(q.command.reads() for q in questions))
        before = list(dict.fromkeys(_asked_before(questions, found)))
        heads, keys, seen = self._of_people(c, list(people), _streams_of(people, named, published, now), before)
        states, records = self._states(c, heads, people, named, changing)
        keys = {id: mine for id, mine in keys.items() if id in states}
        return Known(
            installation,
            published,
            found,
            heads,
            states,
            keys,
            records,
            seen,
            spent_of(c, _strangers(questions, found, states)),
            self._values(c, questions, found, states, keys),
        )

    def _of_people(
        self, c: Connection, people: Sequence[UUID], streams: Iterable[UUID], before: Sequence[tuple[UUID, str]]
    ) -> tuple[dict[UUID, Head], dict[UUID, SubjectKeys], dict[tuple[UUID, str], Seen]]:
        """Heads, keys and earlier answers, asked at once; of many commands the earlier answers by themselves."""
        of_heads, of_keys = heads_asked(streams), self._vault.keys_asked(people)
        few = [idempotency.few_asked(before)] if 0 < len(before) <= _FEW else []
        found = ask_together(c, [*of_heads, *of_keys, *few])
        heads = heads_in(found[: len(of_heads)])
        keys = self._vault.keys_in(c, people, found[len(of_heads) : len(of_heads) + len(of_keys)])
        return heads, keys, idempotency.few_in(found[-1]) if few else idempotency.seen(c, before)

    def _states(
        self, c: Connection, heads: Mapping[UUID, Head], people: set[UUID], named: set[Named], changing: set[Named]
    ) -> tuple[dict[UUID, Subject], dict[Named, OpenRecord]]:
        known = [subject_id for subject_id in people if subject_id in heads]
        with self._streams.prefetched(known, c, {stream: head.version for stream, head in heads.items()}):
            states = {id: self._state(id, heads[id].version) for id in known}
        return states, {one: self._record(c, one, heads, in_words=one in changing) for one in named}

    def _record(self, c: Connection, named: Named, heads: Mapping[UUID, Head], *, in_words: bool) -> OpenRecord:
        head = heads.get(stream_of(named))
        version = head.version if head is not None else 0
        return self._records.in_words(c, named, version) if in_words else self._records.of(named, version)

    def _state(self, subject_id: UUID, version: int) -> Subject:
        """As of the snapshot: the cache may know what another thread appended since it was taken."""
        repository = self._streams.repository
        state: Subject = repository.get(subject_id, projector_func=folded)
        return state if state.version == version else repository.get(subject_id, version=version, projector_func=folded)

    def open_record(self, named: Named, words_from: Connection | None = None) -> OpenRecord:
        """As it stands. What was said in words is opened only if asked for."""
        if words_from is None:
            return self._records.of(named)
        head = load_heads(words_from, [stream_of(named)]).get(stream_of(named))
        return self._records.in_words(words_from, named, head.version if head is not None else 0)

    def _values(
        self,
        c: Connection,
        questions: Sequence[Question],
        found: Found,
        states: Mapping[UUID, Subject],
        keys: Mapping[UUID, SubjectKeys],
    ) -> dict[UUID, dict[Part, Personal[str]]]:
        wanted: dict[SealedAt, None] = {}
        for question in questions:
            subject = states.get(question.person(found) or UUID(int=0))
            if subject is not None and subject.id in keys:
                wanted.update(dict.fromkeys(_to_open(question.command, subject)))
        opened = open_sealed(c, self._vault, keys, list(wanted))
        values: dict[UUID, dict[Part, Personal[str]]] = {}
        for (subject_id, holding, version), value in opened.items():
            values.setdefault(subject_id, {})[(holding, version)] = value
        return values


def question_of(command: Command, cmd: str, content: bytes) -> Question:
    """Raises WrongIdentifier when the identifier is malformed."""
    if not isinstance(command, SubjectCommand):
        return Question(command, cmd, content)
    if isinstance(command, IdentifierCommand):
        command.normalised()
    named = command.subject.identifier
    if named is None:
        return Question(command, cmd, content, subject_id=_uuid(command.subject.id))
    type, value = named
    return Question(command, cmd, content, (type, normalise_identifier(type, value)))


def _uuid(text: str | None) -> UUID:
    try:
        return UUID(text)
    except (ValueError, TypeError):
        return UUID(int=0)  # nobody has it


def _strangers(questions: Sequence[Question], found: Found, states: Mapping[UUID, Subject]) -> list[str]:
    """Commands about nobody whom we know, or know no longer: they may be late repeats of an erased person's."""
    living = {id for id, state in states.items() if state.erasure is None}
    return [question.cmd for question in questions if question.person(found) not in living]


def _streams_of(
    people: Iterable[UUID], named: Iterable[Named], published: Sequence[Policy], now: datetime
) -> Iterable[UUID]:
    for subject_id in people:
        yield subject_id
        yield access_stream_of(subject_id)
    yield from (stream_of(one) for one in named)
    yield policy_stream()
    yield attempts_on(published[-1] if published else None, now)


def attempts_on(policy: Policy | None, now: datetime) -> UUID:
    """Today's stream of refused attempts by people whom the engine does not know."""
    return attempts_stream(policy.day_of(now) if policy is not None else now.date())


def _asked_before(questions: Sequence[Question], found: Found) -> Iterable[tuple[UUID, str]]:
    for question in questions:
        if (person := question.person(found)) is not None:
            yield person, question.cmd
        command = question.command
        if isinstance(command, OpenRecordCommand):
            yield stream_of(command.named), question.cmd
        elif not isinstance(command, SubjectCommand):
            yield policy_stream(), question.cmd


def _to_open(command: Command, subject: Subject) -> Iterable[SealedAt]:
    to_open = entry_of(command).to_open
    holdings = list(to_open(command, subject)) if to_open is not None else []
    if subject.birth_date is not None:
        holdings.append(subject.birth_date)
    for id in holdings:
        holding = subject.holdings[id]
        if holding.generations:
            yield subject.id, id, holding.generations[-1].version


def open_sealed(
    c: Connection, vault: Vault, keys: Mapping[UUID, SubjectKeys], wanted: Sequence[SealedAt]
) -> dict[SealedAt, Personal[str]]:
    """Open the values of holdings at given versions: one query for headers and ciphertexts, one for keys."""
    if not wanted:
        return {}
    rows: list[tuple[SealedAt, Wanted]] = []
    by_event: dict[tuple[UUID, int], list[SealedAt]] = {}
    for place in wanted:
        by_event.setdefault((place[0], place[2]), []).append(place)
    headers, bodies = _stored(c, list(by_event))
    for event, places in by_event.items():
        header = read_header(headers[event])
        for place in places:
            index, part = next((i, part) for i, part in enumerate(header.parts) if part.hid == place[1])
            ciphertext = bodies.get((*event, index))
            rows.append((place, Wanted(keys[place[0]], header.sid, header.n, part, ciphertext)))
    opened = vault.open_values(c, [row for _, row in rows])
    return {place: value for (place, _), value in zip(rows, opened, strict=True)}  # type: ignore[misc]


def _few(columns: Any, *chosen: Any) -> Select[Any]:
    return select(columns.stream_id, columns.version, *chosen).where(
        columns.stream_id.in_(bindparam("ids", expanding=True)),
        columns.version.in_(bindparam("versions", expanding=True)),
    )


_HEADERS = _few(event_header.c, event_header.c.header)
_BODIES = _few(event_body.c, event_body.c.part, event_body.c.ct)


def _stored(
    c: Connection, events: Sequence[tuple[UUID, int]]
) -> tuple[dict[tuple[UUID, int], bytes], dict[tuple[UUID, int, int], bytes]]:
    headers: dict[tuple[UUID, int], bytes] = {}
    bodies: dict[tuple[UUID, int, int], bytes] = {}
    head, body = event_header.c, event_body.c
    if len(events) <= _FEW:
        ids, versions = zip(*events, strict=True)
        asked = {"ids": list(dict.fromkeys(ids)), "versions": list(dict.fromkeys(versions))}
        of_headers, of_bodies = ask_together(c, [Ask(_HEADERS, asked), Ask(_BODIES, asked)])
        return (
            {(row.stream_id, row.version): row.header for row in of_headers},
            {(row.stream_id, row.version, row.part): row.ct for row in of_bodies},
        )
    for some in in_pairs(events):
        chosen = select(head.stream_id, head.version, head.header)
        for row in c.execute(chosen.where(among(head.stream_id, head.version, some))):
            headers[(row.stream_id, row.version)] = row.header
        sealed = select(body.stream_id, body.version, body.part, body.ct)
        for each in c.execute(sealed.where(among(body.stream_id, body.version, some))):
            bodies[(each.stream_id, each.version, each.part)] = each.ct
    return headers, bodies


def in_pairs(pairs: Sequence[tuple[UUID, int]], size: int = 5_000) -> Iterable[Sequence[tuple[UUID, int]]]:
    for start in range(0, len(pairs), size):
        yield pairs[start : start + size]


__all__ = ["Known", "Question", "Snapshot", "attempts_on", "in_chunks", "open_sealed", "question_of"]
