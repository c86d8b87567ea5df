"""``iexec_args`` to an argument list, as workers of V6 split it (worker.md §1.3).

Not a shell and not ``shlex``: the space alone separates, quotes of either kind protect and vanish,
there is no escape, empty arguments are dropped even when quoted. Refused: unbalanced quotes.
"""

from __future__ import annotations

from ..errors import ValidationError

__all__ = ["split_arguments"]


def split_arguments(text: str) -> list[str]:
    """The arguments in ``text``; ValidationError where a quote is not closed."""
    found = [""]
    quote = ""
    for character in text:
        if quote:
            if character == quote:
                quote = ""
            else:
                found[-1] += character
        elif character in "'\"":
            quote = character
        elif character == " ":
            found.append("")
        else:
            found[-1] += character
    if quote:
        raise ValidationError(f"iexec_args has an unbalanced {quote} quote: no app would start")
    return [argument for argument in found if argument]
