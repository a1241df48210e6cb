import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.policy.lines import Lines, dotted

TEXT = '''\
# [not.a.table]
a = "[ # no comment, no bracket"
b = [
    "]",  # ]
    { c = 1 },
]
"quoted key" = 1
long = """
[no.table]
d = 1
"""
literal = \'\'\'
e = 1 """
\'\'\'
x.y = 1

[table]
f = 1
[ table . deeper ]
g = { h = 1 }
[[rows]]
i = 1
[rows.below]
j = 1
[[rows]]
i = 2
[[rows.cells]]
k = 1
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("a",), 2),
        (("b",), 3),
        (("b", 1, "c"), 3),
        (("quoted key",), 7),
        (("long",), 8),
        (("literal",), 12),
        (("x", "y"), 15),
        (("table",), 17),
        (("table", "f"), 18),
        (("table", "deeper"), 19),
        (("table", "deeper", "g", "h"), 20),
        (("rows",), 21),
        (("rows", 0, "i"), 22),
        (("rows", 0, "below", "j"), 24),
        (("rows", 1), 25),
        (("rows", 1, "i"), 26),
        (("rows", 1, "cells", 0, "k"), 28),
        (("table", "missing"), 17),
        (("missing",), None),
        (("d",), None),
        (("not",), None),
    ],
)
def test_a_key_is_found_on_its_line_and_a_missing_one_on_its_table_s(place, line):
    tomllib.loads(TEXT)  # the text must be well-formed for the case to mean anything
    assert Lines(TEXT).of(place) == line


def test_a_place_is_written_as_a_reader_writes_it():
    assert dotted(("minimums", 0, "law")) == "minimums[0].law"
    assert dotted(()) == ""


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_no_string_moves_the_keys_below_it(strings):
    quoted = [tomllib_string(text) for text in strings]
    lines = [f"key-{index} = {text}" for index, text in enumerate(quoted)]
    text = "\n".join([*lines, "last = 1"])
    tomllib.loads(text)
    assert Lines(text).of(("last",)) == len(lines) + 1


def tomllib_string(text):
    escaped = "".join(
        f"\\U{ord(char):08x}" if char in '"\\' or ord(char) < 32 or ord(char) == 127 else char for char in text
    )
    return f'"{escaped}"'
