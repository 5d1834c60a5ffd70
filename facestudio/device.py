"""What computes: which device there is, what it is called, and how to live with its memory.

Separate so that nothing else asks torch about hardware. Torch is imported inside the functions, never with this module.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from facestudio.errors import OutOfMemory, UsageError
from facestudio.progress import Progress

T = TypeVar("T")
R = TypeVar("R")

NAMES = ("auto", "cpu", "cuda", "mps")
_NO_MEMORY = "There is not enough memory for this."
_NO_MEMORY_HINT = "Close other programs, use a smaller photo, or choose the device cpu."
_MEMORY_WORDS = ("out of memory", "can't allocate memory", "not enough memory")


def resolve(name: str = "auto") -> str:
    """The device that `name` means here: "cpu", "cuda" or "mps"; UsageError when it is unknown or not there.

    "auto" takes the graphics card when torch can use one.
    """
    if name not in NAMES:
        raise UsageError(f"The device {name} is not known.", hint=f"Choose one of {', '.join(NAMES)}.")
    if name == "cpu":
        return name
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        return next((device for device, here in there.items() if here), "cpu")
    if not there[name]:
        what = "NVIDIA graphics card (cuda)" if name == "cuda" else "Apple graphics (mps)"
        raise UsageError(f"This computer, or its installed torch, has no {what}.", hint="Use the device auto or cpu.")
    return name


def there() -> tuple[str, ...]:
    """Those of NAMES that can be used here."""
    import torch

    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return tuple(name for name in NAMES if found.get(name, True))


def describe(device: str) -> str:
    """The device in words, with what a person would ask about it: its name, and its threads or memory."""
    import torch

    if device.startswith("cuda"):
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GB (cuda)"
    if device == "mps":
        return f"Apple graphics (mps) of {processor()}"
    threads = torch.get_num_threads()
    return f"{processor()}, {threads} thread{'' if threads == 1 else 's'} (cpu)"


def processor() -> str:
    """The processor's name; "processor" when the system does not tell."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or os.environ.get("PROCESSOR_IDENTIFIER", "") or "processor"


def run_batched(
    function: Callable[[list[T]], Sequence[R]],
    items: Sequence[T],
    batch: int,
    progress: Progress | None = None,
    stage: str = "",
) -> list[R]:
    """`function` on all `items`, at most `batch` at once; its results, one an item, in the items' order.

    When the device runs out of memory, what failed is tried once more at half the batch, and so is the rest; if that
    fails too, OutOfMemory is raised. `stage` is what the progress says, by default what it says already.
    """
    if batch < 1:
        raise ValueError(f"a batch has at least one item, not {batch}")
    progress = progress or Progress()
    size, halved = batch, False
    results: list[R] = []
    for start in progress.track(range(0, len(items), batch), stage or progress.stage or "Computing"):
        end = min(start + batch, len(items))
        while start < end:
            some = list(items[start : min(start + size, end)])
            made = _attempt(function, some)
            if made is not None:
                results += made
                start += len(some)
            elif halved:
                raise OutOfMemory(f"{_NO_MEMORY[:-1]}, even in smaller portions.", hint=_NO_MEMORY_HINT)
            else:
                # the handler has been left, so nothing holds the failed attempt's tensors any more
                halved, size = True, max(1, len(some) // 2)
                free()
            progress.check()
    return results


@contextmanager
def enough_memory() -> Iterator[None]:
    """Around a computation that cannot be done in smaller portions: running out of memory becomes OutOfMemory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        free()
        raise OutOfMemory(_NO_MEMORY, hint=_NO_MEMORY_HINT) from error


def _attempt(function: Callable[[list[T]], Sequence[R]], items: list[T]) -> list[R] | None:
    """The results for `items`, None when memory ran out."""
    try:
        results = list(function(items))
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        return None
    if len(results) != len(items):
        raise ValueError(f"{len(items)} items gave {len(results)} results")
    return results


def _is_out_of_memory(error: MemoryError | RuntimeError) -> bool:
    """Whether `error` means too little memory: only on CUDA torch has a class for it, elsewhere it says so in words."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return True
    return any(words in str(error).lower() for words in _MEMORY_WORDS)


def free() -> None:
    """Give memory that torch keeps for later back to the device."""
    torch = sys.modules.get("torch")
    if torch is None:
        return
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
