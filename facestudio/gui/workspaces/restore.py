"""The Restore workspace: files left, the picture and its faces in the middle, method and options right.

Only lays out and connects; the session decides.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QSplitter, QStackedWidget, QVBoxLayout, QWidget

from facestudio.faces.components import Explanation
from facestudio.gui.session import Session
from facestudio.gui.text_size import widened
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.brush import Brush
from facestudio.gui.widgets.drop_zone import DropZone
from facestudio.gui.widgets.explanation import ExplanationDialog
from facestudio.gui.widgets.face_strip import FaceStrip
from facestudio.gui.widgets.files_list import FilesList
from facestudio.gui.widgets.mark_layer import MarkLayer
from facestudio.gui.widgets.opening_cover import OpeningCover
from facestudio.gui.widgets.photo_dialog import ask_for_photo
from facestudio.gui.widgets.restore_panel import RestorePanel
from facestudio.gui.widgets.toast import Toast
from facestudio.gui.widgets.viewer import Viewer
from facestudio.gui.widgets.work_panel import SIDE


class RestoreWorkspace(QSplitter):
    """Everything for restoring. `files_wanted` and `panel_wanted` are what the user wants to see of the sides."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(Qt.Orientation.Horizontal, parent)
        self.setObjectName("restoreWorkspace")
        self.setHandleWidth(1)
        self._session = session
        self.files_wanted = True
        self._folder = ""  # of the last reference
        self.files = FilesList(session, theme)
        self.viewer = Viewer(session, theme)
        self.mark_layer = MarkLayer(self.viewer, session.marking, theme)
        self.brush = Brush(self.viewer, session.marking)
        self.strip = FaceStrip(session, theme)
        self.drop_zone = DropZone(session, theme)
        self.panel = RestorePanel(session, theme)
        photo = QWidget()
        column = QVBoxLayout(photo)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self.viewer, 1)
        column.addWidget(self.strip)
        self.centre = QStackedWidget()
        self.centre.addWidget(self.drop_zone)
        self.centre.addWidget(photo)
        self.cover = OpeningCover(session, theme, self.centre)
        self.toast = Toast(self.centre, self.strip)
        for widget in (self.files, self.centre, self.panel):
            self.addWidget(widget)
        for index, stretch in enumerate((0, 1, 0)):
            self.setStretchFactor(index, stretch)
            self.setCollapsible(index, False)
        self.setSizes([widened(210), 900, widened(SIDE)])
        self.viewer.original_changed.connect(self._show_original)
        self.viewer.face_clicked.connect(self.strip.bring)
        self.viewer.drawing.begun.connect(self.toast.hide)  # what to do with a box stands there
        self.brush.begun.connect(self.toast.hide)
        self.strip.face_shown.connect(self.viewer.show_face)
        self.strip.explanation_asked.connect(self.show_explanation_of)
        session.photo_changed.connect(self._show_photo)
        session.opening_changed.connect(self._leave_drawing)
        session.files.changed.connect(self.refresh)
        session.moved.connect(self.toast.hide)  # what was said of what was there
        session.opening_changed.connect(self.toast.give_way)
        session.notified.connect(self.toast.tell)
        session.turned.connect(self.viewer.show_anew)
        session.turning.offered.connect(self._offer_turn)
        self.panel.reference.choose_asked.connect(self.choose_reference)
        self.refresh()

    @Slot()
    def _show_photo(self) -> None:
        self.centre.setCurrentIndex(1 if self._session.opened else 0)

    @Slot(str)
    def _offer_turn(self, words: str) -> None:
        self.toast.offer(words, "Turn it", self._session.turning.accept)

    @Slot()
    def _leave_drawing(self) -> None:
        if self._session.opening:
            self.viewer.draw_box(False)  # the face would be one of a photo that goes

    @Slot()
    def _show_original(self) -> None:
        self.strip.show_original(self.viewer.original)

    @property
    def states(self) -> dict[str, bool]:
        """Which of the actions that are done here can be done now."""
        free = not self._session.reference.hindrance
        return {"reference": free, "paste_reference": free, "explanation": bool(self._explained())}

    def _explained(self) -> dict[int, Explanation]:
        """What the method told of the faces of the shown result, by their indices."""
        step = self._session.history.current
        results = [step.result_of(face) if step else None for face in self._session.faces]
        return {index: of.explanation for index, of in enumerate(results) if of and of.explanation}

    @Slot()
    def show_explanation(self) -> None:
        """Show how the first ticked face that tells it was completed; the first that tells it when none is ticked."""
        told = self._explained()
        if told:
            ticked = [index for index in told if index in self._session.selected]
            self.show_explanation_of((ticked or list(told))[0])

    @Slot(int)
    def show_explanation_of(self, index: int) -> None:
        """Show how face `index` was completed."""
        ExplanationDialog(f"Face {index + 1}", self._explained()[index], self.window()).open()

    @Slot()
    def choose_reference(self) -> None:
        """Ask for a better picture of the person."""
        opened = self._session.opened
        folder = self._folder or (str(opened.source.parent) if opened and opened.source else "")
        path = ask_for_photo(self.window(), "A better picture of the same person", folder)
        if path is not None:
            self._folder = str(path.parent)
            self._session.reference.use_photo(path)

    @Slot()
    def copy(self) -> None:
        """Put what is shown, the result or the photo, on the clipboard."""
        image = self._session.shown_image
        if image is not None:
            QGuiApplication.clipboard().setImage(image.copy())  # Qt keeps it until after Python's memory is gone
            self.toast.tell(
                "The result is on the clipboard." if self._session.history.current else "The photo is on the clipboard."
            )

    @Slot()
    def paste_reference(self) -> None:
        """Take what is on the clipboard as the reference."""
        if not self.panel.reference.take(QGuiApplication.clipboard().mimeData()):
            self.toast.tell("There is no picture on the clipboard.")

    @Slot()
    def refresh(self) -> None:
        """Show the list of files when there is one and it is wanted."""
        self.files.setVisible(self.files_wanted and len(self._session.files.paths) > 1)

    def show_files(self, on: bool) -> None:
        """Want the list of files, or not."""
        self.files_wanted = on
        self.refresh()
