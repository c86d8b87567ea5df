"""``iexec_args`` to an argument list, as workers split it (worker.md §1.3).

Not a shell and not ``shlex``: the space alone separates, quotes of either kind protect and vanish,
empty arguments are dropped even when quoted. V6 knew no escape; today a quote after a backslash is
a plain character, and the backslash stays. Refused: unbalanced quotes.
"""

from __future__ import annotations

from ..errors import ValidationError

__all__ = ["split_arguments"]


def split_arguments(text: str, *, escapes: bool = False) -> list[str]:
    """The arguments in ``text``; ValidationError where a quote is not closed."""
    found = [""]
    quote = before = ""
    for character in text:
        plain, before = escapes and before == "\\", character
        if quote:
            if character == quote and not plain:
                quote = ""
            else:
                found[-1] += character
        elif character in "'\"" and not plain:
            quote = character
        elif character == " ":
            found.append("")
        else:
            found[-1] += character
    if quote:
        raise ValidationError(f"iexec_args has an unbalanced {quote} quote: no app would start")
    return [argument for argument in found if argument]
