"""An ENS registry for the sandbox, on request: names for trying what takes names (sandbox.md §4).

The real registry and resolver; ``admin`` owns the root and hands every name out itself, where the
public one has registrars that sell them.
"""

from __future__ import annotations

from dataclasses import replace

from ..eth import abi
from ..eth.codec import address_to_bytes, checksum_address, from_hex, to_hex
from ..eth.crypto import keccak
from ..net.rpc import Rpc
from ..protocol.chains import Chain
from ..protocol.deployment import DEPLOY_ENS
from ..protocol.ens import namehash
from ..protocol.orders import NULL_BYTES32
from ..sdk.journal import MemoryJournal
from ..sdk.transactions import Intent, Sent, Transactions
from . import accounts
from .packages import Kit

__all__ = ["Names"]

ETHER = 60  # the coin type of Ethereum addresses (SLIP-44)


class Names:
    """A registry, deployed when this is made. ``chain`` is the record that knows of it."""

    def __init__(self, rpc: Rpc, chain: Chain, kit: Kit) -> None:
        self.chain = chain
        self._signer = accounts.signer("admin")
        self._transactions = Transactions(rpc, chain, self._signer, journal=MemoryJournal())
        self._steps = 0
        registry = self._send(None, from_hex(kit.contracts["ENSRegistry"].bytecode))
        self.registry = _created(registry)
        code = from_hex(kit.contracts["PublicResolver"].bytecode)
        owner = abi.encode(["address"], [address_to_bytes(self.registry)])
        self.resolver = _created(self._send(None, code + owner))
        self.chain = replace(chain, ens_registry=self.registry)

    def register(self, name: str, address: str) -> None:
        """Let ``name`` stand for ``address``, from now on."""
        self.delegate(name, self.resolver)
        call = DEPLOY_ENS.setAddr.encode(namehash(name), ETHER, address_to_bytes(address))
        self._send(self.resolver, call)

    def delegate(self, name: str, resolver: str) -> None:
        """Let ``resolver`` answer for ``name``."""
        parent, labels = NULL_BYTES32, name.split(".")
        for at in reversed(range(len(labels))):
            label = to_hex(keccak(labels[at].encode()))
            owned = DEPLOY_ENS.setSubnodeOwner.encode(parent, label, self._signer.address)
            self._send(self.registry, owned)
            parent = namehash(".".join(labels[at:]))
        self._send(self.registry, DEPLOY_ENS.setResolver.encode(parent, resolver))

    def _send(self, to: str | None, data: bytes) -> Sent:
        self._steps += 1
        intent = Intent(
            chain_id=self.chain.id,
            sender=self._signer.address,
            operation="sandbox ens",
            arguments={"step": self._steps},
        )
        return self._transactions.send(intent, to, data)


def _created(sent: Sent) -> str:
    return checksum_address(address_to_bytes(sent.receipt["contractAddress"]))
