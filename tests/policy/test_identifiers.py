import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import Invalid
from lifecycle.policy.values import WrongIdentifier, normalise_identifier
from lifecycle.policy.vocabulary import IdentifierType

EMAIL, PHONE, REF = IdentifierType.EMAIL, IdentifierType.PHONE, IdentifierType.REF
any_character = st.characters(exclude_categories=["Cs"])
any_text = st.text(any_character)


@pytest.mark.parametrize(
    ("type", "raw", "normal"),
    [
        (EMAIL, "ann@example.com", "ann@example.com"),
        (EMAIL, " Ann@EXAMPLE.com ", "ann@example.com"),
        (EMAIL, "ＡＮＮ＠ｅｘａｍｐｌｅ．ｃｏｍ", "ann@example.com"),
        (EMAIL, "Straße@example.com", "strasse@example.com"),
        (EMAIL, "ann+trial@example.com", "ann+trial@example.com"),
        (EMAIL, "ann@localhost", "ann@localhost"),
        (EMAIL, "ann@site.test", "ann@site.test"),
        (EMAIL, "ann@sub.invalid", "ann@sub.invalid"),
        (EMAIL, "ann@bücher.de", "ann@xn--bcher-kva.de"),
        (PHONE, "+65 9123-4567", "+6591234567"),
        (PHONE, " +86 138 0013 8000", "+8613800138000"),
        (PHONE, "＋６５９１２３４５６７", "+6591234567"),
        (REF, " user-42 ", "user-42"),
        (REF, "User-42", "User-42"),
        (REF, "e\u0301", "é"),
    ],
)
def test_an_identifier_has_one_form(type, raw, normal):
    assert normalise_identifier(type, raw) == normal


@pytest.mark.parametrize(
    ("type", "raw"),
    [
        (EMAIL, "ann"),
        (EMAIL, ""),
        (EMAIL, "ann@example"),
        (EMAIL, "ann@exam\ud800ple.com"),
        (PHONE, "91234567"),
        (PHONE, "+1"),
        (PHONE, ""),
        (REF, ""),
        (REF, "  "),
        (REF, "x" * 1025),
        (REF, "a\udc00"),
    ],
    ids=lambda each: ascii(each)[:40],
)
def test_what_cannot_name_a_person_is_invalid_and_is_not_repeated(type, raw):
    with pytest.raises(WrongIdentifier) as raised:
        normalise_identifier(type, raw)
    assert isinstance(raised.value, Invalid)
    assert raised.value.__cause__ is None
    assert not raw.strip() or len(raw) < 4 or raw not in str(raised.value)


def test_domains_of_different_owners_are_different_people():
    assert normalise_identifier(EMAIL, "ann@faß.de") != normalise_identifier(EMAIL, "ann@fass.de")


@given(st.emails())
def test_an_address_is_found_by_any_case_of_ascii(address):
    assert normalise_identifier(EMAIL, address.upper()) == normalise_identifier(EMAIL, address.lower())


@given(
    st.sampled_from(list(IdentifierType)),
    any_text | st.emails() | st.from_regex(r"\+[1-9][0-9]{6,14}", alphabet=any_character),
)
def test_normalising_an_identifier_twice_is_normalising_it_once(type, raw):
    try:
        once = normalise_identifier(type, raw)
    except WrongIdentifier:
        return
    assert normalise_identifier(type, once) == once
