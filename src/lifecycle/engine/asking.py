"""What a batch of commands asks about, read at once: people, their states and keys, trustees, values to compare."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.columns import ask_together
from lifecycle.commands.document import Command, OpenRecordCommand, SubjectCommand
from lifecycle.commands.registry import entry_of
from lifecycle.domain.event import Personal
from lifecycle.domain.open_records import Named, OpenRecord, stream_of
from lifecycle.domain.streams import access_stream_of, attempts_stream, is_person_stream, policy_stream
from lifecycle.domain.subject.state import Subject
from lifecycle.engine.gathering import Gathered, Met
from lifecycle.engine.record_states import RecordStates
from lifecycle.ledger.envelope import read_header
from lifecycle.policy.model import Policy
from lifecycle.policy.values import normalise_identifier
from lifecycle.storage.appending import Head, load_heads
from lifecycle.storage.application import Streams
from lifecycle.storage.folding import folded
from lifecycle.storage.idempotency import Seen, stranger_stream
from lifecycle.storage.policies import HOW_MANY, Policies
from lifecycle.vault import spent
from lifecycle.vault.installation import EpochChanged, Found, Identifier, Installation, Names
from lifecycle.vault.sealing import SubjectKeys
from lifecycle.vault.spent import Spent
from lifecycle.vault.vault import Vault, Wanted

Part = tuple[str, int]
SealedAt = tuple[UUID, str, int]  # person, holding, version
Strangers = dict[Identifier, list[UUID]]  # where is kept what a name was told while nobody had it
NOBODY = {b"": ("", "")}  # a token that no identifier has


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
    def named(self) -> tuple[str, str]:
        """The name that is given, or the id."""
        return self.identifier or ("id", str(self.subject_id))

    @property
    def identifiers(self) -> Iterable[tuple[Any, str]]:
        """All identifiers that the blind index is asked for."""
        if self.identifier is not None:
            yield self.identifier
        if isinstance(self.command, SubjectCommand):
            yield from self.command.also_named()


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
    names: Mapping[Identifier, Names] = field(repr=False)
    strangers: Strangers = field(repr=False)
    spent: Mapping[tuple[str, Names], Spent]
    values: Mapping[UUID, dict[Part, Personal[str]]] = field(repr=False)
    read: Gathered | None = field(default=None, repr=False)  # what it comes from, if it was read


class Snapshot:
    """Reads everything that a batch needs in a handful of queries, however many commands it has."""

    def __init__(self, streams: Streams, vault: Vault, policies: Policies) -> None:
        self._streams = streams
        self._vault = vault
        self._policies = policies
        self._records = RecordStates(streams)
        self.people_met = Met()

    def met(self, lookups: Iterable[Mapping[str, Any]]) -> None:
        """Rows of look-ups that were appended."""
        self.people_met.note((row["token"], (row["subject_id"], row["identifier_id"])) for row in lookups)

    def read(self, c: Connection, questions: Sequence[Question], now: datetime) -> Known:
        changing = {q.command.named for q in questions if isinstance(q.command, OpenRecordCommand)}
        named = changing.union(*(q.command.reads() for q in questions))
        gathered, before = Gathered(self._vault), (self._vault.remembered, self._policies.remembered)
        installation, found, names, strangers, how_many = self._whom(c, questions, named, now, gathered)
        published = self._policies.all_in(c, how_many)
        people = _people(questions, found)
        if not gathered.has(people) or installation is not before[0] or published is not before[1]:
            gathered.gather(  # somebody whom nobody had met; of the others it was asked along
                c,
                _streams_of(people, named, published, now),
                people,
                _asked_before(questions, found, strangers),
                cmds=_about_people(questions),
            )
        states, records = self._states(c, gathered.heads, people, named, changing)
        keys = {id: mine for id, mine in gathered.keys.items() if id in states}
        return Known(
            installation,
            published,
            found,
            gathered.heads,
            states,
            keys,
            records,
            gathered.seen,
            names,
            strangers,
            _spent(c, questions, names, gathered.spent),
            self._values(c, gathered, _to_open(questions, found, states, keys), keys),
            gathered,
        )

    def _whom(
        self, c: Connection, questions: Sequence[Question], named: Iterable[Named], now: datetime, gathered: Gathered
    ) -> tuple[Installation, Found, Mapping[Identifier, Names], Strangers, Sequence[Any]]:
        """The installation's keys as of now, who is meant, by what names, where strangers were answered, and how many
        policies there are; in the same message all that has to be known of people who were met under these names."""
        identifiers = {each for question in questions for each in question.identifiers}
        if (installation := self._vault.remembered) is not None:
            by_token, names = installation.tokens(identifiers), _names(installation, questions)
            strangers = strangers_of(names)
            supposed = {of: owner for token, of in by_token.items() if (owner := self.people_met.get(token))}
            people = _people(questions, supposed)
            states = {id: state for id in people if (state := self._streams.remembered(id)) is not None}
            *answers, how_many = gathered.gather(
                c,
                _streams_of(people, named, self._policies.remembered, now),
                people,
                _asked_before(questions, supposed, strangers),
                ((subject_id, version) for subject_id, _, version in _to_open(questions, supposed, states, states)),
                beside=[*installation.asked_for(by_token or NOBODY), HOW_MANY],
                cmds=_about_people(questions),
            )
            with suppress(EpochChanged):
                found = installation.found_in(by_token, answers)
                self.people_met.note((token, found.get(of)) for token, of in by_token.items())
                return installation, found, names, strangers, how_many
        installation = self._vault.installation(c)
        found = installation.find(c, identifiers)
        names = _names(installation, questions)
        return installation, found, names, strangers_of(names), ask_together(c, [HOW_MANY])[0]

    def _states(
        self, c: Connection, heads: Mapping[UUID, Head], people: set[UUID], named: set[Named], changing: set[Named]
    ) -> tuple[dict[UUID, Subject], dict[Named, OpenRecord]]:
        known = [subject_id for subject_id in people if subject_id in heads]
        at_hand = {id: self._streams.remembered(id) for id in known}
        states = {
            id: state for id, state in at_hand.items() if state is not None and state.version == heads[id].version
        }
        behind = {
            stream: self._records.known(one, in_words=one in changing)
            for one in named
            if (stream := stream_of(one)) in heads
        }
        streams = [
            *(id for id in known if id not in states),
            *(stream for stream, version in behind.items() if version != heads[stream].version),
        ]
        if not streams:
            return states, {one: self._record(c, one, heads, in_words=one in changing) for one in named}
        versions = {stream: head.version for stream, head in heads.items()}
        with self._streams.prefetched(streams, c, versions, known={s: v for s, v in behind.items() if v}):
            states |= {id: self._state(id, heads[id].version) for id in known if id not in states}
            found = {one: self._record(c, one, heads, in_words=one in changing) for one in named}
        return states, found

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
        self, c: Connection, gathered: Gathered, wanted: Sequence[SealedAt], keys: Mapping[UUID, SubjectKeys]
    ) -> dict[UUID, dict[Part, Personal[str]]]:
        values: dict[UUID, dict[Part, Personal[str]]] = {}
        for (subject_id, holding, version), value in _opened(c, gathered, keys, wanted).items():
            values.setdefault(subject_id, {})[(holding, version)] = value
        return values


def question_of(command: Command, cmd: str, content: bytes) -> Question:
    """Raises WrongIdentifier when an identifier is malformed."""
    if not isinstance(command, SubjectCommand):
        return Question(command, cmd, content)
    command.also_named()
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


def _asked_before(questions: Sequence[Question], found: Found, strangers: Strangers) -> Iterable[tuple[UUID, str]]:
    for question in questions:
        if (person := question.person(found)) is not None:
            yield person, question.cmd
        command = question.command
        if isinstance(command, SubjectCommand):  # it may have been answered before anybody had that name
            for stream in strangers[question.named]:
                yield stream, question.cmd
        elif isinstance(command, OpenRecordCommand):
            yield stream_of(command.named), question.cmd
        else:
            yield policy_stream(), question.cmd


def _about_people(questions: Sequence[Question]) -> list[str]:
    return [question.cmd for question in questions if isinstance(question.command, SubjectCommand)]


def _names(installation: Installation, questions: Sequence[Question]) -> dict[Identifier, Names]:
    named = dict.fromkeys(question.named for question in questions if isinstance(question.command, SubjectCommand))
    return {name: installation.names(name) for name in named}


def strangers_of(names: Mapping[Identifier, Names]) -> Strangers:
    """In the order of the names' tokens."""
    return {name: [stranger_stream(token) for _, token in its] for name, its in names.items()}


def _spent(
    c: Connection, questions: Sequence[Question], names: Mapping[Identifier, Names], alone: Mapping[str, datetime]
) -> dict[tuple[str, Names], Spent]:
    """Hardly ever any: an id is spent when its person was erased."""
    if not alone:
        return {}
    asked = [(question.cmd, names[question.named]) for question in questions if question.named in names]
    return spent.spent_by(c, alone, asked)


def _people(questions: Sequence[Question], found: Found) -> set[UUID]:
    return {person for question in questions if (person := question.person(found)) is not None}


def _to_open(
    questions: Sequence[Question], found: Found, states: Mapping[UUID, Subject], keys: Container[UUID]
) -> list[SealedAt]:
    """The values that the commands have to be compared with."""
    wanted: dict[SealedAt, None] = {}
    for question in questions:
        person = question.person(found)
        subject = states.get(person) if person is not None else None
        if subject is not None and subject.id in keys:
            wanted.update(dict.fromkeys(values_to_compare(question.command, subject)))
    return list(wanted)


def values_to_compare(command: Command, subject: Subject) -> Iterable[SealedAt]:
    """Those of the person's that a command has to be compared with."""
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
    return _opened(c, Gathered(vault), keys, wanted)


def _opened(
    c: Connection, gathered: Gathered, keys: Mapping[UUID, SubjectKeys], wanted: Sequence[SealedAt]
) -> dict[SealedAt, Personal[str]]:
    if not wanted:
        return {}
    gathered.gather(c, events=((subject_id, version) for subject_id, _, version in wanted))
    headers = {event: read_header(gathered.headers[event]) for event in {(place[0], place[2]) for place in wanted}}
    values = []
    for subject_id, holding, version in wanted:
        header = headers[subject_id, version]
        index, part = next((i, part) for i, part in enumerate(header.parts) if part.hid == holding)
        ciphertext = gathered.bodies.get((subject_id, version, index))
        values.append(Wanted(keys[subject_id], header.sid, header.n, part, ciphertext))
    return dict(zip(wanted, gathered.vault.open_values(c, values, gathered.data_keys), strict=True))  # type: ignore[arg-type]


__all__ = ["Known", "Question", "Snapshot", "attempts_on", "open_sealed", "question_of", "values_to_compare"]
