"""The tables of the marketplace: SQL, and how each kind of order is searched and sorted.

Columns of addresses mean the same in each kind: what the order sells or asks for, or whom it is
restricted to (the null address: open to all). Spec: services.md §1.4, §1.8; market.md, "Lists".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["ANY", "CATEGORY_BOUNDS", "DEAL_QUERY", "EDITIONS", "KINDS", "SCHEMA"]
__all__ += ["Edition", "OrderKind", "is_bulk", "strict_flag"]

SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, hash TEXT NOT NULL, signer TEXT NOT NULL,
    status TEXT NOT NULL, remaining INTEGER NOT NULL, published TEXT NOT NULL,
    price INTEGER NOT NULL, tag TEXT NOT NULL, category INTEGER, trust INTEGER,
    app TEXT NOT NULL, dataset TEXT NOT NULL, workerpool TEXT NOT NULL, requester TEXT NOT NULL,
    beneficiary TEXT, body TEXT NOT NULL, UNIQUE (kind, hash)
);
CREATE INDEX IF NOT EXISTS orders_by_status ON orders (kind, status, signer);
CREATE TABLE IF NOT EXISTS deals (
    dealid TEXT PRIMARY KEY, block INTEGER NOT NULL, category INTEGER NOT NULL, price NOT NULL,
    requester TEXT NOT NULL, beneficiary TEXT NOT NULL,
    app TEXT NOT NULL, dataset TEXT NOT NULL, workerpool TEXT NOT NULL,
    appOwner TEXT NOT NULL, datasetOwner TEXT NOT NULL, workerpoolOwner TEXT NOT NULL,
    apporderHash TEXT NOT NULL, datasetorderHash TEXT NOT NULL,
    workerpoolorderHash TEXT NOT NULL, requestorderHash TEXT NOT NULL, body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS deals_by_requester ON deals (requester);
CREATE TABLE IF NOT EXISTS categories (
    catid INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS challenges (
    address TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS cursor (
    one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, hash TEXT NOT NULL,
    settled INTEGER NOT NULL
);
"""


ANY = "any"  # instead of an address: no filter


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """A release of the server, and what it knows.

    ``max_integer`` of its numbers; ``maximum``: how it spells the word; ``finds``: lists can be
    asked for any address, strictly for one, and by ``pageIndex`` and ``pageSize``; ``bulk``:
    dataset orders tell whether they can be used in bulk; ``any_case``: of the address that an
    authorization proves.
    """

    version: str
    max_integer: int
    maximum: str
    finds: bool = False
    bulk: bool = False
    any_case: bool = False


# By how their clients ask for pages.
EDITIONS: Mapping[str, Edition] = MappingProxyType(
    {
        "skip": Edition(version="5.3.0", max_integer=2**53 - 2, maximum="maximun"),
        "index": Edition(
            version="7.1.2",
            max_integer=2**53 - 1,
            maximum="maximum",
            finds=True,
            bulk=True,
            any_case=True,
        ),
    }
)
BULK_VOLUME = 2**53 - 2  # from here on a volume counts as infinite


def is_bulk(order: Mapping[str, object]) -> bool:
    """Whether a dataset order can be used in bulk: it is free, and without end."""
    volume = order["volume"]
    return order["datasetprice"] == 0 and isinstance(volume, int) and volume >= BULK_VOLUME


def strict_flag(role: str) -> str:
    """The parameter that leaves out orders open to all from those for an address."""
    return f"is{role.capitalize()}Strict"


@dataclass(frozen=True, slots=True)
class OrderKind:
    """How one kind is searched and sorted.

    ``columns``: column of an address → the order's field. ``exact`` are query parameters → columns
    that must have the value given; ``including`` are those that widen the list from orders open to
    all (null address) to those for the address given. ``needs`` names two, one of which must be
    given.
    """

    resource: str  # what unpublishing names, and whose owner signs
    price: str
    descending: bool
    columns: Mapping[str, str]
    exact: Mapping[str, str]
    including: Sequence[str]
    query: Sequence[str]  # parameters in the order of their validation
    needs: tuple[str, str] | None = None


def _restricted(kind: str) -> dict[str, str]:
    roles = ("app", "dataset", "workerpool", "requester")
    return {role: role if role == kind else f"{role}restrict" for role in roles}


KINDS: Mapping[str, OrderKind] = MappingProxyType(
    {
        "apporder": OrderKind(
            resource="app",
            price="appprice",
            descending=False,
            columns=_restricted("app"),
            exact={"app": "app", "appOwner": "signer"},
            including=("dataset", "workerpool", "requester"),
            query=(
                *("app", "appOwner", "dataset", "workerpool", "requester"),
                *("minTag", "maxTag", "minVolume", "page"),
            ),
            needs=("app", "appOwner"),
        ),
        "datasetorder": OrderKind(
            resource="dataset",
            price="datasetprice",
            descending=False,
            columns=_restricted("dataset"),
            exact={"dataset": "dataset", "datasetOwner": "signer"},
            including=("app", "workerpool", "requester"),
            query=(
                *("dataset", "datasetOwner", "app", "workerpool", "requester"),
                *("minTag", "maxTag", "minVolume", "page"),
            ),
            needs=("dataset", "datasetOwner"),
        ),
        "workerpoolorder": OrderKind(
            resource="workerpool",
            price="workerpoolprice",
            descending=False,
            columns=_restricted("workerpool"),
            exact={"workerpool": "workerpool", "workerpoolOwner": "signer", "category": "category"},
            including=("app", "dataset", "requester"),
            query=(
                *("workerpool", "workerpoolOwner", "app", "dataset", "requester", "category"),
                *("minTag", "maxTag", "minVolume", "minTrust", "page"),
            ),
        ),
        "requestorder": OrderKind(
            resource="requester",
            price="workerpoolmaxprice",
            descending=True,
            columns={name: name for name in ("app", "dataset", "workerpool", "requester")},
            exact={
                name: name for name in ("app", "dataset", "requester", "beneficiary", "category")
            },
            including=("workerpool",),
            query=(
                *("app", "dataset", "requester", "beneficiary", "category"),
                *("minTag", "maxTag", "maxTrust", "minVolume", "workerpool", "page"),
            ),
        ),
    }
)

# Columns of the deals that a query may name; each parameter is called like its column.
DEAL_QUERY = (
    *("category", "requester", "beneficiary", "app", "dataset", "workerpool"),
    *("appOwner", "datasetOwner", "workerpoolOwner"),
    *("apporderHash", "datasetorderHash", "workerpoolorderHash", "requestorderHash"),
)

CATEGORY_BOUNDS = {"minWorkClockTimeRef": "seconds >= ?", "maxWorkClockTimeRef": "seconds <= ?"}
