"""Anonymizing by many processes, of one machine or a cluster: Ray Data actors that load everything once.

    task  = where a photo is, and whom its faces become                  here, for each photo that is to be done
    made  = what anonymizing made of it, and the bytes of its file       Worker, there
    file, journal, report, stopping                                      batch, here

A photo is done by the same code as without Ray, and comes out the same, except that a worker keeps new faces apart only from
those that it made itself (`newcomers`). Photos are read where they are done, so every machine must see them under the same path;
results come back over Ray and are written here alone. Ray, an extra (facestudio[cluster]), is imported inside. Paper: Luan et
al., "The Streaming Batch Model for Efficient and Fault-Tolerant Heterogeneous Execution", 2025.
"""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any

from facestudio.album import Found
from facestudio.anonymize_settings import Settings
from facestudio.anonymized import Anonymized
from facestudio.casting import Pseudonym
from facestudio.errors import FaceStudioError, UsageError
from facestudio.newcomers import Newcomers
from facestudio.planning import Item
from facestudio.progress import Progress
from facestudio.reviewing import Insisted, with_insisted
from facestudio.runs import Made
from facestudio.studio import Studio
from facestudio.trying import Choice

UNSTARTED = "Ray could not be started:"
NEEDED = "--engine ray needs Ray, which is not installed."
_WAIT = 0.1  # seconds until it is asked again whether to stop
_ROOM = (200, 100)  # megabytes of Ray's store on this machine: at least, and for each worker
_IN_ONE = 16  # photos that a worker is given at once, at most: what it has done of them is lost with it


@dataclass(frozen=True)
class Job:
    """What is done to each photo.

    Attributes:
        settings: of the run. selected: the faces that are changed; None: all. format: of all results; None: each photo's own.
        device, judges, max_megapixels: as of `Studio`.
    """

    settings: Settings
    selected: Collection[int] | None = None
    format: str | None = None
    device: str = "auto"
    judges: str = "all"
    max_megapixels: float = 150.0


@dataclass(frozen=True, eq=False)
class Task:
    """One photo: its file, the `name` that its result will have, its faces and which are chosen if that is known already, whom
    they become, and those that a person insists on.

    `content`: hash of the photo that its faces and persons were seen in; of a file that is another photo by then neither holds.
    """

    source: Path
    name: str
    found: Found | None = None
    persons: Mapping[int, Pseudonym] = field(default_factory=dict)
    insisted: tuple[Insisted, ...] = ()
    content: str = ""


class Worker:
    """Does photos one after the other; what it needs is loaded with the first."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._studio = Studio(job.device, job.max_megapixels, job.settings.far, job.judges)
        self._newcomers = Newcomers()

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """For Ray: a pickled Task as a pickled Made, or the error that stood in the way."""
        return {"number": row["number"], "made": pickle.dumps(self.make(pickle.loads(row["task"])))}

    def make(self, task: Task) -> Made | FaceStudioError:
        """What becomes of a photo; an error that has a sentence is given back and stops no other photo."""
        started = time.perf_counter()
        job, settings, progress = self._job, self._job.settings, Progress()
        try:
            photo = self._studio.open(task.source)
            as_seen = photo.content_hash == task.content
            if task.found is not None and as_seen:
                faces, chosen = task.found
            else:
                faces = self._studio.detect(photo, progress, unsure=True)
                chosen = set(job.selected) if job.selected is not None and faces else None
            faces, choice = with_insisted(faces, task.insisted, Choice(chosen, settings.leave))
            persons = {index: iter((person,)) for index, person in task.persons.items()} if as_seen else {}
            known = self._newcomers
            cast = self._studio.cast(settings.recipe.checkpoint, persons, known, similar=settings.similar)
            result = self._studio.anonymize(
                photo, faces, settings.recipe, choice, progress, effort=settings.effort, cast=cast
            )
            content = self._file(result, task.name) if result.writable else None
            known.add(photo.content_hash, result.newcomers if result.writable else ())
            size = result.after.size
            return Made(_without_pictures(result), content, size, time.perf_counter() - started)
        except FaceStudioError as error:
            return error

    def _file(self, result: Anonymized, name: str) -> bytes:
        """The bytes of the file that a run without Ray would write."""
        with tempfile.TemporaryDirectory() as folder:
            saved = result.after.save(
                Path(folder) / name,
                format=self._job.format,
                recipe=result.saved_recipe,
                metadata_policy=self._job.settings.metadata,
                generative=result.generative,
            )
            return saved.read_bytes()


class Cluster:
    """`workers` Ray Data actors that do a `job` (None: one for each graphics card that the job may use, else for each processor).

    They are those of the cluster at RAY_ADDRESS, where that is set, else of this machine, where they end with the run.
    `task` says what is known of a photo beforehand. UsageError when Ray is not installed.
    """

    def __init__(self, job: Job, task: Callable[[Item], Task], workers: int | None = None) -> None:
        self._job, self._task, self._workers = job, task, workers
        self._ray = _ray()

    def made(
        self, items: Sequence[Item], progress: Progress
    ) -> Generator[tuple[int, Made | FaceStudioError], None, None]:
        """As of `runs.Elsewhere`; FaceStudioError when the cluster fails."""
        if not items:
            return
        ray, stopped = self._ray, threading.Event()
        found: Queue[Any] = Queue(64)
        self._start()
        pump = threading.Thread(target=self._pump, args=(items, found, stopped), name="ray results", daemon=True)
        pump.start()
        try:
            for _ in items:
                made = _next(found, progress)
                if isinstance(made, Exception):
                    raise FaceStudioError(
                        f"The cluster stopped working: {_last_line(made)}", hint="Continue with --resume."
                    ) from made
                yield made
        finally:
            stopped.set()
            ray.shutdown()  # ends the workers at once, whatever they do
            pump.join(30)

    def _start(self) -> None:
        """Connect to the cluster at RAY_ADDRESS, or start one here that nobody else sees."""
        settings: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR, "ignore_reinit_error": True}
        if not os.environ.get("RAY_ADDRESS"):
            least, each = _ROOM
            count = self._workers or os.cpu_count() or 1
            settings["object_store_memory"] = max(least, each * count) * 2**20
            settings |= {"include_dashboard": False, "num_cpus": count + 1}  # one is for Ray's own work
        try:
            self._ray.init(**settings)
        except Exception as error:  # noqa: BLE001 - Ray raises what it likes
            self._ray.shutdown()
            words = f"{UNSTARTED} {_last_line(error)}"
            raise FaceStudioError(words, hint="Try again on a machine that is less busy.") from error

    def _pump(self, items: Sequence[Item], found: Queue[Any], stopped: threading.Event) -> None:
        """Put what the workers make into `found`, at last an exception if there is one."""
        try:
            for row in self._rows(items):
                if not _put(found, (int(row["number"]), pickle.loads(row["made"])), stopped):
                    return
        except Exception as error:  # noqa: BLE001 - whatever it is, the other thread must hear of it
            _put(found, error, stopped)

    def _rows(self, items: Sequence[Item]) -> Any:
        data = self._ray.data
        context = data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        tasks = [{"number": n, "task": pickle.dumps(self._task(item))} for n, item in enumerate(items)]
        blocks = max(-(-len(tasks) // _IN_ONE), min(len(tasks), 1000))
        each = self._each()
        pool = data.ActorPoolStrategy(size=min(self._count(each), len(tasks)))
        rows = data.from_items(tasks, override_num_blocks=blocks)
        return rows.map(Worker, fn_constructor_args=(self._job,), compute=pool, **each).iter_rows()

    def _each(self) -> dict[str, float]:
        """What a worker takes of the cluster: a graphics card if it may use one and there is one, else a processor."""
        cards = self._ray.cluster_resources().get("GPU", 0) if self._job.device in ("auto", "cuda") else 0
        return {"num_gpus": 1} if cards else {"num_cpus": 1}

    def _count(self, each: Mapping[str, float]) -> int:
        there = self._ray.cluster_resources().get("GPU" if "num_gpus" in each else "CPU", 1)
        return self._workers or max(int(there) - ("num_cpus" in each), 1)


def _next(found: Queue[Any], progress: Progress) -> Any:
    """The next of `found`; raises Cancelled soon after `progress` is asked to stop."""
    while True:
        progress.check()
        try:
            return found.get(timeout=_WAIT)
        except Empty:
            continue


def _put(found: Queue[Any], made: Any, stopped: threading.Event) -> bool:
    """Put `made` in as soon as there is room; False when nobody waits for it any more."""
    while not stopped.is_set():
        try:
            found.put(made, timeout=_WAIT)
            return True
        except Full:
            continue
    return False


def _without_pictures(result: Anonymized) -> Anonymized:
    """`result` as a report needs it: without pixels, which are large."""
    nothing = result.after.without_pixels()
    faces = tuple(replace(face, aligned_before=None, aligned_after=None) for face in result.faces)
    return replace(result, before=nothing, after=nothing, faces=faces)


def _last_line(error: BaseException) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing about anybody goes anywhere
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what it has to say is in its own logs
    os.environ["RAY_ENABLE_AUTO_CONNECT"] = "0"  # else what is stopped in the middle would start another one
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise UsageError(NEEDED, hint='Install it: pip install "facestudio[cluster]".') from error
    with suppress(ImportError):  # somebody may have imported it before
        from ray._private import auto_init_hook

        auto_init_hook.enable_auto_connect = False
    for name in ("ray", "ray.data"):
        for handler in logging.getLogger(name).handlers:
            handler.setLevel(logging.CRITICAL)  # errors come back as exceptions, and are logged when all is stopped
    return ray
