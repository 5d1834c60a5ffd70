"""Folder in, folder out: the same work on many photos, one bad file never stopping the others.

This module plans which file becomes which, refuses plans that could destroy something, runs the work photo by photo and
writes the report as it goes. It does not know which work it does: `work(photo, progress)` returns a pipeline Result. It
knows no window and no command line.

Rules: a folder is walked recursively, without hidden files, without following links to folders (so no loop can catch it)
and without files whose suffix is not a photo's; a file given by name is always tried. A photo without a face is "skipped"
with the reason as its error, and nothing is written for it.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, Any

from facestudio.errors import FaceStudioError, NoFaceFound, UnwritableOutput, UsageError
from facestudio.photo import SUFFIXES, Photo, supported_suffix
from facestudio.pipeline import FaceResult, Result
from facestudio.progress import Progress

Work = Callable[[Photo, Progress], Result]


@dataclass(frozen=True)
class Item:
    """One photo to do: where it is, and where its result goes."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What became of one photo; `record` is its line of the report.

    Attributes:
        status: "ok", "partial" (some faces failed), "failed" or "skipped" (no face in it).
        output: the file written, None when none was.
        result: the pipeline's result, when it came to one.
    """

    source: Path
    output: Path | None
    status: str
    error: str | None
    seconds: float
    hint: str = ""
    result: Result | None = field(default=None, compare=False)

    def record(self) -> dict[str, Any]:
        """The report's JSON object for this photo."""
        return {
            "input": str(self.source),
            "output": str(self.output) if self.output else None,
            "status": self.status,
            "error": self.error,
            "seconds": round(self.seconds, 3),
            "recipe": json.loads(self.result.recipe.to_json()) if self.result else None,
            "faces": [face_record(face) for face in self.result.faces] if self.result else [],
        }


def face_record(result: FaceResult) -> dict[str, Any]:
    """The report's JSON object for one face; `verdict` sums up all embedders, None when nothing was measured."""
    summary, explanation = result.summary, result.explanation
    return {
        "box": [round(float(x), 2) for x in result.face.box],
        "landmarks": [[round(float(x), 2) for x in point] for point in result.face.landmarks],
        "score": round(result.face.score, 4),
        "pose": [round(float(x), 1) for x in result.face.pose],
        "status": result.status,
        "error": result.error,
        "similarity": {name: round(cosine, 5) for name, cosine in result.similarity.items()},
        "threshold": {name: round(v.threshold, 5) for name, v in result.verdicts.items()},
        "verdict": summary.words if summary else None,
        "probability": round(summary.probability, 4) if summary else None,
        "quality": [round(q, 4) for q in summary.quality] if summary and summary.quality else None,
        "notes": list(result.notes),
        **({"explanation": [asdict(choice) for choice in explanation.choices]} if explanation else {}),
        **(
            {"to_reference": {name: round(c, 5) for name, c in result.to_reference.items()}}
            if result.to_reference
            else {}
        ),
    }


def find_photos(folder: Path) -> list[Path]:
    """The photos in `folder` and below, in a stable order; hidden ones and links to folders are left out.

    A folder that must not be looked into stands among them, so that it fails with its reason instead of being passed over.
    """
    found: list[Path] = []

    def locked(error: OSError) -> None:
        found.append(Path(error.filename))

    for here, folders, files in os.walk(folder, onerror=locked, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            Path(here, name) for name in sorted(files) if not name.startswith(".") and supported_suffix(Path(name))
        ]
    return found


def plan(inputs: Sequence[Path], out: Path, format: str | None = None) -> list[Item]:
    """Which photo is written where; UsageError when the plan makes no sense or could destroy an input.

    `out` is a folder; with a single photo as input it may be a file, told by a photo's suffix. Folders keep their tree.
    """
    if not inputs:
        raise UsageError("Name at least one photo or folder.")
    suffix = _suffix(format)
    # os.path answers where Path raises: a name that is too long, a folder that must not be looked into
    if len(inputs) == 1 and not os.path.isdir(inputs[0]) and supported_suffix(out) and not os.path.isdir(out):
        if suffix and SUFFIXES[suffix] != SUFFIXES[out.suffix.lower()]:
            raise UsageError(f"The output {out.name} contradicts the format {format}.")
        return [Item(inputs[0], out)]
    if os.path.lexists(out) and not os.path.isdir(out):
        raise UsageError(f"The output {out} is a file; name a folder.")
    if supported_suffix(out) and not os.path.isdir(out):
        raise UsageError(f"The output {out} looks like one photo; name a folder for the results of several.")
    items = []
    for path in inputs:
        if os.path.isdir(path):
            if _real(out).is_relative_to(_real(path)):
                raise UsageError(f"The output folder {out} is inside of the input folder {path}; choose another one.")
            found = find_photos(path)  # the folder itself when it must not be looked into
            items += [Item(photo, out / (photo.relative_to(path) if photo != path else path.name)) for photo in found]
        else:
            items.append(Item(path, out / path.name))
    named: dict[Path, Item] = {}  # a photo that is named twice is done once
    for item in items:
        named.setdefault(_real(item.source), item)
    items = list(named.values())
    if not items:
        raise UsageError(f"There is no photo in {' or '.join(str(path) for path in inputs)}.")
    return [Item(i.source, _with_suffix(i.target, suffix)) if suffix else i for i in items]


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
) -> list[Outcome]:
    """Do `work` on every photo of `inputs` and write the results under `out`.

    Args:
        report: a JSONL file, written anew, one object a photo, each complete on disk before the next photo starts.
        overwrite: replace outputs that exist; otherwise such a photo fails before any work is done on it.
        done: told of each outcome as it comes, with its result; the outcomes returned hold none.

    UsageError and an unwritable report are raised before anything is written. Cancelled passes through; what was finished stays.
    """
    progress = progress or Progress()
    items = plan([Path(path) for path in inputs], Path(out), format)
    sources = {_real(item.source) for item in items}
    outcomes: list[Outcome] = []
    taken: set[Path] = set()
    with Journal(report, sources) as journal:
        for item in progress.track(items, "Photos"):
            target = _real(item.target)
            outcome = _one(item, target in taken, target in sources, work, progress, format, overwrite, max_megapixels)
            taken.add(target)
            journal.write(outcome.record())
            done(outcome)
            # a result holds two whole photos: of a large folder no memory could keep them all
            outcomes.append(replace(outcome, result=None))
    return outcomes


def _one(
    item: Item,
    taken: bool,
    is_source: bool,
    work: Work,
    progress: Progress,
    format: str | None,
    overwrite: bool,
    max_megapixels: float,
) -> Outcome:
    """Do one photo; every FaceStudioError becomes its outcome."""
    started = time.perf_counter()
    result: Result | None = None
    output: Path | None = None
    status, error, hint = "failed", None, ""
    try:
        if is_source:
            raise UnwritableOutput(
                f"The result of {item.source.name} would replace an input.", hint="Choose another folder."
            )
        if taken:
            raise UnwritableOutput(
                f"Another input of this run already has the output {item.target}.",
                hint="Restore photos of one name into different folders.",
            )
        if os.path.lexists(item.target) and not overwrite:
            raise UnwritableOutput(f"{item.target} exists already.", hint="Use --overwrite to replace it.")
        photo = Photo.open(item.source, max_megapixels=max_megapixels)
        result = work(photo, progress)
        status, error = result.status, result.error
        if status in ("ok", "partial"):
            output = _save(result, item, format, overwrite)
    except NoFaceFound as reason:
        status, error, hint = "skipped", str(reason), reason.hint
    except FaceStudioError as reason:
        status, error, hint = "failed", str(reason), reason.hint
    return Outcome(item.source, output, status, error, time.perf_counter() - started, hint, result)


def _save(result: Result, item: Item, format: str | None, overwrite: bool) -> Path:
    """Write the result of `item`, making its folder."""
    try:
        item.target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        words = f"The folder {item.target.parent} cannot be made: {error.strerror}."
        raise UnwritableOutput(words, hint="Choose another folder.") from error
    wanted = SUFFIXES[_suffix(format)] if format else None
    return result.after.save(item.target, format=wanted, recipe=result.recipe, overwrite=overwrite)


def _real(path: Path) -> Path:
    """`path` without links; one that leads in a circle is answered too, where Path.resolve raises."""
    return Path(os.path.realpath(path))


def _with_suffix(target: Path, suffix: str) -> Path:
    """`target` with a photo's suffix replaced; the end of a name such as "scan.2024" is no suffix and stays."""
    return target.with_suffix(suffix) if supported_suffix(target) else target.with_name(target.name + suffix)


def _suffix(format: str | None) -> str:
    """The file suffix of a format's name such as "png" or "JPEG", "" for None; UsageError when it is not known."""
    if format is None:
        return ""
    suffix = f".{format.lower().lstrip('.')}"
    if suffix not in SUFFIXES:
        raise UsageError(f"The format {format} is not known; choose one of {', '.join(s[1:] for s in SUFFIXES)}.")
    return suffix


class Journal:
    """The JSONL file of a run, or nothing when no path is given; every line is flushed as it comes.

    A report that looks like a photo, is one of `inputs` or would replace a file that is no report raises UsageError, one
    that cannot be written UnwritableOutput.
    """

    def __init__(self, path: Path | None, inputs: Iterable[Path] = ()) -> None:
        if path is not None and (supported_suffix(path) or _real(path) in {_real(p) for p in inputs}):
            raise UsageError(f"The report {path} looks like a photo; give it another name, such as report.jsonl.")
        self._path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Journal:
        if self._path is not None:
            try:
                if self._is_foreign(self._path):
                    raise UsageError(f"The file {self._path} is not a report and would be lost; choose another name.")
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = self._path.open("w", encoding="utf-8")
            except OSError as error:
                raise self._unwritable(error) from error
        return self

    def __exit__(self, *exc: object) -> None:
        if self._file is not None:
            with suppress(OSError):  # every line is flushed, so what fails here failed before and was said
                self._file.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append one JSON object."""
        if self._file is not None:
            try:
                self._file.write(json.dumps(record) + "\n")
                self._file.flush()
            except OSError as error:
                raise self._unwritable(error) from error

    @staticmethod
    def _is_foreign(path: Path) -> bool:
        """Whether `path` is a file with something in it that no report begins with."""
        if not os.path.isfile(path):
            return False
        with path.open("rb") as file:
            return file.read(1) not in (b"", b"{")

    def _unwritable(self, error: OSError) -> UnwritableOutput:
        words = f"The report {self._path} cannot be written: {error.strerror}."
        return UnwritableOutput(words, hint="Choose another file for the report.")
