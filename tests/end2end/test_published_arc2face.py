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
from facestudio.keeping import recipe_of
from facestudio.networks.arc2face import IdentityEncoder, autoencoder, denoiser
from facestudio.photo import Photo
from facestudio.studio import Studio
from facestudio.training.export import dump
from tests.onnx_files import SMALL, filled, write
from tests.poses import head
from tests.unit.test_arc2face import CONTROL, ENCODER, UNET, VAE, trained_control
from tests.unit.test_importing import in_this_process

pytest.importorskip("onnx")

EYE, VAE_ID, POSE = "arcface-r100-webface42m", "stable-diffusion-v1-5-vae", "arc2face-controlnet"
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
    for id, config in (("arc2face", UNET), (VAE_ID, VAE), (EYE, LISTENER), (POSE, CONTROL)):
        tables[id]["config"] = config
    tables["arc2face"]["parts"]["encoder"]["config"] = ENCODER
    (folder / "manifest.toml").write_text(dump(document))
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(folder))
    # converted in this process: starting another one for each file takes seconds
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    home = tmp_path / "hub"
    for name in ("arc2face", "encoder", "vae", "controlnet"):
        (home / name).mkdir(parents=True)
    torch.manual_seed(0)
    save_file(denoiser(**UNET).state_dict(), home / "arc2face" / PART)
    save_file(trained_control().state_dict(), home / "controlnet" / PART)
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
    assert f"arc2face follows the person in a photo through the recogniser {EYE}, which is not installed" in said
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


def test_it_holds_the_pose_of_a_picture_once_the_controlnet_is_here(
    hub: Path, portrait: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pose, out = tmp_path / "pose.png", tmp_path / "out"
    Image.fromarray(head(turn=1)).save(pose)
    Image.fromarray(head(turn=-1)).save(tmp_path / "other.png")

    def told(*arguments: str) -> str:
        """What is said of an error; "" where there is none, but that a network which learned nothing draws no face."""
        capsys.readouterr()
        code = run([*arguments, "--quiet"])
        said = " ".join(capsys.readouterr().err.split())
        assert bool(said) or code in (0, 1)
        return said

    def draw(name: str, *more: str) -> str:
        asked = ["--checkpoint", "arc2face", "--count", "1", "--seed", "3", "--steps", "2", "-o", str(out / name)]
        return told("generate", *asked, *more)

    for id, where in ((VAE_ID, hub / "vae"), ("arc2face", hub)):
        assert told("weights", "import", id, str(where)) == ""
    studio = Studio("cpu")
    wanted = studio.pose_weights("arc2face")
    assert wanted is not None and wanted.id == POSE and not wanted.here
    assert studio.pose_weights("starter-prior") is None and studio.pose_weights("no-such") is None
    said = draw("early.png", "--pose-picture", str(pose))
    assert f"The weights {POSE}, with which arc2face follows a pose, are not installed" in said
    assert f"facestudio weights get {POSE}" in said

    assert told("weights", "import", POSE, str(hub)) == "", "by its folder, beside a file of the same name"
    assert run(["weights", "verify", POSE]) == 0
    said = draw("photo.png", "--pose-picture", str(portrait))
    assert "portrait.png is not a pose picture" in said and "normal map" in said
    assert "gone.png" in draw("gone.png", "--pose-picture", str(tmp_path / "gone.png"))
    said = told("generate", "--count", "1", "--pose-picture", str(pose), "-o", str(out / "ours.png"))
    assert "cannot be shown a pose picture" in said and "These weights can: arc2face" in said
    said = told("generate", "--identities", "2", "--pose-picture", str(pose), "-o", str(out / "people"))
    assert "--pose-picture is for single pictures" in said
    assert not out.exists(), "all of that was said before anything was drawn"

    assert draw("free.png") == "" and draw("posed.png", "--pose-picture", str(pose)) == ""
    assert draw("off.png", "--pose-picture", str(pose), "--pose-strength", "0") == ""
    free, posed, off = (np.asarray(Image.open(out / f"{name}.png")).astype(int) for name in ("free", "posed", "off"))
    assert np.abs(free - posed).max() > 5 and np.array_equal(free, off)
    recipe = recipe_of(out / "posed.png")
    assert recipe.pose == Photo.open(pose).content_hash and recipe.options["pose_strength"] == 1.0
    assert recipe_of(out / "free.png").pose == ""
    assert "--pose-strength has no effect without --pose-picture" in draw("idle.png", "--pose-strength", "0.5")

    again = ["generate", "--recipe", str(out / "posed.png"), "-o", str(out / "again.png")]
    assert "posed.png was drawn with a pose picture; name that picture with --pose-picture" in told(*again)
    said = told(*again, "--pose-picture", str(tmp_path / "other.png"))
    assert "was drawn with a different pose picture than" in said
    assert told(*again, "--pose-picture", str(pose)) == ""
    assert np.array_equal(np.asarray(Image.open(out / "again.png")), posed)
    said = told(*again[:-1], str(pose), "--pose-picture", str(pose), "--overwrite")
    assert "is one of the inputs" in said and np.array_equal(np.asarray(Image.open(pose)), head(turn=1))

    assert told("weights", "remove", POSE) == ""
    assert "are not installed" in draw("late.png", "--pose-picture", str(pose))
