"""How quickly the window opens, and how long its event loop is held while it works: `python benchmarks/window.py`.

The window runs in processes of its own, offscreen unless QT_QPA_PLATFORM says otherwise: first from the start of the
process to the first frame, then on a 12 megapixel photo (scikit-image's public-domain portrait, enlarged) with a timer of
5 ms, whose longest gap in each phase is told. Without weights the same networks run untrained, which takes the same time,
on a face that is given; the table says so. Prints one Markdown table.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.speed import SIZE, commit, draw_photo, processor  # noqa: E402

TICK = 5  # ms
PHASES = ("nothing runs", "torch is loaded", "open and find faces", "restore", "undo and redo", "zoom and pan", "save")
START = """
import time
from facestudio.gui.app import application, build_window, user_settings
from facestudio.studio import Studio
app = application()
window = build_window(Studio(), user_settings())
window.painted.disconnect()
window.painted.connect(app.quit)
window.show()
app.exec()
print(time.time())
window.session.shutdown()
"""


def untrained_studio() -> Any:
    """A Studio whose networks are the real ones, untrained, and whose only face is given."""
    import numpy as np

    from facestudio.checkpoints import Checkpoint
    from facestudio.faces.face import FFHQ_512, Face
    from facestudio.options import describe
    from facestudio.studio import Studio

    side, x, y = 1500.0, 1760.0, 900.0
    points = (FFHQ_512.points - 255.5) * (side / 512) + (x, y)
    face = Face(np.array([x - 500, y - 600, x + 500, y + 600]), points, 0.9)
    calibration = {"thresholds": {"1e-3": 0.4, "1e-1": 0.2}}
    quick = Checkpoint("untrained-estimator", "Untrained", "none", method="quick:Quick", goal="keep")
    judge = Checkpoint("untrained-embedder", "Untrained", "none", calibration=calibration)

    class Untrained(Studio):
        def restore_checkpoints(self) -> list[Checkpoint]:
            return [quick]

        def method_options(self, checkpoint_id: str) -> type:
            from facestudio.methods.quick import Options

            return Options

        def options_for(self, checkpoint_id: str) -> Any:
            return describe(self.method_options(checkpoint_id))

        def can_be_told(self, checkpoint_id: str) -> bool:
            return False

        def detect(self, photo: Any, progress: Any = None) -> Any:
            self._detector().detect(photo, progress, 1.1)
            return (face,)

        def _detector(self) -> Any:
            from facestudio.faces.detect import Detector
            from facestudio.networks.detector import FaceDetector

            return self._keep("detector", lambda: Detector(FaceDetector().eval()))

        def _restorer(self, checkpoint_id: str) -> Any:
            from facestudio.methods.quick import Quick
            from facestudio.networks.estimator import EstimatorUNet

            return self._keep("quick", lambda: Quick(quick, EstimatorUNet().eval()))

        def _embedders(self) -> list[Any]:
            from facestudio.faces.identity import Embedder
            from facestudio.networks.embedder import DenseFaceNet

            return [self._keep("judge", lambda: Embedder(judge, DenseFaceNet().eval()))]

    return Untrained("cpu")


def real_studio() -> Any:
    """The Studio, or None when the weights for a restoration are not here."""
    from facestudio.checkpoints import verify
    from facestudio.errors import FaceStudioError
    from facestudio.studio import Studio

    try:
        studio = Studio("cpu")
        complete = all(verify(entry) == "present" for entry in studio.checkpoints())
        return studio if complete and studio.restore_checkpoints() else None
    except FaceStudioError:
        return None


def measure_gaps(photo: Path) -> dict[str, Any]:
    """Use the window and return the longest gap of the timer in each phase, in milliseconds."""
    from PySide6.QtCore import QEventLoop, QPointF, Qt, QTimer

    from facestudio.gui.app import application, build_window, user_settings

    app = application()
    studio = real_studio()
    trained = studio is not None
    window = build_window(studio or untrained_studio(), user_settings())
    window.resize(1600, 1000)
    window.show()
    session, viewer = window.session, window.viewer
    gaps: dict[str, list[float]] = {}
    own: dict[str, list[float]] = {}
    phase, last, waited = [PHASES[0]], [time.perf_counter()], [waited_for_core()]

    def tick() -> None:
        now = time.perf_counter()
        gaps.setdefault(phase[0], []).append((now - last[0]) * 1000)
        waiting = waited_for_core()
        own.setdefault(phase[0], []).append((now - last[0]) * 1000 - (waiting - waited[0]))
        last[0], waited[0] = now, waiting

    timer = QTimer()
    timer.setTimerType(Qt.TimerType.PreciseTimer)
    timer.timeout.connect(tick)

    def until(done: Any, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not done():
            app.processEvents(QEventLoop.ProcessEventsFlag.WaitForMoreEvents, 20)
            if time.monotonic() > end:
                raise SystemExit(f"{phase[0]} did not end within {seconds:.0f} s")

    def idle() -> bool:
        return not session.doing and not session.compute.live and not session.light.live

    def enter(name: str) -> None:
        phase[0] = name

    window.painted.disconnect()
    until(lambda: window._painted)
    timer.start(TICK)
    end = time.monotonic() + 2
    until(lambda: time.monotonic() > end)
    enter(PHASES[1])
    session.start()
    until(lambda: session.offer is not None and session.device and idle())
    enter(PHASES[2])
    window.open_paths([photo])
    until(lambda: session.looked and idle())
    if not session.faces:
        raise SystemExit("No face was found in the portrait.")
    enter(PHASES[3])
    for _ in range(3):
        session.restore()
        until(idle)
    enter(PHASES[4])
    for _ in range(10):
        for action in (session.undo, session.redo):
            action()
            app.processEvents()
            until(lambda: True)
    enter(PHASES[5])
    for step in range(60):
        viewer.zoom_to(viewer.zoom * (1.2 if step < 30 else 1 / 1.2), QPointF(300, 300))
        viewer.pan(QPointF(15, -9))
        app.processEvents()
    enter(PHASES[6])
    session.results.save()
    until(lambda: not session.results.saving and idle())
    timer.stop()
    window.leaving.certain = True
    window.close()
    session.shutdown()
    return {
        "trained": trained,
        "faces": len(session.faces),
        "own": {name: max(values) for name, values in own.items()},
        "longest": {name: max(values) for name, values in gaps.items()},
        "median": {name: statistics.median(values) for name, values in gaps.items()},
        "over": {name: sum(value > 50 for value in values) for name, values in gaps.items()},
    }


def waited_for_core() -> float:
    """Milliseconds that this thread was ready to run and other work had the cores; 0 where the system does not tell."""
    told = Path("/proc/thread-self/schedstat")
    return int(told.read_text().split()[1]) / 1e6 if told.exists() else 0.0


def first_frame(environment: dict[str, str]) -> float:
    """Seconds from the start of a process to the window's first frame."""
    began = time.time()
    done = subprocess.run(
        [sys.executable, "-c", START], capture_output=True, text=True, check=True, cwd=ROOT, env=environment
    )
    return float(done.stdout.split()[-1]) - began


def table(frames: list[float], gaps: dict[str, Any]) -> str:
    """The Markdown table."""
    weights = "starter weights" if gaps["trained"] else "the same networks untrained, face given"
    rows = [
        "| what | measured | bar |",
        "|---|---|---|",
        f"| process start to first frame, median of {len(frames)} | **{statistics.median(frames):.2f} s** | 1.5 s |",
        f"| process start to first frame, slowest | {max(frames):.2f} s | |",
    ]
    for name in PHASES:
        if name in gaps["longest"]:
            rows.append(
                f"| longest gap of a {TICK} ms timer: {name} | **{gaps['longest'][name]:.0f} ms** "
                f"({gaps['own'][name]:.0f} without waiting for a free core; {gaps['over'][name]} over 50 ms, "
                f"median {gaps['median'][name]:.1f}) | 50 ms |"
            )
    rows += [
        f"| photo | {SIZE[0]} x {SIZE[1]} JPEG, {gaps['faces']} face(s), {weights} | |",
        f"| machine | {processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} | |",
        f"| date, commit | {datetime.date.today().isoformat()}, {commit()} | |",
    ]
    return "\n".join(rows)


def main() -> int:
    """Measure in child processes and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=5, help="of the first frame")
    parser.add_argument("--child", type=Path, metavar="PHOTO", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        sys.stdout.write(json.dumps(measure_gaps(asked.child)))
        return 0
    with tempfile.TemporaryDirectory() as name:
        environment = {**os.environ, "FACESTUDIO_HOME": name}
        environment.setdefault("QT_QPA_PLATFORM", "offscreen")
        frames = [first_frame(environment) for _ in range(max(1, asked.runs))]
        photo = Path(name, "photo.jpg")
        draw_photo(photo)
        command = [sys.executable, __file__, "--child", str(photo)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=environment)
        if done.returncode:
            sys.stderr.write(done.stderr)
            return 1
    sys.stdout.write(table(frames, json.loads(done.stdout)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
