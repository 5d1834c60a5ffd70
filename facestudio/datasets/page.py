"""The page of a dataset: how often its people are known again and mistaken for each other, drawn as histograms.

It stands alone: the histograms are drawn in it (SVG), nothing comes from elsewhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.datasets.doubles import Rule
from facestudio.datasets.folder import numbers
from facestudio.datasets.measuring import BINS, Pairs, share
from facestudio.datasets.records import PersonRecord, folder_name
from facestudio.datasets.tables import PAGE, PEOPLE, PICTURES, Measured, look, write_tables
from facestudio.pages import escaped, page, write_text
from facestudio.progress import Progress

MOST_LINES = 200  # of a list on the page; the tables have all of it
_STYLE = """
svg { width: 100%; max-width: 46rem; display: block; } svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
.same { fill: #2a78c4; fill-opacity: .6; } .different { fill: #d0682a; fill-opacity: .6; }
.line { stroke: currentColor; stroke-width: 1; } .threshold { stroke: currentColor; stroke-dasharray: 5 4; stroke-width: 1.5; }
"""
_RULE = (
    "Two people are too alike when the mean cosine of their pictures reaches {:g} of a recogniser's threshold. On "
    "one machine such a person is replaced; people drawn on different machines can only be listed."
)
_WIDTH, _HEIGHT, _LEFT, _BOTTOM = 720, 240, 10, 34


def write_page(out: Path, measured: Measured) -> Path:
    """Write the page, replacing the one that is there."""
    people = len(measured.people)
    parts = [f"<p>{escaped(_opening(measured))}</p>"]
    if measured.missing:
        parts.append(f"<p><strong>{escaped(_missing(measured.missing))}</strong></p>")
    parts += ["<h2>Known again, and mistaken</h2>", _shares(measured), f"<p>{escaped(_chosen(measured))}</p>"]
    for pairs in measured.pairs.values():
        parts += [f"<h2>{escaped(pairs.title)}</h2>", _histogram(pairs)]
    parts += ["<h2>People who look alike</h2>", *_alike(measured)]
    parts += ["<h2>Pictures</h2>", _rows(_counts(measured)), "<h2>People</h2>", _rows(_apart(measured))]
    marked = [(p.name, picture.file, picture.note) for p in measured.people for picture in p.pictures if picture.note]
    if marked:
        lines = "".join(f"<li>{escaped(f'{n}/{file}')}: {escaped(note)}</li>" for n, file, note in marked[:MOST_LINES])
        more = (
            f"<p>The first {MOST_LINES} of {len(marked)}; all are in {PICTURES}.</p>"
            if len(marked) > MOST_LINES
            else ""
        )
        parts.append(f"<h2>Marked pictures</h2><ul>{lines}</ul>{more}")
    parts += ["<h2>How it was made</h2>", _rows(_settings(measured))]
    title = f"{people} {'person' if people == 1 else 'people'} who {'does' if people == 1 else 'do'} not exist"
    return write_text(out / PAGE, page(title, "\n".join(parts), _STYLE))


def write_report(out: Path, progress: Progress | None = None) -> Measured:
    """Write tables and page of everybody who is in `out`, once more when others came meanwhile; errors as of `look`."""
    while True:
        here = list(numbers(out))
        measured = look(out, progress)
        write_tables(out, measured)
        write_page(out, measured)
        if list(numbers(out)) == here:
            return measured


def per_thousand(measured: Measured) -> dict[str, float]:
    """Seconds for a thousand pictures by device, drawing again and judging included."""
    seconds: dict[str, float] = defaultdict(float)
    pictures: dict[str, int] = defaultdict(int)
    for person in measured.people:
        device = str(person.made.get("device") or "unknown device")
        seconds[device] += person.seconds
        pictures[device] += len(person.pictures)
    return {device: 1000 * seconds[device] / pictures[device] for device in sorted(seconds) if pictures[device]}


def percent(value: float | None, digits: int = 1) -> str:
    """A share for people; "none" of nothing."""
    return "none" if value is None else f"{100 * value:.{digits}f} %"


def _opening(measured: Measured) -> str:
    return (
        f"{measured.pictures} pictures, all made by a computer. Two pictures of one person should be known as the same person, "
        "and two of different people should not. For each recogniser that the method does not listen to, all pairs were counted."
    )


def _missing(numbers: Sequence[int]) -> str:
    names = ", ".join(map(folder_name, numbers[:20])) + (" …" if len(numbers) > 20 else "")
    return f"{len(numbers)} of the people asked for are missing: {names}. This report covers the others."


def _chosen(measured: Measured) -> str:
    again = sum(picture.tries > 1 for person in measured.people for picture in person.pictures)
    return (
        f"Pictures that were drawn again because no face was found or a recogniser did not know the person: {again}. "
        "So these recognisers chose what they measure; “at the first try” is without that choice."
    ) + (
        f" {_drawn_anew(measured.replaced)}, so these recognisers chose what they measure of two people, too."
        if measured.replaced
        else ""
    )


def alike(measured: Measured) -> str:
    """How many pairs of two people look too alike, and which are closest; "" where there are none."""
    doubles = measured.doubles
    if not doubles.pairs:
        return ""
    pairs = f"{doubles.pairs} pairs" if doubles.pairs > 1 else "1 pair"
    looks = "looks" if doubles.too_alike == 1 else "look"
    first = doubles.closest[0]
    closest = f"{folder_name(first.number)} and {folder_name(first.other.number)}"
    return f"{doubles.too_alike or 'None'} of {pairs} of two people {looks} too alike; the closest are {closest}."


def _drawn_anew(number: int) -> str:
    people = f"{number} person was" if number == 1 else f"{number} people were"
    return f"{people} replaced, because those planned first were too much like others"


def _alike(measured: Measured) -> Iterable[str]:
    rule = _RULE.format(Rule.of(measured.people[0].settings).limit)
    yield f"<p>{escaped(alike(measured) or 'There are no two people with faces to compare.')} {escaped(rule)}</p>"
    if measured.replaced:
        yield f"<p>{escaped(_drawn_anew(measured.replaced))}.</p>"
    kept = [person for person in measured.people if person.too_like is not None]
    if kept:
        lines = "".join(f"<li>{escaped(_stays(person))}</li>" for person in kept[:MOST_LINES])
        more = f"<p>The first {MOST_LINES} of {len(kept)}.</p>" if len(kept) > MOST_LINES else ""
        yield f"<ul>{lines}</ul>{more}"
    if not measured.doubles.closest:
        return
    rows = []
    for pair in measured.doubles.closest:
        judge, double = measured.pairs[pair.other.judge].title, pair.other
        cells = [folder_name(pair.number), folder_name(double.number), judge, f"{double.cosine:.3f}"]
        cells += [f"{double.limit:.3f}", "too alike" if double.cosine >= double.limit else ""]
        rows.append("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in cells) + "</tr>")
    head = "".join(f"<th>{name}</th>" for name in ("Person", "and", "Recogniser", "Mean cosine", "Limit", ""))
    yield f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _stays(person: PersonRecord) -> str:
    like = person.too_like
    assert like is not None
    drawn = len(person.given_up) + 1
    though = f", though {drawn} people were drawn for that number" if drawn > 1 else ""
    return (
        f"{person.name} stays{though}: it is like {folder_name(like.number)} (mean cosine {like.cosine:.3f}, "
        f"the limit is {like.limit:.3f}, {person.judges[like.judge][0]})."
    )


def _shares(measured: Measured) -> str:
    far = measured.people[0].settings.get("far")
    head = ["Recogniser", "Same person from", "Pairs of one person", "known", "at the first try"]
    head += ["Pairs of two people", "mistaken"]
    lines = []
    for judge, pairs in measured.pairs.items():
        first = [person.first_pairs.get(judge, (0, 0)) for person in measured.people]
        at_first = share(sum(above for above, _ in first), sum(count for _, count in first))
        cells = [f"{pairs.threshold:.3f}", pairs.same.sum(), percent(pairs.same_share), percent(at_first)]
        cells += [pairs.different.sum(), percent(pairs.different_share, 3)]
        numbers = "".join(f'<td class="n">{escaped(cell)}</td>' for cell in cells)
        lines.append(f"<tr><td>{escaped(pairs.title)}</td>{numbers}</tr>")
    header = "".join(f"<th>{escaped(name)}</th>" for name in head)
    note = f"<p>The threshold is the cosine that a share of {far:g} of real strangers reaches.</p>" if far else ""
    return f"<table><thead><tr>{header}</tr></thead><tbody>{''.join(lines)}</tbody></table>{note}"


def _histogram(pairs: Pairs) -> str:
    """Shares of the pairs of one person and of two by cosine, with the threshold."""
    filled = np.flatnonzero(pairs.same + pairs.different)
    if not len(filled):
        return "<p>There are no pairs to compare.</p>"
    first, last = int(filled[0]), int(filled[-1]) + 1
    low, high = min(BINS[first], pairs.threshold - 0.05), max(BINS[last], pairs.threshold + 0.05)

    def across(cosine: float) -> float:
        return float(_LEFT + (cosine - low) / (high - low) * (_WIDTH - 2 * _LEFT))

    shares = {
        name: counts / max(int(counts.sum()), 1)
        for name, counts in (("different", pairs.different), ("same", pairs.same))
    }
    highest = max(float(of.max()) for of in shares.values())
    floor = _HEIGHT - _BOTTOM
    bars = []
    for name, of in shares.items():
        for bin in range(first, last):
            height = (floor - 24) * float(of[bin]) / highest
            if height:
                left, right = across(BINS[bin]), across(BINS[bin + 1])
                place = f'x="{left:.1f}" y="{floor - height:.1f}" width="{right - left:.1f}" height="{height:.1f}"'
                bars.append(f'<rect class="{name}" {place}/>')
    ticks = [tick / 10 for tick in range(-10, 11) if low <= tick / 10 <= high]
    marks = "".join(
        f'<text x="{across(t):.1f}" y="{floor + 16}" text-anchor="middle">{t:.1f}</text>'
        f'<line class="line" x1="{across(t):.1f}" x2="{across(t):.1f}" y1="{floor}" y2="{floor + 4}"/>'
        for t in ticks
    )
    at = across(pairs.threshold)
    side, anchor = (4, "start") if at < _WIDTH * 0.7 else (-4, "end")
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Cosines of pairs of one person and of two">{"".join(bars)}'
        f'<line class="line" x1="{_LEFT}" x2="{_WIDTH - _LEFT}" y1="{floor}" y2="{floor}"/>{marks}'
        f'<line class="threshold" x1="{at:.1f}" x2="{at:.1f}" y1="4" y2="{floor}"/>'
        f'<text x="{at + side:.1f}" y="14" text-anchor="{anchor}">same person from {pairs.threshold:.2f}</text></svg>'
        f"<p>Cosines of {int(pairs.different.sum())} pairs of two people (orange) and of {int(pairs.same.sum())} pairs of one "
        "person (blue), each as shares of their own.</p>"
    )


def _counts(measured: Measured) -> Iterable[tuple[str, str]]:
    pictures = measured.pictures
    first = sum(person.first_faces for person in measured.people)
    yield "A face was found in", f"{measured.faces} of {pictures} ({percent(share(measured.faces, pictures))})"
    yield "at the first try in", f"{first} ({percent(share(first, pictures))})"
    yield "Marked", f"{measured.marked} ({percent(share(measured.marked, pictures))})"
    for device, seconds in per_thousand(measured).items():
        yield f"Time for a thousand pictures, {device}", f"{seconds:.0f} s, drawing again and judging included"


def _apart(measured: Measured) -> Iterable[tuple[str, str]]:
    people, limit = measured.people, measured.people[0].settings.get("apart_below")
    if len(people) > 1:
        least = f"; planned to be below {limit:.3f}" if limit is not None else ""
        yield "Largest cosine of two people, as they were planned", f"{np.nanmax(measured.nearest):.3f}{least}"
    known = max(person.nearest_known for person in people)
    before = ", as they were planned" if "sliders" in people[0].settings else ""  # which moved them afterwards
    yield f"Largest cosine of a person to a training person{before}", f"{known:.3f}"
    usual = float(np.median([person.unusual for person in people]))
    yield "Median unusualness (1: as far from the middle as nine in ten real people)", f"{usual:.2f}"
    yield "Each person and each picture", f"{PEOPLE}, {PICTURES}"


def _settings(measured: Measured) -> Iterable[tuple[str, str]]:
    yield from ((key.replace("_", " "), _plain(value)) for key, value in measured.people[0].settings.items())
    for key in ("version", "device", "shard"):
        values = sorted({str(person.made.get(key, "")) for person in measured.people} - {""})
        yield {"version": "Face Studio", "shard": "parts"}.get(key, key), ", ".join(values)


def _plain(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_plain(of)}" for key, of in value.items())
    return f"{value:g}" if isinstance(value, float) else str(value)


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f"<tr><td>{escaped(name)}</td><td>{escaped(value)}</td></tr>" for name, value in pairs)
    return f"<table><tbody>{rows}</tbody></table>"
