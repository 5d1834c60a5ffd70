"""What of a folder is done, what is left out and why, and numbers for names."""

from __future__ import annotations

import csv
import os
import pickle
import random
from pathlib import Path
from typing import Any

import pytest

from facestudio.errors import UsageError
from facestudio.numbering import numbered
from facestudio.planning import FolderPath, as_written, survey
from tests.fakes import picture, write_picture


@pytest.fixture
def album(tmp_path: Path) -> Path:
    folder = tmp_path / "album"
    for name in ("b.jpg", "summer/a.PNG", "summer/deep/c.webp", ".hidden/d.png", ".e.png"):
        write_picture(folder / name, picture(20, 20))
    (folder / "notes.txt").write_text("not a photo")
    (folder / "summer" / "loop").symlink_to(folder)
    (folder / "away").symlink_to(tmp_path)
    (folder / "same.jpg").symlink_to(folder / "b.jpg")
    return folder


def test_everything_in_a_folder_is_done_or_left_out_with_a_reason(album: Path, tmp_path: Path) -> None:
    plan = survey([album], tmp_path / "out")
    assert {item.source.name for item in plan.items} == {"b.jpg", "a.PNG", "c.webp"}
    assert {item.target.relative_to(tmp_path / "out").as_posix() for item in plan.items} == {
        *("b.jpg", "summer/a.PNG", "summer/deep/c.webp"),
    }
    reasons = {left.path.name: left.reason for left in plan.left_out}
    assert set(reasons) == {"notes.txt", "loop", "away", ".hidden", ".e.png", "same.jpg"}
    assert "leads back" in reasons["loop"] and "leads back" in reasons["away"]
    assert "by its name" in reasons["notes.txt"] and "hidden" in reasons[".hidden"] and "hidden" in reasons[".e.png"]
    assert reasons["same.jpg"] == f"The same file as {album / 'b.jpg'}, which is done."


def test_a_link_elsewhere_is_not_followed(album: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (album / "other").symlink_to(tmp_path / "elsewhere")
    (left,) = [left for left in survey([album], tmp_path / "out").left_out if left.path.name == "other"]
    assert "not followed" in left.reason


def mapping_of(path: Path) -> dict[str, str]:
    with path.open(newline="") as file:
        (header, *rows) = csv.reader(file)
    assert header == ["number", "photo"]
    return {Path(photo).name: number for number, photo in rows}


def test_numbers_replace_names_and_the_mapping_is_kept_apart(album: Path, tmp_path: Path) -> None:
    out, mapping = tmp_path / "out", tmp_path / "names.csv"
    plan = numbered(survey([album], out), out, mapping)
    names = mapping_of(mapping)
    assert sorted(names.values()) == ["000001", "000002", "000003"]
    for item in plan.items:
        number = names[item.source.name]
        assert item.target == out / f"{number}{item.source.suffix.lower()}"
        assert item.label == number
    for left in plan.left_out:
        assert left.label == "without a number" and "b.jpg" not in left.reason
    assert any(names["b.jpg"] in left.reason for left in plan.left_out)
    assert os.listdir(tmp_path / "album") and not out.exists()


def test_the_order_of_numbers_tells_nothing_of_the_names(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for n in range(12):
        write_picture(folder / f"{n:02d}.png", picture(20, 20))
    plan = numbered(survey([folder], tmp_path / "out"), tmp_path / "out", tmp_path / "names.csv", random.Random(3))
    labels = [item.label for item in sorted(plan.items, key=lambda item: item.source)]
    assert labels != sorted(labels) and len(set(labels)) == 12
    assert [item.label for item in plan.items] == sorted(labels), (
        "else the order of the report's lines gives names away"
    )


def test_numbers_stay_when_a_run_goes_on_and_new_photos_get_new_ones(album: Path, tmp_path: Path) -> None:
    out, mapping = tmp_path / "out", tmp_path / "names.csv"
    first = {item.source: item.label for item in numbered(survey([album], out), out, mapping).items}
    if os.name == "posix":
        assert mapping.stat().st_mode & 0o777 == 0o600, "it undoes the numbers"
        mapping.chmod(0o640)
    write_picture(album / "000.png", picture(20, 20))
    again = {item.source: item.label for item in numbered(survey([album], out), out, mapping).items}
    assert {source: again[source] for source in first} == first
    assert again[album / "000.png"] == "000004"
    assert os.name != "posix" or mapping.stat().st_mode & 0o777 == 0o640, "who gave it to others still does"


@pytest.mark.parametrize("begun", [False, True])
def test_two_runs_that_begin_together_agree_on_the_numbers(album: Path, tmp_path: Path, begun: bool) -> None:
    out, mapping = tmp_path / "out", tmp_path / "names.csv"
    photos = [item.source for item in survey([album], out).items]
    if begun:
        numbered(survey(photos[:1], out), out, mapping)
    others: list[dict[Path, str]] = []

    class Late(random.Random):
        """Draws while another run has finished doing so."""

        def shuffle(self, x: Any) -> None:
            if not others:
                plan = numbered(survey([album], tmp_path / "b"), tmp_path / "b", mapping, random.Random(5))
                others.append({item.source: item.label for item in plan.items})
            super().shuffle(x)

    mine = {item.source: item.label for item in numbered(survey([album], out), out, mapping, Late(4)).items}
    assert mine == others[0] and sorted(mapping_of(mapping).values()) == sorted(mine.values())


def test_a_mapping_beside_the_photos_or_over_something_else_is_refused(album: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other.csv"
    other.write_text("precious,things\n1,2\n")
    for mapping, words in (
        (out / "names.csv", "keep it somewhere else"),
        (other, "no mapping"),
        (tmp_path / "n.png", "a photo"),
    ):
        with pytest.raises(UsageError, match=words):
            numbered(survey([album], out), out, mapping)
    assert other.read_text() == "precious,things\n1,2\n"
    with pytest.raises(UsageError, match="need a folder"):
        numbered(survey([album / "b.jpg"], tmp_path / "x.jpg"), tmp_path / "x.jpg", tmp_path / "names.csv")


def test_numbers_can_be_looked_up_without_giving_any(tmp_path: Path) -> None:
    folder, out, mapping = tmp_path / "in", tmp_path / "out", tmp_path / "names.csv"
    for name in ("a.jpg", "b.png"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    none = numbered(survey([folder], out), out, mapping, write=False)
    assert not mapping.exists()
    assert [(item.target.name, item.label) for item in none.items] == [("a.jpg", ""), ("b.png", "")]
    given = numbered(survey([folder], out), out, mapping)
    (folder / "c.png").touch()
    again = numbered(survey([folder], out), out, mapping, write=False)
    assert set(again.items[:2]) == set(given.items)
    assert (again.items[2].target, again.items[2].label) == (out / "c.png", "")
    assert "c.png" not in mapping.read_text()


def test_what_is_left_out_names_no_photo_that_has_no_number_yet(tmp_path: Path) -> None:
    folder, out, mapping = tmp_path / "in", tmp_path / "out", tmp_path / "names.csv"
    folder.mkdir()
    (folder / "jane.jpg").touch()
    (folder / "link.jpg").symlink_to("jane.jpg")
    (left,) = numbered(survey([folder], out), out, mapping, write=False).left_out
    assert (left.label, left.reason) == ("without a number", "The same file as another photo, which is done.")


@pytest.mark.parametrize("name", ["out.jgp", "out.pgn", "out.jxl", "out.Tif2"])
def test_a_mistyped_ending_of_a_single_photo_makes_no_folder(album: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / name
    for format in (None, "png"):
        with pytest.raises(
            UsageError, match=r"none of \.jpg, .*\.avif; if you mean a folder, end its name with a slash"
        ) as refused:
            survey([album / "b.jpg"], out, format)
        assert out.suffix in str(refused.value) and "\n" not in str(refused.value)
    assert survey([album / "b.jpg"], as_written(f"{out}/")).items[0].target == out / "b.jpg"
    assert len(survey([album], out).items) == 3, "several photos have a folder anyway"
    out.mkdir()
    assert survey([album / "b.jpg"], out).items[0].target == out / "b.jpg"


@pytest.mark.parametrize("name", ["scan.2024", "trip.2024-anonymized", "out", ".hidden", "v1.x", "notes.a b"])
def test_a_folder_with_a_dot_in_its_name_is_a_folder(album: Path, tmp_path: Path, name: str) -> None:
    assert survey([album / "b.jpg"], tmp_path / name).items[0].target == tmp_path / name / "b.jpg"


def test_a_slash_makes_a_folder_of_what_looks_like_a_photo(album: Path, tmp_path: Path) -> None:
    out = as_written(f"{tmp_path}/all.png/")
    assert survey([album / "b.jpg"], out).items[0].target == tmp_path / "all.png" / "b.jpg"
    assert len(survey([album], out).items) == 3
    assert as_written("all.png") == out.relative_to(tmp_path) and not isinstance(as_written("all.png"), FolderPath)
    assert pickle.loads(pickle.dumps(out)) == out and os.fsencode(out) == os.fsencode(str(out))


def test_the_file_itself_is_done_and_not_a_link_to_it_that_comes_first(album: Path, tmp_path: Path) -> None:
    (album / "a first one.jpg").symlink_to("b.jpg")
    plan = survey([album], tmp_path / "out")
    assert [item.source.name for item in plan.items] == ["b.jpg", "a.PNG", "c.webp"]
    assert {left.path.name for left in plan.left_out} >= {"a first one.jpg", "same.jpg"}
    only = survey([album / "a first one.jpg", album / "same.jpg"], tmp_path / "out")
    assert [item.source.name for item in only.items] == ["a first one.jpg"]
