import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import Invalid
from lifecycle.policy.values import FORMATS, LONGEST, WrongFormat, check_value, normalise_value

any_text = st.text(st.characters(exclude_categories=["Cs"]))

WELL_FORMED = [
    ("text", ""),
    ("text", "Ann"),
    ("text", "王小明"),
    ("text", "👩‍👩‍👧‍👦"),
    ("text", "\u202eשלום\u202c"),
    ("text", "a\x00b"),
    ("text", "x" * LONGEST),
    ("name", "Åsa"),
    ("account", "ann"),
    ("account", "ann@example.com"),
    ("email", "ann@example.com"),
    ("email", " Ann.O'Hara+trial@Example.COM "),
    ("email", "用户@例子.广告"),
    ("email", "ann@localhost"),
    ("email", "ann@site.test"),
    ("email", "ann@intranet.local"),
    ("phone", "+6591234567"),
    ("phone", "+65 9123 4567"),
    ("phone", "+86 (10) 1234-5678"),
    ("phone", "９１２３４５６７"),
    ("phone", "010-12345678"),
    ("phone", "6123 4567 ext. 12"),
    ("ip", "192.0.2.1"),
    ("ip", "2001:DB8::1"),
    ("date", "2012-02-29"),
    ("url", "https://example.com/a?b=c#d"),
]

MALFORMED = [
    ("text", "a\ud800b"),
    ("text", "x" * (LONGEST + 1)),
    ("text", "é" * (LONGEST // 2 + 1)),
    ("text", 7),
    ("text", None),
    ("text", ["a"]),
    ("name", "\udfff"),
    ("email", ""),
    ("email", "ann"),
    ("email", "@example.com"),
    ("email", "ann@"),
    ("email", "ann@@example.com"),
    ("email", "a b@example.com"),
    ("email", "ann@exa mple.com"),
    ("email", "ann@example..com"),
    ("email", "ann@" + "a" * 400 + ".com"),
    ("email", "ann\x00@example.com"),
    ("phone", ""),
    ("phone", "call me"),
    ("phone", "+65"),
    ("phone", "+6591"),
    ("phone", "+999 1234 5678"),
    ("phone", "1"),
    ("phone", "1" * 100),
    ("ip", "192.0.2.256"),
    ("ip", "192.0.2"),
    ("ip", "localhost"),
    ("date", "2011-02-29"),
    ("date", "20110228"),
    ("date", "28.02.2011"),
    ("date", "2011-W09-1"),
    ("url", "javascript:alert(1)"),
    ("url", "example.com"),
    ("url", "https://"),
    ("url", "https://[::1"),
]

EQUAL = [
    ("email", "Ann@Example.com", "ann@example.COM"),
    ("email", " ann@example.com\n", "ann@example.com"),
    ("email", "ａｎｎ＠example.com", "ann@example.com"),
    ("email", "ann@bücher.example.com", "ann@xn--bcher-kva.example.com"),
    ("account", "Ann@Example.com", "ann@example.com"),
    ("phone", "+65 9123 4567", "+6591234567"),
    ("phone", "＋６５９１２３４５６７", "+6591234567"),
    ("phone", "010-1234 5678", "01012345678"),
    ("text", "Acme ", "Acme"),
    ("text", "e\u0301", "é"),
    ("ip", "2001:0db8:0:0::1", "2001:DB8::1"),
    ("url", "HTTPS://Example.com", "https://example.com/"),
]

DIFFERENT = [
    ("text", "Acme", "ACME"),
    ("account", "Ann", "ann"),
    ("email", "ann@example.com", "anne@example.com"),
    ("email", "ann@faß.de", "ann@fass.de"),
    ("phone", "+6591234567", "+6591234568"),
    ("phone", "+65 6123 4567 ext. 12", "+65 6123 4567 ext. 13"),
    ("url", "https://example.com/A", "https://example.com/a"),
]


@pytest.mark.parametrize(("format", "value"), WELL_FORMED, ids=lambda each: ascii(each)[:40])
def test_a_well_formed_value_passes(format, value):
    check_value(format, value)


@pytest.mark.parametrize(("format", "value"), MALFORMED, ids=lambda each: ascii(each)[:40])
def test_a_malformed_value_is_invalid_and_names_category_and_format_only(format, value):
    with pytest.raises(WrongFormat) as raised:
        check_value(format, value, category="some-category")
    assert isinstance(raised.value, Invalid)
    assert "'some-category'" in str(raised.value)
    assert format in str(raised.value)
    assert (raised.value.format, raised.value.category) == (format, "some-category")


@pytest.mark.parametrize(("format", "value"), MALFORMED, ids=lambda each: ascii(each)[:40])
def test_no_message_and_no_cause_contains_the_value(format, value):
    with pytest.raises(WrongFormat) as raised:
        check_value(format, value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    if isinstance(value, str) and len(value) > 8:  # what is shorter may stand in the rule's own words
        assert value not in str(raised.value)
        assert value not in repr(raised.value)


@given(st.sampled_from(sorted(FORMATS)), st.text(alphabet="qxzQXZ0189@.+:/-", min_size=9))
def test_whatever_is_malformed_its_message_is_about_the_format(format, value):
    said = ""
    try:
        check_value(format, value)
    except WrongFormat as wrong:
        said = str(wrong)
    assert value not in said


@pytest.mark.parametrize(("format", "one", "other"), EQUAL)
def test_spellings_of_one_value_are_equal(format, one, other):
    assert normalise_value(format, one) == normalise_value(format, other)


@pytest.mark.parametrize(("format", "one", "other"), DIFFERENT)
def test_different_values_stay_different(format, one, other):
    assert normalise_value(format, one) != normalise_value(format, other)


@given(any_text)
def test_any_unicode_is_a_text(value):
    check_value("text", value)


@given(st.sampled_from(sorted(FORMATS)), any_text)
def test_normalising_twice_is_normalising_once(format, value):
    once = normalise_value(format, value)
    assert normalise_value(format, once) == once


@given(st.emails())
def test_every_address_that_was_normalised_is_well_formed_again(address):
    check_value("email", address)
    once = normalise_value("email", address)
    check_value("email", once)
    assert normalise_value("email", once) == once


@given(st.ip_addresses().map(str))
def test_every_ip_address_passes(address):
    check_value("ip", address)


@given(st.dates().map(str))
def test_every_day_passes(day):
    check_value("date", day)
    assert normalise_value("date", day) == day


def test_a_value_that_cannot_be_read_is_compared_as_it_is():
    assert normalise_value("email", "not an address") == "not an address"
    assert normalise_value("text", "\ud800") == "\ud800"
