"""Write the hash-locked requirements of CI anew: ``python tools/lock.py [NAME …]``, with ``uv``.

Each ``requirements/NAME.in`` says what is wanted; ``NAME.txt`` is one version of everything that
this brings, for every system and Python version, with the hashes of its files and no word about
where these lie. Only a person who wants newer versions runs this; CI installs what is locked, and
pip refuses a file whose hash is not in the list. What has no wheel for one of VERSIONS is an
error: not every environment is installed by CI, which would notice.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "requirements"
VERSIONS = ("3.10", "3.11", "3.12")  # that our dependencies have wheels for, the lowest too
PARTS = {"variant"}  # only included by others
OPTIONS = ("--universal", "--python-version", "3.10", "--generate-hashes", "--upgrade", "--quiet")
TRIAL = ("--dry-run", "--quiet", "--require-hashes", "--only-binary=:all:")
QUIET = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")


def main() -> None:
    uv = shutil.which("uv")
    if uv is None:
        raise SystemExit("uv is not installed: pip install uv")
    for path in sorted(FOLDER.glob("*.in")):
        if path.stem in PARTS or (sys.argv[1:] and path.stem not in sys.argv[1:]):
            continue
        target = path.with_suffix(".txt")
        words = [uv, "pip", "compile", *OPTIONS, *QUIET, path.name, "--output-file", target.name]
        subprocess.run(words, cwd=FOLDER, check=True)
        for version in VERSIONS:
            with tempfile.TemporaryDirectory() as nowhere:
                words = [uv, "pip", "install", *TRIAL, f"--python-version={version}"]
                words += [f"--target={nowhere}", "-r", target.name]
                subprocess.run(words, cwd=FOLDER, check=True)
        print(f"{target.name}: {target.read_text().count('==')} packages")


if __name__ == "__main__":
    main()
