"""Instructions go out through the outbox: each as one file, once, and no value in it."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from sharing_with import answer, duties, engaged, given, only
from whole.stores import ANN, BEN, TRIAL, Store

from lifecycle.engine import open_engine
from lifecycle.errors import StoreUnavailable
from lifecycle.outbox.delivery import Letter


def with_outbox(store: Store, outbox: Any) -> None:
    store.engine.close()
    store.engine = open_engine(store.settings.db, keys=store.settings.keys, outbox=outbox)


def letters(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


def test_an_instruction_is_a_file_by_which_the_recipient_can_answer(store: Store, tmp_path: Path):
    folder = tmp_path / "out" / "box"
    with_outbox(store, folder)
    engaged(store)
    given(store, "email")
    store.do("erase", subject=ANN, ground="7.3d")
    store.engine.react()
    duty = only(store)
    (path,) = folder.iterdir()
    assert path.name == f"{duty['instruction']}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (letter,) = letters(folder)
    assert set(letter) == {"format", "instruction", "recipient", "subject", "duty", "holdings", "purposes",
                           "agreement", "because", "since", "due", "token"}  # fmt: skip
    assert (letter["duty"], letter["due"], letter["holdings"]) == ("erase", duty["due"], duty["holdings"])
    assert not any(value in path.read_text() for value in TRIAL.values())
    said = {"instruction": letter["instruction"], "token": letter["token"]}
    assert store.do("confirm", subject={"id": letter["subject"]}, **said, evidence="done").outcome == "done"


def test_without_an_outbox_instructions_wait_and_the_first_one_takes_those_that_are_open(store: Store, tmp_path: Path):
    engaged(store)
    for subject in (ANN, BEN):
        given(store, "email", subject=subject)
        store.do("restrict", subject=subject, categories=["email"], reason="disputed")
    store.engine.react()
    assert answer(store, "confirm", only(store, subject=BEN)).outcome == "done"
    with_outbox(store, tmp_path / "outbox")
    store.engine.sweep()
    assert [each["instruction"] for each in letters(tmp_path / "outbox")] == [only(store, subject=ANN)["instruction"]]


def test_the_letter_taken_by_hand_is_the_letter_that_goes_out(store: Store, tmp_path: Path):
    with_outbox(store, tmp_path / "outbox")
    engaged(store)
    given(store, "email")
    store.do("instruct", subject=ANN, recipient="udesk", duty="return")
    store.engine.react()
    (letter,) = letters(tmp_path / "outbox")
    by_hand = store.engine.letter(letter["instruction"])
    assert {**by_hand, "since": None, "due": None, "holdings": list(by_hand["holdings"]), "purposes": []} == {
        **letter,
        "since": None,
        "due": None,
    }


class Failing:
    """Delivers, and fails after the first letter as long as it is told to."""

    def __init__(self) -> None:
        self.delivered: list[str] = []
        self.fails = True

    def deliver(self, letter: Letter) -> None:
        if self.fails and self.delivered:
            raise StoreUnavailable("The way is blocked.")
        self.delivered.append(letter.instruction)


def test_a_delivery_that_fails_is_tried_again_until_it_succeeds(store: Store):
    delivery = Failing()
    with_outbox(store, delivery)
    engaged(store)
    for subject in (ANN, BEN):
        given(store, "email", subject=subject)
        store.do("restrict", subject=subject, categories=["email"], reason="disputed")
    with pytest.raises(StoreUnavailable):
        store.engine.react()
    delivery.fails = False
    store.engine.react()
    assert set(delivery.delivered) == {each["instruction"] for each in duties(store)}
    before = len(delivery.delivered)
    store.engine.react()
    assert len(delivery.delivered) == before


def test_an_outbox_that_is_no_folder_is_said_clearly(store: Store, tmp_path: Path):
    (tmp_path / "file").write_text("x")
    with_outbox(store, tmp_path / "file")
    engaged(store)
    given(store, "email")
    store.do("restrict", subject=ANN, categories=["email"], reason="disputed")
    with pytest.raises(StoreUnavailable, match="outbox"):
        store.engine.react()
