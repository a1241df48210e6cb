"""What the oracle thinks of each life, and what it finds in the store when everything has come to rest."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from audit.oracle import NEVER, Fact, Item, Story, over
from audit.portfolios import BEGIN
from engine.stores import headers_of
from sqlalchemy import select
from world.plans import Plan, Said

from lifecycle.commands.outcome import Outcome
from lifecycle.domain.streams import access_stream_of
from lifecycle.engine import Engine
from lifecycle.vault.tables import custody_key, data_key

EVIDENCE = 36  # months that headers are kept after an erasure is final, by the example policy


class Told(NamedTuple):
    """When each holding was erased, when the person was, and what the oracle calls each holding; and when an erasure was
    called final last."""

    erased: dict[str, datetime]
    gone: datetime
    names: dict[str, str]
    final: datetime


class LifeTold(Story):
    """The oracle's story of one life. Under `is_plain` it also knows when the person goes."""

    def __init__(self, *, is_plain: bool) -> None:
        super().__init__()
        self._is_plain = is_plain

    def _correct(self, fact: Fact) -> None:
        """By category, which only one item can be of."""
        ((category, value),) = fact.items
        (item,) = self._here(category)
        name = next(name for name, one in self.items.items() if one is item)
        super()._correct(replace(fact, items=((name, value),)))

    def _can_compare(self, item: Item) -> bool:
        """Not while it is in custody, which ends when somebody sweeps."""
        return all(span.told for span in item.restricted)

    def _go(self, at: datetime) -> None:
        if self._is_plain:
            super()._go(at)


@dataclass
class Life:
    """One life of a person of the plan: from being registered to being erased altogether."""

    subject_id: UUID
    story: LifeTold
    recorded: datetime  # the newest instant of the record, which never goes back
    told: Told | None = None  # by the record, when the epoch ended in which the person was erased
    evidence: datetime = NEVER  # until when the record is kept after that
    is_expunged: bool = False


@dataclass
class Watch:
    """Follows one interleaving by what it was answered."""

    plan: Plan
    lives: dict[int, list[Life]] = field(default_factory=dict)

    def heard(self, said: Said, outcome: Outcome, clock: datetime) -> None:
        if said.person < 0:
            return
        if outcome.code == "subject-erased":  # it was done, and who asked died before the answer
            life = self.lives[said.person][-1]
        elif outcome.outcome == "done" and outcome.events and outcome.subject is not None:
            life = self._life(said.person, outcome.subject, clock)
        else:
            return
        life.recorded = max(life.recorded, clock)
        if said.fact is not None:
            life.story.tell(replace(said.fact, recorded=life.recorded))
        else:
            life.story.last = life.recorded

    def swept(self, clock: datetime) -> None:
        for lives in self.lives.values():
            life = lives[-1]
            if not _falls_due(life, clock):
                continue
            instant = max(life.recorded, clock)
            before = life.story.last, life.story.gone
            life.story.tell(Fact("sweep", instant, instant))
            if (life.story.last, life.story.gone) != before:
                life.recorded = instant
            for each in lives:
                each.is_expunged = each.is_expunged or clock >= each.evidence

    def rotated(self, engine: Engine, clock: datetime) -> None:
        """An epoch has ended: erasures are final, and from now on their evidence is kept for as long as it has to be."""
        for lives in self.lives.values():
            for life in lives:
                told = _told_by_the_record(engine, life.subject_id) if life.told is None else None
                if told is not None and told.gone < NEVER:
                    life.recorded = max(life.recorded, clock)
                    life.told, life.evidence = told, over(life.recorded, 0, EVIDENCE)
                elif told is not None and told.final > life.story.last:  # of some holdings: that is an event, too
                    life.recorded = life.story.last = told.final

    def _life(self, person: int, subject_id: UUID, clock: datetime) -> Life:
        lives = self.lives.setdefault(person, [])
        if not lives or lives[-1].subject_id != subject_id:
            assert not self.plan.is_plain or not lives or lives[-1].story.gone < NEVER, (
                "a new life before the old is over"
            )
            lives.append(Life(subject_id, LifeTold(is_plain=self.plan.is_plain), clock))
        return lives[-1]

    def newest(self, person: int) -> UUID | None:
        return self.lives[person][-1].subject_id if person in self.lives else None

    # -- what is found ------------------------------------------------------------------------------------------

    def check(self, engine: Engine) -> None:
        """Each deletion at the very instant that the oracle names, and keys for exactly what is still here."""
        for lives in self.lives.values():
            for life in lives:
                self._check(engine, life)

    def _check(self, engine: Engine, life: Life) -> None:
        """In UTC: an hour that comes twice in a zone is equal to none in another (PEP 495)."""
        streams = (life.subject_id, access_stream_of(life.subject_id))
        assert life.is_expunged != any(headers_of(engine.database, stream) for stream in streams), (
            self.plan.seed, "expunged too early, or not", life.subject_id, life.evidence,
        )  # fmt: skip
        was = life.told if life.is_expunged else None
        erased, gone, names, _ = was or _told_by_the_record(engine, life.subject_id)
        expected = {name: item.erased.astimezone(UTC) for name, item in life.story.items.items()}
        found = {names[holding]: erased.get(holding, NEVER) for holding in names}
        assert found == expected, (self.plan.seed, life.subject_id, _apart(expected, found))
        if self.plan.is_plain:
            assert gone == life.story.gone.astimezone(UTC), (self.plan.seed, life.subject_id, gone, life.story.gone)
        here = {holding for holding in names if holding not in erased} if gone == NEVER else set()
        keys = _keys(engine, life.subject_id)
        keys = keys if gone < NEVER else keys & set(names)  # of somebody living there are keys of more than holdings
        assert keys == here, (self.plan.seed, "keys of what is erased, or none of what is here", keys, here)


def _falls_due(life: Life, clock: datetime) -> bool:
    """Whoever sweeps looks, by the clock, for whom something is due, and then goes by the time on their record."""
    if life.recorded <= clock:
        return True
    asked = deepcopy(life.story)
    asked.tell(Fact("sweep", clock, clock))
    return asked.last != life.story.last or asked.gone != life.story.gone


def _apart(expected: dict[str, datetime], found: dict[str, datetime]) -> dict[str, tuple[object, object]]:
    names = sorted({*expected, *found})
    return {name: (expected.get(name), found.get(name)) for name in names if expected.get(name) != found.get(name)}


def _told_by_the_record(engine: Engine, subject_id: UUID) -> Told:
    erased: dict[str, datetime] = {}
    gone, final, numbers, names = NEVER, BEGIN, dict[str, int](), dict[str, str]()
    for header in headers_of(engine.database, subject_id):
        for new in _new(header.kind, header.data):
            numbers[new["category"]] = numbers.get(new["category"], 0) + 1
            names[new["holding"]] = f"{new['category']}-{numbers[new['category']]}"
        if header.kind == "erasure-ordered/1":
            for holding in header.data["holdings"]:
                assert holding not in erased, "erased twice"
                erased[holding] = header.at
            gone = header.at if header.data["whole"] else gone
        elif header.kind == "erasure-finalised/1":
            final = header.at
    return Told(erased, gone, names, final)


def _new(kind: str, data: dict[str, object]) -> list[dict[str, str]]:
    if kind == "personal-data-collected/1":
        return list(data.get("new", []))  # type: ignore[call-overload, no-any-return]
    return [data] if kind == "birth-date-recorded/1" else []  # type: ignore[list-item]


def _keys(engine: Engine, subject_id: UUID) -> set[str]:
    """Of which holdings there is a key, at hand or in custody."""
    with engine.database.read("eraser") as c:
        return {
            row.hid
            for table in (data_key, custody_key)
            for row in c.execute(select(table.c.hid).where(table.c.subject_id == subject_id))
            if row.hid != "record"
        }
