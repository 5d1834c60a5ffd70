"""What the command line shows: results on standard output, errors and the progress bar on standard error.

Separate from the commands so that they say what happened and never how it looks. Knows no photos.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.text import Text

from facestudio.cli.wording import shortened
from facestudio.errors import FaceStudioError, UnwritableOutput
from facestudio.progress import Progress, Update


class Screen:
    """Standard output and error as this run uses them; `quiet` leaves errors alone to speak."""

    def __init__(self, quiet: bool = False) -> None:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                # a file name need not be valid text, and a terminal need not know every letter
                stream.reconfigure(errors="backslashreplace")
        self.quiet = quiet
        self._out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._err = Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._bar_stands = False

    def say(self, text: str) -> None:
        """A result a person reads; nothing when quiet."""
        if not self.quiet:
            with _said():
                self._results().print("\n".join(printable(line) for line in text.split("\n")))

    def put(self, text: str) -> None:
        """A result that was asked for, such as JSON: exactly this line, also when quiet."""
        with _said():
            self._results().out(text, highlight=False)

    def complain(self, message: str, hint: str = "") -> None:
        """An error in one sentence, with the next move if there is one."""
        self._tell("Error", message + (f" {hint}" if hint else ""), "red")

    def warn(self, message: str, kind: str = "Note") -> None:
        """What a person should know or look at, though nothing went wrong; beside the results, as errors are."""
        self._tell(kind, message, "yellow")

    def _tell(self, kind: str, message: str, colour: str) -> None:
        words = printable(shortened(f"{kind}: {message}"))
        # the text's own style: one given to `print` would colour the bar too
        with suppress(OSError):  # nobody could be told
            self._err.print(Text(words, style=colour if self._err.is_terminal else ""))

    def show_error(self, error: FaceStudioError) -> None:
        """The error and its hint."""
        self.complain(str(error), error.hint)

    def _results(self) -> Console:
        """Where results go. On a terminal that shows the bar, its own console moves the bar out of the way first."""
        return self._err if self._bar_stands and self._out.is_terminal else self._out

    @contextmanager
    def _bar_on(self, shown: bool) -> Iterator[None]:
        self._bar_stands = shown
        try:
            yield
        finally:
            self._bar_stands = False

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """A Progress drawn as a bar. The first Ctrl-C asks it to stop at the next step; a second one interrupts at once, and so
        does the first while no step is counted, as while weights are loaded."""
        bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[tally]}"),
            TimeRemainingColumn(),
            console=self._err,
            transient=True,
            disable=self.quiet or not self._err.is_terminal,
        )
        with bar, self._bar_on(not bar.disable):
            task = bar.add_task("Loading", total=1.0, tally="")

            def report(update: Update) -> None:
                bar.update(task, completed=update.fraction, description=update.stage, tally=update.tally)

            progress = Progress(report)
            with _stopped_by_interrupt(progress):
                yield progress


def printable(line: object) -> str:
    """`line` with control characters written out: a file's name must not command the terminal, nor look like two lines."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(line))


@contextmanager
def _said() -> Iterator[None]:
    """Around words on standard output: where they cannot be written that is a sentence, on standard error."""
    try:
        yield
    except OSError as error:
        with suppress(OSError, ValueError):
            os.dup2(
                os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno()
            )  # or it would fail once more when Python ends
        words = f"The output cannot be written: {(error.strerror or 'the output is closed').lower()}."
        raise UnwritableOutput(words, hint="Send the output somewhere else; what was finished is kept.") from error


@contextmanager
def _stopped_by_interrupt(progress: Progress) -> Iterator[None]:
    """Let Ctrl-C cancel `progress`; only the main thread may set a handler, elsewhere nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(number: int, frame: FrameType | None) -> None:
        progress.cancel()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if not progress.running:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
