"""Face Anonymization Made Simple: a Stable Diffusion that sees a face twice, and by `degree` less, or the opposite, of one.

Paper: Kung et al., "Face Anonymization Made Simple", WACV 2025; source hanweikung/face_anon_simple (AGPL-3.0; no code taken).
The three networks are U-Nets of diffusers in the configuration of Stable Diffusion 2.1; what is here is how the two
reference networks hand what they see to the third. Attribute names are the published folders, keys those of their files. As in
the published code all attentions of a block get what the reference networks had before the first attention of that block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn

GUIDANCE = 4.0
DEGREE = 1.25  # of the published examples; 0 swaps the source's face in, 1 forgets it, beyond is its opposite

_SD21: dict[str, Any] = {
    "sample_size": 96,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 1024,
    "attention_head_dim": (5, 10, 20, 20),
    "use_linear_projection": True,
    "upcast_attention": True,
}


def denoiser(**config: Any) -> Any:
    """Each of the three networks, for latents (B, 4, h, w); arguments as of diffusers' UNet2DConditionModel."""
    return UNet2DConditionModel(**{**_SD21, **config})


class Seen(NamedTuple):
    """What the reference networks made of B faces, first without the source and then with it, so 2 B of each.

    `states`: by block, what its self-attentions look at besides, (2 B, N, C); `tokens`: (2 B, 2, D).
    """

    states: Mapping[str, Tensor]
    tokens: Tensor


class FaceAnonSimple(nn.Module):
    """The three networks; keyword arguments as of `denoiser`."""

    def __init__(self, **config: Any) -> None:
        super().__init__()
        self.unet = denoiser(**config)
        self.referencenet = denoiser(**config)
        self.conditioning_referencenet = denoiser(**config)

    def look(
        self,
        source: Tensor,
        conditioning: Tensor,
        source_token: Tensor,
        conditioning_token: Tensor,
        degree: float = DEGREE,
    ) -> Seen:
        """What is to be seen of the latents `source`, of who, and `conditioning`, of everything else, (B, 4, h, w) each.

        The tokens (B, 1, D) are CLIP's pooled embeddings of the two pictures. To anonymize, both are the same face; to swap,
        `source` is another one and `degree` 0. Good for all steps of a drawing.
        """
        nothing = torch.zeros_like(source_token)
        who = torch.cat([nothing, (1 - degree) * source_token])
        rest = torch.cat([conditioning_token, conditioning_token])
        with _noted(self.referencenet) as states:
            self.referencenet(torch.cat([torch.zeros_like(source), source]), 0, who)
        with _noted(self.conditioning_referencenet) as others:
            self.conditioning_referencenet(torch.cat([conditioning, conditioning]), 0, rest)
        joined = {}
        for block, state in states.items():
            without, given = state.chunk(2)
            mixed = torch.cat([without, given * (1 - degree) + without * degree])
            joined[block] = torch.cat([mixed, others[block]], 1)
        return Seen(joined, torch.cat([who, rest], 1))

    def forward(self, x: Tensor, timestep: Tensor | int, seen: Seen) -> Tensor:
        """The noise in latents `x` (B, 4, h, w), without and with the source: (2 B, 4, h, w)."""
        with _shown(self.unet, seen.states):
            told: Tensor = self.unet(torch.cat([x, x]), timestep, seen.tokens).sample
        return told

    def guided(self, x: Tensor, timestep: Tensor | int, seen: Seen, guidance: float = GUIDANCE) -> Tensor:
        """The noise in `x` (B, 4, h, w), by `guidance` times what the source adds."""
        without, given = self(x, timestep, seen).chunk(2)
        return without + guidance * (given - without)


def _attentions(network: nn.Module) -> dict[str, list[nn.Module]]:
    """The self-attentions of each block, in their order. "up_blocks.1.attentions.0.(...).attn1" is of "up_blocks.1"."""
    found: dict[str, list[nn.Module]] = {}
    for name, module in network.named_modules():
        if name.endswith(".attn1"):
            found.setdefault(name.partition(".attentions.")[0], []).append(module)
    return found


@contextmanager
def _noted(network: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Note by block what its first self-attention is given, while `network` runs."""
    noted: dict[str, Tensor] = {}

    def noting(block: str) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
            noted[block] = given[0]

        return note

    handles = [each[0].register_forward_pre_hook(noting(block)) for block, each in _attentions(network).items()]
    try:
        yield noted
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def _shown(network: nn.Module, states: Mapping[str, Tensor]) -> Iterator[None]:
    """Let the self-attentions of each block look at its `states` behind what they look at by themselves."""

    def showing(block: str) -> Callable[..., tuple[Any, dict[str, Any]]]:
        def show(module: nn.Module, given: tuple[Any, ...], more: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
            return given, {**more, "encoder_hidden_states": torch.cat([given[0], states[block]], 1)}

        return show

    handles = [
        attention.register_forward_pre_hook(showing(block), with_kwargs=True)
        for block, each in _attentions(network).items()
        for attention in each
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
