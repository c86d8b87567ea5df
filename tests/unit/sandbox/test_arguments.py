"""``iexec_args`` as workers of V6 split it (worker.md §8)."""

from __future__ import annotations

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.sandbox.arguments import split_arguments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a  b", ["a", "b"]),
        ("""x 'y z' "q r\"""", ["x", "y z", "q r"]),
        ('k="v w"', ["k=v w"]),
        ("a'b'c", ["abc"]),
        ('"" end', ["end"]),
        ('a\\"b c"', ["a\\b c"]),
        ("", []),
        ("   ", []),
        ("a\tb\nc", ["a\tb\nc"]),  # only the space separates
        ("$HOME; rm -rf / && `x` | *", ["$HOME;", "rm", "-rf", "/", "&&", "`x`", "|", "*"]),
        ('"it\'s"', ["it's"]),
    ],
)
def test_split(text: str, expected: list[str]) -> None:
    assert split_arguments(text) == expected


@pytest.mark.parametrize("text", ["it's", 'say "hi', "'", "a 'b\" c"])
def test_unbalanced_quotes(text: str) -> None:
    with pytest.raises(ValidationError, match="unbalanced"):
        split_arguments(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # worker.md §8
        ("a  b", ["a", "b"]),
        ("x 'y z' \"q r\"", ["x", "y z", "q r"]),
        ("it\\'s ok", ["it\\'s", "ok"]),
        ('"say \\"hi\\" x"', ['say \\"hi\\" x']),
    ],
)
def test_split_as_today(text: str, expected: list[str]) -> None:
    assert split_arguments(text, escapes=True) == expected


@pytest.mark.parametrize("text", ["it's", 'a\\"b c"'])
def test_unbalanced_quotes_of_today(text: str) -> None:
    with pytest.raises(ValidationError, match="unbalanced"):
        split_arguments(text, escapes=True)
