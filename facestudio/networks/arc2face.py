"""Arc2Face's networks as published: Stable Diffusion 1.5 whose text encoder says one thing only, who the face is.

Paper: Papantoniou et al., "Arc2Face: A Foundation Model of Human Faces", ECCV 2024; source foivospar/Arc2Face (MIT; no code
taken). The networks are those of diffusers and transformers; what is here is their published configurations, the rule by
which an identity becomes a prompt, and the three as one prior that diffusion/sampling.py draws from. Keys are the published ones.
What differs: prompts of several identities are encoded together, which the authors' own code cannot do.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPTextConfig, CLIPTextModel

# "photo of a id person" as CLIP's tokenizer says it; the encoder knows no other prompt but this and the empty one
START, WORDS, END = 49406, (1125, 539, 320, 1014, 2533), 49407
ID = 1014  # the word "id", in whose place the identity stands
LENGTH = 77
# the noise that it was trained with, in the words of diffusers' schedulers
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon",
    "clip_sample": False,
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
LATENT = (4, 64, 64)  # of a picture of 512 px
FINER = 8  # pixels of a pose picture for one of a latent, a side
_LEVELS: dict[str, Any] = {
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}


def prompt(words: tuple[int, ...] = WORDS) -> Tensor:
    """The ids (77,) int64 of a prompt; without `words` of the empty one, which stands for nobody."""
    said = (START, *words)
    return torch.tensor([*said, *(END,) * (LENGTH - len(said))])


class IdentityEncoder(nn.Module):
    """Prompts to what the U-Net hears: CLIP's text encoder, in which an identity may stand for a word.

    Keyword arguments are those of transformers' CLIPTextConfig; without any it is the published one.
    """

    def __init__(self, **config: Any) -> None:
        super().__init__()
        # the eos id is the one that old configurations have; it concerns only the pooled output, which nobody hears
        published = {"vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "eos_token_id": 2}
        sizes = {"num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": LENGTH}
        model: Any = CLIPTextModel(CLIPTextConfig(**{**published, **sizes, **config}))
        # transformers 5 has one level of names less
        self.text_model: Any = getattr(model, "text_model", model)

    def forward(self, ids: Tensor, identity: Tensor | None = None, word: int = ID) -> Tensor:
        """The last hidden states (B, L, width) of prompts `ids` (B, L), or of one (L,) for all of B identities.

        Each `identity` (B, D), of any length, stands with length 1 and zeros behind it where its prompt has `word`.
        """
        words = self.text_model.embeddings.token_embedding(ids)
        if identity is not None:
            words = words.expand(len(identity), -1, -1)
            unit = functional.normalize(identity, dim=1)
            padded = functional.pad(unit, (0, words.shape[2] - unit.shape[1]))[:, None]
            words = torch.where((ids == word)[..., None], padded.to(words.dtype), words)
        words = words.reshape(-1, *words.shape[-2:])
        # the model takes words by their number only, so it gets a table of these very words
        numbers = torch.arange(words[..., 0].numel(), device=words.device).view(words.shape[:2])
        table = {"embeddings.token_embedding.weight": words.flatten(0, 1)}
        told = torch.func.functional_call(self.text_model, table, (numbers,))
        states: Tensor = told.last_hidden_state
        return states


def denoiser(**config: Any) -> Any:
    """The U-Net: tells the noise in latents (B, 4, h, w) of Stable Diffusion; arguments as of UNet2DConditionModel."""
    up = {"up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3)}
    return UNet2DConditionModel(**{"sample_size": LATENT[1], **_LEVELS, **up, **config})


def control(**config: Any) -> Any:
    """The pose ControlNet; arguments as of diffusers' ControlNetModel.

    It sees pictures (B, 3, 8h, 8w) in [0, 1] of a head's normals, n / 2 + 1 / 2 as RGB.
    """
    return ControlNetModel(**{**_LEVELS, **config})


def autoencoder(**config: Any) -> Any:
    """The autoencoder of Stable Diffusion 1.5; arguments as of diffusers' AutoencoderKL."""
    levels = {
        "down_block_types": ("DownEncoderBlock2D",) * 4,
        "up_block_types": ("UpDecoderBlock2D",) * 4,
        "block_out_channels": (128, 256, 512, 512),
        "layers_per_block": 2,
        "sample_size": 512,
    }
    return AutoencoderKL(**{**levels, **config})


class Arc2FacePrior(nn.Module):
    """The published networks as a prior: `encoder`, `unet` and, where poses are given, a `control`.

    It speaks float32 whatever the U-Net computes in, say float16.

    Args:
        strength: 0 to 1, how much of what the ControlNet says is taken.
    """

    dimensions = 512

    def __init__(
        self, encoder: nn.Module, unet: nn.Module, control: nn.Module | None = None, strength: float = 1.0
    ) -> None:
        super().__init__()
        self.encoder, self.unet, self.control, self.strength = encoder, unet, control, strength

    def conditioning(self, identity: Tensor, known: Tensor) -> Tensor:
        """The conditioning (B, 77, 768) that `forward` takes: the prompt with the `identity` (B, 512) where it is `known` (B,),
        else the empty prompt."""
        said = self.encoder(prompt().to(identity.device), identity)
        nothing = self.encoder(prompt(()).to(identity.device)[None])
        return torch.where(known[:, None, None], said, nothing)

    def forward(self, noisy: Tensor, time: Tensor, conditioning: Tensor, sketch: Tensor | None = None) -> Tensor:
        """The noise in `noisy` latents (B, 4, h, w) at `time` (B,), under its `conditioning` and, for the ControlNet, a `sketch`
        (B, 3, 8h, 8w). ValueError for a sketch without a ControlNet."""
        more: dict[str, Any] = {}
        kind = next(self.unet.parameters()).dtype
        given = (noisy.to(kind), time, conditioning.to(kind))
        if sketch is not None:
            if self.control is None:
                raise ValueError("without a ControlNet no pose can be given")
            seen: dict[str, Any] = {"controlnet_cond": sketch.to(kind), "conditioning_scale": self.strength}
            down, mid = self.control(*given, **seen, return_dict=False)
            more = {"down_block_additional_residuals": down, "mid_block_additional_residual": mid}
        noise: Tensor = self.unet(*given, **more).sample
        return noise.to(noisy.dtype)
