"""How strict anonymizing must be about new faces of strangers that look alike (`newcomers.Rule`), and what that costs.

    python benchmarks/new_faces.py --root ../shared [--faces 48] [--people 6] [--cache FILE.npz]

Each held-out face becomes several people, as a first try makes them, with the usual number of takes each; what the judges say
of these pictures is kept in `--cache`, and what the MS1M teacher says, which takes no part. Then runs are simulated in which
whoever is drawn is one of these: photos come in a random order (of more photos than faces, some come again, and are never
compared with themselves), and takes and people are chosen as the course of a face does it. Prints Markdown tables: what a limit
refuses of all pairs of pictures, and what runs come to. The teacher's threshold is that of benchmarks/anonymizing.py.
"""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from benchmarks.anonymizing import stranger_threshold
from benchmarks.speed import commit, processor
from facestudio.faces.align import align
from facestudio.faces.calibration import threshold_at
from facestudio.faces.paste import paste
from facestudio.methods.crops import noise_seed
from facestudio.newcomers import FAR, RULE, Rule, likeness
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.studio import Studio
from facestudio.training import data, grid, teachers

METHOD = "starter-decouple"
LIMITS = (1.0, 0.9, 0.85, 0.8, 0.75, 0.7, 0.6)
NOTHING = Rule(9.0, 1.0, 0)
RULES = (
    NOTHING,
    Rule(0.8, 0.02, 0),
    Rule(0.9, 0.01, 2),
    Rule(0.85, 0.02, 4),
    Rule(0.8, 0.02, 2),
    RULE,
    replace(RULE, few=0.01),
    Rule(0.75, 0.02, 4),
)


@dataclass(frozen=True)
class Pool:
    """Pictures of new faces, of F faces, P people and T takes each, N = F x P x T of them in this order.

    Attributes:
        alike: (N, N), the higher cosine of the judges, of their threshold. teacher: (N, N), the teacher's cosine.
        moved: (F, P, T), by how many pixels of the crop the features moved. threshold: the teacher's.
    """

    alike: np.ndarray
    teacher: np.ndarray
    moved: np.ndarray
    threshold: float

    def refused(self, limit: float) -> tuple[float, float]:
        """Shares of the pairs of pictures of different faces: those at or above `limit`, and mistaken ones below it."""
        faces = np.repeat(np.arange(len(self.moved)), self.moved[0].size)
        pairs = np.triu(faces[:, None] != faces[None, :])
        alike, teacher = self.alike[pairs], self.teacher[pairs]
        return float((alike >= limit).mean()), float(((alike < limit) & (teacher >= self.threshold)).mean())

    def run(self, photos: int, rule: Rule, random: np.random.Generator) -> tuple[float, float, float, float]:
        """Of a run of so many photos: the share of pairs that the teacher mistakes, further people drawn for a face, how far the
        features moved, and the share of faces that stay too alike."""
        faces, people, takes = self.moved.shape
        order = random.permutation(faces) if photos <= faces else random.integers(faces, size=photos)
        here, owners, drawn, stay = list[int](), list[int](), 0, 0
        for owner in order[:photos]:
            others = np.array(here, int)[np.array(owners, int) != owner]
            best: tuple[tuple[int, float], int] | None = None
            for more, person in enumerate(random.permutation(people)[: rule.draws + 1]):
                drawn += more > 0
                apart = False
                for take in np.argsort(self.moved[owner, person], kind="stable"):
                    picture = int((owner * people + person) * takes + take)
                    found = likeness(self.alike[picture, others], rule)
                    best = min(best, (found.order, picture)) if best is not None else (found.order, picture)
                    apart = not found.too_alike
                    if apart:
                        best = found.order, picture
                        break
                if apart:
                    break
            assert best is not None
            stay += not apart
            here.append(best[1])
            owners.append(int(owner))
        pairs = np.triu(np.array(owners)[:, None] != np.array(owners)[None, :])
        mistaken = self.teacher[np.ix_(here, here)][pairs] >= self.threshold
        moved = self.moved.reshape(-1)[here]
        return float(mistaken.mean()), drawn / photos, float(moved.mean()), stay / photos


def draw(root: Path, cache: Path, count: int, people: int) -> dict[str, Any]:
    """The pictures of a Pool, as the judges and the teacher see them."""
    studio = Studio()
    method, judges = studio._method(METHOD), studio._embedders()
    judges = [judge for judge in judges if judge.id not in method.checkpoint.conditioned_on]
    teacher, faces = teachers.Ms1m(root / "teachers"), data.faces256(root / "faces", cache)
    chosen = grid.held_out_faces(faces, count)
    points = data.landmarks5([faces.rows[i] for i in chosen])
    options = method.Options()
    takes = options.takes
    seen: dict[str, list[Any]] = {name: [] for name in ("moved", "teacher", *(judge.id for judge in judges))}
    for place, labelled in zip(Progress().track(chosen, "Drawing"), points, strict=True):
        photo = Photo.from_pixels(faces.pixels[place])
        face = studio.detect(photo, unsure=True)[0]
        crop = align(photo, face, method.template)
        drawn = method.people.draw_apart(people, noise_seed(crop.pixels, 0), others=[method.who(crop)])
        for number, person in enumerate(drawn):
            for take in method.becoming(person).takes(crop, options, Progress(), number):
                after = paste(photo, take.crop, mask=method.mask(options))
                seen["moved"].append(take.moved)
                seen["teacher"].append(teacher.embed_faces(after.pixels[None], labelled[None])[0])
                for judge in judges:
                    seen[judge.id].append(judge.embed(after.pixels, face.landmarks).embedding)
    found = {name: np.stack(values) for name, values in seen.items()}
    found["moved"] = found["moved"].reshape(len(chosen), people, takes)
    thresholds = {judge.id: threshold_at(judge.checkpoint.calibration, FAR, judge.id) for judge in judges}
    return found | {"thresholds": np.array(list(thresholds.values())), "threshold": stranger_threshold(teacher, faces)}


def pool_of(found: Any, judges: Sequence[str]) -> Pool:
    """The Pool of what `draw` gave."""
    alike = [found[judge] @ found[judge].T / its for judge, its in zip(judges, found["thresholds"], strict=True)]
    teacher = found["teacher"] @ found["teacher"].T
    return Pool(np.max(alike, axis=0), teacher, found["moved"], float(found["threshold"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--faces-cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--cache", type=Path, default=Path("benchmark-output/new_faces.npz"))
    parser.add_argument("--faces", type=int, default=48)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--photos", type=int, nargs="*", default=[48, 300])
    parser.add_argument("--runs", type=int, default=100, help="simulated of 48 photos; of more, fewer")
    asked = parser.parse_args()
    if not asked.cache.exists():
        asked.cache.parent.mkdir(parents=True, exist_ok=True)
        np.savez(asked.cache, **draw(asked.root, asked.faces_cache, asked.faces, asked.people))
    found = np.load(asked.cache)
    pool = pool_of(found, [name for name in found if name.startswith("starter-")])
    say: Any = Console(soft_wrap=True, highlight=False).print
    faces, people, takes = pool.moved.shape
    say(
        f"{processor()}; {datetime.date.today()}; commit {commit()}; {faces} faces, {people} people, {takes} takes each"
    )
    say("\n| limit | pairs of pictures refused | mistaken by the teacher, and not refused |\n|---|---|---|")
    for limit in LIMITS:
        refused, mistaken = pool.refused(limit)
        say(f"| {limit:g} | {100 * refused:.1f} % | {100 * mistaken:.2f} % |")
    say("\n| photos | limit, few, further people | mistaken pairs | their deviation | drawn more | moved | too alike |")
    say("|---|---|---|---|---|---|---|")
    for photos in asked.photos:
        for rule in RULES:
            random = np.random.default_rng(0)
            runs = np.array([pool.run(photos, rule, random) for _ in range(max(asked.runs * 48 // photos // 2, 8))])
            mean, spread = runs.mean(0), 100 * runs[:, 0].std()
            told = "none" if rule is NOTHING else f"{rule.limit:g}, {rule.few:g}, {rule.draws}"
            shares = f"{100 * mean[0]:.2f} % | {spread:.2f} | {mean[1]:.2f} | {mean[2]:.2f} px | {100 * mean[3]:.1f} %"
            say(f"| {photos} | {told} | {shares} |")


if __name__ == "__main__":
    main()
