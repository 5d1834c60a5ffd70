"""All recognisers together: one sentence about a pair of faces, from a verdict of each.

A logistic regression turns the cosines of all recognisers, given how recognisable the poorer face is, into the log-odds of
"same person": the score of the panel, with thresholds of its own, measured on people that no recogniser was trained on. A
face below the gate is not judged. Separate from `identity`, which knows one recogniser at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.faces.calibration import same_chance, shown, threshold_at
from facestudio.faces.figures import percent_short, px_short
from facestudio.faces.identity import CHANGED, LENIENT_FAR, SAME, UNCERTAIN, Embedder, Verdict
from facestudio.faces.quality import Quality
from facestudio.progress import Progress

UNJUDGED = "cannot be judged"
_CAUTION = (CHANGED, UNCERTAIN, SAME)  # of what is said where a person is to be kept, the most cautious first
# px apart: of two smaller faces strangers pass for one person too often (docs/benchmarks/recognisers.md)
SMALLEST_EYES = 7.0
NUMBERS = ("none", "one", "two", "three", "four", "five")


@dataclass(frozen=True)
class Summary:
    """What a pair of faces comes to.

    Attributes:
        words: "same person", "uncertain", "changed" or "cannot be judged".
        probability: of being the same person, 0..1, if both were equally likely beforehand.
        verdicts: what each recogniser says, in the order of the manifest.
        goal: "keep" or "change" the identity.
        quality: recognisability of the two faces, 0..1; None when it was not measured. gate: what each of them needs.
        score, threshold: of the panel, in log-odds; None when there is no panel. A recogniser that the panel does not know may
            have made the words more cautious.
        sides: what the two faces are called.
        eyes: px between the eyes of the two faces, where both are too small to be told from strangers; else None.
    """

    words: str
    probability: float
    verdicts: tuple[Verdict, ...]
    goal: str = "keep"
    quality: tuple[float, float] | None = None
    gate: float = 0.0
    score: float | None = None
    threshold: float | None = None
    sides: tuple[str, str] = ("the first face", "the second face")
    eyes: tuple[float, float] | None = None

    @property
    def success(self) -> bool:
        """Whether the goal is reached: the same person kept, or the identity changed."""
        return self.words == (CHANGED if self.goal == "change" else SAME)

    @property
    def far(self) -> float:
        """The false accept rate of the panel's threshold; of the verdicts' thresholds the strictest."""
        return min(verdict.far for verdict in self.verdicts)

    @property
    def chance(self) -> float:
        """The probability as it is shown: nothing here is certain."""
        return shown(self.probability)

    @property
    def by_embedder(self) -> dict[str, Verdict]:
        """The verdicts by their embedders' ids."""
        return {verdict.embedder: verdict for verdict in self.verdicts}

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        if self.words == UNJUDGED and self.eyes is not None:
            return (
                f"Cannot be judged: both faces are too small to be told from strangers ({px_short(max(self.eyes))} between the "
                f"eyes, {SMALLEST_EYES:.0f} px are needed in one of them)."
            )
        if self.words == UNJUDGED:
            assert self.quality is not None
            low = [side for side, q in zip(self.sides, self.quality, strict=True) if q < self.gate]
            which = "both faces are" if len(low) == 2 else f"{low[0]} is"
            measured = f"{percent_short(min(self.quality))}, {self.gate:.0%} is needed"
            return f"Cannot be judged: {which} too poor to be recognised ({measured})."
        return f"{self.words.capitalize()} ({same_chance(self.probability)}); {self.agreement}."

    @property
    def lack(self) -> str:
        """What the faces lack that cannot be judged, in a few words; "" when they can."""
        if self.words != UNJUDGED:
            return ""
        if self.eyes is not None:
            return f"too small: {px_short(max(self.eyes))} between the eyes, {SMALLEST_EYES:.0f} px are needed"
        assert self.quality is not None
        return f"too poor: recognisable at {percent_short(min(self.quality))}, {self.gate:.0%} is needed"

    @property
    def agreement(self) -> str:
        """How many recognisers say the same; of an uncertain pair, how many say "same person"."""
        said = [verdict.words for verdict in self.verdicts]
        if len(said) == 1:
            return "one recogniser was asked"
        if said.count(self.words) == len(said):
            return f"{'both' if len(said) == 2 else 'all ' + _number(len(said))} recognisers agree"
        of = SAME if self.words == UNCERTAIN else self.words
        alike = said.count(of)
        return f"{_number(alike)} of {_number(len(said))} {'says' if alike < 2 else 'say'} {of}"


def between_photos(words: str) -> str:
    """The words of a verdict or a summary about two photos, where nothing has changed: "different people"."""
    return words.replace("Changed", "Different people").replace("changed", "different people")


class Panel:
    """The recognisers' joint calibration (`checkpoint`) and their `quality` measure."""

    def __init__(self, checkpoint: Checkpoint, quality: Quality) -> None:
        self.checkpoint = checkpoint
        self._quality = quality

    @classmethod
    def load(cls, checkpoint: Checkpoint, embedders: Mapping[str, Embedder]) -> Panel:
        """Load what was fitted to `embedders`, by their ids; CheckpointMismatch when these are not the ones."""
        return cls(checkpoint, Quality.load(checkpoint, embedders))

    @property
    def gate(self) -> float:
        """The recognisability, 0..1, that a face needs to be judged."""
        return float(self.checkpoint.calibration["gate"])

    def quality(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> tuple[float, ...]:
        """Recognisability of faces; arguments and errors as of `Quality.measure`."""
        return self._quality.measure(pixels, landmarks, progress)

    def score(self, cosines: Mapping[str, float], quality: float) -> float | None:
        """Log-odds of the same person, of `cosines` by the embedders' ids, when the poorer face has `quality`.

        None when this set of embedders was not calibrated.
        """
        names = sorted(cosines)
        coefficients = self.checkpoint.calibration["odds"].get(" ".join(names))
        if coefficients is None:
            return None
        return float(log_odds(coefficients, np.array([cosines[name] for name in names]), np.float64(quality)))

    def knows(self, embedder: str) -> bool:
        """Whether the panel was fitted to an embedder; others may judge beside it, by their own calibration."""
        return embedder in self.checkpoint.calibration["odds"]

    def thresholds(self, embedders: Sequence[str], far: float) -> tuple[float, float] | None:
        """(threshold at `far`, the one below which "changed" is said) of the score of `embedders`.

        None when this set was not calibrated.
        """
        measured = self.checkpoint.calibration["together"].get(" ".join(sorted(embedders)))
        if measured is None:
            return None
        threshold = threshold_at(measured, far, self.checkpoint.id)
        return threshold, min(threshold_at(measured, LENIENT_FAR), threshold)


def log_odds(coefficients: Sequence[float], cosines: np.ndarray, quality: Any) -> np.ndarray:
    """Of the same person (...): b + c quality + the sum over j of max(d_j + e_j quality, 0) cosine_j.

    Args:
        coefficients: b, c, d_0, e_0, d_1, e_1, ...; cosines: (..., J), of the embedders in the order of their ids;
        quality: (...) of the poorer face. The slopes are never negative, so it never falls with a cosine.
    """
    b, c, *slopes = coefficients
    rising = np.asarray(slopes[0::2]) + np.multiply.outer(quality, np.asarray(slopes[1::2]))
    return b + c * quality + (np.maximum(rising, 0.0) * cosines).sum(-1)


def chance(score: float) -> float:
    """The probability of log-odds."""
    return 1 / (1 + math.exp(-min(max(score, -60.0), 60.0)))


def summarise(
    verdicts: Mapping[str, Verdict],
    quality: tuple[float, float] | None = None,
    panel: Panel | None = None,
    sides: tuple[str, str] = Summary.sides,
    eyes: tuple[float, float] | None = None,
) -> Summary | None:
    """What `verdicts`, by the embedders' ids, come to; None when there are none. `sides`: what the two faces are called; `eyes`:
    px between the eyes of both, before anything was enlarged.

    If the identity is to be kept, the panel's score decides, where there is a panel that knows several of these recognisers, or
    one that it does not know and that is more cautious; otherwise, and always if it is to be changed, the most cautious of them
    does. With a panel a face below its gate cannot be judged; nor are two faces said to be of the same person whose eyes are less
    than SMALLEST_EYES apart.
    """
    if not verdicts:
        return None
    said = tuple(verdicts.values())
    cautious = max(said, key=lambda verdict: verdict.distance_from_goal)
    words, probability, goal = cautious.words, cautious.probability, cautious.goal
    if panel is None or quality is None:
        return Summary(words, probability, said, goal)
    poorer = min(quality)
    known = {name: verdict for name, verdict in verdicts.items() if panel.knows(name)}
    cosines = {name: verdict.cosine for name, verdict in known.items()}
    said = tuple(_given(verdict, panel.score({name: verdict.cosine}, poorer)) for name, verdict in verdicts.items())
    score = panel.score(cosines, poorer) if goal == "keep" and len(known) > 1 else None
    limits = panel.thresholds(list(known), min(v.far for v in known.values())) if score is not None else None
    threshold = None
    if score is not None and limits is not None:
        threshold, changed_below = limits
        words = SAME if score >= threshold else CHANGED if score < changed_below else UNCERTAIN
        voices = [
            (words, chance(score)),
            *((v.words, v.probability) for name, v in verdicts.items() if name not in known),
        ]
        words, probability = min(voices, key=lambda voice: (_CAUTION.index(voice[0]), voice[1]))
    small = eyes if eyes is not None and max(eyes) < SMALLEST_EYES and words == SAME and goal == "keep" else None
    if poorer < panel.gate:
        words, small = UNJUDGED, None
    if small is not None:
        words = UNJUDGED
    return Summary(words, probability, said, goal, quality, panel.gate, score, threshold, sides, small)


def _given(verdict: Verdict, score: float | None) -> Verdict:
    """The verdict with the probability that its recogniser's own log-odds give; as it is without any."""
    return verdict if score is None else replace(verdict, probability=chance(score))


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
