"""A bridge between a token sandbox and a native one: two contracts, and who carries between them.

The contracts are our own (``contracts/Bridges.sol``) with the interface and the events of iExec's
(chain.md §8.1). :class:`Bridge` plays the validators: what comes to one end it has paid out at the
other, to the same address, once: the contracts refuse a second payment for the same transaction, so
a relay that was killed can start over. Both ends have money of their own to pay with.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from typing import TYPE_CHECKING, Any

from ..errors import IExecError, SandboxError
from ..eth import abi, rlp
from ..eth.codec import address_to_bytes, checksum_address, from_hex
from ..eth.crypto import keccak
from ..eth.signer import KeySigner
from ..net.rpc import quantity
from ..protocol import units
from ..protocol.contracts import TOKEN, EventSpec, Method
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Transactions
from . import accounts

if TYPE_CHECKING:
    from .stack import Sandbox

__all__ = ["DAILY", "LEAST", "MOST", "Bridge"]

RLC = 10**9  # nRLC
LEAST, MOST, DAILY = 1 * RLC, 100_000 * RLC, 300_000 * RLC  # nRLC that may be sent
FUNDS = 50_000 * RLC  # nRLC that the token end has at first; it counts as sent that day
NATIVE_FUNDS = 1_000_000 * RLC
VALIDATOR = KeySigner.from_key(hashlib.sha256(b"iexec_lite sandbox bridge").digest())

PAID = Method("paid(bytes32 transactionHash) view returns (bool)")
REQUESTED = EventSpec("UserRequestForSignature(address recipient, uint256 value)")

log = logging.getLogger("iexec_lite.sandbox")


@dataclass(slots=True)
class _End:
    """One chain of the bridge: its contract, how money comes to it and how it pays."""

    sandbox: Sandbox
    contract: str
    transactions: Transactions
    pay: Method
    emitter: str  # of the event that tells of money
    event: EventSpec
    topics: list[str | None]
    next_block: int = 0

    @property
    def native(self) -> bool:
        return self.sandbox.chain.native


class Bridge:
    """Deployed when it is made. ``token`` and ``native`` get records that know of each other."""

    def __init__(
        self, token: Sandbox, native: Sandbox, *, report: Callable[[str], None] | None = None
    ) -> None:
        self._report = report or log.info
        foreign, home = _deploy(token, "ForeignBridge"), _deploy(native, "HomeBridge")
        _connect(token, foreign, native)
        _connect(native, home, token)
        rlc, receiver = str(token.chain.token), "0x" + foreign[2:].lower().rjust(64, "0")
        self._ends = (
            _End(
                sandbox=token,
                contract=foreign,
                transactions=_sender(token),
                pay=Method("relayMessage(address recipient, uint256 value, bytes32 source)"),
                emitter=rlc,
                event=TOKEN.Transfer,
                topics=[TOKEN.Transfer.topic, None, receiver],
            ),
            _End(
                sandbox=native,
                contract=home,
                transactions=_sender(native),
                pay=Method("executeAffirmation(address recipient, uint256 value, bytes32 source)"),
                emitter=home,
                event=REQUESTED,
                topics=[REQUESTED.topic],
            ),
        )

    def run_once(self) -> int:
        """Carry over what came since last time; how many transfers were paid out."""
        token, native = self._ends
        return self._carry(token, native) + self._carry(native, token)

    def reset(self) -> None:
        """Both chains were set back: only what comes from now on is carried over."""
        for end in self._ends:
            end.next_block = _head(end.sandbox) + 1
            end.transactions = _sender(end.sandbox)  # what it remembers has not happened

    def _carry(self, source: _End, target: _End) -> int:
        head = _head(source.sandbox)
        if head < source.next_block:
            return 0
        query = {
            "address": source.emitter,
            "topics": source.topics,
            "fromBlock": hex(source.next_block),
            "toBlock": hex(head),
        }
        carried = 0
        for entry in source.sandbox.node.rpc.request("eth_getLogs", (query,)):
            found = source.event.decode(entry)
            sender = str(found["recipient" if source.native else "from"])
            if sender != VALIDATOR.address:  # its own is the money to pay with
                carried += self._pay(target, entry["transactionHash"], sender, found["value"])
        source.next_block = head + 1
        return carried

    def _pay(self, target: _End, tx_hash: str, recipient: str, value: object) -> int:
        """Pay out one transfer; 0 where that was done before, or the contract refuses."""
        rpc = target.sandbox.node.rpc
        if PAID.decode(rpc.call(target.contract, PAID.encode(tx_hash))):
            return 0
        amount = int(str(value))
        # nRLC on the token side, wei on the other
        paid = units.nrlc_to_wei(amount) if target.native else units.wei_to_nrlc(amount)
        intent = Intent(
            chain_id=target.sandbox.chain.id,
            sender=VALIDATOR.address,
            operation="sandbox bridge",
            arguments={"source": tx_hash},
        )
        call = target.pay.encode(recipient, paid, tx_hash)
        try:
            target.transactions.send(intent, target.contract, call)
        except IExecError as error:
            if error.retryable:
                raise
            self._report(f"the bridge cannot pay for {tx_hash}: {error.message}")
            return 0
        self._report(f"the bridge has paid for {tx_hash}")
        return 1


def _head(sandbox: Sandbox) -> int:
    return quantity(sandbox.node.rpc.request("eth_blockNumber"), "eth_blockNumber")


def _sender(sandbox: Sandbox) -> Transactions:
    return Transactions(sandbox.node.rpc, sandbox.chain, VALIDATOR, journal=MemoryJournal())


def _connect(sandbox: Sandbox, contract: str, other: Sandbox) -> None:
    sandbox.chain = replace(
        sandbox.chain,
        bridge_contract=contract,
        bridged_chain=other.chain.name,
        bridged_chain_id=other.chain.id,
    )


def _deploy(sandbox: Sandbox, name: str) -> str:
    """The contract of one end, unless a kept chain has it: the address follows from its maker."""
    native = sandbox.chain.native
    validator = address_to_bytes(VALIDATOR.address)
    known = checksum_address(keccak(rlp.encode([validator, b""]))[12:])  # of its first transaction
    if sandbox.node.rpc.request("eth_getCode", (known, "latest")) != "0x":
        return known
    gas = 0 if native else 10**21  # wei
    sandbox.node.set_balances({VALIDATOR.address: gas + units.nrlc_to_wei(NATIVE_FUNDS)})
    scale = units.nrlc_to_wei if native else int
    limits = [scale(each) for each in (LEAST, MOST, DAILY)]
    token = [] if native else [address_to_bytes(str(sandbox.chain.token))]
    types = ["address"] * len(token) + ["uint256"] * 3
    code = from_hex(_bytecode()[name]) + abi.encode(types, [*token, *limits])
    send = _sender(sandbox).send
    value = units.nrlc_to_wei(NATIVE_FUNDS) if native else 0
    receipt = send(_step(sandbox, VALIDATOR, f"create {name}"), None, code, value=value).receipt
    contract = checksum_address(address_to_bytes(receipt["contractAddress"]))
    if contract != known:
        raise SandboxError(f"the bridge came out at {contract}, not at {known}")
    if not native:
        _fund(sandbox, contract)
    return contract


def _fund(sandbox: Sandbox, contract: str) -> None:
    """RLC for the token end, by way of the validator, whose transfers are not carried over."""
    admin, rlc = accounts.signer("admin"), str(sandbox.chain.token)
    first = Transactions(sandbox.node.rpc, sandbox.chain, admin, journal=MemoryJournal())
    call = TOKEN.transfer.encode(VALIDATOR.address, FUNDS)
    first.send(_step(sandbox, admin, "fund the validator"), rlc, call)
    call = TOKEN.transfer.encode(contract, FUNDS)
    _sender(sandbox).send(_step(sandbox, VALIDATOR, "fund the bridge"), rlc, call)


def _step(sandbox: Sandbox, signer: KeySigner, what: str) -> Intent:
    return Intent(
        chain_id=sandbox.chain.id,
        sender=signer.address,
        operation="sandbox bridge",
        arguments={"what": what},
    )


def _bytecode() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("contracts/bridges.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
