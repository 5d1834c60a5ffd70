"""What the floors promise at run time: no torch before it computes, no Qt outside of the window, quick help."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

HEAVY = ("torch", "diffusers", "transformers")
WEIGHTS = ("list", "get", "import", "verify", "remove", "export")


def modules_after(statement: str) -> set[str]:
    """The top-level modules that a fresh Python holds after `statement`."""
    code = f"{statement}\nimport json, sys\nsys.stdout.write(json.dumps([n for n in sys.modules if '.' not in n]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    return set(json.loads(done.stdout))


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m facestudio` with `arguments`, as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "facestudio", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize(
    "module",
    [
        "studio",
        "cli.main",
        "pipeline",
        "generating",
        "batch",
        "methods.quick",
        "anonymizing",
        "methods.solid",
        "cli.anonymize",
        "cli.populate",
        "populating",
        "datasets.page",
        "methods.arc2face",
        "methods.at_once",
        "methods.vec2face",
        "methods.difface",
        "methods.dfdnet",
        "methods.onepass",
        "faces.detect",
    ],
)
def test_torch_and_qt_stay_out_without_a_window(module: str) -> None:
    loaded = modules_after(f"import facestudio.{module}")
    assert "facestudio" in loaded
    assert not loaded & {*HEAVY, "PySide6"}


def test_building_the_commands_with_every_methods_options_needs_no_torch() -> None:
    assert not modules_after("from facestudio.cli.main import build; build()") & set(HEAVY)


def test_networks_know_neither_photos_nor_pictures() -> None:
    assert not modules_after("import facestudio.networks.estimator") & {"PIL", "cv2", "PySide6"}


def test_help_is_quick_and_names_every_command() -> None:
    started = time.perf_counter()
    done = command("--help")
    assert done.returncode == 0, done.stderr
    assert time.perf_counter() - started < 10  # torch alone takes longer on a busy machine
    for name in ("restore", "anonymize", "detect", "compare", "doctor", "weights"):
        assert name in done.stdout


@pytest.mark.parametrize(
    "words",
    ["restore", "anonymize", "detect", "compare", "doctor", "weights", *(f"weights {each}" for each in WEIGHTS)],
)
def test_each_command_has_help(words: str) -> None:
    done = command(*words.split(), "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: facestudio" in done.stdout
    assert not done.stderr


def test_wrong_usage_is_one_sentence_and_exit_code_2() -> None:
    done = command("restore")
    assert done.returncode == 2
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr
