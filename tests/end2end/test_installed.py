"""What a plain `pip install` gives a user: the wheel is built from this checkout, unpacked and looked at."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from tests import published

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout, built by the backend that is installed, so without a network."""
    if not (ROOT / "pyproject.toml").exists():
        pytest.skip("not run from a checkout")
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index"]
    command += ["--disable-pip-version-check", "-w", str(folder), str(ROOT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("facestudio-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked, as it would lie among the installed packages."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


def run(installed: Path, *arguments: str, weights: Path | None = None) -> subprocess.CompletedProcess[str]:
    """A Python in another folder that sees the unpacked wheel and not the checkout."""
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    environment.pop("FACESTUDIO_WEIGHTS", None)
    if weights is not None:
        environment["FACESTUDIO_WEIGHTS"] = str(weights)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=installed.parent,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_the_wheel_holds_every_weight_file_that_the_manifest_names(installed: Path) -> None:
    weights = installed / "facestudio" / "weights"
    entries = tomllib.loads((weights / "manifest.toml").read_text(encoding="utf-8"))["checkpoints"]
    assert entries
    for name, entry in entries.items():
        if entry["source"] != "starter":
            continue  # published weights are the user's own download
        for file in entry["files"].values():
            assert (weights / file["path"]).stat().st_size == file["bytes"], name


def test_the_wheel_holds_the_resources(installed: Path) -> None:
    expected = {path.relative_to(ROOT) for path in (ROOT / "resources").rglob("*") if path.is_file()}
    assert expected
    missing = {path for path in expected if not (installed / "facestudio" / path).is_file()}
    assert not missing


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"facestudio"}


def test_the_installed_package_finds_its_own_weights_and_resources(installed: Path) -> None:
    code = "from facestudio.paths import *; print(weights_dir(), resources_dir(), sep='\\n')"
    done = run(installed, "-c", code)
    assert done.returncode == 0, done.stderr
    found = [Path(line).resolve() for line in done.stdout.splitlines()]
    assert found == [(installed / "facestudio" / name).resolve() for name in ("weights", "resources")]


def test_the_installed_command_verifies_its_weights(installed: Path) -> None:
    done = run(installed, "-m", "facestudio", "weights", "verify")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "present" in done.stdout
    assert "missing" not in done.stdout


def test_the_installed_command_imports_published_weights(installed: Path, tmp_path: Path) -> None:
    """The child process that reads the file must find the installed package too, and build its network."""
    published.write_manifest(tmp_path / "weights", published.tables())
    published.write_tiny(tmp_path / "tiny.ckpt")
    file = str(tmp_path / "tiny.ckpt")
    done = run(installed, "-m", "facestudio", "weights", "import", "tiny", file, weights=tmp_path / "weights")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("tiny is here (")
    done = run(installed, "-m", "facestudio", "weights", "verify", "tiny", weights=tmp_path / "weights")
    assert (done.returncode, done.stdout) == (0, "tiny: present\n")


def test_the_console_script_is_the_programs_way_in(installed: Path) -> None:
    (entry_points,) = installed.glob("*.dist-info/entry_points.txt")
    assert "facestudio = facestudio.__main__:main" in entry_points.read_text()
