"""The JSON that carries an archive: written and read in pieces of any size."""

from __future__ import annotations

import base64
import io
import json
import os
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iexec_lite.errors import (
    IExecError,
    ResultProxyCallError,
    SandboxError,
    TransportError,
    ValidationError,
)
from iexec_lite.net.http import Http
from iexec_lite.sandbox import uploads
from iexec_lite.sandbox.uploads import Uploads, read_model, write_model

TASK = "0x" + "ab" * 32


def dripping(data: bytes, size: int) -> Callable[[int], bytes]:
    stream = io.BytesIO(data)
    return lambda wanted: stream.read(min(size, wanted))


def parsed(data: bytes, size: int = 1 << 20) -> tuple[dict[str, str | None], bytes]:
    members: dict[str, str | None] = {}
    archive = b"".join(read_model(dripping(data, size), members))
    return members, archive


@pytest.mark.parametrize("length", [0, 1, 2, 3, uploads.BLOCK - 1, uploads.BLOCK, 500_000])
def test_there_and_back(tmp_path: Path, length: int) -> None:
    data, members = os.urandom(length), {"chainTaskId": TASK, "deterministHash": None}
    (tmp_path / "x.zip").write_bytes(data)
    size, pieces = write_model(tmp_path / "x.zip", members)
    body = b"".join(pieces)
    assert len(body) == size
    assert json.loads(body) == {**members, "zip": base64.b64encode(data).decode()}
    assert parsed(body) == (members, data)


TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)
MODELS = st.dictionaries(
    TEXTS.filter(lambda name: name != "zip"),
    st.none() | TEXTS,
    max_size=5,
)


@given(MODELS, st.binary(max_size=200), st.integers(1, 50), st.integers(0, 5), st.booleans())
def test_any_object_in_any_pieces(
    model: dict[str, str | None], data: bytes, size: int, at: int, ascii_only: bool
) -> None:
    members = list(model.items())
    members.insert(at, ("zip", base64.b64encode(data).decode()))
    body = json.dumps(dict(members), ensure_ascii=ascii_only, indent=at or None)
    found, archive = parsed(body.encode(), size)
    assert (found, archive) == (model, data)


def test_other_writers() -> None:
    slashes = b'{"zip":"\\/\\/8=","taskIndex":7,"cmd":"a\\"\\u00e9","more":true}'
    expected = {"taskIndex": "7", "cmd": 'a"é', "more": "true"}
    for size in (1, 1000):
        assert parsed(slashes, size) == (expected, b"\xff\xff")
    assert parsed(b'{"zip":null,"a":null}') == ({"zip": None, "a": None}, b"")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'"text"',
        b'{"a"}',
        b'{"a":}',
        b'{"a":"b"',
        b'{"a":"b",}',
        b'{"a":"b"}{}',
        b'{"a":{"b":"c"}}',
        b'{"a":["b"]}',
        b'{"a":1',
        b'{"a":"\x01"}',
        b'{"a":"\\x"}',
        b'{"a":"\\u12"}',
        b'{a:"b"}',
        b'{"zip":"A"}',
        b'{"zip":"AA"}',
        b'{"zip":"AA=A"}',
        b'{"zip":"AA==AAAA"}',
        b'{"zip":"A A="}',
        b'{"zip":"AAA\xc3\xa9"}',
        b'{"zip":"AAAA',
        b'{"a":"' + b"x" * (uploads.MAX_MEMBER + 1) + b'"}',
        b'{"' + b"x" * (uploads.MAX_MEMBER + 1) + b'":null}',
        b'{"a":' + b"1" * 1_000_000 + b"}",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_what_is_refused(body: bytes, size: int) -> None:
    if len(body) > 1000 and size < 1000:
        size = 1000
    with pytest.raises(ValidationError):
        parsed(body, size)


def test_bounded_memory() -> None:
    """A hundred megabytes, of which a few blocks are ever held."""
    block = base64.b64encode(bytes(3 << 18))

    def body() -> Iterator[bytes]:
        yield b'{"chainTaskId":"x","zip":"'
        for _ in range(100):
            yield block
        yield b'"}'

    source, left = body(), b""

    def read(size: int) -> bytes:
        nonlocal left
        left = left or next(source, b"")
        piece, left = left[:size], left[size:]
        return piece

    tracemalloc.start()
    try:
        total = sum(map(len, read_model(read, {})))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert total == 100 * (3 << 18)
    assert peak < 8 << 20


def test_a_proxy_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"x")
    with Http(retries=0) as http:
        proxy = Uploads("http://127.0.0.1:9/result", 5, http)
        with pytest.raises(TransportError, match="took no result") as caught:
            proxy.upload(TASK, tmp_path / "x.zip", "token")
        assert caught.value.retryable is True
        with pytest.raises(IExecError):
            proxy.location(TASK)


def test_an_archive_that_is_lost(tmp_path: Path) -> None:
    with Http() as http, pytest.raises(SandboxError, match=f"archive of task {TASK} is lost"):
        Uploads("http://127.0.0.1:9/result", 5, http).upload(TASK, tmp_path / "x.zip", "token")


def test_a_proxy_that_refuses(tmp_path: Path, gateway: object) -> None:
    """The store at this address knows no logins."""
    (tmp_path / "x.zip").write_bytes(b"x")
    with Http(retries=0) as http:
        proxy = Uploads(gateway.url, 5, http)  # type: ignore[attr-defined]
        assert proxy.location(TASK) is None
        with pytest.raises(ResultProxyCallError, match="refuses the result: 404"):
            proxy.upload(TASK, tmp_path / "x.zip", "token")
