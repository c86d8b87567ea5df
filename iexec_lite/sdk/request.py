"""Whether a request can be worked at all: the SMS must hold what its params ask for.

chain.md §7.5 and, for what today's networks add, today.md §3.5: which checks apply is data of the
network's rules.
"""

from __future__ import annotations

from ..errors import StateError
from ..protocol import params
from ..protocol.contracts import RESOURCE
from ..protocol.orders import NULL_ADDRESS, Requestorder
from ..protocol.rules import TEE
from ..protocol.tag import to_mask
from .context import Context
from .secrets import RESULT_KEY, STORAGE_TOKENS

__all__ = ["check_request"]


def check_request(context: Context, order: Requestorder) -> None:
    """Raise StateError that names the first missing secret, with what to do about it.

    Raises ConfigurationError where the network has no SMS, ValidationError for params that workers
    would not understand.
    """
    rules = context.chain.rules
    tee = bool(to_mask(order.tag) & TEE)
    wanted = params.check_params(
        order.params, rules=rules, tee=tee, callback=order.callback != NULL_ADDRESS
    )
    sms = context.sms
    if wanted.get("iexec_result_encryption") is True and not sms.exists(
        rules.sms_user_path, address=order.beneficiary, name=RESULT_KEY
    ):
        raise StateError(
            "Beneficiary result encryption key is not set in the SMS. "
            f"Result encryption will fail. (beneficiary {order.beneficiary}, who has to push one: "
            "result.push_result_encryption_key, iexec-lite result push-encryption-key)"
        )
    provider = str(wanted.get("iexec_result_storage_provider", ""))
    if provider in rules.token_providers and not sms.exists(
        rules.sms_user_path, address=order.requester, name=STORAGE_TOKENS[provider]
    ):
        raise StateError(
            f'Requester storage token is not set for selected provider "{provider}". '
            f"Result archive upload will fail. (requester {order.requester}, who has to push one: "
            "storage.push_storage_token, iexec-lite storage init)"
        )
    if (
        rules.dataset_secret_check
        and tee
        and order.dataset != NULL_ADDRESS
        and not sms.exists(rules.sms_dataset_path, address=order.dataset)
    ):
        raise StateError(
            f"Dataset encryption key is not set for dataset {order.dataset} in the SMS. "
            "Dataset decryption will fail. (its owner's dataset.push_dataset_secret sets it, "
            "iexec-lite dataset push-secret)"
        )
    if not rules.app_mrenclave and context.read(order.app, RESOURCE["app"]["appMREnclave"]):
        raise StateError(f"App {order.app} has an MREnclave, which is no longer supported")
    secrets = wanted.get("iexec_secrets")
    if rules.sms_requester_path is not None and isinstance(secrets, dict):
        for name in secrets.values():
            if not sms.exists(rules.sms_requester_path, address=order.requester, name=str(name)):
                raise StateError(
                    f'Requester secret "{name}" is not set for requester {order.requester} in '
                    "the SMS. Requester secret provisioning will fail."
                )
