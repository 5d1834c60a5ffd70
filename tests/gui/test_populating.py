"""A dataset through the window: asked for, made, stopped and gone on with, refused where it has no place, and proved."""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QStandardPaths, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QLabel, QPushButton
from pytestqt.qtbot import QtBot

from facestudio.datasets import folder
from facestudio.datasets.tables import look
from facestudio.datasets.telling import proof
from facestudio.faces.sliders import EXPRESSION, Slider
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.dataset_dialog import DONE, FORM, RUN, DatasetDialog
from facestudio.methods.base import Wish
from facestudio.options import OptionField, describe
from facestudio.populating import Order, seed_of
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from tests import fakes
from tests.gui.conftest import FakeStudio
from tests.gui.windows import answer, dialog
from tests.people import Peopled, Texture

LEFT = Qt.MouseButton.LeftButton
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
ENOUGH = 30_000  # ms on a machine that is busy
SMILE = Slider("smile", "Smile", EXPRESSION, "How it smiles.", "serious", "smiling")


class Gated(Texture):
    """A Texture that draws so many times and then waits, until it may draw `more` or is stopped."""

    def __init__(self) -> None:
        super().__init__()
        self.more = 1_000_000

    def __call__(
        self, wish: Wish | Sequence[Wish], seeds: Sequence[int], options: Any, progress: Progress
    ) -> list[np.ndarray]:
        while self.more < 1:
            progress.check()
            time.sleep(0.002)
        self.more -= 1
        return super().__call__(wish, seeds, options, progress)


class DatasetStudio(Peopled, FakeStudio):
    """A FakeStudio whose Generate offers a Gated texture that can be told people."""

    def __init__(self) -> None:
        super().__init__(Gated())
        self.told = True
        self.fake_makers = [
            fakes.fake_checkpoint("texture-weights", title="Cloth", licence="CC0", method="texture:T", goal="create")
        ]

    def options_for(self, checkpoint_id: str) -> tuple[OptionField, ...]:
        return (
            describe(self.texture.Options) if checkpoint_id == "texture-weights" else super().options_for(checkpoint_id)
        )

    def knows_people(self, checkpoint_id: str) -> bool:
        return self.told


@pytest.fixture
def studio(request: pytest.FixtureRequest) -> DatasetStudio:
    made = DatasetStudio()
    made.offered = (SMILE,)
    return made


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder of pictures."""
    folder_of = tmp_path / "Pictures"
    folder_of.mkdir()
    monkeypatch.setattr(QStandardPaths, "writableLocation", lambda of: str(folder_of))
    return folder_of


@pytest.fixture
def opened(make_window: Callable[[], MainWindow], qtbot: QtBot) -> Callable[[], tuple[MainWindow, DatasetDialog]]:
    """Opens a window at Generate, and the dialog as its keys do."""

    def open_it() -> tuple[MainWindow, DatasetDialog]:
        window = make_window()
        window.resize(1280, 800)
        QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
        qtbot.waitUntil(lambda: bool(window.making.abilities), timeout=ENOUGH)
        return window, reopened(qtbot, window)

    return open_it


@pytest.fixture
def window(opened: Callable[[], tuple[MainWindow, DatasetDialog]]) -> MainWindow:
    return opened()[0]


@pytest.fixture
def shown(window: MainWindow) -> DatasetDialog:
    (found,) = window.findChildren(DatasetDialog)
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "nobody"


def reopened(qtbot: QtBot, window: MainWindow) -> DatasetDialog:
    window.activateWindow()  # as a window manager does when a dialog is gone
    qtbot.waitUntil(window.isActiveWindow, timeout=ENOUGH)
    QTest.keyClick(window, Qt.Key.Key_N, CONTROL | SHIFT)
    found = dialog(qtbot, window, DatasetDialog)
    assert isinstance(found, DatasetDialog)
    if found.pages.currentIndex() == FORM:
        known(qtbot, found)
    return found


def known(qtbot: QtBot, shown: DatasetDialog) -> None:
    """Wait until it is known what is in the folder."""
    qtbot.waitUntil(lambda: shown.populating.place is not None, timeout=ENOUGH)


def ask(qtbot: QtBot, shown: DatasetDialog, out: Path, people: int = 2, pictures: int = 2, seed: int = 5) -> None:
    """Fill the form in as a user does."""
    form = shown.form
    form.people.setValue(people)
    form.pictures.setValue(pictures)
    form.seed.setValue(seed)
    form.folder.selectAll()
    QTest.keyClicks(form.folder, str(out))
    known(qtbot, shown)


def click(button: QPushButton) -> None:
    assert button.isVisible() and button.isEnabled()
    QTest.mouseClick(button, LEFT)


def ended(qtbot: QtBot, shown: DatasetDialog) -> None:
    qtbot.waitUntil(lambda: not shown.populating.running, timeout=ENOUGH)
    if shown.pages.currentIndex() == FORM:
        known(qtbot, shown)


def reference(studio: DatasetStudio, out: Path) -> Path:
    """The dataset of `ask`, as the command line makes it."""
    more, studio.texture = studio.texture, Texture()
    studio.populate(out, Recipe("texture-weights", "texture", {"steps": 3}, 5), Order(2, 2, seed=5))
    studio.texture = more
    return out


def same_pictures(one: Path, other: Path) -> bool:
    names = sorted(path.relative_to(one).as_posix() for path in one.rglob("*.png"))
    return len(names) == 4 and all((one / name).read_bytes() == (other / name).read_bytes() for name in names)


# ---- made


def test_a_dataset_is_made_and_what_the_report_says_is_shown(
    qtbot: QtBot,
    window: MainWindow,
    shown: DatasetDialog,
    studio: DatasetStudio,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    form, opened = shown.form, list[str]()
    assert (form.people.value(), form.pictures.value()) == (50, 8)
    assert Path(form.folder.text()) == tmp_path / "Face Studio" / "people", "beside the pictures"
    assert form.estimate.text().startswith("400 pictures.")
    assert form.how.text() == "Texture, Cloth; Steps\N{NO-BREAK SPACE}3"
    ask(qtbot, shown, out)
    assert form.estimate.text().startswith("4 pictures.") and shown.start.text() == "Start"
    click(shown.start)
    assert shown.pages.currentIndex() == RUN and shown.run.title.text() == "Making 2 people in nobody"
    ended(qtbot, shown)
    assert shown.pages.currentIndex() == DONE and not shown.run.faces[1].pixmap().isNull()
    assert same_pictures(out, reference(studio, tmp_path / "by the command"))
    said = shown.outcome.words
    assert (
        "There are 2 people with 4 pictures in all, none of them marked as showing no face" in said
        and "2 people drawn, 0 kept." in said
    )
    measured = look(out)
    assert len(measured.pairs) == 2
    for pairs in measured.pairs.values():
        assert f"{pairs.title} (same person from 0.80)" in said and proof(pairs) in said
    assert "100.0 % of 2 pairs of one person known again" in said
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: opened.append(url.toLocalFile()))
    click(shown.open_folder)
    click(shown.open_report)
    assert [Path(each) for each in opened] == [out, out / "report.html"] and QUrl(opened[1]).isValid()
    assert "The dataset is in nobody." in window.generate.toast._words
    click(shown.another)
    known(qtbot, shown)
    assert shown.pages.currentIndex() == FORM and not shown.form.last.isVisible(), "it was finished"


def test_the_settings_of_generate_are_taken_as_they_stand(
    qtbot: QtBot, window: MainWindow, studio: DatasetStudio, shown: DatasetDialog, out: Path
) -> None:
    shown.reject()
    window.generate.panel.options.rows["steps"].set_value(2)
    window.generate.panel.options.rows["steps"].edited.emit("steps")
    window.making.sliding.set_value("smile", 0.5)
    window.generate.panel.seed.setValue(9)
    shown = reopened(qtbot, window)
    assert (
        shown.form.how.text().split() == "Texture, Cloth; Steps 2; smile +0.50".split() and shown.form.seed.value() == 9
    )
    ask(qtbot, shown, out, seed=9)
    shown.form.more.title.click()
    shown.form.vary.setValue(0.1)
    shown.form.tries.setValue(1)
    known(qtbot, shown)
    click(shown.start)
    ended(qtbot, shown)
    settings = look(out).people[0].settings
    assert settings["options"] == {"steps": 2} and settings["sliders"] == {"smile": 0.5} == studio.moved
    assert (settings["seed"], settings["vary"], settings["tries"]) == (9, 0.1, 1)


def ground(button: QPushButton) -> str:
    """The colour that `button` is filled with."""
    return button.grab().toImage().pixelColor(6, button.height() // 2).name()


def test_a_part_is_drawn_when_machines_share_it(qtbot: QtBot, shown: DatasetDialog, out: Path) -> None:
    ask(qtbot, shown, out)
    assert not shown.form.parts.isVisible(), "folded away"
    shown.form.more.title.click()
    shown.form.parts.setValue(3)
    known(qtbot, shown)
    assert "2 people cannot be drawn in 3 parts." in shown.form.problem.text() and not shown.start.isEnabled()
    assert shown.form.more.title.text() == "More \N{MIDDLE DOT} 1 changed"
    accent = shown.form._theme.colour("accent").name()
    assert ground(shown.start) != accent, "a button that does nothing looks so"
    shown.form.parts.setValue(2)
    shown.form.part.setValue(2)
    known(qtbot, shown)
    assert ground(shown.start) == accent
    assert shown.form.estimate.text().startswith("2 pictures.")
    click(shown.start)
    ended(qtbot, shown)
    assert "Not there yet: 1 person of those asked for." in shown.outcome.words
    assert (out / "0002").is_dir() and not (out / "0001").exists()


def test_lookalikes_are_drawn_anew_unless_somebody_wants_them(
    qtbot: QtBot, shown: DatasetDialog, studio: DatasetStudio, out: Path
) -> None:
    studio.texture = Texture(twins={seed_of(5, number, place, 0): 77 for number in (1, 2) for place in (0, 1)})
    ask(qtbot, shown, out)
    shown.form.more.title.click()
    assert shown.form.apart.isChecked() and shown.form.more.title.text() == "More"
    click(shown.start)
    ended(qtbot, shown)
    assert "1 person was replaced" in shown.outcome.words
    assert "None of 1 pair of two people look too alike; the closest are 0002 and 0001." in shown.outcome.words
    click(shown.another)
    known(qtbot, shown)
    plain = out.with_name("plain")
    ask(qtbot, shown, plain)
    QTest.mouseClick(shown.form.apart, LEFT, pos=QPoint(8, shown.form.apart.height() // 2))
    known(qtbot, shown)
    assert not shown.form.apart.isChecked()
    assert shown.form.more.title.text() == "More \N{MIDDLE DOT} 1 changed"
    click(shown.start)
    ended(qtbot, shown)
    assert "1 of 1 pair of two people looks too alike" in shown.outcome.words
    assert [look(folder_of).people[1].anew > 0 for folder_of in (out, plain)] == [True, False]
    click(shown.another)
    known(qtbot, shown)
    ask(qtbot, shown, out)
    assert "made with other settings: lookalikes replaced." in shown.form.problem.text()
    click(shown.form.take)
    known(qtbot, shown)
    assert shown.form.apart.isChecked() and not shown.form.problem.text()
    assert "is complete: 2 of 2 people are there" in shown.form.going_on.text()


# ---- stopped and gone on with


def test_it_stops_at_the_next_step_and_goes_on(
    qtbot: QtBot, shown: DatasetDialog, studio: DatasetStudio, out: Path, tmp_path: Path
) -> None:
    assert isinstance(studio.texture, Gated)
    studio.texture.more = 1
    ask(qtbot, shown, out)
    click(shown.start)
    qtbot.waitUntil(lambda: not shown.run.faces[0].pixmap().isNull(), timeout=ENOUGH)
    assert shown.run.name.text() == "Person 0001"
    click(shown.run.bar.stop)
    ended(qtbot, shown)
    assert shown.pages.currentIndex() == FORM and [path.name for path in out.iterdir()] == ["0001"]
    assert shown.form.going_on.text() == "Continue the dataset in nobody: 1 of 2 people are there."
    assert shown.form.estimate.text().startswith("2 pictures are left to draw. That takes about 1 s")
    assert shown.start.text() == "Continue"
    before = (out / "0001" / "000.png").stat()
    studio.texture.more = 100
    click(shown.start)
    ended(qtbot, shown)
    assert "1 person drawn, 1 kept." in shown.outcome.words
    assert (out / "0001" / "000.png").stat().st_mtime_ns == before.st_mtime_ns
    assert same_pictures(out, reference(studio, tmp_path / "at one go"))


def test_it_can_be_paused(qtbot: QtBot, shown: DatasetDialog, studio: DatasetStudio, out: Path) -> None:
    assert isinstance(studio.texture, Gated)
    studio.texture.more = 1  # the first person; the second waits, so that nothing ends by itself
    ask(qtbot, shown, out)
    click(shown.start)
    qtbot.waitUntil(lambda: bool(shown.populating.tally), timeout=60000)
    assert shown.run.tally.text() == " ", "the bar says it, once"
    click(shown.run.bar.pause)
    assert shown.run.bar.stage.text() == "Paused" and shown.run.bar.pause.text() == "Resume"
    assert shown.run.tally.text() == shown.populating.tally
    studio.texture.more = 100
    QTest.keyClick(shown, Qt.Key.Key_P, CONTROL)
    assert not shown.populating.paused
    ended(qtbot, shown)
    assert shown.pages.currentIndex() == DONE


def test_another_day_the_unfinished_one_is_offered(
    qtbot: QtBot,
    opened: Callable[[], tuple[MainWindow, DatasetDialog]],
    studio: DatasetStudio,
    out: Path,
    tmp_path: Path,
) -> None:
    assert isinstance(studio.texture, Gated)
    window, shown = opened()
    studio.texture.more = 1
    ask(qtbot, shown, out)
    click(shown.start)
    qtbot.waitUntil(lambda: (out / "0001").is_dir(), timeout=ENOUGH)
    click(shown.run.bar.stop)
    ended(qtbot, shown)
    shown.reject()
    window.close()
    studio.texture.more = 100
    window, shown = opened()
    assert shown.form.last.text().replace("&", "") == "Continue the dataset in nobody (1 of 2 people)"
    assert Path(shown.form.folder.text()) == tmp_path / "Face Studio" / "people"
    click(shown.form.last)
    known(qtbot, shown)
    assert (shown.form.people.value(), shown.form.pictures.value(), shown.form.seed.value()) == (2, 2, 5)
    assert shown.form.going_on.text().startswith("Continue the dataset in nobody: 1 of 2")
    assert not shown.form.last.isVisible()
    click(shown.start)
    ended(qtbot, shown)
    assert same_pictures(out, reference(studio, tmp_path / "at one go"))


# ---- no place for it


def test_a_folder_of_something_else_is_refused(
    qtbot: QtBot, shown: DatasetDialog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    album = fakes.write_picture(tmp_path / "album" / "holiday.png", fakes.picture(20, 20)).parent
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *args: str(album))
    click(shown.form.choose)
    known(qtbot, shown)
    assert shown.form.problem.text().startswith("The folder album is not empty and contains no dataset: holiday.png.")
    assert not shown.start.isEnabled() and not shown.form.estimate.isVisible() and not shown.form.take.isVisible()
    for folder_of, words in (
        (album / "holiday.png", "is a file, or looks like a picture"),
        (album / "holiday.png" / "in it", "is a file"),
        (Path("somewhere"), "is not the whole path of a folder"),
    ):
        ask(qtbot, shown, folder_of)
        assert words in shown.form.problem.text() and not shown.start.isEnabled()
    monkeypatch.setattr(os, "access", lambda *of: False)
    ask(qtbot, shown, tmp_path / "locked")
    assert "you have no permission" in shown.form.problem.text()
    assert os.listdir(album) == ["holiday.png"]


def test_a_folder_of_another_dataset_is_refused_or_its_settings_are_taken(
    qtbot: QtBot, shown: DatasetDialog, studio: DatasetStudio, out: Path
) -> None:
    reference(studio, out)
    ask(qtbot, shown, out, seed=6)
    assert "contains a dataset that was made with other settings: seed." in shown.form.problem.text()
    assert not shown.start.isEnabled()
    click(shown.form.take)
    known(qtbot, shown)
    assert shown.form.seed.value() == 5 and not shown.form.take.isVisible()
    assert "is complete: 2 of 2 people are there" in shown.form.going_on.text()
    shown.form.people.setValue(3)
    known(qtbot, shown)
    click(shown.start)
    ended(qtbot, shown)
    assert "1 person drawn, 2 kept." in shown.outcome.words


def test_what_comes_into_the_folder_meanwhile_is_not_written_over(
    qtbot: QtBot, shown: DatasetDialog, out: Path
) -> None:
    ask(qtbot, shown, out)
    fakes.write_picture(out / "mine.png", fakes.picture(20, 20))
    click(shown.start)
    error = dialog(qtbot, shown, ErrorDialog)  # type: ignore[arg-type]
    assert any("is not empty" in label.text() for label in error.findChildren(QLabel))
    error.close()
    ended(qtbot, shown)
    assert os.listdir(out) == ["mine.png"] and "is not empty" in shown.form.problem.text()


def test_a_full_disk_is_told_and_nobody_is_lost(
    qtbot: QtBot, shown: DatasetDialog, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, written = folder.write_beside, 0

    def full(target: Path, *more: Any, **settings: Any) -> None:
        nonlocal written
        written += 1
        if written == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(target, *more, **settings)

    ask(qtbot, shown, out)
    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_beside", full)
        click(shown.start)
        error = dialog(qtbot, shown, ErrorDialog)  # type: ignore[arg-type]
    assert error.windowTitle() == "The disk is full"
    said = " ".join(label.text() for label in error.findChildren(QLabel))
    assert "No space left on device" in said and "Free some space and continue the dataset" in said
    error.close()
    ended(qtbot, shown)
    assert [path.name for path in out.iterdir()] == ["0001"]
    assert shown.form.going_on.text() == "Continue the dataset in nobody: 1 of 2 people are there."
    click(shown.start)
    ended(qtbot, shown)
    assert "1 person drawn, 1 kept." in shown.outcome.words


def test_weights_that_cannot_be_told_people_say_so(
    qtbot: QtBot, opened: Callable[[], tuple[MainWindow, DatasetDialog]], studio: DatasetStudio
) -> None:
    studio.told = False
    _, shown = opened()
    assert "cannot be told whom to draw" in shown.form.problem.text() and not shown.start.isEnabled()


# ---- closing


def test_closing_the_dialog_stops_nothing(
    qtbot: QtBot, window: MainWindow, shown: DatasetDialog, studio: DatasetStudio, out: Path
) -> None:
    assert isinstance(studio.texture, Gated)
    studio.texture.more = 1
    ask(qtbot, shown, out)
    click(shown.start)
    QTest.keyClick(shown, Qt.Key.Key_Escape)
    assert not shown.isVisible() and shown.populating.running
    assert not window.generate.panel.button.isEnabled()
    assert window.generate.panel.hint.text().startswith("A dataset is being made")
    assert window.anonymizing.obstacle.startswith("A dataset is being made")
    assert reopened(qtbot, window) is shown and shown.pages.currentIndex() == RUN
    shown.reject()
    studio.texture.more = 100
    ended(qtbot, shown)
    assert window.generate.panel.button.isEnabled() and not window.anonymizing.obstacle.startswith("A dataset")
    assert "The dataset is in nobody." in window.generate.toast._words
    assert reopened(qtbot, window).pages.currentIndex() == DONE
    shown.reject()
    assert reopened(qtbot, window).pages.currentIndex() == FORM


def test_closing_the_window_asks_and_stops_it_safely(
    qtbot: QtBot, window: MainWindow, shown: DatasetDialog, studio: DatasetStudio, out: Path
) -> None:
    assert isinstance(studio.texture, Gated)
    studio.texture.more = 1
    ask(qtbot, shown, out)
    click(shown.start)
    qtbot.waitUntil(lambda: (out / "0001").is_dir(), timeout=ENOUGH)
    window.close()
    answer(qtbot, window, "Keep running")
    assert window.isVisible() and shown.populating.running and not shown.populating.stopping
    window.close()
    answer(qtbot, window, "Stop and close")
    qtbot.waitUntil(lambda: not window.isVisible(), timeout=ENOUGH)
    qtbot.waitUntil(lambda: not shown.populating.running, timeout=ENOUGH)
    assert [path.name for path in out.iterdir()] == ["0001"], "no half of a person"


# ---- how long it takes


def test_how_long_it_takes_is_what_was_measured(
    qtbot: QtBot, window: MainWindow, shown: DatasetDialog, out: Path, tmp_path: Path
) -> None:
    assert "shown once the first are drawn" in shown.form.estimate.text()
    shown.reject()
    window.generate.panel.count.setValue(2)
    QTest.mouseClick(window.generate.panel.button, LEFT)
    qtbot.waitUntil(lambda: not window.making.doing and bool(window.making.runs.all), timeout=ENOUGH)
    shown = reopened(qtbot, window)
    run = window.making.runs.all[-1]
    assert run.seconds is not None
    takes = re.search(r"400 pictures\. That takes about ([\d.]+) (s|min|h), judging by your last gallery", text(shown))
    assert takes is not None
    unit = {"s": 1, "min": 60, "h": 3600}[takes[2]]
    assert float(takes[1]) * unit == pytest.approx(run.seconds / 2 * 400, rel=0.5, abs=1)
    ask(qtbot, shown, out)
    click(shown.start)
    ended(qtbot, shown)
    click(shown.another)
    known(qtbot, shown)
    ask(qtbot, shown, tmp_path / "others", 50, 8)
    assert "judging by the last dataset with these settings" in text(shown)


def text(shown: DatasetDialog) -> str:
    return shown.form.estimate.text()
