"""Who does the photos of `anonymize`: this process, or many by Ray (`--engine ray`)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facestudio import batch
from facestudio.anonymize_settings import Settings
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


def many(
    settings: Settings,
    chosen: set[int] | None,
    writing: batch.Writing,
    device: str,
    workers: int | None,
    ensemble: Ensemble,
    judges: str = "all",
) -> Cluster:
    """Ray's workers for a run; errors as of `Cluster`. The `ensemble` says, once the run begins, whom people become, and on which
    faces a person insists; `judges` as of `Studio`."""
    selected = None if chosen is None else frozenset(chosen)
    job = Job(
        *(settings.recipe, selected, settings.tries, settings.hiding),
        *(writing.format, writing.metadata, device, settings.far),
        similar=settings.similar,
        judges=judges,
        leave=settings.leave,
    )

    def task(item: Item) -> Task:
        album = ensemble.album
        found, persons = (None, {}) if album is None else album.told(item.source)
        return Task(item.source, item.target.name, found, persons, ensemble.insisted(item.source))

    return Cluster(job, task, workers)
