"""What is tried on a face that is to be anonymized: the method, each time with another seed or stronger, then what hides it.

Separate from `anonymizing`, which tries and judges, because a review (`reviewing`) tries other things on a face than a first run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facestudio.anonymized import Try
from facestudio.faces.paste import soft_mask
from facestudio.faces.verifying import Finding
from facestudio.methods.base import Anonymizer, Masked, Obscurer, Strengthening
from facestudio.photo import Photo
from facestudio.pipeline import face_seed

TINY = 32.0  # px of a box's width; of faces of 9 to 25 px some were known in the photo that were not in the crop


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


def steps_of(
    photo: Photo,
    index: int,
    anonymizer: Anonymizer,
    options: Any,
    seed: int,
    tries: int,
    fallback: Obscurer | None,
    first: int = 0,
    eraser: Obscurer | None = None,
) -> Iterator[Step]:
    """What is tried on a face, one after the other: `tries` times the anonymizer, then the fallback, each time stronger.

    `first`: how many tries there were before; the seeds go on behind theirs. `eraser`: as of `hiding_steps`.
    """
    another = False
    for attempt in range(first, first + tries):
        chance = face_seed(photo, index, seed if not attempt else (seed << 8) + attempt)
        yield Step(anonymizer, options, chance, False, another)
        more = anonymizer.stronger(options) if isinstance(anonymizer, Strengthening) else None
        if more is not None:
            options = more
        elif isinstance(anonymizer, Obscurer):
            break  # the same once more would come out the same; a generator has another seed
        else:
            another = True
    if fallback is not None:
        yield from hiding_steps(fallback, eraser, anonymizer)


def hiding_steps(fallback: Obscurer, eraser: Obscurer | None = None, tried: Anonymizer | None = None) -> Iterator[Step]:
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


def is_tiny(box: np.ndarray | Sequence[float]) -> bool:
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
