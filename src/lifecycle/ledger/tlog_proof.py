"""A proof in one file that an entry is in a witnessed log, as anyone's tools read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from lifecycle.errors import LifecycleError
from lifecycle.ledger import cosignature
from lifecycle.ledger.checkpoint import MAX_SIZE, Checkpoint, decimal, hash_of, open_checkpoint
from lifecycle.ledger.note import MAX_NOTE, base64, read_note, unbase64
from lifecycle.ledger.tlog_policy import QuorumMissing, TrustPolicy
from lifecycle.ledger.tree import HASH_BYTES, BadProof, root_of_inclusion

# Section names in comments are those of c2sp.org/tlog-proof.
_FIRST = "c2sp.org/tlog-proof@v1"
_MAX_PATH = 63
_MAX_PROOF = 2 * MAX_NOTE


class MalformedTlogProof(LifecycleError):
    """These bytes are not a proof as C2SP writes them."""

    code: ClassVar[str] = "malformed-tlog-proof"
    rule: ClassVar[str] = "c2sp.org/tlog-proof"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """ "Format": where the entry is, the way from its leaf to the root, and the signed note of that root, as it is."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index <= MAX_SIZE or len(self.path) > _MAX_PATH:
            raise MalformedTlogProof("The index is below 2^63, and a path has at most 63 hashes.")
        if any(len(each) != HASH_BYTES for each in self.path):
            raise MalformedTlogProof("A hash has 32 bytes.")
        read_note(self.checkpoint)

    def written(self) -> bytes:
        extra = [f"extra {base64(self.extra)}"] if self.extra else []
        lines = [_FIRST, *extra, f"index {self.index}", *map(base64, self.path), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> TlogProof:
        """Read a proof strictly. Nothing in it is known to be true before `verify`; `extra` never is."""
        if len(data) > _MAX_PROOF:
            raise MalformedTlogProof("A proof of more than two million bytes is not read.")
        head, empty, checkpoint = data.partition(b"\n\n")
        if not empty or not head.isascii():
            raise MalformedTlogProof("A proof is lines of ASCII, an empty line and a checkpoint.")
        first, *lines = head.decode("ascii").split("\n")
        if first != _FIRST:
            raise MalformedTlogProof(f"A proof begins with the line {_FIRST}.")
        extra = _extra(lines.pop(0)) if lines and lines[0].startswith("extra ") else b""
        if not lines or not lines[0].startswith("index "):
            raise MalformedTlogProof("A proof has a line with the index.")
        index = decimal(lines[0].removeprefix("index "), MalformedTlogProof)
        return cls(index, tuple(hash_of(line, MalformedTlogProof) for line in lines[1:]), checkpoint, extra)

    def verify(self, leaf: bytes, trusted: TrustPolicy) -> tuple[Checkpoint, tuple[cosignature.Cosignature, ...]]:
        """ "Verifying a tlog proof", steps 2 to 4, of a leaf hash that the caller has computed."""
        checkpoint = open_checkpoint(self.checkpoint, trusted.log_keys)
        cosigned = cosignature.verify(read_note(self.checkpoint), trusted.witness_keys)
        if not trusted.satisfied(each.key for each in cosigned):
            raise QuorumMissing("The checkpoint lacks cosignatures of witnesses that the policy of trust names.")
        if root_of_inclusion(leaf, self.index, checkpoint.size, self.path) != checkpoint.root:
            raise BadProof("The path leads to another root than the signed one.")
        return checkpoint, cosigned


def _extra(line: str) -> bytes:
    try:
        extra = unbase64(line.removeprefix("extra "))
    except ValueError:
        extra = b""
    if not extra:
        raise MalformedTlogProof("Extra data is base64 as RFC 4648, section 4, writes it, and never empty.")
    return extra
