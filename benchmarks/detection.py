"""How many faces of held-out photos are found: large, small and turned ones, and how many false ones come with them.

    python benchmarks/detection.py --root ../shared [--sheets benchmark-output/detection]

Prints a Markdown table. Every kind of scene is made of the same held-out photos: as they are; made smaller until the largest
face has its eyes 13, 17 and 22 px apart; turned by 30 degrees either way; and with the faces painted over. A face is found
when the box overlaps its label's by half; of a turned face that is the box around the turned ellipse in the label. The last
column says of how many of the found ones the landmarks agree too. With --sheets each false and each missed face is drawn, to
be looked at: labels miss faces as well.
"""

from __future__ import annotations

import argparse
import datetime
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from rich.console import Console

from facestudio import device
from facestudio.faces.align import transform
from facestudio.faces.detect import MINIMUM_SCORE
from facestudio.faces.face import Face
from facestudio.faces.turns import carried_boxes, turned
from facestudio.studio import Studio
from facestudio.training.recipes.detector import Labelled, Recipe, plain_overlaps

LOWEST = 0.2  # score of the faces that are asked for
THRESHOLDS = (0.3, 0.35, MINIMUM_SCORE, 0.5, 0.6)
BINS = {">= 24 px": (24.0, np.inf), "12 to 24 px": (12.0, 24.0)}  # between the eyes
REDUCED = (13.0, 17.0, 22.0)  # px between the eyes of the largest face
TURN = 30.0  # degrees
PAINTED = 1.4  # sides of what is painted over, in those of the label
KINDS = ("as", "reduced", "turned", "faces")  # first words of the kinds of photos
FOUND = 0.5  # intersection over union
NEUTRAL = 0.3  # of a box with a label that does not count: neither false nor found
NEAR = 0.25  # mean distance of the landmarks, in distances of the eyes: found by its landmarks too
CELL = 160  # px of a picture in a sheet
Scene = tuple[np.ndarray, Labelled]


@dataclass(frozen=True)
class Outcome:
    """A label that was found (or not: `score` 0), or a false face: `eyes` 0."""

    scene: int
    score: float
    eyes: float
    near: bool
    box: np.ndarray


def reduced(scene: Scene, eyes: float) -> Scene | None:
    """The photo made smaller until its largest face has its eyes `eyes` px apart; None when they are nearer already."""
    pixels, label = scene
    scale = eyes / apart(label).max()
    if scale > 1:
        return None
    size = np.maximum(np.round(np.array(pixels.shape[1::-1]) * scale), 1).astype(int)
    stretch = size / pixels.shape[1::-1]
    boxes = (label.boxes + 0.5) * np.tile(stretch, 2) - 0.5
    small = cv2.resize(pixels, tuple(size.tolist()), interpolation=cv2.INTER_AREA)
    return small, replace(label, boxes=boxes, points=(label.points + 0.5) * stretch - 0.5)


def tilted(scene: Scene, degrees: float) -> Scene:
    """The photo turned about its middle on a canvas that holds all of it, black where there was no photo."""
    pixels, label = scene
    canvas, matrix = turned(pixels, degrees)
    return canvas, replace(label, boxes=carried_boxes(matrix, label.boxes), points=transform(matrix, label.points))


def empty(scene: Scene, share: float) -> Scene:
    """The photo with `share` times each label's box painted in the mean colour of what it held; no label counts there."""
    pixels, label = scene[0].copy(), scene[1]
    for box in label.boxes:
        middle, half = (box[:2] + box[2:]) / 2, share * (box[2:] - box[:2]) / 2
        left, top, right, bottom = np.maximum(np.concatenate([middle - half, middle + half]), 0).astype(int)
        part = pixels[top : bottom + 1, left : right + 1]
        part[:] = part.mean(axis=(0, 1))
    return pixels, replace(label, sure=np.zeros_like(label.sure))


def every(change: Callable[[Scene, float], Scene | None], photos: list[Scene], amount: float) -> list[Scene]:
    """The scenes that `change` makes of the photos by `amount`."""
    return [made for photo in photos if (made := change(photo, amount)) is not None]


def apart(label: Labelled) -> np.ndarray:
    """Distance between the eyes of each face, (F,) px."""
    return np.linalg.norm(label.points[:, 1] - label.points[:, 0], axis=1)


def outcomes(index: int, found: tuple[Face, ...], label: Labelled) -> Iterator[Outcome]:
    """What became of each label with eyes at least 12 px apart, and each false face. Smaller faces are neutral."""
    eyes = apart(label)
    counts = (eyes >= BINS["12 to 24 px"][0]) & label.sure
    hits: dict[int, Face] = {}
    for face in sorted(found, key=lambda face: -face.score):
        overlap = plain_overlaps(face.box, label.boxes)
        best = int(overlap.argmax())
        if overlap[best] >= FOUND and best not in hits:
            hits[best] = face
        elif overlap[best] >= FOUND or overlap[best] <= NEUTRAL or counts[best]:
            yield Outcome(index, face.score, 0.0, False, face.box)
    for n in np.flatnonzero(counts):
        hit = hits.get(int(n))
        error = np.inf if hit is None else np.linalg.norm(hit.landmarks - label.points[n], axis=1).mean() / eyes[n]
        yield Outcome(index, hit.score if hit else 0.0, float(eyes[n]), bool(error < NEAR), label.boxes[n])


def row(title: str, of: list[Outcome], photos: int, between: tuple[float, float] | None) -> str | None:
    """A table's row: recall of the faces whose eyes are so far apart by threshold; None: false faces a photo."""
    if between is None:
        false = [outcome.score for outcome in of if outcome.eyes == 0]
        return (
            f"| {title} | false a photo | {photos} | "
            + " | ".join(f"{sum(score >= t for score in false) / photos:.4f}" for t in THRESHOLDS)
            + " | |"
        )
    faces = [outcome for outcome in of if between[0] <= outcome.eyes < between[1]]
    if not faces:
        return None
    recall = " | ".join(f"{np.mean([face.score >= t for face in faces]):.4f}" for t in THRESHOLDS)
    name = next(name for name, limits in BINS.items() if limits == between)
    near = np.mean([face.near for face in faces if face.score >= MINIMUM_SCORE])
    return f"| {title} | recall, eyes {name} apart | {len(faces)} | {recall} | {near:.3f} |"


def draw_sheet(path: Path, scenes: list[Scene], chosen: list[Outcome]) -> None:
    """A picture with one square for each outcome: its surroundings, its box, and its score."""
    cells = []
    for outcome in chosen:
        pixels = scenes[outcome.scene][0]
        middle, side = (outcome.box[:2] + outcome.box[2:]) / 2, 2.2 * float((outcome.box[2:] - outcome.box[:2]).max())
        scale = CELL / side
        matrix = np.array([[scale, 0, CELL / 2 - scale * middle[0]], [0, scale, CELL / 2 - scale * middle[1]]])
        cell = cv2.warpAffine(np.ascontiguousarray(pixels), matrix, (CELL, CELL), flags=cv2.INTER_AREA)
        corners = np.round(transform(matrix, outcome.box.reshape(2, 2))).astype(int)
        cv2.rectangle(cell, corners[0].tolist(), corners[1].tolist(), (255, 0, 0) if outcome.eyes == 0 else (0, 255, 0))
        text = f"{outcome.scene} {outcome.score:.2f}" + (f" eyes {outcome.eyes:.0f}" if outcome.eyes else "")
        cv2.putText(cell, text, (3, CELL - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (255, 255, 0))
        cells.append(cell)
    if cells:
        cells += [np.zeros_like(cells[0])] * (-len(cells) % 8)
        sheet = np.concatenate([np.concatenate(cells[n : n + 8], axis=1) for n in range(0, len(cells), 8)])
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), sheet[..., ::-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--only", nargs="*", choices=KINDS, default=KINDS, help="kinds of photos")
    parser.add_argument("--sheets", type=Path, help="folder for pictures of what is false or missed")
    arguments = parser.parse_args()
    recipe = Recipe(arguments.root, arguments.cache)
    photos = [(recipe.pixels[i], recipe.photos[i]) for i in recipe.validation]
    kinds = {
        "as they are": lambda: photos,
        **{f"reduced to {eyes:g} px": partial(every, reduced, photos, eyes) for eyes in REDUCED},
        **{f"turned by {degrees:+g}°": partial(every, tilted, photos, degrees) for degrees in (-TURN, TURN)},
        "faces painted over": partial(every, empty, photos, PAINTED),
    }
    detector = Studio("cpu")._detector()
    out = Console(soft_wrap=True, highlight=False, markup=False)
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False).stdout
    out.print(
        f"{device.describe('cpu')}; torch {torch.__version__}; {datetime.date.today()}; commit {commit.strip()}\n"
    )
    heads = " | ".join(f"at {threshold}" for threshold in THRESHOLDS)
    out.print(f"| photos | figure | of | {heads} | landmarks near too |\n|---|---|---|{'---|' * len(THRESHOLDS)}---|")
    together: dict[str, list[Outcome]] = {}
    counted: dict[str, int] = {}
    began = time.process_time()
    for number, (kind, make) in enumerate(kinds.items()):
        if kind.split()[0] not in arguments.only:
            continue
        scenes = make()
        found = [detector.detect(pixels, minimum_score=LOWEST) for pixels, _ in scenes]
        of = [one for n, (_, label) in enumerate(scenes) for one in outcomes(n, found[n], label)]
        for text in (row(kind, of, len(scenes), between) for between in (*BINS.values(), None)):
            if text:
                out.print(text)
        group = kind.split()[0]
        together.setdefault(group, []).extend(of)
        counted[group] = counted.get(group, 0) + len(scenes)
        if arguments.sheets:
            false = [o for o in of if o.eyes == 0]
            draw_sheet(arguments.sheets / f"{number}_false.png", scenes, sorted(false, key=lambda o: -o.score))
            draw_sheet(
                arguments.sheets / f"{number}_missed.png", scenes, [o for o in of if o.eyes and o.score < MINIMUM_SCORE]
            )
    for group in sorted({"reduced", "turned"} & together.keys()):
        for text in (
            row(f"{group}, all", together[group], counted[group], limits) for limits in (*BINS.values(), None)
        ):
            if text:
                out.print(text)
    out.print(f"\n{(time.process_time() - began) / sum(counted.values()) * 1000:.0f} ms of CPU a photo.")


if __name__ == "__main__":
    main()
