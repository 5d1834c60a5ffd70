"""RiDDLE's mapper: a face's StyleGAN2 code and a password become the code of another face, and back.

Paper: Li et al., "RiDDLE: Reversible and Diversified De-Identification With Latent Encryptor", CVPR 2023. Source:
ldz666666/RiDDLE, mapper/latent_id_mappers.py (no licence). Attribute names are its state-dict keys, in a checkpoint behind
the wrapper "mapper_state_dict". The published configuration alone: without the position embeddings and the last linear
layer that its code can add. It is one of three networks; e4e's encoder and a StyleGAN2 of 256 px belong to it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class RiddleMapper(nn.Module):
    """Codes in W+ and a password to codes in W+.

    Args:
        split_list: how many of the code's rows each decoder layer works on, coarse ones first.
        d_model, nhead, dim_feedforward: of the decoder layers.
    """

    def __init__(
        self,
        split_list: tuple[int, ...] = (4, 4, 6),
        d_model: int = 512,
        nhead: int = 4,
        dim_feedforward: int = 1024,
    ) -> None:
        super().__init__()
        self.split_list = tuple(split_list)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(d_model, nhead, dim_feedforward, batch_first=True) for _ in self.split_list
        )

    def forward(self, x: Tensor) -> Tensor:
        """Codes (B, L, D) of `x` (B, L, 2 D): beside each row of the face's code a row of the password's.

        A group of rows looks at the password's rows of its own group alone. L is the sum of `split_list`: ValueError.
        """
        if x.shape[1] != sum(self.split_list):
            raise ValueError(f"{sum(self.split_list)} rows are expected, not {x.shape[1]}")
        code, password = (half.split(self.split_list, 1) for half in x.chunk(2, -1))
        return torch.cat([layer(*rows) for layer, *rows in zip(self.layers, code, password, strict=True)], 1)

    def mapped(self, codes: Tensor, password: Tensor) -> Tensor:
        """The same of `codes` (B, L, D) with `password` (B, D), which stands beside each row."""
        return self(torch.cat([codes, password[:, None].expand_as(codes)], -1))
