"""The command line: ``iexec-lite`` and ``python -m iexec_lite`` (cli.md)."""

from __future__ import annotations

from .dispatch import entry, main

__all__ = ["entry", "main"]
