"""What the demo prints, for somebody who has never heard of event sourcing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lifecycle.cli.demo import Told
from lifecycle.cli.story import ANN, LOOKS, PEOPLE
from lifecycle.cli.telling import json_line, say, table
from lifecycle.cli.words import LocalTime, reasons

ZONE = LocalTime("Asia/Singapore")  # the example policy's


def as_json(told: Told) -> None:
    json_line(
        {
            "timeline": told.timeline,
            "refused": told.refused,
            "holdings": told.holdings,
            "entries": told.entries,
            "replayed_alike": told.replayed_alike,
            "found": told.found,
            "certificate": told.certificate,
            "folder": str(told.folder),
        }
    )


def as_text(told: Told) -> None:
    say("Six people meet a company that publishes a privacy policy, and the engine holds the company to it.")
    say("Whatever happens is written down as an entry that is never changed. What is held about somebody, and why,")
    say("is computed from the entries. (The clock of this store is simulated: two years pass in seconds.)\n")
    table("What happened", ("date", "who", "what", "what the engine did"), told.timeline)
    for look in LOOKS:
        _holdings(look, told.holdings[look])
    say("")
    table("What was refused, and why", ("date", "who", "what was tried", "why not", "by the policy's"), told.refused)
    alike = "and it was the same, to the last detail" if told.replayed_alike else "AND IT WAS NOT THE SAME"
    say(f"\nEverything computed was thrown away and computed again from the {told.entries} entries, {alike}.")
    _proof(told)
    _files(told)
    say(f"\nAll this took {told.seconds:.1f} s.")


def _holdings(look: str, rows: list[dict[str, Any]]) -> None:
    told = [
        [row["category"], row["state"], _value(row), reasons(row, ZONE), row["recipients"]]
        for row in sorted(rows, key=lambda row: str(row["category"]))
    ]
    say("")
    title = f"What the company held about Ann on {look[:10]}, as it knew then (values are masked)"
    table(title, ("what", "state", "value", "why", "given to"), told)


def _value(row: Mapping[str, Any]) -> str | None:
    gone = row["state"] == "held" and row["value"] is None
    return "(erased since)" if gone else row["value"]


def _proof(told: Told) -> None:
    say(
        "\nIs it really gone? Values rest only encrypted, each under a key of its own. When each was recorded, the demo"
    )
    say("noted its encrypted bytes and its key. Now every file of the store was searched for them, byte for byte:\n")
    rows = [
        [f"{found['who']}'s {found['category']}", *(_where(found[what]) for what in ("value", "sealed", "key"))]
        for found in told.found
    ]
    table("Found in which file?", ("value", "in clear", "encrypted", "its key"), rows)
    say("The last one is still held, for customer service: that is what it looks like when something is there.")
    if told.receipt is not None:
        say(f"\nDora was handed a receipt for her deletion, beginning {told.receipt['sid'][:12]}…")
    if told.certificate is not None:
        say(
            "With it, and with nothing else, the certificate of her erasure was asked for, and a program that shares no"
        )
        say(f"code with the engine checked it against the signed log: {_verdict(told.certificate)}.")


def _verdict(said: Mapping[str, Any]) -> str:
    if said["verdict"] != "ok":
        return f"{said['verdict'].upper()}, {said['message']}"
    record = said["streams"][0]
    return f"{len(record['events'])} entries, all there, in order, unchanged; {record['state']}"


def _where(names: list[str]) -> str:
    return ", ".join(names) or "not found in any file"


def _files(told: Told) -> None:
    say(f"\nThe files are in {told.folder}:")
    for path in sorted(told.folder.rglob("*")):
        if path.is_file():
            say(f"  {path.relative_to(told.folder)}  {path.stat().st_size:,} bytes")
    ann = f"--subject email={PEOPLE[ANN]['email']}"
    say("\nLook further:")
    say(f"  export LIFECYCLE_DB={shlex.quote(told.settings.db)} LIFECYCLE_KEYS={shlex.quote(str(told.settings.keys))}")
    for command in (f"subject history {ann}", f"subject holdings {ann} --as-of {LOOKS[1]}", "audit trail",
                    f"audit replay {ann}"):  # fmt: skip
        say(f"  {_program()} {command}")


def _program() -> str:
    called = Path(sys.argv[0])
    return str(called) if called.stem == "lifecycle" else f"{sys.executable} -m lifecycle"
