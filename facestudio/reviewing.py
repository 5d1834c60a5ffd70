"""A photo that was anonymized before, done again because a person decided on one of its faces; the others stay as they are.

What was done stands in the photo's line of the report: faces, tries, and what the detector saw besides. So a run of yesterday is
reviewed as one of today. All faces are verified anew, as the finished photo is another one. Nothing is passed off: a face that a
person leaves as it is, or says to be none, has a status of its own. Where a run does a photo anew, what a person saw in it is not
forgotten (`insisted`). Knows no files; see `renewing`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facestudio.anonymized import ADDED, AGAIN, FALLBACK, HIDDEN, LEFT, NOT_A_FACE, SKIPPED, Anonymized, Try
from facestudio.anonymizing import anonymize
from facestudio.casting import Cast
from facestudio.errors import UsageError
from facestudio.faces.detect import Detector
from facestudio.faces.duplicates import known_as
from facestudio.faces.face import Face
from facestudio.faces.judging import Judges
from facestudio.faces.missed import filling
from facestudio.methods.base import Anonymizer, Obscurer
from facestudio.options import recorded
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.trying import Choice, Resort, Step, Treatment, Wanted

REACH = 1.0  # of a box's length to each side, within which what was laid over a face may lie
HIDDEN_BY = 0.5  # of a box that is changed, from which what was in it is below something
_BECAUSE = {AGAIN: "A person wanted another try.", HIDDEN: "A person decided to hide it."}


@dataclass(frozen=True)
class Decision:
    """What a person decides on one face.

    Attributes:
        how: AGAIN, HIDDEN, LEFT, NOT_A_FACE for what the detector took for one, or ADDED for a face that nobody found.
        index: the face's place among those of the record, behind which its possible missed faces are counted.
        face: the one that is ADDED. recipe: how it is tried AGAIN, or an ADDED one at all; None: as the photo was.
    """

    how: str
    index: int = -1
    face: Face | None = None
    recipe: Recipe | None = None


def faces_of(record: Mapping[str, Any]) -> tuple[Face, ...]:
    """The faces of a photo's `record`, then those that may have been missed."""
    missed = [face for face in record.get("possible_missed_faces", ()) if "landmarks" in face]
    return tuple(
        Face(np.array(face["box"]), np.array(face["landmarks"]), face["score"], np.array(face.get("pose", (0, 0, 0))))
        for face in [*record["faces"], *missed]
    )


@dataclass(frozen=True)
class Insisted:
    """A face that a person added, or wanted hidden: `how` is ADDED or HIDDEN."""

    face: Face
    how: str


def insisted(record: Mapping[str, Any]) -> tuple[Insisted, ...]:
    """The faces of a photo's `record` that must not be forgotten when the photo is done anew: that it is no face, or may stay, a
    person can say again; what they added or wanted hidden would be shown."""
    found = []
    for face, known in zip(faces_of(record), record["faces"], strict=False):
        decisions = known.get("decisions", ())
        if decisions and decisions[-1] == HIDDEN:
            found.append(Insisted(face, HIDDEN))
        elif ADDED in decisions and decisions[-1] in (ADDED, AGAIN):
            found.append(Insisted(face, ADDED))
    return tuple(found)


def with_insisted(faces: Sequence[Face], those: Sequence[Insisted], choice: Choice) -> tuple[tuple[Face, ...], Choice]:
    """The `faces` that were found, behind them those that a person insists on and that are not among them; and the `choice` with
    all of `those` in it."""
    every, how = list(faces), dict[int, str]()
    for one in those:
        n = known_as(one.face, every)
        if n is None:
            n = len(every)
            every.append(one.face)
            how[n] = one.how
        elif one.how == HIDDEN:
            how[n] = HIDDEN
    selected = None if choice.selected is None else {*choice.selected, *how}
    return tuple(every), replace(choice, selected=selected, insisted=how)


@dataclass(frozen=True, eq=False)
class Finished:
    """A photo that was done: its `record` in the report, and the result as it was written, which is `shown`; its other faces stay
    as they are in that. None: they are made by their last try again."""

    photo: Photo
    record: Mapping[str, Any]
    shown: Photo | None = None


def again(
    finished: Finished,
    decision: Decision | None,
    methods: Callable[[str], Anonymizer],
    resort: Resort,
    judges: Judges,
    detector: Detector,
    *,
    cast: Cast | None = None,
    progress: Progress | None = None,
) -> Anonymized:
    """The photo as its record says, but for the face of the `decision`; None: all as it was, to be looked at.

    Args:
        methods: the loaded method of a checkpoint. resort: as of the run, with an eraser.
        the others: as of `anonymizing.anonymize`.

    UsageError when the record has no such face, or is none that can be gone by.
    """
    try:
        recipe = Recipe.from_json(json.dumps(finished.record["recipe"]))
        method = methods(recipe.checkpoint)
        options = method.Options(**recorded(method.Options, recipe.options))
        reviewed = _Reviewed(finished, Treatment(method, options, recipe.seed, resort), recipe, methods)
        faces, wanted = reviewed.wanted(decision)
    except (KeyError, TypeError, IndexError) as error:
        raise UsageError(
            "What was done to this photo cannot be read; another version may have written it.",
            hint="Anonymize the photo again.",
        ) from error
    result = anonymize(
        finished.photo,
        faces,
        reviewed.treatment,
        judges,
        detector,
        choice=Choice(set(wanted), decided=wanted),
        cast=cast,
        progress=progress,
    )
    open_still = [face for face in reviewed.undecided(decision) if not _is_seen_to(face, result)]
    return replace(result, missed=(*result.missed, *open_still)) if open_still else result


def _is_seen_to(face: Face, result: Anonymized) -> bool:
    """Whether what may have been a missed `face` is one of those of a `result`, or lies below something by now."""
    if known_as(face, [*(one.face for one in result.faces), *result.missed]) is not None:
        return True
    left, top, right, bottom = np.rint(face.box).astype(int).clip(0)
    before, after = (photo.pixels[top : bottom + 1, left : right + 1] for photo in (result.before, result.after))
    return before.size == 0 or float((before != after).any(axis=2).mean()) >= HIDDEN_BY


@dataclass(frozen=True)
class _Reviewed:
    """One photo that is looked at, and its `treatment` by the `recipe` of its record; see `again`."""

    finished: Finished
    treatment: Treatment
    recipe: Recipe
    methods: Callable[[str], Anonymizer]

    @property
    def record(self) -> Mapping[str, Any]:
        return self.finished.record

    def wanted(self, decision: Decision | None) -> tuple[tuple[Face, ...], dict[int, Wanted]]:
        """The faces, and what is wanted of those that are not skipped."""
        every, records = faces_of(self.record), self.record["faces"]
        faces = every[: len(records)]
        wanted = {n: self._kept(face) for n, face in enumerate(records) if face["status"] != SKIPPED}
        if decision is None:
            return faces, wanted
        if decision.how == ADDED and decision.face is not None:
            return (*faces, decision.face), {**wanted, len(faces): self._tried(len(faces), decision, (), (ADDED,))}
        if not 0 <= decision.index < len(every):
            raise UsageError(f"There is no face {decision.index + 1} in this photo.")
        n = min(decision.index, len(faces))
        if decision.index >= len(faces):  # one that may have been missed becomes a face of its own
            faces = (*faces, filling(every[decision.index], every[decision.index].box))
        wanted[n] = self._decided(n, decision)
        if decision.how == NOT_A_FACE and n < len(records) and records[n]["method"]:
            # those beside it are made again: what was written shows, within their masks, what was laid over the one that is none
            beside = [m for m in wanted if m != n and wanted[m].shown is not None and _are_near(faces[m], faces[n])]
            wanted |= {m: self._kept(records[m], anew=True) for m in beside}
        return faces, wanted

    def undecided(self, decision: Decision | None) -> tuple[Face, ...]:
        """The possible missed faces of the record that the decision is not about: whether the detector sees them once more may
        change with what else is in the photo, but nobody has looked at them yet."""
        known, every = len(self.record["faces"]), faces_of(self.record)
        return tuple(face for n, face in enumerate(every) if n >= known and (decision is None or n != decision.index))

    def _decided(self, n: int, decision: Decision) -> Wanted:
        record = self.record["faces"][n] if n < len(self.record["faces"]) else None
        tries = () if record is None else _tries_of(record)
        decisions = () if record is None else (*record.get("decisions", ()),)
        if decision.how == NOT_A_FACE:
            return Wanted((), tries, (*decisions, NOT_A_FACE))
        if decision.how == LEFT:
            if record is None or not record["method"]:
                return Wanted((), tries, (*decisions, LEFT))
            return self._kept({**record, "decisions": [*decisions, LEFT]})
        if tries and not tries[-1].obstacle:
            tries = (*tries[:-1], replace(tries[-1], obstacle=_BECAUSE[decision.how]))
        if decision.how == HIDDEN:
            return Wanted(self.treatment.resort.erasing(), tries, (*decisions, HIDDEN))
        return self._tried(n, decision, tries, (*decisions, AGAIN if record is not None else ADDED))

    def _tried(self, n: int, decision: Decision, tries: tuple[Try, ...], decisions: tuple[str, ...]) -> Wanted:
        """Face `n` tried as the decision's recipe says, with seeds that were not tried yet, or stronger where none matter."""
        recipe = decision.recipe or self.recipe
        method = self.methods(recipe.checkpoint)
        options = method.Options(**recipe.options)
        if (
            isinstance(method, Obscurer)
            and tries
            and (tries[-1].method, dict(tries[-1].options))
            == (
                method.id,
                asdict(options),
            )
        ):
            options = method.stronger(options) or options
        face = decision.face if decision.face is not None else faces_of(self.record)[decision.index]
        treatment = Treatment(method, options, recipe.seed, self.treatment.resort)
        return Wanted(treatment.steps(self.finished.photo, n, face.box, len(tries)), tries, decisions)

    def _kept(self, record: Mapping[str, Any], anew: bool = False) -> Wanted:
        """A face as it is: as it was written, or else, and `anew`, as its last try makes it."""
        tries, decisions = _tries_of(record), tuple(record.get("decisions", ()))
        left = decisions[-1:] in ((LEFT,), (NOT_A_FACE,))
        if left and not record["method"]:
            return Wanted((), tries, decisions)
        last = tries[-1]
        method, resort = self.methods(last.checkpoint or last.method), self.treatment.resort
        by_eraser = resort.eraser is not None and last.method == resort.eraser.id
        hidden = record["status"] == FALLBACK or (
            by_eraser and (last.method != self.recipe.method or HIDDEN in decisions)
        )
        step = Step(method, method.Options(**recorded(method.Options, last.options)), last.seed, hidden)
        more = () if left or hidden else resort.hiding(record["box"])
        shown = self.finished.shown if record["method"] and not anew else None
        return Wanted((step, *more), tries[:-1], decisions, shown, record.get("person", "") if shown else "")


def _are_near(one: Face, other: Face) -> bool:
    """Whether what is laid over one of the faces may reach what is laid over the other."""
    reach = [REACH * float((face.box[2:] - face.box[:2]).max()) for face in (one, other)]
    apart = np.maximum(one.box[:2] - other.box[2:], other.box[:2] - one.box[2:])
    return bool((apart < sum(reach)).all())


def _tries_of(record: Mapping[str, Any]) -> tuple[Try, ...]:
    """What was tried on a face, as its record says."""
    return tuple(
        Try(
            one["method"],
            one["options"],
            one["seed"],
            one["obstacle"] or "",
            one["similarity"],
            one.get("checkpoint") or "",
        )
        for one in record["tries"]
    )
