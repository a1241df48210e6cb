import pytest
from hypothesis import given
from hypothesis import strategies as st
from policy.texts import SMALL, changed, with_more

from lifecycle.errors import PolicyFaulty
from lifecycle.policy.loading import check_file, check_policy, load_policy, parse_policy

RETENTION = "retention = { days = 30 }"
TECHNOLOGY = """
[technologies.counter]
clause = "2"
name = "Counter"
provider = "Counters Ltd."
contact = "https://counter.example.com"
purpose = "Count visits"
purposes = ["newsletter"]
categories = ["name"]
retention = { days = 180 }
"""
MINIMUM = """
[[minimums]]
purpose = "newsletter"
bases = ["consent"]
months = 36
law = "some-law"
"""

FAULTS = [
    # what is changed, into what, the key that is named, and a word of the reason
    ('version = "1"', "version = 1", "version", "text in quotes"),
    ('version = "1"', 'version = "1/2"', "version", "not written as"),
    ('id = "shop"', 'id = "My Shop"', "id", "not written as"),
    ("effective = 2026-01-01\n", "", "effective", "missing"),
    ("effective = 2026-01-01", 'effective = "soon"', "effective", "date"),
    ('"Asia/Shanghai"', '"Asia/Nowhere"', "time_zone", "unknown time zone"),
    ('"Asia/Shanghai"', '"../../etc/passwd"', "time_zone", "unknown time zone"),
    ('jurisdictions = ["CN"]', 'jurisdictions = ["CN", "QQ"]', "jurisdictions", "no pack"),
    ('jurisdictions = ["CN"]', "jurisdictions = []", "jurisdictions", "empty"),
    ('calendar = "CN"', 'calendar = "QQ"', "response_times.calendar", "working days are known for"),
    ("days = 15", "days = 0", "response_times.days", "greater than 0"),
    ('notice_channels = ["web-form"]', 'notice_channels = ["drum"]', "revisions.notice_channels", "declared channel"),
    ('mask = "email"', 'mask = "email", rank = 3', "categories.email.rank", "not a key"),
    ('format = "email"', 'format = "mail"', "categories.email.format", "unknown format"),
    ('mask = "email"', 'mask = "mail"', "categories.email.mask", "unknown mask"),
    ('{ label = "Name" }', '{ label = "Name", sensitivity = "very" }', "categories.name.sensitivity", "sensitive"),
    ('{ label = "Name" }', '{ label = " " }', "categories.name.label", "empty"),
    ('{ label = "Name" }', '{ label = "Name", id = "name" }', "categories.name.id", "the table's name is its id"),
    ('{ label = "Name" }', "3", "categories.name", "table"),
    ('categories = ["email"]', 'categories = ["e-mail"]', "purposes.newsletter.categories", "declared category"),
    ('categories = ["email"]', "categories = []", "purposes.newsletter.categories", "empty"),
    ('categories = ["email"]', 'categories = "email"', "purposes.newsletter.categories", "list"),
    ('categories = ["email"]', 'categories = ["email", "email"]', "purposes.newsletter.categories", "twice"),
    ('optional = ["name"]', 'optional = ["nick"]', "purposes.newsletter.optional", "declared category"),
    ('optional = ["name"]', 'optional = ["email"]', "purposes.newsletter.optional", "already required"),
    ('bases = ["consent"]', 'bases = ["emergency"]', "purposes.newsletter.bases", "does not describe"),
    ('bases = ["consent"]', 'bases = ["whim"]', "purposes.newsletter.bases[0]", "contract"),
    ('recipients = ["mailer"]', 'recipients = ["friend"]', "purposes.newsletter.recipients", "declared trustee"),
    ('readers = ["service"]', 'readers = ["everybody"]', "purposes.newsletter.readers[0]", "auditor"),
    (RETENTION, "", "purposes.newsletter.retention", "missing"),
    (RETENTION, "retention = { days = 0 }", "purposes.newsletter.retention.days", "greater than 0"),
    (RETENTION, "retention = { days = -1 }", "purposes.newsletter.retention.days", "greater than 0"),
    (RETENTION, "retention = { months = 1.5 }", "purposes.newsletter.retention.months", "whole number"),
    (RETENTION, 'retention = { days = "30" }', "purposes.newsletter.retention.days", "whole number"),
    (RETENTION, "retention = { days = true }", "purposes.newsletter.retention.days", "whole number"),
    (RETENTION, "retention = { days = 40000 }", "purposes.newsletter.retention.days", "less than"),
    (RETENTION, "retention = {}", "purposes.newsletter.retention", "give one of"),
    (RETENTION, "retention = { days = 1, months = 1 }", "purposes.newsletter.retention", "give one of"),
    (RETENTION, "retention = { days = inf }", "purposes.newsletter.retention.days", "whole number"),
    (
        RETENTION,
        "retention = { while_contract_lasts = true }",
        "purposes.newsletter.retention.while_contract_lasts",
        "never end",
    ),
    (RETENTION, 'retention = { days = 1, assumed = "yes" }', "purposes.newsletter.retention.assumed", "true or false"),
    (RETENTION, RETENTION + "\nconsent_lasts = { days = 0 }", "purposes.newsletter.consent_lasts.days", "greater"),
    ('methods = ["api"]\n\n[controller]', 'methods = ["fax"]\n[controller]', "trustees.mailer.methods", "method"),
    ('purposes = ["newsletter"]', 'purposes = ["spam"]', "trustees.mailer.purposes", "declared purpose"),
    ('purposes = ["newsletter"]', 'purposes = ["spam"]', "purposes.newsletter.recipients", "does not serve"),
    ("[bases.contract]", "[bases.promise]", "bases.promise", "contract"),
    ("#Contract", " Contract", "bases.contract.iri", "not written as"),
    ("[trustees.mailer]", "[trustees.Mailer]", "trustees.Mailer", "not written as"),
]

ADDED = [
    (TECHNOLOGY.replace('["name"]', '["face"]'), "technologies.counter.categories", "declared category"),
    (TECHNOLOGY.replace('["newsletter"]', '["spying"]'), "technologies.counter.purposes", "declared purpose"),
    (TECHNOLOGY.replace("days = 180", "days = 0"), "technologies.counter.retention.days", "greater than 0"),
    (MINIMUM.replace('"newsletter"', '"spam"'), "minimums[0].purpose", "declared purpose"),
    (MINIMUM.replace('"some-law"', '"no-law"'), "minimums[0].law", "declared law"),
    (MINIMUM.replace('"consent"', '"contract"'), "minimums[0].bases", "cannot be based"),
    (MINIMUM.replace("months = 36", ""), "minimums[0]", "give either"),
    (MINIMUM.replace("months = 36", "months = 0"), "minimums[0].months", "greater than 0"),
    ('[minors]\nage = 14\nbirth_date_category = "born"\nlaw = "some-law"', "minors.birth_date_category", "category"),
    ('[minors]\nage = 14\nbirth_date_category = "name"\nlaw = "no-law"', "minors.law", "declared law"),
    ('[systems.crm]\nlabel = "CRM"\ncategories = ["face"]', "systems.crm.categories", "declared category"),
    ('[rights.dancing]\nclause = "7"\nlabel = "Dance"', "rights.dancing", "access"),
    ("[identifiers]\nkept_days_after_last_event = 0", "identifiers.kept_days_after_last_event", "greater than 0"),
    ("[cookies]\nyes = true", "cookies", "not a key"),
]


@pytest.mark.parametrize(("old", "new", "place", "reason"), FAULTS)
def test_a_fault_names_its_key_and_its_reason(old, new, place, reason):
    expect_fault(changed(old, new), place, reason)


@pytest.mark.parametrize(("addition", "place", "reason"), ADDED)
def test_a_fault_in_what_is_added_names_its_key_and_its_reason(addition, place, reason):
    expect_fault(with_more(addition), place, reason)


def expect_fault(text, place, reason):
    findings = check_policy(text, file="policy.toml")
    assert findings.policy is None
    found = {fault.place: fault for fault in findings.faults}
    assert place in found, [str(fault) for fault in findings.faults]
    assert reason in found[place].reason
    assert found[place].file == "policy.toml"


def test_the_small_policy_has_no_fault():
    assert check_policy(SMALL).faults == []


def test_what_the_small_policy_lacks_may_be_added():
    minors = '[minors]\nage = 14\nbirth_date_category = "name"\nlaw = "some-law"'
    assert check_policy(with_more("\n".join([TECHNOLOGY, MINIMUM, minors]))).faults == []


def test_all_faults_are_found_at_once_in_the_order_of_the_file():
    text = SMALL
    faults = [
        ('"Asia/Shanghai"', '"Asia/Nowhere"'),
        ('format = "email"', 'format = "mail"'),
        ('categories = ["email"]', 'categories = ["e-mail"]'),
        (RETENTION, "retention = { days = 0 }"),
        ('contact = "https://mailer.example.com"\n', ""),
    ]
    for old, new in faults:
        text = changed(old, new, text)
    places = [fault.place for fault in check_policy(with_more(MINIMUM.replace("some-law", "x"), text)).faults]
    assert places == [
        "time_zone",
        "categories.email.format",
        "purposes.newsletter.categories",
        "purposes.newsletter.retention.days",
        "trustees.mailer.contact",
        "minimums[0].law",
    ]


def test_a_fault_is_told_as_file_line_key_and_reason():
    [fault] = check_policy(changed('format = "email"', 'format = "mail"'), file="shop.toml").faults
    line = SMALL.split("\n").index('email = { label = "E-mail", format = "email", mask = "email" }') + 1
    assert str(fault).startswith(f"shop.toml:{line}: categories.email.format: unknown format 'mail'")


def test_a_wrong_member_of_a_list_is_one_fault_not_also_an_empty_list():
    [fault] = check_policy(changed('bases = ["consent"]', 'bases = ["whim"]')).faults
    assert fault.place == "purposes.newsletter.bases[0]"


@pytest.mark.parametrize(
    ("text", "line"),
    [("id = ", 1), ('a = 1\nb = "x', 2), ("a = 1\n\na = 2\n", 3), ("x = [[[", 1), ("[a]\nb\n", 2)],
)
def test_what_is_not_toml_is_a_fault_with_its_line(text, line):
    [fault] = check_policy(text).faults
    assert fault.line == line
    assert "not well-formed TOML" in fault.reason


@pytest.mark.parametrize("text", ["x = " + "[" * 9_000 + "]" * 9_000, "x = " + "9" * 9_000])
def test_toml_beyond_any_measure_is_a_fault_and_no_crash(text):
    [fault] = check_policy(text).faults
    assert "not well-formed TOML" in fault.reason


@pytest.mark.parametrize("text", ["", "# nothing", "x = 1", "purposes = 1\ncategories = [2]\nminimums = { a = 3 }"])
def test_what_is_no_policy_at_all_names_every_missing_key(text):
    missing = [fault.place for fault in check_policy(text).faults if fault.reason == "is missing"]
    assert {"id", "version", "effective", "time_zone", "controller", "response_times"} <= set(missing)


def test_lines_are_right_in_a_file_with_windows_line_ends():
    text = changed('format = "email"', 'format = "mail"')
    assert check_policy(text.replace("\n", "\r\n")).faults == check_policy(text).faults


def test_a_faulty_policy_does_not_load_and_lists_its_faults():
    text = changed(RETENTION, "retention = { days = 0 }", changed('"Asia/Shanghai"', '"Nowhere"'))
    with pytest.raises(PolicyFaulty, match="2 faults") as raised:
        parse_policy(text)
    assert "purposes.newsletter.retention.days" in str(raised.value)
    assert "time_zone" in str(raised.value)
    assert len(raised.value.faults) == 2


def test_a_file_that_is_not_there_is_a_fault(tmp_path):
    with pytest.raises(PolicyFaulty, match="No such file"):
        load_policy(tmp_path / "none.toml")


def test_a_folder_is_not_a_policy(tmp_path):
    assert check_file(tmp_path).faults != []


def test_a_file_in_another_encoding_is_a_fault_with_its_line(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_bytes(b'# first\nid = "caf\xe9"\n')
    [fault] = check_file(path).faults
    assert (fault.line, fault.reason) == (2, "is not UTF-8 text")


def test_a_file_with_a_byte_order_mark_loads(tmp_path):
    path = tmp_path / "policy.toml"
    path.write_text(SMALL, encoding="utf-8-sig")
    assert load_policy(path) == parse_policy(SMALL)


LITERALS = [
    "0",
    "-1",
    "1.5",
    "nan",
    "true",
    '""',
    '"x"',
    "[]",
    "[1]",
    "{}",
    "{ a = 1 }",
    "2024-02-30",
    "1979-05-27",
    "[[]]",
]
LINES = SMALL.split("\n")


@given(st.sampled_from([number for number, line in enumerate(LINES) if "=" in line]), st.sampled_from(LITERALS))
def test_whatever_stands_behind_a_key_a_check_answers_with_a_policy_or_with_faults(number, literal):
    lines = LINES.copy()
    lines[number] = f"{lines[number].split('=')[0]}= {literal}"
    findings = check_policy("\n".join(lines))
    assert (findings.policy is None) == bool(findings.faults)


@given(st.integers(0, len(LINES) - 1), st.integers(1, 12))
def test_whatever_lines_are_lost_a_check_answers_with_a_policy_or_with_faults(first, count):
    findings = check_policy("\n".join(LINES[:first] + LINES[first + count :]))
    assert (findings.policy is None) == bool(findings.faults)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_at_all_is_answered_with_faults(text):
    findings = check_policy(text)
    assert findings.policy is None
    assert findings.faults
