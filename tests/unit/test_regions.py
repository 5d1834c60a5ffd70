"""Faces that other programs marked in XMP lie on the same faces in a written file, however the photo was stored or turned."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facestudio.photo import Photo
from facestudio.regions import NAMESPACES
from tests.end2end.hostile_corpus import encoded, stored_as, xmp_packet
from tests.fakes import face_at
from tests.unit.test_anonymizing import done, method

SPACES = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in NAMESPACES.items())
SIZE = 80, 60  # of the upright photo
BOX = 48, 12, 64, 20  # of the face in it, left, top, right and bottom
RED, BLACK = (255, 0, 0), (0, 0, 0)


def marked() -> np.ndarray:
    """An upright photo with a red face."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    pixels[BOX[1] : BOX[3], BOX[0] : BOX[2]] = RED
    return pixels


def packet(box: tuple[float, float, float, float], size: tuple[int, int], children: bool = False) -> bytes:
    """XMP of a photo of `size` with one face in both ways of writing it, with properties as attributes or as `children`."""
    (left, top, right, bottom), (width, height) = box, size
    x, y, w, h = (
        (left + right) / 2 / width,
        (top + bottom) / 2 / height,
        (right - left) / width,
        (bottom - top) / height,
    )
    area, dim = {"x": x, "y": y, "w": w, "h": h, "unit": "normalized"}, {"w": width, "h": height, "unit": "pixel"}

    def written(tag: str, prefix: str, values: dict[str, object]) -> str:
        if children:
            inner = "".join(f"<{prefix}:{name}>{value}</{prefix}:{name}>" for name, value in values.items())
            return f'<mwg-rs:{tag} rdf:parseType="Resource">{inner}</mwg-rs:{tag}>'
        return f"<mwg-rs:{tag} " + " ".join(f'{prefix}:{name}="{value}"' for name, value in values.items()) + "/>"

    return xmp_packet(
        f'<mwg-rs:Regions {SPACES} rdf:parseType="Resource">{written("AppliedToDimensions", "stDim", dim)}'
        '<mwg-rs:RegionList><rdf:Bag><rdf:li rdf:parseType="Resource"><mwg-rs:Name>A. Friend</mwg-rs:Name>'
        f"{written('Area', 'stArea', area)}</rdf:li></rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
        f'<MP:RegionInfo {SPACES} rdf:parseType="Resource"><MPRI:Regions><rdf:Bag><rdf:li><rdf:Description MPReg:Rectangle='
        f'"{x - w / 2}, {y - h / 2}, {w}, {h}"/></rdf:li></rdf:Bag></MPRI:Regions></MP:RegionInfo>'
    )


def boxes(path: Path) -> list[tuple[int, int, int, int]]:
    """Where the areas of the written file are, in its pixels: the Working Group's, then Microsoft's."""
    photo = Photo.open(path)
    assert photo.metadata.xmp is not None and b"A. Friend" in photo.metadata.xmp
    root, (width, height) = ET.fromstring(photo.metadata.xmp), photo.size
    found = []
    for element in root.iter():
        values = element.attrib | {child.tag: child.text or "" for child in element}
        own = {name.rpartition("}")[2]: text for name, text in values.items() if NAMESPACES["stArea"] in name}
        if own:
            x, y, w, h = (float(own[name]) for name in "xywh")
            found.append((x - w / 2, y - h / 2, x + w / 2, y + h / 2))
        if text := values.get(f"{{{NAMESPACES['MPReg']}}}Rectangle"):
            x, y, w, h = map(float, text.split(","))
            found.append((x, y, x + w, y + h))
        dim = {name.rpartition("}")[2]: text for name, text in values.items() if NAMESPACES["stDim"] in name}
        if dim:
            assert (int(dim["w"]) > int(dim["h"])) == (width > height), (
                "it is said to be of a photo that lies as this one"
            )
    return [tuple(round(at * side) for at, side in zip(box, (width, height) * 2, strict=True)) for box in found]  # type: ignore[misc]


def check(path: Path) -> None:
    """Both areas lie on the face, and nowhere else."""
    pixels = Photo.open(path).pixels
    rows, columns = np.nonzero((pixels == RED).all(axis=2))
    face = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    assert boxes(path) == [face, face]


def stored_box(orientation: int) -> tuple[tuple[int, int, int, int], tuple[int, int]]:
    """Where the face is in the pixels that are stored by `orientation`, and their size."""
    pixels = stored_as(marked(), orientation)
    rows, columns = np.nonzero((pixels == RED).all(axis=2))
    box = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
    return box, (pixels.shape[1], pixels.shape[0])


def photo_stored(orientation: int, xmp: bytes, format: str = "WEBP") -> Photo:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(stored_as(marked(), orientation))
    if format == "TIFF":
        return Photo.from_bytes(encoded("TIFF", stored, tiffinfo={0x0112: orientation, 700: xmp}))
    return Photo.from_bytes(encoded("WEBP", stored, exif=exif.tobytes(), xmp=xmp, lossless=True))


@pytest.mark.parametrize("children", [False, True])
@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_marked_faces_turn_with_the_photo(tmp_path: Path, turn: int, children: bool) -> None:
    photo = photo_stored(1, packet(BOX, SIZE, children)).turned(turn)
    photo.save(tmp_path / "out.webp")
    check(tmp_path / "out.webp")
    photo.turned((360 - turn) % 360).enlarged(2).save(tmp_path / "back.webp")
    assert boxes(tmp_path / "back.webp") == [tuple(2 * side for side in BOX)] * 2


@pytest.mark.parametrize("format", ["WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_marked_faces_are_of_the_stored_pixels(tmp_path: Path, orientation: int, format: str) -> None:
    photo = photo_stored(orientation, packet(*stored_box(orientation)), format)
    photo.turned(90).save(tmp_path / "out.webp")
    check(tmp_path / "out.webp")


def test_areas_that_are_said_to_be_of_the_upright_photo_are_left(tmp_path: Path) -> None:
    photo_stored(6, packet(BOX, SIZE)).save(tmp_path / "out.webp")
    assert boxes(tmp_path / "out.webp")[0] == BOX


def test_what_cannot_be_read_and_what_is_no_face_stays(tmp_path: Path) -> None:
    plain = photo_stored(6, xmp_packet("<dc:creator>A. Friend</dc:creator>"))
    assert plain.turned(90).metadata.xmp == plain.metadata.xmp == xmp_packet("<dc:creator>A. Friend</dc:creator>")
    odd = packet(BOX, SIZE).replace(b'stArea:x="0.7"', b'stArea:x="nan"').replace(b"0.6, 0.2, 0.2", b"0.6, 0.2")
    assert odd.count(b"nan") == 1 and odd != packet(BOX, SIZE)
    turned = photo_stored(1, odd).turned(90).metadata.xmp
    assert turned is not None and b'"nan"' in turned and b'stArea:y="0.266' in turned and b"0.6, 0.2, 0.1" in turned
    broken = photo_stored(1, b"<x:xmpmeta><mwg-rs:Regions")
    assert broken.turned(90).metadata.xmp == broken.metadata.xmp


# ---- IPTC's areas


def iptc_packet(
    box: tuple[float, float, float, float], size: tuple[int, int], pixels: bool = False, attributes: bool = False
) -> bytes:
    """XMP of a photo of `size` with one face as a rectangle, the circle around its middle as wide as it, and its outline."""
    (left, top, right, bottom), (width, height) = box, (1, 1) if pixels else size
    unit = "pixel" if pixels else "relative"

    def area(shape: str, inner: str = "", **values: float) -> str:
        told = {"rbShape": shape, "rbUnit": unit, **{name: f"{value:.7f}" for name, value in values.items()}}
        if attributes:
            said = " ".join(f'Iptc4xmpExt:{name}="{value}"' for name, value in told.items())
            boundary = f"<Iptc4xmpExt:RegionBoundary {said}>{inner}</Iptc4xmpExt:RegionBoundary>"
        else:
            said = "".join(f"<Iptc4xmpExt:{name}>{value}</Iptc4xmpExt:{name}>" for name, value in told.items())
            boundary = (
                f'<Iptc4xmpExt:RegionBoundary rdf:parseType="Resource">{said}{inner}</Iptc4xmpExt:RegionBoundary>'
            )
        named = "<Iptc4xmpExt:PersonInImage><rdf:Bag><rdf:li>A. Friend</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImage>"
        return f'<rdf:li rdf:parseType="Resource">{boundary}{named}</rdf:li>'

    corners = "".join(
        f'<rdf:li rdf:parseType="Resource"><Iptc4xmpExt:rbX>{x / width:.7f}</Iptc4xmpExt:rbX>'
        f"<Iptc4xmpExt:rbY>{y / height:.7f}</Iptc4xmpExt:rbY></rdf:li>"
        for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
    )
    outline = f"<Iptc4xmpExt:rbVertices><rdf:Seq>{corners}</rdf:Seq></Iptc4xmpExt:rbVertices>"
    rectangle = {
        "rbX": left / width,
        "rbY": top / height,
        "rbW": (right - left) / width,
        "rbH": (bottom - top) / height,
    }
    middle = {"rbX": (left + right) / 2 / width, "rbY": (top + bottom) / 2 / height, "rbRx": 8 / width}
    return xmp_packet(
        f"<Iptc4xmpExt:ImageRegion {SPACES}><rdf:Bag>{area('rectangle', **rectangle)}{area('circle', **middle)}"
        f"{area('polygon', outline)}</rdf:Bag></Iptc4xmpExt:ImageRegion>"
    )


def iptc_boxes(path: Path) -> list[tuple[int, int, int, int]]:
    """The boxes around IPTC's areas of the written file, in its pixels: of the rectangle, of the circle, and of the polygon."""
    photo = Photo.open(path)
    assert photo.metadata.xmp is not None and photo.metadata.xmp.count(b"A. Friend") == 3
    space, (width, height) = f"{{{NAMESPACES['Iptc4xmpExt']}}}", photo.size
    found = []
    for boundary in ET.fromstring(photo.metadata.xmp).iter(f"{space}RegionBoundary"):

        def read(element: ET.Element, name: str) -> float | None:
            text = element.get(space + name) or element.findtext(space + name)
            return None if text is None else float(text)

        assert "relative" in (boundary.get(f"{space}rbUnit"), boundary.findtext(f"{space}rbUnit"))
        points = [(read(one, "rbX"), read(one, "rbY")) for one in boundary.iter()]
        xs, ys = ([p[at] * side for p in points if p[at] is not None] for at, side in ((0, width), (1, height)))  # type: ignore[operator]
        radius, across, down = (read(boundary, name) for name in ("rbRx", "rbW", "rbH"))
        if across is not None and down is not None:
            xs, ys = [xs[0], xs[0] + across * width], [ys[0], ys[0] + down * height]
        beyond = 0 if radius is None else radius * width
        box = min(xs) - beyond, min(ys) - beyond, max(xs) + beyond, max(ys) + beyond
        found.append(tuple(map(round, box)))
    return found  # type: ignore[return-value]


def around(box: tuple[int, int, int, int], radius: int) -> tuple[int, int, int, int]:
    x, y = (box[0] + box[2]) // 2, (box[1] + box[3]) // 2
    return x - radius, y - radius, x + radius, y + radius


@pytest.mark.parametrize("pixels", [False, True])
@pytest.mark.parametrize("attributes", [False, True])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_areas_of_the_iptc_lie_on_the_face_however_it_was_stored_and_is_turned(
    tmp_path: Path, orientation: int, attributes: bool, pixels: bool
) -> None:
    photo = photo_stored(orientation, iptc_packet(*stored_box(orientation), pixels, attributes))
    for turn in (0, 90, 180, 270):
        path = photo.turned(turn).save(tmp_path / "out.webp", overwrite=True)
        shown = Photo.open(path).pixels
        rows, columns = np.nonzero((shown == RED).all(axis=2))
        face = int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1
        assert iptc_boxes(path) == [face, around(face, 8), face]
    photo.enlarged(2).save(tmp_path / "large.webp")
    assert iptc_boxes(tmp_path / "large.webp") == [tuple(2 * at for at in box) for box in (BOX, around(BOX, 8), BOX)]


@pytest.mark.parametrize("policy", ["strip", "technical"])
@pytest.mark.parametrize("suffix", ["webp", "jpg", "png", "tif"])
def test_no_marked_face_is_in_what_is_written_without_metadata(tmp_path: Path, suffix: str, policy: str) -> None:
    for packed in (iptc_packet(BOX, SIZE), packet(BOX, SIZE)):
        photo = photo_stored(1, packed)
        path = photo.save(tmp_path / f"out.{suffix}", overwrite=True, metadata_policy=policy)
        written = path.read_bytes()
        assert b"Friend" not in written and b"Region" not in written and b"stArea" not in written


@pytest.mark.parametrize("suffix", ["webp", "jpg", "png", "tif"])
def test_nobody_is_marked_in_an_anonymized_photo_though_its_metadata_is_kept(tmp_path: Path, suffix: str) -> None:
    acdsee = (
        b'<acdsee-rs:Regions xmlns:acdsee-rs="http://ns.acdsee.com/regions/"><rdf:Bag>'
        b"<rdf:li>A. Friend</rdf:li></rdf:Bag></acdsee-rs:Regions>"
    )
    both = iptc_packet(BOX, SIZE).replace(b"</Iptc4xmpExt:ImageRegion>", b"</Iptc4xmpExt:ImageRegion>" + acdsee)
    for packed in (both, packet(BOX, SIZE)):
        name = b"<dc:creator>Nobody Anywhere</dc:creator></rdf:Description>"
        photo = photo_stored(1, packed.replace(b"</rdf:Description></rdf:RDF>", name + b"</rdf:RDF>"))
        result = done(photo, method("solid"), (face_at(BOX[0], BOX[1], 16),))
        assert result.status == "verified"
        written = result.after.save(tmp_path / f"out.{suffix}", overwrite=True).read_bytes()
        assert b"Nobody Anywhere" in written, "the rest is kept"
        assert b"Friend" not in written and b"stArea" not in written and b"rbX" not in written
