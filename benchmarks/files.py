"""Rows of large files: datasets encrypted, results decrypted, each in a process of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.protocol import archive

from .measure import Contestant, Effort, Row, Usage, process, python
from .peers import once

KEY = "n4Bu6SEPiTjFBzsSGFLPGGDOgiKH5kgaNlBXZCvIBs8="
MEGABYTE = 1_000_000
JS, MOST_JS = "iexec 6", 64  # megabytes: it holds all of a file several times
Run = Callable[[Path, Path], Usage]
Source = Callable[[Effort, Path], tuple[Path, int]]

TIMED = """
import sys, time
{begin}
start = time.perf_counter()
{work}
print(time.perf_counter() - start)
"""
OURS_PLAIN = TIMED.format(
    begin="""
from iexec_lite.protocol.cipher import encrypt_cbc
from iexec_lite.protocol.streams import read_chunks
import base64
key = base64.b64decode(sys.argv[3])""",
    work="""
with open(sys.argv[1], "rb") as src, open(sys.argv[2], "wb") as dst:
    for piece in encrypt_cbc(read_chunks(src), key, None):
        dst.write(piece)""",
)
OURS_SEALED = TIMED.format(
    begin="from iexec_lite import IExec\niexec = IExec.offline('11' * 32, chain=134)",
    work="iexec.dataset.encrypt_file(*sys.argv[1:4])",
)
OURS_RESULT = TIMED.format(
    begin="from iexec_lite.utils import decrypt_result_file\nkey = open(sys.argv[3]).read()",
    work="decrypt_result_file(sys.argv[1], sys.argv[2], key)",
)
FLOOR = """
from Crypto.Cipher import AES
import base64, hashlib, os
iv = os.urandom(16)
cipher = AES.new(base64.b64decode(sys.argv[3]), AES.MODE_CBC, iv=iv)
digest = hashlib.sha256(iv)
"""
COPY = """
with open(sys.argv[1], "rb") as src, open(sys.argv[2], "wb") as dst:
    dst.write(iv)
    while piece := src.read(65536):
        piece = cipher.encrypt(piece + bytes(-len(piece) % 16))
        {digest}
        dst.write(piece)
"""
FLOOR_PLAIN = TIMED.format(begin=FLOOR, work=COPY.format(digest=""))
FLOOR_SEALED = TIMED.format(begin=FLOOR, work=COPY.format(digest="digest.update(piece)"))
FLOOR_RESULT = TIMED.format(
    begin="""
from Crypto.Cipher import AES, PKCS1_v1_5
from Crypto.PublicKey import RSA
import base64, zipfile
from Crypto.Util.Padding import unpad""",
    work="""
with zipfile.ZipFile(sys.argv[1]) as zip, open(sys.argv[2], "wb") as dst:
    pem = RSA.import_key(open(sys.argv[3]).read())
    wrapped = base64.b64decode(zip.read("aes-key.rsa"))
    key = base64.b64decode(PKCS1_v1_5.new(pem).decrypt(wrapped, b"x" * 32))
    cipher = AES.new(key, AES.MODE_ECB)
    rest = b""
    with zip.open("iexec_out.zip.aes") as src:
        while piece := src.read(65536):
            dst.write(cipher.decrypt(base64.b64decode(piece)))""",
)


class FileWork:
    """A program that reads one file and writes another, and prints the seconds that took.

    What it took is kept, as two rows tell of it: the speed and the peak memory.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        source: Source,
        small: bool = False,
    ) -> None:
        self._folder, self._run, self._source, self._small = folder, run, source, small
        self._peak = 0.0

    def speed(self, effort: Effort) -> float:
        """Megabytes a second."""
        if self._small:
            effort = _smaller(effort, MOST_JS)
        source, size = self._source(effort, self._folder)
        target = self._folder / "out"
        used = self._run(source, target)
        target.unlink(missing_ok=True)
        self._peak = used.peak
        return size / MEGABYTE / float(used.out.split()[-1])

    def peak(self, effort: Effort) -> float:
        """Peak memory in megabytes of the last run."""
        return self._peak or (self.speed(effort) and self._peak)


def _smaller(effort: Effort, megabytes: int) -> Effort:
    return replace(effort, megabytes=min(effort.megabytes, megabytes))


def plain_file(effort: Effort, folder: Path) -> tuple[Path, int]:
    """A file of bytes that do not repeat soon."""
    size = effort.megabytes * MEGABYTE
    path = folder / f"plain-{effort.megabytes}"
    if not path.exists():
        block = bytes(i * i % 251 for i in range(MEGABYTE))
        with path.open("wb") as file:
            for _ in range(effort.megabytes):
                file.write(block)
    return path, size


def result_file(effort: Effort, folder: Path) -> tuple[Path, int]:
    """An encrypted result of V6's kind: a zip of base64 texts."""
    effort = _smaller(effort, 100)
    path = folder / f"result-{effort.megabytes}"
    source, size = plain_file(effort, folder)
    if not path.exists():
        archive.encrypt_result_file(source, path, (folder / "public.pem").read_text(), format="v6")
    return path, size


def openssl(source: Path, target: Path) -> Usage:
    """openssl does the same, without a checksum."""
    used = process(
        *("openssl", "enc", "-aes-256-cbc", "-K", "11" * 32, "-iv", "22" * 16),
        *("-in", str(source), "-out", str(target)),
    )
    return Usage(used.wall, used.cpu, used.peak, f"{used.wall}")


def rows(folder: Path, scripts: bool) -> list[Row]:
    """The rows of this module; ``folder`` is for its files."""
    private, public = rsa_generate(2048)
    (folder / "private.pem").write_text(private)
    (folder / "public.pem").write_text(public)

    def ours(code: str, third: str) -> Run:
        return lambda source, target: python(code, str(source), str(target), third)

    def script(name: str, key: str) -> Run:
        def run(source: Path, target: Path) -> Usage:
            return process(*once(name, {"source": str(source), "target": str(target), "key": key}))

        return run

    pem = str(folder / "private.pem")
    plain = {"ours": ours(OURS_PLAIN, KEY), "floor": ours(FLOOR_PLAIN, KEY)}
    sealed = {"ours": ours(OURS_SEALED, KEY), "floor": ours(FLOOR_SEALED, KEY)}
    opened = {"ours": ours(OURS_RESULT, pem), "floor": ours(FLOOR_RESULT, pem)}
    if shutil.which("openssl"):
        plain["openssl"] = openssl
    if scripts:
        plain[JS], sealed[JS] = script("encrypt", KEY), script("seal", KEY)
        opened[JS] = script("decrypt", private)
    jobs: list[tuple[str, str, Source, dict[str, Run], float, float]] = [
        ("encrypt", "dataset encryption", plain_file, plain, 450, 30),
        ("seal", "dataset encryption, checksum in the same pass", plain_file, sealed, 320, 30),
        ("decrypt", "result decryption, 100 MB", result_file, opened, 85, 35),
    ]
    found = []
    for key, title, source, runs, least, most in jobs:
        works = {name: FileWork(folder, run, source, name == JS) for name, run in runs.items()}
        ordered = sorted(works.items(), key=lambda pair: pair[0] == "floor")  # which is the last
        speed = [Contestant(name, work.speed, 3 if name == JS else 5) for name, work in ordered]
        peak = [Contestant(name, work.peak, 1) for name, work in ordered]
        memory = f"{title}: peak memory"
        found += [
            Row(key, title, "MB/s", speed, target=least, note=f"{JS}: at most {MOST_JS} MB"),
            Row(f"{key} memory", memory, "MB", peak, target=most, lower=True),
        ]
    return found


def keystore_rows(folder: Path, scripts: bool) -> list[Row]:
    """A whole process that unlocks a keystore file of the usual strength."""
    from iexec_lite.eth import keystore
    from iexec_lite.eth.crypto import PrivateKey
    from iexec_lite.sdk.files import create_private

    path = folder / "keystore.json"
    create_private(path, json.dumps(keystore.encrypt(PrivateKey(bytes([7]) * 32), "password")))
    codes = {
        "ours": "import sys; from iexec_lite import KeySigner; "
        "KeySigner.from_keystore(sys.argv[1], 'password')",
        "eth-keyfile": "import sys, json, eth_keyfile; "
        "eth_keyfile.decode_keyfile_json(json.load(open(sys.argv[1])), b'password')",
        "floor": "from Crypto.Protocol.KDF import scrypt; "
        "scrypt('password', b's' * 32, 32, N=131072, r=8, p=1)",
    }
    contestants = [
        Contestant(name, lambda _, code=code: python(code, str(path)).cpu)  # type: ignore[misc]
        for name, code in codes.items()
        if name != "eth-keyfile" or _installed("eth_keyfile")
    ]
    if scripts:
        given = {"source": str(path), "key": "password"}
        contestants.insert(1, Contestant("ethers 5", lambda _: process(*once("unlock", given)).cpu))
    return [
        Row("unlock", "keystore unlock, scrypt n=131072, whole process", "s cpu", contestants,
            target=0.43, lower=True)
    ]  # fmt: skip


def _installed(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None
