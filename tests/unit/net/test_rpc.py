"""JSON-RPC against nodes that answer wrongly, refuse batches, or fail now and then."""

from __future__ import annotations

import json
import pickle
import traceback

import pytest

from iexec_lite.errors import (
    ConfigurationError,
    TransportError,
    Web3ProviderCallError,
    Web3ProviderError,
)
from iexec_lite.eth.crypto import keccak
from iexec_lite.net.http import Http
from iexec_lite.net.rpc import Rpc, RpcError, block_tag, data, missing_contract, quantity
from iexec_lite.net.rpc_error import revert_data, shown

SECRET = "s3cr3tk3y"
REVERT = "0x08c379a0" + f"{32:064x}{24:064x}" + b"iExecV5-matchOrders-0x14".hex().ljust(64, "0")
ADDRESS = "0x" + "11" * 20


@pytest.fixture
def node(serve):
    """``node(answer)``: a node and its Rpc; ``answer(call)`` gives result, error or raw item."""

    def start(answer, **options):
        def one(request):
            item = answer(request["method"], request["params"])
            if isinstance(item, Raw):
                return {**{"jsonrpc": "2.0", "id": request["id"]}, **item}
            return {"jsonrpc": "2.0", "id": request["id"], "result": item}

        def behave(call):
            request = json.loads(call.data)
            many = isinstance(request, list)
            call.reply_json([one(item) for item in request] if many else one(request))

        return rpc_to(serve(behave), **options)

    return start


class Raw(dict):
    """Fields of an answer instead of its result."""


def rpc_to(server, **options):
    rpc = Rpc(f"{server.url}/{SECRET}?key={SECRET}", http=options.pop("http", quick()), **options)
    rpc.server = server
    return rpc


def quick():
    return Http(timeout=5, sleep=lambda _: None)


def error(code, message="", **more):
    return Raw(error={"code": code, "message": message, **more})


def text_of(caught):
    return "".join(traceback.format_exception(caught.value)) + repr(caught.value.to_dict())


# --- one request -----------------------------------------------------------------------------


def test_request_and_result(node):
    rpc = node(lambda method, params: [method, params])
    assert rpc.request("eth_foo", ["0x1", {"a": None}]) == ["eth_foo", ["0x1", {"a": None}]]
    method, path, headers, body = rpc.server.calls[0]
    assert (method, path) == ("POST", f"/{SECRET}?key={SECRET}")
    assert (headers["content-type"], headers["accept"]) == ("application/json", "application/json")
    assert body == (b'{"jsonrpc":"2.0","id":1,"method":"eth_foo","params":["0x1",{"a":null}]}')


@pytest.mark.parametrize("result", [None, 0, "", False, [], {}])
def test_falsy_results_are_results(node, result):
    assert node(lambda *_: result).request("eth_foo") == result


@pytest.mark.parametrize(
    "body",
    [
        b"<html>gateway</html>",
        b"",
        b"null",
        b'"0x1"',
        b"[]",
        b"{}",
        b'{"jsonrpc":"2.0","id":1}',
        b'{"jsonrpc":"2.0","id":99,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":"1","result":"0x1"}',
        b'{"jsonrpc":"2.0","id":true,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":null,"result":"0x1"}',
        b'{"jsonrpc":"2.0","id":1,"result":NaN}',
        b'{"jsonrpc":"2.0","id":1,"result":' + b"9" * 5000 + b"}",
        b'[{"jsonrpc":"2.0","id":1,"result":"0x1"}]',
        b'{"jsonrpc":"2.0","id":7,"error":{"code":1,"message":"of another"}}',
    ],
)
def test_what_is_no_answer_to_the_call_is_an_error(serve, body):
    rpc = rpc_to(serve(lambda call: call.reply(200, body)))
    with pytest.raises(Web3ProviderCallError, match=r"http://127\.0\.0\.1") as caught:
        rpc.request("eth_call")
    assert SECRET not in text_of(caught)


def test_an_error_with_id_null_is_the_nodes_error(serve):
    body = b'{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error"}}'
    rpc = rpc_to(serve(lambda call: call.reply(200, body)))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_call")
    assert str(caught.value) == (
        "processing response error: Parse error (if it stays so, use another node)"
    )


@pytest.mark.parametrize(
    ("problem", "code", "words"),
    [
        ("text", 0, "text"),
        (5, 0, ""),
        ([], 0, ""),
        ({}, 0, ""),
        ({"code": "x", "message": 5}, 0, ""),
        ({"code": 2**63, "message": "x"}, 0, "x"),
        ({"code": 1 - 2**63, "message": "x"}, 1 - 2**63, "x"),
    ],
)
def test_malformed_errors_are_still_errors(serve, problem, code, words):
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "error": problem}).encode()
    rpc = rpc_to(serve(lambda call: call.reply(200, body)))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_foo")
    assert (caught.value.rpc_code, caught.value.node_message) == (code, words)
    assert str(caught.value) == (
        f"processing response error: {words or 'error 0'} (if it stays so, use another node)"
    )
    details = {"rpcCode": code, "nodeMessage": words, "method": "eth_foo"}
    assert caught.value.details == details


@pytest.mark.parametrize(("status", "retryable"), [(401, False), (404, False), (503, True)])
def test_http_statuses(serve, status, retryable):
    rpc = rpc_to(serve(lambda call: call.reply(status, b"<html>")))
    with pytest.raises(Web3ProviderCallError, match=f"HTTP status {status}") as caught:
        rpc.request("eth_call")
    assert caught.value.retryable is retryable
    assert SECRET not in text_of(caught)


def test_an_error_body_beats_its_status(serve):
    body = {"jsonrpc": "2.0", "id": 1, "error": {"code": -32002, "message": "bad project id"}}
    rpc = rpc_to(serve(lambda call: call.reply_json(body, 401)))
    with pytest.raises(RpcError, match="bad project id"):
        rpc.request("eth_call")


def test_a_key_that_the_node_echoes_is_cut_out(node):
    message = f"invalid key {SECRET}\n\x1b[31m" + "x" * 5000
    rpc = node(lambda *_: error(-32000, message))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_call")
    shown = text_of(caught)
    assert SECRET not in shown
    assert caught.value.node_message == "invalid key … [31m" + "x" * (500 - 18) + "…"


def test_no_answer_is_a_transport_error():
    rpc = Rpc(f"http://127.0.0.1:9/{SECRET}", http=quick())
    with pytest.raises(TransportError) as caught:
        rpc.request("eth_call")
    assert not isinstance(caught.value, Web3ProviderError)
    assert SECRET not in text_of(caught)


# --- reads and writes ------------------------------------------------------------------------


def flaky(serve, times):
    left = [times]

    def behave(call):
        request = json.loads(call.data)
        if left[0]:
            left[0] -= 1
            return call.reply(503, b"")
        return call.reply_json({"jsonrpc": "2.0", "id": request["id"], "result": "0x1"})

    return rpc_to(serve(behave))


def test_reads_are_retried(serve):
    rpc = flaky(serve, 3)
    assert rpc.request("eth_getBalance") == "0x1"
    assert len(rpc.server.calls) == 4


@pytest.mark.parametrize(
    "method", ["eth_sendRawTransaction", "eth_sendTransaction", "evm_mine", "eth_unheardOf"]
)
def test_everything_else_is_sent_once(serve, method):
    rpc = flaky(serve, 1)
    with pytest.raises(Web3ProviderCallError, match="503"):
        rpc.request(method)
    assert len(rpc.server.calls) == 1


def test_reads_go_to_the_next_node_writes_do_not(serve):
    bad = serve(lambda call: call.reply(502))
    rpc = flaky(serve, 0)
    both = Rpc([bad.url, rpc.server.url], http=quick())
    assert both.request("eth_getBalance") == "0x1"
    with pytest.raises(Web3ProviderCallError, match="502"):
        both.request("eth_sendTransaction")
    assert len(rpc.server.calls) == 1


def test_what_will_not_pass_is_not_asked_of_the_next_node(serve):
    """A key that is refused is refused: another node would only hide that."""
    bad, rpc = serve(lambda call: call.reply(401)), flaky(serve, 0)
    with pytest.raises(Web3ProviderCallError, match="HTTP status 401"):
        Rpc([bad.url, rpc.server.url], http=quick()).request("eth_getBalance")
    assert not rpc.server.calls


def test_a_reason_is_made_safe_to_show(node):
    def revert(text):
        words = text.encode()
        return "0x08c379a0" + f"{32:064x}{len(words):064x}" + words.hex().ljust(512, "0")

    evil = "no\x1b[2K\r\u202eyes"
    rpc = node(lambda *_: error(3, "execution reverted", data=revert(evil)))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_call")
    assert caught.value.message == "no [2K yes"
    rpc = node(lambda *_: error(3, "execution reverted", data=revert(f"key {SECRET}")))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_call")
    assert SECRET not in text_of(caught)
    assert SECRET.encode().hex() not in text_of(caught)


def test_a_key_is_cut_out_in_its_decoded_form_too(serve):
    server = serve(lambda call: call.reply_json({"id": None, "error": {"message": "pass@wörd no"}}))
    rpc = Rpc(server.url.replace("http://", "http://me:pass%40w%C3%B6rd@"), http=quick())
    with pytest.raises(RpcError, match="… no") as caught:
        rpc.request("eth_call")
    assert "pass" not in caught.value.message


def test_a_refusal_after_a_lost_answer_of_another_node_is_not_certain(serve):
    """The first node may have taken the transaction before its answer was lost."""
    lost = serve(lambda call: call.reply(502))
    refuses = serve(
        lambda call: call.reply_json({"id": None, "error": {"message": "nonce too low"}})
    )
    for urls, certain in (([lost.url, refuses.url], False), ([refuses.url, lost.url], True)):
        with pytest.raises(RpcError) as caught:
            Rpc(urls, http=quick()).send_raw(b"raw")
        assert (caught.value.kind, caught.value.certain) == ("nonce_too_low", certain)


# --- batches ---------------------------------------------------------------------------------


NO_ID, OTHER_IDS = "an item without a usable id", "a batch with other ids than those asked for"


def malformed(rpc, what):
    return (
        f"{rpc.server.url} sent a malformed JSON-RPC answer: {what}; check that its URL is a node's"
    )


def echo(request):
    return {"jsonrpc": "2.0", "id": request["id"], "result": request["params"][0]}


def reads(n):
    return [("eth_getBalance", [i]) for i in range(n)]


def test_batch_in_any_order_with_failed_items(serve):
    def behave(call):
        items = [echo(item) for item in json.loads(call.data)]
        del items[2]["result"]
        items[2]["error"] = {"code": 3, "message": "execution reverted", "data": REVERT}
        call.reply_json(items[::-1])

    rpc = rpc_to(serve(behave))
    results = rpc.batch(reads(5))
    assert results[:2] + results[3:] == [0, 1, 3, 4]
    assert isinstance(results[2], RpcError)
    assert results[2].message.endswith("iExecV5-matchOrders-0x14")
    assert len(rpc.server.calls) == 1


@pytest.mark.parametrize("number", [True, None, "1", 1.0])
def test_items_of_a_batch_without_a_usable_id(serve, number):
    def behave(call):
        items = [echo(item) for item in json.loads(call.data)]
        call.reply_json([{**items[0], "id": number}, *items[1:]])

    rpc = rpc_to(serve(behave))
    with pytest.raises(Web3ProviderCallError) as caught:
        rpc.batch(reads(3))
    assert str(caught.value) == malformed(rpc, "an item without a usable id")


def test_a_failure_told_in_a_text_is_that_of_the_status(serve):
    rpc = rpc_to(serve(lambda call: call.reply_json({"error": "busy"}, 503)))
    for ask in (lambda: rpc.request("eth_call"), lambda: rpc.batch(reads(2))):
        with pytest.raises(Web3ProviderCallError, match="HTTP status 503") as caught:
            ask()
        assert caught.value.retryable


def test_batches_are_capped(serve):
    sizes = []

    def behave(call):
        items = json.loads(call.data)
        sizes.append(len(items))
        call.reply_json([echo(item) for item in items])

    assert rpc_to(serve(behave)).batch(reads(2500)) == list(range(2500))
    assert sizes == [1000, 1000, 500]


def test_a_refusal_that_says_nothing_may_be_of_the_size(serve):
    sizes = []

    def behave(call):
        request = json.loads(call.data)
        sizes.append(len(request))
        if len(request) > 100:
            problem = {"code": -32600, "message": "invalid request"}
            return call.reply_json({"jsonrpc": "2.0", "id": None, "error": problem})
        return call.reply_json([echo(item) for item in request])

    rpc = rpc_to(serve(behave))
    assert rpc.batch(reads(250)) == list(range(250))
    assert sizes == [250, 100, 100, 50]


def test_calls_and_the_latest_block_in_one_batch(node):
    to = "0x" + "12" * 20
    block = {"number": "0x1", "timestamp": "0x2"}
    answers = {"eth_getBlockByNumber": block, "eth_call": "0x0102"}
    rpc = node(lambda method, _: answers[method])
    assert rpc.call_many_now([(to, b"1"), (to, b"2")]) == (
        [b"\1\2", b"\1\2"],
        block,
    )
    assert rpc.call_many_now([]) == ([], block)
    assert len(rpc.server.calls) == 2
    for wrong in (None, "0x1", []):
        answers["eth_getBlockByNumber"] = wrong
        with pytest.raises(Web3ProviderCallError) as caught:
            rpc.call_many_now([(to, b"1")])
        assert (str(caught.value), caught.value.retryable) == ("The node has no latest block", True)
    answers["eth_getBlockByNumber"] = error(-32000, "header not found")
    with pytest.raises(RpcError, match="header not found"):
        rpc.call_many_now([(to, b"1")])
    assert [(item["method"], item["params"]) for item in json.loads(rpc.server.calls[0][3])] == [
        ("eth_getBlockByNumber", ["latest", False]),
        ("eth_call", [{"to": to, "data": "0x31"}, "latest"]),
        ("eth_call", [{"to": to, "data": "0x32"}, "latest"]),
    ]
    answers["eth_call"], answers["eth_getBlockByNumber"] = "text", block
    (bad,), _ = rpc.call_many_now([(to, b"1")])
    assert isinstance(bad, Web3ProviderCallError)


def test_small_batches(node):
    rpc = node(lambda _, params: params[0])
    assert rpc.batch([]) == []
    assert rpc.batch(reads(1)) == [0]
    assert isinstance(json.loads(rpc.server.calls[0][3]), dict)


@pytest.mark.parametrize("way", ["-32600", "text", "413", "object", "null"])
def test_a_refused_batch_is_undone(serve, way):
    def behave(call):
        request = json.loads(call.data)
        if not isinstance(request, list):
            return call.reply_json(echo(request))
        if way == "413":
            return call.reply(413, b"<html>")
        if way == "null":
            return call.reply_json(None)
        if way == "object":
            return call.reply_json(echo(request[0]))
        code, message = (-32600, "invalid request") if way == "-32600" else (-32000, "no batches")
        return call.reply_json(
            {"jsonrpc": "2.0", "id": None, "error": {"code": code, "message": message}},
            400 if way == "text" else 200,
        )

    rpc = rpc_to(serve(behave))
    assert rpc.batch(reads(6)) == list(range(6))
    asked = len(rpc.server.calls)
    assert rpc.batch(reads(6)) == list(range(6))
    assert len(rpc.server.calls) == asked + 6  # it was remembered


def test_a_batch_too_large_is_split(serve):
    sizes = []

    def behave(call):
        request = json.loads(call.data)
        sizes.append(len(request))
        if len(request) > 10:
            problem = {"code": -32000, "message": "batch too large, at most 10"}
            return call.reply_json({"jsonrpc": "2.0", "id": None, "error": problem})
        return call.reply_json([echo(item) for item in request])

    rpc = rpc_to(serve(behave))
    assert rpc.batch(reads(30)) == list(range(30))
    assert sizes == [30, 15, 7, 7, 7, 7, 2]


@pytest.mark.parametrize("word", ["large", "big", "many", "limit", "exceed", "max"])
@pytest.mark.parametrize("status", [200, 413])
def test_words_for_too_large(serve, word, status):
    sizes = []

    def behave(call):
        request = json.loads(call.data)
        sizes.append(len(request))
        if len(request) > 4:
            problem = {"code": -32600, "message": f"Oh: {word.upper()}"}
            return call.reply_json({"jsonrpc": "2.0", "id": None, "error": problem}, status)
        return call.reply_json([echo(item) for item in request])

    assert rpc_to(serve(behave)).batch(reads(8)) == list(range(8))
    assert sizes == [8, 4, 4]


@pytest.mark.parametrize(
    ("size", "sizes"), [(101, [101, 100, 1]), (100, [100, *[1] * 100]), (2, [2, 1, 1])]
)
def test_what_a_node_may_take_that_says_nothing(serve, size, sizes):
    """A small batch where it was a large one, else one by one."""
    asked = []

    def behave(call):
        request = json.loads(call.data)
        many = isinstance(request, list)
        asked.append(len(request) if many else 1)
        if asked[-1] == size:
            return call.reply_json({"jsonrpc": "2.0"})
        return call.reply_json([echo(item) for item in request] if many else echo(request))

    assert rpc_to(serve(behave)).batch(reads(size)) == list(range(size))
    assert asked == sizes


def test_a_refused_batch_with_a_write_is_not_taken_apart(serve):
    rpc = rpc_to(serve(lambda call: call.reply(413)))
    with pytest.raises(Web3ProviderCallError) as caught:
        rpc.batch([("eth_getBalance", [1]), ("eth_sendRawTransaction", ["0x"])])
    assert str(caught.value) == (f"{rpc.server.url} answered HTTP status 413: ask for less at once")
    assert len(rpc.server.calls) == 1
    for answer in ({"id": 1}, None):
        rpc = rpc_to(serve(lambda call, answer=answer: call.reply_json(answer)))
        with pytest.raises(Web3ProviderCallError) as caught:
            rpc.batch([("eth_getBalance", [1]), ("eth_sendRawTransaction", ["0x"])])
        assert str(caught.value) == f"{rpc.server.url} does not answer batches"
        assert len(rpc.server.calls) == 1


def test_another_fault_does_not_undo_a_batch(serve):
    def behave(call):
        problem = {"code": -32005, "message": "daily request count exceeded"}
        call.reply_json({"jsonrpc": "2.0", "id": None, "error": problem})

    rpc = rpc_to(serve(behave))
    with pytest.raises(RpcError, match="daily request count") as caught:
        rpc.batch(reads(6))
    assert caught.value.retryable
    assert len(rpc.server.calls) == 1


@pytest.mark.parametrize(("status", "retryable"), [(200, False), (429, True)])
def test_a_status_tells_that_a_fault_passes(serve, status, retryable):
    problem = {"jsonrpc": "2.0", "id": None, "error": {"code": -1, "message": "no"}}
    rpc = rpc_to(serve(lambda call: call.reply_json(problem, status)))
    with pytest.raises(RpcError) as caught:
        rpc.batch(reads(2))
    assert caught.value.retryable is retryable
    assert "method" not in caught.value.details


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda items: items[:-1], OTHER_IDS),
        (lambda items: [*items, items[0]], "id 1 twice in one batch"),
        (lambda items: [*items, {**items[0], "id": 10**6}], OTHER_IDS),
        (lambda items: [{**item, "id": 3} for item in items], "id 3 twice in one batch"),
        (lambda items: [{**item, "id": str(item["id"])} for item in items], NO_ID),
        (lambda items: [{**item, "id": None} for item in items], NO_ID),
        (lambda items: ["x", *items[1:]], NO_ID),
        (lambda items: [], OTHER_IDS),
    ],
)
def test_batches_with_wrong_ids_are_refused(serve, change, what):
    rpc = rpc_to(
        serve(lambda call: call.reply_json(change([echo(i) for i in json.loads(call.data)])))
    )
    with pytest.raises(Web3ProviderCallError) as caught:
        rpc.batch(reads(4))
    assert str(caught.value) == malformed(rpc, what)


# --- the node's errors -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "kind", "text"),
    [
        (
            "insufficient funds for gas * price + value",
            "insufficient_funds",
            "insufficient funds for intrinsic transaction cost",
        ),
        ("nonce too low: next nonce 5, tx nonce 2", "nonce_too_low", "nonce has already been used"),
        ("replacement transaction underpriced", "underpriced", "replacement fee too low"),
        ("already known", "already_known", "processing response error: {}"),
        ("known transaction: ab12", "already_known", "processing response error: {}"),
        ("unknown transaction", "other", "processing response error: {}"),
        ("intrinsic gas too low", "refused", "processing response error: {}"),
        ("transaction underpriced", "refused", "processing response error: {}"),
        ("context deadline exceeded", "other", "processing response error: {}"),
    ],
)
def test_known_messages_are_mapped(node, message, kind, text):
    rpc = node(lambda *_: error(-32000, message))
    with pytest.raises(RpcError) as caught:
        rpc.request("eth_sendRawTransaction", ["0x"])
    assert caught.value.kind == kind
    assert caught.value.message.startswith(text.format(message))
    assert (caught.value.rpc_code, caught.value.node_message) == (-32000, message)
    assert caught.value.code == "web3_call"


@pytest.mark.parametrize(
    "answer",
    [
        error(3, "execution reverted: iExecV5-matchOrders-0x14", data=REVERT),
        error(-32000, "VM Exception while processing transaction: revert", data=REVERT),
        error(-32015, "VM execution error.", data="Reverted " + REVERT),
        error(-32000, "revert", data={"0xab": {"error": "revert", "return": REVERT}, "stack": ""}),
        error(-32603, "Internal error", data={"originalError": {"code": 3, "data": REVERT}}),
        error(-32603, "Internal error", data={"result": REVERT}),
    ],
)
def test_revert_reasons_of_many_nodes(node, answer):
    rpc = node(lambda *_: answer)
    with pytest.raises(RpcError) as read:
        rpc.call(ADDRESS, b"\x01")
    assert read.value.message == "iExecV5-matchOrders-0x14"
    assert (read.value.kind, read.value.revert.kind) == ("revert", "Error")
    assert read.value.data == bytes.fromhex(REVERT[2:])
    with pytest.raises(RpcError) as estimate:
        rpc.request("eth_estimateGas", [{}])
    assert estimate.value.message == (
        "cannot estimate gas; transaction may fail or may require manual gas limit: "
        "iExecV5-matchOrders-0x14"
    )


@pytest.mark.parametrize("junk", ["0x", "0x12", "zz", 5, None, {"data": {"data": {"data": {}}}}])
def test_reverts_without_a_reason(node, junk):
    rpc = node(lambda *_: error(3, "execution reverted", data=junk))
    with pytest.raises(RpcError) as caught:
        rpc.call(ADDRESS, b"")
    assert caught.value.reason is None
    assert str(caught.value) == (
        "call revert exception (execution reverted): check the address, the arguments and the chain"
    )


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("0x", b""),
        ("0xAb", b"\xab"),
        ("Reverted 0xab", b"\xab"),
        ("Reverted", None),
        ("0xabc", None),
        ("ab", None),
        ("0xab\n", None),
        ([], None),
        ({"data": {"data": {"data": "0xab"}}}, b"\xab"),
        ({"data": {"data": {"data": {"data": "0xab"}}}}, b"\xab"),
        ({"data": {"data": {"data": {"data": {"data": "0xab"}}}}}, None),
        ({"data": "0x", "return": "0xab"}, b"\xab"),
        ({"result": "0xab"}, b"\xab"),
        ({"originalError": "0xab"}, b"\xab"),
        ({"return": "0xab", "result": "0xcd"}, b"\xab"),
        ({**{str(i): i for i in range(7)}, "0x1": "0xab"}, b"\xab"),
        ({**{str(i): i for i in range(8)}, "0x1": "0xab"}, None),
        ({"x": "0xab"}, None),
    ],
)
def test_where_revert_data_is(value, found):
    assert revert_data(value) == found


@pytest.mark.parametrize(("size", "shown_too"), [(4096, True), (4097, False)])
def test_revert_data_in_the_details(size, shown_too):
    error = RpcError(3, "execution reverted", b"\xab" * size)
    assert error.details.get("data") == ("0x" + "ab" * size if shown_too else None)
    assert error.details["nodeMessage"] == "execution reverted"
    assert "method" not in error.details
    assert len(error.data) == size


@pytest.mark.parametrize(
    ("code", "data", "method", "kind"),
    [
        (3, None, "", "revert"),
        (4, None, "", "other"),
        (2, None, "", "other"),
        (-32000, b"\x12", "eth_call", "revert"),
        (-32000, b"\x12", "eth_estimateGas", "estimate"),
        (-32000, b"", "eth_call", "other"),
    ],
)
def test_what_tells_a_revert(code, data, method, kind):
    """Its code (EIP-1474 leaves 3 to it) or its data, whatever the words are."""
    found = RpcError(code, "oops", data, method=method)
    assert (found.kind, found.certain) == (kind, True)


def test_other_peoples_texts():
    assert shown("x" * 500) == "x" * 500
    assert shown("x" * 501) == "x" * 500 + "…"
    for code in (0x00, 0x1F, 0x7F, 0x9F, 0x2028, 0x2029, 0x202A, 0x202E, 0x2066, 0x2069):
        assert shown(f"a{chr(code) * 3}b") == "a b"
    for code in (0x20, 0x7E, 0xA0, 0x2027, 0x202F, 0x2065, 0x206A):
        assert shown(f"a{chr(code)}b") == f"a{chr(code)}b"


def test_errors_pickle():
    original = RpcError(3, "execution reverted", bytes.fromhex(REVERT[2:]), method="eth_call")
    copy = pickle.loads(pickle.dumps(original))
    assert (copy.message, copy.rpc_code, copy.data) == (original.message, 3, original.data)


# --- helpers ---------------------------------------------------------------------------------


def test_call_and_call_many(node):
    def answer(method, params):
        assert method == "eth_call"
        fields, block = params
        if fields["data"] == "0x03":
            return error(3, "execution reverted", data=REVERT)
        return {"0x01": "0x0102", "0x02": "0x", "0x04": 5}[fields["data"]] if block else None

    rpc = node(answer)
    assert rpc.call(ADDRESS, b"\x01", sender=ADDRESS, block=17) == b"\x01\x02"
    assert json.loads(rpc.server.calls[0][3])["params"] == [
        {"to": ADDRESS, "data": "0x01", "from": ADDRESS},
        "0x11",
    ]
    assert rpc.call(ADDRESS, b"\x02") == b""
    found = rpc.call_many([(ADDRESS, bytes([i])) for i in (1, 3, 2, 4)])
    assert (found[0], found[2]) == (b"\x01\x02", b"")
    assert isinstance(found[1], RpcError)
    assert isinstance(found[3], Web3ProviderCallError)
    assert str(found[3]) == (
        "the node gave no 0x hex data for eth_call; check its URL, or use another node"
    )
    missing = missing_contract(ADDRESS)
    assert missing.details == {"to": ADDRESS}
    assert str(missing) == (
        f"call revert exception (nothing at {ADDRESS} answers this call: wrong address or chain?)"
    )


def test_chain_id_is_asked_once(node):
    rpc = node(lambda *_: "0x86")
    assert [rpc.chain_id(), rpc.chain_id()] == [134, 134]
    assert len(rpc.server.calls) == 1


@pytest.mark.parametrize("junk", [None, 5, "", "0x", "134", "0xg", "0X1", "0x" + "1" * 65, "-0x1"])
def test_quantities_are_strict(junk):
    for name, told in (((), "quantity"), (("gas",), "gas")):
        with pytest.raises(Web3ProviderCallError) as caught:
            quantity(junk, *name)
        assert str(caught.value) == (
            f"the node gave no 0x hex number for {told}; check its URL, or use another node"
        )


def test_values():
    assert (quantity("0x0"), quantity("0x00"), quantity("0xfF")) == (0, 0, 255)
    assert quantity("0x" + "f" * 64) == 2**256 - 1
    assert (data("0x"), data("0x0aFF", length=2)) == (b"", b"\x0a\xff")
    assert (block_tag(16), block_tag("latest")) == ("0x10", "latest")
    for junk in ("0x1", "aa", "0xaa\n", "0xgg", None):
        with pytest.raises(Web3ProviderCallError) as caught:
            data(junk)
        assert str(caught.value) == (
            "the node gave no 0x hex data for data; check its URL, or use another node"
        )
    with pytest.raises(Web3ProviderCallError) as caught:
        data("0xaa", "code", length=2)
    assert str(caught.value) == (
        "the node gave 1 bytes for code instead of 2; check its URL, or use another node"
    )


def test_block(node):
    rpc = node(lambda _, params: {"number": params[0]} if params[0] != "0x5" else None)
    assert rpc.block(4) == {"number": "0x4"}
    with pytest.raises(Web3ProviderCallError) as caught:
        rpc.block(5)
    assert str(caught.value) == f"{rpc.server.url} has no block 5"
    assert rpc.block() == {"number": "latest"}
    assert json.loads(rpc.server.calls[-1][3])["params"] == ["latest", False]


def test_send_raw_checks_the_hash(node):
    raw = b"\x02signed"
    good = "0x" + keccak(raw).hex()
    assert node(lambda *_: good.upper().replace("0X", "0x")).send_raw(raw) == good
    for wrong in ("0x" + "00" * 32, None, 5):
        rpc = node(lambda *_, wrong=wrong: wrong)
        with pytest.raises(Web3ProviderCallError) as caught:
            rpc.send_raw(raw)
        assert str(caught.value) == (
            f"{rpc.server.url} reports another hash than that of the transaction sent"
        )
        assert caught.value.tx_hash == good


WEBSOCKET = "WebSocket nodes are not supported: use an http(s):// URL"


@pytest.mark.parametrize(
    ("urls", "message"),
    [
        ([], "missing provider key: no node URL given"),
        ("ws://127.0.0.1/", WEBSOCKET),
        ("WSS://x.example/key", WEBSOCKET),
        (["https://x.example", "wss://x.example"], WEBSOCKET),
        ("mainnet", "a URL must begin with https:// or http://, not ''"),
        ("", "a URL must begin with https:// or http://, not ''"),
        ("wssx://a", "a URL must begin with https:// or http://, not 'wssx'"),
    ],
)
def test_unusable_nodes(urls, message):
    with pytest.raises(ConfigurationError) as caught:
        Rpc(urls)
    assert str(caught.value) == message


@pytest.mark.parametrize(("word", "cut"), [("1234567", False), ("12345678", True)])
@pytest.mark.parametrize(
    "form", ["/{}", "/x/{}/y", "/?k={}", "?k={}", "?a=b&{}", "#{}", "/x#{}", "/x:{}"]
)
def test_what_of_a_url_is_a_key(serve, form, word, cut):
    """Words of eight letters and more, wherever they are."""
    server = serve(
        lambda call: call.reply_json({"id": None, "error": {"message": f"no {word} here"}})
    )
    for url in (server.url + form.format(word), server.url.replace("://", f"://u:{word}@")):
        with pytest.raises(RpcError) as caught:
            Rpc(url, http=quick()).request("eth_call")
        assert caught.value.node_message == ("no … here" if cut else f"no {word} here")


def test_texts_show_the_host_only():
    rpc = Rpc(f"https://user:{SECRET}@node.example/v3/{SECRET}")
    assert repr(rpc) == "Rpc(https://node.example)"
    assert rpc.label == "https://node.example"
    assert rpc._own.timeout.total == 30
    with pytest.raises(TypeError, match=r"^a connection to a node cannot be pickled or copied$"):
        pickle.dumps(rpc)
    rpc.close()
    with pytest.raises(TransportError, match="closed"):
        rpc.request("eth_call")


def test_a_shared_pool_is_left_open(serve):
    rpc = flaky(serve, 0)
    rpc.close()
    assert rpc.request("eth_getBalance") == "0x1"
