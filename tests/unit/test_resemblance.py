"""Whom a face becomes may resemble who it was, in looks that are named."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from facestudio.checkpoints import load_manifest
from facestudio.errors import CheckpointMismatch
from facestudio.faces.face import Identity
from facestudio.faces.people import IdentitySpace
from facestudio.faces.resemblance import Resemblance
from facestudio.faces.sliders import Sliders
from facestudio.networks.sliders import Moves
from tests.people import space


def sliders(embedder: str = "fake") -> Sliders:
    moves = Moves(("age", "gender", "hair"), 32, 2, 4)
    for place in range(3):
        moves.identity[place, place] = 0.4
    return Sliders(moves, embedder)


def test_the_nearest_is_near_in_the_looks_alone() -> None:
    people = space()
    looks = Resemblance(people, sliders())
    some = [people.draw(seed) for seed in range(40)]
    was = people.draw(100)
    chosen = looks.nearest(was, some)
    off = [float(np.linalg.norm(looks.of(one) - looks.of(was))) for one in some]
    assert off[chosen] == min(off) < np.median(off) / 3
    hair = np.array([one.embedding[2] - was.embedding[2] for one in some])
    assert looks.nearest(was, some) == looks.nearest(Identity(was.embedding, "fake"), some) and len(set(hair)) == 40


def test_a_look_is_read_in_deviations_and_free_of_what_else_varies() -> None:
    people = space()
    random = np.random.default_rng(0)
    drawn = np.stack([people.draw(int(seed)).embedding for seed in random.integers(0, 9999, 300)])
    direction = sliders().direction("age")
    assert direction.shape == (32,) and direction[0] == pytest.approx(0.4)
    reading = people.reading(direction)
    assert np.std(drawn @ reading) == pytest.approx(1.0, rel=0.3)
    assert direction @ reading > 0
    axes, spread = people._people.axes.numpy()[:, :6], people._people.spread.numpy()[:6]  # in no others they vary
    varies = axes @ (spread**2 * (axes.T @ reading))  # how an identity goes with what is read, on average
    within = axes @ (axes.T @ direction)
    assert varies @ within / np.linalg.norm(varies) / np.linalg.norm(within) > 0.98
    assert abs(within @ reading) / np.linalg.norm(within) / np.linalg.norm(reading) < 0.97, (
        "it is not the direction itself"
    )


def test_looks_are_named_and_0_is_the_average_of_real_people() -> None:
    people = space()
    looks = Resemblance(people, sliders(), ("hair", "age"))
    named = [looks.named(people.draw(seed)) for seed in range(200)]
    assert list(named[0]) == ["hair", "age"]
    for place, look in enumerate(named[0]):
        values = np.array([one[look] for one in named])
        assert abs(values.mean()) < 0.3 and values.std() == pytest.approx(1.0, rel=0.3)
        read = [looks.of(people.draw(seed))[place] for seed in (0, 1)]
        assert values[1] - values[0] == pytest.approx(read[1] - read[0], abs=2e-3)


def test_sliders_of_another_recogniser_are_refused() -> None:
    with pytest.raises(CheckpointMismatch, match="another"):
        Resemblance(space(), sliders("another"))


def test_what_ships_reads_what_its_sliders_move() -> None:
    known = load_manifest()
    people = IdentitySpace.load(known["starter-people"], known)
    moving = Sliders.load(known["starter-sliders"], known)
    looks = Resemblance(people, moving)
    was = people.draw(3)
    assert torch.is_tensor(people._people.axes)
    for place, look in enumerate(("age", "gender")):
        higher, lower = (looks.of(moving.identity(was, {look: amount}))[place] for amount in (1.0, -1.0))
        assert higher > looks.of(was)[place] + 0.5 > lower + 1.0
