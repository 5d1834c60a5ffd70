"""How a photo stands, by the faces that it shows: whether it lies on its side or head, and the quarter turn that sets it upright.

Separate from `turns`, which turns by any angle so that the detector finds heads; this is about the whole photo, for a person
who wants it upright. Knows no networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facestudio.faces.face import Face
from facestudio.quarters import words

SURE = 0.85  # of a face that may say how a photo stands; what looks like one in a photo on its head had 0.77 (`detect.STANDS`)
AGREE = 45.0  # degrees from their median, at most: beyond, somebody lies in a photo of others who stand
NEAR = 30.0  # degrees between the median and a quarter turn, at most: beyond, heads are tilted and the photo is not


@dataclass(frozen=True)
class Standing:
    """The `turn`, 0, 90, 180 or 270 degrees clockwise, that sets a photo upright, and `why`, or why it is left, in a sentence;
    `faces`: how many say so."""

    turn: int
    why: str
    faces: int = 0

    @property
    def offer(self) -> str:
        """How the faces lie, in a sentence; "" where nothing is to be turned."""
        if not self.turn:
            return ""
        one = self.faces == 1
        if self.turn == 180:
            return "The face in this photo is upside down." if one else "The faces in this photo are upside down."
        return "The face in this photo lies on its side." if one else "The faces in this photo lie on their side."


def standing(faces: Sequence[Face]) -> Standing:
    """How the photo with `faces` stands: by the median of the roll of those that are sure, when all of them agree."""
    sure = [face for face in faces if face.score >= SURE]
    if not sure:
        lack = "no face was detected reliably enough to tell which way is up" if faces else "no face was found"
        return Standing(0, f"Not turned: {lack}.")
    one = len(sure) == 1
    rolls = np.array([float(face.pose[2]) for face in sure])
    # the median of angles has to be taken where they do not jump, which is away from the opposite of their mean
    mean = np.degrees(np.angle(np.exp(1j * np.radians(rolls)).sum()))
    apart = _wrapped(rolls - mean)
    middle = float(np.median(apart))
    if np.abs(apart - middle).max() > AGREE:
        return Standing(0, "Not turned: the faces do not agree on which way is up.")
    quarter = round((mean + middle) / 90)
    if abs(float(_wrapped(mean + middle - 90 * quarter))) > NEAR:
        return Standing(
            0, f"Not turned: {'the face is' if one else 'the faces are'} tilted, and not by a quarter turn."
        )
    turn = -90 * quarter % 360
    if not turn:
        return Standing(0, f"Not turned: the {'face stands' if one else 'faces stand'} upright.", len(sure))
    how = "upside down" if turn == 180 else "on its side" if one else "on their side"
    was = "lay" if turn != 180 else "was" if one else "were"
    return Standing(turn, f"Turned by {words(turn)}: the {'face' if one else 'faces'} {was} {how}.", len(sure))


def _wrapped(degrees: np.ndarray) -> np.ndarray:
    """The same angles in -180..180."""
    return np.asarray((np.asarray(degrees) + 180) % 360 - 180)
