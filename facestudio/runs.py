"""What a run over many photos is told: who does the work, how results are written, what is reported, what is known of earlier
runs, and who looks on.

Separate from `batch`, which carries a run out, because command line, window and cluster make these values. They say nothing of
what the work is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from facestudio.errors import DiskFull, FaceStudioError
from facestudio.journal import Journal
from facestudio.outcomes import Outcome
from facestudio.photo import Photo
from facestudio.planning import Item
from facestudio.progress import Progress
from facestudio.results import Result

Work = Callable[[Photo, Progress], Result]


@dataclass(frozen=True)
class Writing:
    """How results are written.

    Attributes:
        format: of all results; None: each photo's own. overwrite: replace existing results.
        metadata: the policy of `Photo.save`. reset_times: set the modification time of the files to 1980.
    """

    format: str | None = None
    overwrite: bool = False
    metadata: str = "keep"
    reset_times: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """What other processes made of a photo.

    Attributes:
        result: what the work returned, without its pictures. content: the bytes of the file to write; None: no file.
        size: width and height of the picture in it. seconds: how long the work took.
    """

    result: Result
    content: bytes | None
    size: tuple[int, int]
    seconds: float


class Elsewhere(Protocol):
    """Does the work of a run in other processes."""

    def made(
        self, items: Sequence[Item], progress: Progress
    ) -> Generator[tuple[int, Made | FaceStudioError], None, None]:
        """Yield the number of each of `items` and what became of it, as they are done; ends when `progress` is stopped."""
        ...


@dataclass(frozen=True, eq=False)
class Here:
    """Does the work of a run in this process, one photo after the other: `work` on what `reading` opens."""

    work: Work
    reading: Callable[[Path], Photo] = Photo.open


@dataclass(frozen=True)
class Reported:
    """What a run tells in writing.

    Attributes:
        path: of a JSONL file with one object per photo, written anew; each line is on disk before the next photo starts.
        settings: what is said of each photo beside its recipe, in the report and the journal.
    """

    path: Path | None = None
    settings: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Earlier:
    """What is known of earlier runs.

    Attributes:
        journal: remembers what was written, by them and by this one.
        resume: keep results that are still as they were written, and make all others again.
        left_over: further input paths. At the end, the report also lists results of earlier runs that the journal knows but
            whose photos are neither planned nor among these. None: do not list any.
    """

    journal: Journal | None = None
    resume: bool = False
    left_over: Collection[Path] | None = None


@dataclass(frozen=True, eq=False)
class Audience:
    """Who looks on while a run works.

    Attributes:
        done: called with each outcome, including its result.
        waiting: called again and again while the disk is full; the run waits until there is room. None: results without
            room fail, and so do later photos, before any work on them, until there is room.
    """

    progress: Progress = field(default_factory=Progress)
    done: Callable[[Outcome], None] = lambda outcome: None
    waiting: Callable[[DiskFull], None] | None = None
