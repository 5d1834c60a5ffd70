"""What is shown saved as a file: a result, or a photo that was only turned, beside the photo or where somebody says.

Separate from the session, which makes what is saved. Where a file goes and what is said of it are for `saving`, on the light
queue. The GUI thread only. It knows no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal, Slot

from facestudio.gui import saving
from facestudio.gui.history import Step
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.gui.session import Session
    from facestudio.photo import Photo


class ResultFiles(QObject):
    """Saves what `session` shows. `saving`: whether a file is being written."""

    saved = Signal(object)  # path

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._session = session
        self.saving = False
        self._metadata_now = session.kept_metadata.policy  # of what is being saved
        self._metadata_in: dict[Path, str] = {}  # by which policy files were saved

    @property
    def can_save(self) -> bool:
        """Whether there is anything to save, and nothing is being saved."""
        history = self._session.history
        return (history.current is not None or history.turn != 0) and not self.saving

    def save(self) -> None:
        """Save the shown result, or a photo that was only turned, beside the file. A pasted picture has none: use `save_as`."""
        session = self._session
        if not self.can_save or session.opened is None or session.opened.source is None:
            return
        step, source = session.history.current, session.opened.source
        known, metadata = session.history.saved_as, session.kept_metadata.policy
        if known is not None and self._metadata_in.get(known) != metadata:
            known = None
        if step is None:
            self._save_turned(None, False, known)
            return

        def job(progress: Progress) -> tuple[Step, Path, str]:
            return saving.save_once(step, source, known, metadata)

        self._save(job)

    def save_as(self, target: Path, overwrite: bool = True) -> None:
        """Save the shown result as `target`, which may be replaced with `overwrite`."""
        session = self._session
        if not self.can_save or session.opened is None:
            return
        step, source, metadata = session.history.current, session.opened.source, session.kept_metadata.policy
        if step is None:
            self._save_turned(target, overwrite)
            return

        def job(progress: Progress) -> tuple[Step, Path, str]:
            return saving.told(step, saving.save_as(step, target, source, overwrite, metadata), metadata)

        self._save(job)

    def was_saved(self, step: Step, path: Path, metadata: str) -> None:
        """The result `step` is there already, as `path`, with what the policy `metadata` keeps."""
        self._session.history.mark_saved(step, path)
        self._metadata_in[path] = metadata

    def _save_turned(self, target: Path | None, overwrite: bool, known: Path | None = None) -> None:
        """Save the photo, which was only turned, as `target`, None: beside it, unless it is there already, as `known`."""
        session = self._session
        assert session.opened is not None
        photo = session.opened.photo
        given = photo, session.opened.source, target, overwrite, session.kept_metadata.policy

        def job(progress: Progress) -> tuple[Photo, Path, str]:
            there = known is not None and known.exists()
            return (photo, known, saving.already(known)) if known is not None and there else saving.save_turned(*given)

        self._save(job)

    def _save(self, job: Callable[[Progress], object]) -> None:
        self.saving, self._metadata_now = True, self._session.kept_metadata.policy
        submitted = self._session.light.submit(job)
        submitted.finished.connect(self._take_saved)
        submitted.failed.connect(self._failed)
        self._session.work_changed.emit()

    @Slot(object)
    def _take_saved(self, saved: tuple[Step | Photo, Path, str]) -> None:
        session, (made, path, words) = self._session, saved
        self.saving = False
        if isinstance(made, Step):
            self.was_saved(made, path, self._metadata_now)
        else:
            session.history.mark_turn_saved(made, path)
            self._metadata_in[path] = self._metadata_now
        session.work_changed.emit()
        if isinstance(made, Step) and session.opened is not None and made.photo is session.opened.photo:
            if session.opened.source is not None:
                session.files.mark(session.opened.source, "saved")
        session.notified.emit(words, path)
        self.saved.emit(path)

    @Slot(Exception)
    def _failed(self, error: Exception) -> None:
        self.saving = False
        self._session.work_changed.emit()
        self._session.failed.emit(error)
