"""RLC staked on the hub, which pays deals and secures workerpools (chain.md §9)."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import StateError, ValidationError
from ..protocol import units
from ..protocol.contracts import HUB, TOKEN
from ..protocol.orders import NULL_ADDRESS
from .context import Context
from .enterprise import require_kyc
from .funds import require_funds
from .records import AccountBalance, Transfer
from .wallet import Wallet

__all__ = ["Account", "fund"]


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
        nrlc = _positive(amount, "Deposit")
        return fund(self._context, nrlc, "deposit", {"amount": str(nrlc)}, new=new)

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

    # -- allowance ----------------------------------------------------------------------------

    def approve(self, amount: int | str, spender: str, *, new: bool = False) -> str:
        """Let ``spender`` take up to ``amount`` of the wallet's stake. Returns the tx hash.

        This is about RLC staked on the hub, not about the token in the wallet. ``amount`` in nRLC
        or with a unit; it replaces what was approved before.
        """
        nrlc = units.parse_rlc(amount)
        if nrlc <= 0:
            raise ValidationError(
                f"Approve amount must be greater than 0, got {amount!r}: revoke_approval takes an "
                "approval back"
            )
        return self._approve("approve", nrlc, spender, new)

    def check_allowance(self, owner: str, spender: str) -> int:
        """How much of the stake of ``owner`` the ``spender`` may take, in nRLC."""
        context = self._context
        pair = context.resolve(owner, "owner"), context.resolve(spender, "spender")
        return int(str(context.read(context.hub, HUB.allowance, *pair)))

    def revoke_approval(self, spender: str, *, new: bool = False) -> str:
        """Let ``spender`` take nothing of the wallet's stake any more. Returns the tx hash."""
        return self._approve("revokeApproval", 0, spender, new)

    def _approve(self, operation: str, nrlc: int, spender: str, new: bool) -> str:
        context = self._context
        receiver = context.resolve(spender, "spender")
        if receiver == NULL_ADDRESS:
            raise ValidationError("spender is the zero address, which can spend nothing")
        return context.send(
            operation,
            {"spender": receiver, "amount": str(nrlc)},
            context.hub,
            HUB.approve.encode(receiver, nrlc),
            expect=[(HUB.Approval, context.hub)],
            new=new,
        ).tx_hash


def fund(
    context: Context, nrlc: int, operation: str, arguments: Mapping[str, object], *, new: bool
) -> Transfer:
    """Move RLC from the wallet to the hub; ``operation`` and ``arguments`` say what it is for."""
    native, token = context.chain.native, context.token

    def check() -> None:
        require_kyc(context, context.address)
        balance = Wallet(context).check_balances(context.address).nrlc
        require_funds("Deposit amount", nrlc, balance)

    sent = context.send(
        operation,
        arguments,
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


def _positive(amount: int | str, what: str) -> int:
    nrlc = units.parse_rlc(amount)
    if nrlc <= 0:
        raise ValidationError(f"{what} amount must be greater than 0, got {amount!r}")
    return nrlc
