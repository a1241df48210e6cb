"""Cookies and similar technologies: what a consent can be about, and what a technology may collect. Policy clause 2."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lifecycle.domain.subject import refusals as r
from lifecycle.errors import Refused, listed, shown
from lifecycle.policy.model import Policy
from lifecycle.policy.vocabulary import LegalBasis


class OutsideTechnology(Refused):
    code = "outside-technology"
    clause = "2"
    rule = "policy clauses 2, 4; PIPL Art. 6; GDPR Art. 5(1)(b), (c)"
    remedy = "use a technology only for the purposes and categories that the policy declares for it"

    def __init__(self, technology: str, names: Iterable[str], why: str = "collect") -> None:
        super().__init__(f"The policy does not let technology {shown(technology)} {why}: {listed(names)}.")


class TechnologyConsentMissing(r.ConsentMissing):
    clause = "2"
    rule = "policy clauses 2, 7.5; PIPL Arts. 13(1), 14, 15; GDPR Art. 6(1)(a)"
    remedy = "obtain consent to this technology (`technologies`) before it collects, and switch it off until then"

    def __init__(self, purpose: str, technology: str) -> None:
        super().__init__(purpose, f"is in force for technology {shown(technology)}")


class ConsentObject(NamedTuple):
    """What is agreed to: a purpose, or one technology for it."""

    purpose: str
    technology: str | None = None

    @property
    def key(self) -> str:
        """As in `ConsentGiven.scopes`: ids have no dots."""
        return self.purpose if self.technology is None else f"{self.purpose}.{self.technology}"

    @classmethod
    def of(cls, key: str) -> "ConsentObject":
        purpose, _, technology = key.partition(".")
        return cls(purpose, technology or None)


def known_technologies(policy: Policy, technologies: Iterable[str]) -> None:
    for technology in technologies:
        if technology not in policy.technologies:
            raise r.UnknownWord("technology", technology)


def objects_of(policy: Policy, purposes: Sequence[str], technologies: Sequence[str]) -> list[ConsentObject]:
    """Each purpose, or each technology for those of the purposes that it serves. Nothing is named in vain: a purpose
    that none of the technologies serves is refused, and so is a technology that serves none of the purposes."""
    purposes, technologies = list(dict.fromkeys(purposes)), list(dict.fromkeys(technologies))
    if not technologies:
        return [ConsentObject(purpose) for purpose in purposes]
    known_technologies(policy, technologies)
    found = [ConsentObject(p, t) for t in technologies for p in purposes if p in policy.technologies[t].purposes]
    for technology in technologies:
        if all(one.technology != technology for one in found):
            raise OutsideTechnology(technology, purposes, "serve")
    for purpose in purposes:
        if all(one.purpose != purpose for one in found):
            raise OutsideTechnology(technologies[0], [purpose], "serve")
    return found


def collects(policy: Policy, technology: str, purpose: str, basis: LegalBasis, categories: Sequence[str]) -> None:
    """A technology runs on the person's consent alone, for its declared purposes, on its declared categories."""
    known_technologies(policy, [technology])
    declared = policy.technologies[technology]
    if purpose not in declared.purposes:
        raise OutsideTechnology(technology, [purpose], "serve")
    if excess := set(categories) - set(declared.categories):
        raise OutsideTechnology(technology, excess)
    if basis is not LegalBasis.CONSENT:
        raise r.BasisNotAllowed(purpose, basis)
