"""Which chain this is, its time and its contracts (chain.md §13.4).

The first question of most programs: what it does not need is loaded by the methods that do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Web3ProviderCallError
from ..protocol.orders import NULL_BYTES32
from .context import Context

if TYPE_CHECKING:
    from .records import Contracts, Network

__all__ = ["Networks"]


class Networks:
    """Reached as ``iexec.network``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def get_network(self) -> Network:
        """Chain id, and whether the chain's coin is RLC itself (native, once "sidechain")."""
        from .records import Network

        chain = self._context.chain
        return Network(chain_id=chain.id, is_sidechain=chain.native, is_native=chain.native)

    def get_block_time(self) -> int:
        """Time of the latest block, in seconds since 1970: what deadlines are compared with."""
        return self._context.block_time()

    def get_contracts(self) -> Contracts:
        """Addresses of hub, token and registries as the hub tells them, and its generation."""
        from .records import Contracts

        context, native = self._context, self._context.chain.native
        token = context.token  # which compares the node, and the kind of money, with the record
        return Contracts(
            poco_version=self._poco_version(),
            hub_address=context.hub,
            rlc_address=None if native else token,
            app_registry_address=context.registry("app"),
            dataset_registry_address=context.registry("dataset"),
            workerpool_registry_address=context.registry("workerpool"),
            use_native=native,
            flavour=context.chain.flavour,
        )

    def _poco_version(self) -> str:
        """No function tells it: PoCo 6 is a diamond, and deals have sponsors from 5.5 on."""
        from ..protocol.contracts import HUB
        from ..protocol.deployment import DIAMOND

        context, hub = self._context, self._context.hub
        facets, deal = context.read_many(
            [(hub, DIAMOND.facetAddresses, ()), (hub, HUB.viewDeal, (NULL_BYTES32,))]
        )
        for answer in (facets, deal):
            if isinstance(answer, Web3ProviderCallError) and answer.retryable:
                raise answer  # a node that is busy tells nothing of the hub
        if isinstance(facets, list):
            return "6"
        return "5.5" if isinstance(deal, dict) and "sponsor" in deal else "5"

    def resolve_name(self, name: str) -> str:
        """EIP-55 address that an ENS name stands for now: what methods that take names will use.

        Raises ValidationError where it stands for nothing.
        """
        from .ens import look_up

        return look_up(self._context, name)
