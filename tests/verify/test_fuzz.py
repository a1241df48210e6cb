"""2,000 mutated bundles in this suite. For 100,000: `PYTHONPATH=src:tests python -m verify.fuzz 100000` (see there)."""

from __future__ import annotations

import random
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verify.fuzz import Case, cases, judge, one, packed

from lifecycle import verify
from lifecycle.verify import Malformed


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> list[Case]:
    return cases(tmp_path_factory.mktemp("fuzz"))


class Untouched(random.Random):
    """Makes no choice that damages a ZIP."""

    def randrange(self, *_: object) -> int:  # type: ignore[override]
        return 23


def test_the_honest_bundles_are_accepted(every: list[Case]) -> None:
    for case in every:
        assert judge(case, packed(Untouched(1), case.files)) == "ok"


def test_the_judge_sees_an_accepted_difference(every: list[Case], monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the verifier to skip its steps, the fuzz test would fail."""
    monkeypatch.setattr(verify, "STEPS", ())
    case = every[0]
    files = {**case.files, "map.json": case.files["map.json"].replace(b'"count": 2', b'"count": 3')}
    with pytest.raises(AssertionError, match="accepted, and differs"):
        judge(case, packed(Untouched(1), files))


@settings(
    max_examples=2000,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(seed=st.integers(0, 2**63))
def test_no_mutated_bundle_is_accepted_that_differs_and_none_crashes(every: list[Case], seed: int) -> None:
    one(random.Random(seed), every)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_readers_refuse_in_their_own_way(raw: bytes) -> None:
    for read in (
        verify.read_json,
        verify.read_note,
        verify.read_checkpoint,
        verify.read_keys,
        verify._receipt,
        lambda given: verify.read_vkeys(given, verify.COSIGNATURE),
        lambda given: verify.unb64url(given.decode("latin-1")),
        lambda given: verify.unb64(given.decode("latin-1")),
        lambda given: verify.read_canonical(given.decode("utf-8", "surrogateescape")),
    ):
        with suppress(Malformed):  # anything else is a bug, and fails here
            read(raw)


@given(st.binary(max_size=100))
def test_base64url_is_read_in_one_way(raw: bytes) -> None:
    text = verify.b64url(raw)
    assert verify.unb64url(text) == raw
    for other in (text + "=", text + "\n", " " + text, text + "A" * 5, text.replace("-", "+"), text.replace("_", "/")):
        if other != text:
            try:
                assert verify.unb64url(other) != raw
            except Malformed:
                continue


@given(st.text(alphabet="AQgwBZaz09-_+/=", max_size=12))
def test_no_two_texts_of_base64url_give_the_same_bytes(text: str) -> None:
    try:
        raw = verify.unb64url(text)
    except Malformed:
        return
    assert verify.b64url(raw) == text
