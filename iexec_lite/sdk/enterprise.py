"""The enterprise side of a chain: eRLC, who may hold it, RLC in and out of it (chain.md §8.2)."""

from __future__ import annotations

from ..errors import ConfigurationError, StateError
from ..protocol.chains import CHAINS
from ..protocol.contracts import ERLC, HUB, TOKEN
from .context import Context
from .funds import require_funds

__all__ = ["is_authorized", "require_kyc", "unwrap", "wrap"]


def is_authorized(context: Context, token: str, person: str) -> bool:
    """Whether the eRLC ``token`` knows the person's KYC."""
    return context.read(token, ERLC.isKYC, person) is True


def require_kyc(context: Context, *people: str) -> None:
    """Raise StateError for the first of the people who may not hold eRLC; elsewhere all may."""
    if not context.chain.enterprise:
        return
    for person in people:
        _require(context, context.token, person)


def _require(context: Context, token: str, person: str) -> None:
    if not is_authorized(context, token, person):
        raise StateError(
            f"{person} is not authorized to interact with eRLC: its KYC has to be done first",
            details={"address": person},
        )


def wrap(context: Context, nrlc: int, *, new: bool) -> str:
    """Turn RLC into eRLC, for the hub of the other flavour; the tx hash."""
    if context.chain.enterprise or context.chain.native:
        raise StateError("Unable to wrap RLC into eRLC on current chain")
    rlc, erlc = context.token, str(context.read(_twin_hub(context), HUB.token))

    def check() -> None:
        _require(context, erlc, context.address)
        _afford(context, rlc, nrlc, "wrap")

    return context.send(
        "wrapEnterpriseRLC",
        {"amount": str(nrlc)},
        rlc,
        TOKEN.approveAndCall.encode(erlc, nrlc, b""),
        expect=[(TOKEN.Transfer, rlc), (ERLC.Transfer, erlc)],
        check=check,
        new=new,
    ).tx_hash


def unwrap(context: Context, nrlc: int, *, new: bool) -> str:
    """Turn eRLC back into RLC; the tx hash."""
    if not context.chain.enterprise or context.chain.native:
        raise StateError("Unable to unwrap eRLC into RLC on current chain")
    erlc = context.token

    def check() -> None:
        _require(context, erlc, context.address)
        _afford(context, erlc, nrlc, "unwrap")

    return context.send(
        "unwrapEnterpriseRLC",
        {"amount": str(nrlc)},
        erlc,
        ERLC.withdraw.encode(nrlc),
        expect=[(ERLC.Transfer, erlc)],
        check=check,
        new=new,
    ).tx_hash


def _afford(context: Context, token: str, nrlc: int, verb: str) -> None:
    balance = int(str(context.read(token, TOKEN.balanceOf, context.address)))
    require_funds(f"Amount to {verb}", nrlc, balance)


def _twin_hub(context: Context) -> str:
    """The hub of the other flavour: of the option, or of the record that this one names."""
    hub = context.enterprise_swap_hub
    if hub is not None:
        return hub
    name = context.chain.enterprise_twin
    if name is None:
        raise ConfigurationError(
            "enterpriseSwapConf option not set and no default value for your chain "
            f"{context.chain.id}: give enterprise_swap_conf={{'hub_address': …}}"
        )
    if name in CHAINS:
        return CHAINS[name].require_hub()
    from .local import sandbox_chain

    return sandbox_chain(name).require_hub()
