"""Handing out an access package: a token that only its requester has, one file for it, and the record of both."""

from __future__ import annotations

import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import orjson
from pydantic import ValidationError

from lifecycle.audit.package import Opened, package_of
from lifecycle.audit.package_model import Language, Package
from lifecycle.audit.package_page import page
from lifecycle.audit.package_words import LANGUAGES
from lifecycle.commands.outcome import Outcome
from lifecycle.commands.parsing import Malformed, faults_of
from lifecycle.commands.subject.issue_access_token import IssueAccessToken
from lifecycle.commands.subject.make_access_package import MakeAccessPackage
from lifecycle.domain.subject.package_events import AccessPackageMade
from lifecycle.engine.answers import NotRead
from lifecycle.engine.archives import add_member, beside, write_whole
from lifecycle.engine.receipts import closed_receipts, keys_of_receipts, publish_if_possible
from lifecycle.errors import Invalid, StoreUnavailable

if TYPE_CHECKING:
    from lifecycle.engine.engine import Engine

TOKEN_BYTES = 32
TRIES = 8
Reference = Mapping[str, str]
NO_FILES: Mapping[str, bytes] = {}


class UnknownLanguage(Invalid):
    remedy = f"give one of {', '.join(LANGUAGES)}"

    def __init__(self) -> None:
        super().__init__("There are no words for a package in this language.")


class NoFolder(Invalid):
    remedy = "name a file in a folder that is there"

    def __init__(self) -> None:
        super().__init__("The folder for the package is not there.")


class KeptChanging(StoreUnavailable):
    remedy = "try again; others work on this person's record"

    def __init__(self) -> None:
        super().__init__("The record changed each time while its package was made.")


@dataclass(frozen=True, slots=True)
class Token:
    """`text` is for the requester alone: nothing that can open a package is kept."""

    text: str
    request: str
    expires: datetime

    def __repr__(self) -> str:
        return f"Token(expires={self.expires.isoformat()})"


@dataclass(frozen=True, slots=True)
class Made:
    """Which file was written; `digest` is its SHA-256, as the record has it."""

    path: Path
    digest: str
    holdings: int
    withheld: int


def issue_token(engine: Engine, subject: Reference, request: str, actor: Reference) -> Token:
    """Raises the refusal: `not-verified` for who has not proven who they are, `not-for-access`, `request-closed`."""
    text = secrets.token_urlsafe(TOKEN_BYTES)
    outcome = engine.execute(
        _asked(IssueAccessToken, subject=subject, actor=actor, request=request, token=hashed(text))
    )
    person = _done(outcome)
    state = engine.subject_state(person)
    issued = state.access_tokens[hashed(text)]
    return Token(text, issued.request, issued.expires)


def make_package(
    engine: Engine, subject: Reference, request: str, token: str, out: Path, actor: Reference, language: str
) -> Made:
    """Write the package, whole or not at all; that it was made is on record before the file has its name.

    Raises the refusal: `not-verified`, `token-wrong`, `token-used`, `token-expired`. If the file cannot get its name
    after that, the token is used up all the same: nobody can say that nothing was handed out.
    """
    if language not in LANGUAGES:
        raise UnknownLanguage
    if not out.parent.is_dir():
        raise NoFolder
    said = {"subject": subject, "actor": actor, "request": request, "token": hashed(token), "language": language}
    person = _allowed(engine.execute(_asked(MakeAccessPackage, **said)))
    publish_if_possible(engine)
    with beside(out) as unfinished:
        for _ in range(TRIES):
            opened, zone, files = _opened(engine, person, said, language)
            content = archive(opened.package, zone, files)
            write_whole(unfinished, content)
            digest = sha256(content).hexdigest()
            final = {"holdings": opened.given, "digest": digest, "expected_version": opened.version}
            outcome = engine.execute(_asked(MakeAccessPackage, **said, **final))
            if outcome.outcome != "conflict":
                break
        else:
            raise KeptChanging
        if outcome.outcome != "done" or AccessPackageMade.kind not in outcome.events:
            raise NotRead(outcome)
    return Made(out, digest, len(opened.given), len(opened.package.holdings) - len(opened.given))


def _opened(
    engine: Engine, person: UUID, said: Mapping[str, Any], language: Language
) -> tuple[Opened, str, dict[str, bytes]]:
    now = engine.clock.now()
    state = engine.subject_state(person)
    with engine.database.read() as c:
        request = state.access_tokens[said["token"]].request
        receipts = closed_receipts(engine, c, person)
        opened = package_of(
            c,
            engine.vault,
            engine.policies,
            person,
            request=request,
            language=language,
            now=now,
            simulated=engine.is_simulated,
            receipts=tuple(told for told, _ in receipts),
        )
        policy = engine.policies.in_force(now, c) or engine.policies.newest(c)
    assert policy is not None, "somebody is on record only under a policy"
    files = {told.file: content for told, content in receipts if told.file is not None}
    keys = {f"receipts/{name}": key for name, key in keys_of_receipts(engine).items()} if files else {}
    return opened, policy.time_zone, files | keys


def archive(package: Package, zone: str, files: Mapping[str, bytes] = NO_FILES) -> bytes:
    """The file: for machines, and for people, and `files` beside them. The same package makes the same bytes; no name
    in it tells of anybody."""
    told = orjson.dumps(package.model_dump(mode="json"), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    written = BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as file:
        add_member(file, "package.json", [told])
        add_member(file, "package.html", [page(package, zone).encode()])
        for name, content in files.items():
            add_member(file, name, [content])
    return written.getvalue()


def hashed(token: str) -> str:
    """A token has 256 random bits: no salt and no slow hash would make it harder to guess."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _asked(model: type[IssueAccessToken | MakeAccessPackage], **fields: Any) -> IssueAccessToken | MakeAccessPackage:
    try:
        return model.model_validate({"id": secrets.token_hex(16), **fields})
    except ValidationError as error:
        raise Malformed(faults_of(error)) from None


def _done(outcome: Outcome) -> UUID:
    if outcome.outcome != "done" or outcome.subject is None:
        raise NotRead(outcome)
    return outcome.subject


def _allowed(outcome: Outcome) -> UUID:
    """Asked without a digest nothing is recorded if the package may be made."""
    if outcome.outcome != "nothing" or outcome.subject is None:
        raise NotRead(outcome)
    return outcome.subject
