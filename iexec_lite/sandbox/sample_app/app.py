"""The sandbox's sample app: shows that a task really ran, what it got and what it gave back.

It greets whoever ``iexec_args`` names and counts lines, words and bytes of the dataset and of each
input file. Plain Python, run as a program; it knows of iExec only the environment variables of the
app runtime contract (worker.md §1), so it can be copied as the beginning of an app of your own.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

MAX_SHOWN = 200  # characters of a file's first line


def describe(path: Path) -> str:
    """One line about a file: its first line if it is text, and its size."""
    data = path.read_bytes()
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return f"{path.name}: {len(data)} bytes, not text"
    first = text.splitlines()[0][:MAX_SHOWN] if text else ""
    words = len(text.split())
    return f"{path.name}: {len(data)} bytes, {words} words, begins with {first!r}"


def main() -> int:
    """Write ``result.txt`` and ``computed.json`` into ``IEXEC_OUT``."""
    folder_in, out = Path(os.environ["IEXEC_IN"]), Path(os.environ["IEXEC_OUT"])
    lines = [f"Hello, {' '.join(sys.argv[1:]) or 'World'}!"]
    first = int(os.environ["IEXEC_BOT_FIRST_INDEX"])
    index = int(os.environ["IEXEC_BOT_TASK_INDEX"])
    lines.append(f"This is task {index - first + 1} of {os.environ['IEXEC_BOT_SIZE']}.")
    datasets = [os.environ["IEXEC_DATASET_FILENAME"]]
    for number in range(1, int(os.environ.get("IEXEC_BULK_SLICE_SIZE", "0")) + 1):
        datasets.append(os.environ[f"IEXEC_DATASET_{number}_FILENAME"])
    for name in datasets:
        if name and (folder_in / name).is_file():  # without one, today's workers name the address 0
            lines.append(f"Dataset {describe(folder_in / name)}")
    for number in range(1, int(os.environ["IEXEC_INPUT_FILES_NUMBER"]) + 1):
        name = os.environ[f"IEXEC_INPUT_FILE_NAME_{number}"]
        lines.append(f"Input {describe(folder_in / name)}")
    for name in sorted(os.environ):
        if "_SECRET" in name:
            lines.append(f"{name}: {len(os.environ[name])} characters")
    result = out / "result.txt"
    result.write_text("\n".join(lines) + "\n", "utf-8", newline="\n")
    computed = {"deterministic-output-path": str(result)}
    (out / "computed.json").write_text(json.dumps(computed), "utf-8")
    sys.stdout.write(f"wrote {result.name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
