"""Storage only, by keys: ordinary keys open nothing of it, the custodian's do, and an erasure outlives both."""

from __future__ import annotations

from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, insert, select, update
from vault.people import NOON, Store, Stored, put, wanted
from vault.test_erasing_keys import what_opens

from lifecycle.domain.event import Withheld
from lifecycle.storage.tables import pending_custody
from lifecycle.vault.custody import Custodian, Moved, take
from lifecycle.vault.custody_keys import CustodyKeys
from lifecycle.vault.custody_sealing import unseal_from_custody
from lifecycle.vault.erasure import Destroyed, kids_of, rows_left
from lifecycle.vault.files import KeysUnavailable
from lifecycle.vault.sealing import Tampered, wrap
from lifecycle.vault.tables import custody_key, data_key, installation_key


def noted(store: Store, person: UUID) -> None:
    with store.db.write("eraser") as c:
        c.execute(delete(pending_custody))
        put(c, pending_custody, [{"stream_id": person, "version": 1, "at": NOON}])


def taken(store: Store, person: UUID, *hids: str) -> Moved:
    noted(store, person)
    with store.db.write("eraser") as c:
        return take(c, store.vault, CustodyKeys(store.folder), person, hids)


def given_back(store: Store, person: UUID, *hids: str) -> Moved:
    noted(store, person)
    with store.db.write("eraser") as c:
        return Custodian(CustodyKeys(store.folder)).give_back(c, store.vault, person, hids)


def opened(store: Store, *stored: Stored) -> list[object]:
    with store.db.write("eraser") as c:
        keys = store.vault.keys_of(c, {each.subject_id for each in stored})
        return Custodian(CustodyKeys(store.folder)).open_values(c, [wanted(keys[e.subject_id], e) for e in stored])


def test_what_is_in_custody_only_the_custodian_opens_and_comes_back_as_it_was(store: Store):
    (ann,) = store.register("ann@example.com")
    old, new = store.keep(ann, "h1", "Ann"), store.keep(ann, "h1", "Anna", n=2)
    other = store.keep(ann, "h2", "Acme", n=3)
    before = store.keys(ann)
    assert taken(store, ann, "h1") == Moved(taken=2, generation=before.generation + 1)
    assert taken(store, ann, "h1") == Moved()
    assert store.open(old, new, other) == [Withheld.CUSTODY, Withheld.CUSTODY, "Acme"]
    assert store.reopened().open(new) == [Withheld.CUSTODY]
    assert opened(store, old, new, other) == ["Ann", "Anna", Withheld.ERASED]
    assert given_back(store, ann, "h1", "h2") == Moved(given_back=2)
    assert given_back(store, ann, "h1") == Moved()
    assert store.open(old, new, other) == ["Ann", "Anna", "Acme"]


def test_every_ordinary_key_together_with_every_old_copy_opens_nothing_of_it_once_its_epoch_has_ended(store: Store):
    (ann,) = store.register("ann@example.com")
    bodies = [store.keep(ann, "h1", "Ann"), store.keep(ann, "h2", "Acme", n=2)]
    stolen = store.dump()
    taken(store, ann, "h1")
    now = store.dump()
    kek = [store.vault.epoch_keys.load(1)]
    assert what_opens(kek, now["subject_key"], now["data_key"], bodies, range(3)) == {("h2", 2)}
    assert what_opens(kek, now["subject_key"], stolen["data_key"], bodies, range(3)) == set()
    store.rotate()
    later, kek = store.dump(), [store.vault.epoch_keys.load(2)]
    subject_keys = [*stolen["subject_key"], *now["subject_key"], *later["subject_key"]]
    data_keys = [*stolen["data_key"], *now["data_key"], *later["data_key"]]
    assert what_opens(kek, subject_keys, data_keys, bodies, range(4)) == {("h2", 2)}
    assert opened(store, bodies[0]) == ["Ann"]


def test_the_end_of_an_epoch_seals_custody_to_a_new_key_and_destroys_the_old(store: Store):
    (ann,) = store.register("ann@example.com")
    body = store.keep(ann, "h1", "Ann")
    taken(store, ann, "h1")
    stolen = store.dump()["custody_key"]
    assert CustodyKeys(store.folder).present() == [1]
    store.rotate()
    assert CustodyKeys(store.folder).present() == [2]
    assert opened(store.reopened(), body) == ["Ann"]
    (row,) = stolen
    old = type("Row", (), {**row})
    with pytest.raises(Tampered):
        unseal_from_custody(CustodyKeys(store.folder).load(2), old)  # type: ignore[arg-type]


def test_what_is_erased_out_of_custody_is_final_with_the_epoch_that_sealed_it(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    gone, of_bob = store.keep(ann, "h1", "Ann"), store.keep(bob, "h1", "Bob")
    taken(store, ann, "h1")
    taken(store, bob, "h1")
    with store.db.write("eraser") as c:
        assert kids_of(c, ann, ["h1"]) == {"h1": [gone.part.kid]}
    generation = store.keys(ann).generation
    assert store.erase_holdings(ann, gone.part.kid, of_bob.part.kid) == Destroyed(generation, 1)
    assert store.open(gone, of_bob) == [Withheld.ERASED, Withheld.CUSTODY]
    assert opened(store, gone, of_bob) == [Withheld.ERASED, "Bob"]
    store.erase_person(bob)
    with store.db.write("eraser") as c:
        assert rows_left(c, ann, [gone.part.kid]) == rows_left(c, bob) == 0
        assert c.execute(select(custody_key)).all() == []
    store.rotate()
    assert CustodyKeys(store.folder).present() == []


def test_a_row_that_was_put_elsewhere_is_noticed(store: Store):
    """One person's key in another's place, a data key of the thief's own, a row moved back by hand."""
    ann, bob = store.register("ann@example.com", "bob@example.com")
    of_ann, of_bob = store.keep(ann, "h1", "Ann"), store.keep(bob, "h1", "Bob")
    taken(store, ann, "h1")
    taken(store, bob, "h1")
    noted(store, ann)
    with store.db.own() as c:
        rows = {row.subject_id: row for row in c.execute(select(custody_key)).all()}
        mine = custody_key.c.subject_id == ann
        c.execute(delete(custody_key).where(mine))
        stolen = {"subject_id": ann, "kid": of_ann.part.kid, "hid": "h1", "epoch": 1, "sealed": rows[bob].sealed}
        c.execute(insert(custody_key).values(**stolen))
    with pytest.raises(Tampered):
        opened(store, of_ann)
    with pytest.raises(Tampered):
        given_back(store, ann, "h1")
    noted(store, ann)
    with store.db.own() as c:
        c.execute(delete(custody_key).where(mine))
        back = {"subject_id": ann, "kid": of_ann.part.kid, "hid": "h1", "wrapped": rows[ann].sealed}
        c.execute(insert(data_key).values(**back))
    with pytest.raises(Tampered):
        store.open(of_ann)
    assert opened(store, of_bob) == ["Bob"]


def test_another_public_key_cannot_be_put_in_the_place_of_the_custodian_s(store: Store):
    """Whoever could would read everything that is restricted from then on."""
    (ann,) = store.register("ann@example.com")
    store.keep(ann, "h1", "Ann")
    store.keep(ann, "h2", "Acme", n=2)
    taken(store, ann, "h1")
    thief = X25519PrivateKey.generate().public_key().public_bytes_raw()
    theirs = wrap(AESGCM(b"t" * 32), thief, b"lifecycle/wrap-installation-key/v1|custody|1")
    with store.db.own() as c:
        c.execute(update(installation_key).where(installation_key.c.name == "custody").values(wrapped=theirs))
    with pytest.raises(Tampered):
        taken(store, ann, "h2")
    assert store.open(store.keep(ann, "h3", "x", n=3)) == ["x"]


def test_without_the_private_key_nothing_comes_out_and_more_can_go_in(store: Store):
    (ann,) = store.register("ann@example.com")
    first, second = store.keep(ann, "h1", "Ann"), store.keep(ann, "h2", "Acme", n=2)
    taken(store, ann, "h1")
    path = CustodyKeys(store.folder).path(1)
    private = path.read_bytes()
    path.unlink()
    assert taken(store, ann, "h2").taken == 1
    with pytest.raises(KeysUnavailable, match="custody key of epoch 1 is missing"):
        given_back(store, ann, "h1")
    path.write_bytes(private)
    assert opened(store, first, second) == ["Ann", "Acme"]
