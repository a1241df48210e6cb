"""What recipients are called: by the policy where it declares them, otherwise by the words that the record seals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import RecipientKind
from lifecycle.projections.recipients import GivenTo
from lifecycle.storage.policies import Policies
from lifecycle.vault.vault import Vault

Key = tuple[str, str]  # kind and recipient


def named(
    c: Connection, vault: Vault | None, policies: Policies, subject_id: UUID, given: Iterable[GivenTo], now: datetime
) -> dict[Key, str]:
    """The names that can be told; of a reference none without the vault, or once the record's words are erased."""
    policy = policies.in_force(now, c) or policies.newest(c)
    wanted = dict.fromkeys((one.kind, one.recipient) for one in given)
    names = dict(_declared(policy, wanted)) if policy is not None else {}
    if vault is not None and any(RecipientKind(kind).goes_by_reference for kind, _ in wanted):
        names |= _sealed(c, vault, policies, subject_id)
    return names


def _declared(policy: Policy, wanted: Iterable[Key]) -> Iterable[tuple[Key, str]]:
    tables: Mapping[str, Mapping[str, str]] = {
        RecipientKind.TRUSTEE: {each.id: each.name for each in policy.trustees.values()},
        RecipientKind.THIRD_PARTY: {each.id: each.name for each in policy.third_parties.values()},
        RecipientKind.PRODUCT: {each.id: each.provider for each in policy.third_party_products.values()},
        RecipientKind.TECHNOLOGY: {each.id: each.provider for each in policy.technologies.values()},
        RecipientKind.SYSTEM: {each.id: each.label for each in policy.systems.values()},
    }
    for kind, id in wanted:
        name = tables.get(kind, {}).get(id)
        if name is not None:
            yield (kind, id), name


def _sealed(c: Connection, vault: Vault, policies: Policies, subject_id: UUID) -> dict[Key, str]:
    from lifecycle.audit.reopened import opened  # noqa: PLC0415 -- seldom: most people's data goes to nobody by reference
    from lifecycle.domain.subject.outgoing_events import PersonalDataDisclosed, PersonalDataProvided  # noqa: PLC0415

    names: dict[Key, str] = {}
    for each in opened(c, vault, policies, subject_id).events:
        match each.event:
            case PersonalDataDisclosed(authority=reference, name=str(name)):
                names[RecipientKind.AUTHORITY.value, reference] = name
            case PersonalDataProvided(recipient=reference, to=to, name=str(name)):
                names[to.value, reference] = name
    return names
