"""Whether faces that were changed are still known: what each recogniser says of them, against the photo before.

Separate from the pipeline of anonymizing, which decides what follows from it. The photo before is embedded once; what was made
of it is looked at as often as need be: as a crop, in the finished photo, and where a face is found again in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.faces.face import Face, Identity, similarity
from facestudio.faces.figures import beside
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.progress import Progress

SIDES = ("the face before", "the face after")
CROP, PHOTO, AGAIN = "crop", "photo", "found again"  # where a changed face is looked at
Said = Mapping[str, Verdict]  # by the judge's id


@dataclass(frozen=True)
class Finding:
    """What the judges say of one changed face.

    Attributes:
        looks: verdicts by look (`CROP`, `PHOTO`, `AGAIN`) and judge. worst: of each judge the one of the highest cosine.
        quality: recognisability before and after, 0..1, None when not measured; gate: what a face needs to be recognised.
        obstacle: why it cannot be said that the face is changed, as a sentence; "" when it can.
        known_before: whether the face could be recognised before; without a panel it is taken to be so.
        judged: whether there are judges, and all of them had their say.
    """

    looks: Mapping[str, Said]
    worst: Said
    quality: tuple[float, float] | None
    gate: float
    obstacle: str
    known_before: bool
    judged: bool

    @property
    def changed(self) -> bool:
        """Whether every judge says at every look that this is not the person, and could have known the person before."""
        return not self.obstacle

    @property
    def unknown_after(self) -> bool:
        """Whether nobody could be recognised in the face any more."""
        return self.quality is not None and self.quality[1] < self.gate

    def summary(self, panel: Panel | None) -> Summary | None:
        """What the worst verdicts come to; None without any.

        That nobody can be recognised in a changed face is no reason not to judge it, as it is with a restored one.
        """
        if self.quality is None or not (self.known_before and self.unknown_after):
            return summarise(self.worst, self.quality, panel, SIDES)
        summary = summarise(self.worst)
        return summary and replace(summary, quality=self.quality, gate=self.gate, sides=SIDES)


class Verifier:
    """Holds what `judges` make of the `faces` of a photo, by their index, and compares with it what was made of them.

    A judge that fails has a sentence in `troubles` and no say any more: nothing that it did not see is verified.
    """

    def __init__(
        self,
        pixels: np.ndarray,
        faces: Mapping[int, Face],
        judges: Sequence[Embedder],
        panel: Panel | None,
        far: float,
        progress: Progress,
    ) -> None:
        self.judges = tuple(judges)
        self.troubles: dict[str, str] = {}
        self._panel, self._far = panel, far
        marks = {index: face.landmarks for index, face in faces.items()}
        self._before = self._embed(pixels, marks, progress)
        self._quality_before = self.quality(pixels, marks, progress)

    def known_before(self, index: int) -> bool:
        """Whether the face could be recognised before."""
        quality = self._quality_before.get(index)
        return self._panel is None or quality is None or quality >= self._panel.gate

    def look(
        self, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress
    ) -> dict[int, dict[str, Verdict]]:
        """What each judge says of the faces with `landmarks` (5, 2) in `pixels` (H, W, 3) uint8 RGB, by index and judge."""
        said: dict[int, dict[str, Verdict]] = {index: {} for index in landmarks}
        now = self._embed(pixels, landmarks, progress)
        for judge in self.judges:
            for index, identity in now.get(judge.id, {}).items():
                cosine = similarity(self._before[judge.id][index], identity)
                said[index][judge.id] = verdict(cosine, judge.checkpoint, far=self._far, goal="change")
        return said

    def quality(self, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress) -> dict[int, float]:
        """Recognisability of the faces with `landmarks` in `pixels`, by index; empty when it cannot be measured."""
        if self._panel is None or not landmarks or not self.judges:
            return {}
        points = np.array(list(landmarks.values()), dtype=np.float32)
        try:
            return dict(zip(landmarks, self._panel.quality(pixels, points, progress), strict=True))
        except FaceStudioError as failure:
            self.troubles["quality"] = f"How recognisable it is could not be measured: {failure}"
            return {}

    def finding(self, index: int, looks: Mapping[str, Said], after: float | None = None) -> Finding:
        """What `looks` at the face `index` come to; `after`: its recognisability now."""
        worst: dict[str, Verdict] = {}
        for said in looks.values():
            for name, one in said.items():
                if name not in worst or one.cosine > worst[name].cosine:
                    worst[name] = one
        before = self._quality_before.get(index)
        quality = None if before is None or after is None else (before, after)
        gate = self._panel.gate if self._panel is not None else 0.0
        known = self.known_before(index)
        judged = bool(self.judges) and not self.troubles
        return Finding(looks, worst, quality, gate, self._obstacle(looks, known, before, gate), known, judged)

    def _obstacle(self, looks: Mapping[str, Said], known: bool, before: float | None, gate: float) -> str:
        if not self.judges:
            return "No recogniser is here that may judge it."
        if self.troubles:
            return " ".join(self.troubles.values())
        if not known and before is not None:
            return (
                f"It was too poor to be recognised before ({before:.0%}, {gate:.0%} is needed), so nobody can tell whether "
                "it is changed."
            )
        missed = [
            (one.cosine - one.changed_below, look, one)
            for look, said in looks.items()
            for one in said.values()
            if not one.success
        ]
        if not missed:
            return ""
        _, look, one = max(missed, key=lambda each: each[0])
        where = {CROP: "of the crop", PHOTO: "in the finished photo", AGAIN: "of the face as it is found again"}[look]
        cosine, limit = beside(one.cosine, one.changed_below)
        return f"{one.embedder} says {one.words} {where} (cosine {cosine}, changed is below {limit})."

    def _embed(
        self, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress
    ) -> dict[str, dict[int, Identity]]:
        """Who the faces are, by judge and index; a judge that fails is missing."""
        found: dict[str, dict[int, Identity]] = {}
        if not landmarks:
            return found
        points = np.array(list(landmarks.values()), dtype=np.float32)
        for judge in progress.track(self.judges, "Measuring identity", share=0.1):
            if judge.id in self.troubles:
                continue
            try:
                verdict(0.0, judge.checkpoint, far=self._far)  # one without calibration says nothing
                identities = judge.embed_all(pixels, points, progress)
            except FaceStudioError as failure:
                self.troubles[judge.id] = f"{judge.id} could not judge it: {failure}"
                continue
            found[judge.id] = dict(zip(landmarks, identities, strict=True))
        return found
