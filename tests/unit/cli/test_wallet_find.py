"""Which wallet is meant, what it says without a password, and how it opens (cli.md §3)."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from iexec_lite.cli import wallets
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    KeystoreError,
    ValidationError,
    WrongPasswordError,
)
from iexec_lite.eth import keystore
from iexec_lite.eth.crypto import PrivateKey

KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
OTHER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"  # of the key 0x11…11


def options(**changes: object) -> Namespace:
    known = {
        "raw": True, "quiet": False, "password": "x", "password_file": None, "keystoredir": "ks",
        "wallet_file": None, "wallet_address": None,
    }  # fmt: skip
    return Namespace(**{**known, **changes})


def file(folder: Path, date: str, rest: str, content: Any = None) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / f"UTC--{date}--{rest}"
    if content is None:
        content = {"address": rest[:40], "version": 3, "crypto": {}}
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def plain(project: Path, **content: object) -> Path:
    path = project / "wallet.json"
    path.write_text(json.dumps(content or {"privateKey": "0x" + "11" * 32, "address": OTHER}))
    return path


def found(**changes: object) -> str:
    wallet = wallets.find(options(**changes))
    assert wallet is not None
    return str(wallet.path)


# -- selection -----------------------------------------------------------------------------------


def test_selection_order(project: Path, wallet: Path) -> None:
    newer = file(project / "ks", "2022-01-01T00-00-00.000000000Z", OTHER[2:])
    ours = str(Path("ks", wallet.name))
    assert found() == str(Path("ks", newer.name))
    assert found(wallet_address=ADDRESS) == ours
    assert found(wallet_address=ADDRESS[2:].lower()) == ours
    assert found(wallet_file=wallet.name) == ours
    assert found(wallet_file=wallet.name, wallet_address=OTHER) == ours
    plain(project)
    assert found() == str(Path("ks", newer.name))  # cli.md B14: the folder was named
    assert found(keystoredir=None) == "wallet.json"
    assert found(keystoredir="local") == "wallet.json"
    assert wallets.find(options(keystoredir="global")) is None
    assert found(wallet_address=ADDRESS) == ours


def test_the_newest_of_an_address(project: Path) -> None:
    digits = OTHER[2:]
    for date, rest in [
        ("2020-01-01T00-00-00.000000000Z", digits),
        ("2021-05-05T00-00-00.0Z", digits.upper()),
        ("2021-04-05T00-00-00.999999999Z", digits.lower()),
        ("2023-01-01T00-00-00Z", ADDRESS[2:]),
    ]:
        file(project / "ks", date, rest)
    assert found(wallet_address=OTHER).endswith(digits.upper())


def test_strange_files_do_not_matter(project: Path, wallet: Path) -> None:
    folder = project / "ks"
    (folder / "UTC--2030-01-01T00-00-00Z--folder").mkdir()
    (folder / "UTC--latest--of-all").write_text("not a date")
    (folder / "UTC--2030-01-01T00-00-00Z").write_text("no address")
    (folder / ".UTC--2030-01-01T00-00-00Z--x.tmp").write_text("half of a")
    (folder / "UTC--2031-01-01T00-00-00Z--dangling").symlink_to("nowhere")
    (folder / "README").write_text("hello")
    assert found() == str(Path("ks", wallet.name))
    missing = options(wallet_address="0x" + "00" * 20)
    with pytest.raises(ConfigurationError) as caught:
        wallets.find(missing)
    assert str(caught.value) == (f"No wallet file matching address 0x{'00' * 20} found in ks")


def test_nothing_there(project: Path) -> None:
    def why(**changes: object) -> str:
        with pytest.raises(IExecError) as caught:
            wallets.require(options(**changes))
        return caught.value.message

    assert wallets.find(options()) is None
    missing = 'Missing keystore directory ks, did you forget to run "iexec-lite wallet create" ?'
    assert why() == why(wallet_address=ADDRESS) == missing
    (project / "ks").mkdir()
    assert why() == (
        "Missing option --wallet-address <walletAddress> or --wallet-file <walletFileName> and no "
        "wallet.json found in working directory (keystore folder: ks)"
    )
    assert why(wallet_address=ADDRESS) == (f"No wallet file matching address {ADDRESS} found in ks")
    assert why(wallet_file="none") == "No wallet file none found in ks"
    assert why(wallet_address="0x12") == (
        "'0x12' is not a valid ethereum address (--wallet-address)"
    )
    with pytest.raises(ConfigurationError) as caught:
        wallets.to_show(options(wallet_file="none"))
    assert str(caught.value) == (
        "Failed to load wallet address from keystore: Wallet file not found "
        "(No wallet file none found in ks)"
    )
    with pytest.raises(ConfigurationError) as caught:
        wallets.user(options(user=None))
    assert str(caught.value) == "Missing option --user <address> or wallet"
    assert wallets.user(options(user="0x12")) == "0x12"


@pytest.mark.parametrize(
    ("platform", "below"),
    [
        ("linux", (".ethereum", "keystore")),
        ("darwin", ("Library", "Ethereum", "keystore")),
        ("win32", ("AppData", "Roaming", "Ethereum", "keystore")),
        ("sunos5", ()),
    ],
)
def test_the_folder_of_the_system(monkeypatch, platform: str, below: tuple[str, ...]) -> None:
    """Where geth keeps its keys, and V6 too."""
    monkeypatch.setattr("iexec_lite.cli.wallets.sys.platform", platform)
    for name in (None, "global"):
        assert wallets.folder(options(keystoredir=name)) == Path.home().joinpath(*below)
    assert wallets.folder(options(keystoredir="local")) == Path()
    assert wallets.folder(options(keystoredir="x/y")) == Path("x/y")


# -- what it says and how it opens -----------------------------------------------------------------


def test_address_without_a_password(project: Path, wallet: Path) -> None:
    for path in (None, wallet.name):
        opened = wallets.require(options(password=None, wallet_file=path))
        assert opened.address == ADDRESS
        with pytest.raises(ConfigurationError) as caught:
            opened.sign_message(b"")
        assert str(caught.value) == (
            f"Using wallet {wallet.name}\nPlease enter your password to unlock your wallet: there "
            "is nobody to ask; give --password-file FILE, --password or the environment variable "
            "IEXEC_LITE_PASSWORD"
        )
        assert opened.failure is caught.value


def test_key(project: Path, wallet: Path) -> None:
    opened = wallets.require(options())
    assert opened.key.secret.hex() == KEY[2:]
    assert opened.signer.address == opened.address == ADDRESS
    assert KEY[2:10] not in repr(opened) + str(opened)


def test_the_password_is_asked_for_once(project: Path, wallet: Path, monkeypatch) -> None:
    asked = []
    monkeypatch.setattr("iexec_lite.cli.prompts.password", lambda *_, **__: asked.append(1) or "x")
    opened = wallets.require(options(password=None))
    assert opened.sign_message(b"a") == opened.sign_message(b"a")
    assert asked == [1]


def test_wrong_password(project: Path, wallet: Path) -> None:
    opened = wallets.require(options(password="y"))
    with pytest.raises(WrongPasswordError, match=r"^invalid password$") as caught:
        opened.sign_message(b"")
    assert opened.failure is caught.value


BASE = {"version": 3, "crypto": {"cipher": "aes-128-ctr"}}
NOT_ENCRYPTED = " is not an encrypted wallet: invalid JSON wallet"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", " is not a wallet: not JSON"),
        ('{"privateKey": "0xdeadbeefdeadbeef"', " is not a wallet: not JSON"),
        ("[1]", " is not a wallet: not a JSON object"),
        ("{}".ljust(65_537), " is larger than 65536 bytes: refused"),
        ("{}".ljust(65_536), NOT_ENCRYPTED),
        ("[" * 50_000, " is not a wallet: not JSON"),
        ("\udcff", " is not UTF-8 text"),
        ({"privateKey": "0x" + "de" * 32, "address": ADDRESS}, NOT_ENCRYPTED),
        ({**BASE, "address": "0x12"}, ": invalid JSON wallet: address is not an address"),
        ({"encseed": "00", "ethaddr": ADDRESS}, NOT_ENCRYPTED),
    ],
)
def test_faulty_keystores(project: Path, content: Any, message: str) -> None:
    """All this is found before a password is asked for, and no key is quoted."""
    text = content if isinstance(content, str) else json.dumps(content)
    (project / "ks").mkdir()
    (project / "ks" / "w").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(IExecError) as caught:
        wallets.require(options(password=None, wallet_file="w"))
    assert caught.value.message == f"{Path('ks', 'w')}{message}"
    assert "dead" not in caught.value.message
    assert "dede" not in caught.value.message


def test_a_keystore_without_address(project: Path) -> None:
    content = keystore.encrypt(PrivateKey(bytes.fromhex(KEY[2:])), "x", n=2)
    del content["address"]
    file(project / "ks", "2022-01-01T00-00-00.0Z", ADDRESS[2:], content)
    assert wallets.require(options()).address == ADDRESS
    with pytest.raises(ConfigurationError, match="nobody to ask"):
        _ = wallets.require(options(password=None)).address


def test_a_keystore_with_another_address(project: Path) -> None:
    content = keystore.encrypt(PrivateKey(bytes.fromhex(KEY[2:])), "x", n=2)
    file(project / "ks", "2022-01-01T00-00-00Z", "a", {**content, "address": OTHER})
    with pytest.raises(KeystoreError, match=r"^address mismatch$"):
        _ = wallets.require(options()).key


# -- wallet.json -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"privateKey": KEY, "publicKey": "ignored", "address": ADDRESS},
        {"privateKey": KEY[2:], "address": ADDRESS.lower()},
        {"privateKey": KEY},
        {"privateKey": KEY, "address": ADDRESS, "mine": {"a": 1}},
    ],
)
def test_plain_wallet(project: Path, content: dict[str, object]) -> None:
    plain(project, **content)
    opened = wallets.require(options(keystoredir=None, password=None))
    assert opened.address == ADDRESS
    assert opened.key.secret.hex() == KEY[2:]


def test_plain_wallet_of_an_address_only(project: Path) -> None:
    plain(project, address=ADDRESS)
    opened = wallets.require(options(keystoredir=None))
    assert opened.address == ADDRESS
    with pytest.raises(ValidationError, match="invalid private key"):
        opened.sign_message(b"")


NO_KEY = "invalid private key: it has 64 hex digits, with or without 0x"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"privateKey": KEY[:-2]}, f"{NO_KEY}; got 64 characters"),
        ({"privateKey": KEY + "00"}, f"{NO_KEY}; got 68 characters"),
        ({"privateKey": 5}, NO_KEY),
        ({"privateKey": None}, NO_KEY),
        (
            {"privateKey": "0x" + "f" * 64},
            "a private key must be between 1 and the curve's order",
        ),
        (
            {"privateKey": KEY, "address": OTHER},
            f"address mismatch: wallet.json names {OTHER}, but its key is that of {ADDRESS}",
        ),
        (
            {"privateKey": KEY, "address": "0x"},
            "wallet.json: invalid JSON wallet: address is not an address",
        ),
    ],
)
def test_faulty_plain_wallet(project: Path, content: dict[str, object], message: str) -> None:
    plain(project, **content)
    with pytest.raises(IExecError) as caught:
        _ = wallets.require(options(keystoredir=None)).key
    assert caught.value.message == message
    assert KEY[2:10] not in caught.value.message
    assert "ffff" not in caught.value.message


def test_broken_plain_wallet(project: Path) -> None:
    (project / "wallet.json").write_text(f'{{"privateKey": "{KEY}"')
    with pytest.raises(KeystoreError, match=r"^wallet\.json is not a wallet: not JSON$"):
        wallets.find(options(keystoredir=None))
