"""A recipe: all that is needed to make a result again, except the photo.

A panel edits it, flags parse to it, results carry it and saved files store it; hence one small value that turns into
text and back, and knows no method.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from importlib import metadata
from types import MappingProxyType
from typing import Any

from facestudio import whom
from facestudio.errors import UsageError
from facestudio.quarters import QUARTERS


def app_version() -> str:
    """The version of the installed Face Studio, "unknown" when it runs without being installed."""
    try:
        return metadata.version("facestudio")
    except metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class Recipe:
    """What was, or is to be, done.

    Attributes:
        checkpoint: the checkpoint's id; method: the short name of the method that it feeds.
        options: the method's options by name, simple values only; those not named have their defaults.
        seed: fixes all randomness.
        upscale: how many times as large the photo was made.
        sliders: how far each slider of a made face was moved, -1 to 1 by its id (see faces/sliders.py); empty without any.
        reference: content hash of the photo that said who the person is, "" without one.
        person: who is on a made picture, of people who do not exist; None where a photo says it, or nothing does (see whom.py).
        pose: content hash of the picture whose pose is held, "" without one.
        salvaged: the share, 0 to 1, of a photo with a damaged file that could be read; None of a file that was whole.
        scratches: how scratches of the photo were mended before (see mending/scratches.py), "" when they were not.
        scratch_mask: content hash of the mask of what was mended, where a person made or corrected it; "" where nobody did.
        photo_grain: "match" when faces got the grain of the photo (see faces/regraining.py), "" when that was left off.
        turn: by how many degrees clockwise the photo was turned from how its file has it: 0, 90, 180 or 270.
        version: of the Face Studio that made the recipe; two recipes that differ only in it are equal.
    """

    checkpoint: str
    method: str
    options: Mapping[str, Any] = field(default_factory=dict, hash=False)
    seed: int = 0
    reference: str = ""
    upscale: int = 1
    version: str = field(default_factory=app_version, compare=False)
    sliders: Mapping[str, float] = field(default_factory=dict, hash=False)
    person: whom.Who | None = None
    salvaged: float | None = None
    pose: str = ""
    scratches: str = ""
    photo_grain: str = ""
    scratch_mask: str = ""
    turn: int = 0

    def __post_init__(self) -> None:
        for name in ("options", "sliders"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __reduce__(self) -> tuple[Any, ...]:
        """For another process, which takes no mapping that cannot be written to."""
        values = [getattr(self, each.name) for each in fields(self)]
        return type(self), tuple(dict(each) if isinstance(each, MappingProxyType) else each for each in values)

    def to_json(self) -> str:
        """One line of JSON; the same recipe always gives the same line."""
        content = {
            "checkpoint": self.checkpoint,
            "method": self.method,
            "options": dict(self.options),
            "seed": self.seed,
            "version": self.version,
            **({"reference": self.reference} if self.reference else {}),
            **({"upscale": self.upscale} if self.upscale != 1 else {}),
            **({"sliders": dict(self.sliders)} if self.sliders else {}),
            **({"person": whom.to_value(self.person)} if self.person is not None else {}),
            **({"salvaged": self.salvaged} if self.salvaged is not None else {}),
            **({"pose": self.pose} if self.pose else {}),
            **({"scratches": self.scratches} if self.scratches else {}),
            **({"scratch_mask": self.scratch_mask} if self.scratch_mask else {}),
            **({"photo_grain": self.photo_grain} if self.photo_grain else {}),
            **({"turn": self.turn} if self.turn else {}),
        }
        return json.dumps(content, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """The recipe that `to_json` wrote; UsageError when `text` is something else. Entries not known are left out."""
        try:
            content = json.loads(text)
            checkpoint, method, seed = content["checkpoint"], content["method"], content["seed"]
            options, version = content["options"], content.get("version", "unknown")
            reference, pose, upscale = content.get("reference", ""), content.get("pose", ""), content.get("upscale", 1)
            sliders, person, salvaged = content.get("sliders", {}), content.get("person"), content.get("salvaged")
            scratches, grain = content.get("scratches", ""), content.get("photo_grain", "")
            mask, turn = content.get("scratch_mask", ""), content.get("turn", 0)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UsageError("This is not a recipe of Face Studio.") from error
        texts = (checkpoint, method, version, reference, pose, scratches, grain, mask)
        words = all(isinstance(word, str) for word in texts)
        maps = all(isinstance(each, dict) for each in (options, sliders))
        if not words or not maps or not all(type(number) is int for number in (seed, upscale, turn)):
            raise UsageError("This is not a recipe of Face Studio.")
        if turn not in (0, *QUARTERS):
            raise UsageError("This is not a recipe of Face Studio.")
        if salvaged is not None and (type(salvaged) not in (int, float) or not 0 <= salvaged <= 1):
            raise UsageError("This is not a recipe of Face Studio.")
        who = None if person is None else whom.from_value(person)
        return cls(
            *(checkpoint, method, options, seed, reference, upscale, version, sliders, who, salvaged, pose),
            scratches=scratches,
            photo_grain=grain,
            scratch_mask=mask,
            turn=turn,
        )
