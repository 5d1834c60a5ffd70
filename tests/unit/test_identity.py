from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from facestudio.checkpoints import File
from facestudio.errors import CheckpointMismatch, OutOfMemory
from facestudio.faces.face import Identity, similarity
from facestudio.faces.identity import BATCH, Embedder, verdict
from facestudio.faces.recent import Recent
from facestudio.progress import Cancelled, Progress
from tests.fakes import CALIBRATION, draw_face, face_at, fake_checkpoint, picture

JUDGE = fake_checkpoint("judge", calibration=CALIBRATION)  # 1e-3: 0.8, 1e-2: 0.6, 1e-1: 0.4


@pytest.mark.parametrize(
    ("cosine", "words"),
    [
        (1.0, "same person"),
        (0.8, "same person"),
        (0.79, "uncertain"),
        (0.4, "uncertain"),
        (0.39, "changed"),
        (-1.0, "changed"),
    ],
)
def test_words_follow_the_thresholds(cosine: float, words: str) -> None:
    judged = verdict(cosine, JUDGE)
    assert (judged.words, judged.threshold, judged.changed_below) == (words, 0.8, 0.4)
    assert (judged.cosine, judged.embedder, judged.far) == (cosine, "judge", 1e-3)


def test_a_stricter_rate_asks_for_more() -> None:
    assert verdict(0.85, JUDGE, far=1e-3).words == "same person"
    assert verdict(0.85, JUDGE, far=1e-4).words == "uncertain"
    assert verdict(0.65, JUDGE, far=1e-2).words == "same person"


def test_a_rate_laxer_than_ten_in_a_hundred_leaves_no_gap_the_wrong_way() -> None:
    lax = fake_checkpoint("lax", calibration={"thresholds": {"1e-1": 0.4, "5e-1": 0.1}})
    judged = verdict(0.2, lax, far=0.5)
    assert judged.words == "same person"
    assert judged.changed_below <= judged.threshold


def test_goal_decides_what_counts_as_success() -> None:
    assert verdict(0.9, JUDGE).success
    assert not verdict(0.6, JUDGE).success
    assert not verdict(0.9, JUDGE, goal="change").success
    assert verdict(0.1, JUDGE, goal="change").success
    near, far = verdict(0.9, JUDGE), verdict(0.2, JUDGE)
    assert near.distance_from_goal < far.distance_from_goal
    near, far = verdict(0.2, JUDGE, goal="change"), verdict(0.9, JUDGE, goal="change")
    assert near.distance_from_goal < far.distance_from_goal


@pytest.mark.parametrize("calibration", [{}, {"thresholds": {}}, {"same_mean": 0.5}])
def test_without_thresholds_nothing_is_claimed(calibration: dict[str, float]) -> None:
    with pytest.raises(CheckpointMismatch, match="bare has no calibrated"):
        verdict(0.9, fake_checkpoint("bare", calibration=calibration))


class Flat(nn.Module):
    """Every eighth pixel as it comes, so that an embedding shows what the network was given. Counts what it saw in
    each call; a call of more than `limit` pictures runs out of memory."""

    def __init__(self, limit: int = 10_000) -> None:
        super().__init__()
        self.calls: list[int] = []
        self._limit = limit

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.shape[1:] == (3, 112, 112)
        assert x.abs().max() <= 1
        self.calls.append(len(x))
        if len(x) > self._limit:
            raise torch.OutOfMemoryError("CUDA ran dry")
        return nn.functional.avg_pool2d(x, 8).flatten(1)


def landmarks_of(count: int) -> np.ndarray:
    """Landmarks (count, 5, 2) at different places of a photo of 300 x 350 pixels."""
    return np.stack([face_at(100 + 3 * n, 90 + 2 * n, 100 + 2 * n, n).landmarks for n in range(count)])


def test_embedding_follows_the_face_and_not_its_place() -> None:
    embedder = Embedder(JUDGE, Flat())
    faces = [face_at(100, 100, 150), face_at(230, 160, 110, 25)]
    embedded = []
    for face in faces:
        pixels = np.full((300, 350, 3), 90, np.uint8)
        draw_face(pixels, face)
        embedded.append(embedder.embed(pixels, face.landmarks))
    background = embedder.embed(picture(300, 350, seed=3), faces[0].landmarks)
    assert embedded[0].embedder == "judge"
    assert similarity(embedded[0], embedded[1]) > 0.97
    assert similarity(embedded[0], background) < 0.8


def test_all_faces_of_a_photo_are_one_call_of_the_network() -> None:
    network, pixels = Flat(), picture(300, 350, seed=3)
    embedder = Embedder(JUDGE, network)
    together = embedder.embed_all(pixels, landmarks_of(5))
    assert network.calls == [10]  # each with its mirror image
    alone = [Embedder(JUDGE, Flat()).embed(pixels, landmarks) for landmarks in landmarks_of(5)]
    for one, other in zip(together, alone, strict=True):
        assert np.allclose(one.embedding, other.embedding, atol=1e-6)
    assert embedder.embed_all(pixels, np.empty((0, 5, 2))) == ()


def test_a_mirrored_face_is_the_same_person() -> None:
    pixels, landmarks = picture(300, 350, [face_at(120, 130, 150)]), face_at(120, 130, 150).landmarks
    mirrored = np.column_stack([349 - landmarks[:, 0], landmarks[:, 1]])[[1, 0, 2, 4, 3]]
    embedder = Embedder(JUDGE, Flat())
    turned = embedder.embed(np.ascontiguousarray(pixels[:, ::-1]), mirrored)
    assert similarity(embedder.embed(pixels, landmarks), turned) > 0.999


def test_many_faces_come_in_portions_and_half_of_them_when_memory_is_short() -> None:
    pixels = picture(300, 350, seed=3)
    plain, short = Flat(), Flat(limit=BATCH)
    whole = Embedder(JUDGE, plain).embed_all(pixels, landmarks_of(40))
    assert plain.calls == [2 * BATCH, 2 * (40 - BATCH)]
    halved = Embedder(JUDGE, short).embed_all(pixels, landmarks_of(40))
    assert short.calls == [2 * BATCH, BATCH, BATCH, 2 * (40 - BATCH)]
    assert all(np.array_equal(a.embedding, b.embedding) for a, b in zip(whole, halved, strict=True))
    with pytest.raises(OutOfMemory):
        Embedder(JUDGE, Flat(limit=0)).embed(pixels, landmarks_of(1)[0])


def test_embedding_many_faces_can_be_stopped() -> None:
    network, progress = Flat(), Progress()

    class Stopping(Flat):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            progress.cancel()
            return network(x)

    with pytest.raises(Cancelled):
        Embedder(JUDGE, Stopping()).embed_all(picture(300, 350), landmarks_of(3 * BATCH), progress)
    assert network.calls == [2 * BATCH]


def test_a_face_that_did_not_change_is_not_embedded_again() -> None:
    network, pixels = Flat(), picture(300, 350, seed=3)
    embedder = Embedder(JUDGE, network)
    first = embedder.embed_all(pixels, landmarks_of(3))
    again = embedder.embed_all(pixels.copy(), landmarks_of(3))
    assert network.calls == [6]
    assert all(np.array_equal(a.embedding, b.embedding) for a, b in zip(first, again, strict=True))
    embedder.embed_all(pixels, landmarks_of(5))
    assert network.calls == [6, 4]  # only the two that are new


def test_a_changed_pixel_is_seen() -> None:
    network, face = Flat(), face_at(150, 150, 150)
    embedder, pixels = Embedder(JUDGE, network), picture(300, 350, seed=3)
    before = embedder.embed(pixels, face.landmarks)
    x, y = np.rint(face.landmarks[2]).astype(int)
    pixels[y, x] ^= 128
    after = embedder.embed(pixels, face.landmarks)
    assert network.calls == [2, 2]
    assert not np.array_equal(before.embedding, after.embedding)


def test_the_same_crop_twice_in_one_photo_is_one() -> None:
    network = Flat()
    one, other = Embedder(JUDGE, network).embed_all(picture(300, 350), landmarks_of(1).repeat(2, axis=0))
    assert network.calls == [2]
    assert one is other


def test_what_one_embedder_knows_is_not_what_another_does() -> None:
    known: Recent[Identity] = Recent(8)
    files = [{"weights": File(Path("net"), sha256, 1)} for sha256 in ("aa", "bb")]
    networks = [Flat() for _ in range(3)]
    embedders = [
        Embedder(fake_checkpoint("judge", files=files[0]), networks[0], known=known),
        Embedder(fake_checkpoint("judge", files=files[1]), networks[1], known=known),  # trained again
        Embedder(fake_checkpoint("other", files=files[0]), networks[2], known=known),
    ]
    for _ in range(2):
        told = [embedder.embed(picture(300, 350), landmarks_of(1)[0]).embedder for embedder in embedders]
        assert told == ["judge", "judge", "other"]
    assert [network.calls for network in networks] == [[2], [2], [2]]


def test_only_so_many_are_kept() -> None:
    network, pixels = Flat(), picture(300, 350)
    embedder = Embedder(JUDGE, network, known=Recent(2))
    assert len(embedder.embed_all(pixels, landmarks_of(3))) == 3
    embedder.embed_all(pixels, landmarks_of(3)[1:])
    assert network.calls == [6]
    embedder.embed_all(pixels, landmarks_of(1))
    assert network.calls == [6, 2]
