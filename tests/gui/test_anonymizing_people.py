"""Anonymizing in the window what goes beyond a photo: one new face a person, a key, similar people, numbers for names."""

from __future__ import annotations

import csv
import stat
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QFileDialog, QMessageBox
from pytestqt.qtbot import QtBot

from facestudio.checkpoints import checkpoint
from facestudio.cli.main import run as command
from facestudio.errors import FaceStudioError
from facestudio.faces.align import transform
from facestudio.faces.face import Identity
from facestudio.gui.anonymize_work import Known
from facestudio.gui.main_window import MainWindow
from facestudio.gui.review_work import PARTED, Wish, decide
from facestudio.gui.widgets.photo_table import STATUS
from facestudio.gui.workspaces.anonymize import AnonymizeWorkspace
from facestudio.newcomers import RULE
from facestudio.options import OptionField, describe
from facestudio.progress import Progress
from facestudio.recipe import Recipe
from tests import fakes
from tests.gui.anonymizing import (
    LEFT,
    PATIENCE,
    HidingStudio,
    cell,
    decided,
    done,
    ended,
    opened,
    page,
    records,
    reviewed,
    said,
    shown,
)
from tests.gui.conftest import FACES
from tests.gui.windows import answer, dialog
from tests.people import space

__all__ = ["page"]
PEOPLE = space()
SHOWN = {"a": (1, 2), "b": (2, 3), "c": (3, 1)}  # who is in a photo, at each of FACES
REDRAW = "starter-redraw"


class Knowing(fakes.FakeEmbedder):
    """Knows who is in a photo by the pixel in its corner, as long as a face is skin-coloured."""

    def embed_all(self, pixels: np.ndarray, landmarks: np.ndarray, progress: Progress | None = None) -> Any:
        found = []
        for points in landmarks:
            place = int(np.argmin([np.abs(face.landmarks - points).sum() for face in FACES]))
            x, y = np.rint(points[2]).astype(int)
            red, _, blue = (int(level) for level in pixels[y, x])
            who = list(SHOWN.values())[int(pixels[0, 0, 0])][place] if red > blue else 1000 + place
            found.append(Identity(PEOPLE.draw(who).embedding, self.id))
        return tuple(found)


class Told(fakes.SlowRestorer):
    """A Replacing method without weights. It waits while it is `held`, and remembers whom it was told."""

    def __init__(self) -> None:
        super().__init__(goal="change")
        self.checkpoint = checkpoint(REDRAW)
        self.id, self.people, self.held = "redraw", PEOPLE, False
        self.persons: list[Identity] = []

    def who(self, aligned: Any) -> Identity:
        return PEOPLE.draw(int(aligned.pixels.sum()) % 1000)

    def becoming(self, person: Identity) -> Told:
        self.persons.append(person)
        return self

    def __call__(self, aligned: Any, options: Any, progress: Progress, seed: int) -> Any:
        while self.held:
            progress.wait(0.005)
        return super().__call__(aligned, options, progress, seed)


class RecastingStudio(HidingStudio):
    """Has one method that makes somebody else of a face."""

    def __init__(self) -> None:
        super().__init__()
        self.told = Told()
        self.told.Options = self.method_options(REDRAW)  # type: ignore[misc, assignment]
        self.judges = [Knowing(name) for name in ("fake", "starter-embedder-a", "starter-embedder-b")]
        self.asked_for_similar = 0

    def detect(self, photo: Any, progress: Any = None, *, unsure: bool = False) -> Any:
        while photo.path.stem in self.held:
            for _ in progress.track(range(1), "Finding faces"):
                progress.wait(0.005)
        return super().detect(photo, progress, unsure=unsure)

    def options_for(self, checkpoint_id: str) -> tuple[OptionField, ...]:
        return describe(self.method_options(REDRAW)) if checkpoint_id == REDRAW else super().options_for(checkpoint_id)

    def _method(self, checkpoint_id: str) -> Any:
        return self.told if checkpoint_id == REDRAW else super()._method(checkpoint_id)

    def _nearest(self, method: Any) -> Any:
        def nearest(was: Identity, people: Sequence[Identity]) -> int:
            self.asked_for_similar += 1
            return len(people) - 1

        return nearest


@pytest.fixture
def studio() -> RecastingStudio:
    return RecastingStudio()


@pytest.fixture
def window(make_window: Callable[[], MainWindow], qtbot: QtBot) -> MainWindow:
    return ready(qtbot, make_window())


@pytest.fixture
def album(tmp_path: Path) -> Path:
    """Three photos of three people, two in each."""
    folder = tmp_path / "party"
    for number, name in enumerate(SHOWN):
        pixels = fakes.picture(360, 600, FACES, number)
        pixels[0, 0] = number
        fakes.write_picture(folder / f"{name}.png", pixels)
    return folder


def ready(qtbot: QtBot, window: MainWindow) -> MainWindow:
    shown(qtbot, window)
    window.anonymizing.choose(REDRAW)
    return window


def chosen(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """Let the next dialog answer with `path`."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **more: (str(path), ""))


def persons(page: AnonymizeWorkspace) -> dict[str, list[str]]:
    """The tokens of the new people in each photo, from the report."""
    assert page.run.report is not None
    found = records(page.run.report)
    return {Path(name).stem: [face.get("person", "") for face in record["faces"]] for name, record in found.items()}


def same(found: dict[str, list[str]]) -> bool:
    """Whether each person is the same in all photos, and no two are."""
    pairs = {(who, token) for name, people in SHOWN.items() for who, token in zip(people, found[name], strict=True)}
    return len(pairs) == 3 == len({token for _, token in pairs}) and all(token for _, token in pairs)


def test_the_same_person_gets_the_same_new_face(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, studio: RecastingStudio
) -> None:
    people = page.panel.people
    assert not people.consistent.isChecked() and not people.below.isVisible()
    people.consistent.click()
    assert people.notice.isVisible() and "until the window closes" in people.notice.text()
    qtbot.waitUntil(lambda: not people.notice.visibleRegion().isEmpty(), timeout=PATIENCE)
    told: list[str] = []
    page.run.notified.connect(lambda words, path: told.append(words))
    opened(qtbot, window, album)
    done(qtbot, window)
    assert told == ["3 people were recognised in 3 photos.", "Done: 3 photos anonymized"]
    assert same(persons(page)), persons(page)
    assert sorted(studio.worked) == ["a", "b", "c"], "faces are looked for once"
    people.consistent.click()
    QTest.mouseClick(page.panel.button, LEFT)
    answer(qtbot, window, "Make again")
    qtbot.waitUntil(lambda: len(told) == 3 and not page.run.doing, timeout=PATIENCE)
    assert not any(any(found) for found in persons(page).values())


def test_who_is_tried_again_stays_who_they_are_in_the_other_photos(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    window: MainWindow,
    album: Path,
    studio: RecastingStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fails(*_: Any) -> Any:
        raise FaceStudioError("It does not want to.")

    page = window.anonymize
    page.panel.people.consistent.click()
    opened(qtbot, window, album)
    done(qtbot, window)
    first = persons(page)
    whom = {identity.embedding.tobytes() for identity in studio.told.persons}
    reviewed(qtbot, page, "b.png")
    studio.told.persons.clear()
    decided(qtbot, page, page.page.cards[0].again)
    assert persons(page) == first
    assert {identity.embedding.tobytes() for identity in studio.told.persons} <= whom and studio.told.persons
    assert records(page.run.report)["b.png"]["faces"][0]["decisions"] == ["tried again"]
    decided(qtbot, page, page.page.cards[0].hide_it)
    assert persons(page)["b"] == ["", first["b"][1]]
    decided(qtbot, page, page.page.cards[0].again)
    assert persons(page) == first, "the album knows who it was"
    window.close()

    window = ready(qtbot, make_window())
    page = window.anonymize
    opened(qtbot, window, album)
    reviewed(qtbot, page, "b.png")
    told: list[str] = []
    page.run.notified.connect(lambda words, path: told.append(words))
    decided(qtbot, page, page.page.cards[0].again)
    assert persons(page) == first | {"b": ["", first["b"][1]]}
    assert told[-1].endswith(PARTED)
    for turn in (page.review.undo, page.review.redo):
        shows = page.review.reviewed
        turn()
        qtbot.waitUntil(
            lambda shows=shows: page.review.reviewed not in (None, shows) and not page.run.doing, timeout=PATIENCE
        )
    assert "taken back" in told[-2] and PARTED not in told[-2] and told[-1].endswith(PARTED)
    monkeypatch.setattr(Told, "__call__", fails)
    decided(qtbot, page, page.page.cards[0].again)
    assert records(page.run.report)["b.png"]["faces"][0]["status"] == "fallback" and PARTED not in told[-1]


def test_it_is_said_of_whoever_is_drawn_without_the_key_of_the_run(
    qtbot: QtBot, window: MainWindow, album: Path, studio: RecastingStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first face of each photo fails, so that nothing is written, and whoever decides on it has the second made again."""

    def failing(told: Told, aligned: Any, *more: Any) -> Any:
        if np.abs(transform(aligned.matrix, FACES[0].landmarks) - aligned.template.points).max() < 20:
            raise FaceStudioError("It does not want to.")
        return fakes.SlowRestorer.__call__(told, aligned, *more)

    monkeypatch.setattr(Told, "__call__", failing)
    page = window.anonymize
    page.run.choices.set_fallback("none")
    page.panel.people.consistent.click()
    opened(qtbot, window, album)
    done(qtbot, window)
    assert {record["output"] for record in records(page.run.report).values()} == {None}
    first, rows = persons(page), {row.path.stem: row for row in page.run.rows}
    assert all(found[1] and not found[0] for found in first.values())

    def came(name: str, wish: Wish, known: Known) -> tuple[list[str], str]:
        """Whom the faces of a photo became by a decision, and what is said."""
        made = decide(studio, rows[name], page.run.output, wish, known, 0, Progress())
        assert made.row.record is not None
        rows[name] = made.row
        return [face.get("person", "") for face in made.row.record["faces"]], made.warning

    solid = Recipe("solid", "solid")
    assert came("a", Wish("hidden", 0), page.run.known) == (first["a"], "")
    assert came("b", Wish("tried again", 0, solid), page.run.known) == (first["b"], "")
    assert came("c", Wish("hidden", 0), Known()) == (["", ""], PARTED), "the other one was made again"
    assert came("c", Wish("hidden", 0), Known()) == (["", ""], ""), "the other one is as it was written"
    assert came("c", Wish("tried again", 1), Known()) == (["", ""], PARTED)
    assert came("c", Wish("tried again", 1, solid), Known()) == (["", ""], "")
    assert came("a", Wish("hidden", 0), Known()) == (first["a"], "")


def test_the_look_for_people_says_so_is_stopped_and_gone_on_with(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, studio: RecastingStudio
) -> None:
    page.panel.people.consistent.click()
    opened(qtbot, window, album)
    studio.held = {"b"}
    QTest.mouseClick(page.panel.button, LEFT)
    qtbot.waitUntil(lambda: page.about.text() == "Looking for people: 1 of 3 photos", timeout=PATIENCE)
    QTest.mouseClick(page.panel.job_bar.pause, LEFT)
    assert page.panel.job_bar.stage.text() == "Paused"
    QTest.mouseClick(page.panel.job_bar.stop, LEFT)
    ended(qtbot, window)
    assert {row.status for row in page.run.rows} == {"to do"}
    studio.held = set()
    studio.told.held = True
    QTest.mouseClick(page.panel.button, LEFT)
    qtbot.waitUntil(lambda: cell(page, "a.png", STATUS) == "Working", timeout=PATIENCE)
    assert studio.worked == ["a", "b", "c"], "who was seen is not looked for again"
    studio.told.held = False
    qtbot.waitUntil(lambda: cell(page, "a.png", STATUS) == "Verified", timeout=PATIENCE)
    studio.told.held = True
    QTest.mouseClick(page.panel.job_bar.stop, LEFT)
    studio.told.held = False
    ended(qtbot, window)
    assert page.run.to_do, "it was stopped before the end"
    assert page.panel.button.text().startswith("Continue with"), "what is done is the run's still"
    done(qtbot, window)
    assert studio.worked == ["a", "b", "c"] and same(persons(page))


def test_without_a_key_another_window_asks_about_what_is_there(
    qtbot: QtBot, make_window: Callable[[], MainWindow], window: MainWindow, album: Path
) -> None:
    window.anonymize.panel.people.consistent.click()
    opened(qtbot, window, album)
    done(qtbot, window)
    first = persons(window.anonymize)
    window.close()
    window = ready(qtbot, make_window())
    assert window.anonymize.panel.people.consistent.isChecked(), "it is remembered"
    opened(qtbot, window, album)
    QTest.mouseClick(window.anonymize.panel.button, LEFT)
    question = dialog(qtbot, window, QMessageBox)
    assert isinstance(question, QMessageBox) and "other settings" in question.informativeText()
    answer(qtbot, window, "Make again")
    qtbot.waitUntil(lambda: bool(window.anonymizing.running), timeout=PATIENCE)
    ended(qtbot, window)
    after = persons(window.anonymize)
    assert same(after) and not {t for some in after.values() for t in some} & {
        t for some in first.values() for t in some
    }


def test_a_key_goes_on_another_day_and_in_the_command_line(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    window: MainWindow,
    album: Path,
    tmp_path: Path,
    studio: RecastingStudio,
    monkeypatch: pytest.MonkeyPatch,
    own_folders: Path,
) -> None:
    page, key = window.anonymize, tmp_path / "safe" / "our.key"
    key.parent.mkdir()
    page.panel.people.consistent.click()
    opened(qtbot, window, album)
    chosen(monkeypatch, key)
    page.panel.people.choose.click()
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing, timeout=PATIENCE)
    assert not key.exists(), "a run makes it"
    assert page.panel.people.key.isVisible() and not page.panel.people.notice.isVisible()
    assert "find out who became whom" in page.panel.people.choose.toolTip()
    done(qtbot, window)
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    first, kept = persons(page), (page.run.output / "b.png").read_bytes()
    (page.run.output / "a.png").unlink()
    window.close()

    secret = key.read_text().splitlines()[1]
    stored = [path for path in own_folders.rglob("*") if path.is_file()]
    assert any(str(key).encode() in path.read_bytes() for path in stored), "where it lies is remembered"
    assert not any(secret.encode() in path.read_bytes() for path in stored), "and not what it says"

    window = ready(qtbot, make_window())
    page = window.anonymize
    assert page.panel.people.key.toolTip().startswith(str(key))
    opened(qtbot, window, album)
    assert page.panel.button.text() == "Continue with 1 photo"
    reviewed(qtbot, page, "b.png")
    assert (page.run.output / "b.png").read_bytes() == kept
    decided(qtbot, page, page.page.cards[0].again)
    assert persons(page) == first, "the key says who it was"
    kept = (page.run.output / "b.png").read_bytes()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    done(qtbot, window)
    assert persons(page) == first and (page.run.output / "b.png").read_bytes() == kept

    (page.run.output / "c.png").unlink()
    monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **kwargs: studio)
    arguments = ["anonymize", str(album), "-o", str(page.run.output), "--method", "redraw", "--consistent", "--key"]
    assert command([*arguments, str(key), "--resume", "--quiet"]) == 0
    assert persons(page) == first


def test_a_key_or_names_beside_the_results_are_refused(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page.panel.people.consistent.click()
    opened(qtbot, window, album)
    inside = page.run.output / "key"
    chosen(monkeypatch, inside)
    page.panel.people.choose.click()
    assert "beside the photos that it belongs to" in said(qtbot, window)
    assert not page.panel.button.isEnabled() and not page.run.output.exists()
    page.panel.people.forget.click()
    qtbot.waitUntil(page.panel.button.isEnabled, timeout=PATIENCE)
    chosen(monkeypatch, page.run.output / "names.csv")
    page.panel.more.title.click()
    page.panel.files.numbers.click()
    assert "keep it somewhere else" in said(qtbot, window)
    assert not page.panel.button.isEnabled()
    page.panel.files.numbers.click()
    qtbot.waitUntil(page.panel.button.isEnabled, timeout=PATIENCE)


def test_a_method_that_hides_faces_can_be_told_nobody(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace
) -> None:
    people = page.panel.people
    people.consistent.click()
    people.similar.click()
    page.run.choose("solid")
    for box in (people.consistent, people.similar):
        assert not box.isEnabled() and not box.isChecked()
        assert box.toolTip().startswith("Solid hides faces and does not replace people by others. ")
        assert "Redraw" in box.toolTip()
    assert not people.below.isVisible()
    page.run.choose(REDRAW)
    assert people.consistent.isChecked() and people.similar.isChecked() and people.below.isVisible()


def test_similar_people_are_taken_of_several(
    qtbot: QtBot, window: MainWindow, page: AnonymizeWorkspace, album: Path, studio: RecastingStudio
) -> None:
    page.panel.people.similar.click()
    opened(qtbot, window, album)
    done(qtbot, window)
    asked = studio.asked_for_similar
    assert 6 <= asked <= 6 * (1 + RULE.draws), "for each face, and for who is drawn where new faces look alike"
    page.panel.people.consistent.click()
    QTest.mouseClick(page.panel.button, LEFT)
    answer(qtbot, window, "Make again")
    qtbot.waitUntil(lambda: studio.asked_for_similar == asked + 3 and not page.run.doing, timeout=PATIENCE)
    assert same(persons(page)), "for each person"


def test_results_have_numbers_and_no_times_and_the_command_line_goes_on(
    qtbot: QtBot,
    make_window: Callable[[], MainWindow],
    window: MainWindow,
    album: Path,
    tmp_path: Path,
    studio: RecastingStudio,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, mapping = window.anonymize, tmp_path / "who is who.csv"
    page.run.choose("solid")
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *args, **more: ("", ""))
    page.panel.more.title.click()
    page.panel.files.numbers.click()
    assert not page.panel.files.numbers.isChecked(), "no file was chosen"
    chosen(monkeypatch, mapping)
    opened(qtbot, window, album)
    page.panel.files.numbers.click()
    page.panel.files.times.click()
    qtbot.waitUntil(lambda: bool(page.run.rows) and not page.run.listing, timeout=PATIENCE)
    assert not mapping.exists()
    done(qtbot, window)
    with mapping.open(newline="") as file:
        numbers = {Path(line["photo"]).name: line["number"] for line in csv.DictReader(file)}
    out = page.run.output
    assert {path.name for path in out.iterdir()} == {f"{number}.png" for number in numbers.values()}
    assert all(time.gmtime(path.stat().st_mtime).tm_year == 1980 for path in out.iterdir())
    assert page.run.report is not None and "party" not in page.run.report.read_text().replace("party-anonymized", "")
    reviewed(qtbot, page, "b.png")
    assert page.page.name.toolTip().endswith("b.png")
    assert page.review.row is not None and page.review.row.output == out / f"{numbers['b.png']}.png"
    before = page.review.reviewed
    page.page.cards[0].again.click()
    qtbot.waitUntil(lambda: page.review.reviewed is not before and not page.run.doing, timeout=PATIENCE)
    assert len(records(page.run.report)) == 3, "a line of its own is replaced"
    QTest.keyClick(window, Qt.Key.Key_Escape)
    (out / f"{numbers['c.png']}.png").unlink()
    window.close()

    window = shown(qtbot, make_window())
    page = window.anonymize
    assert page.panel.files.numbers.isChecked() and page.panel.files.times.isChecked() and page.panel.files.isVisible()
    window.anonymizing.choose("solid")
    opened(qtbot, window, album)
    assert page.panel.button.text() == "Continue with 1 photo"
    monkeypatch.setattr("facestudio.cli.anonymize.Studio", lambda *args, **kwargs: studio)
    arguments = ["anonymize", str(album), "-o", str(out), "--method", "solid", "--names", str(mapping), "--reset-times"]
    assert command([*arguments, "--resume", "--quiet"]) == 0
    assert {path.name for path in out.iterdir()} == {f"{number}.png" for number in numbers.values()}
