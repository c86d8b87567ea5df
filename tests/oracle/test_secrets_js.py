"""The JavaScript SDK V6 and ours before the same SMS and result proxy: the same requests.

As in ``test_market_js.py``: a loopback server records what it is asked and answers what is needed;
the node beside it knows who owns everything. Signatures are deterministic, so bytes are equal.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import StateError
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol.authorization import RESULT_PROXY, new_challenge
from iexec_lite.protocol.chains import resolve
from iexec_lite.protocol.contracts import REGISTRY, RESOURCE

from .conftest import serving

CHAIN = resolve(134)
KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
SIGNER = KeySigner.from_key(KEY)
ME, DATASET = SIGNER.address, "0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1"
CHALLENGE = "Sign this message to log into Iexec result repository: b3vAkZ1xQp"
TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiIweDdiZDQ3ODNGIn0."
ODD = 'é ☂ 😀 \u2028 " \\ \x7f </script>\n'


class Services(ThreadingHTTPServer):
    """``/sms`` and ``/result`` are recorded, elsewhere is a node. ``known``: secrets are set."""

    daemon_threads = True

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.known = False
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def log_message(self, *_: object) -> None:
                pass

            def handle_one(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                status, text = 200, b""
                if self.path.startswith(("/sms/", "/result/")):
                    told = {k: self.headers.get(k) for k in ("content-type", "authorization")}
                    server.asked.append((self.command, self.path, told, body))
                    status, text = server.answer(self.command, self.path)
                else:
                    text = json.dumps(server.node(json.loads(body))).encode()
                self.send_response_only(status)
                if text.startswith(b"{"):
                    self.send_header("Content-Type", "application/json; charset=utf-8")
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(text)

            do_GET = do_HEAD = do_POST = do_PUT = handle_one

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def node(self, asked: Any) -> Any:
        if isinstance(asked, list):
            return [self.node(one) for one in asked]
        answers = {"eth_chainId": hex(CHAIN.id), "net_version": str(CHAIN.id)}
        if asked["method"] == "eth_call":
            answers["eth_call"] = self.contract(asked["params"][0]["data"])
        return {"jsonrpc": "2.0", "id": asked["id"], "result": answers[asked["method"]]}

    def contract(self, data: str) -> str:
        """Everything is registered, belongs to us and has no text."""
        if data.startswith(to_hex(REGISTRY.isRegistered.selector)):
            return f"0x{1:064x}"
        for getter in RESOURCE["dataset"].values():
            if data == to_hex(getter.selector) and "address" not in getter.text:
                return f"0x{32:064x}{0:064x}"
        return "0x" + ME[2:].lower().rjust(64, "0")

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        if path.startswith("/result/results/challenge"):
            challenge = new_challenge(RESULT_PROXY, CHAIN.id, CHALLENGE).to_dict()
            return 200, json.dumps(challenge).encode()
        if path.startswith("/result/results/login"):
            return 200, TOKEN.encode()
        return 204 if method != "HEAD" or self.known else 404, b""


@pytest.fixture
def services() -> Iterator[Services]:
    with serving(Services()) as server:
        yield server


@pytest.fixture
def js(oracle: Any, services: Services) -> Any:
    chain = {
        "host": services.url,
        "hub": CHAIN.hub,
        "native": True,
        "key": KEY,
        "sms": services.url + "/sms",
        "resultProxy": services.url + "/result",
    }

    def ask(method: str, *args: Any) -> Any:
        module, _, function = method.partition(".")
        return oracle.ask("onChain", chain=chain, module=module, method=function, args=list(args))

    return ask


@pytest.fixture
def py(services: Services) -> Iterator[Callable[[], IExec]]:
    """A new client at each call: one remembers what is set already."""
    urls = {"sms_url": services.url + "/sms/", "result_proxy_url": services.url + "/result/"}
    made: list[IExec] = []

    def new() -> IExec:
        made.append(IExec(services.url, KEY, chain=CHAIN, **urls))
        return made[-1]

    yield new
    for iexec in made:
        iexec.close()


def taken(services: Services) -> list[Any]:
    asked, services.asked = services.asked, []
    assert asked
    return asked


# ours, JavaScript's, the arguments, our options, its options
PUSHES: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "result.push_result_encryption_key",
        "result.pushResultEncryptionKey",
        base64.b64encode(rsa_generate(2048)[1].encode()).decode(),
        {},
        {},
    ),
    ("storage.push_storage_token", "storage.pushStorageToken", ODD, {}, {}),
    (
        "storage.push_storage_token",
        "storage.pushStorageToken",
        TOKEN,
        {"provider": "dropbox"},
        {"provider": "dropbox"},
    ),
]


def call(py: Any, name: str, *args: Any, **options: Any) -> Any:
    module, _, method = name.partition(".")
    return getattr(getattr(py(), module), method)(*args, **options)


@pytest.mark.witness("sms: * web2", "sms: digest signed for a web2 secret", by="js")
@pytest.mark.parametrize(("ours", "theirs", "value", "options", "their_options"), PUSHES)
@pytest.mark.parametrize("known", [False, True])
def test_pushes_of_an_account(
    js: Any,
    py: Any,
    services: Services,
    known: bool,
    ours: str,
    theirs: str,
    value: str,
    options: dict[str, Any],
    their_options: dict[str, Any],
) -> None:
    """HEAD and POST; where a secret is set and to be replaced, HEAD and PUT."""
    services.known = known
    found = js(theirs, value, {**their_options, "forceUpdate": known})
    asked = taken(services)
    assert [each[0] for each in asked] == ["HEAD", "PUT" if known else "POST"]
    assert asked[1][3] == value.encode()
    assert call(py, ours, value, force_update=known, **options).to_dict() == found
    assert taken(services) == asked
    # and with the signature made elsewhere
    signed = call(py, f"{ours}_request", value, address=ME, **options).sign(SIGNER).to_dict()
    call(py, ours, value, force_update=known, signature=signed, **options)
    assert taken(services) == asked


@pytest.mark.witness("sms: POST web3", "sms: digest signed for a web3 secret", by="js")
@pytest.mark.parametrize("value", ["IrXdc0MsIAkLnm/RNYV2kEVVzmEXRCHKnBQtQlR+SFA=", ODD])
def test_pushes_of_a_dataset(js: Any, py: Any, services: Services, value: str) -> None:
    assert js("dataset.pushDatasetSecret", DATASET.lower(), value) is True
    asked = taken(services)
    assert [each[0] for each in asked] == ["POST"]
    assert py().dataset.push_dataset_secret(DATASET.lower(), value) is True
    assert taken(services) == asked
    signed = py().dataset.push_dataset_secret_request(DATASET, value).sign(SIGNER)
    py().dataset.push_dataset_secret(DATASET, value, signature=signed)
    assert taken(services) == asked


EXISTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("dataset.check_dataset_secret_exists", "dataset.checkDatasetSecretExists", DATASET, {}),
    (
        "result.check_result_encryption_key_exists",
        "result.checkResultEncryptionKeyExists",
        ME,
        {},
    ),
    ("storage.check_storage_token_exists", "storage.checkStorageTokenExists", ME, {}),
    (
        "storage.check_storage_token_exists",
        "storage.checkStorageTokenExists",
        ME,
        {"provider": "dropbox"},
    ),
]


@pytest.mark.witness("sms: HEAD *", by="js")
@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(("ours", "theirs", "address", "options"), EXISTS)
def test_questions(
    js: Any,
    py: Any,
    services: Services,
    ours: str,
    theirs: str,
    address: str,
    options: dict[str, Any],
    known: bool,
) -> None:
    services.known = known
    for text in (address, address.lower()):
        assert js(theirs, text, options) is known
        asked = taken(services)
        assert [each[0] for each in asked] == ["HEAD"]
        assert call(py, ours, text, **options) is known
        assert taken(services) == asked


@pytest.mark.witness("result proxy: challenge", "result proxy: login", by="js")
def test_login(js: Any, py: Any, services: Services) -> None:
    assert js("storage.defaultStorageLogin") == TOKEN
    asked = taken(services)
    assert [each[0] for each in asked] == ["GET", "POST"]
    assert py().storage.default_storage_login() == TOKEN
    assert taken(services) == asked
    carried = py().storage.login_challenge(address=ME).sign(SIGNER).to_dict()
    assert py().storage.default_storage_login(authorization=carried) == TOKEN
    assert taken(services) == asked


def test_nothing_is_pushed_over_what_is_there(js: Any, py: Any, services: Services) -> None:
    services.known = True
    with pytest.raises(Exception, match="already exists"):
        js("storage.pushStorageToken", TOKEN)
    asked = taken(services)
    with pytest.raises(StateError, match="already exists"):
        py().storage.push_storage_token(TOKEN)
    assert taken(services) == asked
    assert [each[0] for each in asked] == ["HEAD"]
