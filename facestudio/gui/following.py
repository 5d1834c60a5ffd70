"""The panel follows the result that is shown: undo and redo bring back the settings and the reference of it, and lose none.

What somebody set while one result was shown comes back with that result; where nothing was set, the settings are those that
made it. The original has none of its own, so the panel stays as it is there. Separate from the session because it is a rule
of its own. The GUI thread only. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from facestudio.mending import BY_HAND
from facestudio.methods.base import method_title

if TYPE_CHECKING:
    from facestudio.gui.found import Source
    from facestudio.gui.history import Step
    from facestudio.gui.session import Session
    from facestudio.gui.work import Offer
    from facestudio.recipe import Recipe

    _Panel = tuple[Recipe, Source | None]


class Following:
    """What the panel of `session` said when each of the results was left."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._left: WeakKeyDictionary[Step, _Panel] = WeakKeyDictionary()  # a result that is forgotten goes with it
        self._left_original: _Panel | None = None

    def forget(self) -> None:
        """Another photo is open."""
        self._left.clear()
        self._left_original = None

    def made(self, before: Step | None) -> None:
        """Another result was made while `before` was shown: what the panel said is that result's, and no longer for this."""
        if before is None:
            self._left_original = None
        else:
            self._left.pop(before, None)

    def moved(self, before: Step | None, after: Step | None) -> None:
        """`after` is shown, where `before` was: let the panel say what belongs to it."""
        recipe = self._session.recipe
        if before is after or recipe is None:
            return
        panel = recipe, self._session.reference.source
        if before is None:
            self._left_original = panel
        else:
            self._left[before] = panel
        made = None if after is None else (after.result.recipe, after.reference)
        wanted = self._left_original if after is None else self._left.get(after, made)
        if wanted is not None:
            self._session.ask_for(wanted[0])
            self._session.reference.follow(wanted[1])


def made_with(step: Step, offers: Sequence[Offer]) -> str:
    """How the result came to be, as "restored by DifFace (Strength 0.5, seed 7)"; what is as usual is not said."""
    recipe = step.result.recipe
    if step.result.only_mended:
        return _mended(recipe)
    offer = next((offer for offer in offers if offer.checkpoint.id == recipe.checkpoint), None)
    said = []
    if offer is not None:
        if sum(other.method == offer.method for other in offers) > 1:
            said.append(offer.checkpoint.title or offer.checkpoint.id)
        values = {field.name: recipe.options.get(field.name, field.default) for field in offer.options}
        for field in offer.options:
            value = values[field.name]
            if value != field.default and not field.idle(values):
                shown = (
                    ("yes" if value else "no") if field.type is bool else f"{value:g}" if field.type is float else value
                )
                said.append(f"{field.title} {shown}")
    if recipe.scratches:
        said.append(_mended(recipe))
    if recipe.photo_grain:
        said.append("grain of the photo matched")
    if step.reference:
        said.append(f"reference {step.reference.name}")
    if recipe.seed:
        said.append(f"seed {recipe.seed}")
    words = f"restored by {method_title(recipe.method)}"
    return f"{words} ({', '.join(said)})" if said else words


def _mended(recipe: Recipe) -> str:
    """How scratches were mended, in a few words."""
    corrected = ", marks corrected" if recipe.scratch_mask and recipe.scratches != BY_HAND else ""
    return f"scratches mended, {recipe.scratches}{corrected}"
