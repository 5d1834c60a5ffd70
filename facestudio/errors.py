"""What can go wrong, in sentences that a person understands.

    FaceStudioError             anything that Face Studio itself reports
    ├── UsageError              asked for something that makes no sense: a wrong option, path or name
    ├── PhotoError              a photo that cannot be used
    │   └── UnreadablePhoto     its file cannot be read: damaged, mislabelled, too large, not a photo
    │       └── DamagedPhoto    it is a photo's, but not whole: perhaps part of it can be read, for whoever wants that
    ├── NoFaceFound             the photo is fine, but nobody is in it
    ├── UnwritableOutput        a result that must not or cannot be written where it was asked for
    │   └── DiskFull            there is no room for it; there may be later
    ├── CheckpointError         weights that cannot be used
    │   ├── CheckpointMissing   not here, or not known
    │   ├── CheckpointCorrupt   here, but not what the manifest says
    │   ├── CheckpointMismatch  sound, but not for this network or this version
    │   └── DownloadFailed      asked for over the network, and not all of it came
    └── OutOfMemory             the device has too little memory, even for half the batch

Every one carries one plain sentence (its str) and a `hint`: the user's next move, or "". They stand on the lowest floor
so that every other may raise them; how they are shown belongs to the window and the command line. Stopping is not an
error: see `progress.Cancelled`.
"""

from __future__ import annotations

from pathlib import Path


class FaceStudioError(Exception):
    """One plain sentence and the user's next move."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(FaceStudioError):
    """What was asked for makes no sense."""


class PhotoError(FaceStudioError):
    """A photo cannot be used."""


class UnreadablePhoto(PhotoError):
    """A photo's file cannot be read."""


class DamagedPhoto(UnreadablePhoto):
    """A photo's file is damaged or incomplete; asked to salvage it, `Photo.open` may read part of it.

    Attributes:
        path: of the file; None for one that is not on a disk.
    """

    path: Path | None = None


class NoFaceFound(FaceStudioError):
    """There is no face to work on."""


class UnwritableOutput(FaceStudioError):
    """A result must not or cannot be written where it was asked for."""


class DiskFull(UnwritableOutput):
    """There is no room on the disk for a result."""


class CheckpointError(FaceStudioError):
    """Weights cannot be used."""


class CheckpointMissing(CheckpointError):
    """Weights are not here, or nothing is known of them."""


class CheckpointCorrupt(CheckpointError):
    """A file of weights, or the manifest itself, is damaged."""


class CheckpointMismatch(CheckpointError):
    """Weights do not belong to this network or this version."""


class DownloadFailed(CheckpointError):
    """Weights did not come over the network; what came of them is kept where that helps."""


class OutOfMemory(FaceStudioError):
    """The device has too little memory for what was asked."""


def exit_code(error: FaceStudioError) -> int:
    """The exit code of a command that ended with `error`: 2 for wrong usage, 1 for everything else."""
    return 2 if isinstance(error, UsageError) else 1
