"""The fixtures of the published networks, and what fills networks as they were filled for them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def fixtures(shared: Path) -> Path:
    """The folder with a folder for each network."""
    folder = shared / "parity"
    if not folder.is_dir():
        pytest.skip("no parity fixtures here")
    return folder


@pytest.fixture
def seeded(fixtures: Path) -> ModuleType:
    """What makes weights that follow from their keys."""
    spec = importlib.util.spec_from_file_location("seeded_weights", fixtures / "seeded_weights.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
