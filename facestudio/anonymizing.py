"""The story of anonymized faces: change, verify, try again, hide. Built on `pipeline`, and as honest.

    crop    = align(what was laid so far, face)                     faces/align.py
    changed = anonymizer(crop, options, seed)                       methods/
    after   = paste(after, changed, mask)                           faces/paste.py
    known?  = every judge, of the crop, of the photo, and of the face as it is found again      faces/verifying.py

A face that some judge still knows is tried again, with another seed and stronger, and in the end hidden by the fallback, which
the result says. Nothing is passed off: what was not verified needs review, and so does a photo in which the detector, less
choosy than before and looking twice at small ones, sees a face that nobody worked on. Knows no files and no window.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

import numpy as np

from facestudio.anonymized import (
    ASKED,
    LEFT,
    NOT_A_FACE,
    NOT_CHOSEN,
    PUT_BACK,
    SKIPPED,
    UNCHANGED,
    Anonymized,
    AnonymizedFace,
)
from facestudio.casting import Cast
from facestudio.course import Course
from facestudio.errors import FaceStudioError, UsageError
from facestudio.faces.align import align, transform
from facestudio.faces.depths import in_depths, without_depth
from facestudio.faces.detect import Detector
from facestudio.faces.duplicates import OVERLAP, overlap, same_face
from facestudio.faces.face import AlignedFace, Face
from facestudio.faces.judging import Judges
from facestudio.faces.overlooked import half_hidden, overlooked
from facestudio.faces.paste import covered
from facestudio.faces.seethrough import levelled, over_papers, unseen
from facestudio.faces.verifying import AGAIN, CROP, PHOTO, Finding, Said, Verifier
from facestudio.options import validate
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.trying import Choice, Treatment, Wanted

FOUND = 0.3  # score from which a face is worked on: a false one costs a patch of the photo, a missed one a person
UNSURE = 0.2  # score from which a face that nobody worked on is pointed out
WITHIN = 0.5  # part of a box inside of a known face's box from which it shows that face


def check_whole(photo: Photo) -> None:
    """UsageError when only a part of the file could be read."""
    if photo.damage is not None:
        raise UsageError(
            "A photo of which only a part could be read cannot be anonymized: nobody can tell who is in the rest.",
            hint="Copy its file again from where it came from.",
        )


def anonymize(
    photo: Photo,
    faces: Sequence[Face],
    treatment: Treatment,
    judges: Judges,
    detector: Detector,
    *,
    choice: Choice | None = None,
    cast: Cast | None = None,
    progress: Progress | None = None,
) -> Anonymized:
    """Change the chosen `faces` of `photo` until no judge knows them, or hide them by the fallback.

    Args:
        faces: detections, best from a score of `FOUND` on; none is an answer too, the photo is looked at all the same.
        judges: of each face those are left out that the method which makes it is conditioned on.
        detector: looks for the faces again in the finished photo, and for such as were missed.
        choice: what is to be done with which face; None: all are changed.
        cast: whom faces become, for methods that can be told (`Replacing`); None: somebody new each, apart from one another.

    A method that fails on a face counts as a try. UsageError as of `Choice.wanted`, and for options that are not allowed;
    Cancelled passes through.
    """
    started = time.perf_counter()
    progress, choice = progress or Progress(), choice or Choice()
    todo = choice.wanted(treatment, photo, faces)
    validate(treatment.options)
    with progress.step("Anonymizing faces"):
        known = {n: faces[n] for n in todo}
        verifier = Verifier(photo.pixels, known, judges.embedders, judges.panel, judges.far, progress)
        cast = cast or Cast()
        cast.enter(photo.content_hash)
        courses = [Course(n, faces[n], each, verifier, cast) for n, each in todo.items() if each.steps != ()]
        denied = [n for n, each in todo.items() if _is_denied(each)]
        real = [face for n, face in enumerate(faces) if n not in denied]
        work = _Work(photo, real, [faces[n] for n in denied], courses, detector, verifier, progress)
        after, unsure = work.done()
        results = {n: _left(faces[n], n, each) for n, each in todo.items() if each.steps == ()}
        results |= {course.index: course.result(photo, after, judges.panel) for course in courses}
    every = tuple(results.get(n) or _not_chosen(face, n, choice.leave) for n, face in enumerate(faces))
    return Anonymized(photo, after, every, treatment.recipe, time.perf_counter() - started, missed=unsure)


def _left(face: Face, index: int, wanted: Wanted) -> AnonymizedFace:
    """A face that a person leaves as the photo shows it, maybe because it is none."""
    why = PUT_BACK if _is_denied(wanted) else UNCHANGED
    return AnonymizedFace(face, index, LEFT, why, {}, {}, tries=wanted.earlier, decisions=wanted.decisions, notes=())


def _is_denied(wanted: Wanted) -> bool:
    """Whether a person said that it is no face."""
    return wanted.steps == () and wanted.decisions[-1:] == (NOT_A_FACE,)


def _not_chosen(face: Face, index: int, leave: bool) -> AnonymizedFace:
    """A face that nothing was asked for; `leave`: but that it stays."""
    if leave:
        return AnonymizedFace(face, index, LEFT, ASKED, {}, {}, decisions=(LEFT,))
    return AnonymizedFace(face, index, SKIPPED, NOT_CHOSEN, {}, {})


class _Work:
    """One photo on its way; see `anonymize`. `denied`: what the detector takes for faces and a person does not."""

    def __init__(
        self,
        photo: Photo,
        faces: Sequence[Face],
        denied: Sequence[Face],
        courses: Sequence[Course],
        detector: Detector,
        verifier: Verifier,
        progress: Progress,
    ) -> None:
        # what is kept first: it was cut from the earlier result, and would bring back what that shows of the others
        self._photo, self._faces, self._denied = photo, faces, denied
        self._courses = sorted(courses, key=lambda course: course.shown is None)
        self._detector, self._verifier, self._progress = detector, verifier, progress

    def done(self) -> tuple[Photo, tuple[Face, ...]]:
        """The finished photo, and the faces in it that nobody worked on."""
        todo = list(self._courses)
        while True:
            after = self._photo
            for course in self._courses:
                after = course.lay(after)  # those to do have no crop
            for course in self._progress.track(todo, "Changing faces", share=0.5):
                after = self._changed(course, after)
            # in the order in which the crops were cut, as each holds what was laid before it
            self._courses = [course for course in self._courses if course not in todo] + todo
            found, glimpses = self._detector.survey(after, self._progress, UNSURE)
            self._verify(after, found)
            failing = [c for c in self._courses if c.finding is not None and not c.passed]
            todo = [c for c in failing if c.finding is not None and c.advance(c.finding.obstacle, c.finding)]
            if not todo:
                missed = tuple(one for one in found if not self._is_known(one))
                known = (*self._faces, *(one for one in found if not self._is_denied(one)))
                missed += overlooked(after.pixels, glimpses, known, self._detector, self._progress)
                covered_up = half_hidden(after.pixels, glimpses, known, self._detector, self._progress)
                missed += tuple(one for one in covered_up if not self._is_denied(one))
                after = self._without_traces(after)
                missed += self._only_in(over_papers(after), missed)
                deep = self._only_in(in_depths(after), missed)
                return without_depth(after, deep), (*missed, *deep)

    def _is_known(self, one: Face) -> bool:
        """Whether a detection shows one of the faces, or what is none; in a large one of these there may be a face."""
        return any(_shows(one, face) for face in self._faces) or self._is_denied(one)

    def _is_denied(self, one: Face) -> bool:
        """Whether a detection is in the very place of what a person took for no face, and not only within it."""
        return any(overlap(one.box, face.box) >= OVERLAP for face in self._denied)

    def _changed(self, course: Course, after: Photo) -> Photo:
        """`after` with the face changed so that no judge knows its crop, or by the last thing there is to try."""
        while True:
            before = align(after, course.face, course.step.method.template)
            made: AlignedFace | None = None
            finding: Finding | None = None
            try:
                made = course.made(before, self._progress)
            except FaceStudioError as failure:
                obstacle = str(failure)
            else:
                marks = transform(made.matrix, course.face.landmarks).astype(np.float32)
                said = self._verifier.look(made.pixels, {course.index: marks}, self._progress)[course.index]
                finding = self._verifier.finding(course.index, {CROP: said})
                obstacle = finding.obstacle
                if course.step.passes(finding):
                    course.offer(made, said)
            if course.draws_another():
                continue
            if course.settle(self._progress):
                return course.lay(after)
            if course.advance(obstacle, finding):
                continue
            if made is None:
                course.fail(obstacle)
                return after
            course.crop, course.said_of_crop = made, said
            return course.lay(after)

    def _verify(self, after: Photo, found: Sequence[Face]) -> None:
        """Let the judges look at every changed face in the photo `after`, and at those that are `found` again."""
        shown = [course for course in self._courses if course.crop is not None]
        marks = {course.index: course.face.landmarks for course in shown}
        again: dict[int, np.ndarray] = {}
        for course in shown:
            course.found_again = max(
                (one for one in found if _shows(one, course.face)), key=lambda one: one.score, default=None
            )
            if course.found_again is not None:
                again[course.index] = course.found_again.landmarks
        said = self._verifier.look(after.pixels, marks, self._progress)
        said_again = self._verifier.look(after.pixels, again, self._progress)
        quality = self._verifier.quality(after.pixels, marks, self._progress)
        for course in shown:
            n = course.index
            looks: dict[str, Said] = {CROP: course.said_of_crop, PHOTO: said[n]}
            if n in said_again:
                looks[AGAIN] = said_again[n]
            course.finding = self._verifier.finding(n, looks, quality.get(n))

    def _without_traces(self, after: Photo) -> Photo:
        """The finished photo, in whose file nothing comes back of what lay below a changed face, or is seen by nobody."""
        where = np.zeros(after.pixels.shape[:2], bool)
        for course in self._courses:
            if course.crop is not None:
                hidden = covered(after, course.crop, course.step.mask)
                after = levelled(after, course.face, hidden)
                where |= hidden
        nothing = unseen(after)
        pixels = np.where(nothing[..., None], np.uint8(0), after.pixels) if nothing.any() else after.pixels
        return after.with_hidden(pixels, where | nothing)

    def _only_in(self, views: Iterable[np.ndarray], missed: Sequence[Face]) -> tuple[Face, ...]:
        """Faces that only such `views` of the photo show, as over paper, or of the shadows of 16 bits; nobody worked on them, nor
        are they `missed` yet."""
        found: list[Face] = []
        for seen in views:
            for one in self._detector.survey(seen, self._progress, UNSURE)[0]:
                if not self._is_known(one) and not any(_shows(one, other) for other in (*missed, *found)):
                    found.append(one)
        return tuple(found)


def _shows(one: Face, face: Face) -> bool:
    """Whether the detection `one` shows `face`, or a part of it."""
    common = np.minimum(one.box[2:], face.box[2:]) - np.maximum(one.box[:2], face.box[:2])
    within = float(np.prod(np.clip(common, 0, None))) >= WITHIN * one.area
    return within or same_face(one, face)
