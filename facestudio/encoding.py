"""From pixels to the bytes of a file: one encoder for every format, at the quality that a restored face deserves.

Separate from `photo`, because a photo does not care how it will be stored; knows no folders and no colour arithmetic.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from facestudio import depth
from facestudio.errors import UnwritableOutput
from facestudio.formats import DECODER_ERRORS, LONGEST_SIDE, WITHOUT_ALPHA
from facestudio.iptc import PNG_KEY


@dataclass(frozen=True, eq=False)
class Picture:
    """What is to be written: samples (H, W[, C]) uint8 of `mode` "L", "RGB" or "CMYK", alpha (H, W), ICC profile.

    Samples and alpha may be uint16, in a format of `depth.FORMATS` and not in CMYK.
    """

    samples: np.ndarray
    mode: str
    alpha: np.ndarray | None
    profile: bytes | None


def encode(picture: Picture, format: str, metadata: dict[str, Any], lossless: bool, name: str) -> memoryview:
    """The bytes of a file of `format` that shows `picture`; UnwritableOutput says why `name` cannot be one.

    They are made in memory, because Pillow does not say why when it is the disk that refuses.

    Args:
        metadata: the settings of `metadata.for_output`.
        lossless: the original lost nothing, so the result loses nothing either where the format leaves the choice.
    """
    height, width = picture.samples.shape[:2]
    longest = LONGEST_SIDE.get(format)
    if longest is not None and max(height, width) > longest:
        message = f"{name} cannot be written: a side of {max(height, width)} pixels is too long for {format}."
        raise UnwritableOutput(message, hint="Choose PNG or TIFF.")
    settings = {**_quality(format, lossless), **metadata}
    if picture.profile is not None and format not in ("BMP", "GIF"):
        settings["icc_profile"] = picture.profile
    if format == "PNG" and (texts := settings.pop("texts", ())):
        settings["pnginfo"] = _png_texts(texts)
    if format == "PNG" and (packet := settings.pop("xmp", None)):
        info = settings.setdefault("pnginfo", PngImagePlugin.PngInfo())
        info.add_itxt("XML:com.adobe.xmp", packet.decode("utf-8"))
    buffer = io.BytesIO()
    try:
        if picture.samples.dtype == np.uint16:
            deep = {"PNG": depth.png, "TIFF": depth.tiff}[format]
            return deep(picture.samples, picture.alpha, settings)
        _image(picture, format).save(buffer, format=format, **settings)
    except DECODER_ERRORS as error:
        message = f"{name} cannot be written as {format}."
        raise UnwritableOutput(message, hint="Choose another format, such as PNG.") from error
    return buffer.getbuffer()


def over_white(samples: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """`samples` (H, W[, C]) laid over white paper by `alpha` (H, W); where it is 255 no bit changes."""
    out = samples.copy()
    for row in np.flatnonzero((alpha < 255).any(axis=1)):
        weight = alpha[row].astype(np.uint16)
        weight = weight if samples.ndim == 2 else weight[:, None]
        out[row] = (samples[row] * weight + 255 * (255 - weight) + 127) // 255
    return out


def _image(picture: Picture, format: str) -> Image.Image:
    """The picture as an image that Pillow can write."""
    samples, alpha = picture.samples, picture.alpha
    if alpha is None:
        height, width = samples.shape[:2]
        return Image.frombuffer(picture.mode, (width, height), np.ascontiguousarray(samples), "raw", picture.mode, 0, 1)
    if format in WITHOUT_ALPHA:
        return Image.fromarray(over_white(samples, alpha))
    return Image.fromarray(np.dstack([samples, alpha]))


def _quality(format: str, lossless: bool) -> dict[str, Any]:
    if format == "JPEG":
        return {"quality": 95, "subsampling": "4:4:4"}
    if format == "WEBP":
        return {"lossless": True, "exact": True, "quality": 60} if lossless else {"quality": 95, "exact": True}
    if format == "TIFF":
        return {"compression": "tiff_adobe_deflate"}
    if format == "HEIF":
        return {"quality": 95, "chroma": 444}
    if format == "AVIF":
        return {"quality": 95, "subsampling": "4:4:4", "speed": 8}
    return {"compress_level": 4} if format == "PNG" else {}


def _png_texts(texts: tuple[tuple[str, str], ...]) -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    for key, text in texts:
        if key == PNG_KEY:
            info.add_text(key, text, zip=True)  # other programs look for it there
        else:
            info.add_itxt(key, text)
    return info
