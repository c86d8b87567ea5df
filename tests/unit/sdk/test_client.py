"""The client: options that cannot work are refused when it is built, and nothing is contacted."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from iexec_lite import IExec, KeySigner, utils
from iexec_lite.errors import (
    ConfigurationError,
    StateError,
    ValidationError,
    WrongPasswordError,
)
from iexec_lite.eth import keystore
from iexec_lite.sdk.records import AccountBalance, Balances, Deal, ResourceShare, Task

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
RESOURCE = "0x607F4C5BB672230e8672085532f7e901544a7375"
CLOSED = "http://127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((), {}, ConfigurationError, "missing provider"),
        (("ws://127.0.0.1:1",), {}, ConfigurationError, "ws:// nodes are not supported"),
        (("ftp://x.org",), {}, ConfigurationError, "not supported"),
        (("no-such-chain",), {}, ConfigurationError, "no-such-chain"),
        (("mainnet",), {}, ConfigurationError, r"mainnet: 0 node\(s\) available, 1 needed"),
        ((5,), {}, ConfigurationError, "goerli: 0 node"),
        ((99,), {}, ConfigurationError, "No node URL is known for chain 99"),
        (([],), {"chain": 5}, ConfigurationError, "missing provider"),
        (([CLOSED, "ws://127.0.0.1:1"],), {}, ConfigurationError, "ws:// nodes are not supported"),
        (([CLOSED, "bellecour"],), {}, ConfigurationError, "each must be an http"),
        (
            (CLOSED,),
            {"quorum": 2},
            ConfigurationError,
            "invalid quorum 2: .* from 1 to the 1 given",
        ),
        (([CLOSED, CLOSED],), {"quorum": 2}, ConfigurationError, "from 1 to the 1 given"),
        (([CLOSED],), {"quorum": 0}, ConfigurationError, "invalid quorum 0"),
        (([CLOSED],), {"quorum": True}, ConfigurationError, "invalid quorum True"),
        ((CLOSED,), {"flavour": "gold"}, ConfigurationError, "invalid flavour 'gold'"),
        ((CLOSED,), {"confirms": 0}, ConfigurationError, "invalid confirms"),
        ((CLOSED,), {"confirms": True}, ConfigurationError, "invalid confirms"),
        ((CLOSED, "0x12"), {}, ValidationError, "64 hex digits, not text of 2 characters"),
        ((CLOSED, "12" * 31 + "1"), {}, ValidationError, "not text of 63 characters"),
        ((CLOSED, 0x12), {}, ValidationError, "64 hex digits, not int"),
        ((CLOSED, bytes(32)), {}, ValidationError, "64 hex digits, not bytes"),
        (("0x" + "12" * 32,), {}, ConfigurationError, "unknown network, the text is no name"),
        (("a.example/v3/" + "12" * 16,), {}, ConfigurationError, "node's URL with its https://"),
        ((), {"chain": "https://a.example/" + "12" * 16}, ConfigurationError, "is no name"),
        (("arbitrum",), {}, ConfigurationError, "unknown network 'arbitrum'.* sandbox where"),
        ((CLOSED, "0x" + "0" * 64), {}, ValidationError, "private key"),
        (("bellecour",), {"hub_address": "0x12"}, ValidationError, "hub"),
        ((CLOSED,), {"bridged_network_conf": 5}, ConfigurationError, "has the members rpc_url"),
        ((CLOSED,), {"bridged_network_conf": {"url": "x"}}, ConfigurationError, "the members rpc"),
        ((CLOSED,), {"enterprise_swap_conf": 5}, ConfigurationError, "enterprise_swap_conf is"),
        ((CLOSED,), {"enterprise_swap_conf": {}}, ConfigurationError, "enterprise_swap_conf is"),
    ],
)
def test_refused_when_built(arguments, options, error, text) -> None:
    with pytest.raises(error, match=text) as caught:
        _ = IExec(*arguments, **options).chain
    assert "12" * 3 not in str(caught.value)


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
    with pytest.raises(ConfigurationError, match="offline"):
        client.wallet.check_balances(ADDRESS)
    with pytest.raises(ConfigurationError, match="password"):
        IExec.offline({"version": 3}, chain=134)


def test_offline_with_a_keystore(tmp_path) -> None:
    wallet = keystore.encrypt(bytes.fromhex(KEY[2:]), "pässword", n=2)
    file = tmp_path / "wallet"
    file.write_text(json.dumps(wallet))
    for source in (wallet, str(file)):
        client = IExec.offline(source, "pässword", chain=134)
        assert client.wallet.get_address() == ADDRESS
    with pytest.raises(WrongPasswordError, match="invalid password"):
        IExec.offline(wallet, "other", chain=134)
    with pytest.raises(ConfigurationError, match="keystore only"):
        IExec.offline(KeySigner.from_key(KEY), "x", chain=134)


def test_reading_client_cannot_sign() -> None:
    client = IExec(CLOSED, chain=134)
    with pytest.raises(ConfigurationError, match="Missing Signer"):
        client.wallet.get_address()
    with pytest.raises(ConfigurationError, match="Missing Signer"):
        client.order.create_requestorder(RESOURCE, 0)


def test_overrides_and_unknown_ids() -> None:
    client = IExec(CLOSED, KEY, chain=31337, hub_address=RESOURCE, is_native=True)
    assert (client.chain.id, client.chain.hub, client.chain.native) == (31337, RESOURCE, True)
    hubless = IExec.offline(KEY, chain=31337)
    with pytest.raises(ConfigurationError, match="hub_address option not set and no default"):
        hubless.order.sign_apporder(hubless.order.create_apporder(RESOURCE))


def test_request_check_needs_an_sms() -> None:
    client = IExec(CLOSED, KEY, chain=31337, hub_address=RESOURCE, result_proxy_url="https://p.org")
    order = client.order.create_requestorder(RESOURCE, 0)
    with pytest.raises(ConfigurationError, match="sms_url option not set"):
        client.order.sign_requestorder(order)


def test_client_keeps_its_key_to_itself() -> None:
    client = IExec.offline(KEY, chain=134)
    assert "11" * 8 not in repr(client) + repr(client.__dict__)
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            copier(client)
    provider = utils.get_signer_from_private_key(CLOSED, KEY)
    assert "11" * 8 not in repr(provider)
    with pytest.raises(TypeError):
        pickle.dumps(provider)


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
    for options in ({"gas_price": -1}, {"get_transaction_count": 7}):
        with pytest.raises(ConfigurationError):
            utils.get_signer_from_private_key(CLOSED, KEY, **options)


def test_signer_object_and_key_text_are_the_same() -> None:
    signer = KeySigner.from_key(KEY)
    first = IExec.offline(signer, chain=134).order
    second = IExec.offline(KEY[2:], chain=134).order
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
