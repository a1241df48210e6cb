"""Bundles, notes and keys that are not what they should be: each a clear verdict, none a traceback."""

from __future__ import annotations

import base64
import json
import os
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from verify.book import Book, Draft, Person, Signer, policy, write_zip
from verify.checking import asked, run

from lifecycle import verify
from lifecycle.ledger.envelope import b64url


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def person(book: Book) -> Person:
    person = book.register()
    book.collect(person, "h1", "Ada Example")
    book.look(person)
    return person


@pytest.fixture
def draft(book: Book, person: Person) -> Draft:
    return book.close().of(person)


def verdict_on(book: Book, path: Path, **more: Any) -> verify.Verdict:
    with pytest.raises(verify.Verdict) as refusal:
        verify.verify(asked(book, path, **more))
    return refusal.value


# -- files ----------------------------------------------------------------------------------------------------------------


def test_a_name_stands_twice(book: Book, draft: Draft, tmp_path: Path) -> None:
    path = draft.zip(tmp_path / "b.zip")
    with zipfile.ZipFile(path, "a") as out, pytest.warns(UserWarning, match="Duplicate name"):
        out.writestr("events.jsonl", b"")
    verdict = verdict_on(book, path)
    assert (verdict.verdict, verdict.step, verdict.message) == (
        "invalid",
        "files",
        "events.jsonl stands twice in the ZIP.",
    )


def test_a_symbolic_link_in_a_zip(book: Book, draft: Draft, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as out:
        link = zipfile.ZipInfo("checkpoint")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        out.writestr(link, "/etc/passwd")
    assert verdict_on(book, path).message == "checkpoint is not a plain file."


def test_a_symbolic_link_in_a_folder(book: Book, draft: Draft, tmp_path: Path) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / "checkpoint").rename(tmp_path / "elsewhere")
    (folder / "checkpoint").symlink_to(tmp_path / "elsewhere")
    assert verdict_on(book, folder).message == "checkpoint is not a plain file."


def test_a_pipe_in_a_folder_does_not_block(book: Book, draft: Draft, tmp_path: Path) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / "summary.html").unlink(missing_ok=True)
    os.mkfifo(folder / "summary.html")
    assert verdict_on(book, folder).step == "files"


def test_a_folder_inside_a_folder(book: Book, draft: Draft, tmp_path: Path) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / "checkpoint.tsr").mkdir()
    assert verdict_on(book, folder).step == "files"


def flipped(raw: bytes, signature: bytes, offset: int, value: int) -> bytes:
    """Set two bytes behind every record of this kind in a ZIP."""
    changed = bytearray(raw)
    at = changed.find(signature)
    while at >= 0:
        struct.pack_into("<H", changed, at + offset, value)
        at = changed.find(signature, at + 4)
    return bytes(changed)


def test_an_encrypted_member(book: Book, draft: Draft, tmp_path: Path) -> None:
    path = draft.zip(tmp_path / "b.zip")
    path.write_bytes(flipped(path.read_bytes(), b"PK\x01\x02", 8, 1))
    assert verdict_on(book, path).message == "bundle.json is encrypted."


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99])
def test_a_member_packed_in_another_way(book: Book, draft: Draft, tmp_path: Path, method: int) -> None:
    path = draft.zip(tmp_path / "b.zip")
    path.write_bytes(flipped(path.read_bytes(), b"PK\x01\x02", 10, method))
    assert "packed in a way" in verdict_on(book, path).message


def test_a_bomb_is_not_unpacked(book: Book, draft: Draft, tmp_path: Path) -> None:
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in draft.files().items():
            if name != "events.jsonl":
                out.writestr(name, content)
        with out.open("events.jsonl", "w") as member:
            for _ in range(20):
                member.write(b" " * 2**20)
    assert "times its size" in verdict_on(book, path).message


def test_a_bomb_that_lies_about_its_size_is_cut_where_it_says(book: Book, draft: Draft, tmp_path: Path) -> None:
    draft.others["summary.html"] = b""
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in draft.files().items():
            out.writestr(name, b"[" * 2**22 if name == "map.json" else content)
    raw = path.read_bytes()
    at = raw.find(b"map.json", raw.find(b"PK\x01\x02")) - 46
    path.write_bytes(raw[: at + 24] + struct.pack("<I", 4000) + raw[at + 28 :])
    assert verdict_on(book, path).verdict == "invalid"


@pytest.mark.parametrize("size", [verify.MAX_TOTAL, 2**40])
def test_a_file_that_is_too_large_is_not_read(book: Book, draft: Draft, tmp_path: Path, size: int) -> None:
    folder = draft.folder(tmp_path / "b")
    try:
        os.truncate(folder / "events.jsonl", size)  # a file with a hole
    except OSError:
        pytest.skip("this file system has no files of that size")
    assert "is larger than" in verdict_on(book, folder).message


def test_a_line_that_is_too_long_is_not_collected(book: Book, draft: Draft, tmp_path: Path) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / "events.jsonl").write_bytes(b" " * (verify.MAX_LINE + verify.CHUNK))
    assert "A line of events.jsonl is longer" in verdict_on(book, folder).message


def test_a_small_file_that_is_not_small_is_not_read(book: Book, draft: Draft, tmp_path: Path) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / "map.json").write_bytes(b" " * (verify.MAX_SMALL + 1))
    assert "map.json is larger than" in verdict_on(book, folder).message


def test_a_zip_that_lists_thousands_of_files_is_not_listed(book: Book, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "b.zip", {f"f{n}": b"" for n in range(3000)})
    assert verdict_on(book, path).message == "The ZIP lists more files than a bundle has."


@pytest.mark.parametrize(
    "broken",
    [
        lambda raw: raw[:-1],
        lambda raw: raw + b"\n",
        lambda raw: raw[: len(raw) // 2],
        lambda raw: b"",
        lambda raw: b"PK\x05\x06",
        lambda raw: raw[:-2] + b"\x05\x00hello",
        lambda raw: b"not a zip at all, but long enough to be looked at from its end",
        lambda raw: raw[:-22] + b"PK\x06\x07" + bytes(16) + raw[-22:],
        lambda raw: raw[:-6] + b"\xff\xff\xff\xff" + raw[-2:],
    ],
)
def test_a_zip_that_is_broken(book: Book, draft: Draft, tmp_path: Path, broken: Callable[[bytes], bytes]) -> None:
    path = draft.zip(tmp_path / "b.zip")
    path.write_bytes(broken(path.read_bytes()))
    verdict = verdict_on(book, path)
    assert (verdict.verdict, verdict.step) == ("invalid", "files")


def test_packed_bytes_that_were_changed(book: Book, draft: Draft, tmp_path: Path) -> None:
    path = draft.zip(tmp_path / "b.zip")
    raw = bytearray(path.read_bytes())
    at = raw.find(b"map.json") + 200
    raw[at] ^= 0xFF
    path.write_bytes(bytes(raw))
    assert verdict_on(book, path).verdict == "invalid"


def test_what_is_not_there(book: Book, tmp_path: Path) -> None:
    assert verdict_on(book, tmp_path / "nothing.zip").verdict == "failed"
    assert verdict_on(book, Path("/dev/null")).verdict == "failed"
    assert verdict_on(book, tmp_path / ("x" * 300)).verdict == "failed"
    (tmp_path / "empty").mkdir()
    assert verdict_on(book, tmp_path / "empty").message == "checkpoint is missing from the bundle."


@pytest.mark.parametrize("name", ["bundle.json", "checkpoint", "map.json", "system.jsonl", "events.jsonl"])
def test_a_file_is_left_out(book: Book, draft: Draft, tmp_path: Path, name: str) -> None:
    folder = draft.folder(tmp_path / "b")
    (folder / name).unlink()
    verdict = verdict_on(book, folder)
    assert verdict.verdict == "invalid"
    assert "missing" in verdict.message or verdict.step == "V5"


# -- JSON -----------------------------------------------------------------------------------------------------------------

LINES = [
    (lambda line: line[:-2] + b"\n", "not JSON"),
    (lambda line: line[:-1], "has no end"),
    (lambda line: line[:-1] + b"\r\n", "something follows"),
    (lambda line: line[:-1] + b" \n", "something follows"),
    (lambda line: line[:-1] + b"{}\n", "something follows"),
    (lambda line: b" " + line, "not JSON"),
    (lambda line: b"\xef\xbb\xbf" + line, "not JSON"),
    (lambda line: line.decode().encode("utf-16"), "not UTF-8"),
    (lambda line: line.replace(b"index", b"ind\xe9x"), "not UTF-8"),
    (lambda line: line.replace(b'"index": 0', b'"index": 0, "index": 0'), "stands twice"),
    (lambda line: line.replace(b'"index": 0', b'"index": 0.0'), "not whole"),
    (lambda line: line.replace(b'"index": 0', b'"index": 0e0'), "not whole"),
    (lambda line: line.replace(b'"index": 0', b'"index": NaN'), "not whole"),
    (lambda line: line.replace(b'"index": 0', b'"index": -Infinity'), "not whole"),
    (lambda line: line.replace(b'"index": 0', b'"index": -1'), "not between 0 and 2^53 - 1"),
    (lambda line: line.replace(b'"index": 0', b'"index": 9007199254740992'), "not between 0 and 2^53 - 1"),
    (lambda line: line.replace(b'"index": 0', b'"index": ' + b"9" * 5000), "not between 0 and 2^53 - 1"),
    (lambda line: line.replace(b'"index": 0', b'"index": false'), "not a whole number"),
    (lambda line: line.replace(b'"index": 0', b'"index": "0"'), "not a whole number"),
    (lambda line: line.replace(b'"index": 0', b'"index": 0, "note": 1'), "has 1 unknown"),
    (lambda line: line.replace(b'"index": 0, ', b""), "lacks 1 of its keys"),
    (lambda line: b"[" * 100_000 + b"\n", "not JSON"),
    (lambda line: b'{"index":' * 50_000 + b"\n", "not JSON"),
    (lambda line: b"[]\n", "is not an object"),
    (lambda line: b"null\n", "is not an object"),
    (lambda line: b"\n", "not JSON"),
    (lambda line: line.replace(b'\\"kind', b"\\ud800kind"), "not JSON"),
    (lambda line: line.replace(b"genesis/1", b"genesis/2"), "is not leaf 0"),
    (lambda line: line.replace(b'{\\"at', b'{ \\"at'), "not canonical"),
    (lambda line: line + line, "ascend"),
]


@pytest.mark.parametrize(("broken", "told"), LINES)
def test_a_line_that_is_not_strict_json(
    book: Book, draft: Draft, tmp_path: Path, broken: Callable[[bytes], bytes], told: str
) -> None:
    folder = draft.folder(tmp_path / "b")
    line = (folder / "system.jsonl").read_bytes()
    assert broken(line) != line
    (folder / "system.jsonl").write_bytes(broken(line))
    verdict = verdict_on(book, folder)
    assert verdict.verdict == "invalid"
    assert told in verdict.message


HEADERS = [
    (lambda text: text.replace('"n":2', '"n":2.0'), "not whole"),
    (lambda text: text.replace('"n":2', '"n":-0'), "not canonical"),
    (lambda text: text.replace('"n":2', '"n":02'), "not JSON"),
    (lambda text: text.replace('"n":2', '"n":2,"n":2'), "not canonical"),
    (lambda text: text.replace('"n":2', '"n": 2'), "not canonical"),
    (lambda text: text.replace('"n":2', '"n":true'), "wrong type"),
    (lambda text: text.replace('"v":1', '"v":0'), "wrong type"),
    (lambda text: text.replace('"v":1', '"v":1,"w":1'), "not the keys of a header"),
    (lambda text: text.replace("newsletter", "\\u006eewsletter"), "not canonical"),
    (lambda text: text.replace("newsletter", "\\ud83d"), "not canonical"),
    (lambda text: text.replace("newsletter", "\ud83d"), "half a character"),
    (lambda text: text.replace("newsletter", "\x7f/\u2028"), "do not give the leaf"),
    (lambda text: text.replace('"purpose"', '"purposé"'), "not ASCII"),
    (lambda text: text.replace('"data":{', '"data":[],"data":{'), "not canonical"),
    (lambda text: text.replace('"role":"service"', '"role":null'), "wrong type"),
    (lambda text: text.replace('"cmd":"', '"cmd":"A'), "none has"),
    (lambda text: text.replace('Z","data', '+","data'), "not written as UTC"),
    (lambda text: text.replace('"at":"2026-11-01', '"at":"2026-02-30'), "not in the calendar"),
    (lambda text: text.replace('"at":"2026-11-01T09', '"at":"2026-11-01T24'), "not written as UTC"),
    (lambda text: text.replace('"type":"personal', '"type":"Personal'), "none has"),
    (lambda text: text.replace('"hid":"h1"', '"hid":""'), "wrong type"),
    (lambda text: text.replace('"hid":"h1"', '"hid":1'), "wrong type"),
    (lambda text: text.replace('"kid":"', '"kid":"|'), "names a key"),
    (lambda text: text.replace('"parts":[', '"parts":[[],'), "not the keys of a part"),
    (lambda text: text[:-1], "not JSON"),
    (lambda text: "[" * 100 + "]" * 100, "not an object"),
    (lambda text: '{"a":' * 900 + "1" + "}" * 900, "not the keys"),
    (lambda text: "7", "not an object"),
    (lambda text: "", "not JSON"),
    (lambda text: None, "not a text"),
]


@pytest.mark.parametrize(("broken", "told"), HEADERS)
def test_a_header_that_is_not_canonical_or_not_a_header(
    book: Book, draft: Draft, tmp_path: Path, broken: Callable[[str], Any], told: str
) -> None:
    line = draft.events[1]
    header = line["header"]
    line["header"] = broken(header)
    assert line["header"] != header
    folder = draft.folder(tmp_path / "b") if not _halves(line["header"]) else _escaped(draft, tmp_path / "b")
    verdict = verdict_on(book, folder)
    assert (verdict.verdict, verdict.step) == ("invalid", "V6")
    assert told in verdict.message


def _halves(text: Any) -> bool:
    return type(text) is str and any("\ud800" <= character <= "\udfff" for character in text)


def _escaped(draft: Draft, path: Path) -> Path:
    events, draft.events = draft.events, []
    folder = draft.folder(path)
    (folder / "events.jsonl").write_text("".join(json.dumps(each) + "\n" for each in events))
    return folder


PLACES: list[tuple[Callable[[Draft], None], str]] = [
    (lambda d: d.bundle.update(format="lifecycle/bundle/v2"), "V1"),
    (lambda d: d.bundle.update(values="some"), "V1"),
    (lambda d: d.bundle.update(origin="other.example"), "V1"),
    (lambda d: d.bundle.update(streams=[]), "V1"),
    (lambda d: d.bundle.update(streams=d.bundle["streams"] * 2), "V1"),
    (lambda d: d.bundle.update(streams=d.bundle["streams"][::-1]), "V1"),
    (lambda d: d.bundle.update(streams=[d.bundle["streams"][0]] * 2), "V1"),
    (lambda d: d.bundle.update(more=1), "V1"),
    (lambda d: d.bundle["streams"][0].update(sid="AA"), "V1"),
    (lambda d: d.map.update(entry="AA"), "V3"),
    (lambda d: d.map.update(entry=b64url(bytes(58))), "V3"),
    (lambda d: d.map.update(inclusion=""), "V3"),
    (lambda d: d.map.update(inclusion=None), "V3"),
    (lambda d: d.map.update(inclusion=d.map["inclusion"] + "="), "V3"),
    (lambda d: d.map.update(inclusion="AA" + d.map["inclusion"]), "V3"),
    (lambda d: d.map.update(inclusion=b64url(bytes(32 * 65))), "V3"),
    (lambda d: d.map.update(streams=d.map["streams"][:1]), "V3"),
    (lambda d: d.map["streams"][0].update(present=1), "V4"),
    (lambda d: d.map["streams"][0].update(present=False), "V4"),
    (lambda d: d.map["streams"][0].update(state=1), "V4"),
    (lambda d: d.map["streams"][0].update(state=3), "V4"),
    (lambda d: d.map["streams"][0].update(count=0), "V4"),
    (lambda d: d.map["streams"][0].update(position=10**15), "V4"),
    (lambda d: d.map["streams"][0].update(top=b64url(bytes(32))), "V4"),
    (lambda d: d.map["streams"][0]["bucket"].update(n=2**40), "V4"),
    (lambda d: d.map["streams"][0]["bucket"].update(root=b64url(bytes(32))), "V4"),
    (lambda d: d.map["streams"].reverse(), "V4"),
    (lambda d: d.events[0].update(index=0), "V6"),
    (lambda d: d.events[0].update(index=10**15), "V6"),
    (lambda d: d.events[0].update(stream=1), "V6"),
    (lambda d: d.events[0].update(stream=False), "V6"),
    (lambda d: d.events[0].update(salt="AA"), "V6"),
    (lambda d: d.events[0].update(inclusion=d.events[1]["inclusion"]), "V6"),
    (lambda d: d.events[1].update(parts={}), "V8"),
    (lambda d: d.events[1].update(parts=[]), "V8"),
    (lambda d: d.events[1]["parts"].reverse(), "V8"),
    (lambda d: d.events[1]["parts"][0].update(key="AA"), "V8"),
    (lambda d: d.events[1]["parts"][0].update(ct=7), "V8"),
    (lambda d: d.events[1]["parts"][0].update(disclosure="AA\n"), "V8"),
    (lambda d: d.events[1].update(parts=[{}, {}]), "V9"),
    (lambda d: d.events.append(d.events[0]), "V5"),
    (lambda d: d.system[0].update(sids=[]), "V3"),
    (lambda d: d.system[0].update(inclusion="*"), "V3"),
    (lambda d: d.system[0].update(index=1), "V3"),
]


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_a_field_of_the_bundle_is_another_one(book: Book, draft: Draft, tmp_path: Path, number: int) -> None:
    change, step = PLACES[number]
    change(draft)
    verdict = verdict_on(book, draft.zip(tmp_path / "b.zip"))
    assert (verdict.verdict, verdict.step) == ("invalid", step)


@pytest.mark.parametrize(
    "record",
    [
        {"at": "2026-11-01T09:00:01.000000Z", "kind": "unheard-of/1"},
        {"at": "2026-11-01T09:00:01.000000Z", "kind": "genesis/1"},
        {"at": "yesterday", "first": 1, "kind": "loss-declared/1", "past": 2},
        {"at": "2026-11-01T09:00:01.000000Z", "first": 2, "kind": "loss-declared/1", "past": 2},
        {"at": "2026-11-01T09:00:01.000000Z", "first": 1, "kind": "loss-declared/1", "past": 10**6},
        {"at": "2026-11-01T09:00:01.000000Z", "kind": "expunged/1", "leaves": [[1]]},
        {"at": "2026-11-01T09:00:01.000000Z", "kind": "expunged/1", "leaves": 7},
        {"at": "2026-11-01T09:00:01.000000Z", "kind": "log-key-added/1", "vkey": "mine"},
        {"at": "2026-11-01T09:00:01.000000Z", "epoch": 1, "kind": "epoch-destroyed/1", "records": True, "root": "AA"},
        {"kind": 7},
    ],
)
def test_an_entry_of_the_log_that_is_not_one(
    book: Book, person: Person, tmp_path: Path, record: dict[str, Any]
) -> None:
    index = book.system(record)
    closed = book.close()
    draft = closed.of(person)
    draft.system.append(closed.system(index))
    assert verdict_on(book, draft.zip(tmp_path / "b.zip")).step == "V3"


# -- consistency, notes and keys --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    ["", "old 2", "old 02\n", "old 2\nAA==\n", "old 2\n\nold 2\n", "new 2\n", "old 2\n" + "A" * 44 + "\n", "\n\n"],
)
def test_a_consistency_file_that_is_not_one(book: Book, person: Person, tmp_path: Path, text: str) -> None:
    before = verify.read_checkpoint(book.close().note())
    book.look(person)
    draft = book.close().of(person)
    draft.others["consistency"] = text.encode()
    assert verdict_on(book, draft.zip(tmp_path / "b.zip"), previous=before).step == "V2"


NOTES: list[Callable[[bytes], bytes]] = [
    lambda raw: raw[:-1],
    lambda raw: raw.replace(b"\n\n", b"\n"),
    lambda raw: raw.replace(b"\n\n", b"\nextension\n\n"),
    lambda raw: raw.replace(b"\n", b"\r\n"),
    lambda raw: raw.replace("\u2014".encode(), b"-"),
    lambda raw: raw.replace("\u2014 ".encode(), "\u2014  ".encode()),
    lambda raw: b"\xff" + raw,
    lambda raw: b"\n" + raw,
    lambda raw: raw + b"\n",
    lambda raw: raw + "\u2014 x AAAA\n".encode(),
    lambda raw: raw + "\u2014 x AAAAAAA=\n".encode() * 70,
    lambda raw: raw.replace(b"/main\n", b"/main\n0", 1),
    lambda raw: raw.replace(b"/main\n", b"/main\n9999999999999999", 1),
    lambda raw: raw[:-3] + b"A=\n" if raw[-4:-3] != b"A" else raw[:-3] + b"Q=\n",
    lambda raw: b"",
    lambda raw: bytes(1000),
]


@pytest.mark.parametrize("number", range(len(NOTES)))
def test_a_checkpoint_that_is_not_one(book: Book, draft: Draft, tmp_path: Path, number: int) -> None:
    draft.checkpoint = NOTES[number](draft.checkpoint)
    verdict = verdict_on(book, draft.zip(tmp_path / "b.zip"))
    assert (verdict.verdict, verdict.step) == ("invalid", "V1")


def test_a_checkpoint_of_no_leaves(book: Book, draft: Draft, tmp_path: Path) -> None:
    for size in (0, 1):
        text = f"{book.origin}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n"
        lines = book.log.line(text) + "".join(each.line(text, 1_800_000_000) for each in book.witnesses)
        draft.checkpoint = f"{text}\n{lines}".encode()
        assert verdict_on(book, draft.zip(tmp_path / f"{size}.zip")).step == "V3"


def test_a_signature_by_a_stranger_beside_ours_is_ignored(book: Book, draft: Draft, tmp_path: Path) -> None:
    text = draft.checkpoint.decode().rpartition("\n\n")[0] + "\n"
    draft.checkpoint += Signer.new("stranger.example").line(text).encode()
    verify.verify(asked(book, draft.zip(tmp_path / "b.zip")))


def changed_key(vkey: str) -> str:
    name, key_id, material = vkey.split("+", 2)
    return f"{name}+{'00000000' if key_id != '00000000' else '11111111'}+{material}"


KEYS: list[Callable[[Book], str]] = [
    lambda book: "",
    lambda book: "# nothing\n",
    lambda book: "hello\n",
    lambda book: "\x0b",
    lambda book: book.log.vkey + "\r\n",
    lambda book: book.witnesses[0].vkey,
    lambda book: changed_key(book.log.vkey),
    lambda book: book.log.vkey[:-4],
    lambda book: book.log.vkey + "\n" + book.log.vkey,
    lambda book: "a b" + book.log.vkey,
    lambda book: "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    lambda book: policy(book.log, book.witnesses).replace("quorum ours", ""),
    lambda book: policy(book.log, book.witnesses) + "quorum none\n",
    lambda book: policy(book.log, book.witnesses).replace("quorum ours", "quorum theirs"),
    lambda book: policy(book.log, book.witnesses).replace("ours all", "ours 3"),
    lambda book: policy(book.log, book.witnesses).replace("ours all", "ours 0"),
    lambda book: policy(book.log, book.witnesses).replace("ours all w0", "ours all w9"),
    lambda book: policy(book.log, book.witnesses).replace("ours all w0", "ours all w1"),
    lambda book: policy(book.log, book.witnesses).replace("witness w1", "witness w0"),
    lambda book: policy(book.log, book.witnesses).replace("group ours", "group none"),
    lambda book: policy(book.log, book.witnesses).replace("log ", "# "),
    lambda book: policy(book.log, book.witnesses) + "group more any w0\n",
    lambda book: policy(book.log, [book.witnesses[0], book.witnesses[0]]),
    lambda book: policy(book.log, [book.log]),
    lambda book: policy(book.witnesses[0]),
    lambda book: "friend x\nquorum none\n",
]


@pytest.mark.parametrize("number", range(len(KEYS)))
def test_keys_that_are_none_or_of_the_wrong_kind(
    book: Book, draft: Draft, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    (tmp_path / "key").write_text(KEYS[number](book))
    code, said = run(capsys, draft.zip(tmp_path / "b.zip"), "--key", tmp_path / "key")
    assert (code, said["verdict"]) == (1, "failed")
    assert said["message"].startswith("The file of --key: ")


def test_a_checkpoint_of_another_log(book: Book, draft: Draft, tmp_path: Path) -> None:
    other = Book(origin="other.example/log")
    verdict = verdict_on(other, draft.zip(tmp_path / "b.zip"))
    assert (verdict.step, verdict.message) == ("V1", "The checkpoint is of a log for which you brought no key.")


# -- the command line -------------------------------------------------------------------------------------------------------


@pytest.fixture
def key(book: Book, tmp_path: Path) -> Path:
    path = tmp_path / "policy"
    path.write_text(policy(book.log, book.witnesses))
    return path


def test_exit_codes_of_own_files_that_cannot_be_used(
    book: Book, draft: Draft, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = draft.zip(tmp_path / "b.zip")
    for option in ("--key", "--previous", "--receipt", "--auditor", "--tsa"):
        code, said = run(capsys, bundle, "--key", key, option, tmp_path / "nothing")
        assert (code, said["verdict"]) == (1, "failed")
    for option, content in [
        ("--previous", b"x"),
        ("--receipt", b"{}"),
        ("--receipt", b'{"sid":"AA","salt":"AA"}'),
        ("--auditor", key.read_bytes()),
    ]:
        (tmp_path / "own").write_bytes(content)
        code, said = run(capsys, bundle, "--key", key, option, tmp_path / "own")
        assert (code, said["verdict"]) == (1, "failed")
    other = Book(origin="other.example/log")
    for checkpoint in (other.close().note(), Book().close().note()):  # another log, another key of the same name
        (tmp_path / "own").write_bytes(checkpoint)
        assert run(capsys, bundle, "--key", key, "--previous", tmp_path / "own")[0] == 1


@pytest.mark.parametrize(
    "arguments",
    [[], ["b"], ["b", "--key"], ["b", "--key", "k", "--max-age", "soon"], ["b", "--key", "k", "--now", "today"]],
)
def test_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert verify.main(arguments) == 2
    assert "usage: verify" in capsys.readouterr().err
    assert verify.main(["--help"]) == 0


def test_ages_and_instants_are_read(
    book: Book, draft: Draft, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = draft.zip(tmp_path / "b.zip")
    for age, now, code in [
        ("1d", "2026-11-01T20:00:00Z", 0),
        ("12h", "2026-11-01T20:00:00+00:00", 0),
        ("90m", "2026-11-01T20:00:00Z", 5),
        ("60", "2026-11-01T20:00:00Z", 5),
    ]:
        assert run(capsys, bundle, "--key", key, "--max-age", age, "--now", now)[0] == code


def test_a_refusal_in_words(
    book: Book, draft: Draft, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    draft.events.pop()
    assert verify.main([str(draft.zip(tmp_path / "b.zip")), "--key", str(key)]) == 3
    assert capsys.readouterr().out == "invalid (V5): The map counts 3 events, the bundle shows 2.\n"


def test_a_bug_of_the_verifier_is_not_a_traceback(
    book: Book,
    draft: Draft,
    key: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(found: verify.Found) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(verify, "STEPS", (broken,))
    bundle = draft.zip(tmp_path / "b.zip")
    code, said = run(capsys, bundle, "--key", key)
    assert (code, said["message"]) == (3, "could not be read (ZeroDivisionError)")
    with pytest.raises(ZeroDivisionError):
        verify.verify(asked(book, bundle))


def test_evidence_that_cannot_be_written_is_told(
    book: Book, person: Person, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    closed = book.close()
    (tmp_path / "previous").write_bytes(closed.note())
    book.entries.pop()
    book.entries[2] = bytes(49)
    draft = book.close().of(person)
    (tmp_path / "file").write_text("")
    code, said = run(
        capsys,
        *(draft.zip(tmp_path / "b.zip"), "--key", key, "--previous", tmp_path / "previous"),
        *("--evidence", tmp_path / "file"),
    )
    assert code == 4
    assert "could not be written" in said["message"]


# -- mirrors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [0, 7, 999, 1000, 1234067, 10**9])
def test_tile_paths(number: int) -> None:
    path = verify.tile_path(number)
    assert int(path.replace("/", "").replace("x", "")) == number
    assert verify.tile_path(1234067) == "x001/x234/067"


def test_a_mirror_that_is_cut_off_or_empty(book: Book, person: Person, tmp_path: Path) -> None:
    book.crowd(*[n % 256 for n in range(300)])
    closed = book.close()
    bundle = closed.of(person).zip(tmp_path / "b.zip")
    assert verdict_on(book, bundle, mirror=tmp_path / "nowhere").verdict == "failed"
    mirror = closed.mirror(tmp_path / "mirror")
    partial = next((mirror / "tile" / "entries" / "001.p").iterdir())
    whole = partial.read_bytes()
    partial.write_bytes(whole[:-1])
    assert verdict_on(book, bundle, mirror=mirror).verdict == "failed"
    partial.write_bytes(whole[:1])
    assert verdict_on(book, bundle, mirror=mirror).verdict == "failed"
    partial.write_bytes(whole)
    (partial.parent / "250").write_bytes(whole + b"\x00\x31" + b"\x01" + bytes(48))
    partial.unlink()  # a wider one will do
    assert verify.verify(asked(book, bundle, mirror=mirror)).mirrored
    shutil.rmtree(mirror / "tile" / "entries" / "001.p")
    assert verdict_on(book, bundle, mirror=mirror).verdict == "failed"


def test_a_mirror_with_an_entry_that_is_no_loss(book: Book, person: Person, tmp_path: Path) -> None:
    book.system({"at": "2026-11-01T09:00:01.000000Z", "first": 1, "kind": "loss-declared/1", "past": 10**6})
    closed = book.close()
    bundle = closed.of(person).zip(tmp_path / "b.zip")
    assert verdict_on(book, bundle, mirror=closed.mirror(tmp_path / "mirror")).step == "V12"
