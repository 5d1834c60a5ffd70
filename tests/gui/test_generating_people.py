"""Generate, as a user works with people who do not exist: keeping one, walks between two, sliders, likeness, recipes, history."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QSlider, QWidget
from pytestqt.qtbot import QtBot

from facestudio.faces.people import IdentitySpace
from facestudio.faces.sliders import EXPRESSION, PERSON, Slider
from facestudio.generating import MOST
from facestudio.gui.casting import A, B
from facestudio.gui.errors import ErrorDialog
from facestudio.gui.main_window import MainWindow
from facestudio.gui.qimage import to_pixels
from facestudio.gui.widgets import large_picture
from facestudio.gui.widgets.likeness_dialog import NOWHERE, LikenessDialog
from facestudio.gui.workspaces.generate import GRID, LARGE, GenerateWorkspace
from facestudio.keeping import keep, recipe_of
from facestudio.methods import arc2face
from facestudio.networks.people import People
from facestudio.whom import LARGEST, Anybody, Between, Drawn, Near, Shot
from tests import fakes
from tests.gui.conftest import FakeStudio, Painter, draw
from tests.gui.test_generating import CONTROL, LEFT, choose_folder, click, drop, ended, made, toast, with_person
from tests.gui.windows import dialog
from tests.unit.test_people import training_people

ALT = Qt.KeyboardModifier.AltModifier
OFFERED = (
    Slider("age", "Age", PERSON, "How old.", "younger", "older"),
    Slider("smile", "Smile", EXPRESSION, "How it smiles.", "serious", "smiling"),
)


@pytest.fixture(scope="module")
def space() -> IdentitySpace:
    """People as the painter's listener knows them, and training people whom no picture is like."""
    network = People(32, 8, 300)
    network.fit(training_people())
    of = IdentitySpace(network.eval(), "listener", strangers=0.6, copies=0.97)
    of.nearest_known = lambda identity: 0.31  # type: ignore[method-assign]
    return of


@pytest.fixture
def offered() -> tuple[Slider, ...]:
    return OFFERED


@pytest.fixture
def window(
    make_window: Callable[[], MainWindow],
    studio: FakeStudio,
    space: IdentitySpace,
    offered: tuple[Slider, ...],
    qtbot: QtBot,
    monkeypatch: pytest.MonkeyPatch,
) -> MainWindow:
    """A window that shows Generate, whose painter can be told people and has sliders."""

    def unmoved(checkpoint: str) -> Any:
        studio.painter.moved = {}  # type: ignore[attr-defined]
        return studio.painter

    def moving(method: Any, settings: Mapping[str, float], **more: Any) -> Any:
        method.moved = dict(settings)
        return method

    studio.judges = [fakes.FakeEmbedder("listener"), *studio.judges]
    monkeypatch.setattr(studio, "knows_people", lambda checkpoint: True)
    monkeypatch.setattr(studio, "_space", lambda method: space)
    monkeypatch.setattr(studio, "sliders", lambda checkpoint: offered)
    monkeypatch.setattr(studio, "_moving", moving)
    monkeypatch.setattr(studio, "_synthesizer", unmoved)
    window = make_window()
    window.resize(1200, 900)
    window.commands["to_generate"].trigger()
    qtbot.waitUntil(lambda: bool(window.making.abilities))
    return window


@pytest.fixture
def page(window: MainWindow) -> GenerateWorkspace:
    return window.generate


def people(page: GenerateWorkspace) -> list[Any]:
    """Who is on the shown pictures."""
    return [picture.portrait.recipe.person for picture in page.making.pictures]


def tick(box: Any) -> None:
    QTest.mouseClick(box, LEFT, pos=QPoint(10, box.height() // 2))


def slide(slider: QSlider, place: int) -> None:
    """Drag a slider and let it go."""
    slider.setSliderDown(True)
    slider.setValue(place)
    slider.setSliderDown(False)


def point_at(widget: QWidget, where: QPointF) -> None:
    """Move the mouse, which has no screen to be on."""
    none = Qt.MouseButton.NoButton
    event = QMouseEvent(QEvent.Type.MouseMove, where, where, none, none, Qt.KeyboardModifier.NoModifier)
    QApplication.sendEvent(widget, event)


# ---- who


def test_each_picture_shows_somebody_of_its_own(page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=3, seed=7)
    assert people(page) == [Drawn(7), Drawn(8), Drawn(9)]
    click(page, 1)
    assert "cosine of 0.31" in page.readout.sentence.text(), "how near the training people are is told"
    assert page.readout.seed.text() == "Seed 8"


def test_a_kept_person_gets_other_pictures_and_may_vary(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot
) -> None:
    panel = page.panel
    assert not panel.vary.isVisible(), "nobody is kept whose looks could go anywhere"
    made(qtbot, page, count=2, seed=7)
    click(page, 1)
    tick(panel.keep)
    assert panel.kept.text() == "It is person 8." and panel.vary.isVisible()
    assert window.commands["keep_person"].isChecked()
    QTest.keyClick(window, Qt.Key.Key_Escape)
    made(qtbot, page, count=2, seed=20)
    assert people(page) == [Drawn(8), Drawn(8)]
    panel.vary.box.setValue(0.2)  # type: ignore[attr-defined]
    made(qtbot, page, count=2, seed=20)
    assert people(page) == [Near(Drawn(8), 0.2, 20), Near(Drawn(8), 0.2, 21)]
    QTest.keyClick(window, Qt.Key.Key_L, CONTROL)
    assert not panel.keep.isChecked()
    made(qtbot, page, count=1, seed=5)
    assert people(page) == [Drawn(5)]


def test_others_of_a_person_are_one_click_away(page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=2, seed=7)
    assert page.readout.vary.toolTip() == "Click a picture first."
    click(page, 1)
    QTest.mouseClick(page.readout.vary, LEFT)
    ended(qtbot, page)
    assert people(page) == [Drawn(8), Drawn(8)]
    assert [picture.seed for picture in page.making.pictures] == [9, 10]
    assert page.panel.keep.isChecked(), "what is done stands in the panel"


def test_anybody_is_told_to_be_anybody(page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio) -> None:
    tick(page.panel.freely)
    made(qtbot, page, count=1)
    assert people(page) == [Anybody()]
    assert studio.painter.asked[-1][0].identity is None
    assert "drawn freely" in page.readout.vary.toolTip() and not page.readout.vary.isEnabled()
    assert "cannot begin or end" in page.readout.pins[A].toolTip()


# ---- a walk


def test_a_walk_leads_from_pin_to_pin(window: MainWindow, page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=3, seed=7)
    assert not page.panel.pins.walk.isEnabled()
    click(page, 0)
    QTest.keyClick(window, Qt.Key.Key_A, CONTROL | ALT)
    QTest.mouseClick(page.readout.pins[B], LEFT)
    box = page.panel.pins
    assert (
        not box.walk.isEnabled() and box.hint.text() == "A and B show the same person: pin a picture of somebody else."
    )
    QTest.keyClick(page.large, Qt.Key.Key_End)
    QTest.mouseClick(page.readout.pins[B], LEFT)
    assert box.walk.isEnabled() and not box.hint.isVisibleTo(box)
    assert page.panel.pins.places[A].accessibleName() == "A: person 7, seed 7"
    page.panel.pins.steps.setValue(5)
    page.making.sliding.set_value("age", 0.5)  # which neither pin has
    QTest.keyClick(window, Qt.Key.Key_W, CONTROL | ALT)
    ended(qtbot, page)
    assert people(page) == [Between(Drawn(7), Drawn(9), share) for share in (0, 0.25, 0.5, 0.75, 1)]
    assert {picture.seed for picture in page.making.pictures} == {7}
    assert [picture.portrait.recipe.sliders for picture in page.making.pictures] == [{}] * 5
    assert page.about.text().startswith("5 pictures of the way from person 7 to person 9   seed 7")
    assert page.centre.currentIndex() == GRID


def test_no_walk_begins_at_somebody_in_a_photo(page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path) -> None:
    with_person(qtbot, page, tmp_path / "one.png")
    made(qtbot, page, count=1)
    assert not page.readout.pins[A].isEnabled()
    assert "comes from a photo" in page.readout.pins[A].toolTip()
    assert not page.panel.keep.isVisible()


def test_others_are_of_the_person_on_the_picture_and_not_of_another_photo(
    page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio, tmp_path: Path
) -> None:
    made(qtbot, page, count=2, seed=7)
    with_person(qtbot, page, tmp_path / "one.png")
    page.making.set_count(2)
    click(page, 1)
    QTest.mouseClick(page.readout.vary, LEFT)
    ended(qtbot, page)
    assert people(page) == [Drawn(8), Drawn(8)], "and nobody in a photo"
    assert not page.making.from_photo

    with_person(qtbot, page, tmp_path / "one.png")
    made(qtbot, page, count=2, seed=30)
    click(page, 1)
    assert page.readout.vary.isEnabled()
    drop(page.panel.source, draw(tmp_path / "two.png", 3))
    qtbot.waitUntil(lambda: page.making.source is not None and page.making.source.name == "two.png")
    qtbot.waitUntil(lambda: not page.making.doing)
    assert not page.readout.vary.isEnabled(), "another photo is chosen than the picture's"
    assert "comes from a photo" in page.readout.vary.toolTip()


# ---- sliders


def test_a_dragged_slider_shows_drafts_and_then_the_fine_picture(
    page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio
) -> None:
    made(qtbot, page, count=2, seed=7)
    click(page, 1)
    row = page.sliders.rows["age"]
    before = len(studio.painter.asked)
    row.slider.setSliderDown(True)
    row.slider.setValue(10)
    assert row.number.text() == "older 0.50"
    qtbot.waitUntil(lambda: page.making.sliding.draft is not None)
    assert page.large.accessibleName() == "Draft"
    assert len(page.making.runs.all) == 1, "a draft is no gallery"
    row.slider.setSliderDown(False)
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 2 and not page.making.doing)
    assert page.making.sliding.draft is None
    (picture,) = page.making.pictures
    assert dict(picture.portrait.recipe.sliders) == {"age": 0.5}
    assert picture.portrait.recipe.person == Drawn(8) and picture.seed == 8
    assert picture.portrait.identities, "the fine picture is measured"
    assert page.centre.currentIndex() == LARGE and page.making.picture is picture
    assert len(studio.painter.asked) == before + 2


def test_only_the_newest_draft_is_drawn(page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio) -> None:
    made(qtbot, page, count=1, seed=7)
    studio.painter = Painter(steps=40, seconds=0.005)
    drawn: list[Any] = []
    moving = studio._moving

    def written_down(method: Any, settings: Mapping[str, float], **more: Any) -> Any:
        drawn.append(dict(settings))
        return moving(method, settings, **more)

    studio._moving = written_down  # type: ignore[assignment, method-assign]
    row = page.sliders.rows["age"]
    row.slider.setSliderDown(True)
    row.slider.setValue(1)
    qtbot.waitUntil(lambda: studio.painter.taken > 0)
    for place in range(2, 15):
        row.slider.setValue(place)
        QTest.qWait(1)
    assert drawn == [{"age": 0.05}]
    qtbot.waitUntil(lambda: not page.making.sliding.drafting)
    assert drawn == [{"age": 0.05}, {"age": 0.7}], "those between were never drawn"
    row.slider.setSliderDown(False)
    ended(qtbot, page)
    assert drawn[-1] == {"age": 0.7}


def test_a_slider_that_moves_on_gives_up_the_fine_picture(
    page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio
) -> None:
    made(qtbot, page, count=1, seed=7)
    studio.painter = Painter(steps=4000, seconds=0.005)
    row = page.sliders.rows["smile"]
    QTest.keyClick(row.slider, Qt.Key.Key_Right)
    qtbot.waitUntil(lambda: bool(page.making.doing))  # keys rest
    qtbot.waitUntil(lambda: studio.painter.taken > 0)
    studio.painter = Painter()
    QTest.keyClick(row.slider, Qt.Key.Key_Right)
    assert not page.making.doing
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 2 and not page.making.doing)
    (picture,) = page.making.pictures
    assert dict(picture.portrait.recipe.sliders) == {"smile": 0.1}


def test_a_picture_of_somebody_else_is_not_moved(
    page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio, tmp_path: Path
) -> None:
    made(qtbot, page, count=1, seed=7)
    slider, drawn = page.sliders.rows["age"].slider, len(studio.painter.asked)
    with_person(qtbot, page, tmp_path / "one.png")
    slide(slider, 4)
    assert "applies to the next pictures" in toast(page)
    assert len(studio.painter.asked) == drawn and not page.making.doing and not page.making.sliding.drafting
    made(qtbot, page, count=1, seed=7)
    assert dict(page.making.pictures[0].portrait.recipe.sliders) == {"age": 0.2}
    slide(slider, -4)
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 3 and not page.making.doing)
    recipe = page.making.pictures[0].portrait.recipe
    assert recipe.reference and not recipe.person and dict(recipe.sliders) == {"age": -0.2}


def test_a_double_click_sets_a_slider_back_and_undo_follows(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot
) -> None:
    made(qtbot, page, count=1, seed=7)
    row = page.sliders.rows["age"]
    row.slider.setSliderDown(True)
    row.slider.setValue(-8)
    row.slider.setSliderDown(False)
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 2 and not page.making.doing)
    QTest.mouseDClick(row.title, LEFT)
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 3 and not page.making.doing)
    assert row.value == 0 and dict(page.making.pictures[0].portrait.recipe.sliders) == {"age": 0.0}
    QTest.keyClick(window, Qt.Key.Key_Z, CONTROL)
    assert row.value == -0.4, "sliders stand where the shown picture has them"
    assert row.number.text() == "younger 0.40"


@pytest.mark.parametrize("offered", [()])
def test_without_sliders_there_are_none(page: GenerateWorkspace) -> None:
    assert not page.sliders.isVisible()
    assert page.sliders.rows == {}


def test_sliders_are_grouped_and_named(page: GenerateWorkspace) -> None:
    headings = [label.text() for label in page.sliders.findChildren(QLabel) if label.objectName() == "chipTitle"]
    assert headings == ["Person", "Expression"]
    for row in page.sliders.rows.values():
        assert row.slider.accessibleName() and row.slider.focusPolicy() & Qt.FocusPolicy.TabFocus
        assert row.about.low in row.slider.toolTip() and row.about.high in row.slider.toolTip()


def test_a_slider_that_only_adds_begins_at_its_left_end(page: GenerateWorkspace, qtbot: QtBot) -> None:
    sliding, age = page.making.sliding, page.making.sliding.offered[0]
    sliding.offer((replace(age, least=0.0, low="as drawn"), *sliding.offered[1:]))
    row = page.sliders.rows["age"]
    assert (row.slider.minimum(), row.slider.value(), row.value) == (
        0,
        0,
        0.0,
    ) and row.slider.objectName() != "twoSided"
    row.slider.setFocus()
    qtbot.keyClick(row.slider, Qt.Key.Key_Left)
    assert row.value == 0 and not row.number.text().startswith(row.about.low)
    sliding.show({"age": -0.4, "smile": -0.4})  # as in a picture that was made when it went there
    assert dict(sliding.values) == {"smile": -0.4} and row.value == 0
    sliding.show({"age": 0.4})
    assert row.value == 0.4 and row.number.text() == f"{row.about.high} 0.40"


def reached(widget: QWidget) -> bool:
    """Whether all of `widget` is seen as it stands, without any scrolling."""
    return widget.isVisible() and widget.visibleRegion().boundingRect() == widget.rect()


@pytest.mark.parametrize("size", [(1500, 950), (1000, 700)])
def test_every_slider_and_every_group_is_seen_beside_the_large_picture(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, size: tuple[int, int]
) -> None:
    studio_sliders = [
        Slider(f"s{n}", f"Slider number {n}", group, "Changes.", "less", "more")
        for n, group in enumerate((PERSON,) * 6 + ("Pose",) * 2 + (EXPRESSION,) * 2 + ("Light",) * 2)
    ]
    page.making.sliding.offer(tuple(studio_sliders))
    window.resize(*size)
    made(qtbot, page, count=1, seed=7)
    qtbot.waitUntil(lambda: page.sliders.isVisible() and reached(page.sliders.rows["s0"]))
    assert all(reached(row) for row in page.sliders.rows.values())
    panel = page.panel
    groups = (panel.nobody, panel.keep, panel.count, panel.seed, panel.method, panel.walk.title, panel.more.title)
    assert all(reached(group) for group in groups)
    assert page.large.picture_rect().width() >= 256, "the picture at its own size at least"
    assert page.sliders.x() >= page.large.mapTo(page, page.large.rect().topRight()).x()


def test_the_tag_of_a_large_picture_is_not_below_the_button(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    painted: list[bool] = []
    monkeypatch.setattr(large_picture, "paint_tag", lambda *_, left: painted.append(left))
    made(qtbot, page, count=1, seed=7)
    for size, left in (((1900, 900), True), ((1000, 700), False)):
        window.resize(*size)
        qtbot.waitUntil(lambda width=size[0]: window.width() == width)
        page.large.grab()
        assert painted[-1] is left is not page.large.picture_rect().intersects(QRectF(page.large.back.geometry()))


def test_sliders_come_and_go_with_the_panel(window: MainWindow, page: GenerateWorkspace) -> None:
    assert page.sliders.isVisible() and not page.sliders.reset.isEnabled()
    QTest.keyClick(window, Qt.Key.Key_F8)
    assert not page.sliders.isVisible() and not page.panel.isVisible()
    QTest.keyClick(window, Qt.Key.Key_F8)
    assert page.sliders.isVisible() and page.panel.isVisible()


def test_all_sliders_go_back_to_the_middle_by_one_button(page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=1, seed=7)
    slide(page.sliders.rows["age"].slider, 8)
    ended(qtbot, page)
    qtbot.waitUntil(page.sliders.reset.isEnabled)
    QTest.mouseClick(page.sliders.reset, LEFT)
    ended(qtbot, page)
    assert page.sliders.rows["age"].value == 0 and not page.sliders.reset.isEnabled()


def test_a_pin_opens_the_walk(page: GenerateWorkspace, qtbot: QtBot) -> None:
    assert page.panel.walk.title.isVisible() and not page.panel.pins.isVisible()
    made(qtbot, page, count=2, seed=7)
    click(page, 0)
    QTest.mouseClick(page.readout.pins[A], LEFT)
    assert page.panel.pins.isVisible()


# ---- likeness


def test_a_heat_map_says_how_alike_each_pair_is(window: MainWindow, page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=4, seed=7)
    QTest.keyClick(window, Qt.Key.Key_M, CONTROL)
    shown = dialog(qtbot, window, LikenessDialog)
    assert isinstance(shown, LikenessDialog)
    assert [shown.judge.itemText(place) for place in range(3)] == [
        "judge-a",
        "judge-b",
        "listener (the one the method is conditioned on)",
    ]
    first, third = (page.making.pictures[place].portrait.identities["judge-a"].embedding for place in (0, 2))
    point_at(shown.map, shown.map.place(0, 2).center())
    assert shown.map.cell == (0, 2)
    assert f"cosine {float(first @ third):.3f}" in shown.pair.text()
    assert "seed 7 and seed 9" in shown.pair.text() and "threshold of 0.80" in shown.pair.text()
    QTest.keyClick(shown.map, Qt.Key.Key_Down)
    assert shown.map.cell == (1, 2)
    shown.judge.setCurrentIndex(2)
    assert "so it does not judge" in shown.sentence.text()
    painted = to_pixels(shown.map.grab().toImage())
    assert painted.std() > 20
    shown.map.leaveEvent(None)
    assert shown.map.cell == NOWHERE
    shown.close()


# ---- files


def test_pictures_are_exported_with_embeddings_and_recipe(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page, count=2, seed=7)
    choose_folder(monkeypatch, tmp_path)
    with qtbot.waitSignal(page.making.saved):
        window.commands["export_pictures"].trigger()
    assert page.toast._words == (
        f"Saved 2 pictures in {tmp_path.name}, each with its embeddings (.npz) and its recipe (.json)"
    )
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"face-00000{seed}.{suffix}" for seed in (7, 8) for suffix in ("json", "npz", "png")]
    with np.load(tmp_path / "face-000007.npz") as arrays:
        assert set(arrays) == {"listener", "judge-a", "judge-b", "person"}
    assert json.loads((tmp_path / "face-000007.json").read_text())["person"] == {"seed": 7}


def test_the_files_beside_a_single_picture_are_named(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page, count=1, seed=7)
    choose_folder(monkeypatch, tmp_path)
    with qtbot.waitSignal(page.making.saved):
        window.commands["export_pictures"].trigger()
    assert page.toast._words == (
        "Saved as face-000007.png, its embeddings as face-000007.npz, its recipe as face-000007.json"
    )


def test_a_saved_picture_puts_everything_back(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(qtbot, page, count=1, seed=7)
    page.panel.options.rows["steps"].set_value(33)
    tick(page.panel.keep)
    page.sliders.rows["smile"].slider.setValue(6)
    page.sliders.rows["smile"].let_go.emit()
    qtbot.waitUntil(lambda: len(page.making.runs.all) == 2 and not page.making.doing)
    original = page.making.pictures[0].portrait
    path = tmp_path / "kept.png"
    original.photo.save(path, recipe=original.recipe)
    page.panel.options.rows["steps"].set_value(4)
    tick(page.panel.keep)
    made(qtbot, page, count=2, seed=90)
    monkeypatch.setattr(QFileDialog, "getOpenFileName", lambda *args: (str(path), ""))
    window.commands["open_recipe"].trigger()
    qtbot.waitUntil(lambda: toast(page).startswith("The settings are those"))
    assert page.panel.options.rows["steps"].value == 33
    assert page.sliders.rows["smile"].value == 0.3
    assert (page.panel.seed.value(), page.panel.count.value()) == (7, 1)
    QTest.mouseClick(page.panel.button, LEFT)
    ended(qtbot, page)
    assert page.making.pictures[0].portrait.recipe == original.recipe == recipe_of(path)
    assert np.array_equal(page.making.pictures[0].portrait.photo.pixels, original.photo.pixels)


class Limited(Painter):
    """A painter whose consistency model takes few steps."""

    Options = arc2face.Options  # type: ignore[assignment]


def test_the_number_of_steps_follows_what_the_sampler_takes(
    make_window: Callable[[], MainWindow], studio: FakeStudio, qtbot: QtBot, tmp_path: Path
) -> None:
    studio.painter, studio.judges = Limited(), [fakes.FakeEmbedder("listener")]
    window = make_window()
    QTest.keyClick(window, Qt.Key.Key_2, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.making.offer is not None)
    page, making = window.generate, window.making
    steps, sampler = page.panel.options.rows["steps"], page.panel.options.rows["sampler"]
    steps.set_value(120)
    assert making.options["steps"] == 120 and steps.slider is not None and steps.slider.maximum() == 249
    sampler.set_value("lcm")
    assert steps.value == making.options["steps"] == 50 and steps.slider.value() == steps.slider.maximum() == 49
    steps.set_value(60)
    assert steps.value == making.options["steps"] == 50
    sampler.set_value("dpm")
    assert making.options["steps"] == 50, "as it is shown"
    steps.set_value(60)
    assert making.options["steps"] == 60 and steps.slider.value() == 59

    made(qtbot, page, count=1)
    before = making.pictures[0].portrait
    options = {**before.recipe.options, "sampler": "lcm", "steps": 100}
    keep(replace(before, recipe=replace(before.recipe, options=options)), tmp_path / "of before.png")
    making.use_recipe(tmp_path / "of before.png")
    qtbot.waitUntil(lambda: toast(page).startswith("The settings are those"))
    assert "except steps, which these weights do not support" in toast(page)
    assert (making.options["sampler"], making.options["steps"]) == ("lcm", 20)


def test_a_seed_of_the_command_line_may_be_larger_than_the_windows_own(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path
) -> None:
    large, field = 2**62 + 1, page.panel.seed
    path = fakes.write_picture(tmp_path / "one.png", fakes.picture())
    assert page.making.recipe is not None
    recipe = replace(page.making.recipe, seed=large, person=Drawn(large))
    path.with_suffix(".json").write_text(recipe.to_json())
    page.making.use_recipe(path.with_suffix(".json"))
    qtbot.waitUntil(lambda: toast(page).startswith("The settings are those"))
    assert (field.value(), field.text(), page.making.seed) == (large, str(large), large)
    QTest.mouseClick(page.panel.button, LEFT)
    ended(qtbot, page)
    assert page.making.pictures[0].portrait.recipe == recipe
    page.making.vary()
    qtbot.waitUntil(lambda: not page.making.doing)
    assert page.making.pictures[0].seed == large + 1
    page.making.set_seed(LARGEST)
    assert field.value() + MOST == LARGEST, "each of a gallery has a seed"
    page.making.set_seed(-3)
    assert field.value() == page.making.seed == 0


def test_a_seed_is_written_and_stepped(page: GenerateWorkspace, qtbot: QtBot) -> None:
    field, making = page.panel.seed, page.making
    field.selectAll()
    QTest.keyClicks(field, "5000000000")
    assert making.seed == 5000000000
    QTest.keyClicks(field, "x-.0")
    assert (field.text(), making.seed) == ("50000000000", 50000000000)
    QTest.keyClicks(field, "0" * 30)
    assert making.seed <= LARGEST and len(field.text()) <= len(str(LARGEST))
    field.selectAll()
    QTest.keyClick(field, Qt.Key.Key_Backspace)
    QTest.keyClick(field, Qt.Key.Key_Return)
    assert field.text() == str(making.seed), "nothing is no seed"
    field.setValue(7)
    QTest.keyClick(field, Qt.Key.Key_Up)
    assert (field.text(), making.seed) == ("8", 8)
    field.setValue(0)
    QTest.keyClick(field, Qt.Key.Key_Down)
    assert (field.text(), making.seed) == ("0", 0)


def test_a_picture_without_a_recipe_is_explained(
    window: MainWindow, page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path
) -> None:
    page.making.use_recipe(fakes.write_picture(tmp_path / "plain.png", fakes.picture()))
    error = dialog(qtbot, window, ErrorDialog)
    assert "plain.png contains no recipe." in [label.text() for label in error.findChildren(QLabel)]
    error.close()


# ---- history


def test_the_history_shows_an_earlier_gallery_again(page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=3, seed=7)
    assert not page.history.isVisible()
    made(qtbot, page, count=1, seed=20)
    assert page.history.count() == 2 and page.history.currentRow() == 1
    where = page.history.visualItemRect(page.history.item(0)).center()
    QTest.mouseClick(page.history.viewport(), LEFT, pos=where)
    assert [picture.seed for picture in page.making.pictures] == [7, 8, 9]
    assert page.making.runs.can_redo
    assert page.history.item(0).toolTip() == "3 pictures from seed 7, people who do not exist"


def test_a_gallery_made_from_an_earlier_one_forgets_none(page: GenerateWorkspace, qtbot: QtBot) -> None:
    made(qtbot, page, count=3, seed=7)
    made(qtbot, page, count=1, seed=20)
    QTest.mouseClick(page.history.viewport(), LEFT, pos=page.history.visualItemRect(page.history.item(0)).center())
    made(qtbot, page, count=1, seed=30)
    assert [run.recipe.seed for run in page.making.runs.all] == [7, 20, 30], (
        "a strip of what was made, not of undone steps"
    )
    assert page.history.count() == 3 and page.history.currentRow() == 2
    assert not page.making.runs.can_redo
    page.making.undo()
    assert [picture.seed for picture in page.making.pictures] == [20]


def test_the_readout_asks_for_no_wider_window(
    page: GenerateWorkspace, qtbot: QtBot, studio: FakeStudio, tmp_path: Path
) -> None:
    long = "A recogniser whose title says at length of which kind it is (a transformer)"
    for judge in studio.judges:
        judge.checkpoint = replace(judge.checkpoint, title=long)
    for about in OFFERED:
        page.making.sliding.set_value(about.id, 0.75)
    with_person(qtbot, page, tmp_path / "one.png")
    made(qtbot, page, count=2)
    click(page, 1)
    assert "age +0.75, smile +0.75" in page.readout.seed.text()
    assert page.readout.cosines[0].toolTip().endswith(long)
    assert page.minimumSizeHint().width() <= 1000


# ---- what has no effect


def test_what_has_no_effect_is_greyed_and_says_why(page: GenerateWorkspace, qtbot: QtBot, tmp_path: Path) -> None:
    rows = page.panel.options.rows
    assert not rows["hold_pose"].box.isEnabled()
    assert "without a photo" in rows["hold_pose"].box.toolTip()
    assert rows["guidance"].box.isEnabled(), "somebody is told to the method"
    tick(page.panel.freely)
    age, smile = (page.sliders.rows[name] for name in ("age", "smile"))
    assert not age.slider.isEnabled() and "while “Anybody” is chosen" in age.slider.toolTip()
    assert smile.slider.isEnabled(), "an expression needs no person"
    assert not rows["guidance"].box.isEnabled()
    assert "is not told whom to draw" in rows["guidance"].box.toolTip()
    with_person(qtbot, page, tmp_path / "one.png")
    assert rows["hold_pose"].box.isEnabled() and rows["guidance"].box.isEnabled()


def test_the_casting_of_a_thousand_is_one_plan(page: GenerateWorkspace) -> None:
    plan = page.making.casting.plan(5, MOST)
    assert plan[0] == Shot(5) and len(plan) == MOST
