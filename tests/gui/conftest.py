"""A window over a Studio whose detector, method and judge are stand-ins; everything between them is the real thing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from facestudio.checkpoints import Checkpoint
from facestudio.errors import FaceStudioError
from facestudio.faces.face import FFHQ_256, Face
from facestudio.faces.missed import checked_box
from facestudio.gui.app import application, build_window, user_settings
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels
from facestudio.methods.base import Wish
from facestudio.options import PERSON, PHOTO, OptionField, describe, option
from facestudio.progress import Progress
from facestudio.studio import Studio
from tests import fakes

WAIT = 30_000  # ms that something is waited for: it comes at once, but not on a machine that has much else to do
FACES = (fakes.face_at(180, 170, 180), fakes.face_at(440, 190, 140, turn=8))


MADE = fakes.face_at(128, 128, 256)


class Painter:
    """A Synthesizer without weights: a face whose grain is the seed's, in steps of `seconds` each.

    There are `steps` of them, `later` ones from the second portion on. Seeds in `faceless` get a picture without a face;
    `asked` tells what came, `taken` how many steps were taken. With `fails_at` it raises when that seed is drawn.
    """

    id, goal, template, embedder = "painter", "create", FFHQ_256, "listener"

    @dataclass(frozen=True)
    class Options:
        """What a person may choose."""

        guidance: float = option(2.0, title="Likeness", minimum=1.0, maximum=8.0, step=0.25, needs=PERSON)
        steps: int = option(20, title="Steps", minimum=2, maximum=250, step=1, rare=True)
        hold_pose: bool = option(False, title="Hold pose", needs=PHOTO)

    def __init__(
        self, steps: int = 2, seconds: float = 0.0, fails_at: int | None = None, later: int | None = None
    ) -> None:
        self.checkpoint = fakes.fake_checkpoint("painter-weights", goal="create", conditioned_on=("listener",))
        self.asked: list[tuple[Wish, list[int], Any]] = []
        self.faceless: set[int] = set()
        self.taken = 0
        self._steps, self._later, self._seconds, self._fails_at = steps, later or steps, seconds, fails_at

    def __call__(self, wish: Wish, seeds: Sequence[int], options: Any, progress: Progress) -> list[np.ndarray]:
        self.asked.append((wish, list(seeds), options))
        pictures = [fakes.picture(256, 256, [] if seed in self.faceless else [MADE], seed) for seed in seeds]
        for seed, pixels in zip(seeds, pictures, strict=True):
            pixels[0, 0] = 0 if seed in self.faceless else 255  # what the fake detector looks at
        for _ in progress.track(range(self._steps if len(self.asked) == 1 else self._later), "Denoising"):
            time.sleep(self._seconds)
            self.taken += 1
            progress.preview(lambda: _sheet(pictures))
        if self._fails_at in seeds:
            raise FaceStudioError("The brush broke.", hint="Take another one.")
        return pictures


def _sheet(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """The pictures half as large, in rows of four."""
    small = [pixels[::2, ::2] for pixels in pictures]
    columns = min(len(small), 4)
    small += [np.zeros_like(small[0])] * (-len(small) % columns)
    return np.vstack([np.hstack(small[start : start + columns]) for start in range(0, len(small), columns)])


class SeesMade(fakes.FakeDetector):
    """Finds MADE in a picture whose first pixel is white."""

    def detect(self, photo: Any, progress: Any = None, minimum_score: float = 0.5) -> tuple[Face, ...]:
        return self.faces if photo.pixels[0, 0, 0] == 255 else ()


class FakeStudio(Studio):
    """Finds FACES in every photo whose name does not begin with "empty", restores and makes faces without weights."""

    def __init__(self) -> None:
        super().__init__("cpu")
        self.restorer = fakes.SlowRestorer()
        self.faces = FACES
        self.patience = 0.003  # seconds of a step of `face_at`
        self.judges: list[Any] = [fakes.FakeEmbedder("judge-a"), fakes.FakeEmbedder("judge-b")]
        self.panel: Any = None
        self.listening: set[str] = set()  # ids of the checkpoints whose method takes a reference
        self.painter = Painter()
        self.fake_makers = [
            fakes.fake_checkpoint(
                "painter-weights", title="Paint", licence="CC0", method="painter:Painter", goal="create"
            )
        ]
        self.fake_offers = [
            fakes.fake_checkpoint("slow-checkpoint", title="Slow weights", licence="Apache-2.0", method="slow:Slow"),
            fakes.fake_checkpoint("other-checkpoint", title="Other weights", licence="MIT", method="slow:Slow"),
        ]

    def detect(self, photo: Any, progress: Any = None, *, unsure: bool = False) -> Any:
        time.sleep(0.01)
        return () if photo.path and photo.path.name.startswith("empty") else self.faces

    def face_at(self, photo: Any, box: Any, progress: Any = None) -> Face:
        """A face in the middle of the box, as wide as it."""
        left, top, right, bottom = checked_box(box, *photo.size)
        for _ in (progress or Progress()).track(range(3), "Looking closely"):
            time.sleep(self.patience)
        return replace(fakes.face_at((left + right) / 2, (top + bottom) / 2, (right - left) / 0.7), score=0.12)

    def restore_checkpoints(self) -> list[Checkpoint]:
        return self.fake_offers

    def generate_checkpoints(self) -> list[Checkpoint]:
        return self.fake_makers

    def options_for(self, checkpoint_id: str) -> tuple[OptionField, ...]:
        painter = checkpoint_id == self.painter.checkpoint.id
        return describe(self.painter.Options if painter else self.restorer.Options)

    def can_be_told(self, checkpoint_id: str) -> bool:
        return checkpoint_id in self.listening

    def device_name(self) -> str:
        return "A pretended processor, 2 threads (cpu)"

    def prepare(self, checkpoint_id: str | None = None, listening: bool = False) -> None:
        return None

    def _method(self, checkpoint_id: str) -> Any:
        return self.restorer

    def _synthesizer(self, checkpoint_id: str) -> Any:
        return self.painter

    def _detector(self) -> Any:
        return SeesMade([MADE])

    def _finder(self) -> Any:
        return None

    def _embedders(self) -> list[Any]:
        return self.judges

    def _listener(self, id: str, asking: str) -> Any:
        return next(judge for judge in self.judges if judge.id == id)

    def _panel(self) -> Any:
        return self.panel


class Patient(QtBot):
    """A bot that gives up after WAIT."""

    def waitUntil(self, callback: Callable[[], bool | None], *, timeout: int = WAIT) -> None:
        super().waitUntil(callback, timeout=timeout)

    def waitSignal(self, signal: Any, *, timeout: int = WAIT, **more: Any) -> Any:
        return super().waitSignal(signal, timeout=timeout, **more)


@pytest.fixture
def qtbot(qapp: object, request: pytest.FixtureRequest) -> QtBot:
    return Patient(request)


@pytest.fixture
def studio() -> FakeStudio:
    return FakeStudio()


@pytest.fixture
def make_window(qtbot: QtBot, studio: FakeStudio) -> Iterator[Callable[[], MainWindow]]:
    """Opens windows, and shuts their sessions down afterwards."""
    application()
    windows: list[MainWindow] = []

    def make() -> MainWindow:
        window = build_window(studio, user_settings())
        windows.append(window)
        window.show()
        qtbot.waitUntil(lambda: window.session.offer is not None and window.session.device != "", timeout=60000)
        return window

    yield make
    for window in windows:
        window.leaving.certain = True  # whatever the test left open is not asked about
        window.close()
        assert window.session.shutdown(30.0), "work did not stop"
        window.deleteLater()
    qtbot.wait(1)


@pytest.fixture
def window(make_window: Callable[[], MainWindow]) -> MainWindow:
    return make_window()


@pytest.fixture
def photo_path(tmp_path: Path) -> Path:
    """A drawn photo of two people, in a folder of its own."""
    return draw(tmp_path / "photos" / "two people.jpg")


def draw(path: Path, seed: int = 0) -> Path:
    """Write a drawn photo with FACES to `path`."""
    return fakes.write_picture(path, fakes.picture(360, 600, FACES, seed))


def open_photo(qtbot: QtBot, window: MainWindow, path: Path) -> None:
    """Open `path` and wait until its faces are there."""
    window.open_paths([path])
    qtbot.waitUntil(lambda: is_open(window, path) and window.session.looked and not window.session.doing)


def is_open(window: MainWindow, path: Path) -> bool:
    return window.session.opened is not None and window.session.opened.source == path


def restore(qtbot: QtBot, window: MainWindow) -> None:
    """Click Restore and wait for the result."""
    with qtbot.waitSignal(window.session.result_changed):
        window.workspace.panel.button.click()
    qtbot.waitUntil(lambda: not window.session.doing)


def shown(window: MainWindow) -> np.ndarray:
    """The viewer as it is painted, (H, W, 3) uint8 RGB."""
    return to_pixels(window.viewer.grab().toImage())
