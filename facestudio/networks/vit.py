"""A small Vision Transformer for faces, which also shows its attention and what its inner blocks know.

Paper: Dosovitskiy et al., "An Image is Worth 16x16 Words", 2021 (ViT). What differs is there because our faces are few, and
convolutions know beforehand that neighbours belong together: the patches come from a convolutional stem (Xiao et al.,
"Early Convolutions Help Transformers See Better", 2021), and each block first lets a token see its neighbours by a
depthwise convolution (Chu et al., "Conditional Positional Encodings", 2021). The 196 tokens of 8 px are read by a global
depthwise weighting, as in MobileFaceNet, instead of a class token: every place of an aligned face has a meaning of its own.

Two training-free measures of quality need more than the embedding, and `examine` gives it: ATTN-FIQA (Ozgur et al., 2026,
arXiv 2604.22841) averages the pre-softmax attention of the last block; EX-FIQA (Ozgur et al., 2026, arXiv 2604.22842) reads
the blocks before it. The usual `forward` pays nothing for this: it runs fused attention, which never forms these logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from facestudio.networks.embedder import Mirrored, ResidualBlock

GRID = 14  # tokens a side


@dataclass(frozen=True)
class Examination:
    """What L blocks (`blocks`, the first is 0) made of B crops; H heads, W the width, D the embedding's length.

    Attributes:
        exits: (L, B, D) what the head makes of the tokens after each block, not normalised: early-exit embeddings. After
            the last block of the network this is its embedding.
        pooled: (L, B, W) mean of the tokens after each block, under the last layer normalisation.
        logits: (L, B, H, 196, 196) float32, attention before the softmax, query by key, divided by sqrt(W / H).
    """

    blocks: tuple[int, ...]
    exits: Tensor
    pooled: Tensor
    logits: Tensor


def as_map(tokens: Tensor) -> Tensor:
    """(B, 196, W) as (B, W, 14, 14): the same memory, in channels_last order."""
    return tokens.transpose(1, 2).unflatten(2, (GRID, GRID))


def as_tokens(maps: Tensor) -> Tensor:
    """(B, W, 14, 14) as (B, 196, W)."""
    return maps.flatten(2).transpose(1, 2)


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (width // heads) ** -0.5
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def split(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, N, W / H) of tokens (B, N, W)."""
        batch, tokens, width = x.shape
        q, k, v = self.qkv(x).view(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        return q, k, v

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.split(x)
        if self.training:
            # on a CPU the fused attention's backward pass takes three times as long as these products
            seen = torch.softmax(q @ (k * self.scale).transpose(-2, -1), -1) @ v
        else:
            seen = functional.scaled_dot_product_attention(q, k, v)
        return self.proj(seen.transpose(1, 2).flatten(2))

    def logits(self, x: Tensor) -> Tensor:
        """(B, H, N, N) float32: what the softmax would be taken of."""
        q, k, _ = self.split(x)
        return q.float() @ k.float().transpose(-2, -1) * self.scale


class Block(nn.Module):
    """Neighbours (if `local`), pre-normalised attention and a two-layer perceptron, all residual."""

    def __init__(self, width: int, heads: int, ratio: float, local: bool) -> None:
        super().__init__()
        self.local = nn.Conv2d(width, width, 3, 1, 1, groups=width) if local else None
        self.norm1 = nn.LayerNorm(width)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, int(width * ratio))
        self.fc2 = nn.Linear(int(width * ratio), width)

    def entering(self, x: Tensor) -> Tensor:
        """The tokens (B, N, W) that the attention is added to."""
        return x if self.local is None else x + as_tokens(self.local(as_map(x)))

    def forward(self, x: Tensor) -> Tensor:
        x = self.entering(x)
        x = x + self.attn(self.norm1(x))
        return x + self.fc2(functional.gelu(self.fc1(self.norm2(x))))


class FaceTransformer(Mirrored):
    """ARCFACE_112 crop to embedding.

    Args:
        width, heads, depth: of the transformer; ratio: width of the perceptrons / `width`.
        stem: channels at strides 2 and 4 of the convolutional stem; () takes linear patches of 8 px.
        refined: residual blocks at the end of the stem, if there is one.
        local: let each block look at the neighbouring tokens first.
        features: channels that the tokens are widened to before they are weighted by place and summed.
        dimensions: length of the embedding.
    """

    def __init__(
        self,
        width: int = 144,
        heads: int = 3,
        depth: int = 12,
        ratio: float = 2.0,
        stem: tuple[int, ...] = (32, 64),
        refined: int = 2,
        local: bool = True,
        features: int = 512,
        dimensions: int = 512,
    ) -> None:
        super().__init__()
        self.stem = nn.Sequential()
        inputs = 3
        for channels in stem:
            self.stem.append(nn.Conv2d(inputs, channels, 3, 2, 1, bias=False))
            self.stem.append(nn.BatchNorm2d(channels))
            self.stem.append(nn.GELU())
            inputs = channels
        self.stem.extend(ResidualBlock(inputs) for _ in range(refined if stem else 0))
        self.patches = nn.Conv2d(inputs, width, 3, 2, 1) if stem else nn.Conv2d(3, width, 8, 8)
        self.places = nn.Parameter(torch.randn(1, GRID * GRID, width) * 0.02)
        self.blocks = nn.ModuleList(Block(width, heads, ratio, local) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.widen = nn.Linear(width, features)
        self.bn = nn.BatchNorm1d(features)
        self.weigh = nn.Parameter(torch.randn(GRID * GRID, features) / GRID)
        self.bn2 = nn.BatchNorm1d(features)
        self.fc = nn.Linear(features, dimensions)

    def early(self, x: Tensor) -> Tensor:
        """Tokens after half of the blocks as a map (B, W, 14, 14), of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        x = self.tokens(x)
        for block in self.blocks[: len(self.blocks) // 2]:
            x = block(x)
        return as_map(x)

    def late(self, x: Tensor) -> Tensor:
        """Map (B, W, 14, 14) after the other half of the blocks."""
        x = as_tokens(x)
        for block in self.blocks[len(self.blocks) // 2 :]:
            x = block(x)
        return as_map(x)

    def head(self, x: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of a map (B, W, 14, 14)."""
        return self.read(as_tokens(x))

    def forward(self, x: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        return self.head(self.late(self.early(x)))

    def examine(self, x: Tensor, blocks: Sequence[int] | None = None) -> Examination:
        """What the blocks numbered `blocks` (ascending; None: the last) make of `x` (B, 3, 112, 112) RGB in [-1, 1].

        Runs no further than the last of them. The logits take 460 kB a crop, head-triple and block: examine few blocks, or
        small batches. ValueError when there is no such block.
        """
        chosen = (len(self.blocks) - 1,) if blocks is None else tuple(blocks)
        if not chosen or sorted(set(chosen)) != list(chosen) or chosen[0] < 0 or chosen[-1] >= len(self.blocks):
            raise ValueError(f"blocks {chosen} are not some of 0 to {len(self.blocks) - 1}, ascending")
        exits, pooled, logits = [], [], []
        x = self.tokens(x)
        for index, block in enumerate(self.blocks[: chosen[-1] + 1]):
            if index in chosen:
                logits.append(block.attn.logits(block.norm1(block.entering(x))))
            x = block(x)
            if index in chosen:
                exits.append(self.read(x))
                pooled.append(self.norm(x).mean(1))
        return Examination(chosen, torch.stack(exits), torch.stack(pooled), torch.stack(logits))

    def tokens(self, x: Tensor) -> Tensor:
        """Tokens (B, 196, W) that enter the first block, row by row, of `x` (B, 3, 112, 112) RGB in [-1, 1]."""
        x = as_tokens(self.patches(self.stem(x)))
        return x + self.places.to(x.dtype)

    def read(self, tokens: Tensor) -> Tensor:
        """Embeddings (B, D), not normalised, of `tokens` (B, 196, W) after any block."""
        x = self.widen(self.norm(tokens))
        x = functional.gelu(self.bn(x.flatten(0, 1))).view(x.shape)
        return self.fc(self.bn2((x * self.weigh.to(x.dtype)).sum(1)))
