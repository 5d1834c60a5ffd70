"""Between arrays and Qt's images, and the pyramid."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage

from facestudio.gui.history import History
from facestudio.gui.qimage import fitted, pyramid, square, to_pixels, to_qimage, visible_part
from tests import fakes


def test_there_and_back_at_an_odd_width() -> None:
    pixels = fakes.picture(50, 61)
    assert np.array_equal(to_pixels(to_qimage(pixels)), pixels)


def test_transparency_is_laid_on_white(qapp: object) -> None:
    image = QImage(2, 1, QImage.Format.Format_ARGB32)
    image.setPixelColor(0, 0, QColor(10, 20, 30, 0))
    image.setPixelColor(1, 0, QColor(10, 20, 30, 255))
    assert to_pixels(image).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_the_pyramid_keeps_colours_and_halves(qapp: object) -> None:
    pixels = fakes.picture(1300, 2100)
    made = pyramid(pixels)
    assert made.size == (2100, 1300)
    assert [(level.width(), level.height()) for level in made.levels] == [(2100, 1300), (1050, 650), (525, 325)]
    assert np.array_equal(to_pixels(made.levels[0]), pixels)
    small = to_pixels(made.levels[1])
    assert np.abs(small.astype(int) - pixels[::2, ::2]).mean() < 8


@pytest.mark.parametrize(("scale", "level"), [(2.0, 0), (1.0, 0), (0.6, 0), (0.5, 1), (0.3, 1), (0.25, 2), (0.01, 2)])
def test_the_level_never_lacks_pixels(qapp: object, scale: float, level: int) -> None:
    made = pyramid(fakes.picture(1300, 2100))
    assert made.level_for(scale) == level


def test_the_visible_part_covers_what_is_asked_and_no_more(qapp: object) -> None:
    made = pyramid(fakes.picture(1300, 2100))
    part = visible_part(made, 1, 100.0, 200.0, 300.0, 400.0)
    assert (part.left(), part.top()) == (50, 100)
    assert part.width() in (100, 101)
    assert visible_part(made, 0, -50, -50, 5000, 5000).width() == 2100
    assert visible_part(made, 0, 3000, 0, 4000, 10).isEmpty()


def test_a_stop_between_levels_ends_it() -> None:
    class Stop(Exception):
        pass

    def stop() -> None:
        raise Stop

    with pytest.raises(Stop):
        pyramid(fakes.picture(20, 20), stop)


def test_crops_stay_inside_of_the_photo(qapp: object) -> None:
    pixels = fakes.picture(100, 140)
    for box in ((-30, -30, 20, 20), (120, 80, 160, 130), (0, 0, 140, 100), (50, 50, 50, 50)):
        assert square(pixels, np.array(box), 64).size().toTuple() == (64, 64)
    assert fitted(pixels, 70).size().toTuple() == (70, 50)


def test_a_crop_at_the_edge_shows_its_own_face_in_the_middle(qapp: object) -> None:
    pixels = np.zeros((300, 300, 3), np.uint8)
    pixels[:, :100] = 200  # what of the face is in the photo; its neighbour is black
    crop = to_pixels(square(pixels, np.array((-80, 100, 100, 280)), 64))
    assert (crop > 100).mean() > 0.5


def test_a_picture_is_fitted(qapp: object) -> None:
    pixels = fakes.picture(100, 140)
    assert fitted(pixels, 500).size().toTuple() == (140, 100)


class Sized:
    """A step of a size, which found no other face and was told nobody."""

    found, reference = (), None

    def __init__(self, bytes: int) -> None:
        self.bytes = bytes


def test_history_forgets_the_oldest_and_what_was_undone() -> None:
    history, steps = History(budget=100), [Sized(40) for _ in range(4)]
    for step in steps[:3]:
        history.add(step)  # type: ignore[arg-type]
    history.mark_saved(steps[2], Path("saved.jpg"))  # type: ignore[arg-type]
    assert not history.unsaved
    assert history.saved_as == Path("saved.jpg")
    history.undo()
    assert history.current is steps[1]  # type: ignore[comparison-overlap]
    assert history.unsaved
    history.undo()
    assert history.current is None  # the first step was forgotten
    history.redo()
    history.add(steps[3])  # type: ignore[arg-type]
    assert not history.can_redo
    assert history.current is steps[3]  # type: ignore[comparison-overlap]
