"""What random tests draw from. ``tox`` sets ``IEXEC_LITE_SEED``: the same cases in every run.

Without it each run draws others, and a test that fails shows its seed.
"""

from __future__ import annotations

import os
import random

__all__ = ["draw", "given"]


def given() -> str | None:
    """The seed of this run, if there is one."""
    return os.environ.get("IEXEC_LITE_SEED") or None


def draw() -> str:
    """A seed for one test: that of the run, else a new one, in the output of the test."""
    seed = given() or f"{random.SystemRandom().getrandbits(32):08x}"
    print(f"IEXEC_LITE_SEED={seed}")
    return seed
