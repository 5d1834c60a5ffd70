"""RestoreFormer, CodeFormer and GFPGAN as methods, with small networks of the published layout in a store of this test."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from facestudio import checkpoints
from facestudio.errors import CheckpointMismatch, UsageError
from facestudio.faces.face import ARCFACE_112, FFHQ_256, FFHQ_512, AlignedFace
from facestudio.faces.loading import build_network
from facestudio.methods.base import Restorer, load_method
from facestudio.methods.codeformer import CodeFormer
from facestudio.methods.gfpgan import GFPGAN
from facestudio.methods.restoreformer import RestoreFormer
from facestudio.options import describe, validate
from facestudio.photo import Photo, to_pixels, to_tensor
from facestudio.pipeline import face_seed, restore
from facestudio.progress import Cancelled, Progress, Update
from facestudio.subject import Subject
from facestudio.training.export import dump
from tests.asking import asked
from tests.fakes import draw_face, face_at, picture

THIN: dict[str, Any] = {"ch": 32, "ch_mult": [1] * 6, "num_res_blocks": 1, "embed_dim": 32}
SMALL: dict[str, dict[str, Any]] = {
    "restoreformer": {
        "method": "restoreformer:RestoreFormer",
        "architecture": "restoreformer:RestoreFormer",
        "config": {**THIN, "n_embed": 16, "z_channels": 32, "head_size": 2},
    },
    "codeformer": {
        "method": "codeformer:CodeFormer",
        "architecture": "codeformer:CodeFormer",
        "config": {**THIN, "dim_embd": 32, "n_head": 2, "n_layers": 1, "codebook_size": 16, "connect_list": ["32"]},
    },
    "gfpgan": {
        "method": "gfpgan:GFPGAN",
        "architecture": "gfpgan:GFPGANClean",
        "config": {"num_style_feat": 8, "num_mlp": 1, "narrow": 1 / 16},
    },
}
CLASSES = {"restoreformer": RestoreFormer, "codeformer": CodeFormer, "gfpgan": GFPGAN}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of weights with a manifest that names the three."""
    torch.manual_seed(5)
    tables = {}
    for name, about in SMALL.items():
        network = build_network(about["architecture"], about["config"], name)
        for key, value in network.named_parameters():
            if key.startswith("stylegan_decoder.style_conv") and value.shape == (1,):
                torch.nn.init.constant_(value, 0.3)  # else the noise is not seen
        path = tmp_path / f"{name}.safetensors"
        save_file(network.state_dict(), path)
        content = path.read_bytes()
        file = {"path": path.name, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        plain = {"title": name, "licence": "none", "source": "starter", "goal": "keep"}
        tables[name] = {**plain, **about, "files": {"weights": file}}
    (tmp_path / "manifest.toml").write_text(dump({"checkpoints": tables}), encoding="utf-8")
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path))
    return tmp_path


def loaded(name: str) -> Any:
    return load_method(checkpoints.checkpoint(name), "cpu")


@pytest.fixture
def crop() -> AlignedFace:
    """A drawn face, framed as FFHQ_512 says."""
    pixels = picture(512, 512, seed=2)
    draw_face(pixels, face_at(255.5, 255.5, 512))
    return AlignedFace(pixels, np.array([[2.0, 0, 3], [0, 2.0, 4]]), FFHQ_512)


@pytest.mark.parametrize("name", SMALL)
def test_a_crop_becomes_what_the_network_makes_of_it(name: str, store: Path, crop: AlignedFace) -> None:
    method = loaded(name)
    assert isinstance(method, Restorer) and type(method) is CLASSES[name]
    assert (method.id, method.goal, method.template) == (name, "keep", FFHQ_512)
    filled = method.network.state_dict()
    stored = load_file(store / f"{name}.safetensors")
    assert filled.keys() == stored.keys() and all(torch.equal(filled[key], stored[key]) for key in stored)

    found = method(crop, method.Options(), Progress(), 7)
    more = {"codeformer": (0.5,), "gfpgan": (method.network.noise([7]),) if name == "gfpgan" else ()}
    with torch.inference_mode():
        (expected,) = to_pixels(method.network(to_tensor(crop.pixels), *more.get(name, ())))
    assert np.array_equal(found.pixels, expected) and expected.std() > 1
    assert np.abs(found.pixels.astype(int) - crop.pixels).mean() > 5
    assert np.array_equal(found.matrix, crop.matrix) and found.template == crop.template


@pytest.mark.parametrize("name", SMALL)
def test_only_gfpgan_depends_on_the_seed(name: str, store: Path, crop: AlignedFace) -> None:
    one, two = (loaded(name)(crop, CLASSES[name].Options(), Progress(), seed).pixels for seed in (1, 2))
    assert np.array_equal(one, two) == (name != "gfpgan")


def test_gfpgan_takes_the_seed_of_the_photo_and_the_face(store: Path) -> None:
    method = loaded("gfpgan")
    seen: list[list[int]] = []
    forward = method.forward
    method.forward = lambda batch, options, seeds: (seen.append(seeds), forward(batch, options, seeds))[1]
    faces = (face_at(90, 100, 110), face_at(250, 100, 110))
    photo = Photo.from_pixels(picture(200, 340, faces))
    result = restore(Subject(photo, faces), method, asked(seed=3))
    assert [face.status for face in result.faces] == ["restored", "restored"]
    assert seen == [[face_seed(photo, 0, 3), face_seed(photo, 1, 3)]] and seen[0][0] != seen[0][1]
    again = restore(Subject(photo, faces), method, asked(seed=3))
    assert np.array_equal(result.after.pixels, again.after.pixels)
    assert not np.array_equal(result.after.pixels, photo.pixels)


def test_strength_blends(store: Path) -> None:
    method, faces = loaded("gfpgan"), (face_at(100, 100, 130),)
    photo = Photo.from_pixels(picture(200, 200, faces))
    results = [restore(Subject(photo, faces), method, asked(strength=s)).after.pixels for s in (0.0, 0.5, 1.0)]
    assert np.array_equal(results[0], photo.pixels)
    half, full = (np.abs(pixels.astype(int) - photo.pixels).mean() for pixels in results[1:])
    assert 0 < half < full


def test_fidelity_reaches_codeformers_network(store: Path, crop: AlignedFace) -> None:
    method = loaded("codeformer")
    none, full = (method(crop, method.Options(fidelity=w), Progress(), 0).pixels.astype(int) for w in (0.0, 1.0))
    assert np.abs(none - full).mean() > 0.5


def test_which_options_there_are(store: Path) -> None:
    asked = {name: [field.name for field in describe(cls.Options)] for name, cls in CLASSES.items()}
    assert asked == {"restoreformer": ["strength"], "codeformer": ["strength", "fidelity"], "gfpgan": ["strength"]}
    assert CodeFormer.Options().fidelity == 0.5
    with pytest.raises(UsageError, match="Fidelity takes 0 to 1"):
        validate(CodeFormer.Options(fidelity=1.5))


@pytest.mark.parametrize("name", SMALL)
def test_other_crops_are_refused(name: str, store: Path, crop: AlignedFace) -> None:
    method = loaded(name)
    small = AlignedFace(crop.pixels[:256, :256], crop.matrix, FFHQ_256)
    with pytest.raises(ValueError, match=f"{name} works on FFHQ_512, not FFHQ_256"):
        method(small, method.Options(), Progress(), 0)
    with pytest.raises(ValueError, match="ARCFACE_112@512"):
        method(AlignedFace(crop.pixels, crop.matrix, ARCFACE_112.scaled(512)), method.Options(), Progress(), 0)


def test_it_reports_and_stops_within_one_call_of_the_network(store: Path, crop: AlignedFace) -> None:
    method = loaded("gfpgan")  # the quickest; the others take the same way
    calls = []
    progress = Progress()
    method.network.register_forward_hook(lambda *_: (calls.append(1), progress.cancel())[0])
    with pytest.raises(Cancelled):
        method(crop, method.Options(), progress, 0)
    with pytest.raises(Cancelled):
        method(crop, method.Options(), progress, 0)
    assert calls == [1]

    told: list[Update] = []
    method = loaded("gfpgan")
    method(crop, method.Options(), Progress(told.append, every=0), 0)
    assert (told[0].fraction, told[-1].fraction) == (0.0, 1.0)
    previews = [update.preview for update in told if update.preview is not None]
    assert len(previews) == 1 and previews[0].shape == (512, 512, 3)


@pytest.mark.parametrize("name", SMALL)
def test_weights_of_another_network_are_refused(name: str, store: Path) -> None:
    entry = checkpoints.checkpoint(name)
    other = {"num_style_feat": 12} if name == "gfpgan" else {"embed_dim": 64}
    with pytest.raises(CheckpointMismatch, match="do not fit"):
        load_method(replace(entry, config={**entry.config, **other}), "cpu")
