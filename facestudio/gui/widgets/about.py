"""What this program is, its version and its licence."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMessageBox, QWidget

from facestudio.gui.theme import Theme
from facestudio.recipe import app_version

APP = "Face Studio"
TEXT = (
    "Restores faces in photos and measures how much of the person is left.\n\nThe code is under the Apache License "
    "2.0. The licence of the weights in use is shown beside them.\n\nPhotos stay on this computer."
)


def show_about(parent: QWidget, theme: Theme) -> QMessageBox:
    """Show it over `parent` without blocking."""
    box = QMessageBox(parent)
    box.setObjectName("about")
    box.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    box.setWindowTitle(f"About {APP}")
    box.setIconPixmap(theme.pixmap("facestudio", 64))
    box.setText(f"{APP} {app_version()}")
    box.setInformativeText(TEXT)
    box.open()
    return box
