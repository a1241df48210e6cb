"""A database that is restored from a copy may order other things by the same versions; the journal keeps both."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from engine.stores import document, headers_of, value_in_clear
from postgres import Server
from processes.traces import lived, named, order
from sqlalchemy import make_url
from whole.stores import Store

from lifecycle.engine import open_engine


@contextmanager
def copied(store: Store, request: pytest.FixtureRequest, folder: Path) -> Iterator[None]:
    """In the block the store goes on; after it, it is what it was before."""
    url, path = store.settings.db, store.engine.database.path
    store.engine.database.truncate_wal()
    store.engine.close()
    if path is not None:
        shutil.copyfile(path, folder / "copy.db")
    else:
        server: Server = request.getfixturevalue("postgresql")
        name, copy = str(make_url(url).database), f"lifecycle_copy_{uuid4().hex}"
        server.keepers.leave(name)
        server.run("CREATE DATABASE {} TEMPLATE {}", copy, name)
    store.engine = open_engine(url, keys=store.settings.keys)
    yield
    store.engine.database.truncate_wal()
    store.engine.close()
    if path is not None:
        shutil.copyfile(folder / "copy.db", path)
    else:
        server.run("DROP DATABASE {} WITH (FORCE)", name)
        server.run("CREATE DATABASE {} TEMPLATE {}", name, copy)
        server.run("DROP DATABASE {} WITH (FORCE)", copy)
    # Sealed off, and opened all the same, as by somebody who does not read what `restore check` says.
    store.engine = open_engine(url, keys=store.settings.keys, even_sealed_off=True)


def test_another_order_by_the_same_version_is_journalled_before_anything_is_destroyed(
    store: Store, request: pytest.FixtureRequest, tmp_path: Path
):
    person = lived(store, "ann")["ann"]
    with copied(store, request, tmp_path):
        assert store.engine.execute(order("part", "ann")).outcome == "done"
    assert value_in_clear(store.engine, named("ann"))["name"] == "Anna"  # it is readable again
    phone = document("erase", "another", named("ann"), ground="7.3d", categories=["phone"])
    assert store.engine.execute(phone).outcome == "done"
    first, second = store.engine.journal.entries()
    assert (first.subject_id, first.order) == (second.subject_id, second.order)
    assert not set(first.kids) & set(second.kids)
    (completed,) = [each for each in headers_of(store.engine.database, person) if each.kind == "erasure-completed/1"]
    assert {key["kid"] for key in completed.data["keys"]} == set(second.kids)


def test_the_same_order_by_the_same_version_adds_no_line(store: Store, request: pytest.FixtureRequest, tmp_path: Path):
    lived(store, "ann")
    with copied(store, request, tmp_path):
        assert store.engine.execute(order("part", "ann")).outcome == "done"
    assert store.engine.execute(order("part", "ann")).outcome == "done"
    assert len(list(store.engine.journal.entries())) == 1
    assert "name" not in value_in_clear(store.engine, named("ann"))
