"""The recipe of a network that one teacher teaches, map by map: its loss, how it goes on from what ships, and what then ships.

Separate from `embedding`, which knows crops and validation and nothing of the loss.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.training import data, metrics
from facestudio.training.embedding import CHANNELS, EmbedderRecipe, unexplained
from facestudio.training.identity_data import STEP, probe_of
from facestudio.training.least_squares import LeastSquares, patches
from facestudio.training.live import LiveTeacher, disturbed, drawn, faces_of, told
from facestudio.training.loop import Taught, record
from facestudio.training.losses import NOBODY, Adaptive, Margin, MarginHead, UnifiedNegatives
from facestudio.training.whitening import whitening

WHITENED = 1500  # training faces that say how strong each direction of the embeddings is
FITTED = 3000  # training faces by which what does not ship is found again


def corrected(features: Tensor, projection: nn.Conv2d, truth: Tensor, columns: slice) -> Tensor:
    """`features` (B, W, H, X) moved as little as possible, so that `projection` makes `truth` of their `columns`.

    Args:
        projection: a 1x1 convolution to C <= W channels, of full rank; truth: (B, C, H, x), x columns.

    What the projection does not see is left as it is, and only through that do gradients pass. Computed in float32.
    """
    with torch.autocast(features.device.type, enabled=False):
        features = features.float()
        matrix = projection.weight.detach().float().flatten(1)
        bias = 0 if projection.bias is None else projection.bias.detach()[:, None, None]
        gram = matrix @ matrix.T
        ridge = 1e-3 * gram.diagonal().mean() * torch.eye(len(gram), device=gram.device)
        back = torch.linalg.solve(gram + ridge, matrix)
        guess = torch.einsum("bwhx,cw->bchx", features[..., columns], matrix) + bias
        moved = features.clone()
        moved[..., columns] = features[..., columns] + torch.einsum("bchx,cw->bwhx", truth - guess, back)
        return moved


class Distilled(EmbedderRecipe):
    """A network in parts (`early` to stride 8, `late`, `head`, all on maps) that one teacher teaches, map by map.

    The teacher's maps are matched through linear projections that do not ship. In the beginning half of the samples go
    on with features that were corrected by the teacher's map at stride 8, so that the later half of the network need
    not wait for the first; this share falls to nothing. With a `margin`, the people of the training split are classes
    besides, whose centres begin at the mean of the teacher's embeddings; the margin comes as the handing over goes,
    because it slows a network down that knows no faces yet.

    On a GPU the teacher is asked while the network learns (see `live`), else beforehand.

    With an `exit_weight` the head also learns to read the features at stride 8, and through it the first half learns
    without the second. For networks whose `head` takes both maps.
    """

    columns = slice(None)  # of our maps that the teacher sees
    late_columns = slice(None)  # of the cached maps at stride 16 that the teacher has
    margin: Margin | Adaptive | None = None
    negatives: UnifiedNegatives | None = None
    margin_weight = 0.05
    exit_weight = 0.0

    def __init__(self, root: Path, cache: Path) -> None:
        super().__init__(root, cache)
        self.live = torch.cuda.is_available()

    @cached_property
    def teacher(self) -> LiveTeacher:
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return LiveTeacher(self.teachers[0], self.root, probe_of(self.crops)).to(device)

    def batches(self, seed: int) -> Iterator[dict[str, Tensor]]:
        return data.prefetch(self.drawn, seed, workers=2) if self.live else super().batches(seed)

    def drawn(self, random: np.random.Generator) -> dict[str, Tensor]:
        """What a batch is made of, where the teacher answers live."""
        shares = self.degraded_share, self.moved_share
        size = self.settings.batch
        return drawn(self.crops, self.training, self.labels, self.people, size, self.mixed_share, shares, random)

    def bare(self) -> nn.Module:
        """The network that ships."""
        raise NotImplementedError

    def projections(self) -> tuple[nn.Conv2d, nn.Conv2d]:
        """From the network's maps at strides 8 (1x1, from at least as many channels) and 16 to the teacher's."""
        raise NotImplementedError

    def network(self) -> Taught:
        middle, late = self.projections()
        # otherwise some directions would be corrected by huge steps; untrained features deviate by about 2
        nn.init.orthogonal_(middle.weight, gain=0.5)
        heads: dict[str, nn.Module] = {"middle": middle, "late": late}
        if self.margin is not None:
            heads["margin"] = MarginHead(self.margin, self.centres(), self.negatives, self.settings.seed)
        return Taught(self.bare(), nn.ModuleDict(heads))

    def fold(self, network: nn.Module, matrix: Tensor) -> None:
        """Make the embeddings of the `network` that ships what they are times `matrix` (D, D)."""
        raise NotImplementedError

    @torch.no_grad()
    def begin(self, network: Taught) -> None:
        """Find again what does not ship, by least squares on FITTED training faces, in a `network` of weights that ship.

        What `finish` made of the embeddings is undone, and the projections are fitted to the teacher's maps. The margin's
        centres stay where they begin.
        """
        few = min(FITTED, len(self.training))
        some = np.sort(np.random.default_rng(1).choice(self.training, few, replace=False))
        student, heads = network.network.eval(), network.heads
        fits = {"embedding": LeastSquares(), "middle": LeastSquares(), "late": LeastSquares()}
        device = next(student.parameters()).device
        for start in range(0, few, 64):
            chosen = some[start : start + 64]
            middle = student.early(metrics.tensor(self.crops[chosen]).to(device))
            late = student.late(middle)
            embedding = functional.normalize(student.head(late), dim=1)
            target, *told = self.told(chosen)
            fits["embedding"].add(embedding, target @ self.isometry)
            maps = (middle, told[0], self.columns), (late, told[1], self.late_columns)
            for name, (own, truth, columns) in zip(("middle", "late"), maps, strict=True):
                truth = truth[..., columns].movedim(1, -1).flatten(0, -2)
                fits[name].add(patches(own[..., self.columns], heads[name]), truth)
        self.fold(student, fits["embedding"].matrix())
        for name in ("middle", "late"):
            matrix = fits[name].matrix()
            heads[name].weight.copy_(matrix[:-1].T.reshape_as(heads[name].weight))
            heads[name].bias.copy_(matrix[-1])

    def told(self, chosen: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
        """Unit embeddings (n, 128) of the `chosen` faces by the teacher, and its maps (n, 128, 14, 14) and (n, 128, 7, 7), of a
        variance of 1."""
        if self.live:
            device = next(self.teacher.buffers()).device
            return tuple(part.cpu() for part in self.teacher(faces_of(self.crops[chosen]).to(device)))  # type: ignore[return-value]
        maps = (
            torch.from_numpy(table[2 * chosen, self.channels]).float() / STEP
            for table in (self.faces.middle, self.faces.late)
        )
        return torch.from_numpy(self.answers(2 * chosen)), *maps  # type: ignore[return-value]

    def finish(self, folder: Path) -> tuple[Path, dict[str, Any]]:
        """Whiten the averaged weights of the run in `folder`, which stay there as they are, for what ships; (the folder inside
        it of those, their validation)."""
        saved = torch.load(folder / "last.pt", map_location="cpu", weights_only=True)
        network = self.network()
        network.load_state_dict(saved["average"])
        network.eval()
        few = min(WHITENED, len(self.training))
        some = np.sort(np.random.default_rng(0).choice(self.training, few, replace=False))
        self.fold(network.network, whitening(self.embed(network.network, self.crops[some], torch.device("cpu"))))
        finished = folder / "finished"
        finished.mkdir(exist_ok=True)
        torch.save({**saved, "average": network.state_dict()}, finished / "last.pt")
        figures = self.validate(network.network, torch.device("cpu"))
        record(finished / "validation.csv", {**saved["state"], **figures})
        return finished, figures

    def centres(self) -> Tensor:
        """(classes, 512): the mean of what the teacher says of each class's faces."""
        labelled = np.flatnonzero(self.labels != NOBODY)
        sums = np.zeros((self.classes, CHANNELS * len(self.teachers)), np.float32)
        if self.live:
            both = told(self.teacher, self.crops[labelled], next(self.teacher.buffers()).device).numpy()
            seen = both[::2] + both[1::2]
        else:
            seen = self.answers(2 * labelled) + self.answers(2 * labelled + 1)
        np.add.at(sums, self.labels[labelled], seen)
        return functional.normalize(torch.from_numpy(sums), dim=1) @ self.isometry

    def loss(self, network: nn.Module, batch: dict[str, Tensor]) -> tuple[Tensor, dict[str, float]]:
        assert isinstance(network, Taught)
        student, heads = network.network, network.heads
        if "faces" in batch:
            batch = disturbed(batch, self.teacher)
            batch["target"] = batch["target"] @ self.isometry.to(batch["target"].device)
        middle = batch["middle"][..., self.columns].float().div_(STEP)
        late = batch["late"][..., self.late_columns].float().div_(STEP)
        weight = batch["weight"]
        features = student.early(batch["crops"])
        guess = heads["middle"](features[..., self.columns])
        error_middle = unexplained(guess, middle, weight)
        first = features
        taught = self.taught(weight)
        if taught is not None:
            better = corrected(features, heads["middle"], middle, self.columns)
            features = torch.where(taught[:, None, None, None], better.to(features.dtype), features)
        tail = student.late(features)
        error_late = unexplained(heads["late"](tail[..., self.columns]), late, weight)
        # one call for both: the statistics of its batch normalisations are then the same in training and afterwards
        raw = student.head(torch.cat([tail, first]) if self.exit_weight else tail)
        exit, raw = raw[len(tail) :], raw[: len(tail)]
        loss, terms, embedding = self.like_the_teachers(raw, batch["target"])
        loss = loss + self.map_weight * (error_middle + error_late)
        terms = {"middle": error_middle.item(), "late": error_late.item(), **terms}
        if self.exit_weight:
            early = (1 - functional.cosine_similarity(exit.float(), batch["target"])).mean()
            loss = loss + self.exit_weight * self.embedding_weight * early
            terms["exit"] = 1 - early.item()
        if "margin" in heads:
            margin = heads["margin"](embedding, batch["label"], batch["person"])
            loss = loss + self.margin_weight * min(1.0, self.images_seen / self.forced_until) * margin
            terms["margin"] = margin.item()
        return loss, terms
