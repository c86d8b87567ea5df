"""What an embedder relies on: a proxy and an authority of one's own, and clients that tell nothing.

The node is behind a real proxy (CONNECT) and real TLS, under a name that exists here alone.
"""

from __future__ import annotations

import copy
import json
import pickle
import select
import socket
import ssl
import threading
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, RpcSigner, utils
from iexec_lite.errors import ConfigurationError, RequestTimeoutError, TransportError
from iexec_lite.net.http import Http
from iexec_lite.net.market import Market
from iexec_lite.net.rpc import Rpc
from iexec_lite.net.sms import Sms
from iexec_lite.net.target import parse_target
from iexec_lite.protocol.chains import Chain, Providers
from iexec_lite.sdk.client import SigningProvider

FILES = Path(__file__).parents[1] / "net"
CA = str(FILES / "example-ca.pem")
SECRET = "s3cr3tk3y"
NODE = f"https://node.example/{SECRET}"


class Node(BaseHTTPRequestHandler):
    """Says which chain it is."""

    def log_message(self, *_: object) -> None:
        pass

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.paths.append(self.path)  # type: ignore[attr-defined]
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": "0x86"}).encode()
        self.send_response_only(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Tunnel(BaseHTTPRequestHandler):
    """A proxy that knows one host: every tunnel leads to ``server.node``."""

    def log_message(self, *_: object) -> None:
        pass

    def do_CONNECT(self) -> None:
        server: Any = self.server
        server.asked.append((self.path, self.headers["proxy-authorization"]))
        self.send_response_only(200)
        self.end_headers()
        with socket.create_connection(server.node) as far:
            pair = (self.connection, far)
            while True:
                ready, _, _ = select.select(pair, (), (), 5)
                data = [(each, each.recv(65536)) for each in ready]
                if not data or any(not got for _, got in data):
                    break
                for each, got in data:
                    (far if each is self.connection else self.connection).sendall(got)
        self.close_connection = True


def running(server: ThreadingHTTPServer) -> Iterator[Any]:
    server.daemon_threads, server.block_on_close = True, False
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # handshakes that fail
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def node() -> Iterator[Any]:
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Node)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(FILES / "example-cert.pem", FILES / "example-key.pem")
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    server.paths = []
    yield from running(server)


@pytest.fixture
def proxy(node: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The proxy of the environment, which wants a password."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Tunnel)
    server.node, server.asked = node.server_address, []
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, f"http://user:{SECRET}@127.0.0.1:{server.server_port}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    yield from running(server)


def test_a_node_behind_a_proxy_with_an_authority_of_ones_own(node: Any, proxy: Any) -> None:
    with IExec(NODE, ca_file=CA, timeout=5) as iexec:
        assert iexec.network.get_network().chain_id == 134
    given = "Basic " + b64encode(f"user:{SECRET}".encode()).decode()
    assert proxy.asked == [("node.example:443", given)]
    assert node.paths == [f"/{SECRET}"]


def test_without_the_authority_nothing_is_asked(node: Any, proxy: Any) -> None:
    with IExec(NODE, timeout=5) as iexec, pytest.raises(TransportError, match="ca_file=") as caught:
        iexec.network.get_network()
    assert (node.paths, SECRET in str(caught.value)) == ([], False)


def test_no_proxy(proxy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "node.example")
    with (
        IExec(NODE, ca_file=CA, timeout=5) as iexec,
        pytest.raises(TransportError, match="unknown host name"),
    ):
        iexec.network.get_network()
    assert proxy.asked == []


def test_timeout_is_of_the_whole_call() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with IExec(url, timeout=0.3) as iexec, pytest.raises(RequestTimeoutError, match="timeout="):
            iexec.network.get_network()


def test_a_closed_client_asks_nobody(node: Any, proxy: Any) -> None:
    iexec = IExec(NODE, ca_file=CA)
    with iexec:
        assert iexec.chain.id == 134
    iexec.close()  # twice is once
    for act in (iexec.hub.count_category, lambda: iexec.account.check_balance("0x" + "11" * 20)):
        with pytest.raises(TransportError, match="closed; build a new client"):
            act()
    assert len(node.paths) == 1


def test_a_client_closed_before_its_first_use_asks_nobody(node: Any, proxy: Any) -> None:
    asked: list[str] = []
    for provider in (NODE, lambda method, params: asked.append(method)):
        iexec = IExec(provider, chain=134, ca_file=CA)
        iexec.close()
        with pytest.raises(TransportError, match="closed; build a new client"):
            iexec.hub.count_category()
    assert not node.paths
    assert not asked


@pytest.mark.parametrize("options", [{"timeout": 0}, {"timeout": "5"}, {"ca_file": "/no/ca.pem"}])
def test_options_that_cannot_work(options: dict[str, Any]) -> None:
    with (
        pytest.raises(ConfigurationError, match=r"timeout|ca_file"),
        IExec(NODE, **options) as iexec,
    ):
        iexec.network.get_network()


# --- what holds secrets or connections ------------------------------------------------------------

KEY = "0x" + "ab" * 32
SECRETS = (SECRET, "ab" * 8)


def secretive() -> dict[str, Any]:
    """One of each."""
    url = f"https://user:{SECRET}@node.example/{SECRET}?key={SECRET}"
    iexec = IExec(url, KEY, chain=134, sms_url=url)
    http = Http()
    provider = utils.get_signer_from_private_key(
        "mainnet", KEY, providers={"alchemy": SECRET, "infura": SECRET}
    )
    return {
        "IExec": iexec,
        "Context": iexec._context,
        "Orders": iexec.order,
        "Tasks": iexec.task,
        "KeySigner": iexec._context.signer,
        "SigningProvider": provider,
        "Transactions": iexec._context.transactions,
        "Http": http,
        "Rpc": Rpc(url, http=http),
        "Sms": Sms(http, url),
        "Market": Market(http, url, 1),
        "Chain": Chain(id=5, hub="0x" + "11" * 20, host=url),
        "Providers": Providers(alchemy=SECRET, infura=SECRET, infura_secret=SECRET),
        "Target": parse_target(url),
    }


DATA = ("Chain", "Providers", "Target")  # what is data can be copied


@pytest.mark.parametrize("name", secretive())
def test_nothing_tells_its_secrets(name: str) -> None:
    value = secretive()[name]
    text = f"{value!r} {value} {[value]}"
    assert not any(secret in text for secret in SECRETS)


@pytest.mark.parametrize("name", [name for name in secretive() if name not in DATA])
def test_what_is_alive_is_not_pickled(name: str) -> None:
    value = secretive()[name]
    for take in (pickle.dumps, copy.deepcopy):
        with pytest.raises((TypeError, ValueError)) as caught:
            take(value)
        assert not any(secret in str(caught.value) for secret in SECRETS)


def test_a_repr_asks_nobody() -> None:
    asked: list[str] = []
    iexec = IExec("https://node.example", RpcSigner(lambda method, _: asked.append(method)))
    assert (repr(iexec), repr(iexec._context)) == ("IExec(RpcSigner)", "Context(RpcSigner)")
    assert asked == []


@pytest.mark.parametrize("name", DATA)
def test_what_is_data_is_copied(name: str) -> None:
    value = secretive()[name]
    assert pickle.loads(pickle.dumps(value)) == copy.deepcopy(value) == value
    assert isinstance(secretive()["SigningProvider"], SigningProvider)
