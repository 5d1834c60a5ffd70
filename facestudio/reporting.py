"""The report of a run: a JSONL file with one object a photo, each complete on the disk before the next photo starts.

Separate because every command writes one, whatever it does with photos. Knows nothing of what the objects say.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from facestudio.errors import DiskFull, UnwritableOutput, UsageError
from facestudio.files import FULL, real, write_beside
from facestudio.formats import supported_suffix

_BEGINNINGS = (b'{"input":', b'{"damage":')  # of the lines of reports, whatever command writes them


class ReportFile:
    """The JSONL file of a run, or nothing when no path is given; written anew, every line flushed as it comes.

    A report that looks like a photo, is one of `inputs` or would replace a file that is no report raises UsageError, one
    that cannot be written UnwritableOutput; a full disk is DiskFull, and leaves no half of a line.
    """

    def __init__(self, path: Path | None, inputs: Iterable[Path] = ()) -> None:
        if path is not None and (supported_suffix(path) or real(path) in {real(p) for p in inputs}):
            raise UsageError(f"The report {path} looks like a photo; give it another name, such as report.jsonl.")
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> ReportFile:
        if self._path is not None:
            try:
                check_report(self._path)
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("wb", buffering=0)
            except OSError as error:
                raise self._unwritable(error) from error
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # every line is flushed, so what fails here failed before and was said
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append one JSON object."""
        if self._file is None:
            return
        line = (json.dumps(record) + "\n").encode()
        start = 0
        try:
            start = self._file.seek(0, os.SEEK_END)
            left = line
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(start)
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> UnwritableOutput:
        words = f"The report {self._path} cannot be written: {error.strerror}."
        kind = DiskFull if error.errno in FULL else UnwritableOutput
        return kind(words, hint="Choose another file for the report.")


def report_of(output: Path) -> Path:
    """The place of the report on a run's `output`: beside the results and not among them, because it names the originals."""
    place = Path(os.path.abspath(output))
    # a folder such as scans.2024 is called by its whole name before it is made, too: else the next run would look elsewhere
    single = supported_suffix(place) and not os.path.isdir(place)
    return place.with_name(f"{place.stem if single else place.name}-report.jsonl")


def renew_record(path: Path, record: dict[str, Any]) -> None:
    """Put `record` in the place of the line on the same input, or behind the last when there is none; as `write_records`."""
    records = list(read_records(path)) if path.is_file() else []
    at = next((n for n, known in enumerate(records) if known.get("input") == record["input"]), len(records))
    write_records(path, [*records[:at], record, *records[at + 1 :]])


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Write a report whole or not at all; UsageError when something else is there, UnwritableOutput when it cannot be."""
    check_report(path)
    lines = "".join(json.dumps(record) + "\n" for record in records).encode()

    def write(file: IO[bytes]) -> None:
        file.write(lines)

    write_beside(path, write, overwrite=True)


def check_report(path: Path) -> None:
    """UsageError when `path` is a file with something in it that no report begins with; UnwritableOutput when nobody can tell."""
    if os.path.isfile(path):
        try:
            with path.open("rb") as file:
                beginning = file.read(max(map(len, _BEGINNINGS)))
        except OSError as error:
            words = f"The file {path} cannot be read, so it may be something else than a report: {error.strerror}."
            raise UnwritableOutput(words, hint="Choose another file for the report.") from error
        # a crash may have cut the first line off
        if not any(known.startswith(beginning[: len(known)]) for known in _BEGINNINGS):
            raise UsageError(f"The file {path} is not a report and would be overwritten; choose another name.")


def read_records(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a report; a line that a crash cut off is left out."""
    with path.open(encoding="utf-8", errors="replace") as file:  # a report is ASCII, but this may be anything
        for line in file:
            with suppress(ValueError):
                record = json.loads(line)
                if isinstance(record, dict):
                    yield record
