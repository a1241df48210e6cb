"""What an honest log shows is accepted, and the verifier says what it has not checked."""

from __future__ import annotations

import copy
import hmac
import json
import string
from pathlib import Path
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from verify.book import Book, Person, Signer, Stream, Tree, policy, sid_with
from verify.checking import accepted, asked, run, seen
from verify.measure import measured

from lifecycle import verify
from lifecycle.ledger.envelope import b64url


def life(book: Book, *, reads: int = 2) -> Person:
    """A person with two values, who was looked up; others came between."""
    person = book.register()
    book.collect(person, "h1", {"name": "Ada Example"})
    book.crowd(0x10, 0x90)
    book.collect(person, "h2", ["ada@example.org", 3.5, -1])
    for _ in range(reads):
        book.look(person)
    return person


@pytest.mark.parametrize("values", ["disclosed", "sealed"])
def test_a_living_person(tmp_path: Path, values: str) -> None:
    book = Book()
    person = life(book)
    found = accepted(book, book.close().of(person, values=values), tmp_path)
    assert [(each.count, each.state) for each in found.streams] == [(3, 0), (2, 0)]
    assert any("sealed" in each for each in found.not_checked) == (values == "sealed")
    assert not found.simulated


def test_a_person_whom_nobody_has_looked_up_has_an_absent_access_stream(tmp_path: Path) -> None:
    book = Book()
    person = life(book, reads=0)
    found = accepted(book, book.close().of(person), tmp_path)
    assert [each.present for each in found.streams] == [True, False]


@pytest.mark.parametrize("values", ["disclosed", "sealed"])
def test_one_holding_of_a_living_person_was_erased(tmp_path: Path, values: str) -> None:
    book = Book()
    person = life(book)
    book.erase(person, "h1")
    found = accepted(book, book.close().of(person, values=values), tmp_path)
    assert found.record.state == 0
    assert any("not yet final" in each for each in found.remarks) is False


def test_an_erased_person_completed_and_finalised(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    book.erase(person)
    ended = book.finalise(person, 1, *(sid_with(n) for n in range(5)))
    book.record(person.record, "recipient-confirmed")
    book.record(person.record, "deadline-missed")
    found = accepted(book, book.close().of(person, epochs=[ended]), tmp_path)
    assert [each.state for each in found.streams] == [1, 1]
    assert found.remarks == []


def test_an_erased_person_whose_epoch_has_not_ended(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    book.erase(person)
    found = accepted(book, book.close().of(person), tmp_path)
    assert [each for each in found.remarks if "not yet final" in each]


def test_an_erasure_that_is_ordered_and_not_completed(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    book.order(person)
    found = accepted(book, book.close().of(person), tmp_path)
    assert found.record.state == 0
    assert [each for each in found.remarks if "is not completed: nothing is gone by it" in each]


@pytest.mark.parametrize("values", ["disclosed", "sealed"])
@pytest.mark.parametrize("holdings", [(), ("h1",)], ids=["whole", "part"])
def test_an_erasure_that_is_being_carried_out(tmp_path: Path, holdings: tuple[str, ...], values: str) -> None:
    """Keys and values are gone, and what outside stores have to say, or only the next checkpoint, is awaited."""
    book = Book()
    person = life(book)
    order = book.order(person, *holdings)
    if not holdings:
        book.look(person)  # by somebody who had begun before the fence
    book.destroy(person, order)
    found = accepted(book, book.close().of(person, values=values), tmp_path)
    assert found.record.state == 0
    told = [each for each in found.remarks if f"Event n={order.n}: an erasure" in each and order.said["at"] in each]
    assert len(told) == 1
    assert "keys' values are gone by it, and nothing says that every copy is" in told[0]


@pytest.mark.parametrize(
    ("asked_for", "others", "neighbours"),
    [
        (0xC0, [], 0),  # the only bucket of an empty quarter
        (0x00, [0x05], 1),  # before the first
        (0x3F, [0x05], 1),  # after the last
        (0x20, [0x05, 0x3A], 2),  # between two
    ],
)
def test_absence_in_all_four_forms(tmp_path: Path, asked_for: int, others: list[int], neighbours: int) -> None:
    book = Book()
    book.crowd(*others, *[0x40 + n for n in range(40)])
    closed = book.close()
    assert closed.subject_map.depth == 2
    nobody = Stream(sid_with(asked_for))
    draft = closed.draft(nobody)
    assert len(draft.map["streams"][0]["neighbours"]) == neighbours
    found = accepted(book, draft, tmp_path, subject=b64url(nobody.sid))
    assert not found.record.present


def test_absence_in_a_log_without_any_stream(tmp_path: Path) -> None:
    book = Book()
    accepted(book, book.close().draft(Stream(sid_with(1))), tmp_path)


def test_several_checkpoints_each_continues_the_one_before(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    closed = [book.close()]
    for _ in range(4):
        book.look(person)
        closed.append(book.close())
    last = closed[-1]
    for old in closed[:-1]:
        draft = last.of(person)
        draft.others["consistency"] = last.consistency(*(each.size for each in closed[:-1]))
        accepted(book, draft, tmp_path, previous=seen(old))
    accepted(book, last.of(person), tmp_path, previous=seen(last))


def test_every_size_is_consistent_with_every_smaller_one() -> None:
    book = Book()
    book.crowd(*range(45))
    leaves = book.close().tree.levels[0]
    for size in range(2, len(leaves) + 1):
        tree = Tree(leaves[:size])
        for old in range(1, size):
            proof = tree.consistency(old)
            assert verify.is_consistent(old, Tree(leaves[:old]).root, size, tree.root, proof)
            assert not verify.is_consistent(old, b"x" * 32, size, tree.root, proof)
            assert not verify.is_consistent(old, Tree(leaves[:old]).root, size, tree.root, [*proof, bytes(32)])


def test_every_leaf_of_every_size_is_included_where_it_is_and_nowhere_else() -> None:
    leaves = [bytes([n]) * 32 for n in range(40)]
    for size in range(1, 41):
        tree = Tree(leaves[:size])
        for index in range(size):
            proof = b"".join(tree.path(index))
            for claimed in range(size + 2):
                root = verify.root_from_path(leaves[index], claimed, size, proof)
                assert (root == tree.root) == (claimed == index)
            assert verify.root_from_path(leaves[index], index, size, proof + bytes(32)) != tree.root
            assert verify.root_from_path(leaves[index], index, size, proof[:-32]) != tree.root or not proof


@given(st.data())
def test_what_paths_share_is_compared_as_strictly_as_it_is_hashed(data: st.DataObject) -> None:
    """Proofs in any order, some of them damaged: the same answer as from the whole path each time."""
    size = data.draw(st.integers(1, 600))
    leaves = [n.to_bytes(32, "big") for n in range(size)]
    tree = Tree(leaves)
    proofs = verify.Inclusions(size, tree.root)
    for _ in range(data.draw(st.integers(1, 12))):
        index = data.draw(st.integers(0, size - 1))
        leaf, proof = leaves[index], b"".join(tree.path(index))
        assert proofs.holds(leaf, index, b64url(proof))
        other = data.draw(st.integers(0, size + 1))
        leaf = data.draw(st.sampled_from([leaf, leaves[-1]]))
        at = data.draw(st.integers(0, len(proof)))
        ends = [proof, proof[32:], proof[:-32], proof + leaf]
        damaged = data.draw(st.sampled_from([*ends, proof[:at] + b"?" + proof[at + 1 :]]))
        if len(damaged) % 32 == 0:
            again = copy.deepcopy(proofs)
            assert again.holds(leaf, other, b64url(damaged)) == (
                verify.root_from_path(leaf, other, size, damaged) == tree.root
            )


@given(st.binary(max_size=200), st.integers(0, 2**64 - 1))
def test_tags_are_the_standard_librarys_hmac(key: bytes, n: int) -> None:
    assert verify.Mac(key).tag(n) == hmac.digest(key, n.to_bytes(8, "big"), "sha256")[:16]


def json_values() -> st.SearchStrategy[Any]:
    plain = (
        st.none()
        | st.booleans()
        | st.integers(0, 2**53 - 1)
        | st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    )
    keys = st.text(alphabet=string.ascii_letters + string.punctuation, max_size=4)
    return st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


@given(st.dictionaries(st.text(alphabet=string.printable, max_size=4), json_values(), max_size=4))
def test_canonical_is_what_rfc_8785_says_by_a_foreign_judge(value: dict[str, Any]) -> None:
    text = rfc8785.dumps(value).decode()
    assert verify.read_canonical(text) == value
    for other in (json.dumps(value), json.dumps(value, ensure_ascii=False, separators=(",", ":")), text + " "):
        if other != text:
            with pytest.raises(verify.Malformed):
                verify.read_canonical(other)


def test_a_large_bundle_is_read_in_little_memory_and_time(tmp_path: Path) -> None:
    """A bound that a busy machine keeps; the figure itself comes from `python -m verify.measure`."""
    it = measured(1_000, 20_000, tmp_path, times=1)
    assert it.microseconds("folder") < 400
    assert it.megabytes < 60


def test_a_simulated_log_is_accepted_and_called_simulated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(simulated=True, witnesses=0)
    person = life(book)
    book.collect(person, "h3", 1, at="2199-01-01T00:00:00.000000Z")
    draft = book.close().of(person)
    found = accepted(book, draft, tmp_path)
    assert found.simulated
    assert any("SIMULATED" in each for each in found.not_checked)
    key = tmp_path / "key"
    key.write_text(book.log.vkey + "\n")
    assert verify.main([str(draft.zip(tmp_path / "b.zip")), "--key", str(key)]) == 0
    assert "SIMULATED" in capsys.readouterr().out


def test_a_quorum_of_two_of_three_is_met_by_two(tmp_path: Path) -> None:
    book = Book(witnesses=3)
    person = life(book)
    closed = book.close()
    draft = closed.of(person)
    draft.checkpoint = closed.note(cosigned_by=book.witnesses[1:])
    keys = verify.read_keys(
        "\n".join(
            [
                "# ours",
                f"log {book.log.vkey} https://log.example/",
                *(f"witness w{n} {each.vkey}" for n, each in enumerate(book.witnesses)),
                "group inner any w1 w2",
                "group\touter all inner w0",
                "group x any outer",
                "quorum inner",
            ]
        ).encode()
    )
    path = draft.zip(tmp_path / "b.zip")
    verify.verify(verify.Asked(bundle=path, policy=keys, now=book.now))


def test_a_full_auditor_makes_it_level_two_and_a_mirror_level_three(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    book = Book()
    person = life(book)
    book.crowd(*range(250), *range(50))
    closed = book.close()
    auditor = Signer.new("auditor.example/full", 4)
    draft = closed.of(person)
    draft.checkpoint = closed.note(cosigned_by=[*book.witnesses, auditor])
    mirror = closed.mirror(tmp_path / "mirror")
    (tmp_path / "auditor").write_text(auditor.vkey + "\n")
    (tmp_path / "policy").write_text(policy(book.log, book.witnesses))
    bundle = draft.zip(tmp_path / "b.zip")
    base = (bundle, "--key", tmp_path / "policy")
    for extra, level in [
        ((), "L1"),
        (("--auditor", tmp_path / "auditor"), "L2"),
        (("--mirror", mirror), "L3"),
        (("--auditor", tmp_path / "auditor", "--mirror", mirror), "L3"),
    ]:
        code, said = run(capsys, *base, *extra)
        assert (code, said["verdict"], said["level"]) == (0, "ok", level)
        assert any("L2" in each for each in said["not_checked"]) == ("--auditor" not in extra)
        assert any("L3" in each for each in said["not_checked"]) == ("--mirror" not in extra)


def test_a_mirror_may_be_larger_than_the_checkpoint(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    closed = book.close()
    draft = closed.of(person)
    book.crowd(*range(256), 1, 2, 3)
    larger = book.close().mirror(tmp_path / "mirror")
    assert accepted(book, draft, tmp_path, mirror=larger).mirrored


def test_a_mirror_shows_that_the_log_continues_what_was_seen(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    old = book.close()
    book.look(person)
    new = book.close()
    mirror = new.mirror(tmp_path / "mirror")
    accepted(book, new.of(person), tmp_path, previous=seen(old), mirror=mirror)


def test_an_expunged_person_is_shown_as_expunged(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    book.erase(person)
    person.record.state = person.access.state = 2
    entry = book.system({"at": book.tick(), "kind": "expunged/1", "leaves": [[1, 3]]})
    closed = book.close()
    draft = closed.of(person)
    draft.system.append(closed.system(entry))
    found = accepted(book, draft, tmp_path)
    assert any("expunged" in each for each in found.not_checked)


def test_by_the_receipt_an_expunged_person_s_leaves_are_found_where_the_log_says(tmp_path: Path) -> None:
    """More of them than one looks ahead at first."""
    book = Book()
    person = life(book)
    for _ in range(40):
        book.collect(person, "h9", "x")
    book.erase(person)
    receipt = (b64url(person.record.sid), person.record.events[0].salt)
    person.record.state = person.access.state = 2
    leaves = sorted(event.index for stream in (person.record, person.access) for event in stream.events)
    entry = book.system({"at": book.tick(), "kind": "expunged/1", "leaves": [[at, at + 1] for at in leaves]})
    closed = book.close()
    draft = closed.of(person)
    draft.system.append(closed.system(entry))
    mirror = closed.mirror(tmp_path / "mirror")
    found = accepted(book, draft, tmp_path, mirror=mirror, receipt=receipt)
    assert any(f"{len(person.record.events)} leaves of your copy" in each for each in found.remarks)
    without = accepted(book, draft, tmp_path, mirror=mirror)
    assert any("record and access stream in the mirror" in each for each in without.not_checked)


def test_an_erased_person_is_found_by_the_receipt(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    book.erase(person)
    receipt = (b64url(person.record.sid), person.record.events[0].salt)
    accepted(book, book.close().of(person), tmp_path, receipt=receipt)


def test_a_stream_that_is_no_persons_is_called_that(tmp_path: Path) -> None:
    book = Book()
    stream = Stream(sid_with(7))
    book.record(stream, "policy-published", {"label": "Grüße 😀"})
    found = accepted(book, book.close().draft(stream), tmp_path)
    assert any("not the record of a person" in each for each in found.remarks)


def test_what_the_log_says_of_its_keys_is_told_and_not_used(tmp_path: Path) -> None:
    book = Book()
    person = life(book)
    added = book.system({"at": book.tick(), "kind": "log-key-added/1", "vkey": book.log.vkey})
    lost = book.system({"at": book.tick(), "first": 1, "kind": "loss-declared/1", "past": 2})
    closed = book.close()
    draft = closed.of(person)
    draft.system += [closed.system(added), closed.system(lost)]
    found = accepted(book, draft, tmp_path)
    assert len(found.remarks) == 2


def test_the_report_lists_the_events_and_never_a_value(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(witnesses=0)
    person = life(book)
    key = tmp_path / "key"
    key.write_text(book.log.vkey)
    assert verify.main([str(book.close().of(person).zip(tmp_path / "b.zip")), "--key", str(key)]) == 0
    told = capsys.readouterr().out
    assert "personal-data-collected" in told
    assert "Not checked:" in told
    assert "Ada" not in told
    assert "clerk" not in told


def test_a_receipt_and_a_subject_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(witnesses=0)
    person = life(book)
    book.erase(person)
    sid = b64url(person.record.sid)
    (tmp_path / "key").write_text(book.log.vkey)
    (tmp_path / "receipt").write_text(json.dumps({"sid": sid, "salt": b64url(person.record.events[0].salt)}))
    base = (book.close().of(person).zip(tmp_path / "b.zip"), "--key", tmp_path / "key", "--subject", sid)
    code, said = run(capsys, *base, "--receipt", tmp_path / "receipt")
    assert (code, [stream["state"] for stream in said["streams"]]) == (0, ["erased", "erased"])
    assert not any("Whose bundle" in each for each in said["not_checked"])
    assert run(capsys, *base[:3], "--subject", b64url(person.access.sid))[0] == 3


def test_the_report_of_an_absence_and_of_a_long_stream(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = Book(witnesses=0)
    stream = Stream(sid_with(1))
    for _ in range(203):
        book.record(stream, "activity-recorded")
    (tmp_path / "key").write_text(book.log.vkey)
    closed = book.close()
    mirror = closed.mirror(tmp_path / "mirror")
    for shown, told in [(Stream(sid_with(2)), "proved absent"), (stream, "… 3 more, checked like the others …")]:
        bundle = closed.draft(shown).zip(tmp_path / "b.zip")
        assert verify.main([str(bundle), "--key", str(tmp_path / "key"), "--mirror", str(mirror)]) == 0
        said = capsys.readouterr().out
        assert told in said
        assert ("no first event tells its tags" in said) == (shown is not stream)


def test_a_long_stream_is_told_in_part(tmp_path: Path) -> None:
    book = Book()
    person = book.register()
    for _ in range(250):
        book.record(person.record, "activity-recorded")
    found = accepted(book, book.close().of(person), tmp_path)
    said = verify._stream_json(found.record)
    assert (len(said["events"]), said["events_not_listed"]) == (200, 51)
    assert verify.verify(asked(book, next(tmp_path.glob("*.zip")))).record.seen == 251
