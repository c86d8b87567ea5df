"""Many orders by the command line: what comes out, the library and the contracts take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from iexec_lite import SignedRequestorder
from iexec_lite.protocol.contracts import HUB
from iexec_lite.protocol.orders import order_hash, verify_order
from iexec_lite.sandbox import accounts

from .machine import Machine

APP = "0x" + "12" * 20
WORDS = ("order", "sign", "--stdin", "--request")


def test_sign_many(machine: Machine, project: Any, client: Any, tmp_path: Path) -> None:
    folder, me = project("requester"), client("requester")
    lines = [json.dumps({"app": APP, "category": 0, "params": f"{n}"}) for n in range(200)]
    domain, signer = me.order._context.domain, accounts.signer("requester").address
    shown = machine.shown(*WORDS, "--jobs", "2", folder=folder, stdin="\n".join(lines))
    for number, line in enumerate(shown.splitlines()):
        order = SignedRequestorder.from_dict(json.loads(line))
        assert json.loads(order.params)["iexec_args"] == f"{number}"
        verify_order(order, domain, signer)
    assert number == 199
    # The contracts know it: nothing of this very order is consumed yet, and it can be cancelled.
    assert (
        me.order._context.read(me.order._context.hub, HUB.viewConsumed, order_hash(order, domain))
        == 0
    )
    me.order.cancel_requestorder(order)


def test_stop_and_resume(machine: Machine, project: Any) -> None:
    folder = project("requester")
    good, bad = json.dumps({"app": APP, "category": 0}), "{}"
    words = (*WORDS, "--output", "out.jsonl")
    stopped = machine.run(*words, "--stop-on-error", "--raw", folder=folder, stdin=f"{good}\n{bad}")
    assert (stopped.returncode, stopped.stdout) == (1, "")
    assert "stopped at line 2" in json.loads(stopped.stderr)["error"]["message"]
    done = machine.run(*words, "--resume", "--raw", folder=folder, stdin=f"{good}\n{good}")
    assert json.loads(done.stdout) == {"ok": True, "signed": 1, "refused": 0, "before": 1}
    every = machine.run(
        *words, "--stop-on-error", "--force", folder=folder, stdin=f"{good}\n{good}"
    )
    assert (every.returncode, every.stdout, every.stderr) == (0, "", "ℹ 2 signed\n")
