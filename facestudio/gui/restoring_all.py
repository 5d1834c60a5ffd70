"""All photos of the list restored into a folder, and each result shown when its photo is opened afterwards.

Separate from the session, which holds one photo. The work itself is in `list_work` and `brought`. The GUI thread only. It knows
no widget.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.files import shown
from facestudio.gui import list_work
from facestudio.gui.brought import Brought, Kept, bring
from facestudio.gui.mask_folder import ListMasks
from facestudio.gui.workplace import FINDING

if TYPE_CHECKING:
    from facestudio.gui.list_work import Restored
    from facestudio.gui.session import Session

RESTORING_ALL = "restoring all"


class RestoringAll(QObject):
    """Restores the list of `session`. `masks`: the folder of scratch masks for its photos."""

    done = Signal(object)  # a list_work.Restored
    _outcome_told = Signal(object, str)  # a path and what became of it; comes from a worker
    _kept_told = Signal(object, object)  # a path and the Kept of its result; comes from a worker

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.masks = ListMasks(session.files, self)
        self._out: Path | None = None  # where all photos go
        self._kept: dict[Path, Kept] = {}  # results, by the photos of the list
        self._outcome_told.connect(session.files.mark)
        self._kept_told.connect(self._keep)
        session.files.changed.connect(self._forget_kept)

    @property
    def obstacle(self) -> str:
        """Why the photos of the list cannot all be restored now, in a few words; "" when they can."""
        session = self._session
        if len(session.files.paths) < 2:
            return "Open a folder first."
        if session.offer is None:
            return "There are no weights that restore a face."
        lone = "" if self.masks.folder is not None else session.mending.lone
        return session.busy or (
            "A reference works for one photo only; remove it first." if session.reference.used else lone
        )

    def restore(self, out: Path) -> None:
        """Restore every face of the photos of the list into the folder `out`; what was done there before is gone on with."""
        session, recipe = self._session, self._session.recipe
        if self.obstacle or recipe is None:
            return
        self._out = out
        recipe = replace(recipe, turn=0)  # that of the open photo is of no other
        todo = partial(
            list_work.restore_all,
            session.studio,
            session.files.given,
            out,
            recipe,
            self._outcome_told.emit,
            metadata=session.kept_metadata.policy,
            keep=self._kept_told.emit,
            masks=self.masks.folder,
        )
        session.carry_out(RESTORING_ALL, todo, self._take_all)

    @Slot(object)
    def _take_all(self, restored: Restored) -> None:
        self._session.notified.emit(restored.words, restored.out / "photos")
        self.done.emit(restored)
        self.bring()

    def stopped(self) -> None:
        """It was stopped: what is finished stays."""
        assert self._out is not None
        self.bring()
        words = (
            f"Stopped. What was finished is in {shown(self._out)}; restore all into the same folder again to continue."
        )
        self._session.notified.emit(words, self._out / "photos")

    # ---- results shown again

    @Slot(object, object)
    def _keep(self, path: Path, kept: Kept) -> None:
        self._kept[path] = kept

    @Slot()
    def _forget_kept(self) -> None:
        self._kept = {}

    def _kept_of_open(self) -> Kept | None:
        opened = self._session.opened
        return self._kept.get(opened.source) if opened is not None and opened.source is not None else None

    def bring(self) -> bool:
        """Show what was made of the open photo, where nothing was done to it yet; whether there is any."""
        session, kept = self._session, self._kept_of_open()
        untouched = not (session.history.can_undo or session.history.can_redo)
        if session.opened is None or kept is None or not untouched:
            return False
        session.carry_out(FINDING, partial(bring, session.studio, session.opened, kept), self._take_brought)
        return True

    @Slot(object)
    def _take_brought(self, brought: Brought) -> None:
        session = self._session
        if session.opened is None or brought.found.photo is not session.opened.photo:
            return
        session.show_found(brought.found)
        step, kept = brought.step, self._kept_of_open()
        if step is not None and kept is not None:
            session.history.add(step)
            session.results.was_saved(step, kept.output, kept.metadata)
            session.result_changed.emit()
        elif brought.why:
            session.notified.emit(brought.why, None)
