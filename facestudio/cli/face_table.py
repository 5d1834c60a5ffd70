"""What became of the faces of a restored photo: a table with one line a face, then what else is to be said, each thing once."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from facestudio.faces.figures import beside
from facestudio.faces.identity import Verdict
from facestudio.faces.panel import UNJUDGED
from facestudio.results import FaceResult

WIDTH = 400  # letters; more than any table has, so that no cell is cut where the output is no terminal
NOBODY = "No face is clear enough to judge whether it is still the same person. Compare before and after yourself."
_LISTED = 12  # numbers of faces in one sentence


def face_lines(faces: Sequence[FaceResult]) -> list[str]:
    """The lines for `faces`, none for those that were not chosen unless there is something to say of them.

    Faces are counted from 1. A cosine stands before its threshold (that of one stranger in a thousand, or as was asked
    for), and the sign between them says whether it is reached.
    """
    shown = [face for face in faces if face.status != "skipped"]
    lines = _table(shown) if shown else []
    said: dict[str, list[int]] = {}
    for face in faces:
        for sentence in _sentences(face):
            said.setdefault(sentence, []).append(face.index + 1)
    lines += [f"{_which(numbers, len(faces))}: {sentence}" for sentence, numbers in said.items()]
    if len(shown) > 1 and all(face.summary is not None and face.summary.words == UNJUDGED for face in shown):
        lines.append(NOBODY)
    return lines


def _table(faces: Sequence[FaceResult]) -> list[str]:
    judges = list(dict.fromkeys(name for face in faces for name in face.verdicts))
    referred = list(dict.fromkeys(name for face in faces for name in face.to_reference))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("face", justify="right", no_wrap=True)
    table.add_column("person" if judges else "", no_wrap=True)
    if judges:
        table.add_column("chance", justify="right", no_wrap=True)
    for name in judges:
        table.add_column(name, no_wrap=True)
    for name in referred:
        table.add_column(f"like the reference, {name}", no_wrap=True)
    for face in faces:
        judged = [_words(face)]
        if judges:
            judged.append(f"{face.summary.chance:.0%}" if _is_judged(face) and face.summary else "")
        judged += [_cell(face.verdicts, name, _is_judged(face)) for name in judges]
        judged += [f"{face.to_reference[name]:.2f}" if name in face.to_reference else "" for name in referred]
        table.add_row(str(face.index + 1), *judged)
    out = io.StringIO()
    Console(file=out, width=WIDTH, markup=False, emoji=False, highlight=False, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def _is_judged(face: FaceResult) -> bool:
    return face.summary is not None and face.summary.words != UNJUDGED


def _words(face: FaceResult) -> str:
    if face.status == "failed":
        return "failed"
    return face.summary.words if face.summary else "restored"


def _cell(verdicts: Mapping[str, Verdict], name: str, judged: bool) -> str:
    """The cosine and its threshold; nothing where it would mean nothing."""
    if name not in verdicts or not judged:
        return "-"
    cosine, threshold = beside(verdicts[name].cosine, verdicts[name].threshold)
    return f"{cosine} {'<' if float(cosine) < float(threshold) else '>'} {threshold}"


def _sentences(face: FaceResult) -> list[str]:
    """What is to be said of `face` beside its line."""
    if face.status == "skipped":
        return [*face.notes]
    said = [face.error] if face.error else []
    if face.summary is not None and not _is_judged(face):
        said.append(face.summary.sentence)
    elif face.summary is not None and len({verdict.words for verdict in face.verdicts.values()}) > 1:
        said.append(f"{face.summary.agreement.capitalize()}.")
    return [*said, *face.notes]


def _which(numbers: Sequence[int], count: int) -> str:
    if len(numbers) == 1:
        return f"face {numbers[0]}"
    if len(numbers) == count:
        return "both faces" if count == 2 else f"all {count} faces"
    named, more = numbers[:_LISTED], len(numbers) - _LISTED
    *first, last = (str(number) for number in named) if more < 1 else (*map(str, named), f"{more} more")
    return f"faces {', '.join(first)} and {last}"
