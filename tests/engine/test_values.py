"""Whatever text people have: it is kept to the letter and given back to the letter, or it is not text."""

from __future__ import annotations

import pytest
from engine.stores import COLLECT, CONSENT, document, headers_of, value_in_clear
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from whole.stores import ANN, Store

from lifecycle.commands.subject.collect import Collect

TRICKY = [
    "Zoë 👩‍👩‍👧‍👦 🇸🇬",
    "שלום \u202eעולם\u202c مرحبا",
    "NUL\x00inside\x00",
    "'; DROP TABLE event_header; --",
    "%s %(name)s {name} {{7*7}} ${jndi:ldap://x} <script>alert(1)</script>",
    '\\u0000 \\ud800 "quoted" \\',
    "\ufeffbyte order mark\u2028line\u2029paragraph",
    "x" * (1 << 20),
    "  spaces  around  ",
]
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(lambda text: text.strip())


def test_tricky_values_come_back_as_they_were_collected(store: Store):
    people = [{"ref": f"user-{number}"} for number in range(len(TRICKY))]
    store.engine.execute_many([document("give-consent", "v-0", person, **CONSENT) for person in people])
    collected = [
        document("collect", "v-1", person, data={"company": value}, **COLLECT)
        for person, value in zip(people, TRICKY, strict=True)
    ]
    assert {outcome.outcome for outcome in store.engine.execute_many(collected)} == {"done"}
    assert [value_in_clear(store.engine, person)["company"] for person in people] == TRICKY


def test_what_callers_write_in_words_may_be_tricky_too(store: Store):
    """Reasons, evidence, actors and correlations are sealed like values."""
    store.consent()
    store.collect(data={"name": "Ann"})
    for number, words in enumerate(each[:150] for each in TRICKY):
        outcome = store.engine.execute(
            document("correct", f"w-{number}", ANN, data={"name": f"N{number}"}, reason=words, correlation=words)
            | {"actor": {"id": words, "role": "service"}}
        )
        assert outcome.outcome == "done"
    said = [row["actor"] for row in store.engine.read.history(ANN)][-len(TRICKY) :]
    assert [actor["id"] for actor in said] == [each[:150] for each in TRICKY]


@pytest.mark.parametrize("half", ["\ud800", "ok \udfff"])
def test_half_a_surrogate_pair_is_not_text(store: Store, half: str):
    store.consent()
    before = len(headers_of(store.engine.database, store.engine.read.subject_id(ANN)))
    said = [
        document("collect", "h-1", ANN, data={"company": half}, **COLLECT),
        document("collect", half, ANN, data={"company": "x"}, **COLLECT),
        document("collect", "h-2", {"ref": half}, data={"company": "x"}, **COLLECT),
        document("collect", "h-3", ANN, data={"company": "x"}, **COLLECT, correlation=half),
    ]
    assert [outcome.outcome for outcome in store.engine.execute_many(said)] == ["invalid"] * 4
    assert len(headers_of(store.engine.database, store.engine.read.subject_id(ANN))) == before


def test_a_model_made_in_python_is_judged_like_a_document(store: Store):
    store.consent()
    whole = Collect.model_validate(document("collect", "m-1", ANN, data={"company": "Acme"}, **COLLECT))
    half = whole.model_copy(update={"data": {"company": "\ud800"}})
    assert store.engine.execute(half).outcome == "invalid"
    assert store.engine.execute(whole).outcome == "done"


@given(values=st.lists(ANY_TEXT, min_size=1, max_size=20, unique=True))
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_text_is_kept_to_the_letter(store: Store, values: list[str]):
    person = {"ref": f"lot-{abs(hash(tuple(values)))}"}
    store.consent(subject=person)
    documents = [
        document("collect", f"a-{number}", person, data={"company": value}, **COLLECT)
        for number, value in enumerate(values)
    ]
    outcomes = store.engine.execute_many(documents)
    assert {outcome.outcome for outcome in outcomes} == {"done"}
    rows = store.engine.read_clear(person, "free-trial", {"id": "dpo", "role": "officer"})
    given_back = {row["value"] for row in rows}
    assert given_back <= set(values)
    assert len(given_back) == len({" ".join(value.split()) for value in values}) or len(given_back) == len(values)
