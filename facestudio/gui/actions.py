"""Everything that can be done in the window, in one table: menu, words, keys, icon. Every action has a menu entry and keys.

What an action does is the window's business; this module makes menus and the tool bar, and the list of shortcuts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QToolButton

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.shortcuts import Entry, keys_of


@dataclass(frozen=True)
class Spec:
    """One action: `keys` are its shortcuts, "hold X" when the key is held; `group` makes checkable ones exclude others."""

    name: str
    menu: str
    text: str
    keys: tuple[str, ...]
    icon: str = ""
    checkable: bool = False
    group: str = ""
    line: bool = False  # a separator stands before it


SPECS: tuple[Spec, ...] = (
    Spec("open", "&File", "&Open…", ("Ctrl+O",), "open"),
    Spec("open_folder", "&File", "Open &folder…", ("Ctrl+U",)),
    Spec("previous", "&File", "Pre&vious photo", ("PgUp",), line=True),
    Spec("next", "&File", "&Next photo", ("PgDown",)),
    Spec("save", "&File", "&Save", ("Ctrl+S",), "save", line=True),
    Spec("save_as", "&File", "Save &as…", ("Ctrl+Shift+S",)),
    Spec("weights", "&File", "&Weights…", ("F9",), line=True),
    Spec("quit", "&File", "&Quit", ("Ctrl+Q",), line=True),
    Spec("undo", "&Edit", "&Undo", ("Ctrl+Z",), "undo"),
    Spec("redo", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo"),
    Spec("paste", "&Edit", "&Paste a picture", ("Ctrl+V",), "paste", line=True),
    Spec("tick_all", "&Edit", "Tick &all faces", ("Ctrl+A",), line=True),
    Spec("tick_none", "&Edit", "Tick &no face", ("Ctrl+Shift+A",)),
    Spec("restore", "&Photo", "&Restore", ("Ctrl+R", "Ctrl+Return"), "restore"),
    Spec("stop", "&Photo", "&Stop", ("Esc",), "stop"),
    Spec("add_face", "&Photo", "Add a &missed face…", ("F4",), "add-face", True, line=True),
    Spec("find_faces", "&Photo", "&Find faces again", ("F5",)),
    Spec("figures", "&Photo", "What the &figures rest on…", ("Ctrl+I",)),
    Spec("compare", "&Photo", "&Compare with another photo…", ("Ctrl+K",)),
    Spec("shuffle_seed", "&Photo", "&Another seed", ("Ctrl+D",), "dice", line=True),
    Spec("reset_options", "&Photo", "Options back to &defaults", ("Ctrl+Shift+R",)),
    Spec("single", "&View", "&One picture", ("Alt+Y",), "single", True, "mode"),
    Spec("split", "&View", "Before/after &split", ("Shift+Y",), "split", True, "mode"),
    Spec("side", "&View", "Side &by side", ("Y",), "side", True, "mode"),
    Spec("original", "&View", "Show the &original", ("hold \\",), "", True),
    Spec("fit", "&View", "&Fit", ("Ctrl+F",), "fit", line=True),
    Spec("actual", "&View", "&100 %", ("Ctrl+0",), "actual"),
    Spec("zoom_in", "&View", "Zoom &in", ("Ctrl+=", "Ctrl++"), "zoom-in"),
    Spec("zoom_out", "&View", "Zoom o&ut", ("Ctrl+-",), "zoom-out"),
    Spec("boxes", "&View", "Outline f&aces", ("Ctrl+B",), "", True, line=True),
    Spec("files", "&View", "List of fi&les", ("F6",), "", True),
    Spec("strip", "&View", "Strip of fa&ces", ("F7",), "", True),
    Spec("panel", "&View", "O&ptions", ("F8",), "", True),
    Spec("full_screen", "&View", "Full sc&reen", ("F11",), "", True),
    Spec("theme_system", "&Theme", "As the &system", ("Ctrl+F7",), "", True, "theme"),
    Spec("theme_light", "&Theme", "&Light", ("Ctrl+F8",), "", True, "theme"),
    Spec("theme_dark", "&Theme", "&Dark", ("Ctrl+F9",), "", True, "theme"),
    Spec("shortcuts", "&Help", "&Keyboard shortcuts", ("Shift+?", "F1")),
    Spec("about", "&Help", "&About Face Studio", ("Ctrl+F1",)),
)
MENUS = ("&File", "&Edit", "&Photo", "&View", "&Help")
TOOLS = ("open", "save", "", "undo", "redo", "", "single", "split", "side", "", "zoom_out", "fit", "actual", "zoom_in")
WITH_TEXT = ("open", "save")
HOLD = "hold "


class Actions:
    """The actions of `window` by name, its menus by title, and its tool bar."""

    def __init__(self, window: QMainWindow) -> None:
        self._by_name: dict[str, QAction] = {}
        self._groups: dict[str, QActionGroup] = {}
        self.menus: dict[str, QMenu] = {title: window.menuBar().addMenu(title) for title in MENUS}
        for spec in SPECS:
            self._add(spec, window)
        self.tools = QToolBar("Tools", window)
        self.tools.setObjectName("tools")
        self.tools.setMovable(False)
        self.tools.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        for name in TOOLS:
            if not name:
                self.tools.addSeparator()
                continue
            self.tools.addAction(self[name])
            if name in WITH_TEXT:
                button = self.tools.widgetForAction(self[name])
                assert isinstance(button, QToolButton)
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        window.addToolBar(self.tools)

    def __getitem__(self, name: str) -> QAction:
        return self._by_name[name]

    def _add(self, spec: Spec, window: QMainWindow) -> None:
        action = QAction(spec.text, window)
        action.setObjectName(spec.name)
        action.setCheckable(spec.checkable)
        held = [keys for keys in spec.keys if keys.startswith(HOLD)]
        if held:
            action.setText(f"{spec.text}\t{held[0]}")  # shown where keys stand, without being a shortcut
        else:
            action.setShortcuts([QKeySequence(keys) for keys in spec.keys])
        plain = spec.text.replace("&", "").rstrip("…")
        action.setToolTip(f"{plain} ({keys_of(action.shortcuts()) or held[0]})")
        if spec.group:
            group = self._groups.setdefault(spec.group, QActionGroup(window))
            group.addAction(action)
        if spec.menu not in self.menus:  # a menu inside of View
            self.menus["&View"].addSeparator()
            self.menus[spec.menu] = self.menus["&View"].addMenu(spec.menu)
        menu = self.menus[spec.menu]
        if spec.line:
            menu.addSeparator()
        menu.addAction(action)
        self._by_name[spec.name] = action

    def draw(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        for spec in SPECS:
            if spec.icon:
                self[spec.name].setIcon(theme.icon(spec.icon))

    def enable(self, states: Mapping[str, bool]) -> None:
        """Enable or disable actions by name."""
        for name, state in states.items():
            self[name].setEnabled(state)

    def entries(self) -> list[Entry]:
        """Every action for the list of shortcuts."""
        found = []
        for spec in SPECS:
            words = spec.text.replace("&", "").rstrip("…")
            keys = keys_of(self[spec.name].shortcuts()) or " ".join(spec.keys)
            found.append((spec.menu.replace("&", ""), words, keys))
        return [
            *found,
            ("File", "Open a recent photo", "Ctrl+1  to  Ctrl+9"),
            ("File", "Forget the recent photos", "Ctrl+Shift+Del"),
            ("View", "Move the split, or the photo", "Arrow keys"),
            ("View", "Zoom at the pointer", "Wheel"),
            ("Photo", "Set an option back", "Double-click its label"),
            ("Photo", "Look at a face closely", "Double-click its crop"),
            ("Photo", "What a face's figures rest on", "Click its gauge"),
            ("Photo", "Remove a face that was added", "Del on its crop"),
        ]
