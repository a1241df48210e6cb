"""What a revision changes: who has to be asked anew, what loses its cover, what may ride on continued use."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.texts import SMALL, changed

from lifecycle.policy.differences import Difference, asked_anew, differences
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy

OLD = parse_policy(SMALL)
TEXT = example_policy_text()


def revised(*changes: tuple[str, str]) -> tuple[Difference, ...]:
    text = changed('version = "1"', 'version = "2"')
    for old, new in changes:
        text = changed(old, new, text)
    return differences(OLD, parse_policy(text))


def only(*changes: tuple[str, str]) -> Difference:
    (found,) = revised(*changes)
    return found


def said(found: Difference) -> tuple[str, str, bool, bool, bool]:
    return found.what, found.change, found.ask, found.loses_cover, found.rides


BASES = ('bases = ["consent"]', 'bases = ["consent", "contract"]')


def test_another_version_of_the_same_words_changes_nothing():
    assert revised(("effective = 2026-01-01", "effective = 2026-06-01")) == ()


@pytest.mark.parametrize(
    ("change", "meant"),
    [
        ((('optional = ["name"]', ""),), ("category", "narrower", False, True, True)),
        (
            (('categories = ["email"]\noptional = ["name"]', 'categories = ["email", "name"]'),),
            ("category", "changed", False, False, True),
        ),
        ((("{ days = 30 }", "{ days = 31 }"),), ("retention", "longer", True, False, False)),
        ((("{ days = 30 }", "{ days = 29 }"),), ("retention", "shorter", False, False, True)),
        ((("{ days = 30 }", "{ months = 1 }"),), ("retention", "longer", True, False, False)),
        (
            (("{ days = 30 }", '{ days = 30, counts_from = "last-activity" }'),),
            ("retention", "longer", True, False, False),
        ),
        ((('recipients = ["mailer"]', ""),), ("recipient", "narrower", False, False, True)),
        ((BASES,), ("basis", "new", False, False, True)),
        (
            (('name = { label = "Name" }', 'name = { label = "Name", sensitivity = "sensitive" }'),),
            ("sensitivity", "wider", True, False, False),
        ),
        ((('customer-service = "service@', 'customer-service = "help@'),), ("contact", "changed", False, False, True)),
        ((("days = 15", "days = 20"),), ("response time", "longer", False, False, True)),
        ((("days = 15", "days = 10"),), ("response time", "shorter", False, False, True)),
        ((('contact = "https://mailer.', 'contact = "https://post.'),), ("trustee", "changed", False, False, True)),
        ((('label = "Newsletter"', 'label = "News"'),), ("label", "changed", False, False, True)),
        ((('sources = ["web-form"]', 'sources = ["web-form", "api"]'),), ("sources", "changed", False, False, True)),
    ],
    ids=lambda each: str(each[0])[:40],
)
def test_each_change_is_named_with_what_follows_from_it(change, meant):
    found = revised(*change)
    assert meant in {said(each) for each in found}


def test_a_dropped_recipient_takes_its_methods_with_it():
    assert {(each.what, each.change) for each in revised(('recipients = ["mailer"]', ""))} == {
        ("recipient", "narrower"),
        ("method", "narrower"),
    }


def test_a_wider_method_is_asked_anew():
    found = revised(('methods = ["api"]\n\n[controller]', 'methods = ["api", "post"]\n\n[controller]'),
                    ('purposes = ["newsletter"]\nmethods = ["api"]', 'purposes = ["newsletter"]\nmethods = ["api", "post"]'))  # fmt: skip
    assert ("method", "wider", True, False, False) in {said(each) for each in found}


def test_where_another_basis_is_allowed_going_on_is_enough_for_those_on_it():
    text = changed(*BASES)
    wider = changed('version = "1"', 'version = "2"', changed("{ days = 30 }", "{ days = 60 }", text))
    (found,) = differences(parse_policy(text), parse_policy(wider))
    assert (found.ask, found.rides) == (True, True)


def test_a_purpose_on_other_bases_alone_asks_nobody():
    text = changed('bases = ["consent"]', 'bases = ["contract"]')
    wider = changed('version = "1"', 'version = "2"', changed("{ days = 30 }", "{ days = 60 }", text))
    (found,) = differences(parse_policy(text), parse_policy(wider))
    assert (found.ask, found.rides) == (False, True)


def purpose_of(text: str, name: str) -> str:
    start = text.index(f"[purposes.{name}]")
    end = text.index("\n[", text.index(f"[purposes.{name}.retention]") + 1)
    return text[start:end]


def test_a_purpose_is_new_one_way_and_dropped_the_other():
    without = TEXT.replace(purpose_of(TEXT, "recommended-customers"), "")
    new = parse_policy(without.replace('version = "1.0"', 'version = "2.0"'))
    old = parse_policy(TEXT)
    dropped = [each for each in differences(old, new) if each.what == "purpose"]
    assert [said(each) for each in dropped] == [("purpose", "dropped", False, True, True)]
    back = [each for each in differences(new, old) if each.what == "purpose"]
    assert [said(each) for each in back] == [("purpose", "new", True, False, False)]
    assert asked_anew(differences(new, old)) == ("recommended-customers",)


def test_a_technology_that_is_new_or_wider_is_asked_for_itself():
    wider = TEXT.replace('"browser-version", "platform"]', '"browser-version", "platform", "position"]')
    found = [each for each in differences(parse_policy(TEXT), parse_policy(wider)) if each.where.startswith("tech")]
    assert [said(each) for each in found] == [("category", "wider", True, False, False)]


LENGTHS = st.sampled_from(["days = 10", "days = 30", "days = 31", "months = 1", "months = 2"])
CLOCKS = st.sampled_from(["collection", "last-activity"])
CATEGORIES = st.sampled_from(['["email"]', '["email", "name"]', '["name"]'])


@st.composite
def policies(draw):
    text = SMALL.replace('categories = ["email"]\noptional = ["name"]', f"categories = {draw(CATEGORIES)}")
    text = text.replace("{ days = 30 }", f'{{ {draw(LENGTHS)}, counts_from = "{draw(CLOCKS)}" }}')
    if draw(st.booleans()):
        text = text.replace('recipients = ["mailer"]\n', "")
    return text


@given(one=policies(), other=policies())
def test_people_are_asked_exactly_where_their_consent_does_not_carry_the_new_version(one: str, other: str):
    """The same judgement as that of a collection (settled rule 30)."""
    old, new = parse_policy(one), parse_policy(other.replace('version = "1"', 'version = "2"'))
    wider = new.consented_scope("newsletter").is_wider_than(old.consented_scope("newsletter"))
    assert (asked_anew(differences(old, new)) == ("newsletter",)) is wider


@given(one=policies(), other=policies())
def test_nothing_changes_without_being_told(one: str, other: str):
    old, new = parse_policy(one), parse_policy(other)
    assert bool(differences(old, new)) is (old.fingerprint != new.fingerprint)
