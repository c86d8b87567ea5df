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
    assert post[2]["content-type"].startswith("multipart/form-data; boundary=")
    assert CONTENT in post[3]
    assert head[:2] == ("HEAD", f"/down/ipfs/{CID}")


def test_the_gateway_may_lag_behind(serve: Any, http: Http) -> None:
    server, pauses = serve(behaviour(404, 504, 200)), []
    Ipfs(http, server.url, server.url, sleep=pauses.append).add(CONTENT)
    assert pauses == list(PAUSES[:2])


@pytest.mark.parametrize("status", [404, 500])
def test_a_file_that_never_shows(serve: Any, http: Http, status: int) -> None:
    server = serve(behaviour(*[status] * 9))
    with pytest.raises(
        IpfsGatewayCallError, match=f"does not show the uploaded file {CID}"
    ) as caught:
        Ipfs(http, server.url, server.url, sleep=lambda _: None).add(CONTENT)
    assert caught.value.retryable
    assert len(server.calls) == 2 + len(PAUSES)


def test_a_gateway_that_refuses_is_not_asked_again(serve: Any, http: Http) -> None:
    server = serve(behaviour(403))
    with pytest.raises(IpfsGatewayCallError, match="403") as caught:
        Ipfs(http, server.url, server.url).add(CONTENT)
    assert not caught.value.retryable


def test_a_copy_is_not_looked_for(serve: Any, http: Http) -> None:
    server = serve(behaviour())
    assert Ipfs(http, server.url, None).add(CONTENT) == CID
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    "body", [added("QmSomethingElse"), added(5), b"", b"\n", b"<html>", b"[]", b'{"Hash":null}']
)
def test_what_the_node_says_is_compared(serve: Any, http: Http, body: bytes) -> None:
    server = serve(lambda call: call.reply(200, body))
    with pytest.raises(IpfsGatewayCallError, match=f"but its CID is {CID}"):
        Ipfs(http, server.url, server.url).add(CONTENT)
    assert len(server.calls) == 1


def test_a_node_that_refuses(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply(401))
    with pytest.raises(IpfsGatewayCallError, match="did not take the file: it answered 401"):
        Ipfs(http, server.url, server.url).add(CONTENT)


def test_nobody_there(http: Http) -> None:
    with pytest.raises(IpfsGatewayCallError, match="IPFS didn't answer"):
        Ipfs(http, "http://127.0.0.1:1", None).add(CONTENT)
