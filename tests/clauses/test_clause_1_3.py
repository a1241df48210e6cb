"""Clauses 1.2, 1.3: six purposes, each with exactly the types that it collects; a system may keep them for us."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from clauses.partners import DAY_1, DAY_2, DAY_9, begun, data_of, decided_again, done, recipients, refused
from founding import InAFile, OnAServer
from whole.stores import ANN, Store

from examples import POLICY

VALUES = {"ip-address": "192.0.2.7", "email": "ann@example.com", "phone": "+6591234567", "birth-date": "1990-01-01"}
CRM = {"held_by": "crm", "locator": "crm/contacts/42"}
LABEL = "Customer relations system of the sales team"


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys) as made:
        yield made


@pytest.fixture
def either(founded: InAFile | OnAServer, tmp_path: Path, keys: Path) -> Iterator[Store]:
    """On SQLite and on PostgreSQL."""
    with founded.store(tmp_path, keys) as made:
        yield made


def test_clause_1_3_each_purpose_collects_its_types_and_no_other(store: Store):
    store.engine.move_clock(datetime.fromisoformat(DAY_1))
    for purpose, declared in POLICY.purposes.items():
        basis = declared.bases[-1].value
        if basis == "consent":
            done(store.consent(purpose))
        said = {"subject": ANN, "purpose": purpose, "basis": basis, "source": "web-form", "evidence": "K-1"}
        outcomes = store.engine.execute_many(
            [
                store.document("collect", data={category: VALUES.get(category, "ann")}, **said)
                for category in POLICY.categories
            ]
        )
        for category, outcome in zip(POLICY.categories, outcomes, strict=True):
            if category in declared.all_categories:
                done(outcome)
            else:
                assert f"'{category}'" in str(refused(outcome, "more-than-necessary", "4").message)


def test_clause_1_3_a_purpose_that_nobody_declared_is_refused(store: Store):
    refused(store.collect("profiling", at=DAY_1), "unknown-purpose", "1.3")


def test_clause_1_3_fewer_types_than_a_purpose_needs_may_be_collected(store: Store):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1, data={"email": "ann@example.com"}))


def test_clause_1_3_a_system_may_keep_the_value_and_we_keep_where_it_is(either: Store):
    done(either.consent(at=DAY_1))
    done(either.collect(at=DAY_1, data={"phone": None, "email": "ann@example.com"}, **CRM))
    assert data_of(either, "personal-data-collected")["held_by"] == "crm"
    assert "contacts" not in str(either.engine.read.history(ANN))
    rows = {row["category"]: row for row in either.engine.read.holdings(ANN)}
    assert {category: row["held_by"] for category, row in rows.items()} == {"phone": "crm", "email": "crm"}
    assert all("crm/contacts" not in str(row["value"]) for row in rows.values())
    assert recipients(either) == [("system", "email", LABEL), ("system", "phone", LABEL)]
    clear = either.engine.read_clear(ANN, "free-trial", {"id": "dpo", "role": "officer"})
    assert {row["value"] for row in clear} == {CRM["locator"]}
    assert decided_again(either) == set()


def test_clause_1_3_a_value_that_a_system_keeps_is_not_kept_here_even_if_it_was_given(store: Store, tmp_path: Path):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1, data={"phone": "+6591234567"}, **CRM))
    clear = store.engine.read_clear(ANN, "free-trial", {"id": "dpo", "role": "officer"})
    assert [row["value"] for row in clear] == [CRM["locator"]]


def test_clause_1_3_the_same_locator_again_renews_and_is_never_taken_for_a_value(store: Store):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1, data={"name": None}, **CRM))
    done(store.collect(at=DAY_2, data={"name": None}, **CRM))
    assert len(store.engine.read.holdings(ANN)) == 1
    done(store.collect(at=DAY_2, data={"name": CRM["locator"]}))
    assert sorted(str(row["held_by"]) for row in store.engine.read.holdings(ANN)) == ["None", "crm"]


def test_clause_1_3_a_system_keeps_what_it_is_declared_for(store: Store):
    done(store.consent("website-browsing", at=DAY_1))
    refused(store.collect("website-browsing", at=DAY_1, data={"ip-address": None}, **CRM), "outside-system", "4")
    done(store.consent(at=DAY_1))
    refused(store.collect(at=DAY_1, data={"name": None}, **(CRM | {"held_by": "erp"})), "unknown-word", None)


def test_clause_1_3_what_a_system_keeps_is_corrected_there_and_ends_here_like_everything_else(store: Store):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1, data={"name": None}, **CRM))
    wrong = {"subject": ANN, "data": {"name": "Anne"}, "reason": "misspelt"}
    refused(store.do("correct", DAY_2, **wrong), "held-elsewhere", "7.2")
    done(store.do("withdraw-consent", DAY_9, subject=ANN, channel="email"))
    assert store.held() == {"name": "erased"}
    assert recipients(store) == [("system", "name", LABEL)]  # it has its copy until it says otherwise


def test_clause_1_3_a_missing_type_is_supplemented_under_the_purpose_that_lives(store: Store):
    begun(store)
    done(store.do("erase", DAY_1, subject=ANN, ground="7.3b", categories=["phone"]))
    done(store.do("supplement", DAY_2, subject=ANN, data={"phone": "+6590000000"}, reason="asked"))
    refused(store.do("supplement", subject=ANN, data={"ip-address": "192.0.2.7"}, reason="x"), "holding-erased", "7.3")
