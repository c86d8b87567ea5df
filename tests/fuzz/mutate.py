"""Cases for a decoder: mostly valid input with a few changes, some of it spliced, some of it noise.

Bytes are changed anywhere. JSON is also changed as a tree, so that most mutants are still JSON and
get past the parser; binary formats get the numbers that lengths and offsets go wrong with.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Sequence
from typing import Any

NUMBERS = (0, 1, 2, 31, 32, 33, 55, 56, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31, 2**32 - 1)
STRANGE: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1, 2**53, 2**64, 2**256, 10**400, 1.5, 1e400, -0.0, "", "0x", "0"),
    *("x" * 300, "9" * 5000, "\ud800", "\u202e", "0x" + "é" * 20, "\0", "1e3", " 1", "1 RLC"),
    *("0x" + "ab" * 20, "0x" + "AB" * 32, "{}", "[[]]", [], {}, [[]], [None], {"": {}}, "null"),
    *("__proto__", "../..", "http://a\nb", "٣", "true", "latest", "0x" + "f" * 65),
)


def cases(seeds: Sequence[bytes], dice: random.Random, form: str) -> Iterator[tuple[str, bytes]]:
    """Endless ``(kind, data)`` for one form of input: ``json``, ``lines`` (of words) or ``bytes``.

    Kinds: ``form`` (a mutant that keeps the form), ``bytes``, ``splice`` of two cases, ``noise``.
    """
    keeping = {"json": tree_mutant, "lines": line_mutant, "bytes": byte_mutant}[form]
    while True:
        kind = dice.choice(KINDS)
        seed = dice.choice(seeds)
        if kind == "form":
            yield kind, keeping(seed, dice)
        elif kind == "bytes":
            yield kind, byte_mutant(seed, dice)
        elif kind == "splice":
            yield kind, splice(seed, dice.choice(seeds), dice)
        else:
            yield kind, noise(dice)


KINDS = ("form", "form", "form", "bytes", "splice", "noise")


def noise(dice: random.Random) -> bytes:
    """Bytes of no kind; short more often than long."""
    return dice.randbytes(int(2 ** dice.uniform(0, 10)))


def splice(one: bytes, other: bytes, dice: random.Random) -> bytes:
    """The beginning of one case and the end of another."""
    return one[: dice.randrange(len(one) + 1)] + other[dice.randrange(len(other) + 1) :]


def byte_mutant(seed: bytes, dice: random.Random) -> bytes:
    """One to three changes of a few bytes each."""
    data = bytearray(seed)
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(data) + 1)
        match dice.randrange(8):
            case 0:
                data[at : at + 1] = bytes([dice.randrange(256)])
            case 1 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 2:
                del data[at : at + dice.randint(1, 5)]
            case 3:
                data[at:at] = dice.randbytes(dice.randint(1, 5))
            case 4:
                size = dice.choice((1, 2, 4, 8, 32))
                number = dice.choice(NUMBERS) % 256**size
                data[at : at + size] = number.to_bytes(size, dice.choice(("big", "little")))
            case 5:
                at -= at % 32  # a word of an ABI
                data[at : at + 32] = dice.choice((*NUMBERS, len(data), 2**255)).to_bytes(32, "big")
            case 6:
                data[at:at] = data[at : at + dice.randint(1, 64)]
            case _:
                del data[at:]
    return bytes(data)


def line_mutant(seed: bytes, dice: random.Random) -> bytes:
    """Words dropped, doubled, swapped, changed by a character or replaced."""
    words = seed.decode().split("\n")
    for _ in range(dice.choice((1, 1, 2, 3))):
        at = dice.randrange(len(words))
        match dice.randrange(6):
            case 0 if len(words) > 1:
                del words[at]
            case 1:
                words.insert(at, dice.choice(words))
            case 2:
                other = dice.randrange(len(words))
                words[at], words[other] = words[other], words[at]
            case 3:
                words[at] = str(_near(words[at], dice))
            case 4:
                words.append(dice.choice(WORDS))
            case _:
                words.insert(at, dice.choice(WORDS))
    return "\n".join(words).encode("utf-8", "surrogateescape")


WORDS = (
    *(
        "--raw",
        "--force",
        "--chain",
        "--help",
        "-h",
        "--",
        "-",
        "--raw=1",
        "--x",
        "-1",
        "@file",
        "",
    ),
    *(
        "--gas-price",
        "--params",
        "--tag",
        "tee,gpu",
        "1",
        "RLC",
        "1 RLC",
        "\x1b[31m",
        "x" * 3000,
        "é",
    ),
    *("--wallet-file", "0x" + "ab" * 20, "0x" + "ab" * 32, "{}", "a=b", "\udc80", "--workerpool"),
)


def tree_mutant(seed: bytes, dice: random.Random) -> bytes:
    """JSON with one to three members changed, dropped, renamed, doubled or moved."""
    document = json.loads(seed)
    for _ in range(dice.choice((1, 1, 2, 3))):
        places = list(_places(document))
        if not places:
            break
        parent, key = dice.choice(places)
        match dice.randrange(6):
            case 0 | 1:
                parent[key] = copy.deepcopy(dice.choice(STRANGE))
            case 2:
                del parent[key]
            case 3:
                parent[key] = _near(parent[key], dice)
            case 4:
                other, name = dice.choice(places)
                parent[key] = copy.deepcopy(other[name])
            case _ if isinstance(parent, dict):
                parent[dice.choice(("", "x", "__class__", key.upper(), key + "s"))] = copy.deepcopy(
                    parent[key]
                )
            case _:
                parent += [copy.deepcopy(parent[key]) for _ in range(dice.choice((1, 2, 30)))]
    return json.dumps(document).encode()


def _near(value: Any, dice: random.Random) -> Any:
    """A value of the same type, a step away."""
    if isinstance(value, bool) or value is None:
        return not value
    if isinstance(value, (int, float)):
        return value + dice.choice((-1, 1, 2**8, -(2**8), 2**256))
    if isinstance(value, str):
        at = dice.randrange(len(value) + 1)
        return (
            value[:at] + dice.choice("0123456789abcdefXx ,./é\n") + value[at + dice.randrange(2) :]
        )
    return [value, copy.deepcopy(value)]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) of a JSON document."""
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
