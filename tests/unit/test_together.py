"""Several faces in one call of a method: which may go together, and that nothing else changes by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from facestudio.checkpoints import Checkpoint
from facestudio.errors import FaceStudioError
from facestudio.faces.face import FFHQ_256, AlignedFace
from facestudio.methods.base import Batched
from facestudio.methods.quick import Options, Quick
from facestudio.networks.estimator import EstimatorUNet
from facestudio.photo import Photo
from facestudio.pipeline import restore
from facestudio.progress import Cancelled, Progress, Update
from facestudio.subject import Subject
from facestudio.together import groups, overlap
from tests.fakes import SlowRestorer, face_at, photo_of, picture

FACES = (face_at(70, 90, 90), face_at(180, 90, 70), face_at(300, 90, 80), face_at(310, 100, 80))


class Together(SlowRestorer):
    """A restorer that can take several crops, remembers how many, and may refuse them."""

    def __init__(self, refuses: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.calls: list[int] = []
        self.refuses = refuses

    def many(
        self, aligned: Sequence[AlignedFace], options: Any, progress: Progress, seeds: Sequence[int]
    ) -> list[AlignedFace]:
        self.calls.append(len(aligned))
        if self.refuses:
            raise FaceStudioError("Too much at once.")
        pairs = list(zip(aligned, seeds, strict=True))
        return [self(one, options, progress, seed) for one, seed in progress.track(pairs, "All at once")]


@pytest.fixture
def photo(tmp_path: Path) -> Photo:
    return photo_of(tmp_path / "photo.png", picture(190, 400, FACES))


def test_boxes_that_overlap_never_go_together_and_keep_their_order() -> None:
    boxes = {3: (0, 0, 10, 10), 1: (20, 0, 30, 10), 7: (5, 5, 25, 15), 2: (50, 0, 60, 10), 4: (9, 9, 12, 12)}
    found = groups(boxes)
    assert found == [[3, 1, 2], [7], [4]]
    assert groups(boxes, most=2) == [[3, 1], [7, 2], [4]]
    assert groups({}) == []
    assert overlap((0, 0, 2, 2), (1, 1, 3, 3)) and not overlap((0, 0, 2, 2), (2, 0, 3, 3))


def test_faces_apart_are_restored_in_one_call_with_the_same_result(photo: Photo) -> None:
    together, alone = Together(), SlowRestorer()
    assert isinstance(together, Batched) and not isinstance(alone, Batched)
    found, wanted = restore(Subject(photo, FACES), together), restore(Subject(photo, FACES), alone)
    assert together.calls == [3], "the last overlaps the third, and is alone"
    assert sorted(together.seeds) == sorted(alone.seeds)
    assert np.array_equal(found.after.pixels, wanted.after.pixels)
    for one, other in zip(found.faces, wanted.faces, strict=True):
        assert one.aligned_before is not None and other.aligned_before is not None
        assert np.array_equal(one.aligned_before.pixels, other.aligned_before.pixels)


def test_what_fails_together_is_tried_face_by_face(photo: Photo) -> None:
    restorer = Together(refuses=True, fails=[1])
    result = restore(Subject(photo, FACES), restorer)
    assert restorer.calls == [3]
    assert [face.status for face in result.faces] == ["restored", "failed", "restored", "restored"]


def test_a_call_for_several_can_be_stopped_and_reports(photo: Photo) -> None:
    updates: list[Update] = []
    progress = Progress(updates.append, every=0)
    restorer = Together(steps=3)
    restore(Subject(photo, FACES), restorer, progress=progress)
    shares = [update.fraction for update in updates]
    assert shares == sorted(shares) and len(set(shares)) > 8
    stopped = Progress(lambda update: stopped.cancel() if restorer.finished == 5 else None, every=0)
    with pytest.raises(Cancelled):
        restore(Subject(photo, FACES), restorer, progress=stopped)


def test_quick_makes_of_several_what_it_makes_of_each() -> None:
    torch.manual_seed(0)
    network = EstimatorUNet(widths=(8, 16), blocks=1)
    torch.nn.init.normal_(network.tail.weight, std=0.02)
    quick = Quick(Checkpoint("tiny"), network.eval())
    crops = [AlignedFace(picture(256, 256, seed=seed), np.eye(2, 3), FFHQ_256) for seed in range(3)]
    together = quick.many(crops, Options(), Progress(), [0, 0, 0])
    for one, crop in zip(together, crops, strict=True):
        assert np.abs(one.pixels.astype(int) - quick(crop, Options(), Progress(), 0).pixels).max() <= 1
        assert np.abs(one.pixels.astype(int) - crop.pixels).max() > 3
