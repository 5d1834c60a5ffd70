"""Ctrl-C on the command line: at once while weights are loaded, at the next step while something is computed."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from facestudio.cli.console import Screen
from facestudio.cli.main import run
from facestudio.progress import Cancelled
from facestudio.studio import Studio
from tests.fakes import picture, write_picture

STOPPED = "Error: Stopped; what was finished before is kept."


@pytest.mark.parametrize(
    "command", ["restore", "anonymize", "detect", "compare", "generate", "generate --identities 2"]
)
def test_loading_is_stopped_at_once(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    went_on: list[str] = []

    def loading(self: Studio, *of: Any, **more: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        went_on.append("loading")

    for name in ("prepare", "_embedders"):
        monkeypatch.setattr(Studio, name, loading)
    photo, out = str(write_picture(tmp_path / "a.jpg", picture(20, 20))), str(tmp_path / "out")
    given = {"detect": [photo], "compare": [photo, photo], "generate": ["-o", out]}
    name, *more = command.split()
    before = signal.getsignal(signal.SIGINT)
    assert run([name, *given.get(name, [photo, "-o", out]), *more]) == 130
    assert not went_on
    assert capsys.readouterr().err.strip() == STOPPED
    assert os.listdir(tmp_path) == ["a.jpg"]
    assert signal.getsignal(signal.SIGINT) == before


def test_a_step_is_finished() -> None:
    finished: list[int] = []
    with pytest.raises(Cancelled), Screen(quiet=True).progress() as progress:
        for step in progress.track(range(3), "Working"):
            os.kill(os.getpid(), signal.SIGINT)
            finished.append(step)
    assert finished == [0]


def test_a_second_time_it_is_at_once() -> None:
    finished: list[int] = []
    with pytest.raises(KeyboardInterrupt), Screen(quiet=True).progress() as progress:
        for step in progress.track(range(3), "Working"):
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            finished.append(step)
    assert not finished
