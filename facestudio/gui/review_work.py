"""What the review of an anonymized photo has done on worker threads: opening before and after, and doing it again.

As `anonymize_work`, beside which it stands because that is about many photos, and this about one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtGui import QImage

from facestudio.anonymize_settings import Settings, complete
from facestudio.errors import FaceStudioError, UsageError
from facestudio.gui.anonymize_rows import MISSED, Row
from facestudio.gui.anonymize_work import THUMBNAIL, Known, writing_of
from facestudio.gui.qimage import Pyramid, fitted, pyramid, square
from facestudio.gui.review_history import Step
from facestudio.progress import Cancelled, Progress
from facestudio.reporting import report_of

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.faces.identity import Verdict
    from facestudio.photo import Photo
    from facestudio.recipe import Recipe
    from facestudio.renewing import Standing, Trace
    from facestudio.studio import Studio

CHIP = 176  # px, twice what is shown
PARTED = "The key of its run is not known here, so the new face differs from this person's face in other photos."
NOT_A_FACE = "not a face"  # as `anonymized` has it
Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class ReviewFace:
    """One face as the review shows it; `missed`: nobody worked on it; `denied`: a person said that it is none.

    `after` is None where nothing is known of the result.
    """

    face: Face
    status: str
    sentences: tuple[str, ...]
    method: str
    tries: int
    verdicts: tuple[Verdict, ...]
    before: QImage
    after: QImage | None
    missed: bool = False
    denied: bool = False


@dataclass(frozen=True, eq=False)
class Reviewed:
    """A photo that is looked at: `written` is False when the result is not on the disk but was made again to be looked at.

    `thumbnails` are those of the photo and of its result, if that was written.
    """

    row: Row
    photo: Photo
    before: Pyramid
    after: Pyramid
    faces: tuple[ReviewFace, ...]
    written: bool
    thumbnails: tuple[QImage | None, QImage | None]


def look(studio: Studio, row: Row, known: Known, progress: Progress) -> Reviewed:
    """Open a photo and its result side by side; a result that must not be written is made again, of the same people."""
    from facestudio.reviewing import Finished

    with progress.step("Opening"):
        assert row.record is not None and row.item is not None
        photo = studio.open(row.path)
        if row.output is not None:
            after = studio.open(row.output)
        else:
            settings = _settings_of(row)
            ensemble = known.of_row(studio, settings)
            cast = ensemble.recast(row.path, settings.recipe.checkpoint, row.record) if ensemble is not None else None
            finished = Finished(photo, row.record)
            after = studio.anonymize_again(finished, None, progress, effort=settings.effort, cast=cast).after
        if after.size != photo.size:
            raise UsageError(
                f"{row.name} and its result differ in size, so one of them was replaced.",
                hint="Anonymize the photo again.",
            )
        return _reviewed(studio, row, photo, after, progress)


@dataclass(frozen=True)
class Wish:
    """What a person wants done with one face of a photo: `reviewing.Decision`, and the `box` of a face that is added."""

    how: str
    index: int = -1
    recipe: Recipe | None = None
    box: Box | None = None


@dataclass(frozen=True, eq=False)
class Decided:
    """What came of a decision, or of taking one back: `how` that was, `row` as it is by now, and what the review shows, None when
    it could not be made; `step` turns it round, None when nothing can. `warning`: what a person must know of it."""

    how: str
    row: Row
    reviewed: Reviewed | None
    step: Step | None
    warning: str = ""


def decide(studio: Studio, row: Row, out: Path, wish: Wish, known: Known, most: int, progress: Progress) -> Decided:
    """Do the photo of `row` again by a person's `wish`; how its result stood is kept if that has at most `most` bytes.

    Who became somebody by the secret of the run stays that, if the secret is `known`. UsageError when a box shows a face that was
    there.
    """
    from facestudio.faces.duplicates import known_as
    from facestudio.faces.missed import filling
    from facestudio.journal import Journal
    from facestudio.renewing import Books, Undo, renew
    from facestudio.reviewing import Decision, Finished

    settings, record, recipe = _settings_of(row), row.record, wish.recipe
    assert row.item is not None and record is not None
    if recipe is not None:
        recipe = complete(recipe, studio.method_options(recipe.checkpoint))
    checkpoint, ensemble = settings.recipe.checkpoint, known.of_row(studio, settings)
    # where the wish makes nobody, other faces do, which are made again where nothing was written
    if recipe is not None and studio.makes_people(recipe.checkpoint):
        checkpoint = recipe.checkpoint
    if ensemble is not None:
        ensemble.recall(Journal(out, row.settings))  # so that whoever is drawn is none of those in the other photos
    cast = ensemble.recast(row.path, checkpoint, record) if ensemble is not None else None

    def work(photo: Photo, shown: Photo | None, progress: Progress) -> Any:
        face = None
        if wish.box is not None:
            face = filling(studio.face_at(photo, wish.box, progress), wish.box)
            same = known_as(face, _faces(record))
            if same is not None:
                raise UsageError(
                    f"The box shows face {same + 1}, which is there already.", hint="Choose that face in the list."
                )
        decision = Decision(wish.how, wish.index, face, recipe)
        finished = Finished(photo, record, shown)
        return studio.anonymize_again(finished, decision, progress, effort=settings.effort, cast=cast)

    stood: list[Step] = []

    def told(standing: Standing | None, trace: Trace) -> None:
        if standing is not None:
            stood.append(Step(wish.how, row, standing, trace))

    made: list[Decided] = []
    try:
        with progress.step("Doing it again"):
            outcome = renew(
                row.item,
                work,
                Books(Journal(out, row.settings), report_of(out)),
                writing_of(settings),
                undo=Undo(told, most),
                reading=studio.open,
                progress=progress,
            )
            result = outcome.result
            assert result is not None
            new = replace(row, record=outcome.record())
            reviewed = _reviewed(studio, new, result.before, result.after, Progress())
            warning = _warning(studio, new, record, known)
            made.append(Decided(wish.how, new, reviewed, next(iter(stood), None), warning))
    except Cancelled:
        if not made:
            raise  # else it was asked to stop too late
    return made[0]


def turn_back(studio: Studio, row: Row, out: Path, step: Step, known: Known, progress: Progress) -> Decided:
    """Bring back how the result of `row` stood before a decision, or after one that was taken back; errors as of `bring_back`."""
    from facestudio.journal import Journal
    from facestudio.renewing import Books, bring_back

    assert step.row.item is not None
    with progress.step("Bringing it back"):
        pass  # from here on it is not stopped any more
    books = Books(Journal(out, step.row.settings), report_of(out))
    stood = bring_back(step.row.item, step.standing, step.trace, books)
    other = Step(step.how, row, stood, step.standing.trace)
    back = replace(step.row, doubt=row.doubt)
    try:
        reviewed = look(studio, back, known, progress)
    except (FaceStudioError, Cancelled):
        reviewed = None  # it is brought back all the same
    return Decided(step.how, back, reviewed, other, _warning(studio, back, row.record or {}, known))


def _warning(studio: Studio, row: Row, before: Mapping[str, Any], known: Known) -> str:
    """PARTED where a face of `row` was drawn since the record `before` as somebody whom the secret of its run did not say."""
    if row.record is None or known.of_row(studio, _settings_of(row)) is not None:
        return ""
    earlier = before.get("faces", [])
    for n, face in enumerate(row.record["faces"]):
        was = earlier[n] if n < len(earlier) else {"tries": ()}
        drawn = len(face["tries"]) > len(was["tries"]) or bool(was.get("person"))
        if face["method"] and not face.get("person") and drawn:
            last = face["tries"][-1]
            if studio.makes_people(last["checkpoint"] or last["method"]):
                return PARTED
    return ""


def _settings_of(row: Row) -> Settings:
    return Settings.from_text(row.settings)


def _faces(record: Mapping[str, Any]) -> tuple[Face, ...]:
    from facestudio.reviewing import faces_of

    return faces_of(record)


def _reviewed(studio: Studio, row: Row, photo: Photo, after: Photo, progress: Progress) -> Reviewed:
    from facestudio.faces.identity import verdict

    record = row.record
    assert record is not None
    entries, far = {entry.id: entry for entry in studio.checkpoints() if entry.recognises}, _settings_of(row).far
    faces = []
    for n, face in enumerate(_faces(record)):
        progress.check()
        known = record["faces"][n] if n < len(record["faces"]) else None
        said = known["similarity"] if known else {}
        crops = square(photo.pixels, face.box, CHIP), square(after.pixels, face.box, CHIP)
        faces.append(
            ReviewFace(
                face,
                known["status"] if known else MISSED,
                tuple([*([known["error"]] if known["error"] else []), *known["notes"]]) if known else (),
                (known.get("method") or "") if known else "",
                len(known["tries"]) if known else 0,
                tuple(verdict(said[id], entries[id], far=far, goal="change") for id in sorted(said) if id in entries),
                *crops,
                missed=known is None,
                denied=known is not None and known.get("decisions", [])[-1:] == [NOT_A_FACE],
            )
        )
    before, shown = pyramid(photo.pixels, progress.check), pyramid(after.pixels, progress.check)
    small = fitted(photo.pixels, THUMBNAIL), fitted(after.pixels, THUMBNAIL) if row.output is not None else None
    return Reviewed(row, photo, before, shown, tuple(faces), row.output is not None, small)
