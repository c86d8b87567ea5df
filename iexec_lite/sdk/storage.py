"""Where results go: the token that lets workers store them (services.md §2.4, §3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import ConfigurationError
from ..protocol.authorization import RESULT_PROXY
from ..protocol.detached import SigningRequest
from .authorize import Given, login_challenge, read_given, who
from .authorize import authorization as prove
from .context import Context
from .records import SecretPush
from .secrets import account_request, check_secret, is_set, push_account_secret, token_name

if TYPE_CHECKING:
    from ..net.result_proxy import ResultProxy

__all__ = ["Storage"]


class Storage:
    """Reached as ``iexec.storage``. Providers: ``default`` (which is ``ipfs``) and ``dropbox``.

    On today's networks ``dropbox`` alone wants a token.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def default_storage_login(self, *, authorization: Given = None) -> str:
        """A token for the default storage; the same wallet gets the same one again.

        ``authorization`` is a signed :meth:`login_challenge`. ConfigurationError on networks whose
        default storage needs no token.
        """
        proxy = self._proxy()
        proof = prove(self._context, RESULT_PROXY, proxy.challenge, authorization)
        return proxy.login(str(proof))

    def login_challenge(self, address: str | None = None) -> SigningRequest:
        """What ``address`` (the wallet) has to sign for :meth:`default_storage_login`."""
        return login_challenge(self._context, RESULT_PROXY, self._proxy().challenge, address)

    def push_storage_token(
        self,
        token: str,
        provider: str = "default",
        *,
        force_update: bool = False,
        signature: Given = None,
    ) -> SecretPush:
        """Let workers store results with ``token``: of the default storage, or of a dropbox.

        ``signature`` is a signed :meth:`push_storage_token_request`. StateError where a token is
        set and ``force_update`` is not given.
        """
        context, given = self._context, read_given(signature)
        name = token_name(context, provider)
        wanted = _request(context, who(context, given), name, check_secret(token, "the token"))
        return push_account_secret(context, wanted, name, token, replace=force_update, given=given)

    def push_storage_token_request(
        self, token: str, provider: str = "default", *, address: str | None = None
    ) -> SigningRequest:
        """What ``address`` (the wallet) has to sign for :meth:`push_storage_token`."""
        context = self._context
        name = token_name(context, provider)
        return _request(context, who(context, address), name, check_secret(token, "the token"))

    def check_storage_token_exists(self, user: str, provider: str = "ipfs") -> bool:
        """Whether ``user`` has a token for this provider."""
        context = self._context
        return is_set(context, context.resolve(user, "user"), token_name(context, provider))

    def _proxy(self) -> ResultProxy:
        from ..net.result_proxy import ResultProxy

        context = self._context
        if not context.chain.rules.storage_proxy:
            raise ConfigurationError(
                f"there is no storage login on {context.chain.name}: its workers store results "
                "without a token of yours"
            )
        url = context.service("result_proxy", "result_proxy_url")
        return ResultProxy(context.http, url, context.chain.id)


def _request(context: Context, owner: str, name: str, token: str) -> SigningRequest:
    return account_request(context, owner, name, token, f"set the secret {name} of {owner}")
