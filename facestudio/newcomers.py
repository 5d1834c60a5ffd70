"""Newcomers: the new faces that a run has given out, as the judges see them, so that two strangers do not become look-alikes.

Rule: as of datasets (Wu et al., "Vec2Face", ICLR 2025, and datasets/doubles.py, where it is one of finished pictures): two people
are too alike when a judge's cosine of them reaches a share of its threshold. Remembered are verified faces alone, which are
nobody's: never what they were before, nor whose. Separate from `casting`, which knows one photo. Knows no files; what stands in a
journal of a newcomer, a result says itself (`to_text`).
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from facestudio.errors import FaceStudioError
from facestudio.faces.face import Identity

FAR = 1e-3  # false accept rate at whose threshold two pictures would be called one person
MOST = 4096  # newcomers that are remembered, about 16 MB; of more those that came first are forgotten


@dataclass(frozen=True)
class Rule:
    """When a new face is too like others, and what follows; why these values, docs/benchmarks/anonymization.md says.

    Attributes:
        limit: of a judge's threshold: the cosine from which two faces are too alike.
        few: of the others, whom a face may be too like: else there would be no end among very many.
        draws: further people who are drawn for a face at most, before the least alike is kept.
    """

    limit: float = 0.85
    few: float = 0.02
    draws: int = 2


RULE = Rule()


class View(NamedTuple):
    """How a judge sees a face: a unit `embedding` (D,), and the judge's `threshold` at FAR."""

    embedding: np.ndarray
    threshold: float


Views = Mapping[str, View]  # by what tells a judge with its weights from others


@dataclass(frozen=True, eq=False)
class Newcomer:
    """A new face.

    Attributes:
        photo: content hash of the one that it stands in. person: token of its pseudonym, "" without one.
        identity: whom it was drawn as, None where that is not known any more. seen: unit embedding (D,) by judge.
    """

    photo: str
    person: str
    identity: Identity | None
    seen: Mapping[str, np.ndarray]

    @classmethod
    def of(cls, photo: str, person: str, identity: Identity | None, views: Views) -> Newcomer:
        """In the precision in which it is written: who goes on with a run sees what the run itself saw."""
        rounded = {judge: _rounded(view.embedding) for judge, view in views.items()}
        who = None if identity is None else Identity(_rounded(identity.embedding), identity.embedder)
        return cls(photo, person, who, rounded)


@dataclass(frozen=True)
class Likeness:
    """A face among others: `doubles` are too like it, of how many; `nearest`: the highest cosine, of a judge's threshold.

    `few`: as of the Rule.
    """

    doubles: int = 0
    others: int = 0
    nearest: float = -1.0
    few: float = RULE.few

    @property
    def too_alike(self) -> bool:
        """Whether another picture, or another person, should take the place."""
        return self.doubles > self.few * self.others

    @property
    def order(self) -> tuple[int, float]:
        """The smaller, the better apart."""
        return self.doubles, self.nearest


class Crowd:
    """Some newcomers, with whom a face is compared."""

    def __init__(self, newcomers: Iterable[Newcomer] = ()) -> None:
        self._all = tuple(newcomers)

    def __len__(self) -> int:
        return len(self._all)

    def identities(self, embedder: str) -> list[Identity]:
        """Whom they were drawn as, as far as that is known, of that embedder."""
        return [one.identity for one in self._all if one.identity is not None and one.identity.embedder == embedder]

    def cosines(self, views: Views, person: str = "") -> np.ndarray:
        """The highest cosine of any judge to each that is not the same `person`, of the judge's threshold, (N,) float32; of those
        whom no judge of `views` has seen, -1."""
        found = np.full(len(self._all), -1.0, np.float32)
        for judge, view in views.items():
            if judge in self._seen:
                rows, matrix = self._seen[judge]
                found[rows] = np.maximum(found[rows], matrix @ view.embedding / view.threshold)
        return found[[not person or one.person != person for one in self._all]] if self._all else found

    @cached_property
    def _seen(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """By judge, who was seen, (K,), and how, (K, D)."""
        judges = dict.fromkeys(judge for one in self._all for judge in one.seen)
        rows = {judge: [row for row, one in enumerate(self._all) if judge in one.seen] for judge in judges}
        return {j: (np.array(of), np.stack([self._all[row].seen[j] for row in of])) for j, of in rows.items()}


def likeness(cosines: np.ndarray, rule: Rule = RULE) -> Likeness:
    """What cosines to others (N,), as of `Crowd.cosines`, come to."""
    doubles = int((cosines >= rule.limit).sum())
    return Likeness(doubles, len(cosines), float(cosines.max(initial=-1.0)), rule.few)


class Newcomers:
    """All of a run, by the content of their photos; what is done anew takes the place of what it was."""

    def __init__(self) -> None:
        self._by_photo: dict[str, tuple[Newcomer, ...]] = {}

    def add(self, photo: str, newcomers: Sequence[Newcomer]) -> None:
        """These are all that the result of the photo of that content hash shows."""
        self._by_photo.pop(photo, None)
        if newcomers:
            self._by_photo[photo] = tuple(newcomers)
        while sum(map(len, self._by_photo.values())) > MOST:
            del self._by_photo[next(iter(self._by_photo))]

    def beside(self, photo: str) -> Crowd:
        """Those of all other photos."""
        return Crowd(one for other, of in self._by_photo.items() if other != photo for one in of)


# ---- as a line of text


def to_text(newcomers: Sequence[Newcomer]) -> str:
    """The newcomers of one photo as a line of JSON; "" where there are none."""
    if not newcomers:
        return ""
    faces = [
        {
            "person": one.person,
            "identity": None if one.identity is None else [one.identity.embedder, _written(one.identity.embedding)],
            "seen": {judge: _written(embedding) for judge, embedding in one.seen.items()},
        }
        for one in newcomers
    ]
    return json.dumps({"photo": newcomers[0].photo, "faces": faces})


def from_text(text: str) -> tuple[Newcomer, ...]:
    """The newcomers of a line that `to_text` wrote; none of anything else."""
    try:
        told = json.loads(text)
        return tuple(_newcomers(str(told["photo"]), told["faces"]))
    except (ValueError, KeyError, TypeError, binascii.Error, FaceStudioError):
        return ()


def _newcomers(photo: str, faces: Any) -> Iterator[Newcomer]:
    for face in faces:
        who = face["identity"]
        identity = None if who is None else Identity(_read(who[1]), str(who[0]))
        seen = {str(judge): _read(of) for judge, of in face["seen"].items()}
        yield Newcomer(photo, str(face["person"]), identity, seen)


def _rounded(embedding: np.ndarray) -> np.ndarray:
    return embedding.astype(np.float16).astype(np.float32)


def _written(embedding: np.ndarray) -> str:
    return base64.b64encode(embedding.astype("<f2").tobytes()).decode()


def _read(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text, validate=True), "<f2").astype(np.float32)
