"""Waiting until a sent transaction is mined, deep enough, or can never be.

Polls fast at first (a local node answers a send slightly before it has the receipt), then every
second or two. A receipt that disappears (a reorganised chain) is waited for again, and the same
bytes are offered again meanwhile. Faults of the node are waited out until ``patience`` is spent.
Nothing here signs or repeats anything new. Facts: chain.md §10, sandbox.md §7.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import (
    OutcomeUnknownError,
    TransportError,
    Web3ProviderCallError,
    Web3ProviderError,
)
from ..log import log

if TYPE_CHECKING:
    from ..net.rpc import Rpc

__all__ = ["is_known", "receipt_of", "wait_for_receipt"]


_FIRST_PAUSE, _LAST_PAUSE, _GROWTH = 0.02, 1.5, 1.4  # seconds
_NONCE_CHECK_FROM = 0.25  # pauses from which on it is worth asking whether the nonce went elsewhere
_NONCE_CHECKS = 4  # agreeing answers in a row: nodes behind one name may lag behind each other
_REPLACED_AFTER = 10.0  # seconds from the first of these: "replaced" lets a call be made anew
_RESEND_AFTER = 15.0  # seconds without a receipt


def receipt_of(answer: Any, tx_hash: str) -> dict[str, Any] | None:
    """A mined receipt, or None while there is none; an answer for something else is an error."""
    from ..net.rpc import quantity

    if answer is None:
        return None
    if not isinstance(answer, dict) or str(answer.get("transactionHash")).lower() != tx_hash:
        raise Web3ProviderCallError("the node answered the receipt of another transaction")
    if answer.get("blockNumber") is None:  # some nodes make receipts of pending transactions
        return None
    quantity(answer["blockNumber"], "blockNumber")
    if quantity(answer.get("status"), "status") > 1 or not isinstance(answer.get("logs"), list):
        raise Web3ProviderCallError("the node answered a receipt without usable status and logs")
    return answer


def is_known(rpc: Rpc, tx_hash: str) -> bool:
    """Whether the node has the transaction, mined or waiting."""
    asked = [("eth_getTransactionReceipt", (tx_hash,)), ("eth_getTransactionByHash", (tx_hash,))]
    answers = rpc.batch(asked)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    fields = ("transactionHash", "hash")
    return any(
        isinstance(answer, dict) and str(answer.get(name)).lower() == tx_hash
        for answer, name in zip(answers, fields, strict=True)
    )


def wait_for_receipt(
    rpc: Rpc,
    tx_hash: str,
    nonce: int,
    sender: str,
    *,
    confirms: int,
    timeout: float | None,
    patience: float,
    resend: Callable[[], None],
    others: Callable[[], Sequence[str]],
    sleep: Callable[[float], None],
    clock: Callable[[], float],
) -> dict[str, Any]:
    """The receipt, ``confirms`` blocks deep (1: just mined).

    ``OutcomeUnknownError`` after ``timeout`` seconds without, or ``patience`` seconds without a
    good answer; ``Web3ProviderCallError`` with detail ``replaced`` where another transaction took
    the nonce. ``resend`` offers the same bytes again and raises nothing. ``others`` gives the
    hashes of what may be mined in the place of ``tx_hash``; then the receipt is of that one.
    """
    started = last_answer = last_sent = clock()
    pause, taken, mined = _FIRST_PAUSE, 0, False
    taken_since = started
    watched = tx_hash
    while True:
        try:
            found, deep, used = _ask(rpc, watched, sender, confirms, pause >= _NONCE_CHECK_FROM)
            gone = found is None and used is not None and used > nonce
            rest = [each for each in others() if each != watched] if gone else []
            other = _mined(rpc, rest)
        except (TransportError, Web3ProviderError) as error:
            log.debug("waiting for %s: %s", tx_hash, error.code)
            if clock() - last_answer >= patience:
                text = f"no usable answer about it for {patience:g} s"
                raise _unknown(tx_hash, text, error) from error
        else:
            last_answer = clock()
            if found is not None and deep:
                return found
            if found is None and (mined or clock() - last_sent >= _RESEND_AFTER):
                log.debug("offering %s again", tx_hash)
                resend()
                last_sent = clock()
            mined = found is not None
            if other is not None:
                log.info("%s was mined in the place of %s", other, tx_hash)
                watched, gone, mined = other, False, True
            taken = taken + 1 if gone else 0
            if taken == 1:
                taken_since = clock()
            if taken >= _NONCE_CHECKS and clock() - taken_since >= _REPLACED_AFTER:
                raise Web3ProviderCallError(
                    f"transaction was replaced: another one of {sender} has nonce {nonce}",
                    details={"replaced": True},
                    tx_hash=tx_hash,
                )
        if timeout is not None and clock() - started >= timeout:
            raise _unknown(tx_hash, f"not confirmed within {timeout:g} s")
        sleep(pause)
        pause = min(_LAST_PAUSE, pause * _GROWTH)


def _ask(
    rpc: Rpc, tx_hash: str, sender: str, confirms: int, nonce_too: bool
) -> tuple[dict[str, Any] | None, bool, int | None]:
    """The receipt if mined, whether it is deep enough, and the account's nonce where asked."""
    from ..net.rpc import quantity

    asked: list[tuple[str, tuple[object, ...]]] = []
    if nonce_too:  # before the receipt: a transaction mined in between must not look replaced
        asked.append(("eth_getTransactionCount", (sender, "latest")))
    asked.append(("eth_getTransactionReceipt", (tx_hash,)))
    if confirms > 1:
        asked.append(("eth_blockNumber", ()))
    answers = rpc.batch(asked)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    used = quantity(answers.pop(0), "eth_getTransactionCount") if nonce_too else None
    found = receipt_of(answers[0], tx_hash)
    deep = found is not None
    if found is not None and confirms > 1:
        head = quantity(answers[1], "eth_blockNumber")
        deep = head - quantity(found["blockNumber"], "blockNumber") + 1 >= confirms
    return found, deep, used


def _mined(rpc: Rpc, hashes: Sequence[str]) -> str | None:
    """Which of these is mined, if one is."""
    answers = rpc.batch([("eth_getTransactionReceipt", (tx_hash,)) for tx_hash in hashes])
    for tx_hash, answer in zip(hashes, answers, strict=True):
        if isinstance(answer, Exception):
            raise answer
        if receipt_of(answer, tx_hash) is not None:
            return tx_hash
    return None


def _unknown(tx_hash: str, why: str, cause: BaseException | None = None) -> OutcomeUnknownError:
    return OutcomeUnknownError(
        f"the outcome of transaction {tx_hash} is unknown: {why}; it may still be mined. "
        "The same call again resumes it",
        cause=cause,
        retryable=True,
        tx_hash=tx_hash,
    )
