"""A synthesizer whose faces are moved by sliders: the person, where the features are, and the light.

It stands in front of another one and changes what that is asked for. Unless only the light moves, or it is said where the
features are, each face is drawn twice: first as it is, so that its own features are found, then moved, with these moved or held;
but once where the other one can say itself where it would draw them.
Held, because a moved person without them looks elsewhere, or falls apart when several sliders are moved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from facestudio.faces.face import Identity
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.recent import Recent
from facestudio.faces.sliders import Sliders
from facestudio.methods.base import Synthesizer, Wish, wishes_of
from facestudio.methods.crops import features
from facestudio.progress import Progress

KNOWN = 256  # landmarks of first drawings that are kept


@runtime_checkable
class Placing(Protocol):
    """A Synthesizer that knows where it will draw the features of a face."""

    def landmarks(self, wish: Wish, seed: int, options: Any) -> np.ndarray:
        """The 68 landmarks (68, 2) float32 of that picture, in pixels of the template."""
        ...


class Moving:
    """`synthesizer` with `sliders` at `settings`, -1 to 1 by their ids; itself a Synthesizer.

    Args:
        finder: of landmarks.
        aside: what is done to a person after moving, so that it becomes no training person.
        known: landmarks of first drawings, (68, 2) each, which need not be made again.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        sliders: Sliders,
        settings: Mapping[str, float],
        finder: LandmarkFinder,
        aside: Callable[[Identity], Identity] = lambda identity: identity,
        known: Recent[np.ndarray] | None = None,
    ) -> None:
        self.id, self.goal, self.checkpoint = synthesizer.id, synthesizer.goal, synthesizer.checkpoint
        self.template, self.embedder, self.Options = synthesizer.template, synthesizer.embedder, synthesizer.Options
        self.moved = dict(settings)
        self._synthesizer, self._sliders, self._finder, self._aside = synthesizer, sliders, finder, aside
        self._known = Recent(KNOWN) if known is None else known

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures as of a Synthesizer; where nobody is told, only features and light are moved."""
        wishes = wishes_of(wish, len(seeds))
        if self._sliders.moves_features(self.moved) or self._sliders.moves_identity(self.moved):
            wishes = self._found(wishes, seeds, options, progress)
        return self._synthesizer([self._moved(one) for one in wishes], seeds, options, progress)

    def _found(self, wishes: Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress) -> list[Wish]:
        """`wishes` with the landmarks of faces as they are drawn, which the template frames, where they have none."""
        if isinstance(self._synthesizer, Placing):
            placed = zip(wishes, seeds, strict=True)
            return [replace(wish, landmarks=self._synthesizer.landmarks(wish, seed, options)) for wish, seed in placed]
        keys = [self._key(wish, seed, options) for wish, seed in zip(wishes, seeds, strict=True)]
        landmarks = [
            self._known.get(key) if wish.landmarks is None else wish.landmarks
            for wish, key in zip(wishes, keys, strict=True)
        ]
        places = [n for n, points in enumerate(landmarks) if points is None]
        if places:
            some, their = [wishes[n] for n in places], [seeds[n] for n in places]
            with progress.step("Drawing faces", share=0.5):
                pictures = self._synthesizer(some, their, options, progress)
            for n, pixels in zip(places, pictures, strict=True):
                landmarks[n] = points = features(self._finder, pixels, self.template)
                self._known.put(keys[n], points)
        return [replace(wish, landmarks=points) for wish, points in zip(wishes, landmarks, strict=True)]

    def _key(self, wish: Wish, seed: int, options: Any) -> str:
        """What a first drawing depends on."""
        who = b"" if wish.identity is None else wish.identity.embedding.tobytes()
        return hashlib.sha256(repr((self.checkpoint.id, who, seed, options)).encode()).hexdigest()

    def _moved(self, wish: Wish) -> Wish:
        identity, landmarks = wish.identity, wish.landmarks
        if identity is not None and self._sliders.moves_identity(self.moved):
            identity = self._aside(self._sliders.identity(identity, self.moved))
        if landmarks is not None and self._sliders.moves_features(self.moved):
            landmarks = self._sliders.features(landmarks, self.moved, self.template)
        return replace(wish, identity=identity, landmarks=landmarks, push=self._sliders.push(self.moved))
