"""Where a person may complain: to the controller by the policy's contacts, or to the authority of their region."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.policy.model import Policy
from lifecycle.policy.packs import known_packs


@dataclass(frozen=True, slots=True)
class Regulator:
    """The authority of one jurisdiction, as its pack names it."""

    region: str
    name: str
    address: str


def regulators(policy: Policy, region: str | None) -> tuple[Regulator, ...]:
    """The authority of the person's region; of every jurisdiction of the policy where the region is not known."""
    packs = (known_packs()[code] for code in policy.jurisdictions if region in (None, code))
    return tuple(Regulator(pack.jurisdiction, pack.authority, pack.authority_address) for pack in packs)


def complaint_route(policy: Policy, region: str | None) -> str:
    """In words, for the person. Policy clause 10.2."""
    contacts = "; ".join(f"{name}: {where}" for name, where in policy.controller.contacts.items())
    authorities = "; ".join(f"{each.name} ({each.address})" for each in regulators(policy, region))
    return f"Complain to {policy.controller.name} ({contacts}), or to the authority: {authorities}."
