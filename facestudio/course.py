"""The course of one face that is anonymized: what is tried, what was tried before, how it looks now, and what became of it.

Separate from `anonymizing`, which leads all faces of a photo side by side and lets the judges look. Knows no detector.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from facestudio.anonymized import FAILED, FALLBACK, HIDDEN, LEFT, REVIEW, UNVERIFIED, VERIFIED, AnonymizedFace, Try
from facestudio.casting import Cast, Chosen
from facestudio.faces.align import align, transform
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import AlignedFace, Face
from facestudio.faces.figures import percent_short
from facestudio.faces.panel import Panel
from facestudio.faces.paste import covered, paste, touched
from facestudio.faces.tone import colourless, in_tone, without_colour
from facestudio.faces.verifying import Finding, Said, Verifier
from facestudio.methods.base import Replacing, Taking
from facestudio.newcomers import FAR, RULE, Likeness, View, Views
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.trying import Step, Wanted, is_tiny

COVERED = 0.9  # part of a tiny face's box below a block; its corners may stand out, in which there is no face

LIKE_OTHERS = (
    "A recogniser may take the new face for another one of this run: nobody drawn differs clearly from all of them."
)


class _Good(NamedTuple):
    """A crop that no judge knows: how it was made, what the judges say, whom it shows, and how like others that is."""

    step: Step
    crop: AlignedFace
    said: Said
    chosen: Chosen
    likeness: Likeness


class Course:
    """Where one face stands: what is tried now, what was tried before, and how it looks."""

    def __init__(self, index: int, face: Face, wanted: Wanted, verifier: Verifier, cast: Cast) -> None:
        self.index, self.face = index, face
        self.shown, self._decisions = wanted.shown, wanted.decisions
        self._cast, self._person = cast, wanted.person
        steps = iter(wanted.steps)
        self.step = next(steps)
        self.crop: AlignedFace | None = None
        self.said_of_crop: Said = {}
        self.finding: Finding | None = None
        self.found_again: Face | None = None
        self.covered = False  # whether it is tiny, and its box below what is laid over it
        self._steps, self._verifier = steps, verifier
        self._tries = list(wanted.earlier)
        self._good: list[_Good] = []  # what may be shown of what this step made
        self._likeness = Likeness()  # of what was made last
        self._asked, self._drawn = self.step, 0  # the step as it was asked for; further people drawn
        self._like_others = False
        verifier.leave_out(index, self.step.method.checkpoint.conditioned_on)

    @property
    def passed(self) -> bool:
        """Whether what the face shows now is enough."""
        return self.finding is not None and (self.step.passes(self.finding) or self.buried)

    @property
    def buried(self) -> bool:
        """Whether the face is tiny and lies below the largest block, where nobody finds it again: what recognisers still say
        is of what lies around, so it is no reason to have it looked at."""
        whole = self.covered and self.found_again is None and self.step.strongest
        return self.step.erases and whole and self.finding is not None and self.finding.judged

    def advance(self, obstacle: str, finding: Finding | None = None) -> bool:
        """Give up this step because of `obstacle` for the next one, and say whether there is one; else the last stays.

        Where nobody can judge the face, only what leaves nothing of it is worth another try.
        """
        hopeless = not self._verifier.known_before(self.index)
        for step in self._steps:
            if not hopeless or step.last_resort or step.erases:
                self._note(obstacle, finding)
                self.step, self.crop, self.finding, self.shown = step, None, None, None
                self._asked, self._good, self._like_others = step, [], False
                self._cast.hide(self.index)
                self._verifier.leave_out(self.index, step.method.checkpoint.conditioned_on)
                return True
        return False

    def lay(self, photo: Photo) -> Photo:
        """`photo` with the face as it is shown now; without a crop, the photo as it is."""
        if self.crop is None:
            return photo
        if is_tiny(self.face.box):
            left, top, right, bottom = np.rint(self.face.box).astype(int).clip(0)
            box = covered(photo, self.crop, self.step.mask)[top : bottom + 1, left : right + 1]
            self.covered = box.size > 0 and float(box.mean()) >= COVERED
        if self.shown is None:
            return paste(photo, self.crop, mask=self.step.mask)
        where = touched(photo, self.crop, self.step.mask)  # as it was written: pasted once more it would be blurred
        return photo.with_pixels(np.where(where[..., None], self.shown.pixels, photo.pixels))

    def made(self, before: AlignedFace, progress: Progress) -> AlignedFace:
        """What this step makes of the crop `before`, or made of it earlier: of several takes that which moved least; where it is
        too like other new faces, the next that is not, and that no judge knows either, else the one that is least like them."""
        step = self.step
        self._likeness = Likeness()
        if self.shown is not None:
            return self._toned(align(self.shown, self.face, step.method.template), before)
        method = self._cast.told(step.method, self.index, before, step.seed, step.another)
        self._person = "" if step.obscurer is not None else self._cast.token(self.index)
        if not isinstance(method, Taking):
            return self._among([self._toned(method(before, step.options, progress, step.seed), before)], progress)
        takes = sorted(method.takes(before, step.options, progress, step.seed), key=lambda take: take.moved)
        return self._among((self._toned(take.crop, before) for take in takes), progress)

    def _among(self, crops: Iterable[AlignedFace], progress: Progress) -> AlignedFace:
        """The one of `crops`, which moved least first, that is shown, as of `made`; `_likeness` is then its. No more of them are
        made than have to be looked at."""
        if not isinstance(self.step.method, Replacing) or self._cast.alone(self.index):
            return next(iter(crops))  # there is nobody to be apart from
        first: AlignedFace | None = None
        best: tuple[AlignedFace, Likeness] | None = None
        for crop in crops:
            first = crop if first is None else first
            marks = self._marks(crop)
            if not self._verifier.changed(self.index, crop.pixels, marks, progress):
                if best is None:
                    break  # a further one would have moved more
                continue
            found = self._cast.likeness(self.index, self._views(crop.pixels, marks, progress))
            if best is None or found.order < best[1].order:
                best = crop, found
            if not found.too_alike:
                break
        assert first is not None
        if best is None:
            return first
        self._likeness = best[1]
        return best[0]

    def offer(self, made: AlignedFace, said: Said) -> None:
        """No judge knows what was `made`, so it may be shown."""
        self._good.append(_Good(self.step, made, said, self._cast.chosen(self.index), self._likeness))

    def draws_another(self) -> bool:
        """Whether somebody else is to be drawn first, as what was offered is too like other new faces; then `step` says so."""
        if not self._good or not self._best.likeness.too_alike or self._drawn >= RULE.draws:
            return False
        self._drawn += 1
        self.step = self._asked.anew(self._drawn)
        return True

    def settle(self, progress: Progress) -> bool:
        """Show what was offered and is least like other new faces, if anything was."""
        if not self._good:
            return False
        best = self._best
        self.step, self.crop, self.said_of_crop = best.step, best.crop, best.said
        self._like_others = best.likeness.too_alike
        if isinstance(best.step.method, Replacing):
            self._cast.choose(self.index, best.chosen)
            if self.shown is None:
                self._person = self._cast.token(self.index)
            self._cast.show(self.index, self._views(best.crop.pixels, self._marks(best.crop), progress))
        return True

    @property
    def _best(self) -> _Good:
        return min(self._good, key=lambda one: one.likeness.order)

    def _toned(self, made: AlignedFace, before: AlignedFace) -> AlignedFace:
        """With no colours but those of the photo: a made face has some where that may have none."""
        if self.step.obscurer is None:
            return in_tone(made, before)
        return without_colour(made) if colourless(before) else made

    def _marks(self, crop: AlignedFace) -> np.ndarray:
        return transform(crop.matrix, self.face.landmarks).astype(np.float32)

    def _views(self, pixels: np.ndarray, marks: np.ndarray, progress: Progress) -> Views:
        """How the judges see the face with landmarks `marks` in `pixels`."""
        said = self._verifier.identities(pixels, {self.index: marks}, progress)[self.index]
        return {
            f"{judge.id} {judge.checkpoint.hashes}".strip(): View(
                identity.embedding, threshold_at(judge.checkpoint.calibration, FAR, judge.id)
            )
            for judge, identity in said
        }

    def fail(self, obstacle: str) -> None:
        """The last step failed, so that there is nothing to show."""
        self._note(obstacle, None)

    def _note(self, obstacle: str, finding: Finding | None) -> None:
        looks = finding.looks if finding is not None else {}
        cosines = {look: {judge: one.cosine for judge, one in said.items()} for look, said in looks.items()}
        step = self.step
        tried = Try(step.method.id, asdict(step.options), step.seed, obstacle, cosines, step.method.checkpoint.id)
        self._tries.append(tried)

    def result(self, before: Photo, after: Photo, panel: Panel | None) -> AnonymizedFace:
        """What became of the face."""
        if self.crop is None or self.finding is None:
            failed = self._tries[-1].obstacle
            return AnonymizedFace(
                *(self.face, self.index, FAILED, failed, {}, {}), tries=tuple(self._tries), decisions=self._decisions
            )
        finding, step = self.finding, self.step
        obstacle = None if self.passed else finding.obstacle
        left = self._decisions[-1:] == (LEFT,)
        self._note("" if self.passed else finding.obstacle, finding)
        template = step.method.template
        newcomer = None
        if self.passed and step.obscurer is None and isinstance(step.method, Replacing):
            views = self._views(after.pixels, self.face.landmarks, Progress())
            newcomer = self._cast.show(self.index, views)
        status = VERIFIED if self.passed else LEFT if left else REVIEW
        if self.passed and step.last_resort:
            status = FALLBACK
        if left and obstacle is not None:
            obstacle = f"{UNVERIFIED} {obstacle}"
        return AnonymizedFace(
            self.face,
            self.index,
            status,
            obstacle,
            {name: one.cosine for name, one in finding.worst.items()},
            dict(finding.worst),
            finding.summary(panel),
            align(before, self.face, template),
            align(after, self.face, template),
            self._notes(finding),
            method=step.method.id,
            tries=tuple(self._tries),
            erased=step.erases,
            generative=step.obscurer is None,
            found_again=self.found_again,
            decisions=self._decisions,
            person=self._person,
            fallback=step.last_resort,
            newcomer=newcomer,
        )

    def _notes(self, finding: Finding) -> tuple[str, ...]:
        """What a person should read beside the result."""
        notes = [LIKE_OTHERS] if self._like_others else []
        if self.step.last_resort and self._decisions[-1:] == (HIDDEN,):
            notes.append(f"Hidden by {self.step.method.id}, because a person decided so.")
        elif self.step.last_resort:
            first = self._tries[0]
            alike = sum(one.method == first.method for one in self._tries)
            why = next((one.obstacle for one in reversed(self._tries) if one.method == first.method), first.obstacle)
            times = "one try" if alike == 1 else f"{alike} tries"
            notes.append(
                f"Hidden by {self.step.method.id}, because it was not verified after {times} with {first.method}. {why}"
            )
        if not finding.known_before and self.step.erases:
            notes.append("It was too poor to be recognised before, and nothing of it is left.")
        elif self.step.erases and finding.obstacle and self.buried:
            notes.append(f"Nothing of it is left: what is said of it is of what lies around it. {finding.obstacle}")
        elif finding.unknown_after and finding.quality is not None:
            notes.append(
                f"Nobody can be recognised in it any more ({percent_short(finding.quality[1])}, {finding.gate:.0%} is needed)."
            )
        return tuple(notes)
