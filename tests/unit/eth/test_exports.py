"""The public names of ``iexec_lite.eth``, and what importing it costs: nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from iexec_lite import eth

PUBLIC = [
    "Domain",
    "KeySigner",
    "PrivateKey",
    "SendingSigner",
    "SignedTransaction",
    "Signer",
    "Transaction",
    "TransactionSigner",
    "TypedData",
    "abi",
    "address_to_bytes",
    "checksum_address",
    "codec",
    "compile_struct",
    "crypto",
    "eip712",
    "from_hex",
    "hash_message",
    "hash_typed_data",
    "keccak",
    "keystore",
    "recover_address",
    "rlp",
    "signer",
    "to_hex",
    "transaction",
    "verify_digest",
]


def test_export_list() -> None:
    assert eth.__all__ == PUBLIC
    assert set(PUBLIC) <= set(dir(eth))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_name_loads(name: str) -> None:
    value = getattr(eth, name)
    assert getattr(value, "__name__", "").split(".")[-1] == name
    assert getattr(eth, name) is value


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'missing'"):
        _ = eth.missing


def test_import_loads_nothing() -> None:
    code = (
        "import sys, iexec_lite.eth;"
        "print([m for m in sys.modules if m.startswith(('iexec_lite.', 'Crypto', 'eth_'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['iexec_lite.eth']"
