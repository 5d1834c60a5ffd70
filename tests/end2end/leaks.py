"""Looks for what must not be in a file: pictures of a face, wherever they hide, and bytes of what another file said.

A file is taken apart in every way that a curious person has: as pictures (each frame, each channel, each picture within it,
the lower bytes of 16 bits and their shadows made bright) and as bytes (as they are, inflated, from base64). A face is looked
for everywhere in a picture, whole and half as large, by its fine detail alone, as a blurred one may keep the rest. `telling`
writes files that hide the face in as many places as their format has.
"""

from __future__ import annotations

import base64
import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageFile, ImageSequence, PngImagePlugin, TiffImagePlugin

from tests.end2end.hostile_corpus import png_chunk, srgb_profile, xmp_packet

SCALES = (1.0, 0.5)
FOUND = 0.5  # a face with itself has 1, also where it is faint; of a block, blur and squares at most 0.32 was seen
WORDS = ("Camera of a Friend", "A. Friend", "caption of a friend", "taken by a friend", "profile of a friend")
_PICTURES = re.compile(rb"\xff\xd8\xff[\xc0-\xfe]|\x89PNG\r\n\x1a\n|RIFF....WEBP|GIF8[79]a|II\*\0|MM\0\*", re.S)
_DEFLATED = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_BASE64 = re.compile(rb"[A-Za-z0-9+/\r\n]{200,}={0,2}")
_DEEP = (b"\x89PNG", b"II*\0", b"MM\0*")
_MOST = 1 << 22  # bytes of one inflated stream


# ---- looking


def streams(content: bytes) -> Iterator[bytes]:
    """The bytes of a file: as they are, and whatever in them is deflated or in base64."""
    yield content
    for found in _DEFLATED.finditer(content):
        try:
            inflated = zlib.decompressobj().decompress(content[found.start() :], _MOST)
        except zlib.error:
            continue
        if len(inflated) > 64:
            yield inflated
            yield from (_decoded(run[0]) for run in _BASE64.finditer(inflated))
    for run in _BASE64.finditer(content):
        yield _decoded(run[0])


def _decoded(run: bytes) -> bytes:
    text = re.sub(rb"[\r\n=]", b"", run)
    return base64.b64decode(text[: len(text) // 4 * 4])


def pictures(content: bytes) -> Iterator[np.ndarray]:
    """Every frame of a file and of the pictures within its bytes, channel by channel: (H, W) float32."""
    seen = set()
    for stream in streams(content):
        for found in (None, *_PICTURES.finditer(stream)):
            start = 0 if found is None else found.start()
            part = stream[start:]
            if part[:4096] in seen:
                continue
            seen.add(part[:4096])
            yield from _channels(part)
            if part.startswith(_DEEP):
                yield from _depths(part)


def _channels(content: bytes) -> Iterator[np.ndarray]:
    tolerant, ImageFile.LOAD_TRUNCATED_IMAGES = ImageFile.LOAD_TRUNCATED_IMAGES, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is cut off within a file is read as far as it goes
            with Image.open(io.BytesIO(content)) as image:
                for frame in ImageSequence.Iterator(image):
                    samples = np.atleast_3d(np.asarray(frame.convert("RGBA") if frame.mode in ("P", "PA") else frame))
                    yield from (samples[..., n].astype(np.float32) for n in range(samples.shape[2]))
    except (OSError, SyntaxError, ValueError, TypeError, EOFError, struct.error, Image.DecompressionBombError):
        return
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = tolerant


def _depths(content: bytes) -> Iterator[np.ndarray]:
    """What 8 bits do not show of each channel of a picture of 16: its lower bytes, its shadows made bright, its lights dark."""
    try:
        found = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return
    if found is None or found.dtype != np.uint16:
        return
    planes: np.ndarray = np.atleast_3d(found)
    for n in range(planes.shape[2]):
        channel = planes[..., n].astype(np.int32)
        for seen in (channel & 255, np.minimum(channel >> 4, 255), np.minimum((65535 - channel) >> 4, 255)):
            yield seen.astype(np.float32)


def detail(channel: np.ndarray) -> np.ndarray:
    """What is finer than some pixels."""
    return channel - cv2.GaussianBlur(channel, (0, 0), 2.0)


def likeness(content: bytes, face: np.ndarray) -> float:
    """How like the grey `face` (h, w) float32 the most alike place in any picture in a file is, 0..1, by its detail."""
    sizes = [cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) for scale in SCALES]
    return max(
        (_likeness(detail(channel), detail(size)) for channel in pictures(content) for size in sizes), default=0.0
    )


def _likeness(channel: np.ndarray, face: np.ndarray) -> float:
    """The highest correlation; where there is no detail there is none."""
    if face.shape[0] > channel.shape[0] or face.shape[1] > channel.shape[1]:
        return 0.0
    common = cv2.matchTemplate(channel, face, cv2.TM_CCORR)
    energy = cv2.matchTemplate(channel**2, np.ones_like(face), cv2.TM_CCORR)
    least = face.size * 1.0  # a level
    return float(np.abs(common / np.sqrt(np.maximum(energy, least) * float((face**2).sum()))).max())


def parts_of(content: bytes, preview: np.ndarray) -> int:
    """How many runs of 24 bytes of the RGB `preview` (h, w, 3) uint8 stand in a file: of its samples, a colour's, or its JPEG."""
    jpeg = thumbnail_of(preview)
    wholes = (preview.tobytes(), *(preview[..., n].tobytes() for n in range(3)), jpeg[jpeg.index(b"\xff\xda") + 14 :])
    runs = {whole[at : at + 24] for whole in wholes for at in range(0, len(whole) - 24, 24)}
    runs = {run for run in runs if len(set(run)) > 8}
    every = list(streams(content))
    return sum(any(run in stream for stream in every) for run in runs)


def said(content: bytes, words: Sequence[str] = WORDS) -> set[str]:
    """Which of the `words` a file says, in whatever letters."""
    every = list(streams(content))
    return {w for w in words if any(w.encode(code) in s for s in every for code in ("utf-8", "utf-16-le", "utf-16-be"))}


# ---- writing


def telling(path: Path, pixels: np.ndarray, face: np.ndarray) -> Path:
    """Write `pixels` (H, W, 3) uint8 RGB, with `face` as a small picture, or WORDS, wherever the format of `path` has a place."""
    suffix, image = path.suffix[1:], Image.fromarray(pixels)
    thumbnail = thumbnail_of(face)
    text = base64.b64encode(thumbnail).decode()
    packet = xmp_packet(
        "<dc:creator>A. Friend</dc:creator><xmp:Thumbnails xmlns:xmp='http://ns.adobe.com/xap/1.0/'><rdf:Alt><rdf:li>"
        f"{text}</rdf:li></rdf:Alt></xmp:Thumbnails><g:Data xmlns:g='urn:maker'>{text}</g:Data>"
    )
    block, profile = _exif(thumbnail, face), _profile(thumbnail)
    settings: dict[str, Any] = {}
    if suffix in ("jpg", "webp", "heic", "avif", "png"):
        settings = {"exif": b"Exif\0\0" + block, "icc_profile": profile}
    if suffix in ("jpg", "webp", "heic", "avif"):
        settings["xmp"] = packet
    if suffix in ("webp", "gif", "png", "avif", "tif"):
        settings |= {"save_all": True, "append_images": [image]}
    if suffix in ("jpg", "gif"):
        settings["comment"] = b"taken by a friend"
    if suffix == "png":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Author", "A. Friend")
        texts.add_text("Preview", text, zip=True)
        texts.add_itxt("XML:com.adobe.xmp", packet.decode())
        settings["pnginfo"] = texts
    elif suffix == "tif":
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        tags[270], tags[315], tags[271] = "taken by a friend", "A. Friend", "Camera of a Friend"
        binary = {33723: _iptc(thumbnail), 34377: _photoshop(thumbnail), 700: packet, 34675: profile, 37724: thumbnail}
        for tag, value in binary.items():
            tags.tagtype[tag], tags[tag] = 7 if tag == 34675 else 1, value
        settings |= {"tiffinfo": tags, "compression": "raw"}
    if suffix in ("webp", "heic", "avif"):
        settings["quality"] = 95
    content = _bytes(image, {"jpg": "JPEG", "tif": "TIFF", "heic": "HEIF"}.get(suffix, suffix.upper()), **settings)
    if suffix == "jpg":
        extra = _segment(0xE0, b"JFXX\0\x10" + thumbnail) + _segment(0xED, b"Photoshop 3.0\0" + _photoshop(thumbnail))
        extra += _segment(0xE1, b"http://ns.adobe.com/xmp/extension/\0" + bytes(40) + text.encode())
        extra += _segment(0xFE, thumbnail)
        content = content[:2] + extra + content[2:]
    elif suffix == "png":
        content = content[:33] + png_chunk(b"fcHb", thumbnail) + content[33:]
    if suffix not in ("heic", "avif"):
        content += thumbnail
    path.write_bytes(content)
    return path


def thumbnail_of(face: np.ndarray) -> bytes:
    """The JPEG that is hidden."""
    return written(face, "JPEG", quality=95)


def written(pixels: np.ndarray, format: str, **settings: Any) -> bytes:
    """The bytes of a file that shows `pixels`."""
    return _bytes(Image.fromarray(pixels), format, **settings)


def _bytes(image: Image.Image, format: str, **settings: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=format, **settings)
    return buffer.getvalue()


def _segment(marker: int, content: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(content) + 2) + content


def _iptc(thumbnail: bytes) -> bytes:
    """A caption, and a preview."""
    caption = b"caption of a friend"
    return (
        b"\x1c\x02\x78" + struct.pack(">H", len(caption)) + caption
        + b"\x1c\x02\xca" + struct.pack(">H", len(thumbnail)) + thumbnail
    )  # fmt: skip


def _photoshop(thumbnail: bytes) -> bytes:
    """Resources: the thumbnail, and a block of captions."""
    found = b""
    for number, content in ((0x040C, bytes(28) + thumbnail), (0x0404, _iptc(thumbnail))):
        found += b"8BIM" + struct.pack(">HHI", number, 0, len(content)) + content + bytes(len(content) % 2)
    return found


def _profile(thumbnail: bytes) -> bytes:
    """A colour profile whose maker put a preview into a tag of its own, and words into the copyright."""
    profile = srgb_profile()
    (count,) = struct.unpack_from(">I", profile, 128)
    head, table, rest = profile[:128], profile[132 : 132 + 12 * count], profile[132 + 12 * count :]
    moved = b"".join(struct.pack(">4sII", tag, at + 24, size) for tag, at, size in struct.iter_unpack(">4sII", table))
    words = b"text" + bytes(4) + b"profile of a friend\0"
    at = 132 + 12 * (count + 2) + len(rest)
    moved += struct.pack(">4sII", b"frnd", at, len(words)) + struct.pack(
        ">4sII", b"prev", at + len(words), len(thumbnail)
    )
    whole = head + struct.pack(">I", count + 2) + moved + rest + words + thumbnail
    return struct.pack(">I", len(whole)) + whole[4:]


def _exif(thumbnail: bytes, face: np.ndarray) -> bytes:
    """Who took it, a maker's note with a preview, a thumbnail, and bare samples in a directory of their own."""
    maker, samples = b"Camera of a Friend\0", face.tobytes()
    first, inner, second, third = 8, 70, 100, 160
    maker_at, note_at = 260, 300
    note = b"MAKER" + thumbnail
    thumbnail_at = note_at + len(note)
    samples_at = thumbnail_at + len(thumbnail)

    def directory(*entries: tuple[int, int, int, int], following: int = 0) -> bytes:
        packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + packed + struct.pack("<I", following)

    parts = {
        0: b"II*\0" + struct.pack("<I", first),
        first: directory(
            (0x010F, 2, len(maker), maker_at), (0x014A, 4, 1, third), (0x8769, 4, 1, inner), following=second
        ),
        inner: directory((0x927C, 7, len(note), note_at)),
        second: directory((0x0201, 4, 1, thumbnail_at), (0x0202, 4, 1, len(thumbnail))),
        third: directory(
            *((0x0100, 4, 1, face.shape[1]), (0x0101, 4, 1, face.shape[0]), (0x0111, 4, 1, samples_at)),
            (0x0117, 4, 1, len(samples)),
        ),
        maker_at: maker,
        note_at: note,
        thumbnail_at: thumbnail,
        samples_at: samples,
    }
    block = b""
    for at, part in sorted(parts.items()):
        assert len(block) <= at
        block = block.ljust(at, b"\0") + part
    return block
