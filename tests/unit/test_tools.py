"""The set-up's own sentences: what is missing is named, and pip's output is boiled down to what takes time."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from tools import check_system, setup_environment

LOADER = "ImportError: libEGL.so.1: cannot open shared object file: No such file or directory"
LDD = """
\tlibxcb-icccm.so.4 => not found
\tlibxcb.so.1 => /lib/libxcb.so.1 (0x00007f)
\tlibxkbcommon.so.0 => not found
"""


def test_missing_libraries_are_read_from_the_loader_and_from_ldd() -> None:
    assert check_system.named_libraries(LOADER) == {"libEGL.so.1"}
    assert check_system.named_libraries(LDD) == {"libxcb-icccm.so.4", "libxkbcommon.so.0"}


def test_libraries_become_debian_packages_and_unknown_ones_keep_their_name() -> None:
    asked = ["libEGL.so.1", "libgthread-2.0.so.0", "libglib-2.0.so.0", "libnew.so.3"]
    assert check_system.packages_for(asked) == ["libegl1", "libglib2.0-0", "libnew.so.3"]


@pytest.mark.skipif(sys.platform != "linux", reason="the loader's words are Linux's")
def test_a_qt_that_cannot_start_names_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check_system, "START", f"raise ImportError({LOADER.partition(': ')[2]!r})")
    assert check_system.main(window=False) == 1
    said = capsys.readouterr().out
    assert "libEGL.so.1" in said
    assert "sudo apt install libegl1" in said


def test_without_a_screen_the_window_is_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert check_system.main(window=True) == 1
    assert "no screen" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "  Downloading pyside6_essentials-6.12.0-any.whl (84.3 MB)",
            "downloading pyside6_essentials (84.3 MB)",
        ),
        ("  Downloading torch-2.13.0-cp312-cp312-manylinux_2_28_x86_64.whl (1.1 GB)", "downloading torch (1.1 GB)"),
        ("  Downloading typer-0.29.2-py3-none-any.whl (1.2 MB)", ""),
        ("Collecting rich>=13.9", ""),
        ("Installing collected packages: a, b, c", "unpacking 3 packages"),
    ],
)
def test_of_pips_output_only_what_takes_time_is_said(line: str, words: str) -> None:
    assert setup_environment.worth_saying(line) == words


def test_a_python_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup_environment.sys, "version_info", (3, 9, 2))
    assert setup_environment.main(Path("never-made")) == 1
    assert "this is 3.9" in capsys.readouterr().out


def test_the_setup_can_be_read_by_an_old_python() -> None:
    source = Path(setup_environment.__file__).read_text(encoding="utf-8")
    compile(ast.parse(source, feature_version=(3, 7)), "setup_environment.py", "exec")
