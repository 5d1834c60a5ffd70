"""Our own small DFDNet: the estimator's maps of eyes, nose and mouth are completed from dictionaries of good ones.

Paper: Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries", ECCV 2020; the transfer is that of
networks/dictionary.py. What differs from the published network (networks/dfdnet.py): at 256 px; the maps are those of the
estimator's way down, which stays as it is, so dictionaries and inputs always speak of the same features; what is completed goes
in beside the last levels of the way up, which begin as the estimator's and are trained further. With a confidence of 0, as at the
beginning, it is the estimator.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.dictionary import COMPONENTS, Entries, transfer
from facestudio.networks.estimator import EstimatorUNet, climb

SIDES = {"left_eye": 40, "right_eye": 40, "nose": 25, "mouth": 55}  # of the components in a crop of 256 px
LEVELS = 2  # of the estimator's maps that are completed, from the finest
_SWAPPED = [COMPONENTS.index(of) for of in ("right_eye", "left_eye", "nose", "mouth")]


class Completed(NamedTuple):
    """The `picture` (B, 3, H, W), not clamped; of each picture, component and level (B, 4, LEVELS) the chosen `entry` (-1:
    skipped) and the mean absolute `confidence`."""

    picture: Tensor
    entry: Tensor
    confidence: Tensor


def entry_shape(component: str, level: int, widths: Sequence[int], unshuffle: int = 4) -> tuple[int, int, int]:
    """(C, s, s) of the entries of `component` on the estimator's map `level`."""
    side = max(SIDES[component] // (unshuffle << level), 2)
    return widths[level], side, side


class Completion(nn.Module):
    """What is added to an estimator: dictionaries, how far they are trusted, and the levels of the way up where they join in.

    Args:
        widths, blocks, unshuffle: of the estimator; entries: of each dictionary.
    """

    def __init__(
        self,
        widths: Sequence[int] = (64, 128, 256, 384),
        blocks: int | Sequence[int] = 1,
        unshuffle: int = 4,
        entries: int = 64,
    ) -> None:
        super().__init__()
        like = EstimatorUNet(widths, blocks, unshuffle)
        self.unshuffle = unshuffle
        self.grow, self.up, self.tail = like.grow[-LEVELS:], like.up[-LEVELS:], like.tail
        self.confidence = nn.ModuleDict()
        for level in range(LEVELS):
            width = widths[level]
            for component in COMPONENTS:
                last = nn.Conv2d(width // 2, width, 3, padding=1)
                nn.init.zeros_(last.weight)
                nn.init.zeros_(last.bias)  # type: ignore[arg-type]
                first = nn.Conv2d(width, width // 2, 3, padding=1)
                self.confidence[f"{component}_{level}"] = nn.Sequential(first, nn.LeakyReLU(0.2), last)
                shape = entry_shape(component, level, widths, unshuffle)
                self.register_buffer(f"{component}_{level}", torch.zeros(entries, *shape))

    @torch.no_grad()
    def begin(self, estimator: EstimatorUNet) -> None:
        """Take the end of the way up of `estimator`, of the same widths."""
        self.grow.load_state_dict(estimator.grow[-LEVELS:].state_dict())
        self.up.load_state_dict(estimator.up[-LEVELS:].state_dict())
        self.tail.load_state_dict(estimator.tail.state_dict())

    def forward(self, estimator: EstimatorUNet, x: Tensor, boxes: Tensor) -> Completed:
        """Restore `x` (B, 3, H, W) in [-1, 1] with what `estimator` does until its maps are completed.

        `boxes` (B, 4, 4), whole numbers: left, top, right, bottom (exclusive) of each of COMPONENTS in pixels of `x`; an empty
        box is a component that is not to be touched.
        """
        with torch.no_grad():
            *skips, h = estimator.encoded(x)
            h = climb(estimator.middle(h), estimator.grow[:-LEVELS], estimator.up[:-LEVELS], skips)
        chosen, certain = [], []
        for level in range(LEVELS):
            done = transfer(
                skips[level].float(),
                torch.div(boxes, self.unshuffle << level, rounding_mode="floor"),
                [Entries.of(getattr(self, f"{component}_{level}").float()) for component in COMPONENTS],
                [self.confidence[f"{component}_{level}"] for component in COMPONENTS],
            )
            skips[level] = done.feature.to(h.dtype)
            chosen.append(done.entry)
            certain.append(done.confidence)
        h = climb(h, self.grow, self.up, skips)
        correction = functional.pixel_shuffle(self.tail(functional.silu(h)), self.unshuffle)
        return Completed(x + correction.to(x.dtype), torch.stack(chosen, -1), torch.stack(certain, -1))

    def symmetric(self, estimator: EstimatorUNet, x: Tensor, boxes: Tensor) -> Completed:
        """As `forward`, the picture averaged with what is made of the mirror image; entry and confidence are of `x` itself."""
        mirrored = boxes[:, _SWAPPED].clone()
        filled = (boxes[:, _SWAPPED, 2:] > boxes[:, _SWAPPED, :2]).all(-1, keepdim=True)
        left, right = x.shape[-1] - mirrored[..., 2], x.shape[-1] - mirrored[..., 0]
        mirrored[..., 0], mirrored[..., 2] = left, right
        both = self(estimator, torch.cat([x, x.flip(-1)]), torch.cat([boxes, torch.where(filled, mirrored, 0)]))
        count = len(x)
        picture = (both.picture[:count] + both.picture[count:].flip(-1)) / 2
        return Completed(picture, both.entry[:count], both.confidence[:count])
