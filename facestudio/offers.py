"""What there is to choose: which checkpoints feed a method of a goal, best first, and what these methods can do.

Separate from the facade (`studio.py`), which computes with them. Nothing here loads weights or imports torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from facestudio import checkpoints as store
from facestudio.anonymize_settings import HIDING
from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.loaded import PEOPLE, SLIDERS, Loaded
from facestudio.methods.base import method_class
from facestudio.options import OptionField, describe

if TYPE_CHECKING:
    from facestudio.faces.sliders import Slider

FIRST = ("starter-estimator", "starter-prior")  # what a workspace begins with, if it is there


class Offers(Loaded):
    """What the manifest's checkpoints offer, beside what was loaded of them."""

    def restore_checkpoints(self) -> list[Checkpoint]:
        """Checkpoints that feed a method which keeps the person: what the Restore workspace offers, best first."""
        return self._offered("keep")

    def anonymize_checkpoints(self) -> list[Checkpoint]:
        """Checkpoints that feed a method which changes the person; the first is the one that leaves nothing of a face."""
        return sorted(self._offered("change"), key=lambda entry: entry.id != HIDING)

    def generate_checkpoints(self) -> list[Checkpoint]:
        """Checkpoints that feed a method which makes faces: what the Generate workspace offers, best first."""
        return self._offered("create")

    def options_for(self, checkpoint_id: str) -> tuple[OptionField, ...]:
        """The options of the method that a checkpoint feeds."""
        return describe(self.method_options(checkpoint_id))

    def method_options(self, checkpoint_id: str) -> type:
        """The options class of the method that a checkpoint feeds."""
        return method_class(store.checkpoint(checkpoint_id)).Options

    def can_be_told(self, checkpoint_id: str) -> bool:
        """Whether the method that a checkpoint feeds takes a reference (`Guided`)."""
        return hasattr(method_class(store.checkpoint(checkpoint_id)), "guided")

    def knows_people(self, checkpoint_id: str) -> bool:
        """Whether a checkpoint's method can be told people who do not exist."""
        known = self._known()
        people, entry = known.get(PEOPLE), known.get(checkpoint_id)
        listens = entry.conditioned_on[:1] if entry is not None else ()
        return people is not None and people.here and bool(listens) and listens[0] in people.conditioned_on

    def sliders(self, checkpoint_id: str) -> tuple[Slider, ...]:
        """What the faces can be changed in that a checkpoint's method makes, those of one group together; empty where
        there is nothing."""
        from facestudio.faces import sliders

        known = store.load_manifest()
        moves, entry = known.get(SLIDERS), known.get(checkpoint_id)
        if moves is None or not moves.here or entry is None:
            return ()
        if moves.uses.get("prior") == checkpoint_id:
            return sliders.offered(moves)
        return sliders.offered(entry) if entry.uses.get("sliders") == SLIDERS else ()

    def pose_weights(self, checkpoint_id: str) -> Checkpoint | None:
        """The weights, here or not, with which a checkpoint's method can be shown a pose picture; None where it cannot."""
        known = self._known()
        entry = known.get(checkpoint_id)
        if entry is None or not entry.method:
            return None
        return known.get(entry.uses.get(getattr(method_class(entry), "posed_by", ""), ""))

    def check_posed(self, checkpoint_id: str) -> None:
        """UsageError when a checkpoint's method cannot be shown a pose picture; CheckpointMissing when its `pose_weights` are not
        here."""
        weights = self.pose_weights(checkpoint_id)
        if weights is None:
            able = [entry.id for entry in self.checkpoints() if entry.goal == "create" and self.pose_weights(entry.id)]
            raise UsageError(
                f"{checkpoint_id} cannot be shown a pose picture.",
                hint=f"These weights can: {', '.join(able) or 'none'}.",
            )
        if not weights.here:
            raise CheckpointMissing(
                f"The weights {weights.id}, with which {checkpoint_id} follows a pose, are not installed.",
                hint=f"Get them under File > Weights, or with `facestudio weights get {weights.id}`.",
            )

    def _known(self) -> dict[str, Checkpoint]:
        """Every checkpoint, by its id."""
        return {entry.id: entry for entry in self.checkpoints()}

    def _offered(self, goal: str) -> list[Checkpoint]:
        """The checkpoints that feed a method of `goal`, best first.

        Published ones stand behind ours, and only once they are here: importing some must not change what is done
        without a choice.
        """
        found = [c for c in self.checkpoints() if c.method and c.goal == goal and (c.here or not c.published)]
        return sorted(found, key=lambda c: (c.published, c.id not in FIRST))
