"""How the window starts and ends, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys

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


def run(code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env=environment
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


def test_torch_works_when_its_library_was_loaded_before() -> None:
    done = run(PRELOAD)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "3.0 False"
