"""A copy of the opaque log: what changed is fetched, what was changed is noticed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from growing_log import LOG_KEY, ORIGIN, GrowingLog
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from lifecycle.ledger.fetching import Unreachable
from lifecycle.ledger.log_sources import FolderSource, HttpSource, SourceDamaged, source_at
from lifecycle.ledger.mirror import LogContradicts, MirrorUnavailable, mirror
from lifecycle.ledger.note import (
    COSIGNATURE,
    BadSignature,
    MalformedNote,
    SigningKey,
    read_note,
    unbase64,
    with_signatures,
)
from lifecycle.ledger.tree import (
    _roots_of_consistency,
    consistency_from,
    inclusion_from,
    root_of_inclusion,
    verify_consistency,
)
from lifecycle.ledger.verified_tiles import VerifiedTiles

KEYS = [LOG_KEY.verifying]
BIG = GrowingLog().grow(65_600)  # three levels of tiles


def files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_bytes() for name, path in found.items() if not name.startswith((".", "evidence"))}


def cut(log: GrowingLog, size: int) -> GrowingLog:
    shorter = GrowingLog(key=log.key)
    shorter.entries = log.entries[:size]
    return shorter


def of_size(path: Path) -> int:
    return open_checkpoint(path.read_bytes(), KEYS).size


class Counting:
    """A source that remembers what was read, and may fail after so many files."""

    def __init__(self, folder: Path, fails_after: int = 10**9) -> None:
        self._source = FolderSource(folder)
        self._left = fails_after
        self.paths: list[str] = []

    def read(self, path: str) -> bytes | None:
        self._left -= 1
        if self._left < 0:
            raise Unreachable("The line was cut.")
        self.paths.append(path)
        return self._source.read(path)


@pytest.fixture
def at(tmp_path):
    """The log's folder and the mirror's."""
    return tmp_path / "log", tmp_path / "mirror"


def test_a_mirror_is_the_log_s_files_and_fetches_only_what_is_new(at):
    source, target = at
    told: list[tuple[int, int]] = []
    done = mirror(FolderSource(cut(BIG, 65_500).publish(source)), target, KEYS, lambda *at: told.append(at))
    assert files(target) == files(source)
    assert (done.before, done.checkpoint, done.files) == (0, BIG.checkpoint(65_500), len(files(source)))
    assert (told[0], told[-1]) == ((256, 65_500), (65_500, 65_500))
    counting = Counting(BIG.publish(source, 65_500))
    assert mirror(counting, target, KEYS).before == 65_500
    assert len(counting.paths) < 20, counting.paths
    dropped = {"tile/0/255.p/220", "tile/entries/255.p/220", "tile/1/000.p/255"}
    assert files(target) == {name: content for name, content in files(source).items() if name not in dropped}


@pytest.mark.parametrize("sizes", [(1, 2, 255, 256, 257, 700), (5, 5, 512, 768, 1024)])
def test_a_mirror_that_grows_with_the_log_has_what_a_fresh_one_has(at, tmp_path, sizes):
    source, target = at
    old = 0
    for size in sizes:
        cut(BIG, size).publish(source, old)
        assert mirror(FolderSource(source), target, KEYS).before == old
        old = size
    fresh = tmp_path / "fresh"
    mirror(FolderSource(source), fresh, KEYS)
    assert files(target) == files(fresh), "and no partial file of before is left"


def test_nothing_new_writes_nothing(at):
    source, target = at
    cut(BIG, 700).publish(source)
    assert mirror(FolderSource(source), target, KEYS).files > 0
    assert mirror(FolderSource(source), target, KEYS).files == 0


def test_a_log_over_http_is_mirrored_alike(at):
    source, target = at
    cut(BIG, 700).publish(source)
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=source)) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        address = source_at(f"http://127.0.0.1:{server.server_port}/")
        assert isinstance(address, HttpSource)
        mirror(address, target, KEYS)
        assert files(target) == files(source)
        (source / "tile/entries/001").unlink()
        with pytest.raises(SourceDamaged, match="tile/entries/001"):
            mirror(address, target.with_name("second"), KEYS)
        server.shutdown()
    with pytest.raises(Unreachable):
        mirror(address, target, KEYS)


def test_a_run_that_was_cut_off_is_taken_up_where_it_stopped(at):
    source, target = at
    log = cut(BIG, 3000)
    log.publish(source)
    runs = 0
    while True:
        runs += 1
        try:
            mirror(Counting(source, fails_after=9), target, KEYS)
            break
        except Unreachable:
            assert not (target / "checkpoint").exists(), "the checkpoint comes last"
    assert runs > 2
    assert files(target) == files(source)


def test_what_an_interrupted_run_left_is_believed_only_if_it_is_right(at):
    source, target = at
    cut(BIG, 700).publish(source)
    for name in ("tile/0/000", "tile/entries/001", "tile/entries/002.p/188", "tile/1/000.p/2"):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        content = (source / name).read_bytes()
        (target / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    mirror(FolderSource(source), target, KEYS)
    assert files(target) == files(source)


MIRROR = "import sys; from pathlib import Path; from lifecycle.ledger.note import VerifyingKey; from lifecycle.ledger.mirror import mirror; from lifecycle.ledger.log_sources import FolderSource; mirror(FolderSource(Path(sys.argv[1])), Path(sys.argv[2]), [VerifyingKey.parse(sys.argv[3])], lambda done, of: print(done, flush=True))"


def test_a_mirror_that_is_killed_goes_on_the_next_time(at):
    source, target = at
    cut(BIG, 20_000).publish(source)
    command = [sys.executable, "-c", MIRROR, source, target, LOG_KEY.vkey]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for _ in range(5):
            process.stdout.readline()
        process.kill()
    assert not (target / "checkpoint").exists()
    there = files(target)
    assert there
    mirror(FolderSource(source), target, KEYS)
    assert files(target) == {
        **files(source),
        **{name: content for name, content in there.items() if name.endswith(".new")},
    }


def test_a_partial_file_that_the_log_dropped_is_taken_from_the_full_one(at):
    source, target = at
    log = cut(BIG, 700)
    log.publish(source)
    cut(BIG, 800).publish(source, 700)
    for path in ("tile/0/002.p/188", "tile/entries/002.p/188"):
        (source / path).unlink()
    (source / "checkpoint").write_bytes(log.note())
    mirror(FolderSource(source), target, KEYS)
    assert files(target)["tile/0/002.p/188"] == b"".join(log.hashes[512:])


def mirrored(at, size=700):
    source, target = at
    mirror(FolderSource(cut(BIG, size).publish(source)), target, KEYS)
    return source, target


class InMemory(dict[str, bytes]):
    """A log's files, without a folder."""

    def read(self, path: str) -> bytes | None:
        return self.get(path)


SOME = cut(BIG, 1300)


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    return files(SOME.publish(tmp_path_factory.mktemp("some")))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_any_changed_byte_of_any_file_is_noticed(some, tmp_path_factory, data):
    name = data.draw(st.sampled_from(sorted(some)))
    content = bytearray(some[name])
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    target = tmp_path_factory.mktemp("mirror")
    with pytest.raises((SourceDamaged, BadSignature, MalformedNote)) as fault:
        mirror(InMemory({**some, name: bytes(content)}), target, KEYS)
    if name != "checkpoint":
        assert isinstance(fault.value, SourceDamaged)
        edge = name.startswith("tile/") and ".p/" in name and "entries" not in name
        assert edge or name in str(fault.value)
    assert not (target / "checkpoint").exists()
    assert name not in files(target)


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 31, b"x" * 8193, b"\x00\x31" + b"x" * 20])
@pytest.mark.parametrize(
    "name", ["tile/0/001", "tile/entries/001", "tile/1/000.p/5", "tile/entries/005.p/20", "checkpoint"]
)
def test_files_of_other_lengths_are_refused(at, name, content):
    source, target = at
    SOME.publish(source)
    (source / name).write_bytes(content)
    with pytest.raises((SourceDamaged, MalformedNote)):
        mirror(FolderSource(source), target, KEYS)


def test_a_checkpoint_by_another_key_is_refused(at):
    source, target = at
    SOME.publish(source)
    for key in (SigningKey.generate(ORIGIN), SigningKey.generate("lifecycle.example/other")):
        with pytest.raises(BadSignature):
            mirror(FolderSource(source), target, [key.verifying])
    assert files(target) == {}


def test_a_log_without_a_checkpoint_has_nothing_to_mirror(at):
    source, target = at
    with pytest.raises(SourceDamaged, match="no checkpoint"):
        mirror(FolderSource(source), target, KEYS)


def shown_and_held(fault):
    said = json.loads(fault.value.kept.read_text("utf-8"))
    held, shown = (open_checkpoint(said[side].encode(), KEYS) for side in ("held", "shown"))
    return said, held, shown


def test_two_roots_for_one_size_are_refused_and_kept(at):
    source, target = mirrored(at)
    before = files(target)
    cut(BIG, 700).forked(300).publish(source)
    with pytest.raises(LogContradicts, match="two roots") as fault:
        mirror(FolderSource(source), target, KEYS)
    said, held, shown = shown_and_held(fault)
    assert said["kind"] == "fork/1"
    assert (held.size, shown.size) == (700, 700)
    assert held.root != shown.root
    assert files(target) == before


def test_a_smaller_log_is_refused_and_kept(at):
    source, target = mirrored(at)
    before = files(target)
    (source / "checkpoint").write_bytes(BIG.note(600))
    with pytest.raises(LogContradicts, match="smaller") as fault:
        mirror(FolderSource(source), target, KEYS)
    assert shown_and_held(fault)[0]["kind"] == "rollback/1"
    assert files(target) == before


@pytest.mark.parametrize("after", [1, 255, 256, 400, 699])
def test_a_rewritten_log_is_refused_with_evidence_that_convicts_it(at, after):
    source, target = mirrored(at)
    before = files(target)
    cut(BIG, 700).forked(after).grow(1500).publish(source)
    with pytest.raises(LogContradicts, match="rewritten") as fault:
        mirror(FolderSource(source), target, KEYS)
    said, held, shown = shown_and_held(fault)
    assert said["kind"] == "rewritten/1"
    assert files(target) == before
    old, new = _roots_of_consistency(held.size, shown.size, held.root, [unbase64(each) for each in said["proof"]])
    assert new == shown.root, "the proof is what the log signed"
    assert old != held.root, "and it contradicts what the log signed before"


def test_a_log_that_goes_on_honestly_after_a_contradiction_was_shown_is_mirrored(at):
    source, target = mirrored(at)
    cut(BIG, 700).forked(300).publish(source)
    with pytest.raises(LogContradicts):
        mirror(FolderSource(source), target, KEYS)
    cut(BIG, 900).publish(source)
    assert mirror(FolderSource(source), target, KEYS).checkpoint == BIG.checkpoint(900)
    assert len(list((target / "evidence").iterdir())) == 1


def test_another_log_is_not_mirrored_over_this_one(at):
    source, target = mirrored(at)
    other = GrowingLog(key=SigningKey.generate("lifecycle.example/other")).grow(900)
    other.publish(source)
    with pytest.raises(SourceDamaged, match="another log"):
        mirror(FolderSource(source), target, [*KEYS, other.key.verifying])


def test_a_mirror_whose_own_checkpoint_was_changed_stops(at):
    source, target = mirrored(at)
    (target / "checkpoint").write_bytes(
        sign_checkpoint(Checkpoint(ORIGIN, 1, b"x" * 32), [SigningKey.generate(ORIGIN)])
    )
    with pytest.raises(BadSignature):
        mirror(FolderSource(source), target, KEYS)


def test_cosignatures_that_the_mirror_has_are_not_lost_to_a_note_without_them(at):
    source, target = at
    log = cut(BIG, 20)
    log.publish(source)
    note = read_note(log.note())
    for name in ("w1", "w2"):
        key = SigningKey.from_seed(f"witness.example/{name}", name.encode() * 16, COSIGNATURE)
        one = with_signatures(note, [cosignature.sign(note.text, key, 1_800_000_000)])
        (source / "checkpoint").write_bytes(one.written())
        mirror(FolderSource(source), target, KEYS)
    names = [each.name for each in read_note((target / "checkpoint").read_bytes()).signatures]
    assert sorted(names) == sorted([ORIGIN, "witness.example/w1", "witness.example/w2"])


def test_two_runs_at_once_make_one_mirror(at, tmp_path):
    source, target = at
    cut(BIG, 5000).publish(source)
    threads = [threading.Thread(target=mirror, args=(FolderSource(source), target, KEYS)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert files(target) == files(source)


def test_a_place_that_is_no_folder_is_told(at):
    source, target = at
    SOME.publish(source)
    target.write_text("a file")
    with pytest.raises(MirrorUnavailable, match="cannot be used"):
        mirror(FolderSource(source), target, KEYS)


def test_proofs_come_from_a_mirror_as_from_the_log(at):
    _, target = mirrored(at)
    here = FolderSource(target)
    tiles = VerifiedTiles(BIG.checkpoint(700), lambda tile: iter([here.read(tile.path) or b""]))
    for index in (0, 255, 256, 699):
        path = inclusion_from(index, 700, tiles)
        assert root_of_inclusion(BIG.hashes[index], index, 700, path) == BIG.checkpoint(700).root
    verify_consistency(300, 700, BIG.checkpoint(300).root, BIG.checkpoint(700).root, consistency_from(300, 700, tiles))
