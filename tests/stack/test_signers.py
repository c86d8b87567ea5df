"""Every kind of signer on a real node: keys here, keys in the node, and wallets with faults.

The node is anvil with its development accounts, whose keys everybody knows: what it signs with them
is the second witness for what we sign. A wallet is a function in front of it, so that it can do
what a node never does: lose an answer, refuse, take another account or nonce.
"""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner, RpcSigner, testing
from iexec_lite.errors import (
    ConfigurationError,
    OutcomeUnknownError,
    SignatureError,
    StateError,
    Web3ProviderCallError,
    Web3ProviderSendError,
    Web3ProviderSignMessageError,
)
from iexec_lite.eth import keystore
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import Signer
from iexec_lite.net.rpc import Rpc
from iexec_lite.protocol import orders
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB
from iexec_lite.sandbox import accounts
from iexec_lite.sandbox.deploy import prepare, record
from iexec_lite.sandbox.folders import cache_folder
from iexec_lite.sandbox.kinds import kind_of
from iexec_lite.sandbox.node import Node
from iexec_lite.sandbox.packages import Kit
from iexec_lite.sdk.fees import Quote
from iexec_lite.sdk.file_journal import FileJournal
from iexec_lite.sdk.journal import FAILED, INTENDED, SETTLED, UNKNOWN, MemoryJournal
from iexec_lite.sdk.records import MatchResult
from iexec_lite.sdk.transactions import Intent, Transactions

# The first two development accounts of anvil and hardhat.
KEYS = (
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
)
OWN, OTHER = (KeySigner.from_key(key) for key in KEYS)
TO = "0x" + "22" * 20
PARAMS = {"iexec_args": 'é "quoted" \\ \n', "iexec_result_storage_proxy": "https://p.org"}
Buy = Callable[..., MatchResult]


class DevNode(Node):
    """A node that holds keys."""

    def _command(self, port: int) -> list[str]:
        command = super()._command(port)
        command[command.index("--accounts") + 1] = "5"
        return command


@pytest.fixture(scope="module")
def running(kit: Kit) -> Iterator[Node]:
    node = DevNode(kit.anvil, kind_of("token"))
    node.start()
    yield node
    node.stop()


@pytest.fixture
def node(running: Node) -> Iterator[Node]:
    """A node with keys, as it began, for one test."""
    snapshot = running.rpc.request("evm_snapshot")
    yield running
    running.rpc.request("evm_setAutomine", (True,))
    running.rpc.request("anvil_dropAllTransactions")
    assert running.rpc.request("evm_revert", (snapshot,)) is True


class WalletError(Exception):
    """EIP-1193's ``ProviderRpcError``."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Wallet:
    """A wallet in front of a node. ``before`` and ``after`` see each request and may change it."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.asked: list[str] = []
        self.before: Callable[[str, list[Any]], list[Any]] = lambda method, params: params
        self.after: Callable[[str, Any], Any] = lambda method, answer: answer

    def __call__(self, method: str, params: Sequence[object]) -> object:
        self.asked.append(method)
        answer = self.node.rpc.request(method, self.before(method, list(params)))
        return self.after(method, answer)

    @property
    def sends(self) -> int:
        return self.asked.count("eth_sendTransaction")


@pytest.fixture
def wallet(node: Node) -> Wallet:
    return Wallet(node)


def changes(**fields: Any) -> Callable[[str, list[Any]], list[Any]]:
    def before(method: str, params: list[Any]) -> list[Any]:
        if method == "eth_sendTransaction":
            return [{**params[0], **fields}]
        return [OTHER.address if each == OWN.address else each for each in params]

    return before


def lost(method: str, answer: Any) -> Any:
    if method == "eth_sendTransaction":
        raise RuntimeError("the wallet's window was closed")
    return answer


def refusing(code: int | str = 4001, text: str = "User rejected the request.") -> Any:
    def before(method: str, params: list[Any]) -> list[Any]:
        if method in ("personal_sign", "eth_signTypedData_v4", "eth_sendTransaction"):
            raise WalletError(code, text)
        return params

    return before


@pytest.fixture
def sender(wallet: Wallet) -> Callable[..., Transactions]:
    def make(**options: Any) -> Transactions:
        rpc = wallet.node.rpc
        signer = RpcSigner(wallet, OWN.address)
        options = {"journal": MemoryJournal(), "timeout": 20, "sleep": lambda _: None, **options}
        return Transactions(rpc, Chain(id=rpc.chain_id()), signer, **options)

    return make


def intent(transactions: Transactions, operation: str = "test") -> Intent:
    chain = transactions.rpc.chain_id()
    return Intent(chain_id=chain, sender=OWN.address, operation=operation)


def used(node: Node, address: str = OWN.address) -> int:
    return int(node.rpc.request("eth_getTransactionCount", (address, "latest")), 16)


def states(transactions: Transactions) -> list[str]:
    return [entry.state for entry in transactions.account.entries()]


# --- the kit, over every signer -------------------------------------------------------------------


def keystore_signer(node: Node) -> Signer:
    document = keystore.encrypt(bytes.fromhex(KEYS[0][2:]), "password", n=2)
    return KeySigner.from_keystore(document, "password")


SIGNERS: dict[str, Callable[[Node], Signer]] = {
    "key": lambda node: OWN,
    "keystore": keystore_signer,
    "node": lambda node: RpcSigner(node.url),
    "wallet": lambda node: RpcSigner(Wallet(node), OWN.address),
}


@pytest.fixture(params=SIGNERS)
def signer(request: pytest.FixtureRequest, node: Node) -> Signer:
    made = SIGNERS[request.param](node)
    assert made.address == OWN.address
    return made


def test_an_honest_signer(signer: Signer, node: Node) -> None:
    testing.check_signatures(signer)
    testing.check_sending(signer, node.url)


@pytest.mark.parametrize("fault", testing.FAULTS)
def test_a_faulty_signer(fault: str, signer: Signer, node: Node) -> None:
    check = getattr(testing, f"check_{fault}")
    other = RpcSigner(node.url, OTHER.address) if isinstance(signer, RpcSigner) else OTHER
    faulty = testing.Faulty(signer, fault, other if fault == "other_account" else None)
    check(faulty, node.url)
    assert faulty.asked > 0
    with pytest.raises((AssertionError, SignatureError)):  # the check can fail
        check(signer, node.url) if fault != "lost_answer" else check(Twice(signer), node.url)


class Twice(testing.Faulty):
    """Sends two transactions where it was asked for one."""

    def __init__(self, signer: Signer) -> None:
        super().__init__(signer, "none")

    def _do(self, name: str, what: Any) -> Any:
        if name == "send_transaction":
            first = dataclasses.replace(what, value=0)
            self._signer.send_transaction(first)  # type: ignore[attr-defined]
            what = dataclasses.replace(what, nonce=what.nonce + 1)
        elif name == "sign_transaction":
            raise AssertionError("what a key signs is sent by the library, once")
        return super()._do(name, what)


def test_the_wallets_own_faults(wallet: Wallet, node: Node) -> None:
    signer = RpcSigner(wallet, OWN.address)
    wallet.before = refusing()
    testing.check_refusal(signer, node.url)
    wallet.before = changes(**{"from": OTHER.address, "nonce": "0x0"})
    testing.check_other_account(signer, node.url)
    wallet.before = changes(nonce=hex(used(node) + 1))
    testing.check_other_nonce(signer, node.url)
    node.rpc.request("anvil_dropAllTransactions")
    wallet.before, wallet.after = (lambda method, params: params), lost
    testing.check_lost_answer(signer, node.url)


# --- signatures: the node is the second witness ---------------------------------------------------


@pytest.mark.witness(
    "EIP-712 document", "personal message (EIP-191)", "wallet requests (RpcSigner)", by="contracts"
)
def test_the_node_signs_what_we_sign(node: Node) -> None:
    held = RpcSigner(node.url, OWN.address)
    for message in (b"", b"hello", bytes(range(256)), "héllo".encode()):
        assert held.sign_message(message) == OWN.sign_message(message)
    domain = orders.domain(134, TO)
    for made in (
        orders.create_apporder(app=TO, appprice="1 RLC", tag=["tee"]),
        orders.create_datasetorder(dataset=TO, volume=2**255),
        orders.create_workerpoolorder(workerpool=TO, category=3, trust=2**200),
        orders.create_requestorder(app=TO, category=0, requester=OWN.address, params=PARAMS),
    ):
        salt = bytes(32)
        ours = orders.sign_order(made, OWN, domain, salt=salt)
        assert orders.sign_order(made, held, domain, salt=salt) == ours  # type: ignore[arg-type]


def test_arrays_and_nested_types(node: Node) -> None:
    document = {
        "types": {
            "EIP712Domain": [{"name": "chainId", "type": "uint256"}],
            "Mail": [
                {"name": "to", "type": "Person[]"},
                {"name": "grid", "type": "int16[2][]"},
                {"name": "raw", "type": "bytes"},
                {"name": "on", "type": "bool"},
            ],
            "Person": [{"name": "wallet", "type": "address"}, {"name": "name", "type": "string"}],
        },
        "primaryType": "Mail",
        "domain": {"chainId": 5},
        "message": {
            "to": [{"wallet": TO, "name": "Bob"}, {"wallet": TO, "name": ""}],
            "grid": [[1, -2], [-32768, 32767]],
            "raw": "0x0102",
            "on": True,
        },
    }
    data = TypedData.from_dict(document)
    assert RpcSigner(node.url).sign_typed_data(data) == OWN.sign_typed_data(data)


def test_signatures_of_all_shapes(wallet: Wallet) -> None:
    """Wallets count v from 27, from 0, or leave it in the top bit of s."""
    signer = RpcSigner(wallet, OWN.address)
    expected = OWN.sign_message(b"x")

    def from_zero(method: str, answer: Any) -> Any:
        return answer[:-2] + f"{int(answer[-2:], 16) - 27:02x}"

    def compact(method: str, answer: Any) -> Any:
        top = (int(answer[-2:], 16) - 27) << 255
        return answer[:66] + f"{int(answer[66:130], 16) | top:064x}"

    for after in (from_zero, compact):
        wallet.after = after
        assert signer.sign_message(b"x") == expected
    for bad in ("0x", "0x" + "00" * 65, "0x" + "11" * 66):
        wallet.after = lambda method, answer, bad=bad: bad
        with pytest.raises(SignatureError):
            signer.sign_message(b"x")


# --- sending --------------------------------------------------------------------------------------


def test_a_refusal_frees_nonce_and_intent(wallet: Wallet, sender: Any) -> None:
    transactions = sender()
    wallet.before = refusing()
    with pytest.raises(Web3ProviderSendError, match="User rejected") as caught:
        transactions.send(intent(transactions), TO, value=1)
    assert caught.value.is_user_rejection
    assert caught.value.tx_hash is None
    assert states(transactions) == [FAILED]
    wallet.before = lambda method, params: params
    sent = transactions.send(intent(transactions), TO, value=1)
    assert not sent.resumed
    assert (used(wallet.node), wallet.sends) == (1, 2)


def test_an_answer_lost_after_the_send_is_found_on_chain(wallet: Wallet, sender: Any) -> None:
    transactions = sender()
    wallet.after = lost
    sent = transactions.send(intent(transactions), TO, b"\x01", value=1)
    assert not sent.resumed
    found = wallet.node.rpc.request("eth_getTransactionByHash", (sent.tx_hash,))
    assert (found["from"], found["nonce"]) == (OWN.address.lower(), "0x0")
    assert (states(transactions), wallet.sends) == ([SETTLED], 1)


def test_a_waiting_transaction_is_found_too(wallet: Wallet, sender: Any) -> None:
    transactions = sender(sleep=lambda _: wallet.node.mine())
    wallet.node.rpc.request("evm_setAutomine", (False,))
    wallet.after = lost
    assert transactions.send(intent(transactions), TO, value=1).receipt["status"] == "0x1"
    assert wallet.sends == 1


def test_an_approval_that_comes_late(wallet: Wallet, sender: Any, tmp_path: Path) -> None:
    """The program has long gone when a person approves: the next one finds it by its nonce."""
    rpc, asked = wallet.node.rpc, []

    def thinking(method: str, params: list[Any]) -> list[Any]:
        if method == "eth_sendTransaction":
            asked.append(params)
            raise RuntimeError("the connection was closed")
        return params

    wallet.before = thinking
    journal = FileJournal(tmp_path)
    transactions = sender(journal=journal)
    for _ in range(3):  # looks again, and never asks again
        with pytest.raises(OutcomeUnknownError, match="may still be approved") as caught:
            transactions.send(intent(transactions), TO, b"salt one", value=1)
        assert wallet.sends == 1
    assert caught.value.code == "outcome_unknown"
    assert caught.value.details["nonce"] == 0
    assert caught.value.details["intent"]["operation"] == "test"
    assert caught.value.retryable
    journal.close()
    for _ in range(5):
        wallet.node.mine()
    rpc.request("eth_sendTransaction", asked[0])
    for _ in range(5):
        wallet.node.mine()
    journal = FileJournal(tmp_path)
    transactions = sender(journal=journal)
    sent = transactions.send(intent(transactions), TO, b"salt two", value=1)
    assert sent.resumed
    assert (
        rpc.request("eth_getTransactionByHash", (sent.tx_hash,))["input"]
        == "0x" + b"salt one".hex()
    )
    assert (used(wallet.node), wallet.sends, states(transactions)) == (1, 1, [SETTLED])
    journal.close()


def test_death_while_the_wallet_sends(wallet: Wallet, sender: Any, tmp_path: Path) -> None:
    """What was meant is on the disk before the wallet is asked."""
    code = (
        "import os, sys\n"
        "from iexec_lite import RpcSigner\n"
        "from iexec_lite.net.rpc import Rpc\n"
        "from iexec_lite.protocol.chains import Chain\n"
        "from iexec_lite.sdk.file_journal import FileJournal\n"
        "from iexec_lite.sdk.transactions import Intent, Transactions\n"
        "rpc, who = Rpc(sys.argv[1]), sys.argv[3]\n"
        "def wallet(method, params):\n"
        "    answer = rpc.request(method, params)\n"
        "    if method == 'eth_sendTransaction':\n"
        "        print('dying', flush=True); os._exit(9)\n"
        "    return answer\n"
        "chain = Chain(id=rpc.chain_id())\n"
        "Transactions(rpc, chain, RpcSigner(wallet, who), journal=FileJournal(sys.argv[2])).send(\n"
        "    Intent(chain_id=chain.id, sender=who, operation='test'), sys.argv[4], value=1)"
    )
    arguments = [wallet.node.url, str(tmp_path), OWN.address, TO]
    died = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert (died.returncode, died.stdout.strip()) == (9, "dying"), died.stderr
    journal = FileJournal(tmp_path)
    transactions = sender(journal=journal)
    assert states(transactions) == [INTENDED]
    assert transactions.send(intent(transactions), TO, value=1).resumed
    assert (used(wallet.node), wallet.sends, states(transactions)) == (1, 0, [SETTLED])
    journal.close()


def test_a_journal_that_breaks_after_the_send_still_names_it(
    wallet: Wallet, sender: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions = sender()

    def full(*_: Any, **__: Any) -> None:
        raise StateError("the journal cannot be used")

    monkeypatch.setattr(type(transactions.account), "update", full)
    with pytest.raises(StateError) as caught:
        transactions.send(intent(transactions), TO, value=1)
    assert caught.value.tx_hash is not None
    assert wallet.node.rpc.request("eth_getTransactionByHash", (caught.value.tx_hash,))
    monkeypatch.undo()
    sent = transactions.send(intent(transactions), TO, value=1)
    assert (sent.resumed, sent.tx_hash, wallet.sends) == (True, caught.value.tx_hash, 1)


def test_threads_get_distinct_nonces(wallet: Wallet, sender: Any) -> None:
    transactions = sender()
    work = [intent(transactions, f"test {number}") for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        sent = list(pool.map(lambda each: transactions.send(each, TO, value=1).tx_hash, work))
    assert (len(set(sent)), used(wallet.node), wallet.sends) == (6, 6, 6)
    assert states(transactions) == [SETTLED] * 6


def test_new_asks_again(wallet: Wallet, sender: Any) -> None:
    transactions = sender()
    wallet.before = lambda method, params: 1 / 0 if method == "eth_sendTransaction" else params  # type: ignore[return-value]
    with pytest.raises(OutcomeUnknownError):
        transactions.send(intent(transactions), TO)
    wallet.before = lambda method, params: params
    assert not transactions.send(intent(transactions), TO, new=True).resumed
    # the first stays open: a wallet may send it under a nonce of its own
    assert states(transactions) == [UNKNOWN, SETTLED]
    with pytest.raises(OutcomeUnknownError, match="nonce 0 went to another transaction, 0x"):
        transactions.send(intent(transactions, "test"), TO, b"\x01")
    assert wallet.sends == 2


def test_something_else_has_the_nonce(wallet: Wallet, sender: Any) -> None:
    transactions, rpc = sender(), wallet.node.rpc

    def other(method: str, params: list[Any]) -> list[Any]:
        if method == "eth_sendTransaction":
            rpc.request(method, [{**params[0], "value": "0x7"}])
            raise RuntimeError("the connection was closed")
        return params

    wallet.before = other
    text = "nonce 0 went to another transaction, 0x[0-9a-f]{64}"
    with pytest.raises(OutcomeUnknownError, match=text) as caught:
        transactions.send(intent(transactions), TO, value=1)
    assert caught.value.tx_hash is None  # it is not ours
    assert str(caught.value.details["found"]) in str(caught.value)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"nonce": "0x1"}, "nonce"),
        ({"from": OTHER.address}, "account"),
        ({"to": OTHER.address}, "receiver"),
        ({"value": "0x2"}, "value"),
        ({"data": "0x99"}, "data"),
    ],
)
def test_a_wallet_that_changes_what_it_sends(
    wallet: Wallet, sender: Any, fields: dict[str, str], word: str
) -> None:
    transactions = sender()
    wallet.before = changes(**fields)
    for _ in range(2):
        with pytest.raises(
            OutcomeUnknownError, match=f"not what it was asked for: {word} differ"
        ) as e:
            transactions.send(intent(transactions), TO, b"\x01", value=1)
        assert e.value.tx_hash is not None
        found = wallet.node.rpc.request("eth_getTransactionByHash", (e.value.tx_hash,))
        assert found["hash"] == e.value.tx_hash
    assert (states(transactions), wallet.sends) == ([UNKNOWN], 1)


def test_a_wallet_may_choose_the_fees(wallet: Wallet, sender: Any) -> None:
    wallet.before = changes(gasPrice=hex(77 * 10**9), gas=hex(300_000))
    transactions = sender()
    sent = transactions.send(intent(transactions), TO, value=1)
    found = wallet.node.rpc.request("eth_getTransactionByHash", (sent.tx_hash,))
    assert (found["gasPrice"], found["gas"]) == (hex(77 * 10**9), hex(300_000))


@pytest.mark.parametrize("cancelled", [False, True])
def test_a_person_speeds_it_up_or_cancels(wallet: Wallet, sender: Any, cancelled: bool) -> None:
    """The same with higher fees has another hash, and is still ours; another one is not."""
    node, now, done = wallet.node, [0.0], []

    def sleep(seconds: float) -> None:
        now[0] += seconds
        if not done:
            done.append(True)
            fields = {**asked[0], "gasPrice": hex(900 * 10**9)}
            if cancelled:
                fields |= {"to": OWN.address, "value": "0x0", "data": "0x"}
            node.rpc.request("eth_sendTransaction", [fields])
            node.mine()

    asked: list[Any] = []
    transactions = sender(sleep=sleep, clock=lambda: now[0])
    node.rpc.request("evm_setAutomine", (False,))
    wallet.before = lambda method, params: (
        (asked.extend(params) if method == "eth_sendTransaction" else None) or params
    )
    if cancelled:
        with pytest.raises(Web3ProviderCallError, match="transaction was replaced"):
            transactions.send(intent(transactions), TO, b"\x01", value=1)
        assert states(transactions) == [FAILED]
    else:
        sent = transactions.send(intent(transactions), TO, b"\x01", value=1)
        found = node.rpc.request("eth_getTransactionByHash", (sent.tx_hash,))
        assert found["gasPrice"] == hex(900 * 10**9)
        assert states(transactions) == [SETTLED]
    assert wallet.sends == 1


def test_a_wallet_on_another_chain(wallet: Wallet, sender: Any) -> None:
    transactions = sender()
    wallet.after = lambda method, answer: "0x7" if method == "eth_chainId" else answer
    with pytest.raises(Web3ProviderSendError, match="the wallet is on chain 7") as caught:
        transactions.send(intent(transactions), TO)
    assert not caught.value.is_user_rejection
    assert (wallet.sends, states(transactions)) == (0, [FAILED])


def test_an_account_that_the_node_does_not_hold(node: Node) -> None:
    stranger = accounts.addresses()["requester"]
    node.set_balances({stranger: 10**18})
    signer = RpcSigner(node.url, stranger)
    with pytest.raises(Web3ProviderSignMessageError, match="No Signer available") as caught:
        signer.sign_message(b"x")
    assert not caught.value.is_user_rejection
    transactions = Transactions(
        node.rpc, Chain(id=node.chain_id), signer, journal=MemoryJournal(), timeout=20
    )
    mine = Intent(chain_id=node.chain_id, sender=stranger, operation="test")
    with pytest.raises(Web3ProviderSendError, match="No Signer available"):
        transactions.send(mine, TO)
    assert states(transactions) == [FAILED]
    node.rpc.request("anvil_impersonateAccount", (stranger,))  # it sends for anybody then
    assert transactions.send(mine, TO).receipt["from"] == stranger.lower()


def test_a_signer_without_accounts(node: Node) -> None:
    signer = RpcSigner(lambda method, params: [])
    with pytest.raises(ConfigurationError, match="shows no account"):
        _ = signer.address


# --- a whole purchase with keys that the node holds -----------------------------------------------

NAMES = {"app-provider": 0, "workerpool-owner": 1, "requester": 2}


class NamedChain:
    """What the fixtures need of a sandbox: its chain record."""

    def __init__(self, node: Node, chain: Chain) -> None:
        self.node = node
        self.chain = chain


@pytest.fixture
def keyed(kit: Kit) -> Iterator[NamedChain]:
    """The contracts, on a node that holds keys."""
    node = DevNode(kit.anvil, kind_of("token"))
    node.start()
    try:
        found = prepare(node, kit, cache=cache_folder())
        yield NamedChain(node, record(node, found, services="http://127.0.0.1:1"))
    finally:
        node.stop()


@pytest.fixture
def client(keyed: NamedChain) -> Iterator[Callable[..., IExec]]:
    """As the usual one, but each account's key is in the node; ``buy`` works with it."""
    held = keyed.node.rpc.request("eth_accounts")
    keyed.node.set_balances(dict.fromkeys(held, 10**20))
    made: list[IExec] = []

    def make(chain: NamedChain, name: str, **options: Any) -> IExec:
        signer = RpcSigner(chain.node.url, held[NAMES[name]])
        made.append(IExec(chain.chain, signer, **options))
        return made[-1]

    with IExec(keyed.chain, accounts.signer("admin")) as admin:
        for address in held[:3]:
            admin.wallet.send_rlc("1 RLC", address)
    yield make
    for iexec in made:
        iexec.close()


def test_a_whole_purchase(keyed: NamedChain, client: Callable[..., IExec], buy: Buy) -> None:
    match = buy(keyed, volume=2, token=False)
    requester = client(keyed, "requester")
    deal = requester.deal.show(match.dealid)
    assert (deal.bot_size, deal.requester) == (2, requester.wallet.get_address())
    assert len(match.taskids) == 2
    stake = requester.account.check_balance(deal.requester)
    assert (stake.stake, stake.locked) == (3 * 1000 * 2 - 4000, 4000)
    assert requester.account.withdraw(1000).amount == 1000


@pytest.mark.witness("revert reason", by="contracts")
def test_a_mined_failure_tells_why(keyed: NamedChain, client: Callable[..., IExec]) -> None:
    context = client(keyed, "requester")._context
    intent = Intent(chain_id=context.chain.id, sender=context.address, operation="test")
    call = HUB.createCategory.encode("x", "{}", 1)
    costs = Quote(gas=200_000, gas_price=20 * 10**9)
    text = "transaction failed: Ownable: caller is not"
    with pytest.raises(Web3ProviderCallError, match=text) as caught:
        context.transactions.send(intent, context.hub, call, quote=costs)
    assert caught.value.tx_hash is not None
    assert states(context.transactions) == [FAILED]


def test_a_wallet_and_a_node_in_one_function(keyed: NamedChain) -> None:
    """What an EIP-1193 provider is: one function for reading, signing and sending."""
    request = Rpc(keyed.node.url).request
    with IExec(request, RpcSigner(request), chain=keyed.chain) as iexec:
        assert iexec.hub.count_category() == 5
        keyed.node.set_balances({OWN.address: 10**20})
        tx_hash = iexec.wallet.send_eth(7, TO)
        assert iexec.wallet.check_balances(TO).wei == 7
    found = request("eth_getTransactionByHash", (tx_hash,))
    assert found["from"] == OWN.address.lower()
