"""What the JavaScript SDK V9 asks of services, against what we ask: the same, and understood alike.

Services and node are one transport in memory. Base URLs have a path, which V9 loses and we keep.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec
from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.net.http import Response
from iexec_lite.protocol.contracts import ENTRY, HUB, REGISTRY, Method
from iexec_lite.sdk.records import Record

SUITE = "wire9"
KEY = "0x" + "22" * 32
REGISTRY_ADDRESS = "0x" + "99" * 20
BASE = "http://127.0.0.1:1"
JSON = {"content-type": "application/json"}

Answer = tuple[int, str]


class World:
    """The transport of a client: its node, and services that answer from a table."""

    def __init__(self, case: dict[str, Any], owner: str) -> None:
        self.case, self.owner = case, owner
        self.asked: list[dict[str, Any]] = []
        self.services: dict[str, Callable[[str, str, str], Answer]] = {}

    def close(self) -> None:
        pass

    def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_: object,
    ) -> Response:
        text = (body or b"").decode()
        if url.startswith(f"{BASE}/node"):
            asked = json.loads(text)
            answer: object = (
                [self.node(each) for each in asked] if isinstance(asked, list) else self.node(asked)
            )
            return Response(200, JSON, json.dumps(answer).encode())
        parts = urlsplit(url)
        service, path = parts.path[1:].split("/", 1)
        path = f"/{path}?{parts.query}" if parts.query else f"/{path}"
        told = dict(headers or {})
        kind = told.get("content-type", "")
        boundary = re.search(r"boundary=(\S+)", kind)
        if boundary:
            text = text.replace(boundary[1], "BOUNDARY")
            told["content-type"] = kind.replace(boundary[1], "BOUNDARY")
        self.asked.append(
            {"service": service, "method": method, "path": path, "headers": told, "body": text}
        )
        status, said = self.services[service](method, path, text)
        return Response(status, JSON, said.encode())

    def node(self, asked: dict[str, Any]) -> dict[str, Any]:
        method, params = asked["method"], asked["params"]
        results = {"eth_chainId": hex(421614), "eth_getBlockByNumber": {"timestamp": "0x65540000"}}
        if method == "eth_call":
            results[method] = self.called(params[0]["data"])
        return {"jsonrpc": "2.0", "id": asked["id"], "result": results[method]}

    def called(self, data: str) -> str:
        """From the recorded table, else a chain where all is registered and signed."""
        recorded = self.case.get("calls", {}).get(data[:10])
        return recorded or KNOWN[data[:10]](self.owner)


def word(value: int | str) -> str:
    return "0x" + (f"{value:064x}" if isinstance(value, int) else value[2:].rjust(64, "0"))


def selector(method: Method) -> str:
    return to_hex(method.selector)


def view(types: str, *values: object) -> Callable[[str], str]:
    """The answer of ``viewApp`` and the like: one struct, the owner first."""
    return lambda owner: to_hex(abi.encode([f"(address,{types})"], [(from_hex(owner), *values)]))


KNOWN: dict[str, Callable[[str], str]] = {
    selector(HUB.appregistry): lambda _: word(REGISTRY_ADDRESS),
    selector(HUB.datasetregistry): lambda _: word(REGISTRY_ADDRESS),
    selector(HUB.workerpoolregistry): lambda _: word(REGISTRY_ADDRESS),
    selector(REGISTRY.isRegistered): lambda _: word(1),
    selector(HUB.viewConsumed): lambda _: word(0),
    selector(HUB.verifyPresignatureOrSignature): lambda _: word(1),
    selector(ENTRY.owner): word,
    selector(HUB.viewApp): view("string,string,bytes,bytes32,bytes", "", "", b"", b"\0" * 32, b""),
    selector(HUB.viewDataset): view("string,bytes,bytes32", "", b"", b"\0" * 32),
}


def client(case: dict[str, Any]) -> tuple[IExec, World]:
    options = {
        "sms_url": f"{BASE}/sms",
        "iexec_gateway_url": f"{BASE}/market/",
        "ipfs_node_url": f"{BASE}/ipfs",
        "ipfs_gateway_url": f"{BASE}/gateway/",
        "compass_url": f"{BASE}/compass",
    }
    iexec = IExec(f"{BASE}/node", case.get("key", KEY), chain="arbitrum-sepolia-testnet", **options)
    world = World(case, iexec.wallet.get_address())
    iexec._context.once("http", lambda: world)
    return iexec, world


def plain(value: object) -> object:
    """As JSON; what is a member of a record by another name is what V9 prints."""
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value.to_dict() if isinstance(value, Record) else value


CALLS = {
    "app.pushAppSecret": "push_app_secret",
    "app.checkAppSecretExists": "check_app_secret_exists",
    "dataset.pushDatasetSecret": "push_dataset_secret",
    "dataset.checkDatasetSecretExists": "check_dataset_secret_exists",
    "secrets.pushRequesterSecret": "push_requester_secret",
    "secrets.checkRequesterSecretExists": "check_requester_secret_exists",
    "storage.pushStorageToken": "push_storage_token",
    "storage.checkStorageTokenExists": "check_storage_token_exists",
    "result.checkResultEncryptionKeyExists": "check_result_encryption_key_exists",
}


def sms(case: dict[str, Any]) -> object:
    iexec, world = client(case)
    world.services["sms"] = lambda method, *_: (
        404 if method == "HEAD" and not case["exists"] else 204,
        "",
    )
    space = getattr(iexec, case["call"].split(".")[0])
    result = getattr(space, CALLS[case["call"]])(*case["args"])
    assert plain(result) == case["result"]
    return world.asked


def bulk(case: dict[str, Any]) -> object:
    """Of the longest only the sizes of the uploads are recorded."""
    from iexec_lite.protocol import bulk as pure
    from iexec_lite.protocol.cid import cid_of

    given = case["orders"]
    orders = [given[index % len(given)] for index in range(case["count"])]
    if not case["asked"]:
        read = pure.read_orders(orders)
        files = pure.slice_files(read, case["perTask"])
        root = pure.root_file([cid_of(file) for file in files])
        around = case["sizes"][-2] - len(root)  # multipart
        assert [len(file) + around for file in files] == case["sizes"][:-2:2]
        return {"cid": cid_of(root), "volume": len(files)}
    iexec, world = client(case)
    world.services["sms"] = lambda *_: (204, "")
    world.services["gateway"] = lambda *_: (200, "")
    world.services["ipfs"] = lambda _, __, body: (
        200,
        json.dumps({"Hash": cid_of(body.split("\r\n\r\n", 1)[1].split("\r\n--")[0].encode())}),
    )
    result = iexec.order.prepare_dataset_bulk(orders, max_dataset_per_task=case["perTask"])
    assert [each for each in world.asked if each["service"] != "sms"] == case["asked"]
    return result.to_dict()


SNAKE = re.compile("(?=[A-Z])")


def book(case: dict[str, Any]) -> object:
    iexec, world = client(case)
    world.services["market"] = lambda *_: (200, '{"ok":true,"count":0,"orders":[]}')
    options = {SNAKE.sub("_", name).lower(): value for name, value in case["options"].items()}
    getattr(iexec.orderbook, f"fetch_{case['kind'].lower()}_orderbook")(**options)
    return world.asked


def _found(case: dict[str, Any]) -> tuple[IExec, World]:
    iexec, world = client(case)
    known = case.get("known", True)
    said = {"apiUrl": f"{BASE}/pool"} if known else {"error": "not found"}
    world.services["compass"] = lambda *_: (200 if known else 404, json.dumps(said))
    return iexec, world


def compass(case: dict[str, Any]) -> object:
    iexec, world = _found(case)
    url = iexec.workerpool.get_workerpool_api_url(case["pool"])
    assert url == (f"{BASE}/pool" if case["result"] else None)
    return world.asked


def info(case: dict[str, Any]) -> object:
    iexec, world = _found(case)
    world.services["pool"] = lambda *_: (200, json.dumps(case["answer"]))
    assert iexec.task.fetch_offchain_info(case["taskid"]).to_dict() == case["result"]
    return world.asked


def logs(case: dict[str, Any]) -> object:
    iexec, world = _found(case)
    world.services["pool"] = lambda _, path, __: (
        200,
        json.dumps(case["challenge" if "challenge" in path else "answer"]),
    )
    assert plain(iexec.task.fetch_logs(case["taskid"])) == case["result"]
    return world.asked


TABLE = {
    "sms": (sms, "asked"),
    "bulk": (bulk, "result"),
    "book": (book, "asked"),
    "compass": (compass, "asked"),
    "info": (info, "asked"),
    "logs": (logs, "asked"),
}


@pytest.mark.witness(
    "sms: digest signed for an app's secret",
    "sms: HEAD app",
    "sms: POST app",
    "sms: HEAD requester",
    "sms: POST requester",
    "market: order books, filters of today",
    "ipfs: upload",
    "ipfs: look at the gateway",
    "bulk of datasets",
    "compass: URL of a workerpool",
    "workerpool: task",
    "workerpool: challenge",
    "workerpool: logs",
    by="recorded",
)
def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)
