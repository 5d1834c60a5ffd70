"""How strict `generate --identities` must be about people whose pictures look alike, and what that costs.

    python benchmarks/apart.py --root ../shared [--people 24] [--pictures 4] [--seed 11] [--limits 0 0.6 0.5] [--cache FOLDER]

The same people are chosen from (`datasets/choosing.py`) for each limit: 0 keeps whoever was planned. Whoever is drawn is kept in
`--cache`, for the other limits and for the next time. Pairs of pictures are judged by B and C, which also choose, and by the MS1M
teacher, which takes no part, each at the cosine that one pair of strangers in a thousand reaches, of held-out CelebA faces.
Prints a Markdown table: pairs of one person known again / of two people mistaken, in percent (and how many).
"""

from __future__ import annotations

import argparse
import datetime
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.speed import commit, processor
from facestudio.datasets import doubles
from facestudio.datasets.choosing import Choice, Chooser
from facestudio.datasets.measuring import measure
from facestudio.faces.calibrating import pairs, tar_at_far
from facestudio.options import options_of
from facestudio.photo import Photo
from facestudio.populating import Nobody, Order, Painter, Person, Picture, plan
from facestudio.progress import Progress
from facestudio.studio import Studio
from facestudio.training import data, teachers
from facestudio.training.embedding import CALIBRATING
from facestudio.training.identity_data import all_crops

PRIOR, TEACHER = "starter-prior", "MS1M teacher"
FAR = 1e-3
BLANK = Photo.from_pixels(np.zeros((1, 1, 3), np.uint8))


class Kept:
    """A Painter whose people are drawn once, and of whom what the judges see is kept in `folder`."""

    def __init__(self, painter: Painter, teacher: teachers.Ms1m, folder: Path) -> None:
        self.painter, self.teacher, self.folder = painter, teacher, folder
        self.successors, self.strangers, self.thresholds = painter.successors, painter.strangers, painter.thresholds
        self.asked = 0
        folder.mkdir(parents=True, exist_ok=True)

    def paint(self, nobody: Nobody, progress: Progress, drawn: Callable[[], None]) -> Person:
        self.asked += 1
        path = self.folder / f"{nobody.number:04d}-{nobody.anew}.pickle"
        if not path.exists():
            person = self.painter.paint(nobody, progress, drawn)
            bare = tuple(replace(picture, photo=BLANK) for picture in person.pictures)
            said = [self._of_teacher(picture) for picture in person.pictures]
            path.write_bytes(pickle.dumps((replace(person, pictures=bare), said)))
        kept: Person = pickle.loads(path.read_bytes())[0]  # noqa: S301 - written above
        return kept

    def _of_teacher(self, picture: Picture) -> np.ndarray | None:
        if picture.face is None:
            return None
        found: np.ndarray = self.teacher.embed_faces(picture.photo.pixels[None], picture.face.landmarks[None])[0]
        return found

    def said(self, nobody: Nobody) -> list[np.ndarray | None]:
        """What the teacher says of each picture."""
        path = self.folder / f"{nobody.number:04d}-{nobody.anew}.pickle"
        said: list[np.ndarray | None] = pickle.loads(path.read_bytes())[1]  # noqa: S301 - written above
        return said


def teachers_threshold(teacher: teachers.Ms1m, root: Path, cache: Path) -> float:
    """The cosine at `FAR` on the faces that our own recognisers are calibrated on."""
    crops, identity, source = all_crops(root, cache)
    held = data.split(identity)[1]
    held = held[np.isin(source[held], CALIBRATING)]
    seen = np.concatenate([teacher(crops[held[n : n + 32]])[0] for n in range(0, len(held), 32)])
    return tar_at_far(*pairs(seen, identity[held], source[held]), FAR)[1]


def chosen(kept: Kept, people: list[Nobody], order: Order, limit: float) -> list[Choice]:
    """Who would be in the dataset."""
    doubles.LIMIT = limit or doubles.LIMIT
    own = range(1, order.people + 1)
    chooser = Chooser(people, own, kept, replace(order, apart=limit > 0))  # type: ignore[arg-type]
    return [chooser.choose(number, Progress(), lambda: None, lambda: None) for number in own]


def row(kept: Kept, choices: list[Choice], threshold: float) -> list[str]:
    """A table's cells: what the judges and the teacher say of all pairs."""
    seen: dict[str, list[np.ndarray]] = {judge: [] for judge in (*kept.thresholds, TEACHER)}
    owners: list[int] = []
    for choice in choices:
        for picture, said in zip(choice.person.pictures, kept.said(choice.person.nobody), strict=True):
            if said is None:
                continue
            owners.append(choice.person.nobody.number)
            seen[TEACHER].append(said)
            for judge, identity in picture.identities.items():
                seen[judge].append(identity.embedding)
    cells = []
    for judge, vectors in seen.items():
        found = measure(judge, judge, kept.thresholds.get(judge, threshold), np.stack(vectors), owners)
        same, different = found.same_share, found.different_share
        assert same is not None and different is not None
        cells.append(f"{100 * same:.1f} / {100 * different:.2f} ({found.different_above})")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("benchmark-output/apart"))
    parser.add_argument("--faces-cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--seed", type=int, default=11)
    parser.add_argument("--threshold", type=float, help="of the teacher, instead of the one that is measured")
    parser.add_argument("--limits", type=float, nargs="*", default=[0, 0.6, 0.55, 0.5])
    asked = parser.parse_args()
    say: Any = Console(soft_wrap=True, highlight=False).print
    studio = Studio()
    studio.prepare(PRIOR)
    method = studio._synthesizer(PRIOR)
    space, judges, detector = studio._people(method), studio._judges_of(method), studio._detector()
    order = Order(asked.people, asked.pictures, asked.seed)
    painter = Painter(method, space, detector, judges, options_of(method.Options, {}), order, FAR)
    teacher = teachers.Ms1m(asked.root / "teachers")
    threshold = asked.threshold or teachers_threshold(teacher, asked.root, asked.faces_cache)
    folder = asked.cache / f"{asked.seed}-{asked.pictures}"
    kept, people = Kept(painter, teacher, folder), plan(space, order)
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}; seed {asked.seed}")
    say(f"teacher's threshold: {threshold:.3f}\n")
    judged = " | ".join((*kept.thresholds, TEACHER))
    say(f"| limit | people drawn | replaced | too alike all the same | {judged} |")
    say("|---|---|---|---|" + "---|" * (len(kept.thresholds) + 1))
    for limit in asked.limits:
        kept.asked = 0
        choices = chosen(kept, people, order, limit)
        replaced = sum(choice.person.nobody.anew > 0 for choice in choices)
        alike = sum(choice.too_like is not None for choice in choices)
        cells = " | ".join(row(kept, choices, threshold))
        say(f"| {limit:g} | {kept.asked} | {replaced} | {alike} | {cells} |")


if __name__ == "__main__":
    main()
