"""The space of identities: people who do not exist, as real ones might be, apart from each other and from training people.

Rules: Vec2Face (Wu et al., ICLR 2025): a new identity's cosine to every other stays below a bound; a variation of one stays above
one. Who is drawn, varied or walked past is no training person either. Identities are those of the embedder that a method listens
to, so nothing here judges a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMismatch, FaceStudioError, UsageError
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import Identity, similarity
from facestudio.faces.loading import load_network
from facestudio.progress import Progress
from facestudio.whom import Anybody, Between, Drawn, Near, Who

if TYPE_CHECKING:
    from facestudio.networks.people import People

STRANGERS, COPIES = 1e-3, 1e-4  # false accept rates below whose thresholds two people, and a training person, must be
NEAR = "5e-02"  # of real people, who come nearer to a training person than is said to be remarkable
_PORTION = 64  # identities that are drawn at once
_PATIENCE = 200  # portions in a row, or other tries, after which it is said that nobody else fits
_ASIDE = 1e-3  # of a cosine, below the bound of copies, where a step aside ends


class IdentitySpace:
    """Identities of `embedder`, drawn from `people`.

    Args:
        strangers, copies: cosines that a new person must stay below to others drawn with it, and to training people.
        near: the cosine that one in twenty real people reaches to the training person most like them, though they are none;
            1 where that was not measured.
    """

    def __init__(self, people: People, embedder: str, strangers: float, copies: float, near: float = 1.0) -> None:
        self.embedder = embedder
        self.strangers, self.copies, self.near_known = strangers, copies, near
        self._people = people
        self._known = _unit(people(people.known).numpy())

    @classmethod
    def load(cls, checkpoint: Checkpoint, embedders: Mapping[str, Checkpoint]) -> IdentitySpace:
        """The space that `checkpoint` holds; CheckpointMismatch when its embedder is not among `embedders`, or is another."""
        fitted = checkpoint.calibration.get("embedders", {})
        name = next(iter(checkpoint.conditioned_on), "")
        entry = embedders.get(name)
        if entry is None or fitted.get(name) != entry.files["weights"].sha256:
            raise CheckpointMismatch(
                f"{checkpoint.id} was fitted to other weights of {name or 'a recogniser'} than are here.",
                hint="Fit it again: `python -m facestudio.training people --export`.",
            )
        people: People = load_network(checkpoint, "cpu")  # type: ignore[assignment]
        strangers, copies = (threshold_at(entry.calibration, far, name) for far in (STRANGERS, COPIES))
        return cls(people.float(), name, strangers, copies, checkpoint.calibration.get("nearest", {}).get(NEAR, 1.0))

    def draw(self, seed: int) -> Identity:
        """One person who does not exist, always the same for a `seed`: usual, and no training person."""
        return self.draw_apart(1, seed)[0]

    def draw_apart(
        self, count: int, seed: int, others: Sequence[Identity] = (), progress: Progress | None = None
    ) -> list[Identity]:
        """`count` such people, the same for the same seed and `others`, each apart from the rest and from `others`; of a larger
        `count` the first are the same.

        FaceStudioError when so many do not fit; Cancelled when `progress` is told to stop, between some people.
        """
        progress = progress or Progress()
        coming = self._coming(np.random.default_rng(seed), count, [other.embedding for other in others], progress)
        found: list[Identity] = []
        for _ in progress.track(range(count), "Planning people", share=0.5):
            vector = next(coming, None)
            if vector is None:
                raise FaceStudioError(
                    f"Only {len(found)} of {count} people could be found who are all clearly different from "
                    "each other.",
                    hint="Ask for fewer people.",
                )
            found.append(Identity(vector, self.embedder))
        return found

    def _coming(
        self, random: np.random.Generator, count: int, others: Sequence[np.ndarray], progress: Progress
    ) -> Iterator[np.ndarray]:
        """Unit identities (D,), at most `count`, each apart from those before and from `others`; they end when of many that were
        drawn in a row nobody fitted."""
        taken = np.zeros((len(others) + count, self._known.shape[1]), np.float32)
        full, fruitless = len(others), 0
        for place, other in enumerate(others):
            taken[place] = other
        while fruitless < _PATIENCE:
            progress.check()
            some, before = self._usual(random), full
            near = (taken[:before] @ some.T).max(0, initial=-1.0)
            for vector in some[near < self.strangers]:
                if full < len(taken) and (taken[before:full] @ vector).max(initial=-1.0) < self.strangers:
                    taken[full] = vector
                    full += 1
            yield from taken[before:full]
            fruitless = fruitless + 1 if full == before else 0

    def people(self, seed: np.random.SeedSequence) -> Iterator[Identity]:
        """Such people one after the other, the same for the same seed, and not kept apart from each other; they end when so many
        were drawn that nobody would wait for more."""
        random = np.random.default_rng(seed)
        for _ in range(_PATIENCE):
            for vector in self._usual(random):
                yield Identity(vector, self.embedder)

    def of(self, who: Who) -> Identity | None:
        """The identity of `who`, the same on every machine; None for anybody. Errors as of `near` and `between`."""
        if isinstance(who, Anybody):
            return None
        if isinstance(who, Drawn):
            return self.draw(who.seed)
        if isinstance(who, Near):
            return self.near(self._known_place(who.person), who.amount, who.seed)
        assert isinstance(who, Between)
        return self.between(self._known_place(who.one), self._known_place(who.other), who.share)

    def _known_place(self, who: Who) -> Identity:
        identity = self.of(who)
        if identity is None:
            raise UsageError("A person who was drawn freely cannot be varied or walked from.")
        return identity

    def near(self, identity: Identity, amount: float, seed: int) -> Identity:
        """Another look of the same person: its cosine to `identity` is 1 - `amount`, by chance in some direction of the space.

        No training person, as long as `identity` is none; FaceStudioError when every direction leads to one.
        """
        if not 0 <= amount <= 1:
            raise ValueError(f"amount must be in 0..1, not {amount}")
        random = np.random.default_rng(seed)
        own, cosine = identity.embedding, 1 - amount
        spared = self.is_copy(identity)  # a real person's look, who was asked for
        for _ in range(_PATIENCE):
            aside = self._direction(random)
            aside -= own * (aside @ own)
            aside /= np.linalg.norm(aside)
            found = Identity(cosine * own + (1 - cosine**2) ** 0.5 * aside, self.embedder)
            if spared or not self.is_copy(found):
                return found
        raise FaceStudioError(
            "Every other look of this person is too much like somebody the weights were trained on.",
            hint="Ask for less variation, or choose another person.",
        )

    def _direction(self, random: np.random.Generator) -> np.ndarray:
        import torch

        step = torch.from_numpy(random.standard_normal((1, len(self._people.spread))).astype(np.float32))
        found: np.ndarray = ((step * self._people.spread) @ self._people.axes.T)[0].numpy()
        return found

    def between(self, one: Identity, other: Identity, share: float) -> Identity:
        """The identity that is `share` of the way from `one` (0) to `other` (1) on the sphere, along the shortest arc.

        Where the arc passes a training person it steps aside (`apart`), unless it begins or ends at one.
        """
        angle = float(np.arccos(np.clip(similarity(one, other), -1, 1)))
        if angle < 1e-6:
            return one
        weights = np.sin([(1 - share) * angle, share * angle]) / np.sin(angle)
        found = Identity(weights[0] * one.embedding + weights[1] * other.embedding, self.embedder)
        return found if self.is_copy(one) or self.is_copy(other) else self.apart(found)

    def apart(self, identity: Identity) -> Identity:
        """`identity`, or where it is as like to a training person as `is_copy` says, the nearest that is not, as far as can be
        found by turning away from one after the other. FaceStudioError when there is always another one."""
        bound = self.copies - _ASIDE
        found = identity
        for _ in range(_PATIENCE):
            cosines = self._known @ found.embedding
            nearest = int(cosines.argmax())
            if cosines[nearest] < self.copies:
                return found
            vector = found.embedding.astype(np.float64)
            known = self._known[nearest].astype(np.float64)
            aside = vector - known * (vector @ known)
            if np.linalg.norm(aside) < 1e-6:  # the training person's own place: towards the middle of all
                middle = np.asarray(self._people.middle, np.float64)
                aside = middle - known * (middle @ known)
            aside /= np.linalg.norm(aside)
            found = Identity(bound * known + (1 - bound**2) ** 0.5 * aside, self.embedder)
        raise FaceStudioError(
            "Everybody near this point is too much like somebody the weights were trained on.",
            hint="Choose another person.",
        )

    @property
    def middle(self) -> np.ndarray:
        """(D,) mean of the unit identities of real people."""
        found: np.ndarray = self._people.middle.numpy()
        return found

    def reading(self, direction: np.ndarray) -> np.ndarray:
        """The vector (D,) whose product with an identity says how far that lies in `direction` (D,), free of what else people
        vary in, and in their standard deviations (Fisher's linear discriminant)."""
        axes, spread = (np.asarray(each, np.float64) for each in (self._people.axes, self._people.spread))
        # directions in which hardly anybody varies tell nothing
        within = (axes.T @ direction) / (spread**2 + (0.1 * spread.max()) ** 2)
        found: np.ndarray = axes @ within / np.linalg.norm(spread * within)
        return found

    def nearest_known(self, identity: Identity) -> float:
        """The cosine of `identity` to the training identity that is most like it."""
        return float((self._known @ identity.embedding).max())

    def is_copy(self, identity: Identity) -> bool:
        """Whether `identity` is as like to a training identity as one pair of strangers in ten thousand."""
        return self.nearest_known(identity) >= self.copies

    def unusual(self, identity: Identity) -> float:
        """How far `identity` is from the middle of real ones, 1 for one that is as far as nine in ten of them."""
        import torch

        distance = self._people.distance(torch.from_numpy(np.array(identity.embedding))[None])
        return float(distance / self._people.usual)

    def _usual(self, random: np.random.Generator) -> np.ndarray:
        """Some unit identities (N, D) that are usual and no training person's."""
        import torch

        drawn = torch.from_numpy(random.standard_normal((_PORTION, len(self._people.spread))).astype(np.float32))
        with torch.inference_mode():
            vectors = self._people(drawn * self._people.spread)
            usual = (self._people.distance(vectors) <= self._people.usual).numpy()
        found = _unit(vectors.numpy())
        new: np.ndarray = found[usual & ((found @ self._known.T).max(1) < self.copies)]
        return new


def _unit(vectors: np.ndarray) -> np.ndarray:
    found: np.ndarray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return found
