"""The same judge as in `verify.fuzz`, over bundles that libFuzzer grows towards code of the verifier not yet reached.

    pip install atheris          (or: uv pip install --group fuzz)
    PYTHONPATH=src:tests python -m verify.fuzz_guided [-max_total_time=600] [other options of libFuzzer]

Stops at the first input that crashes the verifier, is accepted though it differs in a checked byte, or is read as a
header in one of the two ways and otherwise in the other. Not part of `make test`, which needs no atheris.

An input is a byte that says what it is, and then: files, each after its name; or the bytes of a ZIP; or one text for
every reader. Mutations are libFuzzer's own and, half of the time, those of `verify.fuzz`, which know what JSON is.
"""

from __future__ import annotations

import io
import random
import shutil
import sys
import tempfile
import zipfile
from contextlib import suppress
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["lifecycle.verify"]):
    from lifecycle import verify

from verify.fuzz import MUTATIONS, Case, Files, cases, judge

ZIP, TEXT = 0x40, 0x80
FILE, CONTENT = b"\x1e", b"\x1f"  # before a name, and between a name and what is in the file; in no file of a bundle
READERS = (
    verify.read_json,
    verify.read_note,
    verify.read_checkpoint,
    verify.read_keys,
    verify._receipt,
    lambda raw: verify.read_vkeys(raw, verify.COSIGNATURE),
    lambda raw: verify.unb64url(raw.decode("latin-1")),
    lambda raw: verify.unb64(raw.decode("latin-1")),
    lambda raw: verify._instant(raw.decode("latin-1")),
    lambda raw: verify._told_time(raw.decode("latin-1")),
    lambda raw: same_header(raw.decode("utf-8", "surrogateescape")),
)


def same_header(text: str) -> None:
    """What is matched at once is what is read step by step."""
    at_once = verify._plain_header(text)
    if at_once is not None:
        assert at_once == verify._shape(verify.read_canonical(text)), "a header is read in two ways"
    else:
        verify.read_header(text)


def joined(files: Files) -> bytes:
    return b"".join(FILE + name.encode() + CONTENT + content for name, content in files.items())


def parted(raw: bytes) -> Files:
    pairs = [each.partition(CONTENT) for each in raw.split(FILE)[1:]]
    return {name.decode("latin-1"): content for name, _, content in pairs}


def stored(files: Files) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as opened:
        for name, content in files.items():
            opened.writestr(zipfile.ZipInfo(name), content)
    return out.getvalue()


class Guided:
    """The honest bundles, and what is done with an input and with its offspring."""

    def __init__(self, folder: Path) -> None:
        self.every = cases(folder)

    def seeds(self) -> list[bytes]:
        files = [bytes([n]) + joined(case.files) for n, case in enumerate(self.every)]
        zips = [bytes([ZIP | n]) + stored(case.files) for n, case in enumerate(self.every)]
        return [*files, *zips, *(bytes([TEXT]) + text for case in self.every for text in _texts(case))]

    def one(self, data: bytes) -> None:
        kind, raw = data[0] if data else TEXT, data[1:]
        if kind & TEXT:
            for read in READERS:
                with suppress(verify.Malformed):
                    read(raw)
            return
        case = self.every[kind % len(self.every)]
        if not kind & ZIP:
            try:
                raw = stored(parted(raw))
            except (ValueError, UnicodeError):
                return  # no ZIP can hold a file of that name
        judge(case, raw)

    def offspring(self, data: bytes, most: int, seed: int) -> bytes:
        rng = random.Random(seed)
        if not data or data[0] & (ZIP | TEXT) or rng.random() < 0.5:
            return bytes(atheris.Mutate(data, most))
        files = parted(data[1:])
        other = rng.choice(self.every)
        if files:
            with suppress(ValueError, RecursionError):
                rng.choice(MUTATIONS)(rng, files, other.files)
        return (data[:1] + joined(files))[:most]


def _texts(case: Case) -> list[bytes]:
    """What the readers of single texts are for, as an honest bundle has it."""
    headers = [verify.read_json(line)["header"].encode() for line in case.files["events.jsonl"].splitlines()]
    vkeys = [f"{key.name}+{key.key_id.hex()}+" for key in case.asked.policy.logs]
    return [*headers, case.files["checkpoint"], case.files["bundle.json"], *(key.encode() for key in vkeys)]


def main(options: list[str]) -> None:
    folder = Path(tempfile.mkdtemp())
    guided = Guided(folder)
    corpus = folder / "corpus"
    corpus.mkdir()
    for n, seed in enumerate(guided.seeds()):
        (corpus / f"seed-{n}").write_bytes(seed)
    sys.stderr.write(
        f"Bundles and inputs are in {folder}; the last bundle of a case is the one that was judged last.\n"
    )
    arguments = [sys.argv[0], "-max_len=65536", "-rss_limit_mb=1024", "-timeout=20", *options, str(corpus)]
    atheris.Setup(arguments, guided.one, custom_mutator=guided.offspring)
    atheris.Fuzz()  # ends the process
    shutil.rmtree(folder)


if __name__ == "__main__":
    main(sys.argv[1:])
