"""What workers of a generation do with a task, as data (worker.md, "Generations at a glance").

``PAST`` are the workers of V6, ``TODAY`` those of now. Whoever needs to know asks the record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

from ..protocol.orders import NULL_ADDRESS
from .arguments import split_arguments

__all__ = ["PAST", "TODAY", "Runtime"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """One generation of workers.

    Data: ``dataset_name(name on chain, address)`` is the file's name, ``no_dataset`` the address
    where there is none, ``input_name(url)`` an input file's name; ``folder_always``: the variable
    of their folder is there without files too.

    App: ``knows_deal``: it is told its deal's id; ``secrets``: of its developer and its requester;
    ``bulk``: it may get many datasets; ``split`` makes its arguments.

    Result: ``must_succeed``: nothing is contributed for an app that fails; ``keeps_stderr``: beside
    stdout; ``longest_name``: characters of a file's name in it; ``one_step``: a TEE task that needs
    no second worker is contributed and finalized at once.
    """

    dataset_name: Callable[[str, str], str]
    no_dataset: str
    input_name: Callable[[str], str]
    folder_always: bool
    knows_deal: bool
    secrets: bool
    bulk: bool
    split: Callable[[str], list[str]]
    must_succeed: bool
    keeps_stderr: bool
    longest_name: int | None
    one_step: bool


PAST = Runtime(
    dataset_name=lambda name, address: name,
    no_dataset="",
    input_name=lambda url: url.rsplit("/", 1)[-1],
    folder_always=True,
    knows_deal=False,
    secrets=False,
    bulk=False,
    split=split_arguments,
    must_succeed=True,
    keeps_stderr=False,
    longest_name=None,
    one_step=False,
)
TODAY = Runtime(
    dataset_name=lambda name, address: address.lower(),
    no_dataset=NULL_ADDRESS,
    input_name=lambda url: f"0x{hashlib.sha256(url.encode('utf-8')).hexdigest()}",
    folder_always=False,
    knows_deal=True,
    secrets=True,
    bulk=True,
    split=lambda text: split_arguments(text, escapes=True),
    must_succeed=False,
    keeps_stderr=True,
    longest_name=31,
    one_step=True,
)
