"""The report for people: a table (CSV) and a page (HTML) made from its JSONL file.

Both tell of each face how far each recogniser says it moved. They are made from the lines and not from results, so that a run
which was cut off and went on has them whole. The page stands alone: no script, no picture, nothing from elsewhere.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from facestudio.errors import UsageError
from facestudio.faces.figures import beside
from facestudio.files import real, shown
from facestudio.outcomes import NOT_REACHED
from facestudio.pages import BEGINNING, check_ours, escaped, harmless, page, write_text
from facestudio.report_facts import faces_said, is_unjudged, judged, made_by, set_so, tries_before
from facestudio.reporting import read_records

_COLUMNS = (
    *("photo", "result", "photo status", "face", "face status", "shown by", "tries", "then hidden", "verdict"),
    *("quality before", "quality after", "score", "found again", "left", "top", "right", "bottom", "remark"),
    *("of the photo", "metadata"),
)
_ONLY_FOUND = (
    "This report covers only faces that were found. A face that the detector does not see is neither changed nor "
    "pointed out, for example because it is small, blurred, hidden or turned away. Look through the results before "
    "you give them away."
)
_ATTENTION, LEFT, _SKIPPED = ("failed", "needs review"), "left as is", "skipped"


def check_tables(table: Path, page: Path) -> None:
    """UsageError when one of the files is there and is something else, which would be lost."""
    check_ours(table, '"photo","result"')
    check_ours(page, BEGINNING)


def check_apart(report: Path, *others: object) -> None:
    """UsageError when one of the `others`, as far as they are paths, is the report, its table or its page."""
    for other in others:
        if isinstance(other, Path) and real(other) in map(real, (report, *tables_of(report))):
            raise UsageError(
                f"{shown(other)} would be overwritten by a file of the report.",
                hint="Choose another name for either of them.",
            )


def tables_of(report: Path) -> tuple[Path, Path]:
    """The places of a report's table and page: beside it."""
    return report.with_suffix(".csv"), report.with_suffix(".html")


def write_tables(report: Path) -> tuple[Path, Path]:
    """Write the table and the page of `report` beside it; UsageError when something else is there."""
    table, page = tables_of(report)
    check_tables(table, page)
    return write_table(report, table), write_page(report, page)


def write_table(report: Path, target: Path) -> Path:
    """Write the CSV of `report`: a line for each face, counted from 1, and one for a photo without faces.

    A face that cannot be judged has no cosines: who reads the table alone would take them for something.
    """
    rows = list(_rows(read_records(report)))
    judges = _judges(rows)
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow([*_COLUMNS, *(f"{judge} {what}" for judge in judges for what in ("cosine", "same person from"))])
    for row in rows:
        cosines = [value for judge in judges for value in row["judges"].get(judge, ("", ""))]
        writer.writerow([harmless(row.get(column, "")) for column in _COLUMNS] + cosines)
    return write_text(target, text.getvalue())


def write_page(report: Path, target: Path, title: str = "Anonymized photos") -> Path:
    """Write the page of `report`."""
    records = list(read_records(report))
    rows = list(_rows(records))
    judges = _judges(rows)
    count = Counter(record["status"] for record in records)
    faces = faces_said(records)
    head = ["Photo", "Status", "Face", "Shown by", "Tries", *judges, "Remark"]
    missing = count[NOT_REACHED]
    parts = [
        f"<p>Photos: {escaped(', '.join(f'{number} {status}' for status, number in sorted(count.items())))}</p>",
        *((f"<p><strong>{escaped(_stopped(missing))}</strong></p>",) if missing else ()),
        *((f"<p>Faces: {escaped(faces)}</p>",) if faces else ()),
        *(f"<p>{escaped(sentence)}</p>" for sentence in (*made_by(records), *set_so(records))),
        f"<p>{_ONLY_FOUND}</p>",
        "<p>For each recogniser: the cosine between the face before and after (1 for the same picture, about 0 for "
        "strangers); in brackets, the cosine from which it says “same person”. Tries are those of the method; a "
        "face that is “then hidden” was hidden by the method under “Shown by”. A face that cannot be judged has no "
        "cosine, as it would mean nothing.</p>",
    ]
    lists = {
        "To be looked at by a person": {
            r["input"]: r["error"] or r["status"] for r in records if r["status"] in _ATTENTION
        },
        "Existing results that were kept": {r["input"]: r["kept"] for r in records if r.get("kept")},
        "Faces that were not chosen, and are left as they are": {
            r["input"]: f"{number} of {len(r['faces'])}"
            for r in records
            if (number := sum(face["status"] == _SKIPPED for face in r["faces"]))
        },
        "Left as they are by a person, unverified": {
            r["input"]: r["error"] for r in records if any(face["status"] == LEFT for face in r["faces"])
        },
        "What the result does not keep of the file": {
            r["input"]: " ".join(r["notes"]) for r in records if r.get("notes")
        },
    }
    parts += [_list(heading, lines) for heading, lines in lists.items() if lines]
    parts.append(judged(records))
    parts.append(
        "<h2>All faces</h2><table><thead><tr>"
        + "".join(f"<th>{escaped(name)}</th>" for name in head)
        + "</tr></thead><tbody>"
    )
    parts += [_page_row(row, judges) for row in rows]
    parts.append("</tbody></table>")
    return write_text(target, page(title, "\n".join(parts)))


def _stopped(missing: int) -> str:
    photos, they = ("1 photo was", "it has") if missing == 1 else (f"{missing} photos were", "they have")
    return f"The run was stopped before {photos} done: this report does not say whether {they} been changed."


def _list(heading: str, lines: Mapping[str, Any]) -> str:
    """What is to be said of some photos, by their names."""
    said = "".join(f"<li>{escaped(photo)}: {escaped(words)}</li>" for photo, words in lines.items())
    return f"<h2>{escaped(heading)}</h2><ul>{said}</ul>"


def _page_row(row: Mapping[str, Any], judges: Sequence[str]) -> str:
    cells = [f"<td>{escaped(row['photo'])}</td>", f"<td>{escaped(row['face status'] or row['photo status'])}</td>"]
    tries = ", ".join(
        [*([str(row["tries"])] if row["tries"] else []), *(["then hidden"] if row.get("then hidden") else [])]
    )
    cells += [f"<td>{escaped(cell)}</td>" for cell in (row["face"], row["shown by"], tries)]
    for judge in judges:
        cosine, threshold = row["judges"].get(judge, ("", ""))
        shown = "{} ({})".format(*beside(cosine, threshold)) if cosine != "" and threshold != "" else ""
        shown = "not judged" if judge in row["judges"] and cosine == "" else shown
        cells.append(f'<td class="n">{shown}</td>')
    cells.append(f"<td>{escaped(row['remark'])}</td>")
    attention = bool({row["photo status"], row["face status"]} & set(_ATTENTION))
    start = '<tr class="attention">' if attention else "<tr>"
    return f"{start}{''.join(cells)}</tr>"


def _rows(records: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """One row a face, counted from 1; of a photo without faces one row without a face."""
    for record in records:
        of_photo = {
            "photo": record["input"],
            "result": record["output"] or "",
            "photo status": record["status"],
            "face": "",
            "face status": "",
            "shown by": "",
            "tries": "",
            "remark": record["error"] or "",
            "of the photo": " ".join([*record.get("notes", ()), *([record["kept"]] if record.get("kept") else [])]),
            "metadata": record.get("settings", {}).get("metadata", ""),
            "judges": {},
        }
        for number, face in enumerate(record["faces"], 1):
            quality = face["quality"] or ["", ""]
            thresholds = face["threshold"]
            yield of_photo | {
                "face": number,
                "face status": face["status"],
                "shown by": face.get("method") or "",
                "tries": tries_before(face) or "",
                "then hidden": "yes" if face.get("fallback", face["status"] == "fallback") else "",
                "verdict": face["verdict"] or "",
                "quality before": quality[0],
                "quality after": quality[1],
                "score": face["score"],
                "found again": "" if face.get("found_again") is None else face["found_again"],
                **dict(zip(("left", "top", "right", "bottom"), face["box"], strict=True)),
                "remark": " ".join([*([face["error"]] if face["error"] else []), *face["notes"]]),
                "judges": {
                    name: ("" if is_unjudged(face) else cosine, thresholds.get(name, ""))
                    for name, cosine in face["similarity"].items()
                },
            }
        if not record["faces"]:
            yield of_photo
        for missed in record.get("possible_missed_faces", ()):
            yield of_photo | {
                "face status": "possible missed face",
                "score": missed["score"],
                **dict(zip(("left", "top", "right", "bottom"), missed["box"], strict=True)),
                "remark": "It was not changed; check whether it is a face.",
            }


def _judges(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return sorted({judge for row in rows for judge in row["judges"]})
