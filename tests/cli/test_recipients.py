"""Who was given what, as an officer sees it at the command line."""

from __future__ import annotations

from cli.doors import EMAIL, WHO, Door, collect, consent, document

INSTRUMENT = {"kind": "warrant", "reference": "DC/2024/17", "issued_on": "2024-07-20"}


def test_recipients_name_authorities_and_providers_and_whom_nobody_may_tell_of_yet(door: Door):
    browsing = consent("c-3", purposes=["website-browsing"], technologies=["baidu"])
    visit = collect("c-4", purpose="website-browsing", technology="baidu", data={"ip-address": "192.0.2.7"})
    disclosed = document(
        "c-5",
        "disclose",
        subject={"email": EMAIL},
        authority="District Court 4",
        instrument=INSTRUMENT,
        categories=["email"],
        approved_by="counsel",
        gag_until="2099-12-31",
    )
    answers = door.apply(consent(), collect(), browsing, visit, disclosed)
    assert {answer["outcome"] for answer in answers} == {"done"}
    rows = {row["kind"]: row for row in door("subject", "recipients", *WHO, "--json").json}
    assert rows["authority"]["name"] == "District Court 4"
    assert rows["authority"]["gag_until"] == "2099-12-31T16:00:00Z"
    assert rows["technology"]["name"] == "Baidu Times Network Technology (Beijing) Co., Ltd."
    told = door("subject", "recipients", *WHO).out
    assert "District Court 4" in told
    assert "2100-01-01" in told  # the day after the last day of the gag


def test_a_person_at_a_glance_shows_what_is_out_of_our_scope(door: Door):
    door.apply(consent(), collect())
    (product,) = door("subject", "show", *WHO, "--json").json["out_of_scope"]
    assert (product["product"], product["given"]) == ("wechat", [])
    assert product["terms"] in door("subject", "show", *WHO).out.replace("\n", "")
