"""The facts about access packages: a token was issued for one, and one was made. Policy clause 7.1."""

from datetime import datetime
from typing import ClassVar

from lifecycle.domain.event import DomainEvent


class AccessTokenIssued(DomainEvent):
    """Whoever brings the token of this SHA-256 before `expires` is given the package, once. It replaces the tokens of
    the same request before it."""

    kind: ClassVar[str] = "access-token-issued/1"
    request: str
    token: str
    expires: datetime


class AccessPackageMade(DomainEvent):
    """These holdings are handed out in clear, in a file of this SHA-256; recorded before the file is. The token is
    used up by it."""

    kind: ClassVar[str] = "access-package-made/1"
    request: str
    token: str
    holdings: tuple[str, ...]
    digest: str
    language: str
