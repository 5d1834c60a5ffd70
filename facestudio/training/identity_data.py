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

log = logging.getLogger(__name__)
MS1M_TAPS = ("/features/features.11/Add_output_0", "/features/features.14/Add_output_0")
STEP = 30.0  # levels a standard deviation
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
    """Crops, identities and sources of faces256, ffhq128 and celeba_small."""
    folder = root / "faces"
    faces = data.faces256(folder, cache)
    points = data.landmarks5(faces.rows)
    small = data.read_rows(folder / "celeba_small.csv")
    with zipfile.ZipFile(folder / "ffhq128.zip") as members:
        ffhq = sorted(name for name in members.namelist() if name.endswith(".jpg"))
    identity = [*faces.identity, *(f"ffhq-{name[:-4]}" for name in ffhq), *(row["identity"] for row in small)]
    source = [row["source"] for row in faces.rows] + ["ffhq128"] * len(ffhq) + ["celeba_small"] * len(small)
    target = cache / "crops112.npy"
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


def ask_teachers(root: Path, crops: np.ndarray, out: Mapping[str, np.ndarray], batch: int = 32) -> None:
    """Fill the tables of `identity_faces`; the normalisation of each channel comes from the first 512 faces."""
    ms1m = teachers.Ms1m(root / "teachers", MS1M_TAPS)
    casia = teachers.Casia(root / "teachers")

    def ask(images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        first, middle, late = ms1m(images)
        x = torch.from_numpy((images[:, :, 8:104].astype(np.float32) - 127.5) / 128).permute(0, 3, 1, 2)
        with torch.inference_mode():
            raw, maps = casia(x.contiguous(memory_format=torch.channels_last))
        second = torch.nn.functional.normalize(raw, dim=1).numpy()
        middles = np.zeros((len(images), 256, 14, 14), np.float32)
        lates = np.zeros((len(images), 256, 7, 7), np.float32)
        middles[:, :128], middles[:, 128:, :, 1:13] = middle, maps[1].numpy()
        lates[:, :128], lates[:, 128:, :, :6] = late, maps[2].numpy()
        return first, second, middles, lates

    probe = np.random.default_rng(0).permutation(len(crops))[:512]
    answers = [ask(np.stack([crops[i] for i in np.sort(probe[n : n + batch])])) for n in range(0, 512, batch)]
    scale = {}
    for name, column in (("middle", 2), ("late", 3)):
        maps = np.concatenate([answer[column] for answer in answers])
        # the columns that the CASIA teacher lacks are zeros and must not count
        parts = [maps[:, :128], maps[:, 128:, :, 1:13] if name == "middle" else maps[:, 128:, :, :6]]
        mean = np.concatenate([p.mean((0, 2, 3)) for p in parts])[:, None, None]
        std = np.concatenate([p.std((0, 2, 3)) for p in parts])[:, None, None]
        scale[name] = (mean, std)
    for start in range(0, len(crops), batch):
        plain = np.asarray(crops[start : start + batch])
        images = np.stack([plain, plain[:, :, ::-1]], axis=1).reshape(-1, 112, 112, 3)
        first, second, middle, late = ask(images)
        rows = slice(2 * start, 2 * start + len(images))
        out["ms1m"][rows], out["casia"][rows] = first, second
        for name, maps in (("middle", middle), ("late", late)):
            mean, std = scale[name]
            levels = np.clip(np.rint((maps - mean) / std * STEP), -127, 127).astype(np.int8)
            if name == "middle":
                levels[:, 128:, :, 0] = levels[:, 128:, :, 13] = 0
            else:
                levels[:, 128:, :, 6] = 0
            out[name][rows] = levels
        if start % (batch * 50) == 0:
            log.info("teachers asked about %d of %d faces", start, len(crops))
