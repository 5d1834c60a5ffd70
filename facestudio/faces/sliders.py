"""Sliders: what can be changed of a made face while it stays the same person, and how far.

A slider moves who the face is to the embedder that the prior listens to (a direction on the sphere of identities), where its
68 landmarks are, or the latent that is drawn. Papers: Wu et al., "Vec2Face+", 2025 (attributes of a made face, controlled by
its feature vector); Shen et al., "Interpreting the Latent Space of GANs for Semantic Face Editing", CVPR 2020 (a linear
direction for each attribute, made orthogonal to the others). This module can be imported without torch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facestudio.checkpoints import Checkpoint
from facestudio.errors import UsageError

MINIMUM, MAXIMUM, STEP = -1.0, 1.0, 0.05  # of every slider; 0 is where it begins
PERSON, POSE, EXPRESSION, LIGHT = "Person", "Pose", "Expression", "Light"


@dataclass(frozen=True)
class Slider:
    """One thing that can be changed, by -1 to 1.

    Attributes:
        id: its name in recipes and on the command line; title: a short label; group: the heading that it stands under.
        help: one sentence; low, high: what a face is at -1 and at 1, in a few words.
    """

    id: str
    title: str
    group: str
    help: str
    low: str
    high: str


CATALOGUE = (
    Slider("age", "Age", PERSON, "Makes the person younger or older.", "younger", "older"),
    Slider(
        "gender", "Gender presentation", PERSON, "How feminine or masculine the person looks.", "feminine", "masculine"
    ),
    Slider("skin", "Skin tone", PERSON, "How light or dark the skin is.", "lighter", "darker"),
    Slider("hair", "Hair colour", PERSON, "How dark or light the hair is.", "darker", "lighter"),
    Slider("beard", "Beard", PERSON, "Takes a beard away, or lets one grow.", "shaven", "bearded"),
    Slider("glasses", "Glasses", PERSON, "Takes glasses off, or puts them on.", "without", "with"),
    Slider("yaw", "Turn", POSE, "Turns the head to the side, as seen in the picture.", "to the left", "to the right"),
    Slider("pitch", "Nod", POSE, "Lowers or lifts the head.", "down", "up"),
    Slider("roll", "Tilt", POSE, "Tilts the head to the side, as seen in the picture.", "to the left", "to the right"),
    Slider("smile", "Smile", EXPRESSION, "Makes the face more serious, or lets it smile.", "serious", "smiling"),
    Slider("mouth", "Mouth", EXPRESSION, "Closes or opens the mouth.", "closed", "open"),
    Slider("brightness", "Brightness", LIGHT, "How much light falls on the face.", "darker", "brighter"),
    Slider("side", "Light from", LIGHT, "From which side of the picture the light comes.", "the left", "the right"),
)


def offered(entry: Checkpoint) -> tuple[Slider, ...]:
    """The sliders that the checkpoint `entry` can move well enough, in the catalogue's order; reads its table only."""
    good = set(entry.calibration.get("offered", ()))
    return tuple(slider for slider in CATALOGUE if slider.id in good)


def check(settings: Mapping[str, float], known: Sequence[Slider]) -> None:
    """UsageError names the first of `settings` that is none of the `known` sliders, or whose value is none of its."""
    ids = [slider.id for slider in known]
    for name, value in settings.items():
        if name not in ids:
            there = f"There are: {', '.join(ids)}." if ids else "It has none; the starter weights have some."
            raise UsageError(f"This method has no slider called {name}.", hint=there)
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise UsageError(f"The slider {name} takes a number, not {value!r}.")
        if not MINIMUM <= value <= MAXIMUM:
            raise UsageError(f"The slider {name} goes from {MINIMUM:g} to {MAXIMUM:g}, not to {value:g}.")
