"""A million cases for each decoder, once in a while: ``python -m tests.fuzz.campaign``.

    python -m tests.fuzz.campaign --cases 1000000 --out tests/fuzz/campaign.json [DECODER …]

Every case is read under the limits of the promise: one second, and 64 MiB beyond what the process
had before (the address space is capped, so more is a MemoryError, which is no error of ours). A
case that breaks a promise is written beside the output, and ends the run of its decoder. What was
done is kept per decoder, so that a run in pieces adds up; each piece goes on with other cases.
"""

from __future__ import annotations

import argparse
import json
import logging
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from iexec_lite.errors import IExecError

from . import decoders, mutate

SECONDS = 1.0  # of processor time, so that a busy machine does not count
MEMORY = 64 * 2**20
SPARE = 16 * 2**20  # what the allocator keeps for itself


class BrokenPromiseError(AssertionError):
    """A case that ended in no error of ours, or took too much."""


def read(decoder: decoders.Decoder, case: bytes) -> str:
    """How one case ended: ``read`` or ``refused``; ``BrokenPromiseError`` for every other end."""
    started = time.process_time()
    try:
        decoder.read(case)
        end = "read"
    except IExecError:
        end = "refused"
    except (Exception, RecursionError, MemoryError) as error:
        raise BrokenPromiseError(f"{decoder.name}: {error!r:.500} for {case[:2000]!r}") from error
    if (took := time.process_time() - started) > SECONDS:
        raise BrokenPromiseError(f"{decoder.name}: {took:.1f} s for {case[:2000]!r}")
    return end


def run(decoder: decoders.Decoder, count: int, seed: str) -> Counter[str]:
    """``count`` cases of one seed: how many of each kind, how they ended, how many got deep."""
    seen: Counter[str] = Counter()
    made = mutate.cases(decoder.seeds() + decoder.kept(), random.Random(seed), decoder.form)
    for kind, case in (next(made) for _ in range(count)):
        seen[kind] += 1
        if kind in ("form", "bytes"):
            seen["mutants"] += 1
            seen["past the first check"] += decoder.passes(case)
        seen[read(decoder, case)] += 1
    return seen


@contextmanager
def memory_limit(more: int) -> Iterator[None]:
    """``MemoryError`` for whoever takes ``more`` bytes than there are now; Linux alone can."""
    try:
        import resource

        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except (ImportError, OSError):
        yield
        return
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def campaign(names: list[str], count: int, out: Path, seed: str) -> bool:
    """Run the decoders up to ``count`` cases each, from where the file says they were."""
    done: dict[str, dict[str, Any]] = json.loads(out.read_text()) if out.exists() else {}
    whole = True
    for name in names:
        decoder, total = decoders.DECODERS[name], Counter(done.get(name, {}))
        run(decoder, 200, "warm")  # what is loaded and compiled once
        while total["cases"] < count:
            step = min(20_000, count - total["cases"])
            try:
                with memory_limit(MEMORY + SPARE):
                    total += run(decoder, step, f"{seed} {name} {total['cases']}")
            except BrokenPromiseError as broken:
                sys.stderr.write(f"{broken}\n")
                whole = False
                break
            total["cases"] += step
            done[name] = dict(sorted(total.items()))
            out.write_text(json.dumps(done, indent=2) + "\n")
        print(name, dict(total), flush=True)
    return whole


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("names", nargs="*", default=list(decoders.DECODERS), metavar="DECODER")
    parser.add_argument("--cases", type=int, default=1_000_000, help="for each decoder")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("campaign.json"))
    parser.add_argument("--seed", default="2026")
    options = parser.parse_args()
    logging.getLogger("iexec_lite").setLevel(logging.CRITICAL)
    with decoders.cheap():
        return 0 if campaign(options.names, options.cases, options.out, options.seed) else 1


if __name__ == "__main__":
    sys.exit(main())
