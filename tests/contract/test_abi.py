"""Our signatures against the ABI of the real contracts (npm ``@iexec/poco`` 5.3.0).

The signature tables were written by hand; the compiler wrote the artifacts. Compared are types, the
names of struct members (our dictionaries have them as keys), mutability, and of events also the
names and the ``indexed`` flags. The names of plain parameters are free: calls go by position.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from iexec_lite.eth.abi_types import AbiType
from iexec_lite.protocol import contracts, deployment
from iexec_lite.protocol.contracts import EVENTS, RESOURCE, EventSpec, Method

Artifact = Callable[[str], list[dict[str, Any]]]

HUB_TOKEN, HUB_NATIVE = "IexecInterfaceToken", "IexecInterfaceNative"
REGISTRIES = ("AppRegistry", "DatasetRegistry", "WorkerpoolRegistry")
ENTRIES = ("App", "Dataset", "Workerpool")

# Namespace → the contracts that must have its functions, all of them unless named one by one.
SOURCES: dict[str, tuple[object, tuple[str, ...]]] = {
    "HUB": (contracts.HUB, (HUB_TOKEN, HUB_NATIVE)),
    "REGISTRY": (contracts.REGISTRY, REGISTRIES),
    "ENTRY": (contracts.ENTRY, ENTRIES),
    "TOKEN": (contracts.TOKEN, ("RLC",)),
    "ERLC": (contracts.ERLC, ("ERLCTokenSwap",)),
    "RESTRICTION": (contracts.RESTRICTION, ("IERC734",)),
    "CALLBACK": (contracts.CALLBACK, ("IOracleConsumer",)),
    "ENS": (contracts.ENS, ("ENSRegistry", "PublicResolver")),
    "OWNED": (deployment.OWNED, ("ERC1538Proxy", "ERC1538UpdateDelegate", *REGISTRIES)),
    "FACTORY": (deployment.FACTORY, ("GenericFactory",)),
    "PROXY": (deployment.PROXY, ("ERC1538UpdateDelegate", "ERC1538QueryDelegate")),
    "DEPLOY_HUB": (deployment.DEPLOY_HUB, (HUB_TOKEN, "IexecMaintenanceExtraDelegate")),
    "DEPLOY_REGISTRY": (deployment.DEPLOY_REGISTRY, REGISTRIES),
    "DEPLOY_RLC": (deployment.DEPLOY_RLC, ("RLC",)),
    "DEPLOY_ERLC": (deployment.DEPLOY_ERLC, ("ERLCTokenSwap",)),
    "DEPLOY_ENS": (
        deployment.DEPLOY_ENS,
        ("ENSRegistry", "PublicResolver", "FIFSRegistrar"),
    ),
}
# In exactly one of the contracts of its namespace.
SINGLE = {
    **dict.fromkeys(("deposit", "depositFor", "depositForArray"), HUB_TOKEN),
    **dict.fromkeys(("deposit_native", "depositFor_native", "depositForArray_native"), HUB_NATIVE),
    **dict.fromkeys(("createApp", "predictApp"), "AppRegistry"),
    **dict.fromkeys(("createDataset", "predictDataset"), "DatasetRegistry"),
    **dict.fromkeys(("createWorkerpool", "predictWorkerpool"), "WorkerpoolRegistry"),
    "changePolicy": "Workerpool",
    "updateContract": "ERC1538UpdateDelegate",
    **dict.fromkeys(("totalFunctions", "functionByIndex"), "ERC1538QueryDelegate"),
    **dict.fromkeys(("resolver", "setSubnodeOwner", "setOwner", "setResolver"), "ENSRegistry"),
    **dict.fromkeys(("addr", "setAddr"), "PublicResolver"),
    "register": "FIFSRegistrar",
    **dict.fromkeys(
        ("configure", "setName", "setTeeBroker", "setCallbackGas", "updateDomainSeparator"),
        HUB_TOKEN,
    ),
    "changeRegistries": "IexecMaintenanceExtraDelegate",
}
POCO6 = "came with PoCo 6, which npm @iexec/poco 5.3.0 does not have"
ABSENT = {
    "sponsorMatchOrders": "came with PoCo 5.5",
    "computeDealVolume": POCO6,
    "assertDatasetDealCompatibility": POCO6,
    "viewApp": POCO6,
    "viewDataset": POCO6,
    "viewWorkerpool": POCO6,
}
EVENT_SOURCES = {
    "RegistryTransfer": "AppRegistry",
    "PolicyUpdate": "Workerpool",
}
ABSENT_EVENTS = {
    "DealSponsored": "came with PoCo 5.5",
    "RelayedMessage": "the bridges are no part of PoCo",
    "AffirmationCompleted": "the bridges are no part of PoCo",
}
# Namespaces without any artifact: BRIDGE (no part of PoCo), DIAMOND (PoCo 6).

FUNCTIONS, GETTERS, EVENTS_COMPARED = 138, 17, 32  # so that the comparison cannot shrink


def members(namespace: object, kind: type) -> dict[str, Any]:
    return {name: each for name, each in vars(type(namespace)).items() if isinstance(each, kind)}


def shape(kind: AbiType) -> object:
    """Type with the names of struct members."""
    if kind.kind == "tuple":
        return [(part.label, shape(part)) for part in kind.components]
    if kind.item is not None:
        return (shape(kind.item), kind.length)
    return kind.name


def json_shape(entry: dict[str, Any], text: str | None = None) -> object:
    """The same of an entry of a JSON ABI."""
    text = entry["type"] if text is None else text
    if text.endswith("]"):
        inner, _, length = text[:-1].rpartition("[")
        return (json_shape(entry, inner), int(length) if length else None)
    if text == "tuple":
        return [(part["name"], json_shape(part)) for part in entry["components"]]
    return text


def entry_of(abi: list[dict[str, Any]], kind: str, name: str, inputs: list[object]) -> Any:
    found = [
        entry
        for entry in abi
        if entry["type"] == kind
        and entry["name"] == name
        and [json_shape(item) for item in entry["inputs"]] == inputs
    ]
    assert len(found) == 1, f"{name}: {len(found)} entries with the inputs {inputs}"
    return found[0]


def assert_same_function(method: Method, abi: list[dict[str, Any]]) -> None:
    function = method.function
    entry = entry_of(abi, "function", method.name, [shape(item) for item in function.inputs])
    assert [shape(item) for item in function.outputs] == [
        json_shape(item) for item in entry["outputs"]
    ]
    assert method.mutability == entry["stateMutability"]


CASES = [
    (namespace, name)
    for namespace, (table, _) in SOURCES.items()
    for name in members(table, Method)
    if not (namespace == "HUB" and name in ABSENT)
]


@pytest.mark.witness(
    "calldata: [!b]*", "view: deal", "view: task", "view: account", "view: category", by="contracts"
)
@pytest.mark.parametrize(("namespace", "name"), CASES)
def test_function(artifact: Artifact, namespace: str, name: str) -> None:
    table, sources = SOURCES[namespace]
    method = getattr(table, name)
    if namespace == "HUB" and name == "viewDeal":
        method = method.before_sponsors
    only = SINGLE.get(name)
    for source in [only] if only in sources else sources:
        assert_same_function(method, artifact(source))


@pytest.mark.witness("view: app, dataset, workerpool", by="contracts")
@pytest.mark.parametrize(
    ("kind", "key"), [(kind, key) for kind, getters in RESOURCE.items() for key in getters]
)
def test_getter(artifact: Artifact, kind: str, key: str) -> None:
    assert_same_function(RESOURCE[kind][key], artifact(kind.capitalize()))


@pytest.mark.witness("events", by="contracts")
@pytest.mark.parametrize(
    "name", [name for name in members(EVENTS, EventSpec) if name not in ABSENT_EVENTS]
)
def test_event(artifact: Artifact, name: str) -> None:
    spec = getattr(EVENTS, name)
    inputs = spec.event.inputs
    abi = artifact(EVENT_SOURCES.get(name, HUB_TOKEN))
    entry = entry_of(abi, "event", spec.name, [shape(item) for item in inputs])
    assert [(item.label, item.indexed) for item in inputs] == [
        (item["name"], item["indexed"]) for item in entry["inputs"]
    ]
    assert entry["anonymous"] is False


def test_token_transfer_is_the_hubs(artifact: Artifact) -> None:
    inputs = [shape(item) for item in EVENTS.Transfer.event.inputs]
    for source in ("RLC", "ERLCTokenSwap", HUB_NATIVE):
        entry = entry_of(artifact(source), "event", "Transfer", inputs)
        assert [item["indexed"] for item in entry["inputs"]] == [True, True, False]


def test_what_is_absent_is_really_absent(artifact: Artifact) -> None:
    names = {entry.get("name") for entry in artifact(HUB_TOKEN) + artifact(HUB_NATIVE)}
    assert not names & set(ABSENT)
    assert not names & set(ABSENT_EVENTS)
    assert set(ABSENT) <= set(members(contracts.HUB, Method))
    assert set(ABSENT_EVENTS) <= set(members(EVENTS, EventSpec))


def test_nothing_is_compared_with_nothing() -> None:
    assert len(CASES) == FUNCTIONS
    assert sum(len(getters) for getters in RESOURCE.values()) == GETTERS
    assert len(members(EVENTS, EventSpec)) - len(ABSENT_EVENTS) == EVENTS_COMPARED
