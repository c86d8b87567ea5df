"""One JavaScript process for the whole session, and the random cases that both sides compute.

Needs node and the packages of tests/npm (``python tools/npm_install.py``). Where they are missing
the tests are left out, which is counted at the end; with CI set in the environment it is a failure.

Cases are drawn from a seed that every failing test prints; ``IEXEC_LITE_SEED`` repeats a run.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import HTTPServer
from pathlib import Path
from typing import Any, TypeVar

import pytest

from iexec_lite import IExec
from iexec_lite.eth.codec import checksum_address, to_hex
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.kinds import kind_named
from iexec_lite.sandbox.stack import Sandbox

from ..node import flags, node_program, npm_folder
from ..seed import draw

ROOT = Path(__file__).resolve().parents[2]
# What node has compiled, from node 22 on: for every process of a run, and for the next run.
COMPILED = {"NODE_COMPILE_CACHE": str(ROOT / ".tox" / "node")}
WANT = "left out for want of node"
PATIENCE = 60  # seconds for one batch of questions
BATCH = 100  # questions under way at once: small enough for the buffers of the pipes

T = TypeVar("T")
H = TypeVar("H", bound=HTTPServer)


class OracleError(Exception):
    """What JavaScript said no to."""


class Oracle:
    """The pipe to tests/oracle/oracle.js."""

    def __init__(self, node: str, packages: Path) -> None:
        self._process = subprocess.Popen(
            [node, *flags(node), str(Path(__file__).with_name("oracle.js"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **COMPILED, "IEXEC_LITE_NPM": str(packages)},
            encoding="utf-8",
        )
        assert self._process.stdout
        # node announces the flag on stdout before the script runs
        assert any(line == "ready\n" for line in self._process.stdout), "oracle.js does not start"

    def answers(self, op: str, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Each ``{"value": …}`` or ``{"error": text}``, in the order of the questions."""
        found = []
        for start in range(0, len(questions), BATCH):
            found += self._batch([{"op": op, **each} for each in questions[start : start + BATCH]])
        return found

    def _batch(self, questions: list[dict[str, Any]]) -> list[dict[str, Any]]:
        assert self._process.stdin
        assert self._process.stdout
        stdin, stdout = self._process.stdin, self._process.stdout
        text = "".join(json.dumps(each) + "\n" for each in questions)

        def feed() -> None:
            stdin.write(text)
            stdin.flush()

        # writing and reading at once: neither side can wait for the other for ever
        watchdog = threading.Timer(PATIENCE, self._process.kill)
        feeder = threading.Thread(target=feed)
        watchdog.start()
        feeder.start()
        try:
            lines = [stdout.readline() for _ in questions]
        finally:
            watchdog.cancel()
            feeder.join()
        assert all(lines), "the JavaScript process has died, or did not answer in time"
        return [json.loads(line) for line in lines]

    def values(self, op: str, questions: list[dict[str, Any]]) -> list[Any]:
        """The values; an error of JavaScript fails the test."""
        found = self.answers(op, questions)
        for question, answer in zip(questions, found, strict=True):
            assert "value" in answer, f"{op} {question}: {answer['error']}"
        return [answer["value"] for answer in found]

    def ask(self, op: str, **question: Any) -> Any:
        answer = self.answers(op, [question])[0]
        if "error" in answer:
            raise OracleError(answer["error"])
        return answer["value"]

    def close(self) -> None:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="session")
def _oracle() -> Iterator[Oracle | str]:
    node, packages = node_program(), npm_folder()
    if node is None:
        yield "no node"
    elif packages is None:
        yield "no packages: run tools/npm_install.py"
    else:
        oracle = Oracle(node, packages)
        yield oracle
        oracle.close()


@pytest.fixture
def oracle(_oracle: Oracle | str) -> Oracle:
    """The running JavaScript side, with new clients.

    A provider of ethers takes no block for new that is below one it has seen: after a revert to
    a snapshot it could wait without end for a transaction not yet mined when it first asked.
    """
    if isinstance(_oracle, Oracle):
        _oracle.ask("forget")
        return _oracle
    if os.environ.get("CI"):
        pytest.fail(f"{WANT}: {_oracle}", pytrace=False)
    pytest.skip(f"{WANT}: {_oracle}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    left = [
        each for each in terminalreporter.stats.get("skipped", []) if WANT in str(each.longrepr)
    ]
    if left:
        terminalreporter.section("oracle")
        terminalreporter.line(f"{len(left)} tests {WANT}: JavaScript has not seen these bytes")


# --- one sandbox for both SDKs --------------------------------------------------------------------


@pytest.fixture(scope="session")
def chains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Sandbox]]:
    """``chains("token")``: the sandbox of a kind, by its name, started at its first use."""
    made: dict[str, Sandbox] = {}
    with contextlib.ExitStack() as stack:

        def get(name: str) -> Sandbox:
            if name not in made:
                kind, folder = kind_named(name), tmp_path_factory.mktemp(name)
                assert kind is not None
                sandbox = Sandbox(
                    folder, flavour=kind.flavour, generation=kind.generation, fresh=True
                )
                made[name] = stack.enter_context(sandbox)
            return made[name]

        yield get


def isolated(sandbox: Sandbox) -> Iterator[Sandbox]:
    """The sandbox as it was deployed, for one test; a worker that knows nothing."""
    snapshot = sandbox.node.rpc.request("evm_snapshot")
    sandbox.worker = sandbox.new_worker()
    yield sandbox
    assert sandbox.node.rpc.request("evm_revert", (snapshot,)) is True
    sandbox.reset_services()


@pytest.fixture
def sandbox(oracle: Oracle, chains: Callable[[str], Sandbox]) -> Iterator[Sandbox]:
    """A token sandbox."""
    yield from isolated(chains("token"))


@pytest.fixture
def js(oracle: Oracle, sandbox: Sandbox) -> Callable[..., Any]:
    """``js("requester", "deal.show", dealid)``: what the JavaScript SDK returns to this account."""

    def ask(name: str, method: str, *args: Any, op: str = "onChain") -> Any:
        module, _, function = method.partition(".")
        chain = js_chain(sandbox, name)
        return oracle.ask(op, chain=chain, module=module, method=function, args=list(args))

    return ask


def js_chain(sandbox: Sandbox, name: str) -> dict[str, Any]:
    """What oracle.js wants to know of a sandbox, to work on it as a named account."""
    return {
        "host": sandbox.node.url,
        "hub": sandbox.deployment.hub,
        "native": sandbox.chain.native,
        "key": to_hex(accounts.secret(name)),
        "sms": sandbox.chain.sms,
        "resultProxy": sandbox.chain.result_proxy,
        "ipfsGateway": sandbox.chain.ipfs_gateway,
        "iexecGateway": sandbox.chain.iexec_gateway,
        "ipfsNode": sandbox.chain.ipfs_node,
        "compass": sandbox.chain.compass,
    }


def order_terms(goods: dict[str, str], kind: str, price: int) -> dict[str, Any]:
    """What an order for these resources says, beside its volume and its defaults."""
    terms: dict[str, dict[str, Any]] = {
        "apporder": {"app": goods["app"], "appprice": price},
        "datasetorder": {"dataset": goods["dataset"], "datasetprice": price},
        "workerpoolorder": {
            "workerpool": goods["workerpool"],
            "workerpoolprice": price,
            "category": 0,
        },
        "requestorder": {
            "app": goods["app"],
            "appmaxprice": price,
            "dataset": goods["dataset"],
            "datasetmaxprice": price,
            "workerpoolmaxprice": price,
            "category": 0,
            "params": {"iexec_args": "Alïce 'and ☂'"},
        },
    }
    return terms[kind]


@contextlib.contextmanager
def serving(server: H) -> Iterator[H]:
    """A server of a test's own, answering from a thread."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def py(sandbox: Sandbox) -> Iterator[Callable[[str], IExec]]:
    """``py("requester")``: ours, for the same account."""
    with contextlib.ExitStack() as stack:

        @cache
        def client(name: str) -> IExec:
            return stack.enter_context(IExec(sandbox.chain, accounts.signer(name)))

        yield client


# --- random cases ---------------------------------------------------------------------------------

ALPHABETS = (
    "abcdefghijklmnopqrstuvwxyz0123456789",
    " .,:;-_/\\\"'{}[]<>&$%?=+*#@!~`^|",
    "éàüßñøЖжλπ中文字日本語한국",
    "\x00\x01\x07\b\t\n\x0b\f\r\x1f\x7f\x80\xa0\u2028\u2029\ufeff\ufffd",
    "😀🚀🔬𝒳",
)
CHAINS = (
    (1, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"),
    (5, "0x0bf375A6238359CE14987C2285B8B099eE8e8709"),
    (134, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"),
    (42161, "0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0"),
    (65535, "0x7bd4783FDCAD405A28052a0d1f11236A741da593"),
)


class Make:
    """Random values of every kind; all from one seed."""

    def __init__(self, seed: str) -> None:
        self.rng = random.Random(seed)
        self.pick = self.rng.choice

    def bytes(self, size: int) -> bytes:
        return self.rng.randbytes(size)

    def hex(self, size: int) -> str:
        return "0x" + self.bytes(size).hex()

    def key(self) -> str:
        return "0x" + (self.rng.getrandbits(255) or 1).to_bytes(32, "big").hex()

    def address(self) -> str:
        return checksum_address(self.bytes(20))

    def chance(self, percent: int) -> bool:
        return self.rng.randrange(100) < percent

    def uint(self, bits: int = 256) -> int:
        """Short integers are as likely as long ones."""
        return self.rng.getrandbits(self.rng.randrange(bits + 1))

    def text(self, limit: int = 30) -> str:
        size = self.rng.randrange(limit + 1)
        return "".join(
            self.pick(ALPHABETS[0] if self.chance(60) else self.pick(ALPHABETS))
            for _ in range(size)
        )

    def chain(self) -> tuple[int, str]:
        return (
            self.pick(CHAINS) if self.chance(70) else (self.rng.randrange(1, 2**31), self.address())
        )

    def tag(self) -> str:
        few = sum(1 << bit for bit in (0, 8, 1, 3, 255) if self.chance(40))
        return self.pick(
            [f"0x{0:064x}", f"0x{few:064x}", self.hex(32), f"0x{1 << self.uint(8) % 256:064x}"]
        )

    def some(self, items: list[T], percent: int = 50) -> list[T]:
        chosen = [item for item in items if self.chance(percent)]
        self.rng.shuffle(chosen)
        return chosen

    def spoil(self, text: str) -> str:
        """``text`` with a character more, less or changed, mostly."""
        at = self.rng.randrange(len(text) + 1)
        extra = self.pick(["", "", " ", "0", "x", ".", "-", "\n", "é", "/", ",", '"'])
        return text[:at] + extra + text[at + self.rng.randrange(2) :]


@pytest.fixture
def make(request: pytest.FixtureRequest) -> Make:
    """Random values for this test; the seed is in the captured output of a failure."""
    return Make(f"{draw()} {request.node.name}")
