from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from facestudio import progress as module
from facestudio.progress import Cancelled, Progress, Update


class Clock:
    """A clock that moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def collect(every: float = 0.0) -> tuple[list[Update], Progress]:
    updates: list[Update] = []
    return updates, Progress(updates.append, every)


def test_items_come_through_in_order_and_lazily() -> None:
    assert list(Progress().track("abc", "s")) == ["a", "b", "c"]
    assert list(Progress().track((n * n for n in range(4)), "s")) == [0, 1, 4, 9]


def test_nested_fraction_never_falls_and_ends_at_one() -> None:
    updates, progress = collect()
    for _ in progress.track(range(3), "faces"):
        for _ in progress.track(range(4), "denoise"):
            progress.preview(lambda: "x")
    fractions = [u.fraction for u in updates]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == 1
    assert {u.stage for u in updates} == {"faces", "denoise"}
    assert {u.preview for u in updates} == {None, "x"}


def test_tracks_in_one_step_share_it() -> None:
    updates, progress = collect()
    for _ in progress.track(range(1), "photos"):
        for _ in progress.track(range(2), "find", share=0.25):
            pass
        for _ in progress.track(range(2), "restore"):
            pass
    found = [u.fraction for u in updates if u.stage == "find"]
    restored = [u.fraction for u in updates if u.stage == "restore"]
    assert found == pytest.approx([0, 0.125, 0.25])
    assert restored == pytest.approx([0.25, 0.625, 1])


def test_a_step_moves_as_the_tracks_inside_it_do() -> None:
    updates, progress = collect()
    with progress.step("photo"):
        with progress.step("find", share=0.25):
            pass
        assert progress.stage == "photo"
        for _ in progress.track(range(2), "restore"):
            pass
    assert [u.fraction for u in updates if u.stage == "find"] == pytest.approx([0, 0.25])
    assert [u.fraction for u in updates if u.stage == "restore"] == pytest.approx([0.25, 0.625, 1])
    assert (updates[-1].stage, updates[-1].fraction, progress.running) == ("photo", 1, False)


def test_a_new_outermost_track_begins_at_zero() -> None:
    updates, progress = collect()
    for stage in ("one", "two"):
        for _ in progress.track(range(2), stage):
            pass
    assert [u.fraction for u in updates if u.stage == "two"] == [0, 0.5, 1]


def test_nothing_to_do_is_done() -> None:
    updates, progress = collect()
    assert list(progress.track([], "s")) == []
    assert [u.fraction for u in updates] == [1]


def test_updates_are_rare_but_the_end_is_always_told(clock: Clock) -> None:
    updates, progress = collect(every=0.5)
    for _ in progress.track(range(100), "s"):
        clock.now += 0.01
    assert [u.fraction for u in updates] == pytest.approx([0, 0.5, 1], abs=0.02)


def test_time_left_is_told_once_there_is_something_to_tell(clock: Clock) -> None:
    updates, progress = collect()
    for _ in progress.track(range(10), "s"):
        clock.now += 2
    assert updates[0].remaining is None
    assert [u.elapsed for u in updates] == pytest.approx([2 * n for n in range(11)])
    assert [u.remaining for u in updates[1:]] == pytest.approx([20 - 2 * n for n in range(1, 11)])


def test_time_left_counts_from_the_outermost_track(clock: Clock) -> None:
    updates, progress = collect()
    clock.now += 100  # waiting before the work is no part of it
    for _ in progress.track(range(2), "outer"):
        for _ in progress.track(range(5), "inner"):
            clock.now += 1
    assert updates[-1].elapsed == pytest.approx(10)
    assert next(u for u in updates if u.fraction == pytest.approx(0.5)).remaining == pytest.approx(5)


def test_preview_is_made_only_when_due(clock: Clock) -> None:
    made: list[int] = []
    _, progress = collect(every=1.0)
    for n in progress.track(range(50), "s"):
        clock.now += 0.1
        progress.preview(lambda n=n: made.append(n))
    assert len(made) == 5


def test_ticks_do_not_starve_the_preview(clock: Clock) -> None:
    updates, progress = collect(every=1.0)
    for _ in progress.track(range(10), "s"):
        progress.preview(lambda: "x")
        clock.now += 1.0
    assert sum(u.preview == "x" for u in updates) == 9


@pytest.mark.parametrize("swallow", [False, True])
def test_cancel_stops_at_the_next_step_whatever_is_swallowed(swallow: bool) -> None:
    updates, progress = collect()
    done = []

    def work() -> None:
        try:
            for n in progress.track(range(10), "s"):
                done.append(n)
                if n == 2:
                    progress.cancel()
        except Exception:  # what a careless library does
            if not swallow:
                raise

    with pytest.raises(Cancelled):
        work()
    assert done == [0, 1, 2]
    assert updates[-1].fraction < 1


def test_cancel_before_the_start_and_after_the_last_step() -> None:
    before = Progress()
    before.cancel()
    assert before.cancelled
    with pytest.raises(Cancelled):
        list(before.track("abc", "s"))
    after = Progress()
    with pytest.raises(Cancelled):
        for _ in after.track([1], "s"):
            after.cancel()
    for progress in (before, Progress()):
        with pytest.raises(Cancelled), progress.step("s"):
            assert progress is not before, "nothing is begun"
            progress.cancel()


def test_cancel_from_another_thread() -> None:
    progress = Progress()
    threading.Timer(0.05, progress.cancel).start()
    with pytest.raises(Cancelled):
        for _ in progress.track(range(1000), "s"):
            time.sleep(0.005)


def broken_off(progress: Progress) -> None:
    for n in progress.track(range(4), "inner"):
        if n == 1:
            break


def raising(progress: Progress) -> None:
    for n in progress.track(range(4), "inner"):
        if n == 1:
            raise LookupError


def raising_in_a_step(progress: Progress) -> None:
    with progress.step("inner"):
        raise LookupError


@pytest.mark.parametrize("leave", [broken_off, raising, raising_in_a_step])
def test_leaving_a_track_early_leaves_no_trace(leave: Callable[[Progress], None]) -> None:
    updates, progress = collect()
    for _ in progress.track(range(2), "outer"):
        try:
            leave(progress)
        except LookupError:
            assert leave is not broken_off
    assert progress.stage == ""
    assert updates[-1] == Update("outer", 1.0, None, updates[-1].elapsed, 0.0)


def test_slow_previews_take_a_tenth_of_the_time_at_most() -> None:
    shown: list[Any] = []
    progress = Progress(lambda update: shown.append(update.preview), every=0)

    def slow() -> str:
        time.sleep(0.05)
        return "seen"

    for _ in progress.track(range(30), "Working"):
        time.sleep(0.01)
        progress.preview(slow)
    assert 1 <= shown.count("seen") <= 2, "0.3 s of work, and each preview rests 0.45 s"


def test_a_paused_computation_waits_at_its_next_step_and_goes_on(clock: Clock) -> None:
    """While it waits the clock does not count, so that what is left is not overestimated."""
    updates, progress = collect()
    steps: list[int] = []
    waiting = threading.Event()

    def work() -> None:
        for n in progress.track(range(4), "Photos"):
            steps.append(n)
            clock.now += 1
            if n == 1:
                progress.pause()
                waiting.set()

    worker = threading.Thread(target=work)
    worker.start()
    assert waiting.wait(3) and progress.paused
    time.sleep(0.05)
    assert steps == [0, 1]
    clock.now += 1000
    progress.resume()
    worker.join(3)
    assert steps == [0, 1, 2, 3] and not progress.paused
    assert updates[-1].elapsed == pytest.approx(4)


def test_a_paused_computation_can_be_stopped() -> None:
    progress = Progress()
    progress.pause()
    ended: list[bool] = []

    def work() -> None:
        with pytest.raises(Cancelled):
            progress.check()
        ended.append(True)

    worker = threading.Thread(target=work)
    worker.start()
    time.sleep(0.02)
    assert not ended
    progress.cancel()
    worker.join(3)
    assert ended and not progress.paused
    progress.pause()
    assert not progress.paused, "what is stopped does not wait"


def test_a_rest_is_no_work_and_ends_when_it_is_stopped() -> None:
    updates, progress = collect()
    for _ in progress.track(range(2), "Waiting"):
        progress.wait(0.03)
    assert updates[-1].elapsed < 0.03
    threading.Timer(0.05, progress.cancel).start()
    started = time.monotonic()
    with pytest.raises(Cancelled):
        progress.wait(30)
    assert time.monotonic() - started < 5


def test_what_is_done_is_told_in_words() -> None:
    updates, progress = collect()
    for n in progress.track(range(2), "Photos"):
        progress.tally = f"{n} of 2 photos"
    assert [update.tally for update in updates][-1] == "1 of 2 photos"


def test_without_a_rest_every_preview_is_shown() -> None:
    shown: list[Any] = []
    progress = Progress(lambda update: shown.append(update.preview), every=0, rest=0)

    def slow() -> str:
        time.sleep(0.01)
        return "seen"

    for _ in progress.track(range(5), "Working"):
        progress.preview(slow)
    assert shown.count("seen") == 5


def test_what_is_counted_is_told_though_nobody_knows_how_much_there_will_be() -> None:
    updates: list[Update] = []
    progress = Progress(updates.append, every=0)
    for _ in progress.track(("all",), "Looking"):
        progress.count("1 found")
        assert (updates[-1].stage, updates[-1].tally, updates[-1].fraction) == ("Looking", "1 found", 0)
        progress.cancel()
        with pytest.raises(Cancelled):
            progress.count("2 found")
        break
