"""Rows of what talks: calls one by one and in batches, and the requests of a large deal."""

from __future__ import annotations

import json
from collections.abc import Callable

import urllib3

from iexec_lite import IExec
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.chains import resolve

from .measure import Contestant, PerSecond, Row, Take
from .nodes import CHAIN, Fake
from .peers import Script

HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
DATA = "0x12345678"
BATCH = 100
TASKS = 1000
DEAL = "0x" + "12" * 32


def rows(url: str, script: Script | None) -> list[Row]:
    """The rows of this module; ``url`` is a node in a process of its own."""
    rpc = Rpc(url)
    pool = urllib3.HTTPConnectionPool(*url.removeprefix("http://").split(":"))  # type: ignore[arg-type]
    data = bytes.fromhex(DATA[2:])
    call = {"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": [{"to": HUB, "data": DATA}]}

    def least(body: object) -> object:
        sent = json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        return json.loads(pool.request("POST", "/", body=sent, headers=headers).data)

    single = [Contestant("ours", PerSecond(lambda: rpc.call(HUB, data)))]
    batch = [Contestant("ours", _batched(lambda: rpc.call_many([(HUB, data)] * BATCH)))]
    if script is not None:
        single.append(Contestant("ethers 5", script.per_second("call")))
    web3 = _web3(url)
    if web3 is not None:
        single.append(Contestant("web3.py", PerSecond(web3[0])))
        batch.append(Contestant("web3.py", _batched(web3[1])))
    single.append(Contestant("floor", PerSecond(lambda: least(call))))
    batch.append(Contestant("floor", _batched(lambda: least([call] * BATCH))))
    return [
        Row("call", "eth_call over loopback, one after the other", "/s", single, target=2000),
        Row("batch", f"eth_call over loopback, batches of {BATCH}", "/s", batch, target=20_000),
        Row(
            "deal",
            f"requests to show a deal with the states of its {TASKS:,} tasks",
            "requests",
            [Contestant("ours", lambda _: float(trips(TASKS)), at_most=1)],
            target=3,
            lower=True,
            note="beyond the chain id, which each client asks for once",
        ),
    ]


def _batched(call: Callable[[], object]) -> Take:
    """Calls a second, where ``call`` makes a batch of them."""
    take = PerSecond(call)
    return lambda effort: take(effort) * BATCH


def _web3(url: str) -> tuple[Callable[[], object], Callable[[], object]] | None:
    """One call and a batch by web3.py, where that is installed."""
    try:
        from web3 import Web3
    except ImportError:
        return None
    client = Web3(Web3.HTTPProvider(url))
    call = {"to": HUB, "data": DATA}

    def batch() -> object:
        with client.batch_requests() as many:
            for _ in range(BATCH):
                many.add(client.eth.call(call))
            return many.execute()

    return (lambda: client.eth.call(call)), batch


def trips(tasks: int) -> int:
    """How many requests a deal and all its tasks take, by a client that knows its chain."""
    with Fake(tasks) as fake, client_of(fake) as iexec:
        iexec.network.get_block_time()
        before = fake.requests
        found = show(iexec)
        assert len(found) == tasks
        count = fake.requests - before
        fake.shutdown()
        return count


def client_of(fake: Fake) -> IExec:
    """A client of that node and marketplace."""
    return IExec(resolve(CHAIN).with_overrides(host=fake.url, iexec_gateway=fake.url))


def show(iexec: IExec) -> object:
    """The deal and the states of its tasks, as ``iexec-lite deal show`` has them."""
    return next(iter(iexec.deal.obs_deal(DEAL))).tasks
