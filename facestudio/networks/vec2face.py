"""Vec2Face: a masked autoencoder whose tokens are all made of one vector, and a convolutional decoder of what it fills in.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025, and its successor
Vec2Face+; sources HaiyuWu/Vec2Face (MIT) and HaiyuWu/Vec2Face_plus (no licence file); no code taken. Attribute names are the
published state-dict keys. What differs: each vector may have a mask rate of its own, and nothing random is drawn in here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.vqgan import Upsample, normalisation


class Masks:
    """Which places of B rows of tokens are hidden: `dropped`, and `masked`, which those are among; both (B, 1 + N) bool.

    The first token of each row, which is the vector itself, never is. Of the others those with the least `noise` (B, N) are, by
    the share `rate` of them, one for all rows or (B,); the share `dropped_rate`, the least rate that is drawn, is dropped.
    """

    def __init__(self, noise: Tensor, rate: float | Tensor, dropped_rate: float) -> None:
        places = noise.shape[1]
        masked = torch.ceil(torch.as_tensor(rate, dtype=torch.float64, device=noise.device) * places)
        rank = functional.pad(noise.argsort(1).argsort(1), (1, 0), value=places)
        self.dropped = rank < math.ceil(places * dropped_rate)
        self.masked = (rank < masked.view(-1, 1)) | self.dropped


class LowRank(nn.Module):
    """A linear layer and a correction of low rank, `scale` times; the names are those of the published LoRA."""

    def __init__(self, base: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / rank)
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.base = base
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        known: Tensor = self.base(x)
        return known + self.scale * (x @ self.A.T) @ self.B.T


class Attention(nn.Module):
    """Self-attention of tokens (B, N, C), step by step as published.

    Fused attention rounds otherwise, and that shows: through twenty blocks with corrections, 1e-7 can grow to 1e-2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv: nn.Module = nn.Linear(width, 3 * width)
        self.proj: nn.Module = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        alike = q @ k.transpose(2, 3) * q.shape[-1] ** -0.5
        share = (alike - alike.amax(-1, keepdim=True)).softmax(-1)
        told: Tensor = self.proj((share @ v).transpose(1, 2).flatten(2))
        return told


class Perceptron(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, inner)
        self.fc2 = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(x)))


class Block(nn.Module):
    """Attention and a perceptron, each normalised before and added."""

    def __init__(self, width: int, heads: int, ratio: float) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = Perceptron(width, int(width * ratio))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Places(nn.Module):
    """Tells each token where it stands, and normalises it."""

    position_ids: Tensor

    def __init__(self, count: int, width: int) -> None:
        super().__init__()
        self.register_buffer(
            "position_ids", torch.arange(count)[None]
        )  # nobody reads it, but the published file has it
        self.position_embeddings = nn.Embedding(count, width)
        self.LayerNorm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        told: Tensor = self.LayerNorm(x + self.position_embeddings.weight)
        return told


class ResidualBlock(nn.Module):
    """As of vqgan.py, but without bias, and where the width changes it is the result that is mapped and added to itself."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm1 = normalisation(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.norm2 = normalisation(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        if inputs != outputs:
            self.nin_shortcut = nn.Conv2d(outputs, outputs, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(functional.silu(self.norm1(x)))
        h = self.conv2(functional.silu(self.norm2(h)))
        return h + (self.nin_shortcut(h) if hasattr(self, "nin_shortcut") else x)


class Level(nn.Module):
    """Blocks, then twice the size where it is not the last."""

    def __init__(self, inputs: int, outputs: int, blocks: int, last: bool) -> None:
        super().__init__()
        self.block = nn.ModuleList(ResidualBlock(outputs if n else inputs, outputs) for n in range(blocks))
        if not last:
            self.upsample = Upsample(outputs)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        return self.upsample(x) if hasattr(self, "upsample") else x


class Middle(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.block_1 = ResidualBlock(width, width)
        self.block_2 = ResidualBlock(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.block_2(self.block_1(x))


class ImageDecoder(nn.Module):
    """Maps (B, `channels`, h, w) to pictures (B, 3, 16h, 16w); `widths` are those of the levels, the last one first."""

    def __init__(self, channels: int, widths: Sequence[int], blocks: int) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        entering = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(
            Level(entering[n], width, blocks, last=n == 0) for n, width in enumerate(widths)
        )  # run from the last to the first
        self.norm_out = normalisation(widths[0])
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class Vec2Face(nn.Module):
    """Vectors to faces of 112 px; the defaults are the published network.

    Args (with the published names where there are any):
        rep_dim: length of the vectors; embed_dim, depth, num_heads: of the encoder; decoder_depth, decoder_num_heads: of the
            decoder, which is as wide; mlp_ratio: of all blocks.
        z_channels: of the map that the image decoder starts from; ch, ch_mult, num_res_blocks: its widths and blocks.
        mask_ratio_min, mask_ratio_max, mask_ratio_mu, mask_ratio_std: which rates it is to be asked with: of a normal
            distribution with this mean and deviation between these bounds. The least one is always dropped.
        lora_r, lora_alpha: rank of the corrections that Vec2Face+ has for poses, 0 for none, and their weight times it.
    """

    def __init__(
        self,
        rep_dim: int = 512,
        embed_dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        decoder_depth: int = 8,
        decoder_num_heads: int = 16,
        mlp_ratio: float = 4.0,
        z_channels: int = 256,
        ch: int = 128,
        ch_mult: Sequence[int] = (1, 1, 2, 2, 4),
        num_res_blocks: int = 2,
        mask_ratio_min: float = 0.1,
        mask_ratio_max: float = 1.0,
        mask_ratio_mu: float = 0.15,
        mask_ratio_std: float = 0.25,
        lora_r: int = 0,
        lora_alpha: float = 32.0,
    ) -> None:
        super().__init__()
        self.rates = (mask_ratio_mu, mask_ratio_std, mask_ratio_min, mask_ratio_max)
        self.dimensions, self.side = rep_dim, 7
        self.places = self.side**2
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, 1 + self.places, embed_dim))
        self.token_emb = Places(1 + self.places, embed_dim)
        self.latent_prior_proj_f = nn.Linear(rep_dim, embed_dim)
        self.feature_token = nn.Linear(1, self.places)
        # this and patch_embed are in the published file, and take no part in anything
        self.center_token = nn.Linear(embed_dim, self.places)
        self.im_decoder = ImageDecoder(z_channels, [ch * multiple for multiple in ch_mult], num_res_blocks)
        self.im_decoder_proj = nn.Linear(embed_dim, z_channels)
        self.patch_embed = nn.Module()
        self.patch_embed.proj = nn.Conv2d(3, embed_dim, 16, stride=16)
        self.blocks = nn.ModuleList(Block(embed_dim, num_heads, mlp_ratio) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dim, eps=1e-6)
        self.decoder_embed = nn.Linear(embed_dim, embed_dim)
        self.decoder_blocks = nn.ModuleList(
            Block(embed_dim, decoder_num_heads, mlp_ratio) for _ in range(decoder_depth)
        )
        self.decoder_norm = nn.LayerNorm(embed_dim, eps=1e-6)
        if lora_r:
            for block in (*self.blocks, *self.decoder_blocks):
                for name in ("qkv", "proj"):
                    setattr(block.attn, name, LowRank(getattr(block.attn, name), lora_r, lora_alpha / lora_r))

    def masks(self, noise: Tensor, rate: float | Tensor) -> Masks:
        """What is hidden by `noise` (B, 49) and a `rate`, see Masks."""
        return Masks(noise, rate, self.rates[2])

    def encode(self, vectors: Tensor, masks: Masks) -> Tensor:
        """The tokens (B, 50 - dropped, C) that are left of `vectors` (B, D)."""
        said = self.latent_prior_proj_f(vectors)
        tokens = torch.cat([said[:, None], self.feature_token(said[..., None]).transpose(1, 2)], 1)
        tokens = torch.where(masks.masked[..., None], said[:, None], tokens)
        x = self.token_emb(tokens)[~masks.dropped].unflatten(0, (len(vectors), -1))
        for block in self.blocks:
            x = block(x)
        told: Tensor = self.norm(x)
        return told

    def decode(self, encoded: Tensor, masks: Masks, pose: Tensor | None = None) -> Tensor:
        """The map (B, z_channels, 7, 7) of what was `encoded`; what is hidden is filled by the vector's own token or, where it
        is given, by the `pose` (B, 1, C)."""
        if pose is None:
            encoded = self.decoder_embed(encoded)
        x = (encoded[:, :1] if pose is None else pose).repeat(1, 1 + self.places, 1)
        there = torch.zeros_like(x).masked_scatter(~masks.dropped[..., None], encoded)
        x = torch.where(masks.masked[..., None], x, there) + self.decoder_pos_embed_learned
        for block in self.decoder_blocks:
            x = block(x)
        tokens: Tensor = self.im_decoder_proj(self.decoder_norm(x)[:, 1:])
        return tokens.transpose(1, 2).unflatten(2, (self.side, self.side))

    def forward(
        self, vectors: Tensor, noise: Tensor, rate: float | Tensor = 0.15, pose: Tensor | None = None
    ) -> Tensor:
        """Faces (B, 3, 112, 112) RGB of about [-1, 1] of `vectors` (B, D), which are as long as the recogniser makes them.

        `noise` (B, 49), uniform, and the `rate`, or one a vector (B,), decide what is hidden; `pose` as PoseEncoder tells it.
        """
        masks = self.masks(noise, rate)
        faces: Tensor = self.im_decoder(self.decode(self.encode(vectors, masks), masks, pose))
        return faces


class PoseEncoder(nn.Module):
    """Vec2Face+'s pictures of landmarks, (B, 3, 112, 112) RGB in [-1, 1] on black, to what says the pose, (B, 1, C)."""

    def __init__(self, width: int = 768, channels: Sequence[int] = (32, 64, 128, 256)) -> None:
        super().__init__()
        for number, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False), 1):
            self.add_module(f"conv{number}", nn.Conv2d(inputs, outputs, 3, stride=2, padding=1))
        self.count = len(channels)
        self.linear = nn.Linear(channels[-1] * (112 >> len(channels)) ** 2, width)

    def forward(self, drawn: Tensor) -> Tensor:
        for number in range(1, self.count + 1):
            drawn = functional.relu(self.get_submodule(f"conv{number}")(drawn))
        told: Tensor = self.linear(drawn.flatten(1))
        return told[:, None]
