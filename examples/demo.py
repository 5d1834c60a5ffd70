"""The demo: a portrait is degraded by our own code, restored, and measured against the original. `make demo` runs it.

It also shows how the Studio is used from Python. The portrait is NASA's photo of the astronaut Eileen Collins, in the
public domain, which comes with scikit-image. Everything is written to demo-output/; nothing needs the network.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from facestudio.cli.console import Screen
from facestudio.errors import FaceStudioError, NoFaceFound
from facestudio.faces.face import Face
from facestudio.faces.panel import Summary
from facestudio.methods.base import method_name
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.studio import Studio
from facestudio.training.degradation import Degradation, degrade

OUTPUT = Path(__file__).resolve().parent.parent / "demo-output"
FRAME = (22, 0, 422, 400)  # head and shoulders
SIDE = 700  # at this size the face's crop is about the 256 px that the degradation's strengths are meant for
DAMAGE = Degradation(sigma=(3.0, 3.0), scale=6.0, noise=10.0, jpeg=60, seed=7)
TITLES = {"original": "Original", "degraded": "Degraded", "restored": "Restored"}


def portrait() -> np.ndarray:
    """The astronaut's head and shoulders, (SIDE, SIDE, 3) uint8 RGB."""
    from skimage.data import astronaut

    photo = Image.fromarray(astronaut()).crop(FRAME)
    return np.asarray(photo.resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def restored_photo(studio: Studio, degraded: Photo, recipe: Recipe, progress: Progress) -> Photo:
    """The degraded photo with its faces restored; NoFaceFound when the detector finds none."""
    faces = studio.detect(degraded, progress)
    result = studio.restore(degraded, faces, recipe, progress=progress)
    if result.error:
        raise FaceStudioError(result.error)
    return result.after


def likeness(studio: Studio, original: Photo, other: Photo, face: Face, aside: Collection[str]) -> Summary:
    """How much of the person the recognisers still see in `other`, but for those `aside`, which tell the method what to draw.

    Both photos are read with the original's landmarks: they lie on each other pixel by pixel, and a detector's jitter
    is not what is to be measured.
    """
    summary = studio.compare(original, other, faces=(face, face), aside=aside).summary
    assert summary is not None  # there are recognisers, or `compare` would have said so
    return summary


def sheet(pictures: Mapping[str, np.ndarray], summaries: Mapping[str, Summary], face: Face) -> Image.Image:
    """Original, degraded and restored in a row, the face enlarged below, with what the recognisers say of it."""
    side, gap, text = 480, 16, 26
    lines = 2 + max((len(said.verdicts) for said in summaries.values()), default=0)
    head = lines * text + gap
    page = Image.new("RGB", (3 * side + 4 * gap, head + 2 * side + 3 * gap), "white")
    draw = ImageDraw.Draw(page)
    title, small = ImageFont.load_default(22), ImageFont.load_default(16)
    centre, reach = face.box.reshape(2, 2).mean(axis=0), 0.65 * float(np.ptp(face.box.reshape(2, 2), axis=0).max())
    close = tuple(float(x) for x in (*(centre - reach), *(centre + reach)))
    for column, (name, pixels) in enumerate(pictures.items()):
        left = gap + column * (side + gap)
        draw.text((left, gap // 2), TITLES[name], fill="black", font=title)
        summary = summaries.get(name)
        words = [f"{summary.words}: {summary.agreement}"] if summary else []
        for said in summary.verdicts if summary else ():
            words.append(f"{said.embedder}: {said.cosine:.2f}, {said.words} (threshold {said.threshold:.2f})")
        for line, told in enumerate(words, start=1):
            draw.text((left, gap // 2 + line * text), told, fill="black", font=small)
        whole = Image.fromarray(pixels)
        page.paste(whole.resize((side, side), Image.Resampling.LANCZOS), (left, head + gap))
        enlarged = whole.transform((side, side), Image.Transform.EXTENT, close, Image.Resampling.BICUBIC)
        page.paste(enlarged, (left, head + side + 2 * gap))
    return page


def table(summaries: Mapping[str, Summary]) -> Table:
    """What each embedder says of the degraded and of the restored photo."""
    grid = Table(title="How much of the person is left, compared with the original")
    for heading in ("photo", "embedder", "cosine", "threshold", "verdict"):
        grid.add_column(heading)
    for name, summary in summaries.items():
        for v in summary.verdicts:
            grid.add_row(name, v.embedder, f"{v.cosine:.3f}", f"{v.threshold:.3f}", v.words)
    return grid


def run(screen: Screen) -> None:
    """Do it all; every step may raise FaceStudioError."""
    studio = Studio()
    offered = studio.restore_checkpoints()
    if not offered:
        raise FaceStudioError("There are no weights that restore a face.", hint="facestudio weights list")
    recipe = Recipe(offered[0].id, method_name(offered[0]))
    OUTPUT.mkdir(parents=True, exist_ok=True)
    pixels = portrait()
    Image.fromarray(pixels).save(OUTPUT / "original.png")
    Image.fromarray(degrade(pixels, DAMAGE)).save(OUTPUT / "degraded.png")
    original, degraded = studio.open(OUTPUT / "original.png"), studio.open(OUTPUT / "degraded.png")
    with screen.progress() as progress:
        faces = studio.detect(original, progress)
        if not faces:
            raise NoFaceFound("No face was found in the demo's portrait.", hint="facestudio doctor")
        restored = restored_photo(studio, degraded, recipe, progress)
        summaries = {
            name: likeness(studio, original, photo, faces[0], offered[0].conditioned_on)
            for name, photo in (("degraded", degraded), ("restored", restored))
        }
    restored.save(OUTPUT / "restored.png", recipe=recipe, overwrite=True)
    pictures = {"original": original.pixels, "degraded": degraded.pixels, "restored": restored.pixels}
    sheet(pictures, summaries, faces[0]).save(OUTPUT / "sheet.png")
    console = Console(soft_wrap=True, highlight=False)
    console.print(table(summaries))
    for name, summary in summaries.items():
        console.print(f"{TITLES[name]}: {summary.sentence}")
    console.print(f"Method {recipe.method}, weights {recipe.checkpoint}, on {studio.device_name()}.")
    console.print(f"Before and after side by side: {OUTPUT / 'sheet.png'}")
    console.print(f"The photos: {OUTPUT}")


def main() -> int:
    """Run the demo and return an exit code; what goes wrong ends in one sentence."""
    screen = Screen()
    try:
        run(screen)
    except FaceStudioError as error:
        screen.show_error(error)
    except ModuleNotFoundError as error:
        if error.name != "skimage":
            raise
        screen.complain("The demo's portrait comes with scikit-image, which is missing.", "pip install scikit-image")
    except OSError as error:
        screen.complain(f"The folder {OUTPUT} cannot be written: {error.strerror}.")
    else:
        return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
