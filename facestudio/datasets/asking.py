"""What may be asked of a dataset, and which of its settings are known before anything is loaded.

Command line and window ask the same here, before they make anybody wait. Imports no torch.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from facestudio.checkpoints import Checkpoint
from facestudio.datasets.doubles import RULE, SETTING, Rule
from facestudio.datasets.places import check_free, settings_at
from facestudio.datasets.running import Shard
from facestudio.errors import UsageError
from facestudio.planning import is_file_name
from facestudio.populating import Order
from facestudio.recipe import Recipe

PER_IDENTITY = 8  # pictures of a person, unless somebody says how many
EXACT = (".png", ".webp", ".tif", ".tiff")  # keep every bit of a picture that was made, and hold the mark that it was


def check(out: Path, order: Order, shard: Shard, suffix: str) -> None:
    """UsageError when there are more parts than people, `suffix` loses something, or `out` is a file, is named like one, or is a
    folder that holds other things and no dataset."""
    if shard.count > order.people:
        raise UsageError(f"{people(order.people)} cannot be drawn in {shard.count} parts.")
    if suffix not in EXACT:
        raise UsageError(
            "Pictures of a dataset are judged before they are written, so the file format must be lossless: "
            f"{', '.join(EXACT)}, not {suffix.lstrip('.')}."
        )
    if is_file_name(out) or (os.path.lexists(out) and not os.path.isdir(out)):
        raise UsageError(f"The output {out} is a file, or looks like a picture; name a folder for a dataset.")
    check_free(out)


def settings_of(
    recipe: Recipe, options: Any, order: Order, far: float, suffix: str, rule: Rule = RULE
) -> dict[str, Any]:
    """Those of the settings in each record (`records.PersonRecord`) that are known before weights are looked at.

    Args:
        options: all of the method's, an instance of its options class. far: of the judges' thresholds. suffix: of the pictures.
        rule: by which people are kept apart in pictures, where they are.
    """
    known = {
        **{"checkpoint": recipe.checkpoint, "method": recipe.method, "options": asdict(options), "seed": order.seed},
        **{"pictures": order.pictures, "vary": order.vary, "tries": order.tries, "far": far, "format": suffix[1:]},
    }
    known |= {SETTING: asdict(rule)} if order.apart else {}
    return known | ({"sliders": dict(recipe.sliders)} if recipe.sliders else {})


def settings_by_weights(strangers: float, entries: Iterable[Checkpoint], own: Sequence[str]) -> dict[str, Any]:
    """Those of the settings in each record that the weights say.

    Args:
        strangers: the cosine below which two people are apart. entries: all checkpoints that decide what the pictures are like.
        own: the judges that the user calibrated, as `judges.own_marks` says them.
    """
    weights = {entry.id: " ".join(file.sha256[:16] for file in entry.files.values()) for entry in entries}
    return {"apart_below": strangers, "weights": weights} | ({"own_judges": list(own)} if own else {})


def apart_at(out: Path) -> bool:
    """Whether people are kept apart in pictures where nobody says: as the dataset in `out` was begun, else they are."""
    begun = settings_at(out)
    return begun is None or SETTING in begun


def rule_at(out: Path) -> Rule:
    """By which rule people are kept apart in pictures, where they are: that of the dataset in `out`, else today's."""
    return Rule.of(settings_at(out))


def asked_by(settings: Mapping[str, Any], people: int) -> tuple[Recipe, Order]:
    """What was asked for when people of these `settings` were drawn; UsageError when they are no dataset's."""
    try:
        apart = SETTING in settings
        order = Order(people, settings["pictures"], settings["seed"], settings["vary"], settings["tries"], apart)
        sliders = {str(name): float(value) for name, value in settings.get("sliders", {}).items()}
        recipe = Recipe(
            settings["checkpoint"], settings["method"], dict(settings["options"]), order.seed, sliders=sliders
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError("These are not the settings of a dataset.") from error
    return recipe, order


def people(number: int) -> str:
    """ "1 person", "2 people"."""
    return "1 person" if number == 1 else f"{number} people"
