"""Colour: from the colour space of a file to sRGB for the methods, and back into the file's own.

`Colour` remembers what the file held. Going back, a pixel whose sRGB value is what it was gets the file's own value
again, bit for bit; a changed one is converted. Separate because profiles are a subject of their own; knows arrays only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import cv2
import numpy as np
from PIL import Image, ImageCms

from facestudio.quarters import turned

_CHUNK = 1 << 20  # pixels converted at once, so that a large photo needs little memory beside itself
_SPACES = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK", "LAB": "LAB"}
_FADE = 16.0  # levels of change within which the part of a colour that sRGB cannot hold fades out
_NEUTRAL = 2  # levels between the channels that still count as grey
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION
_BROKEN = (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError)


@dataclass(frozen=True, eq=False)
class Colour:
    """What a file held, in its own colour space.

    Attributes:
        mode: "L", "RGB", "CMYK" or "LAB", of `native`.
        native: (H, W) or (H, W, C) uint8; None when it equals `srgb`.
        srgb: (H, W, 3) uint8, what `native` looks like in sRGB.
        profile: the ICC profile of `native`; None for sRGB or when the file's profile was no use.
        grey: the file held one channel, so that a neutral result is written as one channel again.
        lower: the lower bytes of what the file held with 16 bits, shaped as `native`, or as `srgb` where that is None; else None.
        hidden: some of it must not come back; see `renewed`.
    """

    mode: str
    native: np.ndarray | None
    srgb: np.ndarray
    profile: bytes | None
    grey: bool = False
    lower: np.ndarray | None = None
    hidden: bool = False

    def restore(self, pixels: np.ndarray, cmyk: bool) -> tuple[np.ndarray, str, bytes | None]:
        """Bring `pixels`, shaped as `srgb`, into the file's space: values, mode "L", "RGB" or "CMYK", and profile.

        Args:
            cmyk: whether the output can hold CMYK; if not, and for Lab, the answer is sRGB without a profile.
        """
        if self.mode == "LAB" or (self.mode == "CMYK" and not cmyk):
            return pixels, "RGB", None
        grey = self.grey and _is_grey(pixels)
        if self.mode == "L" and not grey:
            return pixels, "RGB", None
        native = self._mixed(pixels)
        if self.mode == "RGB" and grey:
            return native[..., 0], "L", self.profile
        return native, self.mode, self.profile

    def is_deep(self, pixels: np.ndarray) -> bool:
        """Whether `deepened` has an answer for `pixels`, shaped as `srgb`."""
        return self.lower is not None and (self.mode != "L" or self.profile is None or _is_grey(pixels))

    def deepened(self, samples: np.ndarray) -> np.ndarray:
        """What `restore` gave of pixels that are `is_deep`, in 16 bits: (H, W[, C]) uint16.

        The upper byte is the result's, the lower one the file's. So what was not changed is what the file held. What was changed
        has moved by as many levels of 256 steps as in 8 bits, and reads as the result that was shown, because what is read here
        is the upper byte. Of what was hidden the lower byte says no more than the upper one.
        """
        upper, lower = self.srgb if self.native is None else self.native, self.lower
        assert lower is not None
        if upper.ndim > samples.ndim:
            upper, lower = upper[..., 0], lower[..., 0]
        elif upper.ndim < samples.ndim:
            upper, lower = upper[..., None], lower[..., None]
        deep = samples.astype(np.uint16) << 8
        if not self.hidden:
            return deep | lower
        changed = samples != upper
        changed = changed if changed.ndim == 2 else changed.any(axis=2, keepdims=True)
        return deep | np.where(changed, samples, lower)

    def renewed(self, pixels: np.ndarray, where: np.ndarray) -> Colour:
        """The colour of a file that holds `pixels`, shaped as `srgb`, `where` (H, W) bool is set, and its own values elsewhere.

        `restore` gives unchanged pixels the file's own values, and hardly changed ones a part of them. That is what a
        restoration wants; of what was hidden nothing may be left, and sRGB does not hold all of it. Of 16 bits the lower bytes
        are those of nothing but what is seen, there and wherever else the pixels change.
        """
        if self.mode == "LAB" or (self.native is None and self.lower is None):
            return self  # `restore` gives back the pixels as they are
        srgb = np.where(where[..., None], pixels, self.srgb)
        srgb.setflags(write=False)
        native = None if self.native is None else self._renewed(self.native, pixels, where)
        return Colour(self.mode, native, srgb, self.profile, self.grey, self.lower, True).shallow(where)

    def shallow(self, where: np.ndarray) -> Colour:
        """The same of a file that holds no more than 8 bits `where` (H, W) bool is set."""
        if self.lower is None:
            return self
        upper = self.srgb if self.native is None else self.native
        lower = np.where(where if upper.ndim == 2 else where[..., None], upper, self.lower)
        lower.setflags(write=False)
        return replace(self, lower=lower)

    def _renewed(self, native: np.ndarray, pixels: np.ndarray, where: np.ndarray) -> np.ndarray:
        """A copy of `native` with `pixels` where `where` is set; only the rectangle around that is computed."""
        native = native.copy()
        rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
        if rows.size:
            part = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
            new, here = self._from_srgb(np.ascontiguousarray(pixels[part])), where[part]
            np.copyto(native[part], new, where=here if new.ndim == 2 else here[..., None])
        native.setflags(write=False)
        return native

    def enlarged(self, times: int) -> Colour:
        """What the same file would have held `times` as large, with 8 bits; see `enlarged`."""
        native = None if self.native is None else enlarged(self.native, times)
        return Colour(self.mode, native, enlarged(self.srgb, times), self.profile, self.grey)

    def turned(self, degrees: int) -> Colour:
        """What the same file would have held turned clockwise by `degrees`; see `quarters.turned`."""
        native = None if self.native is None else turned(self.native, degrees)
        lower = None if self.lower is None else turned(self.lower, degrees)
        return Colour(self.mode, native, turned(self.srgb, degrees), self.profile, self.grey, lower, self.hidden)

    def _mixed(self, pixels: np.ndarray) -> np.ndarray:
        """`native` with the changed pixels converted; only the rectangle around them is computed."""
        if self.native is None:
            return pixels
        out = self.native.copy()
        changed = (pixels != self.srgb).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        if not rows.size:
            return out
        wide = slice(columns[0], columns[-1] + 1)
        step = max(_CHUNK // (columns[-1] - columns[0] + 1), 1)
        for top in range(rows[0], rows[-1] + 1, step):
            part = (slice(top, min(top + step, rows[-1] + 1)), wide)
            now, was = pixels[part], self.srgb[part]
            new = self._from_srgb(now).astype(np.float32)
            # sRGB cannot hold every colour of the file. What it lost stays with pixels that hardly changed, so that the
            # border of a pasted face shows no seam, and goes where the picture is really new.
            change = np.abs(now.astype(np.int16) - was).max(axis=2).astype(np.float32)
            weight = np.clip(1 - change / _FADE, 0, 1)
            lost = self.native[part].astype(np.float32) - self._from_srgb(was)
            new += lost * (weight if new.ndim == 2 else weight[..., None])
            np.copyto(out[part], np.clip(np.rint(new), 0, 255).astype(np.uint8))
        return out

    def _from_srgb(self, pixels: np.ndarray) -> np.ndarray:
        if self.profile is None:
            if self.mode == "L":
                return pixels[..., 0]
            if self.mode == "CMYK":
                return np.dstack([255 - pixels, np.zeros(pixels.shape[:2], np.uint8)])
            return pixels
        there = ImageCms.getOpenProfile(io.BytesIO(self.profile))
        return _converted(pixels, _transform(_srgb(), there, "RGB", self.mode), "RGB", self.mode)


def enlarged(samples: np.ndarray, times: int) -> np.ndarray:
    """`samples` (H, W) or (H, W, C) uint8, `times` as high and wide, by Lanczos' kernel; read-only."""
    height, width = samples.shape[:2]
    larger: np.ndarray = cv2.resize(samples, (width * times, height * times), interpolation=cv2.INTER_LANCZOS4)
    larger.setflags(write=False)
    return larger


def to_srgb(native: np.ndarray, mode: str, profile: bytes | None) -> tuple[Colour, str | None]:
    """What `native` (H, W[, C]) uint8 of `mode` looks like in sRGB, and a sentence when its profile was no use."""
    grey = mode == "L"
    note = None
    if profile is not None:
        try:
            opened = ImageCms.getOpenProfile(io.BytesIO(profile))
            space = _SPACES.get(opened.profile.xcolor_space.strip())
            if grey and space == "RGB":
                native, mode = np.dstack([native] * 3), "RGB"
            if space == mode:
                srgb = _converted(native, _transform(opened, _srgb(), mode, "RGB"), mode, "RGB")
                _transform(_srgb(), opened, "RGB", mode)  # a profile that cannot be gone back to is no use either
                return _colour(mode, native, srgb, profile, grey), None
            note = "Its colour profile is for another kind of picture and was left out."
        except _BROKEN:
            note = "Its colour profile is damaged and was left out."
    if mode == "LAB":
        lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
        return _colour(mode, native, _converted(native, _transform(lab, _srgb(), mode, "RGB"), mode, "RGB"), None), note
    return _colour(mode, native, _plain(native, mode), None, grey), note


def _colour(mode: str, native: np.ndarray, srgb: np.ndarray, profile: bytes | None, grey: bool = False) -> Colour:
    for array in (native, srgb):
        array.setflags(write=False)
    same = mode == "RGB" and np.array_equal(native, srgb)
    return Colour(mode, None if same else native, srgb, profile, grey)


def _plain(native: np.ndarray, mode: str) -> np.ndarray:
    """sRGB without a profile: grey tripled, CMYK as light that each ink takes away."""
    if mode == "L":
        return np.dstack([native] * 3)
    if mode == "RGB":
        return native
    light = 255 - native[..., 3:].astype(np.uint16)
    return ((255 - native[..., :3]) * light // 255).astype(np.uint8)


def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def _transform(
    here: ImageCms.ImageCmsProfile, there: ImageCms.ImageCmsProfile, mode: str, wanted: str
) -> ImageCms.ImageCmsTransform:
    intent = ImageCms.Intent.RELATIVE_COLORIMETRIC
    return ImageCms.buildTransform(here, there, mode, wanted, intent, _FLAGS)


def _converted(pixels: np.ndarray, transform: ImageCms.ImageCmsTransform, mode: str, wanted: str) -> np.ndarray:
    height, width = pixels.shape[:2]
    channels = {"L": 1, "RGB": 3, "LAB": 3, "CMYK": 4}[wanted]
    out = np.empty((height, width) if channels == 1 else (height, width, channels), np.uint8)
    step = max(_CHUNK // width, 1)
    for top in range(0, height, step):
        strip = np.ascontiguousarray(pixels[top : top + step])
        image = Image.frombuffer(mode, (width, strip.shape[0]), strip.tobytes(), "raw", mode, 0, 1)
        out[top : top + step] = np.asarray(transform.apply(image))
    return out


def _is_grey(pixels: np.ndarray) -> bool:
    rows = max(_CHUNK // pixels.shape[1], 1)
    return all(
        int(np.ptp(pixels[top : top + rows], axis=2).max()) <= _NEUTRAL for top in range(0, pixels.shape[0], rows)
    )
