"""Faucets: the JavaScript SDK at the sandbox's, and what each of the two sends to those of V6."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite.errors import ApiCallError
from iexec_lite.net.faucet import ask
from iexec_lite.net.http import Response
from iexec_lite.protocol.chains import CHAINS
from iexec_lite.protocol.faucets import Faucet, ether_faucets, rlc_faucets
from iexec_lite.sandbox.stack import Sandbox

from .conftest import serving

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"


class Recorder(ThreadingHTTPServer):
    """Stands for every faucet; ``asked``: host, method, path and JSON body of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Any] = []
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                host = self.headers["x-host"]
                recorder.asked.append((host, self.command, self.path, json.loads(body or "null")))
                self.send_response_only(200)
                self.end_headers()
                self.wfile.write(b'{"message": "wait"}')

            do_GET = do_POST = handle_one

        super().__init__(("127.0.0.1", 0), Handler)


class Wire:
    """A transport that writes down what would be sent, and knows no answer."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def request(self, method: str, url: str, *, body: bytes | None, **_: Any) -> Response:
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        self.asked.append((parts.netloc, method, path, json.loads(body or b"null")))
        return Response(200, {}, b"")


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    with serving(Recorder()) as server:
        yield server


def ours(faucets: Any, chain: str) -> list[Any]:
    wire = Wire()
    for faucet in faucets:
        try:
            ask(wire, faucet, chain, ADDRESS)
        except ApiCallError:
            assert faucet.vital
    return wire.asked


@pytest.mark.witness("faucets of V6", by="js")
def test_what_is_sent(oracle: Any, recorder: Recorder) -> None:
    to = f"http://127.0.0.1:{recorder.server_port}"
    for call, table, chains in (
        ("getETH", ether_faucets, ("ropsten", "rinkeby", "kovan", "goerli")),
        ("getRLC", rlc_faucets, ("goerli", "viviani")),
    ):
        for chain in chains:
            recorder.asked.clear()
            answers = oracle.ask("faucet", to=to, call=call, chain=chain, address=ADDRESS.lower())
            faucets: list[Faucet] = list(table(CHAINS[chain]))
            assert sorted(ours(faucets, chain)) == sorted(recorder.asked)
            assert [answer["name"] for answer in answers] == [each.name for each in faucets]
            for answer, faucet in zip(answers, faucets, strict=True):
                if faucet.page:
                    assert answer["response"] == ask(Wire(), faucet, chain, ADDRESS)
                else:
                    assert answer["response"] == {"message": "wait"}


@pytest.mark.witness("faucet of the sandbox: RLC", by="js")
def test_javascript_at_the_sandboxs_faucet(oracle: Any, sandbox: Sandbox, py: Any) -> None:
    newcomer = "0x" + "77" * 20
    asked = {"to": sandbox.chain.faucet, "call": "getRLC", "address": newcomer}
    wallet = py("requester").wallet
    (theirs,) = oracle.ask("faucet", chain="sandbox", **asked)
    (own,) = wallet.get_rlc(newcomer)
    assert theirs["name"] == "faucet.iex.ec"
    assert list(theirs["response"]) == list(own.response) == ["ok", "message", "txHash"]
    assert wallet.check_balances(newcomer).nrlc == 200 * 10**9
    (no,) = oracle.ask("faucet", chain="elsewhere", **asked)
    assert no["response"] == {"ok": False, "error": "No faucet on chain elsewhere"}
