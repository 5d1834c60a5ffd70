"""The marks on the open photo as a file: saved, to be corrected or used on the command line, and loaded in their place.

A mask that is loaded is a state of the history, so that it is undone as anything else. Separate from `marking`, which knows no
files. The GUI thread only; reading and writing are jobs on the compute queue, as finding marks is. It knows no widget.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot

from facestudio.gui import mask_work
from facestudio.scratch_masks import mask_beside

if TYPE_CHECKING:
    from facestudio.gui.mask_work import LoadedMask
    from facestudio.gui.session import Session
    from facestudio.gui.work import Opened

LOADING, SAVING = "loading a scratch mask", "saving the scratch mask"


class MaskFiles(QObject):
    """Saves and loads masks for the photo of `session`. `folder`: of the last one, None before there was any."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.folder: Path | None = None

    @property
    def can_load(self) -> bool:
        """Whether a mask can be loaded now."""
        return self._session.can_add

    @property
    def can_save(self) -> bool:
        """Whether there are marks that can be saved now."""
        return self._session.can_add and self._session.marking.wanted

    def suggested(self, folder: Path) -> Path:
        """What the mask of the open photo may be called: as a folder of masks has it, where the last one was, or in `folder`."""
        opened = self._session.opened
        source = None if opened is None else opened.source
        if source is None:
            return mask_beside((self.folder or folder) / "Pasted picture.png")
        return mask_beside((self.folder or source.parent) / source.name)

    def load(self, path: Path) -> None:
        """Mend by the mask in the file `path`, instead of what was found and painted; one step to undo."""
        session = self._session
        if self.can_load and session.opened is not None:
            given = session.studio, session.opened, path, session.mending.strength
            self.folder = path.parent
            session.carry_out(LOADING, partial(mask_work.load, *given), self._take_loaded)

    @Slot(object)
    def _take_loaded(self, loaded: tuple[Opened, LoadedMask]) -> None:
        session, (opened, mask) = self._session, loaded
        if session.opened is not opened:
            return
        session.change(session.history.state.with_mask(mask))
        session.marking.show(True)
        session.notified.emit(f"The scratches that {mask.name} marks will be mended; Undo takes it away again.", None)

    def save(self, target: Path, overwrite: bool = True) -> None:
        """Write what is marked as damage as the file `target`, which may be replaced with `overwrite`."""
        session = self._session
        if not self.can_save or session.opened is None:
            return
        originals = [*session.files.paths, *([session.opened.source] if session.opened.source is not None else ())]
        given = session.opened.photo, session.mending.strength, session.faces, session.marking.by_hand
        self.folder = target.parent
        todo = partial(mask_work.save, session.studio, *given, target, overwrite, originals)
        session.carry_out(SAVING, todo, self._take_saved)

    @Slot(object)
    def _take_saved(self, saved: tuple[Path, str]) -> None:
        path, words = saved
        self._session.notified.emit(words, path)
