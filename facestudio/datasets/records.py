"""What is known of one person of a dataset: JSON beside the person's pictures, so that every folder speaks for itself.

Whoever holds such a folder, whichever machine drew it, can go on with the dataset and make its tables: the record has the
settings, the hash of each picture and its embeddings. Separate from `folder`, which writes and reads files.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from facestudio.datasets.choosing import Choice
from facestudio.datasets.doubles import Double
from facestudio.errors import FaceStudioError

KIND, VERSION = "facestudio person", 1


@dataclass(frozen=True)
class PictureRecord:
    """One picture.

    Attributes:
        file: its name in the person's folder; sha256: of that file, in hexadecimal.
        seed, tries, note, typical, attributes: as of `populating.Picture`; of versions that read none there are no attributes.
        score, pose, eyes: of the face: confidence, yaw, pitch and roll in degrees, pixels between the eyes; None without one.
        embeddings: (D,) float32 of unit length by judge; empty without a face.
    """

    file: str
    sha256: str
    seed: int
    tries: int
    note: str
    score: float | None
    pose: tuple[float, float, float] | None
    eyes: float | None
    typical: Mapping[str, float] = field(default_factory=dict)
    embeddings: Mapping[str, np.ndarray] = field(default_factory=dict, compare=False)
    attributes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class PersonRecord:
    """One person.

    Attributes:
        settings: all that decides what the pictures are like; people who are in one dataset have the same.
        made: what else may be known of the run that drew them: version, device, shard, number of people asked for.
        judges: title and threshold by judge. identity: (D,) float32 of unit length, of the embedder that the method listens to.
        number, unusual, nearest_known, anew, first_faces, first_pairs: as in `populating`. seconds: of drawing and judging this
            person and those who were given up for them.
        given_up: of each who was drawn for this number before, whom that one was too like. too_like: whom this one is too like,
            who was kept because nobody better was found; None when it is well apart, or nobody looked.
    """

    settings: Mapping[str, Any]
    made: Mapping[str, Any]
    judges: Mapping[str, tuple[str, float]]
    number: int
    unusual: float
    nearest_known: float
    identity: np.ndarray = field(compare=False)
    first_faces: int
    first_pairs: Mapping[str, tuple[int, int]]
    seconds: float
    pictures: tuple[PictureRecord, ...]
    anew: int = 0
    given_up: tuple[Double, ...] = ()
    too_like: Double | None = None

    @property
    def name(self) -> str:
        """Of the person's folder."""
        return folder_name(self.number)

    def to_json(self) -> str:
        """The text of the record's file."""
        content = {"kind": KIND, "version": VERSION, **asdict(self)}
        return json.dumps(content, default=_packed, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> PersonRecord:
        """The record that `to_json` wrote; FaceStudioError when `text` is something else."""
        try:
            content = json.loads(text)
            if (content.pop("kind"), content.pop("version")) != (KIND, VERSION):
                raise ValueError("of another kind")
            pictures = tuple(_picture(each) for each in content.pop("pictures"))
            judges = {judge: (str(title), float(threshold)) for judge, (title, threshold) in content["judges"].items()}
            pairs = {judge: (int(above), int(all)) for judge, (above, all) in content["first_pairs"].items()}
            given_up = tuple(Double(**each) for each in content.get("given_up", ()))
            like = content.get("too_like")
            changed = {"judges": judges, "first_pairs": pairs, "identity": _unpacked(content["identity"])}
            changed |= {"given_up": given_up, "too_like": None if like is None else Double(**like)}
            return cls(pictures=pictures, **{**content, **changed})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise FaceStudioError("This is not the record of a person.") from error


def folder_name(number: int) -> str:
    """The name of a person's folder: "0001"."""
    return f"{number:04d}"


@dataclass(frozen=True)
class Provenance:
    """How people were made: `settings`, `made` and `judges` as of a PersonRecord."""

    settings: Mapping[str, Any]
    made: Mapping[str, Any]
    judges: Mapping[str, tuple[str, float]]


def record_of(choice: Choice, files: Mapping[int, tuple[str, str]], provenance: Provenance) -> PersonRecord:
    """The record of who was chosen, whose picture at each place is in the file of that name and hash."""
    person, pictures = choice.person, []
    for place, picture in enumerate(person.pictures):
        face = picture.face
        yaw, pitch, roll = (0.0, 0.0, 0.0) if face is None else (round(float(angle), 2) for angle in face.pose)
        pictures.append(
            PictureRecord(
                *files[place],
                picture.seed,
                picture.tries,
                picture.note,
                None if face is None else round(face.score, 4),
                None if face is None else (yaw, pitch, roll),
                None if face is None else round(face.interocular, 2),
                picture.typical,
                {judge: identity.embedding for judge, identity in picture.identities.items()},
                dict(picture.attributes),
            )
        )
    nobody = person.nobody
    return PersonRecord(
        settings=provenance.settings,
        made=provenance.made,
        judges=provenance.judges,
        number=nobody.number,
        unusual=nobody.unusual,
        nearest_known=nobody.nearest_known,
        identity=nobody.identity.embedding,
        first_faces=person.first_faces,
        first_pairs=person.first_pairs,
        seconds=person.seconds,
        pictures=tuple(pictures),
        anew=nobody.anew,
        given_up=choice.given_up,
        too_like=choice.too_like,
    )


def _picture(content: Mapping[str, Any]) -> PictureRecord:
    embeddings = {judge: _unpacked(text) for judge, text in content["embeddings"].items()}
    attributes = {str(name): float(value) for name, value in content.get("attributes", {}).items()}
    pose = None if content["pose"] is None else tuple(content["pose"])
    return PictureRecord(**{**content, "embeddings": embeddings, "attributes": attributes, "pose": pose})


def _packed(value: Any) -> str:
    """An embedding (D,) as base64 of little-endian float32."""
    return base64.b64encode(np.asarray(value, "<f4").tobytes()).decode()


def _unpacked(text: str) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f4").astype(np.float32)
    if not values.size or not np.isfinite(values).all():
        raise ValueError("an embedding needs finite numbers")
    return values
