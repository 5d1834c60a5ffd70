"""What is tried on a face that is to be anonymized: the method, each time with another seed or stronger, then what hides it.

Separate from `anonymizing`, which tries and judges, because a review (`reviewing`) tries other things on a face than a first run.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from facestudio.anonymized import HIDDEN, Try
from facestudio.errors import UsageError
from facestudio.faces.face import Face
from facestudio.faces.paste import soft_mask
from facestudio.faces.verifying import Finding
from facestudio.methods.base import Anonymizer, Masked, Obscurer, Strengthening
from facestudio.photo import Photo
from facestudio.pipeline import face_seed
from facestudio.recipe import Recipe
from facestudio.subject import check_there

TINY = 32.0  # px of a box's width; of faces of 9 to 25 px some were known in the photo that were not in the crop

Box = np.ndarray | Sequence[float]  # left, top, right, bottom in px


@dataclass(frozen=True)
class Step:
    """One thing to try on a face."""

    method: Anonymizer
    options: Any
    seed: int
    last_resort: bool
    another: bool = False  # whether the face may become somebody else than before, where it has a pseudonym

    @property
    def obscurer(self) -> Obscurer | None:
        return self.method if isinstance(self.method, Obscurer) else None

    @property
    def erases(self) -> bool:
        return self.obscurer is not None and self.obscurer.erases

    @property
    def strongest(self) -> bool:
        """Whether the method has nothing stronger, or no such thing as strength."""
        return not isinstance(self.method, Strengthening) or self.method.stronger(self.options) is None

    def anew(self, number: int) -> Step:
        """The same with another seed; `number` counts from 1."""
        sequence = np.random.SeedSequence([self.seed, number])
        return replace(self, seed=int(sequence.generate_state(1, np.uint64)[0]) >> 1, another=True)

    @property
    def mask(self) -> np.ndarray:
        method = self.method
        return method.mask(self.options) if isinstance(method, Masked) else soft_mask(method.template.size)

    def passes(self, finding: Finding) -> bool:
        """Whether what was found is enough: no judge knows the face, or nobody could ever, and nothing of it is left."""
        return finding.changed or (self.erases and finding.judged and not finding.known_before)


def _hiding_steps(
    fallback: Obscurer, eraser: Obscurer | None = None, tried: Anonymizer | None = None
) -> Iterator[Step]:
    """The fallback, each time stronger, then the `eraser` where the fallback leaves something of a face; neither of them if it is
    the method that was `tried` before."""
    last = eraser if eraser is not None and not fallback.erases else None
    for method in (fallback, last):
        if (
            method is not None
            and (tried is None or method.id != tried.id)
            and (method is fallback or method.id != fallback.id)
        ):
            options = method.Options()
            while options is not None:
                yield Step(method, options, 0, True)
                options = method.stronger(options)


def is_tiny(box: Box) -> bool:
    """Whether a face with this `box` (left, top, right, bottom in px) may look at photo size as before though it is changed.

    What a mosaic, a blur or another face changes in the crop is finer than the photo's pixels there, and averages out when it is
    laid back. Only a block surely hides such a face.
    """
    return float(box[2] - box[0]) <= TINY


@dataclass(frozen=True)
class Wanted:
    """What is wanted of one face.

    Attributes:
        steps: what is tried, one after the other; without any the face is left as the photo shows it.
        earlier: what was tried before. decisions: of a person, as of AnonymizedFace; the last may be to leave the face as it is.
        shown: an earlier result whose face the first step does not make again; None: it makes it.
        person: token of the pseudonym that is shown, "" without one.
    """

    steps: Iterable[Step]
    earlier: tuple[Try, ...] = ()
    decisions: tuple[str, ...] = ()
    shown: Photo | None = None
    person: str = ""


@dataclass(frozen=True, eq=False)
class Resort:
    """What is done where a try is not enough; UsageError for less than one try.

    Attributes:
        tries: how often a face is tried. fallback: hides a face that was not verified after that; None leaves it to review.
        eraser: hides a tiny face (`is_tiny`) of which the fallback leaves something, and one that a person wants hidden.
    """

    tries: int = 4
    fallback: Obscurer | None = None
    eraser: Obscurer | None = None

    def __post_init__(self) -> None:
        if self.tries < 1:
            raise UsageError(f"A face is tried at least once, not {self.tries} times.")

    def hiding(self, box: Box, tried: Anonymizer | None = None) -> Iterator[Step]:
        """What hides a face with this `box` after all, but for the method that was `tried` before."""
        if self.fallback is None:
            return iter(())
        return _hiding_steps(self.fallback, self.eraser if is_tiny(box) else None, tried)

    def erasing(self) -> Iterator[Step]:
        """What hides a face because a person wants it hidden."""
        if self.eraser is None:
            raise ValueError("there is nothing that hides a face for certain")
        return _hiding_steps(self.eraser)


@dataclass(frozen=True, eq=False)
class Treatment:
    """How faces are changed: by a loaded `method` with its `options`, and by the `resort` where that is not enough.

    `seed`: with the photo's content, the face's index and the number of the try it fixes all randomness.
    """

    method: Anonymizer
    options: Any
    seed: int = 0
    resort: Resort = field(default_factory=Resort)

    def steps(self, photo: Photo, index: int, box: Box, first: int = 0) -> Iterator[Step]:
        """What is tried on a face, one after the other: so many times the method, then the fallback, each time stronger.

        `first`: how many tries there were before; the seeds go on behind theirs.
        """
        method, options, another = self.method, self.options, False
        for attempt in range(first, first + self.resort.tries):
            chance = face_seed(photo, index, self.seed if not attempt else (self.seed << 8) + attempt)
            yield Step(method, options, chance, False, another)
            more = method.stronger(options) if isinstance(method, Strengthening) else None
            if more is not None:
                options = more
            elif isinstance(method, Obscurer):
                break  # the same once more would come out the same; a generator has another seed
            else:
                another = True
        yield from self.resort.hiding(box, method)

    @property
    def recipe(self) -> Recipe:
        """What is to be done, as results carry it."""
        return Recipe(self.method.checkpoint.id, self.method.id, asdict(self.options), self.seed)


@dataclass(frozen=True, eq=False)
class Choice:
    """What is to be done with the faces of a photo, by their indices.

    Attributes:
        selected: those that are changed; None: all.
        leave: the others are left as they are by somebody who knows of them; else the photo needs review.
        insisted: of faces that a person added or wanted hidden in an earlier result, which of both (ADDED or HIDDEN).
        decided: of a photo that was done before, what is wanted of each instead; see `reviewing`.
    """

    selected: Collection[int] | None = None
    leave: bool = False
    insisted: Mapping[int, str] = field(default_factory=dict)
    decided: Mapping[int, Wanted] = field(default_factory=dict)

    def wanted(self, treatment: Treatment, photo: Photo, faces: Sequence[Face]) -> dict[int, Wanted]:
        """What is wanted of the chosen `faces`, by index, in order; UsageError for one that does not exist."""
        chosen = range(len(faces)) if self.selected is None else sorted(set(self.selected))
        check_there(chosen, faces)
        return {n: self.decided.get(n) or self._usual(treatment, photo, n, faces[n].box) for n in chosen}

    def _usual(self, treatment: Treatment, photo: Photo, index: int, box: Box) -> Wanted:
        decision = self.insisted.get(index, "")
        steps = treatment.resort.erasing() if decision == HIDDEN else treatment.steps(photo, index, box)
        return Wanted(steps, decisions=(decision,) if decision else ())
