"""The published Arc2Face as a method, with small networks in its authors' files and folders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facestudio import checkpoints, importing, store
from facestudio.errors import CheckpointMissing
from facestudio.faces.face import Identity
from facestudio.importing import import_files
from facestudio.methods.arc2face import PublishedArc2Face
from facestudio.methods.base import Posed, Synthesizer, Wish, load_method
from facestudio.methods.carriers import stable_diffusion
from facestudio.networks.arc2face import (
    SCHEDULE,
    Arc2FacePrior,
    IdentityEncoder,
    autoencoder,
    control,
    denoiser,
    prompt,
)
from facestudio.networks.lora import Lora
from facestudio.photo import to_pixels
from facestudio.progress import Cancelled, Progress
from tests.fakes import fake_checkpoint
from tests.poses import head
from tests.published import write_manifest
from tests.unit.test_importing import in_this_process

UNET: dict[str, Any] = {
    "sample_size": 8,
    "block_out_channels": [8, 16],
    "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"],
    "layers_per_block": 1,
    "cross_attention_dim": 512,
    "attention_head_dim": 2,
    "norm_num_groups": 4,
}
CONTROL: dict[str, Any] = {key: UNET[key] for key in UNET if key not in ("sample_size", "up_block_types")}
ENCODER: dict[str, Any] = {
    "hidden_size": 512,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
}
VAE: dict[str, Any] = {
    "block_out_channels": [8, 8],
    "down_block_types": ["DownEncoderBlock2D"] * 2,
    "up_block_types": ["UpDecoderBlock2D"] * 2,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "latent_channels": 4,
    "scaling_factor": 0.18215,
}
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
WHO = Identity(np.random.default_rng(1).standard_normal(512), "listener")


def tables() -> dict[str, Any]:
    plain = {"licence": "Nobody's", "source": "https://example.org/weights", "method": "", "goal": "none"}

    def file(name: str, **more: Any) -> dict[str, Any]:
        return {"name": name, "about": 1_000_000, **more}

    return {
        "arc2face": {
            **plain,
            "title": "Arc2Face",
            "method": "arc2face:PublishedArc2Face",
            "goal": "create",
            "architecture": "arc2face:denoiser",
            "config": UNET,
            "conditioned_on": ["listener"],
            "uses": {"autoencoder": "vae", "lcm": "lora", "pose": "control"},
            "parts": {"encoder": {"architecture": "arc2face:IdentityEncoder", "config": ENCODER}},
            "files": {
                "weights": file("arc2face/diffusion_pytorch_model.safetensors"),
                "encoder": file("encoder/pytorch_model.bin", ignored=["text_model.embeddings.position_ids"]),
            },
        },
        "vae": {
            **plain,
            "title": "Autoencoder",
            "architecture": "arc2face:autoencoder",
            "config": VAE,
            "files": {"weights": file("vae/diffusion_pytorch_model.safetensors", renamed=OLD_NAMES)},
        },
        "control": {
            **plain,
            "title": "Pose",
            "architecture": "arc2face:control",
            "config": CONTROL,
            "files": {"weights": file("controlnet/diffusion_pytorch_model.safetensors")},
        },
        "lora": {
            **plain,
            "title": "LCM",
            "architecture": "lora:Lora",
            "config": {"rank": 2, "unet": UNET},
            "files": {"weights": file("pytorch_lora_weights.safetensors")},
        },
    }


def trained_control() -> Any:
    """A ControlNet that says something, as one does not before it was trained."""
    network = control(**CONTROL)
    with torch.no_grad():
        for value in network.parameters():
            if not value.any():
                value.normal_(std=0.1)
        for name, value in network.controlnet_cond_embedding.named_parameters():
            value *= 3 if name.endswith("weight") else 0  # so that it looks at the picture, too
    return network


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one downloads, as it lies there; the file of the ControlNet has the U-Net's name."""
    folder = tmp_path_factory.mktemp("hub")
    torch.manual_seed(0)
    for name, network in {"controlnet": trained_control(), "arc2face": denoiser(**UNET)}.items():
        (folder / "models" / name).mkdir(parents=True)
        save_file(network.state_dict(), folder / "models" / name / "diffusion_pytorch_model.safetensors")
    (folder / "models" / "encoder").mkdir()
    told = {key: value.half() for key, value in IdentityEncoder(**ENCODER).state_dict().items()}
    told["text_model.embeddings.position_ids"] = torch.arange(77)[None]
    torch.save(told, folder / "models" / "encoder" / "pytorch_model.bin")
    (folder / "base" / "vae").mkdir(parents=True)
    old = {}
    for key, value in autoencoder(**VAE).state_dict().items():
        for before, after in OLD_NAMES.items():
            key = key.replace(after, before)
        old[key] = value
    assert "decoder.mid_block.attentions.0.proj_attn.weight" in old
    save_file(old, folder / "base" / "vae" / "diffusion_pytorch_model.safetensors")
    save_file(Lora(2, UNET).state_dict(), folder / "base" / "pytorch_lora_weights.safetensors")
    return folder


@pytest.fixture
def imported(hub: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store into which the folders were imported, but for the LoRA and the ControlNet."""
    write_manifest(tmp_path / "weights", tables())
    monkeypatch.setenv("FACESTUDIO_WEIGHTS", str(tmp_path / "weights"))
    # converted in this process: starting another one for each file takes seconds
    monkeypatch.setattr(importing, "run", in_this_process)
    monkeypatch.setattr("facestudio.conversion.limit_memory", lambda more: None)
    assert import_files(checkpoints.checkpoint("arc2face"), [hub / "models"], Progress()) == ("weights", "encoder")
    assert import_files(checkpoints.checkpoint("vae"), [hub], Progress()) == ("weights",)
    return hub


def drawn(method: Any, seeds: list[int], wish: Wish | None = None, **options: Any) -> np.ndarray:
    chosen = method.Options(**{"steps": 3, **options})
    return np.stack(method(wish or Wish(), seeds, chosen, Progress()))


def test_the_folders_are_imported_and_draw(imported: Path, hub: Path) -> None:
    from safetensors.torch import load_file

    kept = load_file(store.place("arc2face", "weights"))
    published = load_file(hub / "models" / "arc2face" / "diffusion_pytorch_model.safetensors")
    assert kept.keys() == published.keys() and all(torch.equal(kept[key], published[key]) for key in kept)

    method = load_method(checkpoints.checkpoint("arc2face"), "cpu")
    assert isinstance(method, Synthesizer) and type(method) is PublishedArc2Face
    assert (method.id, method.goal, method.embedder, method.template.size) == ("arc2face", "create", "listener", 512)
    wish = Wish(WHO)
    nobody, person = drawn(method, [4, 5]), drawn(method, [4, 5], wish)
    assert nobody.shape == (2, 16, 16, 3) and nobody.dtype == np.uint8
    assert np.array_equal(person[1:], drawn(method, [5], wish)), "each seed alone decides"
    assert not np.array_equal(nobody[0], nobody[1]) and not np.array_equal(nobody, person)
    assert not np.array_equal(person, drawn(method, [4, 5], wish, guidance=1.0))
    with pytest.raises(ValueError, match="understands listener"):
        drawn(method, [1], Wish(Identity(WHO.embedding, "another")))

    with pytest.raises(CheckpointMissing, match="weights of lora"):
        drawn(method, [4], wish, sampler="lcm")
    import_files(checkpoints.checkpoint("lora"), [hub / "base"], Progress())
    method = load_method(checkpoints.checkpoint("arc2face"), "cpu")
    quick = drawn(method, [4, 5], wish, sampler="lcm")
    assert np.array_equal(quick[1:], drawn(method, [5], wish, sampler="lcm", guidance=8.0)), "lcm has no guidance"
    assert not np.array_equal(quick[1:], drawn(method, [6], wish, sampler="lcm"))
    assert np.array_equal(person, drawn(method, [4, 5], wish)), "what lcm needs is taken away again"

    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        method(wish, [4], method.Options(), progress)


def test_it_draws_what_the_pipeline_of_diffusers_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionPipeline

    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # else it starts a thread
    torch.manual_seed(0)
    encoder, unet, vae = (
        network.eval() for network in (IdentityEncoder(**ENCODER), denoiser(**UNET), autoencoder(**VAE))
    )
    checkpoint = fake_checkpoint("arc2face", conditioned_on=("listener",))
    method = PublishedArc2Face(checkpoint, stable_diffusion(encoder, unet, vae))
    scheduler: Any = DPMSolverMultistepScheduler.from_config(SCHEDULE)  # type: ignore[arg-type]
    networks: dict[str, Any] = {"vae": vae, "unet": unet, "scheduler": scheduler}
    lacks: dict[str, Any] = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    pipeline: Any = StableDiffusionPipeline(**networks, **lacks, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        told = encoder(prompt(), torch.from_numpy(np.array(WHO.embedding))[None])
        untold = encoder(prompt(())[None])
    expected = pipeline(
        prompt_embeds=told,
        negative_prompt_embeds=untold,
        latents=torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(9)),
        num_inference_steps=method.Options().steps,
        guidance_scale=method.Options().guidance,
        height=16,
        width=16,
        output_type="pt",
    ).images
    (found,) = method(Wish(WHO), [9], method.Options(), Progress())
    assert np.abs(found.astype(int) - to_pixels(2 * expected - 1)[0]).max() <= 1
    assert found.std() > 5


def test_it_holds_the_pose_of_a_picture(imported: Path, hub: Path) -> None:
    free, left, right = Wish(WHO), Wish(WHO, pose=head(turn=-1)), Wish(WHO, pose=head(turn=1))
    method = load_method(checkpoints.checkpoint("arc2face"), "cpu")
    assert all(isinstance(one, Posed) for one in [method]) and method.checkpoint.uses[method.posed_by] == "control"
    before = drawn(method, [4, 5], free)
    with pytest.raises(CheckpointMissing, match="weights of control"):
        drawn(method, [4], left)
    assert import_files(checkpoints.checkpoint("control"), [hub / "models"], Progress()) == ("weights",)
    shown = drawn(method, [4, 5], left)
    assert np.abs(shown.astype(int) - before).max() > 5, "a pose makes a difference"
    assert np.abs(shown.astype(int) - drawn(method, [4, 5], right)).max() > 0, "and so does which"
    assert np.array_equal(shown[1:], drawn(method, [5], left)), "each seed alone decides"
    assert np.array_equal(before, drawn(method, [4, 5], left, pose_strength=0.0)), "not held at all"
    assert np.array_equal(before, drawn(method, [4, 5], free)), "nothing of it stays"
    half = drawn(method, [4, 5], left, pose_strength=0.5).astype(int)
    assert np.abs(half - before).max() > 0 and np.abs(half - shown).max() > 0
    assert np.abs(drawn(method, [4], Wish(pose=left.pose)).astype(int) - drawn(method, [4])).max() > 0, "of nobody"

    alone = [drawn(method, [seed], wish)[0] for seed, wish in ((4, left), (5, right))]
    method.batch = 2
    together = np.stack(method([left, right], [4, 5], method.Options(steps=3), Progress()))
    assert np.abs(together.astype(int) - np.stack(alone)).max() <= 1, "a batch has a picture for each face"
    with pytest.raises(ValueError, match="or none is"):
        method([left, free], [4, 5], method.Options(steps=3), Progress())

    import_files(checkpoints.checkpoint("lora"), [hub / "base"], Progress())
    method = load_method(checkpoints.checkpoint("arc2face"), "cpu")
    quick, quick_free = (drawn(method, [4], wish, sampler="lcm") for wish in (left, free))
    assert np.abs(quick.astype(int) - quick_free).max() > 0, "lcm holds it, too"
    assert np.abs(quick.astype(int) - drawn(method, [4], left)).max() > 0
    assert np.array_equal(quick_free, drawn(method, [4], left, sampler="lcm", pose_strength=0.0))
    assert np.array_equal(shown[:1], drawn(method, [4], left))

    progress = Progress(lambda update: progress.cancel(), every=0)
    with pytest.raises(Cancelled):
        method(left, [4], method.Options(), progress)


@pytest.mark.parametrize(("guidance", "strength"), [(3.0, 1.0), (1.0, 0.6)])
def test_with_a_pose_it_draws_what_the_pipeline_of_diffusers_draws(
    guidance: float, strength: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diffusers import DPMSolverMultistepScheduler, StableDiffusionControlNetPipeline

    monkeypatch.setattr("tqdm.std.tqdm.monitor_interval", 0)  # else it starts a thread
    torch.manual_seed(0)
    encoder, unet = IdentityEncoder(**ENCODER).eval(), denoiser(**{**UNET, "sample_size": 16}).eval()
    pose = trained_control().eval()
    # with eight pixels for one of a latent, as it is published: the pipeline has one size for pose and picture
    levels = {"block_out_channels": [8] * 4, "layers_per_block": 1}
    blocks = {
        name: [f"{part}Block2D"] * 4
        for name, part in (("down_block_types", "DownEncoder"), ("up_block_types", "UpDecoder"))
    }
    vae = autoencoder(**{**VAE, **levels, **blocks}).eval()
    method = PublishedArc2Face(
        fake_checkpoint("arc2face", conditioned_on=("listener",)), stable_diffusion(encoder, unet, vae, lambda: pose)
    )
    scheduler: Any = DPMSolverMultistepScheduler.from_config(SCHEDULE)  # type: ignore[arg-type]
    networks: dict[str, Any] = {"vae": vae, "unet": unet, "controlnet": pose, "scheduler": scheduler}
    lacks: dict[str, Any] = {"text_encoder": None, "tokenizer": None, "safety_checker": None, "feature_extractor": None}
    pipeline: Any = StableDiffusionControlNetPipeline(**networks, **lacks, requires_safety_checker=False)
    pipeline.set_progress_bar_config(disable=True)
    with torch.inference_mode():
        told = encoder(prompt(), torch.from_numpy(np.array(WHO.embedding))[None])
        untold = encoder(prompt(())[None])
    picture = head(128)
    expected = pipeline(
        image=torch.from_numpy(picture).permute(2, 0, 1)[None] / 255,
        prompt_embeds=told,
        negative_prompt_embeds=untold,
        latents=torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(9)),
        num_inference_steps=5,
        guidance_scale=guidance,
        controlnet_conditioning_scale=strength,
        output_type="pt",
    ).images
    options = method.Options(steps=5, guidance=guidance, pose_strength=strength)
    found, free = (method(Wish(WHO, pose=one), [9], options, Progress())[0].astype(int) for one in (picture, None))
    assert np.abs(found - to_pixels(2 * expected - 1)[0]).max() <= 1
    assert np.abs(found - free).max() > 5


def test_networks_of_half_the_precision_say_nearly_the_same() -> None:
    torch.manual_seed(0)
    encoder, unet, pose = (n.eval() for n in (IdentityEncoder(**ENCODER), denoiser(**UNET), trained_control()))
    prior = Arc2FacePrior(encoder, unet, pose)
    conditioning = prior.conditioning(torch.from_numpy(np.array(WHO.embedding))[None], torch.tensor([True]))
    seen = torch.from_numpy(head(64)).permute(2, 0, 1)[None] / 255
    given = (torch.randn(1, 4, 8, 8), torch.tensor([500]), conditioning, seen)
    with torch.inference_mode():
        whole = prior(*given)
        unet.half()
        pose.half()
        half = prior(*given)
    assert half.dtype == torch.float32 and not torch.equal(half, whole)
    assert (half - whole).abs().max() < 0.01 * whole.std()


def test_a_correction_is_what_its_weights_multiply_to() -> None:
    torch.manual_seed(0)
    unet, lora = denoiser(**UNET).eval(), Lora(2, UNET)
    names = {name.replace(".", "_"): name for name, _ in unet.named_modules()}
    corrections = dict(lora.named_children())
    given = (torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 77, 512))
    with torch.inference_mode():
        plain = unet(*given).sample
        with lora.on(unet):
            corrected = unet(*given).sample
        assert torch.equal(unet(*given).sample, plain)
        for name, of in corrections.items():
            of.alpha.fill_(1.0)
            layer = unet.get_submodule(names[name.removeprefix("lora_unet_")])
            up, down = (part.weight.float() for part in (of.lora_up, of.lora_down))
            layer.weight += 1.0 * (up.flatten(1) @ down.flatten(1)).view_as(layer.weight)
        merged = unet(*given).sample
    assert len(corrections) > 20 and not torch.allclose(plain, corrected, atol=1e-2)
    assert torch.allclose(merged, corrected, atol=1e-4)
