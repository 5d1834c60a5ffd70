"""Which of several people is most like somebody in apparent age and gender presentation, and in nothing else that is asked for.

An identity is read along the directions that sliders move, by Fisher's linear discriminant ("The use of multiple measurements in
taxonomic problems", 1936): free of what else people vary in. Numpy only.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import Identity
from facestudio.faces.people import IdentitySpace
from facestudio.faces.sliders import Sliders

LOOKS = ("age", "gender")  # the light and colour of the skin are held by the photo


class Resemblance:
    """Reads identities of `people` along the `looks` of `sliders`; CheckpointMismatch when these are another recogniser's."""

    def __init__(self, people: IdentitySpace, sliders: Sliders, looks: Sequence[str] = LOOKS) -> None:
        if people.embedder != sliders.embedder:
            raise CheckpointMismatch(
                f"The sliders move people of {sliders.embedder}, and those who are drawn are of {people.embedder}."
            )
        self._readings = np.stack([people.reading(sliders.direction(look)) for look in looks])

    def of(self, identity: Identity) -> np.ndarray:
        """Where `identity` stands in each look, in standard deviations of real people, from any zero."""
        found: np.ndarray = self._readings @ identity.embedding
        return found

    def nearest(self, was: Identity, people: Sequence[Identity]) -> int:
        """The place among `people` of the one most like `was`."""
        return int(np.argmin([np.square(self.of(one) - self.of(was)).sum() for one in people]))
