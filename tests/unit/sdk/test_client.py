"""The client: options that cannot work are refused when it is built, and nothing is contacted."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from iexec_lite import IExec, KeySigner, utils
from iexec_lite.errors import (
    ConfigurationError,
    StateError,
    ValidationError,
    WrongPasswordError,
)
from iexec_lite.eth import keystore
from iexec_lite.protocol.chains import CHAINS
from iexec_lite.sdk.records import AccountBalance, Balances, Deal, ResourceShare, Task, to_json

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
RESOURCE = "0x607F4C5BB672230e8672085532f7e901544a7375"
CLOSED = "http://127.0.0.1:1"


ASKED = "give a network name, a chain id or a node's URL (or chain= to sign offline)"
HTTP = "nodes are not supported: give an http(s):// URL"
PUBLIC = "0 node(s) available, 1 needed; give the URL of a node, or keys of public nodes"
KNOWN = (
    f"known are {', '.join(CHAINS)}, and sandbox where one runs; for another network give its "
    "chain id, or a node's URL with its https://"
)
NODES = "it is a number of nodes that must agree, from 1 to the 1 given"
KEYS = "signer must be a Signer or a private key of 64 hex digits, not"
BRIDGED = "bridged_network_conf has the members rpc_url, chain_id, hub_address, bridge_address"
SWAP = 'enterprise_swap_conf is {"hub_address": <address of the hub>}'


@pytest.mark.parametrize(
    ("arguments", "options", "text"),
    [
        ((), {}, f"missing provider key: {ASKED}"),
        (("ws://127.0.0.1:1",), {}, f"ws:// {HTTP}"),
        (("ftp://x.org",), {}, f"ftp:// {HTTP}"),
        (("no-such-chain",), {}, f"unknown network 'no-such-chain': {KNOWN}"),
        (("mainnet",), {}, f"mainnet: {PUBLIC} (providers: infura, alchemy)"),
        ((5,), {}, f"goerli: {PUBLIC} (providers: infura, alchemy)"),
        (
            (99,),
            {},
            "No node URL is known for chain 99: give provider=<URL of your node> with chain=<name>",
        ),
        (([],), {"chain": 5}, "missing provider key: the list of nodes is empty"),
        (([CLOSED, "ws://127.0.0.1:1"],), {}, f"ws:// {HTTP}"),
        (([CLOSED, "bellecour"],), {}, "several nodes: each must be an http(s):// URL"),
        ((CLOSED,), {"quorum": 2}, f"invalid quorum 2: {NODES}"),
        (([CLOSED, CLOSED],), {"quorum": 2}, f"invalid quorum 2: {NODES}"),
        (([CLOSED],), {"quorum": 0}, f"invalid quorum 0: {NODES}"),
        (([CLOSED],), {"quorum": True}, f"invalid quorum True: {NODES}"),
        ((CLOSED, "0x12"), {}, f"{KEYS} text of 2 characters (without 0x)"),
        ((CLOSED, "12" * 31 + "1"), {}, f"{KEYS} text of 63 characters (without 0x)"),
        ((CLOSED, 0x12), {}, f"{KEYS} int"),
        ((CLOSED, bytes(32)), {}, f"{KEYS} bytes"),
        (("0x" + "12" * 32,), {}, f"unknown network, the text is no name: {KNOWN}"),
        (("a.example/v3/" + "12" * 16,), {}, f"unknown network, the text is no name: {KNOWN}"),
        (
            (),
            {"chain": "https://a.example/" + "12" * 16},
            f"unknown network, the text is no name: {KNOWN}",
        ),
        (("arbitrum",), {}, f"unknown network 'arbitrum': {KNOWN}"),
        ((CLOSED, "0x" + "0" * 64), {}, "a private key must be between 1 and the curve's order"),
        (("bellecour",), {"hub_address": "0x12"}, "'0x12' is not a valid ethereum address (hub)"),
        ((CLOSED,), {"bridged_network_conf": 5}, BRIDGED),
        ((CLOSED,), {"bridged_network_conf": {"url": "x"}}, BRIDGED),
        ((CLOSED,), {"enterprise_swap_conf": 5}, SWAP),
        ((CLOSED,), {"enterprise_swap_conf": {}}, SWAP),
        (
            (CLOSED,),
            {"enterprise_swap_conf": {"hub_address": "0x12"}},
            "enterprise_swap_conf.hub_address: 0x12 is not a valid ethereum address",
        ),
    ],
)
def test_refused_when_built(
    arguments: tuple[object, ...], options: dict[str, Any], text: str
) -> None:
    with pytest.raises((ConfigurationError, ValidationError)) as caught:
        _ = IExec(*arguments, **options).chain  # type: ignore[arg-type]
    assert caught.value.message == text
    values = ("signer must", "a private key", "'0x12' is not", "enterprise_swap_conf.hub")
    assert isinstance(caught.value, ValidationError) is text.startswith(values)
    assert "12" * 3 not in str(caught.value)


def test_all_that_is_known_of_the_other_ends() -> None:
    bridged = {"rpc_url": "http://b", "chain_id": 7, "hub_address": RESOURCE}
    bridged["bridge_address"] = ADDRESS
    swap = {"hub_address": RESOURCE}
    with IExec(
        CLOSED, chain=31337, bridged_network_conf=bridged, enterprise_swap_conf=swap
    ) as client:
        context = client._context
        assert context.has_bridged
        chain = context.bridged.chain
        assert (chain.id, chain.host, chain.hub) == (7, "http://b", RESOURCE)
        assert chain.bridge_contract == ADDRESS
        assert context.enterprise_swap_hub == RESOURCE


def test_bad_key_is_not_repeated() -> None:
    secret = "0x" + "ab" * 31
    with pytest.raises(ValidationError) as caught:
        IExec.offline(secret, chain=134)
    assert "abab" not in str(caught.value) + repr(caught.value)


def test_offline_client_says_what_it_cannot_do() -> None:
    client = IExec.offline(KEY, chain="bellecour")
    assert client.wallet.get_address() == ADDRESS
    assert client.network.get_network().to_dict() == {
        "chainId": "134",
        "isSidechain": True,
        "isNative": True,
    }
    for call, what in (
        (lambda: client.wallet.check_balances(ADDRESS), "the chain"),
        (lambda: client.order.unpublish_apporder("0x" + "11" * 32), "a service"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert caught.value.message == (
            f"This client is offline: build it with a node (provider=) to reach {what}"
        )
    with pytest.raises(ConfigurationError) as caught:
        IExec.offline({"version": 3}, chain=134)
    assert caught.value.message == (
        "a keystore needs its password: IExec.offline(keystore, password, …)"
    )


def test_offline_with_a_keystore(tmp_path) -> None:
    wallet = keystore.encrypt(bytes.fromhex(KEY[2:]), "pässword", n=2)
    file = tmp_path / "wallet"
    file.write_text(json.dumps(wallet))
    for source in (wallet, str(file)):
        client = IExec.offline(source, "pässword", chain=134)
        assert client.wallet.get_address() == ADDRESS
    with pytest.raises(WrongPasswordError, match="invalid password"):
        IExec.offline(wallet, "other", chain=134)
    with pytest.raises(ConfigurationError, match=r"^a password goes with a keystore only$"):
        IExec.offline(KeySigner.from_key(KEY), "x", chain=134)


def test_reading_client_cannot_sign() -> None:
    client = IExec(CLOSED, chain=134)
    for call in (
        client.wallet.get_address,
        lambda: client.order.create_requestorder(RESOURCE, 0),
    ):
        with pytest.raises(ConfigurationError) as caught:
            call()
        assert caught.value.message == (
            "Missing Signer: build the client with a signer (a key, a keystore, a wallet) to sign "
            "or send"
        )


def test_overrides_and_unknown_ids() -> None:
    client = IExec(CLOSED, KEY, chain=31337, hub_address=RESOURCE, is_native=True)
    assert (client.chain.id, client.chain.hub, client.chain.native) == (31337, RESOURCE, True)
    hubless = IExec.offline(KEY, chain=31337)
    text = r"^hub_address option not set and no default value for your chain 31337$"
    with pytest.raises(ConfigurationError, match=text):
        hubless.order.sign_apporder(hubless.order.create_apporder(RESOURCE))


def test_request_check_needs_an_sms() -> None:
    client = IExec(CLOSED, KEY, chain=31337, hub_address=RESOURCE, result_proxy_url="https://p.org")
    order = client.order.create_requestorder(RESOURCE, 0)
    text = r"^sms_url option not set and no default value for your chain 31337$"
    with pytest.raises(ConfigurationError, match=text):
        client.order.sign_requestorder(order)


def test_client_keeps_its_key_to_itself() -> None:
    client = IExec.offline(KEY, chain=134)
    assert "11" * 8 not in repr(client) + repr(client.__dict__)
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        for whole in (client, client._context):
            with pytest.raises(TypeError) as caught:
                copier(whole)
            assert str(caught.value) == (
                "a client holds connections and perhaps a key: it cannot be pickled"
            )
    provider = utils.get_signer_from_private_key(CLOSED, KEY)
    assert repr(provider) == f"SigningProvider(address={ADDRESS!r})"
    with pytest.raises(TypeError) as caught:
        pickle.dumps(provider)
    assert str(caught.value) == "a provider that can sign cannot be pickled"


def test_a_client_says_who_it_is() -> None:
    class Wallet:
        def sign_typed_data(self, _: object) -> bytes:
            raise AssertionError

    assert repr(IExec.offline(KEY, chain=134)) == f"IExec(offline, {ADDRESS})"
    assert repr(IExec(CLOSED, KEY)) == f"IExec({ADDRESS})"
    assert repr(IExec(CLOSED)) == "IExec(read-only)"
    elsewhere = IExec(CLOSED, Wallet())  # type: ignore[arg-type]
    assert repr(elsewhere) == "IExec(Wallet)"  # which is not asked for its address
    assert repr(elsewhere._context) == "Context(Wallet)"


def test_signing_provider() -> None:
    provider = utils.get_signer_from_private_key("bellecour", KEY, gas_price=7)
    with IExec(provider) as client:
        assert client.wallet.get_address() == ADDRESS
        assert client.chain.id == 134
        assert client._context._send_options["gas_price"] == 7
        assert client.chain.use_gas is True
    with IExec(provider, gas_price=9, use_gas=False) as client:
        assert client._context._send_options["gas_price"] == 9
        assert client.chain.use_gas is False
    ours, theirs = (lambda address, block, n=n: n for n in (1, 2))
    provider = utils.get_signer_from_private_key(CLOSED, KEY, get_transaction_count=ours)
    with IExec(provider) as client, IExec(provider, get_transaction_count=theirs) as other:
        assert client._context._send_options["get_transaction_count"] is ours
        assert other._context._send_options["get_transaction_count"] is theirs
    with IExec(provider, KeySigner.from_key("0x" + "22" * 32)) as client:
        assert client.wallet.get_address() != ADDRESS  # the signer given goes before
    for options in ({"gas_price": -1}, {"get_transaction_count": 7}):
        with pytest.raises(ConfigurationError):
            utils.get_signer_from_private_key(CLOSED, KEY, **options)


def test_signer_object_and_key_text_are_the_same() -> None:
    signer = KeySigner.from_key(KEY)
    first = IExec.offline(signer, chain=134).order
    second = IExec.offline(KEY[2:], chain=134).order
    assert IExec.offline("0X" + KEY[2:], chain=134).wallet.get_address() == signer.address
    order = first.create_workerpoolorder(RESOURCE, 3, workerpoolprice="0.5 RLC", tag=["tee"])
    assert order.workerpoolprice == 500_000_000
    salted = {**order.to_dict(), "salt": "0x" + "22" * 32}
    assert first.hash_workerpoolorder(salted) == second.hash_workerpoolorder(salted)


def test_records_print_v6_json() -> None:
    assert Balances(wei=10, nrlc=3).to_dict() == {"wei": "10", "nRLC": "3"}
    assert AccountBalance(stake=1, locked=2).to_dict() == {"stake": "1", "locked": "2"}
    share = ResourceShare(pointer=RESOURCE, owner=ADDRESS, price=5)
    deal = Deal(
        dealid="0x" + "11" * 32, app=share, dataset=share, workerpool=share, trust=1, category=2,
        tag="0x", requester=ADDRESS, beneficiary=ADDRESS, callback=ADDRESS, params="{}",
        start_time=7, bot_first=3, bot_size=2, worker_stake=0, scheduler_reward_ratio=1,
        final_time=9, deadline_reached=False, tasks={3: "0xa", 4: "0xb"},
    )  # fmt: skip
    shown = deal.to_dict()
    assert list(shown)[:4] == ["dealid", "app", "dataset", "workerpool"]
    assert shown["tasks"] == {"3": "0xa", "4": "0xb"}
    assert shown["startTime"] == "7"
    assert shown["deadlineReached"] is False
    assert "sponsor" not in shown
    assert pickle.loads(pickle.dumps(deal)) == deal
    task = Task(
        taskid="0xa", status=3, dealid="0xd", contributors=(ADDRESS,), status_name="COMPLETED",
        task_timed_out=False,
    )  # fmt: skip
    assert task.to_dict() == {
        "taskid": "0xa",
        "status": 3,
        "dealid": "0xd",
        "contributors": [ADDRESS],
        "statusName": "COMPLETED",
        "taskTimedOut": False,
    }


def test_values_in_json() -> None:
    """As JavaScript's SDK prints them: big numbers as text, bytes as hex."""
    found = to_json({1: (7, True, b"\x01\xff", None, "x", Balances(wei=10, nrlc=3))})
    assert found == {"1": ["7", True, "0x01ff", None, "x", {"wei": "10", "nRLC": "3"}]}
    assert to_json([7], number=True) == [7]


def test_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    client = IExec(CLOSED, KEY)
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1"):
        client.hub.count_category()
    monkeypatch.setenv("IEXEC_LITE_HOME", "/nonexistent")
    with pytest.raises(ConfigurationError, match="sandbox up"):
        IExec("sandbox")


@pytest.mark.parametrize("amount", [0, "0", "0 RLC", -1, "", 1.5, "1.5", True, None])
def test_deposit_refuses_amounts(amount: object) -> None:
    client = IExec(CLOSED, KEY, chain=134)
    with pytest.raises((ValidationError, StateError)):
        client.account.deposit(amount)
