"""Tokens for access packages, as a person's record knows them: by their SHA-256, never themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from lifecycle.domain.event import DomainEvent
from lifecycle.domain.subject import package_events as e

if TYPE_CHECKING:
    from lifecycle.domain.subject.state import Subject


@dataclass(frozen=True, slots=True)
class AccessToken:
    request: str
    expires: datetime
    used_at: datetime | None = None

    def ending(self, request: str, at: datetime) -> AccessToken:
        """A newer token for the request: this one opens nothing from then on."""
        return replace(self, expires=min(self.expires, at)) if self.request == request else self


def _issued(subject: Subject, event: e.AccessTokenIssued, _: datetime) -> Subject:
    before = {id: token.ending(event.request, event.occurred_at) for id, token in subject.access_tokens.items()}
    issued = AccessToken(event.request, event.expires)
    return subject.changed(access_tokens={**before, event.token: issued})


def _made(subject: Subject, event: e.AccessPackageMade, _: datetime) -> Subject:
    used = replace(subject.access_tokens[event.token], used_at=event.occurred_at)
    return subject.changed(access_tokens={**subject.access_tokens, event.token: used})


CHANGES: dict[type[DomainEvent], Callable[[Any, Any, datetime], Any]] = {
    e.AccessTokenIssued: _issued,
    e.AccessPackageMade: _made,
}
