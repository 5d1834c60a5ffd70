"""The published Arc2Face told a person from a photo, from the files that a user downloads to the picture.

With small networks under the ids of the manifest that comes with the program; the recogniser comes as an ONNX graph.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from facestudio import importing, paths
from facestudio.checkpoints import checkpoint
from facestudio.cli.main import run
from facestudio.networks.arc2face import IdentityEncoder, autoencoder, denoiser
from facestudio.training.export import dump
from tests.onnx_files import SMALL, filled, write
from tests.unit.test_arc2face import ENCODER, UNET, VAE
from tests.unit.test_importing import in_this_process

pytest.importorskip("onnx")

EYE, VAE_ID = "arcface-r100-webface42m", "stable-diffusion-v1-5-vae"
PART = "diffusion_pytorch_model.safetensors"
LISTENER: dict[str, Any] = {**SMALL, "dimensions": 512}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files as they are published, but small; the manifest says how small, and else what it says."""
    folder, shipped = tmp_path / "weights", paths.weights_dir()
    folder.mkdir()
    for file in shipped.glob("*.safetensors"):
        (folder / file.name).symlink_to(file)
    document = tomllib.loads((shipped / "manifest.toml").read_text())
    tables = document["checkpoints"]
    for id, config in (("arc2face", UNET), (VAE_ID, VAE), (EYE, LISTENER)):
        tables[id]["config"] = config
    tables["arc2face"]["parts"]["encoder"]["config"] = ENCODER
    (folder / "manifest.toml").write_text(dump(document))
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    # converted in this process: starting another one for each file takes seconds
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    home = tmp_path / "hub"
    for name in ("arc2face", "encoder", "vae"):
        (home / name).mkdir(parents=True)
    torch.manual_seed(0)
    save_file(denoiser(**UNET).state_dict(), home / "arc2face" / PART)
    torch.save(IdentityEncoder(**ENCODER).state_dict(), home / "encoder" / "pytorch_model.bin")
    save_file(autoencoder(**VAE).state_dict(), home / "vae" / PART)
    write(filled(LISTENER), home / "arcface.onnx")
    return home


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """The public-domain portrait that scikit-image installs."""
    data = pytest.importorskip("skimage.data")
    Image.fromarray(data.astronaut()).save(tmp_path / "portrait.png")
    return tmp_path / "portrait.png"


def test_it_is_told_a_person_once_its_recogniser_is_here(
    hub: Path, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> int:
        return run([*arguments, "--quiet"])

    def draw(name: str, *more: str) -> int:
        out = ["--seed", "3", "--count", "1", "--steps", "2", "-o", str(tmp_path / name)]
        return told("generate", "--checkpoint", "arc2face", *out, *more)

    assert told("weights", "import", VAE_ID, str(hub / "vae")) == 0
    assert told("weights", "import", "arc2face", str(hub)) == 0
    assert checkpoint("arc2face").conditioned_on == (EYE,)
    capsys.readouterr()
    assert draw("early.png", "--from", str(portrait)) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert f"The recogniser {EYE}, which arc2face listens to, is not here" in said
    assert f"facestudio weights get {EYE}" in said
    assert not (tmp_path / "early.png").exists()

    assert told("weights", "import", EYE, str(hub / "arcface.onnx")) == 0
    report = tmp_path / "report.jsonl"
    for name, more in (("person.png", ["--from", str(portrait), "--report", str(report)]), ("nobody.png", [])):
        assert draw(name, *more) == 1, "a network that learned nothing draws no face"
    person, nobody = (np.asarray(Image.open(tmp_path / name)).astype(int) for name in ("person.png", "nobody.png"))
    assert person.shape == nobody.shape == (16, 16, 3)
    assert np.abs(person - nobody).max() > 0, "who is told makes a difference"
    (record,) = [json.loads(line) for line in report.read_text().splitlines()]
    assert record["recipe"]["checkpoint"] == "arc2face" and record["recipe"]["reference"]
