"""The faucet over HTTP: what it refuses without a chain. Payments: tests/stack/test_faucet.py."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from iexec_lite.net.http import Http
from iexec_lite.protocol.chains import Chain
from iexec_lite.sandbox.faucet import faucet_app
from iexec_lite.sandbox.server import Server

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
NOWHERE = Chain(id=65535, name="sandbox", host="http://127.0.0.1:9", hub="0x" + "aa" * 20)
Ask = Callable[[str], "tuple[int, dict[str, object]]"]


@pytest.fixture
def ask() -> Iterator[Ask]:
    server = Server({"/faucet": faucet_app([NOWHERE])})
    server.start()
    with Http() as http:

        def get(path: str) -> tuple[int, dict[str, object]]:
            answer = http.request("GET", f"{server.url}/faucet{path}")
            assert answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(answer.text())

        yield get
    server.stop()


@pytest.mark.parametrize("call", ["getETH", "getRLC"])
@pytest.mark.parametrize(
    ("query", "why"),
    [
        ("", "chainName"),
        (f"address={ADDRESS}", "chainName"),
        ("chainName=sandbox", "address"),
        (f"chainName=mainnet&address={ADDRESS}", "No faucet on chain mainnet"),
        (f"chainName=&address={ADDRESS}", "No faucet on chain "),
        ("chainName=sandbox&address=0x12", "0x12 is not a valid ethereum address"),
        ("chainName=sandbox&address=alice.eth", "Unable to resolve ENS alice.eth"),
        (f"chainName=sandbox&address={ADDRESS[:-1]}4", "wrong checksum"),
        (f"chainName=sandbox&address=0x{'0' * 40}", "nobody owns the zero address"),
    ],
)
def test_refused(ask: Ask, call: str, query: str, why: str) -> None:
    status, answer = ask(f"/{call}?{query}")
    assert (status, list(answer), answer["ok"]) == (400, ["ok", "error"], False)
    assert why in str(answer["error"])


def test_no_word_of_what_failed_inside(ask: Ask) -> None:
    """The node does not answer: that is in the log, and not the client's fault."""
    status, answer = ask(f"/getRLC?chainName=sandbox&address={ADDRESS}")
    assert (status, answer) == (500, {"ok": False, "error": "Internal error"})


def test_other_paths(ask: Ask) -> None:
    assert ask("/getBTC")[0] == 404
