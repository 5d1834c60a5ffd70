"""The doctor: looks at everything that must be right, and says what to do about what is not.

Separate from the facade because nothing else of it asks about settings folders and installed packages.
"""

from __future__ import annotations

import importlib.util
import os
import platform
from dataclasses import dataclass, replace

from facestudio import paths
from facestudio.checkpoints import Checkpoint, verify
from facestudio.errors import FaceStudioError
from facestudio.loaded import DETECTOR, LANDMARKS, Loaded


@dataclass(frozen=True)
class Finding:
    """One line of the doctor: `name`, whether it is `ok`, what was found, and what to do about it."""

    name: str
    ok: bool
    detail: str
    hint: str = ""


def examine(loaded: Loaded) -> list[Finding]:
    """Python, device, weights, settings folder and window, a finding each; hashes every weight file and imports torch."""
    findings = [Finding("Python", True, f"{platform.python_version()} on {platform.platform()}")]
    try:
        findings.append(Finding("Device", True, loaded.device_name()))
    except FaceStudioError as error:
        findings.append(Finding("Device", False, str(error), error.hint))
    try:
        entries = loaded.checkpoints()
    except FaceStudioError as error:
        return [*findings, Finding("Weights", False, str(error), error.hint)]
    findings += _weights(entries)
    return [*findings, _settings(), _window()]


def _weights(entries: list[Checkpoint]) -> list[Finding]:
    """A finding for each of `entries` that is here or ought to be, and for what no program of ours goes without."""
    findings = []
    for entry in entries:
        state = verify(entry)
        if entry.published and state == "missing":
            continue  # nobody needs to have them
        again = f"Get them again with `facestudio weights get {entry.id}`, or remove them."
        if not entry.published:
            again = "Install Face Studio again; its starter weights come with it."
        hint = "" if state == "present" else again
        findings.append(_calibration(entry, Finding(f"Weights {entry.id}", state == "present", state, hint)))
    known = {entry.id for entry in entries}
    for needed in (DETECTOR, LANDMARKS):
        if needed not in known:
            lack = f"the manifest has no {needed}"
            findings.append(Finding("Face detector", False, lack, "Install Face Studio again."))
    return findings


def _calibration(entry: Checkpoint, finding: Finding) -> Finding:
    """`finding` on a recogniser's weights, with what is to be said of its calibration."""
    if not finding.ok or not entry.embeds or not entry.published:
        return finding
    way = f"with `facestudio weights calibrate {entry.id} FOLDER`, on photos of people you know."
    if entry.recognises:
        return replace(finding, detail=f"{finding.detail}, calibrated on people you know")
    if entry.own is not None:
        detail = "present, but calibrated with other weights of it, so it judges nothing"
        return replace(finding, ok=False, detail=detail, hint=f"Calibrate it again {way}")
    return replace(
        finding, detail=f"{finding.detail}, not calibrated, so it judges nothing", hint=f"Calibrate it {way}"
    )


def _settings() -> Finding:
    settings = paths.settings_dir()
    writable = os.access(next(p for p in (settings, *settings.parents) if p.exists()), os.W_OK)
    hint = "" if writable else "Allow your user to write to this folder."
    return Finding("Settings folder", writable, str(settings), hint)


def _window() -> Finding:
    if importlib.util.find_spec("PySide6") is not None:
        return Finding("Window", True, "PySide6 is installed")
    return Finding("Window", False, "PySide6 is missing", "pip install PySide6-Essentials")
