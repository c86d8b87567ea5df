"""Sending in the place of one's own pending transaction: the same at a higher price, or nothing.

The nonce stays, so at most one of them is mined, and no money moves twice. What replaces is written
into the journal beside what it replaces (``lines.py``), under the lock under which all is sent.

The result belongs to the call that meant it. A sped-up transaction therefore stays pending here
until that call has seen what was mined: while it waits, or when it is made again. So nobody
who is told "outcome unknown", raises the price and calls again does it twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError, StateError, ValidationError, Web3ProviderSendError
from ..eth.codec import address_to_bytes, to_hex
from ..eth.signer import TransactionSigner
from ..eth.transaction import Transaction, parse
from ..log import log
from . import fees
from .broadcast import NonceTaken
from .confirmation import receipt_of
from .intent import Intent
from .journal import FAILED, REPLACES, SENT, SETTLED
from .lines import CANCEL, cancelled, is_cancellation, mined_entry, rule_out
from .replay import why_failed
from .transactions import Transactions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .fees import Quote
    from .journal import AccountJournal, Entry

__all__ = ["Replacement"]


class Replacement:
    """Replaces transaction ``tx_hash`` of the journal; with ``cancel`` by one that does nothing.

    ``gas_price``: wei per gas; by default what the node suggests, and at least what makes nodes
    take it.
    """

    def __init__(
        self,
        transactions: Transactions,
        tx_hash: str,
        *,
        cancel: bool,
        gas_price: int | None = None,
    ) -> None:
        self._transactions = transactions
        self._tx_hash = tx_hash
        self._cancel = cancel
        self._gas_price = gas_price

    def send(self, timeout: float | None = None) -> str:
        """Send it, wait, and return the hash of what was mined.

        A call of unknown outcome is resumed by the same call, which signs nothing. ``StateError``:
        it is not pending, or was mined before it could be cancelled (``tx_hash``).
        """
        transactions = self._transactions
        signer = self._signer()
        transactions.check_chain()
        account = transactions.account
        with account.lock():
            target = self._target(account)
            entry = self._left(account, target)
            resumed = entry is not None
            if entry is not None:
                log.info("resuming transaction %s of an earlier call", entry.tx_hash)
                entry = account.take(entry)
            else:
                self._check_pending(account, target)
                transaction = self._transaction(account, target)
                self._check_chain(account, target)
                signed = transactions.sign(signer, transaction)
                key, intent, note = self._meaning(target)
                entry = account.add(
                    key,
                    intent,
                    target.nonce,
                    tx_hash=to_hex(signed.hash),
                    raw=signed.raw,
                    note=note,
                )
                entry = self._broadcast(account, entry, signed.raw)
        return self._follow(account, entry, resumed, timeout)

    # --- what is replaced ------------------------------------------------------------------------

    def _signer(self) -> TransactionSigner:
        transactions = self._transactions
        if not isinstance(transactions.signer, TransactionSigner):
            raise ConfigurationError(
                "this wallet sends by itself: speed up or cancel the transaction in the wallet"
            )
        if transactions.chain.gas_price is not None:
            raise StateError(
                f"the price of gas on {transactions.chain.name} is {transactions.chain.gas_price} "
                "wei for everybody: there is nothing to raise, wait for the transaction"
            )
        return transactions.signer

    def _target(self, account: AccountJournal) -> Entry:
        found = [each for each in account.entries() if each.tx_hash == self._tx_hash]
        if not found:
            transactions = self._transactions
            raise StateError(
                f"no transaction {self._tx_hash} of {transactions.signer.address} on "
                f"{transactions.chain.name} is in this journal: only what was sent with it can be "
                "replaced"
            )
        target = found[-1]
        if target.raw is None:
            raise StateError(
                f"transaction {self._tx_hash} was sent by a wallet: speed up or cancel it there",
                tx_hash=self._tx_hash,
            )
        if self._cancel and is_cancellation(target):
            raise StateError(
                f"transaction {self._tx_hash} is a cancellation itself: it can be sped up",
                tx_hash=self._tx_hash,
            )
        return target

    def _left(self, account: AccountJournal, target: Entry) -> Entry | None:
        """What the same call sent before, with an unknown outcome."""
        newer = [each for each in account.family(target) if each.id > target.id and each.pending]
        if not self._cancel and not is_cancellation(target):
            stopping = next(filter(is_cancellation, newer), None)
            if stopping is not None:
                raise StateError(
                    f"transaction {self._tx_hash} is being cancelled by {stopping.tx_hash}: that "
                    "one can be sped up",
                    tx_hash=stopping.tx_hash,
                )
        if self._cancel:
            newer = [each for each in newer if is_cancellation(each)]
        if not newer:
            return None
        last = newer[-1]
        if last.live:
            raise StateError(
                f"{last.tx_hash} is on its way in the place of {self._tx_hash}, and somebody waits "
                "for it: that one can be sped up",
                tx_hash=last.tx_hash,
            )
        same = self._gas_price in (None, parse(last.raw or b"").transaction.gas_price)
        return last if same else None

    def _check_pending(self, account: AccountJournal, target: Entry) -> None:
        """By the journal, which has given the nonce of what no node knew to the next."""
        if target.pending:
            for each in account.pending():
                if each.nonce == target.nonce and each.line != target.line and each.id > target.id:
                    raise StateError(
                        f"no node had transaction {self._tx_hash} when its nonce was given to "
                        f"another, {each.tx_hash}: wait for that one, or replace it",
                        tx_hash=each.tx_hash,
                    )
            return
        for each in account.family(target):
            if each.state == SETTLED:
                raise self._too_late(each)
            if each.pending:
                raise StateError(
                    f"transaction {each.tx_hash} has taken the place of {self._tx_hash}",
                    tx_hash=each.tx_hash,
                )
        raise StateError(
            f"transaction {self._tx_hash} has failed and cannot be mined any more: there is "
            "nothing to replace",
            tx_hash=self._tx_hash,
        )

    def _check_chain(self, account: AccountJournal, target: Entry) -> None:
        """Before the signature: it is the same chain still, and nothing of the line is mined."""
        from ..net.rpc import quantity

        family = account.family(target)
        asked: list[tuple[str, tuple[object, ...]]] = [("eth_chainId", ())]
        asked += [("eth_getTransactionReceipt", (each.tx_hash,)) for each in family]
        answers = self._transactions.rpc.batch(asked)
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        self._transactions.require_chain(quantity(answers[0], "eth_chainId"))
        for each, answer in zip(family, answers[1:], strict=True):
            if receipt_of(answer, str(each.tx_hash)) is not None:
                raise self._too_late(each)

    def _too_late(self, mined: Entry) -> StateError:
        found = f"transaction {mined.tx_hash} is mined"
        if mined.tx_hash != self._tx_hash:
            found += f" in the place of {self._tx_hash}"
        what = "cancelled" if self._cancel else "sped up"
        return StateError(f"{found}: too late to be {what}", tx_hash=mined.tx_hash)

    def _meaning(
        self, target: Entry
    ) -> tuple[str, Mapping[str, object], Mapping[str, object] | None]:
        """Key, intent and note of the new entry."""
        first = target.line[1]
        if not self._cancel:
            return target.key, {**target.intent, REPLACES: first}, target.note
        intent = Intent(
            chain_id=self._transactions.chain.id,
            sender=self._transactions.signer.address,
            operation=CANCEL,
            arguments={"txHash": first},
        )
        return intent.key, {**intent.to_dict(), REPLACES: first}, None

    # --- what is sent ----------------------------------------------------------------------------

    def _transaction(self, account: AccountJournal, target: Entry) -> Transaction:
        old = parse(target.raw or b"")
        transactions, sender = self._transactions, self._transactions.signer.address
        if old.sender != address_to_bytes(sender) or old.transaction.chain_id not in (
            None,
            transactions.chain.id,
        ):
            raise StateError(f"transaction {self._tx_hash} is of another account or chain")
        to, value, data = old.transaction.to, old.transaction.value, old.transaction.data
        if self._cancel:
            to, value, data = address_to_bytes(sender), 0, b""
        costs = transactions.quote(
            None if to is None else to_hex(to),
            data,
            value=value,
            gas=None if self._cancel else old.transaction.gas,
            gas_price=self._gas_price,
        )
        rivals = [
            parse(each.raw or b"").transaction
            for each in account.family(target)
            if each.state != FAILED
        ]
        costs = raised(costs, rivals, self._gas_price)
        return Transaction(
            nonce=target.nonce,
            gas=costs.gas,
            to=to,
            value=value,
            data=data,
            chain_id=transactions.chain.id,
            gas_price=costs.gas_price,
            max_fee_per_gas=costs.max_fee_per_gas,
            max_priority_fee_per_gas=costs.max_priority_fee_per_gas,
        )

    def _broadcast(self, account: AccountJournal, entry: Entry, raw: bytes) -> Entry:
        transactions = self._transactions
        try:
            transactions.broadcast.send(str(entry.tx_hash), raw, in_doubt=False)
        except NonceTaken as taken:
            if getattr(taken.__cause__, "kind", "") != "nonce_too_low":
                account.update(entry, state=FAILED)
                raise Web3ProviderSendError(
                    f"the node wants more for a replacement of {self._tx_hash}: offer a higher "
                    "gas_price",
                    retryable=True,
                ) from taken.__cause__
            return entry  # another was mined meanwhile: waiting will tell which
        except BaseException as error:
            transactions.give_up(account, entry, error)
            raise
        return account.update(entry, state=SENT)

    # --- after -----------------------------------------------------------------------------------

    def _follow(
        self, account: AccountJournal, entry: Entry, resumed: bool, timeout: float | None
    ) -> str:
        transactions = self._transactions
        longest = transactions.timeout if timeout is None else timeout
        try:
            receipt = transactions.own_receipt(account, entry, resumed, longest)
            mined = mined_entry(account, entry, receipt)
            failed = int(receipt["status"], 16) == 0
            _write_down(account, entry, mined, failed)
        except BaseException as error:
            transactions.give_up(account, entry, error)
            raise
        if is_cancellation(mined) and not is_cancellation(entry):
            raise cancelled(entry, mined)
        if is_cancellation(entry) and not is_cancellation(mined):
            raise self._too_late(mined)
        if failed:
            raise why_failed(transactions.rpc, transactions.signer.address, mined, receipt)
        log.info("confirmed %s", mined.tx_hash)
        return str(mined.tx_hash)


def _write_down(account: AccountJournal, entry: Entry, mined: Entry, failed: bool) -> None:
    """What is ruled out has failed. What was mined is left to the call that meant it."""
    if is_cancellation(mined):  # of which all that there was to know is known
        account.update(mined, state=SETTLED)
        rule_out(account, mined)
        return
    if failed:
        account.update(mined, state=FAILED)
    for other in account.family(mined):
        # Who still works on the first of them will see it: until then it stands for the intent.
        if other.pending and other.id != mined.id and (other.id == entry.id or not other.live):
            account.update(other, state=FAILED)
    if mined.id == entry.id:
        account.leave(entry)


def raised(costs: Quote, rivals: Sequence[Transaction], gas_price: int | None) -> Quote:
    """``costs`` with fees that make nodes take it in the place of ``rivals``.

    ``ValidationError`` where the user's ``gas_price`` is too low, naming the least.
    """
    fee, tip = (
        max(
            _more(each.gas_price if each.gas_price is not None else getattr(each, name))
            for each in rivals
        )
        for name in ("max_fee_per_gas", "max_priority_fee_per_gas")
    )
    if gas_price is not None and gas_price < fee:
        raise ValidationError(
            f"gas_price {gas_price} wei is too low to replace a transaction: at least {fee} wei"
        )
    if costs.gas_price is not None:
        return fees.Quote(gas=costs.gas, gas_price=max(costs.gas_price, fee))
    tip = max(tip, costs.max_priority_fee_per_gas or 0)
    return fees.Quote(
        gas=costs.gas,
        max_fee_per_gas=max(costs.max_fee_per_gas or 0, fee, tip),
        max_priority_fee_per_gas=tip,
    )


def _more(price: int) -> int:
    """12.5 % more, rounded up, and more in any case: nodes demand 10 %."""
    return max(price + 1, -(-price * 9 // 8))
