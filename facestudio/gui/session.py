"""What the window shows, and every decision about it: the open photo, its faces, which are ticked, results, recipe.

The GUI thread only. It starts jobs and takes what they bring; the work itself is in `work`, on worker threads. Widgets
call its methods and listen to its signals. It knows no widget and shows no dialog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.gui import work
from facestudio.gui.enlarging import Enlarging
from facestudio.gui.following import Following
from facestudio.gui.found import Found
from facestudio.gui.graining import Graining
from facestudio.gui.history import History, State, Step
from facestudio.gui.jobs import JobQueue
from facestudio.gui.kept_metadata import KeptMetadata
from facestudio.gui.marking import Marking
from facestudio.gui.mask_files import MaskFiles
from facestudio.gui.mending import Mending
from facestudio.gui.opening import Opening
from facestudio.gui.reference import Reference
from facestudio.gui.restoring_all import RESTORING_ALL, RestoringAll
from facestudio.gui.result_files import ResultFiles
from facestudio.gui.turning import Turning
from facestudio.gui.weights import Weights
from facestudio.gui.work import Added, Opened
from facestudio.gui.workplace import FINDING
from facestudio.recipe import Recipe

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.studio import Studio

ADDING, RESTORING = "adding a face", "restoring"


class Session(Opening):
    """The state of the window. Signals are past participles; what they are about is read from the session."""

    faces_changed = Signal()
    selection_changed = Signal()
    result_changed = Signal()  # another step is shown: restored, undone or redone
    turned = Signal()  # `opened` lies another way; its faces and result are told next
    device_changed = Signal()
    moved = Signal()  # undone or redone

    def __init__(self, studio: Studio, settings: QSettings, parent: QObject | None = None) -> None:
        super().__init__(studio, JobQueue("compute", 1), JobQueue("light", 2), settings, parent)
        self.compute.setParent(self)
        self.light.setParent(self)
        self.weights = Weights(studio, settings, self)
        self.weights.renewed.connect(self.look_again)
        self.weights.notified.connect(self.notified)
        self.history = History()
        self.reference = Reference(self)
        self.kept_metadata = KeptMetadata(settings, self)
        self.enlarging = Enlarging(self)
        self.mending = Mending(self)
        self.marking = Marking(self)
        self.mask_files = MaskFiles(self)
        self.graining = Graining(self.history, self)
        self.turning = Turning(self)
        self.following = Following(self)
        self.results = ResultFiles(self)
        self.restoring_all = RestoringAll(self)
        self.photo_changed.connect(self.following.forget)
        self.looked = False  # whether the search for faces has ended well
        self.selected: frozenset[int] = frozenset()
        self.device = ""

    # ---- starting and ending

    @Slot()
    def start(self) -> None:
        """Learn what there is to offer and on which device; called once the window has been painted."""
        self._learn_offers("keep")
        self.learn_device()

    @Slot()
    def learn_device(self) -> None:
        """Learn what really computes, behind the work that runs."""
        device = self.compute.submit(partial(work.device, self.studio))
        device.finished.connect(self._take_device)
        device.failed.connect(self._lack_device)

    def shutdown(self, timeout: float = 5.0) -> bool:
        """Stop all work; False when something did not stop in time."""
        self.light.cancel_all()
        self.compute.cancel_all()
        self.weights.cancel()
        stopped = [queue.shutdown(timeout) for queue in (self.light, self.weights, self.compute)]
        return all(stopped)

    # ---- photos

    @Slot(object)
    def _take_photo(self, opened: Opened) -> None:
        self._stop_work_now()
        self.history.begin(State(opened=opened))
        self.selected, self.looked = frozenset(), False
        super()._take_photo(opened)
        if not self.restoring_all.bring():
            self.find_faces()

    # ---- faces

    @property
    def faces(self) -> tuple[Face, ...]:
        """The photo's faces: those that were found, largest first, then those that were added by hand."""
        return self.history.state.faces

    @property
    def crops(self) -> tuple[QImage, ...]:
        """A crop of each face."""
        return self.history.state.crops

    @Slot()
    def find_faces(self) -> None:
        """Look for the faces of the photo; results made with the faces of before are forgotten."""
        if self.opened is None or self._doing in (RESTORING, RESTORING_ALL):
            return
        self._stop_work_now()
        self.carry_out(FINDING, partial(work.find_faces, self.studio, self.opened.photo), self.show_found)

    @Slot(object)
    def show_found(self, found: Found) -> None:
        """Show the faces that were `found` in the photo, if it is still the one that is open."""
        if self.opened is None or found.photo is not self.opened.photo:
            return
        self.history.begin(State(found.faces, found.crops, opened=self.opened))
        damage = found.photo.damage
        lacking = {n for n, face in enumerate(found.faces) if damage is not None and damage.share_in(face.box)}
        self.selected, self.looked = frozenset(range(len(found.faces))) - lacking, True
        self.faces_changed.emit()
        if lacking:
            which = "One face reaches" if len(lacking) == 1 else f"{len(lacking)} faces reach"
            words = f"{which} into the part of the photo that could not be read; not ticked."
            self.notified.emit(f"{found.photo.notes[0]} {words}", None)
        elif found.standing is not None:
            self.turning.consider(self.opened, found.standing.turn, found.standing.offer)
        self.result_changed.emit()

    @property
    def can_add(self) -> bool:
        """Whether a missed face can be added by hand now."""
        return self.opened is not None and not self._doing and not self.opening

    @Slot(object)
    def add_face(self, box: tuple[float, float, float, float]) -> None:
        """Add the face in a rough `box`, left, top, right and bottom in photo pixels; one step to undo."""
        if self.can_add and self.opened is not None:
            todo = partial(work.add_face, self.studio, self.opened.photo, box, self.faces)
            self.carry_out(ADDING, todo, self._take_added)

    @Slot(object)
    def _take_added(self, added: Added) -> None:
        if self.opened is None or added.photo is not self.opened.photo:
            return
        if added.known is not None:
            self.select(self.selected | {added.known})
            self.notified.emit(f"That is face {added.known + 1}, which is there already.", None)
            return
        self.change(self.history.state.with_face(added.face, added.crop))
        self.notified.emit(f"Face {len(self.faces)} was added.", None)

    @Slot(int)
    def remove_face(self, index: int) -> None:
        """Take a face away that was added by hand; one step to undo. Others are unticked instead."""
        if self.can_add and self.history.state.is_added(index):
            self.change(self.history.state.without_face(index))
            self.notified.emit(f"Face {index + 1} was removed.", None)

    def change(self, state: State, follow: bool = True) -> None:
        """Show another `state`; one step to undo. The panel is to `follow` the result in it."""
        self._move(partial(self.history.change, state), follow)

    def _move(self, move: Callable[[], None], follow: bool = True) -> None:
        """Show another state of the history; the panel is to `follow` it."""
        before = self.history.state
        move()
        after = self.history.state
        if follow:
            self.following.moved(before.step, after.step)
            self.marking.follow(before, after)
        if after.opened is not before.opened:
            self.opened = after.opened
            self.turned.emit()
        if after.faces is not before.faces:
            self.selected = after.ticks(before, self.selected)
            self.faces_changed.emit()
        self.result_changed.emit()

    def toggle_face(self, index: int) -> None:
        """Tick the face `index`, or untick it."""
        self.select(self.selected ^ {index})

    def select(self, faces: frozenset[int]) -> None:
        """Tick exactly `faces`."""
        chosen = frozenset(faces) & frozenset(range(len(self.faces)))
        if chosen != self.selected:
            self.selected = chosen
            self.selection_changed.emit()

    @Slot()
    def select_all(self) -> None:
        self.select(frozenset(range(len(self.faces))))

    @Slot()
    def select_none(self) -> None:
        self.select(frozenset())

    @Slot(object)
    def _take_device(self, name: str) -> None:
        self.device = name
        self.device_changed.emit()

    @Slot(Exception)
    def _lack_device(self, error: Exception) -> None:
        self.device = str(error)
        self.device_changed.emit()

    # ---- restoring

    @property
    def recipe(self) -> Recipe | None:
        """What the panel says is to be done, and how large; None while there is nothing to choose from."""
        recipe = super().recipe
        if recipe is None:
            return None
        mended, grain = self.mending.strength, self.graining.choice
        lies = 0 if self.opened is None else self.opened.photo.turn
        return replace(recipe, upscale=self.enlarging.times, scratches=mended, photo_grain=grain, turn=lies)

    def ask_for(self, recipe: Recipe) -> None:
        """Ask in the panel for what `recipe` says; for nothing of it where its weights are not here any more."""
        if not any(offer.checkpoint.id == recipe.checkpoint for offer in self.offers or ()):
            return
        self.choose(recipe.checkpoint)
        assert self.offer is not None
        options = {field.name: recipe.options.get(field.name, field.default) for field in self.offer.options}
        if options != self.options:
            self.options = options
            self.recipe_changed.emit()
        self.set_seed(recipe.seed)
        self.enlarging.choose(recipe.upscale)
        self.mending.choose(recipe.scratches)
        self.graining.choose(recipe.photo_grain)

    @property
    def obstacle(self) -> str:
        """Why nothing can be restored now, in a few words; "" when it can."""
        if self.opening:
            return f"Opening {self.opening}…"  # what is shown still goes, and its result would go with it
        if self.opened is None:
            return "Open a photo first."
        if self.busy:
            return self.busy
        if self.offer is None:
            return "There are no weights that restore a face."
        if self.mending.strength and not self.selected:
            return self.mending.obstacle or self.enlarging.obstacle  # scratches are mended without any face
        if not self.faces:
            unseen = "This photo has not been searched for faces yet."
            return "No face was found in this photo." if self.looked else unseen
        return self.reference.obstacle or self.enlarging.obstacle if self.selected else "Tick at least one face."

    @Slot()
    def restore(self) -> None:
        """Restore the ticked faces of the original by the recipe, mending its scratches first when that is chosen, also where no
        face is; a finished result is one step to undo."""
        recipe = self.recipe
        if self.obstacle or self.opened is None or recipe is None:
            return
        given = self.faces, recipe, self.selected, self.reference.used, self.history.current
        state = self.history.state
        todo = partial(
            work.restore,
            self.studio,
            self.opened,
            *given,
            added=state.added,
            strokes=state.strokes,
            mask=self.marking.mask,
        )
        self.carry_out(RESTORING, todo, self._take_result)

    @Slot(object)
    def _take_result(self, step: Step) -> None:
        if self.opened is None or step.photo is not self.opened.photo:
            return
        self.following.made(self.history.current)
        before = self.history.state
        self.history.add(step)
        if step.found:
            left = {id(face) for face, _ in step.found if (of := step.result_of(face)) and of.status == "skipped"}
            ticked = self.history.state.ticks(before, self.selected)
            self.selected = frozenset(n for n in ticked if id(self.faces[n]) not in left)
            self.faces_changed.emit()
        self.result_changed.emit()
        self.notified.emit(_told(step), None)

    @Slot()
    def _work_cancelled(self) -> None:
        if self._doing == RESTORING_ALL:
            self.restoring_all.stopped()
        else:
            super()._work_cancelled()

    @Slot()
    def undo(self) -> None:
        """Take the last result, the last face that was added, the last stroke or turn, back."""
        if self.history.can_undo and not self._doing:
            self._move(self.history.undo)
            self.moved.emit()

    @Slot()
    def redo(self) -> None:
        """Do again what was undone."""
        if self.history.can_redo and not self._doing:
            self._move(self.history.redo)
            self.moved.emit()

    @property
    def shown_image(self) -> QImage | None:
        """What is shown, the result or the photo, in full size; None without a photo."""
        step = self.history.current
        pyramid = step.pyramid if step else self.opened.pyramid if self.opened else None
        return pyramid.levels[0] if pyramid else None

    @property
    def judged(self) -> list[int]:
        """The faces of the shown result whose identity was measured."""
        step = self.history.current
        results = [step.result_of(face) if step else None for face in self.faces]
        return [index for index, result in enumerate(results) if result and result.summary]


def _told(step: Step) -> str:
    """What came of restoring, in sentences."""
    result, found = step.result, len(step.found)
    mended = () if result.mended is None else (result.mended.sentence,)
    if result.only_mended:
        return " ".join((*mended, result.only_mended))
    done = sum(face.status == "restored" for face in result.faces)
    failed = sum(face.status == "failed" for face in result.faces)
    words = f"Restored {done} {'face' if done == 1 else 'faces'} in {result.seconds:.1f} s"
    words = f"{words}; {failed} could not be restored" if failed else words
    if not mended:
        return words
    found_now = f"{found} {'face was' if found == 1 else 'faces were'} found only without the scratches."
    return " ".join((f"{words}.", *mended, *((found_now,) if found else ())))
