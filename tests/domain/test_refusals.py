"""Every refusal in the package: a stable code of its own, a remedy, and never a name that could be personal data."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import Any

import pytest

import lifecycle
from examples import HOSTILE, MARCH_1
from lifecycle.errors import Refused, listed, shown

SENTENCES = {"why", "reason"}
"""Parameters that our own code fills with words of its own, never with a caller's."""

CARRIERS = {"NotCarriedOut", "NotRead"}
"""Each repeats the code, clause and remedy of an outcome that was a refusal already."""

CLAUSES = re.compile(r"[1-9][0-9]?(\.[0-9]{1,2}[a-e]?)?")


def refusals() -> list[type[Refused]]:
    for module in pkgutil.walk_packages(lifecycle.__path__, "lifecycle."):
        if ".migrations" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found: list[type[Refused]] = []
    waiting = [Refused]
    while waiting:
        below = waiting.pop().__subclasses__()
        found += [one for one in below if one.__module__.startswith("lifecycle.")]
        waiting += below
    return sorted(set(found), key=lambda one: one.__name__)


REFUSALS = [refusal for refusal in refusals() if refusal.__name__ not in CARRIERS]


def built(refusal: type[Refused]) -> Refused:
    """With personal data wherever a caller's name could stand."""
    arguments: dict[str, Any] = {}
    for parameter in inspect.signature(refusal).parameters.values():
        kind = str(parameter.annotation)
        if parameter.name in SENTENCES or parameter.default is not inspect.Parameter.empty:
            continue
        if "Iterable" in kind or "Sequence" in kind or "frozenset" in kind:
            arguments[parameter.name] = [HOSTILE, "email"]
        elif kind in ("datetime", "date"):
            arguments[parameter.name] = MARCH_1
        elif kind.startswith("int"):
            arguments[parameter.name] = 2
        elif parameter.name == "what":
            arguments[parameter.name] = "channel"
        else:
            arguments[parameter.name] = HOSTILE
    return refusal(**arguments)


def test_there_are_refusals_to_test():
    assert len(REFUSALS) > 25


def test_every_refusal_has_a_code_of_its_own_or_that_of_the_one_it_is_a_case_of():
    """The same rule in another clause keeps its code: who reads codes need not know every case."""
    for refusal in REFUSALS:
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", refusal.code)
        assert refusal.code != "error"
        same = [other for other in REFUSALS if other.code == refusal.code]
        first = min(same, key=lambda one: len(one.__mro__))
        assert all(issubclass(other, first) for other in same), [one.__name__ for one in same]
        assert len({other.clause for other in same}) == len(same)


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_a_refusal_says_what_to_do_next_and_names_its_clause(refusal: type[Refused]):
    assert refusal.remedy
    assert refusal.clause is None or CLAUSES.fullmatch(refusal.clause)
    assert f"Try: {refusal.remedy}." in str(built(refusal))


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda one: one.__name__)
def test_a_refusal_never_repeats_personal_data_that_stood_where_a_name_belongs(refusal: type[Refused]):
    refused = built(refusal)
    for text in (str(refused), repr(refused), refused.message):
        assert HOSTILE not in text
        assert "ann@" not in text


def test_names_that_look_like_ids_are_shown_and_all_others_are_not():
    assert shown("free-trial@1.0") != "'free-trial@1.0'"
    assert shown("free-trial") == "'free-trial'"
    for hostile in (HOSTILE, "+6591234567", "Ann Lee", "安", "", "a" * 65, "a\nb", "<b>"):
        assert hostile == "" or hostile not in shown(hostile)
    assert listed(["b", "a", "b"]) == "'a', 'b'"
