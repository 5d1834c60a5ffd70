"""Bad and odd files, drawn by code, each with what is to be expected of it.

`build(folder)` writes them all and returns their table. A case either gives its picture (with the size, and sometimes the
colour, that it must have) or one sentence that holds certain words. Nothing here is imported by the product.
"""

from __future__ import annotations

import io
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
from PIL import Image, ImageCms, PngImagePlugin, TiffImagePlugin

WIDTH, HEIGHT = 48, 32
RED = (200, 40, 30)

pillow_heif.register_heif_opener()


@dataclass(frozen=True)
class Case:
    """One file of the corpus.

    Attributes:
        error: words that its one sentence holds; "" when it gives a picture.
        size: width and height of that picture.
        colour: of its top left corner, within `tolerance` levels; None where it does not matter.
        note: words that one of the photo's notes holds.
        alpha: whether the photo has transparency.
        either: damaged so that a decoder may still make a picture of it: a picture or a sentence, both are right.
    """

    name: str
    path: Path
    error: str = ""
    size: tuple[int, int] = (WIDTH, HEIGHT)
    colour: tuple[int, int, int] | None = None
    tolerance: int = 12
    note: str = ""
    alpha: bool = False
    either: bool = False


def drawing(width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """(height, width, 3) uint8: the top left quarter red, the rest a soft gradient."""
    y, x = np.mgrid[0:height, 0:width]
    pixels = np.dstack([x * 200 // max(width, 1) + 20, y * 200 // max(height, 1) + 20, np.full_like(x, 120)])
    pixels[: height // 2, : width // 2] = RED
    return pixels.astype(np.uint8)


def encoded(format: str, image: Image.Image | None = None, **settings: Any) -> bytes:
    """The bytes of `image` (the drawing) as `format`."""
    buffer = io.BytesIO()
    (image or Image.fromarray(drawing())).save(buffer, format, **settings)
    return buffer.getvalue()


def png_chunk(kind: bytes, content: bytes, crc: int | None = None) -> bytes:
    """One chunk of a PNG file, its checksum right unless `crc` is given."""
    checksum = zlib.crc32(kind + content) if crc is None else crc
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def png(width: int, height: int, data: bytes, *chunks: bytes, colour: int = 2, bits: int = 8) -> bytes:
    """A PNG file whose header says what it is told, whatever `data` holds."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def bmp_header(width: int, height: int) -> bytes:
    """The header of a 24-bit BMP file without its pixels."""
    return (
        b"BM"
        + struct.pack("<IHHI", 54, 0, 0, 54)
        + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0)
    )


@cache  # a profile holds the second that it was made in
def srgb_profile() -> bytes:
    """An ICC profile of sRGB."""
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif_block(orientation: int = 1, **texts: str) -> bytes:
    """EXIF with an orientation and a maker's name."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = orientation, texts.get("make", "Drawn by code")
    return exif.tobytes()


def xmp_packet(properties: str = "", doctype: str = "") -> bytes:
    """An XMP packet with `properties` as XML elements."""
    return (
        f'{doctype}<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/">{properties}</rdf:Description>'
        f"</rdf:RDF></x:xmpmeta>"
    ).encode()


def entity_bomb() -> str:
    """A document type whose entities would grow to gigabytes."""
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 11))
    return f'<!DOCTYPE x [<!ENTITY e0 "0123456789">{entities}]>'


def build(folder: Path) -> list[Case]:
    """Write the corpus into `folder`; what this system cannot make (links, pipes, odd names) is left out."""
    corpus = _Corpus(folder)
    for add in (_good, _deep, _modes, _turned, _several, _metadata, _damaged, _lying, _foreign, _not_files, _names):
        add(corpus)
    return corpus.cases


class _Corpus:
    """The folder and the table that grows."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cases: list[Case] = []

    def add(self, name: str, content: bytes | None, file: str | None = None, **expected: Any) -> None:
        """Write `content` (None: the file is there already) as `file` and note what is expected of it."""
        path = self.folder / (file or name)
        if content is not None:
            path.write_bytes(content)
        self.cases.append(Case(name, path, **expected))

    def try_add(self, name: str, file: str, make: Callable[[Path], None], **expected: Any) -> None:
        """Like `add` for what not every system can make."""
        path = self.folder / file
        try:
            make(path)
        except (OSError, NotImplementedError, AttributeError, UnicodeError):
            return
        self.cases.append(Case(name, path, **expected))


def _good(corpus: _Corpus) -> None:
    corpus.add("good.jpg", encoded("JPEG", quality=95), colour=RED)
    corpus.add("good.png", encoded("PNG"), colour=RED, tolerance=0)
    corpus.add("good-lossy.webp", encoded("WEBP", quality=95), colour=RED)
    corpus.add("good-lossless.webp", encoded("WEBP", lossless=True), colour=RED, tolerance=0)
    corpus.add("good.tif", encoded("TIFF"), colour=RED, tolerance=0)
    corpus.add("good-lzw.tif", encoded("TIFF", compression="tiff_lzw"), colour=RED, tolerance=0)
    corpus.add("good-jpeg.tif", encoded("TIFF", compression="jpeg", quality=95), colour=RED)
    corpus.add("good.bmp", encoded("BMP"), colour=RED, tolerance=0)
    corpus.add("good.gif", encoded("GIF"), colour=RED)
    corpus.add("good.heic", encoded("HEIF", quality=95), colour=RED)
    corpus.add("good.avif", encoded("AVIF", quality=95), colour=RED)
    corpus.add("progressive.jpg", encoded("JPEG", quality=95, progressive=True), colour=RED)
    corpus.add("optimized.png", encoded("PNG", optimize=True), colour=RED, tolerance=0)
    corpus.add("one-pixel.png", encoded("PNG", Image.new("RGB", (1, 1), RED)), size=(1, 1), colour=RED)
    corpus.add("one-pixel.jpg", encoded("JPEG", Image.new("RGB", (1, 1), RED)), size=(1, 1), colour=RED)
    corpus.add("tall.png", encoded("PNG", Image.new("RGB", (1, 20000), RED)), size=(1, 20000), colour=RED)
    corpus.add("wide.jpg", encoded("JPEG", Image.new("RGB", (20000, 1), RED)), size=(20000, 1), colour=RED)


def _deep(corpus: _Corpus) -> None:
    deep = drawing().astype(np.uint16) * 257
    alpha = np.full((HEIGHT, WIDTH, 1), 30000, np.uint16)
    for suffix in ("png", "tif"):
        for name, samples, more in (
            ("grey", deep[..., :1], {"colour": (200, 200, 200)}),
            ("rgb", deep[..., ::-1], {"colour": RED}),
            ("rgba", np.dstack([deep[..., ::-1], alpha]), {"colour": RED, "alpha": True}),
        ):
            done, content = cv2.imencode(f".{suffix}", samples)
            assert done
            corpus.add(f"deep-{name}.{suffix}", content.tobytes(), note="16 bits", tolerance=1, **more)
    white_is_zero = b"II*\x00\x08\x00\x00\x00" + _tiff_directory("<", 16, deep[..., 0].astype("<u2").tobytes(), zero=0)
    corpus.add("deep-negative.tif", white_is_zero, colour=(55, 55, 55), tolerance=1, note="16 bits")
    big = b"MM\x00*\x00\x00\x00\x08" + _tiff_directory(">", 16, deep[..., 0].astype(">u2").tobytes())
    corpus.add("deep-big-endian.tif", big, colour=(200, 200, 200), tolerance=1, note="16 bits")
    ten = np.ascontiguousarray(drawing().astype(np.uint16) * 257)
    heif = pillow_heif.encode if hasattr(pillow_heif, "encode") else None
    if heif is not None:
        buffer = io.BytesIO()
        heif("RGB;16", (WIDTH, HEIGHT), ten.tobytes(), buffer, quality=95)
        corpus.add("deep.heic", buffer.getvalue(), colour=RED, note="bits per colour")


def _tiff_directory(order: str, bits: int, pixels: bytes, zero: int = 1) -> bytes:
    """The directory, placed at byte 8, of a grey TIFF, and its pixels; `zero` 1 makes zero black."""
    values = {256: WIDTH, 257: HEIGHT, 258: bits, 259: 1, 262: zero, 273: 0, 277: 1, 278: HEIGHT, 279: len(pixels)}
    values[273] = 8 + 2 + 12 * len(values) + 4
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in values.items())
    return struct.pack(f"{order}H", len(values)) + entries + bytes(4) + pixels


def _modes(corpus: _Corpus) -> None:
    image = Image.fromarray(drawing())
    grey, alpha = image.convert("L"), Image.new("L", image.size, 128)
    corpus.add("grey.jpg", encoded("JPEG", grey), colour=(87, 87, 87))
    corpus.add("grey.png", encoded("PNG", grey), colour=(87, 87, 87), tolerance=1)
    corpus.add("grey-alpha.png", encoded("PNG", Image.merge("LA", (grey, alpha))), colour=(87, 87, 87), alpha=True)
    corpus.add("one-bit.png", encoded("PNG", Image.new("1", image.size, 1)), colour=(255, 255, 255), tolerance=0)
    corpus.add(
        "one-bit.tif", encoded("TIFF", Image.new("1", image.size, 1), compression="group4"), colour=(255, 255, 255)
    )
    corpus.add("palette.png", encoded("PNG", image.quantize(64)), colour=RED)
    corpus.add("palette-see-through.png", encoded("PNG", image.quantize(64), transparency=0), alpha=True)
    corpus.add("palette-soft.png", encoded("PNG", image.quantize(8), transparency=bytes(range(0, 80, 10))), alpha=True)
    corpus.add("grey-key.png", encoded("PNG", grey, transparency=87), alpha=True)
    corpus.add("rgb-key.png", encoded("PNG", image, transparency=RED), alpha=True, colour=RED, tolerance=0)
    rgba = image.copy()
    rgba.putalpha(alpha)
    for format, suffix in (("PNG", "png"), ("WEBP", "webp"), ("TIFF", "tif"), ("HEIF", "heic"), ("AVIF", "avif")):
        corpus.add(f"alpha.{suffix}", encoded(format, rgba), alpha=True, colour=RED, tolerance=40)
    corpus.add("palette.gif", encoded("GIF", image.quantize(16), transparency=3), alpha=True)
    corpus.add("palette.bmp", encoded("BMP", image.quantize(16)))
    corpus.add("rgba.bmp", encoded("BMP", rgba))
    cmyk = image.convert("CMYK")
    corpus.add("cmyk.jpg", encoded("JPEG", cmyk, quality=95), colour=RED)
    corpus.add("cmyk.tif", encoded("TIFF", cmyk), colour=RED, tolerance=2)
    lab = _lab()
    corpus.add("lab.tif", encoded("TIFF", lab), colour=(195, 195, 195), tolerance=12)
    corpus.add("ycbcr.tif", encoded("TIFF", image.convert("YCbCr")), colour=RED)
    plain = np.ones((HEIGHT, WIDTH), np.float32)
    corpus.add("float.tif", encoded("TIFF", Image.fromarray(plain / 2)), colour=(128, 128, 128), tolerance=1)
    corpus.add("cold.tif", encoded("TIFF", Image.fromarray(plain * -273.15)), error="measurements")
    corpus.add("nan.tif", encoded("TIFF", Image.fromarray(plain * np.nan)), error="measurements")
    corpus.add("int32.tif", encoded("TIFF", Image.fromarray(plain.astype(np.int32) << 30)), error="measurements")


def _lab() -> Image.Image:
    """A plain light grey in Lab."""
    return Image.merge("LAB", [Image.new("L", (WIDTH, HEIGHT), level) for level in (200, 128, 128)])


def _turned(corpus: _Corpus) -> None:
    for orientation in range(1, 9):
        stored = stored_as(drawing(), orientation)
        content = encoded("JPEG", Image.fromarray(stored), quality=95, subsampling=0, exif=exif_block(orientation))
        corpus.add(f"turned-{orientation}.jpg", content, colour=RED)
    turned = Image.fromarray(stored_as(drawing(), 6))
    for format, suffix in (("PNG", "png"), ("WEBP", "webp"), ("AVIF", "avif"), ("HEIF", "heic")):
        corpus.add(f"turned.{suffix}", encoded(format, turned, exif=exif_block(6)), colour=RED, tolerance=25)
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x0112] = 6
    corpus.add("turned.tif", encoded("TIFF", turned, tiffinfo=tags), colour=RED, tolerance=0)
    corpus.add("turned-nonsense.jpg", encoded("JPEG", quality=95, exif=exif_block(99)), colour=RED)


def stored_as(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """How a camera that turned by `orientation` stores the upright `pixels`."""
    undo: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda p: p,
        2: lambda p: p[:, ::-1],
        3: lambda p: p[::-1, ::-1],
        4: lambda p: p[::-1],
        5: lambda p: p.swapaxes(0, 1),
        6: lambda p: np.rot90(p, 1),
        7: lambda p: np.rot90(p, 2).swapaxes(0, 1),
        8: lambda p: np.rot90(p, -1),
    }
    return np.ascontiguousarray(undo[orientation](pixels))


def _several(corpus: _Corpus) -> None:
    first, second = Image.fromarray(drawing()), Image.new("RGB", (WIDTH, HEIGHT), (0, 90, 0))
    more: dict[str, Any] = {"save_all": True, "append_images": [second], "duration": 100}
    corpus.add("animated.gif", encoded("GIF", first, **more), colour=RED, note="first frame")
    corpus.add("animated.webp", encoded("WEBP", first, lossless=True, **more), colour=RED, note="first frame")
    corpus.add("animated.png", encoded("PNG", first, **more), colour=RED, note="first frame")
    corpus.add("animated.avif", encoded("AVIF", first, quality=95, **more), colour=RED, note="first frame")
    pages = {"save_all": True, "append_images": [second]}
    corpus.add("pages.tif", encoded("TIFF", first, **pages), colour=RED, note="several pictures", tolerance=0)
    corpus.add("pages.mpo", encoded("MPO", first, quality=95, **pages), colour=RED, note="several pictures")
    corpus.add("pages.heic", encoded("HEIF", first, quality=95, **pages), colour=RED, note="several pictures")
    jpeg = encoded("JPEG", quality=95)
    corpus.add("two-in-one.jpg", jpeg + jpeg, colour=RED)
    corpus.add("trailing-garbage.jpg", jpeg + os.urandom(500), colour=RED)
    corpus.add("trailing-zip.png", encoded("PNG") + b"PK\x03\x04" + bytes(50), colour=RED, tolerance=0)


def _metadata(corpus: _Corpus) -> None:
    image = Image.fromarray(drawing())
    corpus.add("profile.jpg", encoded("JPEG", quality=95, icc_profile=srgb_profile()), colour=RED)
    corpus.add("bad-profile.jpg", encoded("JPEG", quality=95, icc_profile=b"not a profile"), colour=RED, note="profile")
    corpus.add("cut-profile.png", encoded("PNG", icc_profile=srgb_profile()[:200]), colour=RED, note="profile")
    wrong = encoded("JPEG", image.convert("CMYK"), quality=95, icc_profile=srgb_profile())
    corpus.add("wrong-profile.jpg", wrong, colour=RED, note="profile")
    corpus.add(
        "grey-with-rgb-profile.jpg",
        encoded("JPEG", image.convert("L"), icc_profile=srgb_profile()),
        colour=(87, 87, 87),
    )
    corpus.add("huge-exif.jpg", encoded("JPEG", quality=95, exif=exif_block(make="x" * 64000)), colour=RED)
    corpus.add("huge-exif.png", encoded("PNG", exif=exif_block(make="x" * 200_000)), colour=RED)
    corpus.add("broken-exif.jpg", encoded("JPEG", quality=95, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\x7f"), colour=RED)
    corpus.add("cut-exif.jpg", encoded("JPEG", quality=95, exif=exif_block(1)[:20]), colour=RED)
    corpus.add("garbage-exif.webp", encoded("WEBP", lossless=True, exif=b"garbage" * 30), colour=RED)
    loop = b"Exif\x00\x00II*\x00\x08\x00\x00\x00" + struct.pack("<HHHII", 1, 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    corpus.add("looping-exif.jpg", encoded("JPEG", quality=95, exif=loop), colour=RED)
    corpus.add(
        "good-xmp.jpg", encoded("JPEG", quality=95, xmp=xmp_packet("<dc:format>image/jpeg</dc:format>")), colour=RED
    )
    corpus.add("broken-xmp.jpg", encoded("JPEG", quality=95, xmp=b"<x:xmpmeta><oh no"), colour=RED)
    bomb = xmp_packet("<dc:format>&e10;</dc:format>", entity_bomb())
    corpus.add("xmp-bomb.jpg", encoded("JPEG", quality=95, xmp=bomb), colour=RED)
    deep = b"<a>" * 5000 + b"</a>" * 5000
    corpus.add("xmp-deep.jpg", encoded("JPEG", quality=95, xmp=deep), colour=RED)
    corpus.add("xmp-binary.webp", encoded("WEBP", lossless=True, xmp=bytes(range(256))), colour=RED)
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Comment", "x" * 3_000_000, zip=True)
    corpus.add("text-bomb.png", encoded("PNG", pnginfo=texts), error="damaged", either=True)
    iccp = png_chunk(b"iCCP", b"x\x00\x00" + zlib.compress(bytes(50_000_000), 9))
    corpus.add("profile-bomb.png", png(WIDTH, HEIGHT, _rows(), iccp), error="damaged", either=True)


def _rows() -> bytes:
    """The compressed rows of the drawing, as a PNG holds them."""
    return zlib.compress(b"".join(b"\x00" + row.tobytes() for row in drawing()))


def _damaged(corpus: _Corpus) -> None:
    for format, suffix in (
        ("JPEG", "jpg"),
        ("PNG", "png"),
        ("WEBP", "webp"),
        ("TIFF", "tif"),
        ("BMP", "bmp"),
        ("GIF", "gif"),
        ("HEIF", "heic"),
        ("AVIF", "avif"),
    ):
        noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
        whole = encoded(format, Image.fromarray(noise))
        for share in (2, 50, 90):
            cut = whole[: max(len(whole) * share // 100, 4)]
            corpus.add(f"cut-{share}.{suffix}", cut, error=f"cut-{share}.{suffix} is")
        middle = len(whole) // 2
        corpus.add(
            f"scratched.{suffix}", whole[:middle] + bytes(40) + whole[middle + 40 :], either=True, error="damaged"
        )
    whole = encoded("TIFF", compression="tiff_lzw")
    corpus.add("cut-lzw.tif", whole[: len(whole) // 2], error="cut off")
    progressive = encoded("JPEG", progressive=True, quality=95)
    corpus.add("cut-progressive.jpg", progressive[: len(progressive) // 2], error="damaged")
    corpus.add("empty.jpg", b"", error="is empty")
    corpus.add("empty.png", b"", error="is empty")
    corpus.add("zeros.jpg", bytes(5000), error="not a photo")
    corpus.add("random.jpg", np.random.default_rng(3).bytes(5000), error="not a photo")
    corpus.add("one-byte.jpg", b"\xff", error="not a photo")
    start, end = encoded("PNG")[:33], encoded("PNG")[33:]
    corpus.add("bad-header-crc.png", start[:-1] + bytes([start[-1] ^ 255]) + end, error="damaged")
    bad = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
    corpus.add("bad-data-crc.png", bad + png_chunk(b"IDAT", _rows(), crc=1) + png_chunk(b"IEND", b""), colour=RED)
    corpus.add("no-data.png", bad + png_chunk(b"IEND", b""), error="damaged")
    corpus.add("header-only.png", bad, error="damaged")
    corpus.add("bad-deflate.png", png(WIDTH, HEIGHT, b"\x78\x9c" + b"\xff" * 100), error="damaged")
    corpus.add("too-few-rows.png", png(WIDTH, 100 * HEIGHT, _rows()), error="damaged", either=True)
    corpus.add("no-width.png", png(0, HEIGHT, _rows()), error="damaged")
    corpus.add("strange-bits.png", png(WIDTH, HEIGHT, _rows(), bits=7), error="damaged")
    corpus.add("endless.tif", b"II*\x00\x08\x00\x00\x00\x00\x00\x08\x00\x00\x00", error="damaged")
    corpus.add("nowhere.tif", b"II*\x00\xff\xff\xff\x7f", error="cut off")


def _lying(corpus: _Corpus) -> None:
    corpus.add("bomb.png", png(60000, 60000, zlib.compress(bytes(1000))), error="megapixels")
    corpus.add("bomb.bmp", bmp_header(50000, 50000), error="megapixels")
    corpus.add(
        "bomb.gif", b"GIF89a" + struct.pack("<HH", 65535, 65535) + b"\x80\x00\x00" + bytes(6) + b";", error="bomb.gif"
    )
    jpeg = bytearray(encoded("JPEG"))
    at = jpeg.index(b"\xff\xc0") + 5
    jpeg[at : at + 4] = struct.pack(">HH", 60000, 60000)
    corpus.add("bomb.jpg", bytes(jpeg), error="megapixels")
    tiff = b"II*\x00\x08\x00\x00\x00" + _tiff_directory("<", 8, bytes(100))
    tiff = tiff.replace(struct.pack("<HHII", 256, 4, 1, WIDTH), struct.pack("<HHII", 256, 4, 1, 70000))
    tiff = tiff.replace(struct.pack("<HHII", 257, 4, 1, HEIGHT), struct.pack("<HHII", 257, 4, 1, 70000))
    corpus.add("bomb.tif", tiff, error="megapixels")
    corpus.add("just-too-large.png", encoded("PNG", Image.new("1", (15001, 10000))), error="megapixels")
    corpus.add("png-called.jpg", encoded("PNG"), colour=RED, tolerance=0)
    corpus.add("jpeg-called.png", encoded("JPEG", quality=95), colour=RED)
    corpus.add("heic-called.jpg", encoded("HEIF", quality=95), colour=RED)
    corpus.add("webp-without-suffix", encoded("WEBP", lossless=True), colour=RED)
    corpus.add("jpeg-called.txt", encoded("JPEG", quality=95), colour=RED)


def _foreign(corpus: _Corpus) -> None:
    corpus.add("text.jpg", "Grüße, ich bin kein Bild.\n".encode() * 20, error="a text")
    corpus.add("page.jpg", b"<!DOCTYPE html><html><body>404</body></html>", error="web page")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a.png", encoded("PNG"))
    corpus.add("archive.png", buffer.getvalue(), error="archive")
    corpus.add(
        "drawing.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9" height="9"/></svg>', error="SVG"
    )
    corpus.add(
        "layers.psd",
        b"8BPS\x00\x01" + bytes(6) + struct.pack(">HIIHH", 3, 32, 48, 8, 3) + bytes(4000),
        error="Photoshop",
    )
    corpus.add("print.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\nshowpage\n", error="PostScript")
    corpus.add("paper.pdf", b"%PDF-1.7\n%%EOF\n", error="PDF")
    corpus.add("icon.ico", encoded("ICO", Image.new("RGB", (16, 16))), error="icon")
    corpus.add("film.mp4", b"\x00\x00\x00\x18ftypisom" + bytes(500), error="video")
    corpus.add("sound.jpg", b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(100), error="audio")
    corpus.add("program.png", b"\x7fELF" + bytes(500), error="program")
    corpus.add("map.ppm", encoded("PPM"), error="not a photo")
    corpus.add("texture.tga", encoded("TGA"), error="not a photo")
    corpus.add("fax.jp2", b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(100), error="JPEG 2000")


def _not_files(corpus: _Corpus) -> None:
    corpus.try_add("folder.jpg", "folder.jpg", lambda path: path.mkdir(), error="a folder")
    corpus.add("missing.jpg", None, error="no file")
    corpus.add("in-missing-folder.jpg", None, "nowhere/at-all.jpg", error="no file")
    corpus.add("in-a-file.jpg", None, "good.jpg/inside.jpg", error="no file")
    corpus.try_add("dangling.jpg", "dangling.jpg", lambda path: path.symlink_to("not-there.jpg"), error="link")
    corpus.try_add("circle.jpg", "circle.jpg", lambda path: path.symlink_to("circle.jpg"), error="circle")
    corpus.try_add("link.jpg", "link.jpg", lambda path: path.symlink_to("good.jpg"), colour=RED)
    corpus.try_add(
        "link-to-folder.jpg", "link-to-folder.jpg", lambda path: path.symlink_to("folder.jpg"), error="a folder"
    )
    corpus.try_add("pipe.jpg", "pipe.jpg", lambda path: os.mkfifo(path), error="pipe")
    if Path("/dev/zero").exists():
        corpus.try_add("device.jpg", "device.jpg", lambda path: path.symlink_to("/dev/zero"), error="device")
    corpus.cases.append(Case("null", Path("a\x00b.jpg"), error="no file"))

    def lock(path: Path) -> None:
        path.write_bytes(encoded("JPEG"))
        path.chmod(0)
        if os.access(path, os.R_OK):
            path.unlink()
            raise OSError("this user may read everything")

    corpus.try_add("locked.jpg", "locked.jpg", lock, error="permission")


def _names(corpus: _Corpus) -> None:
    whole, cut = encoded("JPEG", quality=95), encoded("PNG")[:60]
    names: Sequence[str] = (
        "Ünï cödé 写真 😀",
        "-rf",
        "two\nlines",
        "n" * 240,
        "a;b&c`d$(e)",
        " space ",
        "%s%n{0}",
        "dots..",
    )
    for number, name in enumerate(names):
        corpus.try_add(f"name-{number}", f"{name}.jpg", lambda path: path.write_bytes(whole) and None, colour=RED)
        corpus.try_add(
            f"bad-name-{number}", f"{name}.png", lambda path: path.write_bytes(cut) and None, error="damaged"
        )
    if sys.platform.startswith("linux"):
        raw = os.fsdecode(b"not-utf8-\xff\xfe")
        corpus.try_add("raw-name", f"{raw}.jpg", lambda path: path.write_bytes(whole) and None, colour=RED)
        corpus.try_add("bad-raw-name", f"{raw}.png", lambda path: path.write_bytes(cut) and None, error="damaged")
    corpus.add("too-long-a-name", None, "x" * 300 + ".jpg", error="too long")
