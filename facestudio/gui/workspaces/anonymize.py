"""The Anonymize workspace: the table of photos, or one of them with what a person can decide on it; right how they are done.

Only lays out, connects, and asks; `Anonymizing` and `Review` decide.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from PySide6.QtCore import QMimeData, QStandardPaths, Qt, Slot
from PySide6.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QMessageBox,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from facestudio.gui.actions import Actions
from facestudio.gui.anonymize_rows import DOUBTS, FAILED, REVIEW, Row
from facestudio.gui.anonymize_thumbnails import Thumbnails
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.reviewing import Review
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.anonymize_panel import AnonymizePanel
from facestudio.gui.widgets.drop_zone import paths_in
from facestudio.gui.widgets.empty_job import EmptyJob
from facestudio.gui.widgets.photo_dialog import READ
from facestudio.gui.widgets.photo_table import PhotoTable
from facestudio.gui.widgets.question import ask, nothing
from facestudio.gui.widgets.review_page import ReviewPage
from facestudio.gui.widgets.status_filter import StatusFilter
from facestudio.gui.widgets.toast import Toast
from facestudio.gui.widgets.work_panel import SIDE
from facestudio.gui.workplace import counted

EMPTY, TABLE, PHOTO = range(3)
Role = QMessageBox.ButtonRole


class AnonymizeWorkspace(QSplitter):
    """Everything for anonymizing."""

    def __init__(
        self, anonymizing: Anonymizing, theme: Theme, commands: Actions, parent: QWidget | None = None
    ) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("anonymizeWorkspace")
        self.setHandleWidth(1)
        self.run, self._commands = anonymizing, commands
        self.review = Review(anonymizing)
        self.empty = EmptyJob(anonymizing, theme)
        self.filter = StatusFilter(anonymizing)
        self.table = PhotoTable(anonymizing, Thumbnails(anonymizing), theme)
        self.page = ReviewPage(self.review, theme)
        self.panel = AnonymizePanel(anonymizing, theme)
        self.export = QPushButton("Export the report…")
        self.export.setToolTip("Save the report on all photos as a web page, a table and a JSONL file (Ctrl+S)")
        self.about = QLabel()
        self.about.setObjectName("galleryAbout")
        self.about.setTextFormat(Qt.TextFormat.PlainText)
        self.look = QPushButton("Review")
        self.centre = QStackedWidget()
        for page in (self.empty, self._make_overview(), self.page):
            self.centre.addWidget(page)
        self.toast = Toast(self.centre, self.foot, *self.page.findChildren(QWidget, "faceStrip"))
        for widget in (self.centre, self.panel):
            self.addWidget(widget)
        for index, stretch in enumerate((1, 0)):
            self.setStretchFactor(index, stretch)
            self.setCollapsible(index, False)
        self.setSizes([1110, widened(SIDE)])
        self._connect()
        self.refresh()

    def _make_overview(self) -> QWidget:
        overview, head, self.foot = QWidget(), QWidget(), QWidget()
        foot = self.foot
        for bar, name in ((head, "galleryHead"), (foot, "galleryFoot")):
            bar.setObjectName(name)
            bar.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        top, bottom = QHBoxLayout(head), QHBoxLayout(foot)
        for row in (top, bottom):
            row.setContentsMargins(12, 7, 12, 7)
        top.addWidget(self.filter, 1)
        top.addWidget(self.export)
        bottom.addWidget(self.about, 1)
        bottom.addWidget(self.look)
        column = QVBoxLayout(overview)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        for part, stretch in ((head, 0), (self.table, 1), (foot, 0)):
            column.addWidget(part, stretch)
        return overview

    def _connect(self) -> None:
        run, page = self.run, self.page
        triggered: dict[str, Callable[[], object]] = {
            "open_photos": self.choose_photos,
            "open_album": self.choose_folder,
            "output": self.choose_output,
            "export_report": self.choose_export,
            "anonymize": run.anonymize,
            "pause": run.pause_or_go_on,
            "stop_anonymizing": self.stop_or_go_back,
            "review": self.look_at_current,
            "next_waiting": self.go_to_waiting,
            "photo_before": partial(page.go, -1),
            "photo_after": partial(page.go, 1),
            "try_again": page.try_again,
            "obscure": page.obscure,
            "leave_as_is": page.leave,
            "no_face": page.deny,
            "add_by_hand": page.draw_box,
            "undo_review": self.review.undo,
            "redo_review": self.review.redo,
            "seed_anonymizing": run.shuffle_seed,
            "reset_anonymizing": self.panel.options.reset,
            "fit_review": page.viewer.fit,
            "actual_review": page.viewer.actual_size,
            "zoom_in_review": page.viewer.zoom_in,
            "zoom_out_review": page.viewer.zoom_out,
        }
        for name, slot in triggered.items():
            self._commands[name].triggered.connect(slot)
        for side in (self.empty, self.panel):
            side.open_asked.connect(self.choose_photos)
            side.folder_asked.connect(self.choose_folder)
        self.panel.output_asked.connect(self.choose_output)
        self.panel.people.key_asked.connect(self.choose_key)
        self.panel.files.names_asked.connect(self.choose_names)
        self.filter.chosen.connect(self.table.show_status)
        self.export.clicked.connect(self.choose_export)
        self.table.asked.connect(self.look_at)
        self.table.current_changed.connect(self.refresh)
        self.look.clicked.connect(self.look_at_waiting)
        page.asked.connect(self.look_at)
        page.back_asked.connect(self.show_table)
        run.notified.connect(self.toast.tell)
        page.viewer.drawing.begun.connect(self.toast.hide)  # what to do with a box stands there
        run.doubts_found.connect(self._ask_about_results)
        run.rows_changed.connect(self._show_rows)
        run.progressed.connect(self._show_progress)
        for changed in (
            run.given_changed,
            run.rows_changed,
            run.row_changed,
            run.work_changed,
            run.recipe_changed,
            run.offers_changed,
            self.review.photo_changed,
            self.review.selection_changed,
            self.review.work_changed,
        ):
            changed.connect(self.refresh)

    # ---- what is shown

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now, and how far the run is."""
        run, review = self.run, self.review
        photo = self.centre.currentIndex() == PHOTO
        current = self.table.current
        row = run.rows[current] if current is not None and current < len(run.rows) else None
        waiting = run.counts.get(REVIEW, 0)
        free = photo and not review.obstacle and bool(self.page.cards)
        chosen = self.page.chosen if free else None
        self._commands.enable(
            {
                "open_photos": not run.running,
                "open_album": not run.running,
                "output": bool(run.given) and not run.running,
                "export_report": run.reported,
                "anonymize": run.ready,
                "pause": bool(run.doing) and not run.stopping,
                "stop_anonymizing": photo or (bool(run.doing) and not run.stopping),
                "review": not photo and row is not None and row.reviewable,
                "next_waiting": review.next_waiting is not None if photo else bool(waiting),
                "photo_before": photo and review.neighbour(-1) is not None,
                "photo_after": photo and review.neighbour(1) is not None,
                "try_again": free,
                "obscure": chosen is not None and chosen.hide_it.isEnabled(),
                "leave_as_is": chosen is not None and chosen.leave.isEnabled(),
                "no_face": chosen is not None and chosen.deny.isEnabled(),
                "add_by_hand": photo and review.can_add,
                "undo_review": photo and review.can_undo,
                "redo_review": photo and review.can_redo,
                "reset_anonymizing": bool(run.offer and run.offer.options) and not run.running,
                "seed_anonymizing": not run.running,
                **dict.fromkeys(("fit_review", "actual_review", "zoom_in_review", "zoom_out_review"), photo),
            }
        )
        self.export.setEnabled(run.reported)
        self.look.setText(f"Review {counted(waiting, 'photo')}" if waiting else "Look at the photo")
        self.look.setEnabled(bool(waiting) or bool(row and row.reviewable))
        self.look.setToolTip(
            "Go through those that need it, one after the other (Ctrl+J)"
            if waiting
            else "Before and after side by side (Ctrl+E, or Enter)"
        )
        self.about.setText(self._about())
        self.about.setToolTip(str(run.output or ""))

    @Slot()
    def _show_progress(self) -> None:
        self.about.setText(self._about())

    def _about(self) -> str:
        run = self.run
        if run.waits:
            return run.waits
        if run.running:
            return ("Paused.  " if run.paused else "") + (run.tally or "Starting…")
        if run.listing:
            return "Looking through the photos…"
        todo, failed, every = run.to_do, run.counts.get(FAILED, 0), run.photos
        words = f"{counted(every, 'photo')}, {todo} to do" if todo else f"{counted(every, 'photo')}, none to do"
        return f"{words}, {failed} failed." if failed else f"{words}."

    @Slot()
    def _show_rows(self) -> None:
        if not self.run.rows:
            self._show_page(EMPTY)
        elif self.centre.currentIndex() == EMPTY or self.review.row is None:
            self._show_page(TABLE)

    def _show_page(self, page: int) -> None:
        inside = self.focusWidget()
        focused = inside is not None and self.centre.isAncestorOf(inside)
        self.centre.setCurrentIndex(page)
        if focused or page == PHOTO:
            (self.empty.folder, self.table, self.page.viewer)[page].setFocus()
        self.refresh()

    @Slot(int)
    def look_at(self, place: int) -> None:
        """Look at the photo of row `place`, if something is known of it."""
        row = self.run.rows[place]
        if not row.reviewable:
            self.toast.tell(row.reason or "There is nothing to look at until it is done.")
            return
        self.table.choose(place)
        self.review.open(place)
        self._show_page(PHOTO)

    @Slot()
    def look_at_current(self) -> None:
        """Look at the current photo of the table."""
        if self.table.current is not None:
            self.look_at(self.table.current)

    @Slot()
    def look_at_waiting(self) -> None:
        """Look at the first photo that needs review; at the current one when none does."""
        if self.run.counts.get(REVIEW, 0):
            self.go_to_waiting()
        else:
            self.look_at_current()

    @Slot()
    def go_to_waiting(self) -> None:
        """Look at the next photo that needs review."""
        place = self.review.next_waiting
        if place is not None:
            self.look_at(place)

    @Slot()
    def show_table(self) -> None:
        """Leave the photo for the table."""
        self.page.viewer.draw_box(False)
        self.review.close()
        self._show_page(TABLE if self.run.rows else EMPTY)

    @Slot()
    def stop_or_go_back(self) -> None:
        """Leave the photo; from the table, stop the work."""
        if self.page.viewer.drawing.active:
            self.page.viewer.draw_box(False)
        elif self.centre.currentIndex() == PHOTO:
            self.show_table()
        else:
            self.run.stop()

    # ---- what is asked for

    def take(self, data: QMimeData | None) -> bool:
        """Take the photos and folders that `data` names; False when it names none."""
        paths = paths_in(data) if data is not None else []
        if not paths:
            return False
        self.open_paths(paths)
        return True

    def open_paths(self, paths: list[Path]) -> None:
        """Let these photos and folders be the ones to do."""
        if self.run.running:
            self.toast.tell("Wait until the run is done, or stop it first.")
            return
        self.review.close()
        self.run.open_paths(paths)

    @Slot()
    def choose_photos(self) -> None:
        """Ask which photos to anonymize."""
        names, _ = QFileDialog.getOpenFileNames(self.window(), "Photos to anonymize", self._folder(), READ)
        if names:
            self.open_paths([Path(name) for name in names])

    @Slot()
    def choose_folder(self) -> None:
        """Ask which folder of photos to anonymize."""
        name = QFileDialog.getExistingDirectory(self.window(), "A folder of photos to anonymize", self._folder())
        if name:
            self.open_paths([Path(name)])

    @Slot()
    def choose_output(self) -> None:
        """Ask for the folder that results go into."""
        if self.run.given and not self.run.running:
            start = str(self.run.output.parent) if self.run.output else self._folder()
            name = QFileDialog.getExistingDirectory(self.window(), "A folder for the results", start)
            if name:
                self.run.choose_output(Path(name))

    @Slot()
    def choose_key(self) -> None:
        """Ask for a key file: one that is there, or a new one."""
        key = self.run.choices.key
        start = key or self._apart("face-studio.key")
        path = self._file("A key file, or a place for a new one", start, "All files (*)")
        if path is not None:
            self.run.choices.choose_key(path)

    @Slot()
    def choose_names(self) -> None:
        """Ask for the file that says which number is which photo."""
        start = self.run.choices.names or self._apart("names.csv")
        path = self._file("Which number is which photo is kept in", start, "Tables (*.csv)")
        if path is not None:
            self.run.choices.choose_names(path if path.suffix else path.with_suffix(".csv"))

    def _file(self, title: str, start: Path, kinds: str) -> Path | None:
        """A file that may be there already, and is then gone on with."""
        if self.run.running:
            return None
        keep = QFileDialog.Option.DontConfirmOverwrite
        name, _ = QFileDialog.getSaveFileName(self.window(), title, str(start), kinds, "", keep)
        return Path(name) if name else None

    def _apart(self, name: str) -> Path:
        """A place for a file that must not lie with the results."""
        return Path(QStandardPaths.writableLocation(QStandardPaths.StandardLocation.DocumentsLocation), name)

    @Slot()
    def choose_export(self) -> None:
        """Ask where the report is saved."""
        report = self.run.report
        if report is None or not self.run.reported:
            return
        start = str(report.with_name(report.name.replace("-report", "-report-copy")))
        name, _ = QFileDialog.getSaveFileName(self.window(), "Save the report", start, "Reports (*.jsonl)")
        if name:
            path = Path(name)
            self.run.export(path if path.suffix == ".jsonl" else path.with_name(f"{path.name}.jsonl"))

    def _folder(self) -> str:
        return str(self.run.given[0].parent) if self.run.given else ""

    @Slot(object)
    def _ask_about_results(self, rows: list[Row]) -> None:
        which = "\n".join(f"{sum(row.doubt == doubt for row in rows)}: {DOUBTS[doubt]}" for doubt in _kinds(rows))
        one = len(rows) == 1
        before = self.run.made_before
        words = "Continue with its settings" if one else "Continue with their settings"
        same = {} if before is None else {words: (Role.ActionRole, partial(self.run.go_on_as, before, True))}
        ask(
            self.window(),
            "A result is there already" if one else f"{len(rows)} results are there already",
            which,
            {
                "Keep what is there": (Role.AcceptRole, partial(self.run.run, False)),
                **same,
                "Make again": (Role.DestructiveRole, partial(self.run.run, True)),
                "Cancel": (Role.RejectRole, nothing),
            },
        )


def _kinds(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(row.doubt for row in rows))
