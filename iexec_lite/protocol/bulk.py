"""Datasets in bulk: many dataset orders for one request order (today.md §2.3). Pure.

The signed orders are cut into slices, one for each task; a slice is a file, the list of the slices'
CIDs another, whose CID the request order names in its params. Orders are written in struct order,
so the same orders always give the same CIDs. Refused: orders that are not free and endless, twice
the same dataset in one bulk, no order at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ..errors import ValidationError
from .orders import NULL_ADDRESS, SignedDatasetorder
from .params import stringify
from .units import shown

__all__ = [
    "DATASET_INFINITE_VOLUME",
    "MAX_DATASET_PER_TASK",
    "faults",
    "read_orders",
    "restriction_faults",
    "root_file",
    "slice_files",
]

DATASET_INFINITE_VOLUME = (1 << 53) - 1  # "endless"; one less is taken as that too
MAX_DATASET_PER_TASK = 100


def read_orders(values: object) -> list[SignedDatasetorder]:
    """The signed dataset orders of a list, each a record or its JSON; all faults at once."""
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Sequence):
        raise ValidationError("datasetorders must be a list of signed dataset orders")
    if not values:
        raise ValidationError("datasetorders field must have at least 1 items")
    orders, bad = [], []
    for index, value in enumerate(values):
        try:
            orders.append(SignedDatasetorder.from_dict(getattr(value, "order", value)))
        except ValidationError as error:
            bad += [f"[{index}]: {text}" for text in error.errors]
    if bad:
        raise ValidationError.collect(bad)
    return orders


def faults(orders: Sequence[SignedDatasetorder]) -> Iterator[tuple[int, str]]:
    """Index and fault of each order that cannot be in this bulk."""
    seen: dict[str, int] = {}
    for index, order in enumerate(orders):
        if order.datasetprice != 0:
            yield (
                index,
                f"datasetprice ({order.datasetprice}) is not valid for bulk datasetorder expected "
                "0",
            )
        if order.volume < DATASET_INFINITE_VOLUME - 1:
            yield (
                index,
                f"volume ({order.volume}) is not valid for bulk datasetorder expected "
                f"DATASET_INFINITE_VOLUME ({DATASET_INFINITE_VOLUME})",
            )
        first = seen.setdefault(order.dataset, index)
        if first != index:
            yield index, f"dataset {order.dataset} is there already, at [{first}]"


def restriction_faults(
    orders: Sequence[SignedDatasetorder], parties: Mapping[str, str | None]
) -> Iterator[tuple[int, str, str, str]]:
    """Index, kind, restriction and party, where an order is restricted to another address.

    ``parties``: ``app``, ``workerpool``, ``requester`` of the later deal, None where not known. The
    restriction may be a group that the party is a member of: only the chain knows.
    """
    for index, order in enumerate(orders):
        for kind, party in parties.items():
            restrict = str(getattr(order, f"{kind}restrict"))
            if party is not None and restrict not in (NULL_ADDRESS, party):
                yield index, kind, restrict, party


def slice_files(orders: Sequence[SignedDatasetorder], per_task: int) -> list[bytes]:
    """The files of the slices, one for each task, ``per_task`` orders in each but the last."""
    if type(per_task) is not int or not 1 <= per_task <= MAX_DATASET_PER_TASK:  # no bool
        raise ValidationError(
            f"max_dataset_per_task must be an integer from 1 to {MAX_DATASET_PER_TASK}, not "
            f"{shown(per_task)}"
        )
    return [
        _json([order.to_dict() for order in orders[start : start + per_task]])
        for start in range(0, len(orders), per_task)
    ]


def root_file(cids: Sequence[str]) -> bytes:
    """The file whose CID the request order names: the CIDs of the slices, by task."""
    return _json(list(cids))


def _json(value: object) -> bytes:
    return stringify(value).encode()
