"""The login at the result proxy under faults, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from iexec_lite.errors import ResultProxyCallError
from iexec_lite.net.http import Http
from iexec_lite.net.result_proxy import ResultProxy

ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout=5, retries=0) as client:
        yield client


def test_the_plain_way(serve: Any, http: Http) -> None:
    server = serve(
        lambda call: (
            call.reply(200, b"a.b.c") if call.command == "POST" else call.reply_json({"ok": True})
        )
    )
    proxy = ResultProxy(http, server.url + "/x/", 134)
    assert proxy.challenge(ADDRESS) == {"ok": True}
    assert proxy.login("0x12_0x34") == "a.b.c"
    assert [(method, path, body) for method, path, _, body in server.calls] == [
        ("GET", f"/x/results/challenge?address={ADDRESS}&chainId=134", b""),
        ("POST", "/x/results/login?chainId=134", b"0x12_0x34"),
    ]
    sent = [{name.lower(): value for name, value in head.items()} for _, _, head, _ in server.calls]
    assert [head.get("content-type") for head in sent] == [None, "text/plain"]


@pytest.mark.parametrize(
    ("status", "retryable", "advice"),
    [
        (400, False, "check that the URL is right"),
        (401, False, "check the URL, and the key if it holds one"),
        (429, True, "wait, or use a host with a higher limit"),
        (499, False, "check that the URL is right"),
        (500, True, "try again later"),
        (503, True, "try again later"),
    ],
)
def test_refusals(serve: Any, http: Http, status: int, retryable: bool, advice: str) -> None:
    server = serve(lambda call: call.reply(status, b"no"))
    proxy = ResultProxy(http, server.url, 134)
    for ask, what in (
        (lambda: proxy.challenge(ADDRESS), "Result Proxy gave no challenge"),
        (lambda: proxy.login("x"), "Result Proxy login failed"),
    ):
        with pytest.raises(ResultProxyCallError) as caught:
            ask()
        assert str(caught.value) == f"{what}: {server.url} answered {status}: {advice}"
        assert caught.value.retryable is retryable
        assert caught.value.details == {"status": status}


@pytest.mark.parametrize("body", [b"", b"<html>", b"a b", b"a" * 8193, b'{"token": "x"}'])
def test_what_is_no_token(serve: Any, http: Http, body: bytes) -> None:
    proxy = ResultProxy(http, serve(lambda call: call.reply(200, body)).url, 134)
    with pytest.raises(ResultProxyCallError) as caught:
        proxy.login("x")
    assert str(caught.value) == "Result Proxy login failed: the answer is not a token"


@pytest.mark.parametrize("token", ["a", "a" * 8192, "aZ09._~+/-==", "ab="])
def test_what_is_a_token(serve: Any, http: Http, token: str) -> None:
    """RFC 6750, section 2.1."""
    proxy = ResultProxy(http, serve(lambda call: call.reply(200, token.encode())).url, 134)
    assert proxy.login("x") == token


def test_a_challenge_that_is_no_json(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply(200, b"<html>"))
    with pytest.raises(ResultProxyCallError) as caught:
        ResultProxy(http, server.url, 134).challenge(ADDRESS)
    assert str(caught.value) == (
        f"{server.url} answered something unreadable: not JSON (Expecting value at character 0); "
        "check that its URL is right"
    )


def test_only_the_challenge_is_asked_for_again(serve: Any) -> None:
    def flaky(call: Any) -> None:
        call.reply(503 if len(server.calls) in (1, 3) else 200, b"{}")

    server = serve(flaky)
    with Http(timeout=5, sleep=lambda _: None) as http:
        proxy = ResultProxy(http, server.url, 134)
        assert proxy.challenge(ADDRESS) == {}
        with pytest.raises(ResultProxyCallError, match="answered 503"):
            proxy.login("x")
    assert len(server.calls) == 3


def test_nobody_there(http: Http) -> None:
    proxy = ResultProxy(http, "http://127.0.0.1:1", 134)
    for ask in (lambda: proxy.challenge(ADDRESS), lambda: proxy.login("x")):
        with pytest.raises(ResultProxyCallError) as caught:
            ask()
        assert str(caught.value) == (
            "Result Proxy didn't answer: http://127.0.0.1:1 cannot be reached: Connection refused; "
            "check that it runs, and its URL"
        )
        assert caught.value.retryable
