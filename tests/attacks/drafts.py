"""Bundles as an attacker has them in hands: taken apart, or made of the rows as they are, to be changed and zipped."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from verify.book import Draft

from lifecycle.audit import bundle as evidence_of
from lifecycle.audit.bundle import Keys, Stream
from lifecycle.engine import Engine


def draft_of(
    engine: Engine, streams: Sequence[Stream], *, disclosed: bool = False, previous: Iterable[int] = ()
) -> Draft:
    """A bundle without the engine's summary, without publishing first, and without recording the read."""
    with engine.database.read() as c:
        evidence = engine.log.evidence(c)
        person = streams[0].id
        found = engine.vault.keys_of(c, [person]).get(person) if disclosed and person is not None else None
        keys = None if found is None else Keys(engine.vault, found)
        sizes = [size for size in previous if size < evidence.size]
        files = evidence_of.bundle(c, evidence, streams, keys=keys, disclosed=disclosed, previous=sizes)
        return drafted({name: b"".join(chunks) for name, chunks in files})


def taken_apart(bundle: Path) -> Draft:
    """An honest bundle, to be changed by hand."""
    with zipfile.ZipFile(bundle) as archive:
        return drafted({name: archive.read(name) for name in archive.namelist()})


def drafted(files: dict[str, bytes]) -> Draft:
    named = {"checkpoint", "bundle.json", "map.json", "events.jsonl", "system.jsonl"}
    return Draft(
        checkpoint=files["checkpoint"],
        bundle=json.loads(files["bundle.json"]),
        map=json.loads(files["map.json"]),
        events=[json.loads(line) for line in files["events.jsonl"].splitlines()],
        system=[json.loads(line) for line in files["system.jsonl"].splitlines()],
        others={name: content for name, content in files.items() if name not in named},
    )
