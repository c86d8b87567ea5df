"""Result locations, and archive digests against the documented vectors (worker.md §8, 1–3, 9)."""

from __future__ import annotations

import io
import json
import zipfile

import pytest

from iexec_lite.errors import DecodingError
from iexec_lite.protocol.archive import Archive
from iexec_lite.protocol.results import archive_digest, parse_location

HELLO = "0x1894a19c85ba153acbf743ac4e43fc004c891604b26f8c69e1e83ea2afc7c48f"
FOLDER = "0xeb7a5ec37b0315ece87775e825289311d38e5812898516b46abfc66e61dc56d1"
SINGLE = "0x9b9457e7aa29c0aad4aae0cbfe45ec1992606dc5d8a3ffe5ffa86038d8060045"
CALLBACK = "0xbeced09521047d05b8960b7e7bcc1d1292cf3e4b2a6b63f48335cbde5f7545d2"
TREE = {"r/a.txt": "alpha\n", "r/B.txt": "beta\n", "r/z.txt": "zeta\n", "r/sub/x.txt": "anything"}


def digest(computed: object, files: dict[str, str], *, callback: bool = False) -> str | None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        if computed is not None:
            archive.writestr(
                "computed.json", computed if isinstance(computed, str) else json.dumps(computed)
            )
        for name, content in files.items():
            archive.writestr(name, content)
    with Archive(out.getvalue()) as opened:
        return archive_digest(opened, callback=callback)


@pytest.mark.witness("result digest of files", by="recorded")
@pytest.mark.parametrize(
    ("path", "files", "expected"),
    [
        ("/iexec_out/hello.txt", {"hello.txt": "Hello world\n"}, HELLO),
        ("/iexec_out/r", TREE, FOLDER),
        ("/iexec_out/r/", TREE, FOLDER),
        ("/iexec_out/one", {"one/hello.txt": "Hello world\n"}, SINGLE),
        ("/iexec_out/box", {"box/hello.txt": "Hello world\n"}, SINGLE),
        ("/iexec_out/none", TREE, None),
        ("/iexec_out", {}, None),
        ("/iexec_outside", {"side": "x"}, None),
        ("/etc/passwd", {"passwd": "x"}, None),
        (7, {}, None),
    ],
)
def test_path_digest(path: object, files: dict[str, str], expected: str | None) -> None:
    found = digest({"deterministic-output-path": path}, files)
    if path == "/iexec_out":  # the root itself counts computed.json
        assert found is not None
        assert found.startswith("0x")
    else:
        assert found == expected


@pytest.mark.parametrize("computed", [None, "not json", "[]", "[" * 100_000, {"x": 1}])
def test_unusable_computed_file_is_unchecked(computed: object) -> None:
    assert digest(computed, {"a": "b"}) is None


@pytest.mark.witness("result digest of callback data", by="recorded")
def test_callback_digest() -> None:
    data = {"callback-data": "0x" + "00" * 31 + "2a"}
    assert digest(data, {}, callback=True) == CALLBACK
    assert digest({"callback-data": "0x0"}, {}, callback=True) is None
    assert digest({}, {}, callback=True) is None


def test_oversized_computed_file_is_an_error() -> None:
    with pytest.raises(DecodingError, match="too large"):
        digest(json.dumps({"x": "y" * (1 << 20)}), {})


@pytest.mark.parametrize(
    ("results", "expected"),
    [
        (
            b'{ "storage": "ipfs", "location": "/ipfs/Qm" }',
            {"storage": "ipfs", "location": "/ipfs/Qm"},
        ),
        (b"", {"storage": "none"}),
        (b"null", {"storage": "none"}),
        (b"[1]", {"storage": "none"}),
        (b"\xff", {"storage": "none"}),
        (b"[" * 100_000, {"storage": "none"}),
    ],
)
def test_location(results: bytes, expected: dict[str, object]) -> None:
    assert parse_location(results) == expected
