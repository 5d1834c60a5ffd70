"""What became of anonymized faces: the values that `anonymizing` makes, and what follows from them for a file and a report.

Separate because the report, the window and the batch need them and not the work. Knows no methods and no recognisers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from facestudio.faces.face import Face
from facestudio.formats import format_of
from facestudio.newcomers import Newcomer, to_text
from facestudio.recipe import Recipe
from facestudio.results import FaceResult, Result

VERIFIED, FALLBACK, REVIEW, FAILED = "verified", "fallback", "needs review", "failed"
SKIPPED, NOBODY = "skipped", "no face"
LEFT = "left as is"  # a person saw that it is not verified, and left it so
_WORST = (FAILED, REVIEW, LEFT, FALLBACK, VERIFIED)
AGAIN, HIDDEN, ADDED = "tried again", "hidden", "added by hand"  # with LEFT what a person can decide on a face
NOT_A_FACE = "not a face"  # the same: the detector was wrong, and the photo is put back there
UNCHANGED = "A person left it as it is: it is not changed."
PUT_BACK = "A person said that it is not a face: the original photo is shown there."
UNVERIFIED = "A person left it as it is, although it is not verified."
WRITTEN = "The photo is written all the same: look at it before you give it away."
NOT_CHOSEN = "It was not chosen, so it is left as it is."
ASKED = "It was not chosen and is left as it is, as asked: it is not changed."


@dataclass(frozen=True)
class Try:
    """One attempt on a face.

    Attributes:
        method, options, seed: what was done. obstacle: why it was not enough, as a sentence; "" when it was.
        cosines: by look (see faces/verifying.py) and judge; a try that failed in the crop was not looked at in the photo.
        checkpoint: that fed the method.
    """

    method: str
    options: Mapping[str, Any]
    seed: int
    obstacle: str
    cosines: Mapping[str, Mapping[str, float]]
    checkpoint: str = ""


@dataclass(frozen=True, eq=False)
class AnonymizedFace(FaceResult):
    """What happened to one face: a FaceResult whose status is one of the constants above.

    Attributes:
        similarity, verdicts, summary: of each judge the most cautious look.
        method: what the face is shown by now, "" when by nothing. tries: all that was done, in order.
        erased: nothing of the face is left, whoever says what. generative: AI made what is shown.
        found_again: the face as the detector sees it in the finished photo, None when it does not.
        decisions: what a person decided on it afterwards, in order: AGAIN, HIDDEN, ADDED, LEFT or NOT_A_FACE.
        person: token of the pseudonym that is shown (see `album`), "" when the face has none or something else is shown.
        fallback: it is hidden by the fallback, or because a person decided so.
        newcomer: how the new face looks to the judges, of one that is verified; no report tells that.
    """

    method: str = ""
    tries: tuple[Try, ...] = ()
    erased: bool = False
    generative: bool = False
    found_again: Face | None = None
    decisions: tuple[str, ...] = ()
    person: str = ""
    fallback: bool = False
    newcomer: Newcomer | None = None

    def details(self) -> dict[str, Any]:
        """See `FaceResult.details`."""
        return {
            "method": self.method or None,
            "fallback": self.fallback,
            "erased": self.erased,
            "found_again": None if self.found_again is None else round(self.found_again.score, 4),
            "changed_below": {name: round(verdict.changed_below, 5) for name, verdict in self.verdicts.items()},
            "far": {name: verdict.far for name, verdict in self.verdicts.items()},
            "tries": [
                {
                    "method": one.method,
                    "checkpoint": one.checkpoint or None,
                    "options": dict(one.options),
                    "seed": one.seed,
                    "obstacle": one.obstacle or None,
                    "similarity": {
                        look: {judge: round(cosine, 5) for judge, cosine in said.items()}
                        for look, said in one.cosines.items()
                    },
                }
                for one in self.tries
            ],
            **({"decisions": list(self.decisions)} if self.decisions else {}),
            **({"person": self.person} if self.person else {}),
        }


@dataclass(frozen=True, eq=False)
class Anonymized(Result):
    """A photo before and after; its `faces` are AnonymizedFace. `missed`: faces that nobody worked on, if they are any."""

    missed: tuple[Face, ...] = ()

    @property
    def status(self) -> str:
        """The worst of its faces' statuses, "needs review" where a face may have been missed or others were not chosen, as these
        can be recognised; "no face", "skipped"."""
        worst = min((_WORST.index(face.status) for face in self.faces if face.status != SKIPPED), default=None)
        doubtful = bool(self.missed) or (worst is not None and self.not_chosen > 0)
        if doubtful and (worst is None or worst > _WORST.index(REVIEW)):
            return REVIEW
        if worst is not None:
            return _WORST[worst]
        return SKIPPED if self.faces else NOBODY

    @property
    def not_chosen(self) -> int:
        """How many of its faces were not chosen."""
        return sum(face.status == SKIPPED for face in self.faces)

    @property
    def error(self) -> str | None:
        """What a person should look at, in a sentence that counts faces from 1; None when there is nothing."""
        words = [f"Face {face.index + 1}: {face.error}" for face in self.faces if face.status in (FAILED, REVIEW, LEFT)]
        if self.not_chosen and self.not_chosen < len(self.faces):
            words.append(not_chosen(self.not_chosen))
        if self.missed:
            places = ", ".join(_place(face) for face in self.missed)
            words.append(f"Possible missed face{'s' if len(self.missed) > 1 else ''}: {places}.")
            words += [WRITTEN] if self.writable else []
        if not self.writable:
            words.append("Nothing was written.")
        return " ".join(words) or None

    @property
    def writable(self) -> bool:
        """Whether every chosen face is verified, hidden so that nothing of it is left, or left as it is by a person."""
        return all(face.status in (VERIFIED, FALLBACK, SKIPPED, LEFT) or self._is_erased(face) for face in self.faces)

    @property
    def generative(self) -> bool:
        """Whether AI made any of the faces that are shown."""
        return any(isinstance(face, AnonymizedFace) and face.generative for face in self.faces)

    @property
    def newcomers(self) -> tuple[Newcomer, ...]:
        """The new faces that it shows, which others of the run are kept apart from."""
        newcomers = (face.newcomer for face in self.faces if isinstance(face, AnonymizedFace))
        return tuple(one for one in newcomers if one is not None)

    @property
    def aside(self) -> str:
        """See `Result.aside`: the newcomers."""
        return to_text(self.newcomers)

    @property
    def saved_recipe(self) -> Recipe:
        """The method alone: its settings and seed would help whoever wants to undo it. The report holds them."""
        return Recipe(self.recipe.checkpoint, self.recipe.method, {}, 0)

    def details(self, output: Path | None = None) -> dict[str, Any]:
        """See `Result.details`."""
        notes = self.before.notes if output is None else self.after.not_shown(format_of(output))
        return {
            "possible_missed_faces": [
                {
                    "box": [round(float(x), 2) for x in face.box],
                    "landmarks": [[round(float(x), 2) for x in point] for point in face.landmarks],
                    "score": round(face.score, 4),
                }
                for face in self.missed
            ],
            **({"notes": list(notes)} if notes else {}),
        }

    @staticmethod
    def _is_erased(face: FaceResult) -> bool:
        return isinstance(face, AnonymizedFace) and face.erased


def not_chosen(number: int) -> str:
    """That so many faces of a photo were not chosen, as a sentence."""
    if number == 1:
        return "1 face was not chosen: it is left as it is and may be recognised."
    return f"{number} faces were not chosen: they are left as they are and may be recognised."


def _place(face: Face) -> str:
    left, top, right, bottom = (round(float(x)) for x in face.box)
    return f"{right - left} x {bottom - top} px at {left}, {top}"
