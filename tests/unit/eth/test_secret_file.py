from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from iexec_lite.errors import KeystoreError, ValidationError
from iexec_lite.eth.secret_file import open_secret
from iexec_lite.eth.signer import KeySigner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.write_text("of mine")
    path.chmod(0o600)
    return path


def content(path: Path) -> bytes:
    with open_secret(path) as file:
        return file.read()


def somebody_else(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file, or the link, belong to another user, who is not root."""
    if os.geteuid() == 0:
        os.lchown(path, 1234, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 4711)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_own_and_closed(secret: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    secret.chmod(mode)
    assert content(secret) == b"of mine"
    assert not caplog.records


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o604])
def test_others_may_read(secret: Path, mode: int, caplog: pytest.LogCaptureFixture) -> None:
    secret.chmod(mode)
    assert content(secret) == b"of mine"
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert str(secret) in record.getMessage()
    assert "chmod 600" in record.getMessage()


def test_everybody_may_change_it(secret: Path) -> None:
    secret.chmod(0o602)
    with pytest.raises(ValidationError, match=rf"may change {secret}: refused .* chmod 600"):
        content(secret)
    with pytest.raises(KeystoreError, match="may change"):
        KeySigner.from_keystore(secret, "x")


def test_of_somebody_else(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else(secret, monkeypatch)
    with pytest.raises(ValidationError, match=rf"{secret} belongs to another user"):
        content(secret)


def test_links(secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = tmp_path / "link"
    link.symlink_to(secret)
    assert content(link) == b"of mine"
    somebody_else(link, monkeypatch)
    with pytest.raises(ValidationError, match=rf"{link} belongs to another user"):
        content(link)


def test_pipes_have_one_reader() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"typed in")
    os.close(writer)
    try:
        assert content(Path(f"/dev/fd/{reader}")) == b"typed in"
    finally:
        os.close(reader)
