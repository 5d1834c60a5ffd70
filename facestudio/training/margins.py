"""Margin losses by their names, as `python -m facestudio.training RECIPE --margin NAME` asks for them.

Separate from `losses` and `adaface`, which know no names. The scale is 32 where the papers, of far more people, take 64.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from facestudio.errors import UsageError
from facestudio.training.adaface import AdaFace
from facestudio.training.losses import Adaptive, ArcFace, CosFace, ElasticFace, Margin, SFace, UnifiedNegatives

SCALE = 32.0
MARGINS: dict[str, Callable[[], Margin | Adaptive | None]] = {
    "none": lambda: None,
    "arcface": partial(ArcFace, SCALE),
    "cosface": partial(CosFace, SCALE, 0.35),
    "elasticface": partial(ElasticFace, SCALE, 0.5, angular=True),
    "elasticface-cos": partial(ElasticFace, SCALE),
    "elasticface-plus": partial(ElasticFace, SCALE, 0.5, 0.0175, angular=True, plus=True),
    "sface": SFace,
    "adaface": partial(AdaFace, SCALE),
}


def choose(recipe: Any, name: str | None, unpg: bool = False) -> str:
    """Let `recipe` train with the margin called `name` (None: its own), and with UNPG's pairs of strangers; what the run is
    called for that, "" where nothing was asked.

    UsageError when there is no such margin, the recipe is no embedder's that takes one, or a loss has no place for the pairs.
    """
    if name is None and not unpg:
        return ""
    if not hasattr(recipe, "margin"):
        raise UsageError(f"{recipe.id} has no margin loss.", hint="Those of embedder_b and embedder_c can be chosen.")
    if name is not None:
        if name not in MARGINS:
            raise UsageError(f"There is no margin loss called {name}.", hint=f"There are: {', '.join(MARGINS)}.")
        recipe.margin = MARGINS[name]()
    if unpg and (recipe.margin is None or isinstance(recipe.margin, SFace)):
        raise UsageError("Pairs of strangers join the denominator of a softmax, and this loss has none.")
    recipe.negatives = UnifiedNegatives() if unpg else recipe.negatives
    return "".join([f"-margin={name}" if name is not None else "", "-unpg" if unpg else ""])
