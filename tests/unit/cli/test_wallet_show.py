"""``wallet show`` with a node on loopback (cli.md §8.2)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
PUBLIC = (
    "0x0463b6265f021cc1f249366d5ade5bcdf7d33debe594e9d94affdf1aa02255928490fc2c96990a3"
    "86499b66d17565de1c12ba8fb4ae3af7539e6c61aa7f0113edd"
)
ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
TOKEN = "0x" + "bb" * 20
BALANCE = {"ether": "1.5", "RLC": "0.00001", "nRLC": "10000", "wei": "1500000000000000000"}


def word(value: int) -> str:
    return f"0x{value:064x}"


@pytest.fixture
def balances(node):
    """The node knows a token and everybody's balances."""

    def call(transaction: dict[str, str], _block: str) -> str:
        return word(10000) if transaction["to"].lower() == TOKEN else word(int(TOKEN, 16))

    node.answers |= {"eth_getBalance": hex(15 * 10**17), "eth_call": call}
    return node


def test_own_wallet(run, balances, wallet: Path) -> None:
    document = run("wallet", "show", "--keystoredir", "ks", "--raw").json
    assert document == {"ok": True, "balance": BALANCE, "wallet": {"address": ADDRESS}}
    assert list(document["balance"]) == ["ether", "RLC", "nRLC", "wei"]
    done = run("wallet", "show", "--keystoredir", "ks")
    assert done.err == "ℹ Using chain mine [chainId: 65535]\n"
    assert done.out == f"address: {ADDRESS}\nether:   1.5\nRLC:     0.00001\n"
    assert run("wallet", "show", "--keystoredir", "ks", "--quiet").err == ""


def test_any_address(run, balances) -> None:
    document = run("wallet", "show", ADDRESS.lower(), "--raw", "--show-private-key").json
    assert document == {"ok": True, "balance": BALANCE}
    error = run("wallet", "show", ADDRESS[:-1] + "4", "--raw").json["error"]
    assert error["name"] == "ValidationError"
    assert "wrong checksum" in error["message"]


@pytest.mark.shows_secrets("--show-private-key is for that")
def test_private_key(run, balances, wallet: Path) -> None:
    words = ["wallet", "show", "--keystoredir", "ks", "--show-private-key", "--password", "x"]
    document = run(*words, "--raw").json
    assert list(document["wallet"].items()) == [
        ("privateKey", KEY), ("publicKey", PUBLIC), ("address", ADDRESS)
    ]  # fmt: skip
    assert document["balance"] == BALANCE
    assert run(*words).out == (
        f"privateKey: {KEY}\npublicKey:  {PUBLIC}\naddress:    {ADDRESS}\n"
        "ether:      1.5\nRLC:        0.00001\n"
    )


def test_the_password_comes_last(run, node, wallet: Path) -> None:
    """A node that fails is found before anybody is asked; the password is missing here."""
    words = ["wallet", "show", "--keystoredir", "ks", "--show-private-key", "--raw"]
    node.answers |= {"eth_chainId": hex(1)}
    message = run(*words).json["error"]["message"]
    assert message.startswith("The node is on chain 1, but mine is chain 65535")
    assert node.asked == ["eth_chainId"]
    node.answers |= {"eth_chainId": hex(65535), "eth_getBalance": "0x1", "eth_call": word(1)}
    message = run(*words).json["error"]["message"]
    assert message.startswith(f"Using wallet {wallet.name}\nPlease enter your password to unlock")
    assert "eth_getBalance" in node.asked
    wrong = run(*words, "--password", "y")
    assert wrong.json["error"]["message"] == "invalid password"
    assert wrong.json["error"]["name"] == "WrongPasswordError"


def test_native_chain(run, balances, wallet: Path, project: Path) -> None:
    file = json.loads((project / "chain.json").read_text())
    file["chains"]["mine"]["native"] = True
    (project / "chain.json").write_text(json.dumps(file))
    document = run("wallet", "show", "--keystoredir", "ks", "--raw").json
    assert document["balance"] == {"RLC": "1.5", "nRLC": "1500000000"}
    out = run("wallet", "show", "--keystoredir", "ks").out
    assert out == f"address: {ADDRESS}\nRLC:     1.5\n"


NOT_FOUND = "Failed to load wallet address from keystore: Wallet file not found"


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        ([], "Missing option --wallet-address <walletAddress> or"),
        (["--keystoredir", "none"], "Missing keystore directory none"),
        (["--wallet-address", "0x" + "1" * 40], "No wallet file matching address 0x111"),
        (["--wallet-file", "none"], "No wallet file none found in "),
    ],
)
def test_no_wallet(run, node, words: list[str], cause: str) -> None:
    if "--keystoredir" not in words:
        Path("ks").mkdir()
        words = [*words, "--keystoredir", "ks"]
    error = run("wallet", "show", *words, "--raw").json["error"]
    assert error["message"].startswith(f"{NOT_FOUND} ({cause}")
    unlock = run("wallet", "show", *words, "--raw", "--show-private-key").json["error"]
    assert unlock["message"].startswith(cause)
    assert node.asked == []


def test_plain_http_needs_a_word(run, project: Path) -> None:
    chain = {"id": "65535", "host": "http://node.invalid:8545", "hub": "0x" + "aa" * 20}
    (project / "chain.json").write_text(json.dumps({"default": "m", "chains": {"m": chain}}))
    message = run("wallet", "show", ADDRESS, "--raw").json["error"]["message"]
    assert message == (
        "http://node.invalid:8545 would send everything unprotected: use https://, or "
        "allow_plain_http=True (--allow-plain-http) if the network itself is trusted"
    )
    error = run("wallet", "show", ADDRESS, "--raw", "--allow-plain-http").json["error"]
    assert error["message"] == (
        "http://node.invalid:8545: unknown host name; check the URL, and that the network is there"
    )


def test_no_node_there(run, project: Path) -> None:
    chain = {"id": "65535", "host": "http://127.0.0.1:9/key-in-a-path", "hub": "0x" + "aa" * 20}
    (project / "chain.json").write_text(json.dumps({"default": "m", "chains": {"m": chain}}))
    error = run("wallet", "show", ADDRESS, "--raw").json["error"]
    assert error["name"] == "TransportError"
    assert "key-in-a-path" not in error["message"]
