"""The story: photo -> faces -> result -> photo. Read this first.

    faces  = detect(photo)                     faces/detect.py
    crop   = align(photo, face, template)      faces/align.py
    better = restorer(crop, options, ...)      methods/
    after  = paste(after, better)              faces/paste.py
    cosine = similarity(embed(photo, face), embed(after, face))      faces/identity.py

Honesty rules kept here: before and after are embedded with the same landmarks; an embedder that a method is conditioned
on does not judge it; a face that fails leaves the others done and says why; nothing returns its input as if it were done.
This module knows no files, no checkpoints' storage and no window, and does not import torch itself.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facestudio import together
from facestudio.errors import FaceStudioError, UsageError
from facestudio.faces.align import align
from facestudio.faces.components import Explanation
from facestudio.faces.detail import is_sharp
from facestudio.faces.face import AlignedFace, Face, similarity
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.judging import Judges
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.faces.paste import paste, region_of
from facestudio.faces.regraining import OFF, regrained
from facestudio.faces.tone import in_tone
from facestudio.methods.base import Batched, Guided, Restorer
from facestudio.options import options_of
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.results import Comparison, FaceResult, Reference, Result
from facestudio.subject import Subject

SHRUNK = 0.9  # below this many crop pixels a photo pixel, the crop visibly holds less than the photo


def restore(
    subject: Subject,
    restorer: Restorer,
    recipe: Recipe | None = None,
    judges: Judges | None = None,
    *,
    reference: Reference | None = None,
    progress: Progress | None = None,
) -> Result:
    """Restore the chosen faces of the `subject`, lay them back and measure how much of each person is left.

    Args:
        restorer: a loaded method.
        recipe: its options and seed, `photo_grain`, and how many times as large the photo was made; None: the defaults. With the
            photo's content and the face's index the seed fixes all randomness. "match" lays grain like the photo's over faces
            that came back smoother, but not where the subject is a whole crop, as nothing of the photo is left around the face.
        judges: those that the restorer is conditioned on are left out.
        reference: says who the person is to a method that listens (Guided), and is compared with the result; UsageError
            when the method does not listen, or more than one face is chosen.

    One face failing with a FaceStudioError leaves the others done. Errors as of `Subject.chosen` and `options_of`; Cancelled
    passes through.
    """
    started = time.perf_counter()
    progress, judges = progress or Progress(), judges or Judges()
    recipe = recipe or Recipe(restorer.checkpoint.id, restorer.id)
    chosen = subject.chosen
    if reference is not None and chosen:
        restorer = _told(restorer, reference, len(chosen))
    options = options_of(restorer.Options, recipe.options)
    work = _Work(subject, restorer, options, recipe)
    work.lay(chosen, progress)
    after = work.after.without_made_up(subject.photo)
    judging = replace(judges, embedders=judges.without(restorer.checkpoint.conditioned_on))
    results = _results(subject, work, after, judging, restorer.goal, recipe.upscale, progress)
    mended = subject.mended and subject.mended[1]
    return Result(
        subject.photo,
        after,
        tuple(_compared(result, after, reference, judging.embedders) for result in results),
        _done_by(restorer, options, recipe, subject, reference),
        time.perf_counter() - started,
        mended,
    )


def _results(
    subject: Subject, work: _Work, after: Photo, judges: Judges, goal: str, upscale: int, progress: Progress
) -> list[FaceResult]:
    """What became of each face, as the `judges` see it in the photo `after`."""
    restored_faces = {index: subject.faces[index] for index in work.done}
    verdicts, troubles = _judged(subject.photo, after, restored_faces, judges, goal, progress)
    quality = _quality(subject.photo, after, restored_faces, judges.panel, troubles, progress)
    results = []
    for index, face in enumerate(subject.faces):
        if index in work.done:
            eyes = _eyes(face) / upscale  # enlarging tells nothing more of a person
            sides = "the face before", "the face after"
            summary = summarise(verdicts[index], quality.get(index), judges.panel, sides, (eyes, eyes))
            result = _restored(face, index, work.done[index], after, summary, troubles, bool(judges.embedders))
        else:
            status = "failed" if index in work.errors else "skipped"
            result = FaceResult(face, index, status, work.errors.get(index), {}, {})
        results.append(_incomplete(result, subject.lacking.get(index, "")))
    return results


def _done_by(restorer: Restorer, options: Any, asked: Recipe, subject: Subject, reference: Reference | None) -> Recipe:
    """The recipe of what was done: all options, and what was really mended, turned and read."""
    photo, mended = subject.photo, subject.mended
    return Recipe(
        restorer.checkpoint.id,
        restorer.id,
        asdict(options),
        asked.seed,
        reference=reference.content_hash if reference else "",
        upscale=asked.upscale,
        scratches=mended[1].strength if mended else "",
        scratch_mask=mended[1].by_hand if mended else "",
        photo_grain="" if asked.photo_grain == OFF else asked.photo_grain,
        turn=photo.turn,
        salvaged=None if photo.damage is None else round(photo.damage.readable, 4),
    )


@dataclass(frozen=True, eq=False)
class _Done:
    """What was done to one face.

    Attributes:
        before: its crop of the photo. kept: whether a large face's own detail was kept; None of a face that fits the crop.
        grain: levels that were laid over it. explanation: as of FaceResult.
    """

    before: AlignedFace
    kept: bool | None
    grain: float
    explanation: Explanation | None


class _Work:
    """One photo on its way.

    Attributes:
        after: the photo with what was laid until now. done, errors: what was done to faces, and why not to others, by index.
    """

    def __init__(self, subject: Subject, restorer: Restorer, options: Any, recipe: Recipe) -> None:
        self.after = subject.start
        self.done: dict[int, _Done] = {}
        self.errors: dict[int, str] = {}
        self._subject, self._photo, self._start = subject, subject.photo, subject.start
        self._restorer, self._options, self._recipe = restorer, options, recipe
        self._grained = recipe.photo_grain not in ("", OFF) and not subject.whole
        self._strength = float(getattr(options, "strength", 1.0))

    def lay(self, chosen: set[int], progress: Progress) -> None:
        """Restore the `chosen` faces, and lay them one over the other."""
        crops = {index: self._crop(self._start, index) for index in sorted(chosen)}
        for group in progress.track(_groups(self._photo, crops, self._restorer), "Restoring faces", share=0.85):
            # what was pasted so far may reach into these crops
            current = crops if self.after is self._start else {index: self._crop(self.after, index) for index in group}
            seeds = [face_seed(self._photo, index, self._recipe.seed) for index in group]
            given = [current[index] for index in group]
            made = together.restored(self._restorer, given, self._options, progress, seeds)
            for index, one, drawn in zip(group, made, seeds, strict=True):
                try:
                    if isinstance(one, FaceStudioError):
                        raise one
                    self._lay(index, one, crops[index], current[index], drawn)
                except FaceStudioError as error:
                    self.errors[index] = str(error)

    def _lay(self, index: int, made: together.Made, before: AlignedFace, current: AlignedFace, drawn: int) -> None:
        """Lay what was `made` of the face, whose crop is `before` at the start and `current` now; `drawn` is the grain's seed."""
        restored, explanation = made
        shrunk = before.scale * self._recipe.upscale < SHRUNK
        sharp = shrunk and is_sharp(self.after, current)
        pasted = paste(
            self.after,
            in_tone(restored, before),
            self._strength,
            whole=self._subject.whole,
            matched=not self._subject.whole,
            made_of=current if sharp else None,
        )
        grain = 0.0
        if self._grained:
            pasted, grain = regrained(pasted, self._start, before, self._strength, drawn)
        shown = before if self._start is self._photo else self._crop(self._photo, index)
        self.after = pasted
        self.done[index] = _Done(shown, sharp if shrunk else None, grain, explanation)

    def _crop(self, photo: Photo, index: int) -> AlignedFace:
        return align(photo, self._subject.faces[index], self._restorer.template)


def compare(
    one: tuple[Photo, Face], other: tuple[Photo, Face], judges: Judges, progress: Progress | None = None
) -> Comparison:
    """Tell how alike two faces are to each of the `judges`, and with a panel to all of them together."""
    progress = progress or Progress()
    (a, face_a), (b, face_b) = one, other
    cosines: dict[str, float] = {}
    verdicts: dict[str, Verdict] = {}
    for embedder in progress.track(list(judges.embedders), "Comparing faces"):
        of_a = embedder.embed(a.pixels, face_a.landmarks)
        of_b = embedder.embed(b.pixels, face_b.landmarks)
        cosines[embedder.id] = similarity(of_a, of_b)
        verdicts[embedder.id] = verdict(cosines[embedder.id], embedder.checkpoint, far=judges.far)
    quality = None
    if judges.panel is not None:
        measured = [
            judges.panel.quality(photo.pixels, face.landmarks[None], progress)[0] for photo, face in (one, other)
        ]
        quality = (measured[0], measured[1])
    summary = summarise(verdicts, quality, judges.panel, eyes=(_eyes(face_a), _eyes(face_b)))
    return Comparison(a, b, face_a, face_b, cosines, summary.by_embedder if summary else {}, summary)


def _eyes(face: Face) -> float:
    """How many px the eyes of `face` are apart, or would be if it looked straight ahead."""
    return float(max(face.interocular, np.sqrt(face.area) / 2.5))


def face_seed(photo: Photo, index: int, seed: int) -> int:
    """A 63-bit seed from the photo's own content, the face's index and the asked seed; never from a place in a batch."""
    text = f"{photo.content_hash}/{index}/{seed}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def _groups(photo: Photo, crops: Mapping[int, AlignedFace], restorer: Restorer) -> list[list[int]]:
    """Which of the faces, whose `crops` these are, are restored in one call: one by one, unless the method can take more."""
    if not isinstance(restorer, Batched):
        return [[index] for index in crops]
    return together.groups({index: region_of(photo, crop) for index, crop in crops.items()})


def _told(restorer: Restorer, reference: Reference, chosen: int) -> Restorer:
    """`restorer` for the person of `reference`, the one among `chosen` faces."""
    if not isinstance(restorer, Guided):
        raise UsageError(
            f"The method {restorer.id} cannot use a reference.", hint="Choose DifFace, or remove the reference."
        )
    if chosen > 1:
        raise UsageError(
            f"The reference shows one person, but {chosen} faces are chosen.",
            hint="Choose only the face of that person.",
        )
    if restorer.embedder not in reference.identities:
        raise UsageError(
            f"{restorer.id} needs the recogniser {restorer.embedder}, which is not installed.",
            hint="Run `facestudio doctor` to see what is missing.",
        )
    return restorer.guided(reference.identities[restorer.embedder])


def _compared(result: FaceResult, after: Photo, reference: Reference | None, judges: Sequence[Embedder]) -> FaceResult:
    """`result` with its cosines to the `reference`."""
    if reference is None:
        return result
    cosines = {}
    for judge in judges:
        if judge.id in reference.identities and judge.id in result.similarity:
            now = judge.embed(after.pixels, result.face.landmarks)
            cosines[judge.id] = similarity(now, reference.identities[judge.id])
    return replace(result, to_reference=cosines)


def _judged(
    before: Photo,
    after: Photo,
    faces: Mapping[int, Face],
    judges: Judges,
    goal: str,
    progress: Progress,
) -> tuple[dict[int, dict[str, Verdict]], list[str]]:
    """For each of `faces`, by its index, the verdict of each judge by its id; and a sentence for each judge that failed.

    A judge looks once at each photo, at all faces together, and with the same landmarks before and after.
    """
    landmarks = np.array([face.landmarks for face in faces.values()], dtype=np.float32).reshape(-1, 5, 2)
    verdicts: dict[int, dict[str, Verdict]] = {index: {} for index in faces}
    troubles = []
    for judge in progress.track(judges.embedders if faces else (), "Measuring identity"):
        try:
            was = judge.embed_all(before.pixels, landmarks, progress)
            now = judge.embed_all(after.pixels, landmarks, progress)
            cosines = [similarity(a, b) for a, b in zip(was, now, strict=True)]
            said = [verdict(cosine, judge.checkpoint, far=judges.far, goal=goal) for cosine in cosines]
        except FaceStudioError as failure:
            troubles.append(f"Restored, but {judge.id} could not measure it: {failure}")
            continue
        for index, one in zip(faces, said, strict=True):
            verdicts[index][judge.id] = one
    return verdicts, troubles


def _quality(
    before: Photo,
    after: Photo,
    faces: Mapping[int, Face],
    panel: Panel | None,
    troubles: list[str],
    progress: Progress,
) -> dict[int, tuple[float, float]]:
    """Recognisability of each of `faces`, by its index, before and after; empty without a panel, or when it fails, which
    gives a sentence more in `troubles`."""
    if panel is None or not faces:
        return {}
    landmarks = np.array([face.landmarks for face in faces.values()], dtype=np.float32)
    try:
        was, now = (panel.quality(photo.pixels, landmarks, progress) for photo in (before, after))
    except FaceStudioError as failure:
        troubles.append(f"Restored, but how recognisable it is could not be measured: {failure}")
        return {}
    return dict(zip(faces, zip(was, now, strict=True), strict=True))


def _incomplete(result: FaceResult, lacking: str) -> FaceResult:
    """`result` with a note on what of it could not be read of the photo's damaged file, "" when nothing is `lacking`."""
    if not lacking:
        return result
    done = "and that stays as it is" if result.status == "restored" else "so it was not restored"
    return replace(result, notes=(*result.notes, f"Incomplete: {lacking}, {done}."))


def _restored(
    face: Face,
    index: int,
    done: _Done,
    after: Photo,
    summary: Summary | None,
    troubles: Sequence[str],
    judged: bool,
) -> FaceResult:
    """The outcome of a restored face; judges that failed become its `error`, the restoration stays."""
    notes = []
    template = done.before.template
    if done.kept is not None:
        what, why = ("stays", "is sharp") if done.kept else ("is lost", "is blur or noise")
        larger = f"this face is larger than the {template.size} px that the method works at"
        notes.append(f"Fine detail {what}: {larger}, and its own detail {why}.")
    if not judged:
        notes.append("How much of the person is left was not measured: no recogniser that could judge it is installed.")
    if done.explanation is not None and done.explanation.skipped:
        skipped = ", ".join(part.replace("_", " ") for part in done.explanation.skipped)
        notes.append(f"Not completed from the dictionary, because it lies mostly outside the crop: {skipped}.")
    verdicts = summary.by_embedder if summary else {}
    return FaceResult(
        face,
        index,
        "restored",
        " ".join(troubles) or None,
        {name: one.cosine for name, one in verdicts.items()},
        verdicts,
        summary,
        done.before,
        align(after, face, template),
        tuple(notes),
        done.explanation,
        grain=done.grain,
    )
