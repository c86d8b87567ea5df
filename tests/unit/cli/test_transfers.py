"""``wallet send-ether`` with a node on loopback: what is asked, and when (cli.md §7)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ALICE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
QUESTION = f"Do you want to send 1.0 mainnet ether to alice.eth ({ALICE}) [chainId: 1]"


@pytest.fixture
def mainnet(node, project: Path):
    """The node is one of mainnet, where alice.eth is somebody, and everybody is rich."""
    chains = {"mainnet": {"host": node.url}}
    (project / "chain.json").write_text(json.dumps({"default": "mainnet", "chains": chains}))
    node.answers |= {
        "eth_chainId": "0x1",
        "eth_call": "0x" + ALICE[2:].lower().rjust(64, "0"),
        "eth_getBalance": hex(10**20),
        "eth_getBlockByNumber": {"baseFeePerGas": "0x1", "gasLimit": "0x1c9c380"},
        "eth_gasPrice": "0x1",
        "eth_maxPriorityFeePerGas": "0x1",
        "eth_estimateGas": "0x5208",
        "eth_getTransactionCount": "0x0",
    }
    return node


def test_a_name_is_asked_about_with_its_address(run, mainnet, wallet: Path) -> None:
    words = ["wallet", "send-ether", "1", "--to", "alice.eth", "--keystoredir", "ks", "--raw"]
    message = run(*words).json["error"]["message"]
    assert message == f"{QUESTION} There is nobody to ask: --force says yes"
    # then the password, and nothing was sent
    message = run(*words, "--force").json["error"]["message"]
    assert "Please enter your password to unlock your wallet: there is nobody" in message
    assert "eth_sendRawTransaction" not in mainnet.asked


def test_a_wallet_without_an_address_in_its_file(run, mainnet, wallet: Path) -> None:
    """Unlocked early, to learn the address: the question still comes before the signature."""
    content = json.loads(wallet.read_text())
    del content["address"]
    wallet.write_text(json.dumps(content))
    words = ["wallet", "send-ether", "1", "--to", "alice.eth", "--keystoredir", "ks", "--raw"]
    message = run(*words, "--password", "x").json["error"]["message"]
    assert message.startswith(QUESTION)
    assert "eth_sendRawTransaction" not in mainnet.asked
