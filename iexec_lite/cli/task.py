"""``iexec-lite task show | debug | claim`` (cli.md §8.10); ``debug`` is in ``task_debug.py``."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import ConfigurationError, DecryptionError, IExecError, ObjectNotFoundError
from ..frozen import Frozen
from . import beneficiary, flags, output, project, prompts, text, wallets, watching
from .parser import Group
from .progress import Progress

if TYPE_CHECKING:
    from ..sdk.client import IExec
    from ..sdk.records import Task
    from ..sdk.results import Results

__all__ = ["details", "find_task", "register"]

IGNORED = "Task status is not COMPLETED, option --download [fileName] will be ignored"


def register(group: Group) -> None:
    """The commands of the group."""
    show = group.command(
        "show",
        show_task,
        "how far a task is; wait for it, download its result",
        arguments="TASKID",
        example="task show 0x5b2e...91d0 --watch --download result",
    )
    show.add_argument("--watch", action="store_true", help="wait until the task is final")
    show.add_argument(
        "--download",
        nargs="?",
        const="",
        metavar="FILE",
        help="save the result of a completed task as FILE.zip (default: TASKID.zip)",
    )
    show.add_argument(
        "--decrypt", action="store_true", help="decrypt what is downloaded with --download"
    )
    beneficiary.add_folder_option(show)
    beneficiary.add_key_option(show)
    debug = group.command(
        "debug",
        debug_task,
        "what the workerpool tells of a task beyond the chain",
        arguments="TASKID",
        example="task debug 0x5b2e...91d0 --logs",
    )
    debug.add_argument(
        "--logs", action="store_true", help="and what the app wrote, for the requester alone"
    )
    claim = group.command(
        "claim",
        claim_task,
        "get the money back for a task that was not completed in time",
        arguments="TASKID",
        example="task claim 0x5b2e...91d0",
    )
    for parser in (show, debug, claim):
        parser.add_argument("taskid", metavar="TASKID", help="the task's id: 0x and 64 hex digits")
        wallets.add_load_options(parser)
        flags.add_node(parser)
    flags.add_force(show)
    flags.add_transaction(claim)


def debug_task(options: argparse.Namespace) -> output.Result:
    """See :mod:`.task_debug`."""
    from . import task_debug

    return task_debug.debug_task(options)


# -- show -------------------------------------------------------------------------------------


def show_task(options: argparse.Namespace) -> output.Result:
    """A task; with ``--watch`` once it is final, with ``--download`` also its result."""
    _check(options)
    selection = project.selected_chain(options)
    with project.connect(selection, options) as client:
        task = find_task(client, options)
        wanted = None
        if options.watch:
            if options.download is not None:  # now: nobody may be here to answer at the end
                wanted = _prepare(client, task, options)
            task = watching.follow_task(client, task.taskid, None, options).task
        told = None
        if options.download is not None and task.status_name == "COMPLETED":
            wanted = wanted or _prepare(client, task, options)
            told = _download(client, wanted, task, options)
        elif options.download is not None:
            output.info(IGNORED, options)
        now = watching.chain_clock(client)()
    claimable = task.status_name == "TIMEOUT"
    payload: dict[str, object] = {"task": task.to_dict(), "claimable": claimable}
    shown = output.render(details(task, now))
    if wanted is not None and told is not None:
        payload["resultPath"] = str(wanted.path)
        shown += f"\n\n{told}"
    if claimable:
        shown += (
            "\n\nConsensus deadline reached before consensus. You can claim the task to get a full "
            f"refund using: iexec-lite task claim {task.taskid}{watching.in_this_chain(options)}"
        )
    return output.Result(payload=payload, text=shown)


def _check(options: argparse.Namespace) -> None:
    """Refuse options that would have no effect."""
    if options.decrypt and options.download is None:
        raise ConfigurationError("--decrypt is for what is downloaded: give --download too")
    for name in ("keystoredir", "key_file"):
        if getattr(options, f"beneficiary_{name}") is not None and not options.decrypt:
            option = f"--beneficiary-{name.replace('_', '-')}"
            raise ConfigurationError(f"{option} is for decryption: give --decrypt too")


def find_task(client: IExec, options: argparse.Namespace) -> Task:
    """The task of the command; where there is none, what to do instead."""
    try:
        return client.task.show(options.taskid)
    except ObjectNotFoundError as error:
        chain = watching.in_this_chain(options)
        try:
            deal = client.deal.show(options.taskid)
        except IExecError:
            error.message += (
                ". A task appears when a worker begins it; until then its deal tells of it: "
                f"iexec-lite deal show <dealid> --watch{chain}"
            )
            raise error from None
        error.message += (
            f": it is the id of a deal. Show it with: iexec-lite deal show {deal.dealid}{chain}"
        )
        raise


def details(task: Task, now: float) -> dict[str, object]:
    """The task as a person reads it; what it does not have yet is left out."""
    moments = {
        "contributions until": task.contribution_deadline,
        "reveals until": task.reveal_deadline,
        "final deadline": task.final_deadline,
        "result handed in": task.results_timestamp,
    }
    completed = task.status_name == "COMPLETED"
    found: dict[str, object] = {
        "task": task.taskid,
        "status": watching.task_words(task),
        "deal": task.dealid,
        "index": task.idx,
        "contributors": list(task.contributors or ()),
        "agreement": _agreement(task) if task.winner_counter else None,
        **{name: text.moment(at, now) for name, at in moments.items() if at},
        "result": _place(task) if completed else None,
        "result digest": task.result_digest if completed else None,
        "callback data": task.results_callback if task.results_callback != "0x" else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _agreement(task: Task) -> str:
    return (
        f"{task.winner_counter} of {len(task.contributors or ())}, {task.reveal_counter} revealed"
    )


def _place(task: Task) -> str:
    """Where the result lies; ``none`` where the workers handed in none."""
    found = task.results or {}
    return " ".join(str(found[name]) for name in ("storage", "location") if name in found)


# -- download ---------------------------------------------------------------------------------


class _Wanted(Frozen, kw_only=False):
    """Where a result goes, and the key that opens it, if it is to be opened."""

    path: Path
    replace: bool
    key_file: Path | None = None
    key: str | None = None


def _prepare(client: IExec, task: Task, options: argparse.Namespace) -> _Wanted:
    """All that can be wrong before anything is downloaded; asks before a file is replaced."""
    name = options.download or task.taskid
    if not (len(name) > 4 and name.lower().endswith(".zip")):
        name += ".zip"
    path = Path.cwd() / name
    if not path.parent.is_dir():
        raise ConfigurationError(f"--download: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigurationError(f"--download: {path} is a folder")
    key_file, key = _key(client, task, options) if options.decrypt else (None, None)
    replace = path.exists()
    question = f"File {path} already exists, continue and replace?"
    if replace:
        prompts.agree(question, options, otherwise=f"{path} was kept")
    return _Wanted(path, replace or options.force, key_file, key)


def _key(client: IExec, task: Task, options: argparse.Namespace) -> tuple[Path, str]:
    """The key of the deal's beneficiary; where there is none, as in V6, that of the wallet."""

    def addresses() -> Iterator[str]:
        yield client.deal.show(task.dealid).beneficiary
        wallet = wallets.find(options)
        if wallet is not None:
            yield wallet.address

    path, key = beneficiary.read_key(options, addresses())
    output.info(f"Using beneficiary key {path}", options)
    return path, key


def _download(client: IExec, wanted: _Wanted, task: Task, options: argparse.Namespace) -> str:
    """Save the result; what a person should know of it."""
    results = client.task.fetch_results(task.taskid)
    path = wanted.path
    with Progress(options) as progress:
        results.save(
            path,
            overwrite=wanted.replace,
            progress=lambda done, total: progress.amount("Downloading the result", done, total),
        )
    if wanted.key is not None and results.encrypted:
        _decrypt(path, wanted)
        results.checked = results.check(path)
    elif wanted.key is not None:
        output.warn("The result is not encrypted: --decrypt was not needed", options)
    saved = f"Downloaded task result to file {path} ({text.size(path.stat().st_size)})"
    return f"{saved}\n{_checked(results)}"


def _decrypt(path: Path, wanted: _Wanted) -> None:
    """Put the archive that is in an encrypted one in its place."""
    from ..utils import decrypt_result_file

    assert wanted.key is not None  # noqa: S101  # the caller has looked
    try:
        decrypt_result_file(path, path, wanted.key)
    except DecryptionError as error:
        raise DecryptionError(
            f"{error.message}: the key was {wanted.key_file}, the encrypted result is kept in "
            f"{path}",
            cause=error,
        ) from error


def _checked(results: Results) -> str:
    """How far a result is known to be the right one."""
    if results.checked:
        return "It is the result that the workers agreed on: its digest is the one on chain"
    if results.encrypted:
        return (
            "It is encrypted, so it could not be checked yet: download it with --decrypt, "
            "or decrypt it with: iexec-lite result decrypt"
        )
    return "It could not be checked: nothing in it tells which part the digest on chain is of"


# -- claim ------------------------------------------------------------------------------------


def claim_task(options: argparse.Namespace) -> output.Result:
    """Claim a task that missed its final deadline."""
    selection = project.selected_chain(options)
    wallet = wallets.require(options)
    with project.connect(selection, options, wallet) as client:
        task = find_task(client, options)
        tx_hash = client.task.claim(task.taskid)
        deal = client.deal.show(task.dealid)
    told = f"Task successfully claimed\n{watching.refund_words(deal, 1, selection.chain.symbol)}"
    return output.Result(payload={"txHash": tx_hash}, text=told)
