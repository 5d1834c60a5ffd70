"""What is tried on a face that is to be anonymized: the method, each time with another seed or stronger, then what hides it.

Separate from `anonymizing`, which tries and judges, because a review (`reviewing`) tries other things on a face than a first run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from facestudio.anonymized import Try
from facestudio.faces.paste import soft_mask
from facestudio.faces.verifying import Finding
from facestudio.methods.base import Anonymizer, Masked, Obscurer, Strengthening
from facestudio.photo import Photo
from facestudio.pipeline import face_seed


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
) -> Iterator[Step]:
    """What is tried on a face, one after the other: `tries` times the anonymizer, then the fallback, each time stronger.

    `first`: how many tries there were before; the seeds go on behind theirs.
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
    if fallback is not None and fallback.id != anonymizer.id:
        yield from hiding_steps(fallback)


def hiding_steps(fallback: Obscurer) -> Iterator[Step]:
    """The fallback, each time stronger."""
    options = fallback.Options()
    while options is not None:
        yield Step(fallback, options, 0, True)
        options = fallback.stronger(options)


@dataclass(frozen=True)
class Wanted:
    """What is wanted of one face.

    Attributes:
        steps: what is tried, one after the other; without any the face is left as the photo shows it.
        earlier: what was tried before. decisions: of a person, as of AnonymizedFace; the last may be to leave the face as it is.
        shown: an earlier result whose face the first step does not make again; None: it makes it.
        conditioned_on: embedders that must not judge, because what is shown listened to them. person: token of the pseudonym that
            is shown, "" without one.
    """

    steps: Iterable[Step]
    earlier: tuple[Try, ...] = ()
    decisions: tuple[str, ...] = ()
    shown: Photo | None = None
    conditioned_on: tuple[str, ...] = ()
    person: str = ""
