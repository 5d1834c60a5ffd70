"""The face detector: anchor-free, at strides 8, 16 and 32, with box, five landmarks and a score per place.

The idea is YuNet's (Wu et al., "YuNet: A Tiny Millisecond-level Face Detector", 2023), with dense convolutions, a small
feature pyramid and a score that is trained to be the overlap of its box (varifocal loss; Zhang et al. 2021).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

STRIDES = (8, 16, 32)


def unit(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch normalisation, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = unit(width, width)
        self.second = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x + self.second(self.first(x)))


class FaceDetector(nn.Module):
    """Pictures to maps of (score, box, landmarks).

    Args:
        widths: channels at strides 2, 4, 8, 16 and 32; pyramid: channels of the pyramid and the head.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 80, 96), pyramid: int = 64) -> None:
        super().__init__()
        self.stem = nn.Sequential(unit(3, widths[0], 2), unit(widths[0], widths[1], 2))
        self.levels = nn.ModuleList(
            nn.Sequential(unit(narrow, wide, 2), Residual(wide))
            for narrow, wide in zip(widths[1:-1], widths[2:], strict=True)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(width, pyramid, 1) for width in widths[2:])
        self.heads = nn.ModuleList(nn.Sequential(unit(pyramid, pyramid), nn.Conv2d(pyramid, 15, 1)) for _ in STRIDES)
        for head in self.heads:
            nn.init.constant_(head[-1].bias, 0.0)
            nn.init.constant_(head[-1].bias[:1], -4.6)  # one place in a hundred is a face

    def forward(self, x: Tensor) -> list[Tensor]:
        """`x` (B, 3, H, W) RGB in [-1, 1], sides multiples of 32, to one (B, 15, H/s, W/s) map for each stride s.

        Channels: score logit; log of the distances from the place's centre to left, top, right and bottom, in strides;
        five landmarks (x, y) from the centre, in strides.
        """
        h = self.stem(x)
        found = []
        for level in self.levels:
            h = level(h)
            found.append(h)
        maps: list[Tensor] = []
        above: Tensor | None = None
        for lateral, head, h in zip(reversed(self.lateral), reversed(self.heads), reversed(found), strict=True):
            here = lateral(h)
            if above is not None:
                here = here + functional.interpolate(above, scale_factor=2.0, mode="nearest")
            above = here
            maps.insert(0, head(here))
        return maps


def centres(height: int, width: int, stride: int, device: torch.device | None = None) -> Tensor:
    """Centres (H * W, 2) of a map's places in picture pixels, pixel centres at integers."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    return (torch.stack([x, y], -1).reshape(-1, 2).float() + 0.5) * stride - 0.5


def flatten(maps: list[Tensor]) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Maps to logits (B, N), boxes (B, N, 4) and landmarks (B, N, 10) in pixels, centres (N, 2) and strides (N,)."""
    logits, boxes, landmarks, places, strides = [], [], [], [], []
    for stride, m in zip(STRIDES, maps, strict=True):
        centre = centres(m.shape[2], m.shape[3], stride, m.device)
        values = m.float().flatten(2).transpose(1, 2)
        reach = values[..., 1:5].clamp(-6, 6).exp() * stride
        logits.append(values[..., 0])
        boxes.append(torch.cat([centre - reach[..., :2], centre + reach[..., 2:]], -1))
        landmarks.append(values[..., 5:] * stride + centre.repeat(1, 5))
        places.append(centre)
        strides.append(torch.full((len(centre),), float(stride), device=m.device))
    return torch.cat(logits, 1), torch.cat(boxes, 1), torch.cat(landmarks, 1), torch.cat(places), torch.cat(strides)


def decode(maps: list[Tensor], minimum_score: float = 0.5, most: int = 1000) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Per picture: boxes (N, 4) xyxy, landmarks (N, 10), scores (N,), best first, duplicates not yet removed."""
    logits, boxes, landmarks, _, _ = flatten(maps)
    out = []
    for score, box, marks in zip(logits.sigmoid(), boxes, landmarks, strict=True):
        order = score.argsort(descending=True)[:most]
        order = order[score[order] >= minimum_score]
        out.append((box[order], marks[order], score[order]))
    return out
