"""The onlooker: what a recogniser sees in a degraded face, said to a network that restores it.

A recogniser that was trained on damaged faces knows more of a person than a restorer that has seen a few thousand faces: at an
eighth of the size ours sees the person in the damaged face itself better than in what a restorer made of it. The idea is that of
identity-conditioned generation (Arc2Face, Papantoniou et al. 2024), here with the recogniser's inner maps besides its embedding,
laid where they belong in the face.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.embedder import DenseFaceNet

SIDE = 112  # px of the recogniser's crop
LENGTH = 100.0  # what embeddings of clean faces are long, about


class Onlooker(nn.Module):
    """A frozen recogniser that looks at aligned faces.

    Args:
        recogniser: its maps after `early` (stride 8) and `late` (stride 16) are told, and its embedding.
        frame: (2, 3) affine from a place in the aligned face to that in the recogniser's crop, both in pixels (the middle of the
            first pixel is 0); side: of the aligned faces that `frame` means.
    """

    def __init__(self, recogniser: DenseFaceNet, frame: Sequence[Sequence[float]], side: int = 256) -> None:
        super().__init__()
        self.recogniser, self.side = recogniser.eval().requires_grad_(False), side
        self.frame: Tensor
        self.register_buffer("frame", torch.as_tensor(frame, dtype=torch.float32), persistent=False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """What is seen in `x` (B, 3, side, side) in [-1, 1]: embeddings (B, D) of numbers about 1 in size, and maps
        (B, C, side / 32, side / 32) and (B, C, side / 16, side / 16), 0 where the recogniser's crop does not reach."""
        back = self._inverse()
        crops = self._read(x.float(), self._places(SIDE, 1.0, back), self.side)
        fine = self.recogniser.early(crops.contiguous(memory_format=torch.channels_last))
        coarse = self.recogniser.late(fine)
        embedding = self.recogniser.head(coarse).float()
        maps = [
            self._read(seen.float(), self._places(self.side // cell, cell, self.frame), SIDE)
            for seen, cell in ((coarse, 32), (fine, 16))
        ]
        return embedding * (embedding.shape[1] ** 0.5 / LENGTH), maps

    def _inverse(self) -> Tensor:
        turn = torch.linalg.inv(self.frame[:, :2])
        return torch.cat([turn, -turn @ self.frame[:, 2:]], dim=1)

    def _places(self, count: int, cell: float, affine: Tensor) -> Tensor:
        """(count, count, 2) where `affine` takes the middles of `count` x `count` cells of `cell` px."""
        axis = (torch.arange(count, device=affine.device, dtype=torch.float32) + 0.5) * cell - 0.5
        y, x = torch.meshgrid(axis, axis, indexing="ij")
        return torch.stack([x, y], -1) @ affine[:, :2].T + affine[:, 2]

    @staticmethod
    def _read(picture: Tensor, places: Tensor, side: int) -> Tensor:
        """`picture` (B, C, h, w), which stands for a square of `side` px, read at `places` (H, W, 2) in those pixels."""
        grid = ((places + 0.5) * (2 / side) - 1).expand(len(picture), -1, -1, -1)
        return functional.grid_sample(picture, grid, mode="bilinear", align_corners=False)
