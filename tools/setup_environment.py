"""Sets up the environment that the Makefile uses: a .venv with Face Studio and what it needs, in words for people.

Standard library only, and readable by an old Python, because saying that Python is too old is one of its tasks. It asks
plain pip to do the work and shows of pip's output what takes time; the whole output stands in .venv/setup.log.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
LARGE = 5.0  # MB from which a download is worth a line
ROOT = Path(__file__).resolve().parent.parent
DOWNLOAD = re.compile(r"^\s*Downloading (?:\S*/)?([A-Za-z0-9_.]+?)-\d\S* \(([\d.]+) (MB|GB)\)")


def say(text: str) -> None:
    """A line at once, also into a pipe."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def missing() -> str:
    """What this Python lacks, as a sentence; empty when nothing."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        return f"Face Studio needs Python 3.11 or newer; this is {have}. Try: make setup PYTHON=python3.12"
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return "This Python cannot make environments with pip. On Debian and Ubuntu: sudo apt install python3-venv"
    return ""


def worth_saying(line: str) -> str:
    """What a line of pip's output tells a person who waits; empty for most lines."""
    found = DOWNLOAD.match(line)
    if found:
        megabytes = float(found[2]) * (1000 if found[3] == "GB" else 1)
        return f"downloading {found[1]} ({found[2]} {found[3]})" if megabytes >= LARGE else ""
    if line.startswith("Installing collected packages:"):
        return f"unpacking {line.count(',') + 1} packages"
    return ""


def pip_install(python: Path, log: Path) -> int:
    """Install Face Studio, editable, with its demo and tests; return pip's exit code."""
    command = [str(python), "-m", "pip", "install", "-c", "constraints.txt", "-e", ".[demo,test]"]
    command += ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    with log.open("w", encoding="utf-8") as file:
        pip = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert pip.stdout is not None
        for line in pip.stdout:
            file.write(line)
            words = worth_saying(line)
            if words:
                say(f"      {words}")
        return pip.wait()


def main(folder: Path) -> int:
    """Make or mend the environment in `folder`."""
    started = time.monotonic()
    problem = missing()
    if problem:
        say(problem)
        return 1
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if python.exists() and subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True).returncode == 0:
        say(f"[1/3] Using the environment in {folder}.")
    else:
        say(f"[1/3] Creating {folder} with Python {'.'.join(map(str, sys.version_info[:3]))} ...")
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], capture_output=True, text=True)
        if made.returncode:
            say(made.stdout.strip() or made.stderr.strip())
            say(f"{folder} could not be made. On Debian and Ubuntu: sudo apt install python3-venv")
            return 1
    say("[2/3] Installing Face Studio and what it needs (PyTorch is large: the first time takes minutes) ...")
    log = folder / "setup.log"
    if pip_install(python, log):
        lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines()]
        for line in [line for line in lines if line.startswith("ERROR")][-3:]:
            say(f"      {line}")
        say(f"pip could not install everything. Is there a network? All it said is in {log}; then run make again.")
        return 1
    say("[3/3] Looking whether the window can open ...")
    subprocess.run([str(python), str(ROOT / "tools" / "check_system.py")], check=False)
    say(f"Set up in {time.monotonic() - started:.0f} seconds.")
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else ".venv")))
