"""A whole store under the example policy, driven by command documents as a caller would."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Self

from lifecycle.commands.outcome import Outcome
from lifecycle.engine import Engine, open_engine
from lifecycle.engine.creation import create
from lifecycle.policy.examples import example_policy_text
from lifecycle.settings import Settings

ANN = {"email": "ann@example.com"}
BEN = {"email": "ben@example.com"}
TRIAL = {"name": "Ann", "company": "Acme", "phone": "+6591234567", "email": "ann@example.com"}
ACTOR = {"id": "web", "role": "service"}


class Store:
    """A simulated store; `at` moves its clock forward when it is later."""

    def __init__(self, url: str, keys: Path, text: str | None = None) -> None:
        self.settings = Settings(url, keys)
        self.said = 0
        self.engine, published = create(self.settings, text or example_policy_text(), simulated_clock=True)
        assert published.outcome == "done"

    @classmethod
    def opened(cls, url: str, keys: Path, said: int = 0) -> Self:
        """One that was made before, in which so many documents were said."""
        store = cls.__new__(cls)
        store.settings = Settings(url, keys)
        store.said = said
        store.engine = open_engine(url, keys=keys)
        return store

    def document(self, command: str, at: str | None = None, **fields: Any) -> dict[str, Any]:
        self.said += 1
        document = {"command": command, "id": f"c-{self.said}", "actor": ACTOR, **fields}
        return document if at is None else {**document, "at": at}

    def do(self, command: str, at: str | None = None, **fields: Any) -> Outcome:
        if at is not None and datetime.fromisoformat(at) > self.engine.clock.now():
            self.engine.move_clock(datetime.fromisoformat(at))
        return self.engine.execute(self.document(command, at, **fields))

    def consent(self, purpose: str = "free-trial", subject: dict[str, str] = ANN, **fields: Any) -> Outcome:
        given = {"purposes": [purpose], "notice": "1.0", "channel": "web-form"} | fields
        return self.do("give-consent", subject=subject, **given)

    def collect(
        self, purpose: str = "free-trial", subject: dict[str, str] = ANN, data: Any = None, **fields: Any
    ) -> Outcome:
        said = {"basis": "consent", "source": "web-form"} | fields
        return self.do("collect", subject=subject, purpose=purpose, data=data or TRIAL, **said)

    def reopen(self) -> Engine:
        self.engine.close()
        self.engine = open_engine(self.settings.db, keys=self.settings.keys)
        return self.engine

    def held(self, subject: dict[str, str] = ANN, **times: Any) -> dict[str, str]:
        return {row["category"]: row["state"] for row in self.engine.read.holdings(subject, **times)}

    def kinds(self, subject: Any = ANN) -> list[str]:
        return [row["kind"].partition("/")[0] for row in self.engine.read.history(subject)]
