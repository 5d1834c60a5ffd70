"""Stand-ins for drawing people: a synthesizer whose texture is the identity's, a detector that can miss, a small space."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.people import IdentitySpace
from facestudio.faces.sliders import Slider
from facestudio.methods.base import Wish, wishes_of
from facestudio.networks.people import People
from facestudio.options import option
from facestudio.photo import Photo
from facestudio.populating import Order, Painter
from facestudio.progress import Progress
from facestudio.studio import Studio
from tests.fakes import FakeEmbedder, face_at, fake_checkpoint, picture
from tests.unit.test_people import training_people

FACE = replace(face_at(64, 64, 128), pose=np.array([3.0, -2.0, 1.0]))
BLANK = 7  # the colour of a picture in which no face is found


class Texture:
    """A Synthesizer without weights: the coarse texture is the identity's, the grain the seed's.

    Args:
        strange: seeds of pictures that show somebody else; blank: seeds of pictures without a face. twins: seeds of pictures that
            show the texture of that number, whoever was asked for.
    """

    id, goal, template, embedder = "texture", "create", FFHQ_256, "fake"

    @dataclass(frozen=True)
    class Options:
        """What a person may choose."""

        steps: int = option(3, title="Steps", minimum=1, maximum=9, step=1)

    def __init__(
        self, strange: Collection[int] = (), blank: Collection[int] = (), twins: Mapping[int, int] | None = None
    ) -> None:
        self.checkpoint = fake_checkpoint("texture-weights", goal="create", conditioned_on=("fake",))
        self.asked: list[tuple[Wish | Sequence[Wish], list[int]]] = []
        self._strange, self._blank, self._twins = set(strange), set(blank), dict(twins or {})

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        self.asked.append((wish, list(seeds)))
        for _ in progress.track(range(options.steps), "Denoising"):
            pass
        return [self._picture(_number(one), seed) for one, seed in zip(wishes_of(wish, len(seeds)), seeds, strict=True)]

    def _picture(self, who: int, seed: int) -> np.ndarray:
        if seed in self._blank:
            return np.full((128, 128, 3), BLANK, np.uint8)
        coarse = picture(128, 128, seed=seed if seed in self._strange else self._twins.get(seed, who))
        grain = np.random.default_rng(seed).integers(-9, 10, coarse.shape)
        return np.clip(coarse + grain, 0, 255).astype(np.uint8)


def _number(wish: Wish) -> int:
    """What the texture of a person is made of."""
    assert wish.identity is not None
    return int(hashlib.sha256(np.round(wish.identity.embedding, 3).tobytes()).hexdigest()[:8], 16)


class Choosy:
    """A Detector that finds the same face in every picture that is not blank."""

    def detect(
        self, photo: Photo | np.ndarray, progress: Progress | None = None, minimum_score: float = 0.5
    ) -> tuple[Face, ...]:
        assert isinstance(photo, Photo)
        return () if (photo.pixels == BLANK).all() else (FACE,)


def space() -> IdentitySpace:
    """A small space of identities of "fake"."""
    network = People(32, 8, 300)
    network.fit(training_people())
    return IdentitySpace(network.eval(), "fake", strangers=0.6, copies=0.97)


def painter(
    order: Order,
    of: IdentitySpace,
    texture: Texture | None = None,
    read: Callable[[np.ndarray, Face], Mapping[str, float]] = lambda pixels, face: {},
) -> Painter:
    """A Painter of fakes, with two judges."""
    judges: list[Any] = [FakeEmbedder("one"), FakeEmbedder("two")]
    synthesizer, detector = texture or Texture(), Choosy()
    return Painter(synthesizer, of, detector, judges, synthesizer.Options(), order, read=read)  # type: ignore[arg-type]


class Peopled(Studio):
    """A Studio that draws datasets of `texture` people, without weights.

    `moved` are the settings of sliders that people were moved by, the last time.
    """

    def __init__(self, texture: Texture | None = None) -> None:
        super().__init__()
        self.texture = texture or Texture()
        self.people = space()
        self.moved: dict[str, float] = {}
        self.offered: tuple[Slider, ...] = ()

    def method_options(self, checkpoint_id: str) -> type:
        return self.texture.Options

    def sliders(self, checkpoint_id: str) -> tuple[Slider, ...]:
        return self.offered

    def device_name(self) -> str:
        return "A pretended processor, 2 threads (cpu)"

    def _synthesizer(self, checkpoint_id: str) -> Any:
        return self.texture

    def _moving(self, method: Any, settings: Mapping[str, float], real: bool) -> Any:
        self.moved = dict(settings)
        return method

    def _space(self, method: Any) -> Any:
        return self.people

    def _detector(self) -> Any:
        return Choosy()

    def _embedders(self) -> list[Any]:
        return [FakeEmbedder("one"), FakeEmbedder("two")]
