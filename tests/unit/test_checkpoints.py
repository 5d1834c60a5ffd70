from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from facestudio import checkpoints
from facestudio import manifest as manifests
from facestudio.checkpoints import Checkpoint, File, load_into, load_manifest, verify
from facestudio.errors import CheckpointCorrupt, CheckpointError, CheckpointMismatch, CheckpointMissing
from facestudio.training.export import dump


def network() -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))


def tensors(of: nn.Module) -> dict[str, torch.Tensor]:
    """What the export writes: float16, without the training's counters."""
    return {k: v.half() for k, v in of.state_dict().items() if not k.endswith("num_batches_tracked")}


def written(folder: Path, content: dict[str, torch.Tensor] | bytes, name: str = "net.safetensors") -> Checkpoint:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        save_file(content, path)
    return described(path)


def described(path: Path) -> Checkpoint:
    data = path.read_bytes()
    file = File(path, hashlib.sha256(data).hexdigest(), len(data))
    return Checkpoint("net", architecture="net:Net", files={"weights": file})


def table(**changes: Any) -> dict[str, Any]:
    plain = {
        "title": 'A "net"',
        "licence": "Apache-2.0",
        "source": "starter",
        "method": "quick:Quick",
        "goal": "keep",
        "architecture": "estimator:EstimatorUNet",
        "config": {"widths": [8, 16], "blocks": 1},
        "files": {"weights": {"path": "net.safetensors", "sha256": "00", "bytes": 3}},
        "figures": {"psnr": 24.5},
        "calibration": {"thresholds": {"1e-3": 0.31}, "same_mean": 0.6},
    }
    return {**plain, **changes}


def manifest(folder: Path, **tables: dict[str, Any]) -> Path:
    """Written by the same function that the training's export uses."""
    path = folder / "manifest.toml"
    path.write_text(dump({"checkpoints": tables}), encoding="utf-8")
    return path


def test_what_the_export_writes_is_read(tmp_path: Path) -> None:
    path = manifest(tmp_path, one=table(), two=table(conditioned_on=["e1", "e2"]), three=table(conditioned_on="e1"))
    entries = load_manifest(path)
    one = entries["one"]
    assert (one.id, one.title, one.licence, one.source) == ("one", 'A "net"', "Apache-2.0", "starter")
    assert (one.method, one.goal, one.architecture) == ("quick:Quick", "keep", "estimator:EstimatorUNet")
    assert one.config == {"widths": [8, 16], "blocks": 1}
    assert one.files == {"weights": File(tmp_path / "net.safetensors", "00", 3)}
    assert one.figures == {"psnr": 24.5}
    assert one.calibration == {"thresholds": {"1e-3": 0.31}, "same_mean": 0.6}
    assert [entries[name].conditioned_on for name in ("one", "two", "three")] == [(), ("e1", "e2"), ("e1",)]


def test_the_programs_own_manifest_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path))
    manifest(tmp_path, one=table())
    assert checkpoints.checkpoint("one").id == "one"
    with pytest.raises(CheckpointMissing, match="called two") as caught:
        checkpoints.checkpoint("two")
    assert "one" in caught.value.hint


def test_it_is_understood_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    entry = manifests.entry
    monkeypatch.setattr(manifests, "entry", lambda name, *rest: asked.append(name) or entry(name, *rest))
    path = manifest(tmp_path, one=table())
    first = load_manifest(path)
    assert load_manifest(path) == first and asked == ["one"]
    manifest(tmp_path, one=table(title='B "net"'))
    assert load_manifest(path)["one"].title == 'B "net"', "as long as before, and other words"
    manifest(tmp_path, one=table(), two=table())
    assert list(load_manifest(path)) == ["one", "two"]
    (tmp_path / "other").mkdir()
    assert load_manifest(manifest(tmp_path / "other", one=table(title="Another")))["one"].title == "Another"
    assert list(load_manifest(path)) == ["one", "two"]
    path.unlink()
    with pytest.raises(CheckpointMissing):
        load_manifest(path)


def test_what_a_caller_changes_is_not_what_others_get(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path))
    path = manifest(tmp_path, one=table())
    for found in (load_manifest(path)["one"], load_manifest()["one"], checkpoints.checkpoint("one")):
        changed: Any = found
        changed.config["widths"].append(32)
        changed.calibration["thresholds"]["1e-3"] = 0.9
        changed.figures.clear()
        changed.files.clear()
    for known in (load_manifest(path)["one"], checkpoints.checkpoint("one")):
        assert known.config == {"widths": [8, 16], "blocks": 1} and known.calibration["thresholds"] == {"1e-3": 0.31}
        assert known.figures == {"psnr": 24.5} and list(known.files) == ["weights"]


def test_no_manifest_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing):
        load_manifest(tmp_path / "manifest.toml")


@pytest.mark.parametrize(
    "text",
    [
        "[checkpoints",
        "checkpoints = 3",
        "[checkpoints]\none = 3",
        "[checkpoints.one]\ntitle = 'no more'",
        "\x00",
        dump({"checkpoints": {"one": table(files={"weights": {"path": "x", "sha256": "00"}})}}),
        dump({"checkpoints": {"one": table(files={"weights": {"path": "../x", "sha256": "00", "bytes": 1}})}}),
        dump({"checkpoints": {"one": table(files={"weights": {"path": "/x", "sha256": "00", "bytes": 1}})}}),
    ],
)
def test_a_damaged_manifest_is_corrupt(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.toml"
    path.write_text(text)
    with pytest.raises(CheckpointCorrupt, match="damaged"):
        load_manifest(path)


def test_a_manifest_that_is_no_text_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "manifest.toml").write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(CheckpointCorrupt):
        load_manifest(tmp_path / "manifest.toml")


def test_half_precision_weights_fill_the_network(tmp_path: Path) -> None:
    source, target = network(), network()
    nn.init.normal_(source[0].weight)
    entry = written(tmp_path, tensors(source))
    assert verify(entry) == "present"
    load_into(target, entry)
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight, source[0].weight.half().float())
    assert torch.equal(target[1].running_var, source[1].running_var)


def changed(key: str, value: torch.Tensor | None) -> dict[str, torch.Tensor]:
    content = tensors(network())
    content.pop(key, None)
    return content if value is None else {**content, key: value}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed("0.bias", None), "lack 0.bias"),
        (changed("2.weight", torch.zeros(1)), "have 2.weight"),
        (changed("0.weight", torch.zeros(4, 3, 3, 1)), "0.weight is 4 x 3 x 3 x 1 where 4 x 3 x 3 x 3"),
        (changed("0.bias", torch.zeros(4, dtype=torch.int64)), "0.bias is torch.int64"),
    ],
)
def test_what_does_not_fit_is_a_mismatch_and_changes_nothing(
    tmp_path: Path, content: dict[str, torch.Tensor], words: str
) -> None:
    target = network()
    before = {key: value.clone() for key, value in target.state_dict().items()}
    with pytest.raises(CheckpointMismatch, match=words) as caught:
        load_into(target, written(tmp_path, content))
    assert caught.value.hint
    assert all(torch.equal(value, before[key]) for key, value in target.state_dict().items())


def test_a_missing_file_or_part(tmp_path: Path) -> None:
    entry = written(tmp_path, tensors(network()))
    with pytest.raises(CheckpointMissing, match="no part called prior"):
        load_into(network(), entry, "prior")
    entry.files["weights"].path.unlink()
    assert verify(entry) == "missing"
    with pytest.raises(CheckpointMissing, match="not there") as caught:
        load_into(network(), entry)
    assert caught.value.hint


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


@pytest.mark.parametrize("damage", [flip, shorten])
def test_damage_is_seen_before_anything_is_read(tmp_path: Path, damage: Any) -> None:
    entry = written(tmp_path, tensors(network()))
    damage(entry.files["weights"].path)
    assert verify(entry) == "corrupt"
    with pytest.raises(CheckpointCorrupt, match="damaged"):
        load_into(network(), entry)


def test_damage_after_a_first_look_is_seen_too(tmp_path: Path) -> None:
    entry = written(tmp_path, tensors(network()))
    path = entry.files["weights"].path
    assert verify(entry) == "present"
    flip(path)
    os.utime(path, ns=(1, 1))  # even within one tick of the file system's clock
    assert verify(entry) == "corrupt"


def test_a_file_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = written(tmp_path, tensors(network()))
    assert verify(entry) == "present"

    def again(*args: object) -> None:
        raise AssertionError("hashed again")

    monkeypatch.setattr(hashlib, "file_digest", again)
    assert verify(entry) == "present"
    load_into(network(), entry)


def test_pickles_are_never_opened(tmp_path: Path) -> None:
    path = tmp_path / "evil.safetensors"
    torch.save({"0.bias": torch.zeros(4)}, path)
    with pytest.raises(CheckpointCorrupt, match="not a weights file"):
        load_into(network(), described(path))


def test_every_error_here_is_a_checkpoint_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        load_into(network(), Checkpoint("nothing"))


def test_importing_and_reading_the_manifest_needs_no_torch(tmp_path: Path) -> None:
    manifest(tmp_path, one=table())
    code = "import sys; from facestudio import checkpoints as c; c.checkpoint('one'); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "FACESTUDIO_WEIGHTS": str(tmp_path)})
