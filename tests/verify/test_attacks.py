"""Every attack of the tamper matrix that a bundle, an auditor or a mirror shows, by its number, with the step that sees it.

Where an attack wins against what is at hand, the test says so, so that nobody claims more later.
"""

from __future__ import annotations

import base64
import copy
import json
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from verify.book import Book, Closed, Draft, Event, MapLeaf, Person, Signer, Stream, policy, sid_with
from verify.checking import accepted, asked, refused, run, seen

from lifecycle import verify
from lifecycle.ledger import envelope
from lifecycle.ledger.envelope import b64url
from lifecycle.vault.sealing import OpenParts, payload_commitment


def life(book: Book) -> Person:
    person = book.register()
    book.collect(person, "h1", "Ada Example")
    book.crowd(0x10, 0x90)
    book.collect(person, "h2", "ada@example.org")
    book.look(person)
    book.look(person)
    return person


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def person(book: Book) -> Person:
    return life(book)


def event(draft: Draft, stream: int, n: int) -> dict[str, Any]:
    return next(each for each in draft.events if each["stream"] == stream and json.loads(each["header"])["n"] == n)


def rewritten(event: Event, **changes: Any) -> bytes:
    return envelope.canonical({**event.said, **changes})


# -- values and headers ---------------------------------------------------------------------------------------------------


def test_attack_1_a_byte_of_a_ciphertext_is_changed(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person, values="sealed")
    part = event(draft, 0, 2)["parts"][1]
    raw = bytearray(envelope.unb64url(part["ct"]))
    raw[20] ^= 1
    part["ct"] = b64url(bytes(raw))
    verdict = refused(book, draft, tmp_path)
    assert verdict.step == "V8"
    assert "n=2 of the record stream" in verdict.message


def test_attack_1_a_disclosed_value_is_another_one(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    part = event(draft, 0, 2)["parts"][1]
    part["disclosure"] = b64url(envelope.unb64url(part["disclosure"]).replace(b"Ada", b"Zoe"))
    verdict = refused(book, draft, tmp_path)
    assert verdict.step == "V8"
    assert "Zoe" not in verdict.message


@pytest.mark.parametrize(
    "change",
    [
        {"type": "consent-given"},
        {"at": "2020-01-01T00:00:00.000000Z"},
        {"data": {"purpose": "another"}},
        {"meta": {"cmd": "0" * 64, "policy": "none", "role": "system"}},
        {"v": 2},
        {"parts": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_attack_2_a_field_of_a_header_is_changed(
    book: Book, person: Person, tmp_path: Path, change: dict[str, Any]
) -> None:
    draft = book.close().of(person)
    event(draft, 0, 2)["header"] = rewritten(person.record.events[1], **change).decode()
    assert refused(book, draft, tmp_path).step == "V6"


def test_attack_3_a_header_is_changed_and_its_commitment_with_it(book: Book, person: Person, tmp_path: Path) -> None:
    """The chain and the map are made to fit in the bundle; the leaf in the log is still the old one."""
    closed = book.close()
    last = person.record.events[2]
    forged = replace(last, header=rewritten(last, data={"purpose": "another"}))
    person.record.events[2] = forged
    assert refused(book, closed.of(person), tmp_path).step == "V6"


def rewrite_history(book: Book, person: Person) -> Closed:
    """Change an event, then make the whole log anew around it."""
    first, old, *later = person.record.events
    forged = replace(old, header=rewritten(old, data={"purpose": "another"}))
    chain = [first, forged]
    for each in later:
        chain.append(replace(each, header=rewritten(each, prev=b64url(chain[-1].commitment))))
    person.record.events[:] = chain
    for each in chain:
        tag = envelope.tag(person.record.key, each.n)
        book.entries[each.index] = envelope.event_entry(each.commitment, tag)
    return book.close()


def test_attack_4_history_is_rewritten_and_signed_with_the_real_key(book: Book, person: Person, tmp_path: Path) -> None:
    honest = book.close()
    before = seen(honest)
    book.entries.pop()
    forged = rewrite_history(book, person)
    accepted(book, forged.of(person), tmp_path)  # in itself it is perfect
    verdict = refused(book, forged.of(person), tmp_path, previous=before)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V2")
    assert verdict.notes == (forged.note(), before.note.raw)


def test_attack_4_history_is_rewritten_and_then_goes_on(book: Book, person: Person, tmp_path: Path) -> None:
    before = seen(book.close())
    book.entries.pop()
    rewrite_history(book, person)
    book.look(person)
    later = book.close()
    draft = later.of(person)
    draft.others["consistency"] = later.consistency(before.size)
    verdict = refused(book, draft, tmp_path, previous=before)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V2")
    mirror = later.mirror(tmp_path / "mirror")
    del draft.others["consistency"]
    verdict = refused(book, draft, tmp_path, previous=before, mirror=mirror)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V2")


def test_attack_4b_the_witnesses_are_not_asked(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    for cosigners in ([], book.witnesses[:1]):
        draft = closed.of(person)
        draft.checkpoint = closed.note(cosigned_by=cosigners)
        assert refused(book, draft, tmp_path).step == "V1"


def test_attack_4b_a_stranger_cosigns_under_a_witnesss_name(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    draft = closed.of(person)
    stranger = Signer.new(book.witnesses[0].name, 4)
    draft.checkpoint = closed.note(cosigned_by=[stranger, book.witnesses[1]])
    assert refused(book, draft, tmp_path).step == "V1"


# -- rows -----------------------------------------------------------------------------------------------------------------


def test_attack_5_a_middle_row_is_deleted(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.events.remove(event(draft, 0, 2))
    verdict = refused(book, draft, tmp_path)
    assert verdict.step == "V5"
    assert verdict.message == "The map counts 5 events, the bundle shows 4."


@pytest.mark.parametrize("stream", [0, 1])
def test_attack_6_the_newest_row_of_a_subject_is_deleted(
    book: Book, person: Person, tmp_path: Path, stream: int
) -> None:
    draft = book.close().of(person)
    draft.events.remove(event(draft, stream, (3, 2)[stream]))
    assert refused(book, draft, tmp_path).step == "V5"


def lying_map(sid: bytes, count: int, head: bytes) -> Any:
    def lie(leaves: list[MapLeaf]) -> list[MapLeaf]:
        return [MapLeaf(sid, count, head, leaf.state) if leaf.sid == sid else leaf for leaf in leaves]

    return lie


def test_attack_7_a_lying_map_is_accepted_by_a_bundle_alone_and_refused_with_a_mirror(
    book: Book, person: Person, tmp_path: Path
) -> None:
    record = person.record
    closed = book.close(leaves=lying_map(record.sid, 2, record.events[1].commitment))
    hidden = record.events.pop()
    draft = closed.of(person)
    found = accepted(book, draft, tmp_path)
    assert any("A bundle alone cannot see a map that lies" in each for each in found.not_checked)
    verdict = refused(book, draft, tmp_path, mirror=closed.mirror(tmp_path / "mirror"))
    assert verdict.step == "V12"
    assert f"Leaf {hidden.index} " in verdict.message


def test_attack_7_the_lie_reaches_as_far_as_the_tags_that_are_looked_for(tmp_path: Path) -> None:
    """Up to 32 events may lie between what is shown and what is found; the first hidden one is always found."""
    book = Book()
    person = book.register()
    for _ in range(40):
        book.record(person.record, "activity-recorded")
    del person.record.events[1:]
    closed = book.close()
    draft = closed.of(person)
    verdict = refused(book, draft, tmp_path, mirror=closed.mirror(tmp_path / "mirror"))
    assert "V12" in verdict.step


def test_attack_8_rows_are_reordered(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.events[1], draft.events[2] = draft.events[2], draft.events[1]
    assert refused(book, draft, tmp_path).step == "V6"


def test_attack_8_the_two_streams_are_reordered(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.events.insert(1, draft.events.pop())
    assert refused(book, draft, tmp_path).step == "V6"


def test_attack_9_leaf_indices_are_swapped(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    one, two = event(draft, 0, 2), event(draft, 0, 3)
    for name in ("index", "inclusion"):
        one[name], two[name] = two[name], one[name]
    assert refused(book, draft, tmp_path).step == "V6"


def test_attack_9_an_event_stood_in_the_log_before_the_one_it_follows(tmp_path: Path) -> None:
    book = Book()
    person = book.register()
    book.record(person.record, "activity-recorded")
    book.record(person.record, "activity-recorded")
    two, three = person.record.events[1:]
    two.index, three.index = three.index, two.index
    for each in (two, three):
        book.entries[each.index] = envelope.event_entry(each.commitment, envelope.tag(person.record.key, each.n))
    assert refused(book, book.close().of(person), tmp_path).step == "V6"


# -- the log --------------------------------------------------------------------------------------------------------------


def test_attack_10_the_tail_is_cut_off_and_a_smaller_log_signed(book: Book, person: Person, tmp_path: Path) -> None:
    book.look(person)
    before = seen(book.close())
    del book.entries[-2:]
    person.access.events.pop()
    smaller = book.close()
    verdict = refused(book, smaller.of(person), tmp_path, previous=before)
    assert (verdict.verdict, verdict.step) == ("stale", "V2")


def test_attack_11_an_old_backup_goes_on_past_what_was_signed(book: Book, person: Person, tmp_path: Path) -> None:
    size = len(book.entries)
    book.crowd(1, 2, 3)
    before = seen(book.close())
    for sid in [sid for sid, stream in book.streams.items() if stream.events[0].index >= size]:
        del book.streams[sid]
    del book.entries[size:]
    book.crowd(*range(10))
    fork = book.close()
    draft = fork.of(person)
    draft.others["consistency"] = fork.consistency(before.size)
    verdict = refused(book, draft, tmp_path, previous=before)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V2")


def test_attack_12_ciphertexts_are_swapped_between_subjects(book: Book, person: Person, tmp_path: Path) -> None:
    other = life(book)
    person.record.events[1].stored[1] = other.record.events[1].stored[1]
    closed = book.close()
    assert refused(book, closed.of(person, values="sealed"), tmp_path).step == "V8"
    assert refused(book, closed.of(person), tmp_path).step == "V8"


def test_attack_13_wrapped_keys_are_swapped_so_that_a_value_does_not_open(
    book: Book, person: Person, tmp_path: Path
) -> None:
    del person.record.events[1].stored[1]["disclosure"]
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V9"
    assert "n=2 of the record stream" in verdict.message


def test_attack_14_a_command_is_replayed(book: Book, tmp_path: Path) -> None:
    person = book.register()
    cmd = "ab" * 32
    book.record(person.record, "activity-recorded", cmd=cmd)
    book.record(person.record, "retention-expired", cmd=cmd)  # one command may record several events in a row
    accepted(book, book.close().of(person), tmp_path)
    book.record(person.record, "activity-recorded")
    book.record(person.record, "activity-recorded", cmd=cmd)
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V6"
    assert "its command had been recorded less than 90 days before" in verdict.message


@pytest.mark.parametrize("early", [timedelta(0), timedelta(microseconds=1)], ids=["forgotten", "known"])
def test_a_command_comes_again_when_its_id_has_been_forgotten_and_not_before(
    book: Book, tmp_path: Path, early: timedelta
) -> None:
    person = book.register()
    cmd = "ab" * 32
    book.record(person.record, "activity-recorded", cmd=cmd)
    again = book.now + verify.ID_KEPT - early
    book.record(person.record, "activity-recorded")
    book.now = again - timedelta(seconds=1)
    book.record(person.record, "activity-recorded", cmd=cmd)
    draft = book.close().of(person)
    if early:
        assert refused(book, draft, tmp_path).step == "V6"
    else:
        accepted(book, draft, tmp_path)


def test_attack_15_an_old_event_is_copied_as_a_new_version(book: Book, person: Person, tmp_path: Path) -> None:
    old = person.record.events[1]
    copy = replace(old, n=4)
    person.record.events.append(copy)
    book.enter(person.record, copy)
    assert refused(book, book.close().of(person), tmp_path).step == "V6"


def test_attack_15_with_a_new_number_it_does_not_follow(book: Book, person: Person, tmp_path: Path) -> None:
    old = person.record.events[1]
    copy = replace(old, n=4, header=rewritten(old, n=4))
    person.record.events.append(copy)
    book.enter(person.record, copy)
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V6"
    assert "does not follow" in verdict.message


def test_attack_16_an_event_is_dated_before_the_one_it_follows(book: Book, person: Person, tmp_path: Path) -> None:
    book.record(person.record, "consent-given", at="2026-10-01T00:00:00.000000Z")
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V6"
    assert "n=4" in verdict.message


@pytest.mark.parametrize(
    ("seconds", "simulated", "good"), [(299, False, True), (302, False, False), (9999, True, True)]
)
def test_attack_16_an_event_is_dated_before_the_log_began(
    tmp_path: Path, seconds: int, simulated: bool, good: bool
) -> None:
    """The clock of another machine may be a little behind; that of a simulated log is none."""
    book = Book(simulated=simulated)
    began = book.now
    stream = Stream(sid_with(7))
    book.record(
        stream,
        "policy-published",
        at=(began - timedelta(seconds=seconds)).isoformat(timespec="microseconds")[:-6] + "Z",
    )
    draft = book.close().draft(stream)
    if good:
        accepted(book, draft, tmp_path)
        return
    verdict = refused(book, draft, tmp_path)
    assert verdict.step == "V6"
    assert "before the log began" in verdict.message


def test_attack_17_an_event_is_dated_later_than_a_witness_saw_it(book: Book, person: Person, tmp_path: Path) -> None:
    seen_at = book.now
    at = (seen_at + timedelta(seconds=302)).isoformat(timespec="microseconds")[:-6] + "Z"
    book.record(person.record, "consent-withdrawn", at=at)
    closed = book.close()
    draft = closed.of(person)
    draft.checkpoint = closed.note(at=seen_at)
    assert refused(book, draft, tmp_path).step == "V6"
    draft.checkpoint = closed.note(at=seen_at + timedelta(seconds=3))
    accepted(book, draft, tmp_path)


@pytest.mark.parametrize("stream", [0, 1])
def test_attack_18_the_newest_event_is_withheld_and_the_map_leaf_made_to_fit(
    book: Book, person: Person, tmp_path: Path, stream: int
) -> None:
    draft = book.close().of(person)
    draft.events.remove(event(draft, stream, (3, 2)[stream]))
    assert refused(book, draft, tmp_path).step == "V5"
    said = draft.map["streams"][stream]
    said["count"] -= 1
    said["head"] = b64url((person.record, person.access)[stream].events[-2].commitment)
    assert refused(book, draft, tmp_path).step == "V4"


# -- absence and presence -------------------------------------------------------------------------------------------------


def crowded() -> tuple[Book, Closed, Stream]:
    book = Book()
    book.crowd(0x05, 0x3A, *[0x40 + n for n in range(40)])
    somebody = Stream(sid_with(0x20))
    book.record(somebody, "policy-published")
    return book, book.close(), somebody


def hide(draft: Draft, closed: Closed, sid: bytes, positions: list[int]) -> None:
    subject_map = closed.subject_map
    number = subject_map.number(sid)
    said = draft.map["streams"][0]
    place = {name: said[name] for name in ("bucket", "top")}
    neighbours = [subject_map.leaf(number, position) for position in positions]
    draft.map["streams"] = [{"sid": b64url(sid), "present": False, "neighbours": neighbours, **place}]
    draft.events = []


@pytest.mark.parametrize("positions", [[], [0], [2], [1], [0, 2], [2, 0], [0, 1], [0, 1, 2]])
def test_attack_19_we_hold_nothing_on_you(tmp_path: Path, positions: list[int]) -> None:
    book, closed, somebody = crowded()
    draft = closed.draft(somebody)
    hide(draft, closed, somebody.sid, positions)
    assert refused(book, draft, tmp_path).step == "V4"


def test_attack_19_the_empty_bucket_of_somebody_else_is_shown(tmp_path: Path) -> None:
    book, closed, somebody = crowded()
    draft = closed.draft(somebody)
    empty = closed.draft(Stream(sid_with(0xF0))).map["streams"][0]
    draft.map["streams"] = [{**empty, "sid": b64url(somebody.sid)}]
    draft.events = []
    assert refused(book, draft, tmp_path).step == "V4"


def test_attack_19_a_bucket_is_called_empty(tmp_path: Path) -> None:
    book, closed, somebody = crowded()
    draft = closed.draft(somebody)
    hide(draft, closed, somebody.sid, [])
    draft.map["streams"][0]["bucket"] = {"n": 0, "root": b64url(verify.EMPTY_ROOT)}
    assert refused(book, draft, tmp_path).step == "V4"


def test_attack_19_a_map_without_the_subject_is_accepted_and_found_by_a_receipt_and_a_mirror(
    book: Book, person: Person, tmp_path: Path
) -> None:
    """Absence from a lying map is attack 7 again: a bundle alone cannot see it."""
    gone = (person.record.sid, person.access.sid)
    closed = book.close(leaves=lambda leaves: [leaf for leaf in leaves if leaf.sid not in gone])
    draft = closed.draft(Stream(person.record.sid))
    accepted(book, draft, tmp_path)
    accepted(
        book, draft, tmp_path, mirror=closed.mirror(tmp_path / "mirror")
    )  # without the first salt, no tag is known
    receipt = (b64url(person.record.sid), person.record.events[0].salt)
    verdict = refused(book, draft, tmp_path, receipt=receipt)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V4")


def test_a_map_that_counts_fewer_events_than_its_streams_have(book: Book, person: Person, tmp_path: Path) -> None:
    """Those shown have their counts, every other one has at least one event."""
    book.crowd(0x10, 0x90)
    honest = sum(len(each.events) for each in book.streams.values())
    accepted(book, book.close(events=honest).of(person), tmp_path)
    book.entries.pop()
    verdict = refused(book, book.close(events=honest - 1).of(person), tmp_path)
    assert (verdict.step, "or more" in verdict.message) == ("V4", True)


def test_a_bucket_with_more_leaves_than_the_map(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    book.entries.pop()
    few = closed.entry[:10] + (1).to_bytes(8, "big") + closed.entry[18:]
    book.entries.append(few)
    lying = Closed(book, closed.size, few, closed.subject_map)
    verdict = refused(book, lying.of(person), tmp_path)
    assert (verdict.step, "too large" in verdict.message) == ("V4", True)


def test_attack_20_a_leaf_without_an_event_is_found_in_a_mirror_unless_the_map_counts_it(
    book: Book, person: Person, tmp_path: Path
) -> None:
    """Counted in the map it is left to a full audit: no stream of the map has that event."""
    book.entries.append(envelope.event_entry(b"c" * 32, b"t" * 16))
    honest = sum(len(each.events) for each in book.streams.values())
    uncounted = book.close(events=honest)
    mirror = uncounted.mirror(tmp_path / "mirror")
    accepted(book, uncounted.of(person), tmp_path)
    assert refused(book, uncounted.of(person), tmp_path, mirror=mirror).step == "V12"
    book.entries.pop()
    counted = book.close()
    accepted(book, counted.of(person), tmp_path, mirror=counted.mirror(tmp_path / "other"))


# -- erasure --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", ["disclosed", "sealed"])
def test_attack_22_a_key_is_destroyed_and_nobody_recorded_it(
    book: Book, person: Person, tmp_path: Path, values: str
) -> None:
    person.record.events[1].stored[1].clear()
    verdict = refused(book, book.close().of(person, values=values), tmp_path)
    assert verdict.step == "V9"
    assert "nothing explains it" in verdict.message


def test_attack_22_another_erasure_does_not_explain_it(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person, "h2")
    accepted(book, book.close().of(person), tmp_path)
    person.record.events[1].stored[1].clear()
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_attack_22_the_key_is_named_with_another_commitment(book: Book, person: Person, tmp_path: Path) -> None:
    order = book.order(person, "h1")
    keys = [{**key, "kc": b64url(b"k" * 32)} for key in book.destroy(person, order)]
    book.complete(person, order, keys)
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_attack_22_an_erasure_does_not_explain_what_was_recorded_after_it(
    book: Book, person: Person, tmp_path: Path
) -> None:
    order = book.order(person, "h1")
    keys = book.destroy(person, order)
    late = book.collect(person, "h3", "later")
    book.complete(person, order, keys)
    again = book.record(person.record, "data-moved", values=None, parts=late.said["parts"])
    again.stored = [{}, {}]
    for stored in late.stored:
        stored.clear()
    keys = [{"kid": part["kid"], "kc": part["kc"]} for part in late.said["parts"]]
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


@pytest.mark.parametrize("values", ["disclosed", "sealed"])
def test_attack_22_an_order_that_is_being_carried_out_explains_nothing_else(
    book: Book, person: Person, tmp_path: Path, values: str
) -> None:
    """Of a holding that it does not name; of the access stream; recorded after it; shown in part; under another's order."""
    order = book.order(person, "h1")
    book.destroy(person, order)
    accepted(book, book.close().of(person, values=values), tmp_path)
    other = person.record.events[2].stored[1]
    access = person.access.events[0].stored[0]
    for stored in (other, access):
        kept = dict(stored)
        stored.clear()
        assert refused(book, book.close().of(person, values=values), tmp_path).step == "V9"
        stored.update(kept)
    late = book.collect(person, "h1", "later")
    late.stored[1].clear()
    assert refused(book, book.close().of(person, values=values), tmp_path).step == "V9"


def test_attack_22_a_value_after_the_order_of_a_whole_erasure_is_not_explained_by_it(
    book: Book, person: Person, tmp_path: Path
) -> None:
    book.destroy(person, book.order(person))
    late = book.collect(person, "h9", "later")
    for stored in late.stored:
        stored.clear()
    verdict = refused(book, book.close().of(person), tmp_path)
    assert (verdict.step, "nothing explains it" in verdict.message) == ("V9", True)


def test_attack_22_a_completed_order_explains_by_its_keys_alone(book: Book, person: Person, tmp_path: Path) -> None:
    """Left out of the completion, a key is not explained by the order; named with another commitment, neither."""
    order = book.order(person, "h1")
    keys = book.destroy(person, order)
    book.complete(person, order, [])
    assert refused(book, book.close().of(person), tmp_path).step == "V9"
    again = book.order(person, "h1")
    accepted(book, book.close().of(person), tmp_path)
    book.complete(person, again, [{**key, "kc": b64url(b"k" * 32)} for key in keys])
    book.order(person, "h1")
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_attack_22_half_of_what_a_key_sealed_is_not_gone(book: Book, person: Person, tmp_path: Path) -> None:
    """Keys are destroyed with all that they sealed: the words of one event missing, and those of the next shown."""
    book.order(person)
    person.record.events[1].stored[0].clear()
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


@pytest.mark.parametrize("lie", [{"holdings": "h1"}, {"holdings": [1]}, {"whole": "yes"}], ids=str)
def test_attack_22_an_order_is_of_holdings_or_of_all(
    book: Book, person: Person, tmp_path: Path, lie: dict[str, Any]
) -> None:
    book.record(person.record, "erasure-ordered", {"ground": "7.3e", "holdings": ["h1"], "whole": False, **lie})
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_attack_22_an_access_stream_is_not_explained_by_a_partial_erasure(
    book: Book, person: Person, tmp_path: Path
) -> None:
    book.erase(person, "h1")
    person.access.events[0].stored[0].clear()
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_attack_24_something_is_written_of_an_erased_subject(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    book.record(person.record, "activity-recorded")
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


@pytest.mark.parametrize("stream", ["record", "access"])
def test_attack_24_something_sealed_is_written_of_an_erased_subject(
    book: Book, person: Person, tmp_path: Path, stream: str
) -> None:
    book.erase(person)
    late = book.record(getattr(person, stream), "request-received", values={"record": "again"}, keys=person.keys)
    assert late.stored
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_attack_24_an_erased_subject_is_read(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    book.record(person.access, "personal-data-read")
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_attack_25_control_an_honest_erasure_is_accepted(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    ended = book.finalise(person)
    found = accepted(book, book.close().of(person, epochs=[ended]), tmp_path)
    assert sum(key.missing for key in found.keys.values()) == 3  # two values and the record key


# -- keys and views ---------------------------------------------------------------------------------------------------------


def test_attack_26_the_checkpoint_is_signed_with_another_key(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    draft = closed.of(person)
    draft.checkpoint = closed.note(log=Signer.new(book.origin))
    assert refused(book, draft, tmp_path).step == "V1"


def test_attack_26_a_signature_of_our_key_over_something_else(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    draft = closed.of(person)
    book.crowd(3)
    other = book.close()
    line = book.log.line(other.text())
    draft.checkpoint = (closed.text() + "\n" + line).encode()
    assert refused(book, draft, tmp_path).step == "V1"


def test_attack_26_a_witnesss_key_does_not_sign_for_the_log(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close()
    witness = book.witnesses[0]
    imitator = Signer(book.origin, 1, witness.key)
    draft = closed.of(person)
    draft.checkpoint = closed.note(log=imitator)
    assert refused(book, draft, tmp_path).step == "V1"


def test_attack_27_control_an_honest_absence_is_accepted(tmp_path: Path) -> None:
    book, closed, _ = crowded()
    accepted(book, closed.draft(Stream(sid_with(0x21))), tmp_path)


def test_attack_28_two_auditors_are_shown_two_logs(
    book: Book, person: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With each other's checkpoint they hold a proof, and it is written out."""
    fork = copy.deepcopy(book.entries)
    book.crowd(1)
    shown_to_one = book.close()
    one = shown_to_one.note(cosigned_by=[])
    book.streams.popitem()
    book.entries[:] = fork
    book.crowd(2)
    shown_to_the_other = book.close()
    draft = shown_to_the_other.of(person)
    draft.checkpoint = shown_to_the_other.note(cosigned_by=[])
    (tmp_path / "key").write_text(book.log.vkey)
    (tmp_path / "previous").write_bytes(one)
    evidence = tmp_path / "evidence"
    code, said = run(
        capsys,
        *(draft.zip(tmp_path / "b.zip"), "--key", tmp_path / "key"),
        *("--previous", tmp_path / "previous", "--evidence", evidence),
    )
    assert (code, said["verdict"], said["step"]) == (4, "contradiction", "V2")
    assert (evidence / "checkpoint-of-the-bundle").read_bytes() == draft.checkpoint
    assert (evidence / "checkpoint-you-hold").read_bytes() == one
    assert refused(book, draft, tmp_path).step == "V1"  # and whoever asks for witnesses sees neither


def test_attack_28_my_mirror_is_of_another_log_than_my_bundle(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    book.entries.pop()
    book.streams.popitem()
    book.entries[5] = b"\x01" + bytes(48)
    other = book.close()
    mirror = other.mirror(tmp_path / "mirror")
    (mirror / "checkpoint").write_bytes(other.note())
    verdict = refused(book, draft, tmp_path, mirror=mirror)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V12")
    assert verdict.notes == (draft.checkpoint, other.note())


def test_attack_31_a_value_that_another_key_would_open_is_not_the_one_recorded(
    book: Book, person: Person, tmp_path: Path
) -> None:
    """Whatever a key is made to open, the header commits to the value itself."""
    stored = person.record.events[1].stored[1]
    stored["disclosure"] = json.dumps([b64url(b"s" * 64), "h1", "Eve"]).encode()
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V8"


@pytest.mark.parametrize("name", ["keys", "key.pub", "tlog-policy", "policy", "verify.py", "../key", "/etc/key", "KEY"])
def test_attack_32_verifier_keys_inside_the_bundle_are_refused(
    book: Book, person: Person, tmp_path: Path, name: str
) -> None:
    draft = book.close().of(person)
    draft.others[name] = policy(book.log).encode()
    verdict = refused(book, draft, tmp_path)
    assert verdict.step == "files"
    assert "never taken from a bundle" in verdict.message


# -- attacks that the matrix does not list ------------------------------------------------------------------------------------


def test_the_access_stream_is_left_out(book: Book, person: Person, tmp_path: Path) -> None:
    assert refused(book, book.close().draft(person.record), tmp_path).step == "V4"


def test_the_access_stream_is_somebody_elses(book: Book, person: Person, tmp_path: Path) -> None:
    other = life(book)
    assert refused(book, book.close().draft(person.record, other.access), tmp_path).step == "V4"


def test_the_access_stream_is_called_absent_by_the_name_of_nobody(book: Book, person: Person, tmp_path: Path) -> None:
    assert refused(book, book.close().draft(person.record, Stream(sid_with(1))), tmp_path).step == "V4"


def test_the_bundle_of_somebody_else_is_handed_out(book: Book, person: Person, tmp_path: Path) -> None:
    other = life(book)
    draft = book.close().of(other)
    assert refused(book, draft, tmp_path, subject=b64url(person.record.sid)).step == "V4"
    receipt = (b64url(person.record.sid), person.record.events[0].salt)
    assert refused(book, draft, tmp_path, receipt=receipt).step == "V4"


def test_a_receipt_tells_when_the_first_event_was_replaced(book: Book, person: Person, tmp_path: Path) -> None:
    receipt = (b64url(person.record.sid), bytes(64))
    verdict = refused(book, book.close().of(person), tmp_path, receipt=receipt)
    assert (verdict.verdict, verdict.step) == ("contradiction", "V6")


def test_another_salt_opens_nothing(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    event(draft, 0, 1)["salt"] = b64url(bytes(64))
    assert refused(book, draft, tmp_path).step == "V6"


def test_a_garbage_tag_can_never_be_shown(book: Book, person: Person, tmp_path: Path) -> None:
    """Hidden from a mirror's scan by a false tag: then the event is nowhere, and can never be called one."""
    hidden = book.record(person.record, "consent-given")
    book.entries[hidden.index] = envelope.event_entry(hidden.commitment, bytes(16))
    assert refused(book, book.close().of(person), tmp_path).step == "V6"


def test_erased_yet_here(book: Book, person: Person, tmp_path: Path) -> None:
    """A certificate of erasure beside the value itself."""
    order = book.order(person, "h1")
    keys = [{"kid": part["kid"], "kc": part["kc"]} for part in person.record.events[1].said["parts"][1:]]
    book.complete(person, order, keys)
    for values in ("disclosed", "sealed"):
        verdict = refused(book, book.close().of(person, values=values), tmp_path)
        assert verdict.step == "V9"
        assert "Erased, yet here" in verdict.message


def test_erased_yet_here_in_the_access_stream(book: Book, person: Person, tmp_path: Path) -> None:
    kept = dict(person.access.events[0].stored[0])
    book.erase(person)
    person.access.events[0].stored[0] = kept
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_a_whole_erasure_does_not_name_every_key(book: Book, person: Person, tmp_path: Path) -> None:
    order = book.order(person)
    keys = book.destroy(person, order)
    book.complete(person, order, keys[1:])
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


@pytest.mark.parametrize("order", [1, 5, 6, 99])
def test_an_erasure_is_completed_that_nobody_ordered(book: Book, person: Person, tmp_path: Path, order: int) -> None:
    ordered = book.order(person, "h1")  # of one holding, n=4
    assert ordered.n == 4
    book.record(person.record, "activity-recorded")
    keys = book.destroy(person, ordered)
    data = {"order": order, "whole": False, "epoch": 1, "keys": keys, "stores": []}
    book.order(person)
    book.record(person.record, "erasure-completed", data)
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


@pytest.mark.parametrize("whole", [True, False])
def test_the_map_lies_about_an_erasure(book: Book, person: Person, tmp_path: Path, *, whole: bool) -> None:
    if whole:
        book.erase(person)
    person.record.state = person.access.state = 0 if whole else 1
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_the_map_gives_the_two_streams_different_states(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    person.access.state = 0
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_a_living_person_is_called_expunged(book: Book, person: Person, tmp_path: Path) -> None:
    person.record.state = person.access.state = 2
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_somebody_is_called_expunged_whose_leaves_the_log_never_named(
    book: Book, person: Person, tmp_path: Path
) -> None:
    """Before the period is over, say. L1 accepts it; a copy of the log and the receipt do not."""
    book.erase(person)
    receipt = (b64url(person.record.sid), person.record.events[0].salt)
    person.record.state = person.access.state = 2
    last = person.record.events[-1].index
    entry = book.system({"at": book.tick(), "kind": "expunged/1", "leaves": [[1, last]]})
    closed = book.close()
    draft = closed.of(person)
    draft.system.append(closed.system(entry))
    mirror = closed.mirror(tmp_path / "mirror")
    accepted(book, draft, tmp_path, receipt=receipt)
    refusal = refused(book, draft, tmp_path, mirror=mirror, receipt=receipt)
    assert (refusal.step, str(last) in refusal.message) == ("V12", True)


def test_an_erasure_is_called_final_and_the_epoch_is_not_shown(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    book.finalise(person)
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_an_epoch_ended_without_this_person(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    mine = book.finalise(person)
    closed = book.close()
    draft = closed.of(person, epochs=[mine])
    draft.system[1]["sids"][0]["position"] ^= 1
    assert refused(book, draft, tmp_path).step == "V10"
    draft.system[1]["sids"].pop(0)
    assert refused(book, draft, tmp_path).step == "V10"


def test_the_streams_of_an_ended_epoch_are_named_once_and_in_order(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    mine = book.finalise(person)
    draft = book.close().of(person, epochs=[mine])
    sids = draft.system[1]["sids"]
    for lie in (sids[::-1], [*sids, sids[1]], [sids[0], sids[0]]):
        draft.system[1]["sids"] = lie
        assert refused(book, draft, tmp_path).step == "V3"


def test_another_epochs_end_does_not_make_it_final(book: Book, person: Person, tmp_path: Path) -> None:
    book.erase(person)
    ended = book.end_epoch(2, person.record.sid, person.access.sid)
    book.record(person.record, "erasure-finalised", {"epoch": 1})
    assert refused(book, book.close().of(person, epochs=[ended]), tmp_path).step == "V10"


def test_a_log_is_called_simulated_in_the_bundle_only(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.system[0]["record"] = draft.system[0]["record"].replace('"simulated":false', '"simulated":true')
    assert refused(book, draft, tmp_path).step == "V3"


def test_the_genesis_entry_is_of_another_log(tmp_path: Path) -> None:
    book = Book()
    book.entries[0] = Book(origin="other.example/log").entries[0]
    person = life(book)
    assert refused(book, book.close().of(person), tmp_path).step == "V3"


def test_the_genesis_entry_is_left_out(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.system = []
    assert refused(book, draft, tmp_path).step == "V3"


@pytest.mark.parametrize("lie", [{"covered": 3}, {"depth": 2}, {"events": 1}, {"events": 10**6}])
def test_the_figures_of_the_map_entry_do_not_fit(
    book: Book, person: Person, tmp_path: Path, lie: dict[str, Any]
) -> None:
    assert refused(book, book.close(**lie).of(person), tmp_path).step == "V3"


def test_an_older_map_is_shown_under_a_newer_checkpoint(book: Book, person: Person, tmp_path: Path) -> None:
    old = book.close()
    shown = old.of(person)
    book.look(person)
    new = book.close()
    draft = replace(shown, checkpoint=new.note())
    assert refused(book, draft, tmp_path).step == "V3"
    draft.map["inclusion"] = new.tree.proof(old.size - 1)
    assert refused(book, draft, tmp_path).step == "V3"


def test_the_map_names_another_last_event(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close(leaves=lying_map(person.record.sid, 3, b"h" * 32))
    verdict = refused(book, closed.of(person), tmp_path)
    assert verdict.step == "V7"


def test_a_stream_is_hidden_in_a_bucket_where_it_does_not_belong(tmp_path: Path) -> None:
    """Its own bucket has no such leaf then; a neighbour from elsewhere is no neighbour."""
    book = Book()
    book.crowd(*[0x40 + n for n in range(40)])
    hidden = Stream(sid_with(0x20))
    book.record(hidden, "policy-published")
    closed = book.close(misplaced={hidden.sid: 3})
    assert refused(book, closed.draft(hidden), tmp_path).step == "V4"
    before = Stream(b"\xc0" + bytes(31))  # belongs where the hidden one stands alone
    assert refused(book, closed.draft(before), tmp_path).step == "V4"


def test_an_event_of_another_stream_is_counted_as_this_persons(book: Book, person: Person, tmp_path: Path) -> None:
    book.record(person.record, "activity-recorded", sid=b64url(person.access.sid))
    verdict = refused(book, book.close().of(person), tmp_path)
    assert (verdict.step, "another stream" in verdict.message) == ("V6", True)


def test_a_map_leaf_counts_more_events_than_a_verifier_reads(book: Book, person: Person, tmp_path: Path) -> None:
    closed = book.close(leaves=lying_map(person.record.sid, 2**40, b"h" * 32))
    assert refused(book, closed.of(person), tmp_path).step == "V4"


def open_part(value: Any, hid: str = "record") -> tuple[dict[str, str], dict[str, bytes]]:
    """A part of a stream without persons: never sealed."""
    sealed = OpenParts().seal(b"", 1, hid, value)
    return sealed.part.as_json(), {"disclosure": sealed.ciphertext}


def test_open_parts_are_checked_and_cannot_be_missing(book: Book, tmp_path: Path) -> None:
    stream = Stream(sid_with(1))
    part, stored = open_part({"label": "recruiting-site/1.0"})
    event = book.record(stream, "policy-published", parts=[part])
    event.stored = [stored]
    closed = book.close()
    accepted(book, closed.draft(stream), tmp_path)
    event.stored = [{}]
    assert refused(book, closed.draft(stream), tmp_path).step == "V9"
    event.stored = [{**stored, "ct": stored["disclosure"]}]
    assert refused(book, closed.draft(stream), tmp_path).step == "V8"


def test_open_parts_are_pinned_by_both_digests(book: Book, tmp_path: Path) -> None:
    stream = Stream(sid_with(1))
    part, stored = open_part("one")
    event = book.record(stream, "policy-published", parts=[{**part, "ct": b64url(bytes(32))}])
    event.stored = [stored]
    assert refused(book, book.close().draft(stream), tmp_path).step == "V8"


@pytest.mark.parametrize(
    "raw", [b'["' + b"A" * 86 + b'","other",1]', b'["AA","record",1]', b"{}", b"[1,", b'[1,"record",NaN]']
)
def test_a_disclosure_that_is_not_of_its_part(book: Book, tmp_path: Path, raw: bytes) -> None:
    stream = Stream(sid_with(1))
    part = {"hid": "record", "kid": "", "kc": "", "ct": b64url(sha256(raw).digest()), "pc": payload_commitment(raw)}
    event = book.record(stream, "policy-published", parts=[part])
    event.stored = [{"disclosure": raw}]
    assert refused(book, book.close().draft(stream), tmp_path).step == "V8"


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("erasure-ordered", {"whole": 1}),
        ("erasure-finalised", {}),
        ("erasure-completed", {"order": 1, "epoch": 1, "whole": True, "keys": [{"kid": 1, "kc": "A"}]}),
        ("erasure-completed", {"order": 1, "epoch": 1, "whole": True, "keys": {}}),
    ],
)
def test_an_erasure_that_says_nothing_readable(
    book: Book, person: Person, tmp_path: Path, kind: str, data: dict[str, Any]
) -> None:
    book.record(person.record, kind, data)
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_an_erasure_on_the_access_stream_explains_nothing(book: Book, person: Person, tmp_path: Path) -> None:
    book.record(person.access, "erasure-ordered", {"whole": True})
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_a_genesis_entry_of_an_unknown_version(tmp_path: Path) -> None:
    book = Book()
    record = {**json.loads(book.entries[0][1:]), "format": "2"}
    book.entries[0] = envelope.system_entry(record)
    person = life(book)
    assert refused(book, book.close().of(person), tmp_path).step == "V3"


def test_an_empty_log_that_was_seen_is_continued_by_any(book: Book, person: Person, tmp_path: Path) -> None:
    for root, is_empty in ((verify.EMPTY_ROOT, True), (bytes(32), False)):
        text = f"{book.origin}\n0\n{base64.b64encode(root).decode()}\n"
        previous = verify.read_checkpoint(f"{text}\n{book.log.line(text)}".encode())
        draft = book.close().of(person)
        if is_empty:
            accepted(book, draft, tmp_path, previous=previous)
        else:
            assert refused(book, draft, tmp_path, previous=previous).verdict == "contradiction"


def test_a_previous_checkpoint_with_a_broken_signature_is_the_verifiers_own_trouble(
    book: Book, person: Person, tmp_path: Path
) -> None:
    closed = book.close()
    text = closed.text()
    other = book.log.line(text + "x")
    previous = verify.read_checkpoint(f"{text}\n{other}".encode())
    assert refused(book, closed.of(person), tmp_path, previous=previous).verdict == "failed"


def test_a_mirror_without_a_checkpoint_of_its_own_still_contradicts(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    book.entries[3] = b"\x01" + bytes(48)
    mirror = book.close().mirror(tmp_path / "mirror")
    verdict = refused(book, draft, tmp_path, mirror=mirror)
    assert (verdict.verdict, verdict.step, len(verdict.notes)) == ("contradiction", "V12", 1)


def test_a_person_is_registered_twice(book: Book, person: Person, tmp_path: Path) -> None:
    book.record(person.record, "subject-registered", {"access_sid": b64url(person.access.sid)})
    assert refused(book, book.close().of(person), tmp_path).step == "V10"


def test_an_event_of_an_unknown_version_that_matters_is_refused(book: Book, person: Person, tmp_path: Path) -> None:
    book.record(person.record, "erasure-completed", v=2)
    verdict = refused(book, book.close().of(person), tmp_path)
    assert verdict.step == "V6"
    assert "version 2" in verdict.message


def test_one_key_has_two_commitments(book: Book, person: Person, tmp_path: Path) -> None:
    part = {**person.record.events[1].said["parts"][1], "kc": b64url(b"k" * 32)}
    late = book.record(person.record, "data-moved", parts=[part])
    late.stored = [dict(person.record.events[1].stored[1])]
    assert refused(book, book.close().of(person), tmp_path).step == "V9"


def test_a_checkpoint_that_no_auditor_cosigned_is_not_level_two(book: Book, person: Person, tmp_path: Path) -> None:
    auditor = Signer.new("auditor.example/full", 4)
    auditors = verify.read_vkeys(auditor.vkey.encode(), 4)
    assert refused(book, book.close().of(person), tmp_path, auditors=auditors).step == "V11"


def test_a_mirror_that_ends_too_early_is_the_verifiers_own_trouble(book: Book, person: Person, tmp_path: Path) -> None:
    mirror = book.close().mirror(tmp_path / "mirror")
    book.crowd(1)
    verdict = refused(book, book.close().of(person), tmp_path, mirror=mirror)
    assert verdict.verdict == "failed"


def test_what_lies_in_declared_losses_is_told_and_not_called_withheld(
    book: Book, person: Person, tmp_path: Path
) -> None:
    """A loss that the log declares: the event is counted nowhere, and its leaf is known to be lost."""
    lost = book.record(person.record, "consent-given")
    person.record.events.pop()
    entry = {"at": book.tick(), "first": lost.index, "kind": "loss-declared/1", "past": lost.index + 1}
    book.system(entry)
    closed = book.close()
    found = accepted(book, closed.of(person), tmp_path, mirror=closed.mirror(tmp_path / "mirror"))
    assert any("declares lost" in each for each in found.remarks)


def test_a_consistency_proof_that_is_left_out_is_asked_for(book: Book, person: Person, tmp_path: Path) -> None:
    before = seen(book.close())
    book.look(person)
    closed = book.close()
    assert refused(book, closed.of(person), tmp_path, previous=before).step == "V2"
    draft = closed.of(person)
    draft.others["consistency"] = b"old 3\n"
    assert refused(book, draft, tmp_path, previous=before).verdict == "invalid"


def test_a_checkpoint_that_nobody_has_confirmed_lately_is_stale(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    accepted(book, draft, tmp_path, max_age=timedelta(hours=1))
    verdict = refused(book, draft, tmp_path, max_age=timedelta(minutes=59))
    assert (verdict.verdict, verdict.step) == ("stale", "V1")
    path = draft.zip(tmp_path / "again.zip")
    with pytest.raises(verify.Verdict) as refusal:
        verify.verify(replace(asked(book, path, witnesses=[]), max_age=timedelta(days=9999)))
    assert refusal.value.verdict == "stale"


def test_what_is_stale_and_invalid_is_called_invalid(book: Book, person: Person, tmp_path: Path) -> None:
    draft = book.close().of(person)
    draft.events.pop()
    assert refused(book, draft, tmp_path, max_age=timedelta(minutes=1)).verdict == "invalid"
