"""``iexec-lite deal show | claim`` (cli.md §8.10)."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..errors import IExecError, ObjectNotFoundError
from . import flags, output, project, text, wallets, watching
from .parser import Group

if TYPE_CHECKING:
    from ..protocol.chains import Chain
    from ..sdk.client import IExec
    from ..sdk.records import Deal, DealUpdate, ResourceShare, Task

__all__ = ["register"]

MOST_SHOWN = 20  # tasks, one line each
MOST_READ = 1000  # tasks whose state is looked up to show a deal


def register(group: Group) -> None:
    """The commands of the group."""
    show = group.command(
        "show",
        show_deal,
        "what was bought of whom, and how far it is",
        arguments="DEALID",
        example="deal show 0x9ff7...4b2c --watch",
    )
    show.add_argument(
        "--watch", action="store_true", help="wait until every task is completed or timed out"
    )
    claim = group.command(
        "claim",
        claim_deal,
        "get the money back for tasks that were not completed in time",
        arguments="DEALID",
        example="deal claim 0x9ff7...4b2c",
    )
    for parser in (show, claim):
        parser.add_argument("dealid", metavar="DEALID", help="the deal's id: 0x and 64 hex digits")
        wallets.add_load_options(parser)
        flags.add_node(parser)
    flags.add_transaction(claim)


# -- show -------------------------------------------------------------------------------------


def show_deal(options: argparse.Namespace) -> output.Result:
    """A deal and, for people or with ``--watch``, the state of its tasks."""
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        deal = _find(client, options)
        update = None
        if options.watch:
            update = watching.follow_deal(client, deal.dealid, options)
        elif not options.raw and deal.bot_size <= MOST_READ:
            update = next(client.deal.obs_deal(deal.dealid))
        if options.raw:
            return output.Result(payload=_payload(deal, update))
        now = watching.chain_clock(client)()
        details = _details(deal, selection.chain, now)
    shown: dict[str, object] = {"deal": deal.dealid}
    if update is None:
        shown |= {**details, "tasks": f"{deal.bot_size} (their states: --watch)"}
        return output.Result(text=output.render(shown))
    shown |= {"status": _status(update, now), **details}
    lines = [output.render(shown), *_task_lines(update), *_next_step(update, options)]
    return output.Result(text="\n".join(lines))


def _find(client: IExec, options: argparse.Namespace) -> Deal:
    try:
        return client.deal.show(options.dealid)
    except ObjectNotFoundError as error:
        try:
            client.task.show(options.dealid)
        except IExecError:
            raise error from None
        error.message += (
            f": it is the id of a task. Show it with: iexec-lite task show {options.dealid}"
            f"{watching.in_this_chain(options)}"
        )
        raise


def _payload(deal: Deal, update: DealUpdate | None) -> dict[str, object]:
    """The raw shape: the deal alone, or after a watch with its tasks."""
    if update is None:
        return {"deal": deal.to_dict()}
    tasks = watching.tasks_json(update)
    return {
        "tasksCount": update.tasks_count,
        "completedTasksCount": update.completed_tasks_count,
        "failedTasksCount": update.failed_tasks_count,
        "deal": update.deal.to_dict(),
        "tasks": tasks,
        "failedTasks": [task for task in tasks if task["taskTimedOut"]],
    }


def _status(update: DealUpdate, now: float) -> str:
    word = {"DEAL_COMPLETED": "completed", "DEAL_TIMEDOUT": "timed out"}.get(update.message)
    counts = watching.deal_words(update)
    if word is not None:
        return f"{word}: {counts}"
    return f"running: {counts}; final deadline {text.away(update.deal.final_time, now)}"


def _details(deal: Deal, chain: Chain, now: float) -> dict[str, object]:
    """What was agreed, as a person reads it."""

    def rlc(nrlc: int) -> str:
        return text.rlc(nrlc, chain.symbol)

    price = deal.app.price + deal.dataset.price + deal.workerpool.price
    total = f" ({rlc(price * deal.bot_size)} for {deal.bot_size} tasks)"
    shares = {"app": deal.app, "dataset": deal.dataset, "workerpool": deal.workerpool}
    found: dict[str, object] = {}
    for kind, share in shares.items():
        found |= _share(kind, share, rlc(share.price))
    found |= {
        "price": f"{rlc(price)} per task{total if deal.bot_size > 1 else ''}",
        **({"paid by": deal.sponsor} if deal.sponsor not in (None, deal.requester) else {}),
        "requester": deal.requester,
        "beneficiary": "the requester"
        if deal.beneficiary == deal.requester
        else text.address(deal.beneficiary),
        "callback": text.address(deal.callback),
        "category": str(deal.category),
        "trust": str(deal.trust),
        "tag": text.tag_names(deal.tag, chain.rules),
        "worker stake": rlc(deal.worker_stake),
        "scheduler reward": f"{deal.scheduler_reward_ratio} %",
        "started": text.moment(deal.start_time, now),
        "final deadline": text.moment(deal.final_time, now),
        "params": _params(deal.params),
    }
    return found


def _share(kind: str, share: ResourceShare, price: str) -> dict[str, object]:
    if text.address(share.pointer) == text.NONE:
        return {kind: text.NONE}
    return {
        kind: f"{share.pointer}  {price}",
        f"{kind} owner": share.owner,
    }


def _params(params: str) -> object:
    """The members of params that are a JSON object; else the text, as workers take it."""
    from ..eth.codec import load_json

    try:
        found = load_json(params)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else params


def _task_lines(update: DealUpdate) -> list[str]:
    """One line per task; of very many, those that are not completed first."""
    tasks = update.tasks
    chosen = sorted(tasks, key=lambda index: (tasks[index].status_name == "COMPLETED", index))
    chosen = sorted(chosen[:MOST_SHOWN])
    digits = max(len(str(index)) for index in chosen)
    wide = max(len(tasks[index].status_name) for index in chosen)
    lines = [f"  {i:>{digits}} {tasks[i].status_name:<{wide}} {tasks[i].taskid}" for i in chosen]
    more = len(tasks) - len(chosen)
    if more:
        lines.append(f"  and {more} more: with --watch --raw all are listed")
    return ["tasks:", *lines]


def _next_step(update: DealUpdate, options: argparse.Namespace) -> list[str]:
    """What a person may want to do now, if anything."""
    chain = watching.in_this_chain(options)
    if any(task.status_name == "TIMEOUT" for task in update.tasks.values()):
        claim = f"iexec-lite deal claim {update.deal.dealid}{chain}"
        return ["", f"Get the money back for these: {claim}"]
    task = next((task for task in update.tasks.values() if _has_result(task)), None)
    if task is None:
        return []
    return ["", f"Get a result: iexec-lite task show {task.taskid} --download{chain}"]


def _has_result(task: Task) -> bool:
    return task.status_name == "COMPLETED" and (task.results or {}).get("storage") == "ipfs"


# -- claim ------------------------------------------------------------------------------------


def claim_deal(options: argparse.Namespace) -> output.Result:
    """Claim every task that was not completed before the final time."""
    selection = project.selected_chain(options)
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        deal = _find(client, options)
        try:
            claim = client.deal.claim(deal.dealid)
        except IExecError as error:
            done = error.details.get("transactions")
            if isinstance(done, list) and done:
                error.message += (
                    f"; what was sent before it ({len(done)}) is claimed, the same command claims "
                    "the rest"
                )
            raise
    count = len(claim.claimed)
    told = f"Deal successfully claimed ({count} task{'s' if count > 1 else ''} claimed)"
    return output.Result(
        payload=claim.to_dict(),
        text=f"{told}\n{watching.refund_words(deal, count, selection.chain.symbol)}",
    )
