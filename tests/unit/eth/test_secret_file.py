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
    assert record.getMessage() == (f"other users of this machine may read {secret}: chmod 600 it")


def test_everybody_may_change_it(secret: Path) -> None:
    secret.chmod(0o602)
    with pytest.raises(ValidationError) as caught:
        content(secret)
    assert str(caught.value) == (
        f"every user of this machine may change {secret}: refused for a secret; look whether it "
        "is still yours, then chmod 600 it"
    )
    with pytest.raises(KeystoreError, match="may change"):
        KeySigner.from_keystore(secret, "x")


def test_of_somebody_else(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else(secret, monkeypatch)
    with pytest.raises(ValidationError) as caught:
        content(secret)
    assert str(caught.value) == (
        f"{secret} belongs to another user: refused for a secret; make a copy that is your own"
    )


def test_roots_file_is_good_for_all_and_all_files_for_root(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets in containers are mounted by root: alone, or with a link of the user's own."""
    owners = {"file": 0, "link": 0}
    shown, shown_link = os.fstat, os.lstat

    def owned(found: os.stat_result, by: str) -> os.stat_result:
        return os.stat_result((*found[:4], owners[by], *found[5:]))

    monkeypatch.setattr(os, "fstat", lambda fd: owned(shown(fd), "file"))
    monkeypatch.setattr(os, "lstat", lambda path: owned(shown_link(path), "link"))
    monkeypatch.setattr(os, "geteuid", lambda: 4711)
    for owners["file"], owners["link"] in ((0, 0), (0, 4711), (4711, 0), (4711, 4711)):
        assert content(secret) == b"of mine"
    for owners["file"], owners["link"] in ((1234, 0), (0, 1234), (1234, 4711), (1234, 1234)):
        with pytest.raises(ValidationError, match="belongs to another user"):
            content(secret)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert content(secret) == b"of mine"


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
