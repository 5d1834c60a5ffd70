"""Vec2Face: a masked autoencoder whose tokens are all made of one vector, and a convolutional decoder of what it fills in.

Paper: Wu et al., "Vec2Face: Scaling Face Dataset Generation with Loosely Constrained Vectors", ICLR 2025, and its successor
Vec2Face+; sources HaiyuWu/Vec2Face (MIT) and HaiyuWu/Vec2Face_plus (no licence file); no code taken. Attribute names are the
published state-dict keys. What differs: each vector may have a mask rate of its own, and nothing random is drawn in here.

Our own weights are of a small form of it (`looks`, `latent`, `coarse`). A vector says who somebody is and hardly how they look
just then, so that what is left open would be averaged, which is blur: this form is told that too, in a few numbers that a seed
draws. It draws latents of our autoencoder, which learned what skin and hair are like. And a linear path runs beside the network,
so that this only learns what the best linear answer lacks.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.vqgan import Upsample, normalisation

LIGHTS = 2  # sliders of light


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
    """Maps (B, `channels`, h, w) to (B, `outputs`, S h, S w); `widths` are those of the levels, the last one first.

    Each level but the last doubles the size; of pictures there are 3 outputs.
    """

    def __init__(self, channels: int, widths: Sequence[int], blocks: int, outputs: int = 3) -> None:
        super().__init__()
        self.conv_in = nn.Conv2d(channels, widths[-1], 3, padding=1)
        self.mid = Middle(widths[-1])
        entering = [*widths[1:], widths[-1]]
        self.up = nn.ModuleList(
            Level(entering[n], width, blocks, last=n == 0) for n, width in enumerate(widths)
        )  # run from the last to the first
        self.norm_out = normalisation(widths[0])
        self.conv_out = nn.Conv2d(widths[0], outputs, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.mid(self.conv_in(x))
        for level in reversed(self.up):
            x = level(x)
        return self.conv_out(functional.silu(self.norm_out(x)))


class Looks(nn.Module):
    """How somebody looks just then, in numbers that are about normal and do not depend, linearly, on who it is.

    The first say where the features are, the others how the picture is lit and what else is coarse in it.

    Args:
        dimensions: length D of an identity; shapes, pictures: how many there are of each kind.
        anybody: main directions of identities that are kept; push: numbers of a latent of our own prior, in which light moves.
    """

    POINTS = 68

    def __init__(self, dimensions: int, shapes: int, pictures: int, anybody: int = 32, push: int = 4096) -> None:
        super().__init__()
        self.count = shapes + pictures
        self.shape = nn.Buffer(torch.zeros(shapes, 2 * self.POINTS))  # of landmarks (in px of the face) less their mean
        self.usual = nn.Buffer(torch.zeros(2 * self.POINTS))
        self.expected = nn.Buffer(torch.zeros(shapes, dimensions))  # of a unit identity less the middle
        self.lights = nn.Buffer(
            torch.zeros(LIGHTS, push)
        )  # what to multiply a push with to know how much of each it is
        self.lit = nn.Buffer(torch.zeros(pictures, LIGHTS))
        self.middle = nn.Buffer(torch.zeros(dimensions))
        self.anybody = nn.Buffer(torch.zeros(anybody, dimensions))  # main directions, as long as people deviate in them

    def shapes(self, landmarks: Tensor, identities: Tensor) -> Tensor:
        """Those (B, shapes) of faces whose `landmarks` (B, 68, 2) and unit `identities` (B, D) are known."""
        seen = (landmarks.flatten(1) - self.usual) @ self.shape.T
        return seen - (identities - self.middle) @ self.expected.T

    def light(self, push: Tensor) -> Tensor:
        """What a `push` (B, C, h, w) of our own prior's latent adds to the pictures (B, pictures), as far as it is light."""
        added: Tensor = push.flatten(1) @ self.lights.T @ self.lit.T
        return added

    def landmarks(self, looks: Tensor, identities: Tensor) -> Tensor:
        """The `landmarks` (B, 68, 2) whose shapes `looks` (B, L) begin with, as far as these say them."""
        seen = looks[:, : len(self.shape)] + (identities - self.middle) @ self.expected.T
        # the rows are orthogonal
        placed: Tensor = self.usual + seen @ (self.shape / self.shape.square().sum(1, keepdim=True))
        return placed.unflatten(1, (self.POINTS, 2))


class Vec2Face(nn.Module):
    """Vectors to faces of 112 px; the defaults are the published network.

    Args (with the published names where there are any):
        rep_dim: length of the vectors; embed_dim, depth, num_heads: of the encoder; decoder_depth, decoder_num_heads: of the
            decoder, which is as wide; mlp_ratio: of all blocks.
        z_channels: of the map that the image decoder starts from; ch, ch_mult, num_res_blocks: its widths and blocks.
        mask_ratio_min, mask_ratio_max, mask_ratio_mu, mask_ratio_std: which rates it is to be asked with: of a normal
            distribution with this mean and deviation between these bounds. The least one is always dropped.
        lora_r, lora_alpha: rank of the corrections that Vec2Face+ has for poses, 0 for none, and their weight times it.
        looks: for the small form, how many numbers say where features are, and what else is coarse; they follow the vector.
        latent: channels of the latents that it draws, 0 for pictures; side: of the map that the image decoder starts from.
        coarse: rank of the linear path, 0 for none; length: of the vectors, on average.
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
        looks: Sequence[int] = (),
        latent: int = 0,
        side: int = 7,
        coarse: int = 0,
        length: float = 22.0,
    ) -> None:
        super().__init__()
        self.looks = Looks(rep_dim, *looks) if looks else None
        self.length = length
        told = rep_dim + (self.looks.count if self.looks is not None else 0)
        self.rates = (mask_ratio_mu, mask_ratio_std, mask_ratio_min, mask_ratio_max)
        self.dimensions, self.side = rep_dim, side
        self.places = self.side**2
        self.decoder_pos_embed_learned = nn.Parameter(torch.zeros(1, 1 + self.places, embed_dim))
        self.token_emb = Places(1 + self.places, embed_dim)
        self.latent_prior_proj_f = nn.Linear(told, embed_dim)
        self.feature_token = nn.Linear(1, self.places)
        self.im_decoder = ImageDecoder(z_channels, [ch * multiple for multiple in ch_mult], num_res_blocks, latent or 3)
        self.im_decoder_proj = nn.Linear(embed_dim, z_channels)
        if not looks:
            # these are in the published file, and take no part in anything
            self.center_token = nn.Linear(embed_dim, self.places)
            self.patch_embed = nn.Module()
            self.patch_embed.proj = nn.Conv2d(3, embed_dim, 16, stride=16)
        self.drawn = (latent or 3, *(side << len(ch_mult) - 1,) * 2)
        self.coarse = (
            nn.Sequential(nn.Linear(told, coarse, bias=False), nn.Linear(coarse, math.prod(self.drawn)))
            if coarse
            else None
        )
        if latent:
            self.loud = nn.Buffer(torch.ones(latent))  # how much each channel of a latent shows in the picture
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
        In the small form looks follow the vectors (B, D + L), and latents (B, C, h, w) come out, `loud` times the autoencoder's.
        """
        masks = self.masks(noise, rate)
        faces: Tensor = self.im_decoder(self.decode(self.encode(vectors, masks), masks, pose))
        return faces if self.coarse is None else faces + self.linear(vectors)

    def linear(self, vectors: Tensor) -> Tensor:
        """What the linear path draws, as `forward`."""
        assert self.coarse is not None
        drawn: Tensor = self.coarse(vectors).float().unflatten(1, self.drawn)
        return drawn


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
