"""The archive of a transfer: whatever was done to it, it is refused whole, and nothing of it is taken over."""

from __future__ import annotations

import random
import zipfile
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import orjson
import pytest
from clauses.successor import DAY, Handing, done, successor
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from engine.stores import count_of
from founding import InAFile
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.audit.handover_check import ArchiveRefused
from lifecycle.engine.archive_format import manifest_text
from lifecycle.engine.archive_reading import check_archive, opened_archive
from lifecycle.engine.taking_over import take_over
from lifecycle.ledger.note import SigningKey, sign
from lifecycle.storage.tables import stream_head
from lifecycle.vault.handing_over import (
    NotARecipientKey,
    create_key,
    opener_of,
    public_pem,
    read_private,
    read_public,
    sealer_for,
)
from lifecycle.vault.sealing import Tampered

Members = dict[str, bytes]
COMPANY = "Acme Semiconductor"  # four letters alone stand in one of a hundred ciphertexts of that length


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, founded_file: InAFile) -> Iterator[tuple[Handing, Store, Members]]:
    """An archive of two people, its recipient, and the archive's members."""
    folder = tmp_path_factory.mktemp("archives")
    with successor(folder / "ours", founded_file) as ours, successor(folder / "theirs", founded_file) as theirs:
        done_by(ours)
        handing = Handing.of(ours, folder)
        handing.hand_over()
        theirs.engine.move_clock(ours.engine.clock.now())
        yield handing, theirs, members(handing.archive)


def done_by(store: Store) -> None:
    from datetime import datetime  # noqa: PLC0415

    store.engine.move_clock(datetime.fromisoformat(DAY))
    done(store.do("engage-trustee", trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN"))
    for whom in (ANN, BEN):
        done(store.consent(subject=whom))
        done(store.collect(subject=whom, data=TRIAL | {"company": COMPANY}))


def members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, content: Members) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, each in content.items():
            archive.writestr(name, each)
    return path


def resigned(content: Members, key: SigningKey) -> Members:
    """As somebody would who can write a manifest: digests fitting, signed by a key of theirs."""
    said = orjson.loads(content["manifest.json"])
    said["files"] = {
        name: {**said["files"][name], "sha256": sha256(each).hexdigest(), "size": len(each)}
        for name, each in content.items()
        if not name.startswith("manifest.")
    }
    manifest = orjson.dumps(said)
    note = sign(manifest_text(said["origin"], sha256(manifest).hexdigest()), [key])
    return {**content, "manifest.json": manifest, "manifest.note": note}


def refused(made: tuple[Handing, Store, Members], path: Path, match: str) -> None:
    handing, theirs, _ = made
    before = count_of(theirs.engine.database, stream_head)
    with pytest.raises(ArchiveRefused, match=match) as error:
        handing.accept(theirs, path)
    assert "ann@" not in str(error.value)
    assert count_of(theirs.engine.database, stream_head) == before


PEOPLE = "people-000001.jsonl"


def test_the_archive_has_these_files_and_no_value_in_clear(made: tuple[Handing, Store, Members]):
    _, _, content = made
    assert set(content) == {"manifest.json", "manifest.note", "token", "policies.jsonl", "trustees.jsonl", PEOPLE}
    assert len(content[PEOPLE].splitlines()) == 2
    whole = b"".join(content.values())
    for value in (b"ann@example.com", b"+6591234567", COMPANY.encode(), b"web-form-7"):
        assert value not in whole
        assert urlsafe_b64encode(value)[:8] not in whole


def test_the_manifest_has_the_form_that_is_kept_for_ever(made: tuple[Handing, Store, Members]):
    said = orjson.loads(made[2]["manifest.json"])
    golden = orjson.loads((Path(__file__).parents[1] / "golden" / "handover-v2.json").read_bytes())
    assert shape(said) == shape(golden)
    assert said["format"] == golden["format"]


def shape(value: object) -> object:
    if isinstance(value, dict):
        return {name: shape(each) for name, each in value.items()}
    return type(value).__name__


def _swapped(content: Members) -> Members:
    first, second = content[PEOPLE].splitlines(keepends=True)
    return {**content, PEOPLE: second + first}


CHANGES: dict[str, Callable[[Members], Members]] = {
    "a person dropped": lambda content: {**content, PEOPLE: content[PEOPLE].splitlines(keepends=True)[0]},
    "people in another order": _swapped,
    "a person twice": lambda content: {
        **content,
        PEOPLE: content[PEOPLE] + content[PEOPLE].splitlines(keepends=True)[1],
    },
    "files swapped": lambda content: {
        **content,
        "token": content["trustees.jsonl"],
        "trustees.jsonl": content["token"],
    },
    "a file missing": lambda content: {name: each for name, each in content.items() if name != PEOPLE},
    "a file too many": lambda content: {**content, "people-000009.jsonl": b""},
    "a path out of the folder": lambda content: {**content, "../../etc/passwd": b"x"},
    "an absolute path": lambda content: {**content, "/tmp/x": b"x"},  # noqa: S108
    "a file that unpacks to very much": lambda content: {**content, PEOPLE: content[PEOPLE] + b"\n" * 50_000_000},
    "no manifest": lambda content: {name: each for name, each in content.items() if name != "manifest.json"},
    "a manifest that is not JSON": lambda content: {**content, "manifest.json": b"{"},
    "a manifest of another format": lambda content: {
        **content,
        "manifest.json": content["manifest.json"].replace(b"handover/v2", b"handover/v3"),
    },
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_archive_is_refused_whole(change: str, made: tuple[Handing, Store, Members], tmp_path: Path):
    refused(made, written(tmp_path / "changed.zip", CHANGES[change](dict(made[2]))), ".")


@pytest.mark.parametrize("change", ["a person dropped", "people in another order", "a person twice", "files swapped"])
def test_not_even_whoever_signs_manifests_can_drop_add_or_move_people(
    change: str, made: tuple[Handing, Store, Members], tmp_path: Path
):
    """Signed by the log's own key: the sealing is bound to its place, and the count to the manifest."""
    (key,) = made[0].ours.engine.log.keys.signing(made[0].ours.engine.log.origin)
    refused(made, written(tmp_path / "changed.zip", resigned(CHANGES[change](dict(made[2])), key)), ".")


def test_an_archive_signed_by_a_key_that_nobody_brought_is_refused(
    made: tuple[Handing, Store, Members], tmp_path: Path
):
    forged = resigned(dict(made[2]), SigningKey.generate(made[0].ours.engine.log.origin))
    refused(made, written(tmp_path / "forged.zip", forged), "not signed by a key that you trust")


def test_any_flipped_byte_is_noticed(made: tuple[Handing, Store, Members], tmp_path: Path):
    chance = random.Random(8)
    for name in made[2]:
        for _ in range(6):
            content = bytearray(made[2][name])
            place = chance.randrange(len(content))
            content[place] ^= 1 << chance.randrange(8)
            refused(made, written(tmp_path / "flipped.zip", {**made[2], name: bytes(content)}), ".")


def test_flipped_bytes_of_the_zip_itself_are_refused_or_change_nothing(
    made: tuple[Handing, Store, Members], tmp_path: Path
):
    handing, theirs, _ = made
    raw, chance = handing.archive.read_bytes(), random.Random(9)
    before, refusals = count_of(theirs.engine.database, stream_head), 0
    with opened_archive(handing.archive, handing.key, handing.ours.engine.log.known_keys()) as archive:
        whole = [str(each.subject) for each, _ in archive.people()]
    for _ in range(40):
        changed = bytearray(raw)
        changed[chance.randrange(len(raw))] ^= 1 << chance.randrange(8)
        path = tmp_path / "flipped.zip"
        path.write_bytes(changed)
        try:
            with opened_archive(path, handing.key, handing.ours.engine.log.known_keys()) as archive:
                check_archive(archive)
                assert [str(each.subject) for each, _ in archive.people()] == whole
        except ArchiveRefused:
            refusals += 1
    assert refusals > 30
    assert count_of(theirs.engine.database, stream_head) == before


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04" + b"\x00" * 100])
def test_what_is_no_archive_is_refused(content: bytes, made: tuple[Handing, Store, Members], tmp_path: Path):
    path = tmp_path / "none.zip"
    path.write_bytes(content)
    refused(made, path, "ZIP")


def test_a_name_twice_is_refused(made: tuple[Handing, Store, Members], tmp_path: Path):
    path = written(tmp_path / "twice.zip", made[2])
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("token", made[2]["token"])
    refused(made, path, "name twice")


def test_only_the_recipient_opens_it(made: tuple[Handing, Store, Members]):
    handing, theirs, _ = made
    with pytest.raises(ArchiveRefused, match="another key"):
        take_over(theirs.engine, handing.archive, X25519PrivateKey.generate(), handing.ours.engine.log.known_keys())


def test_an_archive_packed_again_with_the_same_files_is_the_same(made: tuple[Handing, Store, Members], tmp_path: Path):
    """What was signed are the files, not how they were packed."""
    handing, theirs, content = made
    again = written(tmp_path / "again.zip", dict(reversed(content.items())))
    assert handing.accept(theirs, again).received == 2
    assert handing.accept(theirs).known == 2


# -- sealing ------------------------------------------------------------------------------------------------------------


def test_what_is_sealed_opens_in_its_place_alone(tmp_path: Path):
    pem = create_key(tmp_path / "key.pem")
    private = read_private((tmp_path / "key.pem").read_bytes())
    assert public_pem(private.public_key()) == pem
    sealer = sealer_for(read_public(pem.encode()))
    sealed, opener = sealer.seal("people", 1, b"Ann"), opener_of(private, sealer.enc)
    assert opener.open("people", 1, sealed) == b"Ann"
    for name, number, content in (("token", 1, sealed), ("people", 2, sealed), ("people", 1, sealed[:-1])):
        with pytest.raises(Tampered):
            opener.open(name, number, content)
    with pytest.raises(Tampered):
        opener_of(private, sealer_for(read_public(pem.encode())).enc).open("people", 1, sealed)
    with pytest.raises(Tampered):
        opener_of(private, bytes(32))


def test_a_key_file_is_never_overwritten_and_other_keys_are_refused(tmp_path: Path):
    create_key(tmp_path / "key.pem")
    assert (tmp_path / "key.pem").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        create_key(tmp_path / "key.pem")
    for read in (read_private, read_public):
        for wrong in (b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", b"\xff"):
            with pytest.raises(NotARecipientKey):
                read(wrong)
