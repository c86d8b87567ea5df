"""Compass and the workerpools' API under faults, on loopback."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from iexec_lite.errors import CompassCallError, WorkerpoolCallError
from iexec_lite.net.http import Http, Response
from iexec_lite.net.workerpool import Compass, WorkerpoolApi

POOL, TASK = "0x" + "11" * 20, "0x" + "22" * 32


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout=5, retries=0) as client:
        yield client


class Public:
    """A compass on a public host, which says this."""

    def __init__(self, url: object) -> None:
        self._url = url

    def request(self, method: str, url: str, **_: object) -> Response:
        from json import dumps

        return Response(200, {}, dumps({"apiUrl": self._url}).encode(), "https://compass.example")


def compass(url: object) -> Compass:
    return Compass(Public(url), "https://compass.example/x", 5)


def test_paths_are_kept(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"apiUrl": f"http://{call.headers['host']}/a/"}))
    url = Compass(http, server.url + "/b/", 5).workerpool_url(POOL)
    assert url == f"{server.url}/a/"
    WorkerpoolApi(http, str(url), 5).task(TASK)
    WorkerpoolApi(http, str(url), 5).challenge(POOL)
    assert [path for _, path, _, _ in server.calls] == [
        f"/b/5/workerpools/{POOL}",
        f"/a/tasks/{TASK}",
        f"/a/tasks/logs/challenge?address={POOL}&chainId=5",
    ]


@pytest.mark.parametrize("status", [400, 404])
def test_a_workerpool_that_compass_does_not_know(serve: Any, http: Http, status: int) -> None:
    server = serve(lambda call: call.reply_json({"error": "no"}, status))
    assert Compass(http, server.url, 5).workerpool_url(POOL) is None


def test_no_url_is_none() -> None:
    assert compass(None).workerpool_url(POOL) is None
    assert compass("https://pool.example/api").workerpool_url(POOL) == "https://pool.example/api"


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1:8545", "https://localhost/x", "http://[::1]/", "https://0.0.0.0"),
        *("http://pool.example", "ftp://pool.example", "pool.example", "/x", "", 5, {}, "https://"),
        "https://a b",
    ],
)
def test_urls_that_lead_astray(url: object) -> None:
    """A public register may not send a client to its own machine, nor to where all can listen."""
    with pytest.raises(CompassCallError, match=f"unusable URL for workerpool {POOL}"):
        compass(url).workerpool_url(POOL)


@pytest.mark.parametrize("body", [b"", b"[]", b"nope", b"5"])
def test_answers_that_are_no_object(serve: Any, http: Http, body: bytes) -> None:
    server = serve(lambda call: call.reply(200, body))
    with pytest.raises(CompassCallError, match="not the JSON it should"):
        Compass(http, server.url, 5).workerpool_url(POOL)
    with pytest.raises(WorkerpoolCallError, match="not the JSON it should"):
        WorkerpoolApi(http, server.url, 5).logs(TASK, "0x")


@pytest.mark.parametrize("status", [429, 500, 503])
def test_failures_of_servers(serve: Any, http: Http, status: int) -> None:
    server = serve(lambda call: call.reply(status))
    with pytest.raises(CompassCallError, match=rf"Compass at .* answered {status}") as caught:
        Compass(http, server.url, 5).workerpool_url(POOL)
    assert caught.value.retryable
    with pytest.raises(WorkerpoolCallError, match=f"answered {status}"):
        WorkerpoolApi(http, server.url, 5).task(TASK)
    with pytest.raises(WorkerpoolCallError, match="didn't answer"):
        WorkerpoolApi(http, "http://127.0.0.1:1", 5).task(TASK)


def test_the_words_of_a_refusal(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"error": "Unauthorized\x1b[2J"}, 401))
    with pytest.raises(WorkerpoolCallError, match=r"answered Unauthorized \[2J \(401\)") as caught:
        WorkerpoolApi(http, server.url, 5).logs(TASK, "0x")
    assert caught.value.details == {"status": 401}
    assert not caught.value.retryable
