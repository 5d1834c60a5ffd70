"""Jobs: where work and signals run, what comes after a cancel, and that nothing hangs."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator

import pytest
from pytestqt.qtbot import QtBot

from facestudio.gui.jobs import Job, JobQueue
from facestudio.progress import Progress


@pytest.fixture
def queue(qapp: object) -> Iterator[JobQueue]:
    made = JobQueue("compute")
    yield made
    assert made.shutdown()


def is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


def test_the_result_and_the_progress_arrive_on_the_gui_thread(qtbot: QtBot, queue: JobQueue) -> None:
    where: list[tuple[str, bool]] = []

    def work(progress: Progress) -> int:
        where.append(("work", is_main()))
        for _ in progress.track(range(5), "steps"):
            time.sleep(0.01)
        return 42

    job = queue.submit(work)
    job.progressed.connect(lambda update: where.append(("progress", is_main())))
    job.finished.connect(lambda result: where.append(("finished", is_main())))
    with qtbot.waitSignal(job.finished) as waited:
        pass
    assert waited.args == [42]
    assert set(where) == {("work", False), ("progress", True), ("finished", True)}


def test_a_fast_job_cannot_finish_before_anyone_connects(qtbot: QtBot, queue: JobQueue) -> None:
    job = queue.submit(lambda progress: 1)
    time.sleep(0.1)
    got: list[object] = []
    job.finished.connect(got.append)
    qtbot.waitUntil(lambda: got == [1])


def test_a_runtime_error_is_a_failure_and_the_queue_goes_on(qtbot: QtBot, queue: JobQueue) -> None:
    def work(progress: Progress) -> None:
        raise RuntimeError("CUDA out of memory")

    with qtbot.waitSignal(queue.submit(work).failed) as waited:
        pass
    assert isinstance(waited.args[0], RuntimeError)
    with qtbot.waitSignal(queue.submit(lambda progress: 2).finished) as waited:
        pass
    assert waited.args == [2]


def test_what_is_no_exception_is_told_too(qtbot: QtBot, queue: JobQueue) -> None:
    def work(progress: Progress) -> None:
        raise SystemExit

    with qtbot.waitSignal(queue.submit(work).failed) as waited:
        pass
    assert "SystemExit" in str(waited.args[0])


def test_cancelling_stops_at_the_next_step_and_no_progress_follows(qtbot: QtBot, queue: JobQueue) -> None:
    swallowed, late, outcomes = [], [], []
    started = threading.Event()

    def work(progress: Progress) -> None:
        try:
            for _ in progress.track(range(10_000), "steps"):
                started.set()
                time.sleep(0.002)
        except Exception:  # noqa: BLE001 - what is tested: that it does not catch the cancelling
            swallowed.append(1)

    job = queue.submit(work)
    job.finished.connect(lambda result: outcomes.append("finished"))
    job.failed.connect(lambda error: outcomes.append("failed"))
    job.cancelled.connect(lambda: outcomes.append("cancelled"))
    job.ended.connect(lambda job: outcomes.append("ended"))
    assert started.wait(30)
    job.cancel()
    job.progressed.connect(late.append)
    qtbot.waitUntil(lambda: "ended" in outcomes)
    assert outcomes == ["cancelled", "ended"]
    assert not late
    assert not swallowed


def test_cancelling_while_it_waits(qtbot: QtBot, queue: JobQueue) -> None:
    gate, ran = threading.Event(), []
    queue.submit(lambda progress: gate.wait(30) and None)
    job = queue.submit(lambda progress: ran.append(1))
    job.cancel()
    gate.set()
    with qtbot.waitSignal(job.cancelled):
        pass
    assert not ran


def test_shutting_down_stops_what_runs_and_what_waits(qapp: object) -> None:
    queue = JobQueue("compute")

    def work(progress: Progress) -> None:
        for _ in progress.track(range(100_000), "steps"):
            time.sleep(0.001)

    queue.submit(work)
    queue.submit(work)
    time.sleep(0.05)
    assert queue.shutdown(30.0), "it stopped long before the end of its work"


def test_shutting_down_does_not_wait_for_work_that_hears_nothing(qapp: object) -> None:
    queue, gate = JobQueue("compute"), threading.Event()
    queue.submit(lambda progress: gate.wait(30) and None)
    began = time.monotonic()
    assert not queue.shutdown(0.1)
    assert time.monotonic() - began < 20
    gate.set()
    assert queue.shutdown(30.0), "a queue must not go before its worker has"


def test_finished_jobs_are_forgotten(qtbot: QtBot, queue: JobQueue) -> None:
    for _ in range(5):
        queue.submit(lambda progress: None)
    qtbot.waitUntil(lambda: queue.live == 0)
    qtbot.waitUntil(lambda: not queue.findChildren(Job))


def test_calling_qt_loses_no_reference_to_none(queue: JobQueue) -> None:
    """PySide 6.12.0 lost one with each call that returns None, which ends a Python before 3.12 after minutes."""
    before = sys.getrefcount(None)
    for _ in range(1000):
        queue.parent()
    assert sys.getrefcount(None) > before - 500


def test_work_that_is_asked_for_after_the_end_is_not_begun_and_told_as_cancelled(qtbot: QtBot) -> None:
    ended = JobQueue("compute")
    assert ended.shutdown()
    begun: list[Progress] = []
    job = ended.submit(begun.append)
    told: list[str] = []
    job.failed.connect(lambda error: told.append("failed"))
    job.cancelled.connect(lambda: told.append("cancelled"))
    with qtbot.waitSignal(job.ended):
        pass
    assert told == ["cancelled"] and not begun and ended.live == 0
