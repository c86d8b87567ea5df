"""Digest, hashes, archive and link of a result (worker.md §1.5, §2, §8)."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import pytest

from iexec_lite.errors import SandboxError
from iexec_lite.eth.codec import address_to_bytes, to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.archive import Archive
from iexec_lite.protocol.results import archive_digest
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.result import (
    COMPUTED,
    Computed,
    authorisation_hash,
    digest_of,
    link,
    pack,
    read_computed,
    result_hash,
    result_seal,
)

HELLO = "0x1894a19c85ba153acbf743ac4e43fc004c891604b26f8c69e1e83ea2afc7c48f"
FOLDER = "0xeb7a5ec37b0315ece87775e825289311d38e5812898516b46abfc66e61dc56d1"
CALLBACK = "0xbeced09521047d05b8960b7e7bcc1d1292cf3e4b2a6b63f48335cbde5f7545d2"
TASK = bytes.fromhex("19cd2c27b3c0e0aa34c97cfe2df53ff39699a5ce206fe4424e7b83a5658f86c7")
WORKER = KeySigner.from_key(b"\x11" * 32)
ENCLAVE = KeySigner.from_key(b"\x22" * 32)


def hexed(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def computed(out: Path, **content: object) -> None:
    (out / COMPUTED).write_text(
        json.dumps({name.replace("_", "-"): value for name, value in content.items()})
    )


@pytest.fixture
def out(room: Path) -> Path:
    return room / "iexec_out"


# -- digest ------------------------------------------------------------------------------------


def test_digest_of_a_file(out: Path) -> None:
    (out / "result.txt").write_bytes(b"Hello world\n")
    assert to_hex(digest_of(Computed(path=out / "result.txt"))) == HELLO
    assert to_hex(digest_of(Computed(path=out))) == (
        "0x9b9457e7aa29c0aad4aae0cbfe45ec1992606dc5d8a3ffe5ffa86038d8060045"
    )


def test_digest_of_folders_and_empty_things(out: Path) -> None:
    for name, text in (("a.txt", "alpha\n"), ("B.txt", "beta\n"), ("z.txt", "zeta\n")):
        (out / name).write_bytes(text.encode())
    (out / "sub").mkdir()
    (out / "sub" / "x.txt").write_text("anything")
    assert to_hex(digest_of(Computed(path=out))) == FOLDER
    (out / "empty").mkdir()
    assert to_hex(digest_of(Computed(path=out / "empty"))) == (
        "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    )
    (out / "sub" / "nothing").touch()
    assert to_hex(digest_of(Computed(path=out / "sub" / "nothing"))) == (
        "0xe3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    )


def test_names_sort_by_utf16_unit(out: Path) -> None:
    # U+FF5E sorts after U+1F600 in UTF-16 (surrogates are smaller), before it by code point.
    names = {"\U0001f600": b"1", "～": b"2"}
    for name, data in names.items():
        (out / name).write_bytes(data)
    from hashlib import sha256

    expected = keccak(sha256(b"1").digest() + sha256(b"2").digest())
    assert digest_of(Computed(path=out)) == expected


def test_callback_digest_hash_and_seal() -> None:
    digest = digest_of(Computed(callback=bytes(31) + b"\x2a"))
    assert to_hex(digest) == CALLBACK
    assert result_hash(TASK, digest) == hexed(
        "0x3ea858e83c6235bf558226705be14a961144ab29202ea98d9fc359b9ea653f5f"
    )
    assert result_seal(address_to_bytes(WORKER.address), TASK, digest) == hexed(
        "0xb29785caca9d3440574ff07b1ffe3a62d1ebd24b7211e925bfc21f37dc92d14d"
    )


@pytest.mark.parametrize(
    ("digest", "seen", "seal"),
    [
        (
            HELLO,
            "0x034409338884157a8499ea8c9548f7c15d7b1cc243238ae4545080be6e38fe9e",
            "0x5a7fc8210a4800d3f9c3118bac75654ee18816f2c011bd4c50213f48cd915e59",
        ),
        (
            FOLDER,
            "0xdecf8b680c8df0f0589781001831c7bdbfa9772ce86b7fb0e676eb2bba712775",
            "0x6725290854e39deec8b5f0dc15998bca7a9f23205fd3d4e47b98d838c6b80d6e",
        ),
    ],
)
def test_result_hash_and_seal(digest: str, seen: str, seal: str) -> None:
    assert to_hex(result_hash(TASK, hexed(digest))) == seen
    assert to_hex(result_seal(address_to_bytes(WORKER.address), TASK, hexed(digest))) == seal


def test_enclave_signature() -> None:
    digest = hexed(HELLO)
    seal = result_seal(address_to_bytes(WORKER.address), TASK, digest)
    message = keccak(result_hash(TASK, digest) + seal)
    assert to_hex(message) == "0x68ec227a26859b4b8ee8662acecd3e9911c4c73da46bbfd490589bd9927fce33"
    assert to_hex(ENCLAVE.sign_message(message)) == (
        "0xb86973b6dd8e1bb82ee18b18aa14724d272ba89e3b2143366f348dd8137f632a"
        "0f15267eb6f50bc07e93e26cbe751e82f781a4e2c9fd6e6e7e5b3ef6232e146b1c"
    )


@pytest.mark.parametrize(
    ("challenge", "expected", "signature"),
    [
        (
            bytes(20),
            "0xa64ed3acd771a8a2196f6a51b6ecd25dd2ea7fbe3dac305dcf12c3285fd871e8",
            "0xc2c84044385ab1afd4f248b7ff7689d323a5be3a1599866560f6cbb33972281f"
            "637ebbef02ce566a12b30e121e0e185233761f793601d982f3fe76cba31445c41b",
        ),
        (
            address_to_bytes(ENCLAVE.address),
            "0x2715292017113fdac6708ce3bd0abd2a9e5b0aee38c4803ebb99ecacc6110b36",
            "0x982efd749ce787499215bd9dd8e8180bfbd9ba3e1e89d7d536c31339ec86ad3b"
            "6209731f739e9df8d23e94296bb56bd0c1ee30edc5299e893ba2bc7465ffde701c",
        ),
    ],
)
def test_authorisation(challenge: bytes, expected: str, signature: str) -> None:
    found = authorisation_hash(address_to_bytes(WORKER.address), TASK, challenge)
    assert to_hex(found) == expected
    assert to_hex(accounts.signer("admin").sign_message(found)) == signature


def test_link() -> None:
    found = link("ipfs", "/ipfs/QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWKPbdG")
    assert to_hex(found) == (
        "0x7b202273746f72616765223a202269706673222c20226c6f636174696f6e223a20222f697066732f516d"
        "597741504a7a7635435a736e4136323573335866326e656d7459675070486457457a37396f6a574b506264"
        "4722207d"
    )
    assert len(link("dropbox", f"/results/0x{TASK.hex()}")) == 115
    assert len(link("ethereum", "0x" + "ab" * 20)) == 83


# -- computed.json -----------------------------------------------------------------------------


@pytest.mark.parametrize("root", ["/iexec_out", "own"])
@pytest.mark.parametrize(
    "tail", ["/sub/result.txt", "/sub", "/sub/", "", "/", "//sub/./result.txt"]
)
def test_paths(out: Path, root: str, tail: str) -> None:
    (out / "sub").mkdir()
    (out / "sub" / "result.txt").write_text("x")
    computed(out, deterministic_output_path=(str(out) if root == "own" else root) + tail, other=1)
    found = read_computed(out, callback=False)
    clean = os.path.normpath("/iexec_out/" + tail).replace("//", "/")
    assert found.path == Path(os.path.normpath(f"{out}/{tail}"))
    written = json.loads((out / COMPUTED).read_text())
    assert written == {"deterministic-output-path": clean, "other": 1}


@pytest.mark.parametrize(
    "path",
    [
        *("", None, 7, "result.txt", "/etc/passwd", "/iexec_output", "/iexec_out/none"),
        *("/iexec_out\0", "/iexec_out/../secret", "/iexec_out/link", "/iexec_out/linked/secret"),
    ],
)
def test_refused_paths(room: Path, out: Path, path: object) -> None:
    (room / "secret").write_text("x")
    (out / "link").symlink_to(room / "secret")
    (out / "linked").symlink_to(room)
    computed(out, deterministic_output_path=path)
    with pytest.raises(SandboxError, match="deterministic-output-path"):
        read_computed(out, callback=False)


@pytest.mark.parametrize(
    ("text", "words"), [("{", "not JSON"), ("[]", "object"), ("[" * 100_000, "not JSON")]
)
def test_unusable_file(out: Path, text: str, words: str) -> None:
    with pytest.raises(SandboxError, match="wrote no computed"):
        read_computed(out, callback=False)
    (out / COMPUTED).write_text(text)
    with pytest.raises(SandboxError, match=words):
        read_computed(out, callback=False)


def test_a_digest_of_the_app_is_refused(out: Path) -> None:
    (out / "r").touch()
    computed(out, deterministic_output_path="/iexec_out/r", result_digest=HELLO)
    with pytest.raises(SandboxError, match="result-digest"):
        read_computed(out, callback=False)


def test_callback_data(out: Path) -> None:
    computed(out, callback_data="0x002a")
    assert read_computed(out, callback=True) == Computed(callback=b"\x00\x2a")
    for bad in ("", None, "2a", "0x2", 5):
        computed(out, callback_data=bad)
        with pytest.raises(SandboxError, match="callback"):
            read_computed(out, callback=True)


def test_callback_data_without_a_callback_is_ignored(out: Path) -> None:
    (out / "r").write_bytes(b"Hello world\n")
    computed(out, deterministic_output_path="/iexec_out/r", callback_data="0x01")
    found = read_computed(out, callback=False)
    assert found.callback is None
    assert to_hex(digest_of(found)) == HELLO


# -- archive -----------------------------------------------------------------------------------


def test_archive(room: Path, out: Path) -> None:
    (out / "sub" / "deep").mkdir(parents=True)
    (out / "empty").mkdir()
    (out / "sub" / "deep" / "f").write_text("deep")
    (out / "result.txt").write_bytes(b"Hello world\n")
    os.utime(out / "result.txt", (0, 0))  # before 1980: what zip cannot tell
    (room / "secret").write_text("secret")
    (out / "link").symlink_to(room / "secret")
    (out / "folder-link").symlink_to(room)
    computed(out, deterministic_output_path=f"{out}/result.txt")
    digest = digest_of(read_computed(out, callback=False))
    pack(out, room / "out.zip")
    with zipfile.ZipFile(room / "out.zip") as archive:
        names = sorted(archive.namelist())
        assert names == [COMPUTED, "folder-link", "link", "result.txt", "sub/deep/f"]
        assert archive.read("link") == b""
        assert archive.getinfo("result.txt").compress_type == zipfile.ZIP_DEFLATED
    with Archive(room / "out.zip") as checked:
        assert archive_digest(checked, callback=False) == to_hex(digest) == HELLO


def test_a_link_in_the_result_folder_is_refused(room: Path, out: Path) -> None:
    (room / "secret").write_text("secret")
    (out / "link").symlink_to(room / "secret")
    with pytest.raises(SandboxError, match="link"):
        digest_of(Computed(path=out))
