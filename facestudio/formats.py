"""Which file formats are photos here: their suffixes, the plugins of Pillow that may read them, what each can hold.

Separate so that decoding, encoding and metadata agree. A file is told by its content, never by its name, and only by
the plugins listed here: Pillow knows many more, some of which start other programs. Knows no pixels and no folders.
"""

from __future__ import annotations

import re
import threading
import warnings
from pathlib import Path
from typing import IO

from PIL import AvifImagePlugin, Image, MpoImagePlugin, TiffImagePlugin, WebPImagePlugin  # noqa: F401 - each registers

SUFFIXES: dict[str, str] = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jpe": "JPEG",
    ".jfif": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
    ".avif": "AVIF",
}
READABLE = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "AVIF", "HEIF")
WORDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC or AVIF"
WITHOUT_ALPHA = frozenset({"JPEG", "BMP"})
WITH_CMYK = frozenset({"JPEG", "TIFF"})
WITHOUT_XMP = frozenset({"BMP", "GIF"})
LONGEST_SIDE = {"JPEG": 65500, "WEBP": 16383, "GIF": 65535, "HEIF": 16384, "AVIF": 65536}

# What Pillow's decoders raise on files that are damaged or made to hurt. They parse foreign bytes with struct, dicts
# and slices, so that nearly any error of Python can mean "damaged".
DECODER_ERRORS = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    TypeError,
    ArithmeticError,
    LookupError,
    AttributeError,
    RuntimeError,
    AssertionError,
    MemoryError,
    Image.DecompressionBombError,
)

# grey with another channel, 16 bits each, for which Pillow has no mode: its bytes as they stand, for `depth.grey_and_alpha`
_OF_TWO = [
    (order, photometric, (1,), 1, (16, 16), (kind,))
    for order in (b"II", b"MM")
    for photometric in (0, 1)
    for kind in (0, 1, 2)
]
_LIKE_A_FILE = re.compile(r"\.[A-Za-z][A-Za-z0-9]{1,4}")
_registered = threading.Lock()


def supported_suffix(path: Path | str) -> bool:
    """Whether the name of `path` ends like a photo's."""
    return Path(path).suffix.lower() in SUFFIXES


def format_of(path: Path | str) -> str | None:
    """Pillow's name of the format that the name of `path` ends like, None when it ends like none of ours."""
    return SUFFIXES.get(Path(path).suffix.lower())


def mistyped(path: Path | str) -> bool:
    """Whether the name of `path` ends like a file's of no format here, such as ".jgp"; the end of "scan.2024" is none."""
    return not supported_suffix(path) and _LIKE_A_FILE.fullmatch(Path(path).suffix) is not None


def format_name(text: str) -> str | None:
    """Pillow's name of the format called `text` ("png", ".jpg", "HEIC", "JPEG"); None when it is not one of ours."""
    wanted = text.strip().lower().lstrip(".")
    return SUFFIXES.get(f".{wanted}") or next((name for name in READABLE if name.lower() == wanted), None)


def open_image(file: IO[bytes]) -> Image.Image:
    """The picture in `file`, its pixels not decoded yet; raises one of DECODER_ERRORS when it is none of ours."""
    _prepare()
    image = Image.open(file, formats=READABLE)
    tags = getattr(image, "tag_v2", {})
    if image.mode == "RGBA" and tags.get(258) == (16, 16) and tags.get(284) == 2:
        raise OSError("two channels of 16 bits that stand behind one another are not read")
    return image


def _prepare() -> None:
    """Set Pillow up: HEIC, no alarm of its own about large pictures (we check), no warnings about odd metadata."""
    with _registered:
        if "HEIF" not in Image.OPEN:
            import pillow_heif

            pillow_heif.register_heif_opener()
        for key in _OF_TWO:
            TiffImagePlugin.OPEN_INFO.setdefault(key, ("RGBA", "RGBA"))
        Image.MAX_IMAGE_PIXELS = None
        # Process-wide and idempotent: a temporary filter would race with the other threads that decode.
        for module in (r"PIL\.", r"pillow_heif\."):
            warnings.filterwarnings("ignore", module=module)
