import json
import subprocess
import sys
from datetime import UTC, date, datetime

from policy.texts import SMALL, changed, with_more

from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy
from lifecycle.policy.model import Policy
from lifecycle.policy.periods import Period
from lifecycle.policy.vocabulary import LegalBasis

# A published version is never edited: its fingerprint stands on every event that was judged by it.
EXAMPLE = "2678eb49c8aa9ea1d38d0e25332691ab7bda98241652c3a692fa5d3532385c73"
SMALL_FINGERPRINT = "847dd74363fb965e2c955b9d4da1a12b82880df1bec9e30cc979ac02e3cbf1e2"
SMALL_NEWSLETTER = "85450a5f594742decc197f2ff1d9e0e18924cdeb8967bc76f1ad610183c315eb"


def test_the_fingerprint_of_the_example_is_the_one_published():
    assert parse_policy(example_policy_text()).fingerprint == EXAMPLE


def test_the_fingerprint_of_a_text_is_the_same_for_ever():
    policy = parse_policy(SMALL)
    assert policy.fingerprint == SMALL_FINGERPRINT
    assert policy.purpose_fingerprint("newsletter") == SMALL_NEWSLETTER


def test_the_fingerprint_does_not_depend_on_the_process():
    code = "import sys; from lifecycle.policy.loading import parse_policy as p; print(p(sys.stdin.read()).fingerprint)"
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=SMALL,
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        )
        assert done.stdout.strip() == SMALL_FINGERPRINT


def test_layout_and_comments_do_not_change_the_fingerprint():
    text = changed('format = "email", mask = "email"', 'mask = "email", format = "email"')
    assert parse_policy(f"# a comment\n\n{text}").fingerprint == SMALL_FINGERPRINT


def test_saying_a_default_does_not_change_the_fingerprint():
    text = changed('{ label = "Name" }', '{ label = "Name", sensitivity = "ordinary", format = "text" }')
    assert parse_policy(text).fingerprint == SMALL_FINGERPRINT


def test_every_change_of_a_promise_changes_the_fingerprint():
    changes = [
        ("{ days = 30 }", "{ days = 31 }"),
        ("{ days = 30 }", "{ months = 1 }"),
        ('readers = ["service"]', 'readers = ["officer"]'),
        ("days = 15", "days = 14"),
        ('"Asia/Shanghai"', '"Asia/Singapore"'),
        ("2026-01-01", "2026-01-02"),
        ('version = "1"', 'version = "2"'),
        ('name = "Mailer"', 'name = "Mailers"'),
    ]
    found = {parse_policy(changed(*change)).fingerprint for change in changes}
    assert len(found | {SMALL_FINGERPRINT}) == len(changes) + 1


def test_a_policy_survives_json_with_its_fingerprint():
    policy = parse_policy(example_policy_text())
    again = Policy.model_validate(json.loads(policy.model_dump_json()))
    assert (again, again.fingerprint) == (policy, policy.fingerprint)


def test_an_event_is_judged_by_label_and_sixteen_digits():
    assert parse_policy(SMALL).judged_by == f"shop/1#{SMALL_FINGERPRINT[:16]}"


def test_the_policy_s_day_is_in_its_own_zone():
    assert parse_policy(SMALL).day_of(datetime(2026, 3, 1, 17, tzinfo=UTC)) == date(2026, 3, 2)


def test_of_several_minimums_the_longest_holds():
    rule = '[[minimums]]\npurpose = "newsletter"\nbases = ["consent"]\nlaw = "{law}"\n{period}\n'
    laws = 'other-law = "Other Law"\n'
    text = SMALL.replace("[laws]\n", f"[laws]\n{laws}")
    rules = rule.format(law="some-law", period="months = 3") + rule.format(law="other-law", period="days = 93")
    minimum = parse_policy(with_more(rules, text)).minimum_for("newsletter", LegalBasis.CONSENT)
    assert (minimum.law, minimum.period) == ("other-law", Period(days=93))
