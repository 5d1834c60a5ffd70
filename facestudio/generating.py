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
from facestudio.faces.judging import Judges
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.normals import normals
from facestudio.faces.panel import Summary, summarise
from facestudio.faces.people import IdentitySpace
from facestudio.methods.base import Drafting, Posed, Synthesizer, Wish
from facestudio.options import options_of
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


@dataclass(frozen=True, eq=False)
class Commission:
    """Which pictures are to be made.

    Attributes:
        count: how many, 1 to `MOST`. source: a photo and the face in it that they show; None: people who do not exist.
        plan: seed and person of each picture, instead of those of the recipe; not with a source.
        pose: a pose picture (faces/normals.py), for a method that is `Posed`.
        draft: they are only shown, so no face is looked for in them.
    """

    count: int
    source: tuple[Photo, Face] | None = None
    plan: Sequence[Shot] | None = None
    pose: Photo | None = None
    draft: bool = False

    def shows_anybody(self, recipe: Recipe) -> bool:
        """Whether the method is told nobody for some of the pictures."""
        asked = (recipe.person, *(shot.who for shot in self.plan or ()))
        return self.source is None and any(isinstance(who, Anybody) for who in asked)

    def shots(self, recipe: Recipe) -> Sequence[Shot]:
        """Seed and person of each picture; UsageError for another count than there can be."""
        if not 1 <= self.count <= MOST:
            raise UsageError(f"The count is 1 to {MOST}, not {self.count}.")
        person = None if self.source is not None else recipe.person
        plan = shots(recipe.seed, self.count, person) if self.plan is None else self.plan
        if len(plan) != self.count or (self.source is not None and any(shot.who is not None for shot in plan)):
            raise ValueError("a plan names every picture, and nobody where a photo does")
        return plan


@dataclass(frozen=True, eq=False)
class Easel:
    """What pictures are made with.

    Attributes:
        synthesizer: the method. detector: finds the face in a picture.
        listener: the embedder that the method is conditioned on; finder: of landmarks. Both are needed only with a source.
        space: people who do not exist, for this method. Without it the method draws anybody, and no person can be asked for.
    """

    synthesizer: Synthesizer
    detector: Detector
    listener: Embedder | None = None
    finder: LandmarkFinder | None = None
    space: IdentitySpace | None = None

    def wish(self, commission: Commission, options: Any) -> Wish:
        """What all pictures of the `commission` have in common; UsageError when the method cannot use its pose picture."""
        wished = Wish()
        if commission.pose is not None:
            if not isinstance(self.synthesizer, Posed):
                raise UsageError(f"{self.synthesizer.checkpoint.id} cannot be shown a pose picture.")
            wished = Wish(pose=normals(commission.pose))
        if commission.source is None:
            return wished
        if self.listener is None or self.listener.id != self.synthesizer.embedder:
            raise ValueError(f"{self.synthesizer.id} listens to {self.synthesizer.embedder}")
        held = self.finder if getattr(options, "hold_pose", False) else None
        return replace(_wish(*commission.source, self.synthesizer, self.listener, held), pose=wished.pose)


def generate(
    easel: Easel,
    recipe: Recipe,
    commission: Commission,
    judges: Judges | None = None,
    progress: Progress | None = None,
    done: Callable[[Portrait], None] = lambda portrait: None,
) -> Gallery:
    """Make the pictures of the `commission`.

    Args:
        recipe: the options; the seed of the first picture, after which each has the next number, so that any of them can be drawn
            again alone; and who is on all of them (None: each shows the person of its own seed).
        judges: measure the pictures; those the method is conditioned on do not judge.
        done: called with each picture as it is finished, on the thread that computes.

    UsageError for a count that cannot be, an option that is not allowed, or a pose picture that is not one or that the method
    cannot use; errors as of `IdentitySpace.of`.
    """
    started = time.perf_counter()
    progress, synthesizer, source = progress or Progress(), easel.synthesizer, commission.source
    plan = commission.shots(recipe)
    options = options_of(synthesizer.Options, recipe.options)
    wished = easel.wish(commission, options)
    if source is None:
        plan = [_settled(shot, easel.space) for shot in plan]
    recipe = _done_by(synthesizer, options, commission, plan[0].seed, recipe.person)
    looking = _Looking(judges or Judges(), easel, source)
    portraits: list[Portrait] = []
    for some in progress.track(_portions(plan), "Drawing faces"):
        wishes = _wishes(some, wished, easel.space)
        seeds = [shot.seed for shot in some]
        with progress.step("Drawing faces", share=DRAWING):
            one = wishes[0] if all(wish is wishes[0] for wish in wishes) else None
            pictures = synthesizer(one or wishes, seeds, options, progress)
        drawn = list(zip(pictures, some, wishes, strict=True))
        for pixels, shot, wish in progress.track(drawn, "Looking at the pictures"):
            photo = replace(Photo.from_pixels(pixels), synthetic=True)
            face = None if commission.draft else next(iter(easel.detector.detect(photo, progress)), None)
            made = replace(recipe, seed=shot.seed, person=shot.who)
            portraits.append(looking.at(Portrait(photo, made, face, {}, {}, person=wish.identity)))
            done(portraits[-1])
    photo_of_source, face_of_source = source or (None, None)
    return Gallery(tuple(portraits), photo_of_source, face_of_source, recipe, time.perf_counter() - started)


def drafted(recipe: Recipe, synthesizer: Synthesizer) -> Recipe:
    """`recipe` with options by which the method draws quickly, if it can."""
    if not isinstance(synthesizer, Drafting):
        return recipe
    return replace(recipe, options=asdict(synthesizer.draft(options_of(synthesizer.Options, recipe.options))))


def _done_by(synthesizer: Synthesizer, options: Any, commission: Commission, seed: int, person: Who | None) -> Recipe:
    """The recipe of the pictures: all options, and what really was to be seen in them."""
    return Recipe(
        synthesizer.checkpoint.id,
        synthesizer.id,
        asdict(options),
        seed,
        person=person if commission.source is None else None,
        sliders=getattr(synthesizer, "moved", {}),  # of methods/moving.py
        pose="" if commission.pose is None else commission.pose.content_hash,
        reference="" if commission.source is None else commission.source[0].content_hash,
    )


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


class _Looking:
    """Measures pictures: who is on them, and with a source whether that is its person."""

    def __init__(self, judges: Judges, easel: Easel, source: tuple[Photo, Face] | None) -> None:
        self._judges, self._space, self._source = judges, easel.space, source
        self._judging = judges.without(easel.synthesizer.checkpoint.conditioned_on)
        shown = [] if source is None else self._judging
        self._known = {one.id: one.embed(source[0].pixels, source[1].landmarks) for one in shown if source is not None}

    def at(self, portrait: Portrait) -> Portrait:
        """`portrait` with all that is measured of its face."""
        face = portrait.face
        if face is None:
            return portrait
        identities = {one.id: one.embed(portrait.photo.pixels, face.landmarks) for one in self._judges.embedders}
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
        for judge in self._judging:
            cosine = similarity(self._known[judge.id], identities[judge.id])
            verdicts[judge.id] = verdict(cosine, judge.checkpoint, far=self._judges.far)
        quality = None
        panel = self._judges.panel
        if panel is not None and verdicts:
            (of_source,), (of_made,) = (panel.quality(p.pixels, f.landmarks[None]) for p, f in (source, made))
            quality = (of_source, of_made)
        summary = summarise(verdicts, quality, panel, ("the face in the photo", "the face that was made"))
        return (summary.by_embedder if summary else {}), summary
