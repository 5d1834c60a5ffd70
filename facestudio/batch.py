"""Folder in, folder out: the same work on many photos, one bad file never stopping the others.

This module runs what `planning` planned, photo by photo, writes the report as it goes, and with a `journal` goes on where a run
was cut off. It does not know which work it does: `work(photo, progress)` returns a pipeline Result. Nor does it know where: other
processes may do the work (`Elsewhere`), while writing and the journal stay here. It knows no window and no command line.

A result is made in a file without a name, read back, entered into the journal, and only then named. So a crash at any moment
loses the photo in work at most. A photo without a face is "skipped" with the reason as its error when the work says so by
NoFaceFound, and nothing is written for it.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import IO, Any, Protocol, TypeVar

from facestudio.errors import DiskFull, FaceStudioError, NoFaceFound, UnwritableOutput
from facestudio.files import hidden_name, real, same_file, shown, write_beside
from facestudio.formats import DECODER_ERRORS, open_image
from facestudio.journal import CHANGED, DAMAGED, DONE, FAILED, OTHER, UNKNOWN, Journal, sha256_of, stamp_of
from facestudio.outcomes import LEFT_OUT, LEFT_OVER, Outcome
from facestudio.photo import SUFFIXES, Photo
from facestudio.planning import UNNUMBERED, Item, Plan, find_photos, plan, suffix_of, survey
from facestudio.progress import Progress
from facestudio.reporting import ReportFile
from facestudio.results import Result

__all__ = ["LEFT_OUT", "LEFT_OVER", "Item", "Outcome", "Plan", "Writing", "find_photos", "plan", "run", "survey"]

T = TypeVar("T")
Work = Callable[[Photo, Progress], Result]
PATIENCE = 5.0  # seconds until a full disk is tried again
_LONG_AGO = 315532800  # 1980-01-01, the first second that every file system and archive can hold


@dataclass(frozen=True)
class Writing:
    """How results are written.

    Attributes:
        format: of all results, None: each photo's own. overwrite: replace results that exist.
        metadata: the policy of `Photo.save`. reset_times: files say that they were changed in 1980, and not when.
    """

    format: str | None = None
    overwrite: bool = False
    metadata: str = "keep"
    reset_times: bool = False


@dataclass(frozen=True, eq=False)
class Made:
    """What other processes made of a photo.

    Attributes:
        result: as of the work, its pictures left out. content: of the file, as it is to be written; None: none is. size: of the
            picture in it, width and height. seconds: that it took.
    """

    result: Result
    content: bytes | None
    size: tuple[int, int]
    seconds: float


class Elsewhere(Protocol):
    """Other processes that do the work of a run."""

    def made(
        self, items: Sequence[Item], progress: Progress
    ) -> Generator[tuple[int, Made | FaceStudioError], None, None]:
        """What became of each of `items`, by its number, as they are done; ends at once when `progress` is asked to stop."""
        ...


def run(
    inputs: Sequence[Path],
    out: Path,
    work: Work,
    *,
    progress: Progress | None = None,
    report: Path | None = None,
    format: str | None = None,
    overwrite: bool = False,
    max_megapixels: float = 150.0,
    done: Callable[[Outcome], None] = lambda outcome: None,
    writing: Writing | None = None,
    planned: Plan | None = None,
    journal: Journal | None = None,
    resume: bool = False,
    waiting: Callable[[DiskFull], None] | None = None,
    elsewhere: Elsewhere | None = None,
    reading: Callable[[Path], Photo] | None = None,
    settings: Mapping[str, Any] | None = None,
    left_over: Collection[Path] | None = None,
) -> list[Outcome]:
    """Do `work` on every photo of `inputs` and write the results under `out`.

    Args:
        report: a JSONL file, written anew, one object a photo, each complete on disk before the next photo starts.
        overwrite: replace outputs that exist; otherwise such a photo fails before any work is done on it.
        done: told of each outcome as it comes, with its result; the outcomes returned hold none.
        writing: everything about how results are written, instead of `format` and `overwrite`.
        planned: what `planning` made of the inputs, when more is to be said than `plan` does; what is left out is reported.
        journal: remembers what was written, for a run that is to `resume`: it keeps results that are as they were written, and
            makes all others anew.
        waiting: told when the disk is full, again and again; the run then waits until there is room. None: a result that
            has no room fails, and so do those after it, without work on them, until there is.
        elsewhere: does the work instead of `work`, of all photos that are to be done; they end in any order.
        reading: opens each photo instead of `Photo.open`.
        settings: what the report says beside the recipe of each photo that is to be done.
        left_over: report, at last, also results of earlier runs that the journal knows and whose photos are no longer among the
            inputs: those that are planned and, named here, others. None: do not.

    UsageError and an unwritable report are raised before anything is written. Cancelled passes through; what was finished stays.
    """
    writing = writing or Writing(format, overwrite)
    planned = planned or Plan(tuple(plan([Path(path) for path in inputs], out, writing.format)))
    with ExitStack() as stack:
        if journal is not None:
            stack.enter_context(journal)
        file = stack.enter_context(ReportFile(report, {real(item.source) for item in planned.items}))
        reading = reading or partial(Photo.open, max_megapixels=max_megapixels)
        runner = _Run(
            *(work, writing, planned, journal, resume, file, progress or Progress(), reading, waiting, elsewhere),
            *(settings, left_over),
        )
        return runner.outcomes(done)


class _Run:
    """One run; see `run`."""

    def __init__(
        self,
        work: Work,
        writing: Writing,
        planned: Plan,
        journal: Journal | None,
        resume: bool,
        report: ReportFile,
        progress: Progress,
        reading: Callable[[Path], Photo],
        waiting: Callable[[DiskFull], None] | None,
        elsewhere: Elsewhere | None,
        settings: Mapping[str, Any] | None,
        left_over: Collection[Path] | None,
    ) -> None:
        self._settings, self._inputs = settings, left_over
        self._work, self._writing, self._planned = work, writing, planned
        self._journal, self._resume, self._report = journal, resume, report
        self._progress, self._reading, self._waiting = progress, reading, waiting
        self._elsewhere = elsewhere
        self._sources = {real(item.source) for item in planned.items}
        self._taken: set[Path] = set()
        self._full = False  # whether the last result had no room
        self._stamps: dict[Path, tuple[int, int]] = {}  # of photos before they are read

    def outcomes(self, done: Callable[[Outcome], None]) -> list[Outcome]:
        """Do it; `done` is told of each outcome."""
        outcomes: list[Outcome] = []
        faces = 0
        self._clear()
        for left in self._planned.left_out:
            self._tell(Outcome(left.path, None, LEFT_OUT, left.reason, 0.0, label=left.label), outcomes, done)
        total = len(self._planned.items)
        of_all = f"of {total} photo{'' if total == 1 else 's'}"
        with closing(self._here() if self._elsewhere is None else self._there(self._elsewhere)) as stream:
            for number, _ in enumerate(self._progress.track(self._planned.items, "Photos")):
                self._progress.tally = f"{number} {of_all}, {faces} face{'' if faces == 1 else 's'}"
                outcome = next(stream)
                faces += len(outcome.result.faces if outcome.result else (outcome.earlier or {}).get("faces", ()))
                self._tell(outcome, outcomes, done)
        for outcome in self._left():
            self._tell(outcome, outcomes, done)
        return outcomes

    def _left(self) -> Iterator[Outcome]:
        """Results of earlier runs whose photos are not among the inputs any more."""
        if self._journal is None or self._inputs is None:
            return
        inputs = self._sources | {real(path) for path in self._inputs}
        numbers = any(item.label for item in self._planned.items)
        targets = {real(item.target) for item in self._planned.items}
        for source, target, record, sound in self._journal.results():
            if real(source) in inputs or real(target) in targets:
                continue
            why = "The photo is no longer among the inputs; its result is of an earlier run"
            why += "." if sound else ", and its file is not as that run wrote it."
            # as the report of that run called the photo; where photos have numbers, no name comes in by one of before
            name = UNNUMBERED if numbers and os.sep in record["input"] else record["input"]
            earlier = record | {"input": name, "output": str(target), "kept": why}
            yield Outcome(source, target, LEFT_OVER, why, 0.0, label=name, earlier=earlier)

    def _here(self) -> Generator[Outcome, None, None]:
        """Do one photo after the other."""
        for item in self._planned.items:
            yield self._one(item)
            self._taken.add(real(item.target))

    def _there(self, elsewhere: Elsewhere) -> Generator[Outcome, None, None]:
        """What is kept or refused, then what others make of the rest."""
        todo: list[tuple[Item, str]] = []
        for item in self._planned.items:
            known = self._known(item)
            kept = self._kept(item, known)
            try:
                if kept is None:
                    self._check(item, known)
                    todo.append((item, known))
            except FaceStudioError as reason:
                kept = self._given_up(item, reason)
            if kept is not None:
                yield kept
            self._taken.add(real(item.target))
        with closing(elsewhere.made([item for item, _ in todo], self._progress)) as stream:
            for number, made in stream:
                yield self._placed(*todo[number], made)

    def _tell(self, outcome: Outcome, outcomes: list[Outcome], done: Callable[[Outcome], None]) -> None:
        outcome = self._by_settings(outcome)
        record = outcome.record()
        self._when_there_is_room(lambda: self._report.write(record))
        done(outcome)
        # a result holds two whole photos: of a large folder no memory could keep them all
        outcomes.append(replace(outcome, result=None))

    def _by_settings(self, outcome: Outcome) -> Outcome:
        """The outcome of a photo with the settings of the run; of what was left out, or kept, as it is."""
        return outcome if outcome.status == LEFT_OUT or outcome.earlier else replace(outcome, settings=self._settings)

    def _clear(self) -> None:
        """Take away what a crash left of this folder's runs, where files without names are not to be had."""
        if self._journal is not None:
            for folder in {item.target.parent for item in self._planned.items}:
                with suppress(OSError):
                    os.unlink(folder / hidden_name(self._journal.token))

    def _one(self, item: Item) -> Outcome:
        """Do one photo; every FaceStudioError becomes its outcome."""
        started = time.perf_counter()
        known = self._known(item)
        kept = self._kept(item, known)
        if kept is not None:
            return kept
        result: Result | None = None
        try:
            self._check(item, known)
            self._check_room(item)
            photo = self._reading(item.source)
            result = self._work(photo, self._progress)
            made = Outcome(item.source, None, result.status, result.error, 0.0, "", result, item.label)
            if result.writable:
                return self._saved(replace(made, output=item.target), item, started, known == DAMAGED)
            made = replace(made, seconds=time.perf_counter() - started)
            self._remember(made, item)
            return made
        except FaceStudioError as reason:
            return self._given_up(item, reason, result, time.perf_counter() - started)

    def _placed(self, item: Item, known: str, made: Made | FaceStudioError) -> Outcome:
        """What others `made` of a photo, written."""
        if isinstance(made, FaceStudioError):
            return self._given_up(item, made)
        result = made.result
        outcome = Outcome(item.source, None, result.status, result.error, made.seconds, "", result, item.label)
        if made.content is None:
            self._remember(outcome, item)
            return outcome
        content, overwrite = made.content, self._writing.overwrite or known == DAMAGED

        def write(file: IO[bytes]) -> None:
            file.write(content)

        def save(check: Callable[[IO[bytes]], None], token: str) -> None:
            write_beside(item.target, write, overwrite, check, token)

        try:
            return self._written(replace(outcome, output=item.target), item, made.size, save)
        except FaceStudioError as reason:
            return self._given_up(item, reason, result, made.seconds)

    def _given_up(
        self, item: Item, reason: FaceStudioError, result: Result | None = None, seconds: float = 0.0
    ) -> Outcome:
        status = "skipped" if isinstance(reason, NoFaceFound) else FAILED
        self._full = self._full or isinstance(reason, DiskFull)
        outcome = Outcome(item.source, None, status, str(reason), seconds, reason.hint, result, item.label)
        if status == FAILED:
            with suppress(FaceStudioError):  # then it is not known that it failed, which changes nothing else
                self._remember(outcome, item)
        return outcome

    def _known(self, item: Item) -> str:
        """What the journal knows of the result of `item`, "" where that does not matter."""
        return self._journal.state(item.source, item.target) if self._journal is not None and self._resume else ""

    def _kept(self, item: Item, known: str) -> Outcome | None:
        """The outcome of a run before, if it is as it was."""
        if known != DONE or self._journal is None:
            return None
        record = self._journal.record(item.source)
        output = item.target if record["output"] else None
        # as this run calls them: the earlier one may have been begun in another folder
        record |= {"input": item.label or str(item.source), "output": str(output) if output else None}
        return Outcome(item.source, output, record["status"], record["error"], 0.0, label=item.label, earlier=record)

    def _check(self, item: Item, known: str) -> None:
        """Raise UnwritableOutput when the result of `item` must not be written, before any work is done on it."""
        self._stamps[item.source] = stamp_of(item.source)
        if real(item.target) in self._sources or same_file(item.target, item.source):
            raise UnwritableOutput(
                f"The result of {item.source.name} would replace an input.", hint="Choose another folder."
            )
        if real(item.target) in self._taken:
            raise UnwritableOutput(
                f"Another input of this run already has the output {item.target}.",
                hint="Name a folder around them, whose tree is kept, or do them one by one into different folders.",
            )
        if os.path.lexists(item.target) and not self._writing.overwrite and known != DAMAGED:
            how = {OTHER: ", made with other settings", CHANGED: ", made when the photo was another one"}.get(known, "")
            hint = "Use --overwrite to replace it"
            hint += (
                "." if self._journal is None or self._resume else ", or --resume to go on with the run that made it."
            )
            raise UnwritableOutput(f"{item.target} exists already{how}.", hint=hint)

    def _check_room(self, item: Item) -> None:
        """DiskFull, before any work is done on `item`, when the last result had no room and this one will have none either."""
        if not self._full or self._waiting is not None:
            return
        with suppress(OSError):  # what cannot be told is tried; a result is about as large as its photo
            folder = next(folder for folder in item.target.parents if folder.exists())
            if shutil.disk_usage(folder).free < item.source.stat().st_size:
                words = f"Nothing was done with {shown(item.source)}: the disk is full."
                raise DiskFull(words, hint="Free some space, or choose another disk.")

    def _saved(self, outcome: Outcome, item: Item, started: float, replacing: bool) -> Outcome:
        """Write the result of `item`; its seconds count from `started` until it is whole."""
        assert outcome.result is not None
        result = outcome.result

        def save(check: Callable[[IO[bytes]], None], token: str) -> None:
            result.after.save(
                item.target,
                format=SUFFIXES[suffix_of(self._writing.format)] if self._writing.format else None,
                recipe=result.saved_recipe,
                overwrite=self._writing.overwrite or replacing,
                metadata_policy=self._writing.metadata,
                generative=result.generative,
                check=check,
                token=token,
            )

        return self._written(outcome, item, result.after.size, save, started)

    def _written(
        self,
        outcome: Outcome,
        item: Item,
        size: tuple[int, int],
        save: Callable[[Callable[[IO[bytes]], None], str], None],
        started: float | None = None,
    ) -> Outcome:
        """`outcome` once `save` has written its file, in its folder; the journal knows it before it has its name."""
        try:
            item.target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            words = f"The folder {item.target.parent} cannot be made: {error.strerror}."
            raise UnwritableOutput(words, hint="Choose another folder.") from error
        final = outcome

        def check(file: IO[bytes]) -> None:
            nonlocal final
            _read_back(file, size, item.target)
            if self._writing.reset_times and os.utime in os.supports_fd:
                os.utime(file.fileno(), (_LONG_AGO, _LONG_AGO))
            if started is not None:
                final = replace(outcome, seconds=time.perf_counter() - started)
            if self._journal is not None:
                file.seek(0)
                stamp, content = self._stamps.get(item.source), sha256_of(file)
                aside = final.result.aside if final.result is not None else ""
                self._journal.write(item.source, self._by_settings(final).record(), item.target, content, stamp, aside)

        token = self._journal.token if self._journal is not None else ""
        self._when_there_is_room(lambda: save(check, token))
        self._full = False
        if self._writing.reset_times and os.utime not in os.supports_fd:
            os.utime(item.target, (_LONG_AGO, _LONG_AGO))
        return final

    def _remember(self, outcome: Outcome, item: Item) -> None:
        """Enter an outcome without a file; what failed is tried again by the next run, but it is known that it did."""
        journal, stamp = self._journal, self._stamps.get(item.source)
        if journal is None or (outcome.status == FAILED and self._stays_known(item, journal)):
            return
        record = self._by_settings(outcome).record()
        self._when_there_is_room(lambda: journal.write(item.source, record, stamp=stamp))

    @staticmethod
    def _stays_known(item: Item, journal: Journal) -> bool:
        """Whether something is known of `item` that a failure must not make forgotten: a result, or that none was to write."""
        return os.path.lexists(item.target) or journal.state(item.source, item.target) not in (UNKNOWN, FAILED)

    def _when_there_is_room(self, action: Callable[[], T]) -> T:
        """`action`, once more every few seconds while the disk is full."""
        while True:
            try:
                return action()
            except DiskFull as full:
                if self._waiting is None:
                    raise
                self._waiting(full)
                self._progress.wait(PATIENCE)


def _read_back(file: IO[bytes], expected: tuple[int, int], target: Path) -> None:
    """UnwritableOutput unless `file` holds a picture of the `expected` width and height."""
    message = f"{shown(target)} cannot be read back after it was written, so it is not kept."
    hint = "Choose another format, such as PNG."
    try:
        with open_image(file) as image:
            image.load()
            size = image.size
    except DECODER_ERRORS as error:
        raise UnwritableOutput(message, hint) from error
    if size != expected:
        raise UnwritableOutput(message, hint)
