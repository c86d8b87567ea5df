"""Networks (chain.md §1.1–1.3, §1.6), ``chain.json`` (§1.4) and node URLs (§1.5)."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest

from iexec_lite.errors import ConfigurationError, ValidationError
from iexec_lite.eth import eip712
from iexec_lite.eth.codec import address_to_bytes, to_hex
from iexec_lite.frozen import replace
from iexec_lite.protocol import chains
from iexec_lite.protocol.chains import (
    CHAINS,
    Chain,
    ChainFile,
    Providers,
    chain_entry,
    node_urls,
    resolve,
)
from iexec_lite.protocol.rules import V6, V9

HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
ENTERPRISE_HUB = "0x0bf375A6238359CE14987C2285B8B099eE8e8709"
OTHER = "0xC129e7917b7c7DeDfAa5Fff1FB18d5D7050fE8ca"
TODAY = "arbitrum-mainnet, arbitrum-sepolia-testnet"  # what every chain.json has
GATEWAY = "https://v6.api.market.iex.ec"
ENTERPRISE_GATEWAY = "https://v6.api-enterprise.market.iex.ec"

# name: id, flavour, host, native, gas price, sms, result proxy, token (chain.md §1.1, §1.2)
V6_NETWORKS = {
    "mainnet": (
        *(1, "standard", "mainnet", False, None),
        *("https://v6.sms.mainnet.iex.ec", "https://v6.result.mainnet.iex.ec"),
        "0x607F4C5BB672230e8672085532f7e901544a7375",
    ),
    "goerli": (
        *(5, "standard", "goerli", False, None),
        *("https://v6.sms.goerli.iex.ec", "https://v6.result.goerli.iex.ec"),
        "0xe0d00540a3729B4fdB96f92534dA97DC7973Af8b",
    ),
    "viviani": (
        *(133, "standard", "https://viviani.iex.ec", True, 0),
        *("https://v6.sms.viviani.iex.ec", "https://v6.result.viviani.iex.ec"),
        None,
    ),
    "bellecour": (
        *(134, "standard", "https://bellecour.iex.ec", True, 0),
        *("https://v6.sms.bellecour.iex.ec", "https://v6.result.bellecour.iex.ec"),
        None,
    ),
    "enterprise": (
        *(1, "enterprise", "mainnet", False, None),
        "https://v6.sms-enterprise.mainnet.iex.ec",
        "https://v6.result-enterprise.mainnet.iex.ec",
        "0xA3B26327482312f70E077aAba62336f7643e41E1",
    ),
    "enterprise-testnet": (
        *(5, "enterprise", "goerli", False, None),
        "https://v6.sms-enterprise.goerli.iex.ec",
        "https://v6.result-enterprise.goerli.iex.ec",
        "0xe8D9DB06F99536612c6B193E4C7347866B84C9d5",
    ),
}

BRIDGES = {
    "mainnet": ("0x4e55c9B8953AB1957ad0A59D413631A66798c6a2", 134, "bellecour"),
    "goerli": ("0x1e32aFA55854B6c015D284E3ccA9aA5a463A1418", 133, "viviani"),
    "viviani": ("0x63CBf84596d0Dc13fCE1d8FA4470dc208390998a", 5, "goerli"),
    "bellecour": ("0x188A4376a1D818bF2434972Eb34eFd57102a19b7", 1, "mainnet"),
}

SEPARATORS = {  # chain.md §2.1: they prove chain id and hub together
    "mainnet": "0x0b51b16c3bc4ae443794b44e38f43df44d02a6827c49938edf4ea705bac00499",
    "goerli": "0xe3ec5d9d5aeaf5a7824a3cb6341740077dd84c084778b81c4d79617c3d6c6c4b",
    "viviani": "0xfe74a571c117ad1e52a111b47ec87ee86756b7100d374152c3d0f6c039575397",
    "bellecour": "0xf2cbd98a556869939d25b73c3fa68ba45f19932f8c9a06f744c98290ed9ef860",
    "enterprise": "0xc211c8d42db8f08dc584a518fa2d49e63224d12f861215b0676366a76c5729cf",
    "enterprise-testnet": "0x27bb0a15fc2e2947920b5cd3e5b2d83a3cb320673ffe34af6950715ac34f505b",
    "arbitrum-mainnet": "0x3b211ab198ac0c745a332d34416d88c417c2f06a87bd9f0d2fdd37b242c75402",
    "arbitrum-sepolia-testnet": (
        "0xde6e7a8f1c22386ba73ee5376e4ec7089a2d2b07ebbfce54d4cb386daa34cc92"
    ),
}


@pytest.mark.parametrize("name", V6_NETWORKS)
def test_v6_network(name: str) -> None:
    chain = CHAINS[name]
    number, flavour, host, native, gas_price, sms, result_proxy, token = V6_NETWORKS[name]
    assert (chain.id, chain.flavour, chain.host) == (number, flavour, host)
    assert (chain.native, chain.gas_price) == (native, gas_price)
    assert (chain.sms, chain.result_proxy, chain.token) == (sms, result_proxy, token)
    assert chain.ipfs_gateway == "https://ipfs-legacy.iex.ec"
    assert chain.legacy
    assert chain.rules is V6
    standard = flavour == "standard"
    assert chain.hub == (HUB if standard else ENTERPRISE_HUB)
    assert chain.iexec_gateway == (GATEWAY if standard else ENTERPRISE_GATEWAY)
    registries = (chain.app_registry, chain.dataset_registry, chain.workerpool_registry)
    assert registries == (
        "0xB1C52075b276f87b1834919167312221d50c9D16" if standard else None,
        "0x799DAa22654128d0C64d5b79eac9283008158730" if standard else None,
        "0xC76A18c78B7e530A165c5683CB1aB134E21938B4" if standard else None,
    )
    bridge = (chain.bridge_contract, chain.bridged_chain_id, chain.bridged_chain)
    assert bridge == BRIDGES.get(name, (None, None, None))
    ens = "0x00000000000C2E074eC69A0dFb2997BA6C7d2e1e" if number in (1, 5) else None
    assert chain.ens_registry == ens
    assert chain.enterprise is not standard


@pytest.mark.parametrize("name", CHAINS)
def test_the_table_is_in_normal_form(name: str) -> None:
    """It is not checked when it is loaded: these are what checking would make of it."""
    chain = CHAINS[name]
    assert replace(chain) == chain
    assert CHAINS[chain.name] is chain


def test_enterprise_twins_point_at_each_other() -> None:
    twins = {name: c.enterprise_twin for name, c in CHAINS.items() if c.enterprise_twin}
    assert twins == {
        "mainnet": "enterprise",
        "enterprise": "mainnet",
        "goerli": "enterprise-testnet",
        "enterprise-testnet": "goerli",
    }


@pytest.mark.parametrize(
    ("name", "number", "hub", "token", "gateway", "graph"),
    [
        (
            "arbitrum-mainnet",
            42161,
            "0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0",
            "0xe649e6a1F2afc63ca268C2363691ceCAF75CF47C",
            "https://api.market.arbitrum-mainnet.iex.ec",
            "https://thegraph.arbitrum.iex.ec/api/subgraphs/id/B1comLe9SANBLrjdnoNTJSubbeC7cY7EoNu6zD82HeKy",
        ),
        (
            "arbitrum-sepolia-testnet",
            421614,
            "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E",
            "0x9923eD3cbd90CD78b910c475f9A731A6e0b8C963",
            "https://api-market.arbitrum-sepolia-testnet.iex.ec",
            "https://thegraph.arbitrum-sepolia-testnet.iex.ec/api/subgraphs/id/2GCj8gzLCihsiEDq8cYvC5nUgK6VfwZ6hm3Wj8A3kcxz",
        ),
    ],
)
def test_network_of_today(
    name: str, number: int, hub: str, token: str, gateway: str, graph: str
) -> None:
    chain = CHAINS[name]
    assert (chain.id, chain.hub, chain.token, chain.rules) == (number, hub, token, V9)
    assert (chain.iexec_gateway, chain.poco_subgraph) == (gateway, graph)
    assert chain.sms == f"https://sms.{name}.iex.ec"
    assert chain.ipfs_gateway == f"https://ipfs-gateway.{name}.iex.ec"
    assert chain.ipfs_node == f"https://ipfs-upload.{name}.iex.ec"
    assert chain.compass == f"https://compass.{name}.iex.ec"
    assert chain.app_registry == "0x9950D94fb074182ee93ff79A50Cd698C4983281F"
    assert chain.dataset_registry == "0x07Cc4E1EA30dD02796795876509A3BfC5053128D"
    assert chain.workerpool_registry == "0xe3c13bb4A5068601c6A08041Cb50887B07B5F398"
    assert (chain.native, chain.gas_price, chain.legacy) == (False, None, False)
    assert chain.result_proxy is chain.bridge_contract is chain.ens_registry is None


def test_hosts_of_today() -> None:
    assert CHAINS["arbitrum-mainnet"].host == "https://arb1.arbitrum.io/rpc"
    assert CHAINS[chains.DEFAULT_CHAIN].host == "https://sepolia-rollup.arbitrum.io/rpc"
    assert chains.DEFAULT_CHAIN == "arbitrum-sepolia-testnet"


def test_last_bellecour_is_beside_the_v6_one() -> None:
    chain = resolve("bellecour-v8")
    assert (chain.id, chain.hub, chain.native, chain.gas_price) == (134, HUB, True, 0)
    assert chain.sms == "https://sms.iex.ec"
    assert chain.iexec_gateway == "https://api.market.v8-bellecour.iex.ec"
    assert chain.ipfs_gateway == "https://ipfs-gateway.v8-bellecour.iex.ec"
    assert chain.result_proxy == "https://result.v8-bellecour.iex.ec"
    assert chain.ens_registry == "0x5f5B93fca68c9C79318d1F3868A354EE67D8c006"
    assert resolve(134).name == "bellecour"


@pytest.mark.parametrize("name", SEPARATORS)
def test_domain_separator(name: str) -> None:
    chain = CHAINS[name]
    domain = eip712.Domain(
        name="iExecODB",
        version="5.0.0",
        chain_id=chain.id,
        verifying_contract=address_to_bytes(chain.require_hub()),
    )
    assert to_hex(domain.separator) == SEPARATORS[name]


# --- resolve --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "flavour", "name"),
    [
        ("mainnet", "standard", "mainnet"),
        ("mainnet", "enterprise", "enterprise"),
        ("enterprise", "standard", "enterprise"),
        (1, "standard", "mainnet"),
        ("1", "enterprise", "enterprise"),
        (5, "enterprise", "enterprise-testnet"),
        (42161, "standard", "arbitrum-mainnet"),
        ("421614", "standard", "arbitrum-sepolia-testnet"),
        (3, "standard", "ropsten"),
    ],
)
def test_resolve(value: str | int, flavour: str, name: str) -> None:
    assert resolve(value, flavour) is CHAINS[name]


def test_unknown_id_has_the_gateways_of_its_flavour_and_nothing_else() -> None:
    expected = {"id": 65535, "name": "65535", "rules": "v6"}
    ipfs = "https://ipfs-legacy.iex.ec"
    assert resolve(65535).to_dict() == {
        **expected,
        "iexec_gateway": GATEWAY,
        "ipfs_gateway": ipfs,
    }
    assert resolve("65535", "enterprise").to_dict() == {
        **expected,
        "flavour": "enterprise",
        "iexec_gateway": ENTERPRISE_GATEWAY,
        "ipfs_gateway": ipfs,
    }


def test_sidechain_in_enterprise_flavour_has_host_and_gas_rule_only() -> None:
    chain = resolve(134, "enterprise")
    assert (chain.host, chain.gas_price) == ("https://bellecour.iex.ec", 0)
    assert chain.native is False
    assert chain.sms is chain.result_proxy is chain.bridge_contract is chain.hub is None
    with pytest.raises(ConfigurationError, match=r"^missing iExec proxy configuration"):
        chain.require_hub()


def test_missing_hub_of_unknown_id() -> None:
    text = r'^missing chainId "65535" in iExec proxy configuration'
    with pytest.raises(ConfigurationError, match=text):
        resolve(65535).require_hub()


@pytest.mark.parametrize("value", [0, -1, True, 1 << 256, "0", "9" * 100, "٣", 1.0, None])
def test_impossible_id(value: object) -> None:
    with pytest.raises(ValidationError, match="is not a valid chainId"):
        resolve(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "Mainnet", "foo", "-1", "1.0", " 1"])
def test_unknown_name(value: str) -> None:
    with pytest.raises(ConfigurationError, match=r"unknown network.*arbitrum-mainnet"):
        resolve(value)


@pytest.mark.parametrize("value", [1, 65535, "mainnet"])
def test_invalid_flavour(value: str | int) -> None:
    with pytest.raises(ConfigurationError, match="invalid flavour 'gold'"):
        resolve(value, "gold")


# --- the record -----------------------------------------------------------------------------------


def test_use_gas_false_means_price_zero() -> None:
    chain = resolve("mainnet")
    assert chain.gas_price is None
    assert chain.with_overrides(use_gas=False).gas_price == 0


def test_another_hub_has_its_own_token_and_registries() -> None:
    chain = resolve("arbitrum-mainnet").with_overrides(hub=OTHER.lower())
    assert chain.hub == OTHER
    assert chain.token is chain.app_registry is chain.dataset_registry is None
    assert chain.workerpool_registry is None
    assert chain.sms is not None


def test_the_same_hub_keeps_them() -> None:
    chain = resolve("mainnet")
    assert chain.with_overrides(hub=HUB.lower()) == chain


def test_native_has_no_token() -> None:
    assert resolve("mainnet").with_overrides(native=True).token is None


@pytest.mark.parametrize("name", CHAINS)
def test_to_dict_from_dict(name: str) -> None:
    chain = CHAINS[name]
    assert Chain.from_dict(json.loads(json.dumps(chain.to_dict()))) == chain
    assert pickle.loads(pickle.dumps(chain)) == chain


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"zzz": 1}, 'Unknown key "zzz"'),
        ({"native": 1}, "native must be a boolean"),
        ({"host": ""}, "host must be text"),
        ({"host": 3}, "host must be text"),
        ({"fixed_gas_price": -1}, "fixed_gas_price must be a number"),
        ({"fixed_gas_price": True}, "fixed_gas_price must be a number"),
        ({"rules": "v7"}, "unknown rules 'v7'"),
        ({"rules": ["v6"]}, "unknown rules"),
        ({"flavour": "gold"}, "invalid flavour"),
    ],
)
def test_from_dict_is_strict(change: dict[str, object], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        Chain.from_dict({**resolve(65535).to_dict(), **change})


@pytest.mark.parametrize(
    ("member", "wanted"),
    [
        ({"native": None}, "native must be a boolean"),
        ({"legacy": 1}, "legacy must be a boolean"),
        ({"fixed_gas_price": -1}, "fixed_gas_price must be a number from 0"),
        ({"rules": "v6"}, "rules must be a set of rules"),
        ({"host": ""}, "host must be text, not empty"),
    ],
)
def test_members_of_a_record(member: Any, wanted: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^chain record: {wanted}$"):
        Chain(id=7, **member)


@pytest.mark.parametrize("value", ["x", None, [], 7])
def test_what_is_no_record(value: Any) -> None:
    with pytest.raises(ConfigurationError, match="a chain record must be an object"):
        Chain.from_dict(value)


@pytest.mark.parametrize("missing", ["id", "rules"])
def test_from_dict_needs(missing: str) -> None:
    value = resolve(65535).to_dict()
    del value[missing]
    with pytest.raises(ConfigurationError, match=f"needs {missing}"):
        Chain.from_dict(value)


def test_addresses_are_written_in_one_way() -> None:
    names = ("hub", "token", "app_registry", "dataset_registry", "workerpool_registry")
    small: dict[str, Any] = {
        name: HUB.lower() for name in (*names, "bridge_contract", "ens_registry")
    }
    chain = Chain(id=7, **small)
    assert {getattr(chain, name) for name in small} == {HUB}


def test_addresses_are_checked() -> None:
    with pytest.raises(ValidationError, match="not a valid ethereum address"):
        resolve(65535).with_overrides(hub="0x12")
    with pytest.raises(ValidationError, match="wrong checksum"):
        resolve(65535).with_overrides(hub=HUB.replace("eca1", "ecA1"))


def test_repr_hides_the_host() -> None:
    chain = resolve(65535).with_overrides(host="https://node.example/v3/SECRET")
    assert "SECRET" not in repr(chain)
    assert "65535" in repr(chain)


# --- chain.json -----------------------------------------------------------------------------------


def test_new_file() -> None:
    content = chains.new_chain_file()
    assert content == {
        "default": "arbitrum-sepolia-testnet",
        "chains": {"arbitrum-mainnet": {}, "arbitrum-sepolia-testnet": {}},
    }
    assert ChainFile.from_dict(content).select().chain == resolve(421614)


def test_file_of_v6() -> None:
    names = ["goerli", "viviani", "mainnet", "bellecour", "enterprise", "enterprise-testnet"]
    text = json.dumps({"default": "viviani", "chains": {name: {} for name in names}})
    file = ChainFile.parse(text)
    assert file.select().chain == resolve("viviani")
    for name in names:
        assert file.select(name).chain == resolve(name)
    for alias, name in (
        ("1", "mainnet"),
        ("5", "goerli"),
        ("133", "viviani"),
        ("134", "bellecour"),
    ):
        assert file.select(alias).chain.name == name


@pytest.mark.parametrize(
    ("content", "texts"),
    [
        ({}, ["chains is a required field in chain.json"]),
        ([], ["this must be a `object` type, but the final value was: `[]`. in chain.json"]),
        (None, ["this must be a `object` type, but the final value was: `null`. in chain.json"]),
        ({"foo": 1, "chains": {}}, ['Unknown key "foo" in chain.json']),
        (
            {"chains": {"a": {"foo": 1, "bar": 2}}},
            ['Unknown key "foo, bar" in chain.json (chain "a")'],
        ),
        (
            {"chains": {"a": {"id": 1}}},
            ["id must be a `string` type, but the final value was: `1`. in chain.json (chain"],
        ),
        ({"chains": {"a": {"id": "x"}}}, ["x is not a valid chainId in chain.json"]),
        ({"chains": {"a": {"host": 1}}}, ["host must be a `string` type"]),
        (
            {"chains": {"a": {"native": "true"}}},
            ['native must be a `boolean` type, but the final value was: `"true"`.'],
        ),
        ({"chains": {"a": {"useGas": 0}}}, ["useGas must be a `boolean` type"]),
        (
            {"chains": {"a": {"flavour": "x"}}},
            ["flavour must be one of the following values: standard, enterprise in chain.json"],
        ),
        ({"chains": {"a": {"rules": "v7"}}}, ["rules must be one of the following values: v6, v9"]),
        (
            {"chains": {"a": {"bridge": {}}}},
            ["bridge.bridgedChainName is a required field", "bridge.contract is a required field"],
        ),
        (
            {"chains": {"a": {"bridge": {"contract": "0x", "bridgedChainName": "b"}}}},
            ["'0x' is not a valid ethereum address"],
        ),
        ({"chains": {"a": {"bridge": "x"}}}, ["bridge must be a `object` type"]),
        (
            {"chains": {"a": {"enterprise": {}}}},
            ["enterprise.enterpriseSwapChainName is a required field"],
        ),
        ({"chains": {"a": {"hub": "nonsense"}}}, ["'nonsense' is not a valid ethereum address"]),
        (
            {"chains": {"a": None}},
            ["this must be a `object` type, but the final value was: `null`"],
        ),
        ({"chains": []}, ["chains must be a `object` type, but the final value was: `[]`."]),
        ({"chains": {}, "default": 3}, ["default must be a `string` type"]),
        (
            {"chains": {}, "allowExperimentalNetworks": "yes"},
            ["allowExperimentalNetworks must be a `boolean` type"],
        ),
        ({"chains": {}, "providers": {"foo": 1}}, ['Unknown key "foo" in providers in chain.json']),
        (
            {"chains": {}, "providers": {"infura": {"projectId": "x", "foo": 1}}},
            ['Unknown key "foo" in providers.infura in chain.json'],
        ),
        (
            {"chains": {}, "providers": {"infura": {}}},
            ["providers.infura.projectId is a required field"],
        ),
        (
            {"chains": {}, "providers": {"quorum": True}},
            ["providers.quorum must be a `number` type, but the final value was: `true`."],
        ),
        (
            {"chains": {}, "providers": {"quorum": 4}},
            ["providers.quorum must be less than or equal to 3"],
        ),
        (
            {"chains": {}, "providers": {"quorum": 0}},
            ["providers.quorum must be greater than or equal to 1"],
        ),
        (
            {"chains": {}, "providers": {"quorum": "2"}},
            ['providers.quorum must be a `number` type, but the final value was: `"2"`.'],
        ),
        (
            {"chains": {"a": {"foo": 1, "native": 1}, "b": {"host": 1}}, "default": 1},
            ["default must", 'Unknown key "foo"', "native must", "host must"],
        ),
    ],
)
def test_strict_file(content: object, texts: list[str]) -> None:
    with pytest.raises(ValidationError) as caught:
        ChainFile.parse(json.dumps(content))
    assert len(caught.value.errors) == len(texts)
    for error, text in zip(caught.value.errors, texts, strict=True):
        assert text in error


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, b"\xff"])
def test_not_json(text: str | bytes) -> None:
    with pytest.raises(ValidationError, match=r"chain\.json is not JSON"):
        ChainFile.parse(text)


def test_no_fault_shows_a_provider_key() -> None:
    providers = {"alchemy": 12345, "etherscan": ["12345"], "infura": 12345}
    with pytest.raises(ValidationError) as caught:
        ChainFile.from_dict({"chains": {}, "providers": providers})
    assert len(caught.value.errors) == 3
    assert "12345" not in str(caught.value)
    good = Providers.from_dict(
        {"alchemy": "S3", "infura": {"projectId": "S1", "projectSecret": "S2"}}
    )
    assert repr(good) == "Providers(quorum=None)"


def test_values_of_the_file_win() -> None:
    file = ChainFile.from_dict(
        {
            "chains": {
                "mine": {
                    **{"id": "134", "host": "https://mine.example", "hub": OTHER, "sms": ""},
                    **{"resultProxy": "https://r.example", "ipfsGateway": "https://i.example"},
                    **{"iexecGateway": "https://g.example", "native": False, "useGas": False},
                    **{"ipfsNode": "https://n.example", "compass": "https://c.example"},
                    **{"pocoSubgraph": "https://p.example", "rules": "v9"},
                }
            }
        }
    )
    selected = file.select("mine")
    chain = selected.chain
    assert (chain.name, chain.id, chain.host, chain.hub) == (
        "mine",
        134,
        "https://mine.example",
        OTHER,
    )
    assert (chain.native, chain.gas_price, chain.rules) == (False, 0, V9)
    assert (chain.result_proxy, chain.ipfs_gateway) == ("https://r.example", "https://i.example")
    assert (chain.iexec_gateway, chain.ipfs_node) == ("https://g.example", "https://n.example")
    assert (chain.compass, chain.poco_subgraph) == ("https://c.example", "https://p.example")
    assert selected.require("compass") == "https://c.example"
    with pytest.raises(ConfigurationError, match=r'^Missing sms in "chain\.json" for chain 134$'):
        selected.require("sms")


def test_an_empty_hub_keeps_the_known_one() -> None:
    entry: dict[str, object] = {"id": "134", "hub": "", "sms": ""}
    chain = ChainFile.from_dict({"chains": {"mine": entry}}).select("mine").chain
    assert (chain.hub, chain.sms) == (HUB, None)


def test_default_selection() -> None:
    chains_: dict[str, dict[str, object]] = {"goerli": {}, "viviani": {}}
    assert ChainFile(default="viviani", chains=chains_).select().chain.name == "viviani"
    assert ChainFile(chains=chains_).select().chain.name == "goerli"
    assert ChainFile(default="134", chains={}).select().chain.name == "bellecour"
    with pytest.raises(ConfigurationError, match=r'^Missing chain parameter\. Check your "chain'):
        ChainFile(chains={"viviani": {}}).select()
    known = rf'chain in "chain\.json" \(known: goerli, viviani, {TODAY}\)$'
    with pytest.raises(ConfigurationError, match=rf'^Missing "foo" {known}'):
        ChainFile(default="foo", chains=chains_).select()
    with pytest.raises(ConfigurationError, match=rf'^Missing "65535" {known}'):
        ChainFile(chains=chains_).select("65535")


def test_built_in_names_need_no_entry() -> None:
    file = ChainFile(chains={})
    assert file.select("arbitrum-mainnet").chain == resolve(42161)
    assert file.select("42161").chain == resolve(42161)


def test_a_number_is_the_standard_flavour() -> None:
    file = ChainFile.from_dict({"chains": {"enterprise": {}}})
    assert file.select("1").chain.name == "mainnet"
    assert file.select("enterprise").chain.name == "enterprise"


def test_custom_names() -> None:
    file = ChainFile.from_dict(
        {
            "chains": {
                "mine": {"id": "1"},
                "nohost": {"id": "65535"},
                "noid": {"host": "https://x.example"},
                "65536": {"host": "http://127.0.0.1:8545"},
                "mainnet": {"id": "5", "flavour": "enterprise"},
            }
        }
    )
    mine = file.select("mine")
    assert (mine.chain.name, mine.chain.id, mine.chain.sms) == ("mine", 1, resolve(1).sms)
    assert mine.twin == resolve("enterprise")
    assert file.select("65536").chain.id == 65536
    assert file.select("mainnet").chain.sms == resolve(5, "enterprise").sms
    with pytest.raises(ConfigurationError, match=r'^Missing RPC host, no "host".* chain 65535$'):
        file.select("nohost")
    with pytest.raises(ConfigurationError, match=r'^Missing id in "chain\.json" for chain noid'):
        file.select("noid")


def test_extra_records() -> None:
    sandbox = resolve(65535).with_overrides(name="sandbox", host="http://127.0.0.1:1", rules=V9)
    extra = {"sandbox": sandbox}
    assert ChainFile(default="sandbox", chains={}).select(extra=extra).chain == sandbox
    assert ChainFile(chains={}).select("65535", extra=extra).chain == sandbox
    entry = ChainFile(chains={"sandbox": {"sms": "http://127.0.0.1:2"}})
    assert entry.select("sandbox", extra=extra).chain == sandbox.with_overrides(
        sms="http://127.0.0.1:2"
    )


@pytest.mark.parametrize("chain", [each for each in CHAINS.values() if each.host], ids=str)
def test_an_entry_says_what_its_sdk_can_know(chain: Chain) -> None:
    """Read back over an unknown network, it gives the record again but for what has no key."""
    entry, keys = chain_entry(chain), chain.rules.chain_keys
    assert set(entry) <= set(keys)
    assert {*keys} - set(entry) <= {"bridge", "enterprise", "compass", "pocoSubgraph"}
    file = ChainFile.from_dict({"chains": {chain.name: entry}})
    found = file.select(chain.name).chain
    assert found.with_overrides(use_gas=chain.use_gas) == chain
    assert found.gas_price == chain.gas_price
    entry["id"] = "65535"
    lone = {k: v for k, v in entry.items() if k not in ("bridge", "enterprise")}
    own = ChainFile.from_dict({"chains": {"own": lone}}).select("own").chain
    for name in ("host", "hub", "sms", "result_proxy", "ipfs_gateway", "iexec_gateway"):
        assert getattr(own, name) == getattr(chain, name)
    assert (own.native, own.flavour) == (chain.native, chain.flavour)
    assert (own.gas_price == 0) == (chain.gas_price == 0)


def test_an_entry_says_what_there_is_not() -> None:
    """Empty texts, lest the file's reader puts a default there; not for keys V6 does not know."""
    entry = chain_entry(resolve(65535))
    assert (entry["id"], entry["host"], entry["hub"], entry["sms"]) == ("65535", "", "", "")
    assert "pocoSubgraph" not in entry
    assert (entry["resultProxy"], chain_entry(Chain(id=7))["ipfsGateway"]) == ("", "")
    assert set(chain_entry(Chain(id=7, rules=V9))) == {
        *("id", "host", "hub", "sms", "ipfsGateway", "iexecGateway")
    }
    assert chain_entry(resolve(134))["bridge"] == {
        "bridgedChainName": "mainnet",
        "bridgedChainId": "1",
        "contract": resolve(134).bridge_contract,
    }


# --- bridges and twins ----------------------------------------------------------------------------


def test_default_bridge_finds_the_other_end() -> None:
    selected = ChainFile(chains={"mainnet": {"host": "https://n.example"}}).select("134")
    assert selected.bridged == resolve("mainnet").with_overrides(host="https://n.example")
    assert selected.chain.bridge_contract == resolve(134).bridge_contract


def test_own_chains_know_each_others_end_of_the_bridge() -> None:
    chains = {
        here: {
            "id": number,
            "host": f"https://{here}.example",
            "bridge": {"bridgedChainName": there, "contract": contract},
        }
        for here, there, number, contract in (
            ("one", "two", "65534", OTHER),
            ("two", "one", "65535", HUB),
        )
    }
    selected = ChainFile.from_dict({"chains": chains}).select("one")
    assert selected.bridged is not None
    assert (selected.chain.bridge_contract, selected.chain.bridged_chain_id) == (OTHER, 65535)
    assert selected.bridged.bridge_contract == HUB


def test_own_bridge_replaces_the_default_entirely() -> None:
    bridge = {"bridgedChainName": "side", "contract": OTHER, "bridgedChainId": "7"}
    file = ChainFile.from_dict(
        {
            "chains": {
                "mainnet": {"bridge": bridge},
                "side": {"id": "77", "host": "https://s.example"},
            }
        }
    )
    selected = file.select("mainnet")
    chain = selected.chain
    assert (chain.bridge_contract, chain.bridged_chain, chain.bridged_chain_id) == (
        OTHER,
        "side",
        77,
    )
    assert selected.bridged is not None
    assert (selected.bridged.id, selected.bridged.host) == (77, "https://s.example")
    by_id = {"mainnet": {"bridge": {"bridgedChainName": "134", "contract": OTHER}}}
    assert ChainFile(chains=by_id).select("1").chain.bridged_chain == "bellecour"


@pytest.mark.parametrize(
    ("side", "text"),
    [
        (
            {},
            rf'^Missing "side" chain in "chain.json" \(known: viviani, {TODAY}\)$',
        ),
        (
            {"side": {"id": "77"}},
            r'^Missing RPC host for bridged chain, no "host" key .* bridged chain 77$',
        ),
    ],
)
def test_bridged_chain_that_is_not_there(side: dict[str, object], text: str) -> None:
    bridge = {"bridgedChainName": "side", "contract": OTHER}
    file = ChainFile.from_dict({"chains": {"viviani": {"bridge": bridge}, **side}})
    with pytest.raises(ConfigurationError, match=text):
        file.select("viviani")


def test_enterprise_twin() -> None:
    file = ChainFile(chains={"enterprise": {"sms": "https://e.example"}})
    twin = file.select("mainnet").twin
    assert twin == resolve("enterprise").with_overrides(sms="https://e.example")
    assert file.select("enterprise").twin == resolve("mainnet")
    assert file.select("viviani").twin is None


def test_own_twin_shares_the_node() -> None:
    dev = {"id": "65535", "host": "http://127.0.0.1:1", "hub": HUB}
    file = ChainFile.from_dict(
        {
            "chains": {
                "dev": {**dev, "enterprise": {"enterpriseSwapChainName": "gold"}},
                "gold": {"hub": OTHER},
            }
        }
    )
    selected = file.select("dev")
    twin = selected.twin
    assert twin is not None
    assert (twin.id, twin.flavour, twin.hub, twin.host) == (
        *(65535, "enterprise", OTHER),
        "http://127.0.0.1:1",
    )
    assert selected.chain.enterprise_twin == "gold"
    missing = {"dev": {**dev, "enterprise": {"enterpriseSwapChainName": "none"}}}
    text = rf'^Missing "none" chain in "chain\.json" \(known: dev, {TODAY}\)$'
    with pytest.raises(ConfigurationError, match=text):
        ChainFile.from_dict({"chains": missing}).select("dev")


# --- nodes ----------------------------------------------------------------------------------------


def test_node_urls() -> None:
    keys = Providers.from_dict(
        {"alchemy": "A", "infura": {"projectId": "I", "projectSecret": "s/"}, "quorum": 1}
    )
    assert node_urls("mainnet", keys) == (
        (
            "https://:s%2F@mainnet.infura.io/v3/I",
            "https://eth-mainnet.g.alchemy.com/v2/A",
        ),
        1,
    )
    assert node_urls("mainnet", Providers(infura="I", alchemy="A"))[1] == 2
    assert node_urls("mainnet", Providers(infura="I"))[1] == 1
    assert node_urls("goerli", Providers(infura="I", alchemy="A")) == (
        ("https://goerli.infura.io/v3/I", "https://eth-goerli.g.alchemy.com/v2/A"),
        1,
    )
    assert node_urls("HTTPS://node.example/k", keys) == (("HTTPS://node.example/k",), 1)


@pytest.mark.parametrize(
    ("host", "providers", "text"),
    [
        ("goerli", Providers(), r"goerli: 0 node\(s\) available, 1 needed"),
        ("mainnet", Providers(), r"mainnet: 0 node\(s\) available, 1 needed"),
        ("mainnet", Providers(alchemy="A", quorum=2), r"mainnet: 1 node\(s\) available, 2 needed"),
        ("mainnet", Providers(infura="I", alchemy="A", quorum=3), "2 node.* available, 3 needed"),
        ("mainnet", Providers(infura="I", etherscan="E"), "Etherscan is no JSON-RPC node"),
        ("wss://node.example", Providers(), "WebSocket nodes are not supported"),
        ("ws://node.example", Providers(), "WebSocket nodes are not supported"),
        ("foo", Providers(), "Invalid provider host name or url"),
        ("", Providers(), "Invalid provider host name or url"),
    ],
)
def test_node_urls_refused(host: str, providers: Providers, text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        node_urls(host, providers)


@pytest.mark.parametrize("key", ["rules", "flavour", "id"])
@pytest.mark.parametrize("value", [[], {}, 5, None])
def test_a_member_of_the_wrong_kind_is_one_fault(key: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        ChainFile.from_dict({"chains": {"a": {key: value}}})
    (error,) = caught.value.errors
    assert error.startswith(f"{key} must be a `string` type")


def test_a_provider_key_must_fit_into_a_url() -> None:
    text = '{"chains": {}, "providers": {"infura": "\\ud800", "alchemy": "\\u00e9"}}'
    with pytest.raises(ValidationError) as caught:
        ChainFile.parse(text)
    assert caught.value.errors == (
        "providers.alchemy must be of ASCII characters in chain.json",
        "providers.infura must be of ASCII characters in chain.json",
    )


def test_an_id_in_text_is_no_longer_than_a_number_of_256_bits() -> None:
    assert chains.chain_id("0" * 77 + "7") == 7
    with pytest.raises(ValidationError, match="is not a valid chainId"):
        chains.chain_id("0" * 78 + "7")


def test_a_record_keeps_the_id_as_a_number() -> None:
    assert Chain.from_dict({"id": "134", "rules": "v6"}).id == 134
    assert CHAINS["bellecour"].with_overrides(id="7").id == 7


@pytest.mark.parametrize("value", [{"id": 10**5000}, {"rules": 10**5000}])
def test_values_too_long_for_a_message(value: dict[str, object]) -> None:
    with pytest.raises((ConfigurationError, ValidationError), match="a number of"):
        Chain.from_dict({"id": 134, "rules": "v6", **value})
    circular: list[object] = []
    circular.append(circular)
    with pytest.raises(ValidationError, match="final value was: `list`"):
        ChainFile.from_dict({"chains": {"a": {"host": circular}}})


def test_what_v6_alone_knows_is_ignored_on_todays_networks() -> None:
    """A chain.json of V6 goes on to work, and says nothing about a network of today."""
    entry = {
        "host": "http://127.0.0.1:1",
        "resultProxy": "http://127.0.0.1:2",
        "native": True,
        "useGas": False,
        "flavour": "enterprise",
        "bridge": {"contract": "0x" + "11" * 20, "bridgedChainName": "nowhere"},
        "enterprise": {"enterpriseSwapChainName": "nowhere"},
        "ipfsNode": "http://127.0.0.1:3",
    }
    file = ChainFile.from_dict({"chains": {"arbitrum-mainnet": entry, "bellecour": entry}})
    for name in ("arbitrum-mainnet", "42161"):
        found = file.select(name)
        record = CHAINS["arbitrum-mainnet"]
        assert found.chain == record.with_overrides(
            host="http://127.0.0.1:1", ipfs_node="http://127.0.0.1:3"
        )
        assert found.ignored == (
            *("resultProxy", "native", "useGas", "flavour", "bridge", "enterprise"),
        )
    del entry["bridge"], entry["enterprise"]
    private = {"id": "65535", "rules": "v9", **entry}  # whoever writes "rules" means the rest
    lone = ChainFile.from_dict({"chains": {"own": private}}).select("own")
    assert (lone.chain.native, lone.chain.gas_price, lone.ignored) == (True, 0, ())
    v6 = ChainFile.from_dict({"chains": {"bellecour": entry}}).select("bellecour")
    assert (v6.ignored, v6.chain.result_proxy) == ((), "http://127.0.0.1:2")
