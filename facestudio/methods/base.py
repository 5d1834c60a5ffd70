"""What every method promises, and how one is found from a checkpoint.

A checkpoint says `method = "quick:Quick"`: the class Quick in methods/quick.py. There is no registry. Modules of methods
import torch inside their functions only, so that their Options can be shown and parsed before torch is there.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMismatch
from facestudio.faces.components import Explanation
from facestudio.faces.face import AlignedFace, Identity, Template
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.faces.people import IdentitySpace


# methods as their papers write them
_SPELLED = {
    "arc2face": "Arc2Face",
    "codeformer": "CodeFormer",
    "dfdnet": "DFDNet",
    "difface": "DifFace",
    "gfpgan": "GFPGAN",
    "lafr": "LAFR",
    "restoreformer": "RestoreFormer",
    "vec2face": "Vec2Face",
    "at_once": "At once",
}


# what a person chooses a method of restoring for
_ABOUT = {
    "quick": "Restores a smooth face in one step; the fastest method.",
    "dfdnet": "Restores eyes, nose and mouth with the help of a dictionary of sharp ones.",
    "difface": (
        "Draws the face in many steps: slow, and it may invent detail. A reference photo can tell it who the person is."
    ),
    "lafr": "Draws the face in one step; sharper than quick on badly degraded faces.",
}


def method_about(name: str) -> str:
    """What the method is for, in a sentence or two; "" where nothing is said of it."""
    return _ABOUT.get(name, "")


@runtime_checkable
class Restorer(Protocol):
    """A loaded method that turns a degraded aligned face into a better one of the same matrix and template.

    Attributes:
        id: the method's name ("quick"); goal: "keep" the identity; checkpoint: what was loaded.
        template: the crop that the method works on.
        Options: a frozen dataclass whose fields are made by `options.option`. A field called `strength` is applied by
            the pipeline, which lays that much of the restored face over the photo.
    """

    id: str
    goal: str
    checkpoint: Checkpoint
    template: Template
    Options: type[Any]

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Restore one crop. Deterministic by `seed`; raises FaceStudioError, never returns its input as if done."""
        ...


@runtime_checkable
class Batched(Protocol):
    """A Restorer that can restore several crops in one call of its network."""

    def many(
        self, aligned: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
    ) -> list[AlignedFace]:
        """As one call of a Restorer for each crop; an error is of all of them."""
        ...


@runtime_checkable
class Explainer(Protocol):
    """A Restorer that can also tell how it came to its result."""

    def explained(
        self, aligned: AlignedFace, options: Any, progress: Progress, seed: int
    ) -> tuple[AlignedFace, Explanation]:
        """As the call of a Restorer, with what it chose."""
        ...


@runtime_checkable
class Guided(Protocol):
    """A Restorer that can be told who the person is, by `embedder`, the id of the one whose identities it understands."""

    embedder: str

    def guided(self, identity: Identity) -> Restorer:
        """The same method for this person; its checkpoint is then `conditioned_on` that embedder, which must not judge it."""
        ...


@runtime_checkable
class Anonymizer(Protocol):
    """A loaded method that turns an aligned face into one that is not the person's any more, of the same matrix and template.

    It need not be right: its result is verified by recognisers that it does not listen to, and it is called again with another
    seed when they still know the person (see anonymizing.py).

    Attributes:
        id: the method's name ("solid"); goal: "change" the identity; checkpoint: what was loaded.
        template: the crop that the method works on; Options: as of a Restorer.
    """

    id: str
    goal: str
    checkpoint: Checkpoint
    template: Template
    Options: type[Any]

    def __call__(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> AlignedFace:
        """Change one crop. Deterministic by `seed`; raises FaceStudioError, never returns its input as if done."""
        ...


@runtime_checkable
class Strengthening(Protocol):
    """An Anonymizer that can be asked for more, when what it made was not enough."""

    def stronger(self, options: Any) -> Any | None:
        """Options that change the face more than `options` do; None when there is no more."""
        ...


@runtime_checkable
class Masked(Protocol):
    """A method that says itself how much of its crop shows, instead of all but the rim."""

    def mask(self, options: Any) -> np.ndarray:
        """How much of the crop is laid over the photo, (S, S) float32 in 0..1."""
        ...


@runtime_checkable
class Replacing(Protocol):
    """An Anonymizer that makes one of `people` of a face, and can be told whom (see casting.py); untold it draws somebody itself.

    Attributes:
        people: whom a face may become, as identities of the embedder that the method listens to.
    """

    people: IdentitySpace

    def who(self, aligned: AlignedFace) -> Identity:
        """Who the face in a crop of the method's template is, to the embedder `people.embedder`."""
        ...

    def becoming(self, person: Identity) -> Anonymizer:
        """The same method, which makes `person` of every face; that it is apart from who the face was is the caller's to see."""
        ...


@dataclass(frozen=True, eq=False)
class Take:
    """One of several pictures of the same new face, and how far, in pixels of it, the features `moved` on average.

    `made`: the crop, or what finishes it when it is asked for.
    """

    made: AlignedFace | Callable[[], AlignedFace]
    moved: float

    @cached_property
    def crop(self) -> AlignedFace:
        """The picture; errors as of an Anonymizer."""
        return self.made if isinstance(self.made, AlignedFace) else self.made()


@runtime_checkable
class Taking(Protocol):
    """An Anonymizer that may draw a face several times, and leaves it to the caller which picture is kept."""

    def takes(self, aligned: AlignedFace, options: Any, progress: Progress, seed: int) -> Sequence[Take]:
        """All pictures, in the order they were drawn; a call gives the one of them whose features moved least.

        What is not drawn in the same calls is done when the crop is asked for, as the caller may not need all of them.
        """
        ...


@runtime_checkable
class Obscurer(Anonymizer, Strengthening, Protocol):
    """An Anonymizer that makes no new face but hides the old one, without a generator.

    Attributes:
        erases: whether what it shows within its mask does not depend on the face at all.
    """

    erases: bool


@dataclass(frozen=True, eq=False)
class Wish:
    """What a made face shall be like; None leaves it open.

    Attributes:
        identity: who, to the embedder that the method is conditioned on.
        landmarks: (68, 2) float32, where the features are, in pixels of the method's template.
        push: (C, h, w) float32, how far the middle of what is drawn is moved, in the latents of our own prior (faces/sliders.py).
        pose: (S, S, 3) uint8, the surface of a head in colours (faces/normals.py), framed as the method's template; for methods
            that are `Posed`.
    """

    identity: Identity | None = None
    landmarks: np.ndarray | None = None
    push: np.ndarray | None = None
    pose: np.ndarray | None = None


@runtime_checkable
class Synthesizer(Protocol):
    """A loaded method that makes aligned faces of people who need not exist.

    Attributes:
        id: the method's name ("arc2face"); goal: "create"; checkpoint: what was loaded.
        template: how the faces are framed; embedder: id of the one whose identities it understands.
        Options: as of a Restorer; a field called `hold_pose` asks for the landmarks of the photo.
    """

    id: str
    goal: str
    checkpoint: Checkpoint
    template: Template
    embedder: str
    Options: type[Any]

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        """One picture (S, S, 3) uint8 RGB for each of `seeds`, which alone decides what is left open.

        `wish` is for all of them, or there is one for each; either all of these name an identity or none does.
        """
        ...


@runtime_checkable
class Posed(Protocol):
    """A Synthesizer that can be shown a pose (`Wish.pose`), where the weights for that are here.

    Attributes:
        posed_by: the part as which its checkpoint `uses` these weights.
    """

    posed_by: str


@runtime_checkable
class Drafting(Protocol):
    """A Synthesizer that can draw a draft, to be seen while somebody chooses."""

    def draft(self, options: Any) -> Any:
        """Options that draw about what `options` do, in a fraction of the time."""
        ...


def wishes_of(wish: Wish | Sequence[Wish], count: int) -> list[Wish]:
    """A wish for each of `count` pictures; ValueError when there are fewer or more, or only some name an identity."""
    wishes = [wish] * count if isinstance(wish, Wish) else list(wish)
    if len(wishes) != count or len({one.identity is None for one in wishes}) > 1:
        raise ValueError(f"{count} pictures need as many wishes, which all name an identity or none does")
    return wishes


def understood(method: Synthesizer, wish: Wish | Sequence[Wish], count: int) -> list[Wish]:
    """`wishes_of` that `method` understands; ValueError too when an identity is not of its embedder."""
    wishes = wishes_of(wish, count)
    for one in wishes:
        if one.identity is not None and one.identity.embedder != method.embedder:
            raise ValueError(f"{method.id} understands {method.embedder}, not {one.identity.embedder}")
    return wishes


def method_name(checkpoint: Checkpoint) -> str:
    """The short name of the method that a checkpoint feeds: "quick" of "quick:Quick"."""
    return checkpoint.method.partition(":")[0]


def method_title(name: str) -> str:
    """How people write the name of a method: "DifFace" of "difface", "Quick" of "quick"."""
    return _SPELLED.get(name, name.capitalize())


def method_class(checkpoint: Checkpoint) -> Any:
    """The class of the method that `checkpoint` feeds; CheckpointMismatch when this version does not know it."""
    module, _, name = checkpoint.method.partition(":")
    try:
        return getattr(importlib.import_module(f"facestudio.methods.{module}"), name)
    except (ImportError, AttributeError) as error:
        raise CheckpointMismatch(
            f"{checkpoint.id} feeds the method {checkpoint.method!r}, which this version does not know.",
            hint="Install the version of Face Studio that this checkpoint belongs to.",
        ) from error


def load_method(checkpoint: Checkpoint, device: str) -> Any:
    """Load the method that `checkpoint` feeds onto `device`; CheckpointError when that cannot be."""
    return method_class(checkpoint).load(checkpoint, device)
