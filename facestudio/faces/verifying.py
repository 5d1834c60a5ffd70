"""Whether faces that were changed are still known: what each recogniser says of them, against the photo before.

Separate from the pipeline of anonymizing, which decides what follows from it. The photo before is embedded once; what was made
of it is looked at as often as need be: as a crop, in the finished photo, and where a face is found again in it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.faces.face import Face, Identity, similarity
from facestudio.faces.figures import beside, percent_short
from facestudio.faces.identity import Embedder, Verdict, verdict
from facestudio.faces.panel import Panel, Summary, summarise
from facestudio.progress import Progress

SIDES = ("the face before", "the face after")
NO_JUDGE = "No recogniser is here that may judge it."
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

    Which judges have a say is a matter of each face: one that its method listens to has none (`leave_out`).
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
        self._pixels, self._marks = pixels, {index: face.landmarks for index, face in faces.items()}
        self._left_out: dict[int, frozenset[str]] = {}
        self._before: dict[str, dict[int, Identity]] = {}
        self._quality_before = self.quality(pixels, self._marks, progress)

    def leave_out(self, index: int, judges: Collection[str]) -> None:
        """From now on all have a say on the face `index` but these `judges` (ids): what makes it listens to them."""
        self._left_out[index] = frozenset(judges)

    def known_before(self, index: int) -> bool:
        """Whether the face could be recognised before."""
        quality = self._quality_before.get(index)
        return self._panel is None or quality is None or quality >= self._panel.gate

    def look(
        self, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress
    ) -> dict[int, dict[str, Verdict]]:
        """What each judge says of the faces with `landmarks` (5, 2) in `pixels` (H, W, 3) uint8 RGB, by index and judge."""
        said: dict[int, dict[str, Verdict]] = {index: {} for index in landmarks}
        for judge in progress.track(self.judges, "Measuring identity", share=0.1) if landmarks else ():
            asked = {index: points for index, points in landmarks.items() if self._has_say(judge, index)}
            if not asked or judge.id in self.troubles:
                continue
            try:
                verdict(0.0, judge.checkpoint, far=self._far)  # one without calibration says nothing
                before = self._known_to(judge, progress)
                now = _embedded(judge, pixels, asked, progress)
            except FaceStudioError as failure:
                self.troubles[judge.id] = f"{judge.id} could not judge it: {failure}"
                continue
            for index, identity in now.items():
                cosine = similarity(before[index], identity)
                said[index][judge.id] = verdict(cosine, judge.checkpoint, far=self._far, goal="change")
        return said

    def changed(self, index: int, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress) -> bool:
        """Whether each judge that has a say on the face `index`, with `landmarks` (5, 2) in `pixels`, calls it changed.

        The others are not asked any more when one does not. `look` says what a judge that fails here has against it.
        """
        for judge in self.judges:
            if not self._has_say(judge, index) or judge.id in self.troubles:
                continue
            progress.check()
            try:
                before = self._known_to(judge, progress)[index]
                cosine = similarity(before, judge.embed(pixels, landmarks))
                if not verdict(cosine, judge.checkpoint, far=self._far, goal="change").success:
                    return False
            except FaceStudioError:
                return False
        return True

    def identities(
        self, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress
    ) -> dict[int, list[tuple[Embedder, Identity]]]:
        """Who the faces with `landmarks` in `pixels` are to each judge that has a say on them, by index; a judge that fails says
        nothing here, and `look` why."""
        found: dict[int, list[tuple[Embedder, Identity]]] = {index: [] for index in landmarks}
        for judge in self.judges if landmarks else ():
            asked = {index: points for index, points in landmarks.items() if self._has_say(judge, index)}
            if not asked or judge.id in self.troubles:
                continue
            progress.check()
            with suppress(FaceStudioError):
                for index, identity in _embedded(judge, pixels, asked, Progress()).items():
                    found[index].append((judge, identity))
        return found

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
        judges = [judge for judge in self.judges if self._has_say(judge, index)]
        silent = {judge.id for judge in self.judges} - {judge.id for judge in judges}
        troubles = " ".join(words for of, words in self.troubles.items() if of not in silent)
        obstacle = troubles or self._obstacle(looks, known, before, gate) if judges else NO_JUDGE
        return Finding(looks, worst, quality, gate, obstacle, known, bool(judges) and not troubles)

    def _obstacle(self, looks: Mapping[str, Said], known: bool, before: float | None, gate: float) -> str:
        if not known and before is not None:
            return (
                f"It was too poor to be recognised before ({percent_short(before)}, {gate:.0%} is needed), so nobody can tell "
                "whether it is changed."
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

    def _has_say(self, judge: Embedder, index: int) -> bool:
        return judge.id not in self._left_out.get(index, ())

    def _known_to(self, judge: Embedder, progress: Progress) -> Mapping[int, Identity]:
        """Who the faces before, on which `judge` has a say, are to it."""
        known = self._before.setdefault(judge.id, {})
        new = {n: points for n, points in self._marks.items() if n not in known and self._has_say(judge, n)}
        if new:
            known.update(_embedded(judge, self._pixels, new, progress))
        return known


def _embedded(
    judge: Embedder, pixels: np.ndarray, landmarks: Mapping[int, np.ndarray], progress: Progress
) -> dict[int, Identity]:
    """Who the faces with `landmarks` in `pixels` are to `judge`, by index."""
    points = np.array(list(landmarks.values()), dtype=np.float32)
    return dict(zip(landmarks, judge.embed_all(pixels, points, progress), strict=True))
