"""Datasets in bulk: the files of today.md §7 (19-22) by their CIDs, and every refusal."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iexec_lite.errors import ValidationError
from iexec_lite.protocol import bulk
from iexec_lite.protocol.cid import cid_of
from iexec_lite.protocol.orders import NULL_ADDRESS, SignedDatasetorder

O1 = SignedDatasetorder(
    dataset="0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1",
    volume=bulk.DATASET_INFINITE_VOLUME,
    tag="0x" + "9".rjust(64, "0"),
    salt="0x" + "44" * 32,
    sign="0x965ef0a06d6c4df5c25a53e41a2b8efbbe07d02843829f775317c21c2bcfb82b"
    "43c88d0651570a2299dd617b872ecf8a93f7c6c2cbbbe233475945c9c80bb74d1c",
)
O2 = replace(
    O1,
    dataset="0x" + "22" * 20,
    sign="0x1a72fa672d8254f8f760b22e52aa4fdc59c21f0eddc272f4bffadf8263f83985"
    "571121c8fa73eaf5b9ececd986104574e61001792a3b8747273799e279cb0c401b",
)


@pytest.mark.parametrize(
    ("orders", "per_task", "slices", "root"),
    [
        (
            [O1, O2],
            100,
            ["QmQHXe63ffnF4YLrs3M2H3pnLrohZ7exg2JFtqUzhnvrAv"],
            "QmPZFmZSipNGS6AFH4DqXffgXMfroEyjmYuQxpqKwyDTfN",
        ),
        (
            [O1, O2],
            1,
            [
                "QmULvoYm1krFM9z3Fci1vnSAjpvZz7YBHULokqC3EznZZ8",
                "QmPf2WrmbH8tKvhAS42X4UkzpaJ5sq6gWFrJ6EMMe46mZY",
            ],
            "Qme9531RtRFCozjZthUAUeANr4Hk7FF53agUjhNguEL9NK",
        ),
        (
            [O1] * 250,
            100,
            [
                *["QmavGXcCRSKA3WRrR1cPHM2HLKnzFRPCjTERkd9TLymkNQ"] * 2,
                "QmW1zHwtQ7cfHB8AJQxLtV4oF5wmu3H74KcRtaMoQP5kMQ",
            ],
            "Qmc5HQtbSBDvHRd1hUywJAzqg93cE7dLFw7hEaJQK5Q29V",
        ),
    ],
)
def test_files(
    orders: list[SignedDatasetorder], per_task: int, slices: list[str], root: str
) -> None:
    files = bulk.slice_files(orders, per_task)
    assert [cid_of(file) for file in files] == slices
    assert cid_of(bulk.root_file(slices)) == root


def test_the_form_of_an_order_does_not_matter() -> None:
    """V9 reverses the members of a marketplace's record (21), which gives other CIDs."""
    market = O1.values()
    assert list(bulk.read_orders([market, O1, O1.to_dict()])) == [O1] * 3


@pytest.mark.parametrize("given", [None, "x", {}, 5, O1])
def test_a_list_is_wanted(given: Any) -> None:
    with pytest.raises(ValidationError, match="must be a list of signed dataset orders"):
        bulk.read_orders(given)


def test_bad_orders_are_named_by_index() -> None:
    with pytest.raises(ValidationError, match="at least 1 items"):
        bulk.read_orders([])
    with pytest.raises(ValidationError) as caught:
        bulk.read_orders([O1, {"dataset": "0x1"}, 5])
    assert {error[:3] for error in caught.value.errors} == {"[1]", "[2]"}


@pytest.mark.parametrize("per_task", [0, 101, -1, True, 1.5, "10", None])
def test_orders_per_task(per_task: Any) -> None:
    with pytest.raises(ValidationError, match="max_dataset_per_task must be an integer from 1"):
        bulk.slice_files([O1], per_task)


def test_what_no_bulk_can_hold() -> None:
    orders = [
        replace(O1, volume=bulk.DATASET_INFINITE_VOLUME - 1),  # is taken as endless too
        replace(O2, datasetprice=1),
        replace(O2, dataset="0x" + "33" * 20, volume=bulk.DATASET_INFINITE_VOLUME - 2),
        O1,
    ]
    found = list(bulk.faults(orders))
    assert [index for index, _ in found] == [1, 2, 3]
    assert found[0][1] == "datasetprice (1) is not valid for bulk datasetorder expected 0"
    assert "expected DATASET_INFINITE_VOLUME (9007199254740991)" in found[1][1]
    assert found[2][1] == f"dataset {O1.dataset} is there already, at [0]"


def test_restrictions_of_parties_that_are_known() -> None:
    app, other = "0x" + "55" * 20, "0x" + "66" * 20
    orders = [O1, replace(O1, apprestrict=app), replace(O1, requesterrestrict=other)]
    nobody: dict[str, str | None] = {"app": None, "workerpool": None, "requester": None}
    assert list(bulk.restriction_faults(orders, nobody)) == []
    parties = {**nobody, "app": app, "requester": NULL_ADDRESS}
    assert list(bulk.restriction_faults(orders, parties)) == [(2, "requester", other, NULL_ADDRESS)]
    parties = {**nobody, "app": other}
    assert list(bulk.restriction_faults(orders, parties)) == [(1, "app", app, other)]
