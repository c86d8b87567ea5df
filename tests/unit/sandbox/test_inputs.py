"""Datasets and input files, from a real gateway (worker.md §5)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from iexec_lite.net.http import Http
from iexec_lite.protocol import cipher
from iexec_lite.sandbox import inputs
from iexec_lite.sandbox.inputs import (
    DataError,
    DatasetFile,
    fetch_dataset,
    fetch_inputs,
    source_url,
)
from iexec_lite.sandbox.server import Server
from iexec_lite.sandbox.store import Store

KEY = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
Fetch = Callable[..., Path]


@pytest.fixture
def fetch(store: Store, gateway: Server, room: Path) -> Fetch:
    """Store ``data``, then fetch it as a dataset; where it was saved."""

    def run(data: bytes, *, name: str = "d.bin", key: str | None = None, **fields: str) -> Path:
        location = fields.get("location", f"/ipfs/{store.add_bytes(data)}")
        checksum = fields.get("checksum", cipher.checksum(data))
        folder = room / "iexec_in"
        with Http() as http:
            fetch_dataset(
                DatasetFile(name, location, checksum),
                folder,
                http=http,
                gateway=gateway.url,
                key=key,
            )
        assert not (room / "dataset.part").exists()
        return folder / name

    return run


def test_standard_tasks_get_the_bytes_as_they_are(fetch: Fetch) -> None:
    encrypted = cipher.encrypt_dataset(b"plain", KEY)
    assert fetch(encrypted).read_bytes() == encrypted


def test_tee_tasks_get_it_decrypted(fetch: Fetch) -> None:
    assert fetch(cipher.encrypt_dataset(b"plain", KEY), key=KEY).read_bytes() == b"plain"


def test_by_url(fetch: Fetch, store: Store, gateway: Server) -> None:
    cid = store.add_bytes(b"by url")
    assert fetch(b"by url", location=f"{gateway.url}/ipfs/{cid}").read_bytes() == b"by url"


def test_wrong_bytes(fetch: Fetch) -> None:
    with pytest.raises(DataError, match="on chain it is") as caught:
        fetch(b"x", checksum=cipher.checksum(b"y"))
    assert caught.value.reason == "DATASET_FILE_BAD_CHECKSUM"
    with pytest.raises(DataError, match="empty checksum can never"):
        fetch(b"x", checksum="0x" + "00" * 32)


def test_wrong_key(fetch: Fetch) -> None:
    data = cipher.encrypt_dataset(b"plain", cipher.generate_encryption_key())
    with pytest.raises(DataError, match="does not decrypt") as caught:
        fetch(data[:-1], key=KEY)
    assert caught.value.reason == "PRE_COMPUTE_DATASET_DECRYPTION_FAILED"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\\b", "a\0b"])
def test_names_that_leave_the_folder(fetch: Fetch, name: str) -> None:
    with pytest.raises(DataError, match="cannot be the name"):
        fetch(b"x", name=name)


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://h/x", "/etc/passwd", "x", "/ip4/127.0.0.1/tcp/1"]
)
def test_other_locations(fetch: Fetch, location: str) -> None:
    with pytest.raises(DataError, match="can be downloaded"):
        fetch(b"x", location=location)


def test_not_there(fetch: Fetch, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match="answered 404"):
        fetch(b"x", location="/ipfs/QmbFMke1KXqnYyBBWxB74N4c5SBnJMVAiMNRcGu6x1AwQH")
    monkeypatch.setattr(inputs, "MAX_DATASET", 10)
    with pytest.raises(DataError, match="download failed"):
        fetch(b"x" * 11)


def test_input_files(store: Store, gateway: Server, room: Path) -> None:
    one, two = (f"/ipfs/{store.add_bytes(data)}" for data in (b"one", b"two"))
    urls = [f"{gateway.url}{one}?v=2%20x", two]
    with Http() as http:
        names = fetch_inputs(urls, room / "iexec_in", http=http, gateway=gateway.url)
        assert names == [f"{one.rpartition('/')[2]}?v=2%20x", two.rpartition("/")[2]]
        assert [(room / "iexec_in" / name).read_bytes() for name in names] == [b"one", b"two"]
        with pytest.raises(DataError, match="cannot be the name") as caught:
            fetch_inputs([f"{gateway.url}/x/"], room, http=http, gateway=gateway.url)
    assert caught.value.reason == "INPUT_FILES_DOWNLOAD_FAILED"


def test_source_url() -> None:
    assert source_url("/ipfs/Qm", "http://g") == "http://g/ipfs/Qm"
    assert source_url("/p2p/Qm", "http://g") == "http://g/ipfs/Qm"
    assert source_url("https://x.org/a", "http://g") == "https://x.org/a"
