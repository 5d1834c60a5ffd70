"""The story of made faces: who -> pictures -> what the recognisers say of them. The sibling of `pipeline`.

    wish     = identity (and landmarks) of a photo's face, or nobody      faces/identity.py, faces/landmarks.py
    pictures = synthesizer(wish, seeds, ...)                              methods/
    cosine   = similarity(embed(photo, face), embed(picture, its face))   faces/identity.py

The same honesty: the embedder that a method is conditioned on does not judge it, and a picture without a face is said to be
one. Knows no files and no window.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facestudio.errors import UsageError
from facestudio.faces.align import align, transform
from facestudio.faces.detect import Detector
from facestudio.faces.face import Face, similarity
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.methods.base import Synthesizer, Wish
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe

MOST = 1000  # pictures at once, which all lie in memory
PORTION = 8  # pictures that are drawn together
DRAWING = 0.9  # of the time; the rest is looking at them
WITHOUT_FACE = "No face was found in this picture; draw another one."


@dataclass(frozen=True, eq=False)
class Portrait:
    """One made picture.

    Attributes:
        photo: the picture, marked as synthetic; recipe: what makes it again, with its own seed.
        face: what the detector found in it; None when it found none.
        similarity, verdicts, summary: of it and the photo's face, as of a restored face; empty and None without a photo.
    """

    photo: Photo
    recipe: Recipe
    face: Face | None
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None

    @property
    def note(self) -> str:
        """A sentence that a person should read beside the picture, or ""."""
        return "" if self.face is not None else WITHOUT_FACE


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures made together: of the `face` of `source`, or of nobody (None), and the `seconds` it took."""

    portraits: tuple[Portrait, ...]
    source: Photo | None
    face: Face | None
    recipe: Recipe
    seconds: float


def generate(
    synthesizer: Synthesizer,
    count: int,
    *,
    detector: Detector,
    source: tuple[Photo, Face] | None = None,
    listener: Embedder | None = None,
    finder: LandmarkFinder | None = None,
    embedders: Sequence[Embedder] = (),
    panel: Panel | None = None,
    options: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    far: float = 1e-3,
    done: Callable[[Portrait], None] = lambda portrait: None,
) -> Gallery:
    """Make `count` pictures: of the face in `source`, or of people who do not exist.

    Args:
        listener: the embedder that the method is conditioned on, and finder of landmarks: needed with a source only.
        embedders: judges; those the method is conditioned on are left out. panel: sums up what they say.
        seed: of the first picture; each has the next one, so one of them can be made again alone.
        done: told of each picture as it comes, on the thread that computes.

    UsageError for a count outside 1 to `MOST` and for an option that is not allowed.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    if not 1 <= count <= MOST:
        raise UsageError(f"The count is 1 to {MOST}, not {count}.")
    options = synthesizer.Options() if options is None else options
    validate(options)
    recipe = Recipe(synthesizer.checkpoint.id, synthesizer.id, asdict(options), seed)
    wish = Wish()
    if source is not None:
        if listener is None or listener.id != synthesizer.embedder:
            raise ValueError(f"{synthesizer.id} listens to {synthesizer.embedder}")
        wish = _wish(*source, synthesizer, listener, finder if getattr(options, "hold_pose", False) else None)
    judges = [e for e in embedders if e.id not in synthesizer.checkpoint.conditioned_on]
    portraits: list[Portrait] = []
    for start in progress.track(range(seed, seed + count, PORTION), "Drawing faces"):
        seeds = list(range(start, min(start + PORTION, seed + count)))
        for _ in progress.track(range(1), "Drawing faces", share=DRAWING):
            pictures = synthesizer(wish, seeds, options, progress)
        for pixels, one in progress.track(list(zip(pictures, seeds, strict=True)), "Looking at the pictures"):
            photo = replace(Photo.from_pixels(pixels), synthetic=True)
            face = next(iter(detector.detect(photo)), None)
            said: Summary | None = None
            if source is not None and face is not None:
                said = _judged(source, (photo, face), judges, panel, far)
            verdicts = said.by_embedder if said else {}
            cosines = {name: each.cosine for name, each in verdicts.items()}
            portraits.append(Portrait(photo, replace(recipe, seed=one), face, cosines, verdicts, said))
            done(portraits[-1])
    photo_of_source, face_of_source = source or (None, None)
    return Gallery(tuple(portraits), photo_of_source, face_of_source, recipe, time.perf_counter() - started)


def _wish(
    photo: Photo, face: Face, synthesizer: Synthesizer, listener: Embedder, finder: LandmarkFinder | None
) -> Wish:
    """Who `face` is to `listener`, and with a `finder` where its features are in the method's crop."""
    landmarks = None
    if finder is not None:
        matrix = align(photo, face, synthesizer.template).matrix
        landmarks = transform(matrix, finder.find(photo, face)).astype(np.float32)
    return Wish(listener.embed(photo.pixels, face.landmarks), landmarks)


def _judged(
    source: tuple[Photo, Face],
    made: tuple[Photo, Face],
    judges: Sequence[Embedder],
    panel: Panel | None,
    far: float,
) -> Summary | None:
    """What the judges say of the faces of two photos; None without judges."""
    verdicts = {}
    for judge in judges:
        one, other = (judge.embed(photo.pixels, face.landmarks) for photo, face in (source, made))
        verdicts[judge.id] = verdict(similarity(one, other), judge.checkpoint, far=far)
    quality = None
    if panel is not None and verdicts:
        (of_source,), (of_made,) = (panel.quality(p.pixels, f.landmarks[None]) for p, f in (source, made))
        quality = (of_source, of_made)
    return summarise(verdicts, quality, panel, ("the face in the photo", "the face that was made"))
