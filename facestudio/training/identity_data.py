"""Faces for identity training: ARCFACE_112 crops of every source, and what the teachers say of each, packed once.

Separate from `data` because only embedders need it. Per face and mirror image the cache holds both teachers' unit
embeddings and their maps at strides 8 and 16, normalised by channel and kept as signed bytes (value = byte / 30).
"""

from __future__ import annotations

import logging
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch

from facestudio.training import data, teachers
from facestudio.training.precision import bfloat16_pays

log = logging.getLogger(__name__)
MS1M_TAPS = ("/features/features.11/Add_output_0", "/features/features.14/Add_output_0")
STEP = 30.0  # levels a standard deviation
CROPS, WHO = "crops112.npy", "crops112-who.npz"  # in the cache
FFHQ_128 = np.array([[47.9, 59.6], [79.6, 59.7], [64.3, 79.0], [50.1, 93.2], [78.1, 93.1]], np.float32)
CELEBA_109 = np.array([[34.4, 55.2], [54.1, 55.4], [44.2, 67.5], [35.2, 75.7], [52.4, 76.0]], np.float32)


@dataclass(frozen=True)
class IdentityFaces:
    """N faces: `crops` (N, 112, 112, 3) uint8, `identity` (N,) str, `source` (N,) str.

    Rows 2i and 2i + 1 of the following belong to face i and its mirror image: `ms1m`, `casia` (2N, 128) float32 unit
    embeddings; `middle` (2N, 256, 14, 14) and `late` (2N, 256, 7, 7) int8 maps, MS1M's 128 channels first. The CASIA
    teacher sees 96 of the 112 columns: its map at stride 8 has no first and last column (0 here), and at stride 16 six
    columns, each between two of ours (the seventh is 0).
    """

    crops: np.ndarray
    identity: np.ndarray
    source: np.ndarray
    ms1m: np.ndarray
    casia: np.ndarray
    middle: np.ndarray
    late: np.ndarray


def small_faces(
    archive: Path, names: list[str], usual: np.ndarray, enlarged: tuple[int, int], root: Path
) -> Iterator[np.ndarray]:
    """Crops of small aligned pictures; the detection teacher gives the landmarks, `usual` ones stand in where it fails."""
    detector = cv2.FaceDetectorYN.create(str(root / "teachers" / "detector_yunet_n_640.onnx"), "", enlarged, 0.5)
    with zipfile.ZipFile(archive) as members:
        for name in names:
            pixels = data.decode(members.read(name))
            height, width = pixels.shape[:2]
            large = cv2.resize(pixels[..., ::-1], enlarged, interpolation=cv2.INTER_CUBIC)  # the teacher takes BGR
            found = detector.detect(large)[1]
            points = usual
            if found is not None:
                best = found[np.argmax(found[:, 2] * found[:, 3]), 4:14].reshape(5, 2)
                best = (best + 0.5) * [width / enlarged[0], height / enlarged[1]] - 0.5
                if np.abs(best - usual).max() < 0.15 * width:
                    points = best
            yield teachers.crop112(np.ascontiguousarray(pixels), points)


def all_crops(root: Path, cache: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Crops, identities and sources of faces256, ffhq128 and celeba_small; as they came in a parcel, where they did."""
    if (cache / WHO).exists():
        with np.load(cache / WHO, allow_pickle=False) as who:
            return np.load(cache / CROPS, mmap_mode="r"), who["identity"], who["source"]
    folder = root / "faces"
    faces = data.faces256(folder, cache)
    points = data.landmarks5(faces.rows)
    small = data.read_rows(folder / "celeba_small.csv")
    with zipfile.ZipFile(folder / "ffhq128.zip") as members:
        ffhq = sorted(name for name in members.namelist() if name.endswith(".jpg"))
    identity = [*faces.identity, *(f"ffhq-{name[:-4]}" for name in ffhq), *(row["identity"] for row in small)]
    source = [row["source"] for row in faces.rows] + ["ffhq128"] * len(ffhq) + ["celeba_small"] * len(small)
    target = cache / CROPS
    with data.alone(cache):
        if not target.exists():
            partial = target.with_suffix(".part")
            table = np.lib.format.open_memmap(partial, "w+", np.uint8, (len(identity), 112, 112, 3))
            index = 0
            for pixels, five in zip(faces.pixels, points, strict=True):
                table[index] = teachers.crop112(np.asarray(pixels), five)
                index += 1
            log.info("crops of faces256 done")
            names = [row["file"] for row in small]
            for crop in small_faces(folder / "ffhq128.zip", ffhq, FFHQ_128, (256, 256), root):
                table[index] = crop
                index += 1
            for crop in small_faces(folder / "celeba_small.zip", names, CELEBA_109, (178, 218), root):
                table[index] = crop
                index += 1
            table.flush()
            os.replace(partial, target)
            log.info("crops done: %d", index)
    return np.load(target, mmap_mode="r"), np.array(identity), np.array(source)


def asked(cache: Path) -> bool:
    """Whether the teachers' answers are in the cache already."""
    return (cache / "teachers.done").exists()


def identity_faces(root: Path, cache: Path) -> IdentityFaces:
    """Everything, made on the first call (some twelve minutes on two cores)."""
    crops, identity, source = all_crops(root, cache)
    tables = {
        "ms1m": (np.float32, (128,)),
        "casia": (np.float32, (128,)),
        "middle": (np.int8, (256, 14, 14)),
        "late": (np.int8, (256, 7, 7)),
    }
    with data.alone(cache):
        if not asked(cache):
            out = {
                name: np.lib.format.open_memmap(cache / f"teacher-{name}.npy", "w+", dtype, (2 * len(crops), *shape))
                for name, (dtype, shape) in tables.items()
            }
            ask_teachers(root, crops, out)
            for table in out.values():
                table.flush()
            (cache / "teachers.done").touch()
    loaded = {name: np.load(cache / f"teacher-{name}.npy", mmap_mode="r") for name in tables}
    return IdentityFaces(crops, identity, source, **loaded)


class Teacher:
    """A teacher that answers about (B, 112, 112, 3) uint8 crops: unit embeddings, and maps as signed bytes.

    Args:
        name: "ms1m" or "casia"; root: folder with teachers/.
        probe: (N, 112, 112, 3) crops, of whose maps each channel's mean and deviation are taken.
    """

    # columns of the maps at strides 8 and 16 that it sees; the others are 0 and must not count
    columns = {"ms1m": (slice(0, 14), slice(0, 7)), "casia": (slice(1, 13), slice(0, 6))}

    def __init__(self, name: str, root: Path, probe: np.ndarray, batch: int = 32) -> None:
        self.seen = self.columns[name]
        self.network = (
            teachers.Ms1m(root / "teachers", MS1M_TAPS) if name == "ms1m" else teachers.Casia(root / "teachers")
        )
        heard = [self.hear(probe[n : n + batch])[1:] for n in range(0, len(probe), batch)]
        maps = [
            np.concatenate(parts)[..., columns]
            for parts, columns in zip(zip(*heard, strict=True), self.seen, strict=True)
        ]
        self.mean = [part.mean((0, 2, 3))[:, None, None] for part in maps]
        self.std = [part.std((0, 2, 3))[:, None, None] for part in maps]

    def hear(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(B, 128) unit embeddings, (B, 128, 14, 14) and (B, 128, 7, 7) maps as the network makes them."""
        if isinstance(self.network, teachers.Ms1m):
            first, middle, late = self.network(images)
            return first, middle, late
        x = torch.from_numpy((images[:, :, 8:104].astype(np.float32) - 127.5) / 128).permute(0, 3, 1, 2)
        halved = bfloat16_pays(torch.device("cpu"))  # three times as fast, and what it loses is less than the levels do
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=halved):
            raw, maps = self.network(x.contiguous(memory_format=torch.channels_last))
        raw, maps = raw.float(), [part.float() for part in maps]
        wide = [np.zeros((len(images), 128, side, side), np.float32) for side in (14, 7)]
        for part, seen, columns in zip(wide, maps[1:3], self.seen, strict=True):
            part[..., columns] = seen.numpy()
        return torch.nn.functional.normalize(raw, dim=1).numpy(), wide[0], wide[1]

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The same, the maps normalised and kept as (value * STEP) int8."""
        embedding, *maps = self.hear(images)
        kept = []
        for part, mean, std, columns in zip(maps, self.mean, self.std, self.seen, strict=True):
            levels = np.zeros(part.shape, np.int8)
            scaled = (part - mean) / std * STEP
            levels[..., columns] = np.clip(np.rint(scaled), -127, 127).astype(np.int8)[..., columns]
            kept.append(levels)
        return embedding, kept[0], kept[1]


def probe_of(crops: np.ndarray) -> np.ndarray:
    """The 512 of `crops` that say how large the teachers' maps are; always the same ones."""
    return crops[np.sort(np.random.default_rng(0).permutation(len(crops))[:512])]


def ask_teachers(root: Path, crops: np.ndarray, out: Mapping[str, np.ndarray], batch: int = 32) -> None:
    """Fill the tables of `identity_faces`; the normalisation of each channel comes from 512 of the faces."""
    probe = probe_of(crops)
    both = {name: Teacher(name, root, probe) for name in ("ms1m", "casia")}
    for start in range(0, len(crops), batch):
        plain = np.asarray(crops[start : start + batch])
        images = np.stack([plain, plain[:, :, ::-1]], axis=1).reshape(-1, 112, 112, 3)
        rows = slice(2 * start, 2 * start + len(images))
        for name, channels in (("ms1m", slice(0, 128)), ("casia", slice(128, 256))):
            out[name][rows], out["middle"][rows, channels], out["late"][rows, channels] = both[name](images)
        if start % (batch * 50) == 0:
            log.info("teachers asked about %d of %d faces", start, len(crops))
