"""What the library returns: small frozen records with the V6 JSON behind ``to_dict()`` (api.md).

Attributes are snake_case, the JSON is what the V6 command line prints with ``--raw``: camelCase
keys, chain integers as decimal text, small numbers as numbers, absent values left out. A field says
in its metadata where its JSON differs from that rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Generic, TypeVar

from ..frozen import Frozen, field, fields
from ..protocol.ids import task_ids

if TYPE_CHECKING:
    from ..protocol.matching import Reason
    from ..protocol.orders import SignedOrder

__all__ = [
    "AccountBalance",
    "Balances",
    "BridgeTransfer",
    "CancelledOrder",
    "Contracts",
    "DatasetBulk",
    "Deal",
    "DealClaim",
    "DealUpdate",
    "Deployed",
    "FaucetAnswer",
    "MarketDeal",
    "MatchCheck",
    "MatchEstimate",
    "MatchResult",
    "Network",
    "OwnershipTransfer",
    "PendingTransaction",
    "PublishedOrder",
    "Resource",
    "ResourceShare",
    "SecretPush",
    "Sweep",
    "Task",
    "TaskUpdate",
    "Transfer",
]

S = TypeVar("S", bound="SignedOrder")

NUMBER = {"number": True}


def camel(name: str) -> str:
    """``start_time`` → ``startTime``."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def to_json(value: object, *, number: bool = False) -> object:
    """The JSON form of one value: records by ``to_dict``, big integers as decimal text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if number else str(value)
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if isinstance(value, dict):
        return {str(key): to_json(item, number=number) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item, number=number) for item in value]
    convert = getattr(value, "to_dict", None)
    return convert() if convert is not None else value


class Record(Frozen):
    """Base of the result records: adds ``to_dict``."""

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON of this record, members in V6 order, without absent values."""
        result: dict[str, object] = {}
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None:
                key = item.metadata.get("json", camel(item.name))
                result[key] = to_json(value, number=bool(item.metadata.get("number")))
        return result


class Balances(Record):
    """A wallet: ``wei`` of the chain's coin, ``nrlc`` of RLC (on native chains the coin itself)."""

    wei: int
    nrlc: int = field(metadata={"json": "nRLC"})


class AccountBalance(Record):
    """An account on the hub, in nRLC: ``stake`` is free, ``locked`` is bound in deals."""

    stake: int
    locked: int


class Transfer(Record):
    """A deposit or withdrawal: nRLC moved and the transaction that moved them."""

    amount: int
    tx_hash: str


class BridgeTransfer(Record):
    """RLC that went over the bridge: what was sent here, and what paid it out on the other side.

    ``receive_tx_hash`` is None where the other side is not known to this client.
    """

    send_tx_hash: str
    receive_tx_hash: str | None


class Sweep(Record):
    """A wallet emptied: the transactions of its RLC and its coin, None where there was nothing.

    ``errors`` tells why the coin could not be sent.
    """

    send_erc20_tx_hash: str | None = field(metadata={"json": "sendERC20TxHash"})
    send_native_tx_hash: str | None
    errors: tuple[str, ...]

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON: what there is."""
        found = Record.to_dict(self)
        return found if self.errors else {key: found[key] for key in found if key != "errors"}


class PendingTransaction(Record):
    """What the journal holds as pending: ``operation`` with its ``arguments``, since ``created``.

    ``tx_hash`` is None where a wallet was asked and gave none. ``state``: ``intended`` (perhaps
    sent), ``sent`` or ``unknown`` (given up on). ``replaces``: the first transaction with this
    nonce, in whose place it was sent. ``live``: a call waits for it; else the same call, made
    again, finds its result, also if it is mined already. ``created``: seconds since 1970.
    """

    tx_hash: str | None
    nonce: int = field(metadata=NUMBER)
    operation: str
    arguments: Mapping[str, object] = field(metadata=NUMBER)
    state: str
    created: int = field(metadata=NUMBER)
    live: bool
    replaces: str | None = None


class FaucetAnswer(Record):
    """What a faucet said, as it said it; with a member ``error`` it gave nothing."""

    name: str
    response: Mapping[str, object] = field(metadata=NUMBER)


class SecretPush(Record):
    """A secret that is now in the SMS; ``is_updated``: in the place of another.

    ``is_updated`` is None for a secret that can never be replaced.
    """

    is_pushed: bool
    is_updated: bool | None = None


class Network(Record):
    """The chain the client works on. A native chain pays in RLC and was called a sidechain."""

    chain_id: int
    is_sidechain: bool
    is_native: bool


class Contracts(Record):
    """The contracts of a network. ``rlc_address`` is None where RLC is the chain's own coin.

    ``poco_version`` is as much of it as the hub's functions tell: ``5``, ``5.5`` or ``6``.
    """

    poco_version: str
    hub_address: str
    rlc_address: str | None
    app_registry_address: str
    dataset_registry_address: str
    workerpool_registry_address: str
    use_native: bool
    flavour: str


class Deployed(Record):
    """A new app, dataset, workerpool: its contract's address."""

    address: str
    tx_hash: str


class OwnershipTransfer(Record):
    """An app, dataset or workerpool (``address``) that belongs to ``to`` now."""

    address: str
    to: str
    tx_hash: str


class DatasetBulk(Record):
    """Datasets for one request order: ``cid`` is its ``bulk_cid``, ``volume`` its tasks."""

    cid: str
    volume: int = field(metadata=NUMBER)


class Resource(Record):
    """A deployed app, dataset or workerpool as the chain shows it.

    ``kind`` is ``app``, ``dataset`` or ``workerpool``; ``properties`` holds the V6 members of that
    kind (chain.md §4.3), for example ``appName`` and ``owner``.
    """

    obj_address: str
    kind: str
    properties: dict[str, object]

    def to_dict(self) -> dict[str, object]:
        """``{"objAddress": …, "<kind>": {…}}``."""
        return {"objAddress": self.obj_address, self.kind: to_json(self.properties)}


class CancelledOrder(Record):
    """An order that can never be matched again."""

    order: object
    tx_hash: str


class MatchResult(Record):
    """A new deal: its id, how many tasks were bought, and their ids by index."""

    dealid: str
    volume: int
    tx_hash: str
    taskids: dict[int, str]


class MatchEstimate(Record):
    """What ``match_orders`` would do now. Prices are nRLC per task, the rest nRLC in all.

    ``volume`` tasks would be bought for ``total``, which the requester pays; ``workerpool_stake``
    is locked of the workerpool owner's account. The shortfalls are what is missing on either
    account (0: enough); where one account pays and stakes, both are the same amount of it.
    """

    volume: int
    total: int
    app_price: int
    dataset_price: int
    workerpool_price: int
    workerpool_stake: int
    requester_shortfall: int
    workerpool_shortfall: int


class MatchCheck(MatchEstimate):
    """A :class:`MatchEstimate` of orders that may not match, and all ``reasons`` why not."""

    reasons: tuple[Reason, ...]

    def to_dict(self) -> dict[str, object]:
        """With each reason as ``{"code", "text"}``."""
        reasons = [{"code": reason.code, "text": reason.text} for reason in self.reasons]
        return {**Record.to_dict(self), "reasons": reasons}


class PublishedOrder(Record, Generic[S]):
    """An order on the marketplace. ``remaining`` is how many tasks are left of it.

    ``order`` is known to hash to ``order_hash``; its signature, ``status`` (``open``, ``filled``,
    ``canceled``, ``dead``), ``remaining``, ``signer`` and the time (ISO 8601) are the marketplace's
    word. ``bulk`` only of dataset orders, only on today's networks.
    """

    order_hash: str
    chain_id: int
    order: S
    remaining: int = field(metadata=NUMBER)
    status: str
    publication_timestamp: str
    signer: str
    bulk: bool | None = None

    def to_dict(self) -> dict[str, object]:
        """The V6 JSON; as on the marketplace, the numbers within the order are numbers."""
        return {**Record.to_dict(self), "order": self.order.values()}


class ResourceShare(Record):
    """One side of a deal: contract, owner when matched, price per task in nRLC."""

    pointer: str
    owner: str
    price: int


class Deal(Record):
    """A deal (chain.md §5.2). Times are seconds since 1970, prices and stakes nRLC.

    ``tasks`` maps the task's index (``bot_first`` on) to its id; ``deadline_reached`` compares with
    the latest block's time, as the contracts do.
    """

    dealid: str
    app: ResourceShare
    dataset: ResourceShare
    workerpool: ResourceShare
    trust: int
    category: int
    tag: str
    requester: str
    beneficiary: str
    callback: str
    params: str
    start_time: int
    bot_first: int
    bot_size: int
    worker_stake: int
    scheduler_reward_ratio: int
    sponsor: str | None = None
    final_time: int
    deadline_reached: bool
    tasks: dict[int, str]


class MarketDeal(Record):
    """A deal as the marketplace tells it: the members of ``Deal`` and where it was made.

    What only the chain can tell is not here (final time, whether it is reached): ``deal.show``
    does. ``dealid`` is known to be that of ``request_hash`` and ``bot_first``.
    """

    dealid: str
    chain_id: int = field(metadata=NUMBER)
    app: ResourceShare
    dataset: ResourceShare
    workerpool: ResourceShare
    requester: str
    beneficiary: str
    callback: str
    app_hash: str
    dataset_hash: str
    workerpool_hash: str
    request_hash: str
    params: str
    volume: int = field(metadata=NUMBER)
    category: int = field(metadata=NUMBER)
    tag: str
    trust: int = field(metadata=NUMBER)
    start_time: int = field(metadata=NUMBER)
    bot_first: int = field(metadata=NUMBER)
    bot_size: int = field(metadata=NUMBER)
    scheduler_reward_ratio: int = field(metadata=NUMBER)
    worker_stake: int = field(metadata=NUMBER)
    block_number: int = field(metadata=NUMBER)
    block_timestamp: str
    transaction_hash: str

    @property
    def tasks(self) -> dict[int, str]:
        """Task ids by index, as in ``Deal``. StateError for more than can be listed."""
        return task_ids(self.dealid, self.bot_first, self.bot_size)

    def to_dict(self) -> dict[str, object]:
        """The marketplace's JSON: numbers are numbers."""
        shares = {
            kind: {**share.to_dict(), "price": share.price}
            for kind, share in (
                ("app", self.app),
                ("dataset", self.dataset),
                ("workerpool", self.workerpool),
            )
        }
        return {**Record.to_dict(self), **shares}


class Task(Record):
    """A task (chain.md §6.1).

    ``status`` 0–4 is UNSET, ACTIVE, REVEALING, COMPLETED, FAILED; ``status_name`` says TIMEOUT
    where the final deadline passed first. ``results`` is ``{"storage": …, "location"?: …}``.
    """

    taskid: str
    status: int = field(metadata=NUMBER)
    dealid: str
    idx: int | None = None
    timeref: int | None = None
    contribution_deadline: int | None = None
    reveal_deadline: int | None = None
    final_deadline: int | None = None
    consensus_value: str | None = None
    reveal_counter: int | None = None
    winner_counter: int | None = None
    contributors: tuple[str, ...] | None = None
    result_digest: str | None = None
    results: dict[str, object] | None = None
    results_timestamp: int | None = None
    results_callback: str | None = None
    status_name: str
    task_timed_out: bool


class TaskUpdate(Record):
    """What ``obs_task`` yields: TASK_UPDATED, TASK_COMPLETED, TASK_TIMEDOUT or TASK_FAILED."""

    message: str
    task: Task


class DealUpdate(Record):
    """What ``obs_deal`` yields: DEAL_UPDATED, DEAL_COMPLETED or DEAL_TIMEDOUT; tasks by index."""

    message: str
    deal: Deal
    tasks: dict[int, Task]
    tasks_count: int = field(metadata=NUMBER)
    completed_tasks_count: int = field(metadata=NUMBER)
    failed_tasks_count: int = field(metadata=NUMBER)


class DealClaim(Record):
    """What ``deal.claim`` did: claimed task ids by index, and each transaction with its type."""

    claimed: dict[int, str]
    transactions: tuple[dict[str, str], ...]
