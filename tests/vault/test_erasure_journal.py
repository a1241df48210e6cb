"""The journal of erasures survives a torn write and hides no broken line."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from lifecycle.errors import StoreUnavailable
from lifecycle.vault.journal import ErasureJournal, JournalOlder
from lifecycle.vault.journal_lines import JournalEntry

AT = datetime(2026, 11, 23, 12, 0, 0, 123456, tzinfo=UTC)
LATER = AT + timedelta(days=1)
ANN, BOB, CAROL = UUID(int=1), UUID(int=2), UUID(int=3)
ONE = JournalEntry(ANN, 7, AT, kids=("k1", "k2"))
TWO = JournalEntry(BOB, 3, AT, whole=True)
THREE = JournalEntry(CAROL, 9, AT, identifiers=("i1",))
FOUR = JournalEntry(CAROL, 12, AT, kids=("k4",))


@pytest.fixture
def journal(keys: Path) -> ErasureJournal:
    made = ErasureJournal(keys)
    made.create()
    return made


def again(journal: ErasureJournal) -> ErasureJournal:
    """As another process sees it."""
    return ErasureJournal(journal.path.parent)


def said(journal: ErasureJournal) -> list[JournalEntry]:
    return list(journal.entries())


def test_what_was_appended_is_read_in_order(journal: ErasureJournal):
    journal.append(ONE)
    journal.append(TWO, THREE)
    assert said(again(journal)) == said(journal) == [ONE, TWO, THREE]


def test_what_is_written_while_it_is_read_is_not_of_it(journal: ErasureJournal):
    """Whoever compares it with a snapshot asks first: what comes after may be pending there, and not known to be."""
    journal.append(ONE, TWO)
    reading = journal.entries()
    again(journal).append(THREE)
    assert list(reading) == [ONE, TWO]


def test_what_it_says_already_is_not_written_again(journal: ErasureJournal):
    journal.append(ONE, TWO)
    again(journal).append(replace(ONE, at=LATER), replace(TWO, at=LATER), THREE)
    assert said(journal) == [ONE, TWO, THREE]
    before = journal.path.read_bytes()
    again(journal).append(replace(THREE, at=LATER))
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        JournalEntry(ANN, 7, LATER, kids=("k1", "k3")),
        JournalEntry(ANN, 7, LATER, kids=("k1",)),
        JournalEntry(ANN, 7, LATER, kids=("k1", "k2"), identifiers=("i1",)),
        JournalEntry(ANN, 7, LATER, whole=True),
    ],
)
def test_the_same_order_that_dooms_something_else_is_written_too(journal: ErasureJournal, other: JournalEntry):
    """A restored database may order something else by the same version of the same record."""
    journal.append(ONE)
    again(journal).append(other)
    assert said(again(journal)) == [ONE, other]


def test_what_another_process_left_unsynced_is_on_the_disk_before_anything_is_destroyed(
    journal: ErasureJournal, monkeypatch: pytest.MonkeyPatch
):
    """The line is whole, but whoever wrote it died before its last sync."""
    journal.append(ONE)
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    again(journal).append(ONE)
    assert len(synced) == 1


def test_it_is_lines_of_json_for_its_owner_alone(journal: ErasureJournal):
    journal.append(ONE)
    journal.append(TWO, THREE)
    lines = journal.path.read_text().splitlines()
    assert [len(json.loads(line)["erase"]) for line in lines] == [1, 2]
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o600


@pytest.mark.parametrize("share", [1, 3, 10])
def test_a_torn_last_line_is_ignored_and_overwritten(journal: ErasureJournal, share: int):
    journal.append(ONE)
    whole = journal.path.read_bytes()
    journal.append(TWO)
    torn = journal.path.read_bytes()
    for cut in range(len(whole), len(torn), share):
        journal.path.write_bytes(torn[:cut])
        assert said(again(journal)) == [ONE]
    journal.path.write_bytes(torn[:-1])
    other = again(journal)
    other.append(THREE)
    assert said(again(journal)) == [ONE, THREE]
    assert journal.path.read_bytes().count(b"\n") == 2


def test_a_torn_first_line_leaves_an_empty_journal(journal: ErasureJournal):
    journal.path.write_bytes(b'{"chain":')
    assert said(again(journal)) == []
    other = again(journal)
    other.append(ONE)
    assert said(again(journal)) == [ONE]


def test_any_changed_byte_of_a_finished_line_seals_the_store(journal: ErasureJournal):
    journal.append(ONE)
    journal.append(TWO)
    whole = journal.path.read_bytes()
    for index in range(len(whole) - 1):
        journal.path.write_bytes(whole[:index] + bytes([whole[index] ^ 1]) + whole[index + 1 :])
        with pytest.raises(StoreUnavailable, match="broken"):
            said(again(journal))


def test_a_line_taken_out_seals_the_store(journal: ErasureJournal):
    for entry in (ONE, TWO, THREE):
        journal.append(entry)
    first, second, third = journal.path.read_bytes().splitlines(keepends=True)
    for left in (second + third, first + third, second + first + third):
        journal.path.write_bytes(left)
        with pytest.raises(StoreUnavailable, match="broken"):
            said(again(journal))
        with pytest.raises(StoreUnavailable, match="broken"):
            again(journal).append(ONE)
    assert journal.path.read_bytes() == left


def test_a_journal_that_got_shorter_under_our_eyes_seals_the_store(journal: ErasureJournal):
    journal.append(ONE)
    journal.path.write_bytes(b"")
    with pytest.raises(StoreUnavailable, match="shorter"):
        journal.append(TWO)


def test_a_missing_journal_is_not_an_empty_one(keys: Path):
    journal = ErasureJournal(keys)
    for use in (lambda: said(journal), lambda: journal.append(ONE), journal.check, journal.mark):
        with pytest.raises(StoreUnavailable, match=r"put erasure\.journal back"):
            use()


def test_creating_it_again_keeps_what_it_says(journal: ErasureJournal):
    journal.append(ONE)
    again(journal).create()
    assert said(journal) == [ONE]


def test_two_processes_and_many_threads_append_without_losing_a_line(journal: ErasureJournal):
    writers = [journal, again(journal)]
    entries = [JournalEntry(ANN, order, AT, kids=("k",)) for order in range(1, 41)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda entry: writers[entry.order % 2].append(entry), entries))
    assert sorted(entry.order for entry in said(again(journal))) == list(range(1, 41))
    assert writers[0].mark() == writers[1].mark() == again(journal).mark()


def test_what_the_database_has_noted_is_not_read_again(journal: ErasureJournal):
    journal.append(ONE)
    journal.append(TWO)
    noted = journal.mark()
    journal.append(THREE)
    end = journal.mark()
    whole = journal.path.read_bytes()
    journal.path.write_bytes(b"[" + whole[1:])
    later = ErasureJournal(journal.path.parent, noted)
    assert (later.mark(), later.between(noted, end)) == (end, [THREE])
    later.append(FOUR)
    assert later.between(end, later.mark()) == [FOUR]
    assert later.mark().entries == 4
    with pytest.raises(StoreUnavailable, match="broken"):
        said(later)
    with pytest.raises(StoreUnavailable, match="broken"):
        again(journal).check()


def test_a_journal_without_the_noted_place_is_read_whole_and_told_to_be_older(journal: ErasureJournal):
    journal.append(ONE)
    older = journal.path.read_bytes()
    journal.append(TWO)
    noted = journal.mark()
    journal.path.write_bytes(older)
    later = ErasureJournal(journal.path.parent, noted)
    assert later.mark().entries == 1
    with pytest.raises(JournalOlder):
        later.between(noted, later.mark())
    journal.path.write_bytes(b"[" + older[1:])
    with pytest.raises(StoreUnavailable, match="broken"):
        ErasureJournal(journal.path.parent, noted).check()


@pytest.mark.parametrize("at_once", [16, 500, 1 << 20])
def test_between_two_places_is_what_was_written_there(
    journal: ErasureJournal, monkeypatch: pytest.MonkeyPatch, at_once: int
):
    monkeypatch.setattr("lifecycle.vault.journal_lines._AT_ONCE", at_once)
    entries = [JournalEntry(ANN, order, AT, kids=("k" * order,)) for order in range(1, 12)]
    marks = [journal.mark()]
    for some in (entries[:1], entries[1:2], entries[2:6], entries[6:7], entries[7:]):
        journal.append(*some)
        marks.append(journal.mark())
    for start in range(len(marks)):
        for end in range(len(marks)):
            written = entries[marks[start].entries : marks[end].entries] if start < end else []
            for noted in (None, *marks):
                other = ErasureJournal(journal.path.parent, noted)
                assert other.between(marks[start], marks[end]) == written


def test_what_was_written_long_ago_is_known_when_it_is_recalled(journal: ErasureJournal):
    journal.append(ONE, TWO)
    journal.append(THREE)
    later = ErasureJournal(journal.path.parent, journal.mark())
    later.recall([(ANN, 7), (BOB, 3), (BOB, 4)])
    later.append(replace(ONE, at=LATER))
    later.append(replace(TWO, at=LATER), FOUR)
    assert said(journal) == [ONE, TWO, THREE, FOUR]


def test_a_process_remembers_the_newest_alone_however_much_was_erased(
    journal: ErasureJournal, monkeypatch: pytest.MonkeyPatch
):
    """What is written twice because of that is read twice, and erased once."""
    monkeypatch.setattr("lifecycle.vault.journal.RECENT", 2)
    for entry in (ONE, TWO, THREE, THREE, TWO, ONE):
        journal.append(entry)
    assert said(journal) == [ONE, TWO, THREE, ONE]


def test_an_entry_says_plainly_what_it_dooms():
    with pytest.raises(ValueError, match="all or something"):
        JournalEntry(ANN, 1, AT, whole=True, kids=("k",))
