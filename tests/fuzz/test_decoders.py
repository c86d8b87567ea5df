"""Strangers' bytes, a short form of every decoder's campaign: our errors, a second, 64 MiB.

Random cases (``decoders.py``, ``mutate.py``) from a new seed each run, which a failure prints and
``IEXEC_LITE_SEED`` repeats; then what hypothesis finds, which makes a failing case small. The long
forms are the tox environments ``fuzz`` (atheris) and ``fuzz_long`` (``campaign.py``).
"""

from __future__ import annotations

import json
import os
import random
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iexec_lite.errors import IExecError

from ..seed import draw
from . import campaign, decoders, mutate

CASES = int(os.environ.get("IEXEC_LITE_CASES", "1500"))
NAMES = list(decoders.DECODERS)


@pytest.fixture(autouse=True)
def _cheap() -> Iterator[None]:
    with decoders.cheap():
        yield


@pytest.fixture
def seed() -> str:
    return draw()


def deep_enough(decoder: decoders.Decoder, seen: Counter[str]) -> bool:
    """At least half of the cases are mutants, and enough of these pass the first check."""
    total = seen["read"] + seen["refused"]
    share = seen["past the first check"] / max(1, seen["mutants"])
    print(f"{decoder.name}: {total} cases, {share:.0%} of the mutants past the first check")
    return seen["mutants"] >= total / 2 and share >= decoder.share


@pytest.mark.parametrize("name", NAMES)
def test_mutants_are_read_or_refused(name: str, seed: str) -> None:
    decoder = decoders.DECODERS[name]
    seen = campaign.run(decoder, CASES, f"{seed} {name}")
    assert seen["read"] + seen["refused"] == CASES
    assert deep_enough(decoder, seen)
    assert seen["read"] > CASES / 200


@pytest.mark.parametrize("name", NAMES)
def test_valid_and_kept_cases(name: str) -> None:
    """Seeds are what they claim; what once did harm is in the corpus, and does no more."""
    decoder = decoders.DECODERS[name]
    ends = [campaign.read(decoder, case) for case in decoder.seeds()]
    assert ends.count("read") >= min(2, len(ends))
    for case in decoder.kept():
        campaign.read(decoder, case)


@pytest.mark.parametrize("name", NAMES)
def test_memory_stays_small(name: str, seed: str) -> None:
    """Peaks of what Python allocates, case by case."""
    decoder = decoders.DECODERS[name]
    made = mutate.cases(decoder.seeds() + decoder.kept(), random.Random(seed), decoder.form)
    for case in decoder.seeds():
        campaign.read(decoder, case)
    tracemalloc.start()
    try:
        for _, case in (next(made) for _ in range(60)):
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            campaign.read(decoder, case)
            assert tracemalloc.get_traced_memory()[1] - before < campaign.MEMORY + len(case)
    finally:
        tracemalloc.stop()


BLOWN = {
    "abi": [bytes([2]) + (32).to_bytes(32, "big") + (2**62).to_bytes(32, "big")],
    "rlp": [b"\xc1" * 5000, b"\xbf" + b"\xff" * 8, b"\xf8\xff" * 2000, b"\xc0" * 100_000],
    "typed-data": [b"[" * 100_000, b'{"types":' * 20_000],
    "keystore": [b"{" * 60_000, b'{"version":' + b"9" * 60_000 + b"}"],
    "order": [b'{"volume":' + b"9" * 100_000 + b"}", b'{"app":"' + b"0" * 2**20 + b'"}'],
    "chain-file": [
        b'{"chains":{' + b",".join(b'"c%d":{"id":"1"}' % i for i in range(20_000)) + b"}}"
    ],
    "market": [b'{"ok":true,"count":1,"orders":[' + b"{}," * 50_000 + b"{}]}"],
    "rpc": [b'{"jsonrpc":"2.0","id":1,"result":"0x' + b"00" * 2**19 + b'"}', b"[" * 10**6],
    "sms": [b'{"error":[' + b'"x",' * 100_000 + b'"x"]}'],
    "multiaddr": [b"\x04" * 100_000, b"\xff" * 100_000, b"\xa5\x03\xff\xff\xff\x7f"],
    "archive": [decoders.zip_of(("a", bytes(2**26))), decoders.zip_of(("a/" * 60 + "b", b"x"))],
    "words": [b"\n".join([b"app", *[b"--x"] * 20_000]), b"app\nshow\n" + b"a" * 2**20],
}


@pytest.mark.parametrize("name", BLOWN)
def test_large_and_deep_cases(name: str) -> None:
    for case in BLOWN[name]:
        campaign.read(decoders.DECODERS[name], case)


@pytest.mark.parametrize("name", NAMES)
def test_what_hypothesis_finds(name: str) -> None:
    decoder = decoders.DECODERS[name]

    @settings(max_examples=40, deadline=None)
    @given(st.sampled_from(decoder.seeds()), st.integers(0, 2**32), st.binary(max_size=40))
    def run(case: bytes, where: int, new: bytes) -> None:
        at = where % (len(case) + 1)
        campaign.read(decoder, case[:at] + new + case[at + where // 7 % 9 :])

    run()


# ---- the net itself ------------------------------------------------------------------------------


def broken(read: object, share: float = 0.0) -> decoders.Decoder:
    return decoders.Decoder(
        "broken", read, lambda case: len(case) > 5, lambda: [b"seed " * 9], share=share
    )  # type: ignore[arg-type]


def test_a_foreign_error_is_caught() -> None:
    with pytest.raises(campaign.BrokenPromiseError, match="KeyError"):
        campaign.run(broken(lambda case: {}[case]), 10, "x")


def test_slowness_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "SECONDS", 0.01)
    with pytest.raises(campaign.BrokenPromiseError, match=" s for"):
        campaign.run(broken(lambda case: sum(range(2_000_000))), 10, "x")


def test_hunger_is_caught() -> None:
    hungry = broken(lambda case: bytes(campaign.MEMORY * 4))
    assert campaign.run(hungry, 10, "x")["read"] == 10
    with (
        pytest.raises(campaign.BrokenPromiseError, match="MemoryError"),
        campaign.memory_limit(campaign.MEMORY),
    ):
        campaign.run(hungry, 10, "x")


def test_shallow_cases_are_caught() -> None:
    """A run whose mutants never get past the first check proves nothing."""

    def refuse(case: bytes) -> None:
        raise IExecError("no")

    seen = campaign.run(broken(refuse), 300, "x")
    assert deep_enough(broken(refuse, share=0.5), seen)
    assert not deep_enough(broken(refuse, share=1.1), seen)
    assert not deep_enough(broken(refuse), seen + Counter(refused=10_000))


def test_a_campaign_adds_up(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    assert campaign.campaign(["rlp"], 300, out, "1")
    assert campaign.campaign(["rlp"], 500, out, "1")
    found = json.loads(out.read_text())["rlp"]
    assert found["cases"] == found["read"] + found["refused"] == 500


def test_the_kept_campaign_was_whole() -> None:
    """What the file says of the long run so far: every case read or refused, and deep enough."""
    found = json.loads(Path(campaign.__file__).with_name("campaign.json").read_text())
    assert set(found) == set(NAMES)
    for name, counts in found.items():
        seen = Counter(counts)
        assert seen["read"] + seen["refused"] == seen["cases"]
        assert deep_enough(decoders.DECODERS[name], seen)
