"""Rows of signing, hashing, recovering and ABI: calls that take microseconds."""

from __future__ import annotations

import os
from collections.abc import Callable

import coincurve
from Crypto.Hash import keccak

from iexec_lite import IExec, KeySigner
from iexec_lite.eth import abi
from iexec_lite.eth.codec import from_hex
from iexec_lite.eth.signer import recover_address
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.orders import NULL_DATASETORDER, order_hash, typed_data

from .measure import Contestant, PerSecond, Row
from .peers import Script

Call = Callable[[], object]

KEY = "0x" + "11" * 32
CHAIN = 134
APP, POOL = "0x" + "a1" * 20, "0x" + "b2" * 20
FIELDS: dict[str, object] = {
    "app": APP,
    "appmaxprice": 5,
    "workerpool": POOL,
    "workerpoolmaxprice": "1 RLC",
    "category": 0,
    "params": {"iexec_args": "a line of text for the app"},
}


class Work:
    """The same orders for everybody, made by ours."""

    def __init__(self) -> None:
        self.signer = KeySigner.from_key(KEY)
        self.iexec = IExec(chain=CHAIN, signer=self.signer)
        api = self.iexec.order
        self.request = api.sign_requestorder(api.create_requestorder(**FIELDS))  # type: ignore[arg-type]
        self.app = api.sign_apporder(api.create_apporder(APP))
        self.pool = api.sign_workerpoolorder(api.create_workerpoolorder(POOL, 0))
        self.four = (self.app, NULL_DATASETORDER, self.pool, self.request)
        self.domain = api._context.domain
        self.typed = typed_data(self.request, self.domain)
        self.document = self.typed.to_dict()
        self.digest, self.signature = self.typed.digest, from_hex(self.request.sign)
        self.deal = _deal()

    def for_peers(self, node: str | None) -> dict[str, object]:
        """What peers.js is given."""
        types = {k: v for k, v in self.document["types"].items() if k != "EIP712Domain"}  # type: ignore[attr-defined]
        chain = self.iexec.order._context.chain
        return {
            "key": KEY,
            "chainId": CHAIN,
            "hub": chain.hub,
            "proxy": chain.result_proxy,
            "fields": FIELDS,
            "typed": {
                "domain": self.document["domain"],
                "types": types,
                "message": self.document["message"],
                "signature": self.request.sign,
            },
            "abi": [_human(HUB.matchOrders.function), _human(HUB.viewDeal.function)],
            "four": [order.to_dict() for order in self.four],
            "deal": "0x" + self.deal.hex(),
            "node": node,
        }

    def create_and_sign(self) -> dict[str, object]:
        """The whole way by the public calls: validate, complete, salt, hash, sign, JSON-ready."""
        api = self.iexec.order
        return api.sign_requestorder(api.create_requestorder(**FIELDS)).to_dict()  # type: ignore[arg-type]


def _deal() -> bytes:
    """What ``viewDeal`` answers: nine addresses, and text."""
    kind = HUB.viewDeal.function.outputs[0]
    made = iter(range(1, 100))

    def value(part: object) -> object:
        what = part.kind  # type: ignore[attr-defined]
        if what == "tuple":
            return tuple(value(each) for each in part.components)  # type: ignore[attr-defined]
        by = {"address": bytes([next(made)]) * 20, "fixed_bytes": bytes(32), "string": "{}" * 30}
        return by.get(what, next(made))

    return abi.encode([kind.name], [value(kind)])


def _human(function: abi.Function) -> str:
    """A function for ethers: names of tuples' members matter, as it takes them by name."""

    def text(kind: object) -> str:
        parts = getattr(kind, "components", ())
        name = f"tuple({', '.join(map(text, parts))})" if parts else kind.name  # type: ignore[attr-defined]
        return f"{name} {kind.label}".strip()  # type: ignore[attr-defined]

    taken, given = (", ".join(map(text, part)) for part in (function.inputs, function.outputs))
    return f"function {function.name}({taken}) view returns ({given})"


# --- the floor: the public functions of the dependencies, and nothing else ------------------------


class Floor:
    """What libsecp256k1 and Keccak need for one order, without looking at it."""

    def __init__(self, work: Work) -> None:
        order = work.request
        words = [
            abi.encode([column.abi], [value])
            for (name, column), value in zip(order.fields(), order.packed(), strict=True)
            if name not in ("params", "salt", "sign")
        ]
        self.head = order.struct().type_hash + b"".join(words)
        self.params = work.request.params.encode()
        self.domain = b"\x19\x01" + work.domain.separator
        self.key = coincurve.PrivateKey(from_hex(KEY))
        self.digest = work.digest
        v = work.signature[64] - 27
        self.signature = work.signature[:64] + bytes([v])
        self.rows = [order.packed() for order in work.four]
        self.deal = work.deal

    def hash(self, salt: bytes = bytes(32)) -> bytes:
        """Three Keccaks."""
        new = keccak.new
        params = new(digest_bits=256, data=self.params).digest()
        struct = new(digest_bits=256, data=self.head + params + salt).digest()
        return new(digest_bits=256, data=self.domain + struct).digest()

    def sign(self) -> bytes:
        """A salt, the hash, and a signature."""
        return self.key.sign_recoverable(self.hash(os.urandom(32)), hasher=None)

    def recover(self) -> bytes:
        """The address of a digest's signer."""
        found = coincurve.PublicKey.from_signature_and_message
        key = found(self.signature, self.digest, hasher=None).format(compressed=False)[1:]
        return keccak.new(digest_bits=256, data=key).digest()[12:]

    def encode(self) -> bytes:
        """A word for each value of the four rows, and what has more behind them."""
        heads, tails = [], []
        for row in self.rows:
            for value in row:
                if isinstance(value, int):
                    heads.append(value.to_bytes(32, "big"))
                elif len(value) <= 32:  # type: ignore[arg-type]
                    heads.append(value.rjust(32, b"\0"))  # type: ignore[attr-defined]
                else:
                    tails.append(value if isinstance(value, bytes) else value.encode())  # type: ignore[attr-defined]
        return b"".join(heads + tails)

    def decode(self) -> list[str]:
        """The words of a deal, nine of them with their checksums."""
        data, new = self.deal, keccak.new
        found = []
        for at in range(0, 18 * 32, 32):
            digits = data[at + 12 : at + 32].hex()
            if at // 32 < 9:
                nibbles = new(digest_bits=256, data=digits.encode()).hexdigest()
                digits = "".join(
                    d.upper() if n > "7" else d for d, n in zip(digits, nibbles, strict=False)
                )
            found.append(digits)
        return found


# --- Python peers, where they are installed -------------------------------------------------------


def eth_account_rows(work: Work) -> dict[str, Call]:
    """Sign, hash and recover by eth-account."""
    try:
        from eth_account import Account
        from eth_account.messages import _hash_eip191_message, encode_typed_data
    except ImportError:
        return {}
    account = Account.from_key(KEY)
    document = {**work.document, "domain": dict(work.document["domain"])}  # type: ignore[call-overload]
    message = encode_typed_data(full_message=document)
    return {
        "order": lambda: account.sign_message(encode_typed_data(full_message=document)),
        "sign": lambda: account.sign_message(encode_typed_data(full_message=document)),
        "hash": lambda: _hash_eip191_message(encode_typed_data(full_message=document)),
        "recover": lambda: Account.recover_message(message, signature=work.signature),
    }


def eth_abi_rows(work: Work) -> dict[str, Call]:
    """Encode and decode by eth-abi, which knows neither names nor checksums."""
    try:
        import eth_abi
    except ImportError:
        return {}
    inputs = [kind.name for kind in HUB.matchOrders.function.inputs]
    outputs = [kind.name for kind in HUB.viewDeal.function.outputs]

    def plain(value: object) -> object:
        return "0x" + value.hex() if isinstance(value, bytes) and len(value) == 20 else value

    rows = [tuple(map(plain, order.packed())) for order in work.four]
    return {
        "encode": lambda: eth_abi.encode(inputs, rows),
        "decode": lambda: eth_abi.decode(outputs, work.deal),
    }


# --- the rows -------------------------------------------------------------------------------------


def rows(work: Work, script: Script | None) -> list[Row]:
    """The rows of this module."""
    floor, python = Floor(work), eth_account_rows(work)
    plain = eth_abi_rows(work)

    def contestants(
        key: str, ours: Call, least: Call, *scripts: tuple[str, str]
    ) -> list[Contestant]:
        found = [Contestant("ours", PerSecond(ours))]
        if script is not None:
            found += [Contestant(name, script.per_second(op)) for name, op in scripts]
        if key in python:
            found.append(Contestant("eth-account", PerSecond(python[key])))
        if key in plain:
            found.append(Contestant("eth-abi", PerSecond(plain[key])))
        return [*found, Contestant("floor", PerSecond(least))]

    sign = work.signer
    return [
        Row(
            "order",
            "request order → signed order, JSON-ready, by the public calls",
            "/s",
            contestants(
                "order",
                work.create_and_sign,
                floor.sign,
                ("iexec 6", "order6"),
                ("iexec 9", "order9"),
            ),
            target=12_000,
            share=0.48,
            note="eth-account signs only: nothing is checked or completed",
        ),
        Row(
            "sign",
            "sign a ready order",
            "/s",
            contestants(
                "sign",
                lambda: sign.sign_typed_data(typed_data(work.request, work.domain)),
                floor.sign,
                ("ethers 5", "sign"),
            ),
            target=20_000,
        ),
        Row(
            "hash",
            "hash a ready order",
            "/s",
            contestants(
                "hash",
                lambda: order_hash(work.request, work.domain),
                floor.hash,
                ("ethers 5", "hash"),
            ),
            target=50_000,
        ),
        Row(
            "recover",
            "recover who signed a ready order",
            "/s",
            contestants(
                "recover",
                lambda: recover_address(work.digest, work.signature),
                floor.recover,
                ("ethers 5", "recover"),
            ),
            target=18_000,
        ),
        Row(
            "encode",
            "matchOrders calldata of four order records",
            "/s",
            contestants(
                "encode",
                lambda: HUB.matchOrders.encode(*work.four),
                floor.encode,
                ("ethers 5", "encode"),
            ),
            target=60_000,
        ),
        Row(
            "decode",
            "viewDeal answer decoded, nine addresses with checksums",
            "/s",
            contestants(
                "decode",
                lambda: HUB.viewDeal.decode(work.deal),
                floor.decode,
                ("ethers 5", "decode"),
            ),
            target=20_000,
            note="ours keeps the checksums of 4,096 addresses; eth-abi makes none",
        ),
    ]
