"""What few people change is folded away, and nothing of it is in force unseen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from facestudio.gui.widgets.anonymize_panel import AnonymizePanel
from facestudio.gui.widgets.fold import Fold
from facestudio.keeping import keep
from tests import fakes
from tests.gui.conftest import FakeStudio
from tests.gui.test_anonymizing_people import RecastingStudio, ready
from tests.gui.test_generating import made

EVERY_DAY = {"change"}  # of the options of redraw


@pytest.fixture
def studio() -> RecastingStudio:
    return RecastingStudio()


@pytest.fixture
def panel(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> AnonymizePanel:
    return ready(qtbot, make_window()).anonymize.panel


def seen(*widgets: QWidget) -> bool:
    """Whether all of `widgets` are seen; AssertionError where only some are."""
    found = {widget.isVisible() for widget in widgets}
    assert len(found) == 1
    return found.pop()


def test_what_is_needed_every_day_is_open_and_the_rest_is_folded_away(panel: AnonymizePanel) -> None:
    rows = panel.options.rows
    people = panel.people
    assert {name for name, row in rows.items() if not row.field.rare} == EVERY_DAY
    folded: list[QWidget] = [row for name, row in rows.items() if name not in EVERY_DAY]
    folded += [panel.fallback, panel.metadata, panel.files.numbers, panel.files.times, panel.seed, panel.checkpoint]
    assert seen(panel.method, rows["change"], people.consistent, people.similar, panel.more.title)
    assert not seen(*folded)
    assert panel.more.title.text() == "MORE"
    panel.more.title.click()
    assert seen(*folded)
    panel.more.title.click()
    assert not seen(*folded)


def test_it_opens_and_closes_by_the_keyboard(panel: AnonymizePanel) -> None:
    title, body = panel.more.title, panel.more.body
    panel.people.similar.setFocus()
    QTest.keyClick(panel.people.similar, Qt.Key.Key_Tab)
    assert panel.window().focusWidget() is title
    for key, on in (
        (Qt.Key.Key_Space, True),
        (Qt.Key.Key_Space, False),
        (Qt.Key.Key_Left, False),
        (Qt.Key.Key_Right, True),
        (Qt.Key.Key_Right, True),
        (Qt.Key.Key_Return, False),
        (Qt.Key.Key_Enter, True),
        (Qt.Key.Key_Left, False),
    ):
        QTest.keyClick(title, key)
        assert body.isVisible() is on is title.isChecked()
        assert panel.window().focusWidget() is title
    QTest.keyClick(title, Qt.Key.Key_Right)
    QTest.keyClick(title, Qt.Key.Key_Tab)
    assert body.isAncestorOf(panel.window().focusWidget())


def test_what_was_opened_is_scrolled_into_view(qtbot: QtBot, panel: AnonymizePanel) -> None:
    panel.window().resize(1024, 700)
    title = panel.more.title
    title.click()
    qtbot.waitUntil(lambda: panel.more.visibleRegion().boundingRect().height() > 300)
    assert title.visibleRegion().boundingRect().height() == title.height(), (
        "its beginning, as it is higher than the panel"
    )


def test_it_stays_as_somebody_left_it(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> None:
    window = ready(qtbot, make_window())
    window.anonymize.panel.more.title.click()
    window.close()
    window = ready(qtbot, make_window())
    assert window.anonymize.panel.more.body.isVisible() and not window.generate.panel.more.title.isChecked()
    window.anonymize.panel.more.title.click()
    window.close()
    assert not ready(qtbot, make_window()).anonymize.panel.more.body.isVisible()


def test_what_is_not_as_usual_opens_it_and_is_counted(panel: AnonymizePanel) -> None:
    more, steps = panel.more, panel.options.rows["steps"]
    steps.set_value(30)
    assert more.body.isVisible() and more.title.text() == "MORE \N{MIDDLE DOT} 1 CHANGED"
    assert more.title.toolTip() == "Changed: Steps"
    more.title.click()
    assert not more.body.isVisible() and "1 CHANGED" in more.title.text(), "somebody wants it so, and it is still said"
    steps.set_value(31)
    assert not more.body.isVisible(), "they know of that one"
    panel.metadata.setCurrentIndex(2)
    assert more.body.isVisible() and more.title.text().endswith("2 CHANGED")
    panel.options.reset()
    panel.metadata.setCurrentIndex(0)
    assert more.body.isVisible() and more.title.text() == "MORE", "nothing jumps away under somebody's hand"
    more.title.click()
    panel.fallback.setCurrentIndex(1)
    assert more.body.isVisible()
    panel.fallback.setCurrentIndex(0)
    more.title.click()
    panel._run.shuffle_seed()
    assert more.body.isVisible() and more.title.toolTip() == "Changed: seed"


def test_what_was_remembered_is_shown_at_the_next_start(qtbot: QtBot, make_window: Callable[[], MainWindow]) -> None:
    window = ready(qtbot, make_window())
    window.anonymize.panel.files.times.click()
    window.anonymize.panel.more.title.click()
    assert not window.anonymize.panel.more.body.isVisible()
    window.close()
    window = ready(qtbot, make_window())
    panel = window.anonymize.panel
    assert panel.files.times.isVisible() and panel.files.times.isChecked()
    panel.files.times.click()
    window.close()
    panel = ready(qtbot, make_window()).anonymize.panel
    assert not panel.files.times.isVisible(), "that it opened by itself is nobody's wish"


def test_another_method_brings_its_own_options(qtbot: QtBot, panel: AnonymizePanel) -> None:
    panel.options.rows["steps"].set_value(30)
    panel._run.choose("solid")
    assert panel.more.title.text() == "MORE" and not panel.options.rare.isVisible()
    assert set(panel.options.rows) == {"colour", "area"}, "a method that hides faces has no rare ones"
    qtbot.waitUntil(lambda: all(row.isVisible() for row in panel.options.rows.values()))


def test_a_recipe_with_a_rare_option_opens_it_in_generate(
    qtbot: QtBot, make_window: Callable[[], MainWindow], studio: FakeStudio, tmp_path: Path
) -> None:
    studio.judges = [fakes.FakeEmbedder("listener")]
    window = make_window()
    QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.making.offer is not None)
    page, panel = window.generate, window.generate.panel
    assert seen(panel.options.rows["guidance"]) and not seen(panel.options.rows["steps"], panel.checkpoint)
    panel.options.rows["steps"].set_value(33)
    made(qtbot, page, count=1)
    path = keep(page.making.pictures[0].portrait, tmp_path / "one.png")
    panel.options.reset()
    panel.more.title.click()
    assert not seen(panel.options.rows["steps"])
    page.making.use_recipe(path)
    qtbot.waitUntil(lambda: panel.options.rows["steps"].value == 33)
    assert seen(panel.options.rows["steps"]) and "1 CHANGED" in panel.more.title.text()


def test_restore_folds_grain_seed_and_device_away(make_window: Callable[[], MainWindow]) -> None:
    panel = make_window().workspace.panel
    assert seen(panel.options.rows["strength"]) and seen(panel.more.title)
    assert not seen(panel.grain) and not seen(panel.seed)
    panel.more.title.click()
    assert seen(panel.grain) and seen(panel.seed)


def test_a_fold_that_is_wanted_closed_shows_what_is_unusual(qtbot: QtBot) -> None:
    inside = QWidget()
    fold = Fold("MORE", inside)
    qtbot.addWidget(fold)
    fold.show()
    fold.show_unusual(["this"])
    fold.want(False)
    assert inside.isVisible()
    fold.show_unusual([])
    fold.want(False)
    assert not inside.isVisible()
