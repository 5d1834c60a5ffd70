"""Which recognisers judge: those that are here and calibrated, unless only those that come with the program are asked.

Separate from what loads them (`loaded.py`), because a run's settings say who judges before anything is loaded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable

from facestudio.checkpoints import Checkpoint, checkpoint
from facestudio.errors import UsageError
from facestudio.faces.calibration import measured_rate

ALL, STARTER_ONLY = JUDGES = ("all", "starter")


def judging(entries: Iterable[Checkpoint], asked: str = ALL) -> list[Checkpoint]:
    """The calibrated recognisers of `entries` that are here and `asked`, one of JUDGES; ours first."""
    found = [entry for entry in entries if entry.recognises and entry.here]
    if asked == STARTER_ONLY:
        found = [entry for entry in found if not entry.published]
    return sorted(found, key=lambda entry: entry.published)


def own_marks(entries: Iterable[Checkpoint]) -> tuple[str, ...]:
    """The ids of those `entries` that the user calibrated, each with what tells these weights and calibration from others."""
    return tuple(f"{entry.id} {_mark(entry)}" for entry in entries if entry.own is not None)


def _mark(entry: Checkpoint) -> str:
    told = json.dumps([entry.hashes, entry.calibration], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:12]


def reaches(entry: Checkpoint, far: float) -> bool:
    """Whether the calibration of `entry` was measured at the false accept rate `far`."""
    return measured_rate(entry.calibration, far) == far


def to_calibrate(checkpoint_id: str) -> Checkpoint:
    """The checkpoint of that id, if a user may calibrate it; UsageError when it recognises nobody or comes with a calibration."""
    entry = checkpoint(checkpoint_id)
    if not entry.embeds:
        raise UsageError(f"{entry.title} is not a recogniser, so there is nothing to calibrate.")
    if not entry.published:
        raise UsageError(
            f"{entry.title} comes calibrated and cannot be calibrated again: the combined verdict and the "
            "people that can be drawn depend on it.",
            hint="Calibrate a published recogniser; it judges beside ours.",
        )
    return entry
