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
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from facestudio import together
from facestudio.colour import enlarged
from facestudio.errors import FaceStudioError, NoFaceFound, UsageError
from facestudio.faces.align import align, whole_face
from facestudio.faces.components import Explanation
from facestudio.faces.detail import is_sharp
from facestudio.faces.face import AlignedFace, Face, Identity, similarity
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.faces.paste import paste, region_of
from facestudio.faces.regraining import OFF, regrained
from facestudio.faces.tone import tone_of, with_tone
from facestudio.mending.mended import Mended
from facestudio.methods.base import Batched, Guided, Restorer
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe

SHRUNK = 0.9  # below this many crop pixels a photo pixel, the crop visibly holds less than the photo


@dataclass(frozen=True, eq=False)
class Reference:
    """A clean picture of the person: the face's `identities` by embedder id, and the photo's `content_hash`."""

    identities: Mapping[str, Identity]
    content_hash: str


@dataclass(frozen=True, eq=False)
class FaceResult:
    """What happened to one face.

    Attributes:
        face: the detection; index: its place among the photo's faces.
        status: "restored", "skipped" (not selected) or "failed".
        error: one sentence when failed, or when restored but not measurable; else None.
        similarity: cosine before/after by embedder id; verdicts: what it means, by embedder id.
        summary: what the verdicts come to; None when nothing was measured.
        aligned_before, aligned_after: the crops before and after; None where the face was not restored.
        notes: sentences a person should read beside the result.
        explanation: what a method chose that can tell (DFDNet: the dictionary's entries); None of others.
        to_reference: cosine of the result to the reference by embedder id, where there is one.
        grain: standard deviation, in levels of 255, of the photo's grain that was laid over the face; 0 where none was.
    """

    face: Face
    index: int
    status: str
    error: str | None
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None
    aligned_before: AlignedFace | None = None
    aligned_after: AlignedFace | None = None
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    to_reference: Mapping[str, float] = field(default_factory=dict)
    grain: float = 0.0

    def details(self) -> dict[str, Any]:
        """What a report says of the face beside what it says of every face, ready for JSON."""
        told: dict[str, Any] = {"grain": round(self.grain, 2)} if self.grain else {}
        if self.explanation:
            told["explanation"] = [asdict(choice) for choice in self.explanation.choices]
        return told


@dataclass(frozen=True, eq=False)
class Result:
    """A photo before and after, face by face, with the recipe that made it and the seconds it took.

    `mended`: where scratches were mended, in the photo before it was enlarged; None where nobody asked for that.
    """

    before: Photo
    after: Photo
    faces: tuple[FaceResult, ...]
    recipe: Recipe
    seconds: float
    mended: Mended | None = None

    @property
    def status(self) -> str:
        """ "ok" (every chosen face restored), "partial" (some failed), "failed" (all failed), "mended" (no face restored, but
        scratches mended) or "skipped" (none chosen)."""
        failed = sum(face.status == "failed" for face in self.faces)
        restored = sum(face.status == "restored" for face in self.faces)
        if not failed and not restored:
            return "mended" if self.mended is not None and self.mended.share else "skipped"
        if not failed:
            return "ok"
        return "partial" if restored else "failed"

    @property
    def error(self) -> str | None:
        """The first face's error, naming the face, counted from 1; None when nothing failed."""
        return next((f"Face {f.index + 1}: {f.error}" for f in self.faces if f.status == "failed"), None)

    @property
    def writable(self) -> bool:
        """Whether there is something to save."""
        return self.status in ("ok", "partial", "mended")

    @property
    def generative(self) -> bool:
        """Whether AI made what is new in the photo; scratches are filled without."""
        return self.status != "mended"

    @property
    def only_mended(self) -> str:
        """What is to be said where no face was restored, but scratches were mended, in a sentence; "" of other results."""
        if self.status != "mended":
            return ""
        why = "No face was chosen" if self.faces else "No face was found"
        return f"{why}: scratches were mended and nothing else, so there is no identity to measure."

    @property
    def grain_sentence(self) -> str:
        """How much grain of the photo was laid over faces, in a sentence."""
        levels = [face.grain for face in self.faces if face.grain]
        if not levels:
            return "Grain: the photo has none that the faces lack."
        which = "1 face" if len(levels) == 1 else f"{len(levels)} faces"
        return f"Grain: that of the photo was laid over {which} ({max(levels):.0f} levels of 255)."

    @property
    def saved_recipe(self) -> Recipe:
        """The recipe that the saved file carries."""
        return self.recipe

    def details(self) -> dict[str, Any]:
        """What a report says of the photo beside what it says of every photo, ready for JSON."""
        damage = self.before.damage
        told = {"damage": damage.sentence} if damage is not None else {}
        return told | ({"mended": self.mended.details()} if self.mended is not None else {})


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two faces compared: `similarity` and `verdicts` by embedder id, and the `summary` of them (None without any)."""

    a: Photo
    b: Photo
    face_a: Face
    face_b: Face
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None


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
    worth = mended is not None and mended[1].share > 0  # whether there is a result without any face
    if not faces and not worth:
        lack = "No face was found" if mended is None else "Neither a face nor a scratch was found"
        raise NoFaceFound(f"{lack} in this photo.", hint="Try a photo in which the face is larger or upright.")
    lacking = {n: photo.damage.of_face(face.box) for n, face in enumerate(faces)} if photo.damage is not None else {}
    chosen = {n for n in range(len(faces)) if not lacking.get(n)} if selected is None else set(selected)
    if not chosen and selected is None and not worth:
        raise NoFaceFound(
            "Every face reaches into the part of the photo that could not be read.",
            hint="Choose a face by its number to restore what there is of it.",
        )
    missing = sorted(chosen - set(range(len(faces))))
    if missing and not faces:
        chosen = set()  # then scratches are all that there is
    elif missing:
        many = f"{len(faces)} face{'' if len(faces) == 1 else 's'}"
        raise UsageError(f"There is no face {missing[0]} in this photo: it shows {many}, counted from 0.")
    if reference is not None and chosen:
        restorer = _told(restorer, reference, len(chosen))
    options = restorer.Options() if options is None else options
    validate(options)
    strength = float(getattr(options, "strength", 1.0))
    judges = [e for e in embedders if e.id not in _conditioning(restorer)]

    after = start = photo if mended is None else _without_scratches(photo, mended[0])
    done: dict[int, AlignedFace] = {}
    kept: dict[int, bool | None] = {}  # whether a large face's own detail was kept; None of faces that fit the crop
    laid: dict[int, float] = {}  # levels of grain
    errors: dict[int, str] = {}
    explanations: dict[int, Explanation] = {}
    crops = {index: align(start, faces[index], restorer.template) for index in sorted(chosen)}
    for group in progress.track(_groups(photo, crops, restorer), "Restoring faces", share=0.85):
        # what was pasted so far may reach into these crops
        current = crops if after is start else {n: align(after, faces[n], restorer.template) for n in group}
        seeds = [face_seed(photo, index, seed) for index in group]
        made = together.restored(restorer, [current[index] for index in group], options, progress, seeds)
        for index, one, drawn in zip(group, made, seeds, strict=True):
            if isinstance(one, FaceStudioError):
                errors[index] = str(one)
                continue
            restored, explanation = one
            before = crops[index]
            shrunk = before.scale * upscale < SHRUNK
            try:
                sharp = shrunk and is_sharp(after, current[index])
                pasted = paste(
                    after,
                    in_tone(restored, before),
                    strength,
                    whole=whole,
                    matched=not whole,
                    made_of=current[index] if sharp else None,
                )
                if photo_grain != OFF and not whole:
                    pasted, laid[index] = regrained(pasted, start, before, strength, drawn)
                after = pasted
            except FaceStudioError as error:
                errors[index] = str(error)
                continue
            shown = before if start is photo else align(photo, faces[index], restorer.template)
            done[index], kept[index] = shown, sharp if shrunk else None
            if explanation is not None:
                explanations[index] = explanation

    after = after.without_made_up(photo)
    restored_faces = {index: faces[index] for index in done}
    verdicts, troubles = _judged(photo, after, restored_faces, judges if done else (), restorer.goal, far, progress)
    quality = _quality(photo, after, restored_faces, panel, troubles, progress)
    results = []
    for index, face in enumerate(faces):
        if index in done:
            eyes = _eyes(face) / upscale  # enlarging tells nothing more of a person
            sides = "the face before", "the face after"
            summary = summarise(verdicts[index], quality.get(index), panel, sides, (eyes, eyes))
            result = _restored(face, index, done[index], after, summary, troubles, bool(judges), kept[index])
            result = _with_explanation(replace(result, grain=laid.get(index, 0.0)), explanations.get(index))
            result = _incomplete(result, lacking.get(index, ""))
            results.append(_compared(result, after, reference, judges))
        else:
            status = "failed" if index in errors else "skipped"
            left = FaceResult(face, index, status, errors.get(index), {}, {})
            results.append(_incomplete(left, lacking.get(index, "")))
    told = reference.content_hash if reference else ""
    recipe = Recipe(restorer.checkpoint.id, restorer.id, asdict(options), seed, told, upscale)
    if mended is not None:
        recipe = replace(recipe, scratches=mended[1].strength, scratch_mask=mended[1].by_hand)
    if photo_grain != OFF:
        recipe = replace(recipe, photo_grain=photo_grain)
    if photo.damage is not None:
        recipe = replace(recipe, salvaged=round(photo.damage.readable, 4))
    return Result(photo, after, tuple(results), recipe, time.perf_counter() - started, mended and mended[1])


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


def colourless(aligned: AlignedFace) -> bool:
    """Whether a crop comes from a black-and-white photo: red, green and blue never differ by more than 3 levels."""
    return int(np.ptp(aligned.pixels, axis=2).max()) <= 3


def without_colour(aligned: AlignedFace) -> AlignedFace:
    """The crop in greys: a black-and-white photo shall not come back tinted."""
    grey = np.rint(aligned.pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return aligned.with_pixels(np.repeat(grey[..., None], 3, axis=2))


def in_tone(made: AlignedFace, before: AlignedFace) -> AlignedFace:
    """`made` without colours that the photo has none of: in greys where it is black and white, in its tone where it has one."""
    if colourless(before):
        return without_colour(made)
    tone = tone_of(before.pixels)
    return made if tone is None else with_tone(made, tone)


def face_seed(photo: Photo, index: int, seed: int) -> int:
    """A 63-bit seed from the photo's own content, the face's index and the asked seed; never from a place in a batch."""
    text = f"{photo.content_hash}/{index}/{seed}".encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


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
            f"The method {restorer.id} cannot be told who the person is.", hint="Choose DifFace, or take no reference."
        )
    if chosen > 1:
        raise UsageError(
            f"The reference shows one person, and {chosen} faces are chosen.",
            hint="Choose the face that it belongs to.",
        )
    if restorer.embedder not in reference.identities:
        raise UsageError(
            f"The recogniser {restorer.embedder}, which {restorer.id} listens to, is not here.",
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


def _with_explanation(result: FaceResult, explanation: Explanation | None) -> FaceResult:
    """`result` with what the method chose, and a note of what it left alone."""
    if explanation is None:
        return result
    skipped = ", ".join(part.replace("_", " ") for part in explanation.skipped)
    note = (f"Not completed from the dictionary, because it is hardly in the crop: {skipped}.",) if skipped else ()
    return replace(result, notes=result.notes + note, explanation=explanation)


def _restored(
    face: Face,
    index: int,
    before: AlignedFace,
    after: Photo,
    summary: Summary | None,
    troubles: Sequence[str],
    judged: bool,
    kept: bool | None,
) -> FaceResult:
    """The outcome of a restored face; judges that failed become its `error`, the restoration stays."""
    notes = []
    size = before.template.size
    if kept is not None:
        what, why = ("stays", "is sharp") if kept else ("is lost", "is blur or noise")
        notes.append(
            f"Fine detail {what}: this face is larger than the {size} px that the method works at, and its own detail {why}."
        )
    if not judged:
        notes.append("How much of the person is left was not measured: no recogniser is here that may judge it.")
    verdicts = summary.by_embedder if summary else {}
    cosines = {name: one.cosine for name, one in verdicts.items()}
    error = " ".join(troubles) or None
    aligned_after = align(after, face, before.template)
    return FaceResult(face, index, "restored", error, cosines, verdicts, summary, before, aligned_after, tuple(notes))
