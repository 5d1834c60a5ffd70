"""Finding faces with a network that finds bright spots: geometry, tiles, progress and stopping."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from facestudio.faces.detect import MINIMUM_SCORE, STANDS, TILE_SCORE, Detector
from facestudio.faces.looks import TURNS, looks_at
from facestudio.networks.detector import STRIDES
from facestudio.progress import Cancelled, Progress

LOGIT = 2.0


class Spots(torch.nn.Module):
    """Sees each bright spot of at least 12 px as a face; a spot that is cut off, as a smaller face.

    With `filled` (0..1) only those that fill so much of their box.
    """

    def __init__(self, logit: float = LOGIT, filled: float = 0.0) -> None:
        super().__init__()
        self.logit, self.filled = logit, filled
        self.shapes: list[tuple[int, ...]] = []

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        self.shapes.append(tuple(x.shape[2:]))
        maps = [torch.full((1, 15, x.shape[2] // s, x.shape[3] // s), -9.0) for s in STRIDES]
        bright = (x[0, 0].numpy() > 0).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        for left, top, width, height, area in stats[1:]:
            if min(width, height) < 12 or area < self.filled * width * height:
                continue
            box = np.array([left, top, left + width, top + height]) - 0.5
            column, row = int((left + width / 2) // 8), int((top + height / 2) // 8)
            centre = np.array([column, row]) * 8 + 3.5
            place = maps[0][0, :, row, column]
            place[0] = self.logit
            place[1:5] = torch.from_numpy(np.log(np.concatenate([centre - box[:2], box[2:] - centre]) / 8))
            marks = np.array([(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.3, 0.8), (0.7, 0.8)])
            place[5:] = torch.from_numpy(((marks * (width, height) + box[:2] - centre) / 8).ravel())
        return maps


def scene(width: int, height: int, boxes: list[tuple[int, int, int, int]]) -> np.ndarray:
    """A black photo with a bright spot (left, top, width, height) for each face."""
    pixels = np.zeros((height, width, 3), np.uint8)
    for left, top, across, down in boxes:
        pixels[top : top + down, left : left + across] = 255
    return pixels


def places(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Small spots everywhere, also on every border of a tile and in every corner of the photo, and one large spot."""
    tiles = [look.part for look in looks_at(width, height) if not look.whole]
    xs = sorted({0, width - 30, *(x - 15 for tile in tiles for x in (tile[0], tile[2]) if 0 < x < width)})
    ys = sorted({0, height - 38, *(y - 19 for tile in tiles for y in (tile[1], tile[3]) if 0 < y < height)})
    return [(x, y, 30, 38) for x in xs for y in ys]


def test_small_faces_of_a_large_photo_are_found_once_each_where_they_are() -> None:
    large = (1300, 1290, 900, 1100)
    small = [
        spot
        for spot in places(4000, 3000)
        if not (large[0] - 40 < spot[0] < large[0] + 940 and large[1] - 50 < spot[1] < large[1] + 1140)
    ]
    found = Detector(Spots()).detect(scene(4000, 3000, [*small, large]))
    assert len(found) == len(small) + 1 > 30
    boxes = np.array([face.box for face in found[1:]])
    for left, top, across, down in small:
        true = np.array([left, top, left + across, top + down]) - 0.5
        assert np.abs(boxes - true).max(axis=1).min() < 1.5
    assert np.abs(found[0].box - (1299.5, 1289.5, 2199.5, 2389.5)).max() < 8
    assert np.abs(found[0].landmarks[2] - (1300 + 450, 1290 + 660)).max() < 8


def test_a_middling_face_on_a_border_is_no_half_face() -> None:
    """Too large for a tile to answer for, and cut by a tile's border: found once, whole."""
    tile = next(look.part for look in looks_at(4000, 3000) if not look.whole)
    spot = (tile[2] - 150, tile[3] - 80, 190, 240)
    (face,) = Detector(Spots()).detect(scene(4000, 3000, [spot]))
    assert np.abs(face.box - (spot[0], spot[1], spot[0] + 190, spot[1] + 240)).max() < 5


def test_what_only_tiles_show_must_be_surer() -> None:
    photo = scene(4000, 3000, [(500, 600, 30, 36)])
    below, above = (float(np.log(p / (1 - p))) for p in (TILE_SCORE - 0.02, TILE_SCORE + 0.02))
    assert Detector(Spots(below)).detect(photo) == ()
    assert len(Detector(Spots(above)).detect(photo)) == 1
    assert len(Detector(Spots(below)).detect(scene(900, 700, [(500, 600, 30, 36)]))) == 1


def tilted(scene: np.ndarray, middle: tuple[int, int], side: int) -> np.ndarray:
    """The scene with a bright square that stands on its corner."""
    corners = cv2.boxPoints((middle, (side, side), 45.0))
    return cv2.fillPoly(scene, [np.round(corners).astype(np.int32)], (255, 255, 255))


def test_a_head_that_is_tilted_far_is_found_once_where_it_is() -> None:
    (face,) = Detector(Spots(filled=0.9)).detect(tilted(scene(800, 600, []), (450, 250), 100))
    assert np.abs(face.box - (400, 200, 500, 300)).max() < 6
    assert np.linalg.norm(face.landmarks - (450, 250), axis=1).max() < 50
    assert abs(abs(face.pose[2]) - 45) < 5


class Heads(Spots):
    """Sees bright spots that stand upright: whose upper half alone is white, and the rest red."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        upright = torch.full_like(x, -1.0)
        bright = (x[0, 0].numpy() > 0).astype(np.uint8)
        for left, top, width, height, _ in cv2.connectedComponentsWithStats(bright)[2][1:]:
            part = (slice(top, top + height), slice(left, left + width))
            white = x[0, 1][part] > 0
            if white[: height // 4].float().mean() > 0.8 and white[-(height // 4) :].float().mean() < 0.2:
                upright[0, 0][part] = x[0, 0][part]
        return super().forward(upright)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_small_faces_of_a_photo_that_lies_on_its_side_or_head_are_found_where_they_are(quarters: int) -> None:
    """They are too small for a look at the turned photo; the large one tells how the photo lies."""
    heads = [(300, 300, 400, 480), *((x, 950, 30, 38) for x in range(200, 1700, 300))]
    photo = scene(1800, 1200, heads)
    for left, top, across, down in heads:
        photo[top + down // 2 : top + down, left : left + across, 1:] = 0
    assert len(Detector(Heads()).detect(photo)) == len(heads)
    faces = Detector(Heads()).detect(np.ascontiguousarray(np.rot90(photo, quarters)))
    assert len(faces) == len(heads)
    back = np.array([[0.0, -1.0], [1.0, 0.0]])  # a quarter clockwise
    middle, now = np.array([1799, 1199]) / 2, np.array([1799, 1199][:: 1 if quarters == 2 else -1]) / 2
    for left, top, across, down in heads:
        true = np.array([left + across / 2, top + down / 2]) - 0.5
        found = [
            np.linalg.matrix_power(back, quarters) @ (face.box.reshape(2, 2).mean(axis=0) - now) + middle
            for face in faces
        ]
        nearest = int(np.argmin([np.linalg.norm(one - true) for one in found]))
        assert np.linalg.norm(found[nearest] - true) < 3
        assert abs((faces[nearest].pose[2] + 90 * quarters + 180) % 360 - 180) < 8  # rot90 turns the other way


def test_the_photo_is_turned_only_where_no_face_is_sure() -> None:
    photo = tilted(scene(1000, 700, [(100, 100, 80, 96)]), (600, 400), 120)
    sure, likely, unsure = (float(np.log(p / (1 - p))) for p in (STANDS + 0.02, STANDS - 0.02, TILE_SCORE - 0.02))
    assert len(Detector(Spots(likely, filled=0.9)).detect(photo)) == 2  # what is likely a face may be none
    network = Spots(sure, filled=0.9)
    assert len(Detector(network).detect(photo)) == 1
    assert len(network.shapes) == len(looks_at(1000, 700))
    network = Spots(sure, filled=0.9)
    assert (
        len(Detector(network).detect(photo, None, MINIMUM_SCORE - 0.1)) == 2
    )  # who wants to miss nobody gets the other one
    assert len(network.shapes) == len(looks_at(1000, 700)) + len(TURNS)
    network = Spots(unsure, filled=0.9)
    assert len(Detector(network).detect(photo)) == 1  # what only the turned photo shows must be surer
    assert len(network.shapes) == len(looks_at(1000, 700)) + len(TURNS)


def test_it_reports_and_stops_between_two_looks() -> None:
    network, told = Spots(), []
    progress = Progress(told.append, every=0)
    Detector(network).detect(scene(2600, 1900, []), progress)
    assert len(network.shapes) == len(looks_at(2600, 1900)) + len(TURNS)
    assert max(max(shape) for shape in network.shapes) <= 1024
    assert [update.stage for update in told][0] == "Finding faces"
    assert told[-1].fraction == 1.0

    class Stopping(Spots):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            progress.cancel()
            return super().forward(x)

    network, progress = Stopping(), Progress()
    with pytest.raises(Cancelled):
        Detector(network).detect(scene(2600, 1900, []), progress)
    assert len(network.shapes) == 1


@pytest.mark.parametrize("shape", [(16, 16), (1, 1), (3, 500), (100, 20000), (20000, 100)])
def test_odd_sizes_are_looked_at(shape: tuple[int, int]) -> None:
    assert Detector(Spots()).detect(np.zeros((*shape, 3), np.uint8)) == ()


def test_a_strip_of_faces_in_a_very_wide_photo() -> None:
    spots = [(x, 30, 40, 50) for x in range(50, 19900, 700)]
    found = Detector(Spots()).detect(scene(20000, 100, spots))
    assert sorted(round(float(face.box[0])) for face in found) == pytest.approx([x for x, *_ in spots], abs=2)
