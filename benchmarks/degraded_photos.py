"""Real degraded photos, whose clean ones nobody has: every method on whole photos, on one page to look at.

    python benchmarks/degraded_photos.py [--photos ../shared/photos_degraded] [--out benchmark-output/degraded-photos]
        [--methods starter-estimator,starter-difface] [--markdown]

Each photo goes the way of `facestudio restore`: faces are found, restored, pasted and judged. OUT/index.html shows before and
after side by side, with what the recognisers say of each face and the seconds; the pictures lie beside it. A row a face is
printed as soon as it is there (the document's table, with --markdown under a heading). A cosine between a poor face
and its restoration tells how much was kept of what little there was, not whether the person was met.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import torch
from rich.console import Console

from benchmarks.restoring import BICUBIC, Variant, chosen
from benchmarks.sheets import sheet, write
from benchmarks.speed import commit
from facestudio import device
from facestudio.errors import FaceStudioError
from facestudio.formats import SUFFIXES
from facestudio.recipe import Recipe
from facestudio.results import FaceResult, Result
from facestudio.studio import Studio

STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2em; background: #fafafa; color: #222 }
section { margin-bottom: 3em } .row { display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start }
figure { margin: 0; width: min(512px, 45vw) } img { width: 100%; image-rendering: auto; display: block }
figcaption { font-size: 13px } figcaption p { margin: .2em 0 } .bad { color: #a00 }
"""
SIDE = 256  # px of a crop on the page


@dataclass(frozen=True)
class Outcome:
    """What a method made of a photo: `picture`, a file beside the page, and its `result`; or only the `error` in a sentence.

    `crops`: a file with the faces before and after, where there are several, which are small in the photo.
    """

    title: str
    picture: str = ""
    result: Result | None = None
    error: str = ""
    crops: str = ""


@dataclass(frozen=True)
class Entry:
    """A photo of the page: its `name`, the file `picture` of it as it was, its `size`, its `faces`, and the `outcomes`."""

    name: str
    picture: str
    size: tuple[int, int]
    faces: int
    outcomes: tuple[Outcome, ...]


def photos_in(folder: Path) -> list[Path]:
    """The photos of `folder`, by name; SystemExit when there are none."""
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES) if folder.is_dir() else []
    if not found:
        raise SystemExit(f"No photos are in {folder}.")
    return found


def tried(studio: Studio, path: Path, variants: Sequence[Variant], out: Path, seed: int) -> Entry:
    """`path` restored in every way, the pictures written into `out`."""
    photo = studio.open(path)
    faces = studio.detect(photo)
    before = f"{path.stem}.png"
    photo.save(out / before, format="PNG", overwrite=True, metadata_policy="strip")
    outcomes = []
    for number, variant in enumerate(variants):
        try:
            studio.prepare(variant.id)  # so that no photo pays for the loading
            result = studio.restore(photo, faces, Recipe(variant.id, variant.method, dict(variant.options), seed))
            name = f"{path.stem}-{number}-{variant.id}.png"
            result.after.save(out / name, format="PNG", recipe=result.recipe, overwrite=True, metadata_policy="strip")
            crops = f"{path.stem}-{number}-{variant.id}-faces.png" if len(faces) > 1 else ""
            if crops:
                write(out / crops, before_and_after(result))
            outcomes.append(Outcome(variant.title, name, result, result.error or "", crops))
        except FaceStudioError as error:
            outcomes.append(Outcome(variant.title, error=str(error)))
    return Entry(path.name, before, photo.size, len(faces), tuple(outcomes))


def before_and_after(result: Result) -> np.ndarray:
    """The crops of the faces that were restored, before and after, SIDE px each; a face a row."""
    pairs = [(face.aligned_before, face.aligned_after) for face in result.faces]
    there = [crop.pixels for pair in pairs for crop in pair if crop is not None]
    if not there:
        return np.zeros((1, 2 * SIDE, 3), np.uint8)
    return sheet(np.stack([cv2.resize(crop, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for crop in there]), 2)


def cosines(face: FaceResult) -> str:
    """The cosine before and after of each recogniser, in the order of the manifest."""
    return " / ".join(f"{value:.2f}" for value in face.similarity.values())


def quality(face: FaceResult) -> str:
    """Recognisability before and after."""
    told = face.summary.quality if face.summary else None
    return " to ".join(f"{value:.2f}" for value in told) if told else ""


HEAD = (
    "| photo | px | face | method | cosines | recognisability | the recognisers together | s a photo |\n"
    + "|---" * 8
    + "|"
)


def lines(entry: Entry) -> list[str]:
    """The table's rows of a photo: one for each face and method, one for each method that failed."""
    size = f"{entry.size[0]} x {entry.size[1]}"
    found = []
    for outcome in entry.outcomes:
        faces = outcome.result.faces if outcome.result else ()
        seconds = f"{outcome.result.seconds:.1f}" if outcome.result else ""
        for face in faces:
            of = f"{face.index + 1} of {len(faces)}"
            words = face.error or (face.summary.words if face.summary else "not judged")
            cells = [entry.name, size, of, outcome.title, cosines(face), quality(face), words, seconds]
            found.append("| " + " | ".join(cells) + " |")
        if not faces:
            found.append(f"| {entry.name} | {size} | none | {outcome.title} | | | {outcome.error} | |")
    return found


def means(entries: Sequence[Entry]) -> list[str]:
    """The table of the means a method, over all faces that were restored."""
    made = ["| method | faces restored | cosines | recognisability | seconds a face |", "|---" * 5 + "|"]
    for place, first in enumerate(entries[0].outcomes):
        results = [entry.outcomes[place].result for entry in entries]
        there = [result for result in results if result is not None]
        faces = [face for result in there for face in result.faces if face.status == "restored"]
        if not faces:
            continue
        told = np.mean([list(face.similarity.values()) for face in faces], axis=0)
        known = [face.summary.quality for face in faces if face.summary and face.summary.quality]
        better = " to ".join(f"{value:.2f}" for value in np.mean(known, axis=0)) if known else ""
        seconds = sum(result.seconds for result in there) / len(faces)
        values = " / ".join(f"{value:.2f}" for value in told)
        made.append(f"| {first.title} | {len(faces)} | {values} | {better} | {seconds:.1f} |")
    return made


def html(entries: Sequence[Entry], heading: str) -> str:
    """The page; its pictures lie beside it."""
    parts = [
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Real degraded photos</title>',
        f"<style>{STYLE}</style><h1>Real degraded photos</h1><p>{escape(heading)}</p>",
        "<p>What the recognisers say compares a face before with the same face after. Nobody knows the clean faces.</p>",
    ]
    for entry in entries:
        many = f"{entry.faces} face{'' if entry.faces == 1 else 's'} found"
        about = f"{entry.size[0]} x {entry.size[1]} px, {many}"
        parts.append(f"<section><h2>{escape(entry.name)}</h2><div class=row>")
        parts.append(_figure(entry.picture, "before", f"<p>{escape(about)}</p>"))
        parts += [_figure(outcome.picture, outcome.title, _said(outcome)) for outcome in entry.outcomes]
        parts.append("</div></section>")
    return "\n".join(parts) + "\n</html>\n"


def _figure(picture: str, title: str, said: str) -> str:
    image = _image(picture, title)
    return f"<figure>{image}<figcaption><p><b>{escape(title)}</b></p>{said}</figcaption></figure>"


def _image(picture: str, title: str) -> str:
    return f'<img src="{quote(picture)}" alt="{escape(title)}">' if picture else ""


def _said(outcome: Outcome) -> str:
    """What is written under a picture."""
    said = [f'<p class="bad">{escape(outcome.error)}</p>'] if outcome.error else []
    if outcome.result is None:
        return "".join(said)
    for face in outcome.result.faces:
        if face.status == "restored":
            summary = face.summary.sentence if face.summary else "Not judged."
            told = f"Face {face.index + 1}: cosines {cosines(face)}, recognisability {quality(face)}. {summary}"
            said.append(f"<p>{escape(' '.join([told, *face.notes]))}</p>")
    crops = _image(outcome.crops, f"{outcome.title}: the faces before and after")
    return "".join([*said, f"<p>{outcome.result.seconds:.1f} s, judging included</p>", crops])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, default=Path("../shared/photos_degraded"))
    parser.add_argument("--out", type=Path, default=Path("benchmark-output/degraded-photos"))
    parser.add_argument(
        "--methods", default="", help="ids of checkpoints, with commas; all that are here when left out"
    )
    parser.add_argument("--options", nargs="+", action="append", default=[], metavar="NAME=VALUE,VALUE")
    parser.add_argument(
        "--markdown", action="store_true", help="print the means a method, too, and the document's heading"
    )
    parser.add_argument("--device", default="auto", choices=device.NAMES)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    studio = Studio(arguments.device)
    variants = [one for one in chosen(studio, arguments.methods, arguments.options) if one.id != BICUBIC]
    photos = photos_in(arguments.photos)
    arguments.out.mkdir(parents=True, exist_ok=True)
    judges = ", ".join(entry.id for entry in studio.checkpoints() if entry.recognises and entry.here)
    heading = (
        f"{studio.device_name()}; torch {torch.__version__}; {datetime.date.today()}; commit {commit()}; "
        f"cosines by {judges}"
    )
    if arguments.markdown:
        say(f"{heading}\n")
    say(HEAD)
    entries = []
    for path in photos:
        try:
            entry = tried(studio, path, variants, arguments.out, arguments.seed)
        except FaceStudioError as error:
            say(f"| {path.name} | | | | | | {error} | |")
            continue
        entries.append(entry)
        say("\n".join(lines(entry)))
        (arguments.out / "index.html").write_text(html(entries, heading), encoding="utf-8")
    if arguments.markdown and entries:
        say("\n" + "\n".join(means(entries)))
    say(f"\nThe page is {arguments.out / 'index.html'}; it shows people, so keep it out of the project.")
    return 0 if len(entries) == len(photos) else 1


if __name__ == "__main__":
    sys.exit(main())
