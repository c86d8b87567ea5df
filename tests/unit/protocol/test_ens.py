"""ENS names: the vectors of the specification, and which texts are not looked up."""

from __future__ import annotations

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol.ens import is_name, namehash

ETH = "0x93cdeb708b7545dc668eb9280176169d1c33cfd8ed6f04690a0bcc88a93fc4ae"
FOO = "0xde9b09fd7c5f901e23a3f19fecc54828e9c848539801e86591bd9801b019f84f"


def test_vectors() -> None:
    assert (namehash("eth"), namehash("foo.eth"), namehash("FOO.Eth")) == (ETH, FOO, FOO)
    assert namehash("a-1.foo.eth") != FOO


def test_the_longest_name() -> None:
    assert len("a." * 126 + "eth") == 255
    assert namehash("a." * 126 + "eth") != namehash("a." * 125 + "eth")
    with pytest.raises(
        ValidationError, match="letters a-z, digits and inner hyphens are looked up;"
    ):
        namehash("a." * 126 + "xeth")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", ".eth", "foo..eth", "foo.eth.", "-foo.eth", "foo-.eth", "xn--foo.eth"),
        *(
            "f\u00f8\u00f8.eth",
            "vita\u200dlik.eth",
            "\u0430.eth",
            "a b.eth",
            "a_b.eth",
            "foo\n.eth",
        ),
        *("foo.eth\n", "a" * 64 + ".eth", "a." * 200 + "eth", "\U0001f680.eth", "\u212aelvin.eth"),
    ],
)
def test_what_is_not_plain_is_not_guessed(name: str) -> None:
    with pytest.raises(
        ValidationError, match=r"(?s)Unable to resolve ENS .*give the address itself"
    ):
        namehash(name)


def test_what_is_meant_as_a_name() -> None:
    assert is_name("foo.eth")
    assert is_name("Foo.ETH")
    for value in ("foo", "0x" + "00" * 20, "foo.eth ", "", 5, None, b"foo.eth"):
        assert not is_name(value)
