"""What tests ask of the pipelines, with one word for what a test is about and the rest as usual."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from facestudio.anonymized import Anonymized
from facestudio.anonymizing import anonymize
from facestudio.casting import Cast
from facestudio.faces.face import Face
from facestudio.faces.judging import Judges
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from facestudio.trying import Choice, Resort, Treatment


def asked(seed: int = 0, **options: Any) -> Recipe:
    """A recipe of these options, whatever the method."""
    return Recipe("", "", options, seed)


def anonymized(
    photo: Photo,
    faces: Sequence[Face],
    anonymizer: Any,
    detector: Any,
    embedders: Sequence[Any],
    *,
    fallback: Any = None,
    eraser: Any = None,
    panel: Any = None,
    options: Any = None,
    seed: int = 0,
    tries: int = 4,
    selected: Collection[int] | None = None,
    leave: bool = False,
    insisted: Mapping[int, str] | None = None,
    cast: Cast | None = None,
    progress: Progress | None = None,
) -> Anonymized:
    """`anonymizing.anonymize` by a method with its options as usual."""
    options = anonymizer.Options() if options is None else options
    return anonymize(
        photo,
        faces,
        Treatment(anonymizer, options, seed, Resort(tries, fallback, eraser)),
        Judges(embedders, panel),
        detector,
        choice=Choice(selected, leave, insisted or {}),
        cast=cast,
        progress=progress,
    )
