"""The people of many photos, and whom each becomes in all of them: looked for before any photo is changed.

    faces  = every chosen face of every photo, as the recognisers see it       look
    groups = which of them are the same person                                 faces/grouping.py
    whom   = somebody who does not exist for each group, by the secret         assign, cast

Rule: HMAC of a secret and the group, so that a person has one pseudonym with the secret and none without. Embeddings stay in the
memory of the run: the record of a finished face holds its pseudonym's token alone, from which whoever has the secret draws the
same person again. A face that is too poor to be recognised is nobody's, and drawn for itself.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facestudio.anonymized import AnonymizedFace
from facestudio.casting import AMONG, Cast, Nearest, Pseudonym
from facestudio.errors import FaceStudioError
from facestudio.faces.face import Face, Identity
from facestudio.faces.grouping import Grouping
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel
from facestudio.faces.people import IdentitySpace
from facestudio.newcomers import Newcomers
from facestudio.photo import Photo
from facestudio.progress import Progress
from facestudio.results import Result
from facestudio.secret import Secret

Found = tuple[tuple[Face, ...], set[int] | None]  # the faces of a photo, and which are chosen (None: all)
Find = Callable[[Photo, Progress], Found]
Recognisers = tuple[Sequence[Embedder], Panel | None]  # and what sums them up
PATIENCE = 64  # people drawn for a group until it need only be apart from those it is seen with
MOST = 2000  # until it is said that nobody fits


@dataclass(frozen=True, eq=False)
class _Seen:
    """What was found in a photo: its `faces`, which are `chosen` (None: all), and the numbers of those who were recognised."""

    faces: tuple[Face, ...]
    chosen: set[int] | None
    numbers: Mapping[int, int]  # in the grouping, by index


class Album:
    """People of `people`, one for each person that the `recognisers` see in the photos it looks at.

    Args:
        recognisers: tells who says who is the same person, the embedder that `people` belongs to among them, and their panel.
            Asked for whenever photos are looked at: no network is held here, as they may be loaded anew on another device.
        secret: says who is drawn. nearest: picks among people who might be drawn; None takes the first.
    """

    def __init__(
        self,
        people: IdentitySpace,
        recognisers: Callable[[], Recognisers],
        secret: Secret,
        nearest: Nearest | None = None,
    ) -> None:
        self._people, self._recognisers = people, recognisers
        self._secret, self._nearest = secret, nearest
        self._begin(*recognisers())
        self._records: dict[Path, Mapping[str, Any]] = {}
        self._group_of: list[int] = []
        self._settled: dict[int, str] = {}  # tokens of groups that a finished photo shows, by group
        self._drawn: dict[int, tuple[Pseudonym, int]] = {}  # with how many were passed over
        self._beside: dict[int, set[int]] = {}  # groups that are seen with a group
        self._originals = self._issued = np.zeros((0, 0), np.float32)  # (G, D), of the people's embedder

    @property
    def people(self) -> int:
        """How many different people were recognised."""
        return len(self._drawn)

    # ---- before anything is changed

    def look(self, photos: Sequence[Path], find: Find, progress: Progress, max_megapixels: float = 150.0) -> None:
        """See who is in `photos`; `find` says which faces there are and which of them are chosen.

        What cannot be read, or not be worked on, is passed over: whoever changes it will say why. Who was stopped goes on: what
        was looked at, and is as it was, is not looked at again. When more comes after all was assigned, all is looked at anew.
        """
        seers = self._recognisers()
        if self._assigned and not all(self._known(path, _stamp(path)) for path in photos):
            self._begin(*seers)
        for number, path in enumerate(progress.track(photos, "Looking for people")):
            progress.tally = f"Looking for people: {number} of {len(photos)} photos"
            stamp = _stamp(path)
            if self._known(path, stamp):
                continue
            content = ""
            try:
                photo = Photo.open(path, max_megapixels=max_megapixels)
                if photo.content_hash not in self._photos:
                    self._photos[photo.content_hash] = self._see(photo, *find(photo, progress), seers, progress)
                content = photo.content_hash
            except FaceStudioError:
                pass
            self._contents[path] = (stamp, content)

    def keep(self, path: Path, record: Mapping[str, Any]) -> None:
        """Let people who were finished in `path` stay whom they became, as the `record` of an earlier run says."""
        self._records[path] = record

    def assign(self, progress: Progress) -> None:
        """Say whom everybody becomes; to be called after all photos and records, and again, with these, when a run goes on."""
        self._group_of, self._assigned = self._grouping.groups(), True
        self._settled, self._drawn, self._beside = {}, {}, {}
        for path, record in self._records.items():
            seen = self._seen(path)
            for index, face in enumerate(record.get("faces", ()) if seen is not None else ()):
                if face.get("person") and seen is not None and index in seen.numbers:
                    self._settled.setdefault(self._group_of[seen.numbers[index]], str(face["person"]))
        self._records = {}
        for seen in self._photos.values():
            together = {self._group_of[number] for number in seen.numbers.values()}
            for group in together:
                self._beside.setdefault(group, set()).update(together - {group})
        self._originals = self._grouping.middles(self._people.embedder)
        self._issued = np.zeros_like(self._originals)
        for group, token in self._settled.items():
            self._set(group, self._pseudonym(token), 0)
        for group in progress.track(range(len(self._originals)), "Drawing people"):
            if group not in self._settled:
                self._set(group, *self._first(group))

    # ---- while photos are changed

    def found(self, photo: Photo) -> Found | None:
        """The faces of `photo` and which are chosen, as they were found; None when it was not seen."""
        seen = self._photos.get(photo.content_hash)
        return None if seen is None else (seen.faces, seen.chosen)

    def cast(self, photo: Photo, newcomers: Newcomers | None = None) -> Cast:
        """Whom the faces of `photo` become; `newcomers`: as of a Cast."""
        groups = self._groups(self._photos.get(photo.content_hash))
        return Cast({index: self._pseudonyms(group) for index, group in groups.items()}, self._nearest, newcomers)

    def told(self, path: Path) -> tuple[Found | None, dict[int, Pseudonym]]:
        """As `found` and `cast`, for another process: nobody may become anybody else there, as photos are done side by side.

        Of whom it is not said yet whom they become, nothing is told."""
        seen = self._seen(path)
        persons = {index: self._drawn[group][0] for index, group in self._groups(seen).items()}
        return None if seen is None else (seen.faces, seen.chosen), persons

    def content(self, path: Path) -> str:
        """The `content_hash` of the photo that was seen in the file `path`; "" when none was."""
        return self._contents[path][1] if path in self._contents else ""

    def finished(self, result: Result) -> None:
        """From now on the people in `result`, which was written, stay whom they became."""
        seen = self._photos.get(result.before.content_hash)
        for face in result.faces if seen is not None else ():
            token = face.person if isinstance(face, AnonymizedFace) else ""
            if not token or seen is None or face.index not in seen.numbers:
                continue
            group = self._group_of[seen.numbers[face.index]]
            if self._settled.setdefault(group, token) != self._drawn[group][0].token:
                self._set(group, self._pseudonym(self._settled[group]), 0)

    # ---- helpers

    def _begin(self, embedders: Sequence[Embedder], panel: Panel | None) -> None:
        """Nothing was looked at."""
        self._grouping = Grouping(embedders, panel)
        self._photos: dict[str, _Seen] = {}  # by content
        self._contents: dict[Path, tuple[tuple[int, int], str]] = {}  # content, and what the file was like then
        self._anchors: list[str] = []  # of each number: what its group is called when it is the group's first
        self._assigned = False

    def _known(self, path: Path, stamp: tuple[int, int]) -> bool:
        return path in self._contents and self._contents[path][0] == stamp

    def _seen(self, path: Path) -> _Seen | None:
        return self._photos.get(self._contents[path][1]) if path in self._contents else None

    def _see(
        self, photo: Photo, faces: tuple[Face, ...], chosen: set[int] | None, seers: Recognisers, progress: Progress
    ) -> _Seen:
        """Who is in a photo; no face without a recogniser's say belongs to anybody."""
        embedders, panel = seers
        asked = [n for n in range(len(faces)) if chosen is None or n in chosen]
        marks = np.array([faces[n].landmarks for n in asked], np.float32).reshape(-1, 5, 2)
        if not asked:
            return _Seen(faces, chosen, {})
        quality = [1.0] * len(asked)
        if panel is not None:
            quality = list(panel.quality(photo.pixels, marks, progress))
        gate = panel.gate if panel is not None else 0.0
        who: list[dict[str, Identity]] = [{} for _ in asked]
        for embedder in embedders:
            for each, identity in zip(who, embedder.embed_all(photo.pixels, marks, progress), strict=True):
                each[embedder.id] = identity
        clear = [row for row in range(len(asked)) if quality[row] >= gate]
        numbers = self._grouping.add([who[row] for row in clear], [quality[row] for row in clear])
        self._anchors += [f"{photo.content_hash}/{asked[row]}" for row in clear]
        return _Seen(faces, chosen, {asked[row]: number for row, number in zip(clear, numbers, strict=True)})

    def _pseudonym(self, token: str) -> Pseudonym:
        return Pseudonym(token, self._people.draw(self._secret.seed(token)))

    def _set(self, group: int, pseudonym: Pseudonym, passed: int) -> None:
        self._drawn[group] = (pseudonym, passed)
        self._issued[group] = pseudonym.identity.embedding

    def _groups(self, seen: _Seen | None) -> dict[int, int]:
        """The groups of a photo's faces, by index, as far as it is said by now whom they become."""
        if seen is None or not self._assigned:
            return {}
        groups = {index: self._group_of[number] for index, number in seen.numbers.items()}
        return {index: group for index, group in groups.items() if group in self._drawn}

    def _pseudonyms(self, group: int) -> Iterator[Pseudonym]:
        """Whom a group becomes, and others whom it may become as long as no finished photo shows it."""
        pseudonym, passed = self._drawn[group]
        yield pseudonym
        if group not in self._settled:
            yield from (other for other, _ in self._fitting(group, passed + 1))

    def _first(self, group: int) -> tuple[Pseudonym, int]:
        fitting = self._fitting(group)
        if self._nearest is None:
            return next(fitting)
        found = [next(fitting) for _ in range(AMONG)]
        was = Identity(self._originals[group], self._people.embedder)
        return found[self._nearest(was, [pseudonym.identity for pseudonym, _ in found])]

    def _fitting(self, group: int, start: int = 0) -> Iterator[tuple[Pseudonym, int]]:
        """People who may stand for a group, with how many were passed over: apart from the group itself and, both before and
        after, from those it is seen with; and as long as there is patience from everybody of the album."""
        near = [group, *self._beside.get(group, ())]
        anchor = self._anchors[self._group_of.index(group)]
        for number in range(start, start + MOST):
            pseudonym = self._pseudonym(self._secret.token("person", anchor, str(number)))
            like = np.maximum(self._originals @ pseudonym.identity.embedding, self._issued_to_others(group, pseudonym))
            if float((like if number < start + PATIENCE else like[near]).max()) < self._people.strangers:
                yield pseudonym, number
        raise FaceStudioError(
            "No new person could be found who is clearly different from everybody in the photos.",
            hint="Anonymize fewer photos at once.",
        )

    def _issued_to_others(self, group: int, pseudonym: Pseudonym) -> np.ndarray:
        like: np.ndarray = self._issued @ pseudonym.identity.embedding
        like[group] = -1.0
        return like


def _stamp(path: Path) -> tuple[int, int]:
    """Size and time of change of a file, zeros when it is not there."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return 0, 0
    return status.st_size, status.st_mtime_ns
