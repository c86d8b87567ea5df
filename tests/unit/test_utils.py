"""The helpers of V6's ``utils`` (api.md, "Utils")."""

from __future__ import annotations

import pytest

from iexec_lite import utils
from iexec_lite.errors import ConfigurationError, IExecError, ValidationError

KEY = "0x" + "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
TEE = "0x" + "0" * 63 + "1"
GPU = "0x" + "0" * 61 + "100"


def test_everything_that_is_documented_is_there() -> None:
    assert set(utils.__all__) == {
        "DATASET_INFINITE_VOLUME",
        "NULL_ADDRESS",
        "NULL_BYTES32",
        "decode_tag",
        "decrypt_result",
        "decrypt_result_file",
        "encode_tag",
        "format_eth",
        "format_rlc",
        "get_signer_from_private_key",
        "parse_eth",
        "parse_rlc",
        "sum_tags",
    }
    assert all(hasattr(utils, name) for name in utils.__all__)


def test_constants() -> None:
    assert utils.NULL_ADDRESS == "0x" + "0" * 40
    assert utils.NULL_BYTES32 == "0x" + "0" * 64


def test_default_units_are_the_base_units() -> None:
    assert utils.parse_eth("5") == utils.parse_eth(5) == 5
    assert utils.parse_rlc("5") == utils.parse_rlc(5) == 5
    assert utils.parse_eth("5", "ether") == utils.parse_eth("5 ether") == 5 * 10**18
    assert utils.parse_rlc("5", "RLC") == utils.parse_rlc("5 RLC", "nRLC") == 5 * 10**9
    for refused in ("0.5", "", "-1"):
        with pytest.raises(ValidationError, match="is not a valid amount"):
            utils.parse_rlc(refused)
        with pytest.raises(ValidationError, match="is not a valid amount"):
            utils.parse_eth(refused)


def test_there_and_back() -> None:
    assert utils.format_rlc(1_500_000_000) == "1.5"
    assert utils.format_eth(10**18) == "1.0"
    assert utils.parse_rlc(utils.format_rlc(7), "RLC") == 7
    assert utils.parse_eth(utils.format_eth(7), "ether") == 7


def test_tags() -> None:
    assert utils.encode_tag(["tee"]) == TEE
    assert utils.sum_tags([TEE, GPU]) == utils.encode_tag(["gpu", "tee"])
    assert utils.decode_tag(utils.sum_tags([TEE, GPU])) == ["tee", "gpu"]
    top = "0x8" + "0" * 63
    assert utils.sum_tags([top]) == top  # V6 lost bit 256


def test_decrypt_result_refuses_what_is_no_archive() -> None:
    with pytest.raises(IExecError, match="Failed to load encrypted results zip file"):
        utils.decrypt_result(b"nothing", "")


def test_signer_from_private_key() -> None:
    for key in (KEY, KEY[2:]):
        found = utils.get_signer_from_private_key("https://node.example", key, gas_price=0)
        assert found.signer.address == ADDRESS
        assert found.gas_price == 0
        assert "1111" not in repr(found)


@pytest.mark.parametrize("key", ["", "0x", KEY + "00", KEY[:-2], KEY + "\n", "zz" * 32, None])
def test_wrong_keys_are_refused_and_not_shown(key: object) -> None:
    with pytest.raises(ValidationError) as caught:
        utils.get_signer_from_private_key("https://node.example", key)  # type: ignore[arg-type]
    assert "1111" not in str(caught.value)


@pytest.mark.parametrize("price", [-1, 1.5, "1", True])
def test_wrong_gas_prices(price: object) -> None:
    with pytest.raises(ConfigurationError, match="Invalid gasPrice option"):
        utils.get_signer_from_private_key("https://node.example", KEY, gas_price=price)  # type: ignore[arg-type]


def test_wrong_nonce_source() -> None:
    with pytest.raises(ConfigurationError, match="Invalid getTransactionCount option"):
        utils.get_signer_from_private_key(
            "https://node.example",
            KEY,
            get_transaction_count=5,  # type: ignore[arg-type]
        )
