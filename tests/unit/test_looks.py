"""Where a detector looks: every face of every size is surely whole in some look, and half a face is nobody's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from facestudio.faces.looks import (
    LARGEST,
    MARGIN,
    MOST,
    OVERLAP,
    STEP,
    TILE,
    TURNED,
    TURNS,
    WHOLE,
    Look,
    looks_at,
    turned_looks,
)

SIZES = [
    (16, 16),
    (1, 1),
    (600, 400),
    (1100, 900),
    (1500, 300),
    (4000, 3000),
    (3000, 4000),
    (20000, 100),
    (14000, 10000),
]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_tiles_cover_the_photo_and_are_of_one_size(width: int, height: int) -> None:
    looks = looks_at(width, height)
    assert looks[0].whole
    for size, group in itertools.groupby((look for look in looks if not look.whole), key=lambda look: look.size):
        tiles = [look.part for look in group]
        seen = np.zeros((size[1] // 8 + 1, size[0] // 8 + 1), bool)
        for left, top, right, bottom in tiles:
            assert 0 <= left < right <= size[0]
            assert 0 <= top < bottom <= size[1]
            assert max(right - left, bottom - top) <= TILE
            seen[top // 8 : bottom // 8 + 1, left // 8 : right // 8 + 1] = True
        assert seen.all()
        assert len({(right - left, bottom - top) for left, top, right, bottom in tiles}) == 1


@pytest.mark.parametrize(("width", "height"), [(4000, 3000), (20000, 100), (14000, 10000)])
def test_every_face_is_surely_whole_in_some_look(width: int, height: int) -> None:
    """Faces of every size that is asked for, anywhere: one look shows them at 14 px or more and answers for them."""
    random = np.random.default_rng(0)
    looks = looks_at(width, height)
    finest = max(look.size[0] for look in looks) / width
    for _ in range(300):
        side = float(np.exp(random.uniform(np.log(22 / finest), np.log(min(width, height) / 2))))
        corner = random.uniform(0, 1, 2) * (width - side, height - side)
        box = np.concatenate([corner, corner + side])
        answers = []
        for look in looks:
            scale = look.size[0] / width
            seen = (box * scale - np.tile(look.part[:2], 2))[None]
            shows = np.all(seen[0, 2:] > 0) and np.all(seen[0, :2] < np.subtract(look.part[2:], look.part[:2]))
            if shows and look.answers_for(seen)[0]:
                answers.append(side * scale)
        assert answers, box
        assert 14 <= max(answers)


def test_small_photos_are_looked_at_whole_only() -> None:
    assert [look.size for look in looks_at(300, 200)] == [(300, 200)]
    assert [look.size for look in looks_at(800, 400)] == [(800, 400), (384, 192)]
    assert [look.size for look in looks_at(1200, 600)] == [(1024, 512), (384, 192)]


def test_a_large_photo_is_seen_at_its_own_size_in_few_tiles() -> None:
    looks = looks_at(4000, 3000)
    tiles = [look for look in looks if not look.whole]
    assert {look.size for look in tiles} == {(4000, 3000)}
    assert len(tiles) == 20


def test_what_a_huge_photo_costs_is_bounded() -> None:
    looks = looks_at(15000, 10000)
    sizes = sorted({look.size for look in looks})
    assert sizes[-1][0] * sizes[-1][1] == pytest.approx(MOST, rel=0.01)
    assert all(after[0] / before[0] <= STEP + 0.01 for before, after in itertools.pairwise(sizes[1:]))
    assert sizes[1][0] == WHOLE[0]


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_turned_look_sees_the_whole_photo(width: int, height: int) -> None:
    looks = turned_looks(width, height)
    assert [look.turn for look in looks] == list(TURNS)
    assert all(look.whole and max(look.size) == min(max(width, height), TURNED) for look in looks)


@pytest.mark.parametrize("tilt", range(-180, 180, 15))
def test_no_head_is_tilted_far_in_every_look(tilt: int) -> None:
    """Photos are scanned sideways and upside down; beyond 45 degrees the network finds few."""
    looks = (0.0, *(look.turn for look in turned_looks(800, 600)))
    assert min(abs((tilt + turn + 180) % 360 - 180) for turn in looks) <= 45


def test_a_tile_answers_for_whole_faces_only() -> None:
    tile = Look((4000, 3000), (0, 896, 1024, 1920), LARGEST)
    inside, at_photo_edge, at_inner_edge, large = (
        (200, 200, 260, 280),
        (-5, 300, 40, 350),
        (990, 300, 1020, 340),
        (
            100,
            100,
            180,
            100 + LARGEST + 1,
        ),
    )
    top = (200, MARGIN - 1, 240, 50)
    boxes = np.array([inside, at_photo_edge, at_inner_edge, large, top], dtype=np.float32)
    assert tile.answers_for(boxes).tolist() == [True, True, False, False, False]
    assert OVERLAP >= LARGEST + 2 * MARGIN
    whole = Look((1024, 768), (0, 0, 1024, 768))
    assert whole.answers_for(np.array([(-20, -20, 1100, 700)])).all()
    assert whole.answers_for(np.zeros((0, 4))).shape == (0,)
