"""How a run's photos were done and judged, for the head of its page: settings, versions, thresholds, and how cosines are spread.

Made of the report's lines like the rest of the page, so it holds also where several runs wrote them. A line of before something
was recorded leaves that out. Separate from `report_tables`, whose rows are single faces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from facestudio.faces.figures import beside
from facestudio.faces.identity import LENIENT_FAR
from facestudio.faces.panel import UNJUDGED
from facestudio.pages import escaped

Record = Mapping[str, Any]
_NOBODY = "no face was worked on, as none was found or chosen"


def faces_said(records: Sequence[Record]) -> str:
    """How many faces have which status, in words; those that somebody may have missed count as well. "" without faces."""
    count = Counter(face["status"] for record in records for face in record["faces"])
    count["possible missed face"] = sum(len(record.get("possible_missed_faces", ())) for record in records)
    return ", ".join(f"{number} {status}" for status, number in sorted(count.items()) if number)


def made_by(records: Sequence[Record]) -> list[str]:
    """A sentence for each recipe that faces were changed by: in how many photos, the method, its options, seed and version; and
    one for the photos in which nothing was. A recipe that changed no face at all has a sentence of its own, so that no method
    that was asked for goes unnamed."""
    done = [record for record in records if record["recipe"]]
    touched, idle = Counter[str](), Counter[str]()
    for record in done:
        worked_on = any(face.get("method") or face.get("tries") for face in record["faces"])
        (touched if worked_on else idle)[json.dumps(record["recipe"], sort_keys=True)] += 1
    said = [f"{counted(number, 'photo')}: {_recipe(text)}" for text, number in touched.most_common()]
    for text, number in idle.most_common():
        if text not in touched:
            said.append(f"{counted(number, 'photo')}: {_recipe(text)}; {_NOBODY}")
    if number := sum(number for text, number in idle.items() if text in touched):
        said.append(f"{counted(number, 'photo')}: {_NOBODY}")
    return said


def _recipe(text: str) -> str:
    """A recipe, as JSON, in words."""
    recipe = json.loads(text)
    options = "".join(f", {name} {value}" for name, value in sorted(recipe["options"].items()))
    version = recipe.get("version", "of another version")
    return f"method {recipe['method']} ({recipe['checkpoint']}){options}; seed {recipe['seed']}; Face Studio {version}"


def set_so(records: Sequence[Record]) -> list[str]:
    """A sentence for each of the settings beside the recipe that photos were done by: how many, and what was asked for."""
    found = Counter(json.dumps(record["settings"], sort_keys=True) for record in records if record.get("settings"))
    said = []
    for text, number in found.most_common():
        settings = json.loads(text)
        words = [f"faces {settings['faces']}{', others left as they are' if settings['leave_others'] else ''}"]
        tries = "1 try" if settings["tries"] == 1 else f"{settings['tries']} tries"
        words.append(f"up to {tries} per face, not counting the fallback")
        words.append(f"fallback {settings['fallback'] or 'none'}")
        words.append(f"metadata {settings['metadata']}")
        words += ["file times reset"] if settings["reset_times"] else []
        words += ["one new face per person in all photos"] if settings["consistent"] else []
        words += ["replaced by similar people"] if settings["similar"] else []
        words.append(f"false accept rate {settings['far']:g}")
        said.append(f"{counted(number, 'photo')}: {'; '.join(words)}")
    return said


def judged(records: Sequence[Record]) -> str:
    """A table (HTML) of what each recogniser's cosines were, and how many reach its limits where strangers would; "" without any.

    Of each face the cosine is that of the most cautious look. Faces that were judged by other limits have a row of their own;
    those of which nothing is left are not in it, as what is said of a block means nothing, nor those that cannot be judged.
    """
    found: dict[tuple[Any, ...], list[float]] = {}
    every = [face for record in records for face in record["faces"] if face["similarity"]]
    erased = [face for face in every if _is_erased(face)]
    poor = [face for face in every if is_unjudged(face) and not _is_erased(face)]
    shown = [face for face in every if not _is_erased(face) and not is_unjudged(face)]
    for face in shown:
        for judge, cosine in face["similarity"].items():
            limits = tuple(face.get(name, {}).get(judge) for name in ("threshold", "changed_below", "far"))
            found.setdefault((judge, *limits), []).append(float(cosine))
    rows = [
        _row(judge, cosines, threshold, changed, far)
        for (judge, threshold, changed, far), cosines in sorted(found.items(), key=lambda each: str(each[0]))
        if None not in (threshold, changed, far)
    ]
    left_out = ""
    if erased:
        left_out += (
            f"<p>Nothing is left of {counted(len(erased), 'face')} under a block. What recognisers say of a block means nothing, "
            f"so {_it(erased)} not counted here.</p>"
        )
    if poor:
        left_out += f"<p>{counted(len(poor), 'face')} cannot be judged, so {_it(poor)} not counted here.</p>"
    if not rows:
        return f"<h2>What the recognisers say</h2>{left_out}" if left_out else ""
    head = (
        "Recogniser",
        "Faces",
        "Cosine, mean",
        "Highest",
        "Not “changed”",
        "Strangers",
        "“Same person”",
        "Strangers",
    )
    return (
        f"<h2>What the recognisers say</h2>{left_out}<table><thead><tr>"
        + "".join(f"<th>{escaped(name)}</th>" for name in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _row(judge: str, cosines: Sequence[float], threshold: float, changed: float, far: float) -> str:
    highest, *limits = beside(max(cosines), changed, threshold)
    reached = [_reached(cosines, *each) for each in zip((changed, threshold), limits, strict=True)]
    cells = [
        *(str(len(cosines)), f"{sum(cosines) / len(cosines):.2f}", highest),
        *(reached[0], f"{max(LENIENT_FAR, far):.3g}", reached[1], f"{far:.3g}"),
    ]
    numbers = "".join(f'<td class="n">{escaped(cell)}</td>' for cell in cells)
    return f"<tr><td>{escaped(judge)}</td>{numbers}</tr>"


def _reached(cosines: Sequence[float], limit: float, shown: str) -> str:
    number = sum(cosine >= limit for cosine in cosines)
    return f"{number} from {shown} on ({number / len(cosines):.3g})"


def tries_before(face: Mapping[str, Any]) -> int:
    """How often the method tried a face; what the fallback did of it then, in one step or several, is not counted."""
    tries = face.get("tries", ())
    if not face.get("fallback", face["status"] == "fallback"):
        return len(tries)
    return sum(one.get("method") != face.get("method") for one in tries)


def is_unjudged(face: Mapping[str, Any]) -> bool:
    """Whether a face is too poor or too small for what recognisers say of it to mean anything."""
    return bool(face["verdict"] == UNJUDGED)


def _it(faces: Sequence[Any]) -> str:
    return "it is" if len(faces) == 1 else "they are"


def _is_erased(face: Mapping[str, Any]) -> bool:
    """Whether nothing of a face is left; lines of before that was recorded name the one method that does so."""
    return bool(face.get("erased", face.get("method") == "solid"))


def counted(number: int, noun: str) -> str:
    """ "1 photo", "2 photos"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
