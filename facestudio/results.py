"""What came of a photo, face by face: values that `pipeline` makes, and all above it read.

Separate from the pipeline because who shows, saves or reports a result needs no more than this; `anonymized` extends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facestudio.faces.components import Explanation
from facestudio.faces.face import AlignedFace, Face, Identity
from facestudio.faces.identity import Verdict
from facestudio.faces.panel import Summary
from facestudio.mending.mended import Mended
from facestudio.photo import Photo
from facestudio.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Reference:
    """A clean picture of the person: the face's `identities` by embedder id, and the photo's `content_hash`."""

    identities: Mapping[str, Identity]
    content_hash: str


@dataclass(frozen=True, eq=False)
class FaceResult:
    """What happened to one face.

    Attributes:
        face: the detection; index: its place among the photo's faces.
        status: "restored", "skipped" (not selected) or "failed".
        error: one sentence when failed, or when restored but not measurable; else None.
        similarity: cosine before/after by embedder id; verdicts: what it means, by embedder id.
        summary: what the verdicts come to; None when nothing was measured.
        aligned_before, aligned_after: the crops before and after; None where the face was not restored.
        notes: sentences a person should read beside the result.
        explanation: what a method chose that can tell (DFDNet: the dictionary's entries); None of others.
        to_reference: cosine of the result to the reference by embedder id, where there is one.
        grain: standard deviation, in levels of 255, of the photo's grain that was laid over the face; 0 where none was.
    """

    face: Face
    index: int
    status: str
    error: str | None
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None
    aligned_before: AlignedFace | None = None
    aligned_after: AlignedFace | None = None
    notes: tuple[str, ...] = ()
    explanation: Explanation | None = None
    to_reference: Mapping[str, float] = field(default_factory=dict)
    grain: float = 0.0

    def details(self) -> dict[str, Any]:
        """What a report says of the face beside what it says of every face, ready for JSON."""
        told: dict[str, Any] = {"grain": round(self.grain, 2)} if self.grain else {}
        if self.explanation:
            told["explanation"] = [asdict(choice) for choice in self.explanation.choices]
        return told


@dataclass(frozen=True, eq=False)
class Result:
    """A photo before and after, face by face, with the recipe that made it and the seconds it took.

    `mended`: where scratches were mended, in the photo before it was enlarged; None where nobody asked for that.
    """

    before: Photo
    after: Photo
    faces: tuple[FaceResult, ...]
    recipe: Recipe
    seconds: float
    mended: Mended | None = None

    @property
    def status(self) -> str:
        """ "ok" (every chosen face restored), "partial" (some failed), "failed" (all failed), "mended" (no face restored, but
        scratches mended) or "skipped" (none chosen)."""
        failed = sum(face.status == "failed" for face in self.faces)
        restored = sum(face.status == "restored" for face in self.faces)
        if not failed and not restored:
            return "mended" if self.mended is not None and self.mended.share else "skipped"
        if not failed:
            return "ok"
        return "partial" if restored else "failed"

    @property
    def error(self) -> str | None:
        """The first face's error, naming the face, counted from 1; None when nothing failed."""
        return next((f"Face {f.index + 1}: {f.error}" for f in self.faces if f.status == "failed"), None)

    @property
    def writable(self) -> bool:
        """Whether there is something to save."""
        return self.status in ("ok", "partial", "mended")

    @property
    def generative(self) -> bool:
        """Whether AI made what is new in the photo; scratches are filled without."""
        return self.status != "mended"

    @property
    def only_mended(self) -> str:
        """What is to be said where no face was restored, but scratches were mended, in a sentence; "" of other results."""
        if self.status != "mended":
            return ""
        why = "No face was chosen" if self.faces else "No face was found"
        return f"{why}: only scratches were mended, so there is no identity to measure."

    @property
    def grain_sentence(self) -> str:
        """How much grain of the photo was laid over faces, in a sentence."""
        levels = [face.grain for face in self.faces if face.grain]
        if not levels:
            return "Grain: the photo has none that the faces lack."
        which = "1 face" if len(levels) == 1 else f"{len(levels)} faces"
        return f"Grain: that of the photo was laid over {which} ({max(levels):.0f} levels of 255)."

    @property
    def aside(self) -> str:
        """What a run that goes on must know of it and no report says, as one line for the journal; "" where there is nothing."""
        return ""

    @property
    def saved_recipe(self) -> Recipe:
        """The recipe that the saved file carries."""
        return self.recipe

    def details(self, output: Path | None = None) -> dict[str, Any]:
        """What a report says of the photo beside what it says of every photo, ready for JSON; `output`: the file written."""
        damage = self.before.damage
        told = {"damage": damage.sentence} if damage is not None else {}
        return told | ({"mended": self.mended.details()} if self.mended is not None else {})


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two faces compared: `similarity` and `verdicts` by embedder id, and the `summary` of them (None without any)."""

    a: Photo
    b: Photo
    face_a: Face
    face_b: Face
    similarity: Mapping[str, float]
    verdicts: Mapping[str, Verdict]
    summary: Summary | None = None
