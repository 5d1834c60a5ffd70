"""What the commands say about results: sentences for people and objects for programs.

The object of one restored photo is made by `batch`, because the window's folder work writes the same report.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facestudio.cli.console import printable
from facestudio.cli.face_table import face_lines
from facestudio.cli.opening import lacks
from facestudio.faces.calibration import same_chance
from facestudio.faces.face import Face
from facestudio.faces.panel import Summary, between_photos
from facestudio.formats import format_of
from facestudio.generating import Portrait
from facestudio.metadata import KEEP, saved_words
from facestudio.outcomes import Outcome, face_record
from facestudio.photo import Photo
from facestudio.planning import LeftOut
from facestudio.results import Comparison, FaceResult

BOX_HINT = "If there is one, give this photo alone and --box X0,Y0,X1,Y1: a rough box around the face, in pixels."
_CAME_OUT = {
    "ok": "restored",
    "partial": "restored in part",
    "mended": "only mended",
    "failed": "failed",
    "skipped": "without a face",
}
_SHOWN = 20  # names that are left out; a disk image of a camera holds thousands


def detection_record(
    path: Path,
    faces: tuple[Face, ...],
    seconds: float,
    error: str | None = None,
    status: str = "ok",
    photo: Photo | None = None,
) -> dict[str, Any]:
    """The JSON object of a looked-at photo: the report's object without `output`; no face is a good answer too."""
    damage = photo.damage if photo is not None else None
    found = [
        face_record(FaceResult(face, index, "found", None, {}, {}, notes=lacks(photo, face) if photo else ()))
        for index, face in enumerate(faces)
    ]
    return ({"damage": damage.sentence} if damage is not None else {}) | {
        "input": str(path),
        "status": status,
        "error": error,
        "seconds": round(seconds, 3),
        "recipe": None,
        "faces": found,
    }


def detection_text(path: Path, faces: tuple[Face, ...], photo: Photo | None = None) -> str:
    """One line for the photo, one for each of its notes, and one for each face, or for what to do when none was found.

    Faces are counted from 1, as everywhere for people; beside each stands its number for --faces, which counts from 0.
    """
    lines = [
        f"{printable(path)}: {count(len(faces), 'face')}",
        *(f"  {note}" for note in (photo.notes if photo else ())),
    ]
    if not faces:
        lines.append(f"  {BOX_HINT}")
    for index, face in enumerate(faces):
        left, top, right, bottom = (round(float(x)) for x in face.box)
        yaw, pitch, roll = (round(float(x)) for x in face.pose)
        lines.append(
            f"  face {index + 1}: {right - left} x {bottom - top} px at {left}, {top}; score {face.score:.2f}; "
            f"eyes {face.interocular:.0f} px apart; yaw {yaw}, pitch {pitch}, roll {roll}; --faces {index}"
        )
        lines += [f"    {note}" for note in (lacks(photo, face) if photo else ())]
    return "\n".join(lines)


def outcome_text(outcome: Outcome, metadata: str = KEEP) -> str:
    """A photo that was written: where to, what the file does not hold of the original, and what is left of each person.

    `metadata`: the policy by which it was written.
    """
    lines = [f"{printable(outcome.source)} -> {printable(outcome.output)} ({outcome.seconds:.1f} s)"]
    result = outcome.result
    if result and outcome.output:
        mended = (result.mended.sentence,) if result.mended is not None else ()
        grain = (result.grain_sentence,) if any(face.grain for face in result.faces) else ()
        only = (result.only_mended,) if result.status == "mended" else ()
        lost = result.after.not_saved(format_of(outcome.output), metadata)
        lines += [f"  {note}" for note in (*lost, saved_words(metadata), *mended, *grain, *only) if note]
    return "\n".join([*lines, *(f"  {line}" for line in (face_lines(result.faces) if result else ()))])


def run_text(outcomes: Sequence[Outcome], left_out: Sequence[LeftOut]) -> str:
    """How many photos came out how, and what in the folders was no photo to do; "" when one photo says that itself."""
    lines = []
    if len(outcomes) > 1 or left_out:
        found = Counter(outcome.status for outcome in outcomes)
        said = [f"{found[status]} {words}" for status, words in _CAME_OUT.items() if found[status]]
        lines.append(f"{count(len(outcomes), 'photo')}: {', '.join(said)}")
        if kept := sum(outcome.earlier is not None for outcome in outcomes):
            lines[0] += f"; {kept} done before"
    if left_out:
        lines.append(f"{len(left_out)} left out:")
        lines += [f"  {printable(left.path)}: {left.reason}" for left in left_out[:_SHOWN]]
        lines += [f"  and {len(left_out) - _SHOWN} more"] if len(left_out) > _SHOWN else []
    return "\n".join(lines)


def comparison_record(a: Path, b: Path, comparison: Comparison) -> dict[str, Any]:
    """The JSON object of a comparison: cosine, threshold with the false accept rate that it was measured at, verdict and
    probability by embedder; `together` sums up."""
    verdicts, summary = comparison.verdicts, comparison.summary
    damage = [photo.damage.sentence if photo.damage else None for photo in (comparison.a, comparison.b)]
    return {
        "input": [str(a), str(b)],
        "cosine": {name: round(cosine, 5) for name, cosine in comparison.similarity.items()},
        "threshold": {name: round(v.threshold, 5) for name, v in verdicts.items()},
        "far": {name: v.far for name, v in verdicts.items()},
        "verdict": {name: between_photos(v.words) for name, v in verdicts.items()},
        "probability": {name: round(v.probability, 4) for name, v in verdicts.items()},
        "together": summary_record(summary) if summary else None,
        "faces": [
            face_record(FaceResult(face, 0, "found", None, {}, {}, notes=lacks(photo, face)))
            for photo, face in ((comparison.a, comparison.face_a), (comparison.b, comparison.face_b))
        ],
    } | ({"damage": damage} if any(damage) else {})


def summary_record(summary: Summary) -> dict[str, Any]:
    """The JSON object of what all embedders come to."""
    return {
        "verdict": between_photos(summary.words),
        "probability": round(summary.probability, 4),
        "score": None if summary.score is None else round(summary.score, 4),
        "threshold": None if summary.threshold is None else round(summary.threshold, 4),
        "quality": [round(q, 4) for q in summary.quality] if summary.quality else None,
    }


def comparison_text(comparison: Comparison) -> str:
    """What the embedders come to, how recognisable the faces are, one line an embedder, and what of damaged files is missing."""
    lines = []
    if comparison.summary is not None:
        lines.append(between_photos(comparison.summary.sentence))
        if comparison.summary.quality is not None:
            first, second = comparison.summary.quality
            lines.append(f"  recognisable: {first:.0%} and {second:.0%}")
    lines += [
        f"  {name}: {between_photos(v.words)} (cosine {v.cosine:.3f}, threshold {v.threshold:.3f} "
        f"at a false accept rate of {v.far:g}, {same_chance(v.probability)})"
        for name, v in comparison.verdicts.items()
    ]
    for photo, face in ((comparison.a, comparison.face_a), (comparison.b, comparison.face_b)):
        if photo.damage is not None:
            lines.append(
                f"  {photo.path and printable(photo.path)}: {' '.join((photo.damage.sentence, *lacks(photo, face)))}"
            )
    return "\n".join(lines)


def portrait_record(source: Path | None, target: Path, portrait: Portrait) -> dict[str, Any]:
    """The JSON object of a made picture: the report's object, whose `input` is the photo it was drawn from, if any."""
    found = []
    if portrait.face is not None:
        made = FaceResult(portrait.face, 0, "created", None, portrait.similarity, portrait.verdicts, portrait.summary)
        found = [face_record(made)]
    return {
        "input": str(source) if source else None,
        "output": str(target),
        "status": "ok" if found else "partial",
        "error": portrait.note or None,
        "seed": portrait.recipe.seed,
        "recipe": json.loads(portrait.recipe.to_json()),
        "nearest_known": None if portrait.nearest_known is None else round(portrait.nearest_known[0], 4),
        "faces": found,
    }


def portrait_text(target: Path, portrait: Portrait) -> str:
    """One line a picture: where it is, and with a source how alike it is."""
    words = [portrait.note] if portrait.note else []
    if portrait.summary is not None:
        words.append(portrait.summary.words)
        words += [f"{v.embedder} {v.cosine:.2f}" for v in portrait.verdicts.values()]
    return printable(target) + (f": {', '.join(words)}" if words else "")


def count(number: int, noun: str) -> str:
    """ "1 face", "2 faces"."""
    return f"{number} {noun}" + ("" if number == 1 else "s")
