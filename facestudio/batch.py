"""Folder in, folder out: the same work on many photos. One bad file never stops the others.

This module carries out the plan of `planning` photo by photo, as the values of `runs` say: it writes the report as it goes and,
with a journal, continues a run that was interrupted. It does not know what the work is: `work(photo, progress)` returns a
pipeline Result. Nor does it know where it is done: other processes may do it (`Elsewhere`), while results, report and journal
are written here. It knows no window and no command line.

A result is written into a file without a name, read back, entered into the journal, and only then gets its name, so a crash loses
at most the photo in work. When the work raises NoFaceFound, the photo is "skipped" and nothing is written for it.
"""

from __future__ import annotations

import os
import shutil
import time
import unicodedata
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, TypeVar

from facestudio.errors import DiskFull, FaceStudioError, NoFaceFound, UnwritableOutput
from facestudio.files import hidden_name, real, same_file, shown, write_beside
from facestudio.formats import DECODER_ERRORS, open_image
from facestudio.journal import CHANGED, DAMAGED, DONE, FAILED, OTHER, UNKNOWN, Journal, sha256_of, stamp_of
from facestudio.numbering import UNNUMBERED, is_number
from facestudio.outcomes import LEFT_OUT, LEFT_OVER, NOT_REACHED, Outcome
from facestudio.photo import SUFFIXES
from facestudio.planning import Item, Plan, find_photos, plan, suffix_of, survey
from facestudio.reporting import ReportFile
from facestudio.results import Result
from facestudio.runs import Audience, Earlier, Elsewhere, Here, Made, Reported, Work, Writing

__all__ = [
    "LEFT_OUT",
    "LEFT_OVER",
    "Audience",
    "Earlier",
    "Elsewhere",
    "Here",
    "Item",
    "Made",
    "Outcome",
    "Plan",
    "Reported",
    "Work",
    "Writing",
    "find_photos",
    "plan",
    "run",
    "survey",
]

T = TypeVar("T")
PATIENCE = 5.0  # seconds until a full disk is tried again
_LONG_AGO = 315532800  # 1980-01-01, the first second that every file system and archive can hold


def run(
    planned: Plan,
    doing: Here | Elsewhere,
    *,
    writing: Writing | None = None,
    reported: Reported | None = None,
    earlier: Earlier | None = None,
    audience: Audience | None = None,
) -> list[Outcome]:
    """Do every photo that is `planned` and write the results; the outcomes that are returned hold no results.

    An existing output fails before any work is done on its photo, unless `writing` says to replace it or `earlier` that it is
    kept. What the plan leaves out is reported. With `Elsewhere`, photos may finish in any order.

    UsageError and UnwritableOutput for the report are raised before anything is written. Cancelled passes through; what was
    finished stays.
    """
    reported, earlier = reported or Reported(), earlier or Earlier()
    with ExitStack() as stack:
        if earlier.journal is not None:
            stack.enter_context(earlier.journal)
        file = stack.enter_context(ReportFile(reported.path, {real(item.source) for item in planned.items}))
        return _Run(
            planned, doing, writing or Writing(), file, reported.settings, earlier, audience or Audience()
        ).outcomes()


class _Run:
    """One run; see `run`."""

    def __init__(
        self,
        planned: Plan,
        doing: Here | Elsewhere,
        writing: Writing,
        report: ReportFile,
        settings: Mapping[str, Any] | None,
        earlier: Earlier,
        audience: Audience,
    ) -> None:
        self._planned, self._doing, self._writing = planned, doing, writing
        self._report, self._settings = report, settings
        self._journal, self._resume, self._inputs = earlier.journal, earlier.resume, earlier.left_over
        self._audience, self._progress = audience, audience.progress
        self._sources = {real(item.source) for item in planned.items}
        self._taken: dict[str, set[Path]] = {}  # where results went, by `_regardless` of their names
        self._untold: Outcome | None = None  # what is done, and not in the report yet
        self._full = False  # whether the last result had no room
        self._stamps: dict[Path, tuple[int, int]] = {}  # of photos before they are read

    def outcomes(self) -> list[Outcome]:
        """Do it."""
        outcomes: list[Outcome] = []
        try:
            self._do(outcomes)
        except BaseException:
            told = {outcome.source for outcome in outcomes}
            if self._untold is not None:
                told.add(self._untold.source)
                with suppress(FaceStudioError):
                    self._report.write(self._untold.record())
            self._report_missing(told)
            raise
        return outcomes

    def _report_missing(self, told: set[Path]) -> None:
        """Let the report name the photos that were not `told` of: else it would look like that of a run which had no more."""
        for item in self._planned.items:
            if item.source not in told:
                words = "The run was stopped before this photo was done."
                if self._has_earlier(item):
                    words += " The result of an earlier run is there and was not checked."
                with suppress(FaceStudioError):
                    self._report.write(Outcome(item.source, None, NOT_REACHED, words, 0.0, label=item.label).record())

    def _has_earlier(self, item: Item) -> bool:
        """Whether the run that this one continues wrote a result of `item`; whether that is still there is not looked at."""
        if self._journal is None or not self._resume:
            return False
        try:
            return bool(self._journal.record(item.source)["output"])
        except (KeyError, FaceStudioError):
            return False

    def _do(self, outcomes: list[Outcome]) -> None:
        """Do every photo, and tell of it in `outcomes` too."""
        faces = 0
        self._clear()
        for left in self._planned.left_out:
            self._tell(Outcome(left.path, None, LEFT_OUT, left.reason, 0.0, label=left.label), outcomes)
        total = len(self._planned.items)
        of_all = f"of {total} photo{'' if total == 1 else 's'}"
        doing = self._doing
        with closing(self._here(doing) if isinstance(doing, Here) else self._there(doing)) as stream:
            for number, _ in enumerate(self._progress.track(self._planned.items, "Photos")):
                self._progress.tally = f"{number} {of_all}, {faces} face{'' if faces == 1 else 's'}"
                outcome = next(stream)
                faces += len(outcome.result.faces if outcome.result else (outcome.earlier or {}).get("faces", ()))
                self._tell(outcome, outcomes)
        for outcome in self._left():
            self._tell(outcome, outcomes)

    def _left(self) -> Iterator[Outcome]:
        """Results of earlier runs whose photos are no longer among the inputs."""
        if self._journal is None or self._inputs is None:
            return
        inputs = self._sources | {real(path) for path in self._inputs}
        numbers = any(item.label for item in self._planned.items)
        targets = {real(item.target) for item in self._planned.items}
        left: list[Outcome] = []
        for source, target, record, sound in self._journal.results():
            if real(source) in inputs or real(target) in targets:
                continue
            why = "The photo is no longer among the inputs; its result is from an earlier run"
            why += "." if sound else ", and its file is no longer as that run wrote it."
            # as the report of that run called the photo; where photos have numbers, no name comes in by one of before
            name = UNNUMBERED if numbers and not is_number(record["input"]) else record["input"]
            earlier = record | {"input": name, "output": str(target), "kept": why}
            left.append(Outcome(source, target, LEFT_OVER, why, 0.0, label=name, earlier=earlier))
        # the journal goes by the names of the photos: in that order numbers would tell of them
        yield from sorted(left, key=lambda outcome: outcome.label) if numbers else left

    def _here(self, here: Here) -> Generator[Outcome, None, None]:
        """Do one photo after the other."""
        for item in self._planned.items:
            yield self._one(item, here)
            self._take(item.target)

    def _there(self, elsewhere: Elsewhere) -> Generator[Outcome, None, None]:
        """First what is kept or refused, then what the other processes make of the rest."""
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
            self._take(item.target)
        with closing(elsewhere.made([item for item, _ in todo], self._progress)) as stream:
            for number, made in stream:
                yield self._placed(*todo[number], made)

    def _take(self, target: Path) -> None:
        """From now on nothing else of this run is written to `target`."""
        self._taken.setdefault(_regardless(target), set()).add(real(target))

    def _is_taken(self, target: Path) -> bool:
        """Whether a result of this run is at `target`, perhaps by another spelling, where the file system takes both for one."""
        alike = self._taken.get(_regardless(target), set())
        return real(target) in alike or (os.path.lexists(target) and any(same_file(target, one) for one in alike))

    def _tell(self, outcome: Outcome, outcomes: list[Outcome]) -> None:
        outcome = self._untold = self._by_settings(outcome)
        record = outcome.record()
        self._when_there_is_room(lambda: self._report.write(record))
        self._untold = None
        # a result holds two whole photos: those of a large folder would not fit into memory
        outcomes.append(replace(outcome, result=None))
        self._audience.done(outcome)

    def _by_settings(self, outcome: Outcome) -> Outcome:
        """`outcome` with the settings of the run, unless it was left out or kept."""
        return outcome if outcome.status == LEFT_OUT or outcome.earlier else replace(outcome, settings=self._settings)

    def _clear(self) -> None:
        """Remove hidden files that a crash left behind, on systems without unnamed files."""
        if self._journal is not None:
            for folder in {item.target.parent for item in self._planned.items}:
                with suppress(OSError):
                    os.unlink(folder / hidden_name(self._journal.token))

    def _one(self, item: Item, here: Here) -> Outcome:
        """Do one photo; a FaceStudioError becomes its outcome."""
        started = time.perf_counter()
        known = self._known(item)
        kept = self._kept(item, known)
        if kept is not None:
            return kept
        result: Result | None = None
        try:
            self._check(item, known)
            self._check_room(item)
            result = here.work(here.reading(item.source), self._progress)
            made = Outcome(item.source, None, result.status, result.error, 0.0, "", result, item.label)
            if result.writable:
                return self._saved(replace(made, output=item.target), item, started, known == DAMAGED)
            made = replace(made, seconds=time.perf_counter() - started)
            self._remember(made, item)
            return made
        except FaceStudioError as reason:
            return self._given_up(item, reason, result, time.perf_counter() - started)

    def _placed(self, item: Item, known: str, made: Made | FaceStudioError) -> Outcome:
        """Write what other processes `made` of a photo."""
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
        """What the journal knows of the result of `item`; "" when the run does not resume."""
        return self._journal.state(item.source, item.target) if self._journal is not None and self._resume else ""

    def _kept(self, item: Item, known: str) -> Outcome | None:
        """The outcome of an earlier run, if its result is still as that run wrote it; else None."""
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
        if self._is_taken(item.target):
            raise UnwritableOutput(
                f"Another input of this run is already written to {item.target}.",
                hint=(
                    "Name the folder that contains both, so that its subfolders are kept, or use a different "
                    "output folder for each."
                ),
            )
        if os.path.lexists(item.target) and not self._writing.overwrite and known != DAMAGED:
            how = {OTHER: ", made with other settings", CHANGED: ", made from a different photo of that name"}.get(
                known, ""
            )
            hint = "Use --overwrite to replace it"
            hint += "." if self._journal is None or self._resume else ", or --resume to continue the run that made it."
            raise UnwritableOutput(f"{item.target} exists already{how}.", hint=hint)

    def _check_room(self, item: Item) -> None:
        """Raise DiskFull before any work on `item` if the last result had no room and this one will not have any either."""
        if not self._full or self._audience.waiting is not None:
            return
        with suppress(OSError):  # what cannot be told is tried; a result is about as large as its photo
            folder = next(folder for folder in item.target.parents if folder.exists())
            if shutil.disk_usage(folder).free < item.source.stat().st_size:
                words = f"Nothing was done with {shown(item.source)}: the disk is full."
                raise DiskFull(words, hint="Free some space, or choose another disk.")

    def _saved(self, outcome: Outcome, item: Item, started: float, replacing: bool) -> Outcome:
        """Write the result of `item`; its seconds count from `started` until the file is complete."""
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
        """Let `save` write the file of `outcome`, and return the outcome; the journal gets its entry before the file its name."""
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
        """Enter an outcome without a file into the journal. The next run tries failed photos again and knows they failed."""
        journal, stamp = self._journal, self._stamps.get(item.source)
        if journal is None or (outcome.status == FAILED and self._stays_known(item, journal)):
            return
        record = self._by_settings(outcome).record()
        self._when_there_is_room(lambda: journal.write(item.source, record, stamp=stamp))

    @staticmethod
    def _stays_known(item: Item, journal: Journal) -> bool:
        """Whether the journal knows something of `item` that a failure must not replace: a result, or that none was to write."""
        return os.path.lexists(item.target) or journal.state(item.source, item.target) not in (UNKNOWN, FAILED)

    def _when_there_is_room(self, action: Callable[[], T]) -> T:
        """Do `action`, again every few seconds while the disk is full."""
        while True:
            try:
                return action()
            except DiskFull as full:
                if self._audience.waiting is None:
                    raise
                self._audience.waiting(full)
                self._progress.wait(PATIENCE)


def _regardless(path: Path) -> str:
    """`path` as file systems see it that ignore case and how letters are composed."""
    return unicodedata.normalize("NFC", str(real(path)).casefold())


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
