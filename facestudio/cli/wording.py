"""Plain words for what is wrong with the arguments, where the parser has words of its own; and none that fill a screen."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any

_LONGEST = 200  # letters of one word; most paths are shorter
_WORD = re.compile(rf"\S{{{_LONGEST},}}")


def plain(error: Any) -> str:
    """What a usage error of the parser says, in a plain sentence."""
    words: str = error.format_message().rstrip(".")
    found = getattr(error.__cause__, "errors", None)
    names = getattr(getattr(error, "param", None), "opts", None)
    if not callable(found) or not names:
        return f"{words}."
    (first, *_) = found(include_url=False)
    bounds, given = first.get("ctx", {}), first.get("input")
    what = {
        "int_parsing": "a whole number",
        "int_parsing_size": "a whole number of fewer digits",
        "int_from_float": "a whole number",
        "float_parsing": "a number",
        "greater_than_equal": f"at least {bounds.get('ge')}",
        "less_than_equal": f"at most {bounds.get('le')}",
    }.get(first["type"])
    if what is None:
        return f"{words}."
    return f"{max(names, key=len)} takes {what}, not {shortened(str(given)) or 'nothing'}."


def hint_for(arguments: Sequence[str]) -> str:
    """The next move after a usage error, where `arguments` show what was meant; else ""."""
    walk = arguments.index("--walk") if "--walk" in arguments else -3
    if any(text == "-o" or text.startswith("--") for text in arguments[walk + 1 : walk + 3]):
        return "--walk takes two people, such as --walk 3 7."
    if any(text.startswith("-") and os.path.lexists(text) for text in arguments):
        return "Write ./ in front of a file name that begins with a dash."
    return ""


def shortened(text: str) -> str:
    """`text` with the middle of words left out that are longer than any name: numbers of thousands of digits, mostly."""
    return _WORD.sub(lambda found: f"{found[0][:60]}…{found[0][-10:]}", text)
