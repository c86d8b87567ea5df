"""Whether four orders make a deal, and at what price: a pure function of orders and chain facts.

``check`` repeats every requirement of ``matchOrders`` in the contracts (chain.md §7.2), among them
those that the JS SDKs forget: restrictions, presignatures, exact dataset equality, category
existence, one stake that serves two purposes. It returns *all* reasons, with the V6 text where V6
has one (§7.1) in V6's order, and the PoCo revert code where the contracts have one. On networks
whose ``rules`` demand tags of a deal, those are demanded too (today.md §3.4). Nothing is fetched:
``MatchFacts`` says which facts the caller must bring, ``groups`` which restrictions to ask about.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from ..errors import MatchError, ValidationError
from ..frozen import Frozen, replace
from .orders import (
    NULL_ADDRESS,
    NULL_BYTES32,
    Order,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from .reverts import MATCH
from .rules import STRICT, TEE, Rules
from .tag import bit_name, check_tag, from_mask, missing_bits, to_mask

__all__ = [
    "WORKERPOOL_STAKE_RATIO",
    "MatchFacts",
    "MatchReport",
    "OrderFacts",
    "OrderSet",
    "Reason",
    "check",
    "deal_tag",
    "groups",
]

WORKERPOOL_STAKE_RATIO = (
    30  # percent of the workerpool price; `workerpool_stake_ratio()` of the hub
)


PAYMENT = frozenset({"requester-stake", "shared-stake"})  # reasons: the payer's deposit helps
MONEY = PAYMENT | {"workerpool-stake"}  # reasons: a deposit helps


class OrderSet(NamedTuple):
    """The four orders of a match, in the order of ``matchOrders``.

    Where no dataset is used, ``datasetorder`` is ``orders.NULL_DATASETORDER``.
    """

    apporder: SignedApporder
    datasetorder: SignedDatasetorder
    workerpoolorder: SignedWorkerpoolorder
    requestorder: SignedRequestorder

    def orders(self) -> tuple[SignedOrder, ...]:
        """The four as a plain tuple."""
        return tuple(self)

    @property
    def has_dataset(self) -> bool:
        """Whether a dataset takes part."""
        return self.datasetorder.dataset != NULL_ADDRESS


class OrderFacts(Frozen):
    """What the chain says about one order and its resource.

    ``owner``: ``owner()`` of the app, dataset or workerpool contract; of a request order, its
    ``requester``. ``signed``: ``verifyPresignatureOrSignature(owner, order hash, sign)`` of the hub
    (a revert is False). ``consumed``: ``viewConsumed(order hash)``. ``registered``:
    ``isRegistered(address)`` of the registry; if False, ``owner`` and ``signed`` do not matter.
    """

    owner: str
    signed: bool
    consumed: int
    registered: bool = True


class MatchFacts(Frozen):
    """Everything ``check`` must know of the chain. Addresses are EIP-55, amounts nRLC.

    ``dataset`` is None exactly where no dataset takes part. ``category_exists``: the request
    order's category is below ``countCategory()``. ``workerpool_stake`` and ``requester_stake``:
    ``viewAccount(owner).stake`` of the workerpool's owner and of the requester; the latter of the
    ``sponsor`` where one pays in the requester's place, None if it does not matter. ``kyc``: on
    enterprise networks, those of requester and owners for which ``isKYC`` is true, elsewhere None.
    ``authorized``: those of :func:`groups` for which ``keyHasPurpose(address as bytes32, 4)`` of
    the group answers true (a revert is no).
    """

    app: OrderFacts
    dataset: OrderFacts | None = None
    workerpool: OrderFacts
    request: OrderFacts
    category_exists: bool
    workerpool_stake: int
    requester_stake: int | None
    sponsor: str | None = None
    workerpool_stake_ratio: int = WORKERPOOL_STAKE_RATIO
    kyc: frozenset[str] | None = None
    authorized: frozenset[tuple[str, str]] = frozenset()


class Reason(Frozen, kw_only=False):
    """One reason against a match. ``code`` is the contracts' revert reason or a stable word."""

    code: str
    text: str


class MatchReport(Frozen):
    """What a match would be, and every reason against it. Prices and stakes are nRLC.

    ``volume`` is the number of tasks that the contracts would sell: the least that remains of the
    orders, whatever the stakes. ``total`` is what the requester pays for all of them,
    ``workerpool_stake`` what the workerpool's owner stakes. The shortfalls are what is missing on
    the two accounts; where both are one account (``shared``), it is the same amount of that one.
    """

    reasons: tuple[Reason, ...]
    volume: int
    tag: str
    app_price: int
    dataset_price: int
    workerpool_price: int
    cost_per_task: int
    total: int
    workerpool_stake_per_task: int
    workerpool_stake: int
    requester_shortfall: int
    workerpool_shortfall: int
    shared: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing stands against the match."""
        return not self.reasons

    def but_for_money(self) -> MatchReport:
        """The same without the reasons that a deposit mends."""
        return replace(self, reasons=tuple(r for r in self.reasons if r.code not in MONEY))

    def but_for_payment(self) -> MatchReport:
        """The same without the reasons that a deposit of whoever pays mends.

        Where that is the workerpool's owner too, the same deposit also brings the stake.
        """
        mended = MONEY if self.shared else PAYMENT
        return replace(self, reasons=tuple(r for r in self.reasons if r.code not in mended))

    def raise_if_bad(self) -> None:
        """Raise MatchError with all reasons, if there is one."""
        if self.reasons:
            texts = [reason.text for reason in self.reasons]
            raise MatchError(
                "; ".join(texts),
                errors=texts,
                details={"reasons": [{"code": r.code, "text": r.text} for r in self.reasons]},
            )


def check(orders: OrderSet, facts: MatchFacts, rules: Rules) -> MatchReport:
    """Hold four orders against each other, the chain's facts and the network's rules.

    Raises ValidationError where the facts are those of other orders, nothing else: bad orders are
    reported. Signatures are facts: ``sign`` is not looked at here.
    """
    if orders.has_dataset != (facts.dataset is not None):
        raise ValidationError("facts.dataset must be given exactly where the orders have a dataset")
    if facts.request.owner != orders.requestorder.requester:
        raise ValidationError(
            f"facts.request.owner must be the requester {orders.requestorder.requester}"
        )
    report = _figures(orders, facts, rules)
    reasons = (
        *_deal_tag_reasons(report, rules),
        *_party_reasons(orders, facts),
        *_address_reasons(orders),
        *_restriction_reasons(orders, facts),
        *_term_reasons(orders, facts),
        *_tag_reasons(orders, report, rules),
        *_price_reasons(orders),
        *_workerpool_stake_reasons(report, facts),
        *_volume_reasons(orders, facts),
        *_requester_stake_reasons(report, facts),
    )
    return replace(report, reasons=reasons)


def groups(orders: OrderSet) -> tuple[tuple[str, str], ...]:
    """The (group, address) pairs to ask about: a restriction to another address may be a group."""
    return tuple(dict.fromkeys((each.restrict, each.value) for each in _restrictions(orders)))


def deal_tag(app: Order, dataset: Order | None, request: Order, rules: Rules) -> str:
    """The union that the contracts form of the tags; of a dataset's only some bits count."""
    counted = 0 if dataset is None else to_mask(dataset.tag) & rules.dataset_tag_mask
    return from_mask(to_mask(app.tag) | counted | to_mask(request.tag))


# --- figures --------------------------------------------------------------------------------------


def _figures(orders: OrderSet, facts: MatchFacts, rules: Rules) -> MatchReport:
    """The report without reasons."""
    app_price = orders.apporder.appprice
    dataset_price = orders.datasetorder.datasetprice if orders.has_dataset else 0
    workerpool_price = orders.workerpoolorder.workerpoolprice
    cost = app_price + dataset_price + workerpool_price
    volume = max(0, min(left for _, left in _remaining(orders, facts)))
    per_task = workerpool_price * facts.workerpool_stake_ratio // 100  # rounded, then multiplied
    total, stake = cost * volume, per_task * volume
    paid = facts.requester_stake
    requester_lacks = 0 if paid is None else max(0, total - paid)
    workerpool_lacks = max(0, stake - facts.workerpool_stake)
    if _shared(facts):
        requester_lacks = workerpool_lacks = max(0, total + stake - facts.workerpool_stake)
    return MatchReport(
        reasons=(),
        volume=volume,
        tag=deal_tag(orders.apporder, orders.datasetorder, orders.requestorder, rules),
        app_price=app_price,
        dataset_price=dataset_price,
        workerpool_price=workerpool_price,
        cost_per_task=cost,
        total=total,
        workerpool_stake_per_task=per_task,
        workerpool_stake=stake,
        requester_shortfall=requester_lacks,
        workerpool_shortfall=workerpool_lacks,
        shared=_shared(facts),
    )


def _remaining(orders: OrderSet, facts: MatchFacts) -> Iterator[tuple[str, int]]:
    """Name and remaining volume of the orders that take part."""
    parts = (facts.app, facts.dataset, facts.workerpool, facts.request)
    for order, part in zip(orders.orders(), parts, strict=True):
        if part is not None:
            yield order.name, order.volume - part.consumed


def _shared(facts: MatchFacts) -> bool:
    """Whether one account both pays and stakes for the workerpool."""
    payer = facts.sponsor or facts.request.owner
    return facts.requester_stake is not None and payer == facts.workerpool.owner


# --- reasons, in V6's order -----------------------------------------------------------------------


def _deal_tag_reasons(report: MatchReport, rules: Rules) -> Iterator[Reason]:
    if not rules.deal_tag:
        return
    try:
        check_tag(report.tag, rules, STRICT)
    except ValidationError as error:
        text = f"Matching order would produce an invalid deal tag. {error.message}"
        yield Reason("deal-tag", text)
        return
    needed = from_mask(rules.deal_tag)
    if missing_bits(report.tag, needed):
        names = " and ".join(
            f"[{bit_name(bit, rules)}]" for bit in missing_bits(NULL_BYTES32, needed)
        )
        yield Reason(
            "deal-tag",
            f"Resulting deal tag must have both {names} tags active. "
            "Matching orders have incompatible tags.",
        )


class _Party(NamedTuple):
    """A resource owner or the requester; ``digit`` is the first of the party's revert codes."""

    digit: str
    order: SignedOrder
    facts: OrderFacts


def _parties(orders: OrderSet, facts: MatchFacts) -> Iterator[_Party]:
    yield _Party("2", orders.apporder, facts.app)
    if facts.dataset is not None:
        yield _Party("3", orders.datasetorder, facts.dataset)
    yield _Party("4", orders.workerpoolorder, facts.workerpool)
    yield _Party("5", orders.requestorder, facts.request)


def _party_reasons(orders: OrderSet, facts: MatchFacts) -> Iterator[Reason]:
    """Registration, signatures, a requester that is somebody, KYC."""
    parties = list(_parties(orders, facts))
    for digit, order, part in parties:
        if not part.registered:
            kind = order.resource
            text = f"No {kind} deployed at address {getattr(order, kind)}"
            yield Reason(f"{MATCH}0x{digit}0", text)
    present = [party for party in parties if party.facts.registered]
    for digit, order, part in present:
        if not part.signed:
            last = "0" if order is orders.requestorder else "1"
            yield Reason(f"{MATCH}0x{digit}{last}", f"{order.name} invalid sign")
    if orders.requestorder.requester == NULL_ADDRESS:
        # What no key has signed recovers to this address, so the hub may call it signed.
        yield Reason("requester", "requester is the zero address, which cannot pay")
    if facts.kyc is None:
        return
    for digit, order, part in sorted(present, key=lambda p: p.order is not orders.requestorder):
        if part.owner not in facts.kyc:
            request = order is orders.requestorder
            who = "requester" if request else f"{order.resource} owner"
            yield Reason(
                f"{MATCH}0x{digit}{1 if request else 2}",
                f"{who} {part.owner} is not authorized to interact with eRLC",
            )


def _address_reasons(orders: OrderSet) -> Iterator[Reason]:
    """Whether the request order and the others speak of the same app and dataset."""
    app, dataset, _, request = orders
    if request.app != app.app:
        text = f"app address mismatch between requestorder ({request.app}) and apporder ({app.app})"
        yield Reason(f"{MATCH}0x10", text)
    if request.dataset != dataset.dataset:
        yield Reason(
            f"{MATCH}0x11",
            f"dataset address mismatch between requestorder ({request.dataset}) "
            f"and datasetorder ({dataset.dataset})",
        )


class _Restriction(NamedTuple):
    """``order`` wants ``kind`` to be ``restrict`` or a member of that group; it is ``value``."""

    code: str
    order: SignedOrder
    kind: str
    restrict: str
    value: str


# The restrictions of the three offers, with the last digits of their revert codes.
_RESTRICTED = {
    "apporder": (("13", "dataset"), ("14", "workerpool"), ("15", "requester")),
    "datasetorder": (("16", "app"), ("17", "workerpool"), ("18", "requester")),
    "workerpoolorder": (("19", "app"), ("1a", "dataset"), ("1b", "requester")),
}


def _restrictions(orders: OrderSet) -> Iterator[_Restriction]:
    """The restrictions that name another address, so that only a group could meet them."""
    app, dataset, workerpool, request = orders
    pool = workerpool.workerpool
    if request.workerpool not in (NULL_ADDRESS, pool):
        yield _Restriction("12", request, "workerpool", request.workerpool, pool)
    values = {
        "app": app.app,
        "dataset": dataset.dataset,
        "workerpool": pool,
        "requester": request.requester,
    }
    for order in (app, dataset, workerpool):
        for code, kind in _RESTRICTED[order.name]:
            restrict = getattr(order, f"{kind}restrict")
            if restrict not in (NULL_ADDRESS, values[kind]):
                yield _Restriction(code, order, kind, restrict, values[kind])


def _restriction_reasons(orders: OrderSet, facts: MatchFacts) -> Iterator[Reason]:
    for code, order, kind, restrict, value in _restrictions(orders):
        if (restrict, value) in facts.authorized:
            continue
        text = f"{order.name} is restricted to {kind} {restrict}, not {value}"
        if order is orders.requestorder:
            text = (
                f"workerpool address mismatch between requestorder ({restrict}) "
                f"and workerpoolorder ({value})"
            )
        yield Reason(f"{MATCH}0x{code}", text)


def _term_reasons(orders: OrderSet, facts: MatchFacts) -> Iterator[Reason]:
    """Category and trust."""
    workerpool, request = orders.workerpoolorder, orders.requestorder
    if request.category != workerpool.category:
        yield Reason(
            f"{MATCH}0x00",
            f"category mismatch between requestorder ({request.category}) "
            f"and workerpoolorder ({workerpool.category})",
        )
    if not facts.category_exists:
        yield Reason(f"{MATCH}0x01", f"category {request.category} does not exist")
    if workerpool.trust < request.trust:
        yield Reason(
            f"{MATCH}0x02",
            f"workerpoolorder trust is too low (expected {request.trust}, got {workerpool.trust})",
        )


def _tag_reasons(orders: OrderSet, report: MatchReport, rules: Rules) -> Iterator[Reason]:
    missing = missing_bits(orders.workerpoolorder.tag, report.tag)
    if missing:
        names = ",".join(bit_name(bit, rules) for bit in missing)
        yield Reason(f"{MATCH}0x06", f"Missing tags [{names}] in workerpoolorder")
    if to_mask(report.tag) & ~to_mask(orders.apporder.tag) & TEE:
        yield Reason(f"{MATCH}0x07", "Missing tag [tee] in apporder")


def _price_reasons(orders: OrderSet) -> Iterator[Reason]:
    app, dataset, pool, request = orders
    for code, name, limit, price in (
        ("0x03", "appmaxprice", request.appmaxprice, app.appprice),
        ("0x05", "workerpoolmaxprice", request.workerpoolmaxprice, pool.workerpoolprice),
        ("0x04", "datasetmaxprice", request.datasetmaxprice, dataset.datasetprice),
    ):
        if limit < price:
            yield Reason(MATCH + code, f"{name} too low (expected {price}, got {limit})")


def _workerpool_stake_reasons(report: MatchReport, facts: MatchFacts) -> Iterator[Reason]:
    """The contracts want the stake for all tasks that the orders allow, or make no deal at all."""
    have = facts.workerpool_stake
    if not facts.workerpool.registered:
        return  # nobody to have a stake
    if have < report.workerpool_stake_per_task:
        needed, tasks = report.workerpool_stake_per_task, ""
    elif have < report.workerpool_stake:
        needed, tasks = report.workerpool_stake, f" for {report.volume} tasks"
    else:
        return
    yield Reason(
        "workerpool-stake",
        f"workerpool required stake{tasks} ({needed}) is greater than workerpool owner's account "
        f"stake ({have}). Orders can't be matched. If you are the workerpool owner, you should "
        "deposit to top up your account",
    )


def _volume_reasons(orders: OrderSet, facts: MatchFacts) -> Iterator[Reason]:
    for name, left in _remaining(orders, facts):
        if left <= 0:
            yield Reason(f"{MATCH}0x60", f"{name} is fully consumed")


def _requester_stake_reasons(report: MatchReport, facts: MatchFacts) -> Iterator[Reason]:
    have = facts.requester_stake
    if have is None:
        return
    payer = "requester" if facts.sponsor is None else "sponsor"
    advice = (
        f"Orders can't be matched. If you are the {payer}, you should deposit to top up your "
        "account"
    )
    if have < report.cost_per_task:
        yield Reason(
            "requester-stake",
            f"Cost per task ({report.cost_per_task}) is greater than {payer} account stake "
            f"({have}). {advice}",
        )
    elif have < report.total:
        yield Reason(
            "requester-stake",
            f"Total cost for {report.volume} tasks ({report.total}) is greater than {payer} "
            f"account stake ({have}). {advice} or reduce your requestorder volume",
        )
    elif (
        _shared(facts) and report.workerpool_stake <= have < report.total + report.workerpool_stake
    ):
        yield Reason(
            "shared-stake",
            f"Total cost for {report.volume} tasks ({report.total}) and workerpool required stake "
            f"({report.workerpool_stake}) come from one account and are together greater than its "
            f"stake ({have}). {advice}",
        )
