"""Files of made pictures: their names, and what is written beside one: who is on it to each recogniser, and the recipe.

Separate from `generating`, which makes them, because window and commands write alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from facestudio.checkpoints import checkpoint
from facestudio.errors import CheckpointError, UsageError
from facestudio.files import write_beside
from facestudio.generating import Portrait
from facestudio.metadata import read_recipe
from facestudio.methods.base import method_class
from facestudio.options import recorded
from facestudio.recipe import Recipe
from facestudio.whom import Between

EMBEDDINGS, RECIPE = ".npz", ".json"
PERSON = "person"  # the array of who was told to the method


def stem(recipe: Recipe) -> str:
    """What the file of a made picture is called without its suffix: face-000007, on a walk face-000007-at-0250 (thousandths)."""
    walked = f"-at-{round(1000 * recipe.person.share):04d}" if isinstance(recipe.person, Between) else ""
    return f"face-{recipe.seed:06d}{walked}"


def beside(target: Path) -> tuple[Path, Path]:
    """The files of embeddings and recipe that belong to the picture `target`."""
    return target.with_suffix(EMBEDDINGS), target.with_suffix(RECIPE)


def keep(portrait: Portrait, target: Path, overwrite: bool = False, extras: bool = False) -> Path:
    """Write `portrait` as `target`; with `extras` also NAME.npz (`embeddings`) and NAME.json (the recipe). UnwritableOutput
    when that cannot be, or a file is there already and is not to be replaced."""
    written = portrait.photo.save(target, recipe=portrait.recipe, overwrite=overwrite)
    if extras:
        embeddings, recipe = beside(target)
        arrays = arrays_of(portrait)
        write_beside(embeddings, lambda file: np.savez(file, **arrays), overwrite)
        text = json.dumps(json.loads(portrait.recipe.to_json()), indent=2) + "\n"
        write_beside(recipe, _text(text), overwrite)
    return written


def arrays_of(portrait: Portrait) -> dict[str, Any]:
    """Who is on a picture: a unit embedding (D,) float32 by each recogniser's id, none without a face; and as `PERSON` who was
    told to the method, unless that is a real person, whose embedding is nobody's business."""
    arrays: dict[str, Any] = {name: identity.embedding for name, identity in portrait.identities.items()}
    if portrait.person is not None and not portrait.recipe.reference:
        arrays[PERSON] = portrait.person.embedding
    return arrays


def recipe_of(path: Path) -> Recipe:
    """The recipe in a picture that was made here, or in the file beside it; UsageError where there is none.

    Options that came later than the picture are as it was before them, so that it can still be made again.
    """
    text = path.read_text("utf-8", "replace") if path.suffix.lower() == RECIPE and path.is_file() else read_recipe(path)
    if text is None:
        raise UsageError(
            f"{path.name} contains no recipe.", hint="Choose a picture that Face Studio generated and saved."
        )
    recipe = Recipe.from_json(text)
    try:
        options = method_class(checkpoint(recipe.checkpoint)).Options
    except CheckpointError:
        return recipe  # of weights that are not known here, as whoever uses it says
    return replace(recipe, options=recorded(options, recipe.options))


def _text(text: str) -> Callable[[IO[bytes]], None]:
    def write(file: IO[bytes]) -> None:
        file.write(text.encode())

    return write
