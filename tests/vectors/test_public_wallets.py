"""Keystores against the public wallets of ethers (npm package @ethersproject/testcases, MIT).

Files of ethers, geth, parity and MyEtherWallet-like tools. Every case of the file is accounted for:
presale wallets are refused, and of a wallet with a mnemonic only the private key is looked at.
"""

from __future__ import annotations

import gzip
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.errors import KeystoreError, WrongPasswordError
from iexec_lite.eth import keystore
from iexec_lite.eth.codec import to_hex

REPOSITORY = Path(__file__).resolve().parents[2]
DEFAULT_FOLDER = REPOSITORY / ".tox/npm/node_modules/@ethersproject/testcases/testcases"
FOLDER = Path(os.environ.get("IEXEC_LITE_TESTCASES") or DEFAULT_FOLDER)

pytestmark = pytest.mark.skipif(
    not (FOLDER.is_dir() or os.environ.get("CI")),  # in CI a missing package is a failure
    reason="the npm package @ethersproject/testcases is not installed (IEXEC_LITE_TESTCASES)",
)

NAMES = [
    "crowdsale_null",
    "crowdsale_password",
    "ethers1",
    "ethers2",
    "issue_582",
    "life",
    "parity",
    "secretstorage_null",
    "secretstorage_password",
]


def load() -> dict[str, dict[str, Any]]:
    with gzip.open(FOLDER / "wallets.json.gz", "rt", encoding="utf-8") as file:
        return {case["name"]: case for case in json.load(file)}


def test_every_case_is_accounted_for() -> None:
    cases = load()
    assert sorted(cases) == NAMES
    assert Counter(case["type"] for case in cases.values()) == {
        "secret-storage": 7,
        "crowdsale": 2,  # presale wallets: refused
    }
    assert sum(case["mnemonic"] is not None for case in cases.values()) == 2


@pytest.mark.witness("keystore", by="recorded")
@pytest.mark.parametrize("name", NAMES)
def test_wallet(name: str) -> None:
    case = load()[name]
    if case["type"] == "crowdsale":
        with pytest.raises(KeystoreError, match="presale"):
            keystore.decrypt(case["json"], case["password"] or "")
        return
    key = keystore.decrypt(case["json"], case["password"] or "")
    assert to_hex(key.secret) == case["privateKey"]
    assert to_hex(key.address) == case["address"]
    stored = keystore.address_of(case["json"])
    assert (stored is not None) == case["hasAddress"]
    assert stored is None or stored.lower() == case["address"]


@pytest.mark.parametrize("name", ["life", "parity"])  # the cheap ones
def test_wrong_password(name: str) -> None:
    with pytest.raises(WrongPasswordError, match=r"^invalid password$"):
        keystore.decrypt(load()[name]["json"], "wrong")
