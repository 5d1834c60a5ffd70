"""Files that others made: what can be read is read, what is harmful does nothing, what is damaged says so."""

from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facestudio import foreign
from facestudio.errors import CheckpointCorrupt, CheckpointError, CheckpointMissing

TENSORS = {"a.weight": torch.arange(12.0).reshape(3, 4), "a.count": torch.tensor(7)}


class Evil:
    """A pickle of this makes the file `mark` when it is opened the ordinary way."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.mark}",)


def same(read: Any) -> bool:
    return set(read) == set(TENSORS) and all(torch.equal(read[key], value) for key, value in TENSORS.items())


def test_the_formats_of_torch_old_and_new(tmp_path: Path) -> None:
    torch.save({"params": OrderedDict(TENSORS), "epoch": 3}, tmp_path / "new.pth")
    torch.save(TENSORS, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert zipfile.is_zipfile(tmp_path / "new.pth") and not zipfile.is_zipfile(tmp_path / "old.pth")
    assert same(foreign.read(tmp_path / "new.pth")["params"])
    assert same(foreign.read(tmp_path / "old.pth"))


def test_safetensors_and_arrays_whatever_they_are_called(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.bin")
    np.save(tmp_path / "b.npy", TENSORS["a.weight"].numpy())
    np.savez(tmp_path / "c.npz", **{key: value.numpy() for key, value in TENSORS.items()})
    assert same(foreign.read(tmp_path / "a.bin"))
    assert torch.equal(foreign.read(tmp_path / "b.npy"), TENSORS["a.weight"])
    assert same(foreign.read(tmp_path / "c.npz"))


def write_zip(path: Path, evil: Evil) -> None:
    torch.save({"state_dict": TENSORS, "note": evil}, path)


def write_old(path: Path, evil: Evil) -> None:
    torch.save({"state_dict": TENSORS, "note": evil}, path, _use_new_zipfile_serialization=False)


def write_bare(path: Path, evil: Evil) -> None:
    path.write_bytes(pickle.dumps(evil))


@pytest.mark.parametrize("write", [write_zip, write_old, write_bare])
def test_a_pickle_that_runs_code_runs_nothing_and_says_what_it_wanted(
    tmp_path: Path, write: Callable[[Path, Evil], None]
) -> None:
    mark, path = tmp_path / "it ran", tmp_path / "evil.pth"
    write(path, Evil(Path(str(mark).replace(" ", "\\ "))))
    with pytest.raises(CheckpointCorrupt) as caught:
        foreign.read(path)
    assert not mark.exists()
    assert str(caught.value) == f"evil.pth tries to run code of its own ({os.name}.system), so it was not opened."
    assert caught.value.hint
    torch.load(path, weights_only=False) if write is not write_bare else pickle.loads(path.read_bytes())
    assert mark.exists(), "the file is harmless, so this test proves nothing"


def test_an_array_of_objects_is_not_unpickled(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    np.save(tmp_path / "evil.npy", np.array([Evil(mark)], dtype=object), allow_pickle=True)
    with pytest.raises(CheckpointCorrupt, match=r"evil\.npy is damaged"):
        foreign.read(tmp_path / "evil.npy")
    assert not mark.exists()


def test_classes_of_a_training_library_are_replaced_by_ones_that_do_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint of an old Lightning: a callback's class as a key, hyperparameters in a dict of its own."""
    name = "pytorch_lightning.callbacks.model_checkpoint"
    module = types.ModuleType(name)
    for parent in ("pytorch_lightning", "pytorch_lightning.callbacks"):
        monkeypatch.setitem(sys.modules, parent, types.ModuleType(parent))
    monkeypatch.setitem(sys.modules, name, module)

    class ModelCheckpoint:
        def __setstate__(self, state: object) -> None:
            (tmp_path / "ran").touch()

    class AttributeDict(dict):  # type: ignore[type-arg]
        pass

    for kind in (ModelCheckpoint, AttributeDict):
        kind.__module__, kind.__qualname__ = name, kind.__name__
        setattr(module, kind.__name__, kind)
    held = ModelCheckpoint()
    held.score = 3  # type: ignore[attr-defined]
    told = {
        "state_dict": TENSORS,
        "callbacks": {ModelCheckpoint: {"best": np.float64(0.5), "self": held}},
        "hyper_parameters": AttributeDict(rate=3),
    }
    torch.save(told, tmp_path / "trained.ckpt")
    for loaded in ("pytorch_lightning", "pytorch_lightning.callbacks", name):
        monkeypatch.delitem(sys.modules, loaded)
    assert same(foreign.read(tmp_path / "trained.ckpt")["state_dict"])
    assert not (tmp_path / "ran").exists()
    assert name not in sys.modules


def halve(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("name", ["new.pth", "old.pth", "a.safetensors", "b.npy", "c.npz"])
def test_half_a_file_is_damaged(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    big = {"w": torch.randn(100, 100)}
    if name.endswith("pth"):
        torch.save(big, path, _use_new_zipfile_serialization=name == "new.pth")
    elif name.endswith("safetensors"):
        save_file(big, path)
    elif name.endswith("npy"):
        np.save(path, big["w"].numpy())
    else:
        np.savez(path, w=big["w"].numpy())
    foreign.read(path)
    halve(path)
    with pytest.raises(CheckpointCorrupt, match="is damaged, or is not a weights file") as caught:
        foreign.read(path)
    assert caught.value.hint


@pytest.mark.parametrize(
    "content", [b"<html>not here</html>", b"\x89PNG\r\n\x1a\n" + bytes(40), b"\x80nonsense", b"PK\x03\x04x", b"x"]
)
def test_what_is_no_weights_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "odd.pth").write_bytes(content)
    with pytest.raises(CheckpointCorrupt, match=r"^odd\.pth is (damaged|not)"):
        foreign.read(tmp_path / "odd.pth")


def test_a_file_is_looked_at_before_it_is_opened(tmp_path: Path) -> None:
    good = tmp_path / "good.pth"
    good.write_bytes(bytes(1000))
    assert foreign.check(good, 1000) == 1000
    (tmp_path / "empty.pth").touch()
    os.mkfifo(tmp_path / "pipe.pth")
    for name, kind, words in (
        ("gone.pth", CheckpointMissing, "There is no file gone.pth."),
        ("empty.pth", CheckpointCorrupt, "empty.pth is empty."),
        ("pipe.pth", CheckpointMissing, "pipe.pth is not a file but a device or a pipe."),
        ("a\0b", CheckpointMissing, "There is no file a?b."),
    ):
        with pytest.raises(kind) as caught:
            foreign.check(tmp_path / name, 1000)
        assert str(caught.value) == words
        assert caught.value.hint
    with pytest.raises(CheckpointMissing, match="is a folder, not a weights file"):
        foreign.check(tmp_path, 1000)


def test_a_file_that_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.pth"
    path.touch()
    os.truncate(path, 5_000_000_000)  # takes no room: it is all hole
    with pytest.raises(CheckpointCorrupt, match=r"huge\.pth has 5000 MB, far more than these weights can need\."):
        foreign.check(path, 300_000_000)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_must_not_be_read_says_so(tmp_path: Path) -> None:
    path = tmp_path / "secret.pth"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(CheckpointError, match="no permission"):
        foreign.check(path, 10)
