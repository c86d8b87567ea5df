"""``wallet`` and ``account`` where RLC is a token: test money, sends, sweep, stake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.sandbox import accounts
from iexec_lite.sdk.files import create_private

from .machine import Machine

PEOPLE = accounts.addresses()
RLC, ETHER = 10**9, 10**18
Client = Callable[[str], IExec]


@pytest.fixture
def newcomer(machine: Machine, project: Any) -> tuple[Path, str]:
    """A project of somebody without money, and the address."""
    folder = project("requester")
    made = machine.raw("wallet", "create", "--unencrypted", "--force", folder=folder)
    return folder, made["address"]


@pytest.fixture(scope="module")
def locked(machine: Machine, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose only wallet is encrypted, in ``ks``: the requester's, password hunter2."""
    folder = tmp_path_factory.mktemp("locked")
    (folder / "chain.json").write_text('{"default": "sandbox", "chains": {}}')
    key = ["--private-key-file", "-", "--keystoredir", "ks", "--password", "hunter2"]
    machine.raw("wallet", "import", *key, folder=folder, stdin=accounts.secret("requester").hex())
    return folder


def sent(client: Client, tx_hash: str) -> dict[str, Any]:
    found = client("admin")._context.rpc.request("eth_getTransactionByHash", (tx_hash,))
    assert isinstance(found, dict)
    return found


# -- keys -------------------------------------------------------------------------------------


def test_keys(machine: Machine, project: Any, golden: Any) -> None:
    """Made, brought along, chosen among several, and shown."""
    folder, me = project("worker-2"), PEOPLE["worker-2"]
    create_private(folder / "pw", "hunter2\n")
    ks = ["--keystoredir", "ks", "--password-file", "pw"]
    shown = machine.shown("wallet", "create", *ks, "--chain", "sandbox", folder=folder)
    golden("wallet-create", shown.replace(max(shown.split(), key=len), "<file>"))
    made = machine.raw("wallet", "create", "--unencrypted", "--force", folder=folder)
    assert list(made) == ["ok", "wallet", "fileName", "address"]
    assert made["fileName"] == "wallet.json"
    message = machine.message("wallet", "create", "--unencrypted", folder=folder)
    assert message.startswith('"wallet.json" already exists, replace it with new one?')
    words = ["wallet", "import", "--private-key-file", "-", *ks]
    key = accounts.secret("worker-2").hex()
    shown = machine.shown(*words, folder=folder, stdin=key)
    golden("wallet-import", shown.replace(max(shown.split(), key=len), "<file>"))
    message = machine.message(*words, folder=folder, stdin=key[1:])
    assert message.startswith("invalid private key: it has 64 hex digits")
    assert key[1:] not in message
    file = next(path.name for path in (folder / "ks").iterdir() if path.name.endswith(me[2:]))
    for choice in (["--wallet-address", me.lower()], ["--wallet-file", file]):
        words = ["wallet", "show", "--keystoredir", "ks", *choice, "--allow-plain-http"]
        assert machine.raw(*words, folder=folder)["wallet"] == {"address": me}
    words += ["--show-private-key", "--password-file", "pw", "--quiet"]
    document = machine.raw(*words, folder=folder)
    assert list(document["wallet"]) == ["privateKey", "publicKey", "address"]
    assert document["wallet"]["privateKey"] == f"0x{key}"
    done = machine.run(*words, folder=folder)
    assert (done.returncode, done.stderr, f"privateKey: 0x{key}\n" in done.stdout) == (0, "", True)
    assert "wrong checksum" in machine.message("wallet", "show", me.swapcase(), folder=folder)


# -- test money -------------------------------------------------------------------------------


def test_faucets(machine: Machine, client: Client, newcomer: tuple[Path, str], golden: Any) -> None:
    folder, address = newcomer
    document = machine.raw("wallet", "get-ether", folder=folder)
    (answer,) = document["faucetsResponses"]
    assert list(document) == ["ok", "faucetsResponses"]
    assert answer == {
        "name": "sandbox faucet",
        "response": {
            "ok": True,
            "message": f"Sent 1 ether to {address}",
            "txHash": answer["response"]["txHash"],
        },
    }
    assert machine.raw("wallet", "getETH", "--chain", "sandbox", folder=folder)["ok"] is True
    assert machine.raw("wallet", "get-RLC", folder=folder)["ok"] is True
    golden("wallet-get-ETH", machine.shown("wallet", "get-ETH", "--force", folder=folder))
    golden("wallet-get-RLC", machine.shown("wallet", "get-RLC", folder=folder))
    balances = client("admin").wallet.check_balances(address)
    assert (balances.wei, balances.nrlc) == (3 * ETHER, 200 * RLC)
    golden("wallet-show", machine.shown("wallet", "show", folder=folder))


def test_faucets_of_other_chains(machine: Machine, project: Any) -> None:
    folder = project("requester")
    host = machine.chain().host
    chains = {name: {"host": host} for name in ("goerli", "mainnet")}
    (folder / "chain.json").write_text(json.dumps({"chains": chains}))
    # What V6 answers there: nothing is contacted, and it is no failure.
    answer = machine.raw("wallet", "get-ETH", "--chain", "goerli", folder=folder)
    assert answer["faucetsResponses"] == [
        {
            "name": "goerli-faucet.slock.it",
            "response": {"error": "Go to https://goerli-faucet.slock.it/ to manually ask for ETH"},
        }
    ]
    message = machine.message("wallet", "get-ETH", "--chain", "mainnet", folder=folder)
    assert message.startswith("No ETH faucet on chain mainnet: ask for test money where")
    message = machine.message("wallet", "get-RLC", "--chain", "arbitrum-mainnet", folder=folder)
    assert message.startswith("No RLC faucet on chain arbitrum-mainnet: ask for test money where")


# -- send -------------------------------------------------------------------------------------


def test_send_ether(
    machine: Machine, client: Client, project: Any, golden: Any, stranger: str
) -> None:
    folder = project("requester")
    words = ["wallet", "send-ether", "0.5", "--to", stranger.lower(), "--force"]
    document = machine.raw(*words, folder=folder)
    assert list(document) == ["ok", "amount", "from", "to", "txHash"]
    assert document["amount"] == str(ETHER // 2)
    assert (document["from"], document["to"]) == (PEOPLE["requester"], stranger.lower())
    words = ["wallet", "sendETH", "3", "gwei", "--to", stranger[2:], "--gas-price", "50", "gwei"]
    second = machine.raw(*words, "--confirms", "1", "--force", folder=folder)
    assert (second["amount"], second["to"]) == (str(3 * 10**9), stranger[2:])
    assert sent(client, second["txHash"])["gasPrice"] == hex(50 * 10**9)
    words = ["wallet", "send-ETH", "--to", stranger, "--force", "--new", "2", "wei"]
    shown = machine.run(*words, folder=folder)
    assert shown.returncode == 0
    golden("wallet-send-ether", shown.stdout)
    assert "ℹ sent 0x" in shown.stderr
    assert "ℹ confirmed 0x" in shown.stderr
    assert client("admin").wallet.check_balances(stranger).wei == ETHER // 2 + 3 * 10**9 + 2


def test_send_rlc(
    machine: Machine, client: Client, project: Any, golden: Any, stranger: str
) -> None:
    """Without a unit ``send-RLC`` means RLC, its elder brother nRLC."""
    folder = project("requester")
    to = ["--to", stranger, "--force"]
    document = machine.raw("wallet", "send-RLC", "1.5", *to, folder=folder)
    assert list(document) == ["ok", "amount", "from", "to", "txHash"]
    assert document["amount"] == "1500000000"
    assert machine.raw("wallet", "send-RLC", "7", "nRLC", *to, folder=folder)["amount"] == "7"
    assert machine.raw("wallet", "sendRLC", "8", *to, folder=folder)["amount"] == "8"
    assert (
        machine.raw("wallet", "sendRLC", "1", "RLC", *to, folder=folder)["amount"] == "1" + 9 * "0"
    )
    golden("wallet-send-RLC", machine.shown("wallet", "send-RLC", "0.25", *to, folder=folder))
    golden("wallet-sendRLC", machine.shown("wallet", "sendRLC", "9", *to, folder=folder))
    found = client("admin").wallet.check_balances(stranger)
    assert found.nrlc == 2_750_000_024


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["send-RLC", "1"], "Missing --to option"),
        (["sweep"], "Missing --to option"),
        (["send-ether", "1", "--to", "0x12"], "to: 0x12 is not a valid ethereum address"),
        (["send-RLC", "1", "--to", "0x12"], "to: 0x12 is not a valid ethereum address"),
        (["sweep", "--to", ""], "to:  is not a valid ethereum address"),
        (["sendRLC", "1.5", "--to", "TO"], "1.5 is not a valid amount"),
        (["send-RLC", "five", "--to", "TO"], "five is not a valid amount"),
        (["send-RLC", "1", "eRLC", "--to", "TO"], "1 eRLC is not a valid amount"),
        (["send-RLC", "1", "ether", "--to", "TO"], "1 ether is not a valid amount"),
        (["send-ether", "1", "RLC", "--to", "TO"], "1 RLC is not a valid amount"),
        (["send-RLC", "-1", "--to", "TO"], "-1 is not a valid amount"),
        (["send-RLC", "9" * 60, "--to", "TO"], "Amount to send exceed wallet balance"),
        (["send-RLC", "9" * 80, "--to", "TO"], f"{'9' * 80} is not a valid amount"),
        (["send-ether", "1000000", "--to", "TO"], "Amount to send exceed wallet balance"),
        (["send-ether", "--to", "TO"], "missing required argument"),
        (["send-ether", "1", "ether", "more", "--to", "TO"], "too many arguments"),
        (["send-RLC", "1", "--to", "TO", "--confirms", "0"], "confirms must be greater than"),
        (["sweep", "--to", "HUB"], "Cannot sweep to a contract"),
        (["send-RLC", "1", "--to", "alice.eth"], "Unable to resolve ENS alice.eth"),
        (["bridge-to-sidechain", "1"], 'Missing bridge in "chain.json" for chain'),
        (["bridge-to-mainchain", "1"], "Cannot bridge mainchain to mainchain"),
        (["swap-RLC-for-eRLC", "1"], "No enterprise smart contracts found on current chain"),
        (["swap-eRLC-for-RLC", "1", "eRLC"], "No enterprise smart contracts found on current"),
        (["swap-eRLC-for-RLC", "x"], "x is not a valid amount"),
    ],
)
def test_refused_before_anybody_is_asked(
    machine: Machine, locked: Path, words: list[str], why: str
) -> None:
    """There is no password and no ``--force``: neither is missed."""
    places = {"TO": PEOPLE["worker-1"], "HUB": machine.chain().hub or ""}
    words = [places.get(word, word) for word in words]
    message = machine.message("wallet", *words, "--keystoredir", "ks", folder=locked)
    assert message.startswith(why)


def test_the_question(machine: Machine, client: Client, locked: Path, stranger: str) -> None:
    """After the checks, before the password; no is an error, and so is nobody to ask."""
    folder = locked
    words = ["wallet", "send-RLC", "2.5", "--to", stranger, "--keystoredir", "ks"]
    chain = machine.chain()
    question = f"Do you want to send 2.5 sandbox RLC to {stranger} [chainId: {chain.id}]"
    message = machine.message(*words, folder=folder)
    assert message == f"{question} There is nobody to ask: --force says yes"
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer(f"? {question} (Y/n) ", "no")
        status, seen = terminal.end()
    assert status == 1
    assert "Operation aborted by user." in seen
    assert "password" not in seen
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.read(question)
        terminal.interrupt()
        status, seen = terminal.end()
    assert (status, "Interrupted" in seen) == (1, True)
    assert client("admin").wallet.check_balances(stranger).nrlc == 0
    with machine.terminal(*words, folder=folder) as terminal:
        terminal.answer(f"? {question} (Y/n) ", "")
        terminal.answer("Please enter your password to unlock your wallet: ", "hunter2")
        status, seen = terminal.end()
    assert (status, "Sent 2.5 RLC" in seen, "hunter2" in seen) == (0, True, False)
    assert client("admin").wallet.check_balances(stranger).nrlc == 2_500_000_000


# -- sweep ------------------------------------------------------------------------------------


def test_sweep(
    machine: Machine, client: Client, newcomer: tuple[Path, str], golden: Any, stranger: str
) -> None:
    folder, address = newcomer
    for call in ("get-ETH", "get-RLC"):
        machine.raw("wallet", call, folder=folder)
    with machine.terminal("wallet", "sweep", "--to", stranger, folder=folder) as terminal:
        terminal.answer(f"Do you want to send all wallet sandbox ether and RLC to {stranger}", "n")
        assert terminal.end()[0] == 1
    words = ["wallet", "sweep", "--to", stranger, "--force"]
    shown = machine.shown(*words, "--gas-price", "20 gwei", "--confirms", "1", folder=folder)
    golden("wallet-sweep", shown)
    found = client("admin").wallet.check_balances(stranger)
    assert (found.nrlc, found.wei > ETHER * 99 // 100) == (100 * RLC, True)
    assert client("admin").wallet.check_balances(address).nrlc == 0
    # What is left pays for no transaction: told, but no failure (cli.md B26).
    document = machine.raw(*words, "--new", folder=folder)
    assert list(document) == ["ok", "from", "to", "errors"]
    assert (document["from"], document["to"]) == (address, stranger)
    assert document["errors"][0].startswith("Failed to transfer native token: Tx fees are greater")
    done = machine.run(*words, folder=folder)
    assert done.returncode == 0
    golden("wallet-sweep-nothing", done.stdout)
    assert "⚠ Failed to transfer native token" in done.stderr
    machine.raw("wallet", "get-ETH", folder=folder)
    document = machine.raw(*words, folder=folder)
    assert list(document) == ["ok", "from", "to", "sendNativeTxHash"]


# -- account ----------------------------------------------------------------------------------


def test_account(machine: Machine, client: Client, project: Any, golden: Any) -> None:
    folder = project("worker-1")
    account, me = client("worker-1").account, PEOPLE["worker-1"]
    before = account.check_balance(me)
    document = machine.raw("account", "deposit", "1500000000", folder=folder)
    assert list(document) == ["ok", "amount", "txHash"]
    assert document["amount"] == "1500000000"
    price = ["--gas-price", "30", "gwei", "--confirms", "1", "--new", "--force"]
    second = machine.raw("account", "deposit", "0.5", "RLC", *price, folder=folder)
    assert (second["amount"], account.check_balance(me).stake) == (
        "500000000",
        before.stake + 2 * RLC,
    )
    assert sent(client, second["txHash"])["gasPrice"] == hex(30 * 10**9)
    golden("account-deposit", machine.shown("account", "deposit", "1 RLC", folder=folder))
    golden("account-withdraw", machine.shown("account", "withdraw", "2.5 RLC", folder=folder))
    document = machine.raw("account", "withdraw", "5", *price, folder=folder)
    assert list(document.items())[:2] == [("ok", True), ("amount", "5")]
    left = account.check_balance(me)
    assert left.stake == before.stake + RLC // 2 - 5
    shown = machine.raw("account", "show", folder=folder)
    assert shown == {"ok": True, "balance": {"stake": str(left.stake), "locked": str(left.locked)}}
    assert list(shown["balance"]) == ["stake", "locked"]
    golden("account-show", machine.shown("account", "show", "--force", folder=folder))


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["deposit", "0"], "Deposit amount must be greater than 0"),
        (["withdraw", "0 RLC"], "Withdraw amount must be greater than 0"),
        (["deposit", "99999999999 RLC"], "Deposit amount exceed wallet balance"),
        (["withdraw", "99999999999 RLC"], "Withdraw amount exceed account balance"),
        (["deposit", "1.5"], "1.5 is not a valid amount"),
        (["deposit", "1", "eRLC"], "1 eRLC is not a valid amount"),
        (["deposit", ""], " is not a valid amount"),
        (["show", "0x12"], "address: 0x12 is not a valid ethereum address"),
        (["show", "--wallet-address", "0x" + "12" * 20], "Failed to load wallet address from keys"),
        (["deposit", "1", "--wallet-file", "none"], "No wallet file none found"),
    ],
)
def test_account_refused(machine: Machine, locked: Path, words: list[str], why: str) -> None:
    message = machine.message("account", *words, "--keystoredir", "ks", folder=locked)
    assert message.startswith(why)


def test_account_of_others_and_of_nobody(machine: Machine, tmp_path: Path) -> None:
    nobody = {"stake": "0", "locked": "0"}
    empty = tmp_path / "empty"
    empty.mkdir()
    words = ["account", "show", "--chain", "sandbox"]
    assert machine.raw(*words, "0x" + "12" * 20, folder=empty)["balance"] == nobody
    message = machine.message(*words, folder=empty)
    assert message.startswith("Failed to load wallet address from keystore: Wallet file not found")
