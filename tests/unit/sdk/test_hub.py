"""Which generation a hub is, by answers that no chain of the tests gives."""

from __future__ import annotations

import json
from typing import Any

import pytest

from iexec_lite import IExec
from iexec_lite.errors import Web3ProviderCallError
from iexec_lite.eth.codec import to_hex
from iexec_lite.net.http import Response
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.deployment import DIAMOND

ADDRESS = "0x" + "44" * 20
REVERT = {"code": 3, "message": "execution reverted", "data": "0x"}
BUSY = {"code": -32005, "message": "rate limit"}


def words(*values: int) -> str:
    return "0x" + "".join(f"{value:064x}" for value in values)


def empty_deal(members: int) -> str:
    """A deal of zeros; its text is reached over as many words as it has members."""
    return words(32, *[0] * 15, members * 32, *[0] * (members - 16), 0)


FACETS = words(32, 1, 0x44)
OLD, NEW = empty_deal(21), empty_deal(22)


class Node:
    """A transport that answers contract reads by their selector, else with an address."""

    def __init__(self, facets: object, deal: object) -> None:
        selectors = {DIAMOND.facetAddresses.selector: facets, HUB.viewDeal.selector: deal}
        self.answers = {to_hex(selector): answer for selector, answer in selectors.items()}

    def request(self, method: str, url: str, *, body: bytes | None = None, **_: Any) -> Response:
        asked = json.loads(body or b"")
        items = asked if isinstance(asked, list) else [asked]
        answers = [{"jsonrpc": "2.0", "id": item["id"], **self.answer(item)} for item in items]
        value = answers if isinstance(asked, list) else answers[0]
        return Response(200, {}, json.dumps(value).encode(), "http://n")

    def answer(self, item: dict[str, Any]) -> dict[str, object]:
        if item["method"] == "eth_chainId":
            return {"result": hex(31337)}
        found = self.answers.get(item["params"][0]["data"][:10], words(0x55))
        return {"error" if isinstance(found, dict) else "result": found}

    def close(self) -> None:
        pass


def version(facets: object, deal: object) -> str:
    with IExec("http://127.0.0.1:1", chain=31337, hub_address=ADDRESS) as iexec:
        iexec._context._made["http"] = Node(facets, deal)
        return iexec.network.get_contracts().poco_version


@pytest.mark.parametrize(
    ("facets", "deal", "expected"),
    [(REVERT, OLD, "5"), (REVERT, NEW, "5.5"), ("0x", NEW, "5.5"), (FACETS, NEW, "6")],
)
def test_the_version_of_a_hub(facets: object, deal: object, expected: str) -> None:
    assert version(facets, deal) == expected


@pytest.mark.parametrize("native", [False, True])
def test_the_contracts_of_a_hub(native: bool) -> None:
    chain = Chain(id=31337, name="here", hub=ADDRESS, native=native)
    with IExec("http://127.0.0.1:1", chain=chain) as iexec:
        node = iexec._context._made["http"] = Node(FACETS, NEW)
        registries = {"app": 1, "dataset": 2, "workerpool": 3}
        for kind, number in registries.items():
            node.answers[to_hex(getattr(HUB, f"{kind}registry").selector)] = words(number)
        node.answers[to_hex(HUB.token.selector)] = words(0 if native else 0x55)
        found = iexec.network.get_contracts().to_dict()
        net = iexec.network.get_network().to_dict()
    assert found == {
        **{"pocoVersion": "6", "hubAddress": ADDRESS},
        **({} if native else {"rlcAddress": f"0x{0x55:040x}"}),
        **{f"{kind}RegistryAddress": f"0x{at:040x}" for kind, at in registries.items()},
        **{"useNative": native, "flavour": "standard"},
    }
    assert net == {"chainId": "31337", "isSidechain": native, "isNative": native}


def test_a_busy_node_tells_nothing() -> None:
    for answers in ((BUSY, NEW), (REVERT, BUSY)):
        with pytest.raises(Web3ProviderCallError, match="rate limit"):
            version(*answers)
