"""The wallet: address, balances and transfers (chain.md §8)."""

from __future__ import annotations

from ..errors import StateError, ValidationError
from ..protocol import units
from ..protocol.contracts import TOKEN
from .context import Context
from .records import Balances

__all__ = ["Wallet"]


class Wallet:
    """Reached as ``iexec.wallet``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_address(self) -> str:
        """EIP-55 address of the signer."""
        return self._context.address

    def check_balances(self, address: str) -> Balances:
        """Coin (wei) and RLC (nRLC) of any address. On a native chain the coin is the RLC."""
        context = self._context
        owner = context.resolve(address, "address")
        from ..net.rpc import quantity

        wei = quantity(context.node.request("eth_getBalance", (owner, "latest")))
        if context.chain.native:
            return Balances(wei=wei, nrlc=units.wei_to_nrlc(wei))
        nrlc = context.read(context.token, TOKEN.balanceOf, owner)
        return Balances(wei=wei, nrlc=int(str(nrlc)))

    def send_eth(self, amount: int | str, to: str, *, new: bool = False) -> str:
        """Send coin: ``amount`` in wei or with a unit (``"0.01 ether"``). Returns the tx hash.

        Refused on native chains, where the coin is RLC: use :meth:`send_rlc`.
        """
        context = self._context
        wei = _amount(units.parse_eth(amount), "amount")
        receiver = context.resolve(to, "to")
        if context.chain.native:
            raise StateError("sendETH() is disabled on sidechain, use sendRLC()")
        return context.send(
            "sendETH",
            {"amount": str(wei), "to": receiver},
            receiver,
            value=wei,
            check=lambda: _require(wei, self.check_balances(context.address).wei, "wei"),
            new=new,
        ).tx_hash

    def send_rlc(self, amount: int | str, to: str, *, new: bool = False) -> str:
        """Send RLC: ``amount`` in nRLC or with a unit (``"5 RLC"``). Returns the tx hash."""
        context = self._context
        nrlc = _amount(units.parse_rlc(amount), "amount")
        receiver = context.resolve(to, "to")
        arguments = {"amount": str(nrlc), "to": receiver}

        def check() -> None:
            _require(nrlc, self.check_balances(context.address).nrlc, "nRLC")

        token = context.token
        if context.chain.native:
            wei = units.nrlc_to_wei(nrlc)
            return context.send(
                "sendRLC", arguments, receiver, value=wei, check=check, new=new
            ).tx_hash
        return context.send(
            "sendRLC",
            arguments,
            token,
            TOKEN.transfer.encode(receiver, nrlc),
            expect=[(TOKEN.Transfer, token)],
            check=check,
            new=new,
        ).tx_hash


def _require(needed: int, available: int, unit: str) -> None:
    if needed > available:
        raise StateError(
            f"Amount to send exceed wallet balance ({needed} {unit} wanted, "
            f"{available} {unit} available)",
            details={"amount": str(needed), "balance": str(available)},
        )


def _amount(value: int, name: str) -> int:
    if value < 0:
        raise ValidationError(f"{name} must not be negative, got {value}")
    return value
