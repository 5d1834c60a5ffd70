"""A batch as tests run it: of photos and folders instead of a plan, with one word for what a test is about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from facestudio import batch
from facestudio.errors import DiskFull
from facestudio.journal import Journal
from facestudio.progress import Progress


def run_batch(
    inputs: Sequence[Path],
    out: Path,
    doing: batch.Work | batch.Elsewhere,
    *,
    writing: batch.Writing | None = None,
    report: Path | None = None,
    settings: Mapping[str, Any] | None = None,
    journal: Journal | None = None,
    resume: bool = False,
    left_over: Collection[Path] | None = None,
    progress: Progress | None = None,
    done: Callable[[batch.Outcome], None] = lambda outcome: None,
    waiting: Callable[[DiskFull], None] | None = None,
    planned: batch.Plan | None = None,
) -> list[batch.Outcome]:
    """`batch.run` on `inputs`; what they hold besides photos is not reported."""
    planned = planned or batch.Plan(tuple(batch.plan(inputs, out, writing.format if writing else None)))
    return batch.run(
        planned,
        batch.Here(doing) if callable(doing) else doing,
        writing=writing,
        reported=batch.Reported(report, settings),
        earlier=batch.Earlier(journal, resume, left_over),
        audience=batch.Audience(progress or Progress(), done, waiting),
    )
