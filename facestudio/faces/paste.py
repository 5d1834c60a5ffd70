"""From upright crop back into the photo, under a soft mask.

The mask follows the rule that DifFace, CodeFormer and GFPGAN share (written down in words, no code taken): the crop's
square eroded by a twentieth of its side and blurred by as much, then carried into the photo with the face. Outside of
the mask the photo keeps every bit; only the face's region is computed, so a large photo stays cheap. Knows no networks.
"""

from __future__ import annotations

import cv2
import numpy as np

from facestudio.device import enough_memory
from facestudio.faces.align import inverse, transform, warp
from facestudio.faces.face import AlignedFace
from facestudio.photo import Photo

_RIM = 2  # crop pixels at the rim that never show
_MOST_MOVED = 12.0  # levels that a face's colours are moved by; more than that is no drift but another light
_ALL = 1 - 1 / 512  # a weight above shows nothing of what is below; resampled, a mask of 1 is often a little less
_STRIP = 256  # rows blended at once, so that a face of thousands of pixels needs little memory


@enough_memory()
def paste(
    photo: Photo,
    aligned: AlignedFace,
    strength: float = 1.0,
    *,
    whole: bool = False,
    mask: np.ndarray | None = None,
    matched: bool = False,
    made_of: AlignedFace | None = None,
) -> Photo:
    """Lay `aligned` over `photo` where its matrix says it came from; the result keeps the photo's metadata.

    Args:
        strength: 0 keeps the photo, 1 shows the face, between them both are mixed.
        whole: the photo is itself the crop: replace it all, without a mask.
        mask: how much of the crop shows, (S, S) float32 in 0..1; None: `soft_mask`.
        matched: the face's colours are moved, by at most 12 levels, to those of the photo where the mask fades out.
        made_of: the crop of this photo that the face was made of: what the photo shows beyond it, in finer detail, stays.
    """
    if not 0 <= strength <= 1:
        raise ValueError(f"strength must be in 0..1, not {strength}")
    left, top, right, bottom = region_of(photo, aligned)
    if right <= left or bottom <= top or strength == 0:
        return photo.with_pixels(photo.pixels.copy())
    # crop to the region of the photo, whose corner becomes the origin
    back = inverse(aligned.matrix)
    back[:, 2] -= (left, top)
    size = (right - left, bottom - top)
    face = warp(aligned.pixels, back, size, border=cv2.BORDER_REPLICATE)
    side = aligned.template.size
    if whole:
        opacity = np.ones((side, side), np.float32)
    else:
        opacity = soft_mask(side) if mask is None else mask
    weight = warp(opacity * strength, back, size, border=cv2.BORDER_REPLICATE if whole else cv2.BORDER_CONSTANT)

    pixels = photo.pixels.copy()
    region = pixels[top:bottom, left:right]
    was = None if made_of is None else warp(made_of.pixels, back, size, border=cv2.BORDER_REPLICATE)
    moved = _offset(region, face, weight / strength) if matched else np.zeros(3, np.float32)
    for start in range(0, size[1], _STRIP):
        rows = slice(start, start + _STRIP)
        shown = face[rows] + moved
        if was is not None:
            shown += region[rows].astype(np.float32) - was[rows]
        _blend(region[rows], shown, weight[rows, :, None])
    return photo.with_pixels(pixels)


def _offset(photo: np.ndarray, face: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """By how much (3,) float32 the colours of `photo` differ from those of `face` (H, W, 3) where `opacity` (H, W) fades."""
    fading = opacity * (1 - opacity)
    total = float(fading.sum())
    if total < 1:
        return np.zeros(3, np.float32)
    off = np.array([(fading * (photo[..., c].astype(np.float32) - face[..., c])).sum() / total for c in range(3)])
    return off.clip(-_MOST_MOVED, _MOST_MOVED).astype(np.float32)


def covered(photo: Photo, aligned: AlignedFace, mask: np.ndarray) -> np.ndarray:
    """Where `paste` under `mask` leaves nothing of the photo, (H, W) bool: not even the last bit, as levels are whole numbers."""
    return _weight(photo, aligned, mask) > _ALL


def touched(photo: Photo, aligned: AlignedFace, mask: np.ndarray) -> np.ndarray:
    """Where `paste` under `mask` may change the photo, (H, W) bool."""
    return _weight(photo, aligned, mask) > 0


def _weight(photo: Photo, aligned: AlignedFace, mask: np.ndarray) -> np.ndarray:
    """How much of the crop shows everywhere in the photo, (H, W) float32."""
    left, top, right, bottom = region_of(photo, aligned)
    found = np.zeros(photo.pixels.shape[:2], np.float32)
    if right > left and bottom > top:
        back = inverse(aligned.matrix)
        back[:, 2] -= (left, top)
        found[top:bottom, left:right] = warp(mask, back, (right - left, bottom - top), border=cv2.BORDER_CONSTANT)
    return found


def region_of(photo: Photo, aligned: AlignedFace) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the part of the photo that `aligned` may touch; empty when it lies outside."""
    height, width = photo.pixels.shape[:2]
    end = aligned.template.size - 0.5
    corners = transform(inverse(aligned.matrix), np.array([(-0.5, -0.5), (end, -0.5), (end, end), (-0.5, end)]))
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - 2, 0, (width, height))
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + 3, 0, (width, height))
    return int(left), int(top), int(right), int(bottom)


def soft_mask(side: int) -> np.ndarray:
    """How much of a crop of `side` shows, (side, side) float32 in 0..1: 0 at the rim, 1 beyond a tenth of the side.

    Along each axis it is the edge of a square eroded by a twentieth of the side and blurred with OpenCV's customary sigma
    for a kernel of that reach; a product of two such edges is what blurring the whole square would give.
    """
    feather = max(side // 20, 1)
    blur = cv2.getGaussianKernel(2 * feather + 1, 0, cv2.CV_64F)[:, 0]
    profile = np.zeros(side)
    profile[feather : side - feather] = 1.0
    profile = np.convolve(profile, blur, mode="same")
    profile[:_RIM] = profile[-_RIM:] = 0.0
    return np.outer(profile, profile).clip(0, 1).astype(np.float32)


def _blend(photo: np.ndarray, face: np.ndarray, weight: np.ndarray) -> None:
    """Mix `face` (H, W, 3) float32 into `photo` (H, W, 3) uint8 in place by `weight` (H, W, 1); where it is 0 no bit changes."""
    mixed = np.rint(photo + weight * (face.clip(0, 255) - photo))
    np.copyto(photo, mixed.astype(np.uint8), where=weight > 0)
