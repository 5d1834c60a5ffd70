"""Undo and redo bring the settings of the result that is shown, and lose none that somebody chose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests import fakes
from tests.gui.conftest import FakeStudio, draw, open_photo, restore


def panel(window: MainWindow) -> tuple[Any, ...]:
    """What the panel shows: weights, strength, seed, size; and the session agrees."""
    side, session = window.workspace.panel, window.session
    strength = side.options.rows["strength"].value
    shown = (side.checkpoint.currentData(), strength, side.seed.value(), side.times.currentData())
    recipe = session.recipe
    assert recipe is not None
    assert shown == (recipe.checkpoint, recipe.options["strength"], recipe.seed, recipe.upscale)
    return shown


def choose(window: MainWindow, checkpoint: str, strength: float, seed: int, times: int = 1) -> tuple[Any, ...]:
    """Set everything in the panel by hand."""
    side = window.workspace.panel
    side.checkpoint.setCurrentIndex(side.checkpoint.findData(checkpoint))
    side.checkpoint.activated.emit(side.checkpoint.currentIndex())
    side.options.rows["strength"].set_value(strength)
    side.seed.setValue(seed)
    side.times.setCurrentIndex(side.times.findData(times))
    return panel(window)


FIRST, SECOND, LATER = ("slow-checkpoint", 0.75, 3), ("other-checkpoint", 0.5, 77, 2), ("slow-checkpoint", 0.25, 5)


@pytest.fixture
def restored(
    qtbot: QtBot, window: MainWindow, studio: FakeStudio, photo_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Two results are there, made with these settings; the second is shown."""

    def load(checkpoint_id: str) -> fakes.SlowRestorer:
        method = fakes.SlowRestorer()
        method.checkpoint = next(offer for offer in studio.fake_offers if offer.id == checkpoint_id)
        return method

    monkeypatch.setattr(studio, "_method", load)
    open_photo(qtbot, window, draw(photo_path))
    made = []
    for wanted in (FIRST, SECOND):
        made.append(choose(window, *wanted))
        restore(qtbot, window)
    return made[0], made[1]


def test_undo_and_redo_show_what_made_the_result(
    window: MainWindow, restored: tuple[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    first, second = restored
    undo, redo = window.commands["undo"].trigger, window.commands["redo"].trigger
    assert panel(window) == second
    undo()
    assert panel(window) == first
    undo()
    assert window.session.history.current is None and panel(window) == first  # the original was made by nothing
    redo()
    assert panel(window) == first
    redo()
    assert panel(window) == second


def test_what_was_set_meanwhile_comes_back(
    qtbot: QtBot, window: MainWindow, restored: tuple[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    first, second = restored
    undo, redo = window.commands["undo"].trigger, window.commands["redo"].trigger
    later = choose(window, *LATER)  # not tried yet
    undo()
    assert panel(window) == first
    redo()
    assert panel(window) == later
    undo()
    third = choose(window, "slow-checkpoint", 1.0, 9)
    restore(qtbot, window)  # in the place of the second
    undo()
    assert panel(window) == first
    redo()
    assert panel(window) == third


def test_a_face_that_is_taken_back_changes_no_settings(
    qtbot: QtBot, window: MainWindow, restored: tuple[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    window.session.add_face((260.0, 230.0, 340.0, 330.0))
    qtbot.waitUntil(lambda: len(window.session.faces) == 3 and not window.session.doing)
    later = choose(window, *LATER)
    window.commands["undo"].trigger()
    assert len(window.session.faces) == 2 and panel(window) == later


def test_settings_stay_where_the_weights_are_gone(
    qtbot: QtBot, window: MainWindow, restored: tuple[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    _, second = restored
    session = window.session
    session.offers = tuple(offer for offer in session.offers or () if offer.checkpoint.id != FIRST[0])
    window.commands["undo"].trigger()
    assert panel(window) == second


def test_the_status_says_what_the_result_was_made_with(
    window: MainWindow, restored: tuple[tuple[Any, ...], tuple[Any, ...]]
) -> None:
    about = window._about_photo
    assert about.text().endswith("restored by Slow (Other weights, Strength 0.5, seed 77)")
    choose(window, *LATER)
    assert about.text().endswith("restored by Slow (Other weights, Strength 0.5, seed 77)")
    window.commands["undo"].trigger()
    assert about.text().endswith("restored by Slow (Slow weights, Strength 0.75, seed 3)")
    least = window.minimumSizeHint().width()
    about.setText("as long as anything " * 40)
    assert window.minimumSizeHint().width() == least  # words do not widen the window
