"""The user's own people: photographs sorted into one folder a person, and what a recogniser's cosines mean by them.

    people     = the folders of a folder, and their photos                survey
    embeddings = the largest face of each photo, if it can be judged      see
    calibration                                                           faces/calibrating.py

Published recognisers come without a calibration, and by this get one. Photos are only read. Embeddings stay in the memory of the
run; what is kept, by whoever calls, are figures that name nobody. Separate from `faces/calibrating`, which knows no photos.
"""

from __future__ import annotations

import datetime
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facestudio.checkpoints import Checkpoint, checkpoint
from facestudio.errors import CheckpointError, CheckpointMismatch, FaceStudioError, UsageError
from facestudio.faces import calibrating
from facestudio.faces.calibration import threshold_at
from facestudio.faces.detect import Detector
from facestudio.faces.face import Face
from facestudio.faces.figures import percent_short
from facestudio.faces.identity import Embedder
from facestudio.faces.panel import Panel
from facestudio.files import shown
from facestudio.photo import Photo
from facestudio.planning import LeftOut, look_through
from facestudio.progress import Progress
from facestudio.store import OwnCalibration, can_judge_by, keep_calibration

LEAST_PEOPLE = 20  # with two faces or more
MOST_EACH, MOST_PHOTOS = 20, 4000  # of a person, and of all: more make nothing surer, and the pairs take memory
WEAK = 0.8  # share of the pairs of one person, known again at the most frequent rate, below which it is said to be weak
LAYOUT = (
    "Sort the photos into one folder per person, at least two photos in each, and name the folder that contains these."
)
_ALIKE = 3  # pairs of folders that are pointed out, at most


@dataclass(frozen=True)
class People:
    """Whose photos there are: `photos`, each with the name of its person's folder; what else is there, and why it was left
    out; and how many more photos there are than are needed."""

    photos: tuple[tuple[str, Path], ...]
    left_out: tuple[LeftOut, ...] = ()
    spared: int = 0


@dataclass(frozen=True)
class Calibrated:
    """A recogniser's calibration, and what is to be said of how it came about.

    Attributes:
        title: of the recogniser; own: the calibration.
        known_again: share of the pairs of one person that reach the threshold, by its false accept rate.
        unsupported: false accept rates that there were too few pairs for.
        left_out: photos that do not count, and other files, with reasons; spared: photos that were not needed.
        crowded: photos with several faces, of which the largest counts.
        alike: two people each who may be one, with the mean cosine of their faces.
    """

    title: str
    own: OwnCalibration
    known_again: Mapping[float, float]
    unsupported: tuple[float, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    spared: int = 0
    crowded: int = 0
    alike: tuple[tuple[str, str, float], ...] = ()

    @property
    def rates(self) -> tuple[float, ...]:
        """The false accept rates that it has thresholds for, the most frequent first."""
        return tuple(self.known_again)

    @property
    def sentence(self) -> str:
        """What came of it, for people."""
        rarest = min(self.rates)
        words = (
            f"{self.title} is calibrated on {self.own.people} people ({self.own.faces} faces), down to one stranger in "
            f"{1 / rarest:,.0f}, and judges from now on."
        )
        if self.unsupported:
            words += (
                f" For one in {' and '.join(f'{1 / rate:,.0f}' for rate in self.unsupported)} there are too few pairs."
            )
        often = max(self.rates)
        if self.known_again[often] < WEAK:
            words += (
                f" It hardly tells these people apart: only {self.known_again[often]:.0%} of the pairs of one person are as "
                f"alike as one stranger in {1 / often:,.0f}. So it will doubt much that is so; think of leaving it out."
            )
        return words


class _Unusable(FaceStudioError):
    """A photo that says nothing of a person; the message is the reason."""


@dataclass(frozen=True, eq=False)
class _Seen:
    """Unit embeddings (N, D), whose they are (N,), and what was left out."""

    embeddings: np.ndarray
    people: np.ndarray
    left_out: tuple[LeftOut, ...]
    crowded: int


def survey(folder: Path, progress: Progress | None = None) -> People:
    """Whose photos lie in `folder`; UsageError when that is no folder of people, or there are too few of them. Cancelled between
    two files when `progress` is told to stop."""
    if not os.path.isdir(folder):
        raise UsageError(f"There is no folder {shown(folder)}.", hint=LAYOUT)
    progress = progress or Progress()
    whose: dict[str, list[Path]] = {}
    with progress.step("Looking for photos", share=0.02):
        found, left_out = look_through(folder, progress)
        for path in progress.track(found, "Looking for photos"):
            parts = path.relative_to(folder).parts
            if os.path.isdir(path):
                left_out.append(LeftOut(path, "A folder that cannot be read: no permission."))
            elif len(parts) < 2:
                left_out.append(LeftOut(path, "It is not in a person's folder."))
            else:
                whose.setdefault(parts[0], []).append(path)
        progress.tally = ""
    several = sum(len(photos) > 1 for photos in whose.values())
    if several < LEAST_PEOPLE:
        raise UsageError(
            f"In {shown(folder)} are photos of {len(whose)} people, two or more of {several}; {LEAST_PEOPLE} people with two "
            "or more are needed.",
            hint=LAYOUT,
        )
    each = MOST_EACH
    while each > 2 and sum(min(len(photos), each) for photos in whose.values()) > MOST_PHOTOS:
        each -= 1
    chosen = [(name, photo) for name, photos in whose.items() for photo in _evenly(photos, each)][:MOST_PHOTOS]
    return People(tuple(chosen), tuple(left_out), sum(map(len, whose.values())) - len(chosen))


def _evenly(photos: Sequence[Path], most: int) -> list[Path]:
    """At most `most` of `photos`, from all over them."""
    count = min(len(photos), most)
    return [photos[round(place)] for place in np.linspace(0, len(photos) - 1, count)]


def calibrate(
    people: People,
    embedder: Embedder,
    detector: Detector,
    panel: Panel | None,
    progress: Progress | None = None,
    max_megapixels: float = 150.0,
) -> Calibrated:
    """What the cosines of `embedder` mean, by `people`; `panel` says which faces are too poor, None takes all.

    FaceStudioError when too few people have two faces that count, and its hint says what most photos lack; or when all faces are
    the same to the recogniser. CheckpointError passes.
    """
    progress = progress or Progress()
    title = embedder.checkpoint.title or embedder.id
    with progress.step(f"Calibrating {title}"):
        seen = _see(people, embedder, detector, panel, progress, max_megapixels)
        progress.tally = ""
        _check_enough(seen)
        rates = calibrating.supported(seen.people)
        table = calibrating.calibration_of(seen.embeddings, seen.people, rates=rates, progress=progress)
        kept = _rounded(table)
        if not can_judge_by(kept):
            raise FaceStudioError(
                f"{title} does not tell people apart: it says the same of every face.",
                hint="Its file may be damaged, or belong to another network; import it again.",
            )
        same, different = calibrating.pairs(seen.embeddings, seen.people)
        own = OwnCalibration(
            weights=embedder.checkpoint.hashes,
            date=datetime.date.today().isoformat(),
            people=len(np.unique(seen.people)),
            faces=len(seen.people),
            same_pairs=len(same),
            different_pairs=len(different),
            table=kept,
        )
    known = {rate: float(np.mean(same >= threshold_at(table, rate))) for rate in rates}
    lacking = tuple(rate for rate in calibrating.RATES if rate not in rates)
    alike = calibrating.like_one_person(seen.embeddings, seen.people, table["same_mean"])[:_ALIKE]
    return Calibrated(title, own, known, lacking, seen.left_out, people.spared, seen.crowded, tuple(alike))


def keep(entry: Checkpoint, found: Calibrated) -> None:
    """Let the recogniser of `entry` judge by what was `found`; CheckpointMismatch when its weights are others by now."""
    if checkpoint(entry.id).hashes != found.own.weights:
        raise CheckpointMismatch(
            f"The weights of {entry.title} were replaced in the meantime.", hint="Start the calibration again."
        )
    keep_calibration(entry.id, found.own)


def _see(
    people: People,
    embedder: Embedder,
    detector: Detector,
    panel: Panel | None,
    progress: Progress,
    max_megapixels: float,
) -> _Seen:
    found: list[np.ndarray] = []
    whose: list[str] = []
    left_out = list(people.left_out)
    known: dict[str, tuple[str, Path]] = {}
    crowded = 0
    for number, (name, path) in enumerate(progress.track(people.photos, "Looking at people", share=0.97)):
        progress.tally = f"{number} of {len(people.photos)} photos, {len(found)} faces"
        try:
            photo = Photo.open(path, max_megapixels=max_megapixels)
            twin = known.setdefault(photo.content_hash, (name, path))
            if twin[1] != path:
                of = "" if twin[0] == name else ", which is of another person"
                raise _Unusable(f"The same picture as {shown(twin[1])}{of}.")
            faces = _usable_faces(photo, detector, panel, progress)
            found.append(embedder.embed_all(photo.pixels, faces[0].landmarks[None], progress)[0].embedding)
        except CheckpointError:
            raise
        except FaceStudioError as error:
            left_out.append(LeftOut(path, str(error)))
            continue
        whose.append(name)
        crowded += len(faces) > 1
    return _Seen(np.array(found, np.float32), np.array(whose), tuple(left_out), crowded)


def _usable_faces(photo: Photo, detector: Detector, panel: Panel | None, progress: Progress) -> tuple[Face, ...]:
    """The faces of `photo`, largest first; _Unusable when there is none, or the largest is too poor for the `panel`."""
    faces = detector.detect(photo, progress)
    if not faces:
        raise _Unusable("No face was found.")
    if panel is not None:
        (quality,) = panel.quality(photo.pixels, faces[0].landmarks[None], progress)
        if quality < panel.gate:
            raise _Unusable(
                f"The face is too poor to be recognised ({percent_short(quality)}, {panel.gate:.0%} is needed)."
            )
    return faces


def _check_enough(seen: _Seen) -> None:
    several = sum(count > 1 for count in Counter(seen.people.tolist()).values())
    if several >= LEAST_PEOPLE:
        return
    reasons = Counter(left.reason.partition(" (")[0].rstrip(".") for left in seen.left_out)
    most = ", ".join(f"{reason} ({count})" for reason, count in reasons.most_common(3))
    raise FaceStudioError(
        f"Only {several} people have two faces or more that count; {LEAST_PEOPLE} are needed.",
        hint=f"Left out were {len(seen.left_out)} files, most often because: {most}." if most else LAYOUT,
    )


def _rounded(table: Mapping[str, object]) -> dict[str, object]:
    """The table with as many digits as mean anything."""
    return {name: _round(value) for name, value in table.items()}


def _round(value: object) -> object:
    if isinstance(value, float):
        return round(value, 5)
    return {rate: _round(one) for rate, one in value.items()} if isinstance(value, dict) else value
