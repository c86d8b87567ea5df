"""The helpers of the V6 ``utils`` (api.md, "Utils"), gathered from where they live.

Amounts default to the documented base units: wei and nRLC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from .errors import ConfigurationError
from .protocol.archive import decrypt_result, decrypt_result_file
from .protocol.bulk import DATASET_INFINITE_VOLUME
from .protocol.orders import NULL_ADDRESS, NULL_BYTES32
from .protocol.tag import decode_tag, encode_tag, sum_tags
from .protocol.units import format_eth, format_rlc, parse_eth, parse_rlc

if TYPE_CHECKING:
    from .sdk.client import SigningProvider

__all__ = [
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
]


def get_signer_from_private_key(
    host: str | int,
    private_key: str,
    *,
    providers: Mapping[str, object] | None = None,
    gas_price: int | None = None,
    get_transaction_count: Callable[[str, str], int] | None = None,
) -> SigningProvider:
    """A node and a signer in one, for ``IExec(...)``.

    ``host`` is a network name, a chain id or a node's URL; ``private_key`` is 64 hex digits;
    ``gas_price`` is wei; ``get_transaction_count(address, block)`` supplies nonces. ``providers``
    are the user's own keys for the public nodes of ``mainnet`` and ``goerli``:
    ``{alchemy: key, infura: key or {projectId, projectSecret}, quorum}``; nothing else is
    contacted, and of the nodes ``quorum`` must agree (2 on mainnet where there are two, else 1).
    ConfigurationError for an option, ValidationError for a key that cannot be.
    """
    from .eth.signer import KeySigner
    from .sdk.client import SigningProvider, public_nodes

    if gas_price is not None and (type(gas_price) is not int or gas_price < 0):  # no bool
        raise ConfigurationError("Invalid gasPrice option: gas_price is wei, an integer >= 0")
    if get_transaction_count is not None and not callable(get_transaction_count):
        raise ConfigurationError("Invalid getTransactionCount option, must be a function")
    urls, quorum = ((), 1) if providers is None else public_nodes(host, providers)
    return SigningProvider(
        host,
        KeySigner.from_key(private_key),
        urls=urls,
        quorum=quorum,
        gas_price=gas_price,
        get_transaction_count=get_transaction_count,
    )
