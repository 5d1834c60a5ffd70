"""What the window remembers from one start to the next: its place and size, what is shown of it, and how.

Separate from the window because it is a list of keys and no behaviour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QByteArray, QSettings
from PySide6.QtWidgets import QSplitter

from facestudio.device import NAMES
from facestudio.gui.widgets.fold import Fold
from facestudio.gui.widgets.view import MODES, SIDE, SINGLE, SPLIT

if TYPE_CHECKING:
    from facestudio.gui.main_window import MainWindow

MODE_ACTIONS = {SINGLE: "single", SPLIT: "split", SIDE: "side"}
SHOWN = ("boxes", "files", "strip", "panel")  # actions that show or hide something


def device(settings: QSettings) -> str:
    """What is to compute; "auto" unless something else was chosen."""
    stored = settings.value("device", NAMES[0])
    return stored if stored in NAMES else NAMES[0]


def remember_device(settings: QSettings, name: str) -> None:
    """Let `name` compute the next time as well."""
    settings.setValue("device", name)


def splitters(window: MainWindow) -> tuple[tuple[QSplitter, str], ...]:
    """Each workspace, and the key of its parts' widths."""
    return (
        (window.workspace, "window/splitter"),
        (window.generate, "generate/columns"),
        (window.anonymize, "anonymize/splitter"),
    )


def folds(window: MainWindow) -> tuple[tuple[Fold, str], ...]:
    """Each part of a panel that is folded away until it is wanted, and the key of whether it is."""
    return (
        (window.workspace.panel.more, "view/more_restore"),
        (window.generate.panel.more, "view/more_generate"),
        (window.generate.panel.walk, "view/walk_generate"),
        (window.anonymize.panel.more, "view/more_anonymize"),
    )


def read(window: MainWindow, settings: QSettings) -> None:
    """Make `window` look as it was left; what is not stored, or is damaged, starts as in a new one."""
    geometry = settings.value("window/geometry")
    if not (isinstance(geometry, QByteArray) and window.restoreGeometry(geometry)):
        window.resize(1280, 840)
    state = settings.value("window/state")
    if isinstance(state, QByteArray):
        window.restoreState(state)
    for splitter, key in splitters(window):
        sizes = settings.value(key)
        if isinstance(sizes, QByteArray):
            splitter.restoreState(sizes)
    for fold, key in folds(window):
        fold.want(bool(settings.value(key, False, bool)))
    mode = settings.value("view/mode", SPLIT)
    window.viewer.set_mode(mode if mode in MODES else SPLIT)
    window.commands[MODE_ACTIONS[window.viewer.mode]].setChecked(True)
    window.commands[f"theme_{window.theme.choice}"].setChecked(True)
    for name in SHOWN:
        window.commands[name].setChecked(True)
        window.commands[name].setChecked(bool(settings.value(f"view/{name}", True, bool)))


def write(window: MainWindow, settings: QSettings) -> None:
    """Remember how `window` looks."""
    settings.setValue("window/geometry", window.saveGeometry())
    settings.setValue("window/state", window.saveState())
    for splitter, key in splitters(window):
        settings.setValue(key, splitter.saveState())
    for fold, key in folds(window):
        settings.setValue(key, fold.wanted)
    settings.setValue("view/mode", window.viewer.mode)
    for name in SHOWN:
        settings.setValue(f"view/{name}", window.commands[name].isChecked())
    settings.sync()
