"""The kinds of sandbox: generation of the contracts and flavour of the chain, as data.

Generation 5 is what SDK V6 worked on, in three flavours; generation 6 is what runs on Arbitrum
today, where RLC is always a token. Whoever needs to know what differs asks the record. Chain ids
are ASCII "iEx" and a letter: no public chain has them, and nobody types them by accident. One each,
so that an order signed for one kind is worthless on the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..errors import SandboxError
from ..protocol.rules import V6, V9, Rules
from .runtime import PAST, TODAY, Runtime

__all__ = ["FLAVOURS", "GENERATIONS", "KINDS", "Kind", "kind_named", "kind_of"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind. ``name`` is part of file names; ``hardfork`` and ``gas_limit`` are the node's.

    ``urls``: field of the chain record → path below the URL of all services.
    """

    name: str
    generation: int
    flavour: str
    chain_id: int
    rules: Rules
    runtime: Runtime
    urls: Mapping[str, str]
    hardfork: str
    gas_limit: int
    gas_price: int | None  # wei; None: by the block (EIP-1559)

    @property
    def native(self) -> bool:
        """Whether RLC is the chain's own coin."""
        return self.flavour == "native"

    @property
    def enterprise(self) -> bool:
        """Whether the token is eRLC."""
        return self.flavour == "enterprise"

    @property
    def bridgeable(self) -> bool:
        """Whether a bridge to a native chain can begin here, as V6 had them."""
        return self.flavour == "token" and self.generation == 5

    def __str__(self) -> str:
        return f"{self.flavour}, PoCo {self.generation}"


# SDK V6 puts paths behind the URL of a service; that of today takes the host alone, so its services
# share one root: no two of them answer the same path.
_PREFIXED = {
    "sms": "/sms",
    "result_proxy": "/result",
    "iexec_gateway": "/market",
    "ipfs_gateway": "",
    "faucet": "/faucet",
}
_ROOTED = {
    **dict.fromkeys(("sms", "iexec_gateway", "ipfs_gateway", "ipfs_node", "compass"), ""),
    "faucet": "/faucet",
}

# Berlin: blocks carry no base fee, so gas price 0 is accepted on a native chain, and the classic
# factory transaction runs.
_OLD = (V6, PAST, _PREFIXED, "berlin", 8_000_000)
_NEW = (V9, TODAY, _ROOTED, "prague", 30_000_000)
KINDS = (
    Kind("token", 5, "token", 0x69457865, *_OLD, 20_000_000_000),
    Kind("native", 5, "native", 0x6945786E, *_OLD, 0),
    Kind("enterprise", 5, "enterprise", 0x69457845, *_OLD, 20_000_000_000),
    Kind("token-6", 6, "token", 0x69457836, *_NEW, None),
)
FLAVOURS = tuple(dict.fromkeys(kind.flavour for kind in KINDS))
GENERATIONS = tuple(dict.fromkeys(kind.generation for kind in KINDS))


def kind_named(name: object) -> Kind | None:
    """The kind of this name, if there is one."""
    return next((kind for kind in KINDS if kind.name == name), None)


def kind_of(flavour: str = "token", generation: int = 5) -> Kind:
    """The kind of this flavour and generation; SandboxError where there is none."""
    if flavour not in FLAVOURS:
        raise SandboxError(f"flavour must be one of {', '.join(FLAVOURS)}, not {flavour!r}")
    if generation not in GENERATIONS:
        known = " or ".join(map(str, GENERATIONS))
        raise SandboxError(f"generation must be {known}, not {generation!r}")
    for kind in KINDS:
        if (kind.flavour, kind.generation) == (flavour, generation):
            return kind
    raise SandboxError(
        f"there is no {flavour} chain of generation {generation}: today's contracts have RLC as "
        "a token only (leave the flavour out)"
    )
