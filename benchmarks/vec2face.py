"""How good and how quick the faces of `starter-vec2face` are: found, the person who was asked for, and nobody else.

    python benchmarks/vec2face.py --root ../shared [--run runs/starter-vec2face] [--people 24] [--each 4] [--sheets FOLDER]

With `--run` the weights of a training's checkpoint are measured instead of those that ship. People of the identity space are
drawn with default options; each picture is judged by embedders B and C, which the method does not listen to, and by the MS1M
teacher, from which the one that it listens to has learned, each at the cosine that one pair of strangers in a thousand reaches.
Likeness to a photo is that of held-out CelebA people. Prints Markdown tables.
"""

from __future__ import annotations

import argparse
import datetime
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from benchmarks.anonymizing import stranger_threshold
from benchmarks.sheets import sheet, write
from benchmarks.speed import commit, processor
from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.faces.calibration import threshold_at
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.loading import load_network
from facestudio.faces.people import IdentitySpace
from facestudio.faces.sliders import Sliders
from facestudio.loaded import PEOPLE, SLIDERS
from facestudio.methods.at_once import AtOnce
from facestudio.methods.base import Wish
from facestudio.methods.moving import Moving
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.studio import Studio
from facestudio.training import data, teachers

METHOD, FAR = "starter-vec2face", 1e-3


def of_run(folder: Path) -> AtOnce:
    """The method with the averaged weights of a training in `folder`."""
    from facestudio.networks.at_once import AtOnce as Network
    from facestudio.training.recipes.vec2face import Recipe

    saved = torch.load(folder / "last.pt", map_location="cpu", weights_only=True)
    network = Network(**saved["config"])
    network.load_state_dict(saved["average"])
    prior, autoencoder = (
        load_network(checkpoints.checkpoint(Recipe.uses[role]), "cpu") for role in ("prior", "autoencoder")
    )
    entry = Checkpoint(METHOD, METHOD, "none", "starter", Recipe.method, "create")
    return AtOnce(replace(entry, conditioned_on=Recipe.conditioned_on), network.eval(), prior, autoencoder)


def seconds(work: Any, times: int = 9) -> float:
    """The median of so many calls after the first."""
    work()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, default=Path("../shared"))
    parser.add_argument("--cache", type=Path, default=Path("runs/cache"))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--each", type=int, default=4)
    parser.add_argument("--threads", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--sheets", type=Path)
    asked = parser.parse_args()
    say = Console(soft_wrap=True, highlight=False).print
    studio = Studio()
    method: Any = of_run(asked.run) if asked.run else studio._synthesizer(METHOD)
    options = method.Options(guidance=asked.guidance)
    known = checkpoints.load_manifest()
    space = IdentitySpace.load(known[PEOPLE], known)
    say(f"{datetime.date.today()}, {commit()}, {processor()}")
    if asked.threads:
        speed(studio, method, space, options, asked.threads, say)
    alike(studio, method, space, options, asked, say)
    of_photos(studio, method, options, asked, say)


def speed(studio: Studio, method: Any, space: IdentitySpace, options: Any, threads: list[int], say: Any) -> None:
    """How long pictures take."""
    known = checkpoints.load_manifest()
    moving = Moving(
        method, Sliders.load(known[SLIDERS], known), {"yaw": 0.5, "age": 0.5}, studio._finder(), space.apart
    )
    wish = Wish(space.draw(0))
    say("\n| threads | one picture | of eight, each | with sliders |\n|---|---|---|---|")
    before = torch.get_num_threads()
    for count in threads:
        torch.set_num_threads(count)
        one, eight, moved = (
            seconds(lambda of=of, seeds=seeds: of(wish, seeds, options, Progress()))  # type: ignore[misc]
            for of, seeds in ((method, [1]), (method, list(range(8))), (moving, [1]))
        )
        say(f"| {count} | {1000 * one:.0f} ms | {1000 * eight / 8:.0f} ms | {1000 * moved:.0f} ms |")
    torch.set_num_threads(before)


def alike(studio: Studio, method: Any, space: IdentitySpace, options: Any, asked: Any, say: Any) -> None:
    """Faces found, and pairs of one person and of two, by each judge."""
    teacher = teachers.Ms1m(asked.root / "teachers")
    faces = data.faces256(asked.root / "faces", asked.cache)
    judges = [one for one in studio._embedders() if one.id != method.embedder]
    thresholds = {one.id: threshold_at(one.checkpoint.calibration, FAR, one.id) for one in judges}
    thresholds["MS1M teacher"] = stranger_threshold(teacher, faces)
    pictures, owners = [], []
    for number, identity in enumerate(space.draw_apart(asked.people, 11)):
        seeds = list(range(1000 * number, 1000 * number + asked.each))
        pictures += method(Wish(identity), seeds, options, Progress())
        owners += [number] * asked.each
    found = [next(iter(studio.detect(Photo.from_pixels(one))), None) for one in pictures]
    here = [n for n, face in enumerate(found) if face is not None]
    whose = np.array(owners)[here]
    vectors: dict[str, list[np.ndarray]] = {name: [] for name in thresholds}
    for n in here:
        face: Any = found[n]
        for one in judges:
            vectors[one.id].append(one.embed(pictures[n], face.landmarks).embedding)
        vectors["MS1M teacher"].append(teacher.embed_faces(pictures[n][None], face.landmarks[None])[0])
    say(f"\nA face was found in {len(here)} of {len(pictures)}.")
    same, upper = whose[:, None] == whose[None], np.triu(np.ones((len(whose),) * 2, bool), 1)
    say(f"\n| | {' | '.join(f'{name} ({value:.3f})' for name, value in thresholds.items())} |")
    say("|---" * (1 + len(thresholds)) + "|")
    for words, pairs in (("pairs of one person known again", same & upper), ("of two people mistaken", ~same & upper)):
        shares = [
            float(((of := np.stack(vectors[name])) @ of.T)[pairs].__ge__(value).mean())
            for name, value in thresholds.items()
        ]
        say(f"| {words}, of {int(pairs.sum()):,} | {' | '.join(f'{100 * share:.2f} %' for share in shares)} |")
    if asked.sheets:
        write(asked.sheets / "vec2face-people.png", sheet(np.stack(pictures), 2 * asked.each))


def of_photos(studio: Studio, method: Any, options: Any, asked: Any, say: Any) -> None:
    """How alike pictures of held-out people are to their photo."""
    teacher = teachers.Ms1m(asked.root / "teachers")
    faces = data.faces256(asked.root / "faces", asked.cache)
    landmarks = data.landmarks5(faces.rows)
    listener = studio._listener(method.embedder, METHOD)
    judges = [one for one in studio._embedders() if one.id != method.embedder]
    wild = [i for i in data.split(faces.identity)[1] if faces.rows[i]["source"] == "celeba_wild"]
    chosen = list({str(faces.identity[i]): i for i in wild}.values())[:20]
    cosines: dict[str, list[float]] = {}
    shown = []
    for number, index in enumerate(chosen):
        photo = np.asarray(faces.pixels[index])
        made = method(
            Wish(listener.embed(photo, landmarks[index])), [1000 * number, 1000 * number + 1], options, Progress()
        )
        shown += [photo, *made]
        for pixels in made:
            face = Face((0, 0, 256, 256), FFHQ_256.points)  # type: ignore[arg-type]
            for one in judges:
                both = one.embed(photo, landmarks[index]), one.embed(pixels, face.landmarks)
                cosines.setdefault(one.id, []).append(float(both[0].embedding @ both[1].embedding))
            a, b = (
                teacher.embed_faces(x[None], y[None])[0]
                for x, y in ((photo, landmarks[index]), (pixels, face.landmarks))
            )
            cosines.setdefault("MS1M teacher", []).append(float(a @ b))
    say(f"\n| cosine to the photo, {len(chosen)} held-out people | {' | '.join(cosines)} |")
    say("|---" * (1 + len(cosines)) + "|")
    say(f"| mean | {' | '.join(f'{np.mean(value):.3f}' for value in cosines.values())} |")
    if asked.sheets:
        write(asked.sheets / "vec2face-photos.png", sheet(np.stack(shown), 12))


if __name__ == "__main__":
    main()
