"""Metadata: kept and mended on "keep", gone on "strip", and the marks of a restoration in every format that can hold them."""

from __future__ import annotations

import base64
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image, PngImagePlugin

from facestudio import exif, xmp
from facestudio.errors import UnreadablePhoto
from facestudio.metadata import Metadata, read_recipe
from facestudio.photo import Photo
from facestudio.recipe import Recipe
from tests.end2end.hostile_corpus import drawing, encoded, entity_bomb, stored_as, xmp_packet

RECIPE = Recipe("starter-estimator", "quick", {"strength": 0.5, "words": "<&\"'ü😀>"}, 7)
WITH_XMP = ["jpg", "png", "webp", "tif", "heic", "avif"]
MAKER = "Camera of a Friend"


def camera_exif(order: str = "<", orientation: int = 6) -> bytes:
    """EXIF as a camera writes it: orientation, maker, place, sizes, a maker's note, and a thumbnail."""
    thumbnail = b"\xff\xd8THUMBNAIL OF THE OLD FACE\xff\xd9"
    note = b"MAKERNOTE" * 4
    maker = MAKER.encode() + b"\0"

    def directory(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
        out = struct.pack(f"{order}H", len(entries))
        for tag, kind, count, value in entries:
            out += struct.pack(f"{order}HHI", tag, kind, count) + value.ljust(4, b"\0")
        return out + struct.pack(f"{order}I", following)

    def long(value: int) -> bytes:
        return struct.pack(f"{order}I", value)

    def short(value: int) -> bytes:
        return struct.pack(f"{order}H", value)

    first, inner, gps, second, maker_at, note_at, thumbnail_at = 8, 62, 120, 160, 220, 252, 300
    block = (b"II*\0" if order == "<" else b"MM\0*") + long(8)
    camera = [(0x010F, 2, len(maker), long(maker_at)), (0x0112, 3, 1, short(orientation))]
    camera += [(0x8769, 4, 1, long(inner)), (0x8825, 4, 1, long(gps))]
    shot = [(0x927C, 7, len(note), long(note_at)), (0xA002, 4, 1, long(9999)), (0xA003, 3, 1, short(9))]
    small = [(0x0103, 3, 1, short(6)), (0x0201, 4, 1, long(thumbnail_at)), (0x0202, 4, 1, long(len(thumbnail)))]
    parts = {
        first: directory(camera, second),
        inner: directory(shot, 0),
        gps: directory([(1, 2, 2, b"N\0"), (3, 2, 2, b"E\0")], 0),
        second: directory(small, 0),
        maker_at: maker,
        note_at: note,
        thumbnail_at: thumbnail,
    }
    for at, part in sorted(parts.items()):
        assert len(block) <= at
        block = block.ljust(at, b"\0") + part
    return block


def opened(format: str = "JPEG", image: Image.Image | None = None, **settings: Any) -> Photo:
    return Photo.from_bytes(encoded(format, image, **settings))


def everything() -> Photo:
    """A photo whose file says a lot."""
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "A. Friend")
    turned = Image.fromarray(stored_as(drawing(), 6))
    packet = xmp_packet("<dc:creator>A. Friend</dc:creator>").decode()
    texts.add_itxt("XML:com.adobe.xmp", packet)
    return opened("PNG", turned, exif=b"Exif\0\0" + camera_exif(), pnginfo=texts, dpi=(240, 240))


# ---- the marks


@pytest.mark.parametrize("policy", ["keep", "strip"])
@pytest.mark.parametrize("suffix", WITH_XMP)
def test_the_recipe_and_the_source_type_are_recorded(tmp_path: Path, suffix: str, policy: str) -> None:
    saved = everything().save(tmp_path / f"a.{suffix}", recipe=RECIPE, metadata_policy=policy)
    text = read_recipe(saved)
    assert text is not None and Recipe.from_json(text) == RECIPE
    packet = Photo.open(saved).metadata.xmp
    assert packet is not None and xmp.source_type_of(packet) == xmp.AI_COMPOSITE
    assert xmp.AI_COMPOSITE == "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"


def test_a_gif_holds_the_recipe_as_its_comment_and_a_bmp_says_that_it_holds_none(tmp_path: Path) -> None:
    photo = everything()
    text = read_recipe(photo.save(tmp_path / "a.gif", recipe=RECIPE))
    assert text is not None and Recipe.from_json(text) == RECIPE
    assert read_recipe(photo.save(tmp_path / "a.bmp", recipe=RECIPE)) is None
    assert any("AI had a hand" in sentence for sentence in photo.losses("BMP"))


def test_a_photo_saved_without_a_recipe_is_not_marked(tmp_path: Path) -> None:
    saved = everything().save(tmp_path / "a.png")
    assert read_recipe(saved) is None
    assert b"compositeWith" not in saved.read_bytes()


def test_the_newest_recipe_wins_and_a_mark_survives_stripping(tmp_path: Path) -> None:
    first = everything().save(tmp_path / "a.jpg", recipe=Recipe("old", "old"))
    again = Photo.open(first)
    text = read_recipe(again.save(tmp_path / "b.jpg", recipe=RECIPE))
    assert text is not None and Recipe.from_json(text) == RECIPE
    bare = Photo.open(again.save(tmp_path / "c.jpg", metadata_policy="strip"))
    assert bare.metadata.xmp is not None and xmp.source_type_of(bare.metadata.xmp) == xmp.AI_COMPOSITE
    assert read_recipe(tmp_path / "c.jpg") is None


def test_read_recipe_needs_a_picture(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    for name in ("a.jpg", "missing.jpg"):
        with pytest.raises(UnreadablePhoto):
            read_recipe(tmp_path / name)


# ---- keep and strip


@pytest.mark.parametrize("suffix", WITH_XMP)
def test_keep_keeps_exif_and_xmp_and_mends_them(tmp_path: Path, suffix: str) -> None:
    saved = everything().save(tmp_path / f"a.{suffix}", recipe=RECIPE)
    with Image.open(saved) as image:
        image.load()
        tags = image.getexif()
        assert tags[0x010F] == MAKER and tags.get(0x0112, 1) == 1
        assert tags.get_ifd(0x8825)[1] == "N"
        assert (tags.get_ifd(0x8769)[0xA002], tags.get_ifd(0x8769)[0xA003]) == (48, 32)
        assert not tags.get_ifd(0x014A) and not tags.get_ifd(1)
    content = saved.read_bytes()
    assert b"THUMBNAIL" not in content and b"A. Friend" in (Photo.open(saved).metadata.xmp or b"")
    assert b"MAKERNOTE" in content


@pytest.mark.parametrize("suffix", [*WITH_XMP, "gif", "bmp"])
def test_strip_leaves_nothing_of_the_original(tmp_path: Path, suffix: str) -> None:
    photo = everything()
    saved = photo.save(tmp_path / f"a.{suffix}", recipe=RECIPE, metadata_policy="strip")
    content = saved.read_bytes()
    for secret in (MAKER.encode(), b"THUMBNAIL", b"MAKERNOTE", b"A. Friend", b"Author"):
        assert secret not in content, secret
    again = Photo.open(saved)
    assert again.metadata.texts == () and again.metadata.exif is None or suffix == "tif"
    with Image.open(saved) as image:
        assert not image.getexif().get_ifd(0x8825)


def test_texts_comment_and_resolution_are_kept(tmp_path: Path) -> None:
    with Image.open(everything().save(tmp_path / "a.png", recipe=RECIPE)) as saved:
        assert isinstance(saved, PngImagePlugin.PngImageFile) and saved.text["Author"] == "A. Friend"
        assert saved.info["dpi"] == pytest.approx((240, 240), abs=0.1)
    with Image.open(opened(comment=b"hello", dpi=(300, 300)).save(tmp_path / "b.jpg")) as saved:
        assert saved.info["comment"] == b"hello" and saved.info["dpi"] == (300, 300)


def exposed() -> Photo:
    """A photo whose file says how it was exposed, beside much that points to people and places."""
    tags = Image.Exif()
    tags[0x010F], tags[0x0110], tags[0x0112], tags[0x0132] = MAKER, "Model of a Friend", 6, "2024:05:06 07:08:09"
    tags[0x8769] = {
        **{0x829A: (1, 125), 0x829D: 2.8, 0x8827: 400, 0x920A: 35.0, 0x9207: 5, 0xA402: 0},
        **{0x9003: "2024:05:06 07:08:09", 0xA430: "A. Friend", 0xA431: "SERIAL-4711", 0xA434: "Lens of a Friend"},
        **{0x9286: b"ASCII\0\0\0a comment of A. Friend", 0x927C: b"MAKERNOTE" * 9},
    }
    tags[0x8825] = {1: "N", 2: (48.0, 8.0, 15.0), 3: "E", 4: (11.0, 34.0, 30.0)}
    packet = xmp_packet("<dc:creator>A. Friend</dc:creator>")
    return opened("JPEG", exif=tags, xmp=packet, comment=b"taken by A. Friend", dpi=(240, 240))


@pytest.mark.parametrize("suffix", [*WITH_XMP, "gif", "bmp"])
def test_technical_keeps_numbers_of_the_exposure_and_nothing_of_people_and_places(tmp_path: Path, suffix: str) -> None:
    saved = exposed().save(tmp_path / f"a.{suffix}", recipe=RECIPE, metadata_policy="technical")
    content = saved.read_bytes()
    for secret in (MAKER, "Model of", "Lens of", "SERIAL", "A. Friend", "2024:05", "MAKERNOTE", "taken by"):
        assert secret.encode() not in content, secret
    with Image.open(saved) as image:
        image.load()
        tags = image.getexif()
        inner = tags.get_ifd(0x8769)
        assert not tags.get_ifd(0x8825)
        assert tags.get(0x0112, 1) == 1
        if suffix in WITH_XMP:
            assert (inner[0x829D], inner[0x8827], inner[0x920A]) == (2.8, 400, 35.0)
            assert set(inner) <= {0x829A, 0x829D, 0x8827, 0x920A, 0x9207, 0xA402}
        if suffix in ("jpg", "png", "tif", "bmp"):
            assert image.info["dpi"] == pytest.approx((240, 240), abs=0.5)


def test_technical_of_damaged_or_silent_exif_is_nothing() -> None:
    block = camera_exif()
    for length in range(0, len(block), 7):
        damaged = replace(opened(), metadata=Metadata(exif=block[:length]))
        assert damaged.losses("JPEG", "technical") == ()
    assert exif.technical(camera_exif()) is None


@pytest.mark.parametrize("policy", ["strip", "keep"])
@pytest.mark.parametrize("suffix", [*WITH_XMP, "gif"])
def test_what_was_only_hidden_is_marked_as_altered_and_not_as_made_by_ai(
    tmp_path: Path, suffix: str, policy: str
) -> None:
    saved = everything().save(tmp_path / f"a.{suffix}", recipe=RECIPE, metadata_policy=policy, generative=False)
    text = read_recipe(saved)
    assert text is not None and Recipe.from_json(text) == RECIPE
    packet = Photo.open(saved).metadata.xmp
    assert suffix == "gif" or (packet is not None and xmp.source_type_of(packet) == xmp.ALTERED)
    assert b"with AI" not in saved.read_bytes() and b"TrainedAlgorithmic" not in saved.read_bytes()


@pytest.mark.parametrize("policy", ["strip", "technical", "keep"])
def test_hiding_a_face_in_what_ai_made_does_not_unsay_it(tmp_path: Path, policy: str) -> None:
    restored = Photo.open(everything().save(tmp_path / "a.jpg", recipe=RECIPE))
    made = replace(Photo.from_pixels(drawing()), synthetic=True)
    for photo, said in ((restored, xmp.AI_COMPOSITE), (Photo.open(made.save(tmp_path / "b.jpg")), xmp.AI_CREATED)):
        target = tmp_path / f"{said.rsplit('/')[-1]}.jpg"
        packet = Photo.open(photo.save(target, recipe=RECIPE, metadata_policy=policy, generative=False)).metadata.xmp
        assert packet is not None and xmp.source_type_of(packet) == said


def test_an_unknown_policy_is_a_mistake_of_the_caller(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="policy"):
        everything().save(tmp_path / "a.png", metadata_policy="some")


def test_metadata_too_long_for_jpeg_is_left_out_and_said(tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[0x010F] = "m" * 70000
    photo = opened("PNG", exif=tags)
    assert "too long" in " ".join(photo.losses("JPEG")) and photo.losses("WEBP") == ()
    assert b"m" * 1000 not in photo.save(tmp_path / "a.jpg", recipe=RECIPE).read_bytes()
    assert read_recipe(tmp_path / "a.jpg") is not None
    long = opened("WEBP", xmp=xmp_packet(f"<dc:format>{'x ' * 35000}</dc:format>"))
    text = read_recipe(long.save(tmp_path / "b.jpg", recipe=RECIPE))
    assert text is not None and Recipe.from_json(text) == RECIPE


# ---- exif


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_mended_in_place(order: str) -> None:
    before = camera_exif(order)
    after = exif.mended(b"Exif\0\0" + before, 70000, 32)
    assert after is not None and b"THUMBNAIL" not in after
    assert after.index(b"MAKERNOTE") == before.index(b"MAKERNOTE")
    tags = Image.Exif()
    tags.load(after)
    assert tags[0x0112] == 1 and (tags.get_ifd(0x8769)[0xA002], tags.get_ifd(0x8769)[0xA003]) == (70000, 32)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_preview_of_bare_samples_in_a_directory_of_its_own_is_blanked(order: str) -> None:
    block = bytearray(camera_exif(order))
    first, samples = struct.unpack_from(f"{order}I", block, 4)[0], b"FACE" * 30
    (count,) = struct.unpack_from(f"{order}H", block, first)
    old, at = (
        bytes(block[first + 2 : first + 2 + 12 * count]),
        len(block),
    )  # the directory moves behind all else, one longer
    sub = at + 2 + 12 * (count + 1) + 4
    tags = [old[12 * n : 12 * n + 12] for n in range(count)] + [struct.pack(f"{order}HHII", 0x014A, 4, 1, sub)]
    tags.sort(key=lambda tag: struct.unpack(f"{order}H", tag[:2]))
    following = bytes(block[first + 2 + 12 * count : first + 6 + 12 * count])
    block += struct.pack(f"{order}H", count + 1) + b"".join(tags) + following
    places = struct.pack(f"{order}HHII", 0x0111, 4, 1, sub + 30) + struct.pack(f"{order}HHII", 0x0117, 4, 1, 120)
    block += struct.pack(f"{order}H", 2) + places + bytes(4) + samples + b"behind"
    struct.pack_into(f"{order}I", block, 4, at)
    after = exif.mended(bytes(block), 48, 32)
    assert after is not None and b"FACE" not in after and b"THUMBNAIL" not in after
    assert b"MAKERNOTE" in after and MAKER.encode() in after and after.endswith(b"behind")
    struct.pack_into(f"{order}I", block, sub + 26, sub)  # a chain without an end
    assert b"FACE" not in (exif.mended(bytes(block), 48, 32) or b"")


def test_damaged_exif_is_none_wherever_it_is_cut() -> None:
    block = camera_exif()
    outcomes = [exif.mended(block[:length], 48, 32) for length in range(len(block))]
    assert outcomes[0] is None and outcomes[40] is None
    assert all(outcome is None or b"THUMBNAIL OF THE OLD" not in outcome for outcome in outcomes)


def test_random_exif_never_raises() -> None:
    random = np.random.default_rng(0)
    for _ in range(300):
        block = bytearray(camera_exif())
        for at in random.integers(4, 200, 6):
            block[at] = random.integers(0, 256)
        exif.mended(bytes(block), 48, 32)


# ---- xmp


def test_existing_xmp_keeps_its_properties_and_loses_what_is_stale() -> None:
    properties = (
        "<dc:creator>A. Friend</dc:creator>"
        '<tiff:Orientation xmlns:tiff="http://ns.adobe.com/tiff/1.0/">6</tiff:Orientation>'
        '<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/">old face</xmp:Thumbnails>'
        '<exif:SubjectLocation xmlns:exif="http://ns.adobe.com/exif/1.0/">1803 2104</exif:SubjectLocation>'
        '<odd:thing xmlns:odd="urn:odd/">kept</odd:thing>'
    )
    packet = xmp.marked(xmp_packet(properties), RECIPE.to_json())
    assert b"A. Friend" in packet and b"kept" in packet and b"http://purl.org/dc/elements/1.1/" in packet
    assert not any(stale in packet for stale in (b"Orientation", b"old face", b"1803 2104"))
    assert xmp.recipe_of(packet) == RECIPE.to_json()
    assert packet.count(b"DigitalSourceType>") == 2, "one element"
    assert xmp.marked(packet, RECIPE.to_json()).count(b"DigitalSourceType>") == 2, "marked twice"


def test_the_source_type_is_replaced_also_where_it_is_an_attribute() -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        b'<rdf:Description rdf:about="uuid:1" xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        b'i:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"/></rdf:RDF></x:xmpmeta>'
    )
    marked = xmp.marked(packet, None)
    assert b"digitalCapture" not in marked and xmp.source_type_of(marked) == xmp.AI_COMPOSITE
    assert marked.count(b"uuid:1") == 2, "all descriptions are about the same thing"


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\0\0",
        b"<x:xmpmeta><oh no",
        b"<a>" * 5000 + b"</a>" * 5000,
        bytes(range(256)),
        b"<html/>",
        xmp_packet("<dc:format>&e10;</dc:format>", entity_bomb()),
        xmp_packet("<dc:format>&x;</dc:format>", '<!DOCTYPE x [<!ENTITY x SYSTEM "file:///etc/hostname">]>'),
        b'<?xml version="1.0" encoding="no-such"?><a/>',
        xmp_packet("", "<!DOCTYPE x []>").decode().encode("utf-16"),
    ],
)
def test_broken_and_dangerous_xmp_is_replaced(packet: bytes) -> None:
    marked = xmp.marked(packet, "{}")
    assert xmp.recipe_of(marked) == "{}" and len(marked) < 2000
    assert xmp.mended(packet) is None and xmp.recipe_of(packet) is None


def test_a_saved_file_holds_one_packet(tmp_path: Path) -> None:
    first = everything().save(tmp_path / "a.png", recipe=RECIPE)
    again = Photo.open(first).save(tmp_path / "b.png", recipe=RECIPE).read_bytes()
    assert again.count(b"XML:com.adobe.xmp") == 1


PREVIEW = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 2).decode()


@pytest.mark.parametrize("recipe", [RECIPE, None])
@pytest.mark.parametrize(
    "packet",
    [
        xmp_packet().replace(b"<rdf:RDF", f"<k:more xmlns:k='urn:k'>{PREVIEW}</k:more><rdf:RDF".encode()),
        xmp_packet().replace(b"<x:xmpmeta", f"<x:xmpmeta xmlns:k='urn:k' k:more='{PREVIEW}'".encode()),
        xmp_packet().replace(b"</rdf:RDF>", f"</rdf:RDF>{PREVIEW}".encode()),
        xmp_packet("<dc:title>kept</dc:title>" + PREVIEW),
        xmp_packet().replace(b"<rdf:Description", f"{PREVIEW}<rdf:Description".encode()),
    ],
)
def test_a_preview_outside_of_what_xmp_says_is_not_kept(tmp_path: Path, packet: bytes, recipe: Recipe | None) -> None:
    saved = opened("JPEG", xmp=packet).save(tmp_path / "a.jpg", recipe=recipe)
    content = saved.read_bytes()
    assert PREVIEW[:40].encode() not in content and b"rdf:Description" in content
    assert (b"kept" in content) == (b"kept" in packet)


@pytest.mark.parametrize("comment", [b"\xff\xd8\xff\xe0 a preview \xff\xd9", PREVIEW.encode()])
def test_a_preview_in_a_comment_is_not_kept(tmp_path: Path, comment: bytes) -> None:
    for format, suffix in (("JPEG", "jpg"), ("GIF", "gif")):
        photo = opened(format, comment=comment)
        assert comment[:40] not in photo.save(tmp_path / f"a.{suffix}").read_bytes()
        said = opened(format, comment=b"taken by a friend")
        assert b"taken by a friend" in said.save(tmp_path / f"b.{suffix}").read_bytes()


# ---- places that EXIF names


def where_bright(pixels: np.ndarray) -> tuple[int, int, int, int]:
    """The middle (x, y), width and height of what is white."""
    rows, columns = np.nonzero(pixels.min(axis=2) > 200)
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    return int(columns.min() + width // 2), int(rows.min() + height // 2), int(width), int(height)


def says_where(pixels: np.ndarray, orientation: int, endian: str) -> bytes:
    x, y, width, height = where_bright(pixels)
    block = Image.Exif()
    block.endian = endian
    block[0x0112] = orientation
    block[ExifTags.IFD.Exif] = {0x9214: (x, y, width, height), 0xA214: (x, y)}
    return block.tobytes()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("degrees", "times"), [(0, 1), (90, 1), (180, 2), (270, 4)])
def test_where_the_subject_is_stays_true(tmp_path: Path, orientation: int, degrees: int, times: int) -> None:
    upright = np.full((40, 60, 3), 30, np.uint8)
    upright[10:15, 30:39] = 255
    stored = stored_as(upright, orientation)
    said = says_where(stored, orientation, "<>"[orientation % 2])
    photo = opened("PNG", Image.fromarray(stored), exif=said).turned(degrees).enlarged(times)
    with Image.open(photo.save(tmp_path / "a.png", recipe=RECIPE)) as image:
        found = image.getexif().get_ifd(ExifTags.IFD.Exif)
        x, y, width, height = where_bright(np.asarray(image.convert("RGB")))
    assert found[0x9214][:2] == found[0xA214]
    assert found[0xA214] == (pytest.approx(x, abs=times), pytest.approx(y, abs=times))
    assert found[0x9214][2:] == (pytest.approx(width, abs=times), pytest.approx(height, abs=times))


def test_a_subject_without_a_size_or_with_a_diameter_stays_true_and_a_wrong_one_does_no_harm(tmp_path: Path) -> None:
    for place, wanted in (((5, 3), (59 - 3, 5)), ((5, 3, 9), (59 - 3, 5, 9)), ((5,), 5), ((65535, 3), (59 - 3, 65535))):
        block = Image.Exif()
        block[ExifTags.IFD.Exif] = {0x9214: place}
        photo = opened("PNG", Image.fromarray(drawing(40, 60)), exif=block.tobytes()).turned(90)
        with Image.open(photo.save(tmp_path / "a.png", overwrite=True)) as image:
            assert image.getexif().get_ifd(ExifTags.IFD.Exif)[0x9214] == wanted


@pytest.mark.parametrize("order", "<>")
def test_a_place_that_comes_twice_or_lies_on_another_entry_does_no_harm(order: str) -> None:
    def block(*entries: tuple[int, int, bytes]) -> bytes:
        first = struct.pack(f"{order}HHHIII", 1, 0x8769, 4, 1, 26, 0)
        inner = b"".join(struct.pack(f"{order}HHI", tag, 3, count) + value for tag, count, value in entries)
        end = struct.pack(f"{order}I", 0) + b"\0" * 32
        start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
        return start + first + struct.pack(f"{order}H", len(entries)) + inner + end

    pair, on_the_next = struct.pack(f"{order}HH", 5, 3), struct.pack(f"{order}I", 26 + 2 + 12)
    for damaged in (
        block((0x9214, 4, on_the_next), (0x9214, 2, pair)),
        block((0x9214, 4, on_the_next), (0xA214, 2, pair)),
    ):
        photo = opened("PNG", Image.fromarray(drawing(40, 60)), exif=b"Exif\0\0" + damaged)
        assert photo.turned(90).enlarged(2).size == (120, 80)
