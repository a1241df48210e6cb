"""Two controllers: ours, from which people go, and its successor, to which they come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from founding import InAFile
from sqlalchemy import select
from whole.stores import ANN, Store

from lifecycle.engine.handing_over import HandedOver, write_archive
from lifecycle.engine.taking_over import TakenOver, take_over
from lifecycle.projections.retention_calendar import retention_calendar

DAY = "2025-03-01T10:00:00+08:00"
NEWCO = {"name": "Newco Pte Ltd", "contact": "dpo@newco.example", "country": "SG"}
AGREED = {
    "purpose": "free-trial",
    "from": "2025-01-01",
    "to": "2026-12-31",
    "method": "api",
    "categories": ["name", "company", "phone", "email"],
    "measures": "encrypted",
    "rights_and_obligations": "audits",
}


@contextmanager
def successor(folder: Path, founded: InAFile, text: str | None = None) -> Iterator[Store]:
    """A store of its own, with keys and a log of its own: those of two folders of one name are the same."""
    folder.mkdir()
    with founded.store(folder, folder / "keys", text, named(folder.name)) as store:
        yield store


@cache
def named(_: str) -> Callable[[Store], None]:
    """Nothing happened in it; but it is not the store of any other name."""
    return lambda _: None


def done(outcome: Any) -> Any:
    assert outcome.outcome == "done", outcome
    return outcome


@dataclass(frozen=True)
class Handing:
    """One transfer, from the announcement on, as far as a test takes it."""

    ours: Store
    folder: Path
    key: X25519PrivateKey
    name: str = "newco"

    @classmethod
    def of(cls, ours: Store, folder: Path) -> Handing:
        return cls(ours, folder, X25519PrivateKey.generate())

    @property
    def archive(self) -> Path:
        return self.folder / "archive.zip"

    def announce(self, **scope: Any) -> None:
        done(self.ours.do("announce-transfer", transfer=self.name, cause="merger", recipient=NEWCO, **scope))

    def notify(self) -> Any:
        return self.ours.engine.transfers.notify(self.name, "email")

    def run(self) -> Any:
        return self.ours.engine.transfers.run(self.name)

    def write(self) -> HandedOver:
        return write_archive(self.ours.engine, self.name, self.key.public_key(), self.archive)

    def hand_over(self, **scope: Any) -> HandedOver:
        """Everything from our side but the confirmation."""
        self.announce(**scope)
        self.notify()
        self.run()
        return self.write()

    def accept(self, theirs: Store, archive: Path | None = None) -> TakenOver:
        if theirs.engine.clock.now() < self.ours.engine.clock.now():
            theirs.engine.move_clock(self.ours.engine.clock.now())
        trusted = self.ours.engine.log.known_keys()
        return take_over(theirs.engine, archive or self.archive, self.key, trusted)

    def confirm(self, token: str) -> Any:
        outcome = self.ours.do("confirm-transfer", transfer=self.name, token=token)
        self.ours.engine.sweep()
        return outcome


def a_customer(store: Store) -> UUID:
    """Of whom there is a little of everything."""
    store.engine.move_clock(datetime.fromisoformat(DAY))
    done(store.do("engage-trustee", trustee="udesk", name="Udesk", contact="dpo@udesk.example", country="CN"))
    done(store.do("sign-agreement", trustee="udesk", agreement=AGREED))
    done(store.consent())
    person = done(store.collect()).subject
    done(store.do("share", subject=ANN, trustee="udesk", purpose="free-trial", categories=["email"], method="api"))
    quote = {"purpose": "quotation", "basis": "contract", "evidence": "K-1"}
    done(store.collect(**quote, data={"phone": "+6591234567", "email": "ann@work.example"}))
    done(store.do("correct", subject=ANN, data={"name": "Anne"}, reason="misspelt"))
    done(store.do("link-identifier", subject=ANN, identifier={"ref": "user-42"}))
    done(store.do("give-notice", subject=ANN, policy="1.0", channel="email"))
    done(store.do("record-birth-date", subject=ANN, birth_date="1990-01-02", evidence="passport"))
    account = {"purpose": "account-login", "basis": "contract", "evidence": "K-2"}
    done(store.collect(**account, data={"login-account": "ann-7"}))
    done(store.do("end-purpose", subject=ANN, purpose="account-login", reason="contract-ended"))
    done(
        store.do(
            "place-hold", subject=ANN, hold="case-7", reason="litigation", authority="court", categories=["company"]
        )
    )
    done(store.do("restrict", subject=ANN, categories=["company"], reason="disputed"))
    done(_asked(store, "access", "A-1"))
    done(_asked(store, "explanation", "E-1"))
    done(store.do("fulfil-request", subject=ANN, request="E-1", note="by letter"))
    store.engine.sweep()
    assert isinstance(person, UUID)
    return person


def _asked(store: Store, kind: str, name: str) -> Any:
    said = {"channel": "email", "text": "please", "identity": "call back"}
    return store.do("receive-request", subject=ANN, request=name, kind=kind, **said)


def standing(store: Store, person: UUID) -> dict[str, Any]:
    """Everything that the projections say of somebody who is still here."""
    read, whom = store.engine.read, {"id": str(person)}
    gone = ("erased", "anonymised")
    return {
        "holdings": [row for row in read.holdings(whom) if row["state"] not in gone],
        "consents": read.consents(whom),
        "recipients": read.recipients(whom),
        "requests": read.requests(whom),
        "words": read.requests_in_words(person),
        "calendar": calendar(store, person),
    }


def calendar(store: Store, person: UUID) -> set[tuple[Any, ...]]:
    store.engine.drain()
    column = retention_calendar.c
    chosen = select(column.due, column.things)
    with store.engine.database.read() as c:
        return {tuple(row) for row in c.execute(chosen.where(column.subject_id == person))}
