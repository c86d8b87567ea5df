"""The folder of secrets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError, ValidationError
from iexec_lite.eth.crypto import rsa_encrypt, rsa_generate
from iexec_lite.protocol.cipher import generate_encryption_key
from iexec_lite.sandbox.vault import Vault

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"


def test_round_trip(tmp_path: Path) -> None:
    vault, key = Vault(tmp_path / "secrets"), generate_encryption_key()
    assert vault.dataset_key(ADDRESS) is None
    vault.put_dataset_key(ADDRESS, key)
    vault.put_dataset_key(ADDRESS.lower(), key)  # the same again is no change
    assert Vault(tmp_path / "secrets").dataset_key(ADDRESS.lower()) == key
    _, first = rsa_generate(1024)
    _, second = rsa_generate(1024)
    for pem in (first, second):  # a result key may be replaced
        vault.put_result_key(ADDRESS, pem)
        assert vault.result_key(ADDRESS) == pem
    assert rsa_encrypt(vault.result_key(ADDRESS) or "", b"usable")


def test_refusals(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secrets")
    vault.put_dataset_key(ADDRESS, generate_encryption_key())
    with pytest.raises(SandboxError, match="another key") as caught:
        vault.put_dataset_key(ADDRESS, key := generate_encryption_key())
    assert key not in str(caught.value)
    for bad in ("", "no base64!", "AAAA"):
        with pytest.raises(ValidationError):
            vault.put_dataset_key(ADDRESS, bad)
    for bad in ("", "-----BEGIN RSA PUBLIC KEY-----\n", "-----BEGIN PUBLIC KEY-----\r\n"):
        with pytest.raises(ValidationError, match="PEM"):
            vault.put_result_key(ADDRESS, bad)
    with pytest.raises(ValidationError):
        vault.put_dataset_key("../../x", generate_encryption_key())


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such file modes")
def test_modes(tmp_path: Path) -> None:
    vault = Vault(tmp_path / "secrets")
    vault.put_dataset_key(ADDRESS, generate_encryption_key())
    for path in [vault.folder, *vault.folder.rglob("*")]:
        expected = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == expected
