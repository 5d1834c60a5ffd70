"""What each slider changes of a made face, what it changes besides, and whether it stays the same person.

    python benchmarks/sliders.py --root ../shared --people 50 --pictures FOLDER [--sheets FOLDER]
    python benchmarks/sliders.py --weights starter-vec2face --people 40 --pictures ANOTHER_FOLDER
    python benchmarks/sliders.py --draft

With `--weights`, or `--run` for a training that does not ship yet, another method than the prior's is measured.
The people are those of seeds 0, 1, ... of the identity space. Each is drawn as it is, and with every slider at both ends, from
one and the same noise; the pictures are kept in FOLDER, so that several processes can share the work (`--of 0/2`, `--of 1/2`)
and measuring can be repeated. Judges:

- attributes by logistic regressions on features that took no part in fitting the sliders: embedder C's and the detector's, of
  faces that are as small as CelebA's small ones, on which they were fitted and, on held-out people, validated;
- pose by the 68 landmarks that are found in the picture; skin, hair and light by its colours (training/colours.py);
- the person by embedders B and C, which the prior does not listen to, and by the MS1M teacher.

A slider's change is right when the judge's value moves in its direction. A leak is how far it moves another value, from the
middle to one end on average of both, in deviations of that value over the unmoved pictures.
"""

from __future__ import annotations

import argparse
import os
import time
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from rich.console import Console

from benchmarks.sheets import sheet, write
from benchmarks.vec2face import of_run
from facestudio import checkpoints, device
from facestudio.faces.align import align
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import ARCFACE_112, FFHQ_256, Face
from facestudio.faces.loading import load_network
from facestudio.faces.people import IdentitySpace
from facestudio.faces.pose import pose_of_68
from facestudio.faces.sliders import CATALOGUE, Sliders
from facestudio.generating import Commission
from facestudio.loaded import PEOPLE, SLIDERS
from facestudio.methods.base import Wish
from facestudio.methods.moving import Moving, Placing
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training import data, teachers
from facestudio.training.colours import colours
from facestudio.training.identity_data import CELEBA_109
from facestudio.training.rejection import logistic

PRIOR, FEATURES, DETECTOR = "starter-prior", "starter-embedder-c", "starter-detector"
JUDGED = {  # a slider's judge: CelebA's attribute, and its sign
    **{"age": ("Young", -1), "gender": ("Male", 1), "glasses": ("Eyeglasses", 1), "beard": ("No_Beard", -1)},
    **{"smile": ("Smiling", 1), "mouth": ("Mouth_Slightly_Open", 1)},
}
SMALL = FFHQ_256.scaled(80)  # as large as CelebA's small faces are
MAIN = 256  # main directions of the features that judges look at
RIDGE = 1e-2
KEPT = 1e-2  # the false accept rate of the threshold above which a person counts as kept
ENDS = (-1.0, 1.0)
WHOLE = Face((0, 0, 256, 256), FFHQ_256.points)  # type: ignore[arg-type]


class Features:
    """What judges see of faces: embedder C's unit embedding and the detector's maps, each pooled to 4 x 4."""

    def __init__(self) -> None:
        self.embedder: Any = load_network(checkpoints.checkpoint(FEATURES), "cpu")
        self.detector: Any = load_network(checkpoints.checkpoint(DETECTOR), "cpu")

    def __call__(self, small: np.ndarray, crops: np.ndarray) -> np.ndarray:
        """(N, F) of faces `small` (N, 80, 80, 3), framed as FFHQ, and their ARCFACE_112 `crops` (N, 112, 112, 3) uint8."""
        found = []
        for start in range(0, len(small), 64):
            larger = [cv2.resize(one, (128, 128), interpolation=cv2.INTER_CUBIC) for one in small[start : start + 64]]
            with torch.inference_mode():
                who = torch.nn.functional.normalize(self.embedder(_tensor(crops[start : start + 64])).float(), dim=1)
                h, maps = self.detector.stem(_tensor(np.stack(larger))), []
                for level in self.detector.levels:
                    h = level(h)
                    maps.append(torch.nn.functional.adaptive_avg_pool2d(h, 4).flatten(1))
            found.append(torch.cat([who, *maps], 1).numpy())
        return np.concatenate(found)

    def of_made(self, pictures: np.ndarray) -> np.ndarray:
        """Of pictures (N, 256, 256, 3) uint8, made as small as those that the judges know."""
        small = np.stack([cv2.resize(one, (SMALL.size,) * 2, interpolation=cv2.INTER_AREA) for one in pictures])
        return self(small, np.stack([align(one, SMALL.points, ARCFACE_112).pixels for one in small]))


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1


class Judges:
    """Logistic regressions of CelebA's attributes on `Features`; `accuracy` of each on held-out people: balanced, and the area
    under the curve."""

    def __init__(self, root: Path, cache: Path, features: Features) -> None:
        rows = data.read_rows(root / "faces" / "celeba_small.csv")
        seen = self._seen(root, cache, features, rows)
        training, held = data.split(np.array([row["identity"] for row in rows]))
        self.middle, self.spread = seen[training].mean(0), seen[training].std(0) + 1e-6
        normal = (seen - self.middle) / self.spread
        sizes, axes = np.linalg.eigh(normal[training].T @ normal[training] / len(training))
        self.axes = axes[:, -MAIN:] / np.sqrt(sizes[-MAIN:])
        main = normal @ self.axes
        self.weights: dict[str, tuple[np.ndarray, float]] = {}
        self.accuracy: dict[str, tuple[float, float]] = {}
        for name, (attribute, sign) in JUDGED.items():
            yes = np.array([sign * int(row[attribute]) > 0 for row in rows])
            share = yes[training].mean()
            found = logistic(main[training], yes[training], np.where(yes[training], 1 - share, share), RIDGE)
            self.weights[name] = found[1:], float(found[0])
            told = main[held] @ found[1:] + found[0]
            right = [(told[yes[held]] > 0).mean(), (told[~yes[held]] <= 0).mean()]
            ranks = np.argsort(np.argsort(told))[yes[held]]
            count = len(ranks)
            area = (ranks.mean() - (count - 1) / 2) / (len(told) - count)
            self.accuracy[name] = float(np.mean(right)), float(area)

    def _seen(self, root: Path, cache: Path, features: Features, rows: Sequence[Mapping[str, str]]) -> np.ndarray:
        known = "-".join(checkpoints.checkpoint(id).files["weights"].sha256[:8] for id in (FEATURES, DETECTOR))
        target = cache / f"judged-{known}.npy"
        if not target.exists():
            found = []
            with zipfile.ZipFile(root / "faces" / "celeba_small.zip") as members:
                for start in range(0, len(rows), 256):
                    some = [data.decode(members.read(row["file"])) for row in rows[start : start + 256]]
                    plain = [np.ascontiguousarray(one) for one in some]
                    small = np.stack([align(one, CELEBA_109, SMALL).pixels for one in plain])
                    found.append(features(small, np.stack([teachers.crop112(one, CELEBA_109) for one in plain])))
            cache.mkdir(parents=True, exist_ok=True)
            partial = target.with_suffix(".part.npy")
            np.save(partial, np.concatenate(found).astype(np.float16))
            os.replace(partial, target)
        return np.load(target).astype(np.float32)

    def __call__(self, seen: np.ndarray) -> dict[str, np.ndarray]:
        """The logit of each attribute, (N,), of faces with features `seen` (N, F)."""
        main = ((seen - self.middle) / self.spread) @ self.axes
        return {name: main @ weight + bias for name, (weight, bias) in self.weights.items()}


class Drawn(NamedTuple):
    """What draws and how, the sliders that are moved, and where the pictures are kept."""

    method: Any
    options: Any
    names: Sequence[str]
    folder: Path


def drawn(studio: Studio, seed: int, asked: Drawn) -> np.ndarray:
    """The person of `seed` as it is, and with each slider of `names` at both ends, (1 + 2 S, 256, 256, 3); kept in `folder`."""
    method, options, names, folder = asked
    target = folder / f"person-{seed:03}.npz"
    kept = dict(np.load(target)) if target.exists() else {}
    wanted = ["base", *(f"{name}{end:+.0f}" for name in names for end in ENDS)]
    if not set(wanted) <= set(kept):
        known = checkpoints.load_manifest()
        finder, space = studio._finder(), IdentitySpace.load(known[PEOPLE], known)
        sliders = Sliders.load(known[SLIDERS], known)
        wish = Wish(space.draw(seed))
        if "base" not in kept:
            (kept["base"],) = method(wish, [seed], options, Progress())
        # what the first of two drawings would find
        placing = isinstance(method, Placing)
        held = wish if placing else Wish(wish.identity, finder.find(kept["base"], WHOLE))
        for name in names:
            for end in ENDS:
                if f"{name}{end:+.0f}" in kept:
                    continue
                settings = {name: end}
                light = not (sliders.moves_features(settings) or sliders.moves_identity(settings))
                start = wish if light else held
                moving = Moving(method, sliders, settings, finder, space.apart)
                (kept[f"{name}{end:+.0f}"],) = moving(start, [seed], options, Progress())
        folder.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(f".{os.getpid()}.part.npz")  # others may draw the same person
        np.savez(partial, **kept)
        os.replace(partial, target)
    return np.stack([kept[name] for name in wanted])


def seen(studio: Studio, features: Features, persons: Persons, seed: int, asked: Drawn) -> dict[str, np.ndarray]:
    """What is seen in the pictures `drawn`: "features", "value NAME", "cosine JUDGE", each (1 + 2 S, ...); kept beside them."""
    target = asked.folder / f"seen-{seed:03}.npz"
    if not target.exists():
        pictures = drawn(studio, seed, asked)
        values = {f"value {name}": value for name, value in measured(studio, pictures).items()}
        cosines = {f"cosine {name}": value for name, value in persons(pictures).items()}
        partial = target.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(partial, features=features.of_made(pictures).astype(np.float16), **values, **cosines)
        os.replace(partial, target)
    with np.load(target) as found:
        return dict(found)


def measured(studio: Studio, pictures: np.ndarray) -> dict[str, np.ndarray]:
    """Pose and colours, (N,) each, of `pictures`."""
    values: dict[str, list[float]] = {name: [] for name in ("yaw", "pitch", "skin", "hair", "brightness", "side")}
    for pixels in pictures:
        points = studio._finder().find(pixels, WHOLE)
        yaw, pitch, _ = pose_of_68(points)
        seen = colours(pixels, points)
        for name, value in zip(values, (yaw, pitch, -seen.skin, seen.hair, seen.skin, seen.side), strict=True):
            values[name].append(float(value))
    return {name: np.array(value) for name, value in values.items()}


class Persons:
    """Whether a moved face is still its person: by embedders B and C, and the MS1M teacher where it is."""

    def __init__(self, studio: Studio, listener: str, root: Path, cache: Path) -> None:
        self.studio = studio
        self.embedders = [one for one in studio._embedders() if one.id != listener]
        self.thresholds = {one.id: threshold_at(one.checkpoint.calibration, KEPT, one.id) for one in self.embedders}
        self.teacher: teachers.Ms1m | None = None
        if (root / "teachers" / "identity_ms1m_mobilefacenet.onnx").exists():
            self.teacher = teachers.Ms1m(root / "teachers")
            self.thresholds["MS1M teacher"] = self._usual(root, cache)

    def _usual(self, root: Path, cache: Path) -> float:
        """The cosine that one pair of strangers in a hundred reaches by the teacher, of held-out large CelebA faces."""
        faces = data.faces256(root / "faces", cache)
        held = [i for i in data.split(faces.identity)[1] if faces.rows[i]["source"] == "celeba_wild"]
        assert self.teacher is not None
        who = self.teacher.embed_faces(
            np.stack([np.asarray(faces.pixels[i]) for i in held]), data.landmarks5(faces.rows)[held]
        )
        names = faces.identity[held]
        strangers = np.triu(names[:, None] != names, 1)
        return float(np.quantile((who @ who.T)[strangers], 1 - KEPT))

    def __call__(self, pictures: np.ndarray) -> dict[str, np.ndarray]:
        """Cosines (N,) of each picture to the first, by judge; NaN where no face is found."""
        faces = [next(iter(self.studio.detect(Photo.from_pixels(one))), None) for one in pictures]
        found = [index for index, face in enumerate(faces) if face is not None]
        if faces[0] is None:
            return {name: np.full(len(pictures), np.nan) for name in self.thresholds}
        points = np.stack([face.landmarks for face in faces if face is not None])
        vectors = {}
        for one in self.embedders:
            each = [one.embed(pictures[i], five).embedding for i, five in zip(found, points, strict=True)]
            vectors[one.id] = np.stack(each)
        if self.teacher is not None:
            vectors["MS1M teacher"] = self.teacher.embed_faces(pictures[found], points)
        cosines = {}
        for name, of in vectors.items():
            cosines[name] = np.full(len(pictures), np.nan)
            cosines[name][found] = of @ of[0]
        return cosines


def draft(say: Any) -> None:
    """How long a draft takes, as a window draws it while a slider is dragged."""
    studio = Studio()
    studio.prepare(PRIOR)
    say("| | person moved (age) | features moved (yaw) |\n|---|---|---|")
    cells = []
    for settings in ({"age": 0.5}, {"yaw": 0.5}):
        recipe = Recipe(PRIOR, "arc2face", {}, 3, sliders=settings)
        seconds = []
        for _ in range(9):
            began = time.perf_counter()
            studio.generate(recipe, Commission(1, draft=True))
            seconds.append(time.perf_counter() - began)
        cells.append(f"{np.median(seconds[1:]):.3f} s")
    say(f"| a draft | {' | '.join(cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--pictures", type=Path, default=Path("benchmark-output/sliders"))
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--weights", default=PRIOR)
    parser.add_argument("--run", type=Path, help="a training's folder of starter-vec2face, instead of weights")
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--of", default="", metavar="I/N", help="only draw and judge, of every N people the Ith")
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--draft", action="store_true", help="measure the time of a draft instead")
    arguments = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False).print
    if arguments.draft:
        draft(say)
        return
    studio = Studio()
    names = [slider.id for slider in CATALOGUE]
    method: Any = of_run(arguments.run) if arguments.run else studio._synthesizer(arguments.weights)
    of_prior = arguments.weights == PRIOR and not arguments.run
    settings = {"guidance": arguments.guidance, "steps": arguments.steps} if of_prior else {}
    asked = Drawn(method, method.Options(**settings), names, arguments.pictures)
    features, persons = Features(), Persons(studio, method.embedder, arguments.root, arguments.cache)
    if arguments.of:
        place, count = map(int, arguments.of.split("/"))
        for seed in range(place, arguments.people, count):
            seen(studio, features, persons, seed, asked)
        return
    judges = Judges(arguments.root, arguments.cache, features)
    about = ", ".join(
        [f"{arguments.people} people", method.id, *(f"{name} {value:g}" for name, value in settings.items())]
    )
    say(f"{device.describe(device.resolve('auto'))}; {about}")
    say("\n| judge | balanced accuracy | area under the curve |\n|---|---|---|")
    for name, (accuracy, area) in judges.accuracy.items():
        say(f"| {name} | {accuracy:.3f} | {area:.3f} |")

    values: dict[str, list[np.ndarray]] = {}
    cosines: dict[str, list[np.ndarray]] = {}
    for seed in range(arguments.people):
        found = seen(studio, features, persons, seed, asked)
        for name, value in judges(found["features"].astype(np.float32)).items():
            values.setdefault(name, []).append(value)
        for name, value in found.items():
            kind, _, of = name.partition(" ")
            if of:
                {"value": values, "cosine": cosines}[kind].setdefault(of, []).append(value)
        if arguments.sheets and seed % 10 == 9:
            some = [drawn(studio, one, asked) for one in range(seed - 9, seed + 1)]
            write(arguments.sheets / f"sliders-{seed // 10}.png", sheet(np.concatenate(some), 1 + 2 * len(names)))
    tables = {name: np.stack(value) for name, value in values.items()}  # (people, 1 + 2 S)
    alike = {name: np.stack(value) for name, value in cosines.items()}
    spread = {name: table[:, 0].std() for name, table in tables.items()}
    judges_of_people = " | ".join(f"kept, {name} (cosine {persons.thresholds[name]:.2f})" for name in alike)
    say(f"\n| slider | right, low end | right, high end | moved, deviations | face found | {judges_of_people} |")
    say("|---" * (5 + len(alike)) + "|")
    for index, name in enumerate(names):
        low, high = 1 + 2 * index, 2 + 2 * index
        change = tables[name] - tables[name][:, :1]
        right = (change[:, low] < 0).mean(), (change[:, high] > 0).mean()
        moved = (change[:, high] - change[:, low]).mean() / 2 / spread[name]
        ends = {judge: table[:, [low, high]] for judge, table in alike.items()}
        found = np.mean([np.isfinite(table).mean() for table in ends.values()])
        # a face that is not found is no person
        shares = [np.mean(np.nan_to_num(table, nan=-1) >= persons.thresholds[judge]) for judge, table in ends.items()]
        cells = [f"{100 * one:.0f} %" for one in (*right,)]
        say(
            f"| {name} | {' | '.join(cells)} | {moved:+.2f} | {100 * found:.0f} % | "
            f"{' | '.join(f'{100 * share:.0f} %' for share in shares)} |"
        )
    say(f"\n| leak, deviations | {' | '.join(tables)} |")
    say("|---" * (1 + len(tables)) + "|")
    for index, name in enumerate(names):
        low, high = 1 + 2 * index, 2 + 2 * index
        leaks = [(table[:, high] - table[:, low]).mean() / 2 / spread[other] for other, table in tables.items()]
        say(f"| {name} | {' | '.join(f'{leak:+.2f}' for leak in leaks)} |")
    for name in ("yaw", "pitch"):
        index = names.index(name)
        change = tables[name][:, [1 + 2 * index, 2 + 2 * index]] - tables[name][:, :1]
        say(f"\n{name}: {change[:, 0].mean():+.1f} and {change[:, 1].mean():+.1f} degrees at the ends, on average")


if __name__ == "__main__":
    main()
