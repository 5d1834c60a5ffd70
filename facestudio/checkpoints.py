"""Checkpoints: which there are, whether their files are sound, and how their weights get into a network.

There are two kinds. Starter weights come with the program, and the manifest knows their hashes. Published weights are
the user's own download; the manifest says where they come from and how their file is read (see importing.py), and the
hash is that of the safetensors which the import made of them. Both are hashed before they are read, and every tensor
is checked against the network, so that nothing foreign is ever run and nothing is ever filled by half.

Separate from the networks, which know no files, and from the methods, which know no formats; what the manifest says of each
is in `manifest`. Torch is imported inside, never with this module.
"""

from __future__ import annotations

import pickle
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from facestudio import manifest, paths, store
from facestudio.errors import CheckpointCorrupt, CheckpointMismatch, CheckpointMissing
from facestudio.manifest import Checkpoint, File
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

MANIFEST = "manifest.toml"
_AGAIN = "Install Face Studio again; its starter weights come with it."
_COUNTER = "num_batches_tracked"  # of batch normalisation: counts training steps, is never exported

_hashes: dict[tuple[Path, int, int], str] = {}  # by path, size and time of change: what was hashed in this process


def load_manifest(path: Path | None = None) -> dict[str, Checkpoint]:
    """Every checkpoint of the manifest at `path` (None: the one that comes with the program), by id, in its order.

    The caller's own: changing it changes nobody else's. CheckpointMissing when there is no manifest, CheckpointCorrupt when it
    cannot be understood.
    """
    return {id: pickle.loads(entry) for id, entry in _known(path).items()}


def _known(path: Path | None = None) -> Mapping[str, bytes]:
    """Every checkpoint as of `load_manifest`, pickled: it is asked for often, and copied from there most quickly."""
    path = path or paths.weights_dir() / MANIFEST
    try:
        return _read(path, store.stamp(path), store.state())
    except FileNotFoundError as error:
        raise CheckpointMissing(f"The list of weights {path} is not there.", hint=_AGAIN) from error
    except OSError as error:
        raise CheckpointCorrupt(f"The list of weights {path} cannot be read: {error.strerror}.", hint=_AGAIN) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointCorrupt(f"The list of weights {path} is damaged: {error}.", hint=_AGAIN) from error


@lru_cache(maxsize=4)
def _read(path: Path, written: tuple[int, ...], stored: tuple[object, ...]) -> Mapping[str, bytes]:
    """What the manifest at `path` and the store say: understood anew when its stamp, or the state of that, is another."""
    tables = tomllib.loads(path.read_text(encoding="utf-8")).get("checkpoints", {})
    entries = {name: manifest.entry(name, table, path.parent) for name, table in tables.items()}
    return {name: pickle.dumps(entry, pickle.HIGHEST_PROTOCOL) for name, entry in entries.items()}


def checkpoint(id: str) -> Checkpoint:
    """The checkpoint called `id` of the program's manifest; CheckpointMissing when there is none."""
    known = _known()
    if id not in known:
        near = get_close_matches(id, known, 1)
        hint = f"Did you mean {near[0]}? `facestudio weights list` shows all." if near else None
        raise CheckpointMissing(
            f"There are no weights called {id}.", hint=hint or f"Available: {', '.join(known) or 'none'}."
        )
    found: Checkpoint = pickle.loads(known[id])
    return found


def glance(entry: Checkpoint) -> str:
    """As `verify`, but by the files' sizes alone, so at once."""
    sizes = {file.path: file.path.stat().st_size for file in entry.files.values() if file.path.is_file()}
    if any(file.path in sizes and sizes[file.path] != file.bytes for file in entry.files.values()):
        return "corrupt"
    return "present" if len(sizes) == len(entry.files) else "missing"


def lacking(entry: Checkpoint) -> list[str]:
    """The parts whose file is not there, or not what it should be."""
    return [part for part, file in entry.files.items() if not (file.path.is_file() and _is_sound(file))]


def verify(entry: Checkpoint, progress: Progress | None = None) -> str:
    """ "present", "missing" (some file is not there) or "corrupt" (some file is not what the manifest says).

    With `progress` every file is hashed anew, even if it was hashed before and looks unchanged.
    """
    files = [file for file in entry.files.values() if file.path.is_file()]
    if progress is not None:
        sound = [_is_sound(file, progress) for file in progress.track(files, f"Verifying {entry.title}")]
    else:
        sound = [_is_sound(file) for file in files]
    if not all(sound):
        return "corrupt"
    return "present" if len(files) == len(entry.files) else "missing"


def load_into(network: nn.Module, checkpoint: Checkpoint, part: str = "weights") -> None:
    """Fill `network` from the checkpoint's `part`, each tensor as the network's own type (say float16 to float32).

    The network is untouched when an error is raised: CheckpointMissing, CheckpointCorrupt when the file's hash or
    content is wrong, CheckpointMismatch when a tensor is missing, left over or of another shape.
    """
    tensors = read(checkpoint, part)
    wanted = network.state_dict()
    missing = [key for key in wanted if key not in tensors and not key.endswith(_COUNTER)]
    extra = [key for key in tensors if key not in wanted]
    if missing or extra:
        what = f"lack {missing[0]}" if missing else f"have {extra[0]}, which is unknown"
        others = len(missing) + len(extra) - 1
        raise _mismatch(checkpoint, part, f"they {what}" + (f" (and {others} more differ)" if others else ""))
    for key, tensor in tensors.items():
        if tensor.shape != wanted[key].shape:
            raise _mismatch(checkpoint, part, f"{key} is {_size(tensor)} where {_size(wanted[key])} is expected")
        if tensor.is_floating_point() != wanted[key].is_floating_point():
            raise _mismatch(checkpoint, part, f"{key} is {tensor.dtype} where {wanted[key].dtype} is expected")
    network.load_state_dict(tensors, strict=False)


def read(checkpoint: Checkpoint, part: str = "weights") -> dict[str, Tensor]:
    """The tensors of a checkpoint's part, after its hash has been found right; errors as of `load_into`."""
    again = _again(checkpoint)
    if part not in checkpoint.files:
        raise CheckpointMissing(f"{checkpoint.id} has no part called {part}.", hint=_AGAIN)
    file = checkpoint.files[part]
    if not file.path.is_file():
        raise CheckpointMissing(f"The weights of {checkpoint.id} are not there: {file.path}.", hint=again)
    if not _is_sound(file):
        raise CheckpointCorrupt(f"The weights of {checkpoint.id} are damaged: {file.path}.", hint=again)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(file.path)
    except (SafetensorError, OSError) as error:
        raise CheckpointCorrupt(f"{file.path} is not a weights file (safetensors).", hint=again) from error


def _again(checkpoint: Checkpoint) -> str:
    """What to do about weights that are not there or damaged."""
    if not checkpoint.published:
        return _AGAIN
    return f"Get them under File > Weights, or with `facestudio weights get {checkpoint.id}`."


def _is_sound(file: File, progress: Progress | None = None) -> bool:
    """Whether a file that exists has the size and the hash of the manifest; with `progress` hashed anew."""
    try:
        state = file.path.stat()
        if state.st_size != file.bytes:
            return False
        key = (file.path.resolve(), state.st_size, state.st_mtime_ns)
        if key not in _hashes or progress is not None:
            _hashes[key] = store.sha256_of(file.path, progress)
        return _hashes[key] == file.sha256.lower()
    except OSError:
        return False


def _mismatch(checkpoint: Checkpoint, part: str, why: str) -> CheckpointMismatch:
    return CheckpointMismatch(
        f"The weights of {checkpoint.id} do not fit the network {checkpoint.network(part)[0]}: {why}.",
        hint="Install the version of Face Studio that these weights were made for.",
    )


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
