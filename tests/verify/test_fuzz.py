"""2,000 mutated bundles in this suite. For 100,000: `PYTHONPATH=src:tests python -m verify.fuzz 100000` (see there)."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from verify.book import event_line
from verify.fuzz import Case, cases, judge, mutate, one, packed

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


@given(
    st.binary(max_size=300)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    )
)
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


# -- a header is matched at once or read step by step: never with two results --------------------------------------------------

_PART: dict[str, Any] = {"ct": "b-_9", "hid": "h1", "kc": "c", "kid": "k-_9", "pc": "p"}
_OPEN: dict[str, Any] = {**_PART, "kc": "", "kid": ""}
HEADER: dict[str, Any] = {
    "at": "2026-11-23T15:11:04.750905Z",
    "data": {"new": [{"category": "name"}], "purpose": "newsletter", "until": None},
    "meta": {"cmd": "0f" * 32, "policy": "recruiting-site/1.0#26", "role": "service"},
    "n": 12,
    "parts": [_PART, _OPEN],
    "prev": "b-_9",
    "sid": "s",
    "type": "erasure-ordered",
    "v": 1,
}
VALUES: list[Any] = [
    *("", "a", "a b", 'a"', "a\\", "a\n", "\x7f", "é", "😀", "null", "k" * 65, "A", "0F" * 32, "consent-given", "t" * 65),
    *("2026-02-30T15:11:04.750905Z", "0000-01-01T00:00:00.000000Z", "2026-11-23T15:11:04Z", "2026-11-23T24:00:00.000000Z"),
    *(0, 1, 2, 10**15, 2**53 - 1, 2**53, None, True, [], {}, [{}], [_PART], [_OPEN] * 3, {"a": 1}, {"é": 1}, {"": {"é": []}}),
]  # fmt: skip


def matched_at_once(text: str) -> bool:
    try:
        by_step = verify._shape(verify.read_canonical(text))
    except Malformed:
        by_step = None
    at_once = verify._plain_header(text)
    assert at_once is None or at_once == by_step, text
    assert by_step is None or verify.read_header(text) == by_step, text
    return at_once is not None


def _with_one_other(value: Any, other: Any) -> Iterator[Any]:
    """The value again and again, each time with something else in one place."""
    yield other
    if isinstance(value, dict):
        for key, held in value.items():
            yield from ({**value, key: each} for each in _with_one_other(held, other))
            yield {each: value[each] for each in value if each != key}
    elif isinstance(value, list):
        for at, held in enumerate(value):
            yield from ([*value[:at], each, *value[at + 1 :]] for each in _with_one_other(held, other))


def test_a_header_with_another_value_anywhere_is_read_in_one_way() -> None:
    for value in VALUES:
        for header in _with_one_other(HEADER, value):
            matched_at_once(json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


@pytest.mark.parametrize(
    "piece", ["", '"', "\\", "\\n", " ", ",", "}", "{}", "0", "-", ".5", "A", "\n", "é", '"n":12,', '{"a":0},']
)
def test_a_header_that_is_edited_anywhere_is_read_in_one_way(piece: str) -> None:
    text = json.dumps(HEADER, separators=(",", ":"))
    for at in range(len(text) + 1):
        for end in (at, at + 1, at + 2):
            matched_at_once(text[:at] + piece + text[end:])


def test_the_headers_of_honest_bundles_are_matched_at_once(every: list[Case]) -> None:
    """Else the quick way would be taken by nobody, and tested by nothing."""
    assert matched_at_once(json.dumps(HEADER, separators=(",", ":")))
    headers = [json.loads(line)["header"] for case in every for line in case.files["events.jsonl"].splitlines()]
    assert len(headers) > 5
    assert all(matched_at_once(each) for each in headers)


# -- a line is taken apart at its marks or parsed: never with two results --------------------------------------------------------

LINE: dict[str, Any] = {
    "header": json.dumps(HEADER, separators=(",", ":")),
    "inclusion": "b-_9",
    "index": 12,
    "parts": [{"ct": "b-_9"}, {}],
    "salt": "c-_9",
    "stream": 1,
}


def taken_apart(text: str) -> bool:
    try:
        by_step = verify._event_by_step(text)
    except (Malformed, RecursionError):
        by_step = None
    at_once = verify._plain_event(text)
    if at_once is not None and by_step is None:  # a control character, which JSON may not hold and base64url does not
        with pytest.raises(Malformed):
            verify.unb64url(at_once[0].inclusion + at_once[0].salt)
        return True
    assert at_once is None or at_once == by_step, text
    return at_once is not None


def test_a_line_with_another_value_anywhere_is_read_in_one_way() -> None:
    for value in [*VALUES, '","stream":0}', '","salt":"', '"}],"salt":"', '","inclusion":"', LINE["header"]]:
        for line in _with_one_other(LINE, value):
            taken_apart(json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False))


@pytest.mark.parametrize(
    "piece",
    ["", '"', "\\", '\\"', " ", ",", "}", "]", "0", "-", ".5", "A", "\t", "é", '","stream":0}', '"index":12,', "[]"],
)
def test_a_line_that_is_edited_anywhere_is_read_in_one_way(piece: str) -> None:
    text = event_line(LINE).decode().removesuffix("\n")
    for at in range(len(text) + 1):
        for end in (at, at + 1, at + 2):
            taken_apart(text[:at] + piece + text[end:])


def test_the_lines_of_honest_bundles_are_taken_apart(every: list[Case]) -> None:
    lines = [line.decode() for case in every for line in case.files["events.jsonl"].splitlines()]
    assert len(lines) > 5
    assert all(taken_apart(each) for each in lines)


def _slow(patch: pytest.MonkeyPatch) -> None:
    """Every line and header step by step, every proof hashed to the root, one event at a time."""
    batches = verify.Bundle.batches
    patch.setattr(verify, "_plain_event", lambda _: None)
    patch.setattr(verify, "_plain_header", lambda _: None)
    patch.setattr(verify.Inclusions, "holds", verify.Inclusions._holds_whole)
    patch.setattr(
        verify.Bundle, "batches", lambda self, name: ([each] for some in batches(self, name) for each in some)
    )


def _verdict(case: Case, raw: bytes) -> tuple[str, str]:
    case.asked.bundle.write_bytes(raw)
    try:
        verify.verify(case.asked)
    except verify.Verdict as verdict:
        return verdict.verdict, verdict.message
    return "ok", ""


def test_what_is_quick_gives_the_verdicts_of_what_is_slow(every: list[Case]) -> None:
    for seed in range(150):
        rng = random.Random(seed)
        case = every[seed % 2]  # those with events of several kinds
        raw = mutate(rng, case, every[1 - seed % 2])
        quick = _verdict(case, raw)
        with pytest.MonkeyPatch.context() as patch:
            _slow(patch)
            slow = _verdict(case, raw)
        assert quick[0] == slow[0], (quick, slow)
