"""A marketplace for one chain: who may publish what, and what is asked of it (market.md).

It answers as the market API v5.3.0 does, or as today's v7.1.2 where the chain's rules say so, texts
included, but for one defect of the former: a challenge serves the address it was made for, and no
other. Before each answer that hangs on the chain it catches up
with it (``watcher``). Refused, with the status and text of the server: ``market_input.Refusal``.
Spec: market.md; services.md §1. The HTTP side is ``market_api``.
"""

from __future__ import annotations

import secrets
import string
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ..errors import IExecError
from ..eth.codec import from_hex, to_hex
from ..eth.crypto import keccak
from ..net.rpc import Rpc
from ..protocol.authorization import MARKET, Authorization, new_challenge
from ..protocol.chains import Chain
from ..protocol.contracts import ENTRY, ERLC, HUB, REGISTRY
from ..protocol.methods import Read
from ..protocol.order_kinds import NULL_ADDRESS, SIGNED_ORDER_KINDS
from ..protocol.orders import domain
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .database import Database
from .market_book import DEAD, OPEN, Book
from .market_input import LAST, ONE, Refusal
from .market_tables import EDITIONS, KINDS, SCHEMA
from .watcher import Watcher, iso, needed_stake, read_each, sure

__all__ = ["SCHEMA", "Market"]

MAX_OPEN = 50  # orders of one kind and wallet
OHLC = 100  # deals
_CHALLENGE = "Sign this message to log into iExec Gateway: "
_SIGNS = string.ascii_letters + string.digits


def _draw() -> str:
    return "".join(secrets.choice(_SIGNS) for _ in range(32))


class Market:
    """The marketplace of ``chain``; ``database`` has the tables of :data:`SCHEMA`.

    Safe for many threads. ``clock`` gives seconds since 1970, ``draw`` the 32 letters and digits
    of a challenge. Every method may raise Refusal, and an error of the node.
    """

    def __init__(
        self,
        database: Database,
        rpc: Rpc,
        chain: Chain,
        *,
        clock: Callable[[], float] = time.time,
        draw: Callable[[], str] = _draw,
    ) -> None:
        self.chain = chain
        self.edition = EDITIONS[chain.rules.market_paging]
        self._database = database
        self._rpc = rpc
        self._hub = chain.require_hub()
        self._clock = clock
        self._draw = draw
        self._book = Book(database, chain.id, self.edition)
        self._watcher = Watcher(self._book, rpc, chain)
        self._lock = threading.RLock()  # one at a time reads the chain or changes orders

    def reset(self) -> None:
        """Forget everything."""
        with self._lock:
            self._database.clear()

    def close(self) -> None:
        """Close its file, once nobody asks any more."""
        self._database.close()

    # -- who asks -----------------------------------------------------------------------------

    def challenge(self, address: str) -> dict[str, Any]:
        """The challenge of an address: the same one until it is used."""
        with self._database.transaction() as connection:
            found = connection.execute("SELECT text FROM challenges WHERE address = ?", (address,))
            row = found.fetchone()
            text = _CHALLENGE + self._draw() if row is None else row["text"]
            challenge = new_challenge(MARKET, self.chain.id, text)
            connection.execute(
                "INSERT OR IGNORE INTO challenges VALUES (?, ?, ?)",
                (address, to_hex(challenge.digest), text),
            )
        data = challenge.to_dict()
        return {**data, "domain": {**challenge.domain.to_dict(), "chainId": str(self.chain.id)}}

    def authorize(self, header: str | None) -> str:
        """The address that an authorization proves, in the letter case that it was given in
        (v5.3.0: where it is no checksum, the address will be no order's signer).

        Its challenge is used up, whatever comes after.
        """
        try:
            proved = Authorization.parse(header or "")
        except IExecError:
            raise Refusal(403, "invalid authorization") from None
        digest, _, address = str(header).split("_")
        with self._database.transaction() as connection:
            used = connection.execute(
                "DELETE FROM challenges WHERE address = ? AND digest = ?", (proved.address, digest)
            )
        if not used.rowcount:
            raise Refusal(403, "invalid authorization")
        return proved.address if self.edition.any_case else address

    # -- publishing ---------------------------------------------------------------------------

    def publish(self, kind: str, order: Mapping[str, Any], authorized: str) -> dict[str, object]:
        """Publish a signed order that passed validation; the record as clients see it."""
        with self._lock:
            head = self._watcher.catch_up().number
            order_hash = self._hash(kind, order)
            known = self._book.find(kind, order_hash)
            if known is not None and known.status != DEAD:
                raise Refusal(403, "order already published")
            signer = self._signer(kind, order, head)
            if signer != authorized:
                raise Refusal(403, f"only order signer {signer} can publish an order")
            if kind == "requestorder" and "params" not in order:
                raise Refusal(403, "invalid sign")  # nobody can have signed it
            self._require_signature(signer, order_hash, order, head)
            if len(self._book.open_orders(kind, signer)) >= MAX_OPEN:
                raise Refusal(
                    403,
                    f"{self.edition.maximum} of {MAX_OPEN} published open {kind} has been reached "
                    f"for wallet {signer}",
                )
            if self.chain.enterprise:
                self._require_kyc(kind, order, signer, head)
            remaining = self._require_backing(kind, order, order_hash, signer, head)
            with self._database.transaction() as connection:
                self._book.add(
                    connection,
                    order,
                    kind=kind,
                    order_hash=order_hash,
                    signer=signer,
                    remaining=remaining,
                    published=iso(self._clock()),
                )
            saved = self._book.find(kind, order_hash)
            assert saved is not None  # noqa: S101  # just added, under the lock
            return saved.to_dict(self.chain.id, self.edition)

    def _hash(self, kind: str, order: Mapping[str, Any]) -> str:
        """The order's hash; a request order without ``params`` has the one of empty params."""
        cls = SIGNED_ORDER_KINDS[kind]
        row = [column.pack(order.get(name, "")) for name, column in cls.fields() if name != "sign"]
        inner = cls.struct().hash_row(row)
        return to_hex(keccak(b"\x19\x01" + domain(self.chain.id, self._hub).separator + inner))

    def _signer(self, kind: str, order: Mapping[str, Any], head: int) -> str:
        """Who must have signed: the requester, or the owner of a registered resource."""
        resource = KINDS[kind].resource
        return (
            str(order[resource])
            if kind == "requestorder"
            else self._owner(resource, order[resource], head)
        )

    def _owner(self, resource: str, address: str, head: int) -> str:
        registered, owner = self._read(
            head,
            (self._watcher.registry(resource), REGISTRY.isRegistered, (address,)),
            (address, ENTRY.owner, ()),
        )
        if not sure(registered):
            raise Refusal(403, "Resource not deployed")
        return str(sure(owner))

    def _require_signature(
        self, signer: str, order_hash: str, order: Mapping[str, Any], head: int
    ) -> None:
        """As the hub's ``verifySignature`` sees it, which knows nothing of presigned orders."""
        claim = (signer, order_hash, from_hex(order["sign"], name="sign"))
        (valid,) = self._read(head, (self._hub, HUB.verifySignature, claim))
        if not sure(valid):
            raise Refusal(403, "invalid sign")

    def _require_kyc(self, kind: str, order: Mapping[str, Any], signer: str, head: int) -> None:
        """Everybody whom the order names has passed the token's KYC."""
        people = {"Order signer": signer}
        for resource, who in (("app", "App"), ("dataset", "Dataset"), ("workerpool", "Workerpool")):
            named = order[KINDS[kind].columns[resource]]
            if named != NULL_ADDRESS and KINDS[kind].resource != resource:
                people[f"{who} owner"] = self._owner(resource, named, head)
        requester = order[KINDS[kind].columns["requester"]]
        if kind != "requestorder" and requester != NULL_ADDRESS:
            people["Requester"] = requester
        (token,) = self._read(head, (self._hub, HUB.token, ()))
        asked = [(str(sure(token)), ERLC.isKYC, (person,)) for person in people.values()]
        for (role, person), passed in zip(people.items(), self._read(head, *asked), strict=True):
            if not sure(passed):
                raise Refusal(403, f"{role} {person} is not authorized by eRLC")

    def _require_backing(
        self, kind: str, order: Mapping[str, Any], order_hash: str, signer: str, head: int
    ) -> int:
        """What remains of the order, if its signer can pay for it and others can match it."""
        used, account = self._read(
            head,
            (self._hub, HUB.viewConsumed, (order_hash,)),
            (self._hub, HUB.viewAccount, (signer,)),
        )
        remaining = int(order["volume"] - sure(used))
        if remaining <= 0:
            raise Refusal(403, "order already consumed")
        needed = needed_stake(kind, order, remaining)
        short = sure(account)["stake"] < needed
        if short and kind == "workerpoolorder":
            raise Refusal(
                403, "workerpool owner's stake is too low to cover required workerpool lock"
            )
        if short:
            raise Refusal(
                403,
                "requester stake is too low to cover requestorder payment, "
                f"minimum stake required is {needed} nRLC",
            )
        if kind == "requestorder":
            self._require_match("apporder", order)
            if order["dataset"] != NULL_ADDRESS:
                self._require_match("datasetorder", order)
        return remaining

    def _require_match(self, kind: str, request: Mapping[str, Any]) -> None:
        """The cheapest open app or dataset order that the request order can use is not too dear."""
        resource = KINDS[kind].resource
        address = request[resource]
        best = self._book.best_price(kind, request)
        if best is None:
            tee = kind == "apporder" and to_mask(request["tag"]) & TEE
            raise Refusal(
                403,
                f"No {'tee enabled ' if tee else ''}{kind} published for {resource} {address}",
            )
        if best > request[f"{resource}maxprice"]:
            raise Refusal(
                403,
                f"{resource}maxprice for {resource} {address} is too low, "
                f"actual best price is {best} nRLC",
            )

    def unpublish(self, kind: str, target: str, of: str, authorized: str) -> list[str]:
        """Forget open orders: one by its hash, the last or all of a resource. Hashes, newest first.

        ``target`` is one of ``market_input``'s three; ``of`` is the hash, or the address of the
        resource (for request orders: of the requester).
        """
        with self._lock:
            self._watcher.catch_up()
            if target == ONE:
                found = self._book.find(kind, of)
                if found is None or found.status != OPEN:
                    raise Refusal(403, f"{kind} with orderHash {of} is not published")
                if found.signer != authorized:
                    raise Refusal(403, f"only order signer {found.signer} can unpublish an order")
                orders = [found]
            else:
                orders = self._book.open_orders(kind, authorized, of)
                if not orders:
                    resource = KINDS[kind].resource
                    raise Refusal(
                        403,
                        f"no open {kind} published by signer {authorized} for {resource} {of}",
                    )
                orders = orders[:1] if target == LAST else orders
            with self._database.transaction() as connection:
                self._book.remove(connection, orders)
                self._book.bury_unmatchable(connection)
            return [order.hash for order in orders]

    # -- reading ------------------------------------------------------------------------------

    def order(self, kind: str, order_hash: str) -> dict[str, object]:
        """One order, whatever its status. Here ``chainId`` is text."""
        self._refresh()
        found = self._book.find(kind, order_hash)
        if found is None:
            raise Refusal(404, f"{kind} not found")
        return found.to_dict(str(self.chain.id), self.edition)

    def orders(self, kind: str, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of open orders."""
        self._refresh()
        return self._book.orders(kind, query)

    def deal(self, dealid: str) -> dict[str, object]:
        """One deal."""
        self._refresh()
        found = self._book.deal(dealid)
        if found is None:
            raise Refusal(404, "deal not found")
        return found

    def deals(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of deals."""
        self._refresh()
        return self._book.deals(query)

    def category(self, catid: int) -> dict[str, object]:
        """One category. Here ``chainId`` is text."""
        self._refresh()
        found = self._book.category(catid)
        if found is None:
            raise Refusal(404, "category not found")
        return {**found, "chainId": str(self.chain.id)}

    def categories(self, query: Mapping[str, Any]) -> dict[str, object]:
        """A page of categories."""
        self._refresh()
        return self._book.categories(query)

    def ohlc(self, category: int) -> list[list[object]]:
        """Time, workerpool price and volume of the newest deals of a category."""
        self._refresh()
        return [
            [deal["blockTimestamp"], deal["workerpool"]["price"], deal["volume"]]
            for deal in self._book.newest_deals(category, OHLC)
        ]

    def metrics(self) -> dict[str, int]:
        """The last block known, and the number of open orders of each kind."""
        block = self._refresh()
        counts = {f"{kind}s": self._book.count_open(kind) for kind in KINDS}
        return {"lastBlock": block, "checkpointBlock": block, **counts}

    def _refresh(self) -> int:
        with self._lock:
            return self._watcher.catch_up().number

    def _read(self, block: int, *reads: Read) -> list[Any]:
        return read_each(self._rpc, reads, block)
