"""The story of generated faces: who -> pictures -> what the recognisers say of them. The sibling of `pipeline`.

    wish     = identity (and landmarks) of a photo's face                 faces/identity.py, faces/landmarks.py
               or of a person who does not exist, each picture's own      whom.py, faces/people.py
    pictures = synthesizer(wishes, seeds, ...)                            methods/
    cosine   = similarity(embed(photo, face), embed(picture, its face))   faces/identity.py

The same honesty rules: the embedder that a method is conditioned on does not judge it, and a picture that shows no face, or one
like a training face, says so. Knows no files and no window.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from facestudio.errors import UsageError
from facestudio.faces.align import align, transform
from facestudio.faces.detect import Detector
from facestudio.faces.face import Face, Identity, similarity
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.normals import normals
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.faces.people import IdentitySpace
from facestudio.methods.base import Posed, Synthesizer, Wish
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.whom import Anybody, Drawn, Shot, Who, shots

MOST = 1000  # pictures in one gallery; all of them are in memory
PORTION = 8  # pictures that are drawn together
DRAWING = 0.9  # of the time; the rest is looking at them
WITHOUT_FACE = "No face was found in this picture; draw another one."
LIKE_KNOWN = (
    "This face resembles one that the weights were trained on: its cosine is {:.2f}, and only one real stranger in "
    "twenty reaches {:.2f}. Draw another one."
)


@dataclass(frozen=True, eq=False)
class Portrait:
    """One generated picture.

    Attributes:
        photo: the picture, marked as synthetic; recipe: draws it again, with its own seed and person.
        face: the face found in it; None when there is none.
        similarity, verdicts, summary: its face compared with the photo's, as of a restored face; empty and None without a photo.
        identities: of its face, by embedder; empty without a face.
        person: the identity that the method was given; None for anybody.
        nearest_known: the cosine of the face to the most similar training face, and the cosine that one real stranger in twenty
            reaches (`IdentitySpace.near_known`); None when these are not known.
    """

    photo: Photo
    recipe: Recipe
    face: Face | None
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None
    identities: Mapping[str, Identity] = field(default_factory=dict)
    person: Identity | None = None
    nearest_known: tuple[float, float] | None = None

    @property
    def note(self) -> str:
        """A sentence that a person should read beside the picture, or ""."""
        if self.face is None:
            return WITHOUT_FACE
        if self.nearest_known is not None and self.nearest_known[0] >= self.nearest_known[1]:
            return LIKE_KNOWN.format(*self.nearest_known)
        return ""


@dataclass(frozen=True, eq=False)
class Gallery:
    """Pictures generated together, in `seconds`: of the `face` in `source`, or (None) of people who do not exist."""

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
    space: IdentitySpace | None = None,
    person: Who | None = None,
    plan: Sequence[Shot] | None = None,
    options: Any = None,
    seed: int = 0,
    progress: Progress | None = None,
    far: float = 1e-3,
    done: Callable[[Portrait], None] = lambda portrait: None,
    looked_at: bool = True,
    pose: Photo | None = None,
) -> Gallery:
    """Make `count` pictures: of the face in `source`, or of people who do not exist.

    Args:
        listener: the embedder that the method is conditioned on; finder: of landmarks. Both are needed only with a source.
        embedders: measure the pictures; those the method is conditioned on do not judge. panel: sums up what they say.
        space: people who do not exist, for this method. Without it the method draws anybody, and `person` must be None.
        person: who is on all pictures; None: each shows the person of its own seed.
        plan: seed and person of each picture, instead of `seed` and `person`; not with a source.
        seed: of the first picture; each further picture has the next number, so that any of them can be drawn again alone.
        done: called with each picture as it is finished, on the thread that computes.
        looked_at: whether to find and measure faces; a draft is only shown.
        pose: a pose picture (faces/normals.py), for a method that is `Posed`.

    UsageError for a count outside 1 to `MOST`, an option that is not allowed, or a pose picture that is not one or that the
    method cannot use; errors as of `IdentitySpace.of`.
    """
    started = time.perf_counter()
    progress = progress or Progress()
    if not 1 <= count <= MOST:
        raise UsageError(f"The count is 1 to {MOST}, not {count}.")
    options = synthesizer.Options() if options is None else options
    validate(options)
    plan = shots(seed, count, person) if plan is None else plan
    if len(plan) != count or (source is not None and any(shot.who is not None for shot in plan)):
        raise ValueError("a plan names every picture, and nobody where a photo does")
    recipe = Recipe(synthesizer.checkpoint.id, synthesizer.id, asdict(options), plan[0].seed, person=person)
    recipe = replace(recipe, sliders=getattr(synthesizer, "moved", {}))  # of methods/moving.py
    wished = Wish()
    if pose is not None:
        if not isinstance(synthesizer, Posed):
            raise UsageError(f"{synthesizer.checkpoint.id} cannot be shown a pose picture.")
        wished = Wish(pose=normals(pose))
        recipe = replace(recipe, pose=pose.content_hash)
    if source is not None:
        if listener is None or listener.id != synthesizer.embedder:
            raise ValueError(f"{synthesizer.id} listens to {synthesizer.embedder}")
        held = finder if getattr(options, "hold_pose", False) else None
        wished = replace(_wish(*source, synthesizer, listener, held), pose=wished.pose)
        recipe = replace(recipe, reference=source[0].content_hash)
    else:
        plan = [_settled(shot, space) for shot in plan]
    judges = _Judges(embedders, synthesizer, source, panel, space, far)
    portraits: list[Portrait] = []
    for some in progress.track(_portions(plan), "Drawing faces"):
        wishes = _wishes(some, wished, space)
        seeds = [shot.seed for shot in some]
        with progress.step("Drawing faces", share=DRAWING):
            one = wishes[0] if all(wish is wishes[0] for wish in wishes) else None
            pictures = synthesizer(one or wishes, seeds, options, progress)
        drawn = list(zip(pictures, some, wishes, strict=True))
        for pixels, shot, wish in progress.track(drawn, "Looking at the pictures"):
            photo = replace(Photo.from_pixels(pixels), synthetic=True)
            face = next(iter(detector.detect(photo, progress)), None) if looked_at else None
            made = replace(recipe, seed=shot.seed, person=shot.who)
            portraits.append(judges.look(Portrait(photo, made, face, {}, {}, person=wish.identity)))
            done(portraits[-1])
    photo_of_source, face_of_source = source or (None, None)
    return Gallery(tuple(portraits), photo_of_source, face_of_source, recipe, time.perf_counter() - started)


def _settled(shot: Shot, space: IdentitySpace | None) -> Shot:
    """`shot` with a person, where there is a space to draw from; UsageError where one is named that cannot be drawn."""
    if shot.who is None:
        return replace(shot, who=None if space is None else Drawn(shot.seed))
    if space is None and not isinstance(shot.who, Anybody):
        raise UsageError("This method cannot draw a person who does not exist.", hint="Use the starter weights.")
    return shot


def _portions(plan: Sequence[Shot]) -> list[list[Shot]]:
    """What is drawn together: up to `PORTION` pictures in a row, where somebody is told for all or for none."""
    found = []
    for _, group in itertools.groupby(plan, lambda shot: shot.who is None or isinstance(shot.who, Anybody)):
        alike = list(group)
        found += [alike[start : start + PORTION] for start in range(0, len(alike), PORTION)]
    return found


def _wishes(some: Sequence[Shot], wished: Wish, space: IdentitySpace | None) -> list[Wish]:
    """The wish of each picture; `wished` is what a photo says, or nothing. Those of one person are the same object."""
    made: dict[Who, Wish] = {}
    for shot in some:
        if space is not None and shot.who is not None and shot.who not in made:
            made[shot.who] = replace(wished, identity=space.of(shot.who))
    return [wished if shot.who is None else made.get(shot.who, wished) for shot in some]


def _wish(
    photo: Photo, face: Face, synthesizer: Synthesizer, listener: Embedder, finder: LandmarkFinder | None
) -> Wish:
    """Who `face` is to `listener`, and with a `finder` where its features are in the method's crop."""
    landmarks = None
    if finder is not None:
        matrix = align(photo, face, synthesizer.template).matrix
        landmarks = transform(matrix, finder.find(photo, face)).astype(np.float32)
    return Wish(listener.embed(photo.pixels, face.landmarks), landmarks)


class _Judges:
    """Measures pictures: who is on them, and with a source whether that is its person."""

    def __init__(
        self,
        embedders: Sequence[Embedder],
        synthesizer: Synthesizer,
        source: tuple[Photo, Face] | None,
        panel: Panel | None,
        space: IdentitySpace | None,
        far: float,
    ) -> None:
        told = synthesizer.checkpoint.conditioned_on
        self._embedders, self._source, self._panel, self._space, self._far = embedders, source, panel, space, far
        self._judges = [embedder for embedder in embedders if embedder.id not in told]
        shown = [] if source is None else self._judges
        self._known = {one.id: one.embed(source[0].pixels, source[1].landmarks) for one in shown if source is not None}

    def look(self, portrait: Portrait) -> Portrait:
        """`portrait` with all that is measured of its face."""
        face = portrait.face
        if face is None:
            return portrait
        identities = {one.id: one.embed(portrait.photo.pixels, face.landmarks) for one in self._embedders}
        nearest = None
        if self._space is not None and self._space.embedder in identities:
            nearest = self._space.nearest_known(identities[self._space.embedder]), self._space.near_known
        found = replace(portrait, identities=identities, nearest_known=nearest)
        if self._source is None:
            return found
        verdicts, summary = self._compared(self._source, (portrait.photo, face), identities)
        return replace(
            found, similarity={name: v.cosine for name, v in verdicts.items()}, verdicts=verdicts, summary=summary
        )

    def _compared(
        self, source: tuple[Photo, Face], made: tuple[Photo, Face], identities: Mapping[str, Identity]
    ) -> tuple[dict[str, Verdict], Summary | None]:
        verdicts = {}
        for judge in self._judges:
            cosine = similarity(self._known[judge.id], identities[judge.id])
            verdicts[judge.id] = verdict(cosine, judge.checkpoint, far=self._far)
        quality = None
        if self._panel is not None and verdicts:
            (of_source,), (of_made,) = (self._panel.quality(p.pixels, f.landmarks[None]) for p, f in (source, made))
            quality = (of_source, of_made)
        summary = summarise(verdicts, quality, self._panel, ("the face in the photo", "the face that was made"))
        return (summary.by_embedder if summary else {}), summary
