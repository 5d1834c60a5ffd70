"""What a saved result keeps of its photo's metadata is the user's choice, remembered, and said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.metadata import read_recipe
from tests import fakes
from tests.gui.conftest import FACES, FakeStudio, open_photo, restore

ARTIST, EXPOSURE, CAMERA = 0x013B, 0x829A, 0x8769


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A photo whose file says who took it, and how long it was exposed."""
    exif = Image.Exif()
    exif[ARTIST] = "Nobody Anywhere"
    exif.get_ifd(CAMERA)[EXPOSURE] = 0.5
    path = tmp_path / "photos" / "one.jpg"
    path.parent.mkdir()
    Image.fromarray(fakes.picture(360, 600, FACES)).save(path, exif=exif)
    return path


def choose(window: MainWindow, policy: str) -> None:
    combo = window.workspace.panel.metadata
    combo.setCurrentIndex(combo.findData(policy))


def kept(path: Path) -> tuple[bool, bool]:
    """Whether the file says who took the photo, and how it was exposed."""
    with Image.open(path) as image:
        exif = image.getexif()
        return exif.get(ARTIST) is not None, exif.get_ifd(CAMERA).get(EXPOSURE) is not None


def save(qtbot: QtBot, window: MainWindow) -> Path:
    with qtbot.waitSignal(window.session.results.saved) as saved:
        window.commands["save"].trigger()
    return Path(saved.args[0])


def test_all_is_kept_unless_something_else_is_chosen(qtbot: QtBot, window: MainWindow, photo: Path) -> None:
    open_photo(qtbot, window, photo)
    restore(qtbot, window)
    assert window.workspace.panel.metadata.currentData() == "keep"
    assert kept(save(qtbot, window)) == (True, True)
    assert "etadata" not in window.workspace.toast._words
    assert "metadata" not in window.workspace.panel.unusual


@pytest.mark.parametrize(("policy", "expected"), [("technical", (False, True)), ("strip", (False, False))])
def test_save_keeps_what_was_chosen_and_says_so(
    qtbot: QtBot, window: MainWindow, photo: Path, policy: str, expected: tuple[bool, bool]
) -> None:
    open_photo(qtbot, window, photo)
    restore(qtbot, window)
    choose(window, policy)
    path = save(qtbot, window)
    assert kept(path) == expected
    assert read_recipe(path) is not None, "how it was made is said all the same"
    assert "metadata" in window.workspace.toast._words
    assert "metadata" in window.workspace.panel.unusual


def test_save_as_keeps_what_was_chosen(
    qtbot: QtBot, window: MainWindow, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, photo)
    restore(qtbot, window)
    choose(window, "strip")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(tmp_path / "other.png"), ""))
    with qtbot.waitSignal(window.session.results.saved):
        window.commands["save_as"].trigger()
    assert kept(tmp_path / "other.png") == (False, False)


def test_after_another_choice_save_writes_another_file(qtbot: QtBot, window: MainWindow, photo: Path) -> None:
    open_photo(qtbot, window, photo)
    restore(qtbot, window)
    first = save(qtbot, window)
    choose(window, "strip")
    second = save(qtbot, window)
    assert second != first and kept(first)[0] and not kept(second)[0]
    assert save(qtbot, window) == second


def test_the_choice_is_remembered(make_window: Callable[[], MainWindow]) -> None:
    window = make_window()
    choose(window, "technical")
    window.close()
    again = make_window()
    assert again.workspace.panel.metadata.currentData() == "technical"
    assert again.session.kept_metadata.policy == "technical"


def test_restore_all_keeps_what_was_chosen(
    qtbot: QtBot, window: MainWindow, photo: Path, tmp_path: Path, studio: FakeStudio
) -> None:
    fakes.write_picture(photo.with_name("two.jpg"), fakes.picture(360, 600, FACES, 1))
    window.open_paths([photo.parent])
    qtbot.waitUntil(lambda: window.session.looked and not window.session.doing)
    choose(window, "strip")
    with qtbot.waitSignal(window.session.restoring_all.done):
        window.session.restoring_all.restore(tmp_path / "out")
    (written,) = (tmp_path / "out").rglob("one.jpg")
    assert kept(written) == (False, False)


def test_the_file_menu_leads_to_the_choice_and_save_as_says_it(
    qtbot: QtBot, window: MainWindow, photo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_photo(qtbot, window, photo)
    restore(qtbot, window)
    panel, titles = window.workspace.panel, []
    window.commands["panel"].setChecked(False)
    window.commands["kept_metadata"].trigger()
    assert panel.isVisible() and panel.metadata.isVisible() and panel.focusWidget() is panel.metadata

    def ask(parent: object, title: str, *more: object) -> tuple[str, str]:
        titles.append(title)
        return "", ""

    monkeypatch.setattr(QFileDialog, "getSaveFileName", ask)
    window.commands["save_as"].trigger()
    choose(window, "strip")
    window.commands["save_as"].trigger()
    assert titles == ["Save the result", "Save the result. Nothing of the photo's metadata is kept"]
