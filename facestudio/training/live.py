"""A teacher that answers while its pupil learns: every face is new, and both see the same one.

Where the teacher answers as quickly as the network learns (on a GPU), nothing need be asked beforehand and kept: each face is
bent, half of them are made of two (see `variation`), and the teacher is asked about just that, as Beyer et al. have it
("Knowledge distillation: a good teacher is patient and consistent", CVPR 2022). What the network has to get over (damage,
tint, a crop that is off) is done to its own copy afterwards. Separate from `mixtures`, which asks once and keeps the answers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.training import teachers, variation
from facestudio.training.damage import damaged, packed
from facestudio.training.degradation import Degradation
from facestudio.training.embedding import draw112
from facestudio.training.identity_data import MS1M_TAPS, STEP, Teacher
from facestudio.training.losses import NOBODY

PORTION = 256  # faces that are asked about at once


class LiveTeacher(nn.Module):
    """The teacher `name` ("ms1m", "casia") as a network on any device.

    Args:
        root: folder with teachers/.
        probe: (N, 112, 112, 3) crops, of whose maps each channel's mean and deviation are taken.
    """

    def __init__(self, name: str, root: Path, probe: np.ndarray) -> None:
        super().__init__()
        folder = root / "teachers"
        self.network = teachers.Ms1mNetwork(folder, MS1M_TAPS) if name == "ms1m" else teachers.Casia(folder)
        self.seen = Teacher.columns[name]
        heard = [self.hear(faces_of(probe[start : start + 32])) for start in range(0, len(probe), 32)]
        for number, columns in ((1, self.seen[0]), (2, self.seen[1])):
            maps = torch.cat([answer[number][..., columns] for answer in heard])
            self.register_buffer(f"mean_{number}", maps.mean((0, 2, 3))[:, None, None])
            self.register_buffer(f"std_{number}", maps.std((0, 2, 3), unbiased=False)[:, None, None])

    @torch.no_grad()
    def hear(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Raw embeddings and maps of `faces` (B, 3, 112, 112), levels of RGB, as the network makes them."""
        if isinstance(self.network, teachers.Ms1mNetwork):
            raw, (middle, late) = self.network(faces / 255)
            return raw.float(), middle.float(), late.float()
        raw, maps = self.network(((faces[..., 8:104] - 127.5) / 128).contiguous(memory_format=torch.channels_last))
        wide = [faces.new_zeros(len(faces), 128, side, side) for side in (14, 7)]
        for part, found, columns in zip(wide, maps[1:3], self.seen, strict=True):
            part[..., columns] = found.float()
        return raw.float(), wide[0], wide[1]

    def forward(self, faces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Unit embeddings (B, 128) of `faces` (B, 3, 112, 112), levels of RGB, and maps (B, 128, 14, 14), (B, 128, 7, 7), whose
        channels have a variance of 1; where the teacher sees nothing they are 0."""
        raw, *maps = self.hear(faces)
        for number, (part, columns) in enumerate(zip(maps, self.seen, strict=True), 1):
            mean, std = getattr(self, f"mean_{number}"), getattr(self, f"std_{number}")
            part[..., columns] = (part[..., columns] - mean) / std
        return functional.normalize(raw, dim=1), maps[0], maps[1]


def faces_of(crops: np.ndarray | Tensor) -> Tensor:
    """(B, 112, 112, 3) uint8 to (B, 3, 112, 112) levels, float32."""
    return torch.as_tensor(crops).permute(0, 3, 1, 2).float().contiguous()


def told(teacher: LiveTeacher, crops: np.ndarray, device: torch.device) -> Tensor:
    """Unit embeddings (2N, 128) of `crops` (N, 112, 112, 3) and their mirror images, one after the other, on the CPU."""
    found = []
    for start in range(0, len(crops), PORTION):
        faces = faces_of(np.asarray(crops[start : start + PORTION])).to(device)
        found.append(teacher(torch.stack([faces, faces.flip(-1)], 1).flatten(0, 1))[0].cpu())
    return torch.cat(found)


def drawn(
    crops: np.ndarray,
    training: np.ndarray,
    labels: np.ndarray,
    people: np.ndarray,
    size: int,
    mixed: float,
    shares: tuple[float, float],
    random: np.random.Generator,
) -> dict[str, Tensor]:
    """What `disturbed` makes a batch of: faces, the last share `mixed` of which will be made of two and are nobody.

    Args:
        crops (N, 112, 112, 3), of which `training` may be taken; labels, people (N,): of them; size: of the batch.
        shares: of the faces that are degraded, and of those that are moved in their crop.
    """
    chosen = random.choice(training, size, replace=len(training) < size)
    of_two = np.arange(size) >= size - round(mixed * size)
    others = random.choice(training, int(of_two.sum()), replace=len(training) < size)
    how = [draw112(random) if random.random() < shares[0] else Degradation() for _ in range(size)]
    return {
        "faces": torch.from_numpy(crops[chosen]),
        "others": torch.from_numpy(crops[others]),
        "hows": packed(how, 112),
        "degraded": torch.tensor([one != Degradation() for one in how]),
        "moved": torch.from_numpy(random.random(size) < shares[1]),
        "mirrored": torch.from_numpy(random.random(size) < 0.5),
        "label": torch.from_numpy(np.where(of_two, NOBODY, labels[chosen])),
        "person": torch.from_numpy(np.where(of_two, len(crops) + np.arange(size), people[chosen])),
        "seed": torch.from_numpy(random.integers(2**62, size=1)),
    }


@torch.no_grad()
def disturbed(batch: dict[str, Tensor], teacher: LiveTeacher) -> dict[str, Tensor]:
    """A batch as the recipes' `batch` has it, of what was `drawn`, made where that is; "target" is as the teacher has it."""
    faces, others = faces_of(batch["faces"]), faces_of(batch["others"])
    random = torch.Generator(faces.device).manual_seed(int(batch["seed"]))
    with torch.autocast(faces.device.type, enabled=False):
        faces = torch.where(batch["mirrored"][:, None, None, None], faces.flip(-1), faces)
        plain = variation.bent(faces[: len(faces) - len(others)], random, 0.8, turn=5, resize=0.07, bend=0)
        mixed = faces[len(plain) :]
        over = torch.arange(len(mixed), device=faces.device) % 2 == 0
        mixed = variation.overlaid(mixed, others, random, over)
        mixed = variation.bent(variation.joined(mixed, others, random, ~over), random, 0.8, turn=5, resize=0.07)
        faces = torch.cat([plain, mixed])
    embedding, middle, late = teacher(faces)
    with torch.autocast(faces.device.type, enabled=False):
        own = variation.bent(faces, random, batch["moved"], turn=5, resize=0.07, bend=0)
        own = damaged(variation.tinted(own, random, 0.3), batch["hows"], random)
        weight = torch.where(batch["moved"], 0.0, torch.where(batch["degraded"], 0.3, 1.0))
    return {
        "crops": (own / 127.5 - 1).contiguous(memory_format=torch.channels_last),
        "target": embedding,
        "middle": middle * STEP,
        "late": late * STEP,
        "weight": weight,
        "label": batch["label"],
        "person": batch["person"],
    }
