"""How exact the five-landmark labels are: the teacher against its own labels, and both against its consensus.

    python benchmarks/landmark_labels.py --root ../shared

The labels of the held-out photos come from the detection teacher (YuNet). Here it looks at each photo again, moved by some
pixels, scaled and mirrored. The consensus of a face is the median over these looks. Errors are the mean distance over the
five landmarks in shares of the distance between the eyes, on faces whose eyes are at least 24 px apart. Prints Markdown.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rich.console import Console

from facestudio.photo import Photo
from facestudio.studio import Studio
from facestudio.training.recipes.detector import Recipe, plain_overlaps

Look = Callable[[np.ndarray], tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]]
MIRROR = [1, 0, 2, 4, 3]


def moved(pixels: int) -> Look:
    def look(photo: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        return cv2.copyMakeBorder(photo, pixels, 0, pixels, 0, cv2.BORDER_REFLECT), lambda points: points - pixels

    return look


def scaled(factor: float) -> Look:
    def look(photo: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        smaller = cv2.resize(photo, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
        return smaller, lambda points: (points + 0.5) / factor - 0.5

    return look


def mirrored(photo: np.ndarray) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    width = photo.shape[1]
    return photo[:, ::-1], lambda points: np.column_stack([width - 1 - points[:, 0], points[:, 1]])[MIRROR]


LOOKS: dict[str, Look] = {
    "the same picture again": moved(0),
    "moved by 3 px": moved(3),
    "moved by 7 px": moved(7),
    "moved by 13 px": moved(13),
    "scaled by 0.9": scaled(0.9),
    "scaled by 0.8": scaled(0.8),
    "mirrored": mirrored,
}


def teacher_landmarks(teacher: Any, photo: np.ndarray, look: Look, truth: np.ndarray) -> np.ndarray | None:
    """The teacher's five landmarks (5, 2) of the face whose labels are `truth`, seen through `look`; None when missed."""
    seen, back = look(photo)
    teacher.setInputSize((seen.shape[1], seen.shape[0]))
    found = teacher.detect(np.ascontiguousarray(seen[..., ::-1]))[1]  # the teacher takes BGR
    if found is None:
        return None
    return nearest([back(row[4:14].reshape(5, 2)) for row in found], truth)


def nearest(found: list[np.ndarray], truth: np.ndarray) -> np.ndarray | None:
    """Of several faces' landmarks those that lie nearest to `truth`, if within half the distance between the eyes."""
    distances = [error(points, truth) for points in found]
    return found[int(np.argmin(distances))] if distances and min(distances) < 0.5 else None


def error(points: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(points - truth, axis=1).mean() / np.linalg.norm(truth[1] - truth[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    arguments = parser.parse_args()
    out = Console(soft_wrap=True, highlight=False, markup=False)
    recipe = Recipe(arguments.root, arguments.cache)
    teacher = cv2.FaceDetectorYN.create(
        str(arguments.root / "teachers" / "detector_yunet_n_640.onnx"), "", (320, 320), 0.5
    )
    studio = Studio("cpu")
    against_labels: dict[str, list[float]] = {name: [] for name in LOOKS}
    ours_labels, ours_consensus, labels_consensus = [], [], []
    for index in recipe.validation:
        photo, label = recipe.pixels[index], recipe.photos[index]
        faces = studio.detect(Photo.from_pixels(photo))
        for box, truth in zip(label.boxes, label.points, strict=True):
            if np.linalg.norm(truth[1] - truth[0]) < 24:
                continue
            looks = {name: teacher_landmarks(teacher, photo, look, truth) for name, look in LOOKS.items()}
            told = {name: points for name, points in looks.items() if points is not None}
            for name, points in told.items():
                against_labels[name].append(error(points, truth))
            mine = [face.landmarks for face in faces if plain_overlaps(face.box, box[None])[0] >= 0.5]
            if mine and len(told) >= 4:
                consensus = np.median(np.stack(list(told.values())), axis=0)
                ours_labels.append(error(mine[0], truth))
                ours_consensus.append(error(mine[0], consensus))
                labels_consensus.append(error(truth, consensus))
    out.print("| compared | faces | mean | median |\n|---|---|---|---|")
    rows = [(f"teacher, {name}, with its labels", values) for name, values in against_labels.items()]
    rows += [
        ("Face Studio with the labels", ours_labels),
        ("the labels with the teacher's consensus", labels_consensus),
        ("Face Studio with the teacher's consensus", ours_consensus),
    ]
    for name, values in rows:
        out.print(f"| {name} | {len(values)} | {np.mean(values):.3f} | {np.median(values):.3f} |")


if __name__ == "__main__":
    main()
