"""Readers for the training faces: zips unpacked once into memory-mapped arrays, and the split by identity.

The images stay outside the project (see their README for licences); only the packed cache of this machine holds them.
"""

from __future__ import annotations

import csv
import hashlib
import os
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Full, Queue
from threading import Event, Thread
from typing import Any

import cv2
import numpy as np


@contextmanager
def alone(cache: Path) -> Iterator[None]:
    """Hold the cache while something of it is made, so that of two trainings that begin together the second waits for the first.

    Where the system has no such locks nothing is held.
    """
    cache.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (cache / ".lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Faces:
    """A table of aligned faces: `pixels` (N, S, S, 3) uint8 RGB memory map, `identity` (N,) str, `rows` the csv."""

    pixels: np.ndarray
    identity: np.ndarray
    rows: list[dict[str, str]]


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def decode(data: bytes) -> np.ndarray:
    """Encoded image to (H, W, 3) uint8 RGB."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]  # OpenCV decodes to BGR


def packed(archive: Path, names: list[str], shape: tuple[int, int], cache: Path, transform: Any = None) -> np.ndarray:
    """The members `names` of `archive` as one (N, H, W, 3) uint8 memory map, made once in `cache`."""
    target = cache / f"{archive.stem}-{shape[0]}x{shape[1]}.npy"
    with alone(cache):
        if not target.exists():
            partial = target.with_suffix(".part")
            table = np.lib.format.open_memmap(partial, "w+", np.uint8, (len(names), *shape, 3))
            with zipfile.ZipFile(archive) as members:
                for index, name in enumerate(names):
                    pixels = decode(members.read(name))
                    table[index] = pixels if transform is None else transform(index, pixels)
            table.flush()
            del table
            os.replace(partial, target)
    return np.load(target, mmap_mode="r")


def held_out(identity: str, share: float = 0.1) -> bool:
    """Whether an identity belongs to validation: decided by its name's hash, so the same in every recipe."""
    return int(hashlib.sha256(identity.encode()).hexdigest()[:8], 16) / 0xFFFFFFFF < share


def faces256(root: Path, cache: Path) -> Faces:
    rows = read_rows(root / "faces256.csv")
    pixels = packed(root / "faces256.zip", [row["file"] for row in rows], (256, 256), cache)
    return Faces(pixels, np.array([row["identity"] for row in rows]), rows)


def landmarks5(rows: list[dict[str, str]]) -> np.ndarray:
    """Five landmarks of each csv row, (N, 5, 2) float32."""
    keys = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    return np.array([[[row[f"{k}_x"], row[f"{k}_y"]] for k in keys] for row in rows], np.float32)


def split(identity: np.ndarray, share: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Indices of (training, validation), disjoint by identity."""
    out = np.array([held_out(str(name), share) for name in identity])
    return np.flatnonzero(~out), np.flatnonzero(out)


def prefetch(make: Any, seed: int, workers: int = 1, depth: int = 4) -> Iterator[Any]:
    """Endless stream of `make(numpy generator)` results, computed ahead in a thread; item k depends on (seed, k) alone."""
    queue: Queue[Any] = Queue(depth)
    stopped = Event()

    def produce() -> None:
        with ThreadPoolExecutor(workers) as pool:
            index = 0
            pending: list[Any] = []
            while not stopped.is_set():
                while len(pending) < workers + 1:
                    pending.append(pool.submit(make, np.random.default_rng((seed, index))))
                    index += 1
                item = pending.pop(0)
                while not stopped.is_set():
                    try:
                        queue.put(item, timeout=0.1)
                        break
                    except Full:
                        continue

    thread = Thread(target=produce, daemon=True, name="prefetch")
    thread.start()
    try:
        while True:
            yield queue.get().result()
    finally:
        stopped.set()
        thread.join()
