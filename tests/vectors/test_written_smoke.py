"""The smoke program of docs/today.md against answers written from the specified shapes.

Not recorded: no server has given them. A server here plays the node and the marketplace of
``arbitrum-mainnet``; each command must ask exactly what is written, and print what follows.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

SUITE = "smoke9"
ROOT = Path(__file__).resolve().parents[2]
NETWORK = "arbitrum-mainnet"
LIMIT = 60  # seconds for one command


class Services(ThreadingHTTPServer):
    """Node and marketplace; ``asked`` are the indexes of the exchanges that took place."""

    daemon_threads = True

    def __init__(self, exchanges: list[dict[str, Any]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.exchanges, self.asked, self.strange = exchanges, set[int](), list[object]()

    def find(self, service: str, wanted: dict[str, Any], answer: str) -> Any:
        for index, each in enumerate(self.exchanges):
            if each["service"] == service and wanted.items() <= each.items():
                self.asked.add(index)
                return each[answer]
        self.strange.append((service, wanted))
        return None


class _Handler(BaseHTTPRequestHandler):
    server: Services

    def do_POST(self) -> None:
        call = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self._send([self._node(c) for c in call] if isinstance(call, list) else self._node(call))

    def _node(self, call: dict[str, Any]) -> dict[str, Any]:
        wanted = {"method": call["method"], "params": call["params"]}
        result = self.server.find("node", wanted, "result")
        return {"jsonrpc": "2.0", "id": call["id"], "result": result}

    def do_GET(self) -> None:
        self._send(self.server.find("market", {"method": "GET", "path": self.path}, "answer"))

    def _send(self, answer: object) -> None:
        body = json.dumps(answer).encode()
        self.send_response_only(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(exchanges: list[dict[str, Any]]) -> Iterator[Services]:
    with Services(exchanges) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def play(case: dict[str, Any]) -> object:
    """Run the command in an empty folder, its network's services here."""
    with tempfile.TemporaryDirectory() as folder, serving(case["asked"]) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        chain = {"host": url, "iexecGateway": url}
        content = {"chains": {NETWORK: chain}}
        Path(folder, "chain.json").write_text(json.dumps(content), "utf-8")
        home = dict.fromkeys(("HOME", "USERPROFILE", "IEXEC_LITE_HOME"), folder)
        done = subprocess.run(
            [sys.executable, "-m", "iexec_lite", *case["command"], "--raw"],
            cwd=folder,
            env={**os.environ, **home, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert server.strange == []
        assert server.asked == set(range(len(case["asked"])))
        output = json.loads(done.stdout)
        if "host" in output:  # of the built-in node it is said so
            assert output["host"] == url
            output["host"] = "default"
        return output


def test_written(recorded: Any) -> None:
    recorded.run({"read": (play, "output")})


def test_the_program_in_the_documents_is_this_one(vectors: Path) -> None:
    """Its commands, in this order; the deal is whichever somebody names."""
    page = (ROOT / "docs" / "today.md").read_text("utf-8")
    (program,) = re.findall(r"```sh smoke\n(.*?)```", page, re.DOTALL)
    (cases,) = json.loads((vectors / SUITE / "valid.json").read_text("utf-8")).values()
    commands = [f"iexec-lite {' '.join(case['command'])}" for case in cases]
    assert program.splitlines() == [re.sub("0x[0-9a-f]{64}", "DEALID", line) for line in commands]


def test_the_manifest_says_that_it_is_not_recorded(vectors: Path) -> None:
    suite = json.loads((vectors / "MANIFEST.json").read_text("utf-8"))[SUITE]
    assert suite["about"].startswith("WRITTEN FROM THE SPECIFIED SHAPES, NOT RECORDED")
    assert suite["record"].startswith("written by hand, not recorded")
