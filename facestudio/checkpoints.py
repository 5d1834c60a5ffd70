"""Checkpoints: what the manifest says of each, and how their weights get into a network.

There are two kinds. Starter weights come with the program, and the manifest knows their hashes. Published weights are
the user's own download; the manifest says where they come from and how their file is read (see importing.py), and the
hash is that of the safetensors which the import made of them. Both are hashed before they are read, and every tensor
is checked against the network, so that nothing foreign is ever run and nothing is ever filled by half.

Separate from the networks, which know no files, and from the methods, which know no formats. Torch is imported inside,
never with this module.
"""

from __future__ import annotations

import pickle
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from facestudio import paths, store
from facestudio.errors import CheckpointCorrupt, CheckpointMismatch, CheckpointMissing
from facestudio.progress import Progress

if TYPE_CHECKING:
    from torch import Tensor, nn

MANIFEST = "manifest.toml"
STARTER = "starter"  # the source of weights that come with the program
_AGAIN = "Install Face Studio again; its starter weights come with it."
_COUNTER = "num_batches_tracked"  # of batch normalisation: counts training steps, is never exported
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GOALS = {"keep": "Restores faces", "change": "Anonymizes faces", "create": "Makes faces"}
_EMBEDDERS = {"embedder", "iresnet", "vit", "ir", "mobilefacenet", "sface"}  # modules whose networks make identities
_NEEDED = {"detector": "Finds faces", "landmarks": "Finds landmarks", "panel": "Sums up the recognisers"}

_hashes: dict[tuple[Path, int, int], str] = {}  # by path, size and time of change: what was hashed in this process


@dataclass(frozen=True)
class Published:
    """The file that a part of published weights is made of.

    Attributes:
        name: what it is called by those who published it, behind its folder ("vae/model.bin") where the name alone is not
            clear; url: where it can be fetched, "" when only by hand.
        sha256, bytes: of its content; "" and 0 while nobody has said.
        about: how many bytes the part takes, roughly.
        wrappers, prefixes: under which key of the file the tensors stand, and what stands before their names; the one
            that fits best is taken. ignored: beginnings of names, without the prefix, that the network has no use for.
        renamed: pieces of old names, and what stands in the network's for them.
        arrays: for a part that is no network but arrays, one a file: each array's name in the part, its file's name,
            and its shape, where -1 is whatever the file has.
    """

    name: str = ""
    url: str = ""
    sha256: str = ""
    bytes: int = 0
    about: int = 0
    wrappers: tuple[str, ...] = ()
    prefixes: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    renamed: Mapping[str, str] = field(default_factory=dict, hash=False)
    arrays: Mapping[str, tuple[str, tuple[int, ...]]] = field(default_factory=dict, hash=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the published files that are needed."""
        return tuple(name for name, _ in self.arrays.values()) or (self.name,)


@dataclass(frozen=True)
class File:
    """One file of a checkpoint: where it lies, its SHA-256 in hexadecimal and its size in bytes.

    Of published weights that were not imported both are "" and 0, and `published` says what they are made of.
    """

    path: Path
    sha256: str
    bytes: int
    published: Published | None = None


@dataclass(frozen=True)
class Checkpoint:
    """One entry of the manifest.

    Attributes:
        id, title: for programs and for people; licence, source: of the weights ("starter": made by this project,
            otherwise the page of those who published them).
        purpose: what the weights are for, in a few words; accept: whether the licence must be accepted before a download.
        method: "module:Class" of the method it feeds, "" when it feeds none.
        goal: of that method: "keep" or "change" the identity, or "create" one; "none" when it feeds none.
        architecture: "module:Class" of its network; config: the network's arguments.
        files: by part ("weights"); parts: architecture and config of those parts that have their own.
        figures: what was measured of it; calibration: what an embedder's cosines mean (see faces/identity.py).
        conditioned_on: ids of the embedders that the method listens to, which must not judge it.
        uses: ids of other checkpoints that its method works with, by their part in it ("autoencoder").
        own: what the user's own people say of a published recogniser; its `calibration` is that, if it was measured with these
            weights.
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
    purpose: str = ""
    accept: bool = False
    parts: Mapping[str, tuple[str, Mapping[str, Any]]] = field(default_factory=dict, hash=False)
    own: store.OwnCalibration | None = None

    @property
    def published(self) -> bool:
        """Whether others published these weights, so that they need not be here."""
        return any(file.published is not None for file in self.files.values())

    @property
    def here(self) -> bool:
        """Whether every file is there. Whether they are sound is for `verify` to say."""
        return all(file.path.is_file() for file in self.files.values())

    @property
    def bytes(self) -> int:
        """What the files take, or will take roughly."""
        return sum(
            file.bytes or (file.published.bytes or file.published.about if file.published else 0)
            for file in self.files.values()
        )

    def network(self, part: str = "weights") -> tuple[str, Mapping[str, Any]]:
        """Architecture and config of the network that `part` fills."""
        return self.parts.get(part, (self.architecture, self.config))

    @property
    def recognises(self) -> bool:
        """Whether these are the weights of an embedder whose cosines are calibrated."""
        return bool(self.calibration.get("thresholds"))

    @property
    def embeds(self) -> bool:
        """Whether these are the weights of an embedder, calibrated or not."""
        return not self.method and self.architecture.partition(":")[0] in _EMBEDDERS

    @property
    def hashes(self) -> str:
        """The SHA-256 of all files, which says which weights these are."""
        return " ".join(file.sha256 for file in self.files.values())


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
    entries = {name: _with_own(_entry(name, table, path.parent)) for name, table in tables.items()}
    return {name: pickle.dumps(entry, pickle.HIGHEST_PROTOCOL) for name, entry in entries.items()}


def checkpoint(id: str) -> Checkpoint:
    """The checkpoint called `id` of the program's manifest; CheckpointMissing when there is none."""
    known = _known()
    if id not in known:
        raise CheckpointMissing(f"There are no weights called {id}.", hint=f"Known are: {', '.join(known) or 'none'}.")
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
        raise CheckpointCorrupt(f"{file.path} is not a file of weights (safetensors).", hint=again) from error


def _again(checkpoint: Checkpoint) -> str:
    """What to do about weights that are not there or damaged."""
    if not checkpoint.published:
        return _AGAIN
    return f"Get them under Weights, or with `facestudio weights get {checkpoint.id}`."


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


def _entry(name: str, table: Mapping[str, Any], folder: Path) -> Checkpoint:
    """One table of the manifest; raises ValueError, KeyError or the like when it is not as it should be."""
    conditioned = table.get("conditioned_on", ())
    own = str(table["source"]) == STARTER
    return Checkpoint(
        id=name,
        title=str(table["title"]),
        licence=str(table["licence"]),
        source=str(table["source"]),
        method=str(table.get("method", "")),
        goal=str(table.get("goal", "none")),
        architecture=str(table["architecture"]),
        config=dict(table.get("config", {})),
        files={
            part: _file(entry, folder) if own else _published_file(name, part, entry)
            for part, entry in table["files"].items()
        },
        figures=dict(table.get("figures", {})),
        calibration=dict(table.get("calibration", {})),
        conditioned_on=(conditioned,) if isinstance(conditioned, str) else tuple(conditioned),
        uses={role: str(id) for role, id in table.get("uses", {}).items()},
        purpose=str(table.get("purpose", "")) or _purpose(table),
        accept=bool(table.get("accept", False)),
        parts={
            part: (str(entry["architecture"]), dict(entry.get("config", {})))
            for part, entry in table.get("parts", {}).items()
        },
    )


def _with_own(entry: Checkpoint) -> Checkpoint:
    """`entry` with what the user's own people say of it, where it is a recogniser that comes without a calibration."""
    own = store.own_calibration(entry.id) if entry.published and entry.embeds and not entry.calibration else None
    if own is None:
        return entry
    return replace(entry, own=own, calibration=own.table if own.weights == entry.hashes else {})


def _purpose(table: Mapping[str, Any]) -> str:
    """What weights are for whose table does not say it."""
    if table.get("goal", "none") in _GOALS:
        return _GOALS[table["goal"]]
    if table.get("calibration", {}).get("thresholds"):
        return "Tells people apart"
    return _NEEDED.get(str(table["architecture"]).partition(":")[0], "Part of other methods")


def _file(entry: Mapping[str, Any], folder: Path) -> File:
    relative = PurePosixPath(entry["path"])
    if relative.is_absolute() or ".." in relative.parts:
        raise ValueError(f"{relative} leaves the folder of weights")
    return File(folder / relative, str(entry["sha256"]), int(entry["bytes"]))


def _published_file(id: str, part: str, entry: Mapping[str, Any]) -> File:
    """A part of published weights: what the manifest says, and what is pinned of its import."""
    if not (_PLAIN.fullmatch(id) and _PLAIN.fullmatch(part)):
        raise ValueError(f"{id} {part} is no name for a folder and a file")
    arrays = {
        key: (str(array["name"]), tuple(int(side) for side in array["shape"]))
        for key, array in entry.get("arrays", {}).items()
    }
    published = Published(
        name="" if arrays else str(entry["name"]),
        url=str(entry.get("url", "")),
        sha256=str(entry.get("sha256", "")).lower(),
        bytes=int(entry.get("bytes", 0)),
        about=int(entry.get("about", 0)),
        wrappers=tuple(map(str, entry.get("wrappers", ()))),
        prefixes=tuple(map(str, entry.get("prefixes", ()))),
        ignored=tuple(map(str, entry.get("ignored", ()))),
        renamed={str(old): str(new) for old, new in entry.get("renamed", {}).items()},
        arrays=arrays,
    )
    places = [PurePosixPath(name) for name in published.names]
    if any(len(place.parts) > 2 or {"..", "/"} & set(place.parts) for place in places):
        raise ValueError(f"{published.names[0]!r} is no name of a file")
    pin = store.pin(id, part)
    if pin is None:
        return File(store.place(id, part), "", 0, published)
    return File(store.place(id, part), pin.sha256, pin.bytes, published)


def _mismatch(checkpoint: Checkpoint, part: str, why: str) -> CheckpointMismatch:
    return CheckpointMismatch(
        f"The weights of {checkpoint.id} do not fit the network {checkpoint.network(part)[0]}: {why}.",
        hint="Install the version of Face Studio that these weights belong to.",
    )


def _size(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a single number"
