"""What reports for people have in common: the look of a page, and texts that neither a browser nor a spreadsheet takes for more.

A page stands alone: no script, nothing from elsewhere. Knows nothing of what reports say.
"""

from __future__ import annotations

import html
from pathlib import Path
from typing import IO, Any

from facestudio.errors import UsageError
from facestudio.files import write_beside

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
body { color: #222; background: #fff; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem; border-bottom: 1px solid #ddd; }
th { position: sticky; top: 0; background: #f4f4f4; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
tr.attention td { background: #fff3e0; }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #1c1c1c; } th { background: #2a2a2a; } th, td { border-color: #444; }
  tr.attention td { background: #4a3518; }
}
"""
BEGINNING = "<!doctype html>\n<!-- facestudio report -->"


def page(title: str, body: str, style: str = "") -> str:
    """A whole page with the text `title` and the HTML `body`."""
    head = f'{BEGINNING}\n<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}</title>'
    return f"{head}\n<style>{STYLE}{style}</style></head><body><h1>{escaped(title)}</h1>\n{body}\n</body></html>\n"


def escaped(value: Any) -> str:
    """`value` as a text within a page."""
    return html.escape(str(value).encode("utf-8", "backslashreplace").decode())


def harmless(value: Any) -> Any:
    """A text that no spreadsheet takes for a formula; anything else as it is."""
    text = isinstance(value, str)
    return f"'{value}" if text and value.lstrip().startswith(("=", "+", "-", "@")) else value


def check_ours(target: Path, beginning: str) -> None:
    """UsageError when there is a file at `target` that does not begin so, and would be lost."""
    start = beginning.encode()
    try:
        with target.open("rb") as file:
            found = file.read(len(start))
    except OSError:
        return  # not there, or writing will say what is wrong
    if found and found != start:
        raise UsageError(
            f"The file {target} is not a report and would be overwritten; choose another name for the report."
        )


def write_text(target: Path, text: str) -> Path:
    """Write `text` to `target`, whole or not at all, replacing what is there."""
    content = text.encode("utf-8", "backslashreplace")

    def write(file: IO[bytes]) -> None:
        file.write(content)

    write_beside(target, write, overwrite=True)
    return target
