"""Remembers what was computed last, so that it need not be computed again.

Separate because it knows nothing of what it keeps: the key must say all that a value depends on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

V = TypeVar("V")


class Recent(Generic[V]):
    """At most `most` values by key; the one that was not asked for longest makes room. May be used from any thread."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError(f"at least one value must be kept, not {most}")
        self._most = most
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: Hashable) -> V | None:
        """The value of `key`, which now counts as asked for; None when it is not kept (any more)."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: Hashable, value: V) -> None:
        """Keep `value`, which must not change any more, in the place of what `key` had before."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
