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
    url = Compass(http, server.url + "/x/", 5).workerpool_url(POOL)
    assert url == f"{server.url}/a/"
    WorkerpoolApi(http, str(url), 5).task(TASK)
    WorkerpoolApi(http, str(url), 5).challenge(POOL)
    WorkerpoolApi(http, str(url), 5).logs(TASK, "0x12_0x34")
    assert [(method, path, body) for method, path, _, body in server.calls] == [
        ("GET", f"/x/5/workerpools/{POOL}", b""),
        ("GET", f"/a/tasks/{TASK}", b""),
        ("GET", f"/a/tasks/logs/challenge?address={POOL}&chainId=5", b""),
        ("GET", f"/a/tasks/{TASK}/logs", b""),
    ]
    sent = [{name.lower(): value for name, value in head.items()} for _, _, head, _ in server.calls]
    assert {head["accept"] for head in sent} == {"application/json"}
    assert [head.get("authorization") for head in sent] == [None, None, None, "0x12_0x34"]


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
    with pytest.raises(CompassCallError, match=f"unusable URL for workerpool {POOL}") as caught:
        compass(url).workerpool_url(POOL)
    assert str(caught.value) == (
        f"Compass gives an unusable URL for workerpool {POOL}: {caught.value.cause}"
    )


@pytest.mark.parametrize("body", [b"", b"[]", b"nope", b"5"])
def test_answers_that_are_no_object(serve: Any, http: Http, body: bytes) -> None:
    server = serve(lambda call: call.reply(200, body))
    with pytest.raises(CompassCallError) as caught:
        Compass(http, server.url, 5).workerpool_url(POOL)
    assert str(caught.value) == f"Compass at {server.url} answered 200: not the JSON it should"
    with pytest.raises(WorkerpoolCallError) as refused:
        WorkerpoolApi(http, server.url, 5).logs(TASK, "0x")
    assert str(refused.value) == (
        f"The workerpool's API at {server.url} answered 200: not the JSON it should"
    )
    assert (refused.value.retryable, refused.value.details) == (False, {"status": 200})


@pytest.mark.parametrize("status", [429, 500, 503])
def test_failures_of_servers(serve: Any, http: Http, status: int) -> None:
    server = serve(lambda call: call.reply(status))
    advice = "wait, or use a host with a higher limit" if status == 429 else "try again later"
    with pytest.raises(CompassCallError) as caught:
        Compass(http, server.url, 5).workerpool_url(POOL)
    assert str(caught.value) == f"Compass at {server.url} answered {status}: {advice}"
    assert (caught.value.retryable, caught.value.details) == (True, {"status": status})
    with pytest.raises(WorkerpoolCallError) as refused:
        WorkerpoolApi(http, server.url, 5).task(TASK)
    assert str(refused.value) == (
        f"The workerpool's API at {server.url} answered {status}: {advice}"
    )


def test_nobody_there(http: Http) -> None:
    there = "http://127.0.0.1:1 cannot be reached: Connection refused; check that it runs"
    for ask, kind, name in (
        (
            lambda: WorkerpoolApi(http, "http://127.0.0.1:1", 5).task(TASK),
            WorkerpoolCallError,
            "The workerpool's API",
        ),
        (
            lambda: Compass(http, "http://127.0.0.1:1", 5).workerpool_url(POOL),
            CompassCallError,
            "Compass",
        ),
    ):
        with pytest.raises(kind) as caught:
            ask()
        assert str(caught.value) == f"{name} didn't answer: {there}, and its URL"
        assert caught.value.retryable


def test_reads_are_repeated(serve: Any) -> None:
    server = serve(
        lambda call: call.reply_json({"apiUrl": None}, 503 if len(server.calls) < 5 else 200)
    )
    with Http(timeout=5, sleep=lambda _: None, retries=4) as http:
        assert Compass(http, server.url, 5).workerpool_url(POOL) is None
        assert len(server.calls) == 5


def test_the_words_of_a_refusal(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"error": "Unauthorized\x1b[2J"}, 401))
    with pytest.raises(WorkerpoolCallError) as caught:
        WorkerpoolApi(http, server.url, 5).logs(TASK, "0x")
    assert str(caught.value) == (
        f"The workerpool's API at {server.url} answered Unauthorized [2J (401): "
        "check the URL, and the key if it holds one"
    )
    assert caught.value.details == {"status": 401}
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"error": "no", "message": "other"}, "no (404)"),
        ({"error": "", "message": "not here"}, "not here (404)"),
        ({}, "404"),
        (["no"], "404"),
    ],
)
def test_where_the_words_are(serve: Any, http: Http, body: object, said: str) -> None:
    server = serve(lambda call: call.reply_json(body, 404))
    with pytest.raises(WorkerpoolCallError) as caught:
        WorkerpoolApi(http, server.url, 5).task(TASK)
    assert str(caught.value) == (
        f"The workerpool's API at {server.url} answered {said}: check the path of the URL"
    )
