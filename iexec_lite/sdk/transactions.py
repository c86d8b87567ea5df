"""The one place that sends: from an intent to a confirmed receipt, once.

An intent is what the user meant, without what a call draws itself (salt, time, fee). It is
journaled with the signed bytes before they are sent; an identical intent of unknown outcome is
resumed, never repeated, and only signed bytes are ever sent again (design.md, "Transactions and the
journal").
Refused: a node on another chain than the record's (before the first signature), a signer that
returns something else than what it was given, calls that would revert. Facts: chain.md §10.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NoReturn

from ..errors import (
    ConfigurationError,
    IExecError,
    OutcomeUnknownError,
    SignatureError,
    StateError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
)
from ..eth.codec import address_to_bytes, to_hex
from ..eth.signer import KeySigner, SendingSigner, TransactionSigner
from ..eth.transaction import SignedTransaction, Transaction, parse
from ..frozen import replace
from ..log import log
from . import journal as states
from .broadcast import Broadcast, NonceTaken
from .confirmation import is_known, wait_for_receipt
from .entrusted import Asked, Search, ask
from .fees import Quote, quote
from .intent import (
    Accept,
    Expected,
    Finish,
    Intent,
    Prepare,
    Sent,
    expected_events,
    find_events,
)
from .lines import cancelled, is_cancellation, mined_entry, rule_out, waiting
from .replay import why_failed

if TYPE_CHECKING:
    from ..eth.signer import Signer
    from ..net.rpc import Rpc
    from ..protocol.chains import Chain
    from .journal import AccountJournal, Entry, Journal

__all__ = ["Expected", "Intent", "Sent", "Transactions"]

_NONCE_ATTEMPTS = 4  # of new bytes, while others take the nonce first
_NONCE_PAUSE = 0.2
_MAX_NONCE = 2**53  # far above any account's, far below what sqlite holds


class Transactions:
    """Sends for one signer on one chain; safe for threads, and with a file journal for processes.

    ``confirms``: blocks deep, 1 = mined. ``gas_price`` (wei) and ``get_transaction_count(address,
    block)`` replace what the node suggests. ``timeout``: seconds to wait for a transaction (None:
    for ever). ``patience``: seconds without a good answer.
    """

    def __init__(
        self,
        rpc: Rpc,
        chain: Chain,
        signer: Signer,
        *,
        journal: Journal,
        confirms: int = 1,
        gas_price: int | None = None,
        get_transaction_count: Callable[[str, str], int] | None = None,
        timeout: float | None = 900.0,
        patience: float = 300.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not _is_natural(confirms) or confirms < 1:
            raise ConfigurationError("invalid confirms: it must be an integer of at least 1")
        if gas_price is not None and not _is_natural(gas_price):
            raise ConfigurationError("Invalid gasPrice option, must be a number of wei")
        if get_transaction_count is not None and not callable(get_transaction_count):
            raise ConfigurationError("Invalid getTransactionCount option, must be a function")
        self.confirms = confirms
        self.timeout = timeout
        self.patience = patience
        self.rpc = rpc
        self.chain = chain
        self.signer = signer
        self._journal = journal
        # The price a chain prescribes beats the user's (chain.md §1.3).
        self._gas_price = gas_price if chain.gas_price is None else chain.gas_price
        self._count = get_transaction_count
        self._sleep, self._clock = sleep, clock
        self.broadcast = Broadcast(rpc, sleep)

    def __reduce__(self) -> NoReturn:
        raise TypeError("what holds a signer cannot be pickled or copied")

    @property
    def account(self) -> AccountJournal:
        """The journal of this signer on this chain."""
        return self._journal.account(self.chain.id, self.signer.address)

    def unfinished(self, intent: Intent) -> Entry | None:
        """The entry that an identical ``send`` would resume, if there is one; see its ``note``."""
        return self.account.left(intent.key)

    def quote(
        self,
        to: str | None,
        data: bytes = b"",
        *,
        value: int = 0,
        gas: int | None = None,
        gas_price: int | None = None,
    ) -> Quote:
        """Gas and fees of a transaction now; ``Web3ProviderSendError`` where it would revert."""
        self.check_chain()
        return quote(
            self.rpc,
            self.signer.address,
            to,
            data,
            value,
            gas_price=self._gas_price if gas_price is None else gas_price,
            gas=gas,
        )

    def send(
        self,
        intent: Intent,
        to: str | None,
        data: bytes | Prepare = b"",
        *,
        value: int = 0,
        expect: Expected | Sequence[Expected] | None = None,
        new: bool = False,
        note: Mapping[str, object] | None = None,
        quote: Quote | None = None,
        timeout: float | None = None,
        finish: Finish | None = None,
        accept: Accept | None = None,
    ) -> Sent:
        """Send ``data`` (and ``value`` wei) to ``to``, wait, and return the confirmed result.

        Where an identical intent was left with an unknown outcome, that transaction is resumed and
        nothing new is signed, unless ``new``. ``expect`` names events and their emitters. ``note``
        (JSON-able) is kept with the entry. ``quote`` replaces gas and fees. ``finish`` is what must
        come after the transaction before the intent counts as done: while it raises, the same call
        resumes it. ``data`` may be a function that gives data and note: it is called where nothing
        is resumed, without a lock, so it may ask a person. ``accept`` gets the note of what would
        be resumed, and raises where that must not be.

        ``Web3ProviderSendError``: nothing was sent. ``OutcomeUnknownError``: perhaps it was.
        ``Web3ProviderCallError`` with ``tx_hash``: mined, but failed, or without an expected event:
        then the same call looks again and sends nothing.
        """
        self._check_intent(intent)
        self.check_chain()
        account = self.account
        entry = None if new else self._take_left(account, intent, accept)
        resumed = entry is not None
        if entry is None:
            if callable(data):
                data, note = data()
            costs = quote or self.quote(to, data, value=value)
            with account.lock():
                entry = None if new else self._left(account, intent, accept)
                resumed = entry is not None
                if entry is None:
                    entry = self._submit(
                        account, intent, to=to, data=data, value=value, costs=costs, note=note
                    )
        longest = self.timeout if timeout is None else timeout
        return self._follow(
            account, entry, expected_events(expect), resumed, longest, finish=finish
        )

    # --- before --------------------------------------------------------------------------------

    def _check_intent(self, intent: Intent) -> None:
        address = self.signer.address
        if intent.chain_id != self.chain.id or intent.sender.lower() != address.lower():
            raise ValidationError(
                f"the intent is of {intent.sender} on chain {intent.chain_id}, "
                f"but the signer is {address} on chain {self.chain.id}"
            )

    def check_chain(self) -> None:
        """``ConfigurationError`` where the node is on another chain than the record's."""
        self.require_chain(self.rpc.chain_id())

    def require_chain(self, found: int) -> None:
        """``ConfigurationError`` unless ``found`` is the chain of the record."""
        if found != self.chain.id:
            raise ConfigurationError(
                f"the node {self.rpc.label} is on chain {found}, expected {self.chain.id} "
                f"({self.chain.name}): nothing was signed"
            )

    def _take_left(
        self, account: AccountJournal, intent: Intent, accept: Accept | None
    ) -> Entry | None:
        with account.lock():
            return self._left(account, intent, accept)

    def _left(self, account: AccountJournal, intent: Intent, accept: Accept | None) -> Entry | None:
        """An identical intent of unknown outcome, now ours. Call it under the lock."""
        entry = account.left(intent.key)
        if entry is None:
            return None
        if accept is not None:
            accept(entry.note or {})
        log.info("resuming transaction %s of an earlier call", entry.tx_hash)
        return account.take(entry)

    # --- sending: all under the account's lock --------------------------------------------------

    def _submit(
        self,
        account: AccountJournal,
        intent: Intent,
        *,
        to: str | None,
        data: bytes,
        value: int,
        costs: Quote,
        note: Mapping[str, object] | None,
    ) -> Entry:
        """Take a nonce, sign, write down, send. The entry that is now on its way."""
        attempts = _NONCE_ATTEMPTS if self._count is None else 1
        for attempt in range(attempts):
            transaction = Transaction(
                nonce=self._next_nonce(account),
                gas=costs.gas,
                to=None if to is None else address_to_bytes(to, name="to"),
                value=value,
                data=data,
                chain_id=self.chain.id,
                gas_price=costs.gas_price,
                max_fee_per_gas=costs.max_fee_per_gas,
                max_priority_fee_per_gas=costs.max_priority_fee_per_gas,
            )
            if not isinstance(self.signer, TransactionSigner):
                return self._entrust(account, intent, transaction, note)
            signed = self.sign(self.signer, transaction)
            tx_hash = to_hex(signed.hash)
            entry = account.add(
                intent.key,
                intent.to_dict(),
                transaction.nonce,
                tx_hash=tx_hash,
                raw=signed.raw,
                note=note,
            )
            try:
                if self._is_old(account, entry):
                    raise NonceTaken
                self.broadcast.send(tx_hash, signed.raw, in_doubt=False)
                return account.update(entry, state=states.SENT)
            except NonceTaken:
                account.update(entry, state=states.FAILED)
                self._sleep(_NONCE_PAUSE * 2**attempt)
            except BaseException as error:
                self.give_up(account, entry, error)
                raise
        raise Web3ProviderSendError(
            f"nonce has already been used, {attempts} times over: another program sends with "
            f"{self.signer.address}",
            retryable=True,
        )

    def _next_nonce(self, account: AccountJournal) -> int:
        """The node's count, past what is on its way; or what the user's own source says."""
        from ..net.rpc import quantity

        address = self.signer.address
        if self._count is not None:
            self.require_chain(quantity(self.rpc.request("eth_chainId"), "eth_chainId"))
            given = self._count(address, "pending")
            if not _is_natural(given) or given > _MAX_NONCE:
                raise ConfigurationError(f"getTransactionCount gave {given!r}, not a nonce")
            return given
        asked = [("eth_chainId", ()), ("eth_getTransactionCount", (address, "pending"))]
        answers = self.rpc.batch(asked)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        self.require_chain(quantity(answers[0], "eth_chainId"))  # it may have changed meanwhile
        nonce = quantity(answers[1], "eth_getTransactionCount")
        if nonce > _MAX_NONCE:
            raise Web3ProviderCallError(
                f"{self.rpc.label} gives the nonce {nonce:#x}, which cannot be right: check it"
            )
        for entry in sorted(account.pending(), key=lambda item: item.nonce):
            # A left entry that no node knows may never be sent: its nonce is free, and whichever
            # of the two is mined rules the other out. One of a wallet says little: it may have
            # taken another nonce.
            if entry.nonce >= nonce and (
                entry.live or (entry.raw is not None and self._is_known(entry.tx_hash))
            ):
                nonce = entry.nonce + 1
        return nonce

    def _is_old(self, account: AccountJournal, entry: Entry) -> bool:
        """Whether these very bytes were mined before: a node that lags gave an old nonce."""
        return any(
            other.tx_hash == entry.tx_hash and other.state == states.SETTLED
            for other in account.entries()
        )

    def _is_known(self, tx_hash: str | None) -> bool:
        return tx_hash is not None and is_known(self.rpc, tx_hash)

    def sign(self, signer: TransactionSigner, transaction: Transaction) -> SignedTransaction:
        """The transaction, signed; ``SignatureError`` where the signer signed another."""
        signed = signer.sign_transaction(transaction)
        if not isinstance(signer, KeySigner):
            expected = address_to_bytes(signer.address)
            if signed.transaction != transaction or parse(signed.raw).sender != expected:
                raise SignatureError("the signer returned another transaction: nothing was sent")
        return signed

    def _entrust(
        self,
        account: AccountJournal,
        intent: Intent,
        transaction: Transaction,
        note: Mapping[str, object] | None,
    ) -> Entry:
        """Have the signer send it: written down, asked once, then looked for on chain."""
        signer = self.signer
        if not isinstance(signer, SendingSigner):
            raise ConfigurationError(
                "this signer cannot sign transactions, nor send them: use a key, a keystore "
                "or a wallet"
            )
        from ..net.rpc import quantity

        head = self.rpc.request("eth_blockNumber")
        asked = Asked(
            sender=intent.sender,
            nonce=transaction.nonce,
            to=None if transaction.to is None else to_hex(transaction.to),
            value=transaction.value,
            data=transaction.data,
            since=quantity(head, "eth_blockNumber"),
        )
        kept = {**intent.to_dict(), "asked": asked.to_dict()}
        entry = account.add(intent.key, kept, transaction.nonce, note=note)
        tx_hash: str | None = None
        try:
            try:
                tx_hash = ask(signer, transaction)
            except Exception as error:
                if _is_certain(error):
                    raise
                log.debug("the answer of the signer is lost: %s", type(error).__name__)
                tx_hash = Search(self.rpc, account, entry, self._sleep).locate(error)
            log.info("sent %s", tx_hash)
            return account.update(entry, state=states.SENT, tx_hash=tx_hash)
        except BaseException as error:
            self.give_up(account, replace(entry, tx_hash=tx_hash), error)
            raise

    def give_up(self, account: AccountJournal, entry: Entry, error: BaseException) -> None:
        """Write down how it ended for us. Anything but a certain refusal leaves it unknown."""
        replaced = isinstance(error, Web3ProviderCallError) and "replaced" in error.details
        certain = replaced or _is_certain(error)
        if not certain and isinstance(error, IExecError) and error.tx_hash is None:
            error.tx_hash = entry.tx_hash  # it was signed, and money may have moved
        try:
            account.update(entry, state=states.FAILED if certain else states.UNKNOWN)
            for other in account.family(entry) if replaced else ():
                if other.pending:
                    account.update(other, state=states.FAILED)
        except StateError as problem:  # what happened counts more; the entry says "perhaps sent"
            log.warning("%s", problem.message)
        finally:
            account.leave(entry)

    # --- after ----------------------------------------------------------------------------------

    def _follow(
        self,
        account: AccountJournal,
        entry: Entry,
        expected: Sequence[Expected],
        resumed: bool,
        timeout: float | None,
        *,
        finish: Finish | None,
    ) -> Sent:
        """Wait for the entry's transaction, and what comes after it, and settle it."""
        try:
            if entry.raw is None:
                entry, receipt = self._entrusted_receipt(account, entry, timeout)
                mined = entry
            else:
                receipt = self.own_receipt(account, entry, resumed, timeout)
                mined = mined_entry(account, entry, receipt)
                if is_cancellation(mined):
                    account.update(mined, state=states.SETTLED)
                    rule_out(account, mined)
                    raise cancelled(entry, mined)
            tx_hash = str(mined.tx_hash)
            failed = int(receipt["status"], 16) == 0
            # Before it counts as done: a node that cuts the receipt must not make us send again.
            events = [] if failed else find_events(expected, receipt, tx_hash)
            if finish is not None and not failed:
                finish(tx_hash, entry.note or {})
            account.update(mined, state=states.FAILED if failed else states.SETTLED)
            rule_out(account, mined)
        except BaseException as error:
            self.give_up(account, entry, error)
            raise
        if failed:
            raise why_failed(self.rpc, self.signer.address, mined, receipt)
        log.info("confirmed %s", tx_hash)
        return Sent(
            tx_hash=tx_hash,
            receipt=receipt,
            events=events,
            resumed=resumed,
            note=entry.note,
        )

    def own_receipt(
        self, account: AccountJournal, entry: Entry, resumed: bool, timeout: float | None
    ) -> dict[str, Any]:
        """The receipt of bytes that we have, or of what was sent in their place.

        They may be offered again: of several the last, for which the most is paid.
        """

        def hashes() -> list[str]:
            return [str(each.tx_hash) for each in account.family(entry)]

        def last() -> Entry:
            return (waiting(account, entry) or [entry])[-1]

        def resend() -> None:
            with suppress(StateError):  # a journal that cannot be read now does not end the wait
                self.broadcast.again(last().raw or b"")

        tx_hash = str(entry.tx_hash)
        if resumed:
            offered, known = last(), [each for each in hashes() if self.broadcast.has_arrived(each)]
            if not known:
                self.broadcast.send(str(offered.tx_hash), offered.raw or b"", in_doubt=True)
            elif offered.tx_hash not in known:
                self.broadcast.again(offered.raw or b"")
            if known and tx_hash not in known:
                tx_hash = known[-1]
        return self._wait(tx_hash, entry.nonce, timeout, resend, others=hashes)

    def _entrusted_receipt(
        self, account: AccountJournal, entry: Entry, timeout: float | None
    ) -> tuple[Entry, dict[str, Any]]:
        """The receipt of what the signer sent, which must be what it was asked for."""
        search = Search(self.rpc, account, entry, self._sleep)
        if entry.tx_hash is None:
            entry = account.update(entry, state=states.SENT, tx_hash=search.locate())
        while True:
            tx_hash = str(entry.tx_hash)
            seen = search.is_seen(tx_hash, required=False)
            try:
                receipt = self._wait(tx_hash, entry.nonce, timeout, lambda: None)
            except Web3ProviderCallError as error:
                if "replaced" not in error.details:
                    raise
                other = search.replacement(tx_hash, error, certain=seen)
                entry = account.update(entry, tx_hash=other)
                continue
            search.is_seen(tx_hash, required=True)
            return entry, receipt

    def _wait(
        self,
        tx_hash: str,
        nonce: int,
        timeout: float | None,
        resend: Callable[[], None],
        others: Callable[[], Sequence[str]] = tuple,
    ) -> dict[str, Any]:
        return wait_for_receipt(
            self.rpc,
            tx_hash,
            nonce,
            self.signer.address,
            confirms=self.confirms,
            timeout=timeout,
            patience=self.patience,
            resend=resend,
            others=others,
            sleep=self._sleep,
            clock=self._clock,
        )


def _is_certain(error: BaseException) -> bool:
    """Whether it says that nothing was sent."""
    return isinstance(error, Web3ProviderSendError) and not isinstance(error, OutcomeUnknownError)


def _is_natural(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
