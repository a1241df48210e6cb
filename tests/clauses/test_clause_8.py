"""Clause 8: third-party products follow their own terms; what they were given is a share of ours, not a blank."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from clauses.partners import (
    DAY_9,
    PARTNERED,
    begun,
    begun_separately,
    decided_again,
    done,
    opened,
    recipients,
    refused,
    sharing,
)
from founding import InAFile
from whole.stores import ANN, Store

from examples import POLICY
from lifecycle.policy.outside import OutOfScope, out_of_scope

WIDGET = {"recipient": "wechat", "method": "embedded-widget"}


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys, PARTNERED, lived=begun_separately) as made:
        yield made


def test_clause_8_products_are_declared_with_the_link_to_their_own_terms():
    terms = "https://www.wechat.com/en/privacy_policy.html"
    assert out_of_scope(POLICY) == (OutOfScope("wechat", "8", "WeChat", "Tencent", terms),)


def test_clause_8_products_appear_in_the_persons_record_as_out_of_scope(store: Store):
    (product,) = store.engine.read.out_of_scope(ANN)
    assert product == {
        "product": "wechat",
        "name": "WeChat",
        "provider": "Tencent",
        "terms": "https://www.wechat.com/en/privacy_policy.html",
        "clause": "8",
        "given": [],
    }


def test_clause_8_data_that_went_to_a_product_is_a_share_not_a_blank(store: Store):
    done(sharing(store, **WIDGET))
    (phone,) = [row for row in store.engine.read.holdings(ANN) if row["category"] == "email"]
    assert phone["recipients"] == ["wechat"]
    assert recipients(store) == [("third-party-product", "email", "Tencent")]
    (product,) = store.engine.read.out_of_scope(ANN)
    assert product["given"] == [phone["holding"]]
    assert decided_again(store) == set()


def test_clause_8_a_product_gets_nothing_without_a_basis_of_ours(store: Store):
    done(store.do("withdraw-consent", DAY_9, subject=ANN, channel="email"))
    refused(sharing(store, at=DAY_9, **WIDGET), "holding-erased", "7.3")


def test_clause_8_nor_by_a_method_that_the_person_did_not_agree_to(tmp_path: Path, keys: Path):
    """In the example policy no purpose names the product: whoever consents does not agree to it."""
    with opened(f"sqlite:///{tmp_path}/other.db", keys) as store:
        begun(store, separate=True)
        refused(sharing(store, **WIDGET), "consent-missing", "3.1c")
        done(sharing(store, **(WIDGET | {"basis": "contract", "evidence": "K-1"})))
