"""Where things lie on this computer: what comes with the program, and what belongs to its user.

`resources` and `weights` stand beside the package in a checkout and inside of it in an installed wheel. The user's
folders follow the habits of the system; FACESTUDIO_HOME puts all of them into one folder (a stick, a test), and
FACESTUDIO_WEIGHTS names another folder of weights. Nothing here makes a folder: whoever writes into one makes it.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

APP = "facestudio"


def resources_dir() -> Path:
    """Icons, style sheets, translations and sample pictures."""
    return _shipped("resources")


def weights_dir() -> Path:
    """The manifest and the weights that come with the program."""
    chosen = os.environ.get("FACESTUDIO_WEIGHTS")
    return Path(chosen) if chosen else _shipped("weights")


def settings_dir() -> Path:
    """The user's settings."""
    return _home("settings") or platformdirs.user_config_path(APP, appauthor=False)


def data_dir() -> Path:
    """What the user would miss: weights that were imported, recent files."""
    return _home("data") or platformdirs.user_data_path(APP, appauthor=False)


def _home(name: str) -> Path | None:
    home = os.environ.get("FACESTUDIO_HOME")
    return Path(home) / name if home else None


def _shipped(name: str) -> Path:
    """The folder `name` of the installed package, or of the checkout when the package has none."""
    package = Path(__file__).resolve().parent
    packed = package / name
    return packed if packed.is_dir() else package.parent / name
