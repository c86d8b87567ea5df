"""The records of the generations, and the URL checks they hold (chain.md §12, today.md §1.4)."""

from __future__ import annotations

import copy
import pickle
import time

import pytest

from iexec_lite.protocol.rules import (
    ALL_BITS,
    ALL_RULES,
    GPU,
    GRAMINE,
    SCONE,
    TDX,
    TEE,
    V6,
    V9,
    Rules,
)
from iexec_lite.protocol.tag import encode_tag


def test_rules_by_name() -> None:
    assert ALL_RULES == {"v6": V6, "v9": V9}
    assert V6 != V9


@pytest.mark.parametrize("rules", ALL_RULES.values(), ids=ALL_RULES)
def test_rules_are_plain_records(rules: Rules) -> None:
    assert copy.deepcopy(rules) == pickle.loads(pickle.dumps(rules)) == rules
    assert hash(rules) == hash(copy.copy(rules))
    assert not set(rules.params_keys) & set(rules.retired_params)
    assert rules.forced_tag == rules.deal_tag
    assert set(rules.token_providers) <= set(rules.storage_providers)


def test_what_a_chain_file_of_each_generation_may_say() -> None:
    """The keys of chain.json that the SDK of the generation takes."""
    old = "id host hub sms resultProxy ipfsGateway iexecGateway"
    assert V6.chain_keys == (*old.split(), "native", "useGas", "flavour", "bridge", "enterprise")
    new = "id host hub sms ipfsGateway iexecGateway compass pocoSubgraph"
    assert V9.chain_keys == tuple(new.split())
    assert V6.retired_chain_keys == ()
    assert set(V9.retired_chain_keys) == set(V6.chain_keys) - set(V9.chain_keys)


def test_what_the_generations_differ_in() -> None:
    tee, tdx = 1, 8
    assert (V6.forced_tag, V9.forced_tag) == (0, tee | tdx)
    for flag in ("resource_views", "dataset_secret_check", "market_strict_flags"):
        assert (getattr(V6, flag), getattr(V9, flag)) == (False, True)
    for flag in ("market_owner_search", "market_bulk_filter", "input_files_comma_text"):
        assert (getattr(V6, flag), getattr(V9, flag)) == (False, True)
    for flag in ("storage_proxy", "app_mrenclave"):
        assert (getattr(V6, flag), getattr(V9, flag)) == (True, False)
    assert (V6.market_paging, V9.market_paging) == ("skip", "index")
    assert (V6.market_page_size, V9.market_page_size) == (20, 20)  # what markets give unasked
    assert (V6.result_format, V9.result_format) == ("v6", "v9")
    assert (V6.token_providers, V9.token_providers) == (("ipfs", "dropbox"), ("dropbox",))


@pytest.mark.parametrize("rules", ALL_RULES.values(), ids=ALL_RULES)
def test_the_tag_of_a_template_is_the_one_that_orders_need(rules: Rules) -> None:
    assert encode_tag(rules.templates.tag, rules) == rules.templates.tag_mask
    assert int(rules.templates.tag_mask, 16) == rules.forced_tag


def test_the_bits_of_tags() -> None:
    """As they are on chain (today.md §3)."""
    assert (TEE, SCONE, GRAMINE, TDX, GPU, ALL_BITS) == (1, 2, 4, 8, 256, 2**256 - 1)
    for rules in ALL_RULES.values():
        assert [encode_tag([name], rules)[-3:] for name in ("tee", "scone", "gramine")] == [
            *("001", "002", "004")
        ]
        assert [encode_tag([name], rules)[-3:] for name in ("tdx", "gpu")] == ["008", "100"]


def test_the_paths_of_secrets() -> None:
    """services.md §2, §9.3: what the SMS is asked."""
    for rules in ALL_RULES.values():
        assert rules.sms_dataset_path == "/secrets/web3?secretAddress={address}"
        assert rules.sms_user_path == "/secrets/web2?ownerAddress={address}&secretName={name}"
    assert (V6.sms_app_path, V6.sms_requester_path) == (None, None)
    assert V9.sms_app_path == "/apps/{address}/secrets"
    assert V9.sms_requester_path == "/requesters/{address}/secrets/{name}"


GOOD_V6 = [
    *("http://example.com", "https://example.com", "ftp://example.com", "//example.com"),
    *("HTTPS://EXAMPLE.COM", "http://a.b", "http://a.b.", "http://1.2.3.4", "http://a-b.c_d.e"),
    *("http://user:pass@a.b", "http://%41@a.b", "http://@a.b", "http://a.b:", "http://a.b:999999"),
    *("http://a.b/", "http://a.b/x//y", "http://a.b?x=/?", "http://a.b#x/?", "http://a.b/p?q#f"),
    *("http://a.b/%C3%A9", "http://a.b/é", "http://é.fr/", "http://a.b?\ue000", "http://1.a"),
    "http://a.b/:@!$&'()*+,;=-._~",
]
BAD_V6 = [
    *("", "foo", "http:example.com", "http:/example.com", "s3://a.b", "http://", "mailto:a@b.c"),
    *("http://localhost", "http://a", "http://a.1", "http://1.2.3", "http://256.1.1.1"),
    *("http://1.2.3.4.", "http://01.2.3.4", "http://[::1]/", "http://a..", "http://.a.b"),
    *(
        "http://-a.b",
        "http://a.b-",
        "http://a.b:x",
        "http://a@b@c.d",
        "http://a.b//",
        "http://%4@a.b",
    ),
    *("http://a.b/ x", "http://a.b/%4", "http://a.b/<", "http://a.b#\ue000", "http://a.b/\n"),
    *("http://a.b#x#y", "http://a.b/😀", " http://a.b", "http://a.b\n", "http://a b.c"),
]


@pytest.mark.parametrize("url", GOOD_V6)
def test_v6_takes(url: str) -> None:
    assert V6.input_url(url)


@pytest.mark.parametrize("url", BAD_V6)
def test_v6_refuses(url: str) -> None:
    assert not V6.input_url(url)


def test_v6_check_is_linear() -> None:
    """The pattern of V6 takes exponential time on such a host."""
    began = time.process_time()
    assert not V6.input_url("http://" + "a." * 100_000 + "!")
    assert not V6.input_url("http://" + "a" * 100_000 + "-")
    assert time.process_time() - began < 2


def test_v9_takes_any_web_address() -> None:
    for url in ("http://localhost:8080", "https://[::1]", "https://a.b/c"):
        assert V9.input_url(url)
    for url in ("ftp://a.b", "HTTP://a.b", "//a.b", "", "foo"):
        assert not V9.input_url(url)
