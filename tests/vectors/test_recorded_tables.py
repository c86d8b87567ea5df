"""Networks, templates, faucets, codes and signatures against the tables of the JavaScript SDK."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from iexec_lite.eth.codec import to_hex
from iexec_lite.protocol import deployment, templates
from iexec_lite.protocol.chains import CHAINS, DEFAULT_CHAIN, Providers, node_urls, resolve
from iexec_lite.protocol.faucets import ether_faucets, rlc_faucets
from iexec_lite.protocol.methods import Method
from iexec_lite.protocol.networks import Chain
from iexec_lite.protocol.reverts import MATCH_REVERTS, explain_revert

SUITE = "tables"

Case = dict[str, Any]

SERVICES = {  # members that every generation has
    "host": "host",
    "hub": "hub",
    "sms": "sms",
    "iexecGateway": "iexec_gateway",
    "ipfsGateway": "ipfs_gateway",
}
MEMBERS6 = {
    **SERVICES,
    "id": "id",
    "flavour": "flavour",
    "resultProxy": "result_proxy",
    "appRegistry": "app_registry",
    "datasetRegistry": "dataset_registry",
    "workerpoolRegistry": "workerpool_registry",
    "token": "token",
    "native": "native",
    "gasPrice": "gas_price",
    "ens": "ens_registry",
    "twin": "enterprise_twin",
}
MEMBERS9 = {
    **SERVICES,
    "id": "id",
    "name": "name",
    "ipfsNode": "ipfs_node",
    "compass": "compass",
    "pocoSubgraph": "poco_subgraph",
}


def members(chain: Chain, names: dict[str, str]) -> dict[str, object]:
    """Of the record, as the SDK names them; what there is not is left out."""
    found = {theirs: getattr(chain, ours) for theirs, ours in names.items()}
    return {name: value for name, value in found.items() if value is not None}


def network6(case: Case) -> object:
    """The network by name, found by its id and flavour too. Of tokens V6 knew but the standard."""
    chain = CHAINS[case["name"]]
    assert resolve(chain.id, chain.flavour) == chain
    assert (chain.name, chain.rules.name, chain.legacy) == (case["name"], "v6", True)
    found = members(chain, MEMBERS6)
    if chain.flavour == "enterprise":
        del found["token"]  # the SDK reads it from the hub
    if chain.bridge_contract:
        ends = {"id": chain.bridged_chain_id, "name": chain.bridged_chain}
        found["bridge"] = {"contract": chain.bridge_contract, **ends}
    return found


def network9(case: Case) -> object:
    chain = CHAINS[case["network"]["name"]]
    assert resolve(chain.id) == chain
    assert (chain.rules.name, chain.legacy, chain.native) == ("v9", False, False)
    return {**members(chain, MEMBERS9), "chosen": chain.name == DEFAULT_CHAIN}


def node(case: Case) -> object:
    return node_urls(case["host"], Providers(infura="KEY"))[0][0]


def template(case: Case, of: templates.Templates) -> object:
    known: dict[str, object] = {
        "app": of.app,
        "teeApp": of.tee_app,
        "dataset": templates.DATASET,
        "workerpool": templates.WORKERPOOL,
        "category": templates.CATEGORY,
        "buyConf": of.buy_conf,
        "dapps": of.dapps,
    }
    found = known[case["name"]]
    if "template" in case:
        assert json.dumps(found) == json.dumps(case["template"])  # in the same order
    return found


def ways(case: Case) -> object:
    """What each faucet is asked; where people must go themselves, the page."""
    chain = CHAINS[case["chain"]]
    found = []
    for faucet in (ether_faucets if case["coin"] == "ETH" else rlc_faucets)(chain):
        assert faucet.public
        assert faucet.vital is (case["coin"] == "RLC")  # where it is down, V6 fails
        if not faucet.url:
            found.append({"name": faucet.name, "page": faucet.page})
            continue
        url = faucet.url.format(chain=chain.name, address=case["address"])
        way: dict[str, object] = {"name": faucet.name, "method": "GET", "url": url}
        if faucet.body is not None:
            body = {
                name: text.format(address=case["address"]) for name, text in faucet.body.items()
            }
            way |= {"method": "POST", "body": body}
        found.append(way)
    return found


MAXIMUM = "the request order's maximum"
RESTRICTED = r" restricted to another \2"
UNSIGNED = " is not signed by the "
# what a requirement of the contract demands → what is said, at the end, of orders without it
SAID = (
    (r"_requestorder.category == _workerpoolorder.category", "different categories"),
    (r"_requestorder.category < m_categories.length", "the category does not exist"),
    (r"_requestorder.trust <= _workerpoolorder.trust", "trust is below the request order's"),
    (r"_requestorder.(\w+)maxprice >= _\1order.\1price", rf"the \1's price is above {MAXIMUM}"),
    (r"tag & ~_workerpoolorder.tag == 0x0", "order lacks tags that the other orders demand"),
    (r"\(tag \^ _apporder.tag\)\[31\] & 0x01 == 0x0", "tee tag, and the app order lacks it"),
    (r"_requestorder.(\w+) == _\1order.\1", r"request order and \1 order name different \1s"),
    (r"_(\w+)order.(\w+)restrict == address\(0\) .*", rf"the \1 order is{RESTRICTED}"),
    (r"_(request)order.(workerpool) == address\(0\) .*", rf"the \1 order is{RESTRICTED}"),
    (r"m_(\w+)registry.isRegistered\(.*\)", r"the \1 is not registered"),
    (r"_checkPres\w+\(ids.(\w+)Owner, .*", rf"the \1 order{UNSIGNED}\1's owner"),
    (r"_checkPres\w+\(_(request)order.requester, .*", rf"the \1 order{UNSIGNED}\1er"),
    (r"_isAuthorized\(ids.(\w+)Owner\)", r"the \1's owner has no KYC"),
    (r"_isAuthorized\(_requestorder.(requester)\)", r"the \1 has no KYC"),
    (r"volume > 0", "one of the orders is used up"),
)


def said(case: Case) -> object:
    """The code is explained by what the contract demands there."""
    found = [(each, text) for each, text in SAID if re.fullmatch(each, case["condition"])]
    assert len(found) == 1
    told = explain_revert(case["reason"])
    assert told is not None
    assert told.endswith(re.sub(*found[0], case["condition"]))
    return case["reason"]


def deploy(case: Case) -> object:
    """The functions of several contracts hang together in our tables."""
    name = re.sub("_(QUERY|EXTRA|REGISTRAR|RESOLVER)$", "", case["contract"])
    method: Method = getattr(getattr(deployment, name), case["name"])
    return {
        "signature": method.signature,
        "selector": to_hex(method.selector),
        "outputs": [each.name for each in method.function.outputs],
        "mutability": method.mutability,
    }


TABLE = {
    "network6": (network6, "network"),
    "network9": (network9, "network"),
    "node": (node, "url"),
    "template6": (lambda case: template(case, templates.V6), "template"),
    "template9": (lambda case: template(case, templates.TODAY), "template"),
    "faucet": (ways, "ways"),
    "match": (said, "reason"),
    "deploy": (deploy, "function"),
}


def test_recorded(recorded: Any) -> None:
    recorded.run(TABLE)


def test_nothing_is_left_out(forms: Any) -> None:
    """What is added needs its vector; of a diamond there is no contract in the packages."""
    named = {case["name"] for case in forms.cases(SUITE, "network6")}
    assert {chain.name for chain in CHAINS.values() if chain.legacy} - named == {
        *("bellecour-v8", "ropsten", "rinkeby", "kovan")  # the last three differ
    }
    assert {case["reason"] for case in forms.cases(SUITE, "match")} == set(MATCH_REVERTS)
    recorded = {case["name"] for case in forms.cases(SUITE, "deploy")}
    tables = (getattr(deployment, name) for name in deployment.__all__ if name != "DIAMOND")
    methods = (getattr(table, name) for table in tables for name in dir(table))
    assert {each.name for each in methods if isinstance(each, Method)} == recorded


@pytest.mark.parametrize(
    ("name", "selector"),
    [
        ("diamondCut", "0x1f931c1c"),
        ("facets", "0x7a0ed627"),
        ("facetFunctionSelectors", "0xadfca15e"),
        ("facetAddresses", "0x52ef6b2c"),
        ("facetAddress", "0xcdffacc6"),
        ("init", "0xe1c7392a"),
    ],
)
def test_a_diamond(name: str, selector: str) -> None:
    """Selectors of EIP-2535; the four that read make its ERC-165 number 0x48e2b093."""
    method: Method = getattr(deployment.DIAMOND, name)
    assert to_hex(method.selector) == selector
    assert len(method.function.outputs) == (name.startswith("facet"))
