from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType

import pytest

from facestudio import paths


def installed_at(package: Path) -> ModuleType:
    """The module as it would be if the package stood at `package`."""
    package.mkdir(parents=True)
    copy = shutil.copy(paths.__file__, package / "paths.py")
    spec = importlib.util.spec_from_file_location("paths_elsewhere", copy)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_in_a_checkout_folders_stand_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESTUDIO_WEIGHTS", raising=False)
    module = installed_at(tmp_path / "facestudio")
    (tmp_path / "weights").mkdir()
    assert module.weights_dir() == (tmp_path / "weights").resolve()
    assert module.resources_dir() == (tmp_path / "resources").resolve()


def test_in_a_wheel_they_stand_inside_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESTUDIO_WEIGHTS", raising=False)
    module = installed_at(tmp_path / "facestudio")
    for folder in ("weights", "facestudio/weights", "facestudio/resources"):
        (tmp_path / folder).mkdir()
    assert module.weights_dir() == (tmp_path / "facestudio" / "weights").resolve()
    assert module.resources_dir() == (tmp_path / "facestudio" / "resources").resolve()


def test_the_environment_names_other_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path))
    assert paths.weights_dir() == tmp_path


def test_home_takes_all_of_the_users_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESTUDIO_HOME", str(tmp_path / "stick"))
    folders = {paths.settings_dir(), paths.data_dir()}
    assert len(folders) == 2
    assert {folder.parent for folder in folders} == {tmp_path / "stick"}
    assert not (tmp_path / "stick").exists()


def test_without_it_the_system_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FACESTUDIO_HOME")
    for folder in (paths.settings_dir(), paths.data_dir()):
        assert folder.is_absolute()
        assert "facestudio" in str(folder)
