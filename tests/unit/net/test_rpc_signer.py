"""A signer that asks a wallet: what it sends, whom it believes, and how a person's no is told.

What a real node signs is tested with one (tests/stack/test_signers.py); here are wallets that
refuse, hang, lie, or know old methods only.
"""

from __future__ import annotations

import copy
import json
import logging
import pickle
import re
from typing import Any

import pytest

from iexec_lite import KeySigner, RpcSigner
from iexec_lite.errors import (
    ConfigurationError,
    IExecError,
    RequestTimeoutError,
    SignatureError,
    TransportError,
    ValidationError,
    Web3ProviderCallError,
    Web3ProviderSendError,
    Web3ProviderSignMessageError,
)
from iexec_lite.eth.signer import SendingSigner, Signer, TransactionSigner
from iexec_lite.eth.transaction import Transaction
from iexec_lite.net.rpc import RpcError
from iexec_lite.testing import TYPED

from .conftest import Call, Serve

KEY = KeySigner.from_key("0x" + "11" * 32)
WHO = KEY.address
OTHER = KeySigner.from_key("0x" + "22" * 32)
HASH = "0x" + "ab" * 32
SIGNED = "0x" + KEY.sign_typed_data(TYPED).hex()
TX = Transaction(
    nonce=3, gas=21000, to=b"\x22" * 20, value=0, data=b"\x01", chain_id=7, gas_price=9
)


class ProviderError(Exception):
    def __init__(self, code: int | str, message: str, data: object = None) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data


class Wallet:
    """``answers[method]`` is what it gives, or raises; everything asked is kept."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {"eth_accounts": [WHO.lower()], "eth_chainId": "0x7"}
        self.answers |= answers
        self.calls: list[tuple[str, list[Any]]] = []

    def __call__(self, method: str, params: Any) -> object:
        self.calls.append((method, list(params)))
        answer = self.answers.get(method, ProviderError(-32601, f"the method {method} is unknown"))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @property
    def methods(self) -> list[str]:
        return [method for method, _ in self.calls]


def test_what_it_can_do() -> None:
    signer = RpcSigner(Wallet())
    assert isinstance(signer, Signer)
    assert isinstance(signer, SendingSigner)
    assert not isinstance(signer, TransactionSigner)
    for copier in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(ValidationError) as caught:
            copier(signer)
        assert str(caught.value) == "a signer cannot be copied or pickled: make another instead"


# --- accounts -------------------------------------------------------------------------------------


def test_nothing_is_asked_before_it_is_needed() -> None:
    wallet = Wallet()
    signer = RpcSigner(wallet)
    assert repr(signer) == "<RpcSigner of the first account at https://in-process>"
    assert wallet.calls == []
    assert signer.address == signer.address == WHO
    assert wallet.methods == ["eth_accounts"]
    assert RpcSigner(wallet, WHO.lower()).address == WHO
    assert wallet.methods == ["eth_accounts"]


@pytest.mark.parametrize("shown", [[], None, ProviderError(4100, "not connected")])
def test_a_wallet_that_wants_to_be_asked(shown: object) -> None:
    wallet = Wallet(eth_accounts=shown, eth_requestAccounts=[WHO, OTHER.address])
    assert RpcSigner(wallet).address == WHO
    assert wallet.methods == ["eth_accounts", "eth_requestAccounts"]


def test_a_wallet_that_is_busy_is_not_asked_for_more() -> None:
    wallet = Wallet(eth_accounts=ProviderError(-32005, "too many requests"))
    with pytest.raises(RpcError, match="too many requests"):
        _ = RpcSigner(wallet).address
    assert wallet.methods == ["eth_accounts"]


def test_no_account() -> None:
    refusal = ProviderError(4001, "User rejected the request.")
    wallet = Wallet(eth_accounts=[], eth_requestAccounts=refusal)
    with pytest.raises(Web3ProviderSignMessageError) as caught:
        _ = RpcSigner(wallet).address
    assert caught.value.is_user_rejection
    assert wallet.methods == ["eth_accounts", "eth_requestAccounts"]
    for asked in ({}, {"eth_requestAccounts": []}, {"eth_requestAccounts": "0x12"}):
        wallet = Wallet(eth_accounts=[], **asked)
        with pytest.raises(ConfigurationError) as none:
            _ = RpcSigner(wallet).address
        assert str(none.value) == (
            "https://in-process shows no account: unlock one, or allow this program to use it"
        )
        assert wallet.methods == ["eth_accounts", "eth_requestAccounts"]
    wallet = Wallet(eth_accounts=[], eth_requestAccounts=ProviderError(-32000, "broken"))
    with pytest.raises(RpcError, match="broken"):
        _ = RpcSigner(wallet).address
    for junk in (["0x12"], [None], [WHO[:-1] + "g"]):
        with pytest.raises(ValidationError, match=r"ethereum address \(the wallet's account\)$"):
            _ = RpcSigner(Wallet(eth_accounts=junk)).address


# --- signatures -----------------------------------------------------------------------------------


def test_what_is_asked() -> None:
    wallet = Wallet(
        personal_sign="0x" + KEY.sign_message(b"\x01\x02").hex(), eth_signTypedData_v4=SIGNED
    )
    signer = RpcSigner(wallet)
    assert signer.sign_message(b"\x01\x02") == KEY.sign_message(b"\x01\x02")
    assert signer.sign_typed_data(TYPED) == KEY.sign_typed_data(TYPED)
    assert wallet.calls[1] == ("personal_sign", ["0x0102", WHO])  # bytes first, as wallets have it
    method, (account, document) = wallet.calls[2]
    assert (method, account, json.loads(document)) == ("eth_signTypedData_v4", WHO, TYPED.to_dict())
    for wrong in ("text", "0x0102", None):
        with pytest.raises(ValidationError, match=r"^a message to sign must be bytes: "):
            signer.sign_message(wrong)  # type: ignore[arg-type]
        with pytest.raises(
            ValidationError,
            match=r"^typed data must be a TypedData: make it with TypedData\.from_dict$",
        ):
            signer.sign_typed_data(wrong)  # type: ignore[arg-type]
    assert len(wallet.calls) == 3


@pytest.mark.parametrize(
    "error",
    [
        ProviderError(-32601, "?"),
        ProviderError(4200, "?"),
        ProviderError(-32004, "?"),
        ProviderError(-32000, "method not supported"),
        ProviderError(-32000, "method is not available"),
        ProviderError(-32000, "method not implemented"),
        ProviderError(-32000, "method eth_x unknown"),
        ProviderError(-32000, "method eth_x unsupported"),
        ProviderError(-32000, "Unknown method"),
        ProviderError(-32000, "unsupported method eth_x"),
        ProviderError(-32601, "Method not found"),
        ProviderError(4200, "The Provider does not support the requested method."),
        ProviderError(-32004, "Method not supported"),
        ProviderError(-32603, "Not implemented"),
        ProviderError(-32000, "the method eth_signTypedData_v4 does not exist/is not available"),
    ],
)
def test_an_older_method_where_the_new_one_is_unknown(error: Exception) -> None:
    wallet = Wallet(eth_signTypedData_v4=error, eth_signTypedData_v3=SIGNED)
    assert RpcSigner(wallet).sign_typed_data(TYPED) == KEY.sign_typed_data(TYPED)
    assert wallet.methods[1:] == ["eth_signTypedData_v4", "eth_signTypedData_v3"]


@pytest.mark.parametrize(
    "error",
    [
        ProviderError(4001, "User rejected the request."),
        ProviderError(4001, "Method not found"),  # whatever it says
        ProviderError(4100, "The requested account has not been authorized by the user."),
        ProviderError("ACTION_REJECTED", "no"),
        ProviderError(-32603, 'user rejected action (code="ACTION_REJECTED")'),
        ProviderError(-32000, "MetaMask Tx Signature: User denied transaction signature."),
        ProviderError(-32000, "Request denied"),
        ProviderError(5000, "Rejected by user"),
        ProviderError(4001, "?"),
        ProviderError(4100, "?"),
        ProviderError(-32000, "User declined"),
        ProviderError(-32000, "User cancelled"),
        ProviderError(-32000, "user canceled"),
        ProviderError(-32000, "User disapproved requested methods"),
        ProviderError(-32000, "cancelled by the user"),
        ProviderError(-32000, "request denied"),
    ],
)
def test_a_persons_no_is_final(error: Exception) -> None:
    wallet = Wallet(
        **dict.fromkeys(("personal_sign", "eth_signTypedData_v4", "eth_sendTransaction"), error),
        eth_signTypedData_v3=SIGNED,
    )
    signer = RpcSigner(wallet)
    for act in (lambda: signer.sign_message(b"x"), lambda: signer.sign_typed_data(TYPED)):
        with pytest.raises(Web3ProviderSignMessageError) as caught:
            act()
        assert caught.value.is_user_rejection
    with pytest.raises(Web3ProviderSendError) as sent:
        signer.send_transaction(TX)
    assert sent.value.is_user_rejection
    assert "eth_signTypedData_v3" not in wallet.methods
    assert pickle.loads(pickle.dumps(sent.value)).is_user_rejection


@pytest.mark.parametrize(
    "error",
    [
        ProviderError(-32603, "internal error"),
        ProviderError(-32000, "device is busy"),
        ProviderError(-32000, "it is not implemented"),
    ],
)
def test_other_failures_are_no_refusals(error: Exception) -> None:
    wallet = Wallet(
        personal_sign=error,
        eth_signTypedData_v4=error,
        eth_sendTransaction=error,
        eth_signTypedData_v3=SIGNED,
    )
    signer = RpcSigner(wallet)
    for act in (lambda: signer.sign_message(b"x"), lambda: signer.sign_typed_data(TYPED)):
        with pytest.raises(Web3ProviderSignMessageError) as caught:
            act()
        assert not caught.value.is_user_rejection
    with pytest.raises(Web3ProviderCallError):  # not a send error: perhaps it was sent
        signer.send_transaction(TX)
    assert "eth_signTypedData_v3" not in wallet.methods


def test_a_contract_that_speaks_like_a_person() -> None:
    words = f"{32:064x}{13:064x}" + b"user rejected".hex().ljust(64, "0")
    wallet = Wallet(
        eth_sendTransaction=ProviderError(
            3, "execution reverted: user rejected", "0x08c379a0" + words
        )
    )
    with pytest.raises(Web3ProviderCallError) as caught:
        RpcSigner(wallet).send_transaction(TX)
    assert not isinstance(caught.value, Web3ProviderSendError)


@pytest.mark.parametrize(
    "answer",
    [
        *("0x" + OTHER.sign_typed_data(TYPED).hex(), "0x" + KEY.sign_message(b"y").hex()),
        *("0x", "0x" + "00" * 65),
    ],
)
def test_a_wrong_signature_is_never_used(answer: str) -> None:
    wallet = Wallet(eth_signTypedData_v4=answer, personal_sign=answer, eth_signTypedData_v3=SIGNED)
    signer = RpcSigner(wallet)
    for act in (lambda: signer.sign_message(b"x"), lambda: signer.sign_typed_data(TYPED)):
        with pytest.raises(SignatureError):
            act()
    assert "eth_signTypedData_v3" not in wallet.methods


@pytest.mark.parametrize("answer", [None, 5, "abc", "0xabc", [], {}])
def test_an_answer_that_is_no_signature(answer: object) -> None:
    signer = RpcSigner(Wallet(personal_sign=answer, eth_signTypedData_v4=answer))
    for act, method in (
        (lambda: signer.sign_message(b"x"), "personal_sign"),
        (lambda: signer.sign_typed_data(TYPED), "eth_signTypedData_v4"),
    ):
        with pytest.raises(Web3ProviderSignMessageError) as caught:
            act()
        assert str(caught.value) == (
            f"the node gave no 0x hex data for {method}; check its URL, or use another node"
        )
        assert not caught.value.is_user_rejection


# --- transactions ---------------------------------------------------------------------------------


def test_the_fields_of_a_transaction() -> None:
    wallet = Wallet(eth_sendTransaction=HASH)
    assert RpcSigner(wallet, WHO).send_transaction(TX) == bytes.fromhex(HASH[2:])
    assert wallet.methods == ["eth_chainId", "eth_sendTransaction"]
    assert wallet.calls[1][1] == [
        {
            **{"from": WHO, "to": "0x" + "22" * 20, "data": "0x01", "value": "0x0"},
            **{"gas": "0x5208", "gasPrice": "0x9", "nonce": "0x3", "chainId": "0x7"},
        }
    ]
    fees = {"max_fee_per_gas": 8, "max_priority_fee_per_gas": 1}
    RpcSigner(wallet, WHO).send_transaction(
        Transaction(nonce=0, gas=1, to=None, value=5, data=b"", chain_id=7, **fees)
    )
    assert wallet.calls[3][1] == [
        {
            **{"from": WHO, "data": "0x", "value": "0x5", "gas": "0x1", "nonce": "0x0"},
            **{"maxFeePerGas": "0x8", "maxPriorityFeePerGas": "0x1", "chainId": "0x7"},
        }
    ]


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ProviderError(-32601, "Method not found"), "Method not found"),
        (ProviderError(-32602, "No Signer available"), "No Signer"),
        (ProviderError(-32000, "unknown account"), "unknown account"),
        (ProviderError(-32000, "authentication needed: password or unlock"), "unlock"),
        (ProviderError(-32000, "insufficient funds for gas"), "insufficient funds"),
        (ProviderError(-32000, "nonce too low"), "nonce has already been used"),
        (ProviderError(-32000, "unknown address"), "unknown address"),
        (ProviderError(-32000, "account is locked"), "account is locked"),
        (ProviderError(-32000, "the wallet is locked"), "wallet is locked"),
        (ProviderError(-32000, "replacement transaction underpriced"), "replacement fee too low"),
        (ProviderError(-32000, "intrinsic gas too low"), "intrinsic gas too low"),
    ],
)
def test_surely_not_sent(error: Exception, text: str) -> None:
    wallet = Wallet(eth_sendTransaction=error)
    with pytest.raises(Web3ProviderSendError, match=text) as caught:
        RpcSigner(wallet, WHO).send_transaction(TX)
    assert not caught.value.is_user_rejection
    assert caught.value.details == {
        **{"rpcCode": error.code, "nodeMessage": error.message},  # type: ignore[attr-defined]
        "method": "eth_sendTransaction",
    }
    assert wallet.methods.count("eth_sendTransaction") == 1


NO_HASH = "the node gave no 0x hex data for the hash of the transaction"
BYTES = "the node gave {} bytes for the hash of the transaction instead of 32"


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (None, NO_HASH),
        ("0x", BYTES.format(0)),
        ("0x12", BYTES.format(1)),
        (HASH + "00", BYTES.format(33)),
        (5, NO_HASH),
        (ValueError("gone"), "the provider function failed: ValueError"),
        (ProviderError(-1, "what?"), "processing response error: what? (if it stays so"),
        (ProviderError(-1, "already known"), "processing response error: already known (the node"),
        (ProviderError(3, "execution reverted"), "call revert exception (execution reverted)"),
    ],
)
def test_perhaps_sent(answer: object, text: str) -> None:
    wallet = Wallet(eth_sendTransaction=answer)
    with pytest.raises(IExecError, match=f"^{re.escape(text)}") as caught:
        RpcSigner(wallet, WHO).send_transaction(TX)
    assert not isinstance(caught.value, Web3ProviderSendError)
    assert wallet.methods.count("eth_sendTransaction") == 1


@pytest.mark.parametrize(
    ("chain", "text"),
    [
        (
            "0x8",
            "the wallet is on chain 8, the transaction is for 7: switch the wallet, it was not "
            "asked",
        ),
        (
            ValueError(),
            "the wallet was not asked, its chain is unknown: the provider function failed: "
            "ValueError",
        ),
        (
            7,
            "the wallet was not asked, its chain is unknown: the node gave no 0x hex number for "
            "eth_chainId; check its URL, or use another node",
        ),
    ],
)
def test_the_chain_is_asked_each_time(chain: object, text: str) -> None:
    wallet = Wallet(eth_sendTransaction=HASH)
    signer = RpcSigner(wallet, WHO)
    signer.send_transaction(TX)
    wallet.answers["eth_chainId"] = chain
    with pytest.raises(Web3ProviderSendError) as caught:
        signer.send_transaction(TX)
    assert str(caught.value) == text
    assert wallet.methods.count("eth_sendTransaction") == 1


# --- over HTTP ------------------------------------------------------------------------------------

SECRET = "s3cr3t-project-key"


def test_a_person_is_asked_once(serve: Serve) -> None:
    """No status and no cut makes it ask again, not even for the accounts."""
    for behaviour in (
        lambda call: call.reply(503, b"", {"Retry-After": "0"}),
        lambda call: call.reply(429, b""),
        lambda call: call.raw(b""),
    ):
        server = serve(cut(behaviour))
        for act in (
            lambda signer: signer.sign_message(b"x"),
            lambda signer: signer.sign_typed_data(TYPED),
            lambda signer: signer.send_transaction(TX),  # does not come further than the chain
        ):
            signer = RpcSigner(server.url, WHO)
            with pytest.raises(IExecError):
                act(signer)
            signer.close()
        with pytest.raises(IExecError):
            _ = RpcSigner(server.url).address
        assert len(server.calls) == 4


def test_a_send_is_asked_once(serve: Serve) -> None:
    def reply(call: Call) -> None:
        item = json.loads(call.data)
        if item["method"] == "eth_sendTransaction":
            call.close_connection = True  # after the wallet has done its work
        else:
            call.reply_json({"jsonrpc": "2.0", "id": item["id"], "result": "0x7"})

    server = serve(reply)
    signer = RpcSigner(server.url, WHO)
    with pytest.raises(TransportError):
        signer.send_transaction(TX)
    assert len(server.calls) == 2
    signer.close()


def cut(behaviour: Any) -> Any:
    def once(call: Call) -> None:
        behaviour(call)
        call.close_connection = True

    return once


def test_a_wallet_that_never_answers(serve: Serve) -> None:
    server = serve(lambda call: call.reply_json({}))
    server.pause = 5
    with pytest.raises(RequestTimeoutError):
        RpcSigner(server.url, WHO, timeout=0.2).sign_message(b"x")
    assert RpcSigner(server.url, WHO)._http.timeout.total == 600


def test_no_key_of_a_url_is_shown(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def echo(call: Call) -> None:
        asked = json.loads(call.data)
        words = f"{call.path} {call.headers['authorization']} is not allowed"
        call.reply_json(
            {"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -1, "message": words}}
        )

    server = serve(echo)
    url = server.url.replace("://", f"://:{SECRET}@") + f"/v3/{SECRET}?key={SECRET}"
    signer = RpcSigner(url, WHO)
    with pytest.raises(Web3ProviderSignMessageError, match="is not allowed") as caught:
        signer.sign_message(b"x")
    assert SECRET in server.calls[0][1]
    basic = server.calls[0][2]["authorization"].split()[1]
    shown = (
        f"{signer!r} {caught.value!r} {caught.value.to_dict()} {caught.value.cause!r} {caplog.text}"
    )
    assert SECRET not in shown
    assert basic not in shown
    signer.close()


@pytest.mark.parametrize("url", ["ws://127.0.0.1:1", "wss://x.org", "ftp://x.org", "", "x"])
def test_urls_that_cannot_be(url: str) -> None:
    with pytest.raises(ConfigurationError):
        RpcSigner(url)


def test_plain_http_needs_a_word() -> None:
    with pytest.raises(ConfigurationError, match="unprotected"):
        _ = RpcSigner("http://wallet.example").address
    with pytest.raises(TransportError):
        _ = RpcSigner("http://wallet.invalid", allow_plain_http=True, timeout=5).address
