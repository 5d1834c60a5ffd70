"""What somebody who has the results, the program and the weights can find out of five faces that we drew ourselves.

Each attack is first let loose on something weak, where it must succeed: else it would prove nothing that it fails elsewhere. What
attackers can and cannot do is told in docs/anonymization-attacks.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest

from facestudio.anonymize_settings import Effort
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import FFHQ_256, FFHQ_512, AlignedFace, Face
from facestudio.methods.base import Wish
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio

COUNT = 5  # by chance one of them is guessed; three or more by one guesser in 17, four or more by one in 150
FACE = Face((40, 40, 216, 230), FFHQ_256.points)  # type: ignore[arg-type]
REDRAW: dict[str, Any] = {"steps": 4, "change": 1.0}
Faces = Sequence[np.ndarray]


@dataclass(frozen=True)
class Attacker:
    """Has the weights that ship: recognisers, methods, and candidates of whom one is in each picture."""

    studio: Studio

    def embeddings(self, faces: Faces) -> dict[str, np.ndarray]:
        """(N, D) by recogniser; all of them, those included that judged."""
        return {
            judge.id: np.stack([judge.embed(face, FFHQ_256.points).embedding for face in faces])
            for judge in self.studio._embedders()
        }

    def recognised(self, made: Faces, candidates: Faces, farthest: bool = False) -> int:
        """How many of `made` lead the best recogniser to their own candidate; `farthest`: whom it is least like."""
        return guessed(self.embeddings(made), self.embeddings(candidates), farthest)

    def same_person(self, made: Faces, candidates: Faces) -> list[bool]:
        """Of each of `made`, whether any recogniser calls it the same person as its own candidate."""
        seen, known = self.embeddings(made), self.embeddings(candidates)
        of = {judge.id: threshold_at(judge.checkpoint.calibration, 1e-3) for judge in self.studio._embedders()}
        reached = [(seen[name] * known[name]).sum(1) >= threshold for name, threshold in of.items()]
        return list(np.any(reached, axis=0))

    def hidden(self, faces: Faces, checkpoint: str, **options: Any) -> list[np.ndarray]:
        """The faces under blur, squares or a block, without tries and verification."""
        method: Any = self.studio._method(checkpoint)
        found = []
        for face in faces:
            large = cv2.resize(face, (512, 512), interpolation=cv2.INTER_CUBIC)
            chosen = method.Options(**options)
            made = method(AlignedFace(large, np.eye(2, 3), FFHQ_512), chosen, Progress(), 0).pixels
            mixed = large + method.mask(chosen)[..., None] * (made.astype(np.float32) - large)
            found.append(cv2.resize(np.rint(mixed).astype(np.uint8), (256, 256), interpolation=cv2.INTER_AREA))
        return found

    def restored(self, made: Faces) -> list[np.ndarray]:
        """What the method that restores degraded faces makes of them."""
        method: Any = self.studio._method("starter-estimator")
        crops = [AlignedFace(face, np.eye(2, 3), FFHQ_256) for face in made]
        return [method(crop, method.Options(), Progress(), 0).pixels for crop in crops]


@pytest.fixture(scope="module")
def attacker() -> Attacker:
    return Attacker(Studio("cpu"))


@pytest.fixture(scope="module")
def originals(attacker: Attacker) -> Faces:
    """People who do not exist, apart from one another."""
    return pictures_of(attacker, 0)


@pytest.fixture(scope="module")
def others(attacker: Attacker) -> Faces:
    """Another picture of each of them."""
    return pictures_of(attacker, 100)


def pictures_of(attacker: Attacker, first: int) -> Faces:
    prior: Any = attacker.studio._method("starter-prior")
    people = attacker.studio._people(prior).draw_apart(COUNT, 7)
    options = prior.Options(steps=6)
    return [prior(Wish(identity=who), [first + n], options, Progress())[0] for n, who in enumerate(people)]


@pytest.fixture(scope="module")
def redrawn(attacker: Attacker, originals: Faces) -> Faces:
    """The originals anonymized as the command does it: tried, verified, at last hidden."""
    found = []
    for face in originals:
        recipe = Recipe("starter-redraw", "redraw", REDRAW)
        result = attacker.studio.anonymize(Photo.from_pixels(face), (FACE,), recipe, effort=Effort(2))
        assert result.writable
        found.append(result.after.pixels)
    return found


def guessed(seen: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray], farthest: bool = False) -> int:
    """How many rows of `seen` are nearest to the same row of `known`, or farthest from it, to the best recogniser."""
    cosines = [seen[name] @ known[name].T * (-1 if farthest else 1) for name in seen]
    return max(int((some.argmax(1) == np.arange(len(some))).sum()) for some in cosines)


def pixels(faces: Faces) -> np.ndarray:
    return np.stack([face[64:192, 64:192] for face in faces]).astype(np.float64)


def test_a_recogniser_finds_who_is_hardly_hidden_and_not_who_was_redrawn(
    attacker: Attacker, originals: Faces, redrawn: Faces
) -> None:
    weak = attacker.hidden(originals, "blur", radius=3.0)
    assert attacker.recognised(weak, originals) == COUNT and all(attacker.same_person(weak, originals))
    small = attacker.hidden(originals, "pixelate", blocks=12)
    assert attacker.recognised(small, originals) == COUNT and any(attacker.same_person(small, originals))
    assert attacker.recognised(redrawn, originals) <= 2
    assert not any(attacker.same_person(redrawn, originals))


def test_whom_it_is_least_like_says_nothing_either(attacker: Attacker, originals: Faces, redrawn: Faces) -> None:
    known = attacker.embeddings(originals)
    opposite = {
        name: -vectors for name, vectors in known.items()
    }  # as a method would draw that goes as far away as it can
    assert guessed(opposite, known, farthest=True) == COUNT
    assert attacker.recognised(redrawn, originals, farthest=True) <= 3


def test_doing_the_same_to_candidates_finds_who_is_blurred_and_not_who_was_redrawn(
    attacker: Attacker, originals: Faces, others: Faces, redrawn: Faces
) -> None:
    for checkpoint in ("blur", "pixelate"):
        seen = pixels(attacker.hidden(originals, checkpoint))
        shifted = pixels(attacker.hidden([np.roll(face, 1, 1) for face in originals], checkpoint))  # not the same files
        off = np.square(seen[:, None] - shifted[None]).mean((2, 3, 4))
        assert (off.argmin(1) == np.arange(COUNT)).all(), f"{checkpoint} is undone by whoever has the picture"
    black = pixels(attacker.hidden(originals, "solid"))
    assert np.square(black[:, None] - black[None]).mean((2, 3, 4)).max() < 1, "a block is the same for everybody"
    method: Any = attacker.studio._method("starter-redraw")
    # who has the very photo knows the surroundings and where the features are, which are kept; so another picture it is
    crops = [AlignedFace(face, np.eye(2, 3), FFHQ_256) for face in others]
    own = [
        method(crop, method.Options(**REDRAW), Progress(), 99).pixels for crop in crops
    ]  # the seed is not in the files
    assert attacker.recognised(others, originals) >= 4, "with nothing done to them they are found"
    assert attacker.recognised(own, redrawn) <= 3


def test_restoring_undoes_a_weak_blur_and_nothing_else(attacker: Attacker, originals: Faces, redrawn: Faces) -> None:
    assert all(attacker.same_person(attacker.restored(attacker.hidden(originals, "blur", radius=3.0)), originals))
    for made in (redrawn, attacker.hidden(originals, "solid")):
        assert not any(attacker.same_person(attacker.restored(made), originals))
