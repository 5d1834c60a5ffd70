"""Recipe of `starter-sliders`: how the prior's faces are changed in one thing and not in the others. Fitted, not trained.

Every direction is a forward one: how identity, landmarks or latent of real faces differ on average when one thing differs and
the other things that are known are alike (least squares; Haufe et al., NeuroImage 2014, on why not a classifier's weights).
What a person is (age, hair, skin ...) is a direction of the embedder that the prior listens to, from CelebA's attributes and
from colours of training faces; these are made orthogonal together (Lowdin, 1950), so that none is favoured. Expressions are
landmarks of faces that are turned straight, and what the embedder sees of them. Light pushes the latent, as of faces whose
identity and pose are alike.
"""

from __future__ import annotations

import logging
import time
import zipfile
from collections.abc import Mapping
from dataclasses import astuple
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from facestudio import checkpoints
from facestudio.faces.loading import load_network
from facestudio.faces.pose import fit_rotation, mean_face, pose_of_68
from facestudio.networks.sliders import Moves
from facestudio.training import data, metrics, teachers
from facestudio.training.colours import Colours, colours
from facestudio.training.identity_data import CELEBA_109
from facestudio.training.recipes.prior import AUTOENCODER, EMBEDDER
from facestudio.training.recipes.prior import Recipe as Prior

log = logging.getLogger(__name__)
PRIOR = "starter-prior"
# what is known of a CelebA face, as signs of its attributes; those that no slider moves are only held
ATTRIBUTES = {
    **{"age": ("Young", -1), "gender": ("Male", 1), "glasses": ("Eyeglasses", 1), "beard": ("No_Beard", -1)},
    **{"smile": ("Smiling", 1), "mouth": ("Mouth_Slightly_Open", 1), "grey": ("Gray_Hair", 1), "bald": ("Bald", 1)},
    **{"blond": ("Blond_Hair", 1), "black": ("Black_Hair", 1), "pale": ("Pale_Skin", 1), "hat": ("Wearing_Hat", 1)},
    "bangs": ("Bangs", 1),
}
PEOPLE = ("age", "gender", "glasses", "beard", "skin", "hair")
# how far 1 is: on the sphere for these; as many differences between yes and no; as many deviations; in degrees
REACH = {
    "age": 0.45,
    "gender": 0.4,
    "glasses": 0.4,
    "beard": 0.4,
    "skin": 0.2,
    "hair": 0.25,
    "smile": 0.2,
    "mouth": 0.15,
}
EXPRESSIONS = {"smile": 2.0, "mouth": 2.0}  # the prior follows a drawing about half the way
LIGHT = {"brightness": 2.0, "side": 2.5}
TURNS = {"yaw": (30.0, 0.0), "pitch": (0.0, 20.0)}
KNOWN = 128  # main directions of identities that light must not depend on


def forward(known: Mapping[str, np.ndarray], found: np.ndarray) -> dict[str, np.ndarray]:
    """How `found` (N, M) differs for each of the `known` (N,) or (N, K) per unit, while the others are alike: (M,) or (K, M)."""
    columns = [value[:, None] if value.ndim == 1 else value for value in known.values()]
    design = np.column_stack([*columns, np.ones(len(found))])
    solved = np.linalg.lstsq(design, found, rcond=None)[0]
    out, start = {}, 0
    for (name, value), column in zip(known.items(), columns, strict=True):
        rows = solved[start : start + column.shape[1]]
        out[name] = rows[0] if value.ndim == 1 else rows
        start += column.shape[1]
    return out


def orthonormal(directions: np.ndarray) -> np.ndarray:
    """The orthonormal rows (S, D) that are nearest to the `directions` (S, D), once those have unit length."""
    unit = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    u, _, v = np.linalg.svd(unit, full_matrices=False)
    found: np.ndarray = u @ v
    return found


def straight(landmarks: np.ndarray) -> np.ndarray:
    """`landmarks` (N, 68, 2) of faces turned straight, by weak perspective with the depth of the mean face, in eye distances."""
    head = mean_face() - mean_face().mean(0)
    found = []
    for points in np.asarray(landmarks, np.float64):
        off = points - points.mean(0)
        solution, *_ = np.linalg.lstsq(head, off, rcond=None)
        scale = np.linalg.svd(solution, compute_uv=False).mean()
        rotation = fit_rotation(points, head)
        solid = np.column_stack([off / scale, head @ rotation[2]])
        found.append((solid @ rotation)[:, :2])
    return np.array(found)


def standard(values: np.ndarray) -> np.ndarray:
    """`values` (N, ...) with mean 0 and deviation 1."""
    normal: np.ndarray = (values - values.mean(0)) / values.std(0)
    return normal


class Recipe:
    id = "starter-sliders"
    architecture = "sliders:Moves"
    conditioned_on = (EMBEDDER,)
    uses = {"prior": PRIOR, "autoencoder": AUTOENCODER}  # noqa: RUF012  # as config
    config: dict[str, Any] = {  # noqa: RUF012  # as of other recipes
        "names": [*PEOPLE, *TURNS, *EXPRESSIONS, *LIGHT],
        "dimensions": 512,
        "latent": 16,
        "side": 16,
    }
    trained_on = (
        "CelebA (small, and in the wild), FFHQ, StyleGAN2 and StyleGAN3 faces; identities by starter-embedder-a"
    )
    # those that reach the bars of docs/benchmarks/generation.md
    offered = (
        "age",
        "gender",
        "glasses",
        "beard",
        "skin",
        "hair",
        "yaw",
        "pitch",
        "smile",
        "mouth",
        "brightness",
        "side",
    )
    added = ("glasses",)  # those that reach them at their high end alone

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.prior = Prior(root, cache)
        self.training = self.prior.training

    @cached_property
    def rows(self) -> list[dict[str, str]]:
        """Those of the small CelebA faces."""
        return data.read_rows(self.root / "faces" / "celeba_small.csv")

    @cached_property
    def small(self) -> np.ndarray:
        """Unit identities (N, D) of the small CelebA faces to the embedder, made once."""
        entry = checkpoints.checkpoint(EMBEDDER)
        target = self.cache / f"identities-small-{entry.files['weights'].sha256[:12]}.npy"
        if not target.exists():
            embedder, found = load_network(entry, "cpu"), []
            with zipfile.ZipFile(self.root / "faces" / "celeba_small.zip") as members:
                for start in range(0, len(self.rows), 64):
                    some = [data.decode(members.read(row["file"])) for row in self.rows[start : start + 64]]
                    crops = np.stack([teachers.crop112(np.ascontiguousarray(one), CELEBA_109) for one in some])
                    with torch.inference_mode():
                        found.append(embedder.symmetric(metrics.tensor(crops)).numpy())  # type: ignore[operator]
            Prior._save(target, found)
        return np.load(target)

    @cached_property
    def colours(self) -> dict[str, np.ndarray]:
        """Of the large training faces, each (N,); see training/colours.py."""
        faces, points = self.prior.faces.pixels, self.prior.landmarks
        found = [colours(np.asarray(faces[index]), points[index]) for index in self.training]
        table = np.array([astuple(one) for one in found])
        names = [*Colours.__dataclass_fields__]
        values = {name: table[:, names.index(name)] for name in names}
        return {**values, "skin": np.array([one.skin for one in found]), "side": np.array([one.side for one in found])}

    @cached_property
    def pose(self) -> dict[str, np.ndarray]:
        """Yaw and pitch of the large training faces, of deviation 1."""
        turned = standard(np.array([pose_of_68(self.prior.landmarks[index]) for index in self.training], np.float64))
        return {"yaw": turned[:, 0], "pitch": turned[:, 1]}

    def fit(self, folder: Path) -> dict[str, Any]:
        """Fit, write `folder`/last.pt for the export, and return what was seen on the way."""
        began = time.monotonic()
        network = Moves(**self.config)
        place = {name: index for index, name in enumerate(self.config["names"])}
        directions = self.people()
        for name, direction in zip(REACH, orthonormal(np.stack([directions[name] for name in REACH])), strict=True):
            network.identity[place[name]] = torch.from_numpy(REACH[name] * direction)
        for name, angles in TURNS.items():
            network.turn[place[name]] = torch.tensor(angles)
        for name, shape in self.expressions().items():
            network.features[place[name]] = torch.from_numpy(EXPRESSIONS[name] * shape)
        for name, push in self.light().items():
            network.push[place[name]] = torch.from_numpy(LIGHT[name] * push).view(network.push.shape[1:])
        folder.mkdir(parents=True, exist_ok=True)
        seen = len(self.training) + len(self.rows)
        state = {"step": 0, "images": seen, "minutes": (time.monotonic() - began) / 60}
        torch.save({"average": network.state_dict(), "state": state}, folder / "last.pt")
        unit = np.stack([directions[name] / np.linalg.norm(directions[name]) for name in REACH])
        fitted = {id: checkpoints.checkpoint(id).files["weights"].sha256 for id in (EMBEDDER, AUTOENCODER, PRIOR)}
        return {
            "most_alike_before": float(np.abs(unit @ unit.T - np.eye(len(unit))).max()),
            "calibration.fitted_to": fitted,
            "calibration.offered": [name for name in self.config["names"] if name in self.offered],
            "calibration.added": list(self.added),
        }

    def people(self) -> dict[str, np.ndarray]:
        """How identities differ by what a person is, and by what the embedder sees of an expression: those of `REACH`."""
        signs = {
            name: np.array([sign * int(row[column]) for row in self.rows], np.float64)
            for name, (column, sign) in ATTRIBUTES.items()
        }
        kept, _ = data.split(np.array([row["identity"] for row in self.rows]))
        by_attribute = forward({name: value[kept] for name, value in signs.items()}, self.small[kept])
        seen = {name: standard(self.colours[name]) for name in ("skin", "hair", "background", "side")}
        by_colour = forward({**seen, **self.pose}, self.prior.identities[self.training])
        darker = {"skin": -by_colour["skin"], "hair": by_colour["hair"]}
        return {name: {**by_attribute, **darker}[name] for name in REACH}

    def expressions(self) -> dict[str, np.ndarray]:
        """How landmarks of faces turned straight differ when they smile, or their mouth is open, (68, 2) in eye distances."""
        told = [index for index in self.training if self.prior.faces.rows[index]["Smiling"]]
        rows = [self.prior.faces.rows[index] for index in told]
        signs = {
            name: np.array([int(row[ATTRIBUTES[name][0]]) for row in rows]) / 2
            for name in (*EXPRESSIONS, "gender", "age")
        }
        shapes = straight(self.prior.landmarks[told]).reshape(len(told), -1)
        found = forward(signs, shapes)
        return {name: found[name].reshape(-1, 2) for name in EXPRESSIONS}

    def light(self) -> dict[str, np.ndarray]:
        """How latents differ, per deviation, when a face is lit more, or from the right, and it is the same person (size,)."""
        latents, identities = self.prior.tables
        who = identities[self.training] - identities[self.training].mean(0)
        main = standard(who @ np.linalg.svd(who, full_matrices=False)[2][:KNOWN].T)
        loud = (latents[2 * self.training].astype(np.float32) * self.prior.loud.numpy()[:, None, None]).reshape(
            len(who), -1
        )
        seen = {name: standard(self.colours[name]) for name in ("skin", "side", "background")}
        found = forward({**seen, **self.pose, "who": main}, loud)
        return {"brightness": found["skin"], "side": found["side"]}
