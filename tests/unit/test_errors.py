"""The exception tree: as drawn, picklable, with its JSON form and the V6 names."""

from __future__ import annotations

import copy
import json
import pickle
import re

import pytest

from iexec_lite import errors
from iexec_lite.errors import (
    BridgeError,
    DecodingError,
    IExecError,
    MatchError,
    ObjectNotFoundError,
    ValidationError,
    Web3ProviderSendError,
)

CLASSES = {name: getattr(errors, name) for name in errors.__all__}
BUILT_IN = (ValueError, LookupError, ConnectionError, TimeoutError)


def drawn(text: str) -> dict[str, tuple[str | None, str | None]]:
    """Class → (parent, built-in base) of a tree drawn with box characters."""
    found: dict[str, tuple[str | None, str | None]] = {}
    line = re.compile(r"^    ((?:[│ ]   )*(?:[├└]── )?)(\w+Error)(?: \((\w+)\))?(?:\s|$)")
    above: list[str] = []
    for match in filter(None, map(line.match, text.splitlines())):
        depth = len(match[1]) // 4
        above[depth:] = [match[2]]
        found[match[2]] = (above[depth - 1] if depth else None, match[3])
    return found


def real() -> dict[str, tuple[str | None, str | None]]:
    found: dict[str, tuple[str | None, str | None]] = {}
    for name, cls in CLASSES.items():
        own = [base for base in cls.__bases__ if issubclass(base, IExecError)]
        assert len(own) == (0 if cls is IExecError else 1)
        foreign = [base.__name__ for base in cls.__bases__ if base in BUILT_IN]
        assert len(own) + len(foreign) == len(cls.__bases__) or cls is IExecError
        found[name] = (own[0].__name__ if own else None, foreign[0] if foreign else None)
    return found


def made(cls: type[IExecError]) -> IExecError:
    if cls is ObjectNotFoundError:
        return ObjectNotFoundError("deal", "0x12", 134)
    if cls is BridgeError:
        return BridgeError("0xabc", ValueError("low"))
    return cls("went wrong")


def test_the_drawing_is_the_tree() -> None:
    assert errors.__doc__
    assert drawn(errors.__doc__) == real()
    wrong = errors.__doc__.replace("│   ├── DecodingError", "├── DecodingError")
    assert wrong != errors.__doc__
    assert drawn(wrong) != real()


def test_everything_raised_is_exported() -> None:
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert defined == set(errors.__all__)


def test_names_of_v6_and_later() -> None:
    assert {
        "ApiCallError",
        "BridgeError",
        "CompassCallError",
        "ConfigurationError",
        "IpfsGatewayCallError",
        "MarketCallError",
        "ObjectNotFoundError",
        "ResultProxyCallError",
        "SmsCallError",
        "ValidationError",
        "Web3ProviderCallError",
        "Web3ProviderError",
        "Web3ProviderSendError",
        "Web3ProviderSignMessageError",
        "WorkerpoolCallError",
    } <= set(CLASSES)


def test_codes_are_words_of_their_own() -> None:
    codes = [cls.code for cls in CLASSES.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in codes)


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_text_copy_and_pickle(cls: type[IExecError]) -> None:
    error = made(cls)
    error.details["n"] = [1]
    error.tx_hash = "0xff"
    assert str(error) == error.message == error.args[0]
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(again) is cls
        assert str(again) == str(error)
        assert vars(again) == vars(error)
        assert again.to_dict() == error.to_dict()


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_json_form(cls: type[IExecError]) -> None:
    error = made(cls)
    found = error.to_dict()
    assert json.loads(json.dumps(found)) == found
    assert found["name"] == cls.__name__
    assert found["code"] == cls.code
    assert found["message"] == str(error)
    assert ("details" in found) == bool(error.details)
    assert ("txHash" in found) == (error.tx_hash is not None)


def test_json_form_of_what_is_set() -> None:
    error = IExecError("m", details={"a": 1}, retryable=True, tx_hash="0x1")
    assert error.to_dict() == {
        "name": "IExecError",
        "code": "error",
        "message": "m",
        "details": {"a": 1},
        "retryable": True,
        "txHash": "0x1",
    }
    assert IExecError("m").to_dict() == {"name": "IExecError", "code": "error", "message": "m"}


def test_details_are_a_copy() -> None:
    details = {"a": 1}
    error = IExecError("m", details=details)
    details["a"] = 2
    assert error.details == {"a": 1}


def test_cause_is_the_chain_of_python() -> None:
    low = OSError("low")
    error = IExecError("m", cause=low)
    assert error.cause is error.__cause__ is low
    with pytest.raises(IExecError) as caught:
        raise IExecError("m") from low
    assert caught.value.cause is low
    assert IExecError("m").cause is None


def test_validation_lists_every_fault() -> None:
    assert ValidationError("a").errors == ("a",)
    error = ValidationError.collect(iter(["a", "b"]))
    assert error.errors == ("a", "b")
    assert str(error) == "a; b"
    assert type(MatchError.collect(["a"])) is MatchError
    assert type(DecodingError.collect(["a"])) is DecodingError


def test_object_not_found() -> None:
    error = ObjectNotFoundError("deal", "0x12", 134)
    assert str(error) == "No deal found for id 0x12 on chain 134"
    assert (error.obj_name, error.object_id, error.chain_id) == ("deal", "0x12", 134)
    assert error.details == {"objName": "deal", "objectId": "0x12", "chainId": "134"}


def test_bridge() -> None:
    low = ValueError("low")
    error = BridgeError("0xabc", low)
    assert str(error) == "Failed to get bridged chain confirmation for transaction 0xabc"
    assert error.send_tx_hash == error.tx_hash == "0xabc"
    assert error.cause is low


def test_user_rejection_is_set_on_the_instance() -> None:
    error = Web3ProviderSendError("no")
    assert error.is_user_rejection is False
    error.is_user_rejection = True
    assert pickle.loads(pickle.dumps(error)).is_user_rejection is True
    assert Web3ProviderSendError("no").is_user_rejection is False


CODES = """
    IExecError error ValidationError validation DecodingError decoding SignatureError signature
    MatchError match ConfigurationError configuration KeystoreError keystore
    WrongPasswordError wrong_password DecryptionError decryption ObjectNotFoundError not_found
    StateError state Web3ProviderError web3_provider Web3ProviderCallError web3_call
    Web3ProviderSendError web3_send OutcomeUnknownError outcome_unknown
    Web3ProviderSignMessageError web3_sign BridgeError bridge ApiCallError api
    MarketCallError market_api SmsCallError sms_api ResultProxyCallError result_proxy_api
    IpfsGatewayCallError ipfs_api CompassCallError compass_api WorkerpoolCallError workerpool_api
    TransportError transport RequestTimeoutError timeout WatchTimeoutError watch_timeout
    SandboxError sandbox
"""


def test_codes_are_words_that_programs_rely_on() -> None:
    """They are never changed: a program that was written for one release compares them."""
    words = iter(CODES.split())
    assert {name: CLASSES[name].code for name in CLASSES} == dict(zip(words, words, strict=True))
    assert len({cls.code for cls in CLASSES.values()}) == len(CLASSES)


def test_a_signature_was_refused_by_a_person_only_where_it_says_so() -> None:
    assert errors.Web3ProviderSignMessageError("no").is_user_rejection is False
    assert errors.EXIT_FAILURE == 1
