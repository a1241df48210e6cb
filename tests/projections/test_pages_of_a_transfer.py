"""Who is told and who goes next is read in the order of a key, a page at a time, and nobody is walked over twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from plans import plans_of
from whole.stores import ANN, BEN, Store

from lifecycle.engine.transferring import archived
from lifecycle.projections import transfers as rows

CY = {"email": "cy@example.com"}


def people(store: Store) -> list[UUID]:
    """Ann for two purposes, Ben and Cy for one each."""
    for whom, purpose in ((ANN, "free-trial"), (BEN, "free-trial"), (ANN, "quotation"), (CY, "quotation")):
        assert store.consent(purpose, subject=whom).outcome == "done"
    store.engine.drain()
    return sorted(store.engine.read.subject_id(whom) for whom in (ANN, BEN, CY))


def test_everybody_in_scope_of_several_purposes_comes_once_and_in_order(store: Store):
    expected = people(store)
    with store.engine.database.read() as c:
        for size in (1, 2, 3):
            found: list[UUID] = []
            while page := rows.to_notify(c, "newco", ["free-trial", "quotation"], found[-1] if found else None, size):
                found += page
            assert found == expected
        assert rows.to_notify(c, "newco", None, None, 10) == expected


def test_each_page_is_read_in_the_order_of_its_key(store: Store):
    after = people(store)[0]
    pages: list[Callable[[Any], Any]] = [
        lambda c: rows.to_notify(c, "newco", None, after, 2),
        lambda c: rows.to_notify(c, "newco", ["free-trial", "quotation"], after, 2),
        lambda c: rows.to_transfer(c, "newco", after, 2),
        lambda c: rows.gone(c, "newco", after, 2),
        lambda c: archived(c, "newco", after, 10),
    ]
    with store.engine.database.read() as c:
        for page in pages:
            plans = plans_of(c, lambda page=page: page(c))
            assert plans
            if store.engine.database.is_sqlite:  # a server walks over a table of three rows rather than use an index
                assert not any("SCAN" in plan or "TEMP B-TREE" in plan for plan in plans), plans
