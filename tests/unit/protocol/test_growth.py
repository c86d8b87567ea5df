"""Growth (design.md): a network is one record, an order kind one class; everything else follows."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

from iexec_lite import IExec, KeySigner
from iexec_lite.errors import ValidationError
from iexec_lite.eth import eip712
from iexec_lite.eth.codec import from_hex, to_hex
from iexec_lite.frozen import field
from iexec_lite.protocol import networks, order_kinds, orders
from iexec_lite.protocol.chains import Chain
from iexec_lite.protocol.columns import ADDRESS, TAG, UINT256
from iexec_lite.protocol.methods import Method
from iexec_lite.protocol.order_kinds import NULL_BYTES32
from iexec_lite.protocol.rules import STRICT, TEE, V9, TagCheck

SIGNER = KeySigner.from_key("0x" + "11" * 32)
APP = "0x" + "22" * 20
NPU = 1 << 40

# A generation of tomorrow: another tag, another limit, its own paths. No code asks for its name.
TOMORROW = replace(
    V9,
    name="tomorrow",
    tag_bits=(*V9.tag_bits, ("npu", 40)),
    forced_tag=TEE | NPU,
    deal_tag=TEE | NPU,
    tag_checks=(TagCheck((STRICT,), TEE, NPU, "'tee' tag wants 'npu'"),),
    sms_app_path="/v2/apps/{address}/secret",
)
MARS = Chain(
    id=4095,
    name="mars",
    host="https://mars.example",
    hub="0x" + "44" * 20,
    sms="https://sms.mars.example/base",
    rules=TOMORROW,
)


@pytest.fixture
def mars(monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The network is added: one record in the table."""
    table = MappingProxyType({**networks.CHAINS, MARS.name: MARS})
    monkeypatch.setattr(networks, "CHAINS", table)
    return MARS


def test_a_new_network_is_one_record(mars: Chain) -> None:
    assert networks.resolve("mars") is networks.resolve(4095) is networks.resolve("4095") is mars
    iexec = IExec.offline(SIGNER, chain="mars")
    order = iexec.order.create_apporder(APP, appprice=5)
    assert int(order.tag, 16) == TEE | NPU
    named = iexec.order.create_apporder(APP, tag=["gpu"])
    assert int(named.tag, 16) == TEE | NPU | 1 << 8
    as_given = iexec.order.create_apporder(APP, tag=["gpu"], tag_as_given=True)
    assert int(as_given.tag, 16) == 1 << 8
    with pytest.raises(ValidationError, match="'tee' tag wants 'npu'"):
        iexec.order.create_apporder(APP, tag=["tee"], tag_as_given=True)
    signed = iexec.order.sign_apporder(order)
    orders.verify_order(signed, orders.domain(mars.id, str(mars.hub)), SIGNER.address)


def test_the_services_of_a_new_network_follow_its_rules(mars: Chain) -> None:
    class Sms:
        asked: ClassVar[list[str]] = []

        def request(self, method: str, url: str, **_: object) -> Any:
            from iexec_lite.net.http import Response

            self.asked.append(f"{method} {url}")
            return Response(204, {}, b"")

    iexec = IExec("mars", SIGNER)
    iexec._context.once("http", Sms)
    assert iexec.app.check_app_secret_exists(APP)
    assert Sms.asked == [f"HEAD https://sms.mars.example/base/v2/apps/{APP}/secret"]


# --- an order kind with a field more --------------------------------------------------------------


class Gpuorder(orders.Order):
    """A graphics card for hire, until a moment."""

    name: ClassVar[str] = "gpuorder"
    solidity: ClassVar[str] = "GpuOrder"
    resource: ClassVar[str] = "gpu"
    tag_use: ClassVar[str] = STRICT
    gpu: str = field(metadata=ADDRESS)
    deadline: int = field(default=0, metadata=UINT256)
    volume: int = field(default=1, metadata=UINT256)
    tag: str = field(default=NULL_BYTES32, metadata=TAG)


class SignedGpuorder(Gpuorder, orders.SignedOrder):
    """The same, signed."""

    salt: str = field(metadata=order_kinds.BYTES32)
    sign: str = field(metadata=order_kinds.SIGNATURE)


@pytest.fixture
def gpuorder(monkeypatch: pytest.MonkeyPatch) -> Gpuorder:
    """The kind is added to the tables of kinds."""
    monkeypatch.setitem(order_kinds.ORDER_KINDS, "gpuorder", Gpuorder)  # type: ignore[arg-type]
    monkeypatch.setitem(
        order_kinds.SIGNED_ORDER_KINDS,  # type: ignore[arg-type]
        "gpuorder",
        SignedGpuorder,
    )
    return Gpuorder(gpu=APP, deadline=1700000000, tag="0x" + "100".rjust(64, "0"))


def test_hash_and_signature_of_a_new_kind(gpuorder: Gpuorder) -> None:
    domain = orders.domain(4095, "0x" + "44" * 20)
    signed = orders.sign_order(gpuorder, SIGNER, domain, salt=b"\x07" * 32)
    orders.verify_order(signed, domain, SIGNER.address)
    document = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "GpuOrder": [
                {"name": "gpu", "type": "address"},
                {"name": "deadline", "type": "uint256"},
                {"name": "volume", "type": "uint256"},
                {"name": "tag", "type": "bytes32"},
                {"name": "salt", "type": "bytes32"},
            ],
        },
        "primaryType": "GpuOrder",
        "domain": {
            "name": "iExecODB",
            "version": "5.0.0",
            "chainId": 4095,
            "verifyingContract": "0x" + "44" * 20,
        },
        "message": {
            "gpu": APP,
            "deadline": 1700000000,
            "volume": 1,
            "tag": "0x" + "100".rjust(64, "0"),
            "salt": "0x" + "07" * 32,
        },
    }
    assert orders.order_hash(signed, domain) == to_hex(eip712.hash_typed_data(document))
    with pytest.raises(ValidationError, match="something else was signed"):
        orders.verify_order(replace(signed, deadline=1700000001), domain, SIGNER.address)


def test_abi_and_json_of_a_new_kind(gpuorder: Gpuorder) -> None:
    assert gpuorder.to_dict() == {
        "gpu": APP,
        "deadline": "1700000000",
        "volume": "1",
        "tag": "0x" + "100".rjust(64, "0"),
    }
    assert Gpuorder.from_dict(gpuorder.to_dict()) == gpuorder
    signed = gpuorder.signed("0x" + "07" * 32, "0x" + "55" * 65)
    assert isinstance(signed, SignedGpuorder)
    assert SignedGpuorder.abi_tuple() == (
        "(address gpu,uint256 deadline,uint256 volume,bytes32 tag,bytes32 salt,bytes sign)"
    )
    call = Method(f"manageGpuOrder({SignedGpuorder.abi_tuple()} order)")
    assert call.signature == "manageGpuOrder((address,uint256,uint256,bytes32,bytes32,bytes))"
    read = {**signed.values(), "sign": from_hex(signed.sign)}
    assert call.decode_input(call.encode(signed)) == (read,)
    with pytest.raises(ValidationError, match="gpu is a required field") as caught:
        Gpuorder.from_dict({"deadline": -1, "volume": 1, "tag": []})
    assert len(caught.value.errors) == 2
    # Loose values are read by the columns: the kind that exists has no code of its own.
    loose = {"gpu": APP.lower(), "deadline": "1700000000", "volume": 1, "tag": ["gpu"]}
    assert Gpuorder.from_dict(loose) == gpuorder
