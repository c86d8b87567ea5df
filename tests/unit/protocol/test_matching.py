"""Matching: V6's checks and texts (chain.md §7.1), the contracts' (§7.2), today's (today.md §3)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from iexec_lite.errors import MatchError, ValidationError
from iexec_lite.protocol import matching, reverts
from iexec_lite.protocol.matching import MatchFacts, MatchReport, OrderFacts, OrderSet
from iexec_lite.protocol.orders import (
    NULL_ADDRESS,
    NULL_DATASETORDER,
    SignedApporder,
    SignedDatasetorder,
    SignedRequestorder,
    SignedWorkerpoolorder,
)
from iexec_lite.protocol.rules import V6, V9


def address(digit: str) -> str:
    return "0x" + digit * 40  # digits have no letter case, so this is EIP-55


def tag(bits: int) -> str:
    return f"0x{bits:064x}"


APP, DATASET, POOL, REQUESTER = (address(digit) for digit in "1234")
APP_OWNER, DATASET_OWNER, POOL_OWNER = (address(digit) for digit in "567")
GROUP, OTHER = address("8"), address("9")
SIGNED: Any = {"salt": "0x" + "22" * 32, "sign": "0x" + "55" * 65}

# The case of today.md §7, vectors 30 to 40: 115 a task, five tasks.
ORDERS = OrderSet(
    apporder=SignedApporder(app=APP, appprice=10, volume=5, **SIGNED),
    datasetorder=SignedDatasetorder(dataset=DATASET, datasetprice=5, volume=5, **SIGNED),
    workerpoolorder=SignedWorkerpoolorder(
        workerpool=POOL, workerpoolprice=100, volume=5, category=0, trust=3, **SIGNED
    ),
    requestorder=SignedRequestorder(
        app=APP,
        appmaxprice=10,
        dataset=DATASET,
        datasetmaxprice=5,
        workerpoolmaxprice=100,
        requester=REQUESTER,
        beneficiary=REQUESTER,
        volume=5,
        category=0,
        trust=3,
        params="{}",
        **SIGNED,
    ),
)
FACTS = MatchFacts(
    app=OrderFacts(owner=APP_OWNER, signed=True, consumed=0),
    dataset=OrderFacts(owner=DATASET_OWNER, signed=True, consumed=0),
    workerpool=OrderFacts(owner=POOL_OWNER, signed=True, consumed=0),
    request=OrderFacts(owner=REQUESTER, signed=True, consumed=0),
    category_exists=True,
    workerpool_stake=1000,
    requester_stake=1000,
)
NO_DATASET = ORDERS._replace(
    datasetorder=NULL_DATASETORDER, requestorder=replace(ORDERS.requestorder, dataset=NULL_ADDRESS)
)
TODAY = OrderSet(
    replace(ORDERS.apporder, tag=tag(0x9)),
    replace(ORDERS.datasetorder, tag=tag(0x3)),
    replace(ORDERS.workerpoolorder, tag=tag(0x9)),
    replace(ORDERS.requestorder, tag=tag(0x9)),
)


def with_order(orders: OrderSet, name: str, **changes: object) -> OrderSet:
    return orders._replace(**{name: replace(getattr(orders, name), **changes)})


def with_facts(facts: MatchFacts, name: str, **changes: object) -> MatchFacts:
    return replace(facts, **{name: replace(getattr(facts, name), **changes)})


def check(orders: OrderSet = ORDERS, facts: MatchFacts = FACTS) -> MatchReport:
    return matching.check(orders, facts, V6)


def reasons(report: MatchReport) -> list[tuple[str, str]]:
    return [(each.code.removeprefix("iExecV5-matchOrders-"), each.text) for each in report.reasons]


# --- what a match would be ------------------------------------------------------------------------


def test_good_match() -> None:
    report = check()
    assert report.ok
    report.raise_if_bad()
    assert report == MatchReport(
        reasons=(),
        volume=5,
        tag=tag(0),
        app_price=10,
        dataset_price=5,
        workerpool_price=100,
        cost_per_task=115,
        total=575,
        workerpool_stake_per_task=30,
        workerpool_stake=150,
        requester_shortfall=0,
        workerpool_shortfall=0,
    )


def test_without_dataset_its_order_counts_for_nothing() -> None:
    report = check(NO_DATASET, replace(FACTS, dataset=None))
    assert report.ok
    assert (report.volume, report.dataset_price, report.total) == (5, 0, 550)


@pytest.mark.parametrize(
    ("order", "fact"),
    [
        ("apporder", "app"),
        ("datasetorder", "dataset"),
        ("workerpoolorder", "workerpool"),
        ("requestorder", "request"),
    ],
)
def test_volume_is_the_least_that_remains(order: str, fact: str) -> None:
    assert check(with_order(ORDERS, order, volume=4)).volume == 4
    report = check(facts=with_facts(FACTS, fact, consumed=3))
    assert (report.volume, report.total, report.workerpool_stake) == (2, 230, 60)
    assert report.ok
    for consumed in (5, 7):
        report = check(facts=with_facts(FACTS, fact, consumed=consumed))
        assert reasons(report) == [("0x60", f"{order} is fully consumed")]
        assert (report.volume, report.total) == (0, 0)


def test_one_task_left_is_enough() -> None:
    report = check(facts=with_facts(FACTS, "app", consumed=4))
    assert report.ok
    assert report.volume == 1


def test_stake_is_rounded_down_per_task() -> None:
    orders = with_order(ORDERS, "workerpoolorder", workerpoolprice=7)
    report = check(orders)
    assert (report.workerpool_stake_per_task, report.workerpool_stake) == (2, 10)
    assert check(orders, replace(FACTS, workerpool_stake_ratio=100)).workerpool_stake == 35


def test_without_a_dataset_the_tag_is_of_the_other_two() -> None:
    orders = with_order(with_order(ORDERS, "apporder", tag=tag(0x8)), "requestorder", tag=tag(0x2))
    found = matching.deal_tag(orders.apporder, None, orders.requestorder, V6)
    assert found == tag(0xA)


def test_deal_tag_is_the_union() -> None:
    orders = with_order(ORDERS, "apporder", tag=tag(0x1))
    orders = with_order(orders, "datasetorder", tag=tag(0x100))
    orders = with_order(orders, "requestorder", tag=tag(1 << 255))
    orders = with_order(orders, "workerpoolorder", tag=tag((1 << 255) | 0x301))
    report = check(orders)
    assert report.ok
    assert report.tag == tag((1 << 255) | 0x101)


# --- each reason alone ----------------------------------------------------------------------------


def mismatch(kind: str, wanted: str, found: str) -> str:
    return f"{kind} address mismatch between requestorder ({wanted}) and {kind}order ({found})"


def restricted(order: str, kind: str, found: str) -> str:
    return f"{order} is restricted to {kind} {OTHER}, not {found}"


def no_kyc(who: str, owner: str) -> str:
    return f"{who} {owner} is not authorized to interact with eRLC"


ORDER_CASES = [
    (
        "requestorder",
        {"category": 1},
        "0x00",
        "category mismatch between requestorder (1) and workerpoolorder (0)",
    ),
    ("requestorder", {"trust": 4}, "0x02", "workerpoolorder trust is too low (expected 4, got 3)"),
    ("requestorder", {"appmaxprice": 9}, "0x03", "appmaxprice too low (expected 10, got 9)"),
    ("requestorder", {"datasetmaxprice": 4}, "0x04", "datasetmaxprice too low (expected 5, got 4)"),
    (
        "requestorder",
        {"workerpoolmaxprice": 99},
        "0x05",
        "workerpoolmaxprice too low (expected 100, got 99)",
    ),
    ("requestorder", {"tag": tag(0x100)}, "0x06", "Missing tags [gpu] in workerpoolorder"),
    ("datasetorder", {"tag": tag(1 << 11)}, "0x06", "Missing tags [12] in workerpoolorder"),
    ("requestorder", {"app": OTHER}, "0x10", mismatch("app", OTHER, APP)),
    ("requestorder", {"dataset": OTHER}, "0x11", mismatch("dataset", OTHER, DATASET)),
    ("requestorder", {"dataset": NULL_ADDRESS}, "0x11", mismatch("dataset", NULL_ADDRESS, DATASET)),
    ("requestorder", {"workerpool": OTHER}, "0x12", mismatch("workerpool", OTHER, POOL)),
    ("apporder", {"datasetrestrict": OTHER}, "0x13", restricted("apporder", "dataset", DATASET)),
    ("apporder", {"workerpoolrestrict": OTHER}, "0x14", restricted("apporder", "workerpool", POOL)),
    (
        "apporder",
        {"requesterrestrict": OTHER},
        "0x15",
        restricted("apporder", "requester", REQUESTER),
    ),
    ("datasetorder", {"apprestrict": OTHER}, "0x16", restricted("datasetorder", "app", APP)),
    (
        "datasetorder",
        {"workerpoolrestrict": OTHER},
        "0x17",
        restricted("datasetorder", "workerpool", POOL),
    ),
    (
        "datasetorder",
        {"requesterrestrict": OTHER},
        "0x18",
        restricted("datasetorder", "requester", REQUESTER),
    ),
    ("workerpoolorder", {"apprestrict": OTHER}, "0x19", restricted("workerpoolorder", "app", APP)),
    (
        "workerpoolorder",
        {"datasetrestrict": OTHER},
        "0x1a",
        restricted("workerpoolorder", "dataset", DATASET),
    ),
    (
        "workerpoolorder",
        {"requesterrestrict": OTHER},
        "0x1b",
        restricted("workerpoolorder", "requester", REQUESTER),
    ),
]
ALL_KYC = frozenset((APP_OWNER, DATASET_OWNER, POOL_OWNER, REQUESTER))
FACT_CASES = [
    (
        with_facts(FACTS, "app", registered=False, signed=False),
        "0x20",
        f"No app deployed at address {APP}",
    ),
    (
        with_facts(FACTS, "dataset", registered=False),
        "0x30",
        f"No dataset deployed at address {DATASET}",
    ),
    (
        with_facts(FACTS, "workerpool", registered=False),
        "0x40",
        f"No workerpool deployed at address {POOL}",
    ),
    (with_facts(FACTS, "app", signed=False), "0x21", "apporder invalid sign"),
    (with_facts(FACTS, "dataset", signed=False), "0x31", "datasetorder invalid sign"),
    (with_facts(FACTS, "workerpool", signed=False), "0x41", "workerpoolorder invalid sign"),
    (with_facts(FACTS, "request", signed=False), "0x50", "requestorder invalid sign"),
    (replace(FACTS, kyc=ALL_KYC - {APP_OWNER}), "0x22", no_kyc("app owner", APP_OWNER)),
    (replace(FACTS, kyc=ALL_KYC - {DATASET_OWNER}), "0x32", no_kyc("dataset owner", DATASET_OWNER)),
    (replace(FACTS, kyc=ALL_KYC - {POOL_OWNER}), "0x42", no_kyc("workerpool owner", POOL_OWNER)),
    (replace(FACTS, kyc=ALL_KYC - {REQUESTER}), "0x51", no_kyc("requester", REQUESTER)),
    (replace(FACTS, category_exists=False), "0x01", "category 0 does not exist"),
]


@pytest.mark.parametrize(("order", "changes", "code", "text"), ORDER_CASES)
def test_reason_in_the_orders(order: str, changes: dict[str, Any], code: str, text: str) -> None:
    assert reasons(check(with_order(ORDERS, order, **changes))) == [(code, text)]


@pytest.mark.parametrize(("facts", "code", "text"), FACT_CASES)
def test_reason_in_the_facts(facts: MatchFacts, code: str, text: str) -> None:
    assert reasons(check(facts=facts)) == [(code, text)]


def test_tee_must_be_in_the_app_order_too() -> None:
    orders = with_order(ORDERS, "requestorder", tag=tag(0x101))
    assert reasons(check(orders)) == [
        ("0x06", "Missing tags [tee,gpu] in workerpoolorder"),
        ("0x07", "Missing tag [tee] in apporder"),
    ]
    orders = with_order(orders, "workerpoolorder", tag=tag(0x101))
    assert [code for code, _ in reasons(check(orders))] == ["0x07"]
    assert check(with_order(orders, "apporder", tag=tag(0x1))).ok


def test_every_revert_code_of_the_contracts_has_a_case() -> None:
    covered = {code for _, _, code, _ in ORDER_CASES} | {code for _, code, _ in FACT_CASES}
    covered |= {"0x07", "0x60"}  # above
    assert {f"{reverts.MATCH}{code}" for code in covered} == set(reverts.MATCH_REVERTS)


def test_kyc_of_all() -> None:
    assert check(facts=replace(FACTS, kyc=ALL_KYC)).ok
    found = reasons(check(facts=replace(FACTS, kyc=frozenset())))
    assert [code for code, _ in found] == ["0x51", "0x22", "0x32", "0x42"]


# --- restrictions ---------------------------------------------------------------------------------


def test_restrictions_that_are_met() -> None:
    orders = OrderSet(
        replace(
            ORDERS.apporder,
            datasetrestrict=DATASET,
            workerpoolrestrict=POOL,
            requesterrestrict=REQUESTER,
        ),
        replace(
            ORDERS.datasetorder,
            apprestrict=APP,
            workerpoolrestrict=POOL,
            requesterrestrict=REQUESTER,
        ),
        replace(
            ORDERS.workerpoolorder,
            apprestrict=APP,
            datasetrestrict=DATASET,
            requesterrestrict=REQUESTER,
        ),
        replace(ORDERS.requestorder, workerpool=POOL),
    )
    assert check(orders).ok
    assert matching.groups(orders) == ()


@pytest.mark.parametrize(
    ("order", "field", "value"),
    [
        ("requestorder", "workerpool", POOL),
        ("apporder", "datasetrestrict", DATASET),
        ("apporder", "workerpoolrestrict", POOL),
        ("apporder", "requesterrestrict", REQUESTER),
        ("datasetorder", "apprestrict", APP),
        ("datasetorder", "workerpoolrestrict", POOL),
        ("datasetorder", "requesterrestrict", REQUESTER),
        ("workerpoolorder", "apprestrict", APP),
        ("workerpoolorder", "datasetrestrict", DATASET),
        ("workerpoolorder", "requesterrestrict", REQUESTER),
    ],
)
def test_groups(order: str, field: str, value: str) -> None:
    orders = with_order(ORDERS, order, **{field: GROUP})
    assert matching.groups(orders) == ((GROUP, value),)
    assert not check(orders).ok
    assert check(orders, replace(FACTS, authorized=frozenset({(GROUP, value)}))).ok
    assert not check(orders, replace(FACTS, authorized=frozenset({(value, GROUP)}))).ok


def test_each_group_is_asked_once() -> None:
    orders = with_order(ORDERS, "apporder", workerpoolrestrict=GROUP)
    orders = with_order(orders, "datasetorder", workerpoolrestrict=GROUP)
    assert matching.groups(orders) == ((GROUP, POOL),)


def test_a_dataset_restriction_binds_without_a_dataset() -> None:
    orders = with_order(NO_DATASET, "apporder", datasetrestrict=DATASET)
    report = check(orders, replace(FACTS, dataset=None))
    assert [code for code, _ in reasons(report)] == ["0x13"]


# --- stakes ---------------------------------------------------------------------------------------

ADVICE = "Orders can't be matched. If you are the"
POOL_ADVICE = f"{ADVICE} workerpool owner, you should deposit to top up your account"
PAY_ADVICE = f"{ADVICE} requester, you should deposit to top up your account"


@pytest.mark.parametrize(
    ("stake", "text"),
    [
        (
            29,
            "workerpool required stake (30) is greater than workerpool owner's account stake (29).",
        ),
        (
            149,
            "workerpool required stake for 5 tasks (150) is greater than workerpool owner's "
            "account stake (149).",
        ),
    ],
)
def test_workerpool_stake(stake: int, text: str) -> None:
    report = check(facts=replace(FACTS, workerpool_stake=stake))
    assert reasons(report) == [("workerpool-stake", f"{text} {POOL_ADVICE}")]
    assert (report.volume, report.workerpool_shortfall) == (5, 150 - stake)
    assert report.requester_shortfall == 0


@pytest.mark.parametrize(
    ("stake", "text"),
    [
        (
            114,
            f"Cost per task (115) is greater than requester account stake (114). {PAY_ADVICE}",
        ),
        (
            200,
            "Total cost for 5 tasks (575) is greater than requester account stake (200). "
            f"{PAY_ADVICE} or reduce your requestorder volume",
        ),
    ],
)
def test_requester_stake(stake: int, text: str) -> None:
    report = check(facts=replace(FACTS, requester_stake=stake))
    assert reasons(report) == [("requester-stake", text)]
    assert report.requester_shortfall == 575 - stake


def test_an_unknown_workerpool_has_no_stake_to_lack() -> None:
    facts = with_facts(FACTS, "workerpool", registered=False, owner=NULL_ADDRESS)
    report = check(facts=replace(facts, workerpool_stake=0))
    assert [code for code, _ in reasons(report)] == ["0x40"]


def test_somebody_else_pays() -> None:
    report = check(facts=replace(FACTS, requester_stake=None))
    assert report.ok
    assert (report.total, report.requester_shortfall) == (575, 0)


def test_exact_stakes_suffice() -> None:
    assert check(facts=replace(FACTS, workerpool_stake=150, requester_stake=575)).ok


def test_one_account_for_both() -> None:
    facts = with_facts(FACTS, "workerpool", owner=REQUESTER)

    def stake(amount: int) -> MatchReport:
        return check(facts=replace(facts, workerpool_stake=amount, requester_stake=amount))

    assert stake(725).ok
    assert (stake(725).requester_shortfall, stake(725).workerpool_shortfall) == (0, 0)
    report = stake(724)
    assert reasons(report) == [
        (
            "shared-stake",
            "Total cost for 5 tasks (575) and workerpool required stake (150) come from one "
            f"account and are together greater than its stake (724). {PAY_ADVICE}",
        )
    ]
    assert (report.requester_shortfall, report.workerpool_shortfall) == (1, 1)
    assert [code for code, _ in reasons(stake(149))] == ["workerpool-stake", "requester-stake"]
    assert stake(149).requester_shortfall == 576
    sponsored = replace(facts, workerpool_stake=150, requester_stake=None)
    assert check(facts=sponsored).ok
    assert check(facts=sponsored).workerpool_shortfall == 0


def test_a_sponsor_pays() -> None:
    sponsor = "0x" + "9" * 40
    report = check(facts=replace(FACTS, sponsor=sponsor, requester_stake=200))
    (reason,) = report.reasons
    assert reason.code == "requester-stake"
    assert "is greater than sponsor account stake (200)" in reason.text
    assert "If you are the sponsor" in reason.text
    assert not report.shared
    # One that owns the workerpool both pays and stakes; the requester is nobody then.
    own = with_facts(replace(FACTS, sponsor=sponsor), "workerpool", owner=sponsor)
    report = check(facts=replace(own, workerpool_stake=724, requester_stake=724))
    assert [code for code, _ in reasons(report)] == ["shared-stake"]
    assert "shared-stake" in matching.PAYMENT  # so the payer is told to deposit
    assert report.shared


def test_what_a_deposit_of_the_payer_mends() -> None:
    """The workerpool's stake too, if it is the same account."""
    poor = {"workerpool_stake": 0, "requester_stake": 0}
    report = check(facts=replace(FACTS, **poor))
    assert [reason.code for reason in report.but_for_payment().reasons] == ["workerpool-stake"]
    both = with_facts(FACTS, "workerpool", owner=REQUESTER)
    report = check(facts=replace(both, **poor))
    assert report.but_for_payment().ok
    assert report.requester_shortfall == 725


def test_what_any_deposit_mends() -> None:
    """All that is about money, whoever is to pay it, and nothing else."""
    facts = replace(FACTS, workerpool_stake=0, requester_stake=0, category_exists=False)
    report = check(facts=facts)
    assert {code for code, _ in reasons(report)} == {"workerpool-stake", "requester-stake", "0x01"}
    assert [code for code, _ in reasons(report.but_for_money())] == ["0x01"]


def test_the_zero_address_cannot_pay() -> None:
    orders = with_order(ORDERS, "requestorder", requester=NULL_ADDRESS)
    found = reasons(check(orders, with_facts(FACTS, "request", owner=NULL_ADDRESS)))
    assert ("requester", "requester is the zero address, which cannot pay") in found


def test_nothing_to_pay_needs_no_stake() -> None:
    orders = with_order(ORDERS, "apporder", appprice=0)
    orders = with_order(orders, "datasetorder", datasetprice=0)
    orders = with_order(orders, "workerpoolorder", workerpoolprice=0)
    report = check(orders, replace(FACTS, workerpool_stake=0, requester_stake=0))
    assert report.ok
    assert (report.volume, report.total, report.workerpool_stake) == (5, 0, 0)


# --- all at once ----------------------------------------------------------------------------------


def test_all_reasons_in_the_order_of_v6() -> None:
    orders = OrderSet(
        replace(ORDERS.apporder, workerpoolrestrict=OTHER),
        ORDERS.datasetorder,
        replace(ORDERS.workerpoolorder, category=2, trust=0),
        replace(
            ORDERS.requestorder,
            app=OTHER,
            dataset=OTHER,
            workerpool=OTHER,
            tag=tag(0x101),
            appmaxprice=0,
            datasetmaxprice=0,
            workerpoolmaxprice=0,
        ),
    )
    facts = MatchFacts(
        app=OrderFacts(owner=APP_OWNER, signed=False, consumed=9),
        dataset=OrderFacts(owner=DATASET_OWNER, signed=False, consumed=9, registered=False),
        workerpool=OrderFacts(owner=POOL_OWNER, signed=False, consumed=9),
        request=OrderFacts(owner=REQUESTER, signed=False, consumed=9),
        category_exists=False,
        workerpool_stake=0,
        requester_stake=0,
        kyc=frozenset(),
    )
    report = check(orders, facts)
    codes = [code for code, _ in reasons(report)]
    assert codes == [
        *("0x30", "0x21", "0x41", "0x50", "0x51", "0x22", "0x42"),
        *("0x10", "0x11", "0x12", "0x14", "0x00", "0x01", "0x02", "0x06", "0x07"),
        *("0x03", "0x05", "0x04", "workerpool-stake"),
        *("0x60", "0x60", "0x60", "0x60", "requester-stake"),
    ]
    with pytest.raises(MatchError) as caught:
        report.raise_if_bad()
    error = caught.value
    assert error.errors == tuple(text for _, text in reasons(report))
    assert error.message.startswith(f"No dataset deployed at address {DATASET}; apporder invalid")
    details: Any = error.details["reasons"]
    assert [each["code"].removeprefix(reverts.MATCH) for each in details] == codes
    assert [each["text"] for each in details] == list(error.errors)


def test_facts_of_other_orders_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"facts\.dataset must be given exactly"):
        check(ORDERS, replace(FACTS, dataset=None))
    with pytest.raises(ValidationError, match=r"facts\.dataset must be given exactly"):
        check(NO_DATASET, FACTS)
    with pytest.raises(ValidationError, match=r"facts\.request\.owner must be the requester"):
        check(ORDERS, with_facts(FACTS, "request", owner=OTHER))


# --- today's rules (today.md §7, vectors 30 to 40) ------------------------------------------------

INVALID = "Matching order would produce an invalid deal tag. "
BOTH = (
    "Resulting deal tag must have both [tee] and [tdx] tags active. "
    "Matching orders have incompatible tags."
)


def today(**tags: int) -> MatchReport:
    orders = TODAY
    for name, bits in tags.items():
        orders = with_order(orders, name, tag=tag(bits))
    return matching.check(orders, FACTS, V9)


@pytest.mark.parametrize(
    "tags", [{}, {"requestorder": 0x1}, {"datasetorder": 0xF}, {"datasetorder": 0x0}]
)
def test_today_good(tags: dict[str, int]) -> None:
    report = today(**tags)
    assert report.ok
    assert (report.volume, report.total, report.tag) == (5, 575, tag(0x9))


@pytest.mark.parametrize(
    ("tags", "texts"),
    [
        ({"apporder": 0, "datasetorder": 0, "requestorder": 0}, [BOTH]),
        (
            {"apporder": 0, "requestorder": 0x1},
            [
                f"{INVALID}'tee' tag must be used with a tee framework ('tdx')",
                "Missing tag [tee] in apporder",
            ],
        ),
        ({"apporder": 0}, ["Missing tag [tee] in apporder"]),
        (
            {"apporder": 0x3},
            [
                f"{INVALID}Unsupported legacy TEE framework tag ('scone')",
                "Missing tags [scone] in workerpoolorder",
            ],
        ),
        (
            {"apporder": 0x8, "datasetorder": 0, "requestorder": 0},
            [f"{INVALID}'tdx' tag must be used with 'tee' tag"],
        ),
        (
            {"workerpoolorder": 0, "requestorder": 0x109},
            ["Missing tags [tee,tdx,gpu] in workerpoolorder"],
        ),
        ({"datasetorder": 0x101}, ["Missing tags [gpu] in workerpoolorder"]),
        ({"datasetorder": 0x809}, ["Missing tags [11] in workerpoolorder"]),
    ],
)
def test_today_refused(tags: dict[str, int], texts: list[str]) -> None:
    found = reasons(today(**tags))
    assert [text for _, text in found] == texts
    assert all(code == "deal-tag" for code, text in found if "deal tag" in text)


def test_v6_counts_every_bit_of_the_dataset() -> None:
    found = matching.check(TODAY, FACTS, V6)
    assert [code for code, _ in reasons(found)] == ["0x06"]
