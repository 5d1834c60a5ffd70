"""What runs over many photos have written, on the disk before it is seen, so that a run goes on after a crash.

One SQLite file an output folder, in the user's data folder. Before a result gets its name the journal holds which photo it is
made of, by which settings, and its hash. So after a crash at any moment a result that has its name is known, and one that has
none was never there; no file is believed because it exists. While one photo is done again what was known of it is kept besides
(`begin_again`). Whoever holds the journal is the only one who writes into that
folder: the file is locked until it is closed, also by a crash. Knows no photos, only their files.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facestudio import paths
from facestudio.errors import DiskFull, FaceStudioError, UnwritableOutput, UsageError

DONE, CHANGED, OTHER, DAMAGED, UNKNOWN = "done", "changed", "other settings", "damaged", "unknown"
FAILED = "failed"
_VERSION = 1
_TABLES = """
CREATE TABLE run (token TEXT NOT NULL);
CREATE TABLE photo (
    source BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    changed_ns INTEGER NOT NULL,
    settings TEXT NOT NULL,
    target BLOB,
    sha256 TEXT,
    record TEXT NOT NULL
) WITHOUT ROWID;
"""
# these came later than the version's tables, which an older Face Studio knows alone, and are made where they are not yet
_LATER = (
    "CREATE TABLE IF NOT EXISTS aside (source BLOB PRIMARY KEY, told TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE IF NOT EXISTS again (source BLOB PRIMARY KEY, name TEXT NOT NULL, entry TEXT NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True)
class Entry:
    """All that is known of a photo, as it was written; see `Journal.write`."""

    size: int
    changed_ns: int
    settings: str
    target: bytes | None
    sha256: str | None
    record: str
    aside: str = field(default="", repr=False)


class Journal:
    """The journal of the output folder `out`, for photos that are worked on by `settings` (any text that says all of them).

    `own` adds to them what a photo, by its path, does not share with others. To be used in a `with`. UsageError when another
    program is at work on the folder, UnwritableOutput when the journal cannot be used, DiskFull when there is no room for it.
    """

    def __init__(self, out: Path, settings: str, own: Callable[[Path], str] | None = None) -> None:
        name = hashlib.sha256(os.fsencode(os.path.realpath(out))).hexdigest()[:32]
        self.path = paths.data_dir() / "runs" / f"{name}.sqlite"
        self._out, self._settings, self._own = out, settings, own
        self._database: sqlite3.Connection | None = None
        self.token = ""

    def __enter__(self) -> Journal:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):
                self.path.parent.chmod(
                    0o700
                )  # journals name the originals, whoever else may look into the user's folders
        except OSError as error:
            raise UnwritableOutput(
                f"The folder {self.path.parent} cannot be made: {error.strerror}.",
                hint="Look at the rights of that folder.",
            ) from error
        with self._said():
            # every statement is its own transaction; nobody waits for the lock
            self._database = sqlite3.connect(self.path, timeout=0, isolation_level=None)
            try:
                self._prepare(self._database)
            except sqlite3.Error:
                self.__exit__()
                raise
        return self

    def __exit__(self, *exc: object) -> None:
        if self._database is not None:
            self._database.close()
            self._database = None

    def state(self, source: Path, target: Path) -> str:
        """What is known of the result of `source` at `target`.

        DONE: it is as it was written, or there was none to write; CHANGED: that holds, but the photo is not what it was;
        OTHER: it was made by other settings; DAMAGED: it was written and is no longer so; UNKNOWN: nothing was written; FAILED:
        nothing could be, of this photo by these settings, and no other result is there.
        """
        row = self._row(source)
        if row is None:
            return UNKNOWN
        size, changed_ns, settings, written, sha256, record = row
        if written is None and json.loads(record)["status"] == FAILED:
            same = settings == self._wanted(source) and (size, changed_ns) == stamp_of(source)
            return FAILED if same and not os.path.lexists(target) else UNKNOWN
        if written is not None and (written != _name(target) or not os.path.lexists(target)):
            return UNKNOWN
        if written is not None and _sha256(target) != sha256:
            return DAMAGED
        if settings != self._wanted(source):
            return OTHER
        return DONE if (size, changed_ns) == stamp_of(source) else CHANGED

    def record(self, source: Path) -> dict[str, Any]:
        """What was said of `source` when its result was written."""
        row = self._row(source)
        if row is None:
            raise KeyError(source)
        found: dict[str, Any] = json.loads(row[5])
        return found

    def settings(self, source: Path) -> str:
        """By which settings the result of `source` was made."""
        row = self._row(source)
        if row is None:
            raise KeyError(source)
        return str(row[2])

    def write(
        self,
        source: Path,
        record: dict[str, Any],
        target: Path | None = None,
        sha256: str = "",
        stamp: tuple[int, int] | None = None,
        aside: str = "",
    ) -> None:
        """Remember `record` of `source`, and the result that is about to be named `target`; on the disk when this returns.

        `stamp` is that of the file before it was read, so that one that changed meanwhile is not taken for done; None: of now.
        `aside`: what a run that goes on must know and no report says.
        """
        size, changed_ns = stamp or stamp_of(source)
        written = None if target is None else _name(target)
        record_text = json.dumps(record)
        self.put(source, Entry(size, changed_ns, self._wanted(source), written, sha256 or None, record_text, aside))

    def results(self) -> Iterator[tuple[Path, Path, dict[str, Any], bool]]:
        """Every photo of which a result was written and a file of that name is there: the photo, its result, what was said of it,
        and whether the file is as it was written; by the names of the photos."""
        with self._said():
            question = "SELECT source, target, sha256, record FROM photo WHERE target IS NOT NULL ORDER BY source"
            rows = self._open().execute(question).fetchall()
        for source, target, sha256, record in rows:
            path = Path(os.fsdecode(target))
            if os.path.lexists(path):
                yield Path(os.fsdecode(source)), path, json.loads(record), _sha256(path) == sha256

    def asides(self) -> Iterator[str]:
        """What was kept aside of each photo whose result was written by these settings, by the names of the photos."""
        with self._said():
            written = "SELECT source FROM photo WHERE target IS NOT NULL AND settings = ?"
            question = f"SELECT told FROM aside WHERE source IN ({written}) ORDER BY source"
            rows = self._open().execute(question, (self._settings,)).fetchall()
        yield from (told for (told,) in rows)

    def entry(self, source: Path) -> Entry | None:
        """What stands here on `source`, to be `put` back."""
        row = self._row(source)
        if row is None:
            return None
        with self._said():
            told = self._open().execute("SELECT told FROM aside WHERE source = ?", (_name(source),)).fetchone()
        return Entry(*row, *(told or ()))

    def put(self, source: Path, entry: Entry | None) -> None:
        """Let `entry` stand here on `source`, None: nothing; on the disk when this returns."""
        name = _name(source)
        with self._said(), self._at_once() as database:
            database.execute("DELETE FROM aside WHERE source = ?", (name,))
            if entry is None:
                database.execute("DELETE FROM photo WHERE source = ?", (name,))
                return
            *values, aside = vars(entry).values()
            database.execute("INSERT OR REPLACE INTO photo VALUES (?, ?, ?, ?, ?, ?, ?)", (name, *values))
            if aside:
                database.execute("INSERT INTO aside VALUES (?, ?)", (name, aside))

    def begin_again(self, source: Path, name: str) -> None:
        """Keep what stands here on `source`, which the report calls `name`, as its result is about to become another one; on the
        disk when this returns."""
        entry = self.entry(source)
        kept = (
            None
            if entry is None
            else {**vars(entry), "target": entry.target.hex() if entry.target is not None else None}
        )
        with self._said():
            values = (_name(source), name, json.dumps(kept))
            self._open().execute("INSERT OR REPLACE INTO again VALUES (?, ?, ?)", values)

    def end_again(self, source: Path) -> None:
        """Forget what `begin_again` kept: result and report are said."""
        with self._said():
            self._open().execute("DELETE FROM again WHERE source = ?", (_name(source),))

    def begun_again(self) -> list[tuple[Path, str, Entry | None]]:
        """Of which photos results were about to become others when Face Studio ended: the photo, what the report called it, and
        what stood here on it."""
        with self._said():
            rows = self._open().execute("SELECT source, name, entry FROM again ORDER BY source").fetchall()
        found = []
        for source, name, text in rows:
            kept = json.loads(text)
            if kept is not None and kept["target"] is not None:
                kept["target"] = bytes.fromhex(kept["target"])
            found.append((Path(os.fsdecode(source)), str(name), None if kept is None else Entry(**kept)))
        return found

    def _wanted(self, source: Path) -> str:
        """By which settings `source` is worked on."""
        return self._settings + (self._own(source) if self._own is not None else "")

    def _row(self, source: Path) -> Any:
        with self._said():
            question = "SELECT size, changed_ns, settings, target, sha256, record FROM photo WHERE source = ?"
            return self._open().execute(question, (_name(source),)).fetchone()

    def _open(self) -> sqlite3.Connection:
        if self._database is None:
            raise ValueError("the journal is closed")
        return self._database

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.execute("BEGIN EXCLUSIVE")  # takes the lock, which is kept
        if database.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
                database.execute(f'DROP TABLE "{table}"')
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute("INSERT INTO run VALUES (?)", (secrets.token_hex(8),))
            database.execute(f"PRAGMA user_version = {_VERSION}")
        for table in _LATER:
            database.execute(table)
        database.execute("COMMIT")
        self.token = database.execute("SELECT token FROM run").fetchone()[0]

    @contextmanager
    def _at_once(self) -> Iterator[sqlite3.Connection]:
        """Around statements that are on the disk together, or none of them."""
        database = self._open()
        database.execute("BEGIN")
        try:
            yield database
            database.execute("COMMIT")
        except BaseException:
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Around work with the database: its errors become sentences."""
        try:
            yield
        except sqlite3.Error as error:
            raise self._sentence(error) from error

    def _sentence(self, error: sqlite3.Error) -> FaceStudioError:
        code = getattr(error, "sqlite_errorcode", None)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return UsageError(
                f"Another Face Studio is at work on {self._out}.",
                hint="Wait until it is done, or choose another folder.",
            )
        if code == sqlite3.SQLITE_FULL:
            return DiskFull(
                "The journal cannot be written: the disk is full.", hint=f"Free some space in {self.path.parent}."
            )
        return UnwritableOutput(
            f"The journal {self.path} cannot be used: {error}.", hint="Remove that file; then a run cannot be resumed."
        )


def sha256_of(file: Any) -> str:
    """The SHA-256 of an open binary file from where it stands, in hexadecimal."""
    return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(path: Path) -> str | None:
    try:
        with open(path, "rb") as file:
            return sha256_of(file)
    except OSError:
        return None


def _name(path: Path) -> bytes:
    """The one name of `path`; a file's name need not be valid text."""
    return os.fsencode(os.path.realpath(path.parent) + os.sep + path.name)


def stamp_of(source: Path) -> tuple[int, int]:
    """Size and time of change of a photo's file, zeros when it is not there."""
    try:
        status = os.stat(source)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns
