"""The second look at small faces: where it looks, what it takes for a face, and when it looks at nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facestudio.faces.detect import GLIMPSED, Detector
from facestudio.faces.face import Face
from facestudio.faces.overlooked import MOST, SEEN, SMALL, half_hidden, overlooked
from facestudio.progress import Cancelled, Progress
from tests.unit.test_detect import Spots, scene


class Doubting:
    """A close look that multiplies every score."""

    def __init__(self, by: float) -> None:
        self.by = by
        self.looked = 0

    def refine(self, pixels: np.ndarray, face: Face) -> Face:
        self.looked += 1
        return Face(face.box, face.landmarks, face.score * self.by, face.pose)


def place(left: float, top: float, across: float, down: float, score: float = 0.5) -> Face:
    box = np.array([left, top, left + across, top + down])
    return Face(box, np.tile((box[:2] + box[2:]) / 2, (5, 1)), score)


def detector(by: float = 1.0, logit: float = 2.0) -> Detector:
    return Detector(Spots(logit), finder=Doubting(by))  # type: ignore[arg-type]


def again(pixels: np.ndarray, glimpses: list[Face], known: Any = (), of: Detector | None = None, **more: Any) -> Any:
    return overlooked(pixels, glimpses, known, of or detector(), Progress(), **more)


def test_a_small_face_is_found_where_it_is_though_the_network_sees_it_only_enlarged() -> None:
    pixels = scene(300, 200, [(120, 60, 7, 8), (293, 193, 7, 7)])  # too small for it as they are
    assert detector().detect(pixels) == ()
    inner, edge = again(pixels, [place(119, 59, 9, 9), place(292, 192, 8, 8)])
    for face, box in ((inner, (119.5, 59.5, 126.5, 67.5)), (edge, (292.5, 192.5, 299.5, 199.5))):
        assert np.abs(face.box - box).max() < 1
        assert np.abs(face.landmarks[2] - (face.box[:2] + (face.box[2:] - face.box[:2]) * (0.5, 0.6))).max() < 0.6
    assert inner.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-3)


def test_a_glimpse_of_nothing_is_nothing() -> None:
    assert again(scene(300, 200, [(10, 10, 12, 12)]), [place(120, 60, 12, 14)]) == ()
    assert again(scene(300, 200, []), []) == ()


def test_what_the_close_look_refuses_is_not_pointed_out() -> None:
    pixels, glimpses = scene(300, 200, [(120, 60, 12, 12)]), [place(120, 60, 12, 12)]
    assert len(again(pixels, glimpses, of=detector(by=0.2))) == 1
    assert again(pixels, glimpses, of=detector(by=0.05)) == ()


def test_neither_known_nor_large_faces_are_looked_at_again() -> None:
    large = SMALL + 4
    pixels = scene(300, 200, [(120, 60, 12, 12), (20, 20, large, large)])
    of = detector()
    assert again(pixels, [place(120, 60, 12, 12)], [place(100, 50, 60, 60)], of) == ()  # inside of a known one
    assert again(pixels, [place(20, 20, large, large)], (), of) == ()
    assert of.finder.looked == 0  # type: ignore[union-attr, attr-defined]


def test_one_face_is_pointed_out_once_and_the_work_has_a_bound() -> None:
    pixels, of = scene(300, 200, [(120, 60, 12, 12)]), detector()
    glimpses = [place(120 + n % 3, 60, 12, 12) for n in range(MOST + 50)]
    assert len(again(pixels, glimpses, (), of)) == 1
    assert of.finder.looked == MOST * len(SEEN)  # type: ignore[union-attr, attr-defined]


def test_it_is_stopped_between_two_places() -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        overlooked(scene(90, 90, [(20, 20, 12, 12)]), [place(20, 20, 12, 12)], (), detector(), progress)


def test_a_survey_tells_what_the_network_glimpsed_also_in_tiles_and_finds_the_same_faces() -> None:
    """The close look refuses all, and tiles alone would have to be surer."""
    logit = float(np.log((GLIMPSED + 0.1) / (1 - GLIMPSED - 0.1)))
    small, large = scene(900, 700, [(500, 600, 30, 36)]), scene(4000, 3000, [(500, 600, 30, 36)])
    for pixels in (small, large):
        doubting = detector(by=0.1, logit=logit)
        faces, glimpses = doubting.survey(pixels)
        assert faces == doubting.detect(pixels) == ()
        (glimpse,) = glimpses
        assert np.abs(glimpse.box - (499.5, 599.5, 529.5, 635.5)).max() < 2
    assert detector(logit=-3.0).survey(small)[1] == ()


class LeftOnly(Spots):
    """Sees nothing in a picture that is brighter on its right half."""

    def forward(self, x: Any) -> Any:
        half = x.shape[3] // 2
        logit = self.logit
        self.logit = logit if x[..., :half].sum() >= x[..., half:].sum() else -9.0
        try:
            return super().forward(x)
        finally:
            self.logit = logit


def behind(pixels: np.ndarray, glimpses: list[Face], known: Any = (), of: Detector | None = None) -> Any:
    return half_hidden(pixels, glimpses, known, of or detector(by=0.0), Progress())


def test_a_large_face_that_the_close_look_refuses_is_pointed_out_where_the_network_sees_it_in_every_view() -> None:
    pixels, glimpses = scene(400, 300, [(120, 60, 90, 110)]), [place(120, 60, 90, 110)]
    of = detector(by=0.0)
    assert of.detect(pixels) == ()
    (face,) = behind(pixels, glimpses, of=of)
    assert face.score == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-3)
    assert np.array_equal(face.box, glimpses[0].box)
    assert behind(pixels, glimpses, [place(110, 50, 100, 120)]) == (), "somebody works on that one"
    assert behind(pixels, [place(120, 60, 20, 20)]) == (), "what is small is looked at otherwise"
    assert behind(pixels, [place(260, 60, 90, 110)]) == () and behind(pixels, []) == ()
    one_way = Detector(LeftOnly(2.0), finder=Doubting(0.0))  # type: ignore[arg-type]
    uneven = scene(400, 300, [(120, 60, 90, 110), (90, 20, 10, 230)])
    assert behind(uneven, glimpses, of=one_way) == (), "half of the views are not enough"


def test_a_place_is_given_up_when_no_other_view_could_change_it() -> None:
    of, calls = detector(by=0.0), list[int]()
    of._network.register_forward_hook(lambda *_: calls.append(1))
    pixels = scene(400, 300, [(120, 60, 90, 110)])
    assert behind(pixels, [place(260, 60, 90, 110)], of=of) == () and len(calls) == 2
    assert behind(pixels, [place(120, 60, 90, 110)], of=of) != () and len(calls) == 2 + 4
