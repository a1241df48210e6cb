"""Both ways to make an HMAC-SHA-256 give what the interpreter's own does, and what RFC 4231 says."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.macs import Mac, mac

RFC_4231 = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
]


@pytest.mark.parametrize(("key", "said", "expected"), RFC_4231)
def test_a_mac_is_what_rfc_4231_says(key, said, expected):
    assert mac(key, said).hex() == Mac(key)(said).hex() == expected


@given(st.binary(max_size=200), st.lists(st.binary(max_size=400), min_size=1, max_size=3))
def test_a_key_that_is_used_often_gives_the_same_each_time(key, said):
    often = Mac(key)
    for each in (*said, *said):
        assert often(each) == mac(key, each) == hmac.digest(key, each, "sha256")
