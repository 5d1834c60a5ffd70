"""Everything that can be done in the window, in one table: menu, words, keys, icon. Every action has a menu entry and keys.

An action may belong to one workspace, its place; it is seen, and its keys work, only there. So two workspaces can use the
same keys for what is alike. What an action does is the window's business; this module makes menus and the tool bar, and
the list of shortcuts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QKeySequence
from PySide6.QtWidgets import QMainWindow, QMenu, QToolBar, QToolButton

from facestudio.gui.theme import Theme
from facestudio.gui.widgets.shortcuts import Entry, keys_of

RESTORE, GENERATE, ANONYMIZE = "restore", "generate", "anonymize"  # the places


@dataclass(frozen=True)
class Spec:
    """One action: `keys` are its shortcuts, "hold X" when the key is held; `group` makes checkable ones exclude others.

    `place` is the workspace to which it belongs, "" for all.
    """

    name: str
    menu: str
    text: str
    keys: tuple[str, ...]
    icon: str = ""
    checkable: bool = False
    group: str = ""
    line: bool = False  # a separator stands before it
    place: str = ""


SPECS: tuple[Spec, ...] = (
    Spec("open", "&File", "&Open…", ("Ctrl+O",), "open", place=RESTORE),
    Spec("open_folder", "&File", "Open &folder…", ("Ctrl+U",), place=RESTORE),
    Spec("previous", "&File", "Pre&vious photo", ("PgUp",), line=True, place=RESTORE),
    Spec("next", "&File", "&Next photo", ("PgDown",), place=RESTORE),
    Spec("save", "&File", "&Save", ("Ctrl+S",), "save", line=True, place=RESTORE),
    Spec("save_as", "&File", "Save &as…", ("Ctrl+Shift+S",), place=RESTORE),
    Spec("kept_metadata", "&File", "&Metadata of saved photos…", ("Ctrl+Alt+S",), place=RESTORE),
    Spec("open_source", "&File", "&Open a photo of a person…", ("Ctrl+O",), "open", place=GENERATE),
    Spec("open_recipe", "&File", "Open the &recipe of a picture…", ("Ctrl+Shift+O",), place=GENERATE),
    Spec("save_pictures", "&File", "&Save the selected…", ("Ctrl+S",), "save", line=True, place=GENERATE),
    Spec("save_gallery", "&File", "Save &all…", ("Ctrl+Shift+S",), place=GENERATE),
    Spec("export_pictures", "&File", "&Export with embeddings…", ("Ctrl+Shift+E",), place=GENERATE),
    Spec("open_photos", "&File", "&Open photos…", ("Ctrl+O",), "open", place=ANONYMIZE),
    Spec("open_album", "&File", "Open &folder…", ("Ctrl+U",), place=ANONYMIZE),
    Spec("output", "&File", "Folder for the &results…", ("Ctrl+Shift+O",), place=ANONYMIZE),
    Spec("export_report", "&File", "Export the re&port…", ("Ctrl+S",), "save", line=True, place=ANONYMIZE),
    Spec("weights", "&File", "&Weights…", ("F9",), line=True),
    Spec("quit", "&File", "&Quit", ("Ctrl+Q",), line=True),
    Spec("undo", "&Edit", "&Undo", ("Ctrl+Z",), "undo", place=RESTORE),
    Spec("redo", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", place=RESTORE),
    Spec("copy", "&Edit", "&Copy the picture", ("Ctrl+C",), "copy", line=True, place=RESTORE),
    Spec("paste", "&Edit", "&Paste a picture", ("Ctrl+V",), "paste", place=RESTORE),
    Spec("tick_all", "&Edit", "Tick &all faces", ("Ctrl+A",), line=True, place=RESTORE),
    Spec("tick_none", "&Edit", "Tick &no face", ("Ctrl+Shift+A",), place=RESTORE),
    Spec("undo_gallery", "&Edit", "&Undo", ("Ctrl+Z",), "undo", place=GENERATE),
    Spec("redo_gallery", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", place=GENERATE),
    Spec("undo_review", "&Edit", "&Undo", ("Ctrl+Z",), "undo", place=ANONYMIZE),
    Spec("redo_review", "&Edit", "&Redo", ("Ctrl+Shift+Z", "Ctrl+Y"), "redo", place=ANONYMIZE),
    Spec("copy_picture", "&Edit", "&Copy the picture", ("Ctrl+C",), "copy", line=True, place=GENERATE),
    Spec("paste_source", "&Edit", "&Paste a picture", ("Ctrl+V",), "paste", place=GENERATE),
    Spec("select_all", "&Edit", "Select &all pictures", ("Ctrl+A",), line=True, place=GENERATE),
    Spec("select_none", "&Edit", "Select &none", ("Ctrl+Shift+A",), place=GENERATE),
    Spec("restore", "&Photo", "&Restore", ("Ctrl+R", "Ctrl+Return"), "restore", place=RESTORE),
    Spec("restore_all", "&Photo", "Restore a&ll photos…", ("Ctrl+Alt+R",), place=RESTORE),
    Spec("stop", "&Photo", "&Stop", ("Esc",), "stop", place=RESTORE),
    Spec("turn_left", "&Photo", "&Turn left", ("Ctrl+Shift+Left",), line=True, place=RESTORE),
    Spec("turn_right", "&Photo", "T&urn right", ("Ctrl+Shift+Right",), place=RESTORE),
    Spec("add_face", "&Photo", "Add a m&issed face…", ("F4",), "add-face", True, line=True, place=RESTORE),
    Spec("find_faces", "&Photo", "&Find faces again", ("F5",), place=RESTORE),
    Spec("figures", "&Photo", "E&xplain the figures…", ("Ctrl+I",), place=RESTORE),
    Spec("explanation", "&Photo", "&How the face was completed…", ("Ctrl+E",), place=RESTORE),
    Spec("compare", "&Photo", "&Compare with another photo…", ("Ctrl+K",), place=RESTORE),
    Spec("reference", "&Photo", "Choose a refere&nce…", ("Ctrl+Shift+O",), line=True, place=RESTORE),
    Spec("paste_reference", "&Photo", "&Paste as the reference", ("Ctrl+Shift+V",), place=RESTORE),
    Spec("marks", "&Photo", "Sho&w what is mended", ("Ctrl+M",), "marks", True, line=True, place=RESTORE),
    Spec("brush", "&Photo", "&Brush: paint over damage", ("B",), "brush", True, place=RESTORE),
    Spec("eraser", "&Photo", "&Eraser: take marks away", ("E",), "eraser", True, place=RESTORE),
    Spec("smaller_brush", "&Photo", "S&maller brush", ("[",), place=RESTORE),
    Spec("larger_brush", "&Photo", "Lar&ger brush", ("]",), place=RESTORE),
    Spec("load_mask", "&Photo", "L&oad a scratch mask…", ("Ctrl+L",), place=RESTORE),
    Spec("save_mask", "&Photo", "Sa&ve the scratch mask…", ("Ctrl+Shift+M",), place=RESTORE),
    Spec("list_masks", "&Photo", "Scratch mas&ks for all photos…", ("Ctrl+Alt+M",), "", True, place=RESTORE),
    Spec("shuffle_seed", "&Photo", "&Another seed", ("Ctrl+D",), "dice", line=True, place=RESTORE),
    Spec("reset_options", "&Photo", "Options back to &defaults", ("Ctrl+Shift+R",), place=RESTORE),
    Spec("generate", "&Generate", "&Generate", ("Ctrl+R", "Ctrl+Return"), "gallery", place=GENERATE),
    Spec("stop_generating", "&Generate", "&Stop, or back to all pictures", ("Esc",), "stop", place=GENERATE),
    Spec("again", "&Generate", "Agai&n with this seed", ("Ctrl+G",), "again", line=True, place=GENERATE),
    Spec("others", "&Generate", "&Others of this person", ("Ctrl+Shift+G",), place=GENERATE),
    Spec("keep_person", "&Generate", "&Keep the person", ("Ctrl+L",), "", True, place=GENERATE),
    Spec("pin_a", "&Generate", "&Pin as A", ("Ctrl+Alt+A",), "pin", line=True, place=GENERATE),
    Spec("pin_b", "&Generate", "P&in as B", ("Ctrl+Alt+B",), "pin", place=GENERATE),
    Spec("walk", "&Generate", "&Walk from A to B", ("Ctrl+Alt+W",), place=GENERATE),
    Spec("dataset", "&Generate", "Make a da&taset…", ("Ctrl+Shift+N",), line=True, place=GENERATE),
    Spec("alike", "&Generate", "How a&like these are…", ("Ctrl+M",), line=True, place=GENERATE),
    Spec("figures_of_picture", "&Generate", "E&xplain the figures…", ("Ctrl+I",), place=GENERATE),
    Spec("dice", "&Generate", "&Another seed", ("Ctrl+D",), "dice", line=True, place=GENERATE),
    Spec("reset_making", "&Generate", "Options back to &defaults", ("Ctrl+Shift+R",), place=GENERATE),
    Spec("reset_sliders", "&Generate", "&Reset all sliders", ("Ctrl+Shift+D",), place=GENERATE),
    Spec("anonymize", "&Anonymize", "&Anonymize", ("Ctrl+R", "Ctrl+Return"), "anonymize", place=ANONYMIZE),
    Spec("pause", "&Anonymize", "&Pause, or resume", ("Ctrl+P",), place=ANONYMIZE),
    Spec("stop_anonymizing", "&Anonymize", "&Stop, or back to all photos", ("Esc",), "stop", place=ANONYMIZE),
    Spec("review", "&Anonymize", "&Look at the photo", ("Ctrl+E",), line=True, place=ANONYMIZE),
    Spec("next_waiting", "&Anonymize", "&Next to review", ("Ctrl+J",), place=ANONYMIZE),
    Spec("photo_before", "&Anonymize", "P&revious photo", ("PgUp",), place=ANONYMIZE),
    Spec("photo_after", "&Anonymize", "Ne&xt photo", ("PgDown",), place=ANONYMIZE),
    Spec("try_again", "&Anonymize", "&Try the face again", ("Ctrl+G",), "again", line=True, place=ANONYMIZE),
    Spec("obscure", "&Anonymize", "&Obscure the face", ("Ctrl+B",), place=ANONYMIZE),
    Spec("leave_as_is", "&Anonymize", "L&eave the face as it is", ("Ctrl+L",), place=ANONYMIZE),
    Spec("no_face", "&Anonymize", "Not a &face", ("Ctrl+Shift+L",), place=ANONYMIZE),
    Spec("add_by_hand", "&Anonymize", "Add a face by &hand…", ("F4",), "add-face", place=ANONYMIZE),
    Spec("seed_anonymizing", "&Anonymize", "Another see&d", ("Ctrl+D",), "dice", line=True, place=ANONYMIZE),
    Spec("reset_anonymizing", "&Anonymize", "Options ba&ck to defaults", ("Ctrl+Shift+R",), place=ANONYMIZE),
    Spec("to_restore", "&View", "Workspace &Restore", ("Alt+1",), "restore", True, "place"),
    Spec("to_generate", "&View", "Workspace &Generate", ("Alt+2",), "gallery", True, "place"),
    Spec("to_anonymize", "&View", "Workspace &Anonymize", ("Alt+3",), "anonymize", True, "place"),
    Spec("fit_review", "&View", "&Fit", ("Ctrl+F",), "fit", line=True, place=ANONYMIZE),
    Spec("actual_review", "&View", "&100 %", ("Ctrl+0",), "actual", place=ANONYMIZE),
    Spec("zoom_in_review", "&View", "Zoom &in", ("Ctrl+=", "Ctrl++"), "zoom-in", place=ANONYMIZE),
    Spec("zoom_out_review", "&View", "Zoom o&ut", ("Ctrl+-",), "zoom-out", place=ANONYMIZE),
    Spec("single", "&View", "&One picture", ("Alt+Y",), "single", True, "mode", line=True, place=RESTORE),
    Spec("split", "&View", "Before/after &split", ("Shift+Y",), "split", True, "mode", place=RESTORE),
    Spec("side", "&View", "Side &by side", ("Y",), "side", True, "mode", place=RESTORE),
    Spec("original", "&View", "S&how the original", ("hold \\",), "", True, place=RESTORE),
    Spec("fit", "&View", "&Fit", ("Ctrl+F",), "fit", line=True, place=RESTORE),
    Spec("actual", "&View", "&100 %", ("Ctrl+0",), "actual", place=RESTORE),
    Spec("zoom_in", "&View", "Zoom &in", ("Ctrl+=", "Ctrl++"), "zoom-in", place=RESTORE),
    Spec("zoom_out", "&View", "Zoom o&ut", ("Ctrl+-",), "zoom-out", place=RESTORE),
    Spec("boxes", "&View", "Outlin&e faces", ("Ctrl+B",), "", True, line=True, place=RESTORE),
    Spec("files", "&View", "List of fi&les", ("F6",), "", True, place=RESTORE),
    Spec("strip", "&View", "Strip of fa&ces", ("F7",), "", True, place=RESTORE),
    Spec("panel", "&View", "O&ptions", ("F8",), "", True),
    Spec("full_screen", "&View", "Full scree&n", ("F11",), "", True),
    Spec("theme_system", "&Theme", "As the &system", ("Ctrl+F7",), "", True, "theme"),
    Spec("theme_light", "&Theme", "&Light", ("Ctrl+F8",), "", True, "theme"),
    Spec("theme_dark", "&Theme", "&Dark", ("Ctrl+F9",), "", True, "theme"),
    Spec("device_auto", "&Device", "&Automatic", ("Shift+F6",), "", True, "device"),
    Spec("device_cpu", "&Device", "The &processor (cpu)", ("Shift+F7",), "", True, "device"),
    Spec("device_cuda", "&Device", "&NVIDIA graphics card (cuda)", ("Shift+F8",), "", True, "device"),
    Spec("device_mps", "&Device", "Apple &graphics (mps)", ("Shift+F9",), "", True, "device"),
    Spec("shortcuts", "&Help", "&Keyboard shortcuts", ("Shift+?", "F1")),
    Spec("about", "&Help", "&About Face Studio", ("Ctrl+F1",)),
)
MENUS = ("&File", "&Edit", "&Photo", "&Generate", "&Anonymize", "&View", "&Help")
PLACES_OF_MENUS = {"&Photo": RESTORE, "&Generate": GENERATE, "&Anonymize": ANONYMIZE}
TOOLS = (
    *("to_restore", "to_generate", "to_anonymize", "", "open", "save", "open_source", "save_pictures", ""),
    *("open_photos", "export_report", ""),
    *("undo", "redo", "undo_gallery", "redo_gallery", "undo_review", "redo_review", ""),
    *("single", "split", "side", "", "zoom_out", "fit", "actual", "zoom_in"),
    *("zoom_out_review", "fit_review", "actual_review", "zoom_in_review"),
)
WITH_TEXT = {
    "to_restore": "Restore",
    "to_generate": "Generate",
    "to_anonymize": "Anonymize",
    "open": "",
    "save": "",
    "open_source": "Open",
    "save_pictures": "Save",
    "open_photos": "Open",
    "export_report": "Report",
}
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
                self[name].setIconText(WITH_TEXT[name] or self[name].iconText())
        window.addToolBar(self.tools)
        self.show_place(RESTORE)

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

    def show_place(self, place: str) -> None:
        """Show the actions of the workspace `place` and those of all; the others are hidden, and their keys free."""
        for spec in SPECS:
            self[spec.name].setVisible(spec.place in ("", place))
        for title, of in PLACES_OF_MENUS.items():
            self.menus[title].menuAction().setVisible(of == place)
        before: QAction | None = None  # the last that is seen
        for action in self.tools.actions():
            if action.isSeparator():
                action.setVisible(before is not None and not before.isSeparator())
            before = action if action.isVisible() else before
        if before is not None and before.isSeparator():
            before.setVisible(False)

    def draw(self, theme: Theme) -> None:
        """Draw the icons in the theme's colours."""
        for spec in SPECS:
            if spec.icon:
                self[spec.name].setIcon(theme.icon(spec.icon))
        more = self.tools.findChild(QToolButton, "qt_toolbar_ext_button")  # Qt's own arrow is black in every theme
        if more is not None:
            more.setIcon(theme.icon("more"))
            more.setToolTip("More tools")

    def enable(self, states: Mapping[str, bool]) -> None:
        """Enable or disable actions by name."""
        for name, state in states.items():
            self[name].setEnabled(state)

    def entries(self) -> list[Entry]:
        """Every action for the list of shortcuts."""
        found: dict[Entry, set[str]] = {}  # and their places: what is alike in several stands there once
        for spec in SPECS:
            words = spec.text.replace("&", "").rstrip("…")
            keys = keys_of(self[spec.name].shortcuts()) or " ".join(spec.keys)
            found.setdefault((spec.menu.replace("&", ""), words, keys), set()).add(spec.place)
        counts = Counter(keys for _, _, keys in found if keys)
        return [
            *(
                (_where(menu, places) if counts[keys] > 1 else menu, words, keys)
                for (menu, words, keys), places in found.items()
            ),
            ("File", "Open a recent photo", "Ctrl+1  to  Ctrl+9"),
            ("File", "Forget the recent photos", "Ctrl+Shift+Del"),
            ("View", "Move the split, or the photo", "Arrow keys"),
            ("View", "Zoom at the pointer", "Wheel"),
            ("Photo", "Reset an option", "Double-click its label"),
            ("Photo", "Look at a face closely", "Double-click its crop"),
            ("Photo", "What a face's figures are based on", "Click its gauge"),
            ("Photo", "Move or resize the box of a missed face", "Arrow keys, with Shift; Enter accepts"),
            ("Photo", "Remove a face that was added", "Del on its crop"),
            ("Anonymize", "Look at a photo", "Enter, or double-click its row"),
            ("Generate", "Reset a slider", "Double-click it, or its title"),
            ("Generate", "Show a picture large", "Enter, or a click"),
            ("Generate", "Select or deselect a picture", "Space, its tick, or Ctrl+click"),
            ("Generate", "Previous or next picture", "Left, Right"),
        ]


def _where(menu: str, places: set[str]) -> str:
    """The menu, and the place where its action has its keys; elsewhere they do something else."""
    names = " and ".join(place.capitalize() for place in (RESTORE, GENERATE, ANONYMIZE) if place in places)
    return menu if not names or names == menu else f"{menu}, in {names}"
