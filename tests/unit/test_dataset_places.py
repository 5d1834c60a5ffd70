"""What stands in a folder before a dataset is made there, and that the facade asks and draws by the same settings."""

from __future__ import annotations

import errno
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from facestudio.datasets import asking, folder, telling
from facestudio.datasets.places import Place, look_at
from facestudio.datasets.running import Writing
from facestudio.errors import DiskFull, UsageError
from facestudio.faces.sliders import PERSON, Slider
from facestudio.populating import Order
from facestudio.progress import Cancelled, Progress, Update
from facestudio.recipe import Recipe
from tests.fakes import picture, write_picture
from tests.people import Peopled

ORDER = Order(2, 2, seed=5)
RECIPE = Recipe("texture-weights", "texture", {"steps": 3}, 5)
AGE = Slider("age", "Age", PERSON, "How old.", "younger", "older")


@pytest.fixture
def studio() -> Peopled:
    return Peopled()


@pytest.fixture
def made(studio: Peopled, tmp_path: Path) -> Path:
    """A dataset of two people."""
    out = tmp_path / "made"
    studio.populate(out, RECIPE, ORDER)
    return out


def test_a_new_folder_and_an_empty_one_can_be_taken(studio: Peopled, tmp_path: Path) -> None:
    assert studio.dataset_at(tmp_path / "new" / "deep", RECIPE, ORDER) == Place()
    (tmp_path / ".DS_Store").write_text("a file browser's")
    (tmp_path / "Thumbs.db").write_text("another's")
    assert studio.dataset_at(tmp_path, RECIPE, ORDER) == Place()
    assert sorted(os.listdir(tmp_path)) == [".DS_Store", "Thumbs.db"], "looking writes nothing"


def test_a_dataset_is_known_again_by_the_settings_it_was_drawn_by(studio: Peopled, made: Path) -> None:
    place = studio.dataset_at(made, RECIPE, Order(6, 2, seed=5))
    assert (place.people, place.asked, place.differs, place.obstacle) == (2, 2, (), "")
    assert place.settings is not None
    assert asking.asked_by(place.settings, place.asked) == (RECIPE, ORDER)
    other = replace(RECIPE, options={"steps": 4})
    place = studio.dataset_at(made, other, Order(2, 3, seed=6))
    assert place.differs == ("steps", "seed", "pictures") and place.people == 2
    assert "made with other settings: steps, seed, pictures." in place.obstacle
    with pytest.raises(UsageError, match="other settings"):
        studio.populate(made, other, Order(2, 3, seed=6), writing=Writing(resume=True))
    assert studio.dataset_at(made, RECIPE, ORDER, ".webp").differs == ("format",)


def test_more_people_may_be_asked_for_later(studio: Peopled, made: Path) -> None:
    studio.populate(made, RECIPE, Order(4, 2, seed=5), writing=Writing(resume=True))
    shutil.rmtree(made / "0003")
    place = studio.dataset_at(made, RECIPE, ORDER)
    assert (place.people, place.asked) == (3, 4)


def test_sliders_are_settings_of_a_dataset(studio: Peopled, tmp_path: Path) -> None:
    moved = replace(RECIPE, sliders={"age": 0.5})
    with pytest.raises(UsageError, match="no slider called age"):
        studio.populate(tmp_path / "out", moved, ORDER)
    studio.offered = (AGE,)
    _, measured = studio.populate(tmp_path / "out", moved, ORDER)
    assert studio.moved == {"age": 0.5} and measured.people[0].settings["sliders"] == {"age": 0.5}
    page = (tmp_path / "out" / "report.html").read_text()
    assert "age 0.5" in page and "to a training person, as they were planned" in page
    assert studio.dataset_at(tmp_path / "out", moved, ORDER).differs == ()
    assert studio.dataset_at(tmp_path / "out", RECIPE, ORDER).differs == ("age",)
    settings = measured.people[0].settings
    assert asking.asked_by(settings, 2)[0] == moved


def test_other_things_are_named_and_left(studio: Peopled, tmp_path: Path) -> None:
    write_picture(tmp_path / "album" / "holiday.png", picture(20, 20))
    (tmp_path / "album" / "0001").mkdir()
    place = studio.dataset_at(tmp_path / "album", RECIPE, ORDER)
    assert place.obstacle == "The folder album is not empty and contains no dataset: 0001 and 1 more." and place.hint
    for resume in (False, True):
        with pytest.raises(UsageError, match="contains no dataset: 0001 and 1 more"):
            studio.populate(tmp_path / "album", RECIPE, ORDER, writing=Writing(resume=resume))
    assert sorted(os.listdir(tmp_path / "album")) == ["0001", "holiday.png"]
    inside = tmp_path / "album" / "holiday.png"
    assert "is a file" in studio.dataset_at(inside, RECIPE, ORDER).obstacle
    assert "is a file" in studio.dataset_at(inside / "out", RECIPE, ORDER).obstacle


@pytest.mark.skipif(os.name != "posix" or os.getuid() == 0, reason="rights are not asked here")
def test_a_folder_without_rights_says_so(studio: Peopled, tmp_path: Path) -> None:
    (tmp_path / "locked").mkdir(0o500)
    for out in (tmp_path / "locked", tmp_path / "locked" / "out"):
        assert "Cannot write into locked" in studio.dataset_at(out, RECIPE, ORDER).obstacle


def test_rights_are_asked_of_the_folder_that_is_there(
    studio: Peopled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def refuses(path: Path, mode: int) -> bool:
        asked.append(Path(path))
        return False

    monkeypatch.setattr(os, "access", refuses)
    assert "you have no permission" in look_at(tmp_path / "a" / "b", {}).obstacle
    assert asked == [tmp_path]


def test_what_makes_no_sense_is_told_before_anything_is_loaded(studio: Peopled, tmp_path: Path) -> None:
    for out, suffix, words in (
        (tmp_path / "all.png", ".png", "looks like a picture"),
        (tmp_path / "out", ".jpg", "lossless"),
    ):
        with pytest.raises(UsageError, match=words):
            studio.populate(out, RECIPE, ORDER, writing=Writing(suffix))
    with pytest.raises(UsageError, match="not the settings of a dataset"):
        asking.asked_by({"seed": 3}, 2)
    assert not os.listdir(tmp_path)


def test_progress_counts_people_and_pictures(studio: Peopled, made: Path) -> None:
    updates: list[Update] = []
    studio.populate(
        made, RECIPE, Order(3, 2, seed=5), writing=Writing(resume=True), progress=Progress(updates.append, every=0)
    )
    tallies = list(dict.fromkeys(update.tally for update in updates if update.tally))
    assert tallies[0] == "4 of 6 pictures, 2 of 3 people" and tallies[-1] == "6 of 6 pictures, 3 of 3 people"


def test_a_full_disk_keeps_who_is_there_and_says_how_to_go_on(
    studio: Peopled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, plain, written = tmp_path / "out", folder.write_beside, 0

    def full(target: Path, *more: object, **settings: object) -> None:
        nonlocal written
        written += 1
        if written == 2:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        plain(target, *more, **settings)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_beside", full)
        with pytest.raises(DiskFull, match="No space left") as failure:
            studio.populate(out, RECIPE, ORDER)
    assert "continue the dataset" in failure.value.hint
    assert [path.name for path in out.iterdir()] == ["0001"]
    drawn, measured = studio.populate(out, RECIPE, ORDER, writing=Writing(resume=True))
    assert telling.made(drawn) == "1 person drawn, 1 kept." and not telling.missing(measured)
    assert (
        telling.here(measured)
        == "2 people with 4 pictures in all, none of them marked as showing no face or somebody else"
    )
    assert telling.proof(measured.pairs["one"]).startswith("100.0 % of 2 pairs of one person known again, ")


def test_what_there_are_no_pairs_of_is_said(studio: Peopled, tmp_path: Path) -> None:
    _, two = studio.populate(tmp_path / "two", RECIPE, Order(2, 1, seed=5))
    assert telling.here(two).startswith("2 people with 2 pictures in all, none of them marked as showing no face")
    first, second = telling.proof(two.pairs["one"]).split(", ")
    assert first == "no person has two pictures to compare" and second.endswith("% of 1 pair of two mistaken")
    _, alone = studio.populate(tmp_path / "alone", RECIPE, Order(1, 1, seed=5))
    assert telling.proof(alone.pairs["one"]).endswith("there are no two people to compare")


def test_planning_many_people_can_be_stopped(studio: Peopled, tmp_path: Path) -> None:
    progress = Progress()
    progress.cancel()
    with pytest.raises(Cancelled):
        studio.people.draw_apart(3, 0, progress=progress)
    stages: list[str] = []
    studio.populate(tmp_path / "out", RECIPE, ORDER, progress=Progress(lambda of: stages.append(of.stage), every=0))
    assert "Planning people" in stages
