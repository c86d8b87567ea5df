"""ENS names where V6 takes them instead of addresses (chain.md §1.7).

What reads, creates, signs, hashes, deploys or pays takes a name, through ``Context.resolve`` and
``Context.record``; ``cancel_…``, ``publish_…`` and ``match_orders`` take none, as what they are
given is signed already. A name is looked up anew at each use, before anything is signed: what is
signed and sent holds the address. Refused: names that nobody registered or that point nowhere,
networks without a registry, clients without a node.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import Web3ProviderCallError
from ..protocol.contracts import ENS
from ..protocol.ens import namehash, unresolved
from ..protocol.orders import NULL_ADDRESS

if TYPE_CHECKING:
    from ..protocol.methods import Method
    from .context import Context

__all__ = ["look_up"]


def look_up(context: Context, name: str) -> str:
    """EIP-55 address of an ENS name. Raises ValidationError where it has none."""
    node = namehash(name)
    if context.offline:
        raise unresolved(name, "an offline client can ask nobody")
    registry = context.chain.ens_registry
    if registry is None:
        raise unresolved(name, f"no ENS registry is known on chain {context.chain.id}")
    resolver = _ask(context, name, registry, ENS.resolver, node)
    if resolver == NULL_ADDRESS:
        raise unresolved(name, f"the ENS registry {registry} does not know it")
    address = _ask(context, name, resolver, ENS.addr, node)
    if address == NULL_ADDRESS:
        raise unresolved(name, f"its resolver {resolver} has no address for it")
    return address


def _ask(context: Context, name: str, to: str, method: Method, node: str) -> str:
    [answer] = context.read_many([(to, method, (node,))])
    if isinstance(answer, Web3ProviderCallError):
        if answer.retryable:  # the node is busy, and has not asked the contract
            raise answer
        raise unresolved(name, f"{method.name} of {to} failed ({answer.message})") from answer
    return str(answer)
