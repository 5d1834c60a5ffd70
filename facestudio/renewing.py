"""One photo of a run done again: its result, what the journal knows of it, its line of the report, and the pages made of that.

Goes the way of `batch`: the new result is whole in its place or not there, and the journal knows it before. Separate from it
because a run writes its report from the beginning, and here one line is another one. Does not know which work it does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from facestudio import batch
from facestudio.errors import FaceStudioError, UsageError
from facestudio.journal import CHANGED, DONE, OTHER, Journal
from facestudio.photo import Photo
from facestudio.pipeline import Result
from facestudio.planning import Item, Plan
from facestudio.progress import Progress
from facestudio.report_tables import write_tables
from facestudio.reporting import renew_record

Work = Callable[[Photo, Photo | None, Progress], Result]


def renew(
    item: Item,
    work: Work,
    journal: Journal,
    writing: batch.Writing,
    *,
    report: Path | None = None,
    progress: Progress | None = None,
    max_megapixels: float = 150.0,
) -> batch.Outcome:
    """Do `work` on the photo of `item` and put what it makes in the place of the earlier result.

    Args:
        work: is given the photo, and the earlier result when it is as it was written, else None.
        journal: of the run, by the settings of that run; not open. writing: as of the run; what is there is replaced.
        report: its line of this photo is replaced, and the table and the page beside it are made anew.

    UsageError when the journal knows the result by other settings or of another photo; what the work raises passes through, and
    then all stays as it was. So it does when the new result must not be written and an earlier one is there.
    """
    with journal:
        known = journal.state(item.source, item.target)
        # it is also done where there was none to write, and what lies there then is of another run
        written = known == DONE and journal.record(item.source)["output"] is not None
    if known in (CHANGED, OTHER):
        why = "its photo is another one by now" if known == CHANGED else "it was made by other settings"
        raise UsageError(f"{item.target.name} cannot be gone on with: {why}.", hint="Anonymize the photo again.")
    there = os.path.lexists(item.target)

    def checked(photo: Photo, progress: Progress) -> Result:
        earlier = Photo.open(item.target, max_megapixels=max_megapixels) if written else None
        result = work(photo, earlier, progress)
        if there and not result.writable:
            raise FaceStudioError(
                f"It was not verified, so the earlier result stays. {result.error or ''}".strip(),
                hint="Obscure the face, or try it with other settings.",
            )
        return result

    made: list[batch.Outcome] = []
    batch.run(
        [item.source],
        item.target.parent,
        checked,
        progress=progress,
        max_megapixels=max_megapixels,
        done=made.append,
        writing=batch.Writing(writing.format, True, writing.metadata, writing.reset_times),
        planned=Plan((item,)),
        journal=journal,
    )
    (outcome,) = made
    if outcome.result is None or (outcome.output is None and outcome.result.writable):
        raise FaceStudioError(outcome.error or "The photo could not be done again.", hint=outcome.hint)
    if report is not None:
        renew_record(report, outcome.record())
        write_tables(report)
    return outcome
