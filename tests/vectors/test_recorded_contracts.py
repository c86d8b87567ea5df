"""Calldata, return data and logs of every contract function against ethers."""

from __future__ import annotations

from typing import Any

import pytest

from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.protocol.contracts import (
    BRIDGE,
    CALLBACK,
    ENS,
    ENTRY,
    ERLC,
    EVENTS,
    HUB,
    REGISTRY,
    RESOURCE,
    RESTRICTION,
    TOKEN,
    EventSpec,
    Method,
)

SUITE = "contracts"

NAMESPACES = {
    "HUB": HUB,
    "HUB_NATIVE": HUB,
    "HUB_TODAY": HUB,
    "APP_REGISTRY": REGISTRY,
    "DATASET_REGISTRY": REGISTRY,
    "WORKERPOOL_REGISTRY": REGISTRY,
    "APP": ENTRY,
    "DATASET": ENTRY,
    "WORKERPOOL": ENTRY,
    "TOKEN": TOKEN,
    "ERLC": ERLC,
    "FOREIGN_BRIDGE": BRIDGE,
    "HOME_BRIDGE": BRIDGE,
    "ENS_REGISTRY": ENS,
    "ENS": ENS,
    "RESTRICTION": RESTRICTION,
    "CALLBACK": CALLBACK,
}
EMITTER = "0x" + "ab" * 20


FullTexts = dict[tuple[str, str], str]


def full_texts_of(forms: Any) -> FullTexts:
    """The whole signature, with outputs and names, by contract and canonical text."""
    calls = forms.cases(SUITE, "call")
    return {(one["contract"], one["signature"]): one["full"] for one in calls if "full" in one}


def full_function(case: dict[str, Any], full_texts: FullTexts) -> abi.Function:
    return abi.function(full_texts[case["contract"], case["signature"]])


def test_recorded(recorded: Any, forms: Any) -> None:
    """By the codec, from the text of the signature."""

    def call(case: dict[str, Any]) -> object:
        function = abi.function(case["signature"])
        assert function.signature == case["signature"]
        if "full" in case:
            assert abi.function(case["full"]).signature == case["signature"]
            assert to_hex(function.selector) == case["selector"]
        data = function.encode(*forms.row(function.inputs, case["args"]))
        found = function.decode_input(data)
        assert [forms.plain(*each) for each in zip(function.inputs, found, strict=True)] == (
            case["args"]
        )
        return to_hex(data)

    def answer(case: dict[str, Any]) -> object:
        function = full_function(case, full_texts)
        found = function.decode_output(from_hex(case["data"]))
        return [forms.plain(*each) for each in zip(function.outputs, found, strict=True)]

    def log(case: dict[str, Any]) -> object:
        event = abi.event(case["full"])
        topics = [from_hex(topic) for topic in case["topics"]]
        found = event.decode(topics, from_hex(case["data"]))
        kinds = {kind.label or str(at): kind for at, kind in enumerate(event.inputs)}
        return {name: forms.plain(kinds[name], value) for name, value in found.items()}

    full_texts = full_texts_of(forms)
    recorded.run({"call": (call, "data"), "answer": (answer, "values"), "log": (log, "values")})


def methods(namespace: object) -> list[Method]:
    found = [getattr(namespace, name) for name in dir(namespace) if not name.startswith("_")]
    return [each for each in found if isinstance(each, Method)]


def method_of(case: dict[str, Any]) -> Method:
    """Our table's method for a recorded call."""
    known = methods(NAMESPACES[case["contract"]])
    known += [getter for getters in RESOURCE.values() for getter in getters.values()]
    matching = [each for each in known if each.signature == case["signature"]]
    assert matching, f"{case['contract']} has no {case['signature']}"
    return matching[0]


def python_form(forms: Any, kind: Any, value: Any) -> object:
    """What a user of the tables gives and gets: text for addresses and bytes32, dictionaries."""
    if kind.kind == "array":
        return [python_form(forms, kind.item, each) for each in value]
    if kind.kind == "tuple":
        return {
            item.label: python_form(forms, item, each)
            for item, each in zip(kind.components, value, strict=True)
        }
    if kind.kind == "fixed_bytes":
        return value
    return value if kind.kind == "address" else forms.native(kind, value)


def same(ours: object, recorded: object) -> bool:
    if isinstance(recorded, dict):
        assert isinstance(ours, dict)
        return set(ours) >= set(recorded) and all(
            same(ours[key], recorded[key]) for key in recorded
        )
    if isinstance(recorded, list):
        assert isinstance(ours, (list, tuple))
        return len(ours) == len(recorded) and all(map(same, ours, recorded))
    return ours == recorded


@pytest.mark.witness("calldata: *", "view: *", "events", by="recorded")
def test_recorded_by_the_tables(recorded: Any, forms: Any) -> None:
    """By the library's own tables, in the forms of the library."""

    def call(case: dict[str, Any]) -> object:
        method = method_of(case)
        inputs = method.function.inputs
        args = [python_form(forms, *each) for each in zip(inputs, case["args"], strict=True)]
        data = method.encode(*args)
        assert same(method.decode_input(data), args)
        return to_hex(data)

    def answer(case: dict[str, Any]) -> object:
        method = method_of(case)
        data = from_hex(case["data"])
        decoded = method.decode(data)
        if "values" not in case:
            return decoded
        # of the recorded contract: older ones have fewer members than our table knows
        kinds = full_function(case, full_texts).outputs
        found = (decoded,) if len(kinds) == 1 else decoded
        values = [python_form(forms, *each) for each in zip(kinds, case["values"], strict=True)]
        assert same(found, values)
        return case["values"]

    def log(case: dict[str, Any]) -> object:
        event: EventSpec = getattr(EVENTS, case["name"])
        if case["contract"].endswith("REGISTRY"):
            event = EVENTS.RegistryTransfer
        entry = {"address": EMITTER, "topics": case["topics"], "data": case["data"]}
        decoded = event.decode(entry)
        kinds = abi.event(case["full"]).inputs
        recorded_values = [case["values"][kind.label or str(at)] for at, kind in enumerate(kinds)]
        values = [python_form(forms, *each) for each in zip(kinds, recorded_values, strict=True)]
        assert same(list(decoded.values()), values)
        assert event.find([entry, entry], EMITTER) == [decoded, decoded]
        assert event.find([entry], "0x" + "cd" * 20) == []
        return case["values"]

    full_texts = full_texts_of(forms)
    recorded.run({"call": (call, "data"), "answer": (answer, "values"), "log": (log, "values")})


def test_the_tables_are_recorded_whole(forms: Any) -> None:
    """A function or event that is added to the tables needs its vectors."""
    calls = {case["signature"] for case in forms.cases(SUITE, "call")}
    answers = {case["signature"] for case in forms.cases(SUITE, "answer")}
    logs = {case["name"] for case in forms.cases(SUITE, "log")}
    known = [each for namespace in NAMESPACES.values() for each in methods(namespace)]
    known += [getter for getters in RESOURCE.values() for getter in getters.values()]
    events = [getattr(EVENTS, name) for name in dir(EVENTS)]
    assert {each.signature for each in known} <= calls
    assert {each.signature for each in known if each.function.outputs} <= answers
    assert {each.name for each in events if isinstance(each, EventSpec)} <= logs
