"""Files of weights that others made, read without running anything of theirs: .pth, .ckpt, .bin, .safetensors, .npy, .npz, .onnx.

What a file is, is seen from its first bytes and never from its name. Pickles go through torch's unpickler that builds
tensors and plain containers only; the few classes of training libraries that old checkpoints mention beside their
weights are replaced by ones that do nothing. Meant to be called in a child process (conversion.py), since a file may
still ask for more memory than there is. Torch is imported inside.
"""

from __future__ import annotations

import errno
import os
import pickle
import pickletools
import re
import stat
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

from facestudio import graphs
from facestudio.errors import CheckpointCorrupt, CheckpointError, CheckpointMissing
from facestudio.files import shown

_OURS = ("torch.", "collections.")
_HARMLESS = ("pytorch_lightning.", "lightning.", "lightning_fabric.", "omegaconf.", "numpy.", "_codecs.", "argparse.")
_AGAIN = "Copy or download it again."
_ZIP, _NPY = b"PK\x03\x04", b"\x93NUMPY"
_RUNS_CODE = re.compile(r"GLOBAL ([\w.]+)")


def check(path: Path, most: int) -> int:
    """The size of the file at `path`; CheckpointError when it cannot be one of weights of `most` bytes at most."""
    name = shown(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            raise CheckpointMissing(f"{name} is a folder, not a weights file.", hint="Choose the file inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointMissing(f"{name} is not a file but a device or a pipe.", hint="Choose a weights file.")
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        code = getattr(error, "errno", None)
        if code in (errno.EACCES, errno.EPERM):
            raise CheckpointError(
                f"{name} cannot be read: you have no permission to.", hint="Change the file's permissions, or copy it."
            ) from error
        if code in (errno.ENOENT, errno.ENOTDIR) or isinstance(error, ValueError):
            raise CheckpointMissing(f"There is no file {name}.", hint="Check the name and the folder.") from error
        words = (getattr(error, "strerror", None) or "the system refused").lower()
        raise CheckpointError(f"{name} cannot be read: {words}.", hint="Copy it to this computer.") from error
    if status.st_size == 0:
        raise CheckpointCorrupt(f"{name} is empty.", hint=_AGAIN)
    if status.st_size > most:
        raise CheckpointCorrupt(
            f"{name} has {status.st_size / 1e6:.0f} MB, far more than these weights can need.",
            hint="Choose the published file.",
        )
    return status.st_size


def read(path: Path) -> Any:
    """What the file holds: tensors in dicts and lists for weights, one tensor for .npy, a graphs.Graph for .onnx.

    CheckpointCorrupt when it is damaged, of no known kind, or wants to run code; CheckpointMismatch when it is a graph with
    parts that are not read. MemoryError when it takes too much.
    """
    name = shown(path)
    with open(path, "rb") as file:
        start = file.read(16)
    try:
        if start.startswith(_NPY):
            return _array(path)
        if start.startswith(_ZIP):
            return _zipped(path)
        if start[8:9] == b"{":
            return _safetensors(path)
        if start.startswith(b"\x80"):
            return _pickled(path, mmap=False, foreign=())
        if graphs.is_graph(start):
            return graphs.read(path)
    except pickle.UnpicklingError as error:
        raise _unpickled(name, error, path) from error
    except (EOFError, zipfile.BadZipFile, KeyError, IndexError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(name) from error
    except (RuntimeError, OSError) as error:  # torch has no exception of its own for too little memory
        if getattr(error, "errno", None) == errno.ENOMEM or re.search("memory|alloc", str(error)):
            raise MemoryError(str(error)) from error
        raise _damaged(name) from error
    raise CheckpointCorrupt(
        f"{name} is not a weights file that can be read.",
        hint="Supported are .pth, .ckpt, .bin, .safetensors, .npy and .onnx.",
    )


def _array(path: Path) -> Any:
    import numpy as np
    import torch

    # mapped, and copied at once: torch wants an array that can be written to
    return torch.from_numpy(np.array(np.load(path, mmap_mode="r", allow_pickle=False)))


def _safetensors(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError("not safetensors") from error


def _zipped(path: Path) -> Any:
    """An archive of numpy's or of torch's."""
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
    if entries and all(entry.filename.endswith(".npy") for entry in entries):
        import numpy as np
        import torch

        with np.load(path, allow_pickle=False) as arrays:
            return {key: torch.from_numpy(arrays[key]) for key in arrays.files}
    import torch

    foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    stored = all(entry.compress_type == zipfile.ZIP_STORED for entry in entries)
    return _pickled(path, mmap=stored, foreign=tuple(foreign))


def _pickled(path: Path, mmap: bool, foreign: tuple[str, ...]) -> Any:
    import torch

    unknown = [name for name in foreign if not name.startswith(_HARMLESS)]
    if unknown:
        raise pickle.UnpicklingError(f"Unsupported global: GLOBAL {unknown[0]}")
    # torch's unpickler fills plain dictionaries alone, so what was one of Lightning's becomes one
    stand_ins: list[Any] = [(OrderedDict if name.endswith("AttributeDict") else _StandIn, name) for name in foreign]
    with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
        warnings.simplefilter("ignore")  # of old pickles; whether they can be read is seen at once
        return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)


class _StandIn:
    """What stands where a file mentions a class of a training library: takes everything, and does nothing."""

    def __new__(cls, *args: object, **kwargs: object) -> _StandIn:
        return object.__new__(cls)

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def _unpickled(name: str, error: pickle.UnpicklingError, path: Path) -> CheckpointCorrupt:
    """Why a pickle was not read: what it wanted to run, or that it is damaged."""
    found = _RUNS_CODE.search(str(error))
    wanted = found[1] if found else next((each for each in _mentioned(path) if not each.startswith(_OURS)), "")
    if not wanted:
        return _damaged(name)
    return CheckpointCorrupt(
        f"{name} tries to run code of its own ({wanted}), so it was not opened.",
        hint="Do not trust it; download the file from its publisher.",
    )


def _mentioned(path: Path) -> list[str]:
    """The functions and classes that a plain pickle names, in its order; nothing of it is run."""
    found: list[str] = []
    words: list[str] = []
    try:
        with open(path, "rb") as file:
            for opcode, told, _ in pickletools.genops(file):
                if opcode.name == "GLOBAL":
                    found.append(str(told).replace(" ", "."))
                elif opcode.name == "STACK_GLOBAL":
                    found.append(".".join(words[-2:]))
                elif isinstance(told, str):
                    words.append(told)
    except (ValueError, OSError, OverflowError):
        return found
    return found


def _damaged(name: str) -> CheckpointCorrupt:
    return CheckpointCorrupt(f"{name} is damaged, or is not a weights file.", hint=_AGAIN)
