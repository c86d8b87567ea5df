"""The SMS over HTTP (services.md §2). Owners on a real chain: tests/stack, tests/oracle."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.authorization import web2_secret_digest
from iexec_lite.sandbox.sms import MAX_PAST, TODAY, WEB2, WEB3, Sms

KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
OWNER = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
RESOURCE = "0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1"
NAME = "iexec-result-iexec-ipfs-token"
# services.md §2.2: OWNER's signature for NAME and the value "foo"
SIGNATURE = (
    "0x0202a51da23b4487f06185c97a5d8a01ac2364828110ce8206a5c301e4aa04e5"
    "1b3e13e9059247b5fa6313e846e996bc35f2b3ccad877f9d052b8feb4dd0aa621b"
)
Ask = Callable[..., "tuple[int, dict[str, str], bytes]"]


def web2(owner: str = OWNER, name: str = NAME) -> str:
    return f"/secrets/web2?ownerAddress={owner}&secretName={quote(name)}"


def signed(value: str, name: str = NAME) -> str:
    return to_hex(KeySigner.from_key(KEY).sign_message(web2_secret_digest(OWNER, name, value)))


@pytest.fixture
def sms(tmp_path: Path, nowhere: Rpc) -> Sms:
    return Sms(tmp_path / "services" / "sms.sqlite", nowhere)


@pytest.fixture
def ask(sms: Sms, serve: Callable[[Any], Ask]) -> Ask:
    return serve(sms)


def test_a_secret_of_a_wallet(ask: Ask, sms: Sms) -> None:
    assert ask("HEAD", web2())[0] == 404
    assert ask("PUT", web2(), b"foo", Authorization=SIGNATURE)[0] == 404
    status, _, body = ask("POST", web2(), b"foo", Authorization=SIGNATURE)
    assert (status, body) == (204, b"")
    assert ask("HEAD", web2())[0] == 204
    assert sms.secret(WEB2, OWNER, NAME) == "foo"
    assert ask("POST", web2(), b"foo", Authorization=SIGNATURE)[0] == 409
    assert ask("PUT", web2(), b"foo", Authorization=SIGNATURE)[0] == 204  # identical is fine
    assert ask("PUT", web2(), b"bar", Authorization=signed("bar"))[0] == 204
    assert sms.secret(WEB2, OWNER.lower(), NAME) == "bar"


def test_addresses_in_any_case_names_as_they_are(ask: Ask) -> None:
    assert ask("POST", web2(OWNER.lower()), b"foo", Authorization=SIGNATURE)[0] == 204
    for address in (OWNER, OWNER.upper().replace("0X", "0x"), OWNER.swapcase().replace("X", "x")):
        assert ask("HEAD", web2(address))[0] == 204
        assert ask("POST", web2(address), b"foo", Authorization=SIGNATURE)[0] == 409
    assert ask("HEAD", web2(name=NAME.upper()))[0] == 404
    assert ask("POST", web2(name="other"), b"foo", Authorization=signed("foo", "other"))[0] == 204


@pytest.mark.parametrize(
    ("path", "body", "signature"),
    [
        (web2(), b"fop", SIGNATURE),
        (web2(name="other"), b"foo", SIGNATURE),
        (web2(RESOURCE), b"foo", SIGNATURE),
        (web2("0x12"), b"foo", SIGNATURE),
        (web2(), b"foo", "0x00"),
        (web2(), b"foo", "0x" + "00" * 65),
        (web2(), b"foo", f"Bearer {SIGNATURE}"),
        (web2(), b"\xff\xfe", SIGNATURE),
        ("/secrets/web3?secretAddress=0x12", b"foo", SIGNATURE),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_another_signature(ask: Ask, method: str, path: str, body: bytes, signature: str) -> None:
    status, _, answer = ask(method, path, body, Authorization=signature)
    if method == "PUT" and "web3" in path:
        assert status == 405
    else:
        assert (status, answer) == (401, b"")
    assert ask("HEAD", path)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/secrets/web2",
        f"/secrets/web2?ownerAddress={OWNER}",
        f"/secrets/web2?secretName={NAME}",
        "/secrets/web3",
        f"/secrets/web3?ownerAddress={OWNER}",
    ],
)
def test_a_missing_parameter(ask: Ask, path: str) -> None:
    assert ask("HEAD", path)[0] == 400
    status, _, body = ask("POST", path, b"foo", Authorization=SIGNATURE)
    assert (status, json.loads(body)["error"]) == (400, "Bad Request")


def test_other_refusals(ask: Ask) -> None:
    assert ask("POST", web2(), b"", Authorization=SIGNATURE)[0] == 400
    assert ask("PUT", web2(), None, Authorization=SIGNATURE)[0] == 400
    assert ask("POST", web2(), b"foo")[0] == 400
    assert ask("POST", web2(), b"x" * (MAX_PAST + 1), Authorization=SIGNATURE)[0] == 413
    assert ask("GET", web2())[0] == 405
    assert ask("DELETE", web2(), Authorization=SIGNATURE)[0] == 405
    assert ask("GET", "/apps/x/secrets")[0] == 404
    assert ask("HEAD", web2())[0] == 404


def test_up(ask: Ask) -> None:
    status, headers, body = ask("GET", "/up")
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain")
    assert body.startswith(b"Up! (")


def test_a_chain_that_does_not_answer(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    path = f"/secrets/web3?secretAddress={RESOURCE}"
    status, _, body = ask("POST", path, b"my secret", Authorization=SIGNATURE)
    assert (status, json.loads(body)["error"]) == (500, "Internal Server Error")
    assert "TransportError" in caplog.text
    assert "my secret" not in caplog.text
    assert SIGNATURE not in caplog.text


def test_secrets_survive_privately(tmp_path: Path, nowhere: Rpc) -> None:
    path = tmp_path / "services" / "sms.sqlite"
    for expected in (None, "foo"):
        sms = Sms(path, nowhere)
        assert sms.secret(WEB2, OWNER, NAME) == expected
        sms.keep(WEB2, OWNER.lower(), NAME, "foo", update=False)
        sms.keep(WEB3, RESOURCE.lower(), "", "key\n", update=False)
        assert sms.dataset_key(RESOURCE) == "key"
        assert sms.storage_token(OWNER) == "foo"
        assert sms.result_key(OWNER) is None
        sms.close()
    if os.name == "posix":
        for each in path.parent.iterdir():
            assert stat.S_IMODE(each.stat().st_mode) == 0o600
    sms = Sms(path, nowhere)
    sms.reset()
    assert sms.secret(WEB2, OWNER, NAME) is None
    sms.close()


def test_one_of_many_is_first(ask: Ask) -> None:
    values = [f"value {index}" for index in range(40)]

    def push(value: str) -> int:
        return ask("POST", web2(), value.encode(), Authorization=signed(value))[0]

    with ThreadPoolExecutor(20) as pool:
        found = sorted(pool.map(push, values))
    assert found == [204] + [409] * 39


# --- today's --------------------------------------------------------------------------------------

# today.md §7, vector 9: K1's signature for its secret "my-secret" with the value "foo"
K1 = KeySigner.from_key(b"\x11" * 32)
MINE = f"/requesters/{K1.address}/secrets/my-secret"
MINE_SIGNED = (
    "0x9d5384dc40ad8e50aa48653a63985fa9a4ed5afe090b277587cb4c96b2fb7f70"
    "5fc5144e66418da675f0b9ac42dda3e3612e73f7136bccb32e2041ddc472f6021b"
)


@pytest.fixture
def today(tmp_path: Path, nowhere: Rpc) -> Sms:
    return Sms(tmp_path / "services" / "sms.sqlite", nowhere, TODAY)


@pytest.fixture
def ask_today(today: Sms, serve: Callable[[Any], Ask]) -> Ask:
    return serve(today)


def why(body: bytes) -> list[str]:
    found = json.loads(body)
    assert found["data"] is None
    return list(found["error"])


def test_a_secret_of_a_requester(ask_today: Ask, today: Sms) -> None:
    assert ask_today("HEAD", MINE)[0] == 404
    assert ask_today("POST", MINE, b"foo", Authorization=MINE_SIGNED)[0] == 204
    assert ask_today("HEAD", MINE.replace(K1.address, K1.address.lower()))[0] == 204
    assert today.requester_secret(K1.address, "my-secret") == "foo"
    assert today.requester_secret(K1.address, "other") is None
    assert today.app_secret(K1.address) is None  # families are apart
    status, _, body = ask_today("POST", MINE, b"foo", Authorization=MINE_SIGNED)
    assert (status, why(body)) == (409, ["Secret already exists"])
    assert ask_today("PUT", MINE, b"foo", Authorization=MINE_SIGNED)[0] == 405


def push(ask: Ask, name: str, value: bytes) -> tuple[int, list[str]]:
    digest = web2_secret_digest(K1.address, name, value.decode())
    signature = to_hex(K1.sign_message(digest))
    path = f"/requesters/{K1.address}/secrets/{quote(name, safe='')}"
    status, _, body = ask("POST", path, value, Authorization=signature)
    return status, why(body) if body else []


def test_refusals_of_today(ask_today: Ask) -> None:
    status, _, body = ask_today("POST", MINE, b"bar", Authorization=MINE_SIGNED)
    assert (status, why(body)) == (401, ["Invalid authorization"])
    size = (400, ["Secret size should not exceed 4 Kb"])
    assert push(ask_today, "big", b"x" * 4097) == size
    assert push(ask_today, "big", b"x" * 100_000) == size
    assert push(ask_today, "big", b"x" * 4096) == (204, [])
    for name in ("a b", "a.b", "x" * 65, "é"):
        assert push(ask_today, name, b"foo") == (400, ["Invalid secret name"])
        path = f"/requesters/{K1.address}/secrets/{quote(name)}"
        assert ask_today("HEAD", path)[0] == 400
    assert push(ask_today, "x" * 64, b"foo") == (204, [])
    assert ask_today("POST", MINE, b"", Authorization=MINE_SIGNED)[0] == 400
    assert ask_today("POST", MINE, b"foo")[0] == 400


def test_the_old_paths_of_today(ask_today: Ask) -> None:
    """As before, but for the size."""
    assert ask_today("POST", web2(), b"foo", Authorization=SIGNATURE)[0] == 204
    assert ask_today("PUT", web2(), b"bar", Authorization=signed("bar"))[0] == 204
    big = "x" * 4097
    assert ask_today("PUT", web2(), big.encode(), Authorization=signed(big))[0] == 413
    assert ask_today("HEAD", f"/apps/{RESOURCE}/secrets")[0] == 404
    assert ask_today("GET", "/up")[0] == 404
    assert json.loads(ask_today("GET", "/tee/framework")[2]) == "TDX"
    assert ask_today("GET", "/version")[2] == b"9.3.1"
