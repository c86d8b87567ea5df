"""What the chain says about four orders, in two batches of reads (chain.md §7.2).

The first batch asks who owns what and what is used up, the second what follows from the owners:
signatures, stakes, groups. A signature that the hub's view does not accept is held against its
owner once more, as ``matchOrders`` does: contract wallets of the first ERC-1271 answer for the
signed bytes, not for their hash. ``protocol/matching.py`` says what is needed and judges it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from ..errors import Web3ProviderCallError
from ..eth.codec import from_hex
from ..protocol.contracts import (
    ENTRY,
    ERLC,
    GROUP_MEMBER_PURPOSE,
    HUB,
    REGISTRY,
    RESTRICTION,
    Method,
)
from ..protocol.matching import MatchFacts, OrderFacts, OrderSet, groups
from ..protocol.methods import Read
from ..protocol.orders import NULL_ADDRESS, SignedOrder, order_hash
from .context import Context

__all__ = ["match_facts", "offer_facts"]

ERC1271 = Method("isValidSignature(bytes signed, bytes signature) view returns (bytes4)")
ERC1271_YES = "0x20c13b0b"


def match_facts(
    context: Context,
    orders: OrderSet,
    *,
    to_sign: Collection[str] = (),
    sponsor: str | None = None,
) -> MatchFacts:
    """The facts for ``matching.check``. Raises Web3ProviderCallError where the node fails.

    ``to_sign`` names orders that are still to be signed (``apporder`` …): they count as signed, and
    nothing of them is used up. ``sponsor`` pays in the requester's place, if there is one.
    """
    sold: tuple[SignedOrder, ...] = (orders.apporder, orders.workerpoolorder)
    if orders.has_dataset:
        sold += (orders.datasetorder,)
    taking_part = (*sold, orders.requestorder)
    hashes = {order.name: order_hash(order, context.domain) for order in taking_part}
    found = _Answers(context, _about_orders(context, sold, hashes))
    requester = orders.requestorder.requester
    owners = {order.name: found.text(f"owner {order.name}", NULL_ADDRESS) for order in sold}
    owners[orders.requestorder.name] = requester
    payer = sponsor or requester
    people = _about_people(context, orders, taking_part, owners, hashes, payer=payer)
    then = _Answers(context, people)
    signed = _signed(
        context, then, [order for order in taking_part if order.name not in to_sign], owners
    )

    def facts(order: SignedOrder) -> OrderFacts:
        new = order.name in to_sign
        return OrderFacts(
            owner=owners[order.name],
            signed=new or order.name in signed,
            consumed=0 if new else found.number(f"consumed {order.name}"),
            registered=order not in sold or found.sure(f"registered {order.name}") is True,
        )

    return MatchFacts(
        app=facts(orders.apporder),
        dataset=facts(orders.datasetorder) if orders.has_dataset else None,
        workerpool=facts(orders.workerpoolorder),
        request=facts(orders.requestorder),
        category_exists=orders.requestorder.category < found.number("categories"),
        workerpool_stake=then.stake(owners[orders.workerpoolorder.name]),
        requester_stake=then.stake(payer),
        sponsor=sponsor,
        kyc=frozenset(person for person in owners.values() if then.flag(f"kyc {person}"))
        if context.chain.enterprise
        else None,
        authorized=frozenset(pair for pair in groups(orders) if then.flag(f"group {pair}")),
    )


def offer_facts(context: Context, order: SignedOrder) -> tuple[OrderFacts, int]:
    """The facts of one offer (no request order) alone, and what its owner has staked, in nRLC."""
    name, order_id = order.name, order_hash(order, context.domain)
    found = _Answers(context, _about_orders(context, (order,), {name: order_id}))
    owner = found.text(f"owner {name}", NULL_ADDRESS)
    then = _Answers(
        context,
        {
            f"signed {name}": _claim(context, owner, order_id, order),
            f"account {owner}": (context.hub, HUB.viewAccount, (owner,)),
        },
    )
    facts = OrderFacts(
        owner=owner,
        signed=name in _signed(context, then, (order,), {name: owner}),
        consumed=found.number(f"consumed {name}"),
        registered=found.sure(f"registered {name}") is True,
    )
    return facts, then.stake(owner)


def _about_orders(
    context: Context, sold: Sequence[SignedOrder], hashes: Mapping[str, str]
) -> dict[str, Read]:
    reads: dict[str, Read] = {"categories": (context.hub, HUB.countCategory, ())}
    for name, order_id in hashes.items():
        reads[f"consumed {name}"] = (context.hub, HUB.viewConsumed, (order_id,))
    for order in sold:
        pointer, registry = _pointer(order), context.registry(order.resource)
        reads[f"registered {order.name}"] = (registry, REGISTRY.isRegistered, (pointer,))
        reads[f"owner {order.name}"] = (pointer, ENTRY.owner, ())
    return reads


def _about_people(
    context: Context,
    orders: OrderSet,
    taking_part: Sequence[SignedOrder],
    owners: Mapping[str, str],
    hashes: Mapping[str, str],
    *,
    payer: str,
) -> dict[str, Read]:
    reads: dict[str, Read] = {}
    for order in taking_part:
        name = order.name
        reads[f"signed {name}"] = _claim(context, owners[name], hashes[name], order)
    for person in (payer, owners[orders.workerpoolorder.name]):
        reads[f"account {person}"] = (context.hub, HUB.viewAccount, (person,))
    for group, person in groups(orders):
        key = "0x" + person[2:].lower().rjust(64, "0")
        member = (group, RESTRICTION.keyHasPurpose, (key, GROUP_MEMBER_PURPOSE))
        reads[f"group {(group, person)}"] = member
    if context.chain.enterprise:
        for person in owners.values():
            reads[f"kyc {person}"] = (context.token, ERLC.isKYC, (person,))
    return reads


def _claim(context: Context, owner: str, order_id: str, order: SignedOrder) -> Read:
    """Asks the hub whether ``owner`` has signed."""
    return context.hub, HUB.verifyPresignatureOrSignature, (owner, order_id, order.sign)


def _signed(
    context: Context,
    then: _Answers,
    taking_part: Sequence[SignedOrder],
    owners: Mapping[str, str],
) -> frozenset[str]:
    """Names of the orders that their owners have signed, in one way or another."""
    signed = {order.name for order in taking_part if then.flag(f"signed {order.name}")}
    reads: dict[str, Read] = {}
    for order in taking_part:
        if order.name not in signed:
            data = context.domain.separator + order.struct().hash_row(order.packed()[:-1])
            claim = (b"\x19\x01" + data, from_hex(order.sign))
            reads[order.name] = (owners[order.name], ERC1271, claim)
    if reads:
        wallets = _Answers(context, reads)
        signed |= {name for name in reads if wallets.text(name, "") == ERC1271_YES}
    return frozenset(signed)


def _pointer(order: SignedOrder) -> str:
    """Address of the app, dataset or workerpool that an order sells."""
    return str(getattr(order, order.resource))


class _Answers:
    """One batch of named reads.

    Contracts of others may revert, be missing or talk nonsense, which is a no. The hub and the
    registries answer what they are asked: an error of theirs is an error.
    """

    def __init__(self, context: Context, reads: dict[str, Read]) -> None:
        self._answers = dict(zip(reads, context.read_many(list(reads.values())), strict=True))

    def text(self, name: str, default: str) -> str:
        answer = self._or_none(name)
        return default if answer is None else str(answer)

    def number(self, name: str) -> int:
        answer = self.sure(name)
        assert isinstance(answer, int)  # noqa: S101  # uint256 decodes as int
        return answer

    def flag(self, name: str) -> bool:
        return self._or_none(name) is True

    def stake(self, person: str) -> int:
        account = self.sure(f"account {person}")
        assert isinstance(account, dict)  # noqa: S101  # a struct decodes as dict
        return int(account["stake"])

    def sure(self, name: str) -> object:
        answer = self._answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _or_none(self, name: str) -> object:
        answer = self._answers[name]
        if isinstance(answer, Web3ProviderCallError):
            if answer.retryable:  # the node is busy, and has not asked the contract
                raise answer
            return None
        return answer
