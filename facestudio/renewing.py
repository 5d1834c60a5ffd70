"""One photo of a run done again: its result, what the journal knows of it, its line of the report, and the pages made of that;
all of them brought back as they stood; and said as they are, where a crash came in between.

Goes the way of `batch`: the new result is whole in its place or not there, and the journal knows it before. Separate from it
because a run writes its report from the beginning, and here one line is another one. Does not know which work it does. How
something stood before is told, and kept by whoever wants it back, in memory: nothing of it is written anywhere else.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from facestudio import batch
from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.files import shown, write_beside
from facestudio.journal import CHANGED, DONE, OTHER, Entry, Journal
from facestudio.photo import Photo
from facestudio.planning import Item, Plan
from facestudio.progress import Cancelled, Progress
from facestudio.report_tables import check_tables, tables_of, write_tables
from facestudio.reporting import check_report, read_records, renew_record, write_records
from facestudio.results import Result

_BETWEEN = "It was being done again when Face Studio ended: open the photos again to have the report say how it is."
_GONE = "It was being done again when Face Studio ended, and its result is not there: start again to have it made."
_FOREIGN = (
    "It was being done again when Face Studio ended, and its file is neither the earlier result nor the new one: look at it, or "
    "start again to have it made anew."
)
_REVIEW = "needs review"  # as `anonymized` has it
Trace = tuple[str, Entry | None]  # hash of a result's file, "" when there is none, and what the journal knows of it
Work = Callable[[Photo, Photo | None, Progress], Result]


@dataclass(frozen=True, eq=False)
class Standing:
    """How the result of a photo stands.

    Attributes:
        content: of its file, None when there is none; changed_ns: when that was changed, in ns.
        entry: of the journal. record: its line of the report. None: there is none.
    """

    content: bytes | None = field(repr=False)
    changed_ns: int
    entry: Entry | None
    record: dict[str, Any] | None = field(repr=False)

    @property
    def trace(self) -> Trace:
        """By which it is known again."""
        return hashlib.sha256(self.content).hexdigest() if self.content is not None else "", self.entry


@dataclass(frozen=True, eq=False)
class Books:
    """What a run keeps on its photos: the `journal`, not open, and the `report`, with a table and a page made of it."""

    journal: Journal
    report: Path

    def check(self) -> None:
        """UsageError when something else lies where the report or its pages go: before anything is another."""
        check_report(self.report)
        check_tables(*tables_of(self.report))

    def line(self, name: str) -> dict[str, Any] | None:
        """What the report says of the photo that it calls `name`."""
        if not self.report.is_file():
            return None
        return next((one for one in read_records(self.report) if one.get("input") == name), None)

    def say(self, record: dict[str, Any]) -> None:
        """Let the report and its pages say this of its photo."""
        renew_record(self.report, record)
        write_tables(self.report)


@dataclass(frozen=True, eq=False)
class Undo:
    """Who keeps how a result stood before, to bring it back.

    Attributes:
        told: of that, None when its file is larger than `most` bytes or cannot be read; and what is there now.
    """

    told: Callable[[Standing | None, Trace], None]
    most: int = 0


def renew(
    item: Item,
    work: Work,
    books: Books,
    writing: batch.Writing,
    *,
    undo: Undo | None = None,
    reading: Callable[[Path], Photo] = Photo.open,
    progress: Progress | None = None,
) -> batch.Outcome:
    """Do `work` on the photo of `item` and put what it makes in the place of the earlier result.

    Args:
        work: is given the photo, and the earlier result when it is as it was written, else None. reading: opens both.
        books: of the run, by the settings of that run; the report's line of this photo is replaced.
        writing: as of the run; what is there is replaced.

    UsageError when the journal knows the result by other settings or of another photo; what the work raises passes through, and
    then all stays as it was. So it does when the new result must not be written and an earlier one is there.
    """
    books.check()
    journal = books.journal
    with journal:
        known = journal.state(item.source, item.target)
        _check_same(item, known)
        # it is also done where there was none to write, and what lies there then is of another run
        written = known == DONE and journal.record(item.source)["output"] is not None
        before = _standing(item, books, undo.most) if undo is not None else None
        settings = journal.record(item.source).get("settings") if known == DONE else None
    there, claim = os.path.lexists(item.target), _Claim(books, item)

    def checked(photo: Photo, progress: Progress) -> Result:
        result = work(photo, reading(item.target) if written else None, progress)
        if there and not result.writable:
            raise FaceStudioError(
                f"It was not verified, so the earlier result stays. {result.error or ''}".strip(),
                hint="Obscure the face, or try it with other settings.",
            )
        claim.withdraw()
        return result

    made: list[batch.Outcome] = []
    try:
        batch.run(
            Plan((item,)),
            batch.Here(checked, reading),
            writing=replace(writing, overwrite=True),
            reported=batch.Reported(settings=settings),
            earlier=batch.Earlier(journal),
            audience=batch.Audience(progress or Progress(), made.append),
        )
    except Cancelled:
        if not made:
            with journal:
                claim.renew()
            raise  # else it is done, and the report must say so
    (outcome,) = made
    if outcome.result is None or (outcome.output is None and outcome.result.writable):
        with journal:
            claim.renew()
        raise FaceStudioError(outcome.error or "The photo could not be done again.", hint=outcome.hint)
    books.say(outcome.record())
    with journal:
        journal.end_again(item.source)
        if undo is not None:
            undo.told(before, (_sha256(item.target), journal.entry(item.source)))
    return outcome


def _check_same(item: Item, known: str) -> None:
    """UsageError when the result of `item`, which is `known` to the journal, is of other settings or of another photo."""
    if known in (CHANGED, OTHER):
        why = "its photo is another one by now" if known == CHANGED else "it was made by other settings"
        raise UsageError(f"{item.target.name} cannot be gone on with: {why}.", hint="Anonymize the photo again.")


def bring_back(item: Item, standing: Standing, trace: Trace, books: Books) -> Standing:
    """Let the result of `item`, what the journal knows of it and its line of the report stand as they did.

    Returns how they stood until now. UsageError when the result or its entry is not what the `trace` says, as somebody else
    changed it since; UnwritableOutput when the file cannot be put or taken away.
    """
    books.check()
    journal = books.journal
    with journal:
        now = _standing(item, books)
        if now is None or now.trace != trace:
            raise UsageError(
                f"{shown(item.target)} is not as that decision left it, so it cannot be taken back.",
                hint="Look at the photo as it is now, and decide anew.",
            )
        claim = _Claim(books, item)
        claim.withdraw()
        try:
            if standing.content is None or standing.content == now.content:
                if standing.content is None:
                    _remove(item.target)  # before the journal: what it does not know is done again
                journal.put(item.source, standing.entry)
            else:
                _write(item, standing, standing.content, journal)
        except FaceStudioError:
            claim.renew()
            raise
    if books.report.is_file():
        if standing.record is not None:
            books.say(standing.record)
        else:
            write_records(books.report, [one for one in read_records(books.report) if one.get("input") != _input(item)])
            write_tables(books.report)
    with journal:
        journal.end_again(item.source)
    return now


def settle(books: Books) -> None:
    """Where Face Studio ended while a photo was done again, let the journal and its line of the report say what is true: of the
    earlier result where that is still in place, of the new one where that is, else that a person must look.

    Does no work on photos; a journal that is not there is not made. Errors as of `bring_back`.
    """
    journal = books.journal
    if not journal.path.exists():
        return
    with journal:
        begun = journal.begun_again()
        if begun:
            books.check()
        renewed = False
        for source, name, earlier in begun:
            record = _truth(source, earlier, journal)
            line = books.line(name) or {}
            if line.get("error") == _BETWEEN:  # else a run has said it since
                renew_record(books.report, {**line, **record, "input": name})
                renewed = True
        if renewed:
            write_tables(books.report)
        for source, _, _ in begun:
            journal.end_again(source)


def _truth(source: Path, earlier: Entry | None, journal: Journal) -> dict[str, Any]:
    """What the report has to say of a photo whose result was about to become another one; what the `journal` knows of it is the
    `earlier` entry again, where that is true."""
    now = journal.entry(source)
    for entry in (now, earlier):
        if entry is not None and _is_there(entry):
            if entry is not now:
                journal.put(source, entry)
            found: dict[str, Any] = json.loads(entry.record)
            return found
    gone = not any(entry and entry.target and os.path.lexists(os.fsdecode(entry.target)) for entry in (now, earlier))
    return {"status": batch.FAILED if gone else _REVIEW, "error": _GONE if gone else _FOREIGN, "faces": []}


def _is_there(entry: Entry) -> bool:
    """Whether the file of `entry` is as it says, or it says of none."""
    return entry.target is None or _sha256(Path(os.fsdecode(entry.target))) == entry.sha256


class _Claim:
    """What the report says of the photo of `item` while its result becomes another one: nothing, so that a crash in between
    leaves no line that calls verified what is not any more. The journal, open, keeps how it stood, for `settle`."""

    def __init__(self, books: Books, item: Item) -> None:
        self._books, self._item = books, item
        self._record: dict[str, Any] | None = None

    def withdraw(self) -> None:
        """Say that it is being done again."""
        self._books.journal.begin_again(self._item.source, _input(self._item))
        self._record = self._books.line(_input(self._item))
        if self._record is not None:
            self._books.say({**self._record, "status": batch.FAILED, "error": _BETWEEN, "faces": []})

    def renew(self) -> None:
        """Say again what was said, as the result is as it was."""
        if self._record is not None:
            self._books.say(self._record)
        self._books.journal.end_again(self._item.source)


def _write(item: Item, standing: Standing, content: bytes, journal: Journal) -> None:
    def write(file: IO[bytes]) -> None:
        file.write(content)

    def check(file: IO[bytes]) -> None:
        if os.utime in os.supports_fd:
            os.utime(file.fileno(), ns=(standing.changed_ns, standing.changed_ns))
        journal.put(item.source, standing.entry)

    write_beside(item.target, write, True, check, journal.token)
    if os.utime not in os.supports_fd:
        os.utime(item.target, ns=(standing.changed_ns, standing.changed_ns))


def _remove(target: Path) -> None:
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise UnwritableOutput(
            f"{shown(target)} cannot be taken away: {error.strerror}.", hint="Look at the rights of its folder."
        ) from error


def _standing(item: Item, books: Books, most: int | None = None) -> Standing | None:
    """How the result of `item` stands; None when its file is larger than `most` bytes (None: any), or is none to be read."""
    content, changed_ns = None, 0
    if os.path.lexists(item.target):
        try:
            status = os.stat(item.target)
            if not stat.S_ISREG(status.st_mode) or (most is not None and status.st_size > most):
                return None
            content, changed_ns = item.target.read_bytes(), status.st_mtime_ns
        except OSError:
            return None
    return Standing(content, changed_ns, books.journal.entry(item.source), books.line(_input(item)))


def _input(item: Item) -> str:
    """What the report calls a photo."""
    return item.label or str(item.source)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return ""
