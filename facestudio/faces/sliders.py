"""Sliders: what can be changed of a made face while it stays the same person, and how far.

A slider moves who the face is to the embedder that the prior listens to (a direction on the sphere of identities), where its
68 landmarks are, or the latent that is drawn. Papers: Wu et al., "Vec2Face+", 2025 (attributes of a made face, controlled by
its feature vector); Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020 (a linear
direction for each attribute, made orthogonal to the others). This module can be imported without torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.errors import UsageError
from facestudio.faces.align import inverse, similarity_transform, transform
from facestudio.faces.face import Identity, Template
from facestudio.faces.loading import load_network, refuse_others
from facestudio.faces.pose import fit_rotation, mean_face

if TYPE_CHECKING:
    from facestudio.networks.sliders import Moves

MINIMUM, MAXIMUM, STEP = -1.0, 1.0, 0.05  # of every slider; 0 is where it begins
PERSON, POSE, EXPRESSION, LIGHT = "Person", "Pose", "Expression", "Light"
INNER_LIPS = ((61, 67), (62, 66), (63, 65))  # upper and lower points that face each other


@dataclass(frozen=True)
class Slider:
    """One thing that can be changed, by -1 to 1, or by `least` to 1.

    Attributes:
        id: its name in recipes and on the command line; title: a short label; group: the heading that it stands under.
        help: one sentence; low, high: what a face is at -1 and at 1, in a few words.
        least: -1, or 0 where only what it adds can be relied on.
    """

    id: str
    title: str
    group: str
    help: str
    low: str
    high: str
    least: float = MINIMUM


CATALOGUE = (
    Slider("age", "Age", PERSON, "Makes the person younger or older.", "younger", "older"),
    Slider(
        "gender", "Gender presentation", PERSON, "How feminine or masculine the person looks.", "feminine", "masculine"
    ),
    Slider("skin", "Skin tone", PERSON, "How light or dark the skin is.", "lighter", "darker"),
    Slider("hair", "Hair colour", PERSON, "How dark or light the hair is.", "darker", "lighter"),
    Slider("beard", "Beard", PERSON, "Removes a beard, or adds one.", "shaven", "bearded"),
    Slider("glasses", "Glasses", PERSON, "Removes glasses, or adds them.", "without", "with"),
    Slider("yaw", "Turn", POSE, "Turns the head to the side, as seen in the picture.", "to the left", "to the right"),
    Slider("pitch", "Nod", POSE, "Lowers or raises the head.", "down", "up"),
    Slider("smile", "Smile", EXPRESSION, "Makes the face more serious, or makes it smile.", "serious", "smiling"),
    Slider("mouth", "Mouth", EXPRESSION, "Closes or opens the mouth.", "closed", "open"),
    Slider("brightness", "Brightness", LIGHT, "How much light falls on the face.", "darker", "brighter"),
    Slider("side", "Light from", LIGHT, "Which side of the picture the light comes from.", "the left", "the right"),
)


def offered(entry: Checkpoint) -> tuple[Slider, ...]:
    """The sliders that the checkpoint `entry` can move well enough, in the catalogue's order; reads its table only.

    Those that it says are "added" reach their bar at their high end alone, and begin at 0.
    """
    good, added = (set(entry.calibration.get(key, ())) for key in ("offered", "added"))
    return tuple(upward(slider) if slider.id in added else slider for slider in CATALOGUE if slider.id in good)


def upward(slider: Slider) -> Slider:
    """`slider` from 0 to 1."""
    return replace(slider, least=0.0, low="as drawn", help=f"Adds {slider.title.lower()}.")


def check(settings: Mapping[str, float], known: Sequence[Slider], told: bool = True) -> None:
    """UsageError names the first of `settings` that is none of the `known` sliders, or whose value is none of its; or that moves
    a person where none is `told` to the method."""
    ids = [slider.id for slider in known]
    for name, value in settings.items():
        if name not in ids:
            there = f"There are: {', '.join(ids)}." if ids else "It has no sliders; the starter weights have some."
            raise UsageError(f"This method has no slider called {name}.", hint=there)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"The slider {name} takes a number, not {value!r}.")
        slider = known[ids.index(name)]
        if not slider.least <= value <= MAXIMUM:
            raise UsageError(f"The slider {name} goes from {slider.least:g} to {MAXIMUM:g}, not to {value:g}.")
        if value and not told and slider.group == PERSON:
            raise UsageError(
                f"The slider {name} changes a chosen person, and this one is drawn freely.",
                hint="Draw the person of a seed, or the one in a photo.",
            )


class Sliders:
    """What the sliders of a prior do, as its `moves` say; `embedder` is the one whose identities they move."""

    def __init__(self, moves: Moves, embedder: str) -> None:
        self.embedder = embedder
        self._moves = moves

    @classmethod
    def load(cls, checkpoint: Checkpoint, known: Mapping[str, Checkpoint]) -> Sliders:
        """The sliders that `checkpoint` holds; CheckpointMismatch when they were fitted to other weights than those `known`."""
        refuse_others(checkpoint, "sliders", known)
        moves: Moves = load_network(checkpoint, "cpu")  # type: ignore[assignment]
        return cls(moves.float(), next(iter(checkpoint.conditioned_on), ""))

    def identity(self, identity: Identity, settings: Mapping[str, float]) -> Identity:
        """Who `identity` becomes: moved along the sphere."""
        if identity.embedder != self.embedder:
            raise ValueError(f"these sliders move people of {self.embedder}, not of {identity.embedder}")
        step = self._added(settings)[0]
        return Identity(identity.embedding + step, self.embedder) if step.any() else identity

    def direction(self, name: str) -> np.ndarray:
        """What the slider `name` at 1 adds to a unit identity, (D,) float32."""
        return self._added({name: 1.0})[0]

    def moves_identity(self, settings: Mapping[str, float]) -> bool:
        """Whether `settings` change who somebody is."""
        return bool(self._added(settings)[0].any())

    def moves_features(self, settings: Mapping[str, float]) -> bool:
        """Whether `settings` move landmarks, which must be known then."""
        _, features, turn, _ = self._added(settings)
        return bool(features.any() or turn.any())

    def features(self, landmarks: np.ndarray, settings: Mapping[str, float], template: Template) -> np.ndarray:
        """Where the 68 `landmarks` (68, 2), in pixels of a crop by `template`, are afterwards, (68, 2) float32.

        The face is turned about its own middle, with the depth of the mean face, and framed by the template again.
        """
        _, features, turn, _ = self._added(settings)
        points = np.asarray(landmarks, np.float64)
        middle, head = points.mean(axis=0), mean_face() - mean_face().mean(axis=0)
        solution, *_ = np.linalg.lstsq(head, points - middle, rcond=None)
        scale = float(np.linalg.svd(solution, compute_uv=False).mean())
        rotation = fit_rotation(points, mean_face())
        moved = points + scale * features @ rotation[:2, :2].T
        if features.any():
            _part_lips(moved)
        solid = np.column_stack([moved - middle, scale * head @ rotation[2]])
        turned = (solid @ _turn(*np.radians(turn)).T)[:, :2] + middle
        before, after = (similarity_transform(_five(of), template.points) for of in (points, turned))
        return transform(inverse(before), transform(after, turned)).astype(np.float32)

    def push(self, settings: Mapping[str, float]) -> np.ndarray | None:
        """How far the latent's middle is moved (C, h, w) float32; None when it is not."""
        push = self._added(settings)[3]
        return push if push.any() else None

    def _added(self, settings: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        import torch

        amounts = torch.tensor([float(settings.get(name, 0.0)) for name in self._moves.names])
        with torch.inference_mode():
            identity, features, turn, push = (each.numpy() for each in self._moves(amounts))
        return identity, features, turn, push


def _turn(yaw: float, pitch: float) -> np.ndarray:
    """The rotation (3, 3) of points (x right, y down, z to the camera) by `yaw`, then `pitch`, with the signs of `Face.pose`."""
    across = np.array([[math.cos(yaw), 0, math.sin(yaw)], [0, 1, 0], [-math.sin(yaw), 0, math.cos(yaw)]])
    down = np.array([[1, 0, 0], [0, math.cos(pitch), -math.sin(pitch)], [0, math.sin(pitch), math.cos(pitch)]])
    turned: np.ndarray = down @ across
    return turned


def _five(points: np.ndarray) -> np.ndarray:
    """The five landmarks of `Face` among the 68 `points` (68, 2)."""
    return np.stack([points[36:42].mean(axis=0), points[42:48].mean(axis=0), points[30], points[48], points[54]])


def _part_lips(points: np.ndarray) -> None:
    """Where lips of `points` (68, 2) went through each other let them touch; in place."""
    for upper, lower in INNER_LIPS:
        if points[lower, 1] < points[upper, 1]:
            points[[upper, lower]] = points[[upper, lower]].mean(axis=0)
