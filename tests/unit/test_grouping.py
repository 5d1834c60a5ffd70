"""Which faces are the same person: the same whatever the order, never two of one photo, and nothing kept of a face."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import Identity
from facestudio.faces.grouping import Grouping
from tests.fakes import FakeEmbedder, fake_checkpoint, fake_panel

NAMES = ("one", "two")
EMBEDDERS: Any = [FakeEmbedder(name) for name in NAMES]


def shot(person: int, take: int, spread: float = 0.4) -> dict[str, Identity]:
    """A face of `person`: cosines of about 1 / (1 + spread²) to its other takes, about 0 to strangers."""
    found = {}
    for place, name in enumerate(NAMES):
        own = np.random.default_rng((person, place)).standard_normal(128) / 128**0.5
        noise = np.random.default_rng((person, take, place, 1)).standard_normal(128) / 128**0.5
        found[name] = Identity(own + spread * noise, name)
    return found


def panel() -> Any:
    return fake_panel(NAMES, [])  # the same person from a mean cosine of 0.7 on


def test_takes_of_a_person_come_together_in_any_order() -> None:
    shots = [(person, take) for person in range(12) for take in range(1 + person % 5)]
    for seed in range(3):
        grouping = Grouping(EMBEDDERS, panel())
        order = np.random.default_rng(seed).permutation(len(shots))
        numbers = [grouping.add([shot(*shots[n])], [0.9])[0] for n in order]
        assert numbers == list(range(len(shots)))
        groups = grouping.groups()
        assert groups[0] == 0 and sorted(set(groups)) == list(range(12))
        assert len({(shots[n][0], group) for n, group in zip(order, groups, strict=True)}) == 12


def test_groups_that_turn_out_to_be_one_person_are_joined() -> None:
    grouping = Grouping(EMBEDDERS, panel())
    first, second = shot(1, 0, 0.8), shot(1, 1, 0.8)
    cosine = np.mean([first[name].embedding @ second[name].embedding for name in NAMES])
    assert cosine < 0.7, "alone they are two people"
    grouping.add([first], [0.9])
    grouping.add([second], [0.9])
    assert len(set(grouping._group_of)) == 2
    half = {name: Identity(first[name].embedding + second[name].embedding, name) for name in NAMES}
    for _ in range(4):
        grouping.add([half], [0.9])
    assert set(grouping.groups()) == {0}


def test_two_faces_of_one_photo_are_two_people() -> None:
    grouping = Grouping(EMBEDDERS, panel())
    grouping.add([shot(1, 0), shot(1, 1), shot(2, 0)], [0.9] * 3)
    grouping.add([shot(2, 1), shot(1, 2)], [0.9] * 2)
    one, twin, other, other_again, again = grouping.groups()
    assert len({one, twin, other}) == 3
    assert other_again == other and again in (one, twin)


def test_without_a_panel_the_recognisers_own_thresholds_decide() -> None:
    grouping = Grouping(EMBEDDERS, None)
    for person, take, spread in ((1, 0, 0.2), (1, 1, 0.2), (1, 2, 0.8), (2, 0, 0.2)):
        grouping.add([shot(person, take, spread)], [1.0])
    assert grouping.groups() == [0, 0, 1, 2], "the third is less alike than one stranger in ten thousand"
    uncalibrated: Any = FakeEmbedder("one")
    uncalibrated.checkpoint = fake_checkpoint("one")
    with pytest.raises(CheckpointMismatch, match="no calibrated thresholds"):
        Grouping([uncalibrated], None)


def test_the_middle_of_a_group_is_that_of_its_faces() -> None:
    grouping = Grouping(EMBEDDERS, panel())
    assert grouping.add([], []) == [] and grouping.groups() == [] and grouping.middles("two").shape[0] == 0
    for person in (3, 1, 3, 2, 3):
        grouping.add([shot(person, len(grouping._group_of))], [0.9])
    assert grouping.groups() == [0, 1, 0, 2, 0]
    takes = np.stack([shot(3, take)["two"].embedding for take in (0, 2, 4)])
    mean = takes.mean(0) / np.linalg.norm(takes.mean(0))
    assert np.allclose(grouping.middles("two")[0], mean, atol=1e-6)
    assert grouping.middles("two").shape == (3, 128)


def test_more_people_than_there_was_room_for() -> None:
    grouping = Grouping(EMBEDDERS, panel())
    for person in range(150):
        grouping.add([shot(person, 0)], [0.9])
    grouping.add([shot(140, 1)], [0.9])
    assert grouping.groups() == [*range(150), 140]
