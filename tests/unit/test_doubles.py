"""People whose pictures are too alike: who takes whose place, the same whenever it is stopped, shared or asked for more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facestudio.cli.main import run as command
from facestudio.datasets import asking, choosing, doubles, folder, running, telling
from facestudio.datasets.doubles import RULE, SETTING, Likeness, Others, Rule, compare
from facestudio.datasets.page import write_report
from facestudio.datasets.records import PersonRecord
from facestudio.datasets.running import Drawn, Shard, Writing
from facestudio.datasets.tables import PAGE, look
from facestudio.errors import UsageError
from facestudio.faces.face import similarity
from facestudio.faces.people import IdentitySpace
from facestudio.populating import Order, Successors, plan, seed_of
from facestudio.progress import Cancelled, Progress, Update
from facestudio.recipe import Recipe
from tests.people import Peopled, Texture, painter, space
from tests.unit.test_datasets import Killed, files, rows, same

ORDER = Order(5, 2, seed=5)
RECIPE = Recipe("texture-weights", "texture", {"steps": 3}, 5)
SETTINGS = {SETTING: asdict(RULE)}


def seeds(number: int, anew: int = 0) -> list[int]:
    """All seeds that the pictures of a person can have."""
    return [
        seed_of(5, number, place, attempt, anew) for place in range(ORDER.pictures) for attempt in range(ORDER.tries)
    ]


def looks(of: dict[tuple[int, int], int]) -> Texture:
    """Draws whoever is called (number, anew) with the texture of that number."""
    return Texture(twins={seed: look for (number, anew), look in of.items() for seed in seeds(number, anew)})


TWINS = {(2, 0): 77, (4, 0): 77}
HARD = {(2, 0): 77, **{(4, anew): 77 for anew in range(60)}}  # whoever is drawn fourth looks like the second


@pytest.fixture(scope="module")
def identities() -> IdentitySpace:
    return space()


def drawn(
    out: Path, of: IdentitySpace, twins: dict[tuple[int, int], int], order: Order = ORDER, **more: Any
) -> tuple[Drawn, Texture]:
    texture, settings = looks(twins), more.pop("settings", SETTINGS)
    made = running.run(
        out,
        plan(of, order),
        painter(order, of, texture),
        RECIPE,
        running.Circumstances(settings if order.apart else {}),
        **more,
    )
    return made, texture


@pytest.fixture(scope="module")
def whole(identities: IdentitySpace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset at one go, in which the second and the fourth person are alike."""
    patch = pytest.MonkeyPatch()
    patch.setenv("FACESTUDIO_HOME", str(tmp_path_factory.mktemp("home")))
    out = tmp_path_factory.mktemp("whole") / "out"
    made, _ = drawn(out, identities, TWINS)
    assert (made.made, made.replaced, made.too_like) == (5, 1, 0)
    write_report(out)
    patch.undo()
    return out


def records(out: Path) -> list[PersonRecord]:
    return [folder.read_person(out, number) for number in folder.numbers(out)]


def test_the_later_of_two_who_are_alike_is_another_person(whole: Path, identities: IdentitySpace) -> None:
    people, planned = records(whole), plan(identities, ORDER)
    assert [record.anew > 0 for record in people] == [False, False, False, True, False]
    for record, nobody in zip(people, planned, strict=True):
        assert np.array_equal(record.identity, nobody.identity.embedding) == (record.number != 4)
    fourth = people[3]
    who = Successors(identities, 5).identity(4, fourth.anew)
    assert who is not None and np.array_equal(who.embedding, fourth.identity)
    assert max(similarity(who, other.identity) for other in planned[:3]) < identities.strangers
    assert [picture.seed for picture in fourth.pictures] == [seed_of(5, 4, place, 0, fourth.anew) for place in (0, 1)]
    (gone,) = fourth.given_up
    assert (
        gone.number == 2
        and gone.cosine > 0.9
        and gone.limit == pytest.approx(RULE.limit * 0.8)
        and fourth.too_like is None
    )
    assert not people[1].given_up and people[1].too_like is None
    said = json.loads((whole / "0004" / "person.json").read_text())
    assert said["anew"] == fourth.anew and said["given_up"][0]["number"] == 2


def test_tables_and_page_say_who_was_replaced_and_who_is_closest(whole: Path) -> None:
    table = rows(whole / "identities.csv")
    assert [row["drawn anew"] for row in table] == ["0", "0", "0", "1", "0"]
    measured = look(whole)
    assert measured.doubles.pairs == 10 and measured.doubles.too_alike == 0
    first = measured.doubles.closest[0]
    assert first.number > first.other.number and first.other.cosine < first.other.limit
    row = table[first.number - 1]
    assert row["looks most like"] == f"{first.other.number:04d}" and row["too alike"] == "no"
    assert float(row["mean cosine"]) == pytest.approx(first.other.cosine, abs=1e-5)
    page = (whole / PAGE).read_text()
    assert "1 person was replaced" in page and "None of 10 pairs of two people look too alike" in page
    assert f"<td>{first.number:04d}</td><td>{first.other.number:04d}</td>" in page


def test_people_are_the_same_however_many_are_asked_for_and_however_often_it_is_stopped(
    whole: Path, identities: IdentitySpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, plain, calls = tmp_path / "out", folder.write_beside, 0

    def dies(target: Path, *more: Any, **settings: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise Killed
        plain(target, *more, **settings)

    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_beside", dies)
        patch.setattr(folder.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            drawn(out, identities, TWINS, replace(ORDER, people=4))
    assert [record.number for record in records(out)] == [1, 2, 3], "who is given up is never seen"
    made, _ = drawn(out, identities, TWINS, replace(ORDER, people=4), writing=Writing(resume=True))
    assert (made.made, made.kept, made.replaced) == (1, 3, 1)
    shutil.rmtree(out / "0002")
    made, texture = drawn(out, identities, TWINS, writing=Writing(resume=True))
    assert (made.made, made.kept, made.replaced) == (2, 3, 1), "a replaced person is accepted, and not drawn again"
    assert {seed for _, asked in texture.asked for seed in asked} <= {*seeds(2), *seeds(5)}
    write_report(out)
    same(out, whole)
    made, texture = drawn(out, identities, TWINS, writing=Writing(resume=True))
    assert (made.made, made.kept) == (0, 5) and not texture.asked


def test_somebody_else_by_the_same_name_is_refused(whole: Path, identities: IdentitySpace, tmp_path: Path) -> None:
    for change in ({"anew": 60}, {"anew": 0}, {"anew": 10**9}):
        out = tmp_path / str(change["anew"])
        shutil.copytree(whole, out)
        path = out / "0004" / "person.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
        with pytest.raises(UsageError, match="a different person"):
            drawn(out, identities, TWINS, writing=Writing(resume=True))


def test_who_is_like_others_whoever_it_is_stays_and_is_marked(
    whole: Path, identities: IdentitySpace, tmp_path: Path
) -> None:
    updates = list[Update]()
    progress = Progress(updates.append, every=0)
    made, texture = drawn(tmp_path / "out", identities, HARD, progress=progress)
    assert (made.made, made.too_like) == (5, 1)
    fourth = records(tmp_path / "out")[3]
    assert fourth.too_like is not None and fourth.too_like.number == 2 and len(fourth.given_up) == RULE.people - 1
    drawn_people = {wish.identity for wish, _ in texture.asked}  # type: ignore[union-attr]
    assert len(drawn_people) == 4 + RULE.people
    tallies = [update.tally for update in updates if update.tally]
    assert tallies[-1].startswith("10 of 10 pictures, 5 of 5 people")
    fractions = [update.fraction for update in updates if update.stage]
    assert fractions[-1] == 1 and all(0 <= fraction <= 1 for fraction in fractions)
    measured = write_report(tmp_path / "out")
    assert measured.doubles.too_alike == 1 and measured.doubles.closest[0].number == 4
    assert rows(tmp_path / "out" / "identities.csv")[3]["too alike"] == "yes"
    page = (tmp_path / "out" / PAGE).read_text()
    assert "1 of 10 pairs of two people looks too alike" in page
    assert f"0004 stays, though {RULE.people} people were drawn for that number" in page
    again, texture = drawn(tmp_path / "out", identities, HARD, writing=Writing(resume=True))
    assert (again.kept, again.too_like) == (5, 1) and not texture.asked


def test_of_those_who_are_all_too_alike_the_least_so_stays(
    identities: IdentitySpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def likeness(self: Others, number: int, means: Any) -> Likeness:
        if number != 2:
            return Likeness(0, number - 1, None)
        told.append(len(told))
        cosine = (0.7, 0.6, 0.5, 0.55, 0.9)[told[-1]]
        return Likeness(1, 1, doubles.Double(1, "one", cosine, 0.48))

    monkeypatch.setattr(choosing.Others, "likeness", likeness)
    rule = {SETTING: {"limit": 0.5, "few": 0.04, "people": 5}}
    drawn(tmp_path / "out", identities, {}, replace(ORDER, people=2), settings=rule)
    second = records(tmp_path / "out")[1]
    assert second.too_like is not None and second.too_like.cosine == 0.5 and second.anew > 1
    assert [one.cosine for one in second.given_up] == [0.7, 0.6, 0.55, 0.9]


def test_it_stops_within_a_step_while_somebody_is_drawn_anew(identities: IdentitySpace, tmp_path: Path) -> None:
    tallies, after = list[str](), 0

    def report(update: Update) -> None:
        nonlocal after
        after += progress.cancelled
        tallies.append(update.tally)
        back = update.tally == "6 of 10 pictures, 3 of 5 people" and "8 of 10 pictures, 3 of 5 people" in tallies
        if back and update.stage == "Denoising":
            progress.cancel()

    progress = Progress(report, every=0)
    with pytest.raises(Cancelled):
        drawn(tmp_path / "out", identities, TWINS, progress=progress)
    assert progress.cancelled and not after
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0001", "0002", "0003"]


def test_a_part_looks_at_its_own_people_and_the_report_at_all(identities: IdentitySpace, tmp_path: Path) -> None:
    order, twins = replace(ORDER, people=4), {(2, 0): 77, (4, 0): 77, (1, 0): 55}
    one, two = tmp_path / "one", tmp_path / "two"
    for out in (one, two):
        drawn(out, identities, twins, order, shard=Shard(2, 2))
    drawn(one, identities, twins, order, shard=Shard(1, 2))
    drawn(tmp_path / "first", identities, twins, order, shard=Shard(1, 2))
    shutil.copytree(tmp_path / "first", two, dirs_exist_ok=True)
    for out in (one, two):
        made, _ = drawn(out, identities, twins, order, writing=Writing(resume=True))
        assert (made.kept, made.replaced) == (4, 0), "who is there stays"
        write_report(out)
        assert look(out).doubles.too_alike == 1
    same(one, two)
    shutil.rmtree(one / "0004")
    made, _ = drawn(one, identities, twins, order, writing=Writing(resume=True))
    assert (made.made, made.replaced) == (1, 1) and look(one).doubles.too_alike == 0


def test_without_it_everybody_is_as_planned_and_old_datasets_go_on(
    identities: IdentitySpace, tmp_path: Path, whole: Path
) -> None:
    plain = replace(ORDER, apart=False)
    made, texture = drawn(tmp_path / "out", identities, TWINS, plain)
    assert (made.replaced, made.too_like, len(texture.asked)) == (0, 0, 5)
    for name in ("0001", "0002", "0003", "0005"):
        assert (tmp_path / "out" / name / "000.png").read_bytes() == (whole / name / "000.png").read_bytes()
    for path in (tmp_path / "out").glob("0*/person.json"):  # as versions wrote it that knew nothing of this
        content = json.loads(path.read_text())
        for name in ("anew", "given_up", "too_like"):
            del content[name]
        path.write_text(json.dumps(content))
    assert not asking.apart_at(tmp_path / "out") and asking.apart_at(tmp_path / "new") and asking.apart_at(whole)
    made, _ = drawn(tmp_path / "out", identities, TWINS, plain, writing=Writing(resume=True))
    assert made.kept == 5 and write_report(tmp_path / "out").doubles.too_alike == 1
    with pytest.raises(UsageError, match=r"other settings \(apart_in_pictures\)"):
        drawn(tmp_path / "out", identities, TWINS, writing=Writing(resume=True))


def test_a_dataset_goes_on_by_the_rule_that_it_was_begun_by(
    identities: IdentitySpace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, _ = drawn(tmp_path / "lax", identities, TWINS, settings={SETTING: {"limit": 1.3, "few": 0.05, "people": 5}})
    assert made.replaced == 0, "nobody is as alike as that"
    made, _ = drawn(tmp_path / "two", identities, HARD, settings={SETTING: {"limit": 0.5, "few": 0.05, "people": 2}})
    assert made.too_like == 1 and len(records(tmp_path / "two")[3].given_up) == 1
    studio, out = Peopled(looks(TWINS)), tmp_path / "out"
    older = Rule(limit=1.3, few=0.02, people=4)
    with monkeypatch.context() as patch:
        patch.setattr(asking, "rule_at", lambda out: older)
        studio.populate(out, RECIPE, replace(ORDER, people=3))
    assert not studio.dataset_at(out, RECIPE, ORDER).differs and asking.rule_at(out) == older
    made, measured = studio.populate(out, RECIPE, ORDER, writing=Writing(resume=True))
    assert (made.kept, made.made, made.replaced) == (3, 2, 0) and measured.doubles.too_alike == 0
    assert {str(person.settings[SETTING]) for person in measured.people} == {str(asdict(older))}
    assert "reaches 1.3 of a recogniser" in (out / PAGE).read_text()
    for strange in (
        {},
        {"limit": 0.5},
        {"limit": "x", "few": 0.1, "people": 5},
        {"limit": -1.0, "few": 0.1, "people": 5},
        3,
    ):
        assert Rule.of({SETTING: strange}) == RULE == Rule.of(None)


def test_the_facade_keeps_people_apart_unless_told_otherwise(tmp_path: Path) -> None:
    studio, out = Peopled(looks(TWINS)), tmp_path / "out"
    made, measured = studio.populate(out, RECIPE, ORDER)
    assert made.replaced == 1 and measured.people[0].settings[SETTING] == asdict(RULE)
    assert "1 person was replaced" in telling.made(made)
    assert telling.alike(measured).startswith("None of 10 pairs of two people look too alike; the closest are ")
    place = studio.dataset_at(out, RECIPE, replace(ORDER, apart=False))
    assert place.differs == ("lookalikes replaced",)
    assert asking.asked_by(place.settings or {}, 5) == (RECIPE, ORDER)
    made, measured = studio.populate(tmp_path / "plain", RECIPE, replace(ORDER, apart=False))
    assert made.replaced == 0 and "apart_in_pictures" not in measured.people[0].settings
    assert telling.alike(measured).startswith(
        "1 of 10 pairs of two people looks too alike; the closest are 0004 and 0002"
    )
    assert asking.asked_by(measured.people[0].settings, 5) == (RECIPE, replace(ORDER, apart=False))


@pytest.mark.parametrize("flags", [[], ["--apart"], ["--no-apart"]])
def test_the_command_says_and_goes_on_as_it_was_begun(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from facestudio.cli import generate

    monkeypatch.setattr(generate, "Studio", lambda *_, **__: CommandStudio(looks(TWINS)))
    monkeypatch.setattr(generate, "chosen_checkpoint", lambda *_: Texture().checkpoint)
    monkeypatch.setattr(generate, "method_name", lambda *_: "texture")
    asked = ["generate", "--identities", "5", "--per-identity", "2", "--seed", "5", "-o", str(tmp_path / "out")]
    assert command([*asked, *flags]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert ("1 person was replaced" in said) == (flags != ["--no-apart"])
    assert "pairs of two people look" in said
    assert command([*asked, "--resume"]) == 0, "as it was begun"
    other = "--apart" if flags == ["--no-apart"] else "--no-apart"
    assert command([*asked, "--resume", other]) == 2
    assert "other settings (apart_in_pictures)" in " ".join(capsys.readouterr().err.split())
    assert command(["generate", "-o", str(tmp_path / "single"), other]) == 2
    assert f"{other.replace('--no-', '--')} works only with a dataset" in " ".join(capsys.readouterr().err.split())


class CommandStudio(Peopled):
    """A Peopled as the command line makes one."""

    def prepare(self, checkpoint_id: str | None = None, listening: bool = True) -> None:
        return None


def test_all_pairs_are_compared_and_a_few_of_many_are_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    people: dict[int, dict[str, np.ndarray]] = {}
    for number in range(1, 31):
        pictures = random.standard_normal((2, 6)).astype(np.float32)
        people[number] = doubles.mean_of([{"one": each[:3], "two": each[3:]} for each in pictures])
        assert np.allclose(people[number]["two"], pictures[:, 3:].mean(0))
    people[7] = {}  # no face was found in any picture
    thresholds = {"one": 0.9, "two": 0.5}
    monkeypatch.setattr(doubles, "_BLOCK", 4)
    found = compare(people, thresholds)
    here = [number for number in people if number != 7]
    ratios = {
        (later, earlier): max(
            float(people[later][judge] @ people[earlier][judge]) / (RULE.limit * thresholds[judge])
            for judge in thresholds
        )
        for later in here
        for earlier in here
        if earlier < later
    }
    assert found.pairs == len(ratios) and found.too_alike == sum(ratio >= 1 for ratio in ratios.values()) > 0
    best = sorted(ratios, key=lambda pair: -ratios[pair])[: doubles.MOST]
    assert [(one.number, one.other.number) for one in found.closest] == best
    for number in here:
        mine = {sum(pair) - number: ratio for pair, ratio in ratios.items() if number in pair}
        assert found.nearest[number].number == max(mine, key=lambda other: mine[other])
    others = Others(range(1, 31), thresholds)
    for number, means in people.items():
        seen = others.likeness(number, means)
        assert seen.doubles == sum(ratio >= 1 for (later, _), ratio in ratios.items() if later == number)
        others.add(number, means)
    assert not Likeness(0, 0, None).too_alike and Likeness(1, 24, None).too_alike
    assert not Likeness(1, round(1 / RULE.few), None).too_alike and Likeness(6, 100, None).too_alike
    assert Likeness(1, 49, None, few=0.02).too_alike and not Likeness(1, 50, None, few=0.02).too_alike
    assert compare({1: people[1], 7: {}}, thresholds) is not None and compare({}, thresholds).pairs == 0


def test_who_comes_into_a_place_is_apart_from_those_before_and_the_plans_of_others(identities: IdentitySpace) -> None:
    order = Order(8, 1, seed=5)
    people = plan(identities, order)
    chooser = choosing.Chooser(people, range(3, 6), painter(order, identities), order)
    first: Sequence[Any] = [one for one, _ in zip(chooser._candidates(4, Progress()), range(6), strict=False)]
    assert first[0] is people[3] and all(one.number == 4 for one in first)
    for one in first[1:]:
        for other in (*people[:3], *people[5:]):
            assert similarity(one.identity, other.identity) < identities.strangers
    moved = first[1].identity.embedding
    chooser.keep(3, people[4].identity.embedding, {})  # as if the third had become like who is planned as the fifth
    later = next(chooser._candidates(5, Progress()))
    assert later.anew > 0 and float(later.identity.embedding @ people[4].identity.embedding) < identities.strangers
    assert moved.shape == later.identity.embedding.shape


def test_files_of_a_dataset_are_no_more_than_before(whole: Path) -> None:
    assert [name for name in files(whole) if name.startswith("0004/")] == [
        "0004/000.png",
        "0004/001.png",
        "0004/person.json",
    ]
