"""Erased means erased, of a part too: with every file, every table of any age, every key left, and the true values."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from engine.stores import QUOTE, document
from erasure.attack import Thief, files_left, found_in_files, scored, tables_left
from postgres import on_sqlite
from sqlalchemy import select
from whole.stores import Store

from lifecycle.vault.sealing import RECORD
from lifecycle.vault.tables import data_key


@dataclass
class Canary:
    """One person whose every word can be told from everything else in the world."""

    mark: str = field(default_factory=lambda: secrets.token_hex(6))
    number: str = field(default_factory=lambda: f"+659{secrets.randbelow(10**7):07d}")

    @property
    def email(self) -> dict[str, str]:
        return {"email": f"{self.mark}@example.com"}

    @property
    def ref(self) -> dict[str, str]:
        return {"ref": f"user-{self.mark}"}

    @property
    def data(self) -> dict[str, str]:
        return {"name": f"Ann {self.mark}", "company": f"{self.mark} Works", "phone": self.number} | self.email

    @property
    def corrected(self) -> str:
        return f"Anna {self.mark}"

    @property
    def values(self) -> list[str]:
        return [*self.data.values(), self.corrected, self.ref["ref"], f"mum-{self.mark}@example.com"]

    def live(self, store: Store) -> UUID:
        """Everything that seals something: values, generations, identifiers, words, refused attempts."""
        actor = {"id": f"agent-{self.mark}", "role": "service"}
        guardian = {"email": f"mum-{self.mark}@example.com"}
        consent = {"purposes": ["free-trial"], "notice": "1.0", "channel": "web-form", "guardian": guardian}
        trial = {"purpose": "free-trial", "basis": "consent", "source": "web-form", "data": self.data}
        asked = [
            ("give-consent", consent),
            ("record-guardian", {"guardian": guardian, "evidence": f"letter {self.mark}"}),
            ("collect", trial),
            ("collect", trial | {"purpose": "quotation"}),  # refused
            ("correct", {"data": {"name": self.corrected}, "reason": f"{self.mark} said so"}),
            ("link-identifier", {"identifier": self.ref}),
        ]
        documents = [
            document(command, f"{self.mark}-{number}", self.email, correlation=f"job-{self.mark}", **fields)
            | {"actor": actor}
            for number, (command, fields) in enumerate(asked)
        ]
        outcomes = [store.engine.execute(each) for each in documents]
        assert [each.outcome for each in outcomes] == ["done", "done", "done", "refused", "done", "done"]
        assert outcomes[0].subject is not None
        return outcomes[0].subject


def raw_keys(store: Store, person: UUID, category: str | None = None) -> dict[str, bytes]:
    """Keys that open this person's values, unwrapped; of one category only its data keys and the subject key."""
    chosen = {row["holding"] for row in store.engine.read.holdings(person) if category in (None, row["category"])}
    with store.engine.database.read() as c:
        keys = store.engine.vault.keys_of(c, [person])[person]
        rows = c.execute(select(data_key).where(data_key.c.subject_id == person)).all()
    found = {"subject key": keys.sk} | ({"record key": keys.rk} if category is None else {})
    wanted = [row for row in rows if row.hid in chosen or (category is None and row.hid != RECORD)]
    return found | {f"data key {row.kid}": keys.unwrap(bytes(row.wrapped), row.hid, row.kid) for row in wanted}


def epoch_secrets(store: Store) -> dict[str, bytes]:
    with store.engine.database.read() as c:
        installation = store.engine.vault.installation(c)
    return {
        "epoch key": store.engine.vault.epoch_keys.load(installation.epoch),
        "index key": installation.open[0].lookup_key,
    }


def epoch_keys(store: Store) -> dict[int, bytes]:
    return {number: store.engine.vault.epoch_keys.load(number) for number in store.engine.vault.epoch_keys.present()}


def in_clear(canary: Canary) -> dict[str, bytes]:
    return {"mark": canary.mark.encode(), "number": canary.number.encode(), "wide": canary.mark.encode("utf-16-le")}


def test_of_what_expired_no_value_and_no_key_is_in_any_file_and_the_rest_is_sealed(store: Store):
    canary = Canary()
    person = canary.live(store)
    store.engine.execute(document("collect", "q-1", canary.email, data={"phone": canary.number}, **QUOTE))
    category = "name"  # only its trial needs it
    keys = raw_keys(store, person, category)
    assert len(keys) == 3  # subject key, and the value in two generations
    for number, days in enumerate((300, 360)):
        store.engine.move_clock(store.engine.clock.now() + timedelta(days=days))
        active = document("record-activity", f"a-{number}", canary.email, purpose="quotation")
        assert store.engine.execute(active).outcome == "done"
    store.engine.move_clock(store.engine.clock.now() + timedelta(days=100))
    store.engine.sweep()
    states = {row["category"]: row["state"] for row in store.engine.read.holdings(person)}
    assert (states["name"], states["phone"]) == ("erased", "held")
    epoch = epoch_secrets(store)
    assert found_in_files(store, {"epoch key": epoch["epoch key"]}) == {"epoch key"}  # the search does find
    assert found_in_files(store, in_clear(canary) | keys) == set()
    store.engine.rotate()
    assert found_in_files(store, in_clear(canary) | keys | epoch) == set()


def test_attack_33_old_tables_and_old_bodies_open_nothing_with_the_keys_that_are_left(store: Store):
    """Attack 33, with a backup of all tables: of a whole person, of a part, and of an unlinked identifier."""
    whole, part, stays = Canary(), Canary(), Canary()
    for canary in (whole, part, stays):
        canary.live(store)
    backup, dead = tables_left(store), epoch_keys(store)
    store.engine.execute(document("erase", "e-1", whole.email, ground="7.3c"))
    store.engine.execute(document("erase", "e-2", part.email, ground="7.3d", categories=["name", "company"]))
    store.engine.execute(document("unlink-identifier", "e-3", part.email, identifier=part.ref))
    store.engine.rotate()
    now = tables_left(store)
    with_dead_keys = Thief([backup, now], dead | epoch_keys(store)).at_work()
    assert with_dead_keys.values >= set(whole.data.values())  # the attack opens all if the epoch key was kept
    thief = Thief([backup, now], epoch_keys(store)).at_work()
    opened = thief.values | thief.identifiers
    assert not [value for value in opened if whole.mark in value or whole.number in value]
    left = {part.data["phone"], part.data["email"], *part.email.values()}
    assert {v for v in opened if part.mark in v or part.number in v} - words(opened, part) <= left
    assert opened >= {*stays.data.values(), stays.corrected, stays.ref["ref"]}
    assert opened >= left


def words(opened: set[str], canary: Canary) -> set[str]:
    """What callers wrote about somebody who lives: it stays as long as the record."""
    return {value for value in opened if value.startswith("{") and canary.mark in value}


def test_a_dictionary_with_the_true_values_scores_nothing_on_the_erased_and_all_on_the_living(store: Store):
    gone, part, stays = Canary(), Canary(), Canary()
    for canary in (gone, part, stays):
        canary.live(store)
    store.engine.execute(document("erase", "e-1", gone.email, ground="7.3c"))
    store.engine.execute(document("erase", "e-2", part.email, ground="7.3d", categories=["name"]))
    store.engine.execute(document("unlink-identifier", "e-3", part.email, identifier=part.ref))
    store.engine.rotate()
    rows = tables_left(store)
    thief = Thief([rows], epoch_keys(store)).at_work()
    assert scored(gone.values, rows, thief) == set()
    erased_of_part = [part.data["name"], part.corrected, part.ref["ref"]]
    assert scored(erased_of_part, rows, thief) == set()
    assert scored([*stays.values[:5]], rows, thief) == set(stays.values[:5])


def test_each_way_of_guessing_finds_somebody_who_lives(store: Store):
    """Control: the index by its key, the guardian's reference by the record key; no way is idle for want of trying."""
    stays = Canary()
    stays.live(store)
    rows = tables_left(store)
    seeing = Thief([rows], epoch_keys(store)).at_work()
    blind = Thief([rows], epoch_keys(store), seeing.subject_keys, seeing.data_keys, seeing.installation_keys)
    guessed = scored([stays.email["email"], stays.ref["ref"], f"mum-{stays.mark}@example.com"], rows, blind)
    assert len(guessed) == 3
    assert stays.data["company"] in seeing.values
    assert scored([stays.data["company"]], rows, blind) == set()  # unopened: its salt is inside the ciphertext


@on_sqlite
def test_on_sqlite_not_even_wrapped_keys_and_ciphertexts_of_the_erased_are_left(store: Store):
    """Deleted rows are overwritten, and the write-ahead log is cut off: what was stored is in no file."""
    gone = Canary()
    person = gone.live(store)
    before = tables_left(store)
    mine = {f"{row.kid}": bytes(row.wrapped) for row in before["data_key"] if row.subject_id == person}
    mine |= {f"subject {row.epoch}": bytes(row.wrapped) for row in before["subject_key"] if row.subject_id == person}
    mine |= {f"look-up {row.type}": bytes(row.sealed) for row in before["lookup"] if row.subject_id == person}
    mine |= {f"body {row.version}": bytes(row.ct) for row in before["event_body"] if row.stream_id == person}
    store.engine.database.truncate_wal()
    assert {name for name, raw in mine.items() for _, content in files_left(store) if raw[:200] in content} == set(mine)
    store.engine.execute(document("erase", "e-1", gone.email, ground="7.3c"))
    assert {name for name, raw in mine.items() for _, content in files_left(store) if raw[:40] in content} == set()
