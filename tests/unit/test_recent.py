from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from facestudio.faces.recent import Recent


def test_what_was_put_is_got_and_the_newest_counts() -> None:
    recent: Recent[str] = Recent(2)
    assert recent.get("a") is None
    recent.put("a", "one")
    recent.put("a", "two")
    assert (recent.get("a"), len(recent)) == ("two", 1)


def test_what_was_not_asked_for_longest_makes_room() -> None:
    recent: Recent[int] = Recent(2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert [recent.get(key) for key in "abc"] == [1, None, 3]


def test_nothing_to_keep_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="at least one"):
        Recent(0)


@pytest.fixture
def eager_switches() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_switches")
def test_many_threads_may_use_it() -> None:
    recent: Recent[int] = Recent(8)

    def work(start: int) -> bool:
        right = True
        for n in range(start, start + 3000):
            recent.put(n % 20, n % 20)
            found = recent.get((n * 7) % 20)
            right = right and found in (None, (n * 7) % 20)
        return right

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))
    assert len(recent) == 8
