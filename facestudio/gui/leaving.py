"""The questions before something is lost: another photo is opened, or the window closed, over what is not saved.

Separate from the window because it is one rule with many branches. What it asks about is the workspaces'; how a question
looks is in `question`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QMessageBox

from facestudio.gui.restoring_all import RESTORING_ALL
from facestudio.gui.reviewing import BACK, REVIEWING
from facestudio.gui.session import RESTORING
from facestudio.gui.widgets.question import Answers, ask

if TYPE_CHECKING:
    from facestudio.gui.main_window import MainWindow

Role = QMessageBox.ButtonRole
WORK, RUN, DECISION, RESULT, PICTURES, DATASET = "work", "run", "decision", "result", "pictures", "dataset"


class Leaving(QObject):
    """Asks over `window`. With `certain` nothing is asked when it closes."""

    def __init__(self, window: MainWindow) -> None:
        super().__init__(window)
        self._window, self._session, self._making = window, window.session, window.making
        self.certain = False
        self._given_up: set[str] = set()  # what the user agreed to lose, since the last "Cancel"
        self._after_saving: Callable[[], object] | None = None
        for saved in (self._session.results.saved, self._making.saved):
            saved.connect(self._saved)
        for workplace in (self._session, self._making):
            workplace.failed.connect(self.forget)
        self._making.plan_made.connect(self.forget)  # another question comes first

    def leave_photo(self, then: Callable[[], object]) -> None:
        """Do `then`, which shows another photo, unless the user wants to keep what would be lost."""
        if self._session.results.saving:
            self._after_saving = partial(self.leave_photo, then)
        elif self._session.doing in (RESTORING, RESTORING_ALL):
            self._ask_about_work("Stop and open", then)
        elif self._session.history.unsaved:
            self._ask_about_result(then)
        else:
            then()

    def may_close(self) -> bool:
        """Whether the window can close now; if not, it is asked, or waited for, and then closed."""
        session, making = self._session, self._making
        if self.certain:
            return True
        if session.results.saving or making.saving:
            self._after_saving = self._window.close  # a file that is being written is finished first
        elif session.doing in (RESTORING, RESTORING_ALL) and WORK not in self._given_up:
            self._ask_about_work("Stop and close", partial(self._give_up, WORK))
        elif self._window.anonymizing.running and RUN not in self._given_up:
            self._window.workspaces.show_anonymize()
            self._ask_about_run()
        elif self._window.anonymizing.doing in (REVIEWING, BACK) and DECISION not in self._given_up:
            self._window.workspaces.show_anonymize()
            self._ask_about_decision()
        elif self._window.populating.running and DATASET not in self._given_up:
            self._window.workspaces.show_generate()
            self._ask_about_dataset()
        elif session.history.unsaved and RESULT not in self._given_up:
            self._ask_about_result(partial(self._give_up, RESULT))
        elif making.unsaved and PICTURES not in self._given_up:
            self._window.workspaces.show_generate()
            self._ask_about_pictures()
        else:
            return True
        return False

    @Slot()
    def forget(self) -> None:
        """What was to follow the saving does not."""
        self._after_saving = None

    @Slot()
    def _saved(self) -> None:
        then, self._after_saving = self._after_saving, None
        if then is not None:
            then()

    def _give_up(self, what: str) -> None:
        self._given_up.add(what)
        self._window.close()

    def _stay(self) -> None:
        self._given_up.clear()

    def _ask_about_work(self, stop: str, then: Callable[[], object]) -> None:
        answers: Answers = {
            stop: (Role.DestructiveRole, partial(self._stop_and, then)),
            "Keep running": (Role.RejectRole, self._stay),
        }
        many = self._session.doing == RESTORING_ALL
        kept = "What is done is kept. Restore all into the same folder to continue, today or another day."
        words = kept if many else "If you stop it, nothing of it is kept."
        title = "Photos are still being restored" if many else "The restoration is still running"
        ask(self._window, title, words, answers)

    def _ask_about_run(self) -> None:
        answers: Answers = {
            "Stop and close": (Role.DestructiveRole, partial(self._give_up, RUN)),
            "Keep running": (Role.RejectRole, self._stay),
        }
        words = "What is done is kept. Open the same photos again to continue, today or another day."
        ask(self._window, "Photos are still being anonymized", words, answers)

    def _ask_about_decision(self) -> None:
        answers: Answers = {
            "Stop and close": (Role.DestructiveRole, partial(self._give_up, DECISION)),
            "Keep running": (Role.RejectRole, self._stay),
        }
        words = "If you stop it, the photo stays as it was and your decision is not recorded."
        ask(self._window, "A photo is still being processed again", words, answers)

    def _ask_about_dataset(self) -> None:
        answers: Answers = {
            "Stop and close": (Role.DestructiveRole, partial(self._give_up, DATASET)),
            "Keep running": (Role.RejectRole, self._stay),
        }
        words = "Complete people are kept. Make a dataset in the same folder to continue, today or another day."
        ask(self._window, "A dataset is still being made", words, answers)

    def _ask_about_result(self, then: Callable[[], object]) -> None:
        answers: Answers = {
            "Save": (Role.AcceptRole, partial(self._save_and, then)),
            "Don't save": (Role.DestructiveRole, then),
            "Cancel": (Role.RejectRole, self._stay),
        }
        opened = self._session.opened
        where = f"beside {opened.name}" if opened is not None and opened.source is not None else "in a file"
        what = "turned photo" if self._session.history.current is None else "result"
        ask(self._window, f"The {what} is not saved", f"Save it {where}?", answers)

    def _ask_about_pictures(self) -> None:
        answers: Answers = {
            "Save all…": (Role.AcceptRole, self._save_all_and_close),
            "Don't save": (Role.DestructiveRole, partial(self._give_up, PICTURES)),
            "Cancel": (Role.RejectRole, self._stay),
        }
        words = "Save them in a folder before the window closes?"
        ask(self._window, "The generated pictures are not saved", words, answers)

    def _stop_and(self, then: Callable[[], object]) -> None:
        self._session.stop()
        then()

    def _save_and(self, then: Callable[[], object]) -> None:
        self._after_saving = then
        self._window.save()

    def _save_all_and_close(self) -> None:
        self._window.generate.save_all()
        self._after_saving = self._window.close if self._making.saving else None
