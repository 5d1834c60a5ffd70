"""All recognisers together: one sentence about a pair of faces, from a verdict of each.

Each cosine becomes the log-odds of "same person", given how recognisable the poorer face is; the mean of these is the
score of the panel, with thresholds of its own, measured on people that no recogniser was trained on. A face below the
gate is not judged. Separate from `identity`, which knows one recogniser at a time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from facestudio.checkpoints import Checkpoint
from facestudio.faces.calibration import interval_at, threshold_at
from facestudio.faces.identity import CHANGED, LENIENT_FAR, SAME, UNCERTAIN, Embedder, Verdict
from facestudio.faces.quality import Quality
from facestudio.progress import Progress

UNJUDGED = "cannot be judged"
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
        score, threshold: of the panel, in log-odds; None when there is no panel.
    """

    words: str
    probability: float
    verdicts: tuple[Verdict, ...]
    goal: str = "keep"
    quality: tuple[float, float] | None = None
    gate: float = 0.0
    score: float | None = None
    threshold: float | None = None

    @property
    def success(self) -> bool:
        """Whether the goal is reached: the same person kept, or the identity changed."""
        return self.words == (CHANGED if self.goal == "change" else SAME)

    @property
    def chance(self) -> float:
        """The probability as it is shown: nothing here is certain."""
        return min(max(self.probability, 0.01), 0.99)

    @property
    def sentence(self) -> str:
        """One sentence for people."""
        if self.words == UNJUDGED:
            assert self.quality is not None
            low = [word for word, q in zip(("first", "second"), self.quality, strict=True) if q < self.gate]
            which = "both faces are" if len(low) == 2 else f"the {low[0]} face is"
            return f"Cannot be judged: {which} too poor to be recognised ({min(self.quality):.0%}, {self.gate:.0%} is needed)."
        chance = "the chance" if self.words == SAME else "the chance of the same person"
        return f"{self.words.capitalize()}: {chance} is {self.chance:.0%}, {self.agreement}."

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

    def log_odds(self, embedder: str, cosine: float, quality: float) -> float:
        """Of the same person, when the poorer face has `quality`. KeyError for an embedder that is not of the panel."""
        return float(log_odds(self.checkpoint.calibration["same"][embedder], cosine, quality))

    def score(self, cosines: Mapping[str, float], quality: float) -> float:
        """The mean of the log-odds of `cosines`, by the embedders' ids."""
        return float(np.mean([self.log_odds(name, cosine, quality) for name, cosine in cosines.items()]))

    def thresholds(
        self, embedders: Sequence[str], far: float
    ) -> tuple[float, float, tuple[float, float] | None] | None:
        """(threshold at `far`, the one below which "changed" is said, interval of the first) of the score of `embedders`.

        None when this set was not calibrated.
        """
        measured = self.checkpoint.calibration["together"].get(" ".join(sorted(embedders)))
        if measured is None:
            return None
        threshold = threshold_at(measured, far, self.checkpoint.id)
        return threshold, min(threshold_at(measured, LENIENT_FAR), threshold), interval_at(measured, far)


def log_odds(coefficients: Sequence[float], cosine: Any, quality: Any) -> Any:
    """b0 + b1 cosine + b2 quality + b3 cosine quality, of numbers or arrays; never falling with the cosine."""
    b0, b1, b2, b3 = coefficients
    return b0 + b2 * quality + np.maximum(b1 + b3 * quality, 0.0) * cosine


def summarise(
    verdicts: Mapping[str, Verdict], quality: tuple[float, float] | None = None, panel: Panel | None = None
) -> Summary | None:
    """What `verdicts`, by the embedders' ids, come to; None when there are none.

    If the identity is to be kept, the panel's score decides, where there is a panel that knows these recognisers;
    otherwise, and always if it is to be changed, the most cautious of them does. With a panel a face below its gate
    cannot be judged.
    """
    if not verdicts:
        return None
    said = tuple(verdicts.values())
    cautious = max(said, key=lambda verdict: verdict.distance_from_goal)
    words, probability, goal = cautious.words, cautious.probability, cautious.goal
    if panel is None or quality is None:
        return Summary(words, probability, said, goal)
    poorer = min(quality)
    score = threshold = None
    limits = panel.thresholds(list(verdicts), cautious.far) if goal == "keep" and len(said) > 1 else None
    if limits is not None:
        threshold, changed_below, _ = limits
        score = panel.score({name: verdict.cosine for name, verdict in verdicts.items()}, poorer)
        words = SAME if score >= threshold else CHANGED if score < changed_below else UNCERTAIN
        probability = 1 / (1 + math.exp(-min(max(score, -60.0), 60.0)))
    if poorer < panel.gate:
        words = UNJUDGED
    return Summary(words, probability, said, goal, quality, panel.gate, score, threshold)


def _number(count: int) -> str:
    return NUMBERS[count] if count < len(NUMBERS) else str(count)
