"""The upload of files to IPFS under faults, on loopback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from iexec_lite.errors import IpfsGatewayCallError
from iexec_lite.net.http import Http
from iexec_lite.net.ipfs import PAUSES, Ipfs
from iexec_lite.protocol.cid import cid_of

CONTENT = b'["\xc3\xa9"]'
CID = cid_of(CONTENT)


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout=5, retries=0) as client:
        yield client


def added(cid: object) -> bytes:
    lines = [{"Name": "x", "Bytes": 5}, {"Name": "x", "Hash": cid, "Size": "5"}]
    return b"\n".join(json.dumps(line).encode() for line in lines) + b"\n"


def behaviour(*statuses: int, cid: object = CID) -> Any:
    """A node that takes everything; a gateway that answers with each status in turn."""
    left = list(statuses)

    def answer(call: Any) -> None:
        if call.command == "POST":
            call.reply(200, added(cid))
        else:
            call.reply(left.pop(0))

    return answer


def test_a_file_is_sent_and_looked_for(serve: Any, http: Http) -> None:
    server = serve(behaviour(200))
    assert Ipfs(http, server.url + "/up/", server.url + "/down/").add(CONTENT) == CID
    (post, head) = server.calls
    assert post[:2] == ("POST", "/up/api/v0/add?stream-channels=true&progress=false")
    assert post[2]["content-type"] == f"multipart/form-data; boundary=----{CID}"
    assert post[3] == (
        f"------{CID}\r\n".encode()
        + b'Content-Disposition: form-data; name="file"; filename=""\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n"
        + CONTENT
        + f"\r\n------{CID}--\r\n".encode()
    )
    assert head[:2] == ("HEAD", f"/down/ipfs/{CID}")


def test_lost_answers_are_asked_for_again(serve: Any) -> None:
    def flaky(call: Any) -> None:
        if len(server.calls) % 2:
            call.reply(503)
        else:
            call.reply(200, added(CID))

    server = serve(flaky)
    with Http(timeout=5, sleep=lambda _: None) as http:
        assert Ipfs(http, server.url, server.url).add(CONTENT) == CID
    assert [call[0] for call in server.calls] == ["POST", "POST", "HEAD", "HEAD"]


def test_the_gateway_may_lag_behind(serve: Any, http: Http) -> None:
    server, pauses = serve(behaviour(404, 504, 200)), []
    Ipfs(http, server.url, server.url, sleep=pauses.append).add(CONTENT)
    assert pauses == list(PAUSES[:2])


@pytest.mark.parametrize("status", [404, 500])
def test_a_file_that_never_shows(serve: Any, http: Http, status: int) -> None:
    server = serve(behaviour(*[status] * 9))
    pauses: list[float] = []
    with pytest.raises(IpfsGatewayCallError) as caught:
        Ipfs(http, server.url, server.url, sleep=pauses.append).add(CONTENT)
    advice = "check the path of the URL" if status == 404 else "try again later"
    assert str(caught.value) == (
        f"IPFS {server.url} does not show the uploaded file {CID}: it answered {status}: {advice}"
    )
    assert (caught.value.retryable, caught.value.details) == (True, {"status": status})
    assert len(server.calls) == 2 + len(PAUSES)
    assert pauses == list(PAUSES)


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_gateway_that_refuses_is_not_asked_again(serve: Any, http: Http, status: int) -> None:
    server = serve(behaviour(status))
    with pytest.raises(IpfsGatewayCallError, match=f"{CID}: it answered {status}: ") as caught:
        Ipfs(http, server.url, server.url).add(CONTENT)
    assert not caught.value.retryable
    assert len(server.calls) == 2


def test_a_copy_is_not_looked_for(serve: Any, http: Http) -> None:
    server = serve(behaviour())
    assert Ipfs(http, server.url, None).add(CONTENT) == CID
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (added("QmSomethingElse"), "QmSomethingElse"),
        (added(5), "5"),
        (b"", "null"),
        (b"\n", "null"),
        (b"<html>", "null"),
        (b"[]", "null"),
        (b'{"Hash":null}', "null"),
    ],
)
def test_what_the_node_says_is_compared(serve: Any, http: Http, body: bytes, said: str) -> None:
    server = serve(lambda call: call.reply(200, body))
    with pytest.raises(IpfsGatewayCallError) as caught:
        Ipfs(http, server.url, server.url).add(CONTENT)
    assert str(caught.value) == (
        f"IPFS {server.url} says it keeps the file as {said}, but its CID is {CID}"
    )
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("status", "advice", "retryable"),
    [
        (401, "check the URL, and the key if it holds one", False),
        (404, "check the path of the URL", True),
        (413, "ask for less at once", False),
        (429, "wait, or use a host with a higher limit", True),
        (499, "check that the URL is right", False),
        (500, "try again later", True),
    ],
)
def test_a_node_that_refuses(
    serve: Any, http: Http, status: int, advice: str, retryable: bool
) -> None:
    server = serve(lambda call: call.reply(status))
    with pytest.raises(IpfsGatewayCallError) as caught:
        Ipfs(http, server.url, server.url).add(CONTENT)
    assert str(caught.value) == (
        f"IPFS {server.url} did not take the file: it answered {status}: {advice}"
    )
    assert (caught.value.retryable, caught.value.details) == (retryable, {"status": status})


def test_nobody_there(http: Http) -> None:
    with pytest.raises(IpfsGatewayCallError) as caught:
        Ipfs(http, "http://127.0.0.1:1", None).add(CONTENT)
    assert str(caught.value) == (
        "IPFS didn't answer: http://127.0.0.1:1 cannot be reached: Connection refused; "
        "check that it runs, and its URL"
    )
    assert caught.value.retryable
