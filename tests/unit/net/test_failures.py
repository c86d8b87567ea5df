"""Every way in which a host can fail is one error of the tree, whose message says what to do.

Real sockets: each case is a behaviour of a loopback server, or an address where there is none.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    RequestTimeoutError,
    TransportError,
    Web3ProviderCallError,
)
from iexec_lite.net.http import Http, Timeout
from iexec_lite.net.rpc import Rpc, RpcError
from iexec_lite.net.target import parse_target, redirected

SECRET = "s3cr3tk3y"


def sleepy(call: Any) -> None:
    time.sleep(0.6)


def drip(call: Any) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
    for _ in range(40):
        call.raw(b" ")
        time.sleep(0.02)


def cut(call: Any) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    call.close_connection = True


def reset(call: Any) -> None:
    call.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    call.connection.close()
    call.close_connection = True


def chunk(call: Any) -> None:
    call.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    call.close_connection = True


def noise(call: Any) -> None:
    call.raw(b"SSH-2.0-OpenSSH\r\n")
    call.close_connection = True


def says(body: bytes, **headers: str) -> Callable[[Any], None]:
    return lambda call: call.reply(200, body, {k.replace("_", "-"): v for k, v in headers.items()})


def sends_on(location: str) -> Callable[[Any], None]:
    return lambda call: call.reply(302, b"", {"Location": location})


LATE = "{} did not answer in full within 0.4 s; try again, or give it longer (timeout=)"
HUGE = "{} sent more than 2000 bytes: refused; check that its URL is right"
CUT, CLOSED = "{} cut its answer short; try again", "{} closed the connection; try again"
BODY = "{} sent a bad body: %s; check that its URL is right, and the proxy if there is one"
UNREADABLE = "{} answered something unreadable: %s; check that its URL is right"
IMPROPER = "{} does not speak proper HTTP (%s); check that its URL is right"

# what the host does → error, whether it may pass, the whole text
HTTP: dict[str, tuple[Callable[[Any], object], type[IExecError], bool, str]] = {
    "silence": (
        sleepy,
        RequestTimeoutError,
        True,
        "{} did not answer in time; try again, or give it longer (timeout=)",
    ),
    "drip": (drip, RequestTimeoutError, True, LATE),
    "cut": (cut, TransportError, True, CUT),
    "reset": (reset, TransportError, True, CLOSED),
    "broken chunks": (chunk, TransportError, True, CUT),
    "no http": (noise, TransportError, False, IMPROPER % "BadStatusLine"),
    "oversized": (says(b" " * 3000), TransportError, False, HUGE),
    "bomb": (
        says(gzip.compress(b" " * 3000), content_encoding="gzip"),
        TransportError,
        False,
        HUGE,
    ),
    "bad gzip": (
        says(b"\x1f\x8b no", content_encoding="gzip"),
        TransportError,
        False,
        BODY % "broken compressed data",
    ),
    "cut gzip": (
        says(gzip.compress(b"{}")[:-9], content_encoding="gzip"),
        TransportError,
        False,
        BODY % "compressed body cut short",
    ),
    "unknown encoding": (
        says(b"x", content_encoding="br"),
        TransportError,
        False,
        BODY % "unknown content encoding",
    ),
    "html": (
        says(b"<html>hello</html>"),
        TransportError,
        False,
        UNREADABLE % "not JSON (Expecting value at character 0)",
    ),
    "no text": (says(b"\xff\xfe"), TransportError, False, UNREADABLE % "not UTF-8"),
    "nothing": (
        says(b""),
        TransportError,
        False,
        UNREADABLE % "not JSON (Expecting value at character 0)",
    ),
    "redirect without end": (
        sends_on("/again"),
        TransportError,
        False,
        "{} redirects more than 5 times; give the URL it leads to",
    ),
    "redirect to plain http": (
        sends_on("http://node.example/"),
        TransportError,
        False,
        "{} redirects to http://node.example, unprotected: refused; give an https:// URL",
    ),
    "redirect to a file": (
        sends_on("file:///etc/passwd"),
        TransportError,
        False,
        "{} redirects to an unusable address; check its URL",
    ),
}


# Only what is about time has little of it: a busy machine must not change what is told.
LIMITS = {"silence": Timeout(read=0.2), "drip": Timeout(total=0.4)}


def told(error: IExecError) -> str:
    """The whole text of an error, which never shows more of a URL than scheme and host."""
    text = "".join(traceback.format_exception(error)) + repr(error.to_dict())
    assert SECRET not in text
    return error.message


@pytest.mark.parametrize("case", HTTP)
def test_http(serve: Any, case: str) -> None:
    behaviour, kind, retryable, message = HTTP[case]
    server = serve(behaviour)
    timeout = LIMITS.get(case, Timeout())
    with Http(timeout=timeout, max_bytes=2000) as http, pytest.raises(kind) as caught:
        http.request("GET", f"{server.url}/{SECRET}?k={SECRET}").json()
    assert type(caught.value) is kind
    assert (caught.value.retryable, told(caught.value)) == (retryable, message.format(server.url))


def test_redirects_to_this_machine() -> None:
    origin = parse_target("https://node.example/")
    with pytest.raises(TransportError, match="redirects to this machine: refused; check its URL"):
        redirected(origin, "https://127.0.0.1/")


def test_nobody_listens() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Http() as http, pytest.raises(TransportError) as caught:
            http.request("GET", f"{url}/{SECRET}")
    assert told(caught.value) == (
        f"{url} cannot be reached: Connection refused; check that it runs, and its URL"
    )
    assert caught.value.retryable


def test_nobody_accepts() -> None:
    """A full queue: the time to connect, where the system has no answer at all."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(address)
        timeout = Timeout(connect=0.2, read=9, total=9)
        with Http(timeout=timeout) as http, pytest.raises(RequestTimeoutError) as caught:
            http.request("GET", f"http://127.0.0.1:{address[1]}/{SECRET}")
        for each in waiting:
            each.close()
    assert told(caught.value) == (
        f"http://127.0.0.1:{address[1]} did not answer in time; "
        "try again, or give it longer (timeout=)"
    )
    assert caught.value.retryable


def test_an_unknown_name() -> None:
    with Http() as http, pytest.raises(TransportError) as caught:
        http.request("GET", f"https://no-such-host.invalid/{SECRET}")
    assert told(caught.value) == (
        "https://no-such-host.invalid: unknown host name; "
        "check the URL, and that the network is there"
    )


def secured(server: Any, certificate: str, key: str) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    return str(server.url.replace("http:", "https:"))


def test_tls(serve: Any, tls_files: tuple[str, str]) -> None:
    url = secured(serve(lambda call: call.reply(200)), *tls_files)
    with Http() as http, pytest.raises(TransportError) as caught:
        http.request("GET", f"{url}/{SECRET}")
    assert "name the authority that signed it by ca_file=" in told(caught.value)
    server = serve(lambda call: call.reply(200))
    server.socket.close()
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def answer() -> None:
            talk, _ = plain.accept()
            talk.recv(10)
            talk.sendall(b"HTTP/1.1 400 no\r\n\r\n")
            talk.close()

        thread = threading.Thread(target=answer)
        thread.start()
        with Http() as http, pytest.raises(TransportError, match="check that this port speaks"):
            http.request("GET", f"https://127.0.0.1:{plain.getsockname()[1]}/{SECRET}")
        thread.join()
    with Http(ca_file="/no/ca.pem") as http, pytest.raises(ConfigurationError, match="ca_file"):
        http.request("GET", url)


# --- statuses -------------------------------------------------------------------------------------

STATUSES = {
    301: (False, "give the URL it leads to"),
    302: (False, "give the URL it leads to"),
    303: (False, "give the URL it leads to"),
    304: (False, "check that the URL is right"),
    307: (False, "give the URL it leads to"),
    308: (False, "give the URL it leads to"),
    400: (False, "check that the URL is right"),
    401: (False, "check the URL, and the key if it holds one"),
    403: (False, "check the URL, and the key if it holds one"),
    404: (False, "check the path of the URL"),
    405: (False, "check the path of the URL"),
    409: (False, "it is at odds with what is there: look first, then decide"),
    413: (False, "ask for less at once"),
    429: (True, "wait, or use a host with a higher limit"),
    499: (False, "check that the URL is right"),
    500: (True, "try again later"),
    502: (True, "try again later"),
    503: (True, "try again later"),
    504: (True, "try again later"),
}


@pytest.mark.parametrize("status", STATUSES)
def test_statuses_of_a_node(serve: Any, status: int) -> None:
    retryable, cure = STATUSES[status]
    server = serve(lambda call: call.reply(status, b"<html>", {"Location": server.url}))
    with Http(sleep=lambda _: None) as http:
        rpc = Rpc(f"{server.url}/{SECRET}", http=http)
        with pytest.raises(Web3ProviderCallError) as caught:
            rpc.request("eth_blockNumber")
    assert told(caught.value) == f"{server.url} answered HTTP status {status}: {cure}"
    assert (caught.value.retryable, caught.value.details) == (retryable, {"status": status})


# --- what is JSON, but no answer ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "what"),
    [
        *((answer, "not a JSON-RPC object") for answer in ("", [], 5, None)),
        ({}, "the id of another request"),
        ({"id": True, "result": 1}, "the id of another request"),
        ({"jsonrpc": "2.0", "id": 2, "result": 1}, "the id of another request"),
        ({"id": 2, "error": {"message": "of another"}}, "the id of another request"),
        ({"id": 1}, "neither result nor error"),
        ({"id": 1, "error": None}, "neither result nor error"),
    ],
)
def test_wrong_types(serve: Any, answer: object, what: str) -> None:
    server = serve(lambda call: call.reply_json(answer))
    with Http() as http, pytest.raises(Web3ProviderCallError) as caught:
        Rpc(f"{server.url}/{SECRET}", http=http).request("eth_blockNumber")
    assert told(caught.value) == (
        f"{server.url} sent a malformed JSON-RPC answer: {what}; check that its URL is a node's"
    )


@pytest.mark.parametrize("result", [None, 5, "5", "0x", "0xzz", {}, "0x" + "1" * 65])
def test_wrong_results(serve: Any, result: object) -> None:
    server = serve(lambda call: call.reply_json({"jsonrpc": "2.0", "id": 1, "result": result}))
    with Http() as http, pytest.raises(Web3ProviderCallError) as caught:
        Rpc(f"{server.url}/{SECRET}", http=http).chain_id()
    assert told(caught.value) == (
        "the node gave no 0x hex number for eth_chainId; check its URL, or use another node"
    )


# --- the node's refusals, in the words of anvil, geth, nethermind, besu and erigon ----------------

FUNDS = (
    "insufficient_funds",
    False,
    "insufficient funds for intrinsic transaction cost: the account needs more of the chain's coin",
)
NONCE = (
    "nonce_too_low",
    False,
    "nonce has already been used: another program sends with this account",
)
PRICE = (
    "underpriced",
    False,
    "replacement fee too low: wait for the transaction that is pending, or offer a higher "
    "gas_price",
)
SAYS = "processing response error: {} …"
KNOWN = ("already_known", False, SAYS + " (the node has this transaction, wait for it)")
REFUSED = ("refused", False, SAYS + " (the node does not take this, see its words)")
OTHER = ("other", False, SAYS + " (if it stays so, use another node)")
BUSY = ("other", True, SAYS + " (wait, or use a node with a higher limit)")

REFUSALS = [
    (-32003, "Insufficient funds for gas * price + value", FUNDS),  # anvil
    (-32000, "insufficient funds for gas * price + value: balance 0", FUNDS),  # geth
    (-32010, "InsufficientFunds, Account balance: 0, cumulative cost: 42", FUNDS),  # nethermind
    (-32004, "Upfront cost exceeds account balance", FUNDS),  # besu
    (-32003, "nonce too low", NONCE),
    (-32000, "nonce too low: next nonce 5, tx nonce 2", NONCE),
    (-32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 2", NONCE),
    (-32001, "Nonce too low", NONCE),
    (-32003, "transaction already imported", KNOWN),
    (-32000, "already known", KNOWN),
    (-32010, "AlreadyKnown", KNOWN),
    (-32000, "Known transaction", KNOWN),
    (-32003, "replacement transaction underpriced", PRICE),
    (-32010, "ReplacementNotAllowed", PRICE),
    (-32000, "could not replace existing tx", PRICE),  # erigon
    (-32003, "max fee per gas less than block base fee", REFUSED),
    (-32000, "transaction underpriced: gas tip cap 0, minimum needed 1", REFUSED),
    (-32010, "FeeTooLow, MaxFeePerGas too low", REFUSED),
    (-32003, "intrinsic gas too low", REFUSED),
    (-32000, "exceeds block gas limit", REFUSED),
    (-32010, "GasLimitExceeded, Gas limit: 9, gas limit of rejected tx: 10", REFUSED),
    (-32000, "invalid sender", REFUSED),
    (-32010, "NonceGap, Future nonce. Expected: 3, got: 5", REFUSED),
    (-32010, "SenderIsContract, Sender is contract", REFUSED),
    (-32601, "the method eth_sendRawTransaction does not exist/is not available", REFUSED),
    (-32005, "daily request count exceeded, request rate limited", BUSY),
    (429, "Too Many Requests", BUSY),
    # the last words of each kind, and its neighbours
    (-32000, "InsufficientBalance", FUNDS),
    (-32000, "nonce is too low", NONCE),
    (-32000, "NONCE_TOO_LOW", NONCE),
    (-32000, "already in pool", KNOWN),
    (-32000, "already in the pool", KNOWN),
    (-32000, "unknown transaction", OTHER),
    (-32000, "replacement not allowed", PRICE),
    (-32000, "nonce too high", REFUSED),
    (-32000, "oversized data", REFUSED),
    (-32000, "fee below the minimum", REFUSED),
    (-32000, "transaction type not supported", REFUSED),
    (-32000, "less than block base fee", REFUSED),
    (-32000, "tx fee exceeds the configured cap", REFUSED),
    (-32000, "gas price too low", REFUSED),
    (-32000, "invalid signature", REFUSED),
    (-32000, "invalid chain id", REFUSED),
    (-32000, "could not decode it", REFUSED),
    (-32600, "no", REFUSED),
    (-32602, "no", REFUSED),
    (-32603, "no", OTHER),
    (-32000, "over capacity", BUSY),
    (-32000, "please try again", BUSY),
    (-32000, "Rate limit reached", BUSY),
    (-32005, "no", BUSY),
    (-32603, "Internal error", OTHER),
    (-32000, "header not found", OTHER),
]


@pytest.mark.parametrize(
    ("code", "words", "expected"), REFUSALS, ids=[f"{code} {words}" for code, words, _ in REFUSALS]
)
def test_refusals(serve: Any, code: int, words: str, expected: tuple[str, bool, str]) -> None:
    kind, retryable, text = expected
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": code, "message": words + f" {SECRET}"}}
    server = serve(lambda call: call.reply_json(answer))
    with Http(sleep=lambda _: None) as http, pytest.raises(RpcError) as caught:
        Rpc(f"{server.url}/{SECRET}", http=http).request("eth_sendRawTransaction", ("0x",))
    assert (caught.value.kind, caught.value.retryable) == (kind, retryable)
    assert told(caught.value) == text.format(words)


REVERTED = "call revert exception ({}): check the address, the arguments and the chain"
ESTIMATE = "cannot estimate gas; transaction may fail or may require manual gas limit: {}"


@pytest.mark.parametrize(
    ("method", "words", "text"),
    [
        ("eth_call", "execution reverted", REVERTED),
        ("eth_call", "VM execution error", REVERTED),
        ("eth_call", "VM Exception while processing", REVERTED),
        ("eth_call", "gas required exceeds allowance (8)", REVERTED),
        ("eth_call", "always failing transaction", REVERTED),
        ("eth_estimateGas", "execution reverted", ESTIMATE),
        ("eth_estimateGas", "VM execution error", ESTIMATE),
        ("eth_estimateGas", "VM Exception while processing", ESTIMATE),
        ("eth_estimateGas", "gas required exceeds allowance (8)", ESTIMATE),
        ("eth_estimateGas", "always failing transaction", ESTIMATE),
        ("eth_sendRawTransaction", "always failing transaction", ESTIMATE),
    ],
)
def test_reverts_without_a_reason(serve: Any, method: str, words: str, text: str) -> None:
    answer = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32000, "message": words}}
    server = serve(lambda call: call.reply_json(answer))
    with Http() as http, pytest.raises(RpcError) as caught:
        Rpc(f"{server.url}/{SECRET}", http=http).request(method, ({},))
    assert told(caught.value) == text.format(words)
    assert caught.value.kind == ("revert" if text is REVERTED else "estimate")
    assert caught.value.details == {"rpcCode": -32000, "nodeMessage": words, "method": method}
