"""A signer whose key is elsewhere: in a node, or in a wallet that asks a person.

Everything goes by JSON-RPC: ``eth_accounts`` (``eth_requestAccounts``), ``eth_signTypedData_v4``
(``_v3`` where that method is unknown), ``personal_sign``, ``eth_sendTransaction``. Signatures are
recovered before use. A person may take minutes: long time limit, and nothing is ever asked twice,
not even a read. Refused: a wallet on another chain than the transaction's, another account's
signature. Spec: api.md (Construction), design.md (Signers).
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Sequence
from typing import Any, NoReturn

from ..errors import (
    ConfigurationError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
    Web3ProviderSignMessageError,
)
from ..eth.codec import address_to_bytes, checksum_address, to_hex
from ..eth.eip712 import TypedData
from ..eth.signer import hash_message, proved_signature
from ..eth.transaction import Transaction
from .http import Http
from .in_process import URL, Call, InProcess
from .rpc import Rpc, data, quantity
from .rpc_error import RpcError

__all__ = ["RpcSigner"]

_PATIENCE = 600.0  # seconds for a person to decide
_REJECTED_CODES = frozenset((4001, 4100))  # EIP-1193: rejected, not authorized
_REJECTED = re.compile(
    r"ACTION_REJECTED|user (rejected|denied|declined|cancell?ed|disapproved)"
    r"|(rejected|denied|declined|cancell?ed) by (the )?user|\brequest denied\b",
    re.IGNORECASE,
)
_UNKNOWN_CODES = frozenset((-32601, 4200, -32004))  # JSON-RPC, EIP-1193, EIP-1474
_UNKNOWN = re.compile(
    r"method.*(not (found|supported|available|implemented)|does not exist|unknown|unsupported)"
    r"|(unknown|unsupported) method|^not implemented$",
    re.IGNORECASE,
)
# Said before anything is signed: wallets without this account, or that are locked.
_LOCKED = re.compile(
    r"unknown (account|address)|no signer|authentication needed|(account|wallet) is locked",
    re.IGNORECASE,
)
_NOT_SENT = frozenset(("insufficient_funds", "nonce_too_low", "refused", "underpriced"))


class RpcSigner:
    """An account of a node or wallet: ``RpcSigner("http://127.0.0.1:8545")``.

    ``node`` is an http(s) URL, or a function ``(method, params) -> result``. ``address`` chooses
    the account; without it the first that the wallet shows, asked for at first use. ``timeout``:
    seconds for one answer, a person's thinking included. Nothing is contacted when it is built.
    """

    def __init__(
        self,
        node: str | Call,
        address: str | None = None,
        *,
        timeout: float = _PATIENCE,
        ca_file: str | None = None,
        allow_plain_http: bool = False,
    ) -> None:
        self._http = Http(timeout=timeout, ca_file=ca_file, allow_plain=allow_plain_http, retries=0)
        if callable(node):
            self._rpc = Rpc(URL, http=InProcess(node))
        else:
            self._rpc = Rpc(node, http=self._http)
        self._address = None if address is None else _checked(address)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def __repr__(self) -> str:
        return f"<RpcSigner {self._address or 'of the first account'} at {self._rpc.label}>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise ValidationError("a signer cannot be copied or pickled: make another instead")

    @property
    def address(self) -> str:
        """EIP-55 address; the first use may ask the wallet, and the wallet a person."""
        with self._lock:
            if self._address is None:
                self._address = self._first_account()
            return self._address

    def _first_account(self) -> str:
        """What the wallet shows by itself, else what it shows when asked to."""
        found: object = None
        for method in ("eth_accounts", "eth_requestAccounts"):
            try:
                found = self._rpc.request(method)
            except RpcError as error:
                if _is_rejection(error) and method == "eth_requestAccounts":
                    raise _sign_error(error) from error
                if not (_is_rejection(error) or _is_unknown(error)):
                    raise
            if isinstance(found, list) and found:
                return _checked(found[0])
        raise ConfigurationError(
            f"{self._rpc.label} shows no account: unlock one, or allow this program to use it"
        )

    # --- signatures ---------------------------------------------------------------------------

    def sign_message(self, message: bytes) -> bytes:
        """65 bytes r, s, v over the EIP-191 hash of ``message``, recovered before they are used.

        ``Web3ProviderSignMessageError`` where the wallet refuses, ``SignatureError`` where another
        account signed.
        """
        digest = hash_message(message)
        return self._proved("personal_sign", (to_hex(message), self.address), digest)

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        """65 bytes r, s, v over the EIP-712 digest; errors as for :meth:`sign_message`."""
        if not isinstance(typed_data, TypedData):
            raise ValidationError(
                "typed data must be a TypedData: make it with TypedData.from_dict"
            )
        params = (self.address, json.dumps(typed_data.to_dict()))
        try:
            return self._proved("eth_signTypedData_v4", params, typed_data.digest)
        except Web3ProviderSignMessageError as error:
            if not (isinstance(error.cause, RpcError) and _is_unknown(error.cause)):
                raise
        return self._proved("eth_signTypedData_v3", params, typed_data.digest)

    def _proved(self, method: str, params: Sequence[object], digest: bytes) -> bytes:
        try:
            answer = data(self._rpc.request(method, params), method)
        except RpcError as error:
            raise _sign_error(error) from error
        except Web3ProviderCallError as error:
            raise Web3ProviderSignMessageError(error.message, cause=error) from error
        return proved_signature(self.address, digest, answer)

    # --- transactions -------------------------------------------------------------------------

    def send_transaction(self, transaction: Transaction) -> bytes:
        """The hash, 32 bytes, of what the wallet says it sent. Asks once, on its own chain.

        ``Web3ProviderSendError``: surely not sent. Any other error: perhaps sent.
        """
        fields = _fields(self.address, transaction)
        self._check_chain(transaction)
        try:
            answer = self._rpc.request("eth_sendTransaction", (fields,))
        except RpcError as error:
            refused = _is_rejection(error)
            if refused or error.kind in _NOT_SENT or _is_unknown(error) or _is_locked(error):
                problem = Web3ProviderSendError(
                    error.message, details=error.details, retryable=error.retryable
                )
                problem.is_user_rejection = refused
                raise problem from error
            raise
        return data(answer, "the hash of the transaction", length=32)

    def _check_chain(self, transaction: Transaction) -> None:
        """The wallet's chain, asked each time: a person may have switched it."""
        try:
            found = quantity(self._rpc.request("eth_chainId"), "eth_chainId")
        except (TransportError, Web3ProviderCallError) as error:
            raise Web3ProviderSendError(
                f"the wallet was not asked, its chain is unknown: {error.message}",
                cause=error,
                retryable=error.retryable,
            ) from error
        if found != transaction.chain_id:
            raise Web3ProviderSendError(
                f"the wallet is on chain {found}, the transaction is for {transaction.chain_id}: "
                "switch the wallet, it was not asked"
            )


def _fields(sender: str, transaction: Transaction) -> dict[str, str]:
    """``eth_sendTransaction``'s form. The fees decide the type, as they do here."""
    numbers = {
        "nonce": transaction.nonce,
        "gas": transaction.gas,
        "value": transaction.value,
        "chainId": transaction.chain_id,
        "gasPrice": transaction.gas_price,
        "maxFeePerGas": transaction.max_fee_per_gas,
        "maxPriorityFeePerGas": transaction.max_priority_fee_per_gas,
    }
    fields = {"from": sender, "data": to_hex(transaction.data)}
    if transaction.to is not None:
        fields["to"] = checksum_address(transaction.to)
    return fields | {name: hex(value) for name, value in numbers.items() if value is not None}


def _checked(address: Any) -> str:
    return checksum_address(address_to_bytes(address, name="the wallet's account"))


def _is_rejection(error: RpcError) -> bool:
    """Whether a person (or the wallet for them) said no, before anything was signed."""
    if error.kind in ("revert", "estimate"):  # a contract chooses its own words
        return False
    return error.rpc_code in _REJECTED_CODES or _REJECTED.search(error.node_message) is not None


def _is_unknown(error: RpcError) -> bool:
    """Whether the wallet does not know the method; never where it was refused."""
    unknown = error.rpc_code in _UNKNOWN_CODES or _UNKNOWN.search(error.node_message) is not None
    return unknown and not _is_rejection(error)


def _is_locked(error: RpcError) -> bool:
    return error.kind == "other" and _LOCKED.search(error.node_message) is not None


def _sign_error(error: RpcError) -> Web3ProviderSignMessageError:
    problem = Web3ProviderSignMessageError(error.message, details=error.details, cause=error)
    problem.is_user_rejection = _is_rejection(error)
    return problem
