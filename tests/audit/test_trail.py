"""Who asked what, when and with what outcome, as the events say it."""

from __future__ import annotations

from uuid import UUID

from lives import Town, consents, gives

from lifecycle.audit.trail import Asked, trail
from lifecycle.domain.streams import attempts_stream
from lifecycle.domain.subject.events import CommandRefused, PersonalDataRead
from lifecycle.vault.sealing import OpenParts


def asked(town: Town, person: UUID | None) -> list[Asked]:
    town.sequence()
    with town.database.read() as c:
        return trail(c, person, 100)


def a_trial(town: Town) -> UUID:
    person = town.register()
    town.act(person, consents("free-trial"))
    town.act(person, gives("free-trial", "name"))
    return person


def test_refusals_and_reads_are_beside_what_was_done(town: Town):
    person = a_trial(town)
    now = town.clock.now()
    refused = CommandRefused(
        occurred_at=now, command="collect", code="consent-missing", clause="1.3", purpose="quotation"
    )
    town.note(person, refused)
    town.note(person, PersonalDataRead(occurred_at=now, purpose="free-trial", holdings=("h1",), clear=True))
    rows = asked(town, person)
    assert [(row.kind.partition("/")[0], row.outcome) for row in rows] == [
        ("subject-registered", "done"),
        ("identifier-linked", "done"),
        ("consent-given", "done"),
        ("personal-data-collected", "done"),
        ("command-refused", "refused"),
        ("personal-data-read", "read"),
    ]
    assert (rows[4].command, rows[4].code, rows[4].clause, rows[4].purpose) == (
        "collect",
        "consent-missing",
        "1.3",
        "quotation",
    )
    assert {row.role for row in rows} == {"service"}
    assert [row.position for row in rows] == sorted(row.position for row in rows)


def test_an_attempt_about_somebody_unknown_is_in_it_without_a_subject(town: Town):
    refused = CommandRefused(occurred_at=town.clock.now(), command="withdraw-consent", code="unknown-subject")
    stream = attempts_stream(town.clock.now().date())
    town.append(stream, OpenParts(), [refused])
    (row,) = [row for row in asked(town, None) if row.outcome == "refused"]
    assert (row.subject_id, row.stream_id, row.code) == (None, stream, "unknown-subject")


def test_the_trail_is_read_in_pages_by_position(town: Town):
    person = a_trial(town)
    whole = asked(town, person)
    with town.database.read() as c:
        first = trail(c, person, 3)
        assert first + trail(c, person, 3, after=first[-1].position) == whole
