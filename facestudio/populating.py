"""The story of a person who does not exist and has several pictures: drawn, looked at, drawn again where they show somebody else.

    people   = space.draw_apart(count, seed)                  faces/people.py: each apart from the others
    pictures = synthesizer(wish of the person, seeds, ...)    methods/
    judged   = cosines of a person's pictures to each other   faces/identity.py

A picture shows its person when by every judge it is like at least half of the person's other pictures. One that does not, or in
which no face is found, is drawn again from another seed, and at last kept as it is and marked. The embedder that the method
listens to does not judge. Who is drawn depends on the seed and the person's number alone, so machines that share the work need
not talk. The sibling of `generating`; knows no files.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from facestudio.errors import UsageError
from facestudio.faces.calibration import threshold_at
from facestudio.faces.detect import Detector
from facestudio.faces.face import Face, Identity
from facestudio.faces.identity import Embedder
from facestudio.faces.people import IdentitySpace
from facestudio.generating import DRAWING, PORTION
from facestudio.methods.base import Synthesizer, Wish
from facestudio.photo import Photo
from facestudio.progress import Progress

MOST_PEOPLE, MOST_PICTURES = 100_000, 1000  # of a dataset, and of a person, whose pictures all lie in memory
FIRST_TRY = 0.8  # of a person's time, as far as progress can know beforehand
NO_FACE = "No face was found in it."
SOMEBODY_ELSE = "It resembles fewer than half of this person's other pictures."


@dataclass(frozen=True, eq=False)
class Nobody:
    """A person who does not exist.

    Attributes:
        number: 1 is the first of the dataset. identity: who, to the embedder that the method listens to.
        anew: 0 for who was planned, else which of those who may come in that place (`Successors`).
        unusual: distance from the middle of real people, 1 is as far as nine in ten of them.
        nearest_known: cosine to the training person that is most like them.
    """

    number: int
    identity: Identity
    unusual: float
    nearest_known: float
    anew: int = 0


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a person.

    Attributes:
        photo: marked as synthetic; seed: what it was drawn from; tries: how often this picture was drawn.
        face: the largest that was found; None when none was. identities: of that face, by judge.
        typical: the cosine that half of the person's other pictures reach, by judge; empty without a face, or without others.
        note: why it is marked, as a sentence; "" when it shows its person.
        attributes: what the face looks like, by name; empty without a face, or where nothing is read.
    """

    photo: Photo
    seed: int
    tries: int
    face: Face | None
    identities: Mapping[str, Identity]
    typical: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Person:
    """A person with pictures, and what it took.

    Attributes:
        first_faces: in how many of the pictures a face was found at the first try; first_pairs: by judge, how many pairs of
            these were above the threshold, and how many there were. seconds: of drawing and judging.
    """

    nobody: Nobody
    pictures: tuple[Picture, ...]
    first_faces: int
    first_pairs: Mapping[str, tuple[int, int]]
    seconds: float


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        people: number of people; pictures: pictures of each. seed: of the whole dataset.
        vary: how far each picture's identity is from the person's, as 1 - cosine. tries: how often a picture is drawn at most.
        apart: whether a person whose pictures look too much like others' is replaced.

    UsageError when a number is out of range.
    """

    people: int
    pictures: int
    seed: int = 0
    vary: float = 0.0
    tries: int = 3
    apart: bool = True

    def __post_init__(self) -> None:
        for name, value, most in (
            ("number of people", self.people, MOST_PEOPLE),
            ("number of pictures of a person", self.pictures, MOST_PICTURES),
            ("number of tries", self.tries, 100),
        ):
            if not 1 <= value <= most:
                raise UsageError(f"The {name} is 1 to {most}, not {value}.")
        if not 0 <= self.vary <= 0.5:
            raise UsageError(f"A person's pictures may vary by 0 to 0.5, not {self.vary:g}.")


def plan(space: IdentitySpace, order: Order, progress: Progress | None = None) -> list[Nobody]:
    """All people of the dataset, each clearly different from the others; asking for more adds to the end of the same list."""
    progress = progress or Progress()
    with progress.step("Planning people"):
        identities = space.draw_apart(order.people, order.seed, progress=progress)
        return [
            Nobody(number, identity, space.unusual(identity), space.nearest_known(identity))
            for number, identity in enumerate(progress.track(identities, "Planning people"), 1)
        ]


class Successors:
    """Who may replace a planned person: a list for each person's number (from 1), the same on every machine."""

    def __init__(self, space: IdentitySpace, seed: int) -> None:
        self._space, self._seed = space, seed

    def of(self, number: int) -> Iterator[tuple[int, Identity]]:
        """The candidates for person `number`, in order; whether they differ enough from others is not checked here."""
        return enumerate(self._space.people(np.random.SeedSequence([self._seed, number], spawn_key=(1,))), 1)

    def identity(self, number: int, anew: int) -> Identity | None:
        """The candidate with the place `anew` in the list; None when there is none."""
        return next((identity for place, identity in self.of(number) if place == anew), None)

    def nobody(self, number: int, anew: int, identity: Identity) -> Nobody:
        """That candidate as a Nobody, who can be drawn."""
        return Nobody(number, identity, self._space.unusual(identity), self._space.nearest_known(identity), anew)


def seed_of(seed: int, number: int, place: int, attempt: int, anew: int = 0) -> int:
    """The seed of one picture of a dataset, below 2^53 so that a spreadsheet keeps it exactly.

    Args:
        seed: of the dataset. number: of the person, from 1. place: of the picture, from 0. attempt: the try, from 0.
        anew: 0 for the planned person, else the candidate's place in `Successors.of`.
    """
    sequence = np.random.SeedSequence([seed, number, place, attempt], spawn_key=(anew,) if anew else ())
    return int(sequence.generate_state(1, np.uint64)[0]) >> 11


class Painter:
    """Draws people with `synthesizer` and has `judges` check them; the synthesizer must not be conditioned on any judge.

    Args:
        space: for variations of a person. options: of the method. far: the false accept rate of the judges' thresholds.
        read: attributes of a face in pixels (H, W, 3) uint8 RGB, by name; only reported.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        space: IdentitySpace,
        detector: Detector,
        judges: Sequence[Embedder],
        options: Any,
        order: Order,
        far: float = 1e-3,
        read: Callable[[np.ndarray, Face], Mapping[str, float]] = lambda pixels, face: {},
    ) -> None:
        told = [
            judge.id for judge in judges if judge.id in (synthesizer.embedder, *synthesizer.checkpoint.conditioned_on)
        ]
        if told or not judges:
            raise ValueError(f"{synthesizer.id} needs judges that it does not listen to, not {told}")
        self._synthesizer, self._space, self._detector = synthesizer, space, detector
        self._judges, self._options, self.order, self._read = judges, options, order, read
        self.successors = Successors(space, order.seed)
        self.strangers = space.strangers
        self.thresholds = {j.id: threshold_at(j.checkpoint.calibration, far, j.id) for j in judges}

    def paint(
        self, nobody: Nobody, progress: Progress | None = None, drawn: Callable[[], None] = lambda: None
    ) -> Person:
        """Draw all pictures of `nobody`; `drawn` is called after each first attempt at a picture."""
        progress = progress or Progress()
        started = time.perf_counter()
        order = self.order
        places = list(range(order.pictures))
        pictures = self._first(nobody, places, progress, drawn)
        first_faces = sum(picture.face is not None for picture in pictures)
        first_pairs = {judge: self._above(pictures, judge) for judge in self.thresholds}
        for attempt in range(1, order.tries):
            marked = [place for place in places if self._judged(pictures, place).note]
            if not marked:
                break
            with progress.step("Drawing again", share=(1 - FIRST_TRY) / (order.tries - 1)):
                others = self._draw(nobody, marked, attempt, progress)
            for place, other in zip(marked, others, strict=True):
                tried = [*pictures[:place], other, *pictures[place + 1 :]]
                better = self._margin(tried, place) > self._margin(pictures, place)
                pictures = tried if better else pictures
                pictures[place] = replace(pictures[place], tries=attempt + 1)
        judged = tuple(self._judged(pictures, place) for place in places)
        return Person(nobody, judged, first_faces, first_pairs, time.perf_counter() - started)

    def _first(
        self, nobody: Nobody, places: Sequence[int], progress: Progress, drawn: Callable[[], None]
    ) -> list[Picture]:
        share = None if self.order.tries == 1 else FIRST_TRY
        with progress.step("Drawing people", share=share):
            return self._draw(nobody, places, 0, progress, drawn)

    def _draw(
        self,
        nobody: Nobody,
        places: Sequence[int],
        attempt: int,
        progress: Progress,
        drawn: Callable[[], None] = lambda: None,
    ) -> list[Picture]:
        """Draw the pictures at `places`, without judging them."""
        order = self.order
        made: list[Picture] = []
        portion = 1 if order.vary else PORTION  # of pictures of one and the same identity
        stage = "Drawing again" if attempt else "Drawing people"
        for start in progress.track(range(0, len(places), portion), stage):
            seeds = [
                seed_of(order.seed, nobody.number, place, attempt, nobody.anew)
                for place in places[start : start + portion]
            ]
            identity = self._space.near(nobody.identity, order.vary, seeds[0]) if order.vary else nobody.identity
            with progress.step(stage, share=DRAWING):
                pixels = self._synthesizer(Wish(identity), seeds, self._options, progress)
            for of_one, seed in progress.track(list(zip(pixels, seeds, strict=True)), "Looking at the pictures"):
                made.append(self._seen(of_one, seed, progress))
                drawn()
        return made

    def _seen(self, pixels: np.ndarray, seed: int, progress: Progress) -> Picture:
        photo = replace(Photo.from_pixels(pixels), synthetic=True)
        face = next(iter(self._detector.detect(photo, progress)), None)
        if face is None:
            return Picture(photo, seed, 1, None, {})
        identities = {judge.id: judge.embed(photo.pixels, face.landmarks) for judge in self._judges}
        return Picture(photo, seed, 1, face, identities, attributes=self._read(photo.pixels, face))

    def _judged(self, pictures: Sequence[Picture], place: int) -> Picture:
        """The picture at `place` with the judges' verdict: does it show the same person as the others?"""
        picture = pictures[place]
        if picture.face is None:
            return replace(picture, typical={}, note=NO_FACE)
        typical = self._typical(pictures, place)
        strange = any(cosine < self.thresholds[judge] for judge, cosine in typical.items())
        return replace(picture, typical=typical, note=SOMEBODY_ELSE if strange else "")

    def _typical(self, pictures: Sequence[Picture], place: int) -> dict[str, float]:
        """For each judge, the median cosine between the picture at `place` and the others; empty when there are no others."""
        others = [other for n, other in enumerate(pictures) if n != place and other.face is not None]
        if not others:
            return {}
        return {
            judge: sorted(float(of.embedding @ other.identities[judge].embedding) for other in others)[len(others) // 2]
            for judge, of in pictures[place].identities.items()
        }

    def _margin(self, pictures: Sequence[Picture], place: int) -> tuple[bool, float]:
        """How good the picture at `place` is; a larger tuple is better."""
        typical = self._typical(pictures, place)
        margins = [cosine - self.thresholds[judge] for judge, cosine in typical.items()]
        return pictures[place].face is not None, min(margins, default=0.0)

    def _above(self, pictures: Sequence[Picture], judge: str) -> tuple[int, int]:
        """How many pairs of `pictures` are at or above the threshold of `judge`, and how many there are."""
        vectors = [picture.identities[judge].embedding for picture in pictures if picture.face is not None]
        if len(vectors) < 2:
            return 0, 0
        stacked = np.stack(vectors)
        cosines = (stacked @ stacked.T)[np.triu_indices(len(vectors), 1)]
        return int((cosines >= self.thresholds[judge]).sum()), len(cosines)
