"""Result keys and storage tokens: the bytes of services.md §2.2, §2.4, §3, and every refusal."""

from __future__ import annotations

import base64
import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from iexec_lite import IExec, SignedRequest
from iexec_lite.errors import (
    ApiCallError,
    ConfigurationError,
    IExecError,
    ResultProxyCallError,
    SignatureError,
    SmsCallError,
    StateError,
    ValidationError,
)
from iexec_lite.eth.crypto import rsa_generate
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol.authorization import (
    MARKET,
    RESULT_PROXY,
    new_challenge,
    web2_secret_digest,
)
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.detached import SigningRequest
from iexec_lite.protocol.rules import V6, V9
from iexec_lite.protocol.units import shown
from iexec_lite.sdk.secrets import check_name, check_secret

KEY = "0x564a9db84969c8159f7aa3d5393c5ecd014fce6a375842a45b12af6677b12407"
ME = "0x7bd4783FDCAD405A28052a0d1f11236A741da593"
SIGNER = KeySigner.from_key(KEY)
HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
TOKEN_PATH = f"/secrets/web2?ownerAddress={ME}&secretName=iexec-result-iexec-ipfs-token"
KEY_PATH = f"/secrets/web2?ownerAddress={ME}&secretName=iexec-result-encryption-public-key"
FOO_SIGNATURE = (
    "0x0202a51da23b4487f06185c97a5d8a01ac2364828110ce8206a5c301e4aa04e5"
    "1b3e13e9059247b5fa6313e846e996bc35f2b3ccad877f9d052b8feb4dd0aa621b"
)
LOGIN = (
    "0xf01134772bde1e25134a9113405e9f9874fa6446f99d0daf3d36791980e182ff_"
    "0xdf5cb5bbfe990a4f33b0b41122bc8911e1e6cf97df67d8b14c7d94a00c64d5d7"
    f"0bb0e771838ce8f50142bc38626b661f56a8c8e9fecd50b542905ffdddecd4ab1c_{ME}"
)


class Service(ThreadingHTTPServer):
    """Answers with what is in ``answers`` for (method, path), else 404; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.types: dict[tuple[str, str], str] = {}  # of content
        self.asked: list[tuple[str, str, str | None, str | None, bytes]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length)
                server.asked.append(
                    (
                        self.command,
                        self.path,
                        self.headers.get("Authorization"),
                        self.headers.get("Content-Type"),
                        body,
                    )
                )
                status, content = server.answers.get((self.command, self.path), (404, b""))
                if status == 0:  # cut
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                if (self.command, self.path) in server.types:
                    self.send_header("Content-Type", server.types[self.command, self.path])
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_HEAD = do_GET = do_POST = do_PUT = answer

        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def methods(self) -> list[str]:
        return [each[0] for each in self.asked]


@pytest.fixture
def service() -> Iterator[Service]:
    server = Service()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def client(service: Service, *, key: str | None = KEY, rules: Any = V6) -> IExec:
    chain = Chain(
        id=133,
        name="here",
        host="http://127.0.0.1:1",
        hub=HUB,
        sms=service.url,
        result_proxy=service.url,
        rules=rules,
    )
    return IExec(chain, key)


@pytest.fixture(scope="module")
def rsa() -> tuple[str, str]:
    return rsa_generate(2048)


# --- what travels -------------------------------------------------------------------------------


def test_a_first_token_is_posted(service: Service) -> None:
    service.answers["POST", TOKEN_PATH] = 204, b""
    with client(service) as iexec:
        pushed = iexec.storage.push_storage_token("foo")
    assert pushed.to_dict() == {"isPushed": True, "isUpdated": False}
    assert service.asked == [
        ("HEAD", TOKEN_PATH, None, None, b""),
        ("POST", TOKEN_PATH, FOO_SIGNATURE, "text/plain", b"foo"),
    ]


def test_another_token_is_put(service: Service) -> None:
    service.answers["HEAD", TOKEN_PATH] = service.answers["PUT", TOKEN_PATH] = 204, b""
    with client(service) as iexec:
        with pytest.raises(StateError) as caught:
            iexec.storage.push_storage_token("foo", provider="ipfs")
        assert caught.value.message == (
            f'Secret "iexec-result-iexec-ipfs-token" already exists for {ME}: replace it with '
            "force_update=True"
        )
        pushed = iexec.storage.push_storage_token("foo", provider="ipfs", force_update=True)
    assert pushed.to_dict() == {"isPushed": True, "isUpdated": True}
    assert service.asked[-1] == ("PUT", TOKEN_PATH, FOO_SIGNATURE, "text/plain", b"foo")
    assert service.methods() == ["HEAD", "PUT"]  # that it is set is known by then


class Turns(dict[tuple[str, str], tuple[int, bytes]]):
    """Answers by method, each given once."""

    def __init__(self, **turns: list[int]) -> None:
        self.turns = turns

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return self.turns[key[0]].pop(0), b""


def test_a_token_that_another_program_sets_meanwhile(service: Service) -> None:
    with client(service) as iexec:
        service.answers = Turns(HEAD=[404, 204], POST=[409], PUT=[204])
        pushed = iexec.storage.push_storage_token("foo", force_update=True)
        assert service.methods() == ["HEAD", "POST", "HEAD", "PUT"]
        assert pushed.to_dict() == {"isPushed": True, "isUpdated": True}
    with client(service) as iexec:
        service.answers = Turns(HEAD=[404, 404], POST=[401])
        with pytest.raises(StateError, match="not allowed"):
            iexec.storage.push_storage_token("foo", force_update=True)


def test_dropbox_has_a_name_of_its_own(service: Service) -> None:
    path = TOKEN_PATH.replace("iexec-ipfs", "dropbox")
    service.answers["HEAD", path] = 204, b""
    with client(service, key=None) as iexec:
        assert iexec.storage.check_storage_token_exists(ME.lower(), provider="dropbox")
        assert not iexec.storage.check_storage_token_exists(ME)
        with pytest.raises(ValidationError) as caught:
            iexec.storage.check_storage_token_exists(ME, provider="s3")
        assert caught.value.message == (
            '"s3" not supported: a storage provider is default, ipfs, dropbox'
        )


def test_a_result_key_travels_as_base64_of_its_pem(service: Service, rsa: tuple[str, str]) -> None:
    service.answers["POST", KEY_PATH] = 204, b""
    encoded = base64.b64encode(rsa[1].encode())
    for given in (rsa[1], encoded.decode()):
        with client(service) as iexec:
            iexec.result.push_result_encryption_key(given)
        assert service.asked[-1][4] == encoded
    with client(service, key=None) as iexec:
        assert not iexec.result.check_result_encryption_key_exists(ME)


def test_login(service: Service) -> None:
    document = new_challenge(RESULT_PROXY, 133, "abc").to_dict()
    document["domain"]["verifyingContract"] = ""  # type: ignore[index]  # as the real one
    challenge = f"/results/challenge?address={ME}&chainId=133"
    service.answers["GET", challenge] = 200, json.dumps(document).encode()
    service.answers["POST", "/results/login?chainId=133"] = 200, b"a.b."
    with client(service) as iexec:
        assert iexec.storage.default_storage_login() == "a.b."
    method, path, _, kind, body = service.asked[1]
    assert (method, path, kind, body.decode()) == (
        "POST",
        "/results/login?chainId=133",
        "text/plain",
        LOGIN,
    )


# --- signed elsewhere ---------------------------------------------------------------------------


def elsewhere(request: SigningRequest) -> dict[str, Any]:
    """Carried to the key as JSON, signed, carried back."""
    there = SigningRequest.from_dict(json.loads(json.dumps(request.to_dict())))
    return json.loads(json.dumps(there.sign(SIGNER).to_dict()))


def test_pushes_and_login_signed_elsewhere(service: Service, rsa: tuple[str, str]) -> None:
    service.answers["POST", TOKEN_PATH] = service.answers["POST", KEY_PATH] = 204, b""
    document = json.dumps(new_challenge(RESULT_PROXY, 133, "abc").to_dict()).encode()
    service.answers["GET", f"/results/challenge?address={ME}&chainId=133"] = 200, document
    service.answers["POST", "/results/login?chainId=133"] = 200, b"foo"
    with client(service, key=None) as iexec:
        storage, result = iexec.storage, iexec.result
        login = elsewhere(storage.login_challenge(address=ME))
        token = storage.default_storage_login(authorization=login)
        request = storage.push_storage_token_request(token, address=ME)
        assert request.what == f"set the secret iexec-result-iexec-ipfs-token of {ME}"
        assert token not in json.dumps(request.to_dict()).replace(request.what, "")
        storage.push_storage_token(token, signature=elsewhere(request))
        request = result.push_result_encryption_key_request(rsa[1], address=ME)
        result.push_result_encryption_key(
            rsa[1], signature=SignedRequest.from_dict(elsewhere(request))
        )
    assert service.asked[1][4].decode() == LOGIN
    assert service.asked[3] == ("POST", TOKEN_PATH, FOO_SIGNATURE, "text/plain", b"foo")


def test_a_signature_over_something_else(service: Service) -> None:
    with client(service, key=None) as iexec:
        signed = elsewhere(iexec.storage.push_storage_token_request("foo", address=ME))
        with pytest.raises(SignatureError, match="something else"):
            iexec.storage.push_storage_token("bar", signature=signed)
        with pytest.raises(SignatureError, match="no login"):
            iexec.storage.default_storage_login(authorization=signed)
        market = SigningRequest(
            what="log in", address=ME, chain_id=133, payload=new_challenge(MARKET, 133, "abc")
        )
        with pytest.raises(ValidationError, match="no login challenge"):
            iexec.storage.default_storage_login(authorization=elsewhere(market))
        with pytest.raises(ConfigurationError, match="Missing Signer"):
            iexec.storage.push_storage_token("foo")
    assert "POST" not in service.methods()


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "error", "message"),
    [
        (401, StateError, "not allowed"),
        (409, StateError, "already exists"),
        (413, SmsCallError, "too long"),
        (400, SmsCallError, "unexpected status: 400"),
        (500, SmsCallError, "unexpected status: 500.* not known whether"),
        (0, SmsCallError, "not known whether"),
    ],
)
def test_the_sms_refuses(
    service: Service, status: int, error: type[IExecError], message: str
) -> None:
    service.answers["POST", TOKEN_PATH] = status, b""
    with client(service) as iexec, pytest.raises(error, match=message) as caught:
        iexec.storage.push_storage_token("s3cr3t")
    assert "s3cr3t" not in f"{caught.value!r} {caught.value.to_dict()}"
    assert service.methods() == ["HEAD", "POST"]  # never repeated


def test_a_page_of_somebody_in_between_is_no_answer(service: Service) -> None:
    """A network that wants a login answers 200 to everything: nothing is set, or known to be."""
    service.types["HEAD", TOKEN_PATH] = service.types["POST", TOKEN_PATH] = "text/html"
    service.answers["HEAD", TOKEN_PATH] = 200, b""
    with client(service) as iexec:
        with pytest.raises(SmsCallError, match="unexpected status: 200"):
            iexec.storage.check_storage_token_exists(ME)
        service.answers["HEAD", TOKEN_PATH] = 404, b""
        service.answers["POST", TOKEN_PATH] = 200, b"<html>log in</html>"
        with pytest.raises(SmsCallError, match="not known whether the secret is set"):
            iexec.storage.push_storage_token("s3cr3t")
        assert iexec.storage.check_storage_token_exists(ME) is False


@pytest.mark.parametrize(
    ("challenge", "login", "error", "message"),
    [
        ((500, b""), (200, b"t"), ResultProxyCallError, "Failed to get authorization.* 500"),
        ((200, b"<html>"), (200, b"t"), ResultProxyCallError, "Failed to get authorization"),
        ((200, b"{}"), (200, b"t"), ApiCallError, "Failed to get authorization"),
        ((0, b""), (200, b"t"), ResultProxyCallError, "Failed to get authorization"),
        (None, (401, b""), ResultProxyCallError, "login failed: .* answered 401"),
        (None, (500, b""), ResultProxyCallError, "login failed: .* answered 500"),
        (None, (200, b""), ResultProxyCallError, "not a token"),
        (None, (200, b"two words"), ResultProxyCallError, "not a token"),
        (None, (200, b"<html></html>"), ResultProxyCallError, "not a token"),
        (None, (200, b'{"error":"busy"}'), ResultProxyCallError, "not a token"),
        (None, (0, b""), ResultProxyCallError, "didn't answer"),
    ],
)
def test_the_result_proxy_refuses(
    service: Service, challenge: Any, login: Any, error: type[IExecError], message: str
) -> None:
    good = 200, json.dumps(new_challenge(RESULT_PROXY, 133, "abc").to_dict()).encode()
    service.answers["GET", f"/results/challenge?address={ME}&chainId=133"] = challenge or good
    service.answers["POST", "/results/login?chainId=133"] = login
    with client(service) as iexec, pytest.raises(error, match=message):
        iexec.storage.default_storage_login()
    assert service.methods().count("POST") <= 1


def test_an_order_in_the_place_of_a_challenge_is_not_signed(service: Service) -> None:
    with client(service) as iexec:
        order = iexec.order.create_apporder(HUB)
    from iexec_lite.protocol import orders

    document = orders.typed_data(order.salted(bytes(32)), orders.domain(133, HUB)).to_dict()
    path = f"/results/challenge?address={ME}&chainId=133"
    service.answers["GET", path] = 200, json.dumps(document).encode()
    with client(service) as iexec, pytest.raises(ApiCallError, match=r"has no text|refusing"):
        iexec.storage.default_storage_login()
    assert service.methods() == ["GET"]


@pytest.mark.parametrize("value", ["", "x" * 4097, None, b"foo", 5])
def test_unusable_tokens(service: Service, value: Any) -> None:
    size = len(value) if isinstance(value, str) else None
    fault = (
        f"must be text, not {type(value).__name__}"
        if size is None
        else f"has {size} bytes: it must have 1 to 4096"
    )
    with client(service) as iexec:
        for call in (iexec.storage.push_storage_token, iexec.storage.push_storage_token_request):
            with pytest.raises(ValidationError) as caught:
                call(value)
            assert caught.value.message == f"the token {fault}"
        with pytest.raises(ValidationError, match=r"^user: 0x1 is not "):
            iexec.storage.check_storage_token_exists("0x1")
    assert not service.asked


def test_without_a_result_proxy() -> None:
    with IExec(Chain(id=133, name="here", host="http://n", hub=HUB, rules=V6), KEY) as iexec:
        for call in (iexec.storage.default_storage_login, iexec.storage.login_challenge):
            with pytest.raises(ConfigurationError) as caught:
                call()
            assert caught.value.message == (
                "result_proxy_url option not set and no default value for your chain 133"
            )


def test_the_largest_secret(service: Service) -> None:
    assert check_secret("x" * 4096, "the token") == "x" * 4096
    assert check_secret("x", "the token") == "x"
    for value, size in (("é" * 2049, 4098), ("x" * 4097, 4097), ("", 0)):
        with pytest.raises(ValidationError) as caught:
            check_secret(value, "the token")
        assert caught.value.message == f"the token has {size} bytes: it must have 1 to 4096"


def test_unusable_result_keys(service: Service, rsa: tuple[str, str]) -> None:
    private, public = rsa
    form = (
        "^a result encryption key is an RSA public key: PEM text beginning with "
        "-----BEGIN PUBLIC KEY-----, or base64 of it"
    )
    mine = f"{form}; this is a private key, keep it to yourself$"
    bad = {
        private: mine,
        base64.b64encode(private.encode()).decode(): mine,
        "foo": f"{form}$",
        "": "^the result encryption key has 0 bytes: it must have 1 to 4096$",
        f"!{base64.b64encode(public.encode()).decode()}": f"{form}$",
        public + "\n" * 3500: "^the result encryption key has 5[0-9]{3} bytes: it must have 1 to",
        public.replace("M", "!", 5): "unusable RSA public key: .* a part of it is missing",
        "-----BEGIN PUBLIC KEY-----\n": "unusable RSA public key",
    }
    with client(service) as iexec:
        for value, message in bad.items():
            with pytest.raises(ValidationError, match=message) as caught:
                iexec.result.push_result_encryption_key(value)
            assert private[100:140] not in str(caught.value)
    assert not service.asked


def test_an_offline_client_asks_no_service(service: Service) -> None:
    chain = Chain(id=133, name="here", hub=HUB, sms=service.url, result_proxy=service.url, rules=V6)
    with IExec.offline(KEY, chain=chain) as iexec:
        for call in (
            iexec.storage.default_storage_login,
            iexec.storage.login_challenge,
            lambda: iexec.storage.push_storage_token("foo"),
            lambda: iexec.storage.check_storage_token_exists(ME),
            lambda: iexec.result.check_result_encryption_key_exists(ME),
        ):
            with pytest.raises(ConfigurationError, match="This client is offline"):
                call()
        assert iexec.storage.push_storage_token_request("foo").sign(SIGNER)
    assert not service.asked


def test_networks_without_a_storage_login(service: Service) -> None:
    with client(service, rules=V9) as iexec:
        for call in (iexec.storage.default_storage_login, iexec.storage.login_challenge):
            with pytest.raises(ConfigurationError) as caught:
                call()
            assert caught.value.message == (
                "there is no storage login on here: its workers store results without a token of "
                "yours"
            )


def test_nothing_secret_is_logged(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    service.answers["POST", TOKEN_PATH] = 204, b""
    with caplog.at_level(logging.DEBUG), client(service) as iexec:
        iexec.storage.push_storage_token("s3cr3t")
    assert caplog.records
    assert "s3cr3t" not in caplog.text
    assert "0202a5" not in caplog.text


# --- secrets of today's networks ----------------------------------------------------------------

NAMED = f"/requesters/{ME}/secrets/login"


def test_a_named_secret_is_kept_in_mind(service: Service) -> None:
    """After a push nobody asks whether it is there."""
    service.answers["POST", NAMED] = 204, b""
    with client(service, rules=V9) as iexec:
        assert iexec.secrets.push_requester_secret("login", "foo").is_updated is None
        assert iexec.secrets.check_requester_secret_exists(ME, "login") is True
    assert service.methods() == ["HEAD", "POST"]
    signature = service.asked[1][2]
    assert signature is not None
    assert len(signature) == 132


def test_named_secrets(service: Service) -> None:
    service.answers["POST", NAMED] = 204, b""
    with client(service, rules=V9) as iexec:
        secrets = iexec.secrets
        request = secrets.push_requester_secret_request("login", "foo")
        assert (request.what, request.address) == (f"set the secret login of {ME}", ME)
        assert request.payload == web2_secret_digest(ME, "login", "foo")
        assert secrets.check_requester_secret_exists(ME, "login") is False
        signed = elsewhere(request)
        found = secrets.push_requester_secret("login", "foo", signature=signed)
        assert found.to_dict() == {"isPushed": True}
        assert service.asked[-1][2] == signed["signature"]
        with pytest.raises(StateError) as caught:
            secrets.push_requester_secret("login", "foo")
        assert caught.value.message == f'Secret "login" already exists for {ME}'
        assert service.methods().count("POST") == 1
        with pytest.raises(ValidationError, match=r"^address: 0x1 is not "):
            secrets.check_requester_secret_exists("0x1", "login")
        for call in (secrets.push_requester_secret, secrets.push_requester_secret_request):
            with pytest.raises(ValidationError, match=r"^the secret has 0 bytes"):
                call("login", "")
    with client(service, rules=V6) as iexec:
        for call in (
            lambda: iexec.secrets.push_requester_secret("login", "foo"),
            lambda: iexec.secrets.check_requester_secret_exists(ME, "login"),
        ):
            with pytest.raises(ConfigurationError) as missing:
                call()
            assert missing.value.message == (
                "the SMS of here keeps no secrets of requesters: today's networks do"
            )


@pytest.mark.parametrize(
    ("name", "good"),
    [
        ("a", True),
        ("A-z_0" + "x" * 59, True),
        ("x" * 65, False),
        ("", False),
        ("a b", False),
        ("a\n", False),
        (5, False),
    ],
)
def test_the_name_of_a_secret(name: Any, good: bool) -> None:
    if good:
        assert check_name(name) == name
        return
    with pytest.raises(ValidationError) as caught:
        check_name(name)
    assert caught.value.message == (
        f"{shown(name)!r} is no name of a secret: it is 1 to 64 letters, digits, - and _"
    )


def test_another_was_faster(service: Service) -> None:
    service.answers["POST", NAMED] = 409, b'{"data":null,"error":["Secret already exists"]}'
    with (
        client(service, rules=V9) as iexec,
        pytest.raises(StateError, match=f'Secret "login" already exists for {ME}'),
    ):
        iexec.secrets.push_requester_secret("login", "foo")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"data":null,"error":["Secret size should not exceed 4 Kb"]}', "should not exceed 4 Kb"),
        (b'{"error":"plain\\u001b[2J"}', "It says: plain [2J"),
        (b'{"error":["no s3cr3t of yours"]}', ""),
        (b"<html>", ""),
        (b"[]", ""),
        (b'{"error":null}', ""),
    ],
)
def test_the_words_of_the_sms(service: Service, body: bytes, said: str) -> None:
    service.answers["POST", NAMED] = 400, body
    with client(service, rules=V9) as iexec, pytest.raises(SmsCallError) as caught:
        iexec.secrets.push_requester_secret("login", "s3cr3t")
    assert "unexpected status: 400" in caught.value.message
    assert said in caught.value.message
    assert said or caught.value.message.endswith("check that the URL is right.")
    assert "s3cr3t" not in str(caught.value.to_dict())


def test_providers_that_take_tokens(service: Service) -> None:
    with client(service, rules=V9) as iexec:
        for call in (
            lambda: iexec.storage.push_storage_token("foo", "ipfs"),
            lambda: iexec.storage.push_storage_token("foo"),
            lambda: iexec.storage.push_storage_token_request("foo"),
            lambda: iexec.storage.check_storage_token_exists(ME),
        ):
            with pytest.raises(ValidationError) as caught:
                call()
            assert caught.value.message.partition("provider ")[2] in [
                f'"{provider}" does not support authentication tokens on here: its workers store '
                "there without a token of yours"
                for provider in ("ipfs", "default")
            ]
        assert iexec.storage.check_storage_token_exists(ME, "dropbox") is False
    assert service.methods() == ["HEAD"]
