"""Does a signer keep what this library relies on? For the tests of whoever writes one.

Plain functions: each takes a signer, and the ones that send also the URL of a development node
(anvil, hardhat) where its account has some coin and automatic mining is on. ``AssertionError``, or
the ``SignatureError`` of a wrong signature, says what is wrong. The faults are the wallet's: give a
signer whose wallet has them, or put them there with :class:`Faulty`. See design.md, "Signers".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from .errors import (
    IExecError,
    OutcomeUnknownError,
    SignatureError,
    TransportError,
    Web3ProviderSendError,
    Web3ProviderSignMessageError,
)
from .eth.eip712 import TypedData
from .eth.signer import hash_message, verify_digest
from .frozen import replace

if TYPE_CHECKING:
    from .eth.signer import Signer
    from .sdk.transactions import Sent

__all__ = [
    "FAULTS",
    "Faulty",
    "check_lost_answer",
    "check_other_account",
    "check_other_nonce",
    "check_refusal",
    "check_sending",
    "check_signatures",
]

FAULTS = ("lost_answer", "refusal", "other_account", "other_nonce")
MESSAGE = bytes(range(256))
TYPED = TypedData.from_dict(
    {
        "types": {"Note": [{"name": "text", "type": "string"}, {"name": "n", "type": "uint256"}]},
        "primaryType": "Note",
        "domain": {"name": "iexec_lite.testing", "version": "1"},
        "message": {"text": "This is a test.", "n": str(2**200 + 1)},
    }
)


def check_signatures(signer: Signer) -> None:
    """Messages and typed data are signed by the account, as 65 bytes with v 27 or 28."""
    for digest, signature in (
        (hash_message(MESSAGE), signer.sign_message(MESSAGE)),
        (hash_message(b""), signer.sign_message(b"")),
        (TYPED.digest, signer.sign_typed_data(TYPED)),
    ):
        _expect(isinstance(signature, bytes), f"a signature must be bytes: {type(signature)}")
        _expect(len(signature) == 65, f"a signature must have 65 bytes: {len(signature)}")
        _expect(signature[64] in (27, 28), f"v must be 27 or 28: {signature[64]}")
        verify_digest(signer.address, digest, signature)


def check_sending(signer: Signer, node: str) -> None:
    """A transaction arrives, once, from the account, as it was asked for."""
    with _bench(signer, node) as bench:
        sent = bench.send()
        _expect(bench.arrived() == 1, f"{bench.arrived()} transactions arrived instead of one")
        found = bench.rpc.request("eth_getTransactionByHash", (sent.tx_hash,))
        _expect(found["from"] == signer.address.lower(), f"it came from {found['from']}")
        _expect((found["to"], found["value"]) == (found["from"], "0x1"), "it was changed")


def check_refusal(signer: Signer, node: str) -> None:
    """A person says no: flagged as such, nothing arrives, and nothing stays open."""
    asked: tuple[tuple[Callable[[], object], type[IExecError]], ...]
    with _bench(signer, node) as bench:
        asked = (
            (lambda: signer.sign_message(MESSAGE), Web3ProviderSignMessageError),
            (lambda: signer.sign_typed_data(TYPED), Web3ProviderSignMessageError),
            (bench.send, Web3ProviderSendError),
        )
        for act, kind in asked:
            error = _failure(act)
            _expect(isinstance(error, kind), f"{kind.__name__} expected: {error!r}")
            _expect(not isinstance(error, OutcomeUnknownError), "a refusal is certain")
            _expect(getattr(error, "is_user_rejection", False), f"not flagged: {error!r}")
        _expect(bench.arrived() == 0, "it was sent all the same")
        _expect(bench.pending() == 0, "the refused transaction still counts as under way")


def check_lost_answer(signer: Signer, node: str) -> None:
    """The signer's answer is lost: found on chain or told as unknown, and never sent again."""
    with _bench(signer, node) as bench:
        for _ in range(3):
            try:
                bench.send()
            except IExecError as error:
                unknown = isinstance(error, OutcomeUnknownError)
                _expect(unknown or not bench.arrived(), f"it was sent, but this is told: {error!r}")
            else:
                break
        _expect(bench.arrived() <= 1, "it was sent more than once")


def check_other_account(signer: Signer, node: str) -> None:
    """Another account signs than the one asked for: noticed before anything is used."""
    from .protocol.detached import SigningRequest

    for payload in (MESSAGE, TYPED):
        request = SigningRequest(what="a test", address=signer.address, chain_id=1, payload=payload)
        error = _failure(partial(request.sign, signer))
        _expect(isinstance(error, SignatureError), f"SignatureError expected: {error!r}")
    _check_not_ours(signer, node)


def check_other_nonce(signer: Signer, node: str) -> None:
    """The transaction gets another nonce than the one asked for: noticed, and said."""
    _check_not_ours(signer, node)


def _check_not_ours(signer: Signer, node: str) -> None:
    """Not taken for ours: refused before the send, or told with the hash of what was sent."""
    with _bench(signer, node) as bench:
        for _ in range(2):  # the second call looks again, and asks nobody
            error = _failure(bench.send)
            refused = isinstance(error, SignatureError) and bench.arrived() == 0
            told = isinstance(error, OutcomeUnknownError) and error.tx_hash is not None
            _expect(refused or told, f"another transaction was taken for ours: {error!r}")


class Faulty:
    """A signer with one of ``FAULTS``; ``other`` is the account that signs instead."""

    def __init__(self, signer: Signer, fault: str, other: Signer | None = None) -> None:
        self.address = signer.address
        self.asked = 0  # how often
        self._fault = fault
        self._signer = other if other is not None else signer
        for name in ("sign_transaction", "send_transaction"):
            if hasattr(self._signer, name):  # what it cannot do, this cannot do either
                setattr(self, name, partial(self._do, name))

    def sign_message(self, message: bytes) -> bytes:
        """As the signer does it, with the fault."""
        return self._do("sign_message", message)  # type: ignore[no-any-return]

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        """As the signer does it, with the fault."""
        return self._do("sign_typed_data", typed_data)  # type: ignore[no-any-return]

    def _do(self, name: str, what: Any) -> Any:
        self.asked += 1
        if self._fault == "refusal":
            kind = (
                Web3ProviderSendError
                if name.endswith("transaction")
                else Web3ProviderSignMessageError
            )
            error = kind("the test says no")
            error.is_user_rejection = True
            raise error
        if self._fault == "other_nonce" and name.endswith("transaction"):
            what = replace(what, nonce=what.nonce + 1)
        answer = getattr(self._signer, name)(what)
        if self._fault == "lost_answer":
            raise TransportError("the test has lost the answer", retryable=True)
        return answer


def _expect(holds: bool, text: str) -> None:
    """As ``assert``, but also under ``python -O``."""
    if not holds:
        raise AssertionError(text)


def _failure(act: Callable[[], object]) -> IExecError:
    try:
        act()
    except IExecError as error:
        return error
    raise AssertionError("it went through, though it must not")


class _Bench:
    """One intent of one signer (1 wei to itself) on a development node."""

    def __init__(self, signer: Signer, node: str) -> None:
        from .net.rpc import Rpc
        from .protocol.chains import Chain
        from .sdk.journal import MemoryJournal
        from .sdk.transactions import Intent, Transactions

        self.rpc = Rpc(node)
        chain = self.rpc.chain_id()
        self._address = signer.address
        self._journal = MemoryJournal()
        self._transactions = Transactions(
            self.rpc, Chain(id=chain), signer, journal=self._journal, timeout=20, patience=20
        )
        self._intent = Intent(chain_id=chain, sender=self._address, operation="signer test")
        self._before = self._count()

    def send(self) -> Sent:
        return self._transactions.send(self._intent, self._address, value=1)

    def arrived(self) -> int:
        return self._count() - self._before

    def pending(self) -> int:
        return len(self._transactions.account.pending())

    def _count(self) -> int:
        found = self.rpc.request("eth_getTransactionCount", (self._address, "latest"))
        return int(found, 16)


@contextmanager
def _bench(signer: Signer, node: str) -> Iterator[_Bench]:
    bench = _Bench(signer, node)
    try:
        yield bench
    finally:
        bench.rpc.close()
