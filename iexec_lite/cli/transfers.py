"""``iexec-lite wallet send-… | sweep | bridge-… | swap-…``: money that moves (cli.md §8.2).

All checks come first, then the question, then the password: see :meth:`.wallets.Wallet.ask`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, StateError
from ..frozen import Frozen, replace
from . import flags, output, project, text, wallets
from .parser import CommandParser, Group

if TYPE_CHECKING:
    from ..protocol.chains import Selection
    from ..sdk.client import IExec

__all__ = ["register"]

ADDRESS = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"


def register(group: Group) -> None:
    """The commands that move money, of the group ``wallet``."""
    ether = group.command(
        "send-ether",
        send_ether,
        "send ether to an address",
        arguments="AMOUNT [UNIT] --to ADDRESS",
        example=f"wallet send-ether 0.1 --to {ADDRESS}",
        aliases=["send-ETH", "sendETH"],
    )
    flags.add_amount(ether, "with a unit from wei to ether (default: ether)")
    rlc = group.command(
        "send-RLC",
        partial(send_rlc, unit="RLC"),
        "send RLC to an address",
        arguments="AMOUNT [UNIT] --to ADDRESS",
        example=f"wallet send-RLC 1.5 --to {ADDRESS}",
    )
    flags.add_amount(rlc, "in RLC, or nRLC (default: RLC)")
    old = group.command(
        "sendRLC",
        partial(send_rlc, unit="nRLC"),
        "as send-RLC, but an amount without a unit is in nRLC (deprecated)",
        arguments="AMOUNT [UNIT] --to ADDRESS",
        example=f"wallet sendRLC 1500000000 --to {ADDRESS}",
    )
    flags.add_amount(old, "in RLC, or nRLC (default: nRLC)")
    swept = group.command(
        "sweep",
        sweep,
        "send all ether and RLC to an address",
        arguments="--to ADDRESS",
        example=f"wallet sweep --to {ADDRESS}",
    )
    for parser in (ether, rlc, old, swept):
        parser.add_argument("--to", metavar="ADDRESS", help="who gets it: an address or ENS name")
        _add_options(parser)
    for name, handler, what in (
        ("bridge-to-sidechain", partial(bridge, to_native=True), "to the chain whose coin it is"),
        ("bridge-to-mainchain", partial(bridge, to_native=False), "back to where it is a token"),
    ):
        parser = group.command(
            name,
            handler,
            f"send RLC over the bridge, {what}",
            arguments="AMOUNT [UNIT]",
            example=f"wallet {name} 5 RLC",
        )
        flags.add_amount(parser, "in nRLC, or RLC (default: nRLC)")
        _add_options(parser)
    for name, handler, what in (
        ("swap-RLC-for-eRLC", partial(swap, wrap=True), "RLC for as much eRLC"),
        ("swap-eRLC-for-RLC", partial(swap, wrap=False), "eRLC for as much RLC"),
    ):
        parser = group.command(
            name,
            handler,
            f"swap {what}, if you may hold eRLC",
            arguments="AMOUNT [UNIT]",
            example=f"wallet {name} 5 RLC",
        )
        flags.add_amount(parser, "in nRLC or neRLC, RLC or eRLC (default: nRLC)")
        _add_options(parser)


def _add_options(parser: CommandParser) -> None:
    wallets.add_load_options(parser)
    flags.add_node(parser)
    flags.add_transaction(parser)
    flags.add_force(parser)


# -- send -------------------------------------------------------------------------------------


class _Payment(Frozen, kw_only=False):
    """From one wallet to one address: ``to`` as it was given, ``receiver`` what it stands for."""

    client: IExec
    wallet: wallets.Wallet
    to: str
    receiver: str

    def ask(self, what: str) -> None:
        """Have the person agree: ``what`` is the amount with the currency."""
        chain = self.client.chain
        to = self.to if self.to == self.receiver else f"{self.to} ({self.receiver})"
        self.wallet.ask(f"Do you want to send {what} to {to} [chainId: {chain.id}]")


@contextmanager
def _payment(options: argparse.Namespace, selection: Selection) -> Iterator[_Payment]:
    from ..protocol.ens import is_name

    wallet = wallets.require(options)
    if options.to is None:
        raise ConfigurationError("Missing --to option")
    with project.connect(selection, options, wallet) as client:
        named = is_name(options.to)
        receiver = client.network.resolve_name(options.to) if named else options.to
        yield _Payment(client, wallet, options.to, receiver)


def send_ether(options: argparse.Namespace) -> output.Result:
    """Ether to an address; refused where the coin is RLC."""
    from ..protocol.units import format_eth, parse_eth

    wei = parse_eth(options.amount, "ether")
    selection = project.selected_chain(options)
    with _payment(options, selection) as payment:
        payment.ask(f"{format_eth(wei)} {selection.chain.name} ether")
        tx_hash = payment.client.wallet.send_eth(wei, payment.receiver, new=options.new)
    return _sent(payment, wei, f"{format_eth(wei)} ether", tx_hash)


def send_rlc(options: argparse.Namespace, unit: str) -> output.Result:
    """RLC to an address; ``unit`` is that of an amount without one."""
    from ..protocol.units import format_rlc

    selection = project.selected_chain(options)
    chain = selection.chain
    nrlc = flags.nrlc(options.amount, chain, unit)
    with _payment(options, selection) as payment:
        payment.ask(f"{format_rlc(nrlc)} {chain.name} {chain.symbol}")
        tx_hash = payment.client.wallet.send_rlc(nrlc, payment.receiver, new=options.new)
    return _sent(payment, nrlc, text.rlc(nrlc, chain.symbol), tx_hash)


def _sent(payment: _Payment, amount: int, what: str, tx_hash: str) -> output.Result:
    ends = {"from": payment.wallet.address, "to": payment.to}
    lines = output.render({**ends, "transaction": tx_hash})
    return output.Result(
        payload={"amount": str(amount), **ends, "txHash": tx_hash}, text=f"Sent {what}\n{lines}"
    )


def sweep(options: argparse.Namespace) -> output.Result:
    """All that the wallet holds. A coin that cannot be sent is told, and is no failure (B26)."""
    selection = project.selected_chain(options)
    chain = selection.chain
    currencies = chain.symbol if chain.native else f"ether and {chain.symbol}"
    with _payment(options, selection) as payment:
        payment.ask(f"all wallet {chain.name} {currencies}")
        swept = payment.client.wallet.sweep(payment.receiver, new=options.new)
    ends = {"from": payment.wallet.address, "to": payment.to}
    found = swept.to_dict()
    members = ("sendNativeTxHash", "sendERC20TxHash", "errors")
    coin, token = swept.send_native_tx_hash, swept.send_erc20_tx_hash
    lines = {chain.symbol: coin} if chain.native else {"ether": coin, chain.symbol: token}
    for error in swept.errors:
        output.warn(error, options)
    sent = {name: tx_hash or "nothing sent" for name, tx_hash in lines.items()}
    return output.Result(
        payload={**ends, **{name: found[name] for name in members if name in found}},
        text=f"Wallet swept\n{output.render({**ends, **sent})}",
    )


# -- bridge and swap --------------------------------------------------------------------------


def bridge(options: argparse.Namespace, to_native: bool) -> output.Result:
    """RLC to the chain at the other end of the bridge, until it is paid out there."""
    from ..protocol.units import format_rlc

    selection = project.selected_chain(options)
    chain, other = selection.chain, selection.bridged
    if "bridge" in chain.rules.retired_chain_keys and other is None:
        raise ConfigurationError(f"There is no bridge on {chain.name}: its RLC is a token only")
    nrlc = flags.nrlc(options.amount, chain)
    if chain.native is to_native:
        kind = "sidechain" if to_native else "mainchain"
        raise StateError(f"Cannot bridge {kind} to {kind}")
    contract = chain.bridge_contract
    if contract is None or other is None:
        raise ConfigurationError(f'Missing bridge in "chain.json" for chain {chain.id}')
    wallet = wallets.require(options)
    wallet.ask(
        f"Do you want to send {format_rlc(nrlc)} {chain.name} RLC to bridge contract {contract} "
        f"(please double check the address) [chainId: {chain.id}]"
    )
    with project.connect(selection, options, wallet) as client:
        output.info(
            f"The bridge pays out on chain {other.name} some minutes later. Where this is cut off, "
            "the same command goes on waiting and sends nothing again",
            options,
        )
        send = client.wallet.bridge_to_sidechain if to_native else client.wallet.bridge_to_mainchain
        moved = send(nrlc, new=options.new)
    ends = {"from": wallet.address, "to": contract}
    lines = {
        **ends,
        f"sent on {chain.name}": moved.send_tx_hash,
        f"received on {other.name}": moved.receive_tx_hash,
    }
    return output.Result(
        payload={"amount": str(nrlc), **ends, **moved.to_dict()},
        text=f"Sent {text.rlc(nrlc)} over the bridge\n{output.render(lines)}",
    )


def swap(options: argparse.Namespace, wrap: bool) -> output.Result:
    """RLC to eRLC or back. Each begins on its own side of the pair, whichever was named."""
    from ..protocol.units import format_rlc, parse_erlc

    nrlc = parse_erlc(options.amount)
    selection = project.selected_chain(options)
    if selection.twin is None:
        raise ConfigurationError(
            f"No enterprise smart contracts found on current chain {selection.chain.id}"
        )
    if selection.chain.enterprise is wrap:
        selection = replace(selection, chain=selection.twin, twin=selection.chain)
    wallet = wallets.require(options)
    given, got = ("RLC", "eRLC") if wrap else ("eRLC", "RLC")
    wallet.ask(
        f"Do you want to swap {format_rlc(nrlc)} {given} for {got} (1 {given} = 1 {got}) "
        f"[chainId: {selection.chain.id}]"
    )
    with project.connect(selection, options, wallet) as client:
        holder = client.wallet
        call = holder.wrap_enterprise_rlc if wrap else holder.unwrap_enterprise_rlc
        tx_hash = call(nrlc, new=options.new)
    lines = output.render({"wallet": wallet.address, "transaction": tx_hash})
    return output.Result(
        payload={"amount": str(nrlc), "txHash": tx_hash},
        text=f"Swapped {text.rlc(nrlc, given)} for {text.rlc(nrlc, got)}\n{lines}",
    )
