"""The result proxy over HTTP (services.md §3): login. Uploads need a chain: tests/stack."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.eth.signer import KeySigner
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol.authorization import RESULT_PROXY, Authorization, read_challenge
from iexec_lite.sandbox.result_proxy import CHALLENGE_LIFE, ResultProxy
from iexec_lite.sandbox.store import Store

CHAIN = 133
HUB = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
TASK = "0x" + "ab" * 32
Ask = Callable[..., "tuple[int, dict[str, str], bytes]"]
Make = Callable[..., ResultProxy]


@pytest.fixture
def make(tmp_path: Path, store: Store, nowhere: Rpc) -> Make:
    def proxy(**options: Any) -> ResultProxy:
        return ResultProxy(tmp_path / "services" / "proxy.sqlite", store, nowhere, HUB, **options)

    return proxy


@pytest.fixture
def ask(make: Make, serve: Callable[[Any], Ask]) -> Ask:
    return serve(make())


def challenge(ask: Ask) -> Any:
    status, headers, body = ask("GET", f"/results/challenge?chainId={CHAIN}&address=ignored")
    assert (status, headers["Content-Type"]) == (200, "application/json")
    return json.loads(body)


def authorization(answer: Any, signer: KeySigner) -> bytes:
    data = read_challenge(answer, RESULT_PROXY, CHAIN)
    text = str(Authorization.of(data, signer.sign_typed_data(data), signer.address))
    return text.encode()


def login(ask: Ask, body: bytes) -> tuple[int, str]:
    status, _, answer = ask("POST", f"/results/login?chainId={CHAIN}", body)
    return status, answer.decode()


@pytest.fixture
def signer() -> KeySigner:
    return KeySigner.from_key("0x" + "11" * 32)


def test_the_challenge(ask: Ask) -> None:
    first, second = challenge(ask), challenge(ask)
    text = first["message"].pop("challenge")
    assert len(text) == 43
    assert text != second["message"]["challenge"]
    assert first == {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
            ],
            "Challenge": [{"name": "challenge", "type": "string"}],
        },
        "domain": {"name": "iExec Result Repository", "version": "1", "chainId": CHAIN},
        "primaryType": "Challenge",
        "message": {},
    }


def test_an_empty_contract_is_no_part_of_the_domain(
    make: Make, serve: Callable[[Any], Ask], signer: KeySigner
) -> None:
    ask = serve(make(empty_contract=True))
    answer = challenge(ask)
    assert answer["domain"]["verifyingContract"] == ""
    assert login(ask, authorization(answer, signer))[0] == 200


def test_login(ask: Ask, signer: KeySigner) -> None:
    body = authorization(challenge(ask), signer)
    status, token = login(ask, body)
    assert status == 200
    head, claims, end = token.split(".")
    assert end == ""
    assert decoded(head) == {"alg": "none"}
    found = decoded(claims)
    assert found["aud"] == signer.address
    assert abs(found["iat"] - time.time()) < 60
    assert len(found["sub"]) >= 32
    assert login(ask, body) == (401, "")  # used up
    assert login(ask, authorization(challenge(ask), signer)) == (200, token)
    other = KeySigner.from_key("0x" + "22" * 32)
    assert login(ask, authorization(challenge(ask), other))[1] not in ("", token)


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_token_is_kept(make: Make, serve: Callable[[Any], Ask], signer: KeySigner) -> None:
    proxy, tokens = make(), []
    for _ in range(2):
        ask = serve(proxy)
        tokens.append(login(ask, authorization(challenge(ask), signer)))
        proxy = make()
    assert tokens[0] == tokens[1]
    proxy.reset()
    ask = serve(proxy)
    assert login(ask, authorization(challenge(ask), signer)) != tokens[0]


def test_refused_logins(ask: Ask, signer: KeySigner) -> None:
    unknown = read_challenge(challenge(ask), RESULT_PROXY, CHAIN).to_dict()
    unknown["message"] = {"challenge": "x" * 43}
    body = authorization(challenge(ask), signer)
    digest, signature, address = body.decode().split("_")
    stranger = "0x" + "0b" * 20
    for wrong in (
        authorization(unknown, signer),
        f"{digest}_{signature}_{stranger}".encode(),
        f"{digest}_{signature}".encode(),
        f"{digest}_{signature}_{address}_".encode(),
        b"\xff",
        b"x" * 10_000,
    ):
        assert login(ask, wrong) == (401, "")
    assert login(ask, b"")[0] == 400
    assert ask("POST", "/results/login", body)[0] == 400
    assert login(ask, f"{digest}_{signature}_{address.lower()}".encode())[0] == 200
    for query in (
        "",
        "?chainId=",
        "?chainId=x",
        "?chainId=0",
        f"?chainId={2**256}",
        "?address=0x12",
    ):
        assert ask("GET", f"/results/challenge{query}")[0] == 400


def test_challenges_grow_old(make: Make, serve: Callable[[Any], Ask], signer: KeySigner) -> None:
    now = [1_000_000.0]
    ask = serve(make(clock=lambda: now[0]))
    old, older = challenge(ask), challenge(ask)
    now[0] += CHALLENGE_LIFE
    assert login(ask, authorization(old, signer))[0] == 200
    now[0] += 1
    assert login(ask, authorization(older, signer))[0] == 401


def test_nothing_without_a_token(ask: Ask) -> None:
    model = json.dumps({"chainTaskId": TASK, "zip": "UEs="}).encode()
    requests = (("POST", "/", model), ("HEAD", f"/results/{TASK}", None))
    for method, path, body in (*requests, ("GET", f"/results/{TASK}?chainId={CHAIN}", None)):
        assert ask(method, path, body)[0] == 400  # the header is required
        for token in ("x", "eyJhbGciOiJub25lIn0.e30."):
            assert ask(method, path, body, Authorization=token)[0] == 401


def test_what_anybody_may_fetch(ask: Ask, store: Store) -> None:
    cid = store.add_bytes(b"an archive")
    status, headers, body = ask("GET", f"/results/ipfs/{cid}")
    assert (status, headers["Content-Type"], body) == (200, "application/zip", b"an archive")
    name = f"attachment; filename=iexec-result-{cid}.zip"
    assert headers["Content-Disposition"] == name
    for path in (f"/results/ipfs/{store.add_bytes(b'')}x", "/results/ipfs/..", "/results/ipfs/Qm"):
        assert ask("GET", path)[0] == 404
    assert ask("GET", f"/results/{TASK}/ipfshash")[0] == 404
    assert ask("GET", "/nowhere")[0] == 404
    assert ask("PUT", "/results/login")[0] == 405


def test_many_logins_at_once(ask: Ask, signer: KeySigner) -> None:
    def once(_: int) -> tuple[int, str]:
        return login(ask, authorization(challenge(ask), signer))

    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(once, range(32)))
    assert len(found) == 1
    assert found.pop()[0] == 200
