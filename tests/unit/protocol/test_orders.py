"""Orders: hashes, signatures and ids of the JavaScript SDKs 6.0.1 and 9.0.1, and the table."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace
from typing import ClassVar

import pytest

from iexec_lite.errors import SignatureError, ValidationError
from iexec_lite.eth import abi
from iexec_lite.eth.codec import to_hex
from iexec_lite.eth.crypto import keccak
from iexec_lite.eth.eip712 import TypedData
from iexec_lite.eth.signer import KeySigner
from iexec_lite.protocol import orders
from iexec_lite.protocol.ids import deal_id, task_id
from iexec_lite.protocol.orders import (
    NULL_ADDRESS,
    NULL_BYTES32,
    NULL_DATASETORDER,
    ORDER_KINDS,
    SIGNED_ORDER_KINDS,
    Apporder,
    Datasetorder,
    Order,
    Requestorder,
    SignedApporder,
    SignedDatasetorder,
    SignedOrder,
    SignedRequestorder,
    SignedWorkerpoolorder,
    Workerpoolorder,
)
from iexec_lite.protocol.rules import V6, V9

KEY = "0x" + "11" * 32
OWNER = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
HUB = "0x3eca1B216A7DF1C7689aEb259fFB83ADFB894E7f"
ENTERPRISE_HUB = "0x0bf375A6238359CE14987C2285B8B099eE8e8709"
RES = "0x607F4C5BB672230e8672085532f7e901544a7375"
SALT = b"\x22" * 32
PROXY = "https://v6.result.bellecour.iex.ec"
PARAMS = (
    '{"iexec_result_storage_provider":"ipfs",'
    f'"iexec_result_storage_proxy":"{PROXY}","iexec_args":"héllo"}}'
)


def tag(mask: int) -> str:
    return f"0x{mask:064x}"


@pytest.fixture(scope="module")
def signer() -> KeySigner:
    return KeySigner.from_key(KEY)


# chain.md §2.1
DOMAINS = {
    (1, HUB): "0x0b51b16c3bc4ae443794b44e38f43df44d02a6827c49938edf4ea705bac00499",
    (5, HUB): "0xe3ec5d9d5aeaf5a7824a3cb6341740077dd84c084778b81c4d79617c3d6c6c4b",
    (133, HUB): "0xfe74a571c117ad1e52a111b47ec87ee86756b7100d374152c3d0f6c039575397",
    (134, HUB): "0xf2cbd98a556869939d25b73c3fa68ba45f19932f8c9a06f744c98290ed9ef860",
    (1, ENTERPRISE_HUB): "0xc211c8d42db8f08dc584a518fa2d49e63224d12f861215b0676366a76c5729cf",
    (5, ENTERPRISE_HUB): "0x27bb0a15fc2e2947920b5cd3e5b2d83a3cb320673ffe34af6950715ac34f505b",
    (42161, "0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0"): (
        "0x3b211ab198ac0c745a332d34416d88c417c2f06a87bd9f0d2fdd37b242c75402"
    ),
    (421614, "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E"): (
        "0xde6e7a8f1c22386ba73ee5376e4ec7089a2d2b07ebbfce54d4cb386daa34cc92"
    ),
}

# chain.md §2.2
TYPES = {
    "apporder": (
        "AppOrder(address app,uint256 appprice,uint256 volume,bytes32 tag,address datasetrestrict,"
        "address workerpoolrestrict,address requesterrestrict,bytes32 salt)",
        "0x60815a0eeec47dddf1615fe53b31d016c31444e01b9d796db365443a6445d008",
    ),
    "datasetorder": (
        "DatasetOrder(address dataset,uint256 datasetprice,uint256 volume,bytes32 tag,"
        "address apprestrict,address workerpoolrestrict,address requesterrestrict,bytes32 salt)",
        "0x6cfc932a5a3d22c4359295b9f433edff52b60703fa47690a04a83e40933dd47c",
    ),
    "workerpoolorder": (
        "WorkerpoolOrder(address workerpool,uint256 workerpoolprice,uint256 volume,bytes32 tag,"
        "uint256 category,uint256 trust,address apprestrict,address datasetrestrict,"
        "address requesterrestrict,bytes32 salt)",
        "0xaa3429fb281b34691803133d3d978a75bb77c617ed6bc9aa162b9b30920022bb",
    ),
    "requestorder": (
        "RequestOrder(address app,uint256 appmaxprice,address dataset,uint256 datasetmaxprice,"
        "address workerpool,uint256 workerpoolmaxprice,address requester,uint256 volume,"
        "bytes32 tag,uint256 category,uint256 trust,address beneficiary,address callback,"
        "string params,bytes32 salt)",
        "0xf24e853034a3a450aba845a82914fbb564ad85accca6cf62be112a154520fae0",
    ),
}

# chain.md §14: order, hash, struct hash, signature, on chain 134 with the salt above
V6_VECTORS: dict[str, tuple[Order, str, str, str]] = {
    "apporder": (
        Apporder(app=RES, appprice=10**9, volume=10, tag=tag(1)),
        "0x9ec10388c2ea5c24051d0bdf6c17e54f0b813a199062c04d06e225b931978885",
        "0xb52fe8a816dfef5c9e65d1a662c7a9235530e520a72d76c2c86cda351a23a3a1",
        "0x2e8e9b8f49d445c114db783aadec9533a6b048aa9e03e9f62a18af7b35746b5f"
        "4286f78b5c5a72eee4e23144624cf05aaf88924225b953873d124a8b2b7d36d71c",
    ),
    "datasetorder": (
        Datasetorder(dataset=RES),
        "0xa34ed665608e2a2c30a1bc83dcf432d7a093e27ec024609774480885e1d871f5",
        "0xa0c8a112c668a536a071c5faafd4ba08231ac4be539d57768373b0c1a6a935a6",
        "0x8c52914499f5a5e6d83aa2745da7c87f97f86fd72faeadc3769ccdc5d6ca7508"
        "686f016b2f2496435597c00af3040dff7270511d820b2b16304fdb8bcfc59e301b",
    ),
    "workerpoolorder": (
        Workerpoolorder(workerpool=RES, workerpoolprice=15, volume=3, tag=tag(0x101), category=5),
        "0xd5782b3f1cb3d3079629d7e7b5bf2652ff22a5b015ba26519f52e85351cf095b",
        "0x3fafca41337ab6f4dfd500608a83de1858f2306dc4f60f02fe8c146e13eaac5f",
        "0x567ae0d53a892a0626795a347d98d20538d18e4e31ca1fabf7f03463e86fb4a0"
        "70173caf1f03303dd698032599ea250d850b1f38d2a37c8c64679af71fe5f4591b",
    ),
    "requestorder": (
        Requestorder(
            app=RES,
            appmaxprice=10**9,
            workerpoolmaxprice=15,
            requester=OWNER,
            beneficiary=OWNER,
            category=5,
            params=PARAMS,
        ),
        "0x714478b97c72b1c76b48f1f7cf7cc2faa0907fa54d1efdf9f5849581a7d3d5fc",
        "0x92c74e0c0eb17e4fba39f976c5922bbdbf51934705595a15305c28c6da94d8fc",
        "0x551bea20ff5b8af3f88770a5b884c20af3013d386d1af81bb60ab84a2fe09247"
        "6c2661ac4518c947be67bf1cefbcbf0cd350193f5cbbcf5ed61848b87211bf0f1c",
    ),
}


@pytest.mark.parametrize(("where", "separator"), DOMAINS.items())
def test_domain_separators(where: tuple[int, str], separator: str) -> None:
    assert to_hex(orders.domain(*where).separator) == separator


@pytest.mark.parametrize("name", TYPES)
def test_type_strings_and_hashes(name: str) -> None:
    struct = SIGNED_ORDER_KINDS[name].struct()
    assert (struct.encoded_type, to_hex(struct.type_hash)) == TYPES[name]


@pytest.mark.parametrize("name", V6_VECTORS)
def test_v6_orders(name: str, signer: KeySigner) -> None:
    order, order_hash, struct_hash, signature = V6_VECTORS[name]
    domain = orders.domain(134, HUB)
    salted = order.salted(SALT)
    assert orders.order_hash(salted, domain) == order_hash
    assert to_hex(salted.struct().hash_row(salted.packed()[:-1])) == struct_hash
    signed = orders.sign_order(order, signer, domain, salt=SALT)
    assert signed.sign == signature
    assert orders.order_hash(signed, domain) == order_hash
    assert to_hex(orders.typed_data(signed, domain).digest) == order_hash
    orders.verify_order(signed, domain, OWNER)
    assert type(signed) is SIGNED_ORDER_KINDS[name]
    assert type(signed).from_dict(signed.to_dict()) == signed


TODAY = {42161: "0x098bFCb1E50ebcA0BaA92C12eA0c3F045A1aD9f0"}
TODAY[421614] = "0xB2157BF2fAb286b2A4170E3491Ac39770111Da3E"
APP22, POOL33 = "0x" + "22" * 20, "0x" + "33" * 20
DATASET = "0xf6b2bA0793C225c28a6E7753f6f67a3C68750bF1"

# today.md §7, 15–18: what is given to create_…; the forced tag and the default params come by rules
TODAY_ORDERS = {
    "APP": (
        orders.create_apporder,
        {"app": APP22, "appprice": "1 RLC", "volume": 1000000},
    ),
    "DS": (
        orders.create_datasetorder,
        {"dataset": DATASET, "volume": 9007199254740991, "tag": "tee,scone"},
    ),
    "WP": (
        orders.create_workerpoolorder,
        {"workerpool": POOL33, "workerpoolprice": 100, "category": 0, "tag": ["gpu"]},
    ),
    "RQ": (
        orders.create_requestorder,
        {
            "app": APP22,
            "appmaxprice": ["1", "RLC"],
            "workerpoolmaxprice": "100",
            "requester": OWNER,
            "category": 0,
            "params": "--hello é",
        },
    ),
}
TODAY_VECTORS = {
    (42161, "APP"): (
        "0xfd508fede38f24ae58f8b1b3a7283c33063c8abe925f792fb17fa994a98e72c9",
        "0x068a2c8bac21b35769f7cbb865ba5a74fe87acad1e54357c9f7fb24f946bb064"
        "6425e25ed3d12ed858001c428d4426f894a347465f7acaa30550f28a019f99af1b",
    ),
    (42161, "DS"): (
        "0x31bd935c2a551573eb97fa2468cbac9ec351db503954bb009b4d8b9c515876f0",
        "0xf4ff131073ec12fbe43b27f62dd10c421d3c5c59553b9e2048f1c816f4c12bde"
        "214ecb1a87b053c51adde3287a528967a2790d80099d30b8aa8a57eb6858dff51b",
    ),
    (42161, "WP"): (
        "0x00ff72f1706dbdc2aac241915d2664bce7446327b0f0c89c9fd776bbc39a6a45",
        "0x6b0390c5851c767dbde66a27903e8d5893253deb518ea36f485aefef71c5893c"
        "02f2c8845b9b98f26535f4a9f01374d3a7600f0bfa85c59bb942758c1d7bc9cb1c",
    ),
    (42161, "RQ"): (
        "0x4bdaf872682fc7e1b894fefeb4a86e39a020eb17ae33f1877def9321c42bf513",
        "0xb32d42f08692b2648225678d3125ec5282b4f25206510c16c38f0ca758c3a8c4"
        "6c09e3195ed08bad3553529451d98e67390242d48dd547abab6b8a72d5aef66d1c",
    ),
    (421614, "APP"): (
        "0x6fff6ab3e9ced30a1d0b2a5dd7eedeb072d4e6034d7541c3f3327377a658c32c",
        "0x99ff6830729b1dc078b3b8f1ca3f95561e64acba21e5367593992ab67d394252"
        "3024b91337c5154c5f3ed4ae6f1f8e79cc668ef74135456351ec9f5923095c931c",
    ),
    (421614, "DS"): (
        "0xc8f30aaf6ac86c484f2188f72d0ebf9b4ff56019f27c27e4414f5a4be6062f02",
        "0x8cf9b89ca567c3f9e31e34b612b8810b3c38423c9f9f84ee22d421188b8c5d2a"
        "06e5bda6ea219c60bac590e5892743a6eeba214812ed77f47b41f585b3c164b41b",
    ),
    (421614, "WP"): (
        "0xb82c5de0ab126427a0a6c25f72a8cca8caecc7eacc24698f2fda21df53a6a1b1",
        "0xb5e2617fd55e4b10416f72535e8165c2f4106db20d3660bde180e508aaa907db"
        "6add102cd6df224798076369d990993d5c22a1088dbab1089697c239c299cac01c",
    ),
    (421614, "RQ"): (
        "0x716462afd1f48648416f8115b571d21df17dc290ba6807ac28cb55563cc63e03",
        "0xccd738da815513e6aa697eab28d679f253f21b020fcb3b7f9c0bb08dcc67a5be"
        "339d5800f820876547ba4486e912c537c6785da816049ed47729d60d3d0d8bb31c",
    ),
}


@pytest.mark.parametrize(("chain_id", "name"), TODAY_VECTORS)
def test_todays_orders(chain_id: int, name: str, signer: KeySigner) -> None:
    create, fields = TODAY_ORDERS[name]
    order = create(rules=V9, **fields)
    domain = orders.domain(chain_id, TODAY[chain_id])
    signed = orders.sign_order(order, signer, domain, salt=b"\x44" * 32)
    assert (orders.order_hash(signed, domain), signed.sign) == TODAY_VECTORS[chain_id, name]


# --- ids ------------------------------------------------------------------------------------------


def test_deal_and_task_ids() -> None:
    request = V6_VECTORS["requestorder"][1]
    assert deal_id(request, 0) == (
        "0xcdad586e4490f34188fdc1b49bf53b26e9ca620c4a977efbac77f05ce0378d73"
    )
    assert deal_id(request, 3) == (
        "0x7fd4f9bdd2196b63f51d60808d0b22ffa475995ae543d163b6c52042919509b6"
    )
    expected = {
        0: "0xa2198913505ba0684e7b9125ca79002c1058535fa2266e5471bd84ae2a18dbf5",
        1: "0xcf61c38d3656d57548ac113ddddca3959b0b3fa4bae50b2232563fd725b5a3fb",
        256: "0x2922a70b8e32b0586e7467950e2b6ee395127e52ead15f09fd6924b6652aa63c",
    }
    assert {index: task_id("0x" + "33" * 32, index) for index in expected} == expected
    # today.md §7, 29
    assert task_id("0x" + "ab" * 32, 3) == (
        "0x1c11a7f5202ce448e5d43b6b6d6bd678c65f105890c132effaf4b01e899ceec2"
    )


@pytest.mark.parametrize("index", [-1, 1 << 256, True, 1.0, "1", None])
def test_task_index_must_be_an_unsigned_integer(index: object) -> None:
    with pytest.raises(ValidationError, match="index must be an integer"):
        task_id("0x" + "33" * 32, index)  # type: ignore[arg-type]


@pytest.mark.parametrize("dealid", ["0x", "33" * 32, "0x" + "33" * 31, None, 5])
def test_deal_id_must_be_32_bytes(dealid: object) -> None:
    with pytest.raises(ValidationError, match="dealid"):
        task_id(dealid, 0)  # type: ignore[arg-type]


# --- calldata -------------------------------------------------------------------------------------


def calldata_orders() -> list[SignedOrder]:
    salt, sign = "0x" + "22" * 32, "0x" + "55" * 65
    return [
        Apporder(app=HUB, appprice=10**9, volume=10).signed(salt, sign),
        NULL_DATASETORDER,
        Workerpoolorder(workerpool=HUB, workerpoolprice=15, volume=3, category=5).signed(
            salt, sign
        ),
        Requestorder(
            app=HUB,
            appmaxprice=10**9,
            workerpoolmaxprice=15,
            requester=OWNER,
            beneficiary=OWNER,
            category=5,
            params="{}",
        ).signed(salt, sign),
    ]


def test_match_orders_calldata() -> None:
    found = calldata_orders()
    text = ",".join(type(order).abi_tuple() for order in found)
    data = abi.function(f"matchOrders({text})").encode(*(order.abi_value() for order in found))
    assert data[:4].hex() == "156194d4"
    assert len(data) == 2052
    assert to_hex(keccak(data)) == (
        "0x72c897c435c7add92cc28c5f5c597f47adad17614af1114fc4fdd694417c7e31"
    )


@pytest.mark.parametrize(
    ("kind", "selector"),
    [
        (SignedApporder, "b2b07e66"),
        (SignedDatasetorder, "4b747106"),
        (SignedWorkerpoolorder, "7e34a077"),
        (SignedRequestorder, "8dd971d5"),
    ],
)
def test_manage_order_selectors(kind: type[SignedOrder], selector: str) -> None:
    text = f"manage{kind.solidity}(({kind.abi_tuple()} order,uint8 operation,bytes sign))"
    assert abi.function(text).selector.hex() == selector


def test_cancel_calldata() -> None:
    order = calldata_orders()[0]
    function = abi.function(f"manageAppOrder(({order.abi_tuple()} order,uint8 operation,bytes s))")
    data = function.encode(orders.cancel_operation(order))
    assert len(data) == 580
    assert to_hex(keccak(data)) == (
        "0xd6697668ab0de075213b3e2c01029b7102b063e41479c2c71ce777a080c02877"
    )


# --- the records ----------------------------------------------------------------------------------


def test_kinds_are_named_after_their_resource() -> None:
    for name, kind in ORDER_KINDS.items():
        assert name == kind.name == kind.resource + "order" == kind.__name__.lower()
        assert kind.solidity == kind.resource.capitalize() + "Order"
        signed = SIGNED_ORDER_KINDS[name]
        assert (signed.name, signed.solidity) == (kind.name, kind.solidity)
        assert signed.field_names() == (*kind.field_names(), "salt", "sign")


def test_construction_reports_all_faults_at_once() -> None:
    with pytest.raises(ValidationError) as info:
        Apporder(app="foo", appprice="5 RLC", volume=-1, tag="tee")  # type: ignore[arg-type]
    assert len(info.value.errors) == 4
    for text in (
        "app: foo is not a valid ethereum address",
        "appprice: 5 RLC is not a valid amount",
        "volume: -1 is not a valid uint256",
        "tag: tee is not a valid bytes32 hexstring",
    ):
        assert any(error.startswith(text) for error in info.value.errors)
        assert text in str(info.value)


def test_construction_normalises_letter_case_only() -> None:
    order = SignedApporder(
        app=RES.lower(),
        tag=tag(0xAB).upper().replace("0X", "0x"),
        salt="0x" + "AB" * 32,
        sign="0xAA",
    )
    assert (order.app, order.tag, order.salt, order.sign) == (
        RES,
        tag(0xAB),
        "0x" + "ab" * 32,
        "0xaa",
    )


def test_orders_cannot_be_changed() -> None:
    order = Apporder(app=RES)
    with pytest.raises(FrozenInstanceError):
        order.volume = 5  # type: ignore[misc]
    assert not hasattr(order, "__dict__")


def test_orders_compare_copy_and_pickle() -> None:
    order = Apporder(app=RES).signed(NULL_BYTES32, "0x")
    assert copy.copy(order) == copy.deepcopy(order) == pickle.loads(pickle.dumps(order)) == order
    assert hash(order) == hash(copy.copy(order))
    assert replace(order, sign="0x11") != order
    with pytest.raises(ValidationError):
        replace(order, sign="zz")


def test_to_dict_is_the_v6_json() -> None:
    order = Workerpoolorder(workerpool=RES.lower(), workerpoolprice=15, category=5, trust=2)
    assert list(order.signed("0x" + "AB" * 32, "0xFF").to_dict().items()) == [
        ("workerpool", RES),
        ("workerpoolprice", "15"),
        ("volume", "1"),
        ("tag", NULL_BYTES32),
        ("category", "5"),
        ("trust", "2"),
        ("apprestrict", NULL_ADDRESS),
        ("datasetrestrict", NULL_ADDRESS),
        ("requesterrestrict", NULL_ADDRESS),
        ("salt", "0x" + "ab" * 32),
        ("sign", "0xff"),
    ]


def test_from_dict_reads_the_market_form() -> None:
    """Numbers instead of decimal text, and members of the market's own."""
    wanted = V6_VECTORS["requestorder"][0].salted(SALT)
    numbers = {
        name: int(str(value)) if str(value).isdecimal() else value
        for name, value in wanted.to_dict().items()
    }
    assert SignedRequestorder.from_dict({**numbers, "status": "open", "remaining": 1}) == wanted


def test_from_dict_reads_loose_input() -> None:
    given = {
        **Requestorder(
            app=RES, requester=OWNER, beneficiary=OWNER, category=0, params="{}"
        ).to_dict(),
        "appmaxprice": "0.5 RLC",
        "datasetmaxprice": ["5", "nRLC"],
        "tag": ["tee", "gpu"],
        "volume": "007",
        "params": {"iexec_args": "x", "n": 1e-7},
    }
    order = Requestorder.from_dict(given)
    assert (order.appmaxprice, order.datasetmaxprice, order.volume) == (500000000, 5, 7)
    assert order.tag == tag(0x101)
    assert order.params == '{"iexec_args":"x","n":1e-7}'


def test_from_dict_wants_every_member() -> None:
    given = Apporder(app=RES).to_dict()
    del given["volume"]
    given.update(app=None, tag=5)
    with pytest.raises(ValidationError) as info:
        Apporder.from_dict(given)
    assert set(info.value.errors) == {
        "app is a required field",
        "volume is a required field",
        "tag: 5 is not a valid tag. Invalid tag",
    }
    with pytest.raises(ValidationError, match="must be a `object` type"):
        Apporder.from_dict([])  # type: ignore[arg-type]


def test_from_dict_takes_records() -> None:
    signed = Apporder(app=RES, appprice=5).salted(SALT)
    assert SignedApporder.from_dict(signed) is signed
    assert Apporder.from_dict(signed) == Apporder(app=RES, appprice=5)


def test_params_are_kept_byte_for_byte() -> None:
    text = ' {"b" : 1.0, "a":"\\u00e9", "a": 2}\n'
    order = Requestorder(app=RES, requester=OWNER, beneficiary=OWNER, category=0, params=text)
    assert order.params == text == Requestorder.from_dict(order.to_dict()).params


@pytest.mark.parametrize("text", ["", "not json", "{", "NaN", "\ufeff{}", "[" * 100000])
def test_params_need_not_be_json(text: str) -> None:
    """An order is what was signed; creation makes JSON of bare text."""
    order = Requestorder(app=RES, requester=OWNER, beneficiary=OWNER, category=0, params=text)
    assert SignedRequestorder.from_dict(order.salted(SALT).to_dict()).params == text
    created = orders.create_requestorder(
        app=RES, requester=OWNER, category=0, params=text, result_proxy=PROXY
    )
    assert json.loads(created.params)["iexec_args"] == text


def test_params_have_a_utf8_form() -> None:
    with pytest.raises(ValidationError, match="params: text with a lone surrogate"):
        Requestorder(app=RES, requester=OWNER, beneficiary=OWNER, category=0, params='"\ud800"')


# --- create ---------------------------------------------------------------------------------------


def test_create_fills_defaults() -> None:
    assert orders.create_apporder(app=RES) == Apporder(app=RES)
    assert orders.create_datasetorder(dataset=RES, volume=None) == Datasetorder(dataset=RES)
    assert orders.create_workerpoolorder(
        workerpool=RES, category="3", workerpoolprice="1 RLC"
    ) == Workerpoolorder(workerpool=RES, category=3, workerpoolprice=10**9)
    request = orders.create_requestorder(
        app=RES, category=5, requester=OWNER.lower(), result_proxy=PROXY, params={}
    )
    assert request == Requestorder(
        app=RES,
        category=5,
        requester=OWNER,
        beneficiary=OWNER,
        params=f'{{"iexec_result_storage_provider":"ipfs","iexec_result_storage_proxy":"{PROXY}"}}',
    )


def test_create_reports_all_faults_at_once() -> None:
    with pytest.raises(ValidationError) as info:
        orders.create_requestorder(
            category="x", tag="foo", params={"iexec_result_encryption": "maybe"}, nonsense=1
        )
    assert set(info.value.errors) == {
        "category: x is not a valid uint256",
        "tag: foo is not a valid tag. Unknown tag foo",
        "nonsense is not a field of requestorder",
        "app is a required field",
        "requester is a required field",
    }
    assert str(info.value).startswith("Missing parameter: ")


def test_create_names_the_fault_in_params() -> None:
    with pytest.raises(ValidationError) as info:
        orders.create_requestorder(
            app=RES,
            category=0,
            requester=OWNER,
            result_proxy=PROXY,
            params={"iexec_result_storage_provider": "dropbox", "iexec_args": []},
        )
    assert info.value.errors == (
        'params: iexec_result_storage_provider "dropbox" is not supported for non TEE tasks '
        "use supported storage provider ipfs",
        "params: iexec_args must be a `string` type, but the final value was: `[]`.",
    )


def test_callback_needs_no_storage() -> None:
    order = orders.create_requestorder(
        app=RES, category=0, requester=OWNER, callback=HUB, params={"iexec_args": "x"}
    )
    assert order.params == '{"iexec_args":"x"}'


# today.md §3.3 and §7, 7
@pytest.mark.parametrize(
    ("given", "created"), [([], 0x9), ("tee", 0x9), ("gpu", 0x109), (tag(0x100), 0x109)]
)
def test_forced_tag(given: object, created: int) -> None:
    for order in (
        orders.create_apporder(app=RES, tag=given, rules=V9),
        orders.create_datasetorder(dataset=RES, tag=given, rules=V9),
        orders.create_workerpoolorder(workerpool=RES, category=0, tag=given, rules=V9),
        orders.create_requestorder(app=RES, category=0, requester=OWNER, tag=given, rules=V9),
    ):
        assert order.tag == tag(created)


def test_forced_tag_keeps_old_frameworks_of_datasets_only() -> None:
    for given, created in (("tee,scone", 0xB), ("gramine", 0xD)):
        assert orders.create_datasetorder(dataset=RES, tag=given, rules=V9).tag == tag(created)
        with pytest.raises(ValidationError, match="tag: Unsupported legacy TEE framework tag"):
            orders.create_apporder(app=RES, tag=given, rules=V9)


def test_tag_as_given() -> None:
    for given, mask in (([], 0), ("gpu", 0x100), ("tee,tdx", 0x9)):
        order = orders.create_apporder(app=RES, tag=given, rules=V9, tag_as_given=True)
        assert order.tag == tag(mask)
    with pytest.raises(ValidationError, match="'tee' tag must be used with a tee framework"):
        orders.create_apporder(app=RES, tag="tee", rules=V9, tag_as_given=True)
    order = orders.create_datasetorder(dataset=RES, tag="tee", rules=V9, tag_as_given=True)
    assert order.tag == tag(1)


def test_v6_forces_nothing() -> None:
    assert orders.create_apporder(app=RES, rules=V6).tag == NULL_BYTES32


# --- sign and verify ------------------------------------------------------------------------------


class Foreign:
    """A signer that is not a local key: what it gives is whatever it was told to give."""

    kinds: ClassVar[list[str]] = []

    def __init__(self, address: str, signature: bytes) -> None:
        self.address = address
        self.signature = signature

    def sign_message(self, message: bytes) -> bytes:
        raise NotImplementedError

    def sign_typed_data(self, typed_data: TypedData) -> bytes:
        self.kinds.append(typed_data.struct.name)
        return self.signature


def signature_of(name: str) -> bytes:
    return bytes.fromhex(V6_VECTORS[name][3][2:])


def test_salt_is_random_and_order_stays(signer: KeySigner) -> None:
    order = Apporder(app=RES)
    before = order.to_dict()
    domain = orders.domain(134, HUB)
    first, second = (orders.sign_order(order, signer, domain) for _ in range(2))
    assert first.salt != second.salt
    assert order.to_dict() == before
    again = orders.sign_order(first, signer, domain)
    assert again.salt not in (first.salt, second.salt)
    assert Apporder.from_dict(again) == order


def test_what_is_not_said_of_an_order() -> None:
    app, pool = Apporder(app=RES), orders.create_workerpoolorder(workerpool=RES, category=0)
    assert (app.appprice, pool.workerpoolprice, pool.trust) == (0, 0, 0)
    assert app.volume == pool.volume == 1
    assert orders.create_datasetorder(dataset=RES).datasetprice == 0


@pytest.mark.parametrize("length", [0, 31, 33])
def test_salt_has_32_bytes(length: int, signer: KeySigner) -> None:
    with pytest.raises(ValidationError, match="salt must be 32 bytes"):
        orders.sign_order(Apporder(app=RES), signer, orders.domain(134, HUB), salt=b"\x00" * length)
    with pytest.raises(ValidationError, match="salt must be 32 bytes"):
        Apporder(app=RES).salted(b"\x00" * length)


def test_request_order_is_its_requesters_to_sign(signer: KeySigner) -> None:
    order = Requestorder(app=RES, requester=RES, beneficiary=OWNER, category=0, params="{}")
    with pytest.raises(ValidationError, match="Invalid order signer, must be the requester"):
        orders.sign_order(order, signer, orders.domain(134, HUB))


def test_foreign_signature_is_verified() -> None:
    order, domain = V6_VECTORS["apporder"][0], orders.domain(134, HUB)
    good = signature_of("apporder")
    signed = orders.sign_order(order, Foreign(OWNER, good), domain, salt=SALT)
    assert signed.sign == V6_VECTORS["apporder"][3]
    assert Foreign.kinds[-1] == "AppOrder"
    for bad in (signature_of("datasetorder"), good[:64], b"", good[:-1] + b"\x1b"):
        with pytest.raises(SignatureError):
            orders.sign_order(order, Foreign(OWNER, bad), domain, salt=SALT)
    with pytest.raises(SignatureError):
        orders.sign_order(order, Foreign(RES, good), domain, salt=SALT)


def test_recovery_id_counted_from_zero_is_written_as_on_chain() -> None:
    good = signature_of("apporder")
    wallet = Foreign(OWNER.lower(), good[:64] + bytes((good[64] - 27,)))
    order = V6_VECTORS["apporder"][0]
    signed = orders.sign_order(order, wallet, orders.domain(134, HUB), salt=SALT)
    assert signed.sign == V6_VECTORS["apporder"][3]


def test_verify_order_refuses_what_does_not_prove() -> None:
    order, domain = V6_VECTORS["apporder"][0], orders.domain(134, HUB)
    signed = order.signed("0x" + "22" * 32, V6_VECTORS["apporder"][3])
    orders.verify_order(signed, domain, OWNER.lower())
    for changed in (replace(signed, volume=11), replace(signed, sign="0x")):
        with pytest.raises(SignatureError):
            orders.verify_order(changed, domain, OWNER)
    with pytest.raises(SignatureError):
        orders.verify_order(signed, orders.domain(133, HUB), OWNER)
    with pytest.raises(SignatureError):
        orders.verify_order(signed, domain, RES)


@pytest.mark.parametrize("sign", ["0x", "0x" + "55" * 65, "0x" + "ab" * 300])
def test_sign_is_any_bytes(sign: str) -> None:
    assert Apporder(app=RES).signed(NULL_BYTES32, sign).sign == sign


@pytest.mark.parametrize("sign", ["", "0x5", "0xzz", "55", "0x55\n", None, b"\x55"])
def test_sign_is_hex(sign: object) -> None:
    with pytest.raises(ValidationError, match="is not a valid signature"):
        Apporder(app=RES).signed(NULL_BYTES32, sign)  # type: ignore[arg-type]


def test_typed_data_document_signs_the_same(signer: KeySigner) -> None:
    """An order can be carried as a document to a wallet that knows nothing of iExec."""
    order, domain = V6_VECTORS["requestorder"][0].salted(SALT), orders.domain(134, HUB)
    document = orders.typed_data(order, domain).to_dict()
    carried = TypedData.from_dict(document)
    assert to_hex(signer.sign_typed_data(carried)) == V6_VECTORS["requestorder"][3]
    assert document["primaryType"] == "RequestOrder"


def test_fields_where_a_name_may_stand_for_an_address() -> None:
    """The members of type ``address`` (chain.md §2.2)."""
    restricted = ("datasetrestrict", "workerpoolrestrict", "requesterrestrict")
    assert orders.Apporder.address_fields() == ("app", *restricted)
    assert orders.Requestorder.address_fields() == (
        *("app", "dataset", "workerpool", "requester", "beneficiary", "callback"),
    )
