"""Pictures within metadata: cameras hide one in their notes, and it shows the face before."""

from __future__ import annotations

import base64
import io
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from facestudio import exif, previews, xmp
from facestudio.photo import Photo
from tests.fakes import picture


def jpeg(seed: int = 0, **settings: object) -> bytes:
    """A small picture of noise, with restart markers and a thumbnail of its own in a segment."""
    pixels = np.random.default_rng(seed).integers(0, 255, (32, 48, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", restart_marker_blocks=2, **settings)
    return file.getvalue()


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"comment": jpeg()}])
def test_a_jpeg_is_blanked_to_its_own_end_and_nothing_else(settings: dict[str, object]) -> None:
    block = b"notes before " + (small := jpeg(1, **settings)) + b"between" + jpeg(2) + b" and behind"
    without = previews.blanked(block)
    assert len(without) == len(block) and without.startswith(b"notes before \0\0")
    assert without.endswith(b"\0 and behind") and without.count(b"\0between\0") == 1
    assert without.replace(b"\0", b"") == b"notes before between and behind"
    assert previews.blanked(without) == without
    cut = previews.blanked(b"notes" + small[:-20])
    assert cut == b"notes" + bytes(len(small) - 20), "a picture that was cut off goes up to the end"


def test_what_holds_no_picture_stays_as_it_is() -> None:
    draw = random.Random(4)
    for _ in range(50):
        block = draw.randbytes(400).replace(b"\xff\xd8", b"..")
        assert previews.blanked(block) == block
    for block in (b"", b"\xff", b"\xff\xd8", b"\xff\xd8\xff"):
        assert previews.blanked(block) == block


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "heic", "avif"])
def test_kept_metadata_shows_no_picture_of_the_photo_before(tmp_path: Path, suffix: str) -> None:
    block, small = Image.Exif(), jpeg(3)
    block[0x010F] = "Camera of a Friend"
    block[ExifTags.IFD.Exif] = {0x927C: b"NOTES" + small + b"OF THE MAKER"}
    encoded = base64.b64encode(small).decode()
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" xmlns:p="urn:phone" p:image="{encoded}" p:name="Jane">'
        f"<p:deep><rdf:Seq><rdf:li>\n{encoded}</rdf:li><rdf:li>kept</rdf:li></rdf:Seq></p:deep>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Preview", encoded)
    texts.add_itxt("Author", "A Friend")
    source = tmp_path / f"photo.{suffix}"
    photo = Photo.from_pixels(picture(64, 48, ())).save(tmp_path / f"plain.{suffix}")
    with Image.open(photo) as image:
        more: dict[str, Any] = {"pnginfo": texts} if suffix == "png" else {}
        if suffix == "png":
            texts.add_itxt("XML:com.adobe.xmp", packet)
        elif suffix == "tif":
            block[700] = packet.encode()
            more["compression"] = "raw"  # else Pillow leaves the notes out
        else:
            more["xmp"] = packet.encode()
        image.save(source, exif=block.tobytes(), **more)
    assert small[:40] in source.read_bytes() or suffix == "heic"
    opened = Photo.open(source)
    assert opened.metadata.exif is not None and opened.metadata.xmp is not None
    written = opened.save(tmp_path / f"result.{suffix}", metadata_policy="keep")
    again = Photo.open(written).metadata
    assert again.exif is not None and again.xmp is not None
    content = written.read_bytes() + again.exif + again.xmp + repr(again.texts).encode()
    assert b"NOTES" in again.exif and b"OF THE MAKER" in again.exif and b"Camera of a Friend" in again.exif
    assert b"Jane" in again.xmp and b">kept<" in again.xmp
    assert small[:40] not in content and small[60:120] not in content and encoded[:40].encode() not in content
    if suffix == "png":
        assert again.texts == (("Author", "A Friend"),)


def test_a_text_is_a_picture_by_how_its_base64_begins() -> None:
    assert xmp.is_picture("\n /9j/" + "A" * 300) and xmp.is_picture("iVBORw0KGgo" + "A" * 300)
    samples = base64.b64encode(bytes(range(256)) * 8).decode()
    assert xmp.is_picture(samples) and xmp.is_picture("\n".join(samples[at : at + 76] for at in range(0, 2000, 76)))
    assert not xmp.is_picture("A letter to Jane and Tom and all the others\n" * 100)
    assert not xmp.is_picture("".join(f"{n}-jpeg-of-that-day,\n" for n in range(100)))
    assert not xmp.is_picture("/9j/") and not xmp.is_picture("A Friend " * 100) and not xmp.is_picture("")


def test_directories_behind_the_thumbnails_are_cut_off_and_blanked() -> None:
    def directory(tag: int, value: bytes, at: int, following: int) -> bytes:
        entry = b"\x01\0" + tag.to_bytes(2, "little") + b"\x02\0" + len(value).to_bytes(4, "little")
        return entry + (at + 18).to_bytes(4, "little") + following.to_bytes(4, "little") + value

    parts = [(0x010F, b"maker\0"), (0x010E, b"small one\0"), (0x010E, b"smaller one\0")]
    block, at = b"II*\0\x08\0\0\0", 8
    for n, (tag, value) in enumerate(parts):
        following = at + 18 + len(value) if n + 1 < len(parts) else 0
        block, at = block + directory(tag, value, at, following), at + 18 + len(value)
    found = exif.mended(block, 10, 10)
    assert found is not None and b"maker" in found and b"small" not in found
