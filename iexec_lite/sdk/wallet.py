"""The wallet: address, balances and transfers (chain.md §8)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..errors import (
    OutcomeUnknownError,
    StateError,
    ValidationError,
    Web3ProviderError,
    Web3ProviderSendError,
)
from ..protocol import units
from ..protocol.contracts import TOKEN
from ..protocol.values import parse_bytes32
from .bridge import to_mainchain, to_sidechain, wait
from .context import Context
from .enterprise import is_authorized, require_kyc, unwrap, wrap
from .funds import require_funds
from .records import Balances, BridgeTransfer, FaucetAnswer, PendingTransaction, Sweep

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..protocol.faucets import Faucet

__all__ = ["Wallet"]

BRIDGE_TIMEOUT = 1800.0  # seconds; the bridges of public chains take some minutes


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

    # -- test money -----------------------------------------------------------------------------

    def get_eth(self, address: str) -> list[FaucetAnswer]:
        """Ask the faucets of this network for ether; what each of them answered.

        ConfigurationError where there is none, as on every network that is not for tests.
        """
        from ..protocol.faucets import ether_faucets

        return self._ask(ether_faucets, address)

    def get_rlc(self, address: str) -> list[FaucetAnswer]:
        """Ask the faucets of this network for RLC. ApiCallError where they do not answer."""
        from ..protocol.faucets import rlc_faucets

        return self._ask(rlc_faucets, address)

    def _ask(
        self, faucets: Callable[[Chain], Sequence[Faucet]], address: str
    ) -> list[FaucetAnswer]:
        from ..net.faucet import ask

        context = self._context
        receiver = context.resolve(address, "address")
        name, http = context.chain.name, context.http
        return [
            FaucetAnswer(name=faucet.name, response=ask(http, faucet, name, receiver))
            for faucet in faucets(context.chain)
        ]

    # -- transfers ------------------------------------------------------------------------------

    def send_eth(self, amount: int | str, to: str, *, new: bool = False) -> str:
        """Send coin: ``amount`` in wei or with a unit (``"0.01 ether"``). Returns the tx hash.

        Refused on native chains, where the coin is RLC: use :meth:`send_rlc`.
        """
        context = self._context
        wei = units.parse_eth(amount)
        receiver = _receiver(context, to)
        if context.chain.native:
            raise StateError("sendETH() is disabled on sidechain, use sendRLC()")
        return context.send(
            "sendETH",
            {"amount": str(wei), "to": receiver},
            receiver,
            value=wei,
            check=lambda: require_funds(
                "Amount to send", wei, self.check_balances(context.address).wei, "wei"
            ),
            new=new,
        ).tx_hash

    def send_rlc(self, amount: int | str, to: str, *, new: bool = False) -> str:
        """Send RLC: ``amount`` in nRLC or with a unit (``"5 RLC"``). Returns the tx hash.

        With eRLC both sides need a KYC: StateError.
        """
        context = self._context
        nrlc = units.parse_rlc(amount)
        receiver = _receiver(context, to)
        arguments = {"amount": str(nrlc), "to": receiver}

        def check() -> None:
            require_kyc(context, context.address, receiver)
            require_funds("Amount to send", nrlc, self.check_balances(context.address).nrlc)

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

    # -- everything -----------------------------------------------------------------------------

    def sweep(self, to: str, *, new: bool = False) -> Sweep:
        """Send all that the wallet holds, RLC and coin, to ``to``, which must be no contract.

        The RLC goes first; if that fails nothing else is sent. What is kept back of the coin is
        what the transaction may cost at most. A coin that cannot be sent is told in ``errors``.
        """
        context = self._context
        receiver = _receiver(context, to)
        if context.node.request("eth_getCode", (receiver, "latest")) != "0x":
            raise StateError(f"Cannot sweep to a contract ({receiver})")
        require_kyc(context, context.address, receiver)
        tokens = None if context.chain.native else self._sweep_tokens(receiver, new)
        try:
            return Sweep(
                send_erc20_tx_hash=tokens,
                send_native_tx_hash=self._sweep_coin(receiver, new),
                errors=(),
            )
        except OutcomeUnknownError as error:
            error.details["sendERC20TxHash"] = tokens
            raise
        except (StateError, Web3ProviderError) as error:
            failure = f"Failed to transfer native token: {error.message}"
            return Sweep(send_erc20_tx_hash=tokens, send_native_tx_hash=None, errors=(failure,))

    def _sweep_tokens(self, receiver: str, new: bool) -> str | None:
        context = self._context
        intent = ("sweepERC20", {"to": receiver})  # the amount is whatever there is
        nrlc = int(str(context.read(context.token, TOKEN.balanceOf, context.address)))
        if not nrlc and (new or not context.unfinished(*intent)):
            return None
        try:
            return context.send(
                *intent,
                context.token,
                TOKEN.transfer.encode(receiver, nrlc),
                expect=[(TOKEN.Transfer, context.token)],
                check=None if nrlc else _resumed_only,
                new=new,
            ).tx_hash
        except OutcomeUnknownError:
            raise
        except Web3ProviderError as error:
            raise Web3ProviderSendError(
                f"Failed to sweep ERC20, sweep aborted: {error.message}",
                details=error.details,
                cause=error,
                tx_hash=error.tx_hash,
            ) from error

    def _sweep_coin(self, receiver: str, new: bool) -> str:
        """All but what the transaction may cost; how much gas that is, only the node knows."""
        context = self._context
        intent = ("sweepNative", {"to": receiver})
        if not new and context.unfinished(*intent):
            return context.send(*intent, receiver, check=_resumed_only).tx_hash
        from ..net.rpc import quantity

        balance = context.node.request("eth_getBalance", (context.address, "latest"))
        wei = quantity(balance, "eth_getBalance")
        # On some chains the gas depends on the size of the transaction, so on that of the value.
        costs = context.transactions.quote(receiver, value=wei // 2)
        if wei <= costs.max_cost:
            raise StateError(
                f"Tx fees are greater than wallet balance ({costs.max_cost} wei, {wei} wei "
                "available)"
            )
        return context.send(
            *intent, receiver, value=wei - costs.max_cost, quote=costs, new=new
        ).tx_hash

    # -- what is on its way ---------------------------------------------------------------------

    def pending_transactions(self) -> list[PendingTransaction]:
        """What the journal of this account on this chain holds as pending, oldest first.

        Only what was sent with the same journal: of this process, or in the same folder.
        """
        from .lines import pending

        return pending(self._context.transactions.account)

    def speed_up_transaction(
        self, tx_hash: str, *, gas_price: int | str | None = None, timeout: float | None = None
    ) -> str:
        """Send a pending transaction again at a higher price. Returns the hash of what was mined.

        The nonce is the same, so one of the two is mined and never both; the call that waits for
        the first returns the result of either, and so does the same call made again. ``gas_price``
        in wei or with a unit, by default what the node suggests and at least 12.5 % more than
        before. StateError where it is not pending in the journal.
        """
        return self._replace(tx_hash, False, gas_price, timeout)

    def cancel_transaction(
        self, tx_hash: str, *, gas_price: int | str | None = None, timeout: float | None = None
    ) -> str:
        """Take the nonce of a pending transaction, so that it never happens. Returns the tx hash.

        What is sent instead pays nothing to oneself, at a higher price of gas (see
        :meth:`speed_up_transaction`). StateError with ``tx_hash`` where another was mined first:
        too late. The call that waits for the transaction fails; made again, it begins anew.
        """
        return self._replace(tx_hash, True, gas_price, timeout)

    def _replace(
        self, tx_hash: str, cancel: bool, gas_price: int | str | None, timeout: float | None
    ) -> str:
        from .replacement import Replacement

        context = self._context
        wanted = parse_bytes32(tx_hash, "tx_hash")
        price = None if gas_price is None else units.parse_eth(gas_price)
        context.node  # noqa: B018  # the chain id is compared before anything is signed
        replacement = Replacement(context.transactions, wanted, cancel=cancel, gas_price=price)
        return replacement.send(timeout)

    # -- the bridge -----------------------------------------------------------------------------

    def check_bridged_balances(self, address: str) -> Balances:
        """The balances of an address on the chain at the other end of the bridge."""
        owner = self._context.resolve(address, "address")
        return Wallet(self._context.bridged).check_balances(owner)

    def bridge_to_sidechain(
        self, amount: int | str, *, timeout: float = BRIDGE_TIMEOUT, new: bool = False
    ) -> BridgeTransfer:
        """Send RLC over the bridge to the native chain: ``amount`` in nRLC or with a unit.

        Waits until it is paid out there, ``timeout`` seconds. BridgeError (``send_tx_hash``) when
        that is not seen: the same call then goes on waiting and sends nothing, unless ``new``, and
        :meth:`wait_for_bridge` does the same anywhere. Without ``bridged_network_conf`` nobody
        knows where to look, and nothing is waited for.
        """
        nrlc = units.parse_rlc(amount)
        return to_sidechain(self._context, nrlc, timeout=timeout, new=new)

    def bridge_to_mainchain(
        self, amount: int | str, *, timeout: float = BRIDGE_TIMEOUT, new: bool = False
    ) -> BridgeTransfer:
        """Send RLC over the bridge to the token chain; see :meth:`bridge_to_sidechain`."""
        nrlc = units.parse_rlc(amount)
        return to_mainchain(self._context, nrlc, timeout=timeout, new=new)

    def wait_for_bridge(
        self, send_tx_hash: str, *, timeout: float = BRIDGE_TIMEOUT
    ) -> BridgeTransfer:
        """Wait for a transfer that was sent before, by anybody, to be paid out on the other side.

        Sends nothing and needs no signer. Raises BridgeError, StateError for another transaction.
        """
        return wait(self._context, send_tx_hash, timeout=timeout)

    # -- eRLC -----------------------------------------------------------------------------------

    def wrap_enterprise_rlc(self, amount: int | str, *, new: bool = False) -> str:
        """Turn RLC into eRLC: ``amount`` in nRLC or with a unit. Returns the tx hash.

        On a standard token chain that has an enterprise twin (``enterprise_swap_conf``).
        """
        return wrap(self._context, units.parse_erlc(amount), new=new)

    def unwrap_enterprise_rlc(self, amount: int | str, *, new: bool = False) -> str:
        """Turn eRLC back into RLC: ``amount`` in nRLC or with a unit. Returns the tx hash."""
        return unwrap(self._context, units.parse_erlc(amount), new=new)

    def is_authorized(self, address: str) -> bool:
        """Whether somebody may hold eRLC. StateError on chains without it."""
        context = self._context
        person = context.resolve(address, "address")
        if not context.chain.enterprise:
            raise StateError("Cannot check authorized eRLC holders on current chain")
        return is_authorized(context, context.token, person)


def _receiver(context: Context, to: str) -> str:
    """Who gets the money. Nobody can ever take it from the zero address."""
    found = context.resolve(to, "to")
    if not int(found, 16):
        raise ValidationError(f"to is the zero address {found}: what is sent there is lost")
    return found


def _resumed_only() -> None:
    """Asked where nothing is resumed after all: another process ended it in between."""
    raise StateError("the sweep of an earlier call has just ended: look at the balance first")
