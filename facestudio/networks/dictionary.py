"""Dictionary feature transfer: regions of a feature map are completed from a dictionary of what good ones look like.

Paper: Li et al., "Blind Face Restoration via Deep Multi-scale Component Dictionaries" (DFDNet), ECCV 2020; source
csxmli2016/DFDNet (CC BY-NC-SA 4.0; no code taken). A region is a face component at one scale. The entry that agrees best
with it is brought to its mean and spread (AdaIN; Huang and Belongie, 2017) and added with a learned confidence.

Separate from `dfdnet` because any network with feature maps may use it: which components, which scales, how large the
entries are and where the confidence blocks live are the caller's. What differs from the source: each picture of a batch has
its own regions; a region is clipped to its map, and an empty one is left as it is; the scores are computed without making
every entry anew, since a published dictionary has gigabytes; and what was chosen is told.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

COMPONENTS = ("left_eye", "right_eye", "nose", "mouth")  # in the order in which they are written
SKIPPED = -1  # instead of an entry's index
_EPSILON = 1e-5
_PORTION = 2**19  # numbers of a dictionary looked at together: few enough for a processor's cache


@dataclass(frozen=True, eq=False)
class Entries:
    """The dictionary of one component at one scale: `values` (K, C, s, s) and the spread of each channel, `std` (K, C)."""

    values: Tensor
    std: Tensor

    @classmethod
    def of(cls, values: Tensor) -> Entries:
        """Entries (K, C, s, s) of any floating type, with their spread; they are used where they lie, not copied."""
        return cls(values, torch.cat([statistics(some)[1] for some in _portions(values)]))

    @torch.no_grad()
    def scores(self, region: Tensor) -> Tensor:
        """Inner products (K,) of `region` (C, s, s) with each entry brought to the region's mean and spread.

        With m and d the region's mean and spread and D an entry, all of one channel, the product is
        d / std(D) * <region - m, D> plus s * s * m * m: one pass over the entries as they are.
        """
        mean, std = statistics(region)
        centred = (region.float() - mean[:, None, None]).flatten(1)
        raw = torch.cat([(some.float().flatten(2) * centred).sum(-1) for some in _portions(self.values)])
        return (raw / self.std * std).sum(-1) + centred.shape[-1] * mean.square().sum()

    def fitted(self, index: int, region: Tensor) -> Tensor:
        """Entry `index` (C, s, s) brought to the mean and the spread of each channel of `region` (C, s, s)."""
        mean, std = statistics(region)
        entry = self.values[index].float()
        normal = (entry - statistics(entry)[0][:, None, None]) / self.std[index][:, None, None]
        return normal * std[:, None, None] + mean[:, None, None]


class Transferred(NamedTuple):
    """The completed map (B, C, H, W); for each picture and component the chosen `entry` (B, N), SKIPPED where there was no
    region; and the mean absolute `confidence` (B, N) with which it was added, 0 where skipped."""

    feature: Tensor
    entry: Tensor
    confidence: Tensor


def transfer(
    feature: Tensor,
    boxes: Tensor,
    entries: Sequence[Entries],
    confidence: Sequence[Callable[[Tensor], Tensor]],
) -> Transferred:
    """Complete the regions of `feature` (B, C, H, W), one scale of a network.

    Args:
        boxes: (B, N, 4) whole numbers, left, top, right, bottom (exclusive) in places of the map; what lies outside is cut
            off, and an empty box is skipped.
        entries, confidence: of each of the N components: its dictionary, and the block that makes a confidence of the
            difference (1, C, h, w) between entry and region.

    Every region is read from `feature` as it came in; where regions overlap, the later component is seen.
    """
    height, width = feature.shape[2:]
    completed = feature.clone()
    chosen = torch.full(boxes.shape[:2], SKIPPED, dtype=torch.int64)
    certain = torch.zeros(boxes.shape[:2])
    for picture, of_picture in enumerate(boxes.tolist()):
        for component, (left, top, right, bottom) in enumerate(of_picture):
            left, right = max(left, 0), min(right, width)
            top, bottom = max(top, 0), min(bottom, height)
            if left >= right or top >= bottom:
                continue
            region = feature[picture : picture + 1, :, top:bottom, left:right]
            dictionary = entries[component]
            resized = _resized(region, dictionary.values.shape[-2:], "bilinear")[0]
            index = int(dictionary.scores(resized).argmax())
            entry = _resized(dictionary.fitted(index, resized)[None], region.shape[-2:], "nearest")
            weight = confidence[component](entry - region)
            completed[picture : picture + 1, :, top:bottom, left:right] = region + weight * entry
            chosen[picture, component] = index
            certain[picture, component] = float(weight.detach().abs().mean())
    return Transferred(completed, chosen, certain)


def statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread (...,) float32 of each channel of `x` (..., h, w); the spread is sqrt(unbiased variance + 1e-5)."""
    variance, mean = torch.var_mean(x.float(), dim=(-2, -1), correction=1)
    return mean, (variance + _EPSILON).sqrt()


def _resized(x: Tensor, size: Sequence[int], mode: str) -> Tensor:
    return functional.interpolate(x, size=tuple(size), mode=mode, align_corners=False if mode == "bilinear" else None)


def _portions(values: Tensor) -> Sequence[Tensor]:
    """`values` (K, ...) in portions that a float32 copy of is small."""
    return values.split(max(_PORTION // max(values[0].numel(), 1), 1))
