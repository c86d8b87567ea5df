"""Commands about accounts, wallets, secrets and the chain: what is asked for, what is shown."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from iexec_lite.cli import secret_values
from iexec_lite.sdk.records import (
    AccountBalance,
    BridgeTransfer,
    Contracts,
    FaucetAnswer,
    PendingTransaction,
    SecretPush,
    Sweep,
    Transfer,
)

from .conftest import NOW
from .records import APP, ME, OTHER, POOL, Part

CHAIN = ("--chain", "bellecour")
KS = ("--keystoredir", "ks")
OWN = (*CHAIN, *KS)
HASH, NEXT = "0x" + "0a" * 32, "0x" + "0b" * 32


# ---- account -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verb", "told"),
    [
        ("deposit", "Deposited 1.5 RLC to your iExec account"),
        ("withdraw", "1.5 RLC withdrawn from your iExec account"),
    ],
)
def test_money_in_and_out_of_the_account(run, library, wallet, verb: str, told: str) -> None:
    moved = Transfer(amount=15 * 10**8, tx_hash=HASH)
    library.account = Part(**{verb: moved})
    found = run("account", verb, "1.5", "RLC", *OWN)
    assert found.out == f"{told}\ntransaction: {HASH}\n"
    assert library.account.calls == [(verb, 15 * 10**8, {"new": False})]
    assert library.signer.address == ME
    document = run("account", verb, "7", "--new", *OWN, "--raw").json
    assert document == {"ok": True, "amount": "1500000000", "txHash": HASH}
    assert library.account.calls[-1] == (verb, 7, {"new": True})


def test_the_account(run, library, wallet) -> None:
    library.account = Part(check_balance=AccountBalance(stake=15 * 10**8, locked=7))
    out = run("account", "show", *OWN).out
    assert out == f"address: {ME}\nstake:   1.5 RLC\nlocked:  0.000000007 RLC\n"
    document = run("account", "show", OTHER, *CHAIN, "--raw").json
    assert document == {"ok": True, "balance": {"stake": "1500000000", "locked": "7"}}
    assert library.account.calls == [("check_balance", ME), ("check_balance", OTHER)]


def test_allowances(run, library, wallet, project: Path) -> None:
    library.account = Part(approve=HASH, revoke_approval=NEXT, check_allowance=5 * 10**8)
    out = run("account", "approve", "2", "RLC", OTHER, *OWN).out
    told = f"Approved {OTHER} to spend 2.0 RLC from your iExec account"
    assert out == f"{told}\ntransaction: {HASH}\n"
    run("account", "approve", "3", OTHER, "nRLC", *OWN)
    message = run("account", "approve", "3", "RLC", OTHER, "nRLC", *OWN, "--raw").json["error"]
    assert message["message"] == "the amount 3 RLC has its unit: there is no other at the end"
    out = run("account", "revoke", OTHER, "--new", *OWN).out
    assert out == f"Revoked {OTHER} to use your iExec account\ntransaction: {NEXT}\n"
    words = ("account", "allowance", OTHER, *OWN)
    out = run(*words).out
    assert out == f"account:   {ME}\nspender:   {OTHER}\nallowance: 0.5 RLC\n"
    assert run(*words, "--user", POOL, "--raw").json == {"ok": True, "amount": "500000000"}
    assert library.account.calls == [
        ("approve", 2 * 10**9, OTHER, {"new": False}),
        ("approve", 3, OTHER, {"new": False}),
        ("revoke_approval", OTHER, {"new": True}),
        ("check_allowance", ME, OTHER),
        ("check_allowance", POOL, OTHER),
    ]
    wallet.unlink()
    message = run(*words, "--raw").json["error"]["message"]
    assert message == "Missing option --user <address> or wallet"


# ---- wallet --------------------------------------------------------------------------------------


def test_ether_is_sent(run, library, wallet) -> None:
    library.wallet = Part(send_eth=HASH)
    words = ("wallet", "send-ether", "0.5", "--to", OTHER, "--chain", "mainnet", *KS)
    out = run(*words).out
    assert out == f"Sent 0.5 ether\nfrom:        {ME}\nto:          {OTHER}\ntransaction: {HASH}\n"
    question = f"Do you want to send 0.5 mainnet ether to {OTHER} [chainId: 1]"
    assert library.signer._question == (question, None)
    sent = {"amount": str(5 * 10**17), "from": ME, "to": OTHER, "txHash": HASH}
    assert run(*words, "--raw").json == {"ok": True, **sent}
    assert library.wallet.calls[0] == ("send_eth", 5 * 10**17, OTHER, {"new": False})


@pytest.mark.parametrize(("command", "nrlc"), [("send-RLC", 2 * 10**9), ("sendRLC", 2)])
def test_rlc_is_sent(run, library, wallet, command: str, nrlc: int) -> None:
    library.wallet = Part(send_rlc=HASH)
    out = run("wallet", command, "2", "--to", OTHER, *OWN).out
    what = "2.0" if nrlc > 2 else "0.000000002"
    assert out == (
        f"Sent {what} RLC\nfrom:        {ME}\nto:          {OTHER}\ntransaction: {HASH}\n"
    )
    question = f"Do you want to send {what} bellecour RLC to {OTHER} [chainId: 134]"
    assert library.signer._question == (question, None)
    assert library.wallet.calls == [("send_rlc", nrlc, OTHER, {"new": False})]
    run("wallet", command, "2", "RLC", "--new", "--to", OTHER, *OWN)
    assert library.wallet.calls[1] == ("send_rlc", 2 * 10**9, OTHER, {"new": True})
    message = run("wallet", command, "2", *OWN, "--raw").json["error"]["message"]
    assert message == "Missing --to option"


def test_a_name_stands_for_an_address(run, library, wallet) -> None:
    library.wallet = Part(send_rlc=HASH)
    library.network = Part(resolve_name=OTHER)
    out = run("wallet", "send-RLC", "2", "--to", "alice.eth", *OWN).out
    assert "to:          alice.eth\n" in out
    question = f"Do you want to send 2.0 bellecour RLC to alice.eth ({OTHER}) [chainId: 134]"
    assert library.signer._question == (question, None)
    assert library.network.calls == [("resolve_name", "alice.eth")]
    assert library.wallet.calls[0][2] == OTHER


@pytest.mark.parametrize(
    ("chain", "lines", "errors"),
    [
        ("bellecour", f"RLC:  {HASH}", ()),
        ("mainnet", f"ether: {HASH}\nRLC:   {NEXT}", ()),
        ("mainnet", f"ether: nothing sent\nRLC:   {NEXT}", ("the rest is less than the fees",)),
    ],
)
def test_a_wallet_is_swept(
    run, library, wallet, chain: str, lines: str, errors: tuple[str, ...]
) -> None:
    token = None if chain == "bellecour" else NEXT
    coin = None if errors else HASH
    swept = Sweep(send_erc20_tx_hash=token, send_native_tx_hash=coin, errors=errors)
    library.wallet = Part(sweep=swept)
    words = ("wallet", "sweep", "--to", OTHER, "--chain", chain, *KS)
    found = run(*words)
    assert found.status == 0
    assert found.out.startswith("Wallet swept\nfrom:")
    currencies = "RLC" if chain == "bellecour" else "ether and RLC"
    question = f"Do you want to send all wallet {chain} {currencies} to {OTHER}"
    assert library.signer._question == (f"{question} [chainId: {library.chain.id}]", None)
    assert library.wallet.calls == [("sweep", OTHER, {"new": False})]
    found_lines = [" ".join(line.split()) for line in found.out.splitlines()]
    for line in lines.splitlines():
        assert " ".join(line.split()) in found_lines
    assert found.err == "".join(f"⚠ {error}\n" for error in errors)
    document = run(*words, "--raw").json
    assert document == {"ok": True, "from": ME, "to": OTHER, **swept.to_dict()}


def test_the_bridge(run, library, wallet) -> None:
    library.wallet = Part(
        bridge_to_mainchain=BridgeTransfer(send_tx_hash=HASH, receive_tx_hash=NEXT)
    )
    words = ("wallet", "bridge-to-mainchain", "3", "RLC", *OWN)
    found = run(*words)
    contract = library.chain.bridge_contract
    assert found.out.splitlines() == [
        "Sent 3.0 RLC over the bridge",
        f"from:                {ME}",
        f"to:                  {contract}",
        f"sent on bellecour:   {HASH}",
        f"received on mainnet: {NEXT}",
    ]
    assert found.err == (
        "ℹ The bridge pays out on chain mainnet some minutes later. Where this is cut off, the "
        "same command goes on waiting and sends nothing again\n"
    )
    question = f"Do you want to send 3.0 bellecour RLC to bridge contract {contract} (please"
    assert library.signer._question == (
        f"{question} double check the address) [chainId: 134]",
        None,
    )
    assert library.wallet.calls == [("bridge_to_mainchain", 3 * 10**9, {"new": False})]
    document = run(*words, "--raw").json
    hashes = {"sendTxHash": HASH, "receiveTxHash": NEXT}
    assert document == {"ok": True, "amount": "3000000000", "from": ME, "to": contract, **hashes}


def test_a_bridge_that_is_not_described(run, library, wallet, project: Path) -> None:
    chain = {"id": "4242", "host": "http://127.0.0.1:1", "hub": OTHER, "native": True}
    (project / "chain.json").write_text(json.dumps({"default": "mine", "chains": {"mine": chain}}))
    message = run("wallet", "bridge-to-mainchain", "3", *KS, "--raw").json["error"]["message"]
    assert message == 'Missing bridge in "chain.json" for chain 4242'
    # nor is there anything that knows results: dropbox needs nothing of it
    chain |= {"sms": "http://127.0.0.1:1", "resultProxy": ""}
    (project / "chain.json").write_text(json.dumps({"default": "mine", "chains": {"mine": chain}}))
    pushed = SecretPush(is_pushed=True, is_updated=False)
    library.storage = Part(check_storage_token_exists=False, push_storage_token=pushed)
    out = run("storage", "init", "dropbox", "--token", "x", *KS).out
    assert out == f"Storage initialized: dropbox storage token of {ME} pushed\n"
    message = run("storage", "init", *KS, "--raw").json["error"]["message"]
    assert message == 'Missing resultProxy in "chain.json" for chain 4242'


@pytest.mark.parametrize(
    ("side", "chain", "message"),
    [
        ("side", "bellecour", "Cannot bridge sidechain to sidechain"),
        ("main", "mainnet", "Cannot bridge mainchain to mainchain"),
        (
            "side",
            "arbitrum-mainnet",
            "There is no bridge on arbitrum-mainnet: its RLC is a token only",
        ),
    ],
)
def test_where_no_bridge_leads(run, library, wallet, side: str, chain: str, message: str) -> None:
    words = ("wallet", f"bridge-to-{side}chain", "3", "--chain", chain, *KS, "--raw")
    assert run(*words).json["error"]["message"] == message


@pytest.mark.parametrize(
    ("command", "call", "told", "enterprise"),
    [
        ("swap-RLC-for-eRLC", "wrap_enterprise_rlc", "Swapped 3.0 RLC for 3.0 eRLC", False),
        ("swap-eRLC-for-RLC", "unwrap_enterprise_rlc", "Swapped 3.0 eRLC for 3.0 RLC", True),
    ],
)
def test_swaps(run, library, wallet, command: str, call: str, told: str, enterprise: bool) -> None:
    library.wallet = Part(**{call: HASH})
    for chain in ("mainnet", "enterprise"):  # it begins on its own side, whichever was named
        out = run("wallet", command, "3", "RLC", "--chain", chain, *KS).out
        assert out == f"{told}\nwallet:      {ME}\ntransaction: {HASH}\n"
        assert library.chain.enterprise is enterprise
        given, got = ("eRLC", "RLC") if enterprise else ("RLC", "eRLC")
        assert library.signer._question == (
            f"Do you want to swap 3.0 {given} for {got} (1 {given} = 1 {got}) "
            f"[chainId: {library.chain.id}]",
            None,
        )
    assert library.wallet.calls[0] == (call, 3 * 10**9, {"new": False})
    document = run("wallet", command, "3", "--chain", "mainnet", *KS, "--raw").json
    assert document == {"ok": True, "amount": "3", "txHash": HASH}
    message = run("wallet", command, "3", *OWN, "--raw").json["error"]["message"]
    assert message == "No enterprise smart contracts found on current chain 134"


@pytest.mark.parametrize(("command", "call"), [("get-ether", "get_eth"), ("get-RLC", "get_rlc")])
def test_faucets(run, library, wallet, command: str, call: str) -> None:
    answers = [
        FaucetAnswer(name="one", response={"ok": True}),
        FaucetAnswer(name="two", response={}),
    ]
    library.wallet = Part(**{call: answers})
    found = run("wallet", command, *OWN)
    assert found.out == "one:\n  ok: yes\ntwo: (none)\n"
    assert found.err == f"ℹ Using wallet {ME}\n"
    assert library.wallet.calls == [(call, ME)]
    document = run("wallet", command, *OWN, "--raw").json
    assert document == {"ok": True, "faucetsResponses": [each.to_dict() for each in answers]}


# ---- what is pending -----------------------------------------------------------------------------


def pending(**more: object) -> PendingTransaction:
    given = {
        **{"tx_hash": HASH, "nonce": 7, "operation": "sendRLC", "arguments": {"amount": "5"}},
        **{"state": "sent", "created": NOW - 60, "live": False},
    }
    return PendingTransaction(**{**given, **more})  # type: ignore[arg-type]


def test_pending(run, library, wallet) -> None:
    library.wallet = Part(pending_transactions=[])
    words = ("wallet", "pending", *OWN)
    assert run(*words).out == f"No transaction of {ME} is pending on bellecour\n"
    found = [pending(), pending(tx_hash=None, state="intended", live=True, replaces=NEXT)]
    library.wallet = Part(pending_transactions=found)
    again = "the command that sent it, given again, shows what came of it, and sends nothing"
    assert (
        run(*words).out
        == f"""\
transaction: {HASH}
nonce:       7
operation:   sendRLC
arguments:
  amount: 5
status:      sent
next:        {again}
since:       2027-01-15 07:59:00 UTC (1 minute ago)

transaction: not known: see the wallet that was asked
nonce:       7
operation:   sendRLC
arguments:
  amount: 5
status:      signed, perhaps sent
next:        somebody waits for it
since:       2027-01-15 07:59:00 UTC (1 minute ago)
instead of:  {NEXT}
"""
    )
    document = run(*words, "--raw").json
    listed = [each.to_dict() for each in found]
    assert document == {"ok": True, "address": ME, "transactions": listed}


def test_speed_up(run, library, wallet) -> None:
    library.wallet = Part(speed_up_transaction=NEXT, pending_transactions=[])
    words = ("wallet", "speed-up", HASH, *OWN)
    sped = f"Transaction sped up, and mined\nfrom:        {ME}\ntransaction: {NEXT}\n"
    assert run(*words, "--gas-price", "9").out == sped
    assert library.wallet.calls[0] == ("speed_up_transaction", HASH, {"gas_price": 9})
    document = run(*words, "--raw").json
    assert document == {"ok": True, "from": ME, "replaced": HASH, "txHash": NEXT}
    # its result is still to be looked at, by whoever waits for it, or by the command again
    again = "The command that sent it, given again, shows what came of it, and sends nothing\n"
    waiting = [pending(live=True), pending(tx_hash=NEXT)]
    for found, told in (
        ([pending(), pending(tx_hash=NEXT)], sped + again),
        (waiting, sped),
        ([pending(nonce=8, live=True), pending(tx_hash=NEXT)], sped + again),
        ([pending()], sped),
    ):
        library.wallet.answers["pending_transactions"] = found
        assert run(*words).out == told
    library.wallet.answers |= {"speed_up_transaction": HASH, "pending_transactions": []}
    first = run("wallet", "speed-up", HASH.upper().replace("0X", "0x"), *OWN).out
    assert first == (
        f"Transaction mined as it was first sent\nfrom:        {ME}\ntransaction: {HASH}\n"
    )


def test_cancel(run, library, wallet) -> None:
    library.wallet = Part(cancel_transaction=NEXT, pending_transactions=[pending()])
    words = ("wallet", "cancel", HASH, *OWN)
    out = run(*words).out
    lines = f"from:        {ME}\ncancelled:   {HASH}\ntransaction: {NEXT}\n"
    assert out == f"Transaction cancelled\n{lines}"
    assert library.wallet.calls[-1] == ("cancel_transaction", HASH, {"gas_price": None})
    question, about = library.signer._question
    assert question == f"Do you want to cancel transaction {HASH} [chainId: 134]"
    assert about == {"operation": "sendRLC", "amount": "5"}
    document = run("wallet", "cancel", NEXT, *OWN, "--raw").json
    assert document == {"ok": True, "from": ME, "cancelled": NEXT, "txHash": NEXT}
    assert library.signer._question[1] is None


# ---- secrets -------------------------------------------------------------------------------------


def test_the_secret_of_an_app(run, library, wallet, project: Path, monkeypatch) -> None:
    library.app = Part(check_app_secret_exists=False, push_app_secret=True)
    (project / "secret").write_text("two\nlines\r\n")
    words = ("app", "push-secret", APP, *OWN)
    (project / "secret").chmod(0o644)
    found = run(*words, "--secret-file", "secret")
    assert found.out == f"Secret successfully pushed for app {APP}\n"
    assert found.err == "⚠ other users of this machine may read secret: chmod 600 it\n"
    assert library.app.calls == [
        ("check_app_secret_exists", APP),
        ("push_app_secret", APP, "two\nlines"),
    ]
    found = run(*words, "--secret-value", "x")
    assert found.err == "⚠ Option --secret-value may be unsafe: other users can see it\n"
    assert library.app.calls[-1] == ("push_app_secret", APP, "x")
    run(*words, "--secret-file", "-", stdin="piped\n")
    assert library.app.calls[-1] == ("push_app_secret", APP, "piped")
    for more, stdin, message in (
        (("--secret-value", ""), "", "The secret is empty: nothing was pushed"),
        (("--secret-file", "-"), "\n", "The secret is empty: nothing was pushed"),
        (("--secret-file", "-"), "x" * 65537, "--secret-file: more than 65536 characters"),
        (
            (),
            "",
            "Paste your secret: there is nobody to ask; give --secret-file FILE or --secret-value",
        ),
    ):
        assert run(*words, *more, "--raw", stdin=stdin).json["error"]["message"] == message
    assert library.app.calls.count(("push_app_secret", APP, "")) == 0
    run(*words, "--secret-file", "-", stdin="x" * 65536)
    assert library.app.calls[-1] == ("push_app_secret", APP, "x" * 65536)
    run(*words, "--secret-file", "-", stdin="x\n\n")  # one line end alone is left out
    assert library.app.calls[-1] == ("push_app_secret", APP, "x\n")
    (project / "secret").write_text("x" * 65537)
    message = run(*words, "--secret-file", "secret", "--raw").json["error"]["message"]
    assert message == "secret is larger than 65536 bytes: refused"
    library.app.answers["check_app_secret_exists"] = True
    message = run(*words, "--raw").json["error"]["message"]
    assert message == f"Secret already exists for {APP} and can't be updated"
    library.app.answers["check_app_secret_exists"] = False
    stream = io.TextIOWrapper(io.BytesIO(b"s3cr3t\xff"), encoding="utf-8")
    monkeypatch.setattr(secret_values, "sys", SimpleNamespace(stdin=stream))
    message = run(*words, "--secret-file", "-", "--raw").json["error"]["message"]
    assert message == "--secret-file: standard input is not UTF-8 text"


@pytest.mark.parametrize(("known", "word"), [(True, "Secret"), (False, "No secret")])
def test_whether_an_app_has_a_secret(run, library, known: bool, word: str) -> None:
    library.app = Part(check_app_secret_exists=known)
    words = ("app", "check-secret", APP, *CHAIN)
    assert run(*words).out == f"{word} found for app {APP}\n"
    assert run(*words, "--raw").json == {"ok": True, "isSecretSet": known}


def test_a_secret_of_a_requester(run, library, wallet) -> None:
    library.secrets = Part(check_requester_secret_exists=False, push_requester_secret=None)
    words = ("requester", "push-secret", "login", *OWN, "--secret-file", "-")
    out = run(*words, stdin="x\n").out
    assert out == (
        f'Secret "login" successfully pushed for {ME}\n'
        "Give it to a task: iexec-lite app run APP --secret 1=login\n"
    )
    assert run(*words, "--raw", stdin="x").json == {"ok": True, "isPushed": True, "name": "login"}
    assert library.secrets.calls[:2] == [
        ("check_requester_secret_exists", ME, "login"),
        ("push_requester_secret", "login", "x"),
    ]
    library.secrets.answers["check_requester_secret_exists"] = True
    message = run(*words, "--raw").json["error"]["message"]
    assert message == f'Secret "login" already exists for {ME}'


@pytest.mark.parametrize(("known", "word"), [(True, "Secret"), (False, "No secret")])
def test_whether_somebody_has_a_secret(run, library, wallet, known: bool, word: str) -> None:
    library.secrets = Part(check_requester_secret_exists=known)
    words = ("requester", "check-secret", "login")
    assert run(*words, OTHER, *CHAIN).out == f'{word} "login" found for {OTHER}\n'
    assert run(*words, *OWN).out == f'{word} "login" found for {ME}\n'
    document = run(*words, *OWN, "--raw").json
    assert document == {"ok": True, "isSet": known, "name": "login"}
    assert library.secrets.calls == [
        ("check_requester_secret_exists", OTHER, "login"),
        *[("check_requester_secret_exists", ME, "login")] * 2,
    ]
    assert library.signer is None
    wallet.unlink()
    message = run(*words, *OWN, "--raw").json["error"]["message"]
    assert message == "Missing ADDRESS or wallet"


def test_storage(run, library, wallet, project: Path) -> None:
    pushed = SecretPush(is_pushed=True, is_updated=False)
    library.storage = Part(
        check_storage_token_exists=False, default_storage_login="jwt", push_storage_token=pushed
    )
    words = ("storage", "init", *OWN)
    out = run(*words).out
    assert out == f"Storage initialized: default storage token of {ME} pushed\n"
    assert library.storage.calls == [
        ("check_storage_token_exists", ME, {"provider": "default"}),
        ("default_storage_login",),
        ("push_storage_token", "jwt", {"provider": "default", "force_update": False}),
    ]
    unused = "⚠ Your token is not used: default storage gives its own\n"
    (project / "token").write_text("drop\nrest")
    (project / "token").chmod(0o600)
    for token in (("--token", "mine"), ("--token-file", "token")):
        assert run(*words, *token).err == unused
        assert library.storage.calls[-1][1] == "jwt"
    dropbox = ("storage", "init", "dropbox", *OWN)
    run(*dropbox, "--token-file", "token")
    assert library.storage.calls[-1][1] == "drop"
    found = run(*dropbox, "--token", "drip")
    assert found.err == "⚠ Option --token may be unsafe: other users can see it\n"
    assert library.storage.calls[-1][1] == "drip"
    message = run(*dropbox, "--raw").json["error"]["message"]
    ways = "there is nobody to ask; give --token-file FILE or --token"
    assert message == f"Paste your dropbox token: {ways}"


def test_a_storage_that_is_set(run, library, wallet) -> None:
    pushed = SecretPush(is_pushed=True, is_updated=True)
    library.storage = Part(
        check_storage_token_exists=True, default_storage_login="jwt", push_storage_token=pushed
    )
    words = ("storage", "init", *OWN)
    assert run(*words, "--raw").json["error"]["message"] == (
        "default storage is already initialized, use --force-update option to update your storage "
        "token"
    )
    assert library.storage.calls == [("check_storage_token_exists", ME, {"provider": "default"})]
    out = run(*words, "--force-update").out
    assert out == f"Storage initialized: default storage token of {ME} updated\n"
    document = run(*words, "--force-update", "--raw").json
    told = {"isInitialized": True, "isInitilized": True, "isUpdated": True}
    assert document == {"ok": True, **told}


@pytest.mark.parametrize(
    ("known", "state"), [(True, "already initialized"), (False, "not initialized")]
)
def test_whether_results_can_be_stored(run, library, wallet, known: bool, state: str) -> None:
    library.storage = Part(check_storage_token_exists=known)
    out = run("storage", "check", *OWN).out
    assert out == f"Storage {state}: default storage of {ME}\n"
    document = run("storage", "check", "dropbox", "--user", OTHER, *CHAIN, "--raw").json
    assert document == {"ok": True, "isInitialized": known, "isInitilized": known}
    assert library.storage.calls[1] == (
        *("check_storage_token_exists", OTHER),
        {"provider": "dropbox"},
    )


def test_where_storage_needs_no_token(run, library, wallet) -> None:
    today = ("--chain", "arbitrum-mainnet", *KS)
    told = "the workers of arbitrum-mainnet store results on IPFS without a token"
    done = {"ok": True, "isInitialized": True, "isInitilized": True}
    for verb, more in (("init", {"isUpdated": False}), ("check", {})):
        assert run("storage", verb, *today).out == f"Nothing to do: {told}\n"
        assert run("storage", verb, "ipfs", *today, "--raw").json == {**done, **more}


@pytest.mark.parametrize(
    ("words", "service"),
    [
        (("app", "check-secret", APP), "sms"),
        (("dataset", "check-secret", APP), "sms"),
        (("dataset", "push-secret", APP), "sms"),
        (("result", "push-encryption-key", *KS), "sms"),
        (("result", "check-encryption-key", APP), "sms"),
        (("requester", "check-secret", "x", ME), "sms"),
        (("storage", "check", "dropbox", "--user", ME), "sms"),
        (("order", "show", "--app", HASH), "iexecGateway"),
        (("order", "publish", "--app", *KS), "iexecGateway"),
        (("order", "unpublish", "--app", *KS), "iexecGateway"),
        (("order", "fill", "--app", HASH, *KS), "sms"),
        (("orderbook", "workerpool"), "iexecGateway"),
        (("app", "run", APP, *KS), "sms"),
        (("app", "request-execution", APP, *KS), "sms"),
        (("app", "request-execution", APP, "--skip-request-check", *KS), "iexecGateway"),
        (("requester", "push-secret", "x", *KS), "sms"),
        (("app", "publish", APP, *KS), "iexecGateway"),
        (("app", "unpublish", APP, *KS), "iexecGateway"),
    ],
)
def test_a_service_that_the_chain_has_not(
    run, library, wallet, project: Path, words: tuple[str, ...], service: str
) -> None:
    """It is told before anything else is asked for."""
    chain = {"id": "4242", "host": "http://127.0.0.1:1", "hub": OTHER, "iexecGateway": ""}
    (project / "chain.json").write_text(json.dumps({"default": "mine", "chains": {"mine": chain}}))
    message = run(*words, "--raw").json["error"]["message"]
    assert message == f'Missing {service} in "chain.json" for chain 4242'


# ---- chain ---------------------------------------------------------------------------------------


def test_info(run, library, project: Path) -> None:
    given = {f"{kind}_registry_address": f"0x{kind}" for kind in ("app", "dataset", "workerpool")}
    contracts = Contracts(
        **{"poco_version": "5.5", "hub_address": "0xhub", "rlc_address": None, **given},
        use_native=True,
        flavour="standard",
    )
    library.network = SimpleNamespace(get_contracts=lambda: contracts)
    assert (
        run("info", *CHAIN).out
        == """\
node:                default
PoCo version:        5.5
flavour:             standard
RLC:                 the chain's own coin
hub:                 0xhub
app registry:        0xapp
dataset registry:    0xdataset
workerpool registry: 0xworkerpool
"""
    )
    (project / "chain.json").write_text(
        '{"default": "bellecour", "chains": {"bellecour": {"host": "https://n.org:9/v3/key"}}}'
    )
    document = run("info", "--raw").json
    assert document == {"ok": True, "host": "https://n.org:9", **contracts.to_dict()}
    (project / "chain.json").write_text(
        '{"default": "mainnet", "chains": {"mainnet": {"host": "http://n.org/k"}}}'
    )
    assert run("info", "--raw").json["host"] == "http://n.org"
    contracts = replace(contracts, rlc_address="0xrlc")
    assert "RLC:                 0xrlc\n" in run("info").out
    assert list(document)[:3] == ["ok", "pocoVersion", "host"]


def test_categories(run, library, wallet, project: Path) -> None:
    category = SimpleNamespace(
        name="XS",
        description="short",
        workClockTimeRef=300,
        to_dict=lambda: {"name": "XS", "workClockTimeRef": 300},
    )
    made = {"catid": 5, "txHash": HASH}
    library.hub = Part(show_category=category, longest=3000, count_category=5, create_category=made)
    assert (
        run("category", "show", "0", *CHAIN).out
        == """\
Category 0
  name:        XS
  description: short
  work time:   5 minutes (300 seconds)
  deadline:    50 minutes after the deal (3000 seconds)
"""
    )
    document = run("category", "show", "0", *CHAIN, "--raw").json
    shown = {"name": "XS", "workClockTimeRef": "300"}
    assert document == {"ok": True, "index": "0", "category": shown}
    assert run("category", "count", *CHAIN).out == "iExec hub has a total of 5 categories: 0 to 4\n"
    assert run("category", "count", *CHAIN, "--raw").json == {"ok": True, "count": "5"}
    (project / "iexec.json").write_text('{"category": {"name": "XS"}}')
    assert run("category", "create", *OWN).out == "New category created with catid 5\n"
    assert library.hub.calls[-1] == ("create_category", {"name": "XS"}, {"new": False})
    assert library.signer.address == ME
    document = run("category", "create", *OWN, "--raw", "--new").json
    assert document == {"ok": True, "catid": "5", "txHash": HASH}
    assert library.hub.calls[-1][2] == {"new": True}
