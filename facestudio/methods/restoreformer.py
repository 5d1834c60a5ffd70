"""RestoreFormer and RestoreFormer++: one pass through a codebook of good faces, asked for by the degraded one.

After Wang et al., "RestoreFormer" (CVPR 2022) and "RestoreFormer++" (TPAMI 2023), source wzhouxiff/RestoreFormerPlusPlus
(Apache-2.0; no code taken). Its weights are those its authors published; it is fast, deterministic, and has no knob between
fidelity and quality. What differs: photos are cropped and pasted by our own faces/align.py and faces/paste.py.
"""

from __future__ import annotations

from facestudio.methods.onepass import OnePass, Options

__all__ = ["Options", "RestoreFormer"]


class RestoreFormer(OnePass):
    """The loaded method; its network is networks/restoreformer.py. Nothing is random, so a seed changes nothing."""

    id = "restoreformer"
