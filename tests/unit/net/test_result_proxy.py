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
    proxy = ResultProxy(http, server.url + "/v6/", 134)
    assert proxy.challenge(ADDRESS) == {"ok": True}
    assert proxy.login("0x12_0x34") == "a.b.c"
    assert [(method, path, body) for method, path, _, body in server.calls] == [
        ("GET", f"/v6/results/challenge?address={ADDRESS}&chainId=134", b""),
        ("POST", "/v6/results/login?chainId=134", b"0x12_0x34"),
    ]


@pytest.mark.parametrize(
    ("status", "retryable"), [(400, False), (401, False), (429, True), (500, True), (503, True)]
)
def test_refusals(serve: Any, http: Http, status: int, retryable: bool) -> None:
    proxy = ResultProxy(http, serve(lambda call: call.reply(status, b"no")).url, 134)
    for ask in (lambda: proxy.challenge(ADDRESS), lambda: proxy.login("x")):
        with pytest.raises(ResultProxyCallError, match=f"answered {status}") as caught:
            ask()
        assert caught.value.retryable is retryable
        assert caught.value.details == {"status": status}


@pytest.mark.parametrize("body", [b"", b"<html>", b"a b", b"a" * 8193, b'{"token": "x"}'])
def test_what_is_no_token(serve: Any, http: Http, body: bytes) -> None:
    proxy = ResultProxy(http, serve(lambda call: call.reply(200, body)).url, 134)
    with pytest.raises(ResultProxyCallError, match="not a token"):
        proxy.login("x")
