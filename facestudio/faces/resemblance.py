"""What somebody looks like to a recogniser, look by look, and which of several people is most like somebody in apparent age and
gender presentation, and in nothing else that is asked for.

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
# what is read well enough to be said of a picture (docs/benchmarks/generation.md); skin is not
READ = ("age", "gender", "hair", "beard", "glasses", "smile", "mouth")


class Resemblance:
    """Reads identities of `people` along the `looks` of `sliders`; CheckpointMismatch when these are another recogniser's."""

    def __init__(self, people: IdentitySpace, sliders: Sliders, looks: Sequence[str] = LOOKS) -> None:
        if people.embedder != sliders.embedder:
            raise CheckpointMismatch(
                f"The sliders move people of {sliders.embedder}, and those who are drawn are of {people.embedder}."
            )
        self._looks = tuple(looks)
        self._readings = np.stack([people.reading(sliders.direction(look)) for look in looks])
        self._middle = self._readings @ people.middle

    def of(self, identity: Identity) -> np.ndarray:
        """Where `identity` stands in each look, in standard deviations of real people, from any zero."""
        found: np.ndarray = self._readings @ identity.embedding
        return found

    def named(self, identity: Identity) -> dict[str, float]:
        """The same by the names of the looks, 0 for what real people are on average, and rising as their sliders do."""
        off = self.of(identity) - self._middle
        return {look: round(float(value), 3) for look, value in zip(self._looks, off, strict=True)}

    def nearest(self, was: Identity, people: Sequence[Identity]) -> int:
        """The place among `people` of the one most like `was`."""
        return int(np.argmin([np.square(self.of(one) - self.of(was)).sum() for one in people]))
