"""What the chain says about four orders, in two batches of reads (chain.md §7.2).

The first batch asks who owns what and what is used up, the second what follows from the owners:
signatures, stakes, groups. ``protocol/matching.py`` says what is needed and judges it.
"""

from __future__ import annotations

from ..protocol.contracts import ENTRY, ERLC, GROUP_MEMBER_PURPOSE, HUB, REGISTRY, RESTRICTION
from ..protocol.matching import MatchFacts, OrderFacts, OrderSet, groups
from ..protocol.orders import NULL_ADDRESS, SignedOrder, order_hash
from .context import Context, Read

__all__ = ["match_facts"]


def match_facts(context: Context, orders: OrderSet) -> MatchFacts:
    """The facts for ``matching.check``. Raises Web3ProviderCallError where the node fails."""
    hub = context.hub
    sold: tuple[SignedOrder, ...] = (orders.apporder, orders.workerpoolorder)
    if orders.has_dataset:
        sold += (orders.datasetorder,)
    taking_part = (*sold, orders.requestorder)
    hashes = {order.name: order_hash(order, context.domain) for order in taking_part}
    found = _Answers(
        context,
        {
            "categories": (hub, HUB.countCategory, ()),
            **{
                f"consumed {order.name}": (hub, HUB.viewConsumed, (hashes[order.name],))
                for order in taking_part
            },
            **{
                f"registered {order.name}": (
                    context.registry(order.resource),
                    REGISTRY.isRegistered,
                    (_pointer(order),),
                )
                for order in sold
            },
            **{f"owner {order.name}": (_pointer(order), ENTRY.owner, ()) for order in sold},
        },
    )
    requester = orders.requestorder.requester
    owners = {order.name: found.text(f"owner {order.name}", NULL_ADDRESS) for order in sold}
    owners[orders.requestorder.name] = requester
    people = frozenset(owners.values()) - {NULL_ADDRESS}
    accounts = {requester, owners[orders.workerpoolorder.name]}
    then = _Answers(
        context,
        {
            **{
                f"signed {order.name}": (
                    hub,
                    HUB.verifyPresignatureOrSignature,
                    (owners[order.name], hashes[order.name], order.sign),
                )
                for order in taking_part
            },
            **{f"account {person}": (hub, HUB.viewAccount, (person,)) for person in accounts},
            **{f"group {pair}": _membership(*pair) for pair in groups(orders)},
            **(
                {f"kyc {person}": (context.token, ERLC.isKYC, (person,)) for person in people}
                if context.chain.enterprise
                else {}
            ),
        },
    )

    def facts(order: SignedOrder) -> OrderFacts:
        return OrderFacts(
            owner=owners[order.name],
            signed=then.flag(f"signed {order.name}"),
            consumed=found.number(f"consumed {order.name}"),
            registered=found.flag(f"registered {order.name}", default=True),
        )

    return MatchFacts(
        app=facts(orders.apporder),
        dataset=facts(orders.datasetorder) if orders.has_dataset else None,
        workerpool=facts(orders.workerpoolorder),
        request=facts(orders.requestorder),
        category_exists=orders.requestorder.category < found.number("categories"),
        workerpool_stake=then.stake(owners[orders.workerpoolorder.name]),
        requester_stake=then.stake(requester),
        kyc=frozenset(person for person in people if then.flag(f"kyc {person}"))
        if context.chain.enterprise
        else None,
        authorized=frozenset(pair for pair in groups(orders) if then.flag(f"group {pair}")),
    )


def _pointer(order: SignedOrder) -> str:
    """Address of the app, dataset or workerpool that an order sells."""
    return str(getattr(order, order.resource))


def _membership(group: str, person: str) -> Read:
    key = "0x" + person[2:].lower().rjust(64, "0")
    return group, RESTRICTION.keyHasPurpose, (key, GROUP_MEMBER_PURPOSE)


class _Answers:
    """One batch of named reads. A contract that reverts or is not there answers None."""

    def __init__(self, context: Context, reads: dict[str, Read]) -> None:
        self._answers = dict(
            zip(reads, map(_or_none, context.read_many(list(reads.values()))), strict=True)
        )

    def text(self, name: str, default: str) -> str:
        answer = self._answers[name]
        return default if answer is None else str(answer)

    def number(self, name: str) -> int:
        answer = self._answers[name]
        return answer if isinstance(answer, int) else 0

    def flag(self, name: str, *, default: bool = False) -> bool:
        """The answer of a bool; ``default`` where nothing was asked."""
        return self._answers.get(name, default) is True

    def stake(self, person: str) -> int:
        account = self._answers[f"account {person}"]
        return int(account["stake"]) if isinstance(account, dict) else 0


def _or_none(answer: object) -> object:
    """A revert is a no; a node that fails is an error."""
    if not isinstance(answer, Exception):
        return answer
    if getattr(answer, "kind", "revert") == "revert":
        return None
    raise answer
