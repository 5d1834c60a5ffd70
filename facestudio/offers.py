"""What the manifest's checkpoints offer: which feed a method of a goal, best first, and what these methods can do.

Separate from the facade (`studio.py`), which computes with them. Nothing here loads weights or imports torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from facestudio.checkpoints import Checkpoint
from facestudio.errors import CheckpointMissing, UsageError
from facestudio.loaded import PEOPLE
from facestudio.methods.base import method_class

FIRST = ("starter-estimator", "starter-prior")  # what a workspace begins with, if it is there


def offered(entries: Iterable[Checkpoint], goal: str) -> list[Checkpoint]:
    """Those of `entries` that feed a method of `goal`, best first.

    Published ones stand behind ours, and only once they are here: importing some must not change what is done
    without a choice.
    """
    found = [c for c in entries if c.method and c.goal == goal and (c.here or not c.published)]
    return sorted(found, key=lambda c: (c.published, c.id not in FIRST))


def knows_people(entries: Iterable[Checkpoint], checkpoint_id: str) -> bool:
    """Whether the method of a checkpoint can be told people who do not exist."""
    known = {entry.id: entry for entry in entries}
    people, entry = known.get(PEOPLE), known.get(checkpoint_id)
    listens = entry.conditioned_on[:1] if entry is not None else ()
    return people is not None and people.here and bool(listens) and listens[0] in people.conditioned_on


def pose_weights(entries: Iterable[Checkpoint], checkpoint_id: str) -> Checkpoint | None:
    """The weights, here or not, with which the method of a checkpoint can be shown a pose picture; None where it cannot."""
    known = {entry.id: entry for entry in entries}
    entry = known.get(checkpoint_id)
    if entry is None or not entry.method:
        return None
    return known.get(entry.uses.get(getattr(method_class(entry), "posed_by", ""), ""))


def check_posed(entries: Sequence[Checkpoint], checkpoint_id: str, weights: Checkpoint | None) -> None:
    """UsageError when the method of a checkpoint cannot be shown a pose picture; CheckpointMissing when the `weights` that
    `pose_weights` names for that are not here."""
    if weights is None:
        able = [entry.id for entry in entries if entry.goal == "create" and pose_weights(entries, entry.id)]
        raise UsageError(
            f"{checkpoint_id} cannot be shown a pose picture.",
            hint=f"These weights can: {', '.join(able) or 'none'}.",
        )
    if not weights.here:
        raise CheckpointMissing(
            f"The weights {weights.id}, by which {checkpoint_id} holds a pose, are not here.",
            hint=f"Get them under Weights, or with `facestudio weights get {weights.id}`.",
        )
