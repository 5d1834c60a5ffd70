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
from facestudio.colour import enlarged
from facestudio.errors import FaceStudioError, NoFaceFound, UsageError
from facestudio.faces.align import align, whole_face
from facestudio.faces.components import Explanation
from facestudio.faces.detail import is_sharp
from facestudio.faces.face import AlignedFace, Face, similarity
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.faces.paste import paste, region_of
from facestudio.faces.regraining import OFF, regrained
from facestudio.faces.tone import in_tone
from facestudio.mending.mended import Mended
from facestudio.methods.base import Batched, Guided, Restorer
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.results import Comparison, FaceResult, Reference, Result

SHRUNK = 0.9  # below this many crop pixels a photo pixel, the crop visibly holds less than the photo


def restore(
    photo: Photo,
    faces: Sequence[Face],
    restorer: Restorer,
    *,
    embedders: Sequence[Embedder] = (),
    panel: Panel | None = None,
    options: Any = None,
    selected: set[int] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    whole: bool = False,
    far: float = 1e-3,
    reference: Reference | None = None,
    upscale: int = 1,
    mended: tuple[np.ndarray, Mended] | None = None,
    photo_grain: str = OFF,
) -> Result:
    """Restore the chosen `faces` of `photo`, lay them back and measure how much of each person is left.

    Args:
        faces: detections; an empty sequence raises NoFaceFound, unless scratches were `mended`.
        restorer: a loaded method; `options` an instance of its Options (None: the defaults).
        embedders: judges; those the restorer is conditioned on are left out. panel: sums up what they say.
        selected: indices into `faces` (None: all, but of a damaged photo those that were read whole); an index that does not
            exist raises UsageError.
        seed: with the photo's content and the face's index it fixes all randomness.
        whole: the photo is itself one aligned crop: its whole area is replaced, without a soft mask.
        far: the false accept rate at which verdicts say "same person".
        reference: says who the person is to a method that listens (Guided), and is compared with the result; UsageError
            when the method does not listen, or more than one face is chosen.
        upscale: how many times as large `photo` was made before.
        mended: the pixels of `photo` without its scratches, before it was made larger, and where these were: the faces are
            restored in that.
        photo_grain: "match" lays grain like the photo's over faces that came back smoother, "off" does not; never with `whole`,
            where nothing of the photo is left around the face.

    One face failing with a FaceStudioError leaves the others done. Cancelled passes through.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    lacking = _lacking(photo, faces)
    chosen = _chosen(faces, selected, lacking, mended[1] if mended is not None else None)
    if reference is not None and chosen:
        restorer = _told(restorer, reference, len(chosen))
    options = restorer.Options() if options is None else options
    validate(options)
    judges = [e for e in embedders if e.id not in _conditioning(restorer)]
    start = photo if mended is None else _without_scratches(photo, mended[0])
    work = _Work(photo, start, faces, restorer, options, seed, whole, upscale, photo_grain)
    work.lay(chosen, progress)

    after = work.after.without_made_up(photo)
    restored_faces = {index: faces[index] for index in work.done}
    verdicts, troubles = _judged(
        photo, after, restored_faces, judges if work.done else (), restorer.goal, far, progress
    )
    quality = _quality(photo, after, restored_faces, panel, troubles, progress)
    results = []
    for index, face in enumerate(faces):
        if index in work.done:
            eyes = _eyes(face) / upscale  # enlarging tells nothing more of a person
            sides = "the face before", "the face after"
            summary = summarise(verdicts[index], quality.get(index), panel, sides, (eyes, eyes))
            result = _restored(face, index, work.done[index], after, summary, troubles, bool(judges))
            result = _compared(result, after, reference, judges)
        else:
            status = "failed" if index in work.errors else "skipped"
            result = FaceResult(face, index, status, work.errors.get(index), {}, {})
        results.append(_incomplete(result, lacking.get(index, "")))
    recipe = Recipe(
        restorer.checkpoint.id,
        restorer.id,
        asdict(options),
        seed,
        reference=reference.content_hash if reference else "",
        upscale=upscale,
        scratches=mended[1].strength if mended else "",
        scratch_mask=mended[1].by_hand if mended else "",
        photo_grain="" if photo_grain == OFF else photo_grain,
        turn=photo.turn,
        salvaged=None if photo.damage is None else round(photo.damage.readable, 4),
    )
    return Result(photo, after, tuple(results), recipe, time.perf_counter() - started, mended and mended[1])


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
    """One photo on its way: `start` is what its `faces` are restored in; the rest is as of `restore`.

    Attributes:
        after: the photo with what was laid until now. done, errors: what was done to faces, and why not to others, by index.
    """

    def __init__(
        self,
        photo: Photo,
        start: Photo,
        faces: Sequence[Face],
        restorer: Restorer,
        options: Any,
        seed: int,
        whole: bool,
        upscale: int,
        photo_grain: str,
    ) -> None:
        self.after = start
        self.done: dict[int, _Done] = {}
        self.errors: dict[int, str] = {}
        self._photo, self._start, self._faces = photo, start, faces
        self._restorer, self._options, self._seed = restorer, options, seed
        self._whole, self._upscale, self._photo_grain = whole, upscale, photo_grain
        self._strength = float(getattr(options, "strength", 1.0))

    def lay(self, chosen: set[int], progress: Progress) -> None:
        """Restore the `chosen` faces, and lay them one over the other."""
        crops = {index: self._crop(self._start, index) for index in sorted(chosen)}
        for group in progress.track(_groups(self._photo, crops, self._restorer), "Restoring faces", share=0.85):
            # what was pasted so far may reach into these crops
            current = crops if self.after is self._start else {index: self._crop(self.after, index) for index in group}
            seeds = [face_seed(self._photo, index, self._seed) for index in group]
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
        shrunk = before.scale * self._upscale < SHRUNK
        sharp = shrunk and is_sharp(self.after, current)
        pasted = paste(
            self.after,
            in_tone(restored, before),
            self._strength,
            whole=self._whole,
            matched=not self._whole,
            made_of=current if sharp else None,
        )
        grain = 0.0
        if self._photo_grain != OFF and not self._whole:
            pasted, grain = regrained(pasted, self._start, before, self._strength, drawn)
        shown = before if self._start is self._photo else self._crop(self._photo, index)
        self.after = pasted
        self.done[index] = _Done(shown, sharp if shrunk else None, grain, explanation)

    def _crop(self, photo: Photo, index: int) -> AlignedFace:
        return align(photo, self._faces[index], self._restorer.template)


def restore_aligned(photo: Photo, restorer: Restorer, **settings: Any) -> Result:
    """Restore a photo that already is one FFHQ-framed square crop; `settings` as for `restore`."""
    return restore(photo, (whole_face(photo, restorer.template),), restorer, whole=True, **settings)


def compare(
    a: Photo,
    b: Photo,
    face_a: Face,
    face_b: Face,
    embedders: Sequence[Embedder],
    *,
    panel: Panel | None = None,
    far: float = 1e-3,
    progress: Progress | None = None,
) -> Comparison:
    """Tell how alike two faces are to each of `embedders`, and with a `panel` to all of them together."""
    progress = progress or Progress()
    cosines: dict[str, float] = {}
    verdicts: dict[str, Verdict] = {}
    for embedder in progress.track(list(embedders), "Comparing faces"):
        one = embedder.embed(a.pixels, face_a.landmarks)
        other = embedder.embed(b.pixels, face_b.landmarks)
        cosines[embedder.id] = similarity(one, other)
        verdicts[embedder.id] = verdict(cosines[embedder.id], embedder.checkpoint, far=far)
    quality = None
    if panel is not None:
        (of_a,), (of_b,) = (panel.quality(p.pixels, f.landmarks[None], progress) for p, f in ((a, face_a), (b, face_b)))
        quality = (of_a, of_b)
    eyes = (_eyes(face_a), _eyes(face_b))
    summary = summarise(verdicts, quality, panel, eyes=eyes)
    return Comparison(a, b, face_a, face_b, cosines, summary.by_embedder if summary else {}, summary)


def _eyes(face: Face) -> float:
    """How many px the eyes of `face` are apart, or would be if it looked straight ahead."""
    return float(max(face.interocular, np.sqrt(face.area) / 2.5))


def face_seed(photo: Photo, index: int, seed: int) -> int:
    """A 63-bit seed from the photo's own content, the face's index and the asked seed; never from a place in a batch."""
    text = f"{photo.content_hash}/{index}/{seed}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def _lacking(photo: Photo, faces: Sequence[Face]) -> dict[int, str]:
    """What of each face could not be read of a damaged file, by its index; empty of a sound one."""
    return {n: photo.damage.of_face(face.box) for n, face in enumerate(faces)} if photo.damage is not None else {}


def _chosen(
    faces: Sequence[Face], selected: set[int] | None, lacking: Mapping[int, str], mended: Mended | None
) -> set[int]:
    """The places of the faces that are to be restored; errors as of `restore`."""
    worth = mended is not None and mended.share > 0  # whether there is a result without any face
    if not faces and not worth:
        lack = "No face was found" if mended is None else "Neither a face nor a scratch was found"
        raise NoFaceFound(f"{lack} in this photo.", hint="Try a photo in which the face is larger and upright.")
    chosen = {n for n in range(len(faces)) if not lacking.get(n)} if selected is None else set(selected)
    if not chosen and selected is None and not worth:
        raise NoFaceFound(
            "Every face reaches into the part of the photo that could not be read.",
            hint="Choose a face by its number to restore what there is of it.",
        )
    missing = sorted(chosen - set(range(len(faces))))
    if missing and faces:
        many = f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
        raise UsageError(
            f"There is no face {missing[0]} in this photo: it shows {many}, counted from 0.",
            hint="`facestudio detect` shows each face with its number.",
        )
    return chosen if faces else set()  # then scratches are all that there is


def _without_scratches(photo: Photo, pixels: np.ndarray) -> Photo:
    """`photo`, as large as it is, with the `pixels` that it has without scratches, before it was enlarged."""
    times = photo.pixels.shape[0] // pixels.shape[0]
    return photo.with_pixels(pixels if times == 1 else enlarged(pixels, times))


def _conditioning(restorer: Restorer) -> set[str]:
    """Ids of the embedders that the restorer is conditioned on."""
    conditioned = restorer.checkpoint.conditioned_on
    return {conditioned} if isinstance(conditioned, str) else set(conditioned or ())


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
    judges: Sequence[Embedder],
    goal: str,
    far: float,
    progress: Progress,
) -> tuple[dict[int, dict[str, Verdict]], list[str]]:
    """For each of `faces`, by its index, the verdict of each judge by its id; and a sentence for each judge that failed.

    A judge looks once at each photo, at all faces together, and with the same landmarks before and after.
    """
    landmarks = np.array([face.landmarks for face in faces.values()], dtype=np.float32).reshape(-1, 5, 2)
    verdicts: dict[int, dict[str, Verdict]] = {index: {} for index in faces}
    troubles = []
    for judge in progress.track(judges, "Measuring identity"):
        try:
            was = judge.embed_all(before.pixels, landmarks, progress)
            now = judge.embed_all(after.pixels, landmarks, progress)
            cosines = [similarity(a, b) for a, b in zip(was, now, strict=True)]
            said = [verdict(cosine, judge.checkpoint, far=far, goal=goal) for cosine in cosines]
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
