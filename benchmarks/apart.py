"""How strict `generate --identities` must be about people whose pictures look alike, and what that costs.

    python benchmarks/apart.py --root ../shared [--people 24] [--pictures 4] [--seeds 11] [--limits 0 0.6 0.5] [--cache FOLDER]

The same people are chosen from (`datasets/choosing.py`) for each limit: 0 keeps whoever was planned. Whoever is drawn is kept in
`--cache`, for the other limits and for the next time. Pairs of pictures are judged by B and C, which also choose, and by the MS1M
teacher, which takes no part, each at the cosine that one pair of strangers in a thousand reaches, of held-out CelebA faces.
Prints a Markdown table: pairs of one person known again / of two people mistaken, in percent (and how many).

Few people come to few mistaken pairs, so two tables follow of all who were ever drawn: what the teacher mistakes of the pairs of
people that a limit lets pass, with 95 % intervals (bootstrap over people); and what datasets of many people come to, when whoever
is drawn is one of these by chance. `--limits` without any goes on to these at once.
"""

from __future__ import annotations

import argparse
import datetime
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.speed import commit, processor
from facestudio.datasets.choosing import Choice, Chooser
from facestudio.datasets.doubles import RULE, Likeness, Rule
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
LIMITS = (9.0, 0.7, 0.6, 0.55, 0.5, 0.45)
RULES = (Rule(9.0), Rule(0.6, 0.02, 5), Rule(0.55, 0.02, 5), Rule(0.5, 0.02, 5), RULE, Rule(0.45, 0.06))
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
    own, rule = range(1, order.people + 1), replace(RULE, limit=limit)
    chooser = Chooser(people, own, kept, replace(order, apart=limit > 0), rule)  # type: ignore[arg-type]
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


@dataclass(frozen=True)
class Pool:
    """All who were ever drawn: of each pair `alike` (N, N), the mean cosine in a judge's threshold, the larger of both judges';
    `apart` (N, N), whether they are two people who would be planned together; `mistaken` (N, N) and `known` (N,), shares of pairs
    of pictures at or above the teacher's threshold."""

    alike: np.ndarray
    apart: np.ndarray
    mistaken: np.ndarray
    known: np.ndarray

    @classmethod
    def of(cls, kepts: Sequence[Kept], threshold: float) -> Pool:
        read = [pickle.loads(path.read_bytes()) for kept in kepts for path in sorted(kept.folder.glob("*.pickle"))]  # noqa: S301
        found = [(person, [said for said in told if said is not None]) for person, told in read]
        people = [(person, np.stack(told)) for person, told in found if len(told) > 1]
        alike = []
        for judge, its in kepts[0].thresholds.items():
            seen = [
                np.mean([one.identities[judge].embedding for one in person.pictures if one.face is not None], axis=0)
                for person, _ in people
            ]
            alike.append(np.stack(seen) @ np.stack(seen).T / its)
        planned = np.stack([person.nobody.identity.embedding for person, _ in people])
        apart = planned @ planned.T < kepts[0].strangers
        table = np.array([[float((a @ b.T >= threshold).mean()) for _, b in people] for _, a in people])
        known = [float((a @ a.T)[np.triu_indices(len(a), 1)].__ge__(threshold).mean()) for _, a in people]
        return cls(np.max(alike, axis=0), apart & ~np.eye(len(people), dtype=bool), table, np.array(known))

    def passing(self, limit: float, rounds: int = 400) -> tuple[float, float, float, float]:
        """Which share of pairs of people `limit` refuses; what is mistaken of the others, and the ends of its interval."""
        first, second = np.nonzero(np.triu(self.apart, 1))
        passed, mistaken = self.alike[first, second] < limit, self.mistaken[first, second]
        random, found = np.random.default_rng(0), []
        for _ in range(rounds):
            drawn = np.bincount(random.integers(0, len(self.known), len(self.known)), minlength=len(self.known))
            weight = drawn[first] * drawn[second] * passed
            found.append(float((weight * mistaken).sum() / max(weight.sum(), 1)))
        low, high = np.quantile(found, [0.025, 0.975])
        return float(1 - passed.mean()), float(mistaken[passed].mean()), float(low), float(high)

    def dataset(self, people: int, rule: Rule, rounds: int = 40) -> np.ndarray:
        """(4,): people drawn for a number, and shares of those who stay too alike, and of mistaken and known pairs; means of so
        many datasets."""
        found, too_alike = [], (self.alike >= rule.limit) & self.apart
        for chance in range(rounds):
            random, here, drawn, stay = np.random.default_rng(chance), list[int](), 0, 0
            for _ in range(people):
                best: tuple[int, float, int] | None = None
                for _ in range(rule.people):
                    one, drawn = int(random.integers(len(self.known))), drawn + 1
                    many = int(too_alike[one, here].sum())
                    nearest = float(self.alike[one, here].max(initial=0, where=self.apart[one, here]))
                    best = min(best, (many, nearest, one)) if best else (many, nearest, one)
                    if not Likeness(many, len(here), None, rule.few).too_alike:
                        break
                assert best is not None
                stay += Likeness(best[0], len(here), None, rule.few).too_alike
                here.append(best[2])
            pairs = np.triu(self.apart[np.ix_(here, here)], 1)
            mistaken = self.mistaken[np.ix_(here, here)][pairs].mean()
            found.append((drawn / people, stay / people, mistaken, self.known[here].mean()))
        mean: np.ndarray = np.mean(found, axis=0)
        return mean


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("benchmark-output/apart"))
    parser.add_argument("--faces-cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--pictures", type=int, default=4)
    parser.add_argument("--seeds", type=int, nargs="*", default=[11])
    parser.add_argument("--threshold", type=float, help="of the teacher, instead of the one that is measured")
    parser.add_argument("--limits", type=float, nargs="*", default=[0, 0.6, 0.55, 0.5])
    asked = parser.parse_args()
    say: Any = Console(soft_wrap=True, highlight=False).print
    studio = Studio()
    studio.prepare(PRIOR)
    method = studio._synthesizer(PRIOR)
    space, judges, detector = studio._people(method), studio._judges_of(method), studio._detector()
    teacher = teachers.Ms1m(asked.root / "teachers")
    threshold = asked.threshold or teachers_threshold(teacher, asked.root, asked.faces_cache)
    say(f"{processor()}; {datetime.date.today()}; commit {commit()}; teacher's threshold {threshold:.3f}\n")
    kepts = []
    for seed in asked.seeds:
        order = Order(asked.people, asked.pictures, seed)
        painter = Painter(method, space, detector, judges, options_of(method.Options, {}), order, FAR)
        kepts.append(Kept(painter, teacher, asked.cache / f"{seed}-{asked.pictures}"))
        people = plan(space, order)
        if asked.limits:
            judged = " | ".join((*kepts[-1].thresholds, TEACHER))
            say(f"| seed {seed}, limit | people drawn | replaced | too alike all the same | {judged} |")
            say("|---|---|---|---|" + "---|" * (len(judges) + 1))
        for limit in asked.limits:
            kepts[-1].asked = 0
            choices = chosen(kepts[-1], people, order, limit)
            replaced = sum(choice.person.nobody.anew > 0 for choice in choices)
            alike = sum(choice.too_like is not None for choice in choices)
            cells = " | ".join(row(kepts[-1], choices, threshold))
            say(f"| {limit:g} | {kepts[-1].asked} | {replaced} | {alike} | {cells} |")
    pool = Pool.of(kepts, threshold)
    pairs = int(pool.apart.sum()) // 2
    say(f"\n| limit | of {pairs} pairs of {len(pool.known)} people refused | mistaken of the others, % | 95 % |")
    say("|---|---|---|---|")
    for limit in LIMITS:
        refused, mistaken, low, high = (100 * value for value in pool.passing(limit))
        say(f"| {limit:g} | {refused:.1f} % | {mistaken:.3f} | {low:.3f} to {high:.3f} |")
    say("\n| people | limit, few, most | drawn for a number | stay too alike | mistaken, % | known again, % |")
    say("|---|---|---|---|---|---|")
    for count in (24, 50, 200):
        for rule in RULES:
            drawn, stay, mistaken, known = pool.dataset(count, rule)
            figures = f"{drawn:.2f} | {100 * stay:.1f} % | {100 * mistaken:.3f} | {100 * known:.1f}"
            say(f"| {count} | {rule.limit:g}, {rule.few:g}, {rule.people} | {figures} |")


if __name__ == "__main__":
    main()
