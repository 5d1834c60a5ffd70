"""The look: colours of the dark and the light theme, the style sheet made from them, and icons in their colours.

The colours stand in resources/dark.qss and light.qss as lines `@name: #rrggbb`, the rules that use them once in
window.qss. Painted widgets ask here for the same colours. It knows no widget.
"""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

from facestudio import paths
from facestudio.gui.text_size import sheet_scaled

SYSTEM, LIGHT, DARK = "system", "light", "dark"
CHOICES = (SYSTEM, LIGHT, DARK)
_TOKEN = re.compile(r"@([a-z][a-z-]*)")
_DEFINITION = re.compile(r"^@([a-z][a-z-]*):\s*(\S+)\s*$", re.MULTILINE)
_ROLES = {
    QPalette.ColorRole.Window: "window",
    QPalette.ColorRole.Base: "raised",
    QPalette.ColorRole.AlternateBase: "panel",
    QPalette.ColorRole.Button: "raised",
    QPalette.ColorRole.WindowText: "text",
    QPalette.ColorRole.Text: "text",
    QPalette.ColorRole.ButtonText: "text",
    QPalette.ColorRole.BrightText: "accent-text",
    QPalette.ColorRole.ToolTipBase: "raised",
    QPalette.ColorRole.ToolTipText: "text",
    QPalette.ColorRole.PlaceholderText: "muted",
    QPalette.ColorRole.Highlight: "accent",
    QPalette.ColorRole.HighlightedText: "accent-text",
    QPalette.ColorRole.Link: "link",
    QPalette.ColorRole.Mid: "border",
    QPalette.ColorRole.Dark: "border",
    QPalette.ColorRole.Light: "hover",
}


def colours_of(name: str) -> dict[str, str]:
    """The colours of the theme `name`, "dark" or "light"."""
    return dict(_DEFINITION.findall(_read(f"{name}.qss")))


def sheet_of(name: str) -> str:
    """The style sheet of the theme `name`."""
    values = {**colours_of(name), "icons": (paths.resources_dir() / "icons").as_posix()}
    rules = re.sub(r"/\*.*?\*/", "", _read("window.qss"), flags=re.DOTALL)
    return _TOKEN.sub(lambda match: values[match[1]], rules)


class Theme(QObject):
    """The theme in use. `choice` is what the user wants, `name` what it means now."""

    changed = Signal()

    def __init__(self, choice: str = SYSTEM, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.choice = choice if choice in CHOICES else SYSTEM
        self.name = ""
        self._colours: dict[str, str] = {}
        self._icons: dict[str, QIcon] = {}
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._apply)
        self._apply()

    def choose(self, choice: str) -> None:
        """Use the theme `choice`: "system", "light" or "dark"."""
        self.choice = choice
        self._apply()

    def colour(self, name: str) -> QColor:
        """A colour of the theme, such as "accent"."""
        return QColor(self._colours[name])

    def icon(self, name: str, colour: str = "text") -> QIcon:
        """The icon resources/icons/NAME.svg drawn in a colour of the theme."""
        key = f"{name} {colour}"
        if key not in self._icons:
            icon = QIcon()
            icon.addPixmap(self.pixmap(name, 48, colour), QIcon.Mode.Normal)
            icon.addPixmap(self.pixmap(name, 48, "disabled"), QIcon.Mode.Disabled)
            self._icons[key] = icon
        return self._icons[key]

    def pixmap(self, name: str, side: int, colour: str = "text") -> QPixmap:
        """The icon as a square picture of `side` px."""
        drawing = _read(f"icons/{name}.svg").replace("currentColor", self._colours[colour])
        pixmap = QPixmap(side, side)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        QSvgRenderer(QByteArray(drawing.encode())).render(painter, QRectF(0, 0, side, side))
        painter.end()
        return pixmap

    @Slot()
    def _apply(self) -> None:
        scheme = QGuiApplication.styleHints().colorScheme()
        system = DARK if scheme == Qt.ColorScheme.Dark else LIGHT
        name = system if self.choice == SYSTEM else self.choice
        if name == self.name:
            return
        self.name = name
        self._colours, self._icons = colours_of(name), {}
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        app.setPalette(self._palette())
        app.setStyleSheet(sheet_scaled(sheet_of(name)))
        self.changed.emit()

    def _palette(self) -> QPalette:
        palette = QPalette()
        for role, name in _ROLES.items():
            palette.setColor(role, self.colour(name))
        for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText, QPalette.ColorRole.WindowText):
            palette.setColor(QPalette.ColorGroup.Disabled, role, self.colour("disabled"))
        return palette


def _read(name: str) -> str:
    return Path(paths.resources_dir(), name).read_text(encoding="utf-8")
