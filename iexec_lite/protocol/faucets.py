"""Who gives test money on which network, and how it is asked for (services.md §5.1).

V6 knew a list of public faucets by the name of the chain; they are gone, and the errors say so. A
network whose record names a ``faucet`` (the sandbox's does) has that one and no other. It is asked
as V6 asked for RLC: ``GET <faucet>/getRLC?chainName=<name>&address=<address>``, or ``/getETH``.
To add a faucet, add a line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NoReturn

from ..errors import ConfigurationError
from ..frozen import Frozen
from .networks import Chain

__all__ = ["Faucet", "ether_faucets", "rlc_faucets"]


class Faucet(Frozen):
    """``url`` and ``body`` are templates of ``{chain}`` and ``{address}``; a body makes it a POST.

    Without a URL it is a ``page`` for people. ``vital``: where it does not answer, there is no
    answer at all. ``public``: one of V6's, which are gone.
    """

    name: str
    url: str = ""
    body: Mapping[str, str] | None = None
    page: str = ""
    vital: bool = False
    public: bool = True


_RLC = Faucet(
    name="faucet.iex.ec",
    url="https://api.faucet.iex.ec/getRLC?chainName={chain}&address={address}",
    vital=True,
)
_ETHER: Mapping[str, Sequence[Faucet]] = {
    "ropsten": (
        Faucet(name="faucet.ropsten.be", url="http://faucet.ropsten.be:3001/donate/{address}"),
        Faucet(
            name="ropsten.faucet.b9lab.com",
            url="https://ropsten.faucet.b9lab.com/tap",
            body={"toWhom": "{address}"},
        ),
    ),
    "rinkeby": (Faucet(name="faucet.rinkeby.io", page="https://faucet.rinkeby.io/"),),
    "kovan": (
        Faucet(
            name="gitter.im/kovan-testnet/faucet", page="https://gitter.im/kovan-testnet/faucet"
        ),
        Faucet(name="faucet.kovan.network", page="https://faucet.kovan.network"),
    ),
    "goerli": (Faucet(name="goerli-faucet.slock.it", page="https://goerli-faucet.slock.it/"),),
}


def ether_faucets(chain: Chain) -> Sequence[Faucet]:
    """Who gives ether on ``chain``; ConfigurationError where nobody does."""
    if chain.native:
        raise ConfigurationError(
            f"No ETH faucet on chain {chain.name}: its coin is RLC, ask for that"
        )
    return _own(chain, "getETH") or _ETHER.get(chain.name) or _none("ETH", chain)


def rlc_faucets(chain: Chain) -> Sequence[Faucet]:
    """Who gives RLC on ``chain``; ConfigurationError where nobody does."""
    return _own(chain, "getRLC") or ([_RLC] if chain.legacy else _none("RLC", chain))


def _own(chain: Chain, call: str) -> Sequence[Faucet]:
    if chain.faucet is None:
        return ()
    url = f"{chain.faucet}/{call}?chainName={{chain}}&address={{address}}"
    return (Faucet(name=f"{chain.name} faucet", url=url, vital=True, public=False),)


def _none(coin: str, chain: Chain) -> NoReturn:
    raise ConfigurationError(
        f"No {coin} faucet on chain {chain.name}: ask for test money where the network's own "
        "documents say"
    )
