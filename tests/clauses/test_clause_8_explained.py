"""Clause 8: products of third parties follow their own terms, and the explanation says so."""

from __future__ import annotations

from datetime import datetime

from clauses.revised import BEFORE, a_trial, engage, share
from whole.stores import ANN, Store


def test_clause_8_a_third_party_product_is_out_of_the_scope_of_this_controller_with_where_its_terms_are(store: Store):
    store.engine.move_clock(datetime.fromisoformat(BEFORE))
    explained = store.engine.read.explain()
    (product,) = explained["rules"]["third_party_products"]
    assert (product["id"], product["in_scope"]) == ("wechat", False)
    assert product["terms"].startswith("https://www.wechat.com/")
    assert any("WeChat" in line and product["terms"] in line for line in explained["text"])


def test_clause_8_data_that_went_to_somebody_is_a_share_and_not_a_blank(store: Store):
    a_trial(store)
    engage(store, "udesk")
    assert share(store, "udesk").outcome == "done"
    explained = store.engine.read.explain(subject=ANN)
    assert explained["subject"]["recipients"] == [
        {"recipient": "udesk", "categories": ["email", "name"], "in_scope": True}
    ]
    assert any("Beijing Vodafone" in line and "Name" in line for line in explained["text"])
