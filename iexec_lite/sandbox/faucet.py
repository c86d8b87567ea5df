"""A faucet: test ether and RLC for any address, out of what ``admin`` holds (services.md §5.1).

``GET /getETH`` and ``/getRLC`` with ``chainName`` and ``address``, as V6 asked for RLC. The answer
is as its users saw it: ``{"ok": true, "message": …}``, with the transaction; a refusal is ``{"ok":
false, "error": …}``. One request gives a fixed amount. Refused: chains of other names, addresses
that are none, people without a KYC, ether where the coin is RLC.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import Any

import falcon

from ..errors import StateError, ValidationError
from ..protocol.chains import Chain
from ..protocol.orders import NULL_ADDRESS
from ..protocol.units import shown
from ..protocol.values import parse_address
from ..sdk.client import IExec
from ..sdk.wallet import Wallet
from . import accounts
from .server import WSGI, new_app

__all__ = ["ETHER", "RLC", "faucet_app"]

ETHER, RLC = "1 ether", "100 RLC"  # for each request


def faucet_app(chains: Iterable[Chain]) -> WSGI:
    """The app to mount; it gives on these chains, which are known by their names."""
    known, lock = {chain.name: chain for chain in chains}, threading.Lock()
    return new_app(
        {
            "/getETH": _Tap(known, lock, ETHER, lambda wallet, to: wallet.send_eth(ETHER, to)),
            "/getRLC": _Tap(known, lock, RLC, lambda wallet, to: wallet.send_rlc(RLC, to)),
        },
        lambda _, error: _no(error.description or error.title),
    )


class _Tap:
    def __init__(
        self,
        chains: dict[str, Chain],
        lock: threading.Lock,
        amount: str,
        send: Callable[[Wallet, str], str],
    ) -> None:
        self._chains = chains
        self._lock = lock
        self._amount = amount
        self._send = send

    def on_get(self, request: Any, response: Any) -> None:
        name = request.get_param("chainName", required=True)
        try:
            receiver = parse_address(request.get_param("address", required=True), "address")
            response.media = self._give(name, receiver)
        except (ValidationError, StateError) as error:
            response.status, response.media = falcon.HTTP_BAD_REQUEST, _no(error.message)

    def _give(self, name: str, receiver: str) -> dict[str, object]:
        chain = self._chains.get(name)
        if chain is None:
            raise ValidationError(f"No faucet on chain {shown(name)}")
        if receiver == NULL_ADDRESS:
            raise ValidationError("address: nobody owns the zero address")
        # A client of its own each time: it knows nothing of before, as the chain may have gone back
        with self._lock, IExec(chain, accounts.signer("admin")) as client:
            tx_hash = self._send(client.wallet, receiver)
        amount = self._amount.replace("RLC", chain.symbol)
        return {"ok": True, "message": f"Sent {amount} to {receiver}", "txHash": tx_hash}


def _no(why: str) -> dict[str, object]:
    return {"ok": False, "error": why}
