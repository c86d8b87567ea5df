"""The marketplace's interface under faults, on loopback: bytes, errors, retries."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from iexec_lite.errors import MarketCallError, RequestTimeoutError, TransportError
from iexec_lite.net.http import Http
from iexec_lite.net.market import Market

TOKEN = "0xdigest_0xsignature_0xaddress"


@pytest.fixture
def pauses() -> list[float]:
    return []


@pytest.fixture
def http(pauses: list[float]) -> Iterator[Http]:
    with Http(timeout=5, sleep=pauses.append, random=lambda: 1.0) as client:
        yield client


def publish(market: Market, authorize: Any = lambda: TOKEN, **options: Any) -> Any:
    return market.write("POST", "/apporders", {"order": {"a": "é"}}, authorize, **options)


def refusal(status: int, error: object) -> Any:
    return lambda call: call.reply_json({"ok": False, "error": error}, status)


# --- bytes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["", "/", "//", "/a/x", "/a/x/"])
def test_a_base_url_keeps_its_path(serve: Any, http: Http, suffix: str) -> None:
    server = serve(lambda call: call.reply_json({"ok": True}))
    market = Market(http, server.url + suffix, 134)
    assert market.get("/deals") == {"ok": True}
    assert server.calls[0][:2] == ("GET", suffix.rstrip("/") + "/deals?chainId=134")


def test_queries_are_sorted_and_encoded(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"ok": True}))
    query = {"z": 0, "b": "!'()*-_.~ /&=é", "a": None, "chaos": "x", "Z": "1"}
    Market(http, server.url, 134).get("/x", query)
    (_, path, headers, body) = server.calls[0]
    encoded = "%21%27%28%29%2A-_.~%20%2F%26%3D%C3%A9"
    assert path == f"/x?Z=1&b={encoded}&chainId=134&chaos=x&z=0"
    assert {k.lower(): v for k, v in headers.items()}["accept"] == "application/json"
    assert body == b""


def test_a_write(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"ok": True}))
    publish(Market(http, server.url, 134))
    (method, path, headers, body) = server.calls[0]
    told = {k.lower(): v for k, v in headers.items()}
    assert (method, path) == ("POST", "/apporders?chainId=134")
    assert (told["content-type"], told["authorization"]) == ("application/json", TOKEN)
    assert body == '{"order":{"a":"é"}}'.encode()


def test_a_challenge(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"ok": True, "data": {}}))
    Market(http, server.url, 5).challenge("0xAb")
    assert server.calls[0][:2] == ("GET", "/challenge?address=0xAb&chainId=5")


# --- errors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "retryable"),
    [
        (400, "app or appOwner is required", False),
        (399, "below", False),
        (499, "above", False),
        (403, "order already published", False),
        (404, "apporder not found", False),
        (429, "Rate limit exceeded", True),
        (500, "Something went wrong, you should retry later.", True),
        (200, "even so", False),
    ],
)
def test_the_marketplace_says_why(
    serve: Any, http: Http, status: int, error: str, retryable: bool
) -> None:
    market = Market(http, serve(refusal(status, error)).url, 1)
    known = {"status": status, "error": error}
    with pytest.raises(MarketCallError) as caught:
        market.get("/x")
    assert caught.value.message == f"API error: {error}"
    assert (caught.value.details, caught.value.retryable) == (known, retryable)
    with pytest.raises(MarketCallError) as caught:
        publish(market)
    assert caught.value.message == f"API error: {error}"
    if 400 <= status < 500:
        assert (caught.value.details, caught.value.retryable) == (known, retryable)
    else:  # it may have been done
        assert caught.value.details == {**known, "outcome": "unknown"}
        assert not caught.value.retryable


def test_what_a_server_says_is_cut_and_printable(serve: Any, http: Http) -> None:
    server = serve(refusal(403, "\x1b[2J\n" + "x" * 10_000))
    with pytest.raises(MarketCallError) as caught:
        Market(http, server.url, 1).get("/x")
    assert len(caught.value.message) < 600
    assert caught.value.message == f"API error:  [2J {'x' * 495}…"
    server = serve(refusal(403, {"nested": ["x"]}))
    with pytest.raises(MarketCallError) as caught:
        Market(http, server.url, 1).get("/x")
    assert caught.value.message == "API error: {'nested': ['x']}"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, b"<html>", "text/html"),
        (200, b"", "application/json"),
        (200, b"[1]", "application/json"),
        (200, b'"text"', "application/json"),
        (200, b"{", "application/json"),
        (200, b'{"a": NaN}', "application/json"),
        (200, b'{"ok": true}', "text/plain"),
        (201, b'{"ok": true}', "application/json"),
        (204, b"", ""),
        (301, b"", ""),
        (404, b"Not Found", "text/plain"),
        (405, b"Method Not Allowed", "text/plain"),
        (502, b"<html>", "text/html"),
    ],
)
def test_what_is_no_answer(serve: Any, http: Http, status: int, body: bytes, kind: str) -> None:
    server = serve(lambda call: call.reply(status, body, {"Content-Type": kind} if kind else {}))
    with pytest.raises(MarketCallError) as caught:
        Market(http, server.url + "/secret-key", 1).get("/x")
    if status == 200 and kind == "application/json" and body not in (b"[1]", b'"text"'):
        assert str(caught.value) == f"The marketplace gave no usable answer: {caught.value.cause}"
        assert isinstance(caught.value.cause, TransportError)
        return
    cure = {
        301: "give the URL it leads to",
        404: "check the marketplace's URL, iexec_gateway_url",
        405: "check the marketplace's URL, iexec_gateway_url",
        502: "try again later",
    }.get(status, "check that the URL is right")
    assert str(caught.value) == (
        f"The http response is not of JSON type (status {status} from {server.url}): {cure}"
    )
    assert (caught.value.details, caught.value.retryable) == ({"status": status}, status == 502)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JSON"])
def test_what_is_json(serve: Any, http: Http, kind: str) -> None:
    server = serve(lambda call: call.reply(200, b'{"ok": true}', {"Content-Type": kind}))
    assert Market(http, server.url, 1).get("/x") == {"ok": True}


def test_no_answer_at_all(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.raw(b"nonsense\r\n\r\n"))
    market = Market(http, server.url, 1)
    for call, unknown in ((lambda: market.get("/x"), False), (lambda: publish(market), True)):
        with pytest.raises(MarketCallError) as caught:
            call()
        assert isinstance(caught.value.cause, TransportError)
        assert str(caught.value) == f"The marketplace gave no usable answer: {caught.value.cause}"
        assert caught.value.details == ({"outcome": "unknown"} if unknown else {})
        assert TOKEN not in str(caught.value.to_dict())


def test_a_server_that_never_answers(serve: Any) -> None:
    waiting = threading.Event()
    server = serve(lambda call: waiting.wait(30))
    with Http(timeout=0.2) as http, pytest.raises(MarketCallError) as caught:
        publish(Market(http, server.url, 1))
    waiting.set()
    assert isinstance(caught.value.cause, RequestTimeoutError)
    assert caught.value.details["outcome"] == "unknown"


# --- again ----------------------------------------------------------------------------------------


def test_reads_wait_as_long_as_they_are_asked_to(
    serve: Any, http: Http, pauses: list[float]
) -> None:
    def busy_once(call: Any) -> None:
        if len(server.calls) == 1:
            body = json.dumps({"ok": False, "error": "Rate limit exceeded"}).encode()
            fields = {"Content-Type": "application/json", "Retry-After": "3"}
            call.reply(429, body, fields)
        else:
            call.reply_json({"ok": True})

    server = serve(busy_once)
    assert Market(http, server.url, 1).get("/x") == {"ok": True}
    assert pauses == [3]


@pytest.mark.parametrize("status", [429, 502, 503, 403])
def test_writes_are_not_repeated(serve: Any, http: Http, status: int) -> None:
    server = serve(refusal(status, "no"))
    with pytest.raises(MarketCallError):
        publish(Market(http, server.url, 1))
    assert len(server.calls) == 1


def test_a_challenge_that_another_request_used_up(serve: Any, http: Http) -> None:
    def first_refused(call: Any) -> None:
        if call.headers["authorization"] == "token 1":
            refusal(403, "invalid authorization")(call)
        else:
            call.reply_json({"ok": True})

    server = serve(first_refused)
    tokens = iter(["token 1", "token 2", "token 1"])
    assert publish(Market(http, server.url, 1), lambda: next(tokens)) == {"ok": True}
    assert len(server.calls) == 2
    with pytest.raises(MarketCallError, match="API error: invalid authorization"):
        publish(Market(http, server.url, 1), lambda: next(tokens), again=False)
    assert len(server.calls) == 3


def test_two_refusals_are_final(serve: Any, http: Http) -> None:
    server = serve(refusal(403, "invalid authorization"))
    with pytest.raises(MarketCallError) as caught:
        publish(Market(http, server.url, 1))
    assert str(caught.value) == (
        "API error: invalid authorization "
        "(the signed challenge is used up, or is not this marketplace's)"
    )
    assert len(server.calls) == 2


def test_what_does_not_say_what_was_done(serve: Any, http: Http) -> None:
    """An answer that ``check`` refuses: the order may be there, nobody tries again."""
    server = serve(lambda call: call.reply_json({"ok": True}))

    def check(answer: dict[str, object]) -> None:
        assert answer == {"ok": True}
        raise MarketCallError("no id", details={"error": "invalid authorization"}, retryable=True)

    with pytest.raises(MarketCallError) as caught:
        publish(Market(http, server.url, 1), check=check)
    assert caught.value.details == {"error": "invalid authorization", "outcome": "unknown"}
    assert not caught.value.retryable
    assert len(server.calls) == 1


def test_a_refusal_that_only_resembles_it_is_final(serve: Any, http: Http) -> None:
    server = serve(refusal(403, "invalid authorization for x"))
    with pytest.raises(MarketCallError):
        publish(Market(http, server.url, 1))
    assert len(server.calls) == 1


def test_publications_wait_for_each_other(serve: Any, http: Http) -> None:
    """From the challenge on: the marketplace hands out the same one until it is used."""
    pending: list[str] = []
    overlaps: list[bool] = []

    def answer(call: Any) -> None:
        overlaps.append(len(pending) != 1)
        pending.clear()
        call.reply_json({"ok": True})

    market = Market(http, serve(answer).url, 1)
    barrier = threading.Barrier(4)

    def authorize() -> str:
        pending.append("challenge")
        return TOKEN

    def work() -> None:
        barrier.wait()
        publish(market, authorize)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert overlaps == [False] * 4


def test_a_challenge_that_fails_leaves_nothing_unknown(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"ok": True}))
    market = Market(http, server.url, 1)

    def fails() -> str:
        raise MarketCallError("Failed to get authorization", retryable=True)

    with pytest.raises(MarketCallError) as caught:
        publish(market, fails)
    assert (caught.value.details, caught.value.retryable) == ({}, True)
    assert server.calls == []
    assert publish(market) == {"ok": True}  # the lock is free again
