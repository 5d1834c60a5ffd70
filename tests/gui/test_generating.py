"""The Generate workspace, as a user works with it: who, how many, the gallery that fills, one large, saving, undo."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QMessageBox, QPushButton, QToolButton, QWidget
from pytestqt.qtbot import QtBot

from facestudio import xmp
from facestudio.errors import CheckpointCorrupt
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels, to_qimage
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.gallery_grid import cut
from facestudio.gui.widgets.gallery_tile import PICTURE, PREVIEW
from facestudio.gui.workspaces.generate import EMPTY, GRID, LARGE, GenerateWorkspace
from facestudio.metadata import read_recipe
from facestudio.recipe import Recipe
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, Painter, draw, open_photo, restore
from tests.gui.windows import answer, dialog

LEFT = Qt.MouseButton.LeftButton
CONTROL = Qt.KeyboardModifier.ControlModifier


@pytest.fixture
def window(make_window: Callable[[], MainWindow], studio: FakeStudio, qtbot: QtBot) -> MainWindow:
    """A window that shows Generate, over recognisers of which the painter listens to the first."""
    studio.judges = [fakes.FakeEmbedder("listener"), *studio.judges]
    window = make_window()
    window.resize(1200, 800)
    QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.making.offers is not None)
    return window


@pytest.fixture
def page(window: MainWindow) -> GenerateWorkspace:
    return window.generate


def made(qtbot: QtBot, page: GenerateWorkspace, count: int = 3, seed: int = 7) -> None:
    """Ask for pictures as a user does, and wait for them."""
    page.panel.count.setValue(count)
    page.panel.seed.setValue(seed)
    QTest.mouseClick(page.panel.button, LEFT)
    ended(qtbot, page)


def ended(qtbot: QtBot, page: GenerateWorkspace) -> None:
    qtbot.waitUntil(lambda: not page.making.doing)


def click(page: GenerateWorkspace, row: int, modifier: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    """Click into the middle of a picture."""
    QTest.mouseClick(page.grid.viewport(), LEFT, modifier, place(page, row).center())


def place(page: GenerateWorkspace, row: int):  # type: ignore[no-untyped-def]
    page.grid.doItemsLayout()
    return page.grid.visualRect(page.grid.pictures.index(row))


def said(page: GenerateWorkspace, row: int, role: Qt.ItemDataRole = Qt.ItemDataRole.ToolTipRole) -> str:
    return page.grid.pictures.data(page.grid.pictures.index(row), role)


def toast(page: GenerateWorkspace) -> str:
    return page.toast._words if page.toast.isVisible() else ""


def drop(widget: QWidget, path: Path) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(QPointF(5, 5), Qt.DropAction.CopyAction, data, LEFT, Qt.KeyboardModifier.NoModifier)
    widget.dropEvent(event)


def with_person(qtbot: QtBot, page: GenerateWorkspace, path: Path) -> None:
    """Drop a photo onto the panel, and wait for its faces."""
    drop(page.panel.source, draw(path))
    qtbot.waitUntil(lambda: page.making.source is not None and not page.making.doing)


def choose_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(folder))


# ---- the switch


def test_the_switch_keeps_what_both_workspaces_show(qtbot: QtBot, window: MainWindow, photo_path: Path) -> None:
    assert window.workspaces.currentWidget() is window.generate
    window.generate.panel.count.setValue(5)
    QTest.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    assert window.workspaces.currentWidget() is window.workspace
    open_photo(qtbot, window, draw(photo_path))
    window.session.toggle_face(0)
    restore, generate = (
        window.commands.tools.widgetForAction(window.commands[f"to_{n}"]) for n in ("restore", "generate")
    )
    assert isinstance(generate, QToolButton)
    QTest.mouseClick(generate, LEFT)
    assert window.generate.isVisible()
    assert not window.workspace.isVisible()
    assert generate.isChecked()
    assert "Made faces" in window.windowTitle()
    assert window.generate.panel.count.value() == 5
    QTest.mouseClick(restore, LEFT)
    assert window.viewer.isVisible()
    assert window.session.selected == {1}
    assert photo_path.name in window.windowTitle()


def test_keys_and_menus_are_those_of_the_workspace(qtbot: QtBot, window: MainWindow) -> None:
    seed = window.session.seed
    assert window.commands.menus["&Generate"].menuAction().isVisible()
    assert not window.commands.menus["&Photo"].menuAction().isVisible()
    QTest.keyClick(window, Qt.Key.Key_D, CONTROL)
    assert window.generate.panel.seed.value() == window.making.seed != 0
    assert window.session.seed == seed
    made_seed = window.making.seed
    QTest.keyClick(window, Qt.Key.Key_1, Qt.KeyboardModifier.AltModifier)
    assert window.commands.menus["&Photo"].menuAction().isVisible()
    QTest.keyClick(window, Qt.Key.Key_D, CONTROL)
    assert window.workspace.panel.seed.value() == window.session.seed != seed
    assert window.making.seed == made_seed
    bar = window.commands.tools
    for key in (Qt.Key.Key_1, Qt.Key.Key_2):
        QTest.keyClick(window, key, Qt.KeyboardModifier.AltModifier)
        seen = [action.isSeparator() for action in bar.actions() if action.isVisible()]
        assert not seen[0] and not seen[-1]
        assert not any(one and other for one, other in zip(seen, seen[1:], strict=False)), "two lines side by side"


def test_who_never_comes_here_loads_nothing(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[str | None] = []
    monkeypatch.setattr(studio, "prepare", prepared.append)
    window = make_window()
    qtbot.waitUntil(lambda: window.making.offer is not None and not window.session.compute.live)
    assert prepared == ["slow-checkpoint"]
    window.commands["to_generate"].trigger()
    qtbot.waitUntil(lambda: prepared == ["slow-checkpoint", "painter-weights"])


# ---- the empty state


def test_the_empty_gallery_says_what_this_is(page: GenerateWorkspace) -> None:
    assert page.centre.currentIndex() == EMPTY
    assert page.empty.text.text().count(".") == 2, "two sentences"
    for words in ("do not exist", "person in a photo", "256 px"):
        assert words in page.empty.text.text()
    assert not page.empty.problem.isVisible()
    assert page.panel.button.isEnabled()
    assert not page.head.isVisible()


@pytest.mark.parametrize("broken", [False, True])
def test_without_weights_it_says_so(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    studio: FakeStudio,
    broken: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unreadable() -> None:
        raise CheckpointCorrupt("The manifest is damaged.", hint="Install it again.")

    studio.fake_makers = []
    if broken:
        monkeypatch.setattr(studio, "generate_checkpoints", unreadable)
    window = make_window()
    window.commands["to_generate"].trigger()
    qtbot.waitUntil(lambda: window.making.offers is not None)
    page = window.generate
    assert page.empty.problem.isVisible()
    for label in (page.empty.problem, page.panel.problem):
        words = ("manifest is damaged", "Install it again") if broken else ("that draw faces", "facestudio doctor")
        assert all(word in label.text() for word in words)
    assert not page.panel.button.isEnabled()
    assert not window.commands["generate"].isEnabled()


# ---- making


def test_people_of_nobody_fill_the_gallery(qtbot: QtBot, page: GenerateWorkspace, studio: FakeStudio) -> None:
    page.panel.options.rows["guidance"].set_value(3.5)
    page.panel.options.rows["steps"].set_value(12)
    made(qtbot, page, count=10, seed=40)
    assert [seeds for _, seeds, _ in studio.painter.asked] == [list(range(40, 48)), [48, 49]]
    assert all(wish.identity is None for wish, _, _ in studio.painter.asked)
    options = studio.painter.asked[0][2]
    assert (options.guidance, options.steps, options.hold_pose) == (3.5, 12, False)
    assert page.centre.currentIndex() == GRID
    assert page.grid.pictures.rowCount() == 10
    assert [said(page, row, Qt.ItemDataRole.DisplayRole) for row in (0, 9)] == ["40", "49"]
    shown = to_pixels(page.making.pictures[3].image)
    assert np.array_equal(shown, page.making.pictures[3].portrait.photo.pixels)
    assert "10 pictures of people who do not exist   seeds 40 to 49" in page.about.text()
    assert toast(page).startswith("Made 10 pictures in")
    painted = to_pixels(page.grid.grab().toImage())
    assert painted.std() > 20, "pictures are painted"


def test_pictures_come_while_it_runs_and_a_stop_keeps_them(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio
) -> None:
    studio.painter = Painter(steps=60, seconds=0.02, later=2000)
    page.panel.count.setValue(24)
    QTest.keyClick(window, Qt.Key.Key_R, CONTROL)
    bar = page.panel.job_bar
    qtbot.waitUntil(lambda: page.grid.pictures.data(page.grid.pictures.index(7), PREVIEW) is not None)
    assert page.grid.pictures.rowCount() == 24
    assert "still to come" in said(page, 20, Qt.ItemDataRole.AccessibleTextRole)
    assert not page.grid.pictures.flags(page.grid.pictures.index(20)) & Qt.ItemFlag.ItemIsSelectable
    window.grab()
    qtbot.waitUntil(lambda: len(page.making.pictures) == 8)
    assert bar.isVisible()
    assert "left" in bar.left.text()
    assert page.grid.pictures.data(page.grid.pictures.index(0), PICTURE) is not None
    assert "8 of 24 pictures" in page.about.text()
    qtbot.waitUntil(lambda: page.grid.pictures.data(page.grid.pictures.index(9), PREVIEW) is not None)
    taken = studio.painter.taken
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert bar.stage.text() == "Stopping…"
    ended(qtbot, page)
    assert studio.painter.taken <= taken + 2, "within one step, but for the one that ran when it was looked at"
    assert page.grid.pictures.rowCount() == len(page.making.pictures) == 8
    assert toast(page) == "Stopped. 8 of 24 pictures are there."
    assert page.panel.button.isVisible() and page.panel.button.isEnabled()
    assert window.commands["undo_gallery"].isEnabled()


def test_a_stop_before_the_first_picture_shows_the_gallery_of_before(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio
) -> None:
    made(qtbot, page)
    before = page.making.shown
    studio.painter = Painter(steps=400, seconds=0.01)
    QTest.mouseClick(page.panel.button, LEFT)
    qtbot.waitUntil(lambda: studio.painter.taken > 1)
    assert not page.making.pictures
    QTest.mouseClick(page.panel.job_bar.stop, LEFT)
    ended(qtbot, page)
    assert page.making.shown is before
    assert page.grid.pictures.rowCount() == 3
    assert toast(page) == "Stopped. Nothing was changed."


def test_what_fails_is_explained_and_what_is_there_stays(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio
) -> None:
    studio.painter = Painter(fails_at=15)
    made(qtbot, page, count=20, seed=0)
    error = dialog(qtbot, window, ErrorDialog)
    assert "The brush broke." in [label.text() for label in error.findChildren(QLabel)]
    error.close()
    assert page.grid.pictures.rowCount() == 8
    assert page.making.shown is page.making.runs.current
    assert page.panel.button.isEnabled()


def test_a_preview_is_cut_into_the_empty_places() -> None:
    sheet = np.zeros((20, 40, 3), np.uint8)
    sheet[10:, 10:20] = (200, 10, 10)  # the sixth of eight
    tiles = cut(sheet, 8)
    assert [to_pixels(tile).max() for tile in tiles] == [0, 0, 0, 0, 0, 200, 0, 0]
    assert len(cut(sheet[:, :40], 5)) == 5
    assert [tile.width() for tile in cut(np.zeros((30, 30, 3), np.uint8), 1)] == [30]
    assert cut(sheet, 3) == cut(sheet[:15], 8) == cut(sheet, 0) == [], "another layout is not cut"


# ---- the person in a photo


def test_a_photo_is_dropped_and_one_of_its_faces_chosen(
    qtbot: QtBot, page: GenerateWorkspace, studio: FakeStudio, tmp_path: Path
) -> None:
    QTest.mouseClick(page.panel.person, LEFT, pos=QPoint(12, page.panel.person.height() // 2))
    assert page.panel.source.isVisible()
    assert "Other people's faces" in page.panel.source.notice.text()
    assert page.panel.hint.text() == "Choose a photo of the person first."
    assert not page.panel.button.isEnabled()
    with_person(qtbot, page, tmp_path / "pair.png")
    chooser = page.panel.source.chooser
    assert chooser.name.text() == "pair.png"
    assert chooser.faces.count() == 2
    assert page.panel.button.isEnabled()
    chooser.faces.setCurrentRow(1)
    page.panel.options.rows["hold_pose"].set_value(False)
    made(qtbot, page, count=2)
    (wish, _, _) = studio.painter.asked[0]
    photo = page.making.source.found.photo  # type: ignore[union-attr]
    wanted = studio.judges[0].embed(photo.pixels, FACES[1].landmarks)
    assert wish.identity is not None
    assert np.array_equal(wish.identity.embedding, wanted.embedding)
    assert "the person in pair.png" in page.about.text()


def test_each_picture_says_how_alike_it_is(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio, tmp_path: Path
) -> None:
    studio.panel = fakes.fake_panel(["judge-a", "judge-b"], [0.8, 0.7])
    with_person(qtbot, page, tmp_path / "one.png")
    made(qtbot, page)
    portrait = page.making.pictures[1].portrait
    assert portrait.summary is not None
    for name, cosine in portrait.similarity.items():
        assert f"{name}: cosine {cosine:.3f}" in said(page, 1)
    assert set(portrait.similarity) == {"judge-a", "judge-b"}, "the listener does not judge"
    assert "changed" not in said(page, 1), "nothing has changed: it is a new picture"
    assert "Recognisable: 80% in the photo" in said(page, 1)
    click(page, 1)
    readout = page.readout
    assert readout.seed.text() == "Seed 8"
    assert [v.embedder for v in readout.gauge.verdicts] == ["judge-a", "judge-b"]
    assert readout.gauge.isVisible()
    for verdict in readout.gauge.verdicts:
        assert f"{verdict.title}: cosine {verdict.cosine:.3f}, " in readout.gauge.toolTip()
    assert readout.gauge.toolTip().endswith("(Ctrl+I).")
    assert len(readout.cosines) == 2
    assert f"{portrait.similarity['judge-b']:.2f}" in readout.cosines[1].text()
    assert readout.words.text().lower() in said(page, 1, Qt.ItemDataRole.AccessibleTextRole)
    QTest.mouseClick(readout.gauge, LEFT)
    assert dialog(qtbot, window, DistributionsDialog).windowTitle().startswith("Seed 8")


def test_people_of_nobody_are_compared_with_nobody(qtbot: QtBot, page: GenerateWorkspace) -> None:
    made(qtbot, page)
    click(page, 0)
    assert "nobody to compare with" in page.readout.sentence.text()
    assert not page.readout.gauge.isVisible()
    assert page._commands["figures_of_picture"].isEnabled() is False


def test_a_picture_without_a_face_has_a_sign(qtbot: QtBot, page: GenerateWorkspace, studio: FakeStudio) -> None:
    made(qtbot, page)
    whole = to_pixels(page.grid.viewport().grab(place(page, 1)).toImage())
    studio.painter.faceless = {8}
    made(qtbot, page)
    assert "No face was found in this picture" in said(page, 1)
    assert "no face was found" in said(page, 1, Qt.ItemDataRole.AccessibleTextRole)
    assert "No face" not in said(page, 0)
    lower = np.s_[-60:-30, 30:-30]
    assert not np.array_equal(whole[lower], to_pixels(page.grid.viewport().grab(place(page, 1)).toImage())[lower])
    assert toast(page).endswith("no face was found in 1")
    click(page, 1)
    assert page.readout.sentence.text().startswith("No face was found")


def test_a_photo_without_a_face_is_explained(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path
) -> None:
    with_person(qtbot, page, tmp_path / "one.png")
    drop(window, draw(tmp_path / "empty.png"))
    error = dialog(qtbot, window, ErrorDialog)
    assert "No face was found in empty.png." in [label.text() for label in error.findChildren(QLabel)]
    error.close()
    ended(qtbot, page)
    assert page.making.source is not None and page.making.source.name == "one.png"


def test_a_photo_comes_by_dialog_by_clipboard_and_by_window(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(draw(tmp_path / "a.png")), ""))
    QTest.keyClick(window, Qt.Key.Key_O, CONTROL)
    qtbot.waitUntil(lambda: page.making.source is not None and page.making.source.name == "a.png")
    assert page.panel.person.isChecked()
    QGuiApplication.clipboard().setImage(to_qimage(fakes.picture(120, 160)))
    window.commands["paste_source"].trigger()
    qtbot.waitUntil(lambda: page.making.source is not None and page.making.source.name == "Pasted picture")
    drop(window, draw(tmp_path / "b.png"))
    qtbot.waitUntil(lambda: page.making.source is not None and page.making.source.name == "b.png")
    assert window.session.opened is None, "Restore was left alone"
    QGuiApplication.clipboard().setText("words")
    window.commands["paste_source"].trigger()
    assert toast(page) == "There is no picture on the clipboard."


def test_the_photo_stays_while_it_is_drawn(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio, tmp_path: Path
) -> None:
    studio.painter = Painter(steps=300, seconds=0.01)
    QTest.mouseClick(page.panel.button, LEFT)
    drop(window, draw(tmp_path / "a.png"))
    assert toast(page) == "Wait until the drawing is done, or stop it first."
    assert page.making.doing and page.making.source is None
    page.making.stop()
    ended(qtbot, page)


# ---- looking


def test_a_click_shows_one_large_arrows_go_on_and_escape_goes_back(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace
) -> None:
    made(qtbot, page)
    click(page, 1)
    assert page.centre.currentIndex() == LARGE
    assert page.large.hasFocus()
    assert page.large.accessibleName() == "Seed 8, 2 of 3"
    where = page.large.picture_rect()
    assert page.large.rect().contains(where.toRect())
    assert where.width() > 300
    QTest.keyClick(page.large, Qt.Key.Key_Right)
    assert page.readout.seed.text() == "Seed 9"
    QTest.keyClick(page.large, Qt.Key.Key_Right)
    assert page.making.current == 2, "there is no next one"
    assert not page.large.later.isEnabled()
    QTest.keyClick(page.large, Qt.Key.Key_Home)
    assert page.making.current == 0
    QTest.mouseClick(page.large.later, LEFT)
    assert page.making.current == 1
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert page.centre.currentIndex() == GRID
    assert page.grid.hasFocus()
    assert page.grid.currentIndex().row() == 1
    place(page, 0)
    QTest.keyClick(page.grid, Qt.Key.Key_Left)
    QTest.keyClick(page.grid, Qt.Key.Key_Return)
    assert page.centre.currentIndex() == LARGE
    assert page.making.current == 0
    QTest.mouseClick(page.large.back, LEFT)
    assert page.centre.currentIndex() == GRID


def test_several_are_selected_by_tick_key_and_click(qtbot: QtBot, window: MainWindow, page: GenerateWorkspace) -> None:
    made(qtbot, page, count=5)
    QTest.mouseClick(page.grid.viewport(), LEFT, pos=page.grid.tiles.tick(place(page, 1)).center())
    assert page.making.selected == {1}
    assert page.centre.currentIndex() == GRID, "a tick does not open"
    QTest.mouseClick(page.grid.viewport(), LEFT, pos=page.grid.tiles.tick(place(page, 3)).center())
    click(page, 4, CONTROL)
    assert page.making.selected == {1, 3, 4}
    assert page.save_selected.text() == "Save 3 selected…"
    page.grid.setFocus()
    QTest.keyClick(page.grid, Qt.Key.Key_Space)
    assert page.making.selected == {1, 3}
    QTest.keyClick(window, Qt.Key.Key_A, CONTROL)
    assert page.making.selected == {0, 1, 2, 3, 4}
    QTest.keyClick(window, Qt.Key.Key_A, CONTROL | Qt.KeyboardModifier.ShiftModifier)
    assert page.making.selected == set()
    assert page.grid.selectedIndexes() == []
    assert not window.commands["save_pictures"].isEnabled()


def test_one_is_copied(qtbot: QtBot, window: MainWindow, page: GenerateWorkspace) -> None:
    made(qtbot, page)
    assert not window.commands["copy_picture"].isEnabled()
    click(page, 2)
    QTest.keyClick(window, Qt.Key.Key_C, CONTROL)
    copied = to_pixels(QGuiApplication.clipboard().image())
    assert np.array_equal(copied, page.making.pictures[2].portrait.photo.pixels)


def test_a_seed_is_drawn_again_with_other_options(qtbot: QtBot, page: GenerateWorkspace, studio: FakeStudio) -> None:
    made(qtbot, page, count=4)
    click(page, 2)
    page.panel.options.rows["steps"].set_value(50)
    QTest.mouseClick(page.readout.again, LEFT)
    ended(qtbot, page)
    _, seeds, options = studio.painter.asked[-1]
    assert (seeds, options.steps) == ([9], 50)
    assert page.panel.seed.value() == 9
    assert page.panel.count.value() == 4, "how many is asked for is another matter"
    assert page.grid.pictures.rowCount() == 1
    assert page.centre.currentIndex() == LARGE, "one picture is shown large"


def test_undo_and_redo_go_through_the_galleries(qtbot: QtBot, window: MainWindow, page: GenerateWorkspace) -> None:
    assert not window.commands["undo_gallery"].isEnabled()
    made(qtbot, page, count=2, seed=1)
    made(qtbot, page, count=3, seed=5)
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert [picture.seed for picture in page.making.pictures] == [1, 2]
    assert page.grid.pictures.rowCount() == 2
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert page.centre.currentIndex() == EMPTY
    assert not window.commands["undo_gallery"].isEnabled()
    QTest.keyClick(window, Qt.Key.Key_Y, CONTROL)
    QTest.keyClick(window, Qt.Key.Key_Y, CONTROL)
    assert [picture.seed for picture in page.making.pictures] == [5, 6, 7]
    assert not window.commands["redo_gallery"].isEnabled()
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    made(qtbot, page, count=1, seed=9)
    assert not window.commands["redo_gallery"].isEnabled()


# ---- saving


def test_all_are_saved_with_recipe_and_mark(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page)
    assert window.isWindowModified()
    choose_folder(monkeypatch, tmp_path)
    with qtbot.waitSignal(page.making.saved):
        QTest.mouseClick(page.save_gallery, LEFT)
    files = sorted(tmp_path.glob("*"))
    assert [file.name for file in files] == ["face-000007.png", "face-000008.png", "face-000009.png"]
    for file, picture in zip(files, page.making.pictures, strict=True):
        with Image.open(file) as image:
            assert np.array_equal(np.asarray(image), picture.portrait.photo.pixels)
            assert xmp.source_type_of(image.info["xmp"]) == xmp.AI_CREATED
        assert Recipe.from_json(read_recipe(file) or "") == picture.portrait.recipe
    assert toast(page) == f"Saved 3 pictures in {tmp_path.name}"
    assert not window.isWindowModified()


def test_files_that_exist_are_asked_about_once(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = tmp_path / "face-000008.png"
    mine.write_bytes(b"mine")
    (tmp_path / "face-000009.png").write_bytes(b"mine too")
    made(qtbot, page)
    choose_folder(monkeypatch, tmp_path)
    for words, files in (("Cancel", 2), ("Keep both", 5), ("Replace", 5)):
        window.commands["save_gallery"].trigger()
        question = dialog(qtbot, window, QMessageBox)
        assert isinstance(question, QMessageBox)
        count = "2 of 3" if files < 5 or words == "Keep both" else "3 of 3"
        assert count in question.informativeText()
        assert mine.read_bytes() == b"mine"
        answer(qtbot, window, words)
        qtbot.waitUntil(
            lambda: not page.making.saving and not any(q.isVisible() for q in window.findChildren(QMessageBox))
        )
        assert len(list(tmp_path.iterdir())) == files, words
    assert mine.read_bytes() != b"mine"
    assert (tmp_path / "face-000008_2.png").exists()


def test_the_selected_are_saved_and_one_gets_a_name(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page, count=4)
    click(page, 1, CONTROL)
    click(page, 3, CONTROL)
    choose_folder(monkeypatch, tmp_path)
    with qtbot.waitSignal(page.making.saved):
        QTest.keyClick(window, Qt.Key.Key_S, CONTROL)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["face-000008.png", "face-000010.png"]
    click(page, 0)
    offered: list[str] = []

    def name(*args: object) -> tuple[str, str]:
        offered.append(str(args[2]))
        return str(tmp_path / "mine"), ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", name)
    with qtbot.waitSignal(page.making.saved):
        QTest.mouseClick(page.save_selected, LEFT)  # which now means the large one
    assert offered == [str(tmp_path / "face-000007.png")]
    assert Recipe.from_json(read_recipe(tmp_path / "mine.png") or "").seed == 7


def test_the_photo_that_is_drawn_from_is_never_replaced(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = tmp_path / "face-000007.png"
    with_person(qtbot, page, photo)
    untouched = photo.read_bytes()
    made(qtbot, page, count=2)
    choose_folder(monkeypatch, tmp_path)
    window.commands["save_gallery"].trigger()
    dialog(qtbot, window, ErrorDialog).close()
    click(page, 0)
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args: (str(photo), ""))
    window.commands["save_pictures"].trigger()
    qtbot.waitUntil(lambda: not page.making.saving)
    dialog(qtbot, window, ErrorDialog).close()
    assert photo.read_bytes() == untouched
    assert list(tmp_path.iterdir()) == [photo]


def test_a_folder_that_takes_nothing_is_explained(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page)
    choose_folder(monkeypatch, tmp_path / "gone")
    window.commands["save_gallery"].trigger()
    error = dialog(qtbot, window, ErrorDialog)
    assert error.windowTitle() == "The result was not saved"
    error.close()
    assert page.making.unsaved
    assert page.making.can_save


# ---- leaving


def test_closing_while_it_runs_stops_it(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, studio: FakeStudio
) -> None:
    studio.painter = Painter(steps=2000, seconds=0.005)
    QTest.mouseClick(page.panel.button, LEFT)
    qtbot.waitUntil(lambda: studio.painter.taken > 0)
    window.close()
    assert not window.isVisible()
    assert window.session.shutdown(30.0)
    assert studio.painter.taken < 1000, "it did not go on to its end"


def test_closing_asks_about_pictures_that_are_not_saved(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page)
    window.commands["to_restore"].trigger()
    window.close()
    assert page.isVisible(), "what is asked about is shown"
    answer(qtbot, window, "Cancel")
    assert window.isVisible()
    choose_folder(monkeypatch, tmp_path)
    window.close()
    answer(qtbot, window, "Save all…")
    qtbot.waitUntil(lambda: not window.isVisible())
    assert len(list(tmp_path.iterdir())) == 3


def test_closing_asks_about_the_result_and_then_about_the_pictures(
    qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, photo_path: Path
) -> None:
    made(qtbot, page)
    window.commands["to_restore"].trigger()
    open_photo(qtbot, window, draw(photo_path))
    restore(qtbot, window)
    for answers in (("Cancel",), ("Don't save", "Cancel"), ("Don't save", "Don't save")):
        window.close()
        for words in answers:
            assert window.isVisible()
            answer(qtbot, window, words)
    assert not window.isVisible()


# ---- for everybody


def test_everything_is_named_and_reached_by_keys(qtbot: QtBot, window: MainWindow, page: GenerateWorkspace) -> None:
    page.making.draw_from_photo(True)
    made_by = page.panel
    for widget in (made_by.count, made_by.seed, made_by.dice, made_by.method, made_by.checkpoint, page.grid):
        assert widget.accessibleName(), widget
    page.making.draw_from_photo(False)
    made(qtbot, page)
    click(page, 0)
    for button in page.findChildren(QPushButton) + page.findChildren(QToolButton):
        assert button.text() or button.accessibleName(), button
        assert button.toolTip() or button.objectName() in ("restoreButton", ""), button
    QTest.keyClick(window, Qt.Key.Key_Escape)
    made_by.nobody.setFocus()
    order = []
    for _ in range(12):
        focused = window.focusWidget()
        order.append(focused)
        QTest.keyClick(focused, Qt.Key.Key_Tab)
    wanted = [made_by.nobody, made_by.count, made_by.seed, made_by.dice]
    places = [order.index(widget) for widget in wanted]
    assert places == sorted(places)


@pytest.mark.parametrize("theme", ["theme_dark", "theme_light"])
def test_both_themes_paint_the_gallery(qtbot: QtBot, window: MainWindow, page: GenerateWorkspace, theme: str) -> None:
    made(qtbot, page)
    page.toast.hide()
    window.commands[theme].trigger()
    painted = to_pixels(page.grid.viewport().grab().toImage())
    canvas = window.theme.colour("canvas")
    assert tuple(painted[-3, -3]) == (canvas.red(), canvas.green(), canvas.blue())
