"""``iexec-lite app run | request-execution`` (cli.md §8.5, §8.6).

``run`` buys by the journal: the same command after one that was cut off resumes it, before any
question. ``--dry-run`` shows the plan of either: it needs no password and fails where the command
would; its raw shape is ``{"plan": …}``, the JSON of the library's record.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from ..errors import ConfigurationError, IExecError, MatchError, ValidationError
from . import assets, flags, output, plans, project, text, wallets, watching
from .parser import CommandParser, Group
from .plans import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..protocol.chains import Chain, Selection
    from ..sdk.client import IExec
    from ..sdk.plan import RequestPlan, RunPlan
    from ..sdk.records import Task

__all__ = ["register"]


def register(group: Group) -> None:
    """Add both commands to the group ``app``."""
    run = group.command(
        "run",
        run_app,
        "buy one run of an app, at the best price there is",
        arguments="[APP]",
        example="app run 0x… --args 'hello' --watch",
    )
    _add_request(run)
    run.add_argument("--watch", action="store_true", help="wait until the task is done")
    for kind in RESOURCES:
        flags.add_amount_option(
            run, f"--{kind}-max-price", f"buy no {kind} dearer than this (nRLC, or with a unit)"
        )
    flags.add_transaction(run)

    ask = group.command(
        "request-execution",
        request_execution,
        "ask everybody to run an app: publish a request order",
        arguments="[APP]",
        example="app request-execution 0x… --workerpool-price 1 RLC",
    )
    _add_request(ask)
    for kind in RESOURCES:
        flags.add_amount_option(
            ask, f"--{kind}-price", f"the most you pay for the {kind}, per task (nRLC; default: 0)"
        )
    ask.add_argument("--volume", metavar="N", default="1", help="how many tasks (default: 1)")


def _add_request(parser: CommandParser) -> None:
    """What both commands take."""
    parser.add_argument(
        "app", nargs="?", metavar="APP", help="address of the app (default: the last deployed)"
    )
    for kind in ("dataset", "workerpool"):
        parser.add_argument(
            f"--{kind}", metavar="ADDRESS", help=f'{kind} to use, or "deployed" for the last one'
        )
    parser.add_argument("--args", metavar="TEXT", help="arguments of the app")
    parser.texts.add("--args")
    flags.add_list_option(parser, "--input-files", "URLS", "files that the app gets")
    parser.add_argument("--category", metavar="N", help="kind of task, by its longest duration")
    flags.add_list_option(parser, "--tag", "TAGS", "what the task needs: tee, gpu")
    parser.add_argument("--trust", metavar="N", default="0", help="trust in the result")
    parser.add_argument(
        "--storage-provider", metavar="NAME", help="where the result goes: ipfs or dropbox"
    )
    parser.add_argument("--encrypt-result", action="store_true", help="for the beneficiary alone")
    parser.add_argument("--callback", metavar="ADDRESS", help="contract that gets the result")
    parser.add_argument("--beneficiary", metavar="ADDRESS", help="who gets the result")
    parser.add_argument("--params", metavar="JSON", help="all params as a JSON object")
    flags.add_list_option(
        parser, "--secret", "K=NAME", "your secret NAME is the app's number K", repeated=True
    )
    flags.add_preflight(parser, "do not ask the SMS about the request")
    parser.add_argument("--dry-run", action="store_true", help="show what it would do, do nothing")
    wallets.add_load_options(parser)
    flags.add_node(parser)
    flags.add_force(parser)


# -- run --------------------------------------------------------------------------------------


def run_app(options: argparse.Namespace) -> output.Result:
    """Plan, ask, buy, and with ``--watch`` wait for the end."""
    selection = project.selected_chain(options)
    wish = {**_wish(selection, options), **_amounts(options, "max_price")}
    agreed: list[RunPlan] = []
    symbol = selection.chain.symbol
    with project.connect(selection, options, wallets.require(options)) as client:
        if options.dry_run:
            return plans.planned(client, client.app.plan_run(**wish))

        def confirm(plan: RunPlan) -> bool:
            agreed.append(plan)
            spend = f"Do you want to spend {text.rlc(plan.total, symbol)}"
            question = f"{spend} to execute the following request:"
            return plans.confirmed(question, client, plan, options)

        try:
            bought = client.app.run(**wish, confirm=confirm, new=options.new)
        except MatchError as error:
            raise plans.explained(error, selection.chain) from error
        submitted = f"Deal submitted with dealid {bought.dealid}"
        deal = {"dealid": bought.dealid, "volume": str(bought.volume), "txHash": bought.tx_hash}
        if options.watch:
            output.info(submitted, options)
            return _watched(client, deal, options)
    lines = {
        "task": ", ".join(bought.taskids.values()),
        "transaction": bought.tx_hash,
        **({"price": text.rlc(agreed[0].total, symbol)} if agreed and not bought.resumed else {}),
    }
    if bought.resumed:
        submitted += ", by an earlier call of this command whose end was not seen"
    return output.Result(payload={"deals": [deal]}, text=f"{submitted}\n{output.render(lines)}")


def _watched(
    client: IExec, deal: Mapping[str, object], options: argparse.Namespace
) -> output.Result:
    """Wait for the end of a deal. Whatever stops us, the deal was made, and is told of."""
    payload: dict[str, object] = {"deals": [deal]}
    dealid = str(deal["dealid"])
    try:
        update = watching.follow_deal(client, dealid, options)
    except (IExecError, KeyboardInterrupt) as error:
        why = error.message if isinstance(error, IExecError) else "Interrupted"
        if dealid not in why:
            chain = watching.in_this_chain(options)
            why += f". The deal was made: iexec-lite deal show {dealid} --watch{chain}"
        project.confirm(options)  # the error tells of it
        raise IExecError(
            why,
            details=payload,
            cause=error,
            tx_hash=str(deal["txHash"]),
        ) from error
    tasks = {index: _task(index, task) for index, task in update.tasks.items()}
    failed = {i: tasks[i] for i, task in update.tasks.items() if task.status_name != "COMPLETED"}
    payload["tasks"] = list(tasks.values())
    done = [task["taskid"] for index, task in tasks.items() if index not in failed]
    lines = [f"Deal {dealid}"]
    for word, count in (("completed", len(done)), ("failed", len(failed))):
        lines += [f"{count}/{len(tasks)} tasks {word}"] if count else []
    lines += [f"Download the result: iexec-lite task show {taskid} --download" for taskid in done]
    if not failed:
        return output.Result(payload=payload, text="\n".join(["App run successful", *lines]))
    payload["failedTasks"] = list(failed.values())
    return output.Result(
        payload=payload,
        text="\n".join(lines),
        failures=[
            f"Task idx {index} ({task['taskid']}) status {task['statusName']}"
            for index, task in failed.items()
        ],
        title="App run failed",
        listed=False,
    )


def _task(index: int, task: Task) -> dict[str, object]:
    """A task in the shape of V6, where one that no worker has begun has an index too."""
    return {"idx": str(index), "taskid": task.taskid, **task.to_dict()}


# -- request-execution ------------------------------------------------------------------------


def request_execution(options: argparse.Namespace) -> output.Result:
    """Plan, ask, publish."""
    selection = project.selected_chain(options)
    wish = {
        **_wish(selection, options),
        **_amounts(options, "price"),
        "category": "0" if options.category is None else options.category,
        "volume": options.volume,
    }
    if not options.dry_run:
        selection.require("iexecGateway")
    with project.connect(selection, options, wallets.require(options)) as client:
        if options.dry_run:
            return plans.planned(client, client.app.plan_request_execution(**wish))

        def confirm(plan: RequestPlan) -> bool:
            total = text.rlc(plan.total, selection.chain.symbol)
            question = f"Do you want to place the following execution request for {total}:"
            note = (
                "\n - The amount will be taken from your account only if your request is filled."
                f"\n - Your request will be disabled if your stake drops under {total}."
            )
            return plans.confirmed(question, client, plan, options, note=note)

        try:
            order_hash = client.app.request_execution(**wish, confirm=confirm)
        except MatchError as error:
            raise plans.explained(error, selection.chain) from error
        requester = client.wallet.get_address()
    return output.Result(
        payload={"orderHash": order_hash},
        text=f"Successfully published requestorder with orderHash {order_hash}\n"
        f'Run "iexec-lite orderbook requester {requester}" to show published requestorders',
    )


# -- what is wanted ---------------------------------------------------------------------------


def _wish(selection: Selection, options: argparse.Namespace) -> dict[str, Any]:
    """The arguments that both commands share."""
    if not options.skip_request_check:
        selection.require("sms")
    given = {kind: getattr(options, kind) for kind in RESOURCES}
    addresses = {
        kind: assets.address_of(kind, selection, address, options)
        for kind, address in given.items()
        if address is not None or kind == "app"  # the others only where they are asked for
    }
    names = ("category", "trust", "tag", "beneficiary", "callback")
    return {
        **addresses,
        **{name: getattr(options, name) for name in names},
        "params": _params(options, selection.chain),
        "check_request": not options.skip_request_check,
    }


def _params(options: argparse.Namespace, chain: Chain) -> dict[str, object]:
    """``--params``, and over it what has options of its own."""
    from ..protocol.params import load_json
    from ..protocol.units import shown

    params: dict[str, object] = {}
    if options.params is not None:
        try:
            given = load_json(options.params)
        except ValueError:
            given = None
        if not isinstance(given, dict):
            raise ValidationError(
                f"{shown(options.params)} is not a valid params, must be a json (an object)"
            )
        params |= given
    if options.args is not None:
        params["iexec_args"] = options.args
    if options.input_files is not None:
        params["iexec_input_files"] = options.input_files.split(",")
    if options.storage_provider is not None:
        providers = chain.rules.storage_providers
        if options.storage_provider not in providers:
            raise ValidationError(
                f'"{shown(options.storage_provider)}" is not a valid storage provider use one of '
                + ", ".join(providers)
            )
        params["iexec_result_storage_provider"] = options.storage_provider
    if options.encrypt_result:
        params["iexec_result_encryption"] = True
    if options.secret is not None:
        known = params.get("iexec_secrets")
        own = _secrets(",".join(options.secret).split(","), chain)
        params["iexec_secrets"] = {**known, **own} if isinstance(known, dict) else own
    return params


def _secrets(words: list[str], chain: Chain) -> dict[str, str]:
    """``1=login`` → ``{"1": "login"}``."""
    from ..protocol.units import shown

    if chain.rules.sms_requester_path is None:
        raise ConfigurationError(
            f"--secret: the SMS of {chain.name} keeps no secrets of requesters, today's networks do"
        )
    found: dict[str, str] = {}
    for word in words:
        key, equals, name = word.partition("=")
        if not (key and equals and name):
            raise ValidationError(
                f"'{shown(word)}' is not a valid secret mapping syntax "
                "(must be <appSecretKey>=<requesterSecretName>)"
            )
        if not (key.isascii() and key.isdecimal()) or key.startswith("0"):
            raise ValidationError(
                "requester secret mapping keys must be strictly positive integers"
            )
        if key in found:
            raise ValidationError(f"--secret: number {key} is given twice")
        found[key] = name
    return found


def _amounts(options: argparse.Namespace, what: str) -> dict[str, str]:
    """The amounts that are given, as ``app_price`` or ``app_max_price`` and the like."""
    names = [f"{kind}_{what}" for kind in RESOURCES]
    given = {name: getattr(options, name) for name in names}
    return {name: flags.amount(value, "nRLC") for name, value in given.items() if value is not None}
