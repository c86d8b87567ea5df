"""What nobody should hand in: only errors of our own come out, short, printable, JSON-ready.

Every public method of every part of a client gets every kind of wrong value for every argument.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import IExecError
from iexec_lite.net.http import Response
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.rules import V6, V9

KEY = "0x" + "11" * 32
ME = KeySigner.from_key(KEY).address
HUB, APP, OTHER = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f", "0x" + "1" * 40, "0x" + "4" * 40
HASH = "0x" + "ab" * 32
PARTS = (
    *("account", "app", "dataset", "deal", "hub", "network", "order", "orderbook"),
    *("result", "storage", "task", "wallet", "workerpool"),
)
FILES = ("encrypt_file", "compute_encrypted_file_checksum")  # the system says what is wrong there
WAITS = ("obs_deal", "obs_task")  # nothing is done before the first item is asked for

BAD: tuple[Any, ...] = (
    *(None, True, -1, 10**20, 10**5000, 1.5, float("nan"), float("inf"), object(), Exception),
    *(b"", b"x", bytearray(20), [], [1], [None], [[]], (1,), {1, 2}, range(3), {}, {None: 1}),
    *({"\ud800": 1}, {"app": {}}, "", "x" * 1_000_000, "9" * 5000, "0x", "\x1b[31m\n", "\ud800"),
    *("\u202eeth", "0x" + "\uff11" * 40, "\u0130.eth", "..eth", "1 RLC\n", "1e999999 RLC", "1e400"),
)
GOOD: dict[str, Any] = {
    **dict.fromkeys(("app", "dataset", "workerpool", "to", "address"), APP),
    **dict.fromkeys(("requester", "user", "beneficiary"), OTHER),
    **dict.fromkeys(("order_hash", "dealid", "taskid", "send_tx_hash"), HASH),
    **dict.fromkeys(("category", "amount", "index", "task_idx"), 1),
    **dict.fromkeys(("token", "secret", "key", "name"), "text"),
    "file": b"data",
}
FIELDS = ("appprice", "volume", "tag", "trust", "params", "iexec_args", "callback", "beneficiary")


class Silent:
    """A transport: a node on which nothing is, and services that always say no."""

    def close(self) -> None:
        pass

    def request(self, method: str, url: str, *, body: Any = None, **_: Any) -> Response:
        if urlsplit(url).netloc != "node":
            return Response(404, {}, b"", "http://service")
        asked = json.loads(body)
        found = [self.answer(each) for each in (asked if isinstance(asked, list) else [asked])]
        text = json.dumps(found if isinstance(asked, list) else found[0])
        return Response(200, {"content-type": "application/json"}, text.encode(), "http://node")

    def answer(self, asked: Any) -> Any:
        result = "0x86" if asked["method"] == "eth_chainId" else "0x"
        return {"jsonrpc": "2.0", "id": asked["id"], "result": result}


def methods(part: object) -> Iterator[tuple[Callable[..., object], str, dict[str, Any]]]:
    """Every public method, each of its arguments, and good values for those it needs."""
    for name in dir(part):
        method = getattr(part, name)
        if name.startswith("_") or name in FILES or name in WAITS or not callable(method):
            continue
        arguments = inspect.signature(method).parameters.values()
        needed = {
            each.name: GOOD.get(each.name, {})
            for each in arguments
            if each.default is each.empty and each.kind is not each.VAR_KEYWORD
        }
        for each in arguments:
            for argument in FIELDS if each.kind is each.VAR_KEYWORD else (each.name,):
                yield method, argument, needed


@pytest.mark.parametrize("rules", [V6, V9], ids=["v6", "v9"])
@pytest.mark.parametrize("part", PARTS)
def test_wrong_values_for_every_argument(part: str, rules: Any) -> None:
    services = dict.fromkeys(("iexec_gateway", "sms", "result_proxy"), "http://service")
    chain = Chain(id=134, name="test", hub=HUB, rules=rules, **services)
    with IExec("http://node", KEY, chain=chain) as iexec:
        iexec._context._made["http"] = Silent()
        told = [
            (f"{method.__name__}({argument})", error)
            for method, argument, needed in methods(getattr(iexec, part))
            for value in BAD
            if (error := refused(method, {**needed, argument: value}))
        ]
    assert told
    for where, error in told:
        assert len(error.message) < 2000, where
        assert error.message.replace("\n", "").isprintable(), (where, error.message)
        assert json.dumps(error.to_dict()), where


def refused(method: Callable[..., object], arguments: dict[str, Any]) -> IExecError | None:
    try:
        method(**arguments)
    except IExecError as error:
        return error
    return None
