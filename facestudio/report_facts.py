"""How a run's photos were done and judged, for the head of its page: settings, versions, thresholds, and how cosines are spread.

Made of the report's lines like the rest of the page, so it holds also where several runs wrote them. A line of before something
was recorded leaves that out. Separate from `report_tables`, whose rows are single faces.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from facestudio.faces.identity import LENIENT_FAR
from facestudio.pages import escaped

Record = Mapping[str, Any]


def faces_said(records: Sequence[Record]) -> str:
    """How many faces have which status, in words; those that somebody may have missed count as well. "" without faces."""
    count = Counter(face["status"] for record in records for face in record["faces"])
    count["possible missed face"] = sum(len(record.get("possible_missed_faces", ())) for record in records)
    return ", ".join(f"{number} {status}" for status, number in sorted(count.items()) if number)


def made_by(records: Sequence[Record]) -> list[str]:
    """A sentence for each recipe that photos were done by: how many, the method, its options, seed and version."""
    recipes = Counter(json.dumps(record["recipe"], sort_keys=True) for record in records if record["recipe"])
    said = []
    for text, number in recipes.most_common():
        recipe = json.loads(text)
        options = "".join(f", {name} {value}" for name, value in sorted(recipe["options"].items()))
        photos = f"{number} photo{'' if number == 1 else 's'}"
        said.append(
            f"{photos}: method {recipe['method']} ({recipe['checkpoint']}){options}; seed {recipe['seed']}; "
            f"Face Studio {recipe.get('version', 'of another version')}"
        )
    return said


def set_so(records: Sequence[Record]) -> list[str]:
    """A sentence for each of the settings beside the recipe that photos were done by: how many, and what was asked for."""
    found = Counter(json.dumps(record["settings"], sort_keys=True) for record in records if record.get("settings"))
    said = []
    for text, number in found.most_common():
        settings = json.loads(text)
        words = [f"faces {settings['faces']}{', others left as they are' if settings['leave_others'] else ''}"]
        words.append(f"{settings['tries']} {'try' if settings['tries'] == 1 else 'tries'} a face")
        words.append(f"fallback {settings['fallback'] or 'none'}")
        words.append(f"metadata {settings['metadata']}")
        words += ["file times reset"] if settings["reset_times"] else []
        words += ["the same person the same in all photos"] if settings["consistent"] else []
        words += ["people become similar ones"] if settings["similar"] else []
        words.append(f"false accept rate {settings['far']:g}")
        said.append(f"{number} photo{'' if number == 1 else 's'}: {'; '.join(words)}")
    return said


def judged(records: Sequence[Record]) -> str:
    """A table (HTML) of what each recogniser's cosines were, and how many reach its limits where strangers would; "" without any.

    Of each face the cosine is that of the most cautious look. Faces that were judged by other limits have a row of their own.
    """
    found: dict[tuple[Any, ...], list[float]] = {}
    for face in (face for record in records for face in record["faces"]):
        for judge, cosine in face["similarity"].items():
            limits = tuple(face.get(name, {}).get(judge) for name in ("threshold", "changed_below", "far"))
            found.setdefault((judge, *limits), []).append(float(cosine))
    rows = [
        _row(judge, cosines, threshold, changed, far)
        for (judge, threshold, changed, far), cosines in sorted(found.items(), key=lambda each: str(each[0]))
        if None not in (threshold, changed, far)
    ]
    if not rows:
        return ""
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
        "<h2>What the recognisers say</h2><table><thead><tr>"
        + "".join(f"<th>{escaped(name)}</th>" for name in head)
        + f"</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _row(judge: str, cosines: Sequence[float], threshold: float, changed: float, far: float) -> str:
    cells = [
        *(str(len(cosines)), f"{sum(cosines) / len(cosines):.2f}", f"{max(cosines):.2f}"),
        *(_reached(cosines, changed), f"{max(LENIENT_FAR, far):.3g}", _reached(cosines, threshold), f"{far:.3g}"),
    ]
    numbers = "".join(f'<td class="n">{escaped(cell)}</td>' for cell in cells)
    return f"<tr><td>{escaped(judge)}</td>{numbers}</tr>"


def _reached(cosines: Sequence[float], limit: float) -> str:
    number = sum(cosine >= limit for cosine in cosines)
    return f"{number} from {limit:.2f} on ({number / len(cosines):.3g})"
