"""Every exception the package raises on purpose, drawn as one tree.

::

    IExecError
    ├── ValidationError (ValueError)          input refused; ``errors`` lists every fault
    │   ├── DecodingError                     bytes from outside that are not what they claim to be
    │   ├── SignatureError                    a signature that does not prove what it should
    │   └── MatchError                        orders that the contracts would not match
    ├── ConfigurationError (ValueError)       an option or network setting is missing or wrong
    ├── KeystoreError (ValueError)            a wallet file that cannot be read
    │   └── WrongPasswordError                … because of the password
    ├── DecryptionError (ValueError)          a dataset or result that does not decrypt
    ├── ObjectNotFoundError (LookupError)     no such app, dataset, workerpool, deal or task
    ├── StateError                            the object exists, but its state forbids the operation
    ├── Web3ProviderError                     the node
    │   ├── Web3ProviderCallError             … while reading, or a transaction that failed on chain
    │   ├── Web3ProviderSendError             … while sending
    │   │   └── OutcomeUnknownError           sent or not? never repeated by ourselves
    │   └── Web3ProviderSignMessageError      … while signing
    ├── BridgeError                           sent on one chain, unseen on the other
    ├── ApiCallError                          an HTTP service
    │   ├── MarketCallError
    │   ├── SmsCallError
    │   ├── ResultProxyCallError
    │   ├── IpfsGatewayCallError
    │   ├── CompassCallError
    │   └── WorkerpoolCallError
    ├── TransportError (ConnectionError)      no usable answer from a host
    │   └── RequestTimeoutError (TimeoutError)
    ├── WatchTimeoutError (TimeoutError)      a wait that ended without its event
    └── SandboxError                          the local sandbox

The V6 names are kept (api.md, "Errors"). Low-level exceptions are translated where they appear and
chained, so ``error.cause`` is the original. No message, detail or ``repr`` ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

__all__ = [
    "ApiCallError",
    "BridgeError",
    "CompassCallError",
    "ConfigurationError",
    "DecodingError",
    "DecryptionError",
    "IExecError",
    "IpfsGatewayCallError",
    "KeystoreError",
    "MarketCallError",
    "MatchError",
    "ObjectNotFoundError",
    "OutcomeUnknownError",
    "RequestTimeoutError",
    "ResultProxyCallError",
    "SandboxError",
    "SignatureError",
    "SmsCallError",
    "StateError",
    "TransportError",
    "ValidationError",
    "WatchTimeoutError",
    "Web3ProviderCallError",
    "Web3ProviderError",
    "Web3ProviderSendError",
    "Web3ProviderSignMessageError",
    "WorkerpoolCallError",
    "WrongPasswordError",
]

EXIT_FAILURE = 1  # cli.md §1: 0 is success, 1 is every failure


class IExecError(Exception):
    """Root of all errors of the package.

    ``code`` is a stable word for programs, ``details`` is JSON-ready, ``retryable`` tells whether
    the same call may succeed later, ``tx_hash`` is set when money may have moved.
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        cause: BaseException | None = None,
        retryable: bool = False,
        tx_hash: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = dict(details or {})
        self.retryable = retryable
        self.tx_hash = tx_hash
        if cause is not None:
            self.__cause__ = cause

    @property
    def cause(self) -> BaseException | None:
        """The low-level exception behind this one, if any."""
        return self.__cause__

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.message, self.__dict__.copy())

    def to_dict(self) -> dict[str, object]:
        """The JSON form: ``name`` (class), ``code``, ``message`` and, where set, the rest."""
        result: dict[str, object] = {
            "name": type(self).__name__,
            "code": self.code,
            "message": self.message,
        }
        if self.details:
            result["details"] = self.details
        if self.retryable:
            result["retryable"] = True
        if self.tx_hash is not None:
            result["txHash"] = self.tx_hash
        return result


def _rebuild(cls: type[IExecError], message: str, state: dict[str, object]) -> IExecError:
    """Unpickle: the constructors differ between classes, the state does not."""
    error = cls.__new__(cls, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class ValidationError(IExecError, ValueError):
    """Input refused. ``errors`` holds every fault found, one text each."""

    code = "validation"

    def __init__(
        self,
        message: str,
        *,
        errors: Iterable[str] | None = None,
        details: Mapping[str, object] | None = None,
        cause: BaseException | None = None,
    ) -> None:
        super().__init__(message, details=details, cause=cause)
        self.errors = tuple(errors) if errors is not None else (message,)

    @classmethod
    def collect(cls, errors: Iterable[str]) -> ValidationError:
        """One error that reports several faults at once."""
        found = tuple(errors)
        return cls("; ".join(found), errors=found)


class DecodingError(ValidationError):
    """Bytes or text from outside that are not what they claim to be (ABI, RLP, JSON, archive)."""

    code = "decoding"


class SignatureError(ValidationError):
    """A signature that is malformed or was not made by the expected account."""

    code = "signature"


class MatchError(ValidationError):
    """Orders that cannot be matched; ``errors`` and ``details["reasons"]`` name every reason."""

    code = "match"


class ConfigurationError(IExecError, ValueError):
    """An option or a network setting is missing or wrong; the message names it."""

    code = "configuration"


class KeystoreError(IExecError, ValueError):
    """A wallet file that is not a usable Web3 keystore."""

    code = "keystore"


class WrongPasswordError(KeystoreError):
    """The password does not open the keystore."""

    code = "wrong_password"


class DecryptionError(IExecError, ValueError):
    """A dataset or a result archive that does not decrypt."""

    code = "decryption"


class ObjectNotFoundError(IExecError, LookupError):
    """Nothing on this chain has this id."""

    code = "not_found"

    def __init__(self, obj_name: str, object_id: str, chain_id: int) -> None:
        super().__init__(
            f"No {obj_name} found for id {object_id} on chain {chain_id}",
            details={"objName": obj_name, "objectId": object_id, "chainId": str(chain_id)},
        )
        self.obj_name = obj_name
        self.object_id = object_id
        self.chain_id = chain_id


class StateError(IExecError):
    """The object exists, but the state it or an account is in forbids the operation."""

    code = "state"


class Web3ProviderError(IExecError):
    """Something went wrong between us and the node."""

    code = "web3_provider"


class Web3ProviderCallError(Web3ProviderError):
    """A read failed or reverted, or a mined transaction has status 0."""

    code = "web3_call"


class Web3ProviderSendError(Web3ProviderError):
    """A transaction was refused; ``is_user_rejection`` tells whether a person refused it."""

    code = "web3_send"
    is_user_rejection = False


class OutcomeUnknownError(Web3ProviderSendError):
    """The answer to a send was lost. ``tx_hash`` or ``details`` tell what to look for."""

    code = "outcome_unknown"


class Web3ProviderSignMessageError(Web3ProviderError):
    """A signature was refused; ``is_user_rejection`` tells whether a person refused it."""

    code = "web3_sign"
    is_user_rejection = False


class BridgeError(IExecError):
    """Sent on one chain (``send_tx_hash``), not confirmed on the other."""

    code = "bridge"

    def __init__(
        self, send_tx_hash: str, cause: BaseException | None = None, why: str = ""
    ) -> None:
        super().__init__(
            f"Failed to get bridged chain confirmation for transaction {send_tx_hash}{why}",
            cause=cause,
            tx_hash=send_tx_hash,
        )
        self.send_tx_hash = send_tx_hash


class ApiCallError(IExecError):
    """An HTTP service refused or answered nonsense."""

    code = "api"


class MarketCallError(ApiCallError):
    """The marketplace."""

    code = "market_api"


class SmsCallError(ApiCallError):
    """The secret management service."""

    code = "sms_api"


class ResultProxyCallError(ApiCallError):
    """The result proxy."""

    code = "result_proxy_api"


class IpfsGatewayCallError(ApiCallError):
    """The IPFS gateway."""

    code = "ipfs_api"


class CompassCallError(ApiCallError):
    """The compass service."""

    code = "compass_api"


class WorkerpoolCallError(ApiCallError):
    """The API of a workerpool."""

    code = "workerpool_api"


class TransportError(IExecError, ConnectionError):
    """No usable answer: refused, cut, oversized or malformed HTTP."""

    code = "transport"


class RequestTimeoutError(TransportError, TimeoutError):
    """A host did not answer within ``timeout=``."""

    code = "timeout"


class WatchTimeoutError(IExecError, TimeoutError):
    """A wait ended before what it waited for."""

    code = "watch_timeout"


class SandboxError(IExecError):
    """The sandbox cannot be fetched, started or found."""

    code = "sandbox"
