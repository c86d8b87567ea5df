"""``wallet create`` and ``wallet import``: what is written, where, for whose eyes (cli.md §8.2)."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from iexec_lite.eth import keystore

KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
PLAIN = {  # services.md §7.3
    "privateKey": KEY,
    "publicKey": "0x0463b6265f021cc1f249366d5ade5bcdf7d33debe594e9d94affdf1aa02255928490fc2c96990a3"
    "86499b66d17565de1c12ba8fb4ae3af7539e6c61aa7f0113edd",
    "address": ADDRESS,
}
CLEAR = "⚠ The key is stored in clear: whoever reads wallet.json owns the wallet\n"
NO_KEY = "invalid private key: it has 64 hex digits, with or without 0x"
FILE = re.compile(r"UTC--(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3})000000Z--([0-9a-fA-F]{40})")
posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no such file modes")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_create_at_full_strength(run, project: Path) -> None:
    """The one test that pays for the real scrypt: file form, and another program opens it."""
    done = run("wallet", "create", "--keystoredir", "ks", "--password", "pässword", "--raw")
    assert done.status == 0
    document = done.json
    assert list(document) == ["ok", "wallet", "fileName", "address"]
    (file,) = (project / "ks").iterdir()
    assert document["fileName"] == os.path.join("ks", file.name)
    text = file.read_bytes().decode("utf-8")
    assert text == json.dumps(document["wallet"], indent=2)
    wallet = json.loads(text)
    assert list(wallet) == ["address", "id", "version", "Crypto"]
    kdfparams = wallet["Crypto"]["kdfparams"]
    assert {name: kdfparams[name] for name in "nrp"} == {"n": 131072, "r": 8, "p": 1}
    assert (kdfparams["dklen"], len(kdfparams["salt"])) == (32, 64)
    match = FILE.fullmatch(file.name)
    assert match
    assert "0x" + match[2] == document["address"]
    assert wallet["address"] == document["address"][2:].lower()
    written = datetime.strptime(match[1] + "+0000", "%Y-%m-%dT%H-%M-%S.%f%z")
    assert timedelta() <= datetime.now(timezone.utc) - written < timedelta(minutes=1)
    eth_account = pytest.importorskip("eth_account", reason="the second witness is not installed")
    key = eth_account.Account.decrypt(text, "pässword")
    assert eth_account.Account.from_key(key).address == document["address"]


@posix
def test_permissions(run, cheap, project: Path) -> None:
    old = os.umask(0)
    try:
        run("wallet", "create", "--keystoredir", "new/ks", "--password", "x")
        run("wallet", "create", "--unencrypted")
        (project / "shared").mkdir(mode=0o755)
        run("wallet", "create", "--keystoredir", "shared", "--password", "x")
        run("wallet", "create", "--keystoredir", "local", "--password", "x")
        before = mode(project)
    finally:
        os.umask(old)
    assert mode(project / "new" / "ks") == 0o700
    assert mode(project / "wallet.json") == 0o600
    assert mode(project / "shared") == 0o755
    assert mode(project) == before != 0o700
    keystores = list(project.rglob("UTC--*"))
    assert [mode(path) for path in keystores] == [0o600] * 3


def test_global_folder_is_the_default(run, cheap, monkeypatch) -> None:
    home = Path.home()
    for platform, folder in {
        "linux": ".ethereum/keystore",
        "darwin": "Library/Ethereum/keystore",
        "win32": "AppData/Roaming/Ethereum/keystore",
        "sunos5": "",
    }.items():
        monkeypatch.setattr("iexec_lite.cli.wallets.sys.platform", platform)
        for more in ([], ["--keystoredir", "global"]):
            document = run("wallet", "create", "--password", "x", "--raw", *more).json
            assert Path(document["fileName"]).parent == home / folder
    assert len(list(home.rglob("UTC--*"))) == 8


def test_local_folder(run, cheap, project: Path) -> None:
    name = run("wallet", "create", "--keystoredir", "local", "--password", "x", "--raw").json[
        "fileName"
    ]
    assert FILE.fullmatch(name)
    assert (project / name).is_file()


def test_create_in_clear(run, project: Path) -> None:
    done = run("wallet", "create", "--unencrypted", "--keystoredir", "ignored")
    assert done.status == 0
    wallet = json.loads((project / "wallet.json").read_text())
    assert list(wallet) == ["privateKey", "publicKey", "address"]
    assert done.out == (
        f"Your wallet address is {wallet['address']}\nWallet saved in wallet.json\n"
        "You must backup your wallet file in a safe place!\n"
    )
    assert wallet["privateKey"] not in done.out + done.err
    assert not (project / "ignored").exists()


@pytest.mark.shows_secrets("the document of an unencrypted wallet is the wallet, as in V6")
@pytest.mark.parametrize("key", [KEY, KEY[2:], KEY.upper().replace("0X", "0x"), f" {KEY} "])
def test_import(run, project: Path, key: str) -> None:
    document = run("wallet", "import", key, "--unencrypted", "--raw").json
    assert document == {
        "ok": True,
        "wallet": PLAIN,
        "fileName": "wallet.json",
        "address": ADDRESS,
    }
    assert (project / "wallet.json").read_text() == json.dumps(PLAIN, indent=2)


def test_import_encrypted(run, cheap, project: Path) -> None:
    (project / "key").write_text(f"{KEY}\n")
    words = ["--private-key-file", "key", "--password", "x", "--keystoredir", "ks"]
    document = run("wallet", "import", *words, "--raw").json
    assert document["address"] == ADDRESS
    assert keystore.decrypt(document["wallet"], "x").secret.hex() == KEY[2:]
    warned = run("wallet", "import", KEY, "--unencrypted").err
    assert warned == (
        "⚠ A key on the command line may be seen by others: prefer --private-key-file\n" + CLEAR
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "give the key either as PRIVATE_KEY or with --private-key-file"),
        (
            [KEY, "--private-key-file", "key"],
            "give the key either as PRIVATE_KEY or with --private-key-file",
        ),
        ([KEY[:-1]], f"{NO_KEY}; got 65 characters"),
        ([""], f"{NO_KEY}; got 0 characters"),
        (["0x" + "0" * 64], "a private key must be between 1 and the curve's order"),
        (["--private-key-file", "none"], "cannot read none: No such file or directory"),
    ],
)
def test_refused_keys(run, project: Path, words: list[str], message: str) -> None:
    error = run("wallet", "import", *words, "--unencrypted", "--raw").json["error"]
    assert error["message"] == message
    assert list(project.iterdir()) == []


def test_both_protections_asked(run, cheap, project: Path) -> None:
    done = run("wallet", "create", "--unencrypted", "--password", "x", "--keystoredir", "ks")
    assert done.err == (
        "⚠ Option --unencrypted will be ingnored: a password was given\n"
        "⚠ Option --password may be unsafe: other users can see it\n"
    )
    (project / "pw").write_text("x")
    (project / "pw").chmod(0o600)
    words = ("wallet", "create", "--unencrypted", "--password-file", "pw", "--keystoredir", "ks")
    assert run(*words).err == "⚠ Option --unencrypted will be ingnored: a password was given\n"
    assert not (project / "wallet.json").exists()


def test_an_environment_password_does_not_overrule(run, project: Path, monkeypatch) -> None:
    monkeypatch.setenv("IEXEC_LITE_PASSWORD", "x")
    assert run("wallet", "create", "--unencrypted", "--raw").json["fileName"] == "wallet.json"


@pytest.mark.parametrize("command", ["create", "init"])
def test_a_wallet_is_not_replaced_unasked(run, project: Path, command: str) -> None:
    """--raw is no --force where a key is at stake."""
    (project / "wallet.json").write_text(json.dumps(PLAIN))
    words = ["init"] if command == "init" else ["wallet", "create"]
    for more in ([], ["--raw"]):
        done = run(*words, "--unencrypted", *more)
        assert done.status == 1
        assert (
            '"wallet.json" already exists, replace it with new one? '
            "There is nobody to ask: --force says yes"
        ) in done.err.replace('\\"', '"')
    assert [path.name for path in project.iterdir()] == ["wallet.json"]
    assert json.loads((project / "wallet.json").read_text()) == PLAIN
    forced = run(*words, "--unencrypted", "--raw", "--force").json
    assert forced.get("address", forced.get("walletAddress")) != ADDRESS


@posix
def test_a_link_is_not_followed(run, project: Path) -> None:
    (project / "elsewhere").write_text("mine")
    (project / "wallet.json").symlink_to("elsewhere")
    done = run("wallet", "create", "--unencrypted", "--force", "--raw")
    assert "symbolic link" in done.json["error"]["message"]
    assert (project / "elsewhere").read_text() == "mine"


def test_a_folder_that_cannot_be(run, project: Path) -> None:
    """Found before a password is asked for."""
    (project / "file").write_text("")
    for name in ("file", "file/ks"):
        error = run("wallet", "create", "--keystoredir", name, "--raw").json["error"]
        assert "file" in error["message"]
        assert "password" not in error["message"]


@posix
@pytest.mark.skipif(
    sys.platform != "win32" and os.geteuid() == 0, reason="the superuser may write everywhere"
)
def test_a_folder_that_is_closed(run, project: Path) -> None:
    (project / "ks").mkdir(mode=0o500)
    error = run("wallet", "create", "--keystoredir", "ks", "--raw").json["error"]
    assert error["message"] == "cannot write into the keystore folder ks"
