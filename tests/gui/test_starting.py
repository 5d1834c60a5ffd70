"""How the window starts and ends, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.gui.conftest import draw

BUILD = """
import sys
import facestudio.gui.app as app
from facestudio.studio import Studio

running = app.application()
window = app.build_window(Studio(), app.user_settings())
window.painted.disconnect()
window.painted.connect(running.quit)
window.show()
running.exec()
heavy = sorted({"torch", "torchvision", "diffusers", "transformers"} & set(sys.modules))
print("heavy:", *heavy)
assert window.session.shutdown()
"""

RUN = """
import sys
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
import facestudio.gui.app as app

class Studio(app.Studio):
    def device_name(self):
        return "none"
    def restore_checkpoints(self):
        return []

def leave():
    for window in QApplication.topLevelWidgets():
        window.close()

app.Studio = Studio
app.application()
QTimer.singleShot(300, leave)
print("code:", app.main())
"""


AT_WORK = """
import sys, threading, time
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication
import facestudio.gui.app as app
from facestudio.gui.main_window import MainWindow

begun = threading.Event()

def find(progress):
    begun.set()
    CODE_OF_WORK
    return ()

class Studio(app.Studio):
    def device_name(self):
        return "none"
    def restore_checkpoints(self):
        return []
    def detect(self, photo, progress=None, *, unsure=False):
        return find(progress)

def window():
    return next(found for found in QApplication.topLevelWidgets() if isinstance(found, MainWindow))

def until(ready, then):
    if ready():
        then()
    else:
        QTimer.singleShot(20, lambda: until(ready, then))

def leave():
    window().commands["copy"].trigger()
    window().session.opened.pyramid.arrays[0][:] = 7
    copied = QGuiApplication.clipboard().image()
    print("copied:", copied.width(), copied.pixelColor(300, 180).red() != 7, flush=True)
    print("at work:", window().session.doing, flush=True)
    window().close()

app.Studio = Studio
app.PATIENCE = float(sys.argv[2])
app.application()
QTimer.singleShot(100, lambda: window().open_paths([Path(sys.argv[1])]))
QTimer.singleShot(200, lambda: until(lambda: window().session.opened and READY, leave))
code = app.main()
print("code:", code)
print("windows:", len(QApplication.topLevelWidgets()))
print("threads:", *[t.name for t in threading.enumerate() if t is not threading.main_thread()])
"""

PRELOAD = """
import sys
from facestudio.gui import quiet_torch
assert quiet_torch.preload() == (sys.platform == "linux")
assert "torch" not in sys.modules
if sys.platform == "linux":
    assert any("libtorch_cpu.so" in line for line in open("/proc/self/maps"))
import torch
print(float(torch.ones(3).sum()), quiet_torch.preload())
"""


def run(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1", "PYTHONFAULTHANDLER": "1"}
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False, timeout=120, env=environment
    )


def test_the_first_frame_comes_without_torch() -> None:
    done = run(BUILD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "heavy:"


def test_the_program_starts_and_ends_with_code_0() -> None:
    done = run(RUN)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "code: 0"
    assert "Traceback" not in done.stderr


def test_a_copied_picture_outlives_its_window_and_the_program(tmp_path: Path) -> None:
    code = AT_WORK.replace("CODE_OF_WORK", "pass").replace("READY", "not window().session.doing")
    done = run(code, str(draw(tmp_path / "two people.jpg")), "10")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:2] == ["copied: 600 True", "at work: "], "with pixels of its own"
    assert "code: 0\nwindows: 0\nthreads:\n" in done.stdout and "Traceback" not in done.stderr, done.stderr


@pytest.mark.parametrize(
    ("work", "joined"),
    [("while True: progress.check(); time.sleep(0.01)", True), ("time.sleep(30)", False)],
    ids=["stops", "does not stop"],
)
def test_closing_at_work_joins_the_thread_or_leaves_it_behind(tmp_path: Path, work: str, joined: bool) -> None:
    code = AT_WORK.replace("CODE_OF_WORK", work).replace("READY", "begun.is_set()")
    started = time.monotonic()
    done = run(code, str(draw(tmp_path / "two people.jpg")), "60" if joined else "1")
    assert done.returncode == 0, done.stderr
    assert "at work: finding faces" in done.stdout and "Traceback" not in done.stderr, done.stderr
    if joined:
        assert "code: 0\nwindows: 0\nthreads:\n" in done.stdout
    else:
        assert "work did not stop in time" in done.stderr and "Fatal" not in done.stderr
        assert time.monotonic() - started < 30, "nobody waits for what does not stop"


def test_torch_works_when_its_library_was_loaded_before() -> None:
    done = run(PRELOAD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3.0 False"
