"""``orderbook``: what is asked of the marketplace, pages for a person, ``--raw``, ``--depth``."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from iexec_lite.protocol import orders
from iexec_lite.sdk.page import Page
from iexec_lite.sdk.records import PublishedOrder

from .records import APP, DATASET, ME, NOBODY, OTHER, POOL

V6 = ("--chain", "bellecour")
TEE = "0x" + "00" * 31 + "01"
NULL = "0x" + "00" * 32
SIGNED = {"salt": NULL, "sign": "0x"}


def published(order: orders.SignedOrder, number: int = 0, remaining: int = 5) -> Any:
    return PublishedOrder(
        order_hash=f"0x{number:064x}",
        chain_id=134,
        order=order,
        remaining=remaining,
        status="open",
        publication_timestamp="2027-01-15T07:00:00Z",
        signer=ME,
    )


def apporder(price: int = 10**9, **more: Any) -> orders.SignedApporder:
    given = {
        **{"app": APP, "appprice": price, "volume": 9, "tag": NULL, **SIGNED},
        **{"datasetrestrict": NOBODY, "workerpoolrestrict": NOBODY, "requesterrestrict": NOBODY},
    }
    return orders.SignedApporder.from_dict({**given, **more})


def datasetorder(**more: Any) -> orders.SignedDatasetorder:
    given = {
        **{"dataset": DATASET, "datasetprice": 8, "volume": 9, "tag": NULL, **SIGNED},
        **{"apprestrict": NOBODY, "workerpoolrestrict": NOBODY, "requesterrestrict": NOBODY},
    }
    return orders.SignedDatasetorder.from_dict({**given, **more})


def poolorder(**more: Any) -> orders.SignedWorkerpoolorder:
    given = {
        **{"workerpool": POOL, "workerpoolprice": 5 * 10**8, "volume": 9, "tag": TEE, **SIGNED},
        **{"category": 3, "trust": 1, "apprestrict": APP, "datasetrestrict": NOBODY},
        "requesterrestrict": NOBODY,
    }
    return orders.SignedWorkerpoolorder.from_dict({**given, **more})


def request(**more: Any) -> orders.SignedRequestorder:
    given = {
        **{"app": APP, "appmaxprice": 1, "dataset": NOBODY, "datasetmaxprice": 0},
        **{"workerpool": NOBODY, "workerpoolmaxprice": 2 * 10**9, "requester": OTHER},
        **{"volume": 9, "tag": NULL, "category": 3, "trust": 5, "beneficiary": OTHER},
        **{"callback": NOBODY, "params": "{}", **SIGNED},
    }
    return orders.SignedRequestorder.from_dict({**given, **more})


def pages(*each: list[Any], count: int | None = None, skipped: int = 0) -> Page[Any]:
    """The first of some pages; of its orders so many cannot be used."""
    total = sum(map(len, each)) + skipped if count is None else count
    more = (lambda: pages(*each[1:], count=total)) if each[1:] else None
    return Page(each[0], total, more, [object()] * skipped)  # type: ignore[list-item]


@pytest.fixture
def book(
    library: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """``book("app", page)``: the marketplace has this; returns what it will be asked."""
    monkeypatch.setenv("COLUMNS", "300")

    def make(resource: str, page: Page[Any]) -> dict[str, Any]:
        asked: dict[str, Any] = {}

        def fetch(**filters: Any) -> Page[Any]:
            asked.clear()
            asked.update(filters)
            return page

        library.orderbook = SimpleNamespace(**{f"fetch_{resource}_orderbook": fetch})
        return asked

    return make


# ---- what is asked -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "words", "asked"),
    [
        ("app", [APP], {"app": APP}),
        ("app", ["--owner", ME], {"app_owner": ME}),
        (
            "app",
            [APP, "--dataset", DATASET, "--workerpool", POOL, "--requester", ME],
            {"app": APP, "dataset": DATASET, "workerpool": POOL, "requester": ME},
        ),
        (
            "app",
            [APP, "--dataset-strict", "--workerpool-strict", "--requester-strict"],
            {
                "app": APP,
                **{f"is_{name}_strict": True for name in ("dataset", "workerpool", "requester")},
            },
        ),
        ("app", [APP, "--tag", "tee"], {"app": APP, "min_tag": "tee", "max_tag": "tee"}),
        (
            "app",
            [APP, "--require-tag", "tee", "--max-tag", "tee,gpu"],
            {"app": APP, "min_tag": "tee", "max_tag": "tee,gpu"},
        ),
        (
            "app",
            [APP, "--min-volume", "2", "--page-size", "30"],
            {"app": APP, "min_volume": "2", "page_size": 30},
        ),
        ("dataset", [DATASET, "--bulk-only"], {"dataset": DATASET, "bulk_only": True}),
        (
            "dataset",
            ["--owner", ME, "--app", APP, "--app-strict"],
            {"dataset_owner": ME, "app": APP, "is_app_strict": True},
        ),
        ("workerpool", [], {}),
        (
            "workerpool",
            [POOL, "--category", "2", "--min-trust", "1", "--owner", ME],
            {"workerpool": POOL, "category": "2", "min_trust": "1", "workerpool_owner": ME},
        ),
        ("requester", [], {}),
        (
            "requester",
            [ME, "--beneficiary", OTHER, "--max-trust", "1", "--workerpool-strict"],
            {"requester": ME, "beneficiary": OTHER, "max_trust": "1", "is_workerpool_strict": True},
        ),
    ],
)
def test_filters(run, book, name: str, words: list[str], asked: dict[str, object]) -> None:
    found = book("request" if name == "requester" else name, pages([]))
    done = run("orderbook", name, *words)
    assert (done.status, done.out) == (0, "Empty orderbook\n")
    assert found == asked


@pytest.mark.parametrize("name", ["app", "dataset"])
def test_whose_orders_must_be_said(run, book, name: str) -> None:
    book(name, pages([]))
    message = run("orderbook", name, "--raw").json["error"]["message"]
    assert message == f"missing required argument 'ADDRESS' (or --owner) of the {name}s"


# ---- what is shown -------------------------------------------------------------------------------


def test_a_book_for_people(run, book) -> None:
    found = [published(apporder(), 1), published(apporder(15 * 10**8, requesterrestrict=ME), 2, 12)]
    book("app", pages(found))
    out = run("orderbook", "app", APP).out
    assert out == (
        "Apporders details (1 to 2 of 2):\n"
        f"price per task  remaining  requesterrestrict{' ' * 27}orderHash\n"
        f"       1.0 RLC          5{' ' * 46}0x{1:064x}\n"
        f"       1.5 RLC         12  {ME}  0x{2:064x}\n"
        "No more results\n"
    )


def test_columns_that_say_something(run, book) -> None:
    book("workerpool", pages([published(poolorder())]))
    head, row = run("orderbook", "workerpool", *V6).out.splitlines()[1:3]
    names = ["price", "per", "task", "remaining", "category", "tag", "workerpool", "apprestrict"]
    assert head.split() == [*names, "orderHash"]
    assert row.split() == ["0.5", "RLC", "5", "3", "tee", POOL, APP, "0x" + "00" * 32]
    # what was asked for is not repeated; a trust of 1 is none
    book("workerpool", pages([published(poolorder(trust=2, tag=NULL))]))
    row_of_all = run("orderbook", "workerpool", "any").out.splitlines()[2]
    assert row_of_all.split()[:6] == ["0.5", "RLC", "5", "3", "2", POOL]
    head, row = run("orderbook", "workerpool", POOL).out.splitlines()[1:3]
    names = ["price", "per", "task", "remaining", "category", "trust", "apprestrict", "orderHash"]
    assert head.split() == names
    assert row.split() == ["0.5", "RLC", "5", "3", "2", APP, NULL]
    book("workerpool", pages([published(poolorder(trust=0))]))
    head = run("orderbook", "workerpool", POOL).out.splitlines()[1]
    assert "trust" not in head


def test_requests_for_people(run, book) -> None:
    book("request", pages([published(request())]))
    head, row = run("orderbook", "requester").out.splitlines()[1:3]
    names = "price per task remaining app requester category trust orderHash"
    assert head.split() == names.split()
    assert row.split()[:-1] == ["2.0", "RLC", "5", APP, OTHER, "3", "5"]
    book("request", pages([published(request(beneficiary=ME))]))
    head, row = run("orderbook", "requester").out.splitlines()[1:3]
    assert head.split() == names.replace("category", "beneficiary category").split()
    assert row.split() == ["2.0", "RLC", "5", APP, OTHER, ME, "3", "5", NULL]


def test_more_pages_where_a_person_wants_them(run, book, person) -> None:
    one, two, three = ([published(apporder(), at)] for at in (1, 2, 3))
    book("app", pages(one, two, three))
    found = run("orderbook", "app", APP, stdin="y\nn\n")
    assert found.err == "? Show more? (y/N) ? Show more? (y/N) "
    assert "details (1 to 1 of 3):" in found.out
    assert "details (2 to 2 of 3):" in found.out
    assert "details (3 to" not in found.out
    assert "No more results" not in found.out
    found = run("orderbook", "app", APP, stdin="y\ny\n")
    assert "details (3 to 3 of 3):" in found.out
    assert found.out.endswith("\nNo more results\n")


def test_more_pages_where_nobody_is(run, book) -> None:
    one, two = [published(apporder(), 1)], [published(apporder(), 2)]
    book("app", pages(one, two))
    found = run("orderbook", "app", APP)
    assert found.err == "ℹ 1 more: at a terminal you are asked, --all gives them all\n"
    assert "(2 to 2" not in found.out
    found = run("orderbook", "app", APP, "--all")
    assert found.err == ""
    assert "details (2 to 2 of 2):" in found.out


def test_orders_that_cannot_be_used_are_counted(run, book) -> None:
    book("app", pages([published(apporder())], skipped=1))
    found = run("orderbook", "app", APP)
    assert found.out.startswith("Apporders details (1 to 1 of 2):\n")
    assert found.out.endswith("\nNo more results\n")
    assert found.err == ""
    book("app", pages([published(apporder())], count=2))
    assert run("orderbook", "app", APP).err == (
        "ℹ 1 more: at a terminal you are asked, --all gives them all\n"
    )
    book("app", pages([], [published(apporder())], skipped=3))  # a page of which none can be used
    assert run("orderbook", "app", APP, "--all").out.startswith("Apporders details (4 to 4 of 4):")
    book("app", pages([published(apporder())], count=9))  # as said; there is no other page
    assert run("orderbook", "app", APP, "--all").out.endswith("\nNo more results\n")


PARTIES = ("app", "dataset", "workerpool", "requester")
ROWS: dict[str, tuple[str, Any, int, list[str]]] = {
    "app": ("appOrders", apporder(7), 7, ["app", "tag"]),
    "dataset": ("datasetOrders", datasetorder(), 8, ["dataset", "tag"]),
    "workerpool": (
        *("workerpoolOrders", poolorder(), 5 * 10**8),
        ["category", "tag", "trust", "workerpool"],
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_the_document(run, book, name: str) -> None:
    key, order, price, own = ROWS[name]
    own += [f"{party}restrict" for party in PARTIES if party != name]
    book(name, pages([published(order, 3)]))
    document = run("orderbook", name, OTHER, "--raw").json
    row = {"orderHash": f"0x{3:064x}", "price": price, "remaining": 5}
    row |= {each: getattr(order, each) for each in own}
    assert document == {"ok": True, "count": 1, key: [row]}
    assert list(document[key][0]) == list(row)


def test_the_document_of_requests(run, book) -> None:
    book("request", pages([published(request())]))
    document = run("orderbook", "requester", "--raw").json
    row = {
        **{"orderHash": NULL, "app": APP, "dataset": NOBODY, "workerpool": NOBODY},
        **{"requester": OTHER, "beneficiary": OTHER, "category": 3, "tag": NULL, "trust": 5},
        **{"price": 2 * 10**9, "remaining": 5},
    }
    assert document == {"ok": True, "count": 1, "requestOrders": [row]}
    assert list(document["requestOrders"][0]) == list(row)


def test_restrictions_that_a_person_sees(run, book) -> None:
    book("dataset", pages([published(datasetorder(apprestrict=APP))]))
    out = run("orderbook", "dataset", "--owner", ME).out
    assert out.splitlines()[0] == "Datasetorders details (1 to 1 of 1):"
    head, row = out.splitlines()[1:3]
    names = "price per task remaining dataset apprestrict orderHash"
    assert head.split() == names.split()
    assert row.split() == ["0.000000008", "RLC", "5", DATASET, APP, NULL]


def test_the_document_has_about_100(run, book) -> None:
    book("app", pages(*([published(apporder(), at) for at in range(60)] for _ in range(3))))
    assert len(run("orderbook", "app", APP, "--raw").json["appOrders"]) == 120
    assert len(run("orderbook", "app", APP, "--raw", "--all").json["appOrders"]) == 180
    book("app", pages(*([published(apporder(), at) for at in range(50)] for _ in range(3))))
    assert len(run("orderbook", "app", APP, "--raw").json["appOrders"]) == 100
    book("app", pages(*([published(apporder())] * size for size in (99, 1, 1))))
    assert len(run("orderbook", "app", APP, "--raw").json["appOrders"]) == 100
    book("app", pages([published(apporder())] * 100, [published(apporder())]))
    document = run("orderbook", "app", APP, "--raw").json
    assert (len(document["appOrders"]), document["count"]) == (100, 101)


# ---- depth ---------------------------------------------------------------------------------------


def test_depth(run, book) -> None:
    offers = [(10**9, 1), (10**9, 2), (2 * 10**9, 9)]
    found = [published(apporder(price), remaining=left) for price, left in offers]
    book("app", pages(found))
    lines = run("orderbook", "app", APP, "--depth").out.splitlines()
    assert lines[0] == "Apporders: tasks by price per task, cumulated up to each price:"
    assert [line.replace("█", "").split() for line in lines[1:]] == [
        ["1.0", "RLC", "3"],
        ["2.0", "RLC", "12"],
    ]
    document = run("orderbook", "app", APP, "--depth", "--raw").json
    levels = [{"price": 10**9, "volume": 3}, {"price": 2 * 10**9, "volume": 12}]
    assert document == {"ok": True, "count": 3, "depth": levels}
    book("app", pages([]))
    assert run("orderbook", "app", APP, "--depth").out == "Empty orderbook\n"
    book("request", pages([published(request())], [published(request())]))
    lines = run("orderbook", "requester", "--depth").out.splitlines()
    assert lines[0] == "Requestorders: tasks by price per task, cumulated down to each price:"
    assert [line.replace("█", "").split() for line in lines[1:]] == [["2.0", "RLC", "10"]]


def test_depth_of_a_large_book(run, book) -> None:
    def many(at: int) -> list[Any]:
        return [published(apporder(at * 250 + i)) for i in range(250)]

    book("app", pages(*map(many, range(3))))
    lines = run("orderbook", "app", APP, "--depth").out.splitlines()
    assert lines[0] == (
        "Apporders: tasks by price per task, cumulated up to each price "
        "(the first 500 of 750 orders):"
    )
    assert len(lines) == 21
    assert lines[-1].endswith(" 2500")
    document = run("orderbook", "app", APP, "--depth", "--raw").json
    assert (document["count"], len(document["depth"])) == (750, 500)
