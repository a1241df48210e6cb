"""The register of processing counts who has a live ground now, and says where data goes and by which measures."""

from __future__ import annotations

from datetime import timedelta

from lives import SUMMER, Town, asks_erasure, consents, gives, withdraws
from whole.stores import ANN, BEN, Store

from lifecycle.policy.vocabulary import LegalBasis
from lifecycle.projections.processing_register import processed_now


def counted(town: Town, passed: timedelta = timedelta(0)) -> dict[str, int]:
    town.sequence()
    town.follower().catch_up()
    with town.database.read() as c:
        return {purpose: found.people for purpose, found in processed_now(c, SUMMER + passed).items()}


def test_people_are_counted_once_a_purpose_while_a_ground_is_live(town: Town):
    people = [town.register() for _ in range(4)]
    for person in people:
        town.act(person, consents("free-trial"))
        town.act(person, gives("free-trial", "name", "email"))
    town.act(people[0], gives("quotation", "email", basis=LegalBasis.CONTRACT))
    assert counted(town) == {"free-trial": 4, "quotation": 1}
    town.act(people[1], withdraws("free-trial"))
    town.act(people[2], asks_erasure())
    assert counted(town) == {"free-trial": 2, "quotation": 1}
    assert counted(town, timedelta(days=400)) == {"free-trial": 2}  # a quotation is kept for a year, swept or not
    with town.database.read() as c:
        found = processed_now(c, SUMMER)["free-trial"]
    assert (found.by_category, found.by_basis) == ({"name": 2, "email": 2}, {"consent": 2})


def test_the_register_names_recipients_their_countries_agreements_and_measures(store: Store):
    for subject in (ANN, BEN):
        store.consent(subject=subject, at="2024-08-01T10:00:00+08:00")
        store.collect(subject=subject)
    store.do("engage-trustee", trustee="udesk", name="Udesk", contact="x", country="CN")
    terms = {"purpose": "free-trial", "from": "2024-07-15", "to": "2024-08-31", "method": "api",
             "categories": ["email"], "measures": "sealed in transit", "rights_and_obligations": "audit"}  # fmt: skip
    assert store.do("sign-agreement", trustee="udesk", agreement=terms).outcome == "done"
    store.do("record-birth-date", subject=ANN, birth_date="1990-05-17")
    register = store.engine.read.register()
    entries = {entry["purpose"]: entry for entry in register["purposes"]}
    trial = entries["free-trial"]
    assert (trial["people"], entries["quotation"]["people"]) == (2, 0)
    assert {basis["basis"]: basis["people"] for basis in trial["bases"]} == {"consent": 2, "contract": 0}
    assert {each["category"]: each["people"] for each in trial["categories"]}["email"] == 2
    assert trial["retention"] == {
        "period": "24 months", "counts_from": "last-activity", "while_contract_lasts": False,
    }  # fmt: skip
    (recipient,) = trial["recipients"]
    (agreement,) = recipient["agreements"]
    assert (recipient["engaged"], agreement["measures"]) == (True, "sealed in transit")
    assert trial["transfers_abroad"] == [{"recipient": "udesk", "country": "CN"}]
    assert entries["quotation"]["recipients"][0]["agreements"] == []
    assert [each["law"] for each in entries["account-login"]["minimums"]] == ["ecommerce-law-31"]
    assert len(entries["website-browsing"]["technologies"]) == 5
    assert (entries["protection-of-minors"]["people"], entries["protection-of-minors"]["in_policy"]) == (1, False)
