"""What strangers' bytes reach: one entry per decoder, all of them ``bytes → what was read``.

``seeds`` are valid cases, ``first`` is the first check of a decoder ("is it JSON, a zip, a list?")
and tells how deep the cases of a run got. ``read`` must return, or raise an error of our own.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import shlex
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from iexec_lite import IExec, KeySigner
from iexec_lite.cli import dispatch, parser
from iexec_lite.errors import DecryptionError, IExecError
from iexec_lite.eth import abi, crypto, keystore, rlp, transaction
from iexec_lite.eth.codec import load_json
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.net.http import Response
from iexec_lite.net.rpc import Rpc, data, quantity
from iexec_lite.net.sms import Sms
from iexec_lite.protocol import archive, detached, orders
from iexec_lite.protocol.chains import Chain, ChainFile
from iexec_lite.protocol.multiaddr import to_bytes, to_text
from iexec_lite.protocol.results import archive_digest, parse_location
from iexec_lite.protocol.rules import V6

ROOT = Path(__file__).resolve().parents[2]
CORPUS = Path(__file__).with_name("corpus")
SIGNER = KeySigner(b"\x11" * 32)
ME, HUB = SIGNER.address, "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
APP = "0x" + "1" * 40
HASH = "0x" + "0a" * 32
DOMAIN = orders.domain(134, HUB)
UNCOUNTED = 2**20  # bytes of scrypt memory or rounds of PBKDF2 that are really computed


@dataclass(frozen=True)
class Decoder:
    name: str
    read: Callable[[bytes], object]
    first: Callable[[bytes], object]
    made: Callable[[], list[bytes]] = field(repr=False)
    form: str = "bytes"  # which mutants keep it: see mutate.cases
    share: float = 0.3  # of mutants that get past the first check, at least

    def seeds(self) -> list[bytes]:
        """Valid cases, and those that were kept because they once did harm."""
        return _seeds(self)

    def kept(self) -> list[bytes]:
        """What the corpus has for this decoder."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))]

    def passes(self, case: bytes) -> bool:
        """Whether a case gets past the first check."""
        try:
            return self.first(case) is not False
        except Exception:
            return False


@cache
def _seeds(decoder: Decoder) -> list[bytes]:
    return decoder.made()


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


def is_object(case: bytes) -> bool:
    return isinstance(load_json(case), dict)


# ---- Ethereum -----------------------------------------------------------------------------------

ROWS: tuple[tuple[tuple[str, ...], tuple[object, ...]], ...] = (
    (("uint256", "bool", "address"), (5, True, b"\1" * 20)),
    (("bytes", "string"), (b"x" * 40, "grüße")),
    (("uint8[]", "bytes32[2]"), ((1, 2, 3), (b"\2" * 32, b"\3" * 32))),
    (("(address,string)[]",), (((b"\1" * 20, "a"), (b"\2" * 20, "")),)),
    (("string[][]", "int16"), ((("a", "b"), ()), -5)),
    (("(uint256,(bytes,bool)[2],address[])",), ((1, ((b"a", True), (b"", False)), (b"\1" * 20,)),)),
    (("bytes4", "function", "int256"), (b"abcd", b"f" * 24, -1)),
)
ERRORS = [abi.error("A(string)"), abi.error("B((uint8,bytes)[],address)")]


def read_abi(case: bytes) -> object:
    """The first byte chooses the types; what is read must be written back to the same values."""
    chosen = case[0] % (len(ROWS) + 1) if case else 0
    if chosen == len(ROWS):
        return abi.decode_revert(case[1:], ERRORS)
    types, _ = ROWS[chosen]
    found = abi.decode(types, case[1:])
    assert abi.decode(types, abi.encode(types, found)) == found
    return found


def abi_seeds() -> list[bytes]:
    found = [bytes([at]) + abi.encode(*row) for at, row in enumerate(ROWS)]
    given: tuple[tuple[object, ...], ...] = (("no",), (((1, b"a"), (2, b"")), b"\1" * 20))
    reverts = [error.encode(*values) for error, values in zip(ERRORS, given, strict=True)]
    reverts += [
        abi.error("Error(string)").encode("not owner"),
        abi.error("Panic(uint256)").encode(17),
    ]
    return found + [bytes([len(ROWS)]) + revert for revert in reverts]


def read_rlp(case: bytes) -> object:
    found = rlp.decode(case)
    assert rlp.encode(found) == case
    return found


def rlp_seeds() -> list[bytes]:
    nested: Any = b"x"
    for _ in range(20):
        nested = [nested, b"ab"]
    items: list[Any] = [b"", b"a", b"x" * 60, [b"a", [b"", b"b" * 300]], nested, [b"y"] * 40]
    return [rlp.encode(item) for item in items]


def read_transaction(case: bytes) -> object:
    found = transaction.parse(case)
    assert found.raw == case
    return found


def transactions() -> list[bytes]:
    common: dict[str, Any] = {
        "nonce": 7,
        "gas": 10**5,
        "to": b"\5" * 20,
        "value": 1,
        "data": b"\6" * 40,
    }
    access = ((b"\7" * 20, (b"\1" * 32,)),)
    kinds = (
        {"chain_id": None, "gas_price": 1},
        {"chain_id": 134, "gas_price": 0},
        {"chain_id": 134, "gas_price": 1, "access_list": access},
        {"chain_id": 42161, "max_fee_per_gas": 9, "max_priority_fee_per_gas": 1},
    )
    return [transaction.Transaction(**common, **kind).sign(SIGNER._key).raw for kind in kinds]


def read_typed(case: bytes) -> object:
    return TypedData.from_dict(json_or_ours(case)).digest


def json_or_ours(case: bytes) -> Any:
    """JSON as our readers get it; what is none never reaches them."""
    try:
        return load_json(case)
    except ValueError as error:
        raise IExecError(str(error)) from error


def typed_seeds() -> list[bytes]:
    found = [orders.typed_data(order, DOMAIN).to_dict() for order in signed_orders()]
    member = [{"name": "a", "type": "P[2][]"}, {"name": "b", "type": "bytes"}]
    types = {
        "EIP712Domain": [{"name": "name", "type": "string"}],
        "T": member,
        "P": [{"name": "c", "type": "uint8"}],
    }
    message = {"a": [[{"c": 1}, {"c": "2"}]], "b": "0xab"}
    more = {"types": types, "primaryType": "T", "domain": {"name": "n"}, "message": message}
    return [as_json(each) for each in (*found, more)]


def read_keystore(case: bytes) -> object:
    keystore.address_of(case)
    return keystore.decrypt(case, "x").address


def keystores() -> list[bytes]:
    """One of each key derivation; the work is small."""
    made = keystore.encrypt(b"\5" * 32, "x", n=2, r=1, p=1)
    other = json.loads(json.dumps(made))
    inner = other["Crypto"]
    params = {"c": 1, "dklen": 32, "prf": "hmac-sha256", "salt": "00" * 32}
    derived = crypto.pbkdf2(b"x", bytes(32), iterations=1, dklen=32, prf="hmac-sha256")
    sealed = crypto.aes_ctr(derived[:16], bytes(16), b"\5" * 32)
    mac = crypto.keccak(derived[16:] + sealed).hex()
    inner.update(kdf="pbkdf2", kdfparams=params, ciphertext=sealed.hex(), mac=mac)
    inner["cipherparams"] = {"iv": "00" * 16}
    return [as_json(made), as_json(other)]


@contextlib.contextmanager
def cheap() -> Iterator[None]:
    """Without the work that a keystore may ask for, which a check bounds; each RSA answer once."""
    scrypt, pbkdf2 = keystore.scrypt, keystore.pbkdf2
    load, opened = crypto._rsa_key, crypto.rsa_decrypt
    crypto._rsa_key, crypto.rsa_decrypt = lru_cache(8)(load), lru_cache(8)(opened)

    def cheap_scrypt(password: bytes, salt: bytes, **asked: Any) -> bytes:
        dear = 128 * asked["n"] * asked["r"] * asked["p"] > UNCOUNTED
        return bytes(32) if dear else scrypt(password, salt, **asked)

    def cheap_pbkdf2(password: bytes, salt: bytes, **asked: Any) -> bytes:
        return bytes(32) if asked["iterations"] > 1000 else pbkdf2(password, salt, **asked)

    keystore.scrypt, keystore.pbkdf2 = cheap_scrypt, cheap_pbkdf2
    try:
        yield
    finally:
        keystore.scrypt, keystore.pbkdf2 = scrypt, pbkdf2
        crypto._rsa_key, crypto.rsa_decrypt = load, opened


# ---- iExec --------------------------------------------------------------------------------------


def read_multiaddr(case: bytes) -> object:
    found = to_text(case)
    with contextlib.suppress(IExecError):
        to_bytes(case.decode("utf-8", "surrogateescape"))
    return found


def multiaddresses() -> list[bytes]:
    texts = (
        "/ip4/1.2.3.4/tcp/80/https",
        "/ip6/2001:db8::1/udp/5",
        "/dns4/example.com/tcp/443/wss",
        "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
        "/p2p/bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi",
        "/onion/timaq4ygg2iegci7:80",
        "/unix/a/b",
    )
    made = []
    for text in texts:
        with contextlib.suppress(IExecError):
            made.append(to_bytes(text))
    return [*made, b"registry.example/image:1.0"]


@cache
def signed_orders() -> tuple[orders.SignedOrder, ...]:
    made = (
        orders.create_apporder(app=APP, appprice="1 RLC", volume=5),
        orders.create_datasetorder(dataset=APP, tag="tee"),
        orders.create_workerpoolorder(workerpool=APP, category=1, volume=5),
        orders.create_requestorder(
            app=APP,
            category=1,
            requester=ME,
            params={"iexec_args": "a b"},
            result_proxy="https://p.org",
        ),
    )
    return tuple(orders.sign_order(each, SIGNER, DOMAIN, salt=b"\4" * 32) for each in made)


def read_order(case: bytes) -> object:
    """Each kind of order, signed and detached; what is read has a digest and is written back."""
    value = json_or_ours(case)
    refused: IExecError | None = None
    for kind in orders.SIGNED_ORDER_KINDS.values():
        try:
            order = kind.from_dict(value)
        except IExecError as error:
            refused = error
            continue
        assert kind.from_dict(json.loads(json.dumps(order.to_dict()))) == order
        orders.order_hash(order, DOMAIN)
        with contextlib.suppress(IExecError):
            orders.verify_order(order, DOMAIN, ME)
        return order
    try:
        return detached.SigningRequest.from_dict(value)
    except IExecError as error:
        raise refused or error from None


def order_seeds() -> list[bytes]:
    requests = [detached.order_request(each, ME, DOMAIN).to_dict() for each in signed_orders()[:1]]
    return [as_json(each.to_dict()) for each in signed_orders()] + [as_json(r) for r in requests]


def read_chains(case: bytes) -> object:
    found = ChainFile.parse(case)
    for name in (None, *list(found.chains)[:4]):
        with contextlib.suppress(IExecError):
            found.select(name)
    return found


def chain_files() -> list[bytes]:
    own = {
        "id": "65535",
        "host": "http://127.0.0.1:8545",
        "hub": HUB,
        "sms": "http://127.0.0.1:1",
        "resultProxy": "http://127.0.0.1:2",
        "ipfsGateway": "http://127.0.0.1:3",
        "iexecGateway": "http://127.0.0.1:4",
        "native": True,
        "flavour": "standard",
        "bridge": {"contract": HUB, "bridgedChainName": "goerli"},
    }
    full = {"default": "own", "chains": {"own": own, "goerli": {}, "viviani": {}, "enterprise": {}}}
    full["providers"] = {"infura": "a" * 32, "quorum": 1}
    return [as_json(full), as_json({"default": "bellecour", "chains": {"bellecour": {}}})]


# ---- services -----------------------------------------------------------------------------------


class Canned:
    """A transport that answers everything with one body."""

    def __init__(self) -> None:
        self.status, self.body = 200, b""

    def close(self) -> None:
        pass

    def request(self, method: str, url: str, *, body: Any = None, **_: Any) -> Response:
        if urlsplit(url).netloc == "node":  # honest, for what is asked beside the marketplace
            asked = json.loads(body)
            many = asked if isinstance(asked, list) else [asked]
            word = {"eth_chainId": "0x86"}
            found = [
                {
                    "jsonrpc": "2.0",
                    "id": e["id"],
                    "result": word.get(e["method"], "0x" + ME[2:].rjust(64, "0")),
                }
                for e in many
            ]
            return Response(
                200, {}, as_json(found if isinstance(asked, list) else found[0]), "http://node"
            )
        return Response(
            self.status, {"content-type": "application/json"}, self.body, "http://service"
        )


@lru_cache
def market_client() -> tuple[IExec, Canned]:
    transport = Canned()
    services = dict.fromkeys(("iexec_gateway", "sms", "result_proxy"), "http://service")
    chain = Chain(id=134, name="test", hub=HUB, rules=V6, **services)
    client = IExec("http://node", "0x" + "11" * 32, chain=chain)
    client._context._made["http"] = transport
    return client, transport


def read_market(case: bytes) -> object:
    """Every kind of answer: lists, one order, deals; the first that can be read."""
    client, transport = market_client()
    transport.body = case
    book, refused = client.orderbook, None
    calls: tuple[Callable[[], object], ...] = (
        lambda: book.fetch_app_orderbook(APP),
        lambda: book.fetch_workerpool_orderbook(category=1),
        lambda: book.fetch_apporder(HASH),
        lambda: client.deal.fetch_requester_deals(ME),
    )
    for call in calls:
        try:
            return call()
        except IExecError as error:
            refused = error
    assert refused is not None
    raise refused


def market_answers() -> list[bytes]:
    when = "2021-12-09T10:03:38.068Z"
    app, _, pool, _ = signed_orders()

    def record(order: orders.SignedOrder) -> dict[str, object]:
        return {
            **{
                "orderHash": orders.order_hash(order, DOMAIN),
                "chainId": 134,
                "order": order.values(),
            },
            **{"remaining": 5, "status": "open", "signer": ME, "publicationTimestamp": when},
        }

    share = {"pointer": APP, "price": 5, "owner": ME}
    names = ("appHash", "datasetHash", "workerpoolHash", "requestHash", "transactionHash", "tag")
    counts = ("volume", "category", "trust", "startTime", "blockNumber", "schedulerRewardRatio")
    deal = {
        **dict.fromkeys(names, HASH),
        **dict.fromkeys(counts, 1),
        **dict.fromkeys(("requester", "beneficiary", "callback"), ME),
        **{"app": share, "dataset": share, "workerpool": share, "params": "{}", "chainId": 134},
        **{"botFirst": 3, "botSize": 2, "workerStake": 0, "blockTimestamp": when},
        "dealid": orders.deal_id(HASH, 3),
    }
    return [
        as_json({"ok": True, "count": 1, "orders": [record(app)], "nextPage": 1}),
        as_json({"ok": True, "count": 1, "orders": [record(pool)]}),
        as_json({"ok": True, **record(app)}),
        as_json({"ok": True, "count": 1, "deals": [deal]}),
        as_json({"ok": False, "error": "no such order"}),
    ]


def read_sms(case: bytes) -> object:
    """The answer with every status that means something to us."""
    transport = Canned()
    transport.body = case
    for transport.status in (200, 204, 401, 404, 409, 413, 500, 302, 429):
        sms = Sms(transport, "http://service")
        for call in (
            sms.exists,
            lambda *where, sms=sms, **who: sms.push(*where, "a secret", "0x12", **who),
        ):
            try:
                call("/x/{address}", address=ME)
            except IExecError as error:
                if len(error.message) >= 2000:
                    raise AssertionError("a message as long as the answer") from error
    return json_or_ours(case)


def sms_answers() -> list[bytes]:
    bodies = [{"error": ["a", "b"]}, {"error": "text", "ok": False}, {"data": None, "errors": []}]
    return [as_json(body) for body in bodies]


def read_rpc(case: bytes) -> object:
    """One answer, a batch of two, a number, data, a revert; the first that can be read."""
    transport = Canned()
    transport.body = case
    refused: IExecError | None = None

    def rpc() -> Rpc:
        return Rpc("http://service", http=transport)

    calls: tuple[Callable[[], object], ...] = (
        lambda: rpc().batch([("eth_call", ()), ("eth_gasPrice", ())]),
        lambda: rpc().chain_id(),
        lambda: rpc().call(HUB, b""),
        lambda: rpc().block(),
        lambda: rpc().send_raw(b"\1"),
        lambda: quantity(json_or_ours(case)),
        lambda: data(json_or_ours(case)),
    )
    for call in calls:
        try:
            return call()
        except IExecError as error:
            refused = error
            json.dumps(error.to_dict())
    assert refused is not None
    raise refused


def rpc_answers() -> list[bytes]:
    def answer(result: object, number: int = 1) -> dict[str, object]:
        return {"jsonrpc": "2.0", "id": number, "result": result}

    revert = "0x08c379a0" + abi.encode(["string"], ["not owner"]).hex()
    block = {"number": "0x5", "timestamp": "0x6", "baseFeePerGas": "0x7", "transactions": []}
    error = {"code": 3, "message": "execution reverted", "data": revert}
    return [
        as_json(answer("0x86")),
        as_json([answer("0x" + "00" * 32, 2), answer("0x1")]),
        as_json(answer(block)),
        as_json({"jsonrpc": "2.0", "id": 1, "error": error}),
        as_json({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "too large"}}),
    ]


# ---- archives -----------------------------------------------------------------------------------


def zip_of(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in entries:
            info = zipfile.ZipInfo(name) if isinstance(name, str) else name
            file.writestr(info, content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def read_archive(case: bytes) -> object:
    """Listed, every file read, its digest taken; one in a hundred is unpacked too."""
    with archive.Archive(case, max_bytes=2**24) as opened:
        found = {m.name: opened.read(m.name, 2**22) for m in opened.members if not m.is_folder}
        with contextlib.suppress(IExecError):
            archive_digest(opened, callback=len(case) % 2 == 0)
    with contextlib.suppress(IExecError):
        parse_location(case[:200])
    if sum(case[-8:]) % 100 == 0:
        _unpack(case)
    return found


def _unpack(case: bytes) -> None:
    """Nothing may appear beside the folder, nor stay after a failure."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "target")
        try:
            archive.extract_archive(case, target)
        except IExecError:
            assert os.listdir(folder) == []
            raise
        assert os.listdir(folder) == ["target"]
        assert not any(path.is_symlink() for path in target.rglob("*"))


def archives() -> list[bytes]:
    link = zipfile.ZipInfo("link")
    link.external_attr = 0o120777 << 16
    computed = as_json({"deterministic-output-path": "/iexec_out/a.txt"})
    return [
        zip_of(("a.txt", b"text" * 50), ("b/c", b"\1\2" * 20), ("d/", b"")),
        zip_of(("computed.json", computed), ("a.txt", b"result")),
        zip_of(("../up", b"x"), ("a", b"y")),
        zip_of((link, b"/etc/passwd")),
        zip_of(("bomb", bytes(2**20))),
        zip_of(("a", b"1"), ("A", b"2"), ("a/b", b"3")),
    ]


def is_zip(case: bytes) -> bool:
    with zipfile.ZipFile(io.BytesIO(case)) as file:
        return len(file.infolist()) > 0


@cache
def rsa() -> tuple[str, str]:
    """A key for these tests alone; short, because opening takes its cube."""
    return (CORPUS / "rsa-1024.pem").read_text(), (CORPUS / "rsa-1024.pub.pem").read_text()


def read_result(case: bytes) -> object:
    """Encrypted results: the whole archive, or the first byte says which entry the rest is for."""
    if not case or case[0] > 3:
        return archive.decrypt_result(case, rsa()[0])
    kept = _encrypted()[case[0] // 2]
    with zipfile.ZipFile(io.BytesIO(kept)) as file:
        entries = [(name, file.read(name)) for name in file.namelist()]
    entries[case[0] % 2] = (entries[case[0] % 2][0], case[1:])
    try:
        return archive.decrypt_result(zip_of(*entries), rsa()[0])
    except DecryptionError as error:
        if "zip" in error.message:
            raise AssertionError("the zip itself was whole") from error
        raise


@cache
def _encrypted() -> tuple[bytes, bytes]:
    inner = zip_of(("a.txt", b"text" * 20))
    return (
        archive.encrypt_result(inner, rsa()[1], format="v6", key=b"k" * 16),
        archive.encrypt_result(inner, rsa()[1], format="v9", key=b"k" * 32, iv=b"i" * 16),
    )


def results() -> list[bytes]:
    found = list(_encrypted())
    for at, kept in enumerate(_encrypted()):
        with zipfile.ZipFile(io.BytesIO(kept)) as file:
            found += [
                bytes([2 * at + part]) + file.read(name)
                for part, name in enumerate((archive.KEY_ENTRY, archive.RESULT_ENTRY))
            ]
    return found


def is_result(case: bytes) -> bool:
    return case[:1] < b"\4" or is_zip(case)


# ---- command line -------------------------------------------------------------------------------


def read_words(case: bytes) -> object:
    """A line of words, read as far as the options of its command; nothing is carried out."""
    try:
        words = case.decode("utf-8", "surrogateescape").split("\n")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return _parsed(words)
    except SystemExit as done:
        if done.code:
            raise AssertionError("argparse ends the process") from done
        return None  # it has shown help


def _parsed(words: list[str]) -> object:
    _, word, rest = dispatch._next(words)
    if word not in dispatch.GROUPS:
        raise IExecError(dispatch._unknown(word or ""))
    group = _group(word)
    command = group.find("")
    if command is None:
        _, word, rest = dispatch._next(rest)
        command = group.find(word or "")
        if command is None:
            raise IExecError(dispatch._unknown(word or ""))
    options = command.parse(rest)
    assert callable(options.handler)
    return options


@cache
def _group(name: str) -> parser.Group:
    return dispatch.load(name)


def command_lines() -> list[bytes]:
    """The example of every command."""
    found = []
    for name in dispatch.GROUPS:
        for command in _group(name).commands.values():
            words = shlex.split(str(command.epilog).partition(dispatch.PROG)[2])
            found.append("\n".join(words).encode())
    return found


def is_command(case: bytes) -> bool:
    words = case.decode("utf-8", "surrogateescape").split("\n")
    _, word, rest = dispatch._next(words)
    if word not in dispatch.GROUPS:
        return False
    group = _group(word)
    return group.find("") is not None or bool(rest and group.find(rest[0]))


DECODERS = {
    each.name: each
    for each in (
        Decoder("abi", read_abi, lambda case: len(case) > 32, abi_seeds),
        Decoder("rlp", read_rlp, rlp.decode, rlp_seeds, share=0.1),
        Decoder(
            "transaction",
            read_transaction,
            lambda case: rlp.decode(case.lstrip(b"\1\2")),
            transactions,
            share=0.15,
        ),
        Decoder("typed-data", read_typed, is_object, typed_seeds, form="json"),
        Decoder("keystore", read_keystore, is_object, keystores, form="json"),
        Decoder(
            "multiaddr",
            read_multiaddr,
            lambda case: to_text(case).startswith("/"),
            multiaddresses,
            share=0.12,
        ),
        Decoder("order", read_order, is_object, order_seeds, form="json"),
        Decoder("chain-file", read_chains, is_object, chain_files, form="json"),
        Decoder("market", read_market, is_object, market_answers, form="json"),
        Decoder("sms", read_sms, is_object, sms_answers, form="json"),
        Decoder(
            "rpc",
            read_rpc,
            lambda case: isinstance(load_json(case), (dict, list)),
            rpc_answers,
            form="json",
        ),
        Decoder("archive", read_archive, is_zip, archives, share=0.2),
        Decoder("result", read_result, is_result, results, share=0.2),
        Decoder("words", read_words, is_command, command_lines, form="lines"),
    )
}
