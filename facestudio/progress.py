"""How a long computation reports back, shows what it has so far, and is asked to stop.

One verb does all three, the same in window, command line and training:

    for step in progress.track(steps, "Denoising"):
        ...
        progress.preview(lambda: to_pixels(x))

    with progress.step("Loading"):  # the same for work that is a single step, whose own tracks move through it
        ...

Separate from everything, so that any floor may use it: it knows neither Qt nor torch nor photos. A Progress belongs to
one computation on one thread; only `cancel`, `pause` and `resume` may be called from another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sized
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")

_ENOUGH_SECONDS = 1.0  # before this much time or this much of the work, an estimate would be a guess
_ENOUGH_FRACTION = 0.02


class Cancelled(BaseException):
    """Raised inside the computation at its next step; not an Exception, so that no handler of errors swallows it."""


@dataclass(frozen=True)
class Update:
    """One report.

    Attributes:
        stage: what is being done, for people ("Restoring faces").
        fraction: how much of the outermost tracked work is done, 0..1; it never falls before that work ends.
        preview: what `preview` was given, else None.
        elapsed: seconds since the outermost tracked work began.
        remaining: estimated seconds until it ends; None while that would be a guess.
        tally: what is done so far, for people ("12 of 100 photos, 31 faces"); "" where nothing is counted.
    """

    stage: str
    fraction: float
    preview: Any = None
    elapsed: float = 0.0
    remaining: float | None = None
    tally: str = ""


class _Level:
    """One `track` that is running: `done` of `total` steps, which are `share` of the step around it."""

    def __init__(self, total: int, start: float, share: float) -> None:
        self.done, self.total = 0, total
        self.start, self.share = start, share
        self.used = 0.0  # how much of the current step the tracks inside it have taken

    def next(self) -> None:
        self.done, self.used = self.done + 1, 0.0


class Progress:
    """Report, live preview and stop of one computation.

    Args:
        report: told of each Update, on the thread that computes.
        every: at least this many seconds between two updates, except that the end of a stage is always told.
        rest: times as long as a preview took before the next: with 9 they are a tenth of the time at most, with 0 all are shown.
    """

    def __init__(
        self, report: Callable[[Update], None] = lambda update: None, every: float = 1 / 30, rest: float = 9.0
    ) -> None:
        self._report, self._every, self._factor = report, every, rest
        self._sent = float("-inf")
        self._previewed = time.monotonic()
        self._rest = 0.0  # seconds until the next preview, because the last one took so long
        self._stop = threading.Event()
        self._go = threading.Event()  # clear while it is paused
        self._go.set()
        self._levels: list[_Level] = []
        self._began = time.monotonic()
        self._reached = 0.0
        self.stage = ""
        self.tally = ""

    @property
    def running(self) -> bool:
        """Whether a `track` is running, so that `cancel` would be heard at its next step."""
        return bool(self._levels)

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._stop.is_set()

    def cancel(self) -> None:
        """Ask the computation to stop at its next step; may be called from any thread, also before it starts."""
        self._stop.set()
        self._go.set()

    @property
    def paused(self) -> bool:
        """Whether `pause` was called, and neither `resume` nor `cancel` since."""
        return not self._go.is_set()

    def pause(self) -> None:
        """Let the computation wait at its next step, until `resume` or `cancel`; may be called from any thread."""
        if not self._stop.is_set():
            self._go.clear()

    def resume(self) -> None:
        """Let a paused computation go on; may be called from any thread."""
        self._go.set()

    def wait(self, seconds: float) -> None:
        """Let the computation rest for `seconds`, which do not count as work; raises Cancelled as soon as it is asked to stop."""
        started = time.monotonic()
        self._stop.wait(seconds)
        self._began += time.monotonic() - started
        self.check()

    def check(self) -> None:
        """Raise Cancelled if the computation was asked to stop; while it is paused, wait here."""
        if not self._go.is_set():
            started = time.monotonic()
            self._go.wait()
            self._began += time.monotonic() - started
        if self._stop.is_set():
            raise Cancelled

    def track(self, items: Iterable[T], stage: str, share: float | None = None) -> Generator[T, None, None]:
        """Yield `items`, reporting before each one and at the end; raises Cancelled in between when asked to stop.

        Nests: a track inside another's step moves through that step. Several in one step follow one another, so all but
        the last should say which `share` (0..1) of the step they take; without it one takes all that is left.
        """
        sized: Any = items if isinstance(items, Sized) else list(items)
        level = self._enter(len(sized), share)
        outer, self.stage = self.stage, stage
        try:
            for item in sized:
                self.check()
                self._tick()
                yield item
                self.stage = stage
                level.next()
            self.check()
            level.done = level.total = max(level.total, 1)
            self._tick(force=True)
        finally:
            self._levels = [other for other in self._levels if other is not level]
            self.stage = outer

    @contextmanager
    def step(self, stage: str, share: float | None = None) -> Iterator[None]:
        """A `track` over one item, which is the body of the `with` block: raises Cancelled before it and after it."""
        with closing(self.track((None,), stage, share)) as once:
            for _ in once:
                yield

    def count(self, tally: str) -> None:
        """Say what is done so far where nobody knows how much there will be; raises Cancelled when asked to stop."""
        self.tally = tally
        self.check()
        self._tick()

    def preview(self, make: Callable[[], Any]) -> None:
        """Show what there is so far; `make` is called only when somebody will see it."""
        now = time.monotonic()
        if now - self._previewed >= max(self._every, self._rest):
            shown = make()
            self._previewed = time.monotonic()
            self._rest = self._factor * (self._previewed - now)
            self._send(shown)

    def _enter(self, total: int, share: float | None) -> _Level:
        if not self._levels:
            self._began, self._reached = time.monotonic(), 0.0
            level = _Level(total, 0.0, 1.0)
        else:
            around = self._levels[-1]
            left = 1.0 - around.used
            level = _Level(total, around.used, left if share is None else min(share, left))
            around.used += level.share
        self._levels.append(level)
        return level

    def _tick(self, force: bool = False) -> None:
        if force or time.monotonic() - self._sent >= self._every:
            self._send(None)

    def _send(self, preview: Any) -> None:
        fraction, scale = 0.0, 1.0
        for level in self._levels:
            fraction += scale * level.start
            scale *= level.share / max(level.total, 1)
            fraction += scale * level.done
        self._reached = max(self._reached, min(fraction, 1.0))
        self._sent = time.monotonic()
        elapsed = self._sent - self._began
        self._report(
            Update(self.stage, self._reached, preview, elapsed, _remaining(elapsed, self._reached), self.tally)
        )


def _remaining(elapsed: float, fraction: float) -> float | None:
    """Seconds left if the rest goes as the first `fraction` went; None when that is too little to tell."""
    if fraction >= 1:
        return 0.0
    if elapsed < _ENOUGH_SECONDS or fraction < _ENOUGH_FRACTION:
        return None
    return elapsed * (1 - fraction) / fraction
