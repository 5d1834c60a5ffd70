"""Jobs: one computation on a worker thread, seen from the GUI thread as five signals.

Separate because threads and Qt meet here and nowhere else. Rules that were paid for:

- threads of a pool, not bare QThreads (quitting while one runs aborts the process) and not generators (they swallow the
  RuntimeError that torch's out-of-memory error is, and the window waits for ever);
- the outcome is emitted from inside the job's body, as the last thing that it does with the object;
- connect bound slots to the signals, never lambdas that capture their parent;
- nothing cancels futures: a job that waits is told to stop and ends by itself when its turn comes.

It knows no photos and no torch.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from PySide6.QtCore import QObject, Qt, Signal, Slot

from facestudio.progress import Cancelled, Progress, Update


class Job(QObject):
    """One computation. Exactly one of `finished`, `failed` and `cancelled` comes, then `ended`; all on the GUI thread."""

    progressed = Signal(Update)
    finished = Signal(object)
    failed = Signal(Exception)
    cancelled = Signal()
    ended = Signal(object)
    _update = Signal(object)
    _outcome = Signal(object, object)

    def __init__(self, work: Callable[[Progress], object], parent: QObject) -> None:
        super().__init__(parent)
        self._work: Callable[[Progress], object] | None = work
        self._stopping = False
        self._progress = Progress(self._update.emit)
        self._update.connect(self._on_update, Qt.ConnectionType.QueuedConnection)
        self._outcome.connect(self._on_outcome, Qt.ConnectionType.QueuedConnection)

    @property
    def stopping(self) -> bool:
        """Whether `cancel` was called."""
        return self._stopping

    def cancel(self) -> None:
        """Ask it to stop at its next step; no progress arrives afterwards."""
        self._stopping = True
        self._progress.cancel()

    @property
    def paused(self) -> bool:
        """Whether it waits, or will at its next step."""
        return self._progress.paused

    def pause(self) -> None:
        """Let it wait at its next step until `resume` or `cancel`."""
        self._progress.pause()

    def resume(self) -> None:
        """Let it go on."""
        self._progress.resume()

    def run(self) -> None:
        """On the worker thread. The last thing it does with this object is to emit the outcome."""
        result: object = None
        error: BaseException | None = None
        work, self._work = self._work, None  # so that what it holds lives no longer than it
        try:
            self._progress.check()
            assert work is not None, "a job runs once"
            result = work(self._progress)
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the GUI thread must hear of it
            error = raised
        del work
        self._outcome.emit(result, error)

    @Slot(object)
    def _on_update(self, update: Update) -> None:
        if not self._stopping:
            self.progressed.emit(update)

    @Slot(object, object)
    def _on_outcome(self, result: object, error: BaseException | None) -> None:
        if isinstance(error, Cancelled):
            self.cancelled.emit()
        elif isinstance(error, Exception):
            self.failed.emit(error)
        elif error is not None:
            self.failed.emit(RuntimeError(f"the work was ended by {type(error).__name__}"))
        else:
            self.finished.emit(result)
        self.ended.emit(self)


class JobQueue(QObject):
    """First in, first out, `lanes` at a time."""

    def __init__(self, name: str, lanes: int = 1, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._pool = ThreadPoolExecutor(lanes, thread_name_prefix=name)
        self._live: dict[Job, Future[None]] = {}
        self._closed = False

    @property
    def live(self) -> int:
        """How many jobs wait, run, or have an outcome that has not been told yet."""
        return len(self._live)

    def submit(self, work: Callable[[Progress], object]) -> Job:
        """Start `work` when a lane is free. Signals come through the event loop, so never before the caller connects.

        After `shutdown` it is not begun, and told as cancelled: what others did can still ask for work then.
        """
        job = Job(work, self)
        job.ended.connect(self._forget)
        if self._closed:
            job.cancel()
            job.run()
        else:
            self._live[job] = self._pool.submit(job.run)
        return job

    def cancel_all(self) -> None:
        """Ask every job to stop."""
        for job in self._live:
            job.cancel()

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Stop every job and the threads; False when a job did not stop within `timeout` seconds."""
        self._closed = True
        self.cancel_all()
        stopped = not wait(self._live.values(), timeout).not_done
        self._pool.shutdown(wait=stopped)
        return stopped

    @Slot(object)
    def _forget(self, job: Job) -> None:
        future = self._live.pop(job, None)
        if future is not None:
            wait([future])  # the worker may still be inside of the signal that led here, with nothing left to do
        job.deleteLater()
