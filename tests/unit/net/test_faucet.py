"""Faucets: which network has which, how they are asked, what their answers become."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from iexec_lite.errors import ApiCallError, ConfigurationError
from iexec_lite.net.faucet import ask
from iexec_lite.net.http import Http
from iexec_lite.protocol.chains import CHAINS, Chain
from iexec_lite.protocol.faucets import Faucet, ether_faucets, rlc_faucets

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
PAID = {"ok": True, "message": "Successfully requested 200 nRLC", "position": 1.5, "more": None}


@pytest.fixture
def http() -> Iterator[Http]:
    with Http(timeout=5) as client:
        yield client


def local(server: Any, name: str = "goerli") -> Faucet:
    """The faucet of V6 for RLC, moved to a server on loopback."""
    (known,) = rlc_faucets(CHAINS[name])
    return replace(known, url=known.url.replace("https://api.faucet.iex.ec", server.url))


# --- the table ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chain", "names"),
    [
        ("ropsten", ["faucet.ropsten.be", "ropsten.faucet.b9lab.com"]),
        ("rinkeby", ["faucet.rinkeby.io"]),
        ("kovan", ["gitter.im/kovan-testnet/faucet", "faucet.kovan.network"]),
        ("goerli", ["goerli-faucet.slock.it"]),
    ],
)
def test_ether_of_v6(chain: str, names: list[str]) -> None:
    assert [faucet.name for faucet in ether_faucets(CHAINS[chain])] == names
    assert [faucet.name for faucet in rlc_faucets(CHAINS[chain])] == ["faucet.iex.ec"]


@pytest.mark.parametrize("chain", ["mainnet", "enterprise-testnet", "arbitrum-sepolia-testnet"])
def test_no_ether(chain: str) -> None:
    with pytest.raises(ConfigurationError, match=f"No ETH faucet on chain {chain}: ask for"):
        ether_faucets(CHAINS[chain])


def test_native_chains_have_no_ether() -> None:
    with pytest.raises(ConfigurationError, match="No ETH faucet on chain viviani: its coin is RLC"):
        ether_faucets(CHAINS["viviani"])
    with pytest.raises(ConfigurationError, match="No ETH faucet on chain mine: its coin is RLC"):
        ether_faucets(Chain(id=7, name="mine", native=True, faucet="http://127.0.0.1:1/faucet"))


def test_no_rlc() -> None:
    for chain in (CHAINS["arbitrum-sepolia-testnet"], Chain(id=7, name="mine")):
        with pytest.raises(ConfigurationError, match=f"No RLC faucet on chain {chain.name}: ask"):
            rlc_faucets(chain)


def test_a_networks_own_faucet_is_its_only_one() -> None:
    chain = replace(CHAINS["goerli"], faucet="https://f.invalid/x")
    ((ether,), (rlc,)) = ether_faucets(chain), rlc_faucets(chain)
    assert ether.name == rlc.name == "goerli faucet"
    assert ether.url == "https://f.invalid/x/getETH?chainName={chain}&address={address}"
    assert rlc.url == "https://f.invalid/x/getRLC?chainName={chain}&address={address}"


# --- asking ---------------------------------------------------------------------------------------


def test_rlc_is_asked_as_v6_asked(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json(PAID))
    assert ask(http, local(server), "goerli", ADDRESS) == PAID
    ask(http, local(server), "a b&c", ADDRESS)
    assert [call[:2] for call in server.calls] == [
        ("GET", f"/getRLC?chainName=goerli&address={ADDRESS}"),
        ("GET", f"/getRLC?chainName=a%20b%26c&address={ADDRESS}"),
    ]
    ask(http, local(server), "a/b", ADDRESS)
    assert server.calls[2][1] == f"/getRLC?chainName=a%2Fb&address={ADDRESS}"
    assert {name.lower(): value for name, value in server.calls[0][2].items()}["accept"] == (
        "application/json"
    )


def test_a_faucet_with_a_body(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"txHash": "0x1"}))
    faucet = replace(ether_faucets(CHAINS["ropsten"])[1], url=f"{server.url}/tap")
    assert ask(http, faucet, "ropsten", ADDRESS) == {"txHash": "0x1"}
    (method, path, headers, body) = server.calls[0]
    assert (method, path, json.loads(body)) == ("POST", "/tap", {"toWhom": ADDRESS})
    told = {key.lower(): value for key, value in headers.items()}
    assert (told["content-type"], told["accept"]) == ("application/json", "application/json")


def test_a_page_for_people(http: Http) -> None:
    (faucet,) = ether_faucets(CHAINS["goerli"])
    assert ask(http, faucet, "goerli", ADDRESS) == {
        "error": "Go to https://goerli-faucet.slock.it/ to manually ask for ETH"
    }


@pytest.mark.parametrize("status", [200, 400, 429, 503])
def test_a_refusal_is_an_answer_and_asked_for_once(serve: Any, http: Http, status: int) -> None:
    server = serve(lambda call: call.reply_json({"error": "come back tomorrow"}, status))
    assert ask(http, local(server), "goerli", ADDRESS) == {"error": "come back tomorrow"}
    assert len(server.calls) == 1


def test_a_status_that_says_no_is_a_refusal(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply_json({"message": "slow down"}, 429))
    answer = ask(http, local(server), "goerli", ADDRESS)
    assert answer == {
        "message": "slow down",
        "error": "429: wait, or use a host with a higher limit",
    }


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "answered 200 and no JSON"),
        (b"<html>gone</html>", "answered 200 and no JSON"),
        (b"[]", "answered 200 and no JSON object"),
        (b'"paid"', "answered 200 and no JSON object"),
        (
            b"{}".ljust(65_537),
            "didn't answer: {} sent more than 65536 bytes: refused; check that its URL is right",
        ),
    ],
)
def test_what_is_no_answer(serve: Any, http: Http, body: bytes, what: str) -> None:
    server = serve(lambda call: call.reply(200, body))
    message = (
        f"The faucet faucet.iex.ec {what.format(server.url)}. The public faucets of V6 are gone"
    )
    with pytest.raises(ApiCallError) as caught:
        ask(http, local(server), "goerli", ADDRESS)
    assert (str(caught.value), caught.value.retryable) == (message, False)
    optional = replace(local(server), vital=False)
    assert ask(http, optional, "goerli", ADDRESS) == {"error": f"ETH faucet is down. {message}"}


def test_the_largest_answer(serve: Any, http: Http) -> None:
    server = serve(lambda call: call.reply(200, b"{}".ljust(65_536)))
    assert ask(http, local(server), "goerli", ADDRESS) == {}


def test_nobody_there(http: Http) -> None:
    (gone,) = rlc_faucets(replace(CHAINS["goerli"], faucet="http://127.0.0.1:9"))
    with pytest.raises(ApiCallError) as caught:
        ask(http, gone, "goerli", ADDRESS)
    assert str(caught.value) == (
        "The faucet goerli faucet didn't answer: http://127.0.0.1:9 cannot be reached: "
        "Connection refused; check that it runs, and its URL"
    )
    assert caught.value.retryable is True


def test_plain_http_needs_a_word(http: Http) -> None:
    """The oldest faucet of ropsten: what it answered could be anybody's."""
    answer = ask(http, ether_faucets(CHAINS["ropsten"])[0], "ropsten", ADDRESS)
    assert "would send everything unprotected" in str(answer["error"])
