"""How the plan of a purchase looks, and what is said where something stands against it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import IExecError, MatchError, StateError, ValidationError
from . import orders, output, prompts, text

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..protocol.chains import Chain
    from ..protocol.orders import Requestorder
    from ..sdk.client import IExec
    from ..sdk.plan import RequestPlan, RunPlan

__all__ = ["RESOURCES", "confirmed", "explained", "planned"]

RESOURCES = orders.RESOURCES[:3]


def planned(client: IExec, plan: RequestPlan) -> output.Result:
    """The result of ``--dry-run``: it fails where the command would."""
    reasons = [
        _reason(each.code, each.text, text.rlc(plan.total, client.chain.symbol))
        for each in plan.reasons
    ]
    shown = _shown(client, plan)
    if not reasons:
        shown += "\n\nNothing was signed or sent: without --dry-run it would be"
    return output.Result(
        payload={"plan": plan.to_dict()},
        text=shown,
        failures=reasons,
        title="Something is missing",
        listed=False,
    )


def explained(error: MatchError, chain: Chain) -> IExecError:
    """What stands against a plan, in the words of the command line."""
    total = error.details.get("total")
    if total is None:
        return error
    reasons: Any = error.details["reasons"]
    needed = text.rlc(int(str(total)), chain.symbol)
    texts = [_reason(each["code"], each["text"], needed) for each in reasons]
    return StateError("; ".join(texts), details=error.details, cause=error)


def _reason(code: str, words: str, needed: str) -> str:
    if code == "requester-stake":
        return (
            f"Not enough RLC on your account ({needed} required). "
            'Run "iexec-lite account deposit" to topup your account.'
        )
    return orders.skippable(code, words)


def confirmed(
    question: str,
    client: IExec,
    plan: RequestPlan,
    options: argparse.Namespace,
    *,
    note: str = "",
) -> bool:
    """Show ``note`` and plan to a person and ask; the error where there is nobody is short."""
    if prompts.interactive(options) and not options.force:
        question = f"{question}{note}\n\n{_shown(client, plan)}\n\nContinue?"
    return prompts.confirm(question, options)


def _shown(client: IExec, plan: RequestPlan) -> str:
    """A plan for people: who sells what for how much, what is left of the account, the request."""
    from ..protocol.orders import NULL_ADDRESS
    from ..protocol.params import read_params
    from ..sdk.plan import RunPlan

    def rlc(nrlc: int) -> str:
        return text.rlc(nrlc, client.chain.symbol)

    request = plan.requestorder
    rows = _bought(plan, rlc) if isinstance(plan, RunPlan) else _offered(request, rlc)
    left = plan.stake - plan.total
    lines: dict[str, object] = {
        "total": rlc(plan.total),
        "your account": f"{rlc(plan.stake)}, "
        + (f"{rlc(-left)} short" if left < 0 else f"{rlc(left)} afterwards"),
        "category": _category(client, request.category),
        "trust": request.trust,
        "tag": text.tag_names(request.tag, client.chain.rules),
        "beneficiary": request.beneficiary,
        "callback": request.callback,
        "volume": request.volume,
        "params": read_params(request.params),
    }
    usual = {
        "trust": 0,
        "tag": "none",
        "beneficiary": request.requester,
        "callback": NULL_ADDRESS,
        "volume": 1,
    }
    told = {name: value for name, value in lines.items() if usual.get(name) != value}
    return f"{text.table(rows)}\n\n{output.render(told)}"


def _bought(plan: RunPlan, rlc: Callable[[int], str]) -> list[dict[str, object]]:
    """A row for each order of a run."""
    prices = (plan.app_price, plan.dataset_price, plan.workerpool_price)
    sold = (plan.apporder, plan.datasetorder, plan.workerpoolorder)
    return [
        {
            "resource": kind,
            "address": getattr(found.order, kind),
            "price per task": rlc(price),
            "order": found.order_hash or "yours, signed for this run",
        }
        for kind, found, price in zip(RESOURCES, sold, prices, strict=True)
        if found is not None
    ]


def _offered(request: Requestorder, rlc: Callable[[int], str]) -> list[dict[str, object]]:
    """A row for each resource of a request: the most that is paid for it."""
    from ..protocol.orders import NULL_ADDRESS

    return [
        {
            "resource": kind,
            "address": "any" if address == NULL_ADDRESS else address,
            "most per task": rlc(getattr(request, f"{kind}maxprice")),
        }
        for kind in RESOURCES
        if (address := getattr(request, kind)) != NULL_ADDRESS or kind == "workerpool"
    ]


def _category(client: IExec, index: int) -> str:
    """``0 (XS, at most 50 minutes)``; the number alone where there is no such category."""
    try:
        found = client.hub.show_category(index)
        return f"{index} ({found.name}, at most {text.duration(client.hub.longest(index))})"
    except ValidationError:
        return str(index)
