"""ONNX export: that the file says what the network says, tells what it is, and is refused where it makes no sense."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facestudio import checkpoints
from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointCorrupt, CheckpointMissing, FaceStudioError, UnwritableOutput, UsageError
from facestudio.faces.exporting import export, form_of
from facestudio.faces.loading import fill_network
from facestudio.networks.landmarks import LandmarkNet
from facestudio.progress import Progress, Update
from facestudio.studio import Studio
from tests.fakes import CALIBRATION, fake_checkpoint

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

ENTRIES = {entry.id: entry for entry in checkpoints.load_manifest().values() if form_of(entry)}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every checkpoint of the manifest that can be exported, once."""
    folder = tmp_path_factory.mktemp("onnx")
    return {id: export(entry, folder / f"{id}.onnx") for id, entry in ENTRIES.items()}


def test_detector_landmarks_and_every_embedder_can_be_exported() -> None:
    judges = {entry.id for entry in checkpoints.load_manifest().values() if entry.recognises}
    assert judges
    assert {"starter-detector", "starter-landmarks"} | judges == set(ENTRIES)


def shapes(entry: Checkpoint) -> list[tuple[int, int, int, int]]:
    """Batches to try, the one with the most values first; none is the exporter's own example."""
    form = form_of(entry)
    assert form is not None
    side = form.side
    return [(4, 3, side, side), (1, 3, side, side)] if side else [(3, 3, 96, 64), (1, 3, 32, 160), (2, 3, 64, 64)]


@pytest.mark.parametrize("id", ENTRIES)
def test_the_file_says_what_the_network_says(exported: dict[str, Path], id: str) -> None:
    network = fill_network(ENTRIES[id])
    session = onnxruntime.InferenceSession(exported[id], providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    torch.manual_seed(0)
    spreads: list[float] = []
    for shape in shapes(ENTRIES[id]):
        x = torch.rand(shape) * 2 - 1
        with torch.inference_mode():
            said = network(x)
        wanted = [said] if isinstance(said, torch.Tensor) else list(said)
        spreads = spreads or [float(output.std()) for output in wanted]
        found = session.run(None, {taken.name: x.numpy()})
        for want, have, spread in zip(wanted, found, spreads, strict=True):
            assert have.shape == tuple(want.shape)
            assert spread > 0
            assert np.abs(have - want.numpy()).max() <= 1e-3 * spread


def axes(value: object) -> list[int | str]:
    return [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim]  # type: ignore[attr-defined]


@pytest.mark.parametrize("id", ENTRIES)
def test_input_outputs_and_axes_have_names(exported: dict[str, Path], id: str) -> None:
    graph = onnx.load(exported[id]).graph
    told = {value.name: axes(value) for value in (*graph.input, *graph.output)}
    if id == "starter-detector":
        assert told.pop("photo") == ["batch", 3, "height", "width"]
        assert told == {f"stride_{s}": ["batch", 15, f"height/{s}", f"width/{s}"] for s in (8, 16, 32)}
    elif id == "starter-landmarks":
        assert told == {"crop": ["batch", 3, 112, 112], "points": ["batch", 73, 2], "logits": ["batch"]}
    else:
        assert told == {"crop": ["batch", 3, 112, 112], "embedding": ["batch", told["embedding"][1]]}


@pytest.mark.parametrize("id", ENTRIES)
def test_the_file_tells_what_it_is_and_nothing_of_this_computer(exported: dict[str, Path], id: str) -> None:
    told = {item.key: item.value for item in onnx.load(exported[id]).metadata_props}
    entry = ENTRIES[id]
    assert (told["id"], told["title"], told["licence"]) == (entry.id, entry.title, entry.licence)
    assert told["sha256"] == entry.files["weights"].sha256
    assert "NCHW" in told["layout"] and "RGB" in told["layout"] and "-1 to 1" in told["range"]
    assert told["input"] and told["output"]
    content = exported[id].read_bytes()
    for path in (Path(__file__).parents[2], Path(torch.__file__).parents[1]):
        assert str(path).encode() not in content


def test_a_landmark_network_that_tells_the_pose_says_so(tmp_path: Path) -> None:
    small: dict[str, Any] = {"widths": [4, 8, 8, 8], "fused": 8, "pose": True}
    network = LandmarkNet(**small).eval()
    torch.nn.init.normal_(network.pose[-1].weight)  # type: ignore[index, arg-type]
    weights = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    file = tmp_path / "net.safetensors"
    save_file(weights, file)
    content = file.read_bytes()
    files = {"weights": checkpoints.File(file, hashlib.sha256(content).hexdigest(), len(content))}
    entry = fake_checkpoint("net", architecture="landmarks:LandmarkNet", config=small, files=files)
    session = onnxruntime.InferenceSession(export(entry, tmp_path / "net.onnx"), providers=["CPUExecutionProvider"])
    assert [value.name for value in session.get_outputs()] == ["points", "logits", "rotations"]
    assert "rotations" in session.get_modelmeta().custom_metadata_map["output"]
    x = torch.rand(3, 3, 112, 112) * 2 - 1
    with torch.inference_mode():
        assert np.allclose(session.run(["rotations"], {"crop": x.numpy()})[0], network(x)[2].numpy(), atol=1e-4)


def test_a_method_is_refused_with_what_can_be_exported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="starter-estimator cannot be exported") as caught:
        Studio("cpu").export("starter-estimator", tmp_path / "a.onnx")
    assert "starter-embedder-a" in caught.value.hint and "estimator" not in caught.value.hint
    assert not list(tmp_path.iterdir())


def test_an_embedder_is_known_by_its_calibration() -> None:
    plain = fake_checkpoint("eye", architecture="anything:Net")
    assert form_of(plain) is None
    form = form_of(fake_checkpoint("eye", architecture="anything:Net", calibration=CALIBRATION))
    assert form is not None and form.side == 112
    assert form_of(fake_checkpoint("eye", method="quick:Quick", calibration=CALIBRATION)) is None


def test_unknown_weights_and_wrong_names_are_said(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMissing, match="no weights called nothing"):
        Studio("cpu").export("nothing", tmp_path / "a.onnx")
    with pytest.raises(UsageError, match=r"a\.safetensors is not a name"):
        Studio("cpu").export("starter-landmarks", tmp_path / "a.safetensors")
    with pytest.raises(UnwritableOutput, match="no folder"):
        Studio("cpu").export("starter-landmarks", tmp_path / "nowhere" / "a.onnx")


def test_an_existing_file_is_replaced_only_when_that_is_asked_for(tmp_path: Path) -> None:
    target = tmp_path / "a.onnx"
    target.write_bytes(b"mine")
    with pytest.raises(UnwritableOutput, match="exists already"):
        Studio("cpu").export("starter-landmarks", target)
    assert target.read_bytes() == b"mine"
    updates: list[Update] = []
    progress = Progress(updates.append, every=0)
    assert Studio("cpu").export("starter-landmarks", target, overwrite=True, progress=progress) == target
    assert len(onnx.load(target).graph.input) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert {update.stage for update in updates} == {"Exporting"}


def test_damaged_weights_leave_nothing(tmp_path: Path) -> None:
    file = tmp_path / "net.safetensors"
    file.write_bytes(b"123")
    broken = checkpoints.File(file, "00", 3)
    entry = fake_checkpoint("net", architecture="landmarks:LandmarkNet", files={"weights": broken})
    with pytest.raises(CheckpointCorrupt):
        export(entry, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_without_the_extra_the_command_that_installs_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(FaceStudioError, match="packages onnx and onnxscript") as caught:
        Studio("cpu").export("starter-landmarks", tmp_path / "a.onnx")
    assert "pip install 'facestudio[export]'" in caught.value.hint
    assert not list(tmp_path.iterdir())
