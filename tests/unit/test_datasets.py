"""Datasets as folders: whole people or none, going on after a crash, several machines, and what the tables say."""

from __future__ import annotations

import csv
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facestudio import xmp
from facestudio.datasets import folder, measuring, running
from facestudio.datasets.measuring import measure
from facestudio.datasets.page import write_report
from facestudio.datasets.records import PersonRecord
from facestudio.datasets.running import Drawn, Shard, Writing
from facestudio.datasets.tables import EMBEDDINGS, PAGE, PEOPLE, PICTURES, check_targets, look
from facestudio.errors import FaceStudioError, UnwritableOutput, UsageError
from facestudio.faces.face import Face
from facestudio.faces.people import IdentitySpace
from facestudio.journal import Journal
from facestudio.populating import NO_FACE, Order, plan, seed_of
from facestudio.progress import Cancelled, Progress, Update
from facestudio.recipe import Recipe
from tests.people import Texture, painter, space

ORDER = Order(4, 3, seed=5)
SETTINGS = {"method": "texture", "options": {"steps": 3}, "seed": 5, "far": 1e-3, "apart_below": 0.6}


@pytest.fixture(scope="module")
def identities() -> IdentitySpace:
    return space()


def drawn(out: Path, of: IdentitySpace, order: Order = ORDER, **more: Any) -> Drawn:
    """Draw people into `out`; `texture` are settings of the synthesizer."""
    texture, settings = Texture(**more.pop("texture", {})), more.pop("settings", SETTINGS)
    recipe = Recipe("texture-weights", "texture", {"steps": 3}, order.seed)
    circumstances = running.Circumstances(settings, more.pop("device", "a machine"), {"one": "Judge One"})
    return running.run(out, plan(of, order), painter(order, of, texture), recipe, circumstances, **more)


@pytest.fixture(scope="module")
def whole(identities: IdentitySpace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset that was drawn at one go, with its tables; somebody is not found in one picture."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FACESTUDIO_HOME", str(tmp_path_factory.mktemp("home")))
    out = tmp_path_factory.mktemp("whole") / "out"
    drawn(out, identities, texture=BLANK)
    write_report(out)
    patch.undo()
    return out


BLANK = {"blank": {seed_of(5, 2, 1, attempt) for attempt in range(3)}}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def files(out: Path) -> list[str]:
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def same(one: Path, other: Path) -> None:
    """The same pictures, and the same tables but for the time it took."""
    assert files(one) == files(other)
    for name in files(one):
        if name.endswith(".png"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    assert rows(one / PICTURES) == rows(other / PICTURES)
    timeless = [[{**row, "seconds": ""} for row in rows(out / PEOPLE)] for out in (one, other)]
    assert timeless[0] == timeless[1]


def test_every_person_is_a_folder_with_pictures_that_say_what_they_are(whole: Path) -> None:
    expected = [f"{n:04d}/{name}" for n in range(1, 5) for name in ("000.png", "001.png", "002.png", "person.json")]
    assert files(whole) == sorted([*expected, PEOPLE, PICTURES, EMBEDDINGS, PAGE])
    with Image.open(whole / "0003" / "001.png") as image:
        packet = image.info["xmp"]
    assert xmp.source_type_of(packet) == xmp.AI_CREATED
    text = xmp.recipe_of(packet) or ""
    assert Recipe.from_json(text) == Recipe("texture-weights", "texture", {"steps": 3}, seed_of(5, 3, 1, 0))
    assert json.loads(text)["dataset"] == {"seed": 5, "number": 3}


def test_tables_have_a_line_a_person_and_a_line_a_picture(whole: Path, identities: IdentitySpace) -> None:
    people, pictures = rows(whole / PEOPLE), rows(whole / PICTURES)
    assert [row["person"] for row in people] == ["0001", "0002", "0003", "0004"]
    assert [row["picture"] for row in pictures] == [f"{n:04d}/{p:03d}.png" for n in range(1, 5) for p in range(3)]
    assert [row["marked"] for row in people] == ["0", "1", "0", "0"] and people[1]["faces"] == "2"
    faceless = pictures[4]
    assert faceless["face found"] == "no" and faceless["remark"] == NO_FACE and faceless["tries"] == "3"
    assert faceless["yaw"] == faceless["one mean"] == faceless["one who is"] == ""
    assert pictures[3]["face found"] == "yes" and (pictures[3]["yaw"], pictures[3]["pitch"]) == ("3.0", "-2.0")
    planned = plan(identities, ORDER)
    for row, nobody in zip(people, planned, strict=True):
        assert float(row["nearest training person"]) == pytest.approx(nobody.nearest_known, abs=1e-5)
        assert float(row["unusualness"]) == pytest.approx(nobody.unusual, abs=1e-5)
        cosines = [float(nobody.identity.embedding @ o.identity.embedding) for o in planned if o is not nobody]
        assert float(row["nearest other person"]) == pytest.approx(max(cosines), abs=1e-5)


def test_tables_say_what_faces_look_like_where_that_is_read(identities: IdentitySpace, tmp_path: Path) -> None:
    order, texture = Order(2, 2, seed=5), Texture(blank={seed_of(5, 2, 1, attempt) for attempt in range(3)})

    def read(pixels: np.ndarray, face: Face) -> dict[str, float]:
        return {"age": float(pixels.mean()), "hair": face.interocular}

    drawing, recipe = painter(order, identities, texture, read), Recipe("texture-weights", "texture", {"steps": 3}, 5)
    running.run(tmp_path, plan(identities, order), drawing, recipe, running.Circumstances(SETTINGS))
    write_report(tmp_path)
    people, pictures = rows(tmp_path / PEOPLE), rows(tmp_path / PICTURES)
    seen = [np.asarray(Image.open(tmp_path / row["picture"])).mean() for row in pictures]
    assert [float(row["age"]) for row in pictures[:3]] == pytest.approx(seen[:3], abs=1e-4)
    assert pictures[3]["face found"] == "no" and pictures[3]["age"] == pictures[3]["hair"] == ""
    assert [float(row["age"]) for row in people] == pytest.approx([np.mean(seen[:2]), seen[2]], abs=1e-4)
    path = tmp_path / "0001" / "person.json"  # as versions wrote it that read nothing
    record = json.loads(path.read_text())
    for picture in record["pictures"]:
        del picture["attributes"]
    path.write_text(json.dumps(record))
    write_report(tmp_path)
    assert [bool(row["age"]) for row in rows(tmp_path / PEOPLE)] == [False, True]
    assert [bool(row["age"]) for row in rows(tmp_path / PICTURES)] == [False, False, True, False]


def test_the_embeddings_are_those_that_the_tables_speak_of(whole: Path) -> None:
    with np.load(whole / EMBEDDINGS, allow_pickle=False) as arrays:
        names, vectors, identities = list(arrays["pictures"]), arrays["two"], arrays["identities"]
    assert vectors.shape[0] == len(names) == 11 and identities.shape == (4, 32) and "0002/001.png" not in names
    table = {row["picture"]: row for row in rows(whole / PICTURES)}
    for index, name in enumerate(names):
        mine = [n for n, other in enumerate(names) if other[:4] == name[:4] and n != index]
        others = [n for n, other in enumerate(names) if other[:4] != name[:4]]
        assert float(table[name]["two mean"]) == pytest.approx((vectors[mine] @ vectors[index]).mean(), abs=2e-5)
        assert float(table[name]["two least"]) == pytest.approx((vectors[mine] @ vectors[index]).min(), abs=2e-5)
        closest = vectors[others] @ vectors[index]
        assert float(table[name]["two closest other"]) == pytest.approx(closest.max(), abs=2e-5)
        assert table[name]["two who is"] == names[others[int(closest.argmax())]][:4]


class Page(HTMLParser):
    """What a page shows, and what it would load."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.loads, self.bars, self.lines = "", [], [], 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.loads += [value for name, value in attrs if name in ("src", "href", "action") or tag in ("script", "link")]
        self.lines += given.get("class") == "threshold"
        if tag == "rect":
            self.bars.append(given["class"])

    def handle_data(self, data: str) -> None:
        self.text += data + " "


def test_the_page_stands_alone_and_says_the_shares(whole: Path) -> None:
    page = Page()
    page.feed((whole / PAGE).read_text())
    assert not page.loads and "url(" not in (whole / PAGE).read_text()
    assert page.lines == 2 and {"same", "different"} == set(page.bars)
    measured = look(whole)
    pairs = measured.pairs["one"]
    assert (pairs.same.sum(), pairs.different.sum()) == (3 * 3 + 1, 55 - 10)
    assert pairs.same_share == 1.0 and pairs.different_share == 0.0
    for words in (
        "4 people who do not exist",
        "Judge One",
        "0.800",
        "100.0 %",
        "0.000 %",
        "11 of 12 (91.7 %)",
        "a machine",
    ):
        assert words in page.text, words
    assert f"0002/001.png: {NO_FACE}" in page.text
    assert re.search(r"Time for a thousand pictures, a machine +\d+ s", page.text)


@pytest.mark.parametrize("limit", [{"_BLOCK": 4}, {"_PAIRS": 50}, {}])
def test_all_pairs_are_counted_block_by_block(limit: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((23, 6)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    owners = [int(n) for n in random.integers(0, 5, 22)] + [9]
    for name, value in limit.items():
        monkeypatch.setattr(measuring, name, value)
    pairs = measure("judge", "Judge", 0.3, vectors, owners)
    all_pairs = [(i, j, float(vectors[i] @ vectors[j])) for i in range(23) for j in range(i + 1, 23)]
    mine = [c for i, j, c in all_pairs if owners[i] == owners[j]]
    others = [c for i, j, c in all_pairs if owners[i] != owners[j]]
    assert pairs.same.sum() == len(mine) and pairs.different.sum() == len(others)
    assert pairs.same_share == sum(c >= 0.3 for c in mine) / len(mine)
    assert pairs.different_share == sum(c >= 0.3 for c in others) / len(others)
    assert np.array_equal(pairs.different, np.histogram(others, measuring.BINS)[0])
    assert np.isnan(pairs.own_mean[22]) and np.isnan(pairs.own_least[22]), "who is alone has nobody to be like"


def test_one_person_with_one_picture_has_nothing_to_compare(identities: IdentitySpace, tmp_path: Path) -> None:
    drawn(tmp_path / "out", identities, Order(1, 1, seed=5))
    measured = write_report(tmp_path / "out")
    assert measured.pairs["one"].same_share is None and measured.pairs["one"].different_share is None
    (row,) = rows(tmp_path / "out" / PICTURES)
    assert row["one mean"] == row["one closest other"] == ""
    assert "There are no pairs to compare" in (tmp_path / "out" / PAGE).read_text()


class Killed(BaseException):
    """As if the process were gone: nothing cleans up."""


def test_killed_in_the_middle_of_a_person_it_goes_on(
    identities: IdentitySpace, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, calls, plain = tmp_path / "out", 0, folder.write_beside

    def dies(target: Path, *more: Any, **settings: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:  # the record of the third person
            raise Killed
        plain(target, *more, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_beside", dies)
        patch.setattr(folder.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            drawn(out, identities, texture=BLANK)
    assert sorted(path.name for path in out.iterdir() if not path.name.startswith(".")) == ["0001", "0002"]
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == [".facestudio-0003.part"]
    before = {path: path.stat() for path in out.glob("000*/*")}
    with pytest.raises(UnwritableOutput, match="exists already"):
        drawn(out, identities, texture=BLANK)
    told: list[PersonRecord] = []
    did = drawn(out, identities, texture=BLANK, writing=Writing(resume=True), done=told.append)
    assert (did.made, did.kept, did.marked) == (2, 2, 1) and [record.number for record in told] == [3, 4]
    for path, was in before.items():
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (was.st_ino, was.st_mtime_ns)
    write_report(out)
    same(out, whole)


def test_stopped_at_a_step_it_leaves_whole_people_only(identities: IdentitySpace, tmp_path: Path) -> None:
    out, updates = tmp_path / "out", list[Update]()

    def report(update: Update) -> None:
        updates.append(update)
        if update.tally.startswith("4 of 12") and update.stage == "Looking at the pictures":
            progress.cancel()

    progress = Progress(report, every=0)
    with pytest.raises(Cancelled):
        drawn(out, identities, progress=progress)
    assert files(out) == ["0001/000.png", "0001/001.png", "0001/002.png", "0001/person.json"]
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_what_is_damaged_is_drawn_again(identities: IdentitySpace, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "0001" / "001.png").write_bytes((out / "0001" / "000.png").read_bytes())
    (out / "0003" / "002.png").unlink()
    (out / "0004" / "person.json").write_text('{"kind": "facestudio person"}')
    told: list[PersonRecord] = []
    drawn(out, identities, texture=BLANK, writing=Writing(resume=True), done=told.append)
    assert [record.number for record in told] == [1, 3, 4]
    write_report(out)
    same(out, whole)


def test_parts_that_were_drawn_apart_are_one_dataset(identities: IdentitySpace, whole: Path, tmp_path: Path) -> None:
    apart = [tmp_path / "one", tmp_path / "two", tmp_path / "three"]
    for index, out in enumerate(apart, 1):
        did = drawn(out, identities, texture=BLANK, shard=Shard(index, 3))
        assert did.made == len(Shard(index, 3).of(4)) and did.kept == 0
    assert look(apart[0]).missing == [2, 3, 4]
    write_report(apart[0])
    assert "3 of the people asked for are missing: 0002, 0003, 0004" in (apart[0] / PAGE).read_text()
    for out in apart[1:]:
        shutil.copytree(out, apart[0], dirs_exist_ok=True)
    did = drawn(apart[0], identities, texture=BLANK, writing=Writing(resume=True))
    assert (did.made, did.kept) == (0, 4)
    write_report(apart[0])
    same(apart[0], whole)


def test_parts_in_one_folder_and_more_people_later(identities: IdentitySpace, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with Journal(out, "whole"):  # another run of the whole dataset is at work; a part has a lock of its own
        drawn(out, identities, texture=BLANK, shard=Shard(2, 2))
        with pytest.raises(UsageError, match="at work"):
            drawn(out, identities, texture=BLANK)
    drawn(out, identities, Order(2, 3, seed=5), texture=BLANK, writing=Writing(resume=True))
    write_report(out)
    same(out, whole)


def test_every_person_is_in_one_part() -> None:
    for count in (1, 3, 8, 50):
        numbers = [number for index in range(1, count + 1) for number in Shard(index, count).of(50)]
        assert numbers == list(range(1, 51))
    assert Shard.parse("3/8") == Shard(3, 8) and str(Shard(3, 8)) == "3/8"
    for wrong in ("3", "0/8", "9/8", "3/0", "a/b", "-1/8", "3/8/2", ""):
        with pytest.raises(UsageError):
            Shard.parse(wrong)


def test_other_settings_and_other_people_are_refused(identities: IdentitySpace, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    before = files(out)
    other = {**SETTINGS, "options": {"steps": 4}, "seed": 6}
    for shard, writing in ((None, Writing(resume=True)), (Shard(1, 4), Writing(overwrite=True))):
        with pytest.raises(UsageError, match=r"other settings \(options, seed\)"):
            drawn(out, identities, settings=other, shard=shard, writing=writing)
    with pytest.raises(UsageError, match="a different person"):  # as if another machine had planned other people
        drawn(out, identities, Order(4, 3, seed=6), writing=Writing(resume=True))
    assert files(out) == before
    did = drawn(out, identities, Order(4, 3, seed=6), settings=other, writing=Writing(overwrite=True))
    assert (did.made, did.kept) == (4, 0) and look(out).people[0].settings["seed"] == 6
    foreign = json.loads((whole / "0002" / "person.json").read_text())
    (out / "0002" / "person.json").write_text(json.dumps(foreign))
    with pytest.raises(UsageError, match="several datasets"):
        look(out)


def test_what_is_no_persons_is_never_lost(identities: IdentitySpace, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    (out / "0002" / "notes.txt").write_text("mine")
    (out / "2024").mkdir()
    for writing in (Writing(overwrite=True), Writing(resume=True), Writing(".jpg", True, True)):
        with pytest.raises(UnwritableOutput, match=r"something else than a person.*notes\.txt"):
            drawn(out, identities, writing=writing)
    (out / "0002" / "notes.txt").unlink()
    (out / "0002" / "person.json").unlink()
    with pytest.raises(UnwritableOutput, match="something else than a person"):
        drawn(out, identities, writing=Writing(overwrite=True))
    assert (out / "0002" / "000.png").is_file()
    assert [person.number for person in look(out).people] == [1, 3, 4]
    (out / PEOPLE).write_text("my own table")
    with pytest.raises(UsageError, match="would be overwritten"):
        check_targets(out)
    check_targets(whole)


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_drawn(
    identities: IdentitySpace, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    updates = list[Update]()
    with pytest.raises(UnwritableOutput, match="Cannot write into"):
        drawn(tmp_path / "file" / "out", identities, progress=Progress(updates.append, every=0))
    assert "People" not in {update.stage for update in updates}


def test_a_record_is_read_as_it_was_written_and_nothing_else_is(whole: Path, tmp_path: Path) -> None:
    record = folder.read_person(whole, 2)
    again = PersonRecord.from_json(record.to_json())
    assert again == record and np.array_equal(again.identity, record.identity)
    assert np.array_equal(again.pictures[0].embeddings["one"], record.pictures[0].embeddings["one"])
    assert record.pictures[1].pose is None and not record.pictures[1].embeddings
    content = json.loads(record.to_json())
    for wrong in (
        "",
        "[]",
        "{}",
        json.dumps({**content, "version": 2}),
        json.dumps({**content, "pictures": [{}]}),
        json.dumps({**content, "identity": "!"}),
    ):
        with pytest.raises(FaceStudioError, match="not the record of a person"):
            PersonRecord.from_json(wrong)
    outside = tmp_path / "0002"
    outside.mkdir()
    content["pictures"][0]["file"] = "../secret.png"
    (outside / "person.json").write_text(json.dumps(content))
    with pytest.raises(FaceStudioError, match="elsewhere"):
        folder.read_person(tmp_path, 2)
    with pytest.raises(UsageError, match="no people"):
        look(tmp_path / "empty")
