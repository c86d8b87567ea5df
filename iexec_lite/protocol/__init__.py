"""iExec, pure: orders, tags, amounts, matching rules, networks, file formats; no network, no clock.

The modules and the names below are the public ones of this layer; they load on first use. With
``errors`` and ``eth`` it is a working offline signer: ``create_apporder``, ``sign_order``,
``verify_order``. Imports ``eth`` and ``errors`` only.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from . import (
        archive,
        authorization,
        chains,
        cipher,
        columns,
        contracts,
        detached,
        ids,
        matching,
        multiaddr,
        objects,
        orders,
        params,
        results,
        rules,
        tag,
        units,
    )
    from .chains import CHAINS, Chain, resolve
    from .detached import SignedRequest, SigningRequest, order_request, signed_order
    from .ids import deal_id, task_id
    from .objects import App, Category, Dataset, Workerpool
    from .orders import (
        NULL_ADDRESS,
        NULL_BYTES32,
        NULL_DATASETORDER,
        Apporder,
        Datasetorder,
        Requestorder,
        SignedApporder,
        SignedDatasetorder,
        SignedRequestorder,
        SignedWorkerpoolorder,
        Workerpoolorder,
        create_apporder,
        create_datasetorder,
        create_requestorder,
        create_workerpoolorder,
        domain,
        order_hash,
        sign_order,
        typed_data,
        verify_order,
    )
    from .rules import V6, V9, Rules
    from .tag import decode_tag, encode_tag, sum_tags
    from .units import format_eth, format_rlc, parse_eth, parse_rlc

__all__ = [
    "CHAINS",
    "NULL_ADDRESS",
    "NULL_BYTES32",
    "NULL_DATASETORDER",
    "V6",
    "V9",
    "App",
    "Apporder",
    "Category",
    "Chain",
    "Dataset",
    "Datasetorder",
    "Requestorder",
    "Rules",
    "SignedApporder",
    "SignedDatasetorder",
    "SignedRequest",
    "SignedRequestorder",
    "SignedWorkerpoolorder",
    "SigningRequest",
    "Workerpool",
    "Workerpoolorder",
    "archive",
    "authorization",
    "chains",
    "cipher",
    "columns",
    "contracts",
    "create_apporder",
    "create_datasetorder",
    "create_requestorder",
    "create_workerpoolorder",
    "deal_id",
    "decode_tag",
    "detached",
    "domain",
    "encode_tag",
    "format_eth",
    "format_rlc",
    "ids",
    "matching",
    "multiaddr",
    "objects",
    "order_hash",
    "order_request",
    "orders",
    "params",
    "parse_eth",
    "parse_rlc",
    "resolve",
    "results",
    "rules",
    "sign_order",
    "signed_order",
    "sum_tags",
    "tag",
    "task_id",
    "typed_data",
    "units",
    "verify_order",
]

_NAMES = {
    "chains": ("CHAINS", "Chain", "resolve"),
    "detached": ("SignedRequest", "SigningRequest", "order_request", "signed_order"),
    "ids": ("deal_id", "task_id"),
    "objects": ("App", "Category", "Dataset", "Workerpool"),
    "orders": (
        "NULL_ADDRESS",
        "NULL_BYTES32",
        "NULL_DATASETORDER",
        "Apporder",
        "Datasetorder",
        "Requestorder",
        "SignedApporder",
        "SignedDatasetorder",
        "SignedRequestorder",
        "SignedWorkerpoolorder",
        "Workerpoolorder",
        "create_apporder",
        "create_datasetorder",
        "create_requestorder",
        "create_workerpoolorder",
        "domain",
        "order_hash",
        "sign_order",
        "typed_data",
        "verify_order",
    ),
    "rules": ("V6", "V9", "Rules"),
    "tag": ("decode_tag", "encode_tag", "sum_tags"),
    "units": ("format_eth", "format_rlc", "parse_eth", "parse_rlc"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module("." + _HOME.get(name, name), __name__)
    value = getattr(module, name) if name in _HOME else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
