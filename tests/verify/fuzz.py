"""Mutated bundles by the thousand: none may be accepted that differs in a checked byte, and none may crash.

    PYTHONPATH=src:tests python -m verify.fuzz 100000 [SEED]

Bundles are changed as bytes (flipped, cut, repeated, of another file), as lines (swapped, dropped, repeated), as JSON
(another value, type, key or place; a field of another line), as text (duplicate keys, floats, escapes, versions) and as
ZIP files (any byte, cut, duplicate and renamed members, bombs). `verify.verify` is called, whose bugs nothing catches.
"""

from __future__ import annotations

import io
import json
import random
import shutil
import struct
import sys
import tempfile
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from verify.book import Book, Stream, event_line, sid_with
from verify.checking import asked

from lifecycle import verify

Files = dict[str, bytes]
Mutation = Callable[[random.Random, Files, Files], None]


@dataclass
class Case:
    """One honest bundle, how it is asked about, and what of it is checked."""

    name: str
    files: Files
    asked: verify.Asked
    meaning: Any


# -- the honest bundles -----------------------------------------------------------------------------------------------------


def cases(folder: Path) -> list[Case]:
    """A living person with values, an erased one with a consistency proof, an absent one, a simulated log's with mirror."""
    return [_living(folder), _erased(folder), _absent(folder), _simulated(folder)]


def _case(name: str, folder: Path, book: Book, draft: Any, **more: Any) -> Case:
    files = draft.files()
    question = asked(book, folder / f"{name}.bundle", **more)
    return Case(name, files, question, meaning(files, question))


def _living(folder: Path) -> Case:
    book = Book()
    person = book.register()
    book.collect(person, "h1", {"name": "Ada Example", "age": 36.5})
    book.crowd(0x10, 0x90, 0x91)
    book.look(person)
    draft = book.close().of(person)
    draft.others["summary.html"] = b"<p>for people</p>"
    return _case("living", folder, book, draft)


def _erased(folder: Path) -> Case:
    book = Book()
    person = book.register()
    book.collect(person, "h1", "Ada Example")
    before = book.close()
    book.look(person)
    book.erase(person)
    ended = book.finalise(person, 1, sid_with(3), sid_with(200))
    closed = book.close()
    draft = closed.of(person, values="sealed", epochs=[ended])
    draft.others["consistency"] = closed.consistency(before.size)
    return _case("erased", folder, book, draft, previous=verify.read_checkpoint(before.note()))


def _absent(folder: Path) -> Case:
    book = Book()
    book.crowd(0x05, 0x3A, *[0x40 + n for n in range(40)])
    return _case("absent", folder, book, book.close().draft(Stream(sid_with(0x20))))


def _simulated(folder: Path) -> Case:
    book = Book(simulated=True)
    person = book.register()
    book.collect(person, "h1", "Ada Example")
    closed = book.close()
    mirror = closed.mirror(folder / "mirror")
    return _case("simulated", folder, book, closed.of(person, values="sealed"), mirror=mirror)


# -- what is checked ----------------------------------------------------------------------------------------------------------


def _same(value: Any) -> str:
    """A text by which 1, 1.0 and true differ."""
    return json.dumps(value, sort_keys=True)


def _lines(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.split(b"\n") if line]


def meaning(files: Files, question: verify.Asked) -> dict[str, Any]:
    """Everything of a bundle that a verdict rests on. Left out: the page for people, lines of strangers under the note,
    and which of the allowed proofs of a value is shown, which `shown_is_of` looks at."""
    bundle = json.loads(files["bundle.json"])
    del bundle["values"]
    events = _lines(files.get("events.jsonl", b""))
    for event in events:
        del event["parts"]
    return {
        "note": verify.read_note(files["checkpoint"]).text,
        "bundle": _same(bundle),
        "map": _same(json.loads(files["map.json"])),
        "events": _same(events),
        "system": _same(_lines(files["system.jsonl"])),
        "consistency": _blocks(files, question),
    }


def _blocks(files: Files, question: verify.Asked) -> str | None:
    if question.previous is None:
        return None
    blocks = files["consistency"].decode().removesuffix("\n").split("\n\n")
    return next(each for each in blocks if each.split("\n")[0] == f"old {question.previous.size}")


def shown_is_of(shown: Files, honest: Files) -> bool:
    """Less may be shown of a part than before, nothing else than before."""
    for line, before in zip(_lines(shown.get("events.jsonl", b"")), _lines(honest["events.jsonl"]), strict=True):
        for part, true in zip(line["parts"], before["parts"], strict=True):
            if not part.items() <= true.items():
                return False
    return True


# -- mutations of bytes and lines -----------------------------------------------------------------------------------------------


def _some(rng: random.Random, files: Files) -> str:
    """One in two times it is the events: that is where most of the checks are."""
    return "events.jsonl" if files.get("events.jsonl") and rng.random() < 0.5 else rng.choice(sorted(files))


def flip(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    if raw := bytearray(files[name]):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
        files[name] = bytes(raw)


def other_byte(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    if raw := bytearray(files[name]):
        raw[rng.randrange(len(raw))] = rng.choice(b'"\\{}[]:,019AQ=-_+/ \n\r\t\x00\xff\xed')
        files[name] = bytes(raw)


def cut(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    start = rng.randrange(len(files[name]) + 1)
    files[name] = files[name][:start] + files[name][start + rng.choice([1, 2, 7, 64, 10**9]) :]


def insert(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    at = rng.randrange(len(files[name]) + 1)
    piece = rng.choice(
        [b"\n", b" ", b"\r", b"\x00", b"\xef\xbb\xbf", b"A", b"0", b"{}", b"[" * 3000, b"\xff", b",", b"=="]
    )
    files[name] = files[name][:at] + piece + files[name][at:]


def repeat(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    start = rng.randrange(len(files[name]) + 1)
    piece = files[name][start : start + rng.choice([1, 20, 500])]
    files[name] = files[name][:start] + piece + files[name][start:]


def encode_otherwise(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    encoding = rng.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "latin-1", "utf-7"])
    files[name] = files[name].decode("utf-8", "replace").encode(encoding, "replace")


def swap_lines(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    lines = files[name].splitlines(keepends=True)
    if lines:
        one, two = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[one], lines[two] = lines[two], lines[one]
        files[name] = b"".join(lines)


def drop_or_repeat_a_line(rng: random.Random, files: Files, _: Files) -> None:
    name = _some(rng, files)
    lines = files[name].splitlines(keepends=True)
    if lines:
        at = rng.randrange(len(lines))
        lines[at : at + 1] = rng.choice([[], [lines[at]] * 2, [lines[at]] * 40])
        files[name] = b"".join(lines)


def of_another(rng: random.Random, files: Files, others: Files) -> None:
    """A whole file of somebody else's bundle."""
    name = _some(rng, others)
    files[name] = others[name]


def swap_files(rng: random.Random, files: Files, _: Files) -> None:
    one, two = _some(rng, files), _some(rng, files)
    files[one], files[two] = files[two], files[one]


def drop_a_file(rng: random.Random, files: Files, _: Files) -> None:
    del files[_some(rng, files)]


def add_a_file(rng: random.Random, files: Files, _: Files) -> None:
    name = rng.choice(["key", "../checkpoint", "checkpoint.tsr", "events.jsonl ", "Checkpoint", "a/b", "consistency"])
    files[name] = rng.choice([b"", b"old 1\n", files.get("checkpoint", b"")])


# -- mutations of JSON ------------------------------------------------------------------------------------------------------------

_JSON = ("bundle.json", "map.json", "events.jsonl", "system.jsonl")
_VALUES: list[Any] = [
    None, True, False, 0, 1, 2, -1, 7, 2**31, 2**53 - 1, 2**53, 2**64, 10**30, 0.0, 1.0, 1e300, "", "A", "AA", "AB", "=", "é", "\ud800",
    "\x00", "x" * 5000, [], {}, [[]], [1, 2, 3], {"sid": 1}, "lifecycle/bundle/v2", "sealed", "disclosed", "access", "record",
]  # fmt: skip


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    if isinstance(value, dict):
        for key in value:
            found.append((value, key))
            _places(value[key], found)
    elif isinstance(value, list):
        for at in range(len(value)):
            found.append((value, at))
            _places(value[at], found)
    return found


def _some_json(rng: random.Random, files: Files) -> str:
    found = {name: content for name, content in files.items() if name in _JSON}
    return _some(rng, found) if found else "map.json"


def json_field(rng: random.Random, files: Files, others: Files) -> None:
    """One value of one file becomes another one, of another type, of another place, or goes; headers too."""
    name = _some_json(rng, files)
    if not files.get(name):
        return
    try:
        lines = _lines(files[name])
        theirs = _places(_lines(others[name]), []) if others.get(name) else []
    except (ValueError, RecursionError):
        return
    within = rng.random() < 0.4 and _headers(lines)
    places = _places(lines, []) if not within else _places([each for _, _, each in within], [])
    if not places:
        return
    holder, key = rng.choice(places)
    _change(rng, holder, key, places, theirs)
    for line, field, header in within or []:
        line[field] = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    written = rng.choice([event_line, lambda line: json.dumps(line).encode() + b"\n"])
    files[name] = b"".join(written(line) for line in lines)


def _headers(lines: list[Any]) -> list[tuple[Any, str, Any]]:
    found = []
    for line in lines:
        for field in ("header", "record"):
            if isinstance(line, dict) and isinstance(line.get(field), str):
                try:
                    found.append((line, field, json.loads(line[field])))
                except (ValueError, RecursionError):
                    continue
    return found


def _change(
    rng: random.Random, holder: Any, key: Any, places: list[tuple[Any, Any]], theirs: list[tuple[Any, Any]]
) -> None:
    old = holder[key]
    how = rng.randrange(7)
    if how == 0:
        holder[key] = rng.choice(_VALUES)
    elif how == 1 and type(old) is int:
        holder[key] = old + rng.choice([-1, 1, 256])
    elif how == 1 and type(old) is str and old:
        at = rng.randrange(len(old))
        holder[key] = old[:at] + rng.choice("AQg09-_+/=z") + old[at + 1 :]
    elif how == 2:
        other, place = rng.choice(places)
        holder[key] = json.loads(json.dumps(other[place]))
    elif how == 3 and theirs:
        other, place = rng.choice(theirs)
        holder[key] = json.loads(json.dumps(other[place]))
    elif how == 4:
        del holder[key]
    elif how == 5 and isinstance(holder, dict):
        holder[rng.choice(["key", "ct", "sids", "disclosure", "n", "present"])] = rng.choice(_VALUES)
    elif isinstance(old, list):
        rng.shuffle(old)


def json_text(rng: random.Random, files: Files, _: Files) -> None:
    """What only the text shows: a key twice, a float, NaN, an escape, a blank, another version."""
    name = _some_json(rng, files)
    text = files.get(name, b"").decode("utf-8", "surrogateescape")
    key = rng.choice(
        ['"index"', '"sid"', '"n"', '\\"n\\"', '"present"', '"stream"', '"position"', '"count"', '\\"v\\"']
    )
    old, new = rng.choice(
        [
            (key + ":", f"{key}:0,{key}:"),
            (key + ":", f"{key}:1.0,{key}:"),
            (": 0,", ": 0.0,"),
            (": 1,", ": 1e0,"),
            (": 2,", ": NaN,"),
            (": 1,", ": 01,"),
            (": 0,", ": -0,"),
            ('\\"n\\":1', '\\"n\\":1.0'),
            ('\\"n\\":2', '\\"n\\": 2'),
            ("/1", "/2"),
            ('\\"v\\":1', '\\"v\\":2'),
            ("true", "1"),
            ("false", "null"),
            ("a", "\\u0061"),
            (", ", ","),
            ("\n", "\r\n"),
            ("\n", "\n\n"),
            ('"}', '","x":1}'),
            ("A", "A="),
            ("-", "+"),
            ("_", "/"),
            ("T09", "T10"),
        ]
    )
    found = [at for at in range(len(text)) if text.startswith(old, at)]
    if found:
        at = rng.choice(found)
        files[name] = (text[:at] + new + text[at + len(old) :]).encode("utf-8", "surrogateescape")


MUTATIONS: tuple[Mutation, ...] = (
    *(flip, other_byte, cut, insert, repeat, encode_otherwise, swap_lines, drop_or_repeat_a_line),
    *(of_another, swap_files, drop_a_file, add_a_file, json_text, json_text),
    *(json_field,) * 8,
)  # fmt: skip


# -- mutations of the ZIP -----------------------------------------------------------------------------------------------------------


def packed(rng: random.Random, files: Files) -> bytes:
    """As a ZIP; now and then one that is itself not as it should be."""
    out = io.BytesIO()
    method = rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
    names = list(files)
    rng.shuffle(names)
    how = rng.randrange(48)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of duplicate names, which are meant
        with zipfile.ZipFile(out, "w", method, compresslevel=1) as opened:
            for name in names:
                opened.writestr(name, files[name])
            if how == 0:
                opened.writestr(rng.choice(names), rng.choice([b"", files[rng.choice(names)]]))
            elif how == 1:
                opened.writestr("summary.html", b" " * 2**21, zipfile.ZIP_DEFLATED)
            elif how == 2:
                opened.comment = b"comment"
    raw = out.getvalue()
    if how == 3:
        raw = raw[: rng.randrange(len(raw))]
    elif how == 4:
        raw = bytes(rng.randrange(256) for _ in range(20)) + raw
    elif how == 5:
        at = rng.randrange(raw.find(b"PK\x01\x02"), len(raw))
        raw = raw[:at] + bytes([rng.randrange(256)]) + raw[at + 1 :]
    elif how == 6:
        at = rng.randrange(len(raw) - 4)
        raw = raw[:at] + struct.pack("<I", rng.choice([0, 1, 2**31, 2**32 - 1])) + raw[at + 4 :]
    return raw


# -- one case -------------------------------------------------------------------------------------------------------------------


def mutate(rng: random.Random, case: Case, other: Case) -> bytes:
    files = dict(case.files)
    for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 3])):
        if files:
            rng.choice(MUTATIONS)(rng, files, other.files)
    return packed(rng, files) if files else b""


def unpacked(raw: bytes, question: verify.Asked) -> Files:
    """What was read: a page for people may be damaged, and a proof that nobody asked for."""
    unread = {"summary.html", "checkpoint.tsr"} | ({"consistency"} if question.previous is None else set())
    with zipfile.ZipFile(io.BytesIO(raw)) as opened:
        return {name: opened.read(name) for name in opened.namelist() if name not in unread}


def judge(case: Case, raw: bytes) -> str:
    """What the verifier says of these bytes; fails loudly when it accepts what it should not, or crashes."""
    path = case.asked.bundle
    path.write_bytes(raw)
    refusal = None
    try:
        verify.verify(replace(case.asked, bundle=path))
    except verify.Verdict as verdict:
        refusal = verdict
    if refusal is not None:
        assert refusal.verdict in ("invalid", "contradiction", "stale"), refusal
        assert refusal.message.isprintable(), refusal
        return f"{refusal.verdict} {refusal.step}"
    shown = unpacked(raw, case.asked)
    assert meaning(shown, case.asked) == case.meaning, f"accepted, and differs: {case.name}"
    assert shown_is_of(shown, case.files), f"accepted, and shows something else: {case.name}"
    return "ok"


def one(rng: random.Random, every: list[Case]) -> str:
    case, other = rng.choice(every), rng.choice(every)
    return judge(case, mutate(rng, case, other))


def main(count: int, seed: int) -> None:
    told: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp())
    every = cases(folder)
    for n in range(count):
        try:
            told[one(random.Random(seed + n), every)] += 1
        except BaseException:
            sys.stderr.write(f"After {n} bundles; the one that failed is in {folder}.\n")
            raise
    shutil.rmtree(folder)
    sys.stdout.write(f"{count} bundles: {dict(told.most_common())}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1)
