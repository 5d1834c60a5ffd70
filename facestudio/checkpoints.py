"""Checkpoints: what the manifest says of each, and how their weights get into a network.

Separate from the networks, which know no files, and from the methods, which know no formats. Weights are safetensors
only, hashed before they are read, and every tensor is checked against the network, so that nothing foreign is ever run
and nothing is ever filled by half. Torch is imported inside, never with this module.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from facestudio import paths
from facestudio.errors import CheckpointCorrupt, CheckpointMismatch, CheckpointMissing

if TYPE_CHECKING:
    from torch import Tensor, nn

MANIFEST = "manifest.toml"
_AGAIN = "Install Face Studio again; its starter weights come with it."
_COUNTER = "num_batches_tracked"  # of batch normalisation: counts training steps, is never exported

_hashes: dict[tuple[Path, int, int], str] = {}  # by path, size and time of change: what was hashed in this process


@dataclass(frozen=True)
class File:
    """One file of a checkpoint: where it lies, its SHA-256 in hexadecimal and its size in bytes."""

    path: Path
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Checkpoint:
    """One entry of the manifest.

    Attributes:
        id, title: for programs and for people; licence, source: of the weights ("starter": made by this project).
        method: "module:Class" of the method it feeds, "" when it feeds none.
        goal: of that method: "keep" or "change" the identity, or "create" one; "none" when it feeds none.
        architecture: "module:Class" of its network; config: the network's arguments.
        files: by part ("weights").
        figures: what was measured of it; calibration: what an embedder's cosines mean (see faces/identity.py).
        conditioned_on: ids of the embedders that the method listens to, which must not judge it.
        uses: ids of other checkpoints that its method works with, by their part in it ("autoencoder").
    """

    id: str
    title: str = ""
    licence: str = ""
    source: str = ""
    method: str = ""
    goal: str = "none"
    architecture: str = ""
    config: Mapping[str, Any] = field(default_factory=dict, hash=False)
    files: Mapping[str, File] = field(default_factory=dict, hash=False)
    figures: Mapping[str, float] = field(default_factory=dict, hash=False)
    calibration: Mapping[str, Any] = field(default_factory=dict, hash=False)
    conditioned_on: tuple[str, ...] = ()
    uses: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def recognises(self) -> bool:
        """Whether these are the weights of an embedder whose cosines are calibrated."""
        return bool(self.calibration.get("thresholds"))


def load_manifest(path: Path | None = None) -> dict[str, Checkpoint]:
    """Every checkpoint of the manifest at `path` (None: the one that comes with the program), by id, in its order.

    CheckpointMissing when there is no manifest, CheckpointCorrupt when it cannot be understood.
    """
    path = path or paths.weights_dir() / MANIFEST
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8")).get("checkpoints", {})
        return {name: _entry(name, table, path.parent) for name, table in tables.items()}
    except FileNotFoundError as error:
        raise CheckpointMissing(f"The list of weights {path} is not there.", hint=_AGAIN) from error
    except OSError as error:
        raise CheckpointCorrupt(f"The list of weights {path} cannot be read: {error.strerror}.", hint=_AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointCorrupt(f"The list of weights {path} is damaged: {error}.", hint=_AGAIN) from error


def checkpoint(id: str) -> Checkpoint:
    """The checkpoint called `id` of the program's manifest; CheckpointMissing when there is none."""
    known = load_manifest()
    if id not in known:
        raise CheckpointMissing(f"There are no weights called {id}.", hint=f"Known are: {', '.join(known) or 'none'}.")
    return known[id]


def verify(entry: Checkpoint) -> str:
    """ "present", "missing" (some file is not there) or "corrupt" (some file is not what the manifest says)."""
    if not all(file.path.is_file() for file in entry.files.values()):
        return "missing"
    return "present" if all(_is_sound(file) for file in entry.files.values()) else "corrupt"


def load_into(network: nn.Module, checkpoint: Checkpoint, part: str = "weights") -> None:
    """Fill `network` from the checkpoint's `part`, each tensor as the network's own type (say float16 to float32).

    The network is untouched when an error is raised: CheckpointMissing, CheckpointCorrupt when the file's hash or
    content is wrong, CheckpointMismatch when a tensor is missing, left over or of another shape.
    """
    tensors = _read(checkpoint, part)
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith(_COUNTER)]
    extra = [key for key in tensors if key not in wanted]
    if missing or extra:
        what = f"lack {missing[0]}" if missing else f"have {extra[0]}, which is unknown"
        others = len(missing) + len(extra) - 1
        raise _mismatch(checkpoint, f"they {what}" + (f" (and {others} more differ)" if others else ""))
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape:
            raise _mismatch(checkpoint, f"{key} is {_size(tensor)} where {_size(wanted[key])} is expected")
        if tensor.is_floating_point() != wanted[key].is_floating_point():
            raise _mismatch(checkpoint, f"{key} is {tensor.dtype} where {wanted[key].dtype} is expected")
    network.load_state_dict(tensors, strict=False)


def _read(checkpoint: Checkpoint, part: str) -> dict[str, Tensor]:
    """The tensors of a checkpoint's part, after its hash has been found right."""
    if part not in checkpoint.files:
        raise CheckpointMissing(f"{checkpoint.id} has no part called {part}.", hint=_AGAIN)
    file = checkpoint.files[part]
    if not file.path.is_file():
        raise CheckpointMissing(f"The weights of {checkpoint.id} are not there: {file.path}.", hint=_AGAIN)
    if not _is_sound(file):
        raise CheckpointCorrupt(f"The weights of {checkpoint.id} are damaged: {file.path}.", hint=_AGAIN)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file.path)
    except (SafetensorError, OSError) as error:
        raise CheckpointCorrupt(f"{file.path} is not a file of weights (safetensors).", hint=_AGAIN) from error


def _is_sound(file: File) -> bool:
    """Whether a file that exists has the size and the hash of the manifest."""
    try:
        state = file.path.stat()
        if state.st_size != file.bytes:
            return False
        key = (file.path.resolve(), state.st_size, state.st_mtime_ns)
        if key not in _hashes:
            with file.path.open("rb") as content:
                _hashes[key] = hashlib.file_digest(content, "sha256").hexdigest()
        return _hashes[key] == file.sha256.lower()
    except OSError:
        return False


def _entry(name: str, table: Mapping[str, Any], folder: Path) -> Checkpoint:
    """One table of the manifest; raises ValueError, KeyError or the like when it is not as it should be."""
    conditioned = table.get("conditioned_on", ())
    return Checkpoint(
        id=name,
        title=str(table["title"]),
        licence=str(table["licence"]),
        source=str(table["source"]),
        method=str(table.get("method", "")),
        goal=str(table.get("goal", "none")),
        architecture=str(table["architecture"]),
        config=dict(table.get("config", {})),
        files={part: _file(entry, folder) for part, entry in table["files"].items()},
        figures=dict(table.get("figures", {})),
        calibration=dict(table.get("calibration", {})),
        conditioned_on=(conditioned,) if isinstance(conditioned, str) else tuple(conditioned),
        uses={role: str(id) for role, id in table.get("uses", {}).items()},
    )


def _file(entry: Mapping[str, Any], folder: Path) -> File:
    relative = PurePosixPath(entry["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise ValueError(f"{relative} leaves the folder of weights")
    return File(folder / relative, str(entry["sha256"]), int(entry["bytes"]))


def _mismatch(checkpoint: Checkpoint, why: str) -> CheckpointMismatch:
    return CheckpointMismatch(
        f"The weights of {checkpoint.id} do not fit the network {checkpoint.architecture}: {why}.",
        hint="Install the version of Face Studio that these weights belong to.",
    )


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
