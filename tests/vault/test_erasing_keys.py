"""What an erasure destroys, what it leaves, and what an old copy of the tables is worth afterwards."""

from __future__ import annotations

import base64
from contextlib import suppress
from itertools import product

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import update
from uuid_utils.compat import uuid7
from vault.people import NOON, Store, Stored, put

from lifecycle.domain.event import Withheld
from lifecycle.vault.erasure import (
    Destroyed,
    destroy_holdings,
    destroy_identifiers,
    destroy_subject,
    fence_subject,
    kids_of,
    rows_left,
)
from lifecycle.vault.sealing import RECORD
from lifecycle.vault.tables import data_key, lookup


def b64(raw: bytes) -> bytes:
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def decrypted(key: bytes, sealed: bytes, *aad: bytes) -> bytes | None:
    try:
        return AESGCM(key).decrypt(sealed[:12], sealed[12:], b"|".join(aad))
    except InvalidTag:
        return None


def what_opens(
    keks: list[bytes], subject_keys: list[dict], data_keys: list[dict], bodies: list[Stored], epochs: range
) -> set[tuple[str, int]]:
    """An attacker's work by hand: every key above against every key below, in every epoch."""
    opened = set()
    for kek, row, epoch in product(keks, subject_keys, epochs):
        sid = b64(row["sid"])
        whose = row["subject_id"].hex.encode()
        sk = decrypted(kek, row["wrapped"], b"lifecycle/wrap-subject-key/v1", whose, sid, str(epoch).encode())
        for each, body in product(data_keys, bodies) if sk else ():
            names = each["hid"].encode(), each["kid"].encode()
            dk = decrypted(sk, each["wrapped"], b"lifecycle/wrap-data-key/v1", sid, *names)
            place = b"lifecycle/aad/v1", sid, str(body.n).encode(), each["kid"].encode(), body.hid.encode()
            if dk and decrypted(dk, body.ciphertext, *place):
                opened.add((body.hid, body.n))
    return opened


def test_erasing_a_holding_destroys_its_keys_and_keeps_all_the_others(store: Store):
    (ann,) = store.register("ann@example.com")
    first, corrected = store.keep(ann, "h1", "old"), store.keep(ann, "h1", "new", n=2)
    kept = [store.keep(ann, "h2", "Ann", n=3), store.keep(ann, RECORD, {"actor": "web"}, n=4)]
    with store.db.read() as c:
        kids = kids_of(c, ann, ["h1", "none"])
    assert kids == {"h1": sorted([first.part.kid, corrected.part.kid]), "none": []}
    before = store.keys(ann)
    assert store.erase_holdings(ann, *kids["h1"]) == Destroyed(before.generation + 1, 1)
    assert store.open(first, corrected, *kept) == [Withheld.ERASED, Withheld.ERASED, "Ann", {"actor": "web"}]
    after = store.keys(ann)
    assert after.generation == before.generation + 1
    assert after.sk != before.sk
    assert (after.rk, after.sid, after.rk_kid) == (before.rk, before.sid, before.rk_kid)
    with store.db.read() as c:
        assert rows_left(c, ann, kids["h1"]) == 0
        assert rows_left(c, ann) == 4  # subject key, record key, one data key, one look-up


def test_erasing_a_holding_again_changes_nothing(store: Store):
    (ann,) = store.register("ann@example.com")
    gone, kept = store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann")
    first = store.erase_holdings(ann, gone.part.kid)
    assert store.erase_holdings(ann, gone.part.kid) == first
    assert store.erase_holdings(ann) == first
    assert store.open(kept) == ["Ann"]


def test_erasing_one_person_s_holding_leaves_everybody_else_alone(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    gone, of_bob = store.keep(ann, "h1", "Ann"), store.keep(bob, "h1", "Bob")
    store.erase_holdings(ann, gone.part.kid, of_bob.part.kid)
    assert store.open(gone, of_bob) == [Withheld.ERASED, "Bob"]
    assert store.keys(bob).generation == 1


def test_the_record_key_cannot_be_erased_with_a_holding(store: Store):
    (ann,) = store.register("ann@example.com")
    with pytest.raises(AssertionError, match="record key"):
        store.erase_holdings(ann, store.keys(ann).rk_kid)
    assert store.keys(ann).generation == 1


def test_after_a_re_keying_old_rows_and_new_keys_open_nothing_of_each_other(store: Store):
    (ann,) = store.register("ann@example.com")
    bodies = [store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann", n=2)]
    before = store.dump()
    store.erase_holdings(ann, bodies[0].part.kid)
    after = store.dump()
    kek = [store.vault.epoch_keys.load(1)]
    then, now = before["subject_key"], after["subject_key"]
    assert what_opens(kek, then, before["data_key"], bodies, range(3)) == {("h1", 1), ("h2", 2)}
    assert what_opens(kek, now, after["data_key"], bodies, range(3)) == {("h2", 2)}
    assert what_opens(kek, now, before["data_key"], bodies, range(3)) == set()
    assert what_opens(kek, then, after["data_key"], bodies, range(3)) == set()


def test_attack_33_old_tables_and_old_bodies_open_nothing_under_the_present_keys(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    bodies = [store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann", n=2), store.keep(bob, "h3", "Bob", n=3)]
    stolen = store.dump()
    store.erase_holdings(ann, bodies[0].part.kid)
    store.erase_person(bob)
    old_kek = store.vault.epoch_keys.load(1)
    store.rotate()
    assert store.vault.epoch_keys.present() == [2]
    present = [store.vault.epoch_keys.load(2)]
    now = store.dump()
    subject_keys = [*stolen["subject_key"], *now["subject_key"]]
    data_keys = [*stolen["data_key"], *now["data_key"]]
    assert what_opens([old_kek], stolen["subject_key"], data_keys, bodies, range(4)) == {
        ("h1", 1),
        ("h2", 2),
        ("h3", 3),
    }
    assert what_opens(present, stolen["subject_key"], data_keys, bodies, range(4)) == set()
    assert what_opens(present, subject_keys, data_keys, bodies, range(4)) == {("h2", 2)}  # what still lives
    tokens = {row["token"] for row in stolen["lookup"]}
    assert tokens.isdisjoint(row["token"] for row in now["lookup"])


def test_a_whole_person_is_erased_with_keys_and_look_ups_and_again_is_harmless(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    kept = store.keep(bob, "h1", "Bob")
    store.keep(ann, "h1", "Ann")
    assert store.erase_person(ann) == Destroyed(2, 1)
    assert store.erase_person(ann) == Destroyed(2, None)
    assert store.keys(ann) is None
    assert store.find("ann@example.com", "bob@example.com") == [None, bob]
    assert store.open(kept) == ["Bob"]
    with store.db.read() as c:
        assert rows_left(c, ann) == 0


def test_the_same_address_later_is_a_new_person(store: Store):
    (ann,) = store.register("ann@example.com")
    first = store.keys(ann)
    store.erase_person(ann)
    (later,) = store.register("ann@example.com")
    assert later != ann
    assert store.keys(later).sid != first.sid


def test_fencing_again_keeps_the_first_tombstone(store: Store):
    (ann,) = store.register("ann@example.com")
    store.order_erasure(ann)
    for _ in range(2):
        with store.db.write("eraser") as c:
            assert fence_subject(c, ann, NOON) == 2
    assert [row["generation"] for row in store.dump()["tombstone"]] == [2]


def test_someone_whose_keys_are_gone_already_can_still_be_fenced(store: Store):
    stranger = uuid7()
    with store.db.write("eraser") as c:
        assert fence_subject(c, stranger, NOON) == 1
        assert destroy_subject(c, stranger) == Destroyed(1, None)


def test_nobody_is_destroyed_without_a_fence(store: Store):
    (ann,) = store.register("ann@example.com")
    with store.db.write("eraser") as c, pytest.raises(AssertionError, match="fenced"):
        destroy_subject(c, ann)


def test_destroying_rolls_back_with_its_transaction(store: Store):
    (ann,) = store.register("ann@example.com")
    gone, kept = store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann")
    store.order_erasure(ann)
    with suppress(ZeroDivisionError), store.db.write("eraser") as c:
        destroy_holdings(c, store.vault, ann, [gone.part.kid])
        raise ZeroDivisionError
    assert store.open(gone, kept) == ["old", "Ann"]


def test_an_unlinked_identifier_finds_nobody_and_the_others_still_do(store: Store):
    (ann,) = store.register("ann@example.com")
    with store.db.read() as c:
        row = store.vault.installation(c).lookup_row("phone", "+6591234567", ann, "i2")
    with store.db.write("writer") as c:
        put(c, lookup, [row])
    with store.db.write("eraser") as c:
        assert destroy_identifiers(c, ann, ["i1"]) == Destroyed(None, 1)
        assert destroy_identifiers(c, ann, ["i1"]) == Destroyed(None, None)
    assert store.find("ann@example.com") == [None]
    with store.db.read() as c:
        assert store.vault.find(c, [("phone", "+6591234567")]) == {("phone", "+6591234567"): (ann, "i2")}


def test_an_erasure_is_final_only_after_the_newest_epoch_that_wrapped_a_copy(store: Store):
    ann, bob, carol = store.register("ann@example.com", "bob@example.com", "carol@example.com")
    gone = store.keep(carol, "h1", "old")
    with store.db.write("eraser") as c:
        store.rotation.begin(c, NOON)
    (dora,) = store.register("dora@example.com")  # under the new key at once
    assert store.erase_person(ann).epoch == 1
    assert store.erase_person(dora).epoch == 2
    with store.db.write("eraser") as c:
        assert store.rotation.rewrap_batch(c, 2) == 2  # two subject keys; the look-ups wait
    assert store.erase_person(bob).epoch == 2
    assert store.erase_holdings(carol, gone.part.kid).epoch == 2


def test_a_data_key_that_does_not_open_stops_the_re_keying(store: Store):
    (ann,) = store.register("ann@example.com")
    gone, kept = store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann")
    store.order_erasure(ann)
    with store.db.write("eraser") as c:
        c.execute(update(data_key).where(data_key.c.kid == kept.part.kid).values(wrapped=b"\0" * 60))
    with pytest.raises(Exception, match="does not open"):
        store.erase_holdings(ann, gone.part.kid)
