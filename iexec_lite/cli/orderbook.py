"""``iexec-lite orderbook app | dataset | workerpool | requester`` (cli.md §8.9; today.md §1.3).

The four books are a table, and so are the filters: what a book can be filtered by, what its raw
rows hold, and what a person sees of them follow from it. Filters that only newer marketplaces know
are refused by the library where the network's does not.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from ..frozen import Frozen
from . import flags, output, project, prompts
from .parser import CommandParser, Group, UsageError

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..protocol.orders import SignedOrder
    from ..sdk.page import Page
    from ..sdk.records import PublishedOrder

    Book = Page[PublishedOrder[SignedOrder]]

__all__ = ["register"]

RAW_LIMIT = 100  # results of --raw, about: whole pages
DEPTH_LIMIT = 500  # orders that --depth reads
ANY = "any"  # as an address: no filter
DEPTH_ROWS = 20  # bars of --depth

TAGS = {
    "tag": "orders with exactly these tags",
    "require-tag": "orders with these tags and perhaps others",
    "max-tag": "orders with no tags but these",
}
FILTERS = {
    "app": "and orders restricted to this app",
    "dataset": "and orders restricted to this dataset",
    "workerpool": "and orders restricted to this workerpool",
    "requester": "and orders restricted to this requester",
    "beneficiary": "only requests with this beneficiary",
    "category": "only this category",
    "min-volume": "with so many tasks left",
    "min-trust": "with at least this trust",
    "max-trust": "with at most this trust",
    "owner": "only of this owner",
}
STRICT = "-strict"  # --app-strict: only orders that are restricted to the app of --app


class Kind(Frozen, kw_only=False):
    """An order book: ``fetch_<resource>_orderbook``, how its rows are called, what they hold.

    ``own`` is the filter that the argument stands for; ``row`` the members of a raw row, in order,
    where ``price`` is the order's member ``price_of``. ``strict`` are the filters that can be.
    """

    resource: str
    own: str
    price_of: str
    filters: Sequence[str]
    row: Sequence[str]
    strict: Sequence[str]
    owned: bool = True
    bulk: bool = False

    @property
    def title(self) -> str:
        """``Apporders``."""
        return f"{self.resource.capitalize()}orders"

    @property
    def key(self) -> str:
        """``appOrders``."""
        return f"{self.resource}Orders"


_HEAD = ("orderHash", "price", "remaining")
BOOKS = {
    "app": Kind(
        "app",
        "app",
        "appprice",
        ("dataset", "workerpool", "requester", "min-volume"),
        (*_HEAD, "app", "tag", "datasetrestrict", "workerpoolrestrict", "requesterrestrict"),
        ("dataset", "workerpool", "requester"),
    ),
    "dataset": Kind(
        "dataset",
        "dataset",
        "datasetprice",
        ("app", "workerpool", "requester", "min-volume"),
        (*_HEAD, "dataset", "tag", "apprestrict", "workerpoolrestrict", "requesterrestrict"),
        ("app", "workerpool", "requester"),
        bulk=True,
    ),
    "workerpool": Kind(
        "workerpool",
        "workerpool",
        "workerpoolprice",
        ("category", "app", "dataset", "requester", "min-volume", "min-trust"),
        (
            *(*_HEAD, "category", "tag", "trust", "workerpool"),
            *("apprestrict", "datasetrestrict", "requesterrestrict"),
        ),
        ("app", "dataset", "requester"),
    ),
    "requester": Kind(
        "request",
        "requester",
        "workerpoolmaxprice",
        ("category", "app", "dataset", "workerpool", "beneficiary", "min-volume", "max-trust"),
        (
            *("orderHash", "app", "dataset", "workerpool", "requester", "beneficiary"),
            *("category", "tag", "trust", "price", "remaining"),
        ),
        ("workerpool",),
        owned=False,
    ),
}


def register(group: Group) -> None:
    """The commands of the group."""
    for name, book in BOOKS.items():
        best = "the best paying first" if book.resource == "request" else "the cheapest first"
        parser = group.command(
            name,
            show_book,
            f"open {book.resource}orders, {best}",
            arguments="[ADDRESS]",
            example=f"orderbook {name} {'--category 0' if 'category' in book.filters else '0x…'}",
        )
        whose = "any, or with --owner none" if name in ("app", "dataset") else "default: all"
        parser.add_argument(
            "address", metavar="ADDRESS", nargs="?", help=f"of the {name} ({whose})"
        )
        for option, meaning in TAGS.items():
            flags.add_list_option(parser, f"--{option}", "TAG", meaning)
        for option in book.filters:
            meaning = FILTERS[option]
            if book.resource == "request" and option in ("app", "dataset"):
                meaning = f"only requests for this {option}"
            metavar = "N" if "-" in option or option == "category" else "ADDRESS"
            parser.add_argument(f"--{option}", metavar=metavar, help=meaning)
        _add_newer(parser, book)
        parser.add_argument(
            "--depth", action="store_true", help="a plot: how many tasks there are up to each price"
        )
        flags.add_node(parser)
        parser.set_defaults(book=name, force=False)


def _add_newer(parser: CommandParser, book: Kind) -> None:
    """What the marketplaces of V6 did not know."""
    if book.owned:
        parser.add_argument("--owner", metavar="ADDRESS", help=FILTERS["owner"])
    for option in book.strict:
        parser.add_argument(
            f"--{option}{STRICT}",
            action="store_true",
            help=f"with --{option}: only orders restricted to it",
        )
    if book.bulk:
        parser.add_argument(
            "--bulk-only", action="store_true", help="only orders that dataset prepare-bulk takes"
        )
    parser.add_argument("--page-size", metavar="N", help="orders per page, from 10 (default: 20)")
    parser.add_argument("--all", action="store_true", help="all pages, without a question")


def show_book(options: argparse.Namespace) -> output.Result:
    """A page after the other for a person; with ``--raw`` as many as hold about 100 orders."""
    kind = BOOKS[options.book]
    selection = project.selected_chain(options)
    selection.require("iexecGateway")
    with project.connect(selection, options) as client:
        fetch = getattr(client.orderbook, f"fetch_{kind.resource}_orderbook")
        page: Book = fetch(**_filters(kind, options))
        if options.depth:
            return _depth(kind, page, selection.chain)
        if options.raw:
            limit = page.count if options.all else RAW_LIMIT
            rows = [_row(kind, each) for each in _first(page, limit)]
            return output.Result(payload={"count": page.count, kind.key: rows})
        return output.Result(text=_browse(kind, page, options, selection.chain))


def _filters(kind: Kind, options: argparse.Namespace) -> dict[str, object]:
    """The arguments of the library: ``--tag`` is least and most at once."""
    given = {name.replace("-", "_"): None for name in kind.filters}
    found = {name: getattr(options, name) for name in given}
    found[kind.own] = options.address
    if kind.owned:
        found[f"{kind.resource}_owner"] = options.owner
        if options.address is None and options.owner is None and kind.own in ("app", "dataset"):
            raise UsageError(f"missing required argument 'ADDRESS' (or --owner) of the {kind.own}s")
    for name in kind.strict:
        found[f"is_{name}_strict"] = getattr(options, f"{name}_strict") or None
    if kind.bulk:
        found["bulk_only"] = options.bulk_only or None
    if options.page_size is not None:
        found["page_size"] = flags.whole_number(options.page_size, "--page-size")
    exact = options.tag
    found["min_tag"] = options.require_tag if exact is None else exact
    found["max_tag"] = options.max_tag if exact is None else exact
    return {name: value for name, value in found.items() if value is not None}


def _first(page: Book, limit: int) -> list[PublishedOrder[SignedOrder]]:
    """The orders of whole pages, until there are ``limit`` of them."""
    found = list(page.items)
    following = page.next() if len(found) < limit else None
    while following is not None:
        found += following.items
        following = following.next() if len(found) < limit else None
    return found


def _row(kind: Kind, found: PublishedOrder[SignedOrder]) -> dict[str, object]:
    own = {
        "orderHash": found.order_hash,
        "price": getattr(found.order, kind.price_of),
        "remaining": found.remaining,
    }
    return {name: own[name] if name in own else getattr(found.order, name) for name in kind.row}


# -- for people -------------------------------------------------------------------------------


def _browse(kind: Kind, page: Book, options: argparse.Namespace, chain: Chain) -> str:
    """Show page after page while a person wants more; the last line."""
    from . import text

    seen = 0
    following: Book | None = page
    while following is not None:
        rows = [_shown(kind, each, options, chain) for each in following]
        if rows:
            head = f"{kind.title} details ({seen + 1} to {seen + len(rows)} of {page.count}):"
            output.show(output.Result(text=f"{head}\n{text.table(rows)}"), raw=False)
        seen += len(following) + len(following.skipped)
        more = options.all or seen >= page.count or _wants_more(page.count - seen, options)
        if not more:
            return ""
        following = following.next()
    return "No more results" if seen else "Empty orderbook"


def _wants_more(count: int, options: argparse.Namespace) -> bool:
    if prompts.interactive(options):
        return prompts.confirm("Show more?", options, default=False)
    output.info(f"{count} more: at a terminal you are asked, --all gives them all", options)
    return False


def _shown(
    kind: Kind, found: PublishedOrder[SignedOrder], options: argparse.Namespace, chain: Chain
) -> dict[str, object]:
    """A raw row as a person reads it: what says nothing is empty, the hash comes last."""
    from ..protocol.orders import NULL_ADDRESS, NULL_BYTES32
    from . import text

    row = _row(kind, found)
    if options.address not in (None, ANY):
        del row[kind.own]
    if row.get("beneficiary") == getattr(found.order, "requester", None):
        row["beneficiary"] = ""
    shown: dict[str, object] = {
        "price per task": text.rlc(int(str(row.pop("price"))), chain.symbol),
        "remaining": row.pop("remaining"),
    }
    order_hash = row.pop("orderHash")
    for name, value in row.items():
        empty = value in (NULL_ADDRESS, NULL_BYTES32) or (name == "trust" and value in (0, 1))
        shown[name] = "" if empty else value
    if shown["tag"]:
        shown["tag"] = text.tag_names(str(shown["tag"]), chain.rules)
    return {**shown, "orderHash": order_hash}


# -- depth ------------------------------------------------------------------------------------


def _depth(kind: Kind, page: Book, chain: Chain) -> output.Result:
    """Tasks that are left up to each price; of a request book, down to it."""
    from . import text

    found = _first(page, DEPTH_LIMIT)
    levels = depth((getattr(each.order, kind.price_of), each.remaining) for each in found)
    rows = [
        (text.rlc(price, chain.symbol), volume) for price, volume in thinned(levels, DEPTH_ROWS)
    ]
    limit = "down" if kind.resource == "request" else "up"
    head = f"{kind.title}: tasks by price per task, cumulated {limit} to each price"
    if len(found) < page.count:
        head += f" (the first {len(found)} of {page.count} orders)"
    return output.Result(
        payload={
            "count": page.count,
            "depth": [{"price": price, "volume": volume} for price, volume in levels],
        },
        text=f"{head}:\n{text.bars(rows)}" if rows else "Empty orderbook",
    )


def depth(offers: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """(price, volume) of a sorted book → (price, volume up to there), one per price."""
    levels: list[tuple[int, int]] = []
    for price, volume in offers:
        before = levels[-1][1] if levels else 0
        if levels and levels[-1][0] == price:
            levels.pop()
        levels.append((price, before + volume))
    return levels


def thinned(levels: Sequence[tuple[int, int]], count: int) -> list[tuple[int, int]]:
    """At most ``count`` of them, evenly, the last among them: each says all up to its price."""
    step = -(-len(levels) // count) or 1
    return [level for i, level in enumerate(levels) if (len(levels) - 1 - i) % step == 0]
