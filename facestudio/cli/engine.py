"""Who does the photos of `anonymize`: this process, or many by Ray (`--engine ray`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facestudio.cluster import Cluster, Job, Task
from facestudio.ensemble import Ensemble
from facestudio.errors import UsageError
from facestudio.planning import Item

LOCAL, RAY = "local", "ray"


def check_engine(engine: str, workers: int | None, boxes: Sequence[Any]) -> None:
    """UsageError when what was asked for makes no sense."""
    if engine not in (LOCAL, RAY):
        raise UsageError(f"--engine takes {LOCAL} or {RAY}, not {engine}.")
    if workers is not None and engine != RAY:
        raise UsageError("--workers works only with --engine ray; without it there is a single process.")
    if boxes and engine == RAY:
        raise UsageError("--box works with a single photo, which needs no --engine ray.")


def many(job: Job, workers: int | None, ensemble: Ensemble) -> Cluster:
    """Ray's workers for a run; errors as of `Cluster`. The `ensemble` says, once the run begins, whom people become, and on which
    faces a person insists."""

    def task(item: Item) -> Task:
        album = ensemble.album
        found, persons = (None, {}) if album is None else album.told(item.source)
        content = "" if album is None else album.content(item.source)
        return Task(item.source, item.target.name, found, persons, ensemble.insisted(item.source), content)

    return Cluster(job, task, workers)
