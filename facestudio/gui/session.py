"""What the window shows, and every decision about it: the open photo, its faces, which are ticked, results, recipe.

The GUI thread only. It starts jobs and takes what they bring; the work itself is in `work`, on worker threads. Widgets
call its methods and listen to its signals. It knows no widget and shows no dialog.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QSettings, Signal, Slot
from PySide6.QtGui import QImage

from facestudio.files import shown
from facestudio.gui import list_work, saving, work
from facestudio.gui.brought import Brought, Kept, bring
from facestudio.gui.enlarging import Enlarging
from facestudio.gui.following import Following
from facestudio.gui.found import Found
from facestudio.gui.graining import Graining
from facestudio.gui.history import History, State, Step
from facestudio.gui.jobs import JobQueue
from facestudio.gui.kept_metadata import KeptMetadata
from facestudio.gui.list_work import Restored
from facestudio.gui.marking import Marking
from facestudio.gui.mask_files import MaskFiles
from facestudio.gui.mask_folder import ListMasks
from facestudio.gui.mending import Mending
from facestudio.gui.opening import Opening
from facestudio.gui.reference import Reference
from facestudio.gui.turning import Turning
from facestudio.gui.weights import Weights
from facestudio.gui.work import Added, Opened
from facestudio.gui.workplace import FINDING
from facestudio.progress import Progress
from facestudio.recipe import Recipe

if TYPE_CHECKING:
    from facestudio.faces.face import Face
    from facestudio.photo import Photo
    from facestudio.studio import Studio

ADDING, RESTORING, RESTORING_ALL = "adding a face", "restoring", "restoring all"


class Session(Opening):
    """The state of the window. Signals are past participles; what they are about is read from the session."""

    faces_changed = Signal()
    selection_changed = Signal()
    result_changed = Signal()  # another step is shown: restored, undone or redone
    turned = Signal()  # `opened` lies another way; its faces and result are told next
    device_changed = Signal()
    moved = Signal()  # undone or redone
    saved = Signal(object)  # path
    all_restored = Signal(object)  # a list_work.Restored
    outcome_told = Signal(object, str)  # a path and what became of it; comes from a worker
    kept_told = Signal(object, object)  # a path and the Kept of its result; comes from a worker

    def __init__(self, studio: Studio, settings: QSettings, parent: QObject | None = None) -> None:
        super().__init__(studio, JobQueue("compute", 1), JobQueue("light", 2), settings, parent)
        self.compute.setParent(self)
        self.light.setParent(self)
        self.weights = Weights(studio, settings, self)
        self.weights.renewed.connect(self.look_again)
        self.weights.notified.connect(self.notified)
        self.outcome_told.connect(self.files.mark)
        self._kept: dict[Path, Kept] = {}  # results of Restore all, by the photos of the list
        self.kept_told.connect(self._keep)
        self.files.changed.connect(self._forget_kept)
        self.history = History()
        self.reference = Reference(self)
        self.kept_metadata = KeptMetadata(settings, self)
        self.enlarging = Enlarging(self)
        self.mending = Mending(self)
        self.marking = Marking(self)
        self.mask_files = MaskFiles(self)
        self.list_masks = ListMasks(self.files, self)
        self.graining = Graining(self.history, self)
        self.turning = Turning(self)
        self.following = Following(self)
        self.photo_changed.connect(self.following.forget)
        self.looked = False  # whether the search for faces has ended well
        self.selected: frozenset[int] = frozenset()
        self.device = ""
        self.saving = False
        self._metadata_now = self.kept_metadata.policy  # of what is being saved
        self._out: Path | None = None  # where all photos go
        self._metadata_in: dict[Path, str] = {}  # by which policy files were saved

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
        if not self._bring():
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

    def _bring(self) -> bool:
        """Show what Restore all made of the open photo, where nothing was done to it yet; whether there is any."""
        opened, untouched = self.opened, not (self.history.can_undo or self.history.can_redo)
        kept = self._kept.get(opened.source) if opened is not None and opened.source is not None else None
        if opened is None or kept is None or not untouched:
            return False
        self.carry_out(FINDING, partial(bring, self.studio, opened, kept), self._take_brought)
        return True

    @Slot(object)
    def _take_brought(self, brought: Brought) -> None:
        if self.opened is None or brought.found.photo is not self.opened.photo:
            return
        self._take_faces(brought.found)
        step, kept = brought.step, self._kept.get(self.opened.source) if self.opened.source is not None else None
        if step is not None and kept is not None:
            self.history.add(step)
            self.history.mark_saved(step, kept.output)
            self._metadata_in[kept.output] = kept.metadata
            self.result_changed.emit()
        elif brought.why:
            self.notified.emit(brought.why, None)

    @Slot(object, object)
    def _keep(self, path: Path, kept: Kept) -> None:
        self._kept[path] = kept

    @Slot()
    def _forget_kept(self) -> None:
        self._kept = {}

    @Slot()
    def find_faces(self) -> None:
        """Look for the faces of the photo; results made with the faces of before are forgotten."""
        if self.opened is None or self._doing in (RESTORING, RESTORING_ALL):
            return
        self._stop_work_now()
        self.carry_out(FINDING, partial(work.find_faces, self.studio, self.opened.photo), self._take_faces)

    @Slot(object)
    def _take_faces(self, found: Found) -> None:
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

    @property
    def obstacle_to_all(self) -> str:
        """Why the photos of the list cannot all be restored now, in a few words; "" when they can."""
        if len(self.files.paths) < 2:
            return "Open a folder first."
        if self.offer is None:
            return "There are no weights that restore a face."
        lone = "" if self.list_masks.folder is not None else self.mending.lone
        return self.busy or ("A reference works for one photo only; remove it first." if self.reference.used else lone)

    def restore_all(self, out: Path) -> None:
        """Restore every face of the photos of the list into the folder `out`; what was done there before is gone on with."""
        recipe = self.recipe
        if self.obstacle_to_all or recipe is None:
            return
        self._out = out
        recipe = replace(recipe, turn=0)  # that of the open photo is of no other
        given = self.files.given, out, recipe, self.outcome_told.emit
        todo = partial(
            list_work.restore_all,
            self.studio,
            *given,
            metadata=self.kept_metadata.policy,
            keep=self.kept_told.emit,
            masks=self.list_masks.folder,
        )
        self.carry_out(RESTORING_ALL, todo, self._take_all)

    @Slot(object)
    def _take_all(self, restored: Restored) -> None:
        self.notified.emit(restored.words, restored.out / "photos")
        self.all_restored.emit(restored)
        self._bring()

    @Slot()
    def _work_cancelled(self) -> None:
        if self._doing == RESTORING_ALL and self._out is not None:
            self._bring()
            words = (
                f"Stopped. What was finished is in {shown(self._out)}; restore all into the same folder again to "
                "continue."
            )
            self.notified.emit(words, self._out / "photos")
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

    # ---- saving

    @property
    def unsaved(self) -> bool:
        """Whether a result, or a turned photo, is shown that was not saved."""
        return self.history.unsaved

    @property
    def can_save(self) -> bool:
        return (self.history.current is not None or self.history.turn != 0) and not self.saving

    def save(self) -> None:
        """Save the shown result, or a photo that was only turned, beside the file. A pasted picture has none: use `save_as`."""
        if self.can_save and self.opened is not None and self.opened.source is not None:
            step, source = self.history.current, self.opened.source
            known, metadata = self.history.saved_as, self.kept_metadata.policy
            if known is not None and self._metadata_in.get(known) != metadata:
                known = None
            if step is None:
                self._save_turned(None, False, known)
                return
            self._save(lambda progress: saving.save_once(step, source, known, metadata))

    def save_as(self, target: Path, overwrite: bool = True) -> None:
        """Save the shown result as `target`, which may be replaced with `overwrite`."""
        if self.can_save and self.opened is not None:
            step, source = self.history.current, self.opened.source
            if step is None:
                self._save_turned(target, overwrite)
                return
            metadata = self.kept_metadata.policy

            def job(progress: Progress) -> tuple[Step, Path, str]:
                return saving.told(step, saving.save_as(step, target, source, overwrite, metadata), metadata)

            self._save(job)

    def _save_turned(self, target: Path | None, overwrite: bool, known: Path | None = None) -> None:
        """Save the photo, which was only turned, as `target`, None: beside it, unless it is there already, as `known`."""
        assert self.opened is not None
        photo = self.opened.photo
        given = photo, self.opened.source, target, overwrite, self.kept_metadata.policy

        def job(progress: Progress) -> tuple[Photo, Path, str]:
            there = known is not None and known.exists()
            return (photo, known, saving.already(known)) if known is not None and there else saving.save_turned(*given)

        self._save(job)

    def _save(self, job: Callable[[Progress], object]) -> None:
        self.saving, self._metadata_now = True, self.kept_metadata.policy
        submitted = self._submit(self.light, job, self._take_saved)
        submitted.failed.connect(self._saving_failed)
        self.work_changed.emit()

    @Slot(object)
    def _take_saved(self, saved: tuple[Step | Photo, Path, str]) -> None:
        made, path, words = saved
        self.saving = False
        self._metadata_in[path] = self._metadata_now
        if isinstance(made, Step):
            self.history.mark_saved(made, path)
        else:
            self.history.mark_turn_saved(made, path)
        self.work_changed.emit()
        if isinstance(made, Step) and self.opened is not None and made.photo is self.opened.photo:
            if self.opened.source is not None:
                self.files.mark(self.opened.source, "saved")
        self.notified.emit(words, path)
        self.saved.emit(path)

    @Slot(Exception)
    def _saving_failed(self, error: Exception) -> None:
        self.saving = False
        self.work_changed.emit()
        self.failed.emit(error)


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
