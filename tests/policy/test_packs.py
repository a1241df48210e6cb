import re
import tomllib
from importlib.resources import files

import pytest
from pydantic import ValidationError

from lifecycle.policy.citations import named_in
from lifecycle.policy.packs import Pack, Topic, Unit, known_packs, parse_pack

SHELF = files("lifecycle.policy").joinpath("packs")
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in SHELF.iterdir() if file.name.endswith(".toml")}
NUMBERS = [(code, name, number) for code, pack in known_packs().items() for name, number in pack.numbers.items()]


def numbers_in(value, place=()):
    """Every bare number of a TOML document, with its place."""
    if isinstance(value, dict):
        return [found for key, each in value.items() for found in numbers_in(each, (*place, key))]
    if isinstance(value, list):
        return [found for index, each in enumerate(value) for found in numbers_in(each, (*place, index))]
    return [place] if isinstance(value, int | float) else []


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_number_in_a_pack_stands_beside_its_citation(name):
    raw = tomllib.loads(TEXTS[name])
    for place in numbers_in(raw):
        known = [("numbers", "value", 3), ("published", "year", 3)]
        assert (place[0], place[2], len(place)) in known, f"{place} is a number outside [numbers]"
        assert raw[place[0]][place[1]].get("citation", "").strip(), f"{place} has no citation"


@pytest.mark.parametrize(("code", "name", "number"), NUMBERS, ids=[f"{code}-{name}" for code, name, _ in NUMBERS])
def test_every_citation_names_an_article_section_or_part(code, name, number):
    assert re.search(r"Arts?\. \d|\bs \d|reg \d|Part \d|, \d+\.\d+|Guidelines|guide to", number.citation)
    assert number.says.endswith(".")


@pytest.mark.parametrize("lacking", ["citation", "says", "topic", "unit", "value"])
def test_a_number_that_lacks_anything_does_not_load(lacking):
    raw = tomllib.loads(TEXTS["pipl.toml"])
    del raw["numbers"]["minor-age"][lacking]
    with pytest.raises(ValidationError, match=lacking):
        Pack.model_validate(raw)


@pytest.mark.parametrize(
    ("key", "value"), [("citation", ""), ("citation", "  "), ("value", 0), ("value", 1.5), ("extra", 1)]
)
def test_a_number_with_an_empty_citation_or_a_senseless_value_does_not_load(key, value):
    raw = tomllib.loads(TEXTS["pipl.toml"])
    raw["numbers"]["minor-age"][key] = value
    with pytest.raises(ValidationError):
        Pack.model_validate(raw)


def test_a_retention_number_in_hours_does_not_load():
    text = TEXTS["pipl.toml"].replace('value = 6\nunit = "months"', 'value = 6\nunit = "hours"')
    with pytest.raises(ValidationError, match="years, months or days"):
        parse_pack(text)


def test_there_are_packs_for_china_singapore_and_the_european_union():
    assert set(known_packs()) == {"CN", "SG", "EU"}
    assert len(TEXTS) == len(known_packs())


@pytest.mark.parametrize(
    ("code", "name", "value", "unit"),
    [
        ("CN", "minor-age", 14, Unit.YEARS),
        ("CN", "platform-transactions", 3, Unit.YEARS),
        ("CN", "network-logs", 6, Unit.MONTHS),
        ("CN", "impact-assessment-kept", 3, Unit.YEARS),
        ("SG", "correction-look-back", 1, Unit.YEARS),
        ("SG", "refused-copy", 30, Unit.DAYS),
        ("SG", "commission-told", 3, Unit.DAYS),
        ("SG", "significant-scale", 500, Unit.PERSONS),
        ("EU", "authority-told", 72, Unit.HOURS),
        ("EU", "response", 1, Unit.MONTHS),
        ("EU", "minor-age", 16, Unit.YEARS),
        ("EU", "minor-age-floor", 13, Unit.YEARS),
        ("EU", "response-extension", 2, Unit.MONTHS),
        ("SG", "minor-age", 13, Unit.YEARS),
        ("SG", "response", 30, Unit.DAYS),
        ("SG", "access-look-back", 1, Unit.YEARS),
        ("SG", "breach-assessed", 30, Unit.DAYS),
        ("CN", "app-response", 15, Unit.WORKING_DAYS),
        ("CN", "incident-report", 4, Unit.HOURS),
        ("CN", "critical-infrastructure-report", 1, Unit.HOURS),
        ("CN", "relatively-major-incident", 1_000_000, Unit.PERSONS),
    ],
)
def test_the_numbers_that_the_engine_leans_on(code, name, value, unit):
    number = known_packs()[code].numbers[name]
    assert (number.value, number.unit) == (value, unit)


@pytest.mark.parametrize("pack", known_packs().values(), ids=list(known_packs()))
def test_every_pack_says_where_to_complain_and_from_which_age_one_consents(pack):
    assert pack.authority_address.startswith("https://")
    assert pack.about(Topic.MINORS)


@pytest.mark.parametrize(
    ("code", "name", "url"),
    [
        ("CN", "Cyberspace Administration of China", "https://www.cac.gov.cn"),
        ("SG", "Personal Data Protection Commission", "https://www.pdpc.gov.sg"),
        ("EU", "supervisory authority of the member state", "https://www.edpb.europa.eu/"),
    ],
)
def test_every_pack_names_its_regulator(code, name, url):
    regulator = known_packs()[code].regulator
    assert regulator.jurisdiction == code
    assert name in regulator.name
    assert regulator.url.startswith(url)


def test_the_page_on_packs_lists_every_file_topic_and_unit():
    page = SHELF.joinpath("README.md").read_text(encoding="utf-8")
    words = [*TEXTS, *(f"`{topic}`" for topic in Topic), *(f"`{unit}`" for unit in Unit)]
    assert [word for word in words if word not in page] == []


def test_the_example_on_the_page_on_packs_is_in_the_pack():
    page = SHELF.joinpath("README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert example in TEXTS["pipl.toml"]


@pytest.mark.parametrize("code", sorted(known_packs()))
def test_every_pack_says_who_is_told_of_an_incident_and_of_what(code):
    law = known_packs()[code].incidents
    assert law is not None
    assert {rule.whom for rule in law.notices} == {"authority", "subjects"}
    assert "contact" in law.contents("authority")
    assert "contact" in law.contents("subjects")
    assert all(re.search(r"Arts?\. \d|\bss? \d|reg \d", rule.citation) for rule in law.notices)


def test_an_incident_rule_that_names_a_number_that_is_not_there_does_not_load():
    with pytest.raises(ValidationError, match="commission-tolt"):
        parse_pack(TEXTS["pdpa.toml"].replace('number = "commission-told"', 'number = "commission-tolt"'))


@pytest.mark.parametrize("pack", known_packs().values(), ids=list(known_packs()))
def test_every_citation_names_articles_that_the_pack_lists_and_every_listed_one_is_cited(pack):
    found = {named for citation in pack.citations() for named in named_in(citation, pack.cited)}
    listed = {(name, number) for name, cited in pack.cited.items() for number in cited.articles or (None,)}
    assert found == listed
    assert {each.law for each in pack.cited.values()} <= set(pack.laws)


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('citation = "PIPL Art. 56"', 'citation = "PIPL Art. 65"', "article 65"),
        ('citation = "PIPL Arts. 28 and 31"', 'citation = "PIPL Arts. 28 and 13"', "article 13"),
        ('citation = "PIPL Art. 56"', 'citation = "PIPL"', "no article"),
        ('citation = "GB/T 35273-2020, 8.7"', 'citation = "GB/T 35273-2020, 8.8"', "article 8.8"),
        ('citation = "E-Commerce Law Art. 31"', 'citation = "Electronic Commerce Law Art. 31"', "a text that"),
        ('law = "ecommerce-law"', 'law = "commerce-law"', "laws that are not there"),
    ],
)
def test_a_citation_of_what_the_pack_does_not_list_does_not_load(old, new, why):
    assert TEXTS["pipl.toml"].count(old) == 1
    with pytest.raises(ValidationError, match=why):
        parse_pack(TEXTS["pipl.toml"].replace(old, new))
