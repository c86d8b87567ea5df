"""The key that results are encrypted with (services.md §2.4, §6.3)."""

from __future__ import annotations

from ..protocol.detached import SigningRequest
from .authorize import Given, read_given, who
from .context import Context
from .records import SecretPush
from .secrets import RESULT_KEY, account_request, check_result_key, is_set, push_account_secret

__all__ = ["ResultKeys"]


class ResultKeys:
    """Reached as ``iexec.result``."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def push_result_encryption_key(
        self, rsa_public_key: str, *, force_update: bool = False, signature: Given = None
    ) -> SecretPush:
        """Set the wallet's key: results bought for it can be encrypted so that only it reads them.

        ``rsa_public_key`` is PEM text (SPKI) or base64 of it. ``signature`` is a signed
        :meth:`push_result_encryption_key_request`. StateError where a key is set and
        ``force_update`` is not given: results under way may need the old one.
        """
        context, key, given = self._context, check_result_key(rsa_public_key), read_given(signature)
        wanted = _request(context, who(context, given), key)
        return push_account_secret(
            context, wanted, RESULT_KEY, key, replace=force_update, given=given
        )

    def push_result_encryption_key_request(
        self, rsa_public_key: str, *, address: str | None = None
    ) -> SigningRequest:
        """What ``address`` (the wallet) has to sign for :meth:`push_result_encryption_key`."""
        key = check_result_key(rsa_public_key)
        return _request(self._context, who(self._context, address), key)

    def check_result_encryption_key_exists(self, user: str) -> bool:
        """Whether ``user`` has a result encryption key."""
        return is_set(self._context, self._context.resolve(user, "user"), RESULT_KEY)


def _request(context: Context, owner: str, key: str) -> SigningRequest:
    what = f"set the result encryption key of {owner}"
    return account_request(context, owner, RESULT_KEY, key, what)
