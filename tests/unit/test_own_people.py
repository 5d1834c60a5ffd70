"""Calibrating on one's own people: which photos count, what is said of the others, and that nothing of them is kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio import own_people
from facestudio.cli.calibrating import calibrated_record, calibrated_text
from facestudio.errors import CheckpointCorrupt, FaceStudioError, UsageError
from facestudio.faces.calibration import interval_at, threshold_at
from facestudio.faces.face import Identity
from facestudio.own_people import Calibrated, calibrate, survey
from facestudio.progress import Cancelled, Progress
from tests.fakes import FakeDetector, FakeEmbedder, face_at, fake_panel, picture, write_picture

FACE = face_at(40, 40, 80)
SMALLER = face_at(60, 60, 30)
BLANK, CROWD, POOR = 7, 9, 11  # colours of pictures without a face, with two, and with a poor one


class Detector(FakeDetector):
    def detect(self, photo: Any, progress: Progress | None = None, minimum_score: float = 0.5) -> Any:
        found = super().detect(photo, progress)
        level = int(photo.pixels[0, 0, 0])
        return () if level == BLANK else found if level == CROWD else found[:1]


class Quality:
    def measure(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> tuple[float, ...]:
        return (0.1 if pixels[0, 0, 0] == POOR else 0.8,) * len(landmarks)


DETECTOR: Any = Detector([FACE, SMALLER])


def photo(folder: Path, person: int, take: int, mark: int | None = None) -> Path:
    """A picture of a person, whose coarse texture is theirs and whose grain is the take's."""
    pixels = picture(80, 80, seed=person)
    grain = np.random.default_rng((person, take)).integers(-30, 31, (8, 8, 3)).repeat(10, 0).repeat(10, 1)
    pixels = np.clip(pixels + grain, 12, 255).astype(np.uint8)
    if mark is not None:
        pixels[0, 0] = mark
    return write_picture(folder / f"person {person:02d}" / f"{take}.png", pixels)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """22 people with two photos, and files that do not count."""
    folder = tmp_path_factory.mktemp("people")
    for person in range(22):
        for take in range(2):
            photo(folder, person, take)
    photo(folder, 0, 7, BLANK)
    photo(folder, 1, 7, CROWD)
    photo(folder, 2, 7, POOR)
    write_picture(folder / "nobody.png", picture(80, 80))
    (folder / "person 03" / "notes.txt").write_text("no photo")
    (folder / "person 03" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (folder / "person 05" / "again.png").write_bytes((folder / "person 04" / "0.png").read_bytes())
    return folder


def calibrated(folder: Path, **changes: Any) -> Calibrated:
    panel = fake_panel(["other"], [])
    panel._quality = Quality()  # type: ignore[assignment]
    settings: dict[str, Any] = {"embedder": FakeEmbedder("judge", title="Judge"), "detector": DETECTOR, "panel": panel}
    return calibrate(survey(folder), **{**settings, **changes})


def test_what_counts_is_measured_and_what_does_not_is_said(people: Path) -> None:
    before = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in people.rglob("*") if path.is_file()}
    found = calibrated(people)
    assert (found.own.people, found.own.faces, found.own.same_pairs) == (22, 45, 20 + 3 + 1)
    assert found.own.different_pairs == 45 * 44 // 2 - found.own.same_pairs
    assert found.crowded == 1 and found.spared == 0 and found.alike == ()
    reasons = {left.path.relative_to(people).as_posix(): left.reason for left in found.left_out}
    assert reasons.pop("person 03/broken.png")
    assert reasons == {
        "nobody.png": "It is not in a person's folder.",
        "person 00/7.png": "No face was found.",
        "person 02/7.png": "The face is too poor to be recognised (10%, 30% is needed).",
        "person 03/notes.txt": "Not a photo, judging by its name.",
        "person 05/again.png": "The same picture as 0.png, which is of another person.",
    }
    assert found.rates == (0.1,) and found.unsupported == (1e-2, 1e-3, 1e-4), "990 pairs of strangers"
    interval = interval_at(found.own.table, 0.1)
    assert interval is not None and interval[0] <= threshold_at(found.own.table, 0.1) <= interval[1]
    assert found.own.table["same_mean"] > threshold_at(found.own.table, 0.1) > found.own.table["different_mean"]
    assert found.known_again[0.1] > 0.9
    assert "22 people (45 faces), down to one stranger in 10, and judges" in found.sentence
    assert "For one in 100 and 1,000 and 10,000 there are too few pairs." in found.sentence
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() == known for path, known in before.items())
    assert {path for path in people.rglob("*") if path.is_file()} == set(before), "nothing was written"


def test_a_recogniser_that_guesses_is_said_to_be_weak(people: Path) -> None:
    class Guessing(FakeEmbedder):
        def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
            number = int.from_bytes(hashlib.sha256(pixels.tobytes()).digest()[:4], "big")
            return (Identity(np.random.default_rng(number).standard_normal(64), self.id),)

    found = calibrated(people, embedder=Guessing("judge"))
    assert found.known_again[0.1] < 0.5 and "It hardly tells these people apart" in found.sentence
    assert "hardly" not in calibrated(people).sentence


def test_a_recogniser_that_says_the_same_of_everybody_does_not_judge(people: Path) -> None:
    class Dead(FakeEmbedder):
        def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
            return (Identity(np.ones(64), self.id),)

    with pytest.raises(FaceStudioError, match="judge does not tell people apart"):
        calibrated(people, embedder=Dead("judge"))


def test_a_recogniser_without_a_word_is_told_with_its_reason(people: Path) -> None:
    class Silent(FakeEmbedder):
        def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
            return (Identity(np.zeros(64), self.id),)

    with pytest.raises(FaceStudioError, match="Only 0 people have two faces or more that count") as told:
        calibrated(people, embedder=Silent("judge"))
    assert "judge gives no usable identity for this face: its embedding is zero" in told.value.hint


def test_without_a_panel_no_face_is_too_poor(people: Path) -> None:
    assert calibrated(people, panel=None).own.faces == 46


def test_one_person_in_two_folders_is_pointed_out(people: Path, tmp_path: Path) -> None:
    for person in range(21):
        for take in range(2):
            photo(tmp_path, person, take)
    for take in (2, 3):
        photo(tmp_path, 20, take).rename(tmp_path / "person 00" / f"{take}.png")
    for take in (0, 1):
        (tmp_path / "person 00" / f"{take}.png").unlink()
    ((one, other, _), *_) = calibrated(tmp_path).alike
    assert (one, other) == ("person 00", "person 20")


def test_a_folder_s_name_cannot_break_the_sentence_about_it(people: Path) -> None:
    found = replace(calibrated(people), alike=(("Ann\nleft out: \x1b[2J", "B" * 200, 0.9),))
    (line,) = [line for line in calibrated_text(found).splitlines() if line.startswith("Please check whether")]
    assert line.startswith("Please check whether Ann?left out: ?[2J and BBB") and "B…B" in line
    assert line.endswith("are the same person: their faces are as alike (0.90) as one person's.") and len(line) < 200
    told = calibrated_record("judge", found)["perhaps_one_person"]
    assert told[0]["people"] == ["Ann\nleft out: \x1b[2J", "B" * 200], "for programs as it is"


def test_a_folder_that_is_not_sorted_is_refused_before_anything_is_looked_at(people: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder gone") as told:
        survey(tmp_path / "gone")
    assert "one folder per person" in told.value.hint
    for person in range(3):
        photo(tmp_path, person, 0)
        photo(tmp_path, person, 1)
    photo(tmp_path, 3, 0)
    with pytest.raises(UsageError, match="photos of 4 people, two or more of 3; 20 people with two or more are needed"):
        survey(tmp_path)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """5,000 files of 50 people, by their names photos."""
    folder = tmp_path_factory.mktemp("crowd")
    for person in range(50):
        (folder / f"{person:02d}").mkdir()
        for take in range(100):
            (folder / f"{person:02d}" / f"{take}.png").touch()
    return folder


def test_looking_for_photos_says_how_far_it_is(crowd: Path) -> None:
    updates: list[Any] = []
    found = survey(crowd, Progress(updates.append, every=0))
    assert found == survey(crowd) and len(found.photos) + found.spared == 5000
    assert {update.stage for update in updates} == {"Looking for photos"}
    assert {"0 found", "2,500 found", "4,999 found"} <= {update.tally for update in updates}
    fractions = [update.fraction for update in updates]
    assert fractions == sorted(fractions) and fractions[-1] == 1 and len(set(fractions)) > 5000


@pytest.mark.parametrize("moment", [lambda update: update.tally == "1,000 found", lambda update: update.fraction > 0.5])
def test_looking_for_photos_stops_at_the_next_file(crowd: Path, moment: Callable[[Any], bool]) -> None:
    after: list[Any] = []

    def report(update: Any) -> None:
        if moment(update):
            progress.cancel()
        if progress.cancelled:
            after.append(update)

    progress = Progress(report, every=0)
    with pytest.raises(Cancelled):
        survey(crowd, progress)
    assert len(after) == 1


def test_too_few_faces_that_count_are_said_with_the_reasons(people: Path) -> None:
    with pytest.raises(FaceStudioError, match="Only 0 people have two faces or more that count; 20 are needed") as told:
        calibrated(people, detector=FakeDetector([]))
    assert "because: No face was found (47), " in told.value.hint


def test_a_photo_that_fails_is_left_out_but_not_weights_that_do(people: Path) -> None:
    with pytest.raises(FaceStudioError, match="Only 0 people") as told:
        calibrated(people, embedder=FakeEmbedder("judge", fails=True))
    assert "This embedder was told to fail" in told.value.hint

    class Damaged(FakeEmbedder):
        def embed_all(self, *args: Any) -> Any:
            raise CheckpointCorrupt("The weights are damaged.")

    with pytest.raises(CheckpointCorrupt):
        calibrated(people, embedder=Damaged("judge"))


def test_it_says_how_far_it_is_and_stops_at_the_next_photo(people: Path) -> None:
    updates: list[Any] = []
    progress = Progress(updates.append, every=0)

    class Stopping(FakeEmbedder):
        def embed_all(self, *args: Any) -> Any:
            if len(self.seen) == 4:
                progress.cancel()
            return super().embed_all(*args)

    embedder = Stopping("judge")
    with pytest.raises(Cancelled):
        calibrated(people, embedder=embedder, progress=progress)
    assert len(embedder.seen) <= 6
    assert any(update.tally == "3 of 49 photos, 2 faces" for update in updates)
    assert updates[-1].fraction < 0.3


def test_more_photos_than_are_needed_are_spared_evenly(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_people, "MOST_EACH", 2)
    chosen = survey(people)
    assert len(chosen.photos) == 44 and chosen.spared == 5
    assert [path.name for name, path in chosen.photos if name == "person 00"] == ["0.png", "7.png"]
    monkeypatch.setattr(own_people, "MOST_EACH", 20)
    monkeypatch.setattr(own_people, "MOST_PHOTOS", 45)
    assert len(survey(people).photos) == 44
