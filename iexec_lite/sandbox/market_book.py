"""What the marketplace remembers, in SQLite: orders, deals, categories, challenges, the last block.

An order is kept as the JSON that clients see, beside the columns that are searched
(``market_tables``). Spec: market.md, "Lists", "Unpublishing"; services.md §1.4, §1.8.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..protocol.order_kinds import NULL_ADDRESS
from ..protocol.rules import TEE
from ..protocol.tag import from_mask, to_mask
from .database import Database
from .market_tables import (
    ANY,
    BULK_VOLUME,
    CATEGORY_BOUNDS,
    DEAL_QUERY,
    EDITIONS,
    KINDS,
    Edition,
    is_bulk,
    strict_flag,
)

__all__ = ["CANCELED", "DEAD", "FILLED", "OPEN", "Book", "Cursor", "StoredOrder"]

OPEN, FILLED, CANCELED, DEAD = "open", "filled", "canceled", "dead"
PAGE = 20  # records
MAX_COLUMN = 2**63 - 1  # SQLite's integers


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """A row of ``orders``; ``order`` is the signed order with its numbers as ``int``."""

    seq: int
    kind: str
    hash: str
    signer: str
    status: str
    remaining: int
    published: str
    order: Mapping[str, Any]

    @property
    def resource(self) -> str:
        """The app, dataset or workerpool it sells; the requester of a request order."""
        return str(self.order[KINDS[self.kind].resource])

    def to_dict(self, chain_id: int | str, edition: Edition) -> dict[str, object]:
        """What clients of a server of this edition see of it."""
        found: dict[str, object] = {
            "orderHash": self.hash,
            "chainId": chain_id,
            "order": dict(self.order),
            "remaining": self.remaining,
            "status": self.status,
            "publicationTimestamp": self.published,
            "signer": self.signer,
        }
        if edition.bulk and self.kind == "datasetorder":
            found["bulk"] = is_bulk(self.order)
        return found


@dataclass(frozen=True, slots=True)
class Cursor:
    """The last block that was read. ``settled`` is whether the orders are true as of it."""

    number: int
    hash: str
    settled: bool


# --- the book -------------------------------------------------------------------------------------


class Book:
    """The tables of ``SCHEMA``. Methods that take a ``connection`` write within a transaction."""

    def __init__(
        self, database: Database, chain_id: int, edition: Edition = EDITIONS["skip"]
    ) -> None:
        self.database = database
        self.chain_id = chain_id
        self.edition = edition
        with database.transaction() as connection:
            connection.create_function("excess", 2, _excess, deterministic=True)

    # -- orders -------------------------------------------------------------------------------

    def select(self, where: str, *arguments: object) -> list[StoredOrder]:
        """The orders that an SQL condition describes, in the order of publication."""
        rows = self.database.rows(f"SELECT * FROM orders WHERE {where}", *arguments)  # noqa: S608
        return [_stored(row) for row in rows]

    def find(self, kind: str, order_hash: str) -> StoredOrder | None:
        """The order with this hash, whatever its status."""
        found = self.select("kind = ? AND hash = ?", kind, order_hash)
        return found[0] if found else None

    def open_orders(self, kind: str, signer: str, resource: str | None = None) -> list[StoredOrder]:
        """A wallet's open orders of one kind, newest first."""
        column = KINDS[kind].resource
        condition = "kind = ? AND status = 'open' AND signer = ?"
        arguments = [kind, signer]
        if resource is not None:
            condition += f" AND {column} = ?"
            arguments.append(resource)
        return self.select(f"{condition} ORDER BY published DESC, seq DESC", *arguments)

    def count_open(self, kind: str) -> int:
        """How many orders of a kind are open."""
        query = "SELECT count(*) FROM orders WHERE kind = ? AND status = 'open'"
        return int(self.database.rows(query, kind)[0][0])

    def add(
        self,
        connection: sqlite3.Connection,
        order: Mapping[str, Any],
        *,
        kind: str,
        order_hash: str,
        signer: str,
        remaining: int,
        published: str,
    ) -> None:
        """Keep an open order. One that was dead comes back under its old time of publication."""
        table = KINDS[kind]
        row = {
            "kind": kind,
            "hash": order_hash,
            "signer": signer,
            "status": OPEN,
            "remaining": remaining,
            "published": published,
            "price": order[table.price],
            "tag": order["tag"],
            "body": json.dumps(order),
            **{column: order[field] for column, field in table.columns.items()},
            **{name: order.get(name) for name in ("category", "trust", "beneficiary")},
        }
        places = ", ".join(f":{name}" for name in row)
        connection.execute(
            f"INSERT INTO orders ({', '.join(row)}) VALUES ({places}) "  # noqa: S608
            "ON CONFLICT (kind, hash) DO UPDATE SET status = 'open', signer = excluded.signer, "
            "remaining = excluded.remaining, body = excluded.body",
            row,
        )

    def remove(self, connection: sqlite3.Connection, orders: Iterable[StoredOrder]) -> None:
        """Forget orders."""
        connection.executemany("DELETE FROM orders WHERE seq = ?", [(o.seq,) for o in orders])

    def update(
        self, connection: sqlite3.Connection, changes: Iterable[tuple[str, int, int]]
    ) -> None:
        """Give orders a status and what remains of them: (status, remaining, seq) each."""
        connection.executemany("UPDATE orders SET status = ?, remaining = ? WHERE seq = ?", changes)

    def bury_unmatchable(self, connection: sqlite3.Connection) -> None:
        """Mark open request orders dead that no open app or dataset order matches any more."""
        dead = [
            (DEAD, each.remaining, each.seq)
            for each in self.select("kind = 'requestorder' AND status = 'open'")
            if not self._matchable(each.order)
        ]
        self.update(connection, dead)

    def _matchable(self, request: Mapping[str, Any]) -> bool:
        for kind in ("apporder", "datasetorder"):
            resource = KINDS[kind].resource
            if request[resource] != NULL_ADDRESS:
                best = self.best_price(kind, request)
                if best is None or best > request[f"{resource}maxprice"]:
                    return False
        return True

    def best_price(self, kind: str, request: Mapping[str, Any]) -> int | None:
        """Of the open app or dataset orders that a request order can use, the lowest price."""
        table = KINDS[kind]
        clauses = ["kind = ?", "status = 'open'", f"{table.resource} = ?"]
        arguments = [kind, request[table.resource]]
        for role in table.including:
            clauses.append(f"{role} IN (?, ?)")
            arguments += [NULL_ADDRESS, request[role]]
        if kind == "apporder":
            clauses.append("excess(?, tag) = 0")
            arguments.append(from_mask(to_mask(request["tag"]) & TEE))
        query = f"SELECT min(price) FROM orders WHERE {' AND '.join(clauses)}"  # noqa: S608
        price = self.database.rows(query, *arguments)[0][0]
        return None if price is None else int(price)

    def orders(self, kind: str, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of the open orders that a validated query describes."""
        table = KINDS[kind]
        clauses, arguments = ["kind = ?", "status = 'open'"], [kind]

        def add(clause: str, *values: object) -> None:
            clauses.append(clause)
            arguments.extend(values)  # type: ignore[arg-type]

        for name, column in table.exact.items():
            if query.get(name, ANY) != ANY:
                add(f"{column} = ?", query[name])
        for role in table.including:
            who = query.get(role, NULL_ADDRESS)
            if role in query and query.get(strict_flag(role)) and who != ANY:
                add(f"{role} = ?", who)
            elif who != ANY:
                add(f"{role} IN (?, ?)", NULL_ADDRESS, who)
        if "minTag" in query:
            add("excess(?, tag) = 0", query["minTag"])
        if "maxTag" in query:
            add("excess(tag, ?) = 0", query["maxTag"])
        if "minVolume" in query:
            add("remaining >= ?", query["minVolume"])
        if query.get("minTrust", 0) > 1:
            add("trust >= ?", query["minTrust"])
        if "maxTrust" in query:
            add("trust <= ?", query["maxTrust"])
        if query.get("bulkOnly"):
            add("price = 0 AND json_extract(body, '$.volume') >= ?", BULK_VOLUME)
        return self._page(
            "orders",
            clauses=clauses,
            arguments=arguments,
            sort=f"price {'DESC' if table.descending else 'ASC'}, published, hash",
            query=query,
            shown=lambda row: _stored(row).to_dict(self.chain_id, self.edition),
        )

    # -- deals and categories -----------------------------------------------------------------

    def add_deal(self, connection: sqlite3.Connection, deal: Mapping[str, Any]) -> None:
        """Keep a deal, given as clients see it."""
        sides = {name: deal[name] for name in ("app", "dataset", "workerpool")}
        row = {
            "dealid": deal["dealid"],
            "block": deal["blockNumber"],
            "category": deal["category"],
            "price": deal["workerpool"]["price"],
            "requester": deal["requester"],
            "beneficiary": deal["beneficiary"],
            **{name: side["pointer"] for name, side in sides.items()},
            **{f"{name}Owner": side["owner"] for name, side in sides.items()},
            **{
                f"{name}orderHash": deal[f"{name}Hash"]
                for name in ("app", "dataset", "workerpool", "request")
            },
            "body": json.dumps(deal),
        }
        _insert(connection, "deals", row)

    def deal(self, dealid: str) -> dict[str, Any] | None:
        """The deal with this id."""
        return _first_body(self.database.rows("SELECT body FROM deals WHERE dealid = ?", dealid))

    def deals(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of the deals that a validated query describes, newest block first."""
        given = [name for name in DEAL_QUERY if name in query]
        return self._page(
            "deals",
            clauses=[f"{name} = ?" for name in given],
            arguments=[query[name] for name in given],
            sort="block DESC, dealid",
            query=query,
            shown=_body,
        )

    def newest_deals(self, category: int, count: int) -> list[dict[str, Any]]:
        """The newest deals of a category."""
        rows = self.database.rows(
            "SELECT body FROM deals WHERE category = ? ORDER BY block DESC, price, dealid LIMIT ?",
            category,
            count,
        )
        return [_body(row) for row in rows]

    def add_category(self, connection: sqlite3.Connection, category: Mapping[str, Any]) -> None:
        """Keep a category, given as clients see it."""
        seconds = min(category["workClockTimeRef"], MAX_COLUMN)
        row = {"catid": category["catid"], "seconds": seconds, "body": json.dumps(category)}
        _insert(connection, "categories", row)

    def category(self, catid: int) -> dict[str, Any] | None:
        """The category with this id."""
        return _first_body(self.database.rows("SELECT body FROM categories WHERE catid = ?", catid))

    def categories(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of the categories, the shortest first."""
        given = [name for name in CATEGORY_BOUNDS if name in query]
        return self._page(
            "categories",
            clauses=[CATEGORY_BOUNDS[name] for name in given],
            arguments=[query[name] for name in given],
            sort="seconds, catid",
            query=query,
            shown=_body,
        )

    def _page(
        self,
        table: str,
        *,
        clauses: Sequence[str],
        arguments: Sequence[object],
        sort: str,
        query: Mapping[str, Any],
        shown: Callable[[sqlite3.Row], object],
    ) -> dict[str, object]:
        """``page`` is how many records to skip, ``pageIndex`` how many pages; a full page announces
        the next, as a number of records, even if it is empty.
        """
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        size = query.get("pageSize", PAGE)
        skip = query.get("pageIndex", 0) * size or query.get("page", 0)
        rows = self.database.rows(
            f"SELECT * FROM {table}{where} ORDER BY {sort} LIMIT ? OFFSET ?",  # noqa: S608
            *arguments,
            size,
            skip,
        )
        count = self.database.rows(f"SELECT count(*) FROM {table}{where}", *arguments)[0][0]  # noqa: S608
        page = {table: [shown(row) for row in rows], "count": count}
        return page | {"nextPage": skip + size} if len(rows) == size else page

    # -- the last block -----------------------------------------------------------------------

    def cursor(self) -> Cursor | None:
        """Up to where the chain was read; None at the beginning."""
        for number, block_hash, settled in self.database.rows(
            "SELECT number, hash, settled FROM cursor"
        ):
            return Cursor(number, block_hash, bool(settled))
        return None

    def set_cursor(self, connection: sqlite3.Connection, cursor: Cursor) -> None:
        """Remember up to where the chain was read."""
        connection.execute(
            "INSERT OR REPLACE INTO cursor VALUES (1, ?, ?, ?)",
            (cursor.number, cursor.hash, cursor.settled),
        )

    def start_over(self) -> None:
        """Forget what the chain said; the published orders stay, to be judged anew."""
        with self.database.transaction() as connection:
            for table in ("deals", "categories", "cursor"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608
            connection.execute("UPDATE orders SET status = 'open'")


def _excess(bits: str, allowed: str) -> int:
    """Whether a tag has bits beyond those of another; SQLite's integers are too short."""
    return int(to_mask(bits) & ~to_mask(allowed) != 0)


def _insert(connection: sqlite3.Connection, table: str, row: Mapping[str, object]) -> None:
    connection.execute(
        f"INSERT OR REPLACE INTO {table} ({', '.join(row)}) "  # noqa: S608
        f"VALUES ({', '.join(f':{name}' for name in row)})",
        row,
    )


def _body(row: sqlite3.Row) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(row["body"])
    return body


def _first_body(rows: Sequence[sqlite3.Row]) -> dict[str, Any] | None:
    return _body(rows[0]) if rows else None


def _stored(row: sqlite3.Row) -> StoredOrder:
    return StoredOrder(
        seq=row["seq"],
        kind=row["kind"],
        hash=row["hash"],
        signer=row["signer"],
        status=row["status"],
        remaining=row["remaining"],
        published=row["published"],
        order=_body(row),
    )
