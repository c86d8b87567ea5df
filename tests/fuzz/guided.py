"""The decoders under atheris, which looks for input that reaches new code: ``tox -e fuzz``.

    python -m tests.fuzz.guided --seconds 20 [DECODER …]

One process per decoder, with a limit on memory and on the time of one case. The inputs begin with
the valid cases and the corpus; a case that breaks a promise is written to ``--found``.
"""

from __future__ import annotations

import argparse
import logging
import subprocess
import sys
import tempfile
from pathlib import Path

MEMORY = 1024  # MiB for a process with all that is instrumented; campaign.py measures closer


def one(name: str, words: list[str]) -> None:
    """This process is the fuzzer of one decoder from now on."""
    import atheris

    with atheris.instrument_imports(include=["iexec_lite"]):
        from . import campaign, decoders
    logging.getLogger("iexec_lite").setLevel(logging.CRITICAL)
    decoder = decoders.DECODERS[name]

    def test_one_input(case: bytes) -> None:
        campaign.read(decoder, case)

    with decoders.cheap():
        atheris.Setup(["guided", *words], test_one_input)
        atheris.Fuzz()


def guided(name: str, seconds: int, found: Path) -> bool:
    """Fuzz one decoder for so long; False where a case broke a promise."""
    from . import decoders

    decoder = decoders.DECODERS[name]
    with tempfile.TemporaryDirectory() as folder:
        for at, case in enumerate(decoder.seeds() + decoder.kept()):
            Path(folder, str(at)).write_bytes(case)
        limits = (f"-max_total_time={seconds}", "-timeout=10", f"-rss_limit_mb={MEMORY}")
        more = (f"-artifact_prefix={found}/{name}-", "-max_len=4096", "-verbosity=0", folder)
        done = subprocess.run(
            [sys.executable, "-m", "tests.fuzz.guided", "--one", name, *limits, *more],
            capture_output=True,
            text=True,
            check=False,
        )
        grown = len(list(Path(folder).iterdir())) - at - 1
    print(
        f"{name}: {'held' if done.returncode == 0 else 'BROKEN'}, {grown} inputs found", flush=True
    )
    if done.returncode:
        sys.stderr.write(done.stderr[-3000:])
    return done.returncode == 0


def main() -> int:
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3:])
        return 0
    from . import decoders

    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("names", nargs="*", default=list(decoders.DECODERS), metavar="DECODER")
    parser.add_argument("--seconds", type=int, default=20, help="for each decoder")
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"))
    options = parser.parse_args()
    options.found.mkdir(exist_ok=True)
    held = [guided(name, options.seconds, options.found) for name in options.names]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
