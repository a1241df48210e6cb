"""A policy of trust is read as c2sp.org/tlog-policy says; its quorum counts nobody twice."""

from __future__ import annotations

from contextlib import suppress
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.errors import LifecycleError
from lifecycle.ledger.note import COSIGNATURE, SigningKey
from lifecycle.ledger.tlog_policy import MalformedTrustPolicy, TrustPolicy

LOG = SigningKey.from_seed("log.example", b"l" * 32)
X1, X2, X3, Y1, Y2, Y3 = WITNESSES = [
    SigningKey.from_seed(f"w{i}.example", bytes([i]) * 32, COSIGNATURE) for i in range(6)
]
EXAMPLE = f"""\
log {LOG.vkey}

witness X1 {X1.vkey}
witness X2 {X2.vkey}
witness X3 {X3.vkey}
group X-witnesses 2 X1 X2 X3

witness Y1 {Y1.vkey}
witness Y2 {Y2.vkey}
witness Y3 {Y3.vkey}
group Y-witnesses any Y1 Y2 Y3

group X-and-Y all X-witnesses Y-witnesses
quorum X-and-Y
""".encode()


def keys(*signers):
    return [signer.verifying for signer in signers]


def test_the_specification_s_example_asks_for_two_x_and_one_y():
    policy = TrustPolicy.parse(EXAMPLE)
    assert policy.log_keys == keys(LOG)
    assert policy.witness_keys == keys(*WITNESSES)
    for n in range(7):
        for some in combinations(WITNESSES, n):
            enough = len({*some} & {X1, X2, X3}) >= 2 and bool({*some} & {Y1, Y2, Y3})
            assert policy.satisfied(keys(*some)) is enough


def test_a_witness_counts_once_however_often_it_cosigned_and_a_stranger_never():
    policy = TrustPolicy.parse(EXAMPLE)
    assert not policy.satisfied(keys(X1, X1, Y1))
    same_name = SigningKey.from_seed(X2.name, b"s" * 32, COSIGNATURE)
    other_type = SigningKey.from_seed(X2.name, bytes([1]) * 32)
    assert not policy.satisfied(keys(X1, same_name, other_type, Y1))


def test_a_quorum_can_be_one_witness_or_none():
    one = TrustPolicy.parse(f"witness w {X1.vkey}\nquorum w\n".encode())
    assert one.satisfied(keys(X1, X2))
    assert not one.satisfied(keys(X2))
    assert TrustPolicy.parse(b"quorum none\n").satisfied([])


def test_blanks_comments_urls_and_odd_names_are_read():
    policy = TrustPolicy.parse(
        b"\n# a comment\n\t # another\n\twitness \t \xe2\x84\xaaelvin\x80  " + X1.vkey.encode()
        + b"   https://w1.example/  \n witness all " + X2.vkey.encode() + b"\ngroup group 2 all \xe2\x84\xaaelvin\x80\n"
        + b"log " + LOG.vkey.encode() + b" https://log.example/\n  quorum\tgroup\n"
    )  # fmt: skip
    assert policy.witness_urls == {b"\xe2\x84\xaaelvin\x80": b"https://w1.example/", b"all": None}
    assert policy.logs == {LOG.verifying: b"https://log.example/"}
    assert policy.satisfied(keys(X1, X2))
    assert not policy.satisfied(keys(X1))


def test_thirty_two_logs_witnesses_and_groups_within_each_other_are_read():
    lines = [f"log {SigningKey.from_seed('log.example', bytes([i]) * 32).vkey}" for i in range(32)]
    signers = [SigningKey.from_seed(f"w{i}", bytes([i]) * 32, COSIGNATURE) for i in range(32)]
    lines += [f"witness w{i} {signer.vkey}" for i, signer in enumerate(signers)] + ["group g0 all w0"]
    lines += [f"group g{i} all g{i - 1} w{i}" for i in range(1, 32)] + ["quorum g31", ""]
    policy = TrustPolicy.parse("\n".join(lines).encode())
    assert policy.satisfied(keys(*signers))
    assert not policy.satisfied(keys(*signers[1:]))


def test_groups_nested_deeper_than_any_stack_are_judged():
    lines = [
        f"witness w {X1.vkey}",
        "group g0 any w",
        *(f"group g{i} any g{i - 1}" for i in range(1, 5000)),
        "quorum g4999",
        "",
    ]
    assert TrustPolicy.parse("\n".join(lines).encode()).satisfied(keys(X1))


W, V = f"witness w {X1.vkey}\n", f"witness v {X2.vkey}\n"
AS_W = SigningKey.from_seed("other.name", bytes([0]) * 32, COSIGNATURE).vkey


@pytest.mark.parametrize(("text", "why"), [
    ("", "has a quorum line"), (W, "has a quorum line"), ("quorum none", "no end"), ("quorum none\nquorum none\n", "Line 2: .* one quorum"),
    ("quorum none\r\n", "256 kB"), ("quorum none\n\x00", "256 kB"), ("#" * 300_000 + "\nquorum none\n", "256 kB"),
    ("quorum none # inline\n", "A line says"), ("Quorum none\n", "A line says"), ("quibble w\n", "A line says"), ("quorum\n", "A line says"),
    ("log\n", "A line says"), ("log garbage\n", "A key is"), (f"log {X1.vkey}\n", "type 1"), (f"log {LOG.vkey} u more\n", "A line says"),
    (f"log {LOG.vkey}\nlog {SigningKey.from_seed('renamed', b'l' * 32).vkey}\n", "twice"),
    ("witness w\n", "A line says"), (f"witness w {LOG.vkey}\n", "type 4"), (f"witness none {X1.vkey}\n", "name is taken"),
    (f"{W}witness w {X2.vkey}\n", "name is taken"), (f"{W}witness x {AS_W}\n", "Line 2: .* twice"), (f"{W}group w any w\n", "name is taken"),
    (f"{W}group none any w\n", "name is taken"), (f"{W}group g any\n", "A line says"), (f"{W}group g 0 w\n", "between 1"),
    (f"{W}group g 2 w\n", "between 1"), (f"{W}group g -1 w\n", "between 1"), (f"{W}group g 01 w\n", "between 1"), (f"{W}group g some w\n", "between 1"),
    (f"{W}group g {'9' * 5000} w\n", "between 1"), (f"{W}group g any x\n", "earlier line"), (f"group g any w\n{W}", "Line 1: .* earlier line"),
    (f"{W}group g any none\n", "earlier line"), (f"{W}group g any g\n", "earlier line"), (f"{W}group g all w w\n", "cannot count twice"),
    (f"{W}{V}group g any w v\ngroup h any w\n", "Line 4: .* cannot count twice"), ("quorum x\n", "earlier line"), (f"quorum w\n{W}", "earlier line"),
    (f"witness w {X1.vkey.replace('w0', 'é')}\n", "id in this key"),
])  # fmt: skip
def test_a_policy_that_breaks_a_rule_is_refused_with_its_line_and_reason(text, why):
    with pytest.raises(MalformedTrustPolicy, match=why) as refused:
        TrustPolicy.parse(text.encode())
    assert "c2sp.org/tlog-policy" in str(refused.value)


def test_a_key_whose_name_is_not_text_is_refused():
    with pytest.raises(MalformedTrustPolicy, match="UTF-8"):
        TrustPolicy.parse(b"log \xff" + LOG.vkey.encode() + b"\n")


words = st.sampled_from(
    [
        b"log",
        b"witness",
        b"group",
        b"quorum",
        b"none",
        b"all",
        b"any",
        b"1",
        b"2",
        b"w",
        b"g",
        X1.vkey.encode(),
        LOG.vkey.encode(),
        b"#",
    ]
)
some_lines = st.lists(st.lists(words | st.binary(max_size=4), max_size=5).map(b" ".join), max_size=8).map(
    lambda ls: b"\n".join([*ls, b"quorum none\n"])
)


@given(some_lines | st.binary(max_size=100))
def test_a_policy_of_anything_is_read_or_refused(data):
    with suppress(LifecycleError):
        TrustPolicy.parse(data).satisfied([X1.verifying])
