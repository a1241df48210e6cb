import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.values import MASKS, mask_value

any_text = st.text(st.characters(exclude_categories=["Cs"]))


@pytest.mark.parametrize(
    ("mask", "value", "shown"),
    [
        ("email", "ann@example.com", "a***@example.com"),
        ("email", "a@example.com", "***@example.com"),
        ("email", "a*@example.com", "***@example.com"),
        ("email", "a***@example.com", "***@example.com"),
        ("email", "+x@example.com", "***@example.com"),
        ("email", "王小明@例子.广告", "王***@例子.广告"),
        ("email", "ann", "***"),
        ("email", "", "***"),
        ("email", "ann@exa\x1b[31mmple.com", "***"),
        ("email", "ann@\u202emoc.elpmaxe", "***"),
        ("email", "ann@" + "a" * 300, "***"),
        ("phone", "+6591234567", "+65***67"),
        ("phone", "+86 138 0013 8000", "+86***00"),
        ("phone", "+65 6123 4567 ext. 12", "+65***67"),
        ("phone", "91234567", "***"),
        ("phone", "call me", "***"),
        ("name", "Ann", "A***"),
        ("name", "王小明", "王***"),
        ("name", "A", "***"),
        ("name", "", "***"),
        ("name", "\u202eAnn", "***"),
        ("name", "\x1b[31mAnn", "***"),
        ("name", "👩‍👩‍👧", "***"),
        ("hidden", "anything at all", "***"),
        ("hidden", "", "***"),
    ],
)
def test_a_mask_shows_so_much_and_no_more(mask, value, shown):
    assert mask_value(mask, value) == shown


@pytest.mark.parametrize("mask", sorted(MASKS))
@pytest.mark.parametrize("value", [None, 7, ["ann@example.com"], {"a": 1}, "\ud800x", "x" * 100_000])
def test_a_mask_hides_what_is_no_text_or_too_long(mask, value):
    shown = mask_value(mask, value)
    assert shown in {"***", "x***"}


@given(st.emails())
def test_a_masked_address_never_contains_its_local_part(address):
    local, _, domain = address.rpartition("@")
    shown = mask_value("email", address).removesuffix(f"@{domain}")
    assert local not in shown or local in {"*", "**", "***"}


@given(any_text, any_text)
def test_a_masked_address_tells_nothing_of_the_local_part_but_its_first_letter(rest, other):
    one, another = (mask_value("email", f"ab{each}@example.com") for each in (rest, other))
    assert one == another or "@" in rest + other


@given(st.from_regex(r"\+65[689][0-9]{7}", fullmatch=True, alphabet=st.characters(exclude_categories=["Cs"])))
def test_a_masked_phone_keeps_country_code_and_two_digits_only(number):
    shown = mask_value("phone", number)
    assert shown == f"+65***{number[-2:]}"


@given(any_text)
def test_a_masked_name_has_one_letter_of_the_name(name):
    shown = mask_value("name", name)
    assert shown == "***" or (shown[0] == name.strip()[0] and shown[1:] == "***")


@given(any_text)
def test_a_hidden_value_is_hidden(value):
    assert mask_value("hidden", value) == "***"


@given(st.sampled_from(sorted(MASKS)), any_text)
def test_no_mask_lets_a_control_character_through(mask, value):
    assert mask_value(mask, value).isprintable()


def test_the_example_s_categories_check_compare_and_mask_their_values():
    categories = parse_policy(example_policy_text()).categories
    categories["login-account"].check("Ann@example.com")
    assert categories["login-account"].normal("Ann@example.com") == "ann@example.com"
    assert categories["login-account"].masked("ann@example.com") == "a***@example.com"
    assert categories["company"].masked("Acme") == "***"
    assert categories["biometric"].masked("left thumb") == "***"
