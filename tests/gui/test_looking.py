"""What a person sees of a photo in the window is whole, and says what it is."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from PySide6.QtCore import QPoint, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QGuiApplication, QIcon, QImage, QPixmap, QRegion
from PySide6.QtWidgets import QLabel, QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.anonymize_rows import MISSED
from facestudio.gui.app import application
from facestudio.gui.main_window import MainWindow
from facestudio.gui.review_work import ReviewFace
from facestudio.gui.theme import LIGHT, Theme
from facestudio.gui.widgets.chooser import Chooser
from facestudio.gui.widgets.face_labels import FaceNumbers
from facestudio.gui.widgets.files_list import ICON, icon_of
from facestudio.gui.widgets.review_card import ReviewCard
from facestudio.gui.widgets.shortcuts import ShortcutsDialog
from facestudio.methods.base import method_about, method_name
from facestudio.studio import Studio
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, open_photo, restore

PANE = QRectF(0, 0, 400, 300)


def numbers(*boxes: QRectF, taken: tuple[QRectF, ...] = ()) -> list[QRectF]:
    application()
    return FaceNumbers().places(boxes, PANE, taken, QFont())[1]


@pytest.mark.parametrize(
    "box", [QRectF(100, 5, 30, 30), QRectF(-20, 100, 60, 60), QRectF(390, 100, 40, 40), QRectF(100, -20, 60, 60)]
)
def test_the_number_of_a_face_at_the_edge_is_seen_whole(box: QRectF) -> None:
    assert PANE.contains(numbers(box)[0])


def test_the_number_of_a_face_stands_over_it_and_goes_with_it() -> None:
    (place,) = numbers(QRectF(100, 80, 50, 60))
    assert place.left() == 100 and place.bottom() == 76
    assert not numbers(QRectF(100, -90, 50, 60))[0].intersects(PANE)  # scrolled out of view


@pytest.mark.parametrize(("across", "side"), [(24, 18), (12, 16), (40, 60), (9, 9)])
def test_twenty_numbers_of_a_group_do_not_cover_one_another_nor_the_words_over_the_photo(
    across: float, side: float
) -> None:
    boxes = [QRectF(110 + across * (n % 7), 60 + 1.2 * across * (n // 7) + n % 2 * 4, side, side) for n in range(20)]
    tag = QRectF(100, 40, 60, 26)
    places = numbers(*boxes, taken=(tag,))
    metrics = QFontMetricsF(QFont())
    for n, place in enumerate(places):
        assert PANE.contains(place) and not place.intersects(tag)
        assert place.width() > 0.85 * metrics.horizontalAdvance(str(n + 1)), "the whole number has room"
        assert not any(place.intersects(other) for other in places[:n])
        nearest = min(range(20), key=lambda m: (boxes[m].center() - place.center()).manhattanLength())
        assert nearest == n or (boxes[n].center() - place.center()).manhattanLength() < 5 * side + 100


def test_nothing_is_painted_over_the_number_of_a_face_in_a_crowd(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.faces = tuple(fakes.face_at(150 + 12 * n, 150, 60) for n in range(12))
    open_photo(qtbot, window, draw(photo_path))
    _, places = window.viewer.number_places(window.viewer.panes()[0])
    image = window.viewer.grab().toImage()
    accent = window.theme.colour("accent")
    for place in places:  # the ground of each number is whole along its lower edge, where no letter reaches
        row = [
            image.pixelColor(int(x), int(place.bottom() - 2))
            for x in range(int(place.left()) + 6, int(place.right()) - 6)
        ]
        assert all(abs(c.red() - accent.red()) + abs(c.blue() - accent.blue()) < 12 for c in row)


@pytest.mark.parametrize("size", [8, 10, 14])  # points: fonts of other systems are wider
def test_the_status_of_a_face_in_the_review_is_not_cut(size: int) -> None:
    app = application()
    usual = app.font()
    font = app.font()
    font.setPointSize(size)
    app.setFont(font)
    try:
        theme = Theme(LIGHT)
        face = ReviewFace(fakes.face_at(50, 50, 60), MISSED, (), "", 0, (), QImage(), None, True)
        card = ReviewCard(11, face, theme)
        card.show()
        for label in (card.status, card.title):
            assert isinstance(label, QLabel)
            assert label.width() >= label.fontMetrics().horizontalAdvance(label.text())
        card.deleteLater()
    finally:
        app.setFont(usual)


@pytest.mark.parametrize("width, height", [(160, 90), (90, 160), (20, 20)])
def test_a_selected_photo_of_the_list_keeps_its_colours(width: int, height: int) -> None:
    application()
    picture = QPixmap(width, height)
    picture.fill("#a08060")
    icon = icon_of(picture)
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        drawn = icon.pixmap(ICON, 1.0, mode).toImage()
        assert drawn.size() == ICON  # names begin at one place
        assert drawn.pixelColor(drawn.rect().center()).name() == "#a08060"


def test_the_figures_of_a_face_are_in_words_and_nothing_is_certain(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    chip = window.workspace.strip.chips[0]
    assert "how sure the detector is" in chip.toolTip()
    assert chip.tick.accessibleDescription() == chip.info.replace("\n", ", ")
    restore(qtbot, window)
    assert "chance that both faces are the same person" in chip.toolTip()
    assert "100%" not in chip.toolTip()


def test_what_is_shown_is_copied(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    copy = window.commands["copy"]
    assert not copy.isEnabled()
    open_photo(qtbot, window, draw(photo_path))
    clipboard = QGuiApplication.clipboard()
    copy.trigger()
    photo = clipboard.image()
    assert (photo.width(), photo.height()) == (600, 360)
    restore(qtbot, window)
    copy.trigger()
    assert clipboard.image().size() == photo.size()
    assert clipboard.image().convertToFormat(photo.format()) != photo
    assert window.workspace.toast.label.text() == "The result is on the clipboard."


def test_a_result_that_is_saved_is_not_saved_again_beside_it(
    qtbot: QtBot, window: MainWindow, photo_path: Path
) -> None:
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    first, second = (photo_path.with_name(f"two people_restored{tail}.jpg") for tail in ("", "_2"))
    for _ in range(2):
        with qtbot.waitSignal(window.session.results.saved):
            window.commands["save"].trigger()
    assert window.workspace.toast.label.text() == f"It is saved already, as {first.name}"
    assert first.exists()
    assert not second.exists()
    window.session.shuffle_seed()
    restore(qtbot, window)
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save"].trigger()
    assert second.exists()  # another result
    first.unlink()
    window.commands["undo"].trigger()
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save"].trigger()
    assert first.exists()  # what was taken away is written again


def test_nothing_is_restored_of_a_photo_that_is_about_to_go(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    other = draw(photo_path.with_name("other.jpg"))
    window.open_paths([other])  # its result would be lost without a question
    assert window.workspace.panel.hint.text() == "Opening other.jpg…"
    assert not window.workspace.panel.button.isEnabled()
    assert not window.commands["restore"].isEnabled()
    qtbot.waitUntil(lambda: window.workspace.panel.button.isEnabled(), timeout=20000)


def test_which_method_made_the_result_is_said(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    open_photo(qtbot, window, draw(photo_path))
    assert "restored by" not in window._about_photo.text()
    restore(qtbot, window)
    assert "restored by Slow" in window._about_photo.text()


def test_a_larger_result_is_advised_where_it_shows_more(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    about = window.workspace.panel.about_size
    studio.faces = (fakes.face_at(180, 170, 60), fakes.face_at(440, 190, 400))
    open_photo(qtbot, window, draw(photo_path))
    assert about.text() == ""  # of the largest, 400 px, all of it is seen
    window.session.toggle_face(1)
    assert "4 times as large" in about.text()
    assert about.isVisible()
    window.session.enlarging.choose(2)
    assert about.text() == "600 × 360 pixels become 1200 × 720."
    window.session.enlarging.choose(1)
    studio.max_megapixels = 1.0
    window.session.select_all()
    window.session.toggle_face(1)
    assert "2 times as large" in about.text()  # four times is too many pixels


def test_nothing_on_a_chip_is_cut(qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path) -> None:
    studio.judges = [fakes.FakeEmbedder(f"judge-{letter}") for letter in "abcdef"]
    strip = window.workspace.strip
    open_photo(qtbot, window, draw(photo_path))
    before = strip.height()
    assert before < 272
    restore(qtbot, window)
    qtbot.waitUntil(lambda: strip.height() > before)
    qtbot.waitUntil(lambda: all(chip.height() >= chip.needed_height for chip in strip.chips))
    after = strip.height()
    window.commands["undo"].trigger()
    assert strip.height() == after  # the picture does not jump
    open_photo(qtbot, window, draw(photo_path.with_name("other.jpg")))


def test_a_face_that_was_added_is_scrolled_into_view(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path
) -> None:
    studio.faces = tuple(fakes.face_at(40 + 60 * n, 100, 50) for n in range(9))
    window.resize(1000, 700)
    open_photo(qtbot, window, draw(photo_path))
    bar = window.workspace.strip._scroll.horizontalScrollBar()
    qtbot.waitUntil(lambda: bar.maximum() > 0)
    assert bar.value() == 0
    window.session.add_face((300.0, 200.0, 360.0, 280.0))
    qtbot.waitUntil(lambda: len(window.workspace.strip.chips) == 10 and not window.session.doing)
    least = 10 * (window.workspace.strip.chips[0].width() + 10)
    qtbot.waitUntil(lambda: bar.maximum() + bar.pageStep() >= least)
    assert bar.value() == bar.maximum()
    bar.triggerAction(bar.SliderAction.SliderToMinimum)
    window.resize(1010, 700)
    assert bar.value() == 0  # it stays where somebody scrolled to


def test_every_method_that_restores_says_what_it_is_for(qtbot: QtBot, window: MainWindow, studio: FakeStudio) -> None:
    shipped = {method_name(checkpoint) for checkpoint in Studio("cpu").restore_checkpoints()}
    assert all(method_about(name) for name in shipped)
    panel = window.workspace.panel
    assert not panel.about_method.isVisible()  # of the stand-in nothing is known
    studio.fake_offers = [
        fakes.fake_checkpoint("quick-checkpoint", title="Quick weights", licence="MIT", method="quick:Quick")
    ]
    window.session.look_again()
    qtbot.waitUntil(panel.about_method.isVisible)
    assert panel.about_method.text() == method_about("quick")


@pytest.mark.parametrize("ratio", [1.5, 1.75])
def test_nothing_old_shines_through_at_the_edges_of_the_photo_on_a_scaled_screen(
    window: MainWindow, ratio: float
) -> None:
    viewer = window.viewer
    viewer.setParent(None)
    viewer.resize(301, 241)  # no whole number of the screen's pixels
    seen = QImage(math.ceil(301 * ratio), math.ceil(241 * ratio), QImage.Format.Format_RGB32)
    seen.setDevicePixelRatio(ratio)
    seen.fill(QColor("magenta"))
    viewer.render(seen, QPoint(), QRegion(), QWidget.RenderFlag(0))
    corners = {seen.pixel(x, y) for x in (0, seen.width() - 1) for y in (0, seen.height() - 1)}
    assert corners == {window.theme.colour("canvas").rgb()}


def test_the_list_of_keys_says_where_they_do_what_and_cuts_nothing_off(qtbot: QtBot, window: MainWindow) -> None:
    window.commands["shortcuts"].trigger()
    listed = window.findChild(ShortcutsDialog)
    assert listed is not None
    table = listed.table
    rows = [tuple(table.item(row, column).text() for column in range(3)) for row in range(table.rowCount())]
    keys = window.commands["open"].shortcut().toString()
    assert [row[0] for row in rows if row[2] == keys] == ["File, in Restore", "File, in Generate", "File, in Anonymize"]
    assert [row[0] for row in rows if row[1] == "Undo"] == ["Edit"] and "File" in {row[0] for row in rows}
    assert all(table.columnWidth(column) >= table.sizeHintForColumn(column) for column in range(3))


@pytest.mark.parametrize("empty", [None, 56])
def test_what_asks_for_a_photo_keeps_clear_of_its_frame(window: MainWindow, empty: int | None) -> None:
    asking = Chooser(128, 208, empty) if empty else Chooser()
    asking.setParent(window)
    asking.fill("", None, 0)
    asking.ensurePolished()
    face = asking.face
    inner = face.contentsRect().adjusted(face.margin(), face.margin(), -face.margin(), -face.margin())
    wrapped = face.fontMetrics().boundingRect(inner, int(Qt.TextFlag.TextWordWrap | face.alignment()), face.text())
    assert face.rect().adjusted(6, 2, -6, -2).contains(wrapped) and inner.contains(wrapped)
