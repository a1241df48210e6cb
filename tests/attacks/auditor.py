"""What an auditor holds, outside the reach of any attacker: keys, old checkpoints, a mirror, a witness, a receipt."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lifecycle import verify
from lifecycle.clock import Clock
from lifecycle.ledger.add_checkpoint import Answer
from lifecycle.ledger.checkpoint import Checkpoint
from lifecycle.ledger.log_sources import FolderSource
from lifecycle.ledger.mirror import Mirrored, mirror
from lifecycle.ledger.note import VerifyingKey, read_note
from lifecycle.ledger.witness_doors import DropDoor, Silent
from lifecycle.ledger.witnessing import WitnessAt, ask_witnesses
from lifecycle.witness import file_drop
from lifecycle.witness.folder import WitnessFolder

if TYPE_CHECKING:
    from lifecycle.engine import Engine


@dataclass(frozen=True)
class Said:
    """What the verifier said: its exit code, and its JSON."""

    code: int
    told: dict[str, Any]

    @property
    def in_short(self) -> tuple[int, str, str | None]:
        return self.code, self.told["verdict"], self.told["step"]

    def is_accepted(self, level: str = "L1") -> bool:
        return (self.in_short, self.told["level"]) == ((0, "ok", None), level) or self._tell()

    def is_invalid(self, step: str, because: str = "") -> bool:
        return (self.in_short == (3, "invalid", step) and because in self.told["message"]) or self._tell()

    def is_contradiction(self, step: str, because: str = "") -> bool:
        return (self.in_short == (4, "contradiction", step) and because in self.told["message"]) or self._tell()

    def is_stale(self, step: str) -> bool:
        return self.in_short == (5, "stale", step) or self._tell()

    def _tell(self) -> bool:
        raise AssertionError(f"the verifier said: {self.in_short} {self.told['message']}")


class WitnessSilent(Exception):
    """The witness did not cosign, and accuses nobody."""


class CarriedDoor:
    """The file-drop door with the witness's auditor standing beside it: asked, answered, collected."""

    def __init__(self, witness: Path, clock: Clock) -> None:
        self._witness = witness
        self._clock = clock
        self._drop = DropDoor(WitnessFolder(witness).drop)

    def ask(self, request: bytes, origin: str) -> Answer:
        with contextlib.suppress(Silent):
            return self._drop.ask(request, origin)
        assert len(file_drop.once(self._witness, clock=self._clock)) == 1
        answered = self._drop.collect(origin)
        assert answered is not None
        return answered[1]

    def collect(self, origin: str) -> None:
        return None


class Auditor:
    """A folder on the auditor's own machine."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.folder = folder
        self.clock = clock
        self.witness = WitnessFolder(folder / "witness")

    def meet(self, engine: Engine) -> None:
        """The first time: learn the log's key, and make a witness that knows it."""
        if (self.folder / "log.vkey").exists():
            return
        vkey = engine.log.keys.signing(engine.log.origin)[0].vkey
        self.folder.mkdir(parents=True)
        (self.folder / "log.vkey").write_text(vkey + "\n")
        witness = self.witness.create("witness.example/auditor")
        self.witness.add_log(vkey)
        policy = f"log {vkey}\nwitness mine {witness.vkey}\nquorum mine\n"
        (self.folder / "policy").write_text(policy)
        shutil.copyfile(self.folder / "policy", self.folder / "trust")

    def copied(self, folder: Path, clock: Clock) -> Auditor:
        shutil.copytree(self.folder, folder)
        return Auditor(folder, clock)

    # -- what is kept ------------------------------------------------------------------------------------------------

    def keep_checkpoint(self, name: str, note: bytes) -> Path:
        path = self.folder / f"{name}.checkpoint"
        path.write_bytes(note)
        return path

    def keep_receipt(self, name: str, receipt: dict[str, str]) -> None:
        (self.folder / f"{name}.receipt").write_text(json.dumps({"sid": receipt["sid"], "salt": receipt["salt"]}))

    def mirror_of(self, ledger: Path, into: str = "mirror") -> Mirrored:
        return mirror(FolderSource(ledger), self.folder / into, [self.log_key])

    @property
    def log_key(self) -> VerifyingKey:
        return VerifyingKey.parse((self.folder / "log.vkey").read_text().strip())

    @property
    def sizes(self) -> tuple[int, ...]:
        """Of the checkpoints that the auditor holds."""
        notes = [read_note(path.read_bytes()) for path in self.folder.glob("*.checkpoint")]
        return tuple(sorted(Checkpoint.parse(note.text).size for note in notes))

    # -- the witness -------------------------------------------------------------------------------------------------

    def cosign(self, note: bytes, prove: Callable[[int], Sequence[bytes]], genesis: bytes) -> bytes:
        """The note with the witness's cosignature. Errors: WitnessContradicts, WitnessSilent."""
        its = WitnessAt(self.witness.key().verifying, CarriedDoor(self.witness.folder, self.clock))
        gained = ask_witnesses(note, [its], prove, genesis=genesis)
        if gained.silent:
            raise WitnessSilent(*gained.silent.values())
        return gained.note

    @property
    def evidence(self) -> list[str]:
        """The kinds of evidence that the witness has kept."""
        return sorted(json.loads(path.read_text())["kind"] for path in self.witness.evidence.glob("*.json"))

    # -- judging -----------------------------------------------------------------------------------------------------

    def verify(self, bundle: Path, *, witnessed: bool = False, mirrored: bool = False, **more: str | Path) -> Said:
        """The verifier's command line. Names of files are looked for in the auditor's own folder."""
        arguments = [str(bundle), "--json", "--key", str(self.folder / ("policy" if witnessed else "log.vkey"))]
        if mirrored:
            arguments += ["--mirror", str(self.folder / "mirror")]
        for name, value in more.items():
            arguments += [f"--{name.replace('_', '-')}", str(value)]
        with contextlib.redirect_stdout(io.StringIO()) as out:
            code = verify.main(arguments)
        return Said(code, json.loads(out.getvalue()))

    def held(self, name: str) -> Path:
        return self.folder / name
