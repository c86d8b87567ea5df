"""Whether orders can be worked at all: the SMS must hold what they ask for.

chain.md §7.5 and, for what today's networks add, today.md §3.5: which checks apply is data of the
network's rules. V6 checks requests alone, and calls it ``check_request``; its newer name is
``preflight_check``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import (
    IExecError,
    ObjectNotFoundError,
    SmsCallError,
    StateError,
    TransportError,
    ValidationError,
)
from ..protocol import params
from ..protocol.contracts import REGISTRY, RESOURCE
from ..protocol.matching import OrderSet, Reason, deal_tag
from ..protocol.methods import Read
from ..protocol.orders import NULL_ADDRESS, Apporder, Datasetorder, Order, Requestorder
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .context import Context
from .secrets import RESULT_KEY, STORAGE_TOKENS, check_name

__all__ = ["check_match", "check_order", "check_request", "finding", "found_by"]


def check_order(context: Context, order: Order) -> None:
    """Raise where nobody could work with this order: StateError, ObjectNotFoundError.

    Their ``details["check"]`` says what was checked: ``app``, ``dataset`` or ``request``. Raises
    ConfigurationError where the network has no SMS, ValidationError for params that workers
    would not understand.
    """
    with _named(order.resource):
        if isinstance(order, Apporder):
            _check_app(context, order.app)
        elif isinstance(order, Datasetorder):
            _check_dataset(context, order.dataset, order.tag)
        elif isinstance(order, Requestorder):
            check_request(context, order)


def check_match(context: Context, orders: OrderSet) -> None:
    """The same for the orders of a match: what counts for the dataset is the tag of the deal."""
    app, dataset, _, request = orders
    tag = deal_tag(app, dataset, request, context.chain.rules)
    with _named("dataset"):
        _check_dataset(context, dataset.dataset, tag)
    with _named("request"):
        check_request(context, request)


def found_by(check: Callable[[], None]) -> tuple[Reason, ...]:
    """What a check says, as a reason beside those of the chain; nothing where it is content."""
    try:
        check()
    except (
        ObjectNotFoundError,
        StateError,
        SmsCallError,
        TransportError,
        ValidationError,
    ) as error:
        return (finding(error),)
    return ()


def finding(error: IExecError) -> Reason:
    """An error of a check in V6's words; the code of the reason is what was checked."""
    what = str(error.details.get("check", "request"))
    return Reason(what, f"{what.capitalize()} requirements check failed: {error.message}")


@contextmanager
def _named(what: str) -> Iterator[None]:
    """Say in an error which check it is of."""
    try:
        yield
    except (StateError, SmsCallError, ObjectNotFoundError) as error:
        error.details["check"] = what
        raise


def _check_app(context: Context, app: str) -> None:
    if context.chain.rules.app_mrenclave:
        return
    reads: list[Read] = [
        (context.registry("app"), REGISTRY.isRegistered, (app,)),
        (app, RESOURCE["app"]["appMREnclave"], ()),
    ]
    found = context.read_many(reads)
    if found[0] is False:
        raise ObjectNotFoundError("app", app, context.chain.id)
    if context.checked(reads, found)[1]:
        raise StateError(f"App {app} has an MREnclave, which is no longer supported")


def _check_dataset(context: Context, dataset: str, tag: str) -> None:
    rules = context.chain.rules
    if not rules.dataset_secret_check or dataset == NULL_ADDRESS or not to_mask(tag) & TEE:
        return
    if not context.sms.exists(rules.sms_dataset_path, address=dataset):
        raise StateError(
            f"Dataset encryption key is not set for dataset {dataset} in the SMS. "
            "Dataset decryption will fail. (its owner's dataset.push_dataset_secret sets it, "
            "iexec-lite dataset push-secret)"
        )


def check_request(context: Context, order: Requestorder) -> None:
    """Raise StateError that names the first missing secret, with what to do about it."""
    rules = context.chain.rules
    tee = bool(to_mask(order.tag) & TEE)
    given = params.check_params(
        order.params, rules=rules, tee=tee, callback=order.callback != NULL_ADDRESS
    )
    sms = context.sms
    if given.get("iexec_result_encryption") is True and not sms.exists(
        rules.sms_user_path, address=order.beneficiary, name=RESULT_KEY
    ):
        raise StateError(
            "Beneficiary result encryption key is not set in the SMS. "
            f"Result encryption will fail. (beneficiary {order.beneficiary}, who has to push one: "
            "result.push_result_encryption_key, iexec-lite result push-encryption-key)"
        )
    provider = str(given.get("iexec_result_storage_provider", ""))
    if provider in rules.token_providers and not sms.exists(
        rules.sms_user_path, address=order.requester, name=STORAGE_TOKENS[provider]
    ):
        raise StateError(
            f'Requester storage token is not set for selected provider "{provider}". '
            f"Result archive upload will fail. (requester {order.requester}, who has to push one: "
            "storage.push_storage_token, iexec-lite storage init)"
        )
    _check_dataset(context, order.dataset, order.tag)
    _check_app(context, order.app)
    secrets = given.get("iexec_secrets")
    if rules.sms_requester_path is not None and isinstance(secrets, dict):
        for name in secrets.values():
            if not sms.exists(
                rules.sms_requester_path, address=order.requester, name=check_name(name)
            ):
                raise StateError(
                    f'Requester secret "{name}" is not set for requester {order.requester} in '
                    "the SMS. Requester secret provisioning will fail. (who has to push one: "
                    "secrets.push_requester_secret, iexec-lite requester push-secret)"
                )
