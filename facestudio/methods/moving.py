"""A synthesizer whose faces are moved by sliders: the person, where the features are, and the light.

It stands in front of another one and changes what that is asked for. Where features move and nobody said where they are, each
face is drawn twice: first as it is, so that its own features are found, then with these moved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from facestudio.faces.face import Face, Identity
from facestudio.faces.landmarks import LandmarkFinder
from facestudio.faces.sliders import Sliders
from facestudio.methods.base import Synthesizer, Wish, wishes_of
from facestudio.progress import Progress


class Moving:
    """`synthesizer` with `sliders` at `settings`, -1 to 1 by their ids; itself a Synthesizer.

    Args:
        finder: of landmarks.
        aside: what is done to a person after moving, so that it becomes no training person.
    """

    def __init__(
        self,
        synthesizer: Synthesizer,
        sliders: Sliders,
        settings: Mapping[str, float],
        finder: LandmarkFinder,
        aside: Callable[[Identity], Identity] = lambda identity: identity,
    ) -> None:
        self.id, self.goal, self.checkpoint = synthesizer.id, synthesizer.goal, synthesizer.checkpoint
        self.template, self.embedder, self.Options = synthesizer.template, synthesizer.embedder, synthesizer.Options
        self.moved = dict(settings)
        self._synthesizer, self._sliders, self._finder, self._aside = synthesizer, sliders, finder, aside

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """Pictures as of a Synthesizer; where nobody is told, only features and light are moved."""
        wishes = [self._person(one) for one in wishes_of(wish, len(seeds))]
        if self._sliders.moves_features(self.moved):
            if any(one.landmarks is None for one in wishes):
                for _ in progress.track(range(1), "Drawing faces", share=0.5):
                    pictures = self._synthesizer(wishes, seeds, options, progress)
                wishes = [self._found(one, pixels) for one, pixels in zip(wishes, pictures, strict=True)]
            wishes = [self._turned(one) for one in wishes]
        return self._synthesizer(wishes, seeds, options, progress)

    def _person(self, wish: Wish) -> Wish:
        push = self._sliders.push(self.moved)
        if wish.identity is None or not self._sliders.moves_identity(self.moved):
            return replace(wish, push=push)
        return replace(wish, identity=self._aside(self._sliders.identity(wish.identity, self.moved)), push=push)

    def _found(self, wish: Wish, pixels: np.ndarray) -> Wish:
        """`wish`, with the landmarks of a face that is framed by the template, where it has none."""
        if wish.landmarks is not None:
            return wish
        side = self.template.size
        whole = Face((0, 0, side, side), self.template.points)  # type: ignore[arg-type]
        return replace(wish, landmarks=self._finder.find(pixels, whole))

    def _turned(self, wish: Wish) -> Wish:
        assert wish.landmarks is not None
        return replace(wish, landmarks=self._sliders.features(wish.landmarks, self.moved, self.template))
