"""Scratches and specks of a photo: which of its lines are scratches, and the mask of all that is to be mended.

What tells a scratch from hair, rims, wrinkles and the edges of things: it lies on the photo and is no part of what it shows. So
along it there is always the same share of the same white or black, whatever lies under it; it is as bright in a calm place
as in a busy one; and its two sides are alike. Each line has a score of these (a logistic regression, fitted to drawn scratches
and the lines of clean photos), and each strength a least one. Looking takes long, so what is found is kept (`Search`): what of it
is spared may be said afterwards, when it is known where faces are. Knows arrays only: no photo, no face.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from facestudio.errors import UsageError
from facestudio.mending import BY_HAND, CAREFUL, STRONG
from facestudio.mending.lines import Line, lines_of
from facestudio.mending.specks import Circle, Speck, drawn, found_specks
from facestudio.progress import Progress

MOST = 6_000_000  # px in which is looked; larger photos are reduced for it
WIDEST = 0.012  # of the longest side, a scratch
SHORTEST = 20 / 512  # of the longest side
WHITE, BLACK = 245.0, 12.0  # levels of a scratch that hides all
CONSTANT = -3.12
COEFFICIENTS = {  # `benchmarks/scratches.py --fit` fits such, and says how good both are on other photos
    "length": 1.31,
    "contrast": 1.18,
    "width": 2.48,
    "hidden_spread": -5.53,
    "hidden_steps": 1.13,
    "busy": -0.97,
    "ground": -0.54,
    "far": -2.50,
    "uneven": -1.08,
    "sides": -2.38,
    "bright": 1.06,
}


@dataclass(frozen=True)
class _Strength:
    """How sure one has to be: the `least` score of a line, `further` that of one that goes on from a surer one; and the
    `contrast`, `calm` and `tone` of `specks_of`."""

    least: float
    further: float
    contrast: float
    calm: float
    tone: float


_STRENGTHS = {
    CAREFUL: _Strength(2.1, 0.0, 70.0, 0.35, 60.0),
    STRONG: _Strength(0.5, -1.5, 45.0, 0.6, 110.0),
}


@dataclass(frozen=True, eq=False)
class _Level:
    """The lines of one level with their scores, those `taken` for scratches when nothing is spared, and where these are."""

    lines: tuple[tuple[float, Line], ...]
    taken: tuple[Line, ...]
    drawn: np.ndarray


@dataclass(frozen=True, eq=False)
class Search:
    """What looks like a scratch or speck in a photo.

    Attributes:
        shape: height and width of the photo. grey: in which was looked, (h, w) uint8. strength: "careful" or "strong", or "by
            hand", where nothing is looked for.
    """

    shape: tuple[int, int]
    grey: np.ndarray
    strength: str
    levels: tuple[_Level, ...]
    specks: tuple[Speck, ...]

    def mask(self, spared: Sequence[Circle] = ()) -> np.ndarray:
        """What is to be mended, (H, W) bool, when in the `spared` circles (x, y and radius in px of the photo) small things
        belong to the photo, such as eyes: only a scratch that reaches far beyond is mended there."""
        scale = self.grey.shape[0] / self.shape[0]
        circles = [(scale * x, scale * y, scale * radius) for x, y, radius in spared]
        found = drawn(self.specks, self.grey.shape, circles)
        for number, level in enumerate(self.levels):
            taken = _scratches(level.lines, _STRENGTHS[self.strength], circles) if circles else level.taken
            same = len(taken) == len(level.taken)  # sparing only takes away
            found |= level.drawn if same else _drawn(taken, _halved(self.grey, number), self.grey)
        wider = cv2.dilate(found.astype(np.uint8), np.ones((3, 3), np.uint8))
        if self.grey.shape != self.shape:
            wider = cv2.resize(wider, self.shape[::-1], interpolation=cv2.INTER_NEAREST)
        return wider > 0


def search(pixels: np.ndarray, strength: str, progress: Progress | None = None) -> Search:
    """Look for scratches and specks in `pixels` (H, W, 3) uint8 RGB; UsageError for another strength. "By hand" finds nothing.

    Nothing is random: the same photo always gives the same. A photo of more than MOST px is looked at reduced, so that what is
    needed beside it is bounded.
    """
    if strength == BY_HAND:
        return Search(pixels.shape[:2], np.zeros((1, 1), np.uint8), strength, (), ())
    if strength not in _STRENGTHS:
        raise UsageError(f"Scratches are mended {CAREFUL} or {STRONG}, not {strength}.")
    sure = _STRENGTHS[strength]
    progress = progress or Progress()
    height, width = pixels.shape[:2]
    whole = cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY)
    scale = min(1.0, (MOST / (height * width)) ** 0.5)
    grey = whole if scale == 1 else cv2.resize(whole, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    side = max(grey.shape)
    levels = []
    numbers = range(max(1, int(np.log2(max(WIDEST * side, 2)))))
    for number in progress.track(numbers, "Looking for scratches", share=0.12):
        small = grey if not number else _halved(grey, number)
        found = lines_of(small.astype(np.float32), number, SHORTEST * side / 2**number, progress.check)
        scored = tuple((score_of(line, side), line) for line in found)
        taken = tuple(_scratches(scored, sure))
        levels.append(_Level(scored, taken, _drawn(taken, small, grey)))
    specks = found_specks(grey, max(1.5, 0.006 * side), sure.contrast, sure.calm, sure.tone, progress)
    return Search((height, width), grey, strength, tuple(levels), specks)


def scratches_of(
    pixels: np.ndarray, strength: str, progress: Progress | None = None, spared: Sequence[Circle] = ()
) -> np.ndarray:
    """Where scratches and specks are in `pixels`, (H, W) bool; arguments and errors as of `search` and `Search.mask`."""
    return search(pixels, strength, progress).mask(spared)


def _halved(grey: np.ndarray, level: int) -> np.ndarray:
    """`grey` halved `level` times."""
    scale = 0.5**level
    return cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _scratches(scored: Sequence[tuple[float, Line]], sure: _Strength, spared: Sequence[Circle] = ()) -> Sequence[Line]:
    """Which of the lines of one level, that are `scored`, are scratches."""
    taken = [line for score, line in scored if score >= sure.least and _reaches_out(line, spared)]
    rest = [line for score, line in scored if score >= sure.further and all(line is not other for other in taken)]
    fresh = taken
    while fresh:  # what goes on from a scratch needs less to be one
        joined = [line for line in rest if any(_goes_on(known, line) for known in fresh)]
        rest = [line for line in rest if all(line is not other for other in joined)]
        taken, fresh = taken + joined, joined
    return taken


def score_of(line: Line, side: int) -> float:
    """The log-odds that a `line` of a photo, whose longest side is `side` px, is a scratch."""
    return CONSTANT + sum(COEFFICIENTS[name] * value for name, value in features_of(line, side).items())


def features_of(line: Line, side: int) -> dict[str, float]:
    """What is known of a `line`, by the names of `COEFFICIENTS`; arguments as of `score_of`."""
    sides = (line.left + line.right) / 2
    room = (WHITE - sides) if line.bright else (sides - BLACK)
    hidden = np.clip(np.abs(line.middle - sides) / np.maximum(room, 20), 0, 1.5)  # how much of what is under it
    usual, lower, upper = (float(value) for value in np.percentile(hidden, (50, 25, 75)))
    contrast = float(np.median(np.abs(line.middle - sides))) + 1
    far = WHITE - np.percentile(line.middle, 75) if line.bright else np.percentile(line.middle, 25) - BLACK
    return {
        "length": float(np.log(line.length * 2**line.level / side)),
        "contrast": float(np.log(contrast)),
        "width": float(np.log(line.width)),
        "hidden_spread": (upper - lower) / (usual + 0.05),
        "hidden_steps": float(np.log(np.std(np.diff(hidden)) / (usual + 0.05) + 0.02)),
        "busy": float(np.log(np.median(line.busy) / contrast + 0.02)),
        "ground": float(np.log(np.std(sides) / contrast + 0.05)),
        "far": float(abs(far) / 255),
        "uneven": float(np.std(line.middle) / contrast),
        "sides": float(np.mean(np.abs(line.left - line.right)) / contrast),
        "bright": float(line.bright),
    }


def _reaches_out(line: Line, spared: Sequence[Circle]) -> bool:
    """Whether half of a `line` or more is outside of the circles, which are of the level 0."""
    y, x = line.points.T * 2**line.level
    inside = np.zeros(len(line.points), bool)
    for a, b, radius in spared:
        inside |= (x - a) ** 2 + (y - b) ** 2 <= radius**2
    return bool(inside.mean() < 0.5)


def _goes_on(known: Line, line: Line) -> bool:
    """Whether a `line` lies where the `known` one would go on."""
    if known.bright != line.bright:
        return False
    for ends in (known.points, known.points[::-1]):
        ahead = ends[0] - ends[min(len(ends) - 1, 12)]
        ahead = ahead / max(float(np.hypot(*ahead)), 1e-6)
        for near, far in ((line.points[0], line.points[-1]), (line.points[-1], line.points[0])):
            step, own = near - ends[0], far - near
            along, beside = float(step @ ahead), abs(float(step[0] * ahead[1] - step[1] * ahead[0]))
            straight = float(own @ ahead) / max(float(np.hypot(*own)), 1e-6)
            if -4 <= along <= max(12.0, 0.3 * known.length) and beside <= 3 + 0.15 * abs(along) and straight > 0.95:
                return True
    return False


def _drawn(lines: Sequence[Line], small: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Where the `lines` of the level `small` are in `grey`: what of their surroundings is brighter, or darker, as they are."""
    found = np.zeros(grey.shape, bool)
    for bright in (True, False):
        needed = np.zeros(small.shape, np.float32)
        for line in (line for line in lines if line.bright == bright):
            sides = (line.left + line.right) / 2
            rows, columns = line.places.T
            needed[rows, columns] = max(0.3 * float(np.median(np.abs(line.middle - sides))), 5.0)
        if not needed.any():
            continue
        level = int(lines[0].level)
        near = cv2.dilate(needed, np.ones((3, 3), np.uint8))
        near = cv2.resize(near, grey.shape[::-1], interpolation=cv2.INTER_NEAREST)
        ground = cv2.medianBlur(grey, 2 * (5 * 2**level) + 1)
        above = grey.astype(np.float32) - ground if bright else ground.astype(np.float32) - grey
        found |= (near > 0) & (above > near)
    return found
