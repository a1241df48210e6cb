"""What is printed when all goes well: for programs in the contract's shapes, for people as text and tables."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import typer
from cli.doors import CANARY, DATA, EMAIL, WHO, Door, collect, consent, document
from pydantic import BaseModel

from lifecycle.cli.main import command_line
from lifecycle.cli.parts import PARTS
from lifecycle.cli.schemas import KEPT, of_the_models, written
from lifecycle.commands.registry import COMMANDS
from lifecycle.domain.catalogue import KINDS

OUTCOME = {
    "id", "outcome", "subject", "version", "events", "code", "clause", "message", "remedy", "effects", "receipt", "request",
}  # fmt: skip
HOLDING = {
    "holding",
    "category",
    "state",
    "value",
    "masked",
    "grounds",
    "recipients",
    "source",
    "restriction",
    "held_by",
}
GROUND = {"purpose", "basis", "since", "until", "rule", "ended", "technology"}
EVENT = {"version", "position", "kind", "occurred_at", "recorded_at", "actor", "policy", "data"}
READS = [
    *(("subject", what, *WHO) for what in ("show", "history", "holdings", "consents", "recipients")),
    ("retention", "due"),
    ("retention", "sweep"),
    ("trustee", "list"),
    ("policy", "show"),
    ("policy", "show", "--version", "1.0"),
    ("policy", "check", "policy.toml"),
    ("projections", "status"),
    ("projections", "rebuild"),
    ("projections", "rebuild", "holdings"),
    ("vault", "status"),
    ("vault", "rotate"),
    ("audit", "trail"),
    ("audit", "trail", *WHO),
    ("audit", "replay", *WHO),
    ("audit", "replay", "--re-decide", *WHO),
    ("schema", "commands"),
    ("schema", "events"),
    ("migrate",),
]


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_with_json_there_is_one_value_on_standard_output_and_nothing_else(lived: Door, arguments: tuple[str, ...]):
    for asked in (("--json", *arguments), (*arguments, "--json")):
        said = lived(*asked)
        assert isinstance(said.json, dict | list)
        assert said.out.count("\n") == 1
        assert said.err == ""


@pytest.mark.parametrize("arguments", READS, ids=" ".join)
def test_without_json_there_are_words_without_colour_and_without_clear_values(lived: Door, arguments: tuple[str, ...]):
    said = lived(*arguments)
    assert said.out
    assert "\x1b" not in said.everything
    assert said.err == ""
    for value in DATA.values():
        assert value not in said.out


def test_outcomes_holdings_and_events_have_the_fields_of_the_contract(door: Door):
    consented, collected = door.apply(consent(), collect())
    assert set(consented) == set(collected) == OUTCOME
    assert (collected["id"], collected["outcome"], collected["version"]) == ("c-2", "done", 4)
    assert collected["events"] == ["personal-data-collected/1"]
    held = door("subject", "holdings", *WHO, "--json").json
    assert all(set(row) == HOLDING and row["masked"] for row in held)
    assert all(set(ground) == GROUND for row in held for ground in row["grounds"])
    assert {row["category"]: row["state"] for row in held} == dict.fromkeys(DATA, "held")
    history = door("subject", "history", *WHO, "--json").json
    assert all(set(event) == EVENT for event in history)
    assert [event["version"] for event in history] == [1, 2, 3, 4]
    assert sorted(event["position"] for event in history) == [event["position"] for event in history]
    assert CANARY not in json.dumps([event["data"] for event in history])


def test_a_refusal_is_an_answer(door: Door):
    (refused,) = door.apply(collect())
    assert (refused["outcome"], refused["code"], refused["clause"]) == ("refused", "consent-missing", "1.3")
    assert refused["message"]
    assert refused["remedy"]


def test_instants_are_told_by_the_policy_s_clock_and_codes_as_words(lived: Door):
    history = lived("subject", "history", *WHO).out
    assert "times of Asia/Singapore" in history
    assert "2024-08-01 10:00:05" in history
    assert "personal data collected" in history
    assert "free-trial, consent" in history
    assert "through 2026-08-01" in lived("subject", "holdings", *WHO).out


def test_clear_values_are_shown_for_a_purpose_and_the_read_is_on_record(lived: Door):
    clear = lived("subject", "holdings", *WHO, "--clear", "--purpose", "free-trial", "--actor", "dpo", "--json")
    assert {row["category"]: row["value"] for row in clear.json} == DATA
    assert not any(row["masked"] for row in clear.json)
    assert lived("audit", "trail", *WHO, "--json").json[-1]["outcome"] == "read"
    denied = lived("subject", "holdings", *WHO, "--clear", "--purpose", "free-trial", "--role", "recipient", code=1)
    assert "may not read" in denied.err


HOSTILE = {
    "markup": "[bold red]Ann[/bold red] [link=http://x]y[/link]",
    "direction": "Ann\u202enioJ",
    "control": "Ann\x1b[31m\x07\nBen\r",
    "separator": "Ann\u2028Ben",
    "emoji": "👩‍🎨 安",
}


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_values_are_shown_as_text_and_what_cannot_be_seen_is_written_out(lived: Door, name: str):
    data = {"name": name}
    lived.apply(document("k-1", "correct", subject={"email": EMAIL}, data=data, reason=name, at=None))
    shown = lived("subject", "holdings", *WHO, "--clear", "--purpose", "free-trial").out
    assert not set(shown) & set("\x1b\x07\r\u202e\u2028\u200d")
    if name.startswith("[bold"):
        assert name in shown
    if "\u202e" in name:
        assert "Ann\\u202enioJ" in shown
    answered = lived("apply", "-", stdin='{"id": "' + "\\u001b[31m" + '"}\n', code=1)
    assert "\x1b" not in answered.everything


def test_options_may_stand_behind_the_command(lived: Door):
    elsewhere = ("--db", "sqlite:///store.db", "--keys=keys", "--now", "2024-09-01T00:00:00+08:00")
    assert lived("subject", "show", *WHO, *elsewhere, "--json").json["events"] == 4
    assert lived("projections", "status", "--now=2024-09-02T00:00:00+08:00")


def test_a_trustee_is_engaged_signed_reviewed_and_dismissed(lived: Door):
    lived("trustee", "engage", "udesk", "--name", "Udesk", "--contact", "x@udesk.example", "--country", "CN")
    sign = ("trustee", "sign", "udesk", "--purpose", "free-trial", "--from", "2024-07-15", "--to", "2026-07-14",
            "--method", "api", "--category", "email", "--category", "phone", "--measures", "sealed")  # fmt: skip
    lacking = lived(*sign, code=1)
    assert "agreement-incomplete" in lacking.out
    assert "rights_and_obligations" in lacking.out
    lived(*sign, "--rights-and-obligations", "audits")
    (udesk,) = lived("trustee", "list", "--json").json
    assert udesk == lived("trustee", "show", "udesk", "--json").json
    (agreement,) = udesk["agreements"]
    assert (agreement["purpose"], agreement["categories"]) == ("free-trial", ["email", "phone"])
    lived("trustee", "review", "udesk", "--finding", "all is well")
    assert "free-trial" in lived("trustee", "list").out
    lived("trustee", "end", "udesk", "--reason", "changed supplier")
    lived("trustee", "dismiss", "udesk")
    assert lived("trustee", "show", "udesk", "--json").json["engaged"] is False
    assert "2024-08-01 10:00:05" in lived("trustee", "show", "udesk").out


def test_the_trail_can_be_read_in_pieces(lived: Door):
    whole = lived("audit", "trail", "--json").json
    first = lived("audit", "trail", "--limit", "2", "--json")
    assert first.json == whole[:2]
    assert f"--after {whole[1]['position']}" in first.err
    rest = lived("audit", "trail", "--after", str(whole[1]["position"]), "--json")
    assert first.json + rest.json == whole
    assert rest.err == ""


def test_a_backup_of_the_vault_is_one_json_row_a_line_for_its_owner_alone(lived: Door):
    told = lived("vault", "backup", "vault.jsonl", "--json").json
    path = lived.folder / "vault.jsonl"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(rows) == told["rows"]
    assert {"epoch", "subject_key", "data_key", "lookup"} <= {row["table"] for row in rows}
    assert CANARY not in path.read_text()


def test_a_policy_is_checked_and_shown_and_published_once(lived: Door):
    text = (lived.folder / "policy.toml").read_text().replace('version = "1.0"', 'version = "1.1"', 1)
    (lived.folder / "next.toml").write_text(text, encoding="utf-8")
    assert "well-formed" in lived("policy", "check", "next.toml").out
    assert lived("policy", "publish", "policy.toml", "--json").json["outcome"] == "nothing"
    assert lived("policy", "publish", "next.toml", "--json", code=1).json["outcome"] == "refused"
    assert "refused" in lived("policy", "publish", "next.toml", code=1).out
    assert [row["version"] for row in lived("policy", "show", "--json").json] == ["1.0"]
    (lived.folder / "faulty.toml").write_text(text.replace("Asia/Singapore", "Mars/Olympus"), encoding="utf-8")
    assert "faulty.toml" in lived("policy", "publish", "faulty.toml", code=1).err
    faults = lived("policy", "check", "faulty.toml", "--json", code=1).json["faults"]
    assert [fault["place"] for fault in faults] == ["time_zone"]


def test_the_schemas_are_of_everything_that_can_be_asked_and_recorded(empty: Door):
    commands = empty("schema", "commands").json
    assert set(commands) == set(COMMANDS)
    assert all(schema["type"] == "object" for schema in commands.values())
    assert set(empty("schema", "events").json) == set(KINDS)


def test_the_schema_of_one_command_or_one_kind_is_told_alone(empty: Door):
    assert empty("schema", "commands", "collect").json == empty("schema", "commands").json["collect"]
    assert empty("schema", "events", "consent-given/1").json == empty("schema", "events").json["consent-given/1"]
    assert "`lifecycle schema commands` lists" in empty("schema", "commands", "colect", code=2).err


@pytest.mark.parametrize("what", KEPT)
def test_the_schemas_of_the_package_are_those_of_its_models(what: str):
    """Where this fails a model has changed: `python -m lifecycle.cli.schemas` writes the files anew."""
    assert KEPT[what].read_text(encoding="utf-8") == written(of_the_models(what))


def test_the_version_is_said(empty: Door):
    assert empty("--version").out.startswith("lifecycle ")


def test_every_command_has_help_of_its_own(empty: Door):
    app = command_line()
    groups = {group.name: group.typer_instance for group in app.registered_groups}
    names = [[command.name or command.callback.__name__] for command in app.registered_commands if command.callback]
    for group, inner in groups.items():
        assert inner is not None
        names += [[str(group), c.name or c.callback.__name__] for c in inner.registered_commands if c.callback]
    assert len(names) > 30
    for name in names:
        said = empty(*name, "--help").out
        assert said.lower().startswith(f"usage: lifecycle {' '.join(name)}")


def test_each_command_is_found_by_its_name_alone():
    whole = typer.main.get_command(command_line())
    assert set(PARTS) == set(whole.commands)
    for name in PARTS:
        assert name in typer.main.get_command(command_line(name)).commands


def test_of_a_group_the_named_command_alone_is_made_and_all_if_there_is_none_of_the_name():
    whole = typer.main.get_command(command_line("subject")).commands["subject"].commands
    assert len(whole) > 5
    for name in whole:
        assert list(typer.main.get_command(command_line("subject", name)).commands["subject"].commands) == [name]
    assert typer.main.get_command(command_line("subject", "--help")).commands["subject"].commands.keys() == whole.keys()


NEVER_AT_THE_START = ("alembic", "apscheduler", "holidays", "phonenumbers", "email_validator", "psycopg", "rich")
FOR_A_STORE = ("sqlalchemy", "eventsourcing", "cryptography", "lifecycle.engine.engine")


def loaded_by(*arguments: str, among: Sequence[str]) -> list[str]:
    """Which of these modules a process has loaded after a command of the line."""
    script = (
        "import sys, lifecycle.cli.main as m; code = m.answer(%r); print(code, *(x for x in %r if x in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script % (list(arguments), tuple(among))], capture_output=True, text=True, check=True
    )
    code, *found = done.stdout.splitlines()[-1].split(" ")
    assert code == "0", done.stderr
    return found


@pytest.mark.parametrize("line", ["--help", "--version", "verify --help", "subject holdings --help"])
def test_what_needs_no_store_loads_none_of_what_is_slow(line: str):
    assert loaded_by(*line.split(), among=(*NEVER_AT_THE_START, *FOR_A_STORE, "lifecycle.policy.model")) == []


@pytest.mark.parametrize("what", ["commands", "events"])
def test_a_schema_is_told_without_models_and_what_a_store_needs(what: str):
    models = ("lifecycle.commands.document", "lifecycle.domain.event", "lifecycle.policy.model")
    assert loaded_by("schema", what, among=(*NEVER_AT_THE_START, *FOR_A_STORE, *models)) == []


@pytest.mark.usefixtures("door")
def test_a_command_that_opens_a_store_loads_what_it_needs_alone():
    """What reading, packages, transfers and single commands need is loaded by those who ask for it."""
    others = (
        "lifecycle.audit.views",
        "lifecycle.audit.full",
        "lifecycle.engine.packaging",
        "lifecycle.engine.incidents",
    )
    others += ("lifecycle.engine.transferring", "lifecycle.commands.subject.collect", "lifecycle.cli.subjects")
    acting = ("lifecycle.engine.executing", "lifecycle.schedule.sweep", "lifecycle.processes.erase_what_was_ordered")
    record = ("lifecycle.domain.subject.events", "lifecycle.projections.registry", "sqlalchemy.dialects.postgresql")
    assert loaded_by("vault", "status", among=(*NEVER_AT_THE_START, *others, *acting, *record)) == []


OF_AUDITORS = ("lifecycle.audit.judging", "lifecycle.audit.redeciding", "lifecycle.audit.why")


@pytest.mark.usefixtures("lived")
def test_what_is_held_about_a_person_is_told_without_what_auditors_ask_and_the_library_of_addresses():
    others = ("alembic", "rich", "psycopg", "email_validator", "idna", "lifecycle.engine.executing", *OF_AUDITORS)
    others += ("lifecycle.policy.loading",)
    assert loaded_by("subject", "show", *WHO, "--json", among=others) == []
    assert loaded_by("subject", "history", *WHO, "--json", among=others) == []


@pytest.mark.usefixtures("lived")
def test_what_is_held_about_a_person_is_told_without_trustees_transfers_and_incidents():
    others = ("trustee.trustee", "trustee.events", "trustee.supervision_events", "transfer.transfer", "transfer.events")
    others += ("incident.incident", "incident.events", "incident.exposure")
    others = (*(f"lifecycle.domain.{each}" for each in others), "lifecycle.audit.register")
    assert loaded_by("subject", "show", *WHO, among=others) == []
    assert loaded_by("subject", "history", *WHO, among=others) == []


@pytest.mark.usefixtures("lived")
def test_what_happened_to_a_person_is_told_without_what_it_adds_up_to():
    others = ["lifecycle.audit.views", "lifecycle.projections.registry", "lifecycle.projections.holdings"]
    others += ["lifecycle.storage.following", "lifecycle.domain.subject.state", "lifecycle.domain.subject.fold"]
    assert loaded_by("subject", "history", *WHO, among=others) == []


def test_no_model_of_events_and_policies_has_names_of_types_that_have_to_be_looked_up():
    """Where the names are texts, each is compiled and evaluated for each model that has the field: a third of loading."""
    assert all(KINDS.values())  # loaded
    models, seen = [BaseModel], set[type[BaseModel]]()
    while models:
        models += (fresh := set(models.pop().__subclasses__()) - seen)
        seen |= fresh
    ours = [each for each in seen if each.__module__.startswith(("lifecycle.domain.", "lifecycle.policy."))]
    assert len(ours) > 140
    assert [
        one for one in ours if any(isinstance(said, str) for said in vars(one).get("__annotations__", {}).values())
    ] == []


@pytest.mark.usefixtures("lived")
def test_a_command_is_applied_without_what_asks_other_machines_and_the_library_of_addresses(tmp_path: Path):
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(consent("c-9", at=None)) + "\n", encoding="utf-8")
    others = ("email_validator", "idna", "http.client", "urllib.request", "lifecycle.ledger.timestamps", *OF_AUDITORS)
    others += ("lifecycle.engine.incidents", "lifecycle.domain.incident")  # there is none to follow
    assert loaded_by("apply", str(file), among=(*NEVER_AT_THE_START, *others)) == []


@pytest.mark.usefixtures("lived")
def test_a_command_is_applied_without_the_files_of_other_commands(tmp_path: Path):
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(consent("c-9", at=None)) + "\n", encoding="utf-8")
    others = [f"lifecycle.commands.{family}" for family in ("transfer", "trustee", "incident", "policy")]
    others += [f"lifecycle.commands.subject.{command}" for command in ("link_identifier", "ask_back", "collect")]
    others += ["lifecycle.domain.transfer.transfer", "lifecycle.domain.trustee.trustee", "lifecycle.policy.loading"]
    assert loaded_by("apply", str(file), among=others) == []


@pytest.mark.usefixtures("lived")
def test_the_collector_does_not_go_through_what_was_loaded_once_more_at_the_end():
    """Its last rounds took a fifth of the time of a command. What ends with the process is out of its sight by then."""
    script = (
        "import atexit, gc, sys; from lifecycle.cli.main import run; sys.argv[1:] = ['vault', 'status', '--json']; "
    )
    script += "atexit.register(lambda: print(len(gc.get_objects()), gc.get_freeze_count())); run()"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    seen, frozen = map(int, done.stdout.splitlines()[-1].split())
    assert seen < 1_000 < 50_000 < frozen


@pytest.mark.usefixtures("lived")
def test_the_collector_does_not_look_while_a_command_loads_what_it_needs(tmp_path: Path):
    file = tmp_path / "one.jsonl"
    file.write_text(json.dumps(consent("c-9", at=None)) + "\n", encoding="utf-8")
    script = "import atexit, gc, sys; from lifecycle.cli.main import run; sys.argv[1:] = ['apply', sys.argv[1]]; "
    script += "seen = []; gc.callbacks.append(lambda *_: seen.append(1)); "
    script += "atexit.register(lambda: print(len(seen))); run()"
    done = subprocess.run([sys.executable, "-c", script, str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0"
