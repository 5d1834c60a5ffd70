"""The tables of benchmarks/restoration.py, and what the project asks of its figures. Pure: from rows to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.restoring import Variant

# by the figure's key: how the page calls it, the live table's column, and how it is written
FIGURES: dict[str, tuple[str, str, str]] = {
    "psnr": ("PSNR, dB", "PSNR", ".2f"),
    "ssim": ("SSIM", "SSIM", ".3f"),
    "landmarks": ("Landmark error / distance of the eyes", "landmarks", ".4f"),
    "identity": ("Identity: cosine to the clean face", "identity", ".3f"),
    "frechet": ("Fréchet distance to the same faces, clean", "Fréchet", ".1f"),
    "others": ("Fréchet distance to other people's faces", "to others", ".1f"),
}
SECONDS = {
    "quick": 0.3,
    "dfdnet": 0.8,
    "lafr": 1.0,
    "difface": 6.0,
}  # that a face may take, with starter weights on two cores
MEANT = ("steps", "sampler", "eta")  # options that buy quality with time
GAIN, CLOSE = 0.05, 0.01  # share of the Frechet distance, and cosine, that are worth more time


@dataclass(frozen=True)
class Row:
    """What was measured of `variant` on the degradation `cell`; of bicubic no cost, of what failed only `failure`.

    figures: by the keys of FIGURES; seconds: a face; peak: memory in bytes; usual: whether it has the default options.
    """

    cell: str
    variant: Variant
    figures: dict[str, float] = field(default_factory=dict)
    seconds: float | None = None
    peak: int | None = None
    failure: str = ""
    usual: bool = True

    @property
    def title(self) -> str:
        return self.variant.title + (" **(default)**" if self.usual and self.variant.options else "")


def head(cell: bool = True) -> str:
    """The head of the table of rows, without the column of degradations when not `cell`."""
    columns = [*(["degradation"] if cell else []), "method", *(column for _, column, _ in FIGURES.values())]
    columns += ["s a face", "peak GB"]
    return _line(columns) + "\n" + "|---" * len(columns) + "|"


def line(row: Row, cell: bool = True) -> str:
    """One row of that table."""
    first = [row.cell] if cell else []
    if row.failure:
        return _line([*first, row.title, f"failed: {row.failure}", *[""] * (len(FIGURES) + 1)])
    cells = [f"{row.figures[key]:{form}}" for key, (_, _, form) in FIGURES.items()]
    return _line([*first, row.title, *cells, _number(row.seconds, 1, ".2f"), _number(row.peak, 1e9, ".2f")])


def averaged(rows: Sequence[Row]) -> list[Row]:
    """One row a variant: the means over its degradations, of the memory the most; those that failed anywhere are left out."""
    found = []
    for variant in _variants(rows):
        own = [row for row in rows if row.variant == variant]
        if any(row.failure for row in own):
            continue
        figures = {key: float(np.mean([row.figures[key] for row in own])) for key in FIGURES}
        seconds = [row.seconds for row in own if row.seconds is not None]
        peaks = [row.peak for row in own if row.peak is not None]
        mean = float(np.mean(seconds)) if seconds else None
        found.append(Row("mean", variant, figures, mean, max(peaks, default=None), usual=own[0].usual))
    return found


def page(rows: Sequence[Row]) -> str:
    """The page's tables: for each figure the methods beside the degradations, then cost, means and bars."""
    cells = list(dict.fromkeys(row.cell for row in rows))
    parts = [
        _table(title, rows, cells, lambda row, key=key, form=form: f"{row.figures[key]:{form}}")  # type: ignore[misc]
        for key, (title, _, form) in FIGURES.items()
    ]
    parts.append(_table("Seconds a face", rows, cells, lambda row: _number(row.seconds, 1, ".2f")))
    parts.append(_table("Peak memory of the process, GB", rows, cells, lambda row: _number(row.peak, 1e9, ".2f")))
    if len(cells) > 1:
        parts.append(means(rows))
    return "\n\n".join(part for part in (*parts, enough(rows), bars_table(rows)) if part)


def means(rows: Sequence[Row]) -> str:
    """The table of the means over all degradations."""
    count = len({row.cell for row in rows})
    return "\n".join(
        [f"### Means over the {count} degradations\n", head(cell=False), *(line(r, cell=False) for r in averaged(rows))]
    )


def enough(rows: Sequence[Row]) -> str:
    """For each set of options that are not about time, a line with the quickest that is as good as the best of it; "" for none.

    As good: the Frechet distance at most 5 % above the least, and the cosine at most 0.01 below the highest, in the means.
    """
    groups: dict[tuple[object, ...], list[Row]] = {}
    for row in averaged(rows):
        if row.variant.options:
            other = {name: value for name, value in row.variant.options.items() if name not in MEANT}
            groups.setdefault((row.variant.id, *sorted(other.items())), []).append(row)
    sentences = []
    for group in groups.values():
        least = min(row.figures["frechet"] for row in group)
        highest = max(row.figures["identity"] for row in group)
        good = [
            row
            for row in group
            if row.figures["frechet"] <= (1 + GAIN) * least and row.figures["identity"] >= highest - CLOSE
        ]
        if len(group) < 2:
            continue
        if not good:
            sentences.append(f"- Among {len(group)} like {group[0].variant.title} none is best in both.")
            continue
        quickest = min(good, key=lambda row: row.seconds or 0.0)
        seconds = f"{quickest.seconds or 0:.2f} s a face"
        sentences.append(f"- Quickest that is as good as the best of {len(group)}: {quickest.title}, {seconds}.")
    rule = f"within {GAIN:.0%} of the least Fréchet distance and {CLOSE:g} of the highest cosine, in the means"
    return "\n".join([f"As good means {rule}.\n", *sentences]) if sentences else ""


@dataclass(frozen=True)
class Bar:
    """Something that is asked: `value` by `sign` (">=" or "<=") than `bound`."""

    title: str
    value: float
    sign: str
    bound: float

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.sign == ">=" else self.value <= self.bound


def bars(rows: Sequence[Row]) -> list[Bar]:
    """What the project asks of starter methods with their default options, as far as `rows` can tell."""
    told = {(r.cell, r.variant.method): r for r in rows if r.usual and r.variant.starter and not r.failure}
    found: list[Bar] = []
    at_8 = {method: row.figures["identity"] for (cell, method), row in told.items() if cell == "scale-8" and method}
    quick = at_8.get("quick")
    if at_8:
        found.append(Bar("identity at scale 8, best method", max(at_8.values()), ">=", 0.42))
        if quick is not None and len(at_8) > 1:
            found.append(Bar("the same, above quick's", max(at_8.values()) - quick, ">=", 0.03))
        found += [Bar(f"identity at scale 8, {method}", value, ">=", 0.33) for method, value in at_8.items()]
    for cell in ("scale-8", "scale-16"):
        for method in ("difface", "lafr"):
            if (cell, method) in told and (cell, "quick") in told:
                share = told[cell, method].figures["frechet"] / told[cell, "quick"].figures["frechet"]
                found.append(Bar(f"Fréchet distance at {cell}, {method} / quick", share, "<=", 0.6))
    for method in ("lafr", "dfdnet"):
        if ("scale-4", method) in told and ("scale-4", "quick") in told:
            off = told["scale-4", method].figures["psnr"] - told["scale-4", "quick"].figures["psnr"]
            found.append(Bar(f"PSNR at scale 4, {method} above quick, dB", off, ">=", -1.0))
    for method, most in SECONDS.items():
        spent = [row.seconds for (_, name), row in told.items() if name == method and row.seconds is not None]
        if spent:
            found.append(Bar(f"seconds a face, {method}, slowest degradation", max(spent), "<=", most))
    return found


def bars_table(rows: Sequence[Row]) -> str:
    """Those as a table; "" when `rows` tell of none."""
    asked = [
        _line([bar.title, f"{bar.value:.3g}", f"{bar.sign} {bar.bound:g}", "yes" if bar.met else "no"])
        for bar in bars(rows)
    ]
    return "\n".join(["| figure | measured | bar | met |\n|---|---|---|---|", *asked]) if asked else ""


def _table(title: str, rows: Sequence[Row], cells: Sequence[str], shown: Callable[[Row], str]) -> str:
    by = {(row.cell, row.variant.title): row for row in rows}
    lines = [f"### {title}\n", _line(["method", *cells]), "|---" * (len(cells) + 1) + "|"]
    for variant in _variants(rows):
        own = [by.get((cell, variant.title)) for cell in cells]
        text = [_of(row, shown) for row in own]
        if any(text):  # bicubic has no cost
            lines.append(_line([next(row.title for row in own if row is not None), *text]))
    return "\n".join(lines)


def _of(row: Row | None, shown: Callable[[Row], str]) -> str:
    return "" if row is None else "failed" if row.failure else shown(row)


def _variants(rows: Sequence[Row]) -> list[Variant]:
    found: list[Variant] = []
    for row in rows:
        if row.variant not in found:
            found.append(row.variant)
    return found


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float | None, unit: float, form: str) -> str:
    return "" if value is None else f"{value / unit:{form}}"
