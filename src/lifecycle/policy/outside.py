"""What is out of this controller's scope: products that follow their own terms, and where these are. Clause 8."""

from __future__ import annotations

from dataclasses import dataclass

from lifecycle.policy.model import Policy


@dataclass(frozen=True, slots=True)
class OutOfScope:
    """A third-party product. What it does with data is its provider's affair; that we gave it data is ours."""

    id: str
    clause: str
    name: str
    provider: str
    terms: str


def out_of_scope(policy: Policy) -> tuple[OutOfScope, ...]:
    """The declared products, by id."""
    products = sorted(policy.third_party_products.values(), key=lambda product: product.id)
    return tuple(OutOfScope(each.id, each.clause, each.name, each.provider, each.terms) for each in products)
