"""From the bytes of a file to pixels: one decoder for every format, which turns whatever is wrong into one sentence.

The size is checked before anything is decoded. Separate from `photo`, because a photo does not care how it was stored;
knows no window, no saving and no colour arithmetic.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
from PIL import Image

from facestudio import depth
from facestudio.colour import Colour, to_srgb
from facestudio.errors import DamagedPhoto, UnreadablePhoto
from facestudio.files import Watched
from facestudio.formats import DECODER_ERRORS, WORDS, open_image
from facestudio.metadata import Metadata, collect
from facestudio.salvaging import SALVAGED, Damage, directory_end, salvage

# how many first bytes tell what a file is when it is none of ours
_KINDS = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript document"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript document"),
    (b"8BPS", "a Photoshop document"),
    (b"PK\x03\x04", "an archive or a document"),
    (b"PK\x05\x06", "an archive or a document"),
    (b"\x1f\x8b", "an archive"),
    (b"7z\xbc\xaf", "an archive"),
    (b"Rar!", "an archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1aE\xdf\xa3", "a film"),
    (b"RIFF", "an audio or video file"),
    (b"OggS", "an audio or video file"),
    (b"ID3", "a sound"),
    (b"\x00\x00\x01\x00", "an icon"),
    (b"gimp xcf", "a GIMP document"),
    (b"FUJIFILMCCD-RAW", "a camera's raw file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
)
_OURS = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"hevc", b"avif", b"avis")
_TURNS = {  # EXIF orientation: transpose, then flip up-down, then flip left-right
    2: (False, False, True),
    3: (False, True, True),
    4: (False, True, False),
    5: (True, False, False),
    6: (True, False, True),
    7: (True, True, True),
    8: (True, True, False),
}


@dataclass(frozen=True, eq=False)
class Decoded:
    """What a file held: `colour.srgb` upright, `alpha` (H, W) uint8 or None, and what to remember of it; `damage` of a file that
    was salvaged. `alpha_lower`: the lower bytes of an `alpha` of 16 bits."""

    colour: Colour
    alpha: np.ndarray | None
    format: str
    bits: int
    lossless: bool
    metadata: Metadata
    notes: tuple[str, ...]
    damage: Damage | None = None
    alpha_lower: np.ndarray | None = None


def decode(
    file: IO[bytes],
    name: str,
    max_megapixels: float,
    salvaged: bool = False,
    reading: Callable[[float | None], None] | None = None,
) -> Decoded:
    """Decode the photo in `file`; UnreadablePhoto in one sentence about `name` when that cannot be done.

    DamagedPhoto when part of it may be readable; with `salvaged` that part is read, and it is said which. `reading` is called
    with None before what is decoded in one go, with 1 once all is read, and may raise Cancelled.
    """
    try:
        image = open_image(file)
    except DECODER_ERRORS as error:
        raise _not_a_photo(file, name) from error
    with image:
        _check_size(image.size, name, max_megapixels)
        try:
            bits, stored = _bits(image), depth.storage(image)
            if isinstance(file, Watched) and bits == 16 and depth.in_two(stored):
                file.times = 2
            if reading is not None and _in_one_go(image):
                reading(None)
            image.load()
            _check_size(image.size, name, max_megapixels)
            below = _lower(image, file, bits) if bits == 16 else (None, None)
            if reading is not None:
                reading(1.0)
            return _decoded(image, file, name, bits, stored, below)
        except MemoryError as error:
            message = f"{name} is too large for this computer's memory."
            raise UnreadablePhoto(message, hint="Make the photo smaller first.") from error
        except DECODER_ERRORS as error:
            if salvaged and image.format in SALVAGED:
                return _salvaged(file, name, max_megapixels)
            message = f"{name} is damaged or incomplete."
            kind = DamagedPhoto if image.format in SALVAGED else UnreadablePhoto
            raise kind(message, hint="Copy it again from where it came from.") from error


def _salvaged(file: IO[bytes], name: str, max_megapixels: float) -> Decoded:
    """What can be read of a damaged file."""
    try:
        image, unread, coarse = salvage(file)
        _check_size(image.size, name, max_megapixels)
        decoded = _decoded(image, file, name, _bits(image))
        damage = Damage(upright(unread, decoded.metadata.orientation), coarse)
    except MemoryError as error:
        message = f"{name} is too large for this computer's memory."
        raise UnreadablePhoto(message, hint="Make the photo smaller first.") from error
    except DECODER_ERRORS as error:
        message = f"{name} is damaged, and nothing of its picture can be read."
        raise UnreadablePhoto(message, hint="Copy it again from where it came from.") from error
    return replace(decoded, damage=damage, notes=(damage.sentence, *decoded.notes))


def _decoded(
    image: Image.Image,
    file: IO[bytes],
    name: str,
    bits: int,
    stored: str = "",
    lower: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Decoded:
    """What the decoded `image` of a `file` is, whose samples were `stored` so; `lower`: as of `_lower`."""
    notes = []
    native, mode, alpha = _pixels(image, name, bits)
    if stored == depth.GREY_ALPHA:  # which Pillow takes for colour
        native, mode = np.ascontiguousarray(native[..., 0]), "L"
    below, alpha_below = lower
    if (both := depth.grey_and_alpha(image)) is not None:
        mode = "L"
        (native, below), (alpha, alpha_below) = map(_halves, both)
    format = {"MPO": "JPEG"}.get(image.format or "", image.format or "")
    lossless = _is_lossless(image, format, file)
    profile = image.info.get("icc_profile") or None
    if bits > 8:
        notes.append(deep_note(bits, below is not None))
    if _frames(image):
        moving = format in ("GIF", "WEBP", "PNG", "AVIF")
        notes.append(
            "It is an animation; only its first frame is used."
            if moving
            else "It holds several pictures; only the first one is used."
        )
    metadata = collect(image, format, _turned(file) if format == "TIFF" else 1)
    orientation = metadata.orientation
    colour, note = to_srgb(upright(native, orientation), mode, profile)
    if below is not None:
        below = upright(below, orientation)
        if below.ndim == 2 and colour.mode == "RGB":  # grey with a profile of colours
            below = np.dstack([below] * 3)
        below.setflags(write=False)
        colour = replace(colour, lower=below)
    alpha, alpha_below = (_alpha(one, orientation) for one in (alpha, alpha_below))
    told = (*notes, *([note] if note else []))
    return Decoded(colour, alpha, format, bits, lossless, metadata, told, alpha_lower=alpha_below)


def _turned(file: IO[bytes]) -> int:
    """The orientation of a decoded TIFF, which Pillow has turned by it, and forgotten."""
    file.seek(0)
    try:
        with open_image(file) as again:
            turn = getattr(again, "tag_v2", {}).get(0x0112, 1)
    except DECODER_ERRORS:
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _halves(samples: np.ndarray | None) -> tuple[Any, Any]:
    """The upper and the lower bytes of uint16 `samples`."""
    return (None, None) if samples is None else ((samples >> 8).astype(np.uint8), (samples & 255).astype(np.uint8))


def _alpha(alpha: np.ndarray | None, orientation: int) -> np.ndarray | None:
    if alpha is not None:
        alpha = upright(alpha, orientation)
        alpha.setflags(write=False)
    return alpha


def deep_note(bits: int, kept: bool = False) -> str:
    """What is said when a photo is opened that holds more than 8 `bits` per colour; `kept`: all of them can be saved."""
    saved = f"keeps all {bits} of what it does not change in {' and '.join(depth.FORMATS)}" if kept else "saves 8"
    return f"It holds {bits} bits per colour; Face Studio works with 8, and {saved}."


def _lower(image: Image.Image, file: IO[bytes], bits: int) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The lower bytes (H, W[, 3]) of the 16-bit samples of a decoded `image`, and (H, W) of its alpha; None where they cannot be
    told, or there is no alpha of 16 bits."""
    if image.mode.startswith("I;16"):
        return (_grey(image, bits) & 255).astype(np.uint8), None
    if image.format not in depth.FORMATS:
        return None, None
    file.seek(0)
    try:
        with open_image(file) as again:
            stored, found = depth.storage(again), depth.lower_bytes(again)
    except DECODER_ERRORS:
        return None, None  # as it was decoded a moment ago this is memory; 8 bits are there
    if found is None or found.shape[:2] != image.size[::-1]:
        return None, None
    colour, alpha = (1, 3) if stored == depth.GREY_ALPHA else (slice(3), 3)
    return (
        np.ascontiguousarray(found[..., colour]),
        np.ascontiguousarray(found[..., alpha]) if found.shape[2] > alpha else None,
    )


def _grey(image: Image.Image, bits: int) -> np.ndarray:
    """The samples (H, W) of grey of more than 8 `bits`, black being 0."""
    samples = np.asarray(image)
    if getattr(image, "tag_v2", {}).get(262) == 0:  # a TIFF in which 0 is white; Pillow inverts only 8 bits
        samples = (1 << bits) - 1 - samples
    return samples


def upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """`pixels` (H, W, ...) turned as the EXIF orientation 1..8 says; another number leaves them."""
    transpose, down, right = _TURNS.get(orientation, (False, False, False))
    if transpose:
        pixels = pixels.swapaxes(0, 1)
    if down:
        pixels = pixels[::-1]
    if right:
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _pixels(image: Image.Image, name: str, bits: int) -> tuple[np.ndarray, str, np.ndarray | None]:
    """The samples (H, W[, C]) uint8 of `image` in mode "L", "RGB", "CMYK" or "LAB", and its alpha (H, W) or None."""
    mode = image.mode
    if mode in ("F", "I"):
        return _deep(np.asarray(image), name), "L", None
    if mode.startswith("I;16"):
        samples = _grey(image, bits)
        return (samples >> (bits - 8)).clip(0, 255).astype(np.uint8), "L", _grey_key(image, samples)
    if mode == "P" and image.palette is not None and image.palette.mode == "RGBA":
        image = image.convert("RGBA")
    elif mode in ("P", "PA"):
        image = image.convert("RGBA" if mode == "PA" or "transparency" in image.info else "RGB")
    elif mode == "1":
        image = image.convert("L")
    elif mode in ("L", "RGB") and "transparency" in image.info:
        image = image.convert("LA" if mode == "L" else "RGBA")
    elif mode in ("La", "RGBa"):
        image = image.convert("LA" if mode == "La" else "RGBA")
    elif mode not in ("L", "LA", "RGB", "RGBA", "CMYK", "LAB"):
        image = image.convert("RGB")  # YCbCr, HSV, RGBX
    samples = np.asarray(image)
    if image.mode == "LA":
        return np.ascontiguousarray(samples[..., 0]), "L", np.ascontiguousarray(samples[..., 1])
    if image.mode == "RGBA":
        return np.ascontiguousarray(samples[..., :3]), "RGB", np.ascontiguousarray(samples[..., 3])
    return samples, image.mode, None


def _deep(samples: np.ndarray, name: str) -> np.ndarray:
    """8-bit grey of numbers that are clearly a picture: floats in 0..1, or whole numbers in 0..65535."""
    low, high = float(samples.min()), float(samples.max())
    full = 1.0 if samples.dtype.kind == "f" else 65535.0
    if not (np.isfinite((low, high)).all() and 0 <= low and high <= full):
        message = f"{name} contains measurements instead of brightness values, so it cannot be shown as a photo."
        raise UnreadablePhoto(message, hint="Export it with 8 or 16 bits.")
    return np.rint(samples * (255.0 / full)).astype(np.uint8)


def _grey_key(image: Image.Image, samples: np.ndarray) -> np.ndarray | None:
    """Alpha of a 16-bit grey PNG whose one see-through grey is named in its header."""
    key = image.info.get("transparency")
    return np.where(samples == key, 0, 255).astype(np.uint8) if isinstance(key, int) else None


def _bits(image: Image.Image) -> int:
    """Bits per colour in the file, as far as its header tells; to be asked before the pixels are loaded."""
    tags = getattr(image, "tag_v2", None)
    if tags is not None:
        bits = tags.get(258, (1,))
        return int(max(bits)) if isinstance(bits, tuple) else int(bits)
    if isinstance(image.info.get("bit_depth"), int):
        return int(image.info["bit_depth"])
    return 16 if image.mode.startswith("I") or ";16" in str(getattr(image, "tile", "")) else 8


def _in_one_go(image: Image.Image) -> bool:
    """Whether the decoder reads no portions, so that nothing can be told, nor stopped, before it is done."""
    return image.format not in ("JPEG", "MPO", "PNG", "GIF", "BMP") and image.info.get("compression") != "raw"


def _frames(image: Image.Image) -> bool:
    """Whether the file holds more than one picture; a file damaged after its first picture counts as one that does."""
    try:
        return bool(getattr(image, "is_animated", False))
    except DECODER_ERRORS:
        return True


def _is_lossless(image: Image.Image, format: str, file: IO[bytes]) -> bool:
    if format == "WEBP":
        file.seek(0)
        return b"VP8L" in file.read(64)
    if format == "TIFF":
        return image.info.get("compression") not in ("jpeg", "tiff_jpeg", "webp")
    return format in ("PNG", "BMP", "GIF")


def _check_size(size: tuple[int, int], name: str, max_megapixels: float) -> None:
    megapixels = size[0] * size[1] / 1e6
    if megapixels > max_megapixels:
        raise UnreadablePhoto(
            f"{name} has {megapixels:,.0f} megapixels; at most {max_megapixels:,.0f} are read.",
            hint="Make the photo smaller, or raise the limit in the settings.",
        )


def _not_a_photo(file: IO[bytes], name: str) -> UnreadablePhoto:
    """The sentence for a file that no decoder took, told by its first bytes."""
    file.seek(0)
    start = file.read(512)
    hint = f"Choose a photo in the format {WORDS}."
    if not start:
        return UnreadablePhoto(f"{name} is empty.", hint="Copy it again from where it came from.")
    if least := directory_end(file):
        length = file.seek(0, io.SEEK_END)
        message = (
            f"{name} is cut off: the end of this TIFF is missing, and with it the directory that says where and how "
            "the picture is stored, so nothing of it can be read."
        )
        hint = (
            f"Copy it again from where it came from: the complete file has at least {least:,} bytes, this one has "
            f"{length:,}. Otherwise look for a JPEG or PNG of the photo; parts of these can be read."
        )
        return UnreadablePhoto(message, hint=hint)
    webp = start[:4] == b"RIFF" and start[8:12] == b"WEBP"
    if webp or start.startswith(_OURS) or (start[4:8] == b"ftyp" and start[8:12] in _BRANDS):
        return UnreadablePhoto(f"{name} is damaged or incomplete.", hint="Copy it again from where it came from.")
    if start[4:8] == b"ftyp":
        return UnreadablePhoto(f"{name} is a video, not a photo.", hint=hint)
    for first, kind in _KINDS:
        if start.startswith(first):
            return UnreadablePhoto(f"{name} is {kind}, not a photo.", hint=hint)
    lower = start.lstrip().lower()
    if lower.startswith((b"<svg", b"<?xml")) and b"<svg" in lower:
        return UnreadablePhoto(f"{name} is a drawing (SVG), not a photo.", hint=hint)
    if lower.startswith((b"<!doctype html", b"<html")):
        return UnreadablePhoto(f"{name} is a web page, not a photo.", hint="Download the picture itself.")
    if b"\x00" not in start and _is_text(start):
        return UnreadablePhoto(f"{name} is a text file, not a photo.", hint=hint)
    return UnreadablePhoto(f"{name} is not a photo that Face Studio can read.", hint=hint)


def _is_text(start: bytes) -> bool:
    try:
        start.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(start) - 4  # cut within a letter
    return True
