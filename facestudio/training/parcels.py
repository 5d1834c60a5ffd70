"""Parcels: what a training needs and gives, in files that are small enough to be sent to a machine that has none of it.

    python -m facestudio.training.parcels pack faces FOLDER     here: faces256 as WebP; or `crops`, those of embedders
    python -m facestudio.training.parcels unpack FILES          there: into the cache, as if it had been made there
    python -m facestudio.training estimator --minutes 8         there
    python -m facestudio.training.parcels give RECIPE FOLDER    there: the averaged weights, in pieces
    python -m facestudio.training.parcels take RECIPE PIECES    here: as a run that goes on, and is exported from

A lease of a GPU is short and takes little at a time; the faces alone are 72 MB as they came. Teachers and weights are files
already.
"""

from __future__ import annotations

import importlib
import io
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from PIL import Image

from facestudio.training import data
from facestudio.training.identity_data import CROPS, WHO, all_crops
from facestudio.training.loop import Run

QUALITY = 85  # of WebP: 41 dB for faces, 39 dB for crops
PIECE = 15 * 2**20  # bytes
FACES, FACES_TABLE = "faces256.csv", "faces256-256x256.npy"
LANDMARKS = "faces256_landmarks68.npy"
app = typer.Typer(add_completion=False)
Root = Annotated[Path, typer.Option(help="folder with faces/ and teachers/")]
Runs = Annotated[Path, typer.Option(help="folder for checkpoints, logs and the packed data")]


def encoded(pixels: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB as WebP."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels)).save(file, "WEBP", quality=QUALITY, method=4)
    return file.getvalue()


def decoded(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def write(path: Path, table: np.ndarray, rows: np.ndarray, **more: Any) -> None:
    """A parcel of the `rows` of `table` (N, H, W, 3) uint8, and of `more` arrays."""
    with ThreadPoolExecutor() as pool:
        images = list(pool.map(lambda row: encoded(table[row]), rows))
    sizes = np.array([len(image) for image in images])
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        np.savez(
            file, rows=rows, sizes=sizes, images=np.frombuffer(b"".join(images), np.uint8), shape=table.shape, **more
        )


def lay(target: Path, parcel: Any) -> None:
    """Put the images of `parcel` into the table `target`; that is there, to be trained on, once its last row is."""
    partial, lacking = target.with_suffix(".part"), target.with_suffix(".lacking.npy")
    if not lacking.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        np.lib.format.open_memmap(partial, "w+", np.uint8, tuple(map(int, parcel["shape"]))).flush()
        np.save(lacking, np.ones(parcel["shape"][0], bool))
    table, left = np.load(partial, mmap_mode="r+"), np.load(lacking)
    ends, content = np.cumsum(parcel["sizes"]), parcel["images"].tobytes()
    pieces = [content[end - size : end] for end, size in zip(ends, parcel["sizes"], strict=True)]
    with ThreadPoolExecutor() as pool:
        for row, pixels in zip(parcel["rows"], pool.map(decoded, pieces), strict=True):
            table[row] = pixels
    table.flush()
    left[parcel["rows"]] = False
    np.save(lacking, left)
    if not left.any():
        os.replace(partial, target)
        lacking.unlink()


@app.command()
def pack(
    what: Annotated[str, typer.Argument(help="faces or crops")],
    folder: Path,
    root: Root = Path("../shared"),
    runs: Runs = Path("runs"),
    parts: Annotated[int, typer.Option(help="files that they are dealt out to")] = 2,
) -> None:
    """Write `folder`/faces.0.npz, faces.1.npz ..., or crops.0.npz ..."""
    if what == "faces":
        table = data.faces256(root / "faces", runs / "cache").pixels
        more = {name: np.frombuffer((root / "faces" / name).read_bytes(), np.uint8) for name in (FACES, LANDMARKS)}
    elif what == "crops":
        table, identity, source = all_crops(root, runs / "cache")
        more = {"identity": identity, "source": source}
    else:
        raise typer.BadParameter(f"{what} is neither faces nor crops")
    for part, rows in enumerate(np.array_split(np.arange(len(table)), parts)):
        write(folder / f"{what}.{part}.npz", table, rows, **(more if part == 0 else {}))


@app.command()
def unpack(files: list[Path], root: Root = Path("../shared"), runs: Runs = Path("runs")) -> None:
    """Lay parcels into the cache, in any order."""
    cache = runs / "cache"
    for path in files:
        with np.load(path, allow_pickle=False) as parcel:
            lay(cache / (FACES_TABLE if parcel["shape"][1] == 256 else CROPS), parcel)
            if "identity" in parcel:
                np.savez(cache / WHO, identity=parcel["identity"], source=parcel["source"])
            for name in (FACES, LANDMARKS):
                if name in parcel:
                    (root / "faces").mkdir(parents=True, exist_ok=True)
                    (root / "faces" / name).write_bytes(parcel[name].tobytes())


@app.command()
def give(recipe: str, folder: Path, root: Root = Path("../shared"), runs: Runs = Path("runs")) -> None:
    """Write the averaged weights of a run, those that ship halved, to `folder`/RECIPE.0, RECIPE.1 ..., each of at most 15 MiB."""
    made = load(recipe, root, runs)
    saved = torch.load(runs / made.id / "last.pt", map_location="cpu", weights_only=True)
    average = {
        key: value.half() if value.is_floating_point() and not key.startswith("heads.") else value
        for key, value in saved["average"].items()
    }
    file = io.BytesIO()
    torch.save({"average": average, "state": saved["state"]}, file)
    content = file.getvalue()
    folder.mkdir(parents=True, exist_ok=True)
    for piece, start in enumerate(range(0, len(content), PIECE)):
        (folder / f"{recipe}.{piece}").write_bytes(content[start : start + PIECE])


@app.command()
def take(recipe: str, pieces: list[Path], root: Root = Path("../shared"), runs: Runs = Path("runs")) -> None:
    """Make a run of what was given, in place of the one that is here: it goes on from there, its optimiser anew."""
    content = b"".join(path.read_bytes() for path in sorted(pieces, key=lambda path: int(path.suffix[1:])))
    given = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    made = load(recipe, root, runs)
    folder = runs / made.id
    run = Run(made, folder / "taken", torch.device("cpu"))
    for network in (run.network, run.average):
        network.load_state_dict(given["average"])
    run.state = given["state"]
    run.save()
    os.replace(run.last, folder / "last.pt")
    run.last.parent.rmdir()


def load(recipe: str, root: Path, runs: Path) -> Any:
    return importlib.import_module(f"facestudio.training.recipes.{recipe}").Recipe(root, runs / "cache")


if __name__ == "__main__":
    app()
