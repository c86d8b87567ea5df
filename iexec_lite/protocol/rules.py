"""What differs between the generations of iExec networks: one record, named by the chain record.

``V6`` holds for the networks of the SDK V6, ``V9`` for today's (Arbitrum). Everything that needs to
know asks the record; a test for the generation anywhere else is a defect. Spec: chain.md §7.3,
§7.4, §12, §13.1; today.md §1.3, §1.4, §2.1, §3; services.md §1.4, §2, §9.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from ..frozen import Frozen, field
from . import templates
from .templates import Templates

__all__ = [
    "AGNOSTIC",
    "ALL_RULES",
    "DATASET",
    "GPU",
    "GRAMINE",
    "SCONE",
    "STRICT",
    "TDX",
    "TEE",
    "V6",
    "V9",
    "Rules",
    "TagCheck",
]

# What a tag is for decides how V9 checks it (today.md §3.2).
STRICT = "strict"  # app and workerpool orders, deals
AGNOSTIC = "agnostic"  # request orders, searches: any framework may do
DATASET = "dataset"  # dataset orders: may carry frameworks of the past

TEE, SCONE, GRAMINE, TDX, GPU = 1 << 0, 1 << 1, 1 << 2, 1 << 3, 1 << 8
ALL_BITS = (1 << 256) - 1


class TagCheck(Frozen, kw_only=False):
    """A tag used for one of ``uses`` with any of ``bits`` must have ``needs`` too.

    ``needs`` 0: the bits are refused. ``{names}`` in ``message`` becomes the offending tag names.
    """

    uses: tuple[str, ...]
    bits: int
    needs: int
    message: str


class Rules(Frozen):
    """One generation. Tags are 256-bit masks, bit 0 the lowest; paths are relative to a service.

    Tags: ``tag_bits`` (name, bit number); ``tag_number_base`` is the number that messages give
    bit 0; ``forced_tag`` is added to orders when they are created; ``deal_tag`` must be in the
    union of a deal's tags; ``dataset_tag_mask`` is what counts of a dataset order's tag.

    Params: ``params_keys`` in the order JavaScript writes them; ``retired_params`` are accepted in
    signed orders and dropped from new ones; ``input_url`` tells whether a text is a file's URL.

    Storage: ``token_providers`` need a token of the requester in the SMS; ``storage_proxy`` tells
    whether results pass a result proxy that the params name.

    Contracts: ``resource_views`` tells whether the hub shows apps, datasets, workerpools whole.

    Services: ``sms_*_path`` are None where the SMS has no such secrets; ``market_paging`` is
    ``skip`` (``page`` = records to skip) or ``index`` (``pageIndex``, ``pageSize``);
    ``market_owner_search``: offers are found by their owner too, and ``any`` stands for every
    address; ``market_bulk_filter``: dataset orders for bulk can be asked for.

    Files: ``templates`` is what ``init`` writes, ``chain_keys`` what the JavaScript SDK of the
    generation takes in an entry of chain.json, ``retired_chain_keys`` what older ones took.
    """

    name: str
    tag_bits: tuple[tuple[str, int], ...] = (
        ("tee", 0),
        ("scone", 1),
        ("gramine", 2),
        ("tdx", 3),
        ("gpu", 8),
    )
    tag_number_base: int
    forced_tag: int
    deal_tag: int
    dataset_tag_mask: int
    tag_checks: tuple[TagCheck, ...]
    params_keys: tuple[str, ...]
    retired_params: tuple[str, ...]
    input_url: Callable[[str], bool]
    input_url_message: str
    input_files_comma_text: bool
    storage_providers: tuple[str, ...] = ("ipfs", "dropbox")
    tee_provider_message: str
    token_providers: tuple[str, ...]
    storage_proxy: bool
    app_mrenclave: bool
    resource_views: bool
    dataset_secret_check: bool
    result_format: Literal["v6", "v9"]
    sms_dataset_path: str = "/secrets/web3?secretAddress={address}"
    sms_user_path: str = "/secrets/web2?ownerAddress={address}&secretName={name}"
    sms_app_path: str | None
    sms_requester_path: str | None
    market_paging: str
    market_page_size: int = 20
    market_strict_flags: bool
    market_owner_search: bool
    market_bulk_filter: bool
    templates: Templates = field(hash=False)
    chain_keys: tuple[str, ...]
    retired_chain_keys: tuple[str, ...]


# --- URL checks -----------------------------------------------------------------------------------


def _is_url_v6(text: str) -> bool:
    """V6: ``http``, ``https``, ``ftp`` or no scheme, and a host that looks public."""
    from .urls import is_public_url  # its patterns take long to compile and are seldom needed

    return is_public_url(text)


def _is_url_v9(text: str) -> bool:
    """V9: anything that begins with ``http://`` or ``https://``."""
    return text.startswith(("http://", "https://"))


# --- the generations ------------------------------------------------------------------------------

V6 = Rules(
    name="v6",
    tag_number_base=1,
    forced_tag=0,
    deal_tag=0,
    dataset_tag_mask=ALL_BITS,
    tag_checks=(),
    params_keys=(
        "iexec_developer_logger",
        "iexec_result_storage_provider",
        "iexec_result_storage_proxy",
        "iexec_result_encryption",
        "iexec_input_files",
        "iexec_args",
    ),
    retired_params=(),
    input_url=_is_url_v6,
    input_url_message="{path} {value} is not a valid URL",
    input_files_comma_text=False,
    tee_provider_message=(
        '{path} "{value}" is not supported for TEE tasks use one of supported storage providers '
        "(ipfs, dropbox)"
    ),
    token_providers=("ipfs", "dropbox"),
    storage_proxy=True,
    app_mrenclave=True,
    resource_views=False,
    dataset_secret_check=False,
    result_format="v6",
    sms_app_path=None,
    sms_requester_path=None,
    market_paging="skip",
    market_strict_flags=False,
    market_owner_search=False,
    market_bulk_filter=False,
    templates=templates.V6,
    chain_keys=(
        *("id", "host", "hub", "sms", "resultProxy", "ipfsGateway", "iexecGateway"),
        *("native", "useGas", "flavour", "bridge", "enterprise"),
    ),
    retired_chain_keys=(),
)

V9 = Rules(
    name="v9",
    tag_number_base=0,
    forced_tag=TEE | TDX,
    deal_tag=TEE | TDX,
    dataset_tag_mask=ALL_BITS ^ (SCONE | GRAMINE | TDX),
    tag_checks=(
        TagCheck(
            (STRICT, AGNOSTIC),
            SCONE | GRAMINE,
            0,
            "Unsupported legacy TEE framework tag ({names})",
        ),
        TagCheck((STRICT,), TEE, TDX, "'tee' tag must be used with a tee framework ('tdx')"),
        TagCheck((STRICT, AGNOSTIC, DATASET), TDX, TEE, "'tdx' tag must be used with 'tee' tag"),
    ),
    params_keys=(
        "iexec_secrets",
        "iexec_result_storage_provider",
        "iexec_result_encryption",
        "bulk_cid",
        "iexec_input_files",
        "iexec_args",
    ),
    retired_params=("iexec_result_storage_proxy", "iexec_developer_logger"),
    input_url=_is_url_v9,
    input_url_message='{path} "{value}" is not a valid URL',
    input_files_comma_text=True,
    tee_provider_message=(
        '{path} "{value}" is not a valid storage provider, use one of the supported providers '
        "(dropbox, ipfs)"
    ),
    token_providers=("dropbox",),
    storage_proxy=False,
    app_mrenclave=False,
    resource_views=True,
    dataset_secret_check=True,
    result_format="v9",
    sms_app_path="/apps/{address}/secrets",
    sms_requester_path="/requesters/{address}/secrets/{name}",
    market_paging="index",
    market_strict_flags=True,
    market_owner_search=True,
    market_bulk_filter=True,
    templates=templates.TODAY,
    chain_keys=(
        "id",
        "host",
        "hub",
        "sms",
        "ipfsGateway",
        "iexecGateway",
        "compass",
        "pocoSubgraph",
    ),
    retired_chain_keys=("resultProxy", "native", "useGas", "flavour", "bridge", "enterprise"),
)

ALL_RULES = {rules.name: rules for rules in (V6, V9)}
