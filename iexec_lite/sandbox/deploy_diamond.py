"""The contracts of PoCo 6: an ERC-2535 diamond and its facets (sandbox6.md §3–6).

Token and registries are created plainly, so that ``admin`` owns them; everything else by the
keyless CREATE2 proxy that anvil starts with, so that addresses follow from the code. The hub is
made with the three facets that every diamond has; each other facet is cut in afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..eth import abi
from ..eth.codec import address_to_bytes, checksum_address
from ..eth.crypto import keccak
from ..protocol.deployment import DIAMOND
from ..protocol.orders import NULL_ADDRESS
from . import accounts
from .contract_files import FACETS
from .deploy_proxy import RLC
from .deployer import LIBRARY, REGISTRY_KINDS, Deployer
from .node import Node

__all__ = ["FUNCTIONS", "HUB_ADDRESS", "REGISTRIES", "DiamondDeployer", "count_functions"]

BASE_FACETS = ("DiamondCutFacet", "DiamondLoupeFacet", "OwnershipFacet")
ADD = 0  # the action of a cut
# How the fallback and the receive function are looked up: by selectors that no function has.
SPECIAL = {"receive": b"\x00" * 4, "fallback": b"\xff" * 4}
CREATE2 = "0x4e59b44847b379578588920cA78FbF26c0B4956C"
SALT = bytes(32)

# What must come out. The registries follow from the transactions of ``admin`` before them.
HUB_ADDRESS = "0xe21e80c1442FE2C85Ddecb4f34a71303e1B0524E"
REGISTRIES = {
    "app": "0x6E59DB8ed3cd44e22972C6a1C26253B671C3d353",
    "dataset": "0x7C788C2B85E20B4Fa25bd579A6B1D0218D86BDd1",
    "workerpool": "0xBfBfD8ABc99fA00Ead2C46879A7D06011CbA73c5",
}
FUNCTIONS = 98

_CUT = "(address,uint8,bytes4[])[]"
_Cut = tuple[bytes, int, list[bytes]]


def count_functions(node: Node, hub: str) -> int:
    """How many functions the hub has."""
    facets = DIAMOND.facets.decode(node.rpc.call(hub, DIAMOND.facets.encode()))
    assert isinstance(facets, list)  # noqa: S101  # by its signature
    return sum(len(facet["functionSelectors"]) for facet in facets)


class DiamondDeployer(Deployer):
    """The steps, in order."""

    library_mark = f"__${keccak(f'contracts/libs/{LIBRARY}.sol:{LIBRARY}'.encode()).hex()[:34]}$__"
    description = '""'

    def run(self) -> None:
        """Everything."""
        self._fund()
        token = self._expect("RLC", self._created("RLC"), RLC)
        for kind in REGISTRY_KINDS:
            registry = self._created(f"{kind.capitalize()}Registry")
            self._initialize(kind, self._expect(f"{kind} registry", registry, REGISTRIES[kind]))
        self._library = self._create(LIBRARY)
        hub = self._expect("hub", self._create("Diamond", self._hub_arguments()), HUB_ADDRESS)
        for name in FACETS:
            facet, selectors = self._create(name), _selectors(self._artifact(name).abi)
            cut = {"facetAddress": facet, "action": ADD, "functionSelectors": selectors}
            call = DIAMOND.diamondCut.encode([cut], NULL_ADDRESS, b"")
            self._send(f"cut in {name}", hub, call)
        self._configure(hub, token, REGISTRIES, "Staked RLC", "SRLC")
        self._share(token, accounts.addresses())
        self._stake(hub, token)

    def _hub_arguments(self) -> bytes:
        """Of the diamond's constructor: its first facets; owner, initialiser and its call."""
        cuts: list[_Cut] = [
            (address_to_bytes(self._create(name)), ADD, _selectors(self._artifact(name).abi))
            for name in BASE_FACETS
        ]
        owner = address_to_bytes(self._admin)
        start = (owner, address_to_bytes(self._create("DiamondInit")), DIAMOND.init.encode())
        return abi.encode([_CUT, "(address,address,bytes)"], [cuts, start])

    def _creation(self, code: bytes) -> tuple[str, bytes, str]:
        address = keccak(b"\xff" + address_to_bytes(CREATE2) + SALT + keccak(code))[12:]
        return CREATE2, SALT + code, checksum_address(address)


def _selectors(entries: Iterable[Mapping[str, object]]) -> list[bytes]:
    """The selectors of a facet, in the order of its ABI."""
    return [
        SPECIAL[str(entry["type"])]
        if entry["type"] in SPECIAL
        else abi.function_from_json(entry).selector
        for entry in entries
        if entry["type"] == "function" or entry["type"] in SPECIAL
    ]
