"""L3: an event that was withheld stands in the mirror with its tag, whatever the map says."""

from __future__ import annotations

import pytest
from growing_log import LOG_KEY, STREAM_KEY, WHEN, GrowingLog
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.ledger.envelope import event_entry, system_entry, tag, written
from lifecycle.ledger.log_sources import FolderSource
from lifecycle.ledger.mirror import LogContradicts, mirror
from lifecycle.ledger.note import BadSignature, SigningKey
from lifecycle.ledger.tag_scan import Found, MirrorIncomplete, scan

KEYS = [LOG_KEY.verifying]


@pytest.fixture
def mirrored(tmp_path):
    def of(log):
        mirror(FolderSource(log.publish(tmp_path / "log")), tmp_path / "mirror", KEYS)
        return tmp_path / "mirror"

    return of


def lived(events=5, until=700):
    """A log in which the stream's events lie among others'; and where they lie."""
    log, leaves = GrowingLog(), []
    for n in range(1, events + 1):
        log.grow(len(log.entries) + 117)
        leaves.append(log.record(n))
    return log.grow(until), leaves


def loss(first, past):
    return system_entry({"at": written(WHEN), "first": first, "kind": "loss-declared/1", "past": past})


def test_a_whole_history_leaves_nothing_to_find(mirrored):
    log, _ = lived()
    found = scan(mirrored(log), KEYS, STREAM_KEY, 5)
    assert (found.size, found.withheld, found.lost, found.losses) == (700, (), (), ())


@pytest.mark.parametrize("shown", [0, 3, 4])
def test_withheld_events_are_found_at_their_leaves(mirrored, shown):
    log, leaves = lived()
    withheld = tuple(Found(leaf, n) for n, leaf in enumerate(leaves, 1) if n > shown)
    assert scan(mirrored(log), KEYS, STREAM_KEY, shown).withheld == withheld


def test_another_stream_s_events_are_not_found(mirrored):
    log, _ = lived()
    log.record(6, b"another stream's key, of 32 bytes")
    assert scan(mirrored(log), KEYS, STREAM_KEY, 5).withheld == ()


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_up_to_thirty_two_missing_numbers_hide_nothing(tmp_path_factory, data):
    shown, skipped = data.draw(st.integers(0, 50)), data.draw(st.integers(0, 40))
    log = GrowingLog().grow(data.draw(st.integers(1, 300)))
    leaf = log.record(shown + skipped + 1)
    place = tmp_path_factory.mktemp("scan")
    mirror(FolderSource(log.publish(place / "log")), place / "mirror", KEYS)
    found = scan(place / "mirror", KEYS, STREAM_KEY, shown).withheld
    assert found == ((Found(leaf, shown + skipped + 1),) if skipped < 32 else ())


def test_events_after_the_bundle_s_checkpoint_are_none_of_its_business(mirrored):
    log, leaves = lived()
    folder = mirrored(log)
    assert scan(folder, KEYS, STREAM_KEY, 4, under=log.checkpoint(leaves[4])).withheld == ()
    assert scan(folder, KEYS, STREAM_KEY, 4, under=log.checkpoint(leaves[4] + 1)).withheld == (Found(leaves[4], 5),)
    assert scan(folder, KEYS, STREAM_KEY, 0, under=log.checkpoint(0)).size == 0


def test_a_declared_loss_explains_what_it_covers_and_says_so(mirrored):
    log, leaves = lived()
    log.entries.append(loss(leaves[3], leaves[4]))
    found = scan(mirrored(log.grow(800)), KEYS, STREAM_KEY, 3)
    assert (found.withheld, found.lost) == ((Found(leaves[4], 5),), (Found(leaves[3], 4),))
    assert found.losses == (range(leaves[3], leaves[4]),)


@pytest.mark.parametrize(
    "entry",
    [
        loss(0, 10_000),  # leaves that did not exist yet
        loss(5, 5),
        system_entry({"first": "0", "kind": "loss-declared/1", "past": 600}),
        system_entry({"first": False, "kind": "loss-declared/1", "past": 600}),
        system_entry({"first": 0, "kind": "loss/1", "past": 600}),
        system_entry({"kind": "loss-declared/1"}),
        system_entry([]),  # type: ignore[arg-type]
        b"\x03",
        b"\x03" + b"[" * 5000,
    ],
)
def test_what_is_no_declared_loss_explains_nothing(mirrored, entry):
    log, leaves = lived()
    log.entries.append(entry)
    assert scan(mirrored(log), KEYS, STREAM_KEY, 4).withheld == (Found(leaves[4], 5),)


def test_a_tag_counts_only_in_an_event_s_entry(mirrored):
    log, _ = lived()
    event = event_entry(bytes(32), tag(STREAM_KEY, 6))
    log.entries += [b"\x02" + event[1:] + bytes(9), event + b"x", b"\x03" + event[1:]]
    assert scan(mirrored(log), KEYS, STREAM_KEY, 5).withheld == ()


def test_a_mirror_that_holds_another_history_than_the_bundle_s_checkpoint_contradicts(mirrored):
    log, _ = lived()
    folder = mirrored(log)
    for size in (1, 255, 700):
        with pytest.raises(LogContradicts):
            scan(folder, KEYS, STREAM_KEY, 5, under=log.forked(0).checkpoint(size))


def test_a_mirror_that_is_behind_missing_or_damaged_is_told(mirrored, tmp_path):
    log, _ = lived()
    folder = mirrored(log)
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other")).grow(5)
    for under in (log.grow(701).checkpoint(), other.checkpoint()):
        with pytest.raises(MirrorIncomplete, match="audit mirror"):
            scan(folder, KEYS, STREAM_KEY, 5, under=under)
    with pytest.raises(MirrorIncomplete):
        scan(tmp_path / "nowhere", KEYS, STREAM_KEY, 5)
    with pytest.raises(BadSignature):
        scan(folder, [other.key.verifying], STREAM_KEY, 5)
    (folder / "tile/entries/001").unlink()
    with pytest.raises(MirrorIncomplete):
        scan(folder, KEYS, STREAM_KEY, 5)


def test_an_entry_changed_in_the_mirror_is_noticed(mirrored):
    log, _ = lived()
    folder = mirrored(log)
    path = folder / "tile/entries/000"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(LogContradicts):
        scan(folder, KEYS, STREAM_KEY, 5)
