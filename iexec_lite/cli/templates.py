"""What ``init`` of dataset, workerpool and category writes into iexec.json (cli.md §4.2).

Members in the order of V6; ``owner`` is the wallet's, the zero address its place. What differs
between networks is in ``protocol/templates.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["CATEGORY", "DATASET", "WORKERPOOL"]

Template = Mapping[str, object]

NULL_ADDRESS = "0x" + "0" * 40

DATASET: Template = {
    "owner": NULL_ADDRESS,
    "name": "my-dataset",
    "multiaddr": "/ipfs/QmW2WQi7j6c7UgJTarActp7tDNikE4B2qXtFCfLPdsgaTQ",
    "checksum": "0x" + "0" * 64,
}
WORKERPOOL: Template = {"owner": NULL_ADDRESS, "description": "my-workerpool"}
CATEGORY: Template = {
    "name": "XXL",
    "description": "new hub category",
    "workClockTimeRef": "100",
}
