"""A client in another program: it logs no secret, serves many threads, returns plain data."""

from __future__ import annotations

import copy
import http.client
import json
import logging
import pickle
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest

from iexec_lite import IExec
from iexec_lite.eth.codec import to_hex
from iexec_lite.protocol import orders
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.stack import Sandbox

Client = Callable[..., IExec]
USER, PATH, INSIDE = "us3rn4m3", "p4ths3cr3t", "b0dys3cr3t"
OTHER = "0x" + "77" * 20


class Guarded(BaseHTTPRequestHandler):
    """A node behind a key in its URL, which puts secrets into headers and bodies of its answers."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        server: Any = self.server
        body = self.rfile.read(int(self.headers["content-length"]))
        wanted = "Basic " + b64encode(f"{USER}:{PATH}".encode()).decode()
        assert (self.path, self.headers["authorization"]) == (f"/{PATH}?k={PATH}", wanted)
        node = http.client.HTTPConnection(server.node)
        node.request("POST", "/", body, {"content-type": "application/json"})
        answer = json.loads(node.getresponse().read())
        node.close()
        for each in answer if isinstance(answer, list) else [answer]:
            each["note"] = INSIDE
        server.served += 1
        self._reply(200, json.dumps(answer).encode())

    def do_HEAD(self) -> None:
        assert PATH in self.path
        self._reply(204, b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response_only(status)
        self.send_header("X-Note", INSIDE)
        self.send_header("Set-Cookie", f"k={INSIDE}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def guarded(sandbox: Sandbox) -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Guarded)
    server.daemon_threads, server.block_on_close = True, False
    server.node, server.served = urlsplit(sandbox.node.url).netloc, 0
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def purchase(at: Callable[[str], IExec], *, check: bool = True) -> list[Any]:
    """Everything from deploying to reading the deal; whatever it returned."""
    seller, pools, buyer = at("app-provider"), at("workerpool-owner"), at("requester")
    app = seller.app.deploy_app(
        {
            "owner": seller.wallet.get_address(),
            "name": "app",
            "type": "DOCKER",
            "multiaddr": "docker.io/x:1",
            "checksum": "0x" + "00" * 32,
        }
    )
    pool = pools.workerpool.deploy_workerpool(
        {"owner": pools.wallet.get_address(), "description": "pool"}
    )
    found: list[Any] = [app, pool, buyer.account.deposit("1 RLC"), pools.account.deposit(900)]
    apporder = seller.order.sign_apporder(seller.order.create_apporder(app.address, appprice=5))
    offer = pools.order.create_workerpoolorder(pool.address, 0, workerpoolprice=7)
    request = buyer.order.create_requestorder(
        app.address, 0, appmaxprice=5, workerpoolmaxprice=7, params={"iexec_args": "x"}
    )
    match = buyer.order.match_orders(
        apporder=apporder,
        workerpoolorder=pools.order.sign_workerpoolorder(offer),
        requestorder=buyer.order.sign_requestorder(request, check_request=check),
        check_request=check,
    )
    found += [apporder, offer, request, match, buyer.deal.show(match.dealid), buyer.chain]
    found += [next(buyer.deal.obs_deal(match.dealid)), buyer.hub.show_category(0)]
    found += [next(buyer.task.obs_task(match.taskids[0], dealid=match.dealid))]
    found += [buyer.wallet.check_balances(OTHER), buyer.account.check_balance(OTHER)]
    found += [seller.app.show_app(app.address), buyer.network.get_network()]
    found += [
        buyer.order.cancel_requestorder(buyer.order.sign_requestorder(request, check_request=check))
    ]
    return found


def test_a_whole_purchase_tells_no_secret(
    sandbox: Sandbox, guarded: Any, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://{USER}:{PATH}@127.0.0.1:{guarded.server_port}/{PATH}?k={PATH}"
    made: list[IExec] = []

    def at(name: str) -> IExec:
        key = to_hex(accounts.secret(name))
        made.append(IExec(url, key, chain=sandbox.chain, sms_url=url.partition("?")[0]))
        return made[-1]

    with caplog.at_level(logging.DEBUG):
        purchase(at)
    for iexec in made:
        iexec.close()
    ours = [record for record in caplog.records if record.name == "iexec_lite"]
    assert {record.levelname for record in ours} == {"DEBUG", "INFO"}
    assert guarded.served <= len(ours)
    assert sum(record.getMessage().startswith("confirmed 0x") for record in ours) == 6
    text = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    keys = [to_hex(accounts.secret(name))[2:] for name in accounts.NAMES]
    for secret in (USER, PATH, INSIDE, *keys, "iexec_args", "jsonrpc"):
        assert secret not in text, secret


def test_what_is_returned_is_plain_data(sandbox: Sandbox, client: Client) -> None:
    """Records compare, copy, pickle, and print the JSON of V6; they cannot be changed."""
    found = purchase(lambda name: client(sandbox, name), check=False)
    assert len({type(each) for each in found}) > 12
    for each in found:
        assert pickle.loads(pickle.dumps(each)) == copy.deepcopy(each) == copy.copy(each) == each
        json.dumps(each.to_dict())
        with pytest.raises((AttributeError, TypeError)):
            setattr(each, next(iter(each.__dataclass_fields__)), 1)


def test_many_threads_one_client(sandbox: Sandbox, client: Client) -> None:
    """Reads, signatures and sends at once: every payment arrives once, under a nonce of its own."""
    iexec, rpc = client(sandbox, "requester"), sandbox.node.rpc
    me, token = iexec.wallet.get_address(), sandbox.deployment.token
    before = int(rpc.request("eth_getTransactionCount", (me, "latest")), 16)
    order = iexec.order.create_requestorder(OTHER, 0)

    def send(amount: int) -> str:
        return iexec.wallet.send_rlc(amount, OTHER)

    def sign(_: int) -> orders.SignedRequestorder:
        return iexec.order.sign_requestorder(order, check_request=False)

    def read(index: int) -> object:
        return iexec.hub.show_category(index % 5).name, iexec.account.check_balance(me).stake

    amounts = range(1, 25)
    with ThreadPoolExecutor(12) as pool:
        work = [[pool.submit(each, n) for each in (send, sign, read)] for n in amounts]
        hashes, signed, reads = zip(*([each.result() for each in row] for row in work), strict=True)
    sent = [rpc.request("eth_getTransactionByHash", (tx_hash,)) for tx_hash in hashes]
    assert sorted(int(each["nonce"], 16) for each in sent) == list(range(before, before + 24))
    assert {each["to"] for each in sent} == {str(token).lower()}
    assert iexec.wallet.check_balances(OTHER).nrlc == sum(amounts)
    for each in signed:
        orders.verify_order(each, iexec._context.domain, me)
    assert len({each.salt for each in signed}) == len(signed)
    assert set(reads) == {(name, 0) for name in ("XS", "S", "M", "L", "XL")}
