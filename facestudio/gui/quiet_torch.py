"""Lets a worker thread import torch without holding the window up. Twice the import would, for a tenth of a second and more:

- it loads torch's largest library while holding Python's global lock; a foreign call to the system's own loader gives
  the lock away, and the import then finds the library loaded;
- it makes so many objects that the garbage collector looks at all of them in the midst; they live for ever, so the
  collector is told to leave them alone.

Measured by benchmarks/window.py: the longest gap falls from 250 to about 50 ms. Only a help: where the library cannot be
loaded beforehand, the import does it.
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LIBRARY = "libtorch_cpu.so"


@contextmanager
def quietly() -> Iterator[None]:
    """Around the first import of torch, on a worker thread; later it does nothing."""
    if "torch" in sys.modules:
        yield
        return
    preload()
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_enabled:
            gc.enable()


def preload() -> bool:
    """Load the library, on Linux; whether it was loaded."""
    if sys.platform != "linux" or "torch" in sys.modules:
        return False
    found = importlib.util.find_spec("torch")
    if found is None or found.origin is None:
        return False
    library = Path(found.origin).with_name("lib") / LIBRARY
    if not library.is_file():
        return False
    loader = ctypes.CDLL(None).dlopen
    loader.restype, loader.argtypes = ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]
    return loader(os.fsencode(library), os.RTLD_NOW | os.RTLD_LOCAL) is not None
