"""Clause 1.4: a closed list of legal bases; every ground names one that the policy allows, with its evidence."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from clauses.partners import DAY_1, DAY_2, DAY_9, done, opened, refused
from founding import InAFile
from whole.stores import ANN, Store

from examples import POLICY, changed_text, in_purpose
from lifecycle.policy.vocabulary import LegalBasis

LETTERS = dict(zip("abcdef", [basis for basis in LegalBasis if basis is not LegalBasis.CONSENT], strict=True))
ALL = ", ".join(f'"{basis}"' for basis in LegalBasis)
EVERY_BASIS = changed_text(in_purpose("free-trial", 'bases = ["consent", "contract"]', f"bases = [{ALL}]"))


@pytest.fixture
def url(tmp_path: Path, migrated_file: Path) -> str:
    path = tmp_path / "clause.db"
    shutil.copyfile(migrated_file, path)
    return f"sqlite:///{path}"


@pytest.fixture
def store(founded_file: InAFile, tmp_path: Path, keys: Path) -> Iterator[Store]:
    with founded_file.store(tmp_path, keys) as made:
        yield made


@pytest.mark.parametrize("letter", LETTERS)
def test_clause_1_4_each_basis_is_declared_with_its_clause_and_the_articles_of_the_law(letter: str):
    basis = POLICY.bases[LETTERS[letter]]
    assert basis.clause == f"1.4{letter}"
    assert basis.articles
    assert basis.iri.startswith("https://w3id.org/dpv#")
    assert basis.evidence


def test_clause_1_4_a_basis_without_the_evidence_it_needs_is_refused(url: str, keys: Path):
    with opened(url, keys, EVERY_BASIS) as store:
        for basis in LETTERS.values():
            refused(store.collect(at=DAY_1, basis=basis), "evidence-missing", "1.4")
            refused(store.collect(at=DAY_1, basis=basis, evidence=" \n"), "evidence-missing", "1.4")
            done(store.collect(at=DAY_1, basis=basis, evidence="K-1"))
        grounds = [ground["basis"] for ground in store.engine.read.holdings(ANN)[0]["grounds"]]
        assert grounds == list(LETTERS.values())
        assert store.do("withdraw-consent", DAY_2, subject=ANN, channel="email").outcome == "nothing"


@pytest.mark.parametrize("basis", [b for b in LegalBasis if b not in POLICY.purposes["free-trial"].bases])
def test_clause_1_4_a_basis_that_the_policy_does_not_allow_for_the_purpose_is_refused(store: Store, basis: str):
    refused(store.collect(at=DAY_1, basis=basis, evidence="K-1"), "basis-not-allowed", "1.4")


def test_clause_1_4_a_basis_that_nobody_declared_is_malformed(store: Store):
    assert store.collect(at=DAY_1, basis="curiosity").outcome == "invalid"


def test_clause_1_4_consent_given_after_the_collection_does_not_heal_it(store: Store):
    done(store.consent(at=DAY_2))
    refused(store.collect(at=DAY_1), "consent-missing", "1.3")
    done(store.collect(at=DAY_2))


def test_clause_1_4_consent_that_was_withdrawn_since_carries_no_late_report(store: Store):
    done(store.consent(at=DAY_1))
    done(store.do("withdraw-consent", DAY_9, subject=ANN, channel="email"))
    refused(store.collect(at=DAY_2), "consent-missing", "1.3")


def test_clause_1_4_each_basis_carries_its_own_ground_and_withdrawal_ends_only_consent(store: Store):
    done(store.consent(at=DAY_1))
    done(store.collect(at=DAY_1))
    done(store.collect(at=DAY_1, basis="contract", evidence="K-1"))
    outcome = done(store.do("withdraw-consent", DAY_2, subject=ANN, channel="email"))
    assert {(effect.result, effect.because) for effect in outcome.effects} == {("kept", "free-trial")}
    grounds = store.engine.read.holdings(ANN)[0]["grounds"]
    assert [(ground["basis"], ground["ended"]) for ground in grounds] == [
        ("consent", "consent-withdrawn"),
        ("contract", None),
    ]
