"""A scan of 16 bits a colour in the window: restored, turned and saved with all of them; where 8 are written it is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtWidgets import QFileDialog
from pytestqt.qtbot import QtBot

from facestudio.gui.main_window import MainWindow
from tests.deep_files import deepened, read_deep, write_deep
from tests.fakes import picture
from tests.gui.conftest import FACES, open_photo, restore
from tests.gui.windows import toast

NOTE = "Saved with 8 bits per colour; the original has 16"


def saved(qtbot: QtBot, window: MainWindow, target: Path, patch: pytest.MonkeyPatch) -> str:
    """Save what is shown as `target`; what is said then."""
    patch.setattr(QFileDialog, "getSaveFileName", lambda *args, **more: (str(target), ""))
    window.commands["save_as"].trigger()
    qtbot.waitUntil(lambda: toast(window).startswith(f"Saved as {target.name}"))
    return toast(window)


def test_a_restored_scan_is_saved_with_16_bits(
    qtbot: QtBot, window: MainWindow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = deepened(picture(360, 600, FACES))
    open_photo(qtbot, window, write_deep(tmp_path / "scan.tif", samples))
    restore(qtbot, window)
    for name in ("a.tif", "a.png"):
        assert NOTE not in saved(qtbot, window, tmp_path / name, monkeypatch)
        found = read_deep(tmp_path / name)
        untouched = (found == samples).all(axis=2)
        assert np.array_equal(found & 255, samples & 255) and 0.5 < untouched.mean() < 1
    assert NOTE in saved(qtbot, window, tmp_path / "a.jpg", monkeypatch)
