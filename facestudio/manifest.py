"""What the manifest says of each checkpoint: whose weights these are, what they are for, and which files and networks they have.

Separate from `checkpoints`, which finds, checks and reads the weights. It reads one table, and opens no file of weights; of
published weights it asks the user's store what was imported, and what the user's own people say of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from facestudio import store

STARTER = "starter"  # the source of weights that come with the program
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_GOALS = {"keep": "Restores faces", "change": "Anonymizes faces", "create": "Makes faces"}
_EMBEDDERS = {"embedder", "iresnet", "vit", "ir", "mobilefacenet", "sface"}  # modules whose networks make identities
_NEEDED = {"detector": "Finds faces", "landmarks": "Finds landmarks", "panel": "Sums up the recognisers"}


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


def entry(name: str, table: Mapping[str, Any], folder: Path) -> Checkpoint:
    """The checkpoint `name` of its `table` in the manifest of `folder`, with what the user has and says of it.

    ValueError, KeyError or the like when the table is not as it should be.
    """
    return _with_own(_entry(name, table, folder))


def _entry(name: str, table: Mapping[str, Any], folder: Path) -> Checkpoint:
    """The same, as the manifest alone says it of what comes with the program."""
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
