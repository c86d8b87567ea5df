"""``iexec-lite storage init | check``: where workers store your results (cli.md §8.12)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import StateError
from . import flags, output, project, prompts, wallets
from .parser import Group

if TYPE_CHECKING:
    from ..protocol.chains import Chain

__all__ = ["register"]

DEFAULT = ("default", "ipfs")  # two names of the one that gives its token itself


def register(group: Group) -> None:
    """The commands of the group."""
    init = group.command(
        "init",
        init_storage,
        "let workers store your results",
        arguments="[PROVIDER]",
        example="storage init",
    )
    init.add_argument("--force-update", action="store_true", help="replace a token that is set")
    tokens = init.add_mutually_exclusive_group()
    tokens.add_argument("--token", help="token of the provider (visible to other users)")
    tokens.add_argument(
        "--token-file",
        metavar="FILE",
        help="read the token from the first line of FILE, - for standard input",
    )
    check = group.command(
        "check",
        check_storage,
        "whether results can be stored",
        arguments="[PROVIDER]",
        example="storage check dropbox",
    )
    check.add_argument("--user", metavar="ADDRESS", help="any address (default: your wallet)")
    for parser in (init, check):
        parser.add_argument(
            "provider",
            nargs="?",
            default=DEFAULT[0],
            metavar="PROVIDER",
            help="default (which is ipfs) or dropbox",
        )
        wallets.add_load_options(parser)
        flags.add_node(parser)


def init_storage(options: argparse.Namespace) -> output.Result:
    """Give the SMS a token for the storage: that of a login, or one of the person's."""
    provider, selection = options.provider, project.selected_chain(options)
    if not _needs_token(provider, selection.chain):
        return _nothing_to_do(selection.chain, isUpdated=False)
    wallet = wallets.require(options)
    selection.require("sms")
    own = provider in DEFAULT
    if own and (options.token, options.token_file) != (None, None):
        output.warn(f"Your token is not used: {provider} storage gives its own", options)
    if own and selection.chain.rules.storage_proxy:
        selection.require("resultProxy")
    with project.connect(selection, options, wallet) as client:
        storage = client.storage
        known = storage.check_storage_token_exists(wallet.address, provider=provider)
        if known and not options.force_update:
            raise StateError(
                f"{provider} storage is already initialized, use --force-update option to update "
                "your storage token"
            )
        token = storage.default_storage_login() if own else _token(options)
        pushed = storage.push_storage_token(
            token, provider=provider, force_update=options.force_update
        )
    done = "updated" if pushed.is_updated else "pushed"
    return output.Result(
        payload={**_initialized(pushed.is_pushed), "isUpdated": pushed.is_updated},
        text=f"Storage initialized: {provider} storage token of {wallet.address} {done}",
    )


def _token(options: argparse.Namespace) -> str:
    if options.token is not None:
        output.warn("Option --token may be unsafe: other users can see it", options)
        return str(options.token)
    if options.token_file is not None:
        return prompts.read_secret(options.token_file, "--token-file")
    question = f"Paste your {options.provider} token"
    return prompts.hidden(question, options, "--token-file FILE or --token")


def check_storage(options: argparse.Namespace) -> output.Result:
    """Whether an address has a token for the storage. Needs no password."""
    selection = project.selected_chain(options)
    if not _needs_token(options.provider, selection.chain):
        return _nothing_to_do(selection.chain)
    selection.require("sms")
    user = wallets.user(options)
    with project.connect(selection, options) as client:
        known = client.storage.check_storage_token_exists(user, provider=options.provider)
    state = "already initialized" if known else "not initialized"
    return output.Result(
        payload=_initialized(known), text=f"Storage {state}: {options.provider} storage of {user}"
    )


def _needs_token(provider: str, chain: Chain) -> bool:
    """Whether the workers of this network store there with a token of the requester's."""
    return provider not in DEFAULT or DEFAULT[-1] in chain.rules.token_providers


def _nothing_to_do(chain: Chain, **more: object) -> output.Result:
    return output.Result(
        payload={**_initialized(True), **more},
        text=f"Nothing to do: the workers of {chain.name} store results on IPFS without a token",
    )


def _initialized(done: bool) -> dict[str, object]:
    """The member as it should be written, and as V6 misspelt it."""
    return {"isInitialized": done, "isInitilized": done}
