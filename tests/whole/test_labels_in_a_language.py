"""Labels of the policy in the person's language, where the policy has them; otherwise in its own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from clauses.successor import successor
from founding import InAFile
from whole.stores import ANN

from examples import changed_text
from lifecycle.audit.explaining import explained
from lifecycle.audit.package import package_of
from lifecycle.errors import PolicyFaulty
from lifecycle.outbox.notice_words import of_a_policy, written
from lifecycle.policy.examples import example_policy_text
from lifecycle.policy.loading import parse_policy

CHINESE = """
[translations.zh.categories]
name = "姓名"
email = "电子邮箱"

[translations.zh.purposes]
free-trial = "免费试用"
"""
TEXT = example_policy_text() + CHINESE
PURPOSE = parse_policy(example_policy_text()).purposes["free-trial"].label


def test_a_translation_of_what_is_not_declared_is_a_fault():
    with pytest.raises(PolicyFaulty, match=r"translations\.zh\.purposes\.mind-reading"):
        parse_policy(TEXT + 'mind-reading = "读心"\n')
    with pytest.raises(PolicyFaulty, match="translations"):
        parse_policy(example_policy_text() + '\n[translations.tlh.purposes]\nfree-trial = "ngIm"\n')


def test_a_policy_without_translations_has_the_fingerprint_that_it_had_and_with_them_another():
    policy = parse_policy(TEXT)
    assert policy.fingerprint != parse_policy(example_policy_text()).fingerprint
    assert policy.in_language("en") is policy
    spoken = policy.in_language("zh")
    assert (spoken.purposes["free-trial"].label, policy.purposes["free-trial"].label) == ("免费试用", PURPOSE)
    assert spoken.categories["phone"].label == policy.categories["phone"].label
    assert spoken.consented_scope("free-trial", None) == policy.consented_scope("free-trial", None)


def test_a_package_and_an_explanation_speak_to_the_person(tmp_path: Path, founded_file: InAFile):
    with successor(tmp_path / "ours", founded_file, TEXT) as store:
        store.consent()
        store.collect()
        engine, now = store.engine, store.engine.clock.now()
        person = engine.read.subject_id(ANN)
        for language, label, category in (("zh", "免费试用", "姓名"), ("en", PURPOSE, "Name")):
            with engine.database.read() as c:
                package = package_of(
                    c, engine.vault, engine.policies, person, request="r", language=language, now=now, simulated=True
                ).package
            assert {one.category.label for one in package.holdings if one.category.id == "name"} == {category}
            assert {ground.purpose.label for one in package.holdings for ground in one.grounds} == {label}
            told = engine.read.explain(subject=ANN, language=language)
            assert told["policy"]["fingerprint"] == engine.policies.newest().fingerprint
            assert any(label in sentence and category in sentence for sentence in told["text"])
        assert explained(engine.policies.all(), None, now, now, "zh")["rules"]["purposes"][1]["label"] == "免费试用"


def test_a_notice_names_what_changes_in_the_language_that_it_is_written_in():
    changed = changed_text(("months = 24", "months = 12"), ('version = "1.0"', 'version = "2.0"')) + CHINESE
    texts = written(parse_policy(changed), of_a_policy(parse_policy(changed), parse_policy(TEXT)), None)
    assert "免费试用" in texts["zh"]
    assert PURPOSE not in texts["zh"]
    assert PURPOSE in texts["en"]
