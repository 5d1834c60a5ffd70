"""Says whether Qt can start here, and names the Debian packages that are missing if it cannot.

Run by the Makefile in the environment that it set up. Separate from `facestudio doctor`, because it must work where the
package itself cannot be used yet. Qt is tried in a child process, because a Qt that cannot start may end its process.
`--window` also asks whether there is a screen and what its platform plugin needs.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

START = "from PySide6 import QtWidgets; from PySide6.QtGui import QGuiApplication; QGuiApplication([])"
LIBRARY = re.compile(r"(lib[\w+.-]*\.so[.\d]*)")

# system libraries that Qt's own libraries and platform plugins need, and where Debian 12 and later keep them
PACKAGES = {
    "libEGL.so": "libegl1",
    "libGL.so": "libgl1",
    "libGLX.so": "libglx0",
    "libOpenGL.so": "libopengl0",
    "libxkbcommon.so": "libxkbcommon0",
    "libxkbcommon-x11.so": "libxkbcommon-x11-0",
    "libdbus-1.so": "libdbus-1-3",
    "libfontconfig.so": "libfontconfig1",
    "libfreetype.so": "libfreetype6",
    "libglib-2.0.so": "libglib2.0-0",
    "libgthread-2.0.so": "libglib2.0-0",
    "libX11.so": "libx11-6",
    "libX11-xcb.so": "libx11-xcb1",
    "libxcb.so": "libxcb1",
    "libxcb-cursor.so": "libxcb-cursor0",
    "libxcb-icccm.so": "libxcb-icccm4",
    "libxcb-image.so": "libxcb-image0",
    "libxcb-keysyms.so": "libxcb-keysyms1",
    "libxcb-randr.so": "libxcb-randr0",
    "libxcb-render.so": "libxcb-render0",
    "libxcb-render-util.so": "libxcb-render-util0",
    "libxcb-shape.so": "libxcb-shape0",
    "libxcb-shm.so": "libxcb-shm0",
    "libxcb-sync.so": "libxcb-sync1",
    "libxcb-util.so": "libxcb-util1",
    "libxcb-xfixes.so": "libxcb-xfixes0",
    "libxcb-xkb.so": "libxcb-xkb1",
    "libwayland-client.so": "libwayland-client0",
    "libwayland-cursor.so": "libwayland-cursor0",
    "libwayland-egl.so": "libwayland-egl1",
}


def say(text: str) -> None:
    """A line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def named_libraries(text: str) -> set[str]:
    """The libraries that the loader or ldd says are missing."""
    lines = (line for line in text.splitlines() if "not found" in line or "cannot open shared object" in line)
    return {found[1] for line in lines if (found := LIBRARY.search(line))}


def packages_for(libraries: Iterable[str]) -> list[str]:
    """The Debian packages that hold `libraries`; a library that is not known keeps its own name."""
    return sorted({PACKAGES.get(re.sub(r"\.so[.\d]*$", ".so", name), name) for name in libraries})


def missing_libraries(platform: str) -> set[str]:
    """System libraries that Qt and its plugin for `platform` need and that are not here."""
    spec = importlib.util.find_spec("PySide6")
    if spec is None or spec.origin is None or shutil.which("ldd") is None:
        return set()
    qt = Path(spec.origin).parent / "Qt"
    parts = [qt / "lib" / f"libQt6{part}.so.6" for part in ("Core", "Gui", "Widgets")]
    parts.append(qt / "plugins" / "platforms" / f"libq{platform}.so")
    told = subprocess.run(["ldd", *(str(p) for p in parts if p.exists())], capture_output=True, text=True, check=False)
    return {name for name in named_libraries(told.stdout + told.stderr) if not name.startswith("libQt6")}


def start(platform: str) -> str:
    """Start Qt on `platform` in a child process; what it complains of, or nothing when it started."""
    environment = {**os.environ, "QT_QPA_PLATFORM": platform}
    tried = subprocess.run(
        [sys.executable, "-c", START], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    return "" if tried.returncode == 0 else (tried.stderr.strip() or f"Qt ended with code {tried.returncode}")


def screen() -> str:
    """The platform plugin that the window would use here; empty when there is no screen."""
    if asked := os.environ.get("QT_QPA_PLATFORM", "").split(";")[0].split(":")[0]:
        return asked
    if sys.platform != "linux":
        return {"darwin": "cocoa", "win32": "windows"}.get(sys.platform, "xcb")
    return "wayland" if os.environ.get("WAYLAND_DISPLAY") else "xcb" if os.environ.get("DISPLAY") else ""


def main(window: bool) -> int:
    """Check, speak, and return 0 when Qt can start."""
    platform = screen() if window else "offscreen"
    if not platform:
        say("There is no screen here (neither DISPLAY nor WAYLAND_DISPLAY is set); the commands work without one.")
        return 1
    complaint = start(platform)
    if not complaint:
        if not window:
            say("Qt can start.")
        return 0
    libraries = missing_libraries(platform) | named_libraries(complaint)
    if libraries:
        say(f"Qt cannot start: {', '.join(sorted(libraries))} missing from this system.")
        say(f"On Debian and Ubuntu: sudo apt install {' '.join(packages_for(libraries))}")
    else:
        say(f"Qt cannot start: {complaint.splitlines()[-1]}")
    return 1


if __name__ == "__main__":
    sys.exit(main("--window" in sys.argv[1:]))
