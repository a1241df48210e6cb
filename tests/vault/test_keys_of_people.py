"""Whose keys, which person, which value: what the vault answers, and what it must never remember."""

from __future__ import annotations

import hmac
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import delete, event, update
from uuid_utils.compat import uuid7
from vault.people import NOON, Store, put, wanted

from lifecycle.domain.event import Withheld
from lifecycle.errors import StoreUnavailable
from lifecycle.vault.epochs import EpochKeys
from lifecycle.vault.erasure import fence_subject
from lifecycle.vault.sealing import RECORD, OpenParts, Tampered
from lifecycle.vault.tables import data_key, subject_key, tombstone
from lifecycle.vault.vault import StaleKeys, Vault, Wanted
from lifecycle.vault.wrapping import EpochSecrets

LOOKUP = bytes(range(32))


def test_a_registered_person_is_found_and_what_was_sealed_opens(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    kept = [
        store.keep(ann, "h1", "Ann"),
        store.keep(bob, "h1", "Bob", n=2),
        store.keep(ann, RECORD, {"actor": "web"}, n=3),
        store.keep(ann, "h2", {"a": [1, None]}, n=4),
    ]
    other = store.reopened()
    assert other.find("bob@example.com", "nobody@example.com", "ann@example.com") == [bob, None, ann]
    assert other.open(*kept) == ["Ann", "Bob", {"actor": "web"}, {"a": [1, None]}]


def test_an_identifier_is_found_under_its_type_only(store: Store):
    (ann,) = store.register("ann@example.com")
    with store.db.read() as c:
        found = store.vault.find(c, [("ref", "ann@example.com"), ("email", "ann@example.com")])
    assert found == {("email", "ann@example.com"): (ann, "i1")}


def test_a_name_s_token_is_an_hmac_under_the_key_of_its_kind_however_often_it_is_asked_for():
    secrets = EpochSecrets(7, AESGCM(bytes(32)), LOOKUP)
    names = [("email", "ann@example.com"), ("ref", "ann@example.com"), ("email", "bob@example.com")]
    for kind, name in names * 2:
        own = hmac.digest(LOOKUP, kind.encode(), "sha256")
        assert secrets.token(kind, name) == hmac.digest(own, name.encode(), "sha256")
    assert repr(secrets) == "EpochSecrets(epoch=7)"


def test_neither_identifiers_nor_ids_of_commands_are_in_the_tables(store: Store):
    store.register("ann@example.com")
    assert b"ann@example.com".hex() not in repr(store.dump()).encode().hex()
    assert len(store.vault.cmd("c-1")) == 64
    assert store.vault.cmd("c-1") == store.vault.cmd("c-1") != store.vault.cmd("c-2")


def test_two_vaults_know_a_command_by_different_names(store: Store, tmp_path):
    other = Vault(EpochKeys(tmp_path / "other"))
    with store.db.read() as c:
        known = store.vault.installation(c)
    with pytest.raises(AssertionError, match="not opened"):
        other.cmd("c-1")
    assert replace(known, command_key=b"x" * 32).cmd("c-1") != known.cmd("c-1")


def test_many_people_are_asked_for_with_few_statements(store: Store):
    people = store.register(*(f"p{i}@example.com" for i in range(40)))
    kept = [store.keep(each, "h1", "x") for each in people]
    store.find("warm-up@example.com")
    statements: list[str] = []
    event.listen(store.db.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    store.find(*(f"p{i}@example.com" for i in range(40)))
    assert len([each for each in statements if "lookup" in each]) == 1
    statements.clear()
    assert store.open(*kept) == ["x"] * 40
    with_keys = [each for each in statements if "data_key" in each]
    assert len(with_keys) == 1 + 3  # people with record keys; data keys, sixteen together


def test_more_people_than_an_engine_takes_variables_are_asked_for_in_chunks(store: Store):
    (ann,) = store.register("ann@example.com")
    strangers = [uuid7() for _ in range(12_000)]
    with store.db.read() as c:
        assert set(store.vault.keys_of(c, [*strangers, ann])) == {ann}
        emails = [("email", f"s{i}@example.com") for i in range(12_000)]
        assert set(store.vault.find(c, [*emails, ("email", "ann@example.com")])) == {("email", "ann@example.com")}


def test_who_is_fenced_has_no_keys_even_where_they_were_remembered(store: Store):
    (ann,) = store.register("ann@example.com")
    assert store.keys(ann)
    store.order_erasure(ann)
    with store.db.write("eraser") as c:
        fence_subject(c, ann, NOON)
    assert store.keys(ann) is None


def test_keys_put_back_from_a_backup_stay_dead_under_the_tombstone(store: Store):
    (ann,) = store.register("ann@example.com")
    backup = store.dump()
    store.erase_person(ann)
    with store.db.write("eraser") as c:
        put(c, subject_key, backup["subject_key"])
        put(c, data_key, backup["data_key"])
    assert store.keys(ann) is None
    assert store.reopened().keys(ann) is None


def test_a_remembered_key_is_used_only_for_the_very_row_that_it_came_from(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    assert store.keys(ann)
    backup = {row["subject_id"]: row for row in store.dump()["subject_key"]}
    store.order_erasure(ann)
    with store.db.write("eraser") as c:
        of_ann = update(subject_key).where(subject_key.c.subject_id == ann)
        c.execute(of_ann.values(wrapped=backup[bob]["wrapped"]))
    with pytest.raises(Tampered):  # attack 13: wrapped keys swapped between people
        store.keys(ann)


def test_remembering_makes_no_difference_but_saves_the_unwrapping(store: Store):
    people = store.register(*(f"p{i}@example.com" for i in range(5)))
    small = Vault(EpochKeys(store.folder), remember=2)
    with store.db.read() as c:
        first, again = small.keys_of(c, people), small.keys_of(c, people)
        assert [keys.sk for keys in first.values()] == [keys.sk for keys in again.values()]
        assert store.vault.keys_of(c, people)[people[0]] is store.vault.keys_of(c, people)[people[0]]


def test_a_missing_key_is_an_erasure_and_a_missing_body_under_a_living_key_is_not(store: Store):
    (ann,) = store.register("ann@example.com")
    kept = store.keep(ann, "h1", "Ann")
    with pytest.raises(Tampered, match="missing"):
        store.open(replace(kept, ciphertext=None))
    store.erase_holdings(ann, kept.part.kid)
    assert store.open(kept) == [Withheld.ERASED]
    assert store.open(replace(kept, ciphertext=None)) == [Withheld.ERASED]


def test_a_changed_wrapped_key_is_tampering_and_not_erasure(store: Store):
    (ann,) = store.register("ann@example.com")
    kept = store.keep(ann, "h1", "Ann")
    store.order_erasure(ann)
    with store.db.write("eraser") as c:
        c.execute(update(data_key).where(data_key.c.kid == kept.part.kid).values(wrapped=b"\0" * 60))
    with pytest.raises(Tampered):
        store.open(kept)


def test_open_parts_are_read_without_asking_for_keys(store: Store):
    (ann,) = store.register("ann@example.com")
    keys = store.keys(ann)
    sealed = OpenParts().seal(keys.sid, 1, "name", "Udesk")
    with store.db.read() as c:
        asked = [Wanted(keys, keys.sid, 1, sealed.part, sealed.ciphertext)]
        assert store.vault.open_values(c, asked) == ["Udesk"]


def test_keys_from_before_a_re_keying_are_stale_and_not_proof_of_tampering(store: Store):
    (ann,) = store.register("ann@example.com")
    gone, kept = store.keep(ann, "h1", "old"), store.keep(ann, "h2", "Ann")
    before = store.keys(ann)
    store.erase_holdings(ann, gone.part.kid)
    with store.db.read() as c, pytest.raises(StaleKeys):
        store.vault.open_values(c, [wanted(before, kept)])
    assert store.open(kept) == ["Ann"]


def test_a_person_without_a_record_key_row_is_not_taken_for_a_living_one(store: Store):
    (ann,) = store.register("ann@example.com")
    store.order_erasure(ann)
    with store.db.write("eraser") as c:
        c.execute(delete(data_key).where(data_key.c.subject_id == ann))
    assert store.keys(ann) is None


def test_initialising_twice_changes_nothing(store: Store):
    (ann,) = store.register("ann@example.com")
    store.initialised()
    assert store.reopened().find("ann@example.com") == [ann]
    assert store.reopened().vault.epoch_keys.present() == [1]


def test_a_database_without_an_epoch_says_what_to_do(database, keys):
    with database.read() as c, pytest.raises(StoreUnavailable, match="lifecycle init"):
        Vault(EpochKeys(keys)).installation(c)


def test_a_folder_that_holds_keys_is_not_taken_for_a_new_database(database, keys):
    EpochKeys(keys).create(1)
    with database.write("eraser") as c, pytest.raises(StoreUnavailable, match="LIFECYCLE_KEYS"):
        Vault(EpochKeys(keys)).initialise(c, NOON)


def test_another_database_s_key_is_refused(store: Store):
    store.vault.epoch_keys.destroy(1)
    EpochKeys(store.folder).create(1)
    with pytest.raises(StoreUnavailable, match="not this database's"):
        store.reopened().find("ann@example.com")


def test_a_missing_key_file_is_named_with_the_remedy(store: Store):
    store.vault.epoch_keys.destroy(1)
    with pytest.raises(StoreUnavailable, match=r"epoch-000001\.key"):
        store.reopened().find("ann@example.com")


def test_nothing_secret_is_in_the_repr_of_what_the_vault_hands_out(store: Store):
    (ann,) = store.register("ann@example.com")
    kept = store.keep(ann, "h1", "Ann")
    with store.db.read() as c:
        installation = store.vault.installation(c)
    keys = store.keys(ann)
    shown = repr(installation) + repr(wanted(keys, kept)) + repr(store.vault) + repr({ann: keys})
    secrets = [installation.command_key, installation.open[0].lookup_key, keys.sk, keys.rk, kept.ciphertext]
    assert all(repr(secret) not in shown for secret in secrets)


def test_a_tombstone_is_for_one_person(store: Store):
    ann, bob = store.register("ann@example.com", "bob@example.com")
    with store.db.write("eraser") as c:
        put(c, tombstone, [{"subject_id": ann, "at": NOON, "generation": 2}])
    assert isinstance(ann, UUID)
    assert store.keys(ann) is None
    assert store.keys(bob)


def test_a_thousand_values_are_opened_without_looking_for_each_key_at_each_person(store: Store):
    """By their query plans both engines do that when they are asked for all people and all keys at once."""
    people = store.register(*(f"p{i}@example.com" for i in range(100)))
    kept = [store.keep(each, "h1", str(number)) for number, each in enumerate(people)]
    asked: list[int] = []
    event.listen(store.db.engine, "before_cursor_execute", lambda *args: asked.append(_pairs(args[2], args[3])))
    assert store.open(*kept) == [str(number) for number in range(100)]
    assert max(asked) <= 16 * 16


def _pairs(statement: str, given: object) -> int:
    """How many pairs of a person and a key a statement asks for; arrays on PostgreSQL, marks on SQLite."""
    if "kid IN" not in statement and "kid = ANY" not in statement:
        return 0
    values = list(given)  # type: ignore[call-overload]
    lists = [len(value) for value in values if isinstance(value, list)]
    return lists[0] * lists[1] if lists else (len(values) // 2) ** 2
