"""RLC staked on the hub, which pays deals and secures workerpools (chain.md §9)."""

from __future__ import annotations

from ..errors import StateError, ValidationError
from ..protocol import units
from ..protocol.contracts import HUB, TOKEN
from ..protocol.orders import NULL_ADDRESS
from .context import Context
from .enterprise import require_kyc
from .funds import require_funds
from .records import AccountBalance, Transfer
from .wallet import Wallet

__all__ = ["Account"]


class Account:
    """Reached as ``iexec.account``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def check_balance(self, address: str) -> AccountBalance:
        """Stake and locked amount of any address, in nRLC."""
        context = self._context
        owner = context.resolve(address, "address")
        found = context.read(context.hub, HUB.viewAccount, owner)
        assert isinstance(found, dict)  # noqa: S101  # a struct decodes as dict
        return AccountBalance(stake=found["stake"], locked=found["locked"])

    def check_bridged_balance(self, address: str) -> AccountBalance:
        """The same on the chain at the other end of the bridge."""
        owner = self._context.resolve(address, "address")
        return Account(self._context.bridged).check_balance(owner)

    def deposit(self, amount: int | str, *, new: bool = False) -> Transfer:
        """Move RLC from the wallet to the hub: ``amount`` in nRLC or with a unit (``"5 RLC"``).

        One transaction: the token approves and the hub pulls; on a native chain the coin itself
        is sent. Raises StateError where the wallet holds less.
        """
        context = self._context
        nrlc = _positive(amount, "Deposit")
        native, token = context.chain.native, context.token

        def check() -> None:
            require_kyc(context, context.address)
            balance = Wallet(context).check_balances(context.address).nrlc
            require_funds("Deposit amount", nrlc, balance)

        sent = context.send(
            "deposit",
            {"amount": str(nrlc)},
            context.hub if native else token,
            HUB.deposit_native.encode()
            if native
            else TOKEN.approveAndCall.encode(context.hub, nrlc, b""),
            value=units.nrlc_to_wei(nrlc) if native else 0,
            expect=[(HUB.Transfer, context.hub)],  # the hub's own token: from nobody to the account
            check=check,
            new=new,
        )
        event = sent.events[0]
        if event["from"] != NULL_ADDRESS or event["to"] != context.address:
            raise StateError(
                f"Deposit not confirmed: the hub credited {event['to']}", tx_hash=sent.tx_hash
            )
        return Transfer(amount=nrlc, tx_hash=sent.tx_hash)

    def withdraw(self, amount: int | str, *, new: bool = False) -> Transfer:
        """Move RLC from the hub back to the wallet: ``amount`` in nRLC or with a unit."""
        context = self._context
        nrlc = _positive(amount, "Withdraw")

        def check() -> None:
            require_kyc(context, context.address)
            stake = self.check_balance(context.address).stake
            if nrlc > stake:
                raise StateError(
                    f"Withdraw amount exceed account balance ({nrlc} nRLC wanted, {stake} "
                    "available)",
                    details={"amount": str(nrlc), "stake": str(stake)},
                )

        sent = context.send(
            "withdraw",
            {"amount": str(nrlc)},
            context.hub,
            HUB.withdraw.encode(nrlc),
            expect=[(HUB.Transfer, context.hub)],
            check=check,
            new=new,
        )
        return Transfer(amount=nrlc, tx_hash=sent.tx_hash)


def _positive(amount: int | str, what: str) -> int:
    nrlc = units.parse_rlc(amount)
    if nrlc <= 0:
        raise ValidationError(f"{what} amount must be greater than 0, got {amount!r}")
    return nrlc
