"""Asking for the file of a photo."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from facestudio.formats import SUFFIXES

PATTERNS = " ".join(f"*{suffix}" for suffix in SUFFIXES)
WRITTEN = f"Photos ({PATTERNS})"
READ = f"{WRITTEN};;All files (*)"


def ask_for_photo(parent: QWidget, title: str, folder: str) -> Path | None:
    """A photo that the user chooses, beginning in `folder`; None when they choose none."""
    name, _ = QFileDialog.getOpenFileName(parent, title, folder, READ)
    return Path(name) if name else None
