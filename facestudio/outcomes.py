"""What became of each photo of a batch, and its line of the report.

Separate from `batch`, which does the photos, because whoever shows, counts or keeps outcomes needs no more than this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from facestudio.files import shown
from facestudio.results import FaceResult, Result

LEFT_OUT = "left out"
LEFT_OVER = "no longer among the inputs"
NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Outcome:
    """What became of one photo; `record` is its line of the report.

    Attributes:
        status: "ok", "partial" (some faces failed), "failed" or "skipped" (no face in it), or another one of the work's;
            "left out" of what was no photo to do, "no longer among the inputs" of an earlier run's result, "not reached" of a
            photo that was not done when the run was stopped.
        output: the file written, None when none was.
        result: the pipeline's result, when it came to one.
        label: what the report calls the photo instead of its path. earlier: the record of a run before, whose result was kept.
        settings: of the run, as its report tells them beside the recipe.
    """

    source: Path
    output: Path | None
    status: str
    error: str | None
    seconds: float
    hint: str = ""
    result: Result | None = field(default=None, compare=False)
    label: str = ""
    earlier: dict[str, Any] | None = field(default=None, compare=False)
    settings: Mapping[str, Any] | None = field(default=None, compare=False)

    def record(self) -> dict[str, Any]:
        """The report's JSON object for this photo."""
        if self.earlier is not None:
            return self.earlier
        error = self.error
        if error is not None and self.label:
            for name in (str(self.source), shown(self.source), self.source.name):
                error = error.replace(name, self.label)
        return {
            "input": self.label or str(self.source),
            "output": str(self.output) if self.output else None,
            "status": self.status,
            "error": error,
            "seconds": round(self.seconds, 3),
            "recipe": json.loads(self.result.recipe.to_json()) if self.result else None,
            "faces": [face_record(face) for face in self.result.faces] if self.result else [],
            **({"settings": dict(self.settings)} if self.settings is not None else {}),
        } | (self.result.details(self.output) if self.result else {})


def face_record(result: FaceResult) -> dict[str, Any]:
    """The report's JSON object for one face; `verdict` sums up all embedders, None when nothing was measured."""
    summary = result.summary
    return {
        "box": [round(float(x), 2) for x in result.face.box],
        "landmarks": [[round(float(x), 2) for x in point] for point in result.face.landmarks],
        "score": round(result.face.score, 4),
        "pose": [round(float(x), 1) for x in result.face.pose],
        "status": result.status,
        "error": result.error,
        "similarity": {name: round(cosine, 5) for name, cosine in result.similarity.items()},
        "threshold": {name: round(v.threshold, 5) for name, v in result.verdicts.items()},
        "verdict": summary.words if summary else None,
        "probability": round(summary.probability, 4) if summary else None,
        "quality": [round(q, 4) for q in summary.quality] if summary and summary.quality else None,
        "notes": list(result.notes),
        **result.details(),
        **(
            {"to_reference": {name: round(c, 5) for name, c in result.to_reference.items()}}
            if result.to_reference
            else {}
        ),
    }
