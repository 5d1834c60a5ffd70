"""The way in: without arguments the window opens, with arguments the command line runs."""

from __future__ import annotations

import sys


def main(arguments: list[str] | None = None) -> int:
    """Run Face Studio with `arguments` (None: the process's own) and return the exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments:
        from facestudio.gui.app import main as open_window

        return open_window()
    try:
        from facestudio.cli.main import run
    except KeyboardInterrupt:  # stopped before there was a command that could say so
        sys.stderr.write("Error: Stopped; what was finished before is kept.\n")
        return 130
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
