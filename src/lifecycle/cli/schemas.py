"""The JSON Schemas of commands and events, as the package has them in files: making them of models takes a second.

`python -m lifecycle.cli.schemas` writes the files anew; a test compares them with the models.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson

KEPT = {what: Path(__file__).with_name("schema_files") / f"{what}.json" for what in ("commands", "events")}


def kept(what: str) -> dict[str, Any]:
    schemas: dict[str, Any] = orjson.loads(KEPT[what].read_bytes())
    return schemas


def of_the_models(what: str) -> dict[str, Any]:
    if what == "commands":
        from lifecycle.commands.registry import COMMANDS  # noqa: PLC0415

        return {verb: entry.model.model_json_schema(by_alias=True) for verb, entry in COMMANDS.items()}
    from lifecycle.domain.catalogue import KINDS  # noqa: PLC0415

    return {kind: event.model_json_schema() for kind, event in sorted(KINDS.items())}


def written(schemas: dict[str, Any]) -> str:
    """One schema a line, so that a change of one shows."""
    lines = (f"{orjson.dumps(name).decode()}: {orjson.dumps(each).decode()}" for name, each in schemas.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    for what, path in KEPT.items():
        path.write_text(written(of_the_models(what)), encoding="utf-8")
