"""Make an access package. Not a document of the doors: the engine asks this before it hands the file out."""

from __future__ import annotations

from typing import Literal

from lifecycle.commands.context import PersonContext
from lifecycle.commands.document import Name
from lifecycle.commands.subject.issue_access_token import Sha256
from lifecycle.commands.subject.requests import RequestCommand, id_of
from lifecycle.domain.decision import Decision
from lifecycle.domain.subject import packaging


class MakeAccessPackage(RequestCommand):
    """`digest` is that of the finished file; without it nothing is recorded but a refusal."""

    command: Literal["make-access-package"] = "make-access-package"
    token: Sha256
    holdings: tuple[Name, ...] = ()
    digest: Sha256 | None = None
    language: Name


def make_access_package(command: MakeAccessPackage, person: PersonContext) -> Decision:
    return packaging.make_access_package(
        person.subject,
        person.asked,
        request=id_of(person, command.request),
        token=command.token,
        holdings=command.holdings,
        digest=command.digest,
        language=command.language,
    )
