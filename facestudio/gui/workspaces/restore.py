"""The Restore workspace: files left, the picture and its faces in the middle, method and options right.

Only lays out and connects; the session decides.
"""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QComboBox, QSplitter, QStackedWidget, QVBoxLayout, QWidget

from facestudio.faces.components import Explanation
from facestudio.gui import graining
from facestudio.gui.enlarging import TIMES, Enlarging
from facestudio.gui.kept_metadata import POLICIES
from facestudio.gui.mending import CHOICES
from facestudio.gui.session import Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.brush import Brush
from facestudio.gui.widgets.drop_zone import DropZone
from facestudio.gui.widgets.explanation import ExplanationDialog
from facestudio.gui.widgets.face_strip import FaceStrip
from facestudio.gui.widgets.files_list import FilesList
from facestudio.gui.widgets.mark_box import MarkBox
from facestudio.gui.widgets.mark_layer import MarkLayer
from facestudio.gui.widgets.opening_cover import OpeningCover
from facestudio.gui.widgets.photo_dialog import ask_for_photo
from facestudio.gui.widgets.source_box import SourceBox
from facestudio.gui.widgets.toast import Toast
from facestudio.gui.widgets.viewer import Viewer
from facestudio.gui.widgets.work_panel import SIDE, WorkPanel, note, titled
from facestudio.metadata import KEEP
from facestudio.methods.base import method_about

REFERENCE_HELP = (
    "Choose a better picture of the same person (Ctrl+Shift+O), drop one here, or paste one with Ctrl+Shift+V"
)
REFERENCE = "A clean picture of the same person tells the method who it is. It is for one face of this photo."


class RestorePanel(WorkPanel):
    """Method, checkpoint, reference, options, size, scratches, and the button; folded away are grain, seed and device."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(session, theme, "restore", "There are no weights that restore a face.", parent)
        self._session = session
        self.seed.setToolTip("Fixes all randomness: the same photo, options and seed give the same result.")
        self.device = note("value")
        self.device.setText("Starting…")
        self.about_method = note()
        self.add_section("METHOD", self.method, self.about_method, self.problem)
        self.add_section("WEIGHTS", self.checkpoint, self.licence)
        self.reference = SourceBox(session.reference, REFERENCE_HELP, REFERENCE, removable=True)
        self.about_reference = self.add_section("REFERENCE", self.reference)
        self.add_options()
        self.times, self.about_size = QComboBox(), note()
        self.times.setAccessibleName("Size of the result")
        self.times.setToolTip("The faces are restored at this size; the rest of the photo is resampled plainly.")
        for times in TIMES:
            self.times.addItem("As it is" if times == 1 else f"{times} times as large", times)
        self.times.currentIndexChanged.connect(self._choose_size)
        self.add_section("SIZE", self.times, self.about_size)
        self.scratches, self.about_scratches = QComboBox(), note()
        self.scratches.setAccessibleName("Scratches and specks")
        self.scratches.setToolTip(
            "Scratches, cracks and dust of an old photo are mended before its faces are restored."
        )
        for strength, words in CHOICES.items():
            self.scratches.addItem(words, strength)
        self.scratches.currentIndexChanged.connect(self._choose_mending)
        self.marks = MarkBox(session.marking, note(), theme)
        marking = self.scratches, self.marks, self.marks.about, self.about_scratches
        self.about_marks = self.add_section("SCRATCHES", *marking)
        self._marks_seen = (False, False)
        self.grain, self.about_grain = QComboBox(), note()
        self.grain.setAccessibleName("Grain of the photo")
        self.grain.setToolTip(
            "Match: where a face came back smoother than its photo, grain as strong and as coarse is laid over it."
        )
        for choice, words in graining.CHOICES.items():
            self.grain.addItem(words, choice)
        self.grain.currentIndexChanged.connect(self._choose_grain)
        self.metadata, self.about_metadata = QComboBox(), note()
        self.metadata.setAccessibleName("What saved photos keep of the metadata")
        self.metadata.setToolTip("Holds for Save, Save as and Restore all; remembered.")
        for policy, words, _ in reversed(POLICIES):
            self.metadata.addItem(words, policy)
        self.metadata.setCurrentIndex(self.metadata.findData(session.kept_metadata.policy))
        self.metadata.currentIndexChanged.connect(self._choose_metadata)
        self.add_more(
            titled("GRAIN OF THE PHOTO", self.grain, self.about_grain),
            titled("METADATA OF SAVED PHOTOS", self.metadata, self.about_metadata),
            titled("SEED", self.seed_row),
            titled("DEVICE", self.device),
        )
        self.end_sections()
        session.marking.changed.connect(self._bring_marks)
        session.graining.changed.connect(self.show_unusual)
        session.kept_metadata.changed.connect(self.show_unusual)
        session.kept_metadata.changed.connect(self.refresh)
        self.button.clicked.connect(session.restore)
        session.device_changed.connect(self._show_device)
        for changed in (
            session.photo_changed,
            session.opening_changed,
            session.faces_changed,
            session.selection_changed,
            session.work_changed,
            session.recipe_changed,
            session.offers_changed,
            session.reference.changed,
            session.enlarging.changed,
            session.mending.changed,
            session.marking.changed,
            session.graining.changed,
            session.result_changed,
        ):
            changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now."""
        session = self._session
        about = method_about(session.offer.method) if session.offer else ""
        self.about_method.setText(about)
        self.about_method.setVisible(bool(about))
        self.about_reference.setVisible(session.reference.heard)
        self.reference.refresh()
        self.reference.setAcceptDrops(session.opened is not None)  # the first photo may be dropped anywhere
        self.times.setCurrentIndex(self.times.findData(session.enlarging.times))
        self.about_size.setText(about_size(session.enlarging))
        self.about_size.setVisible(bool(self.about_size.text()))
        self.scratches.setCurrentIndex(self.scratches.findData(session.mending.strength))
        self.about_scratches.setText(session.mending.about)
        self.about_scratches.setVisible(bool(session.mending.about))
        self.grain.setCurrentIndex(self.grain.findData(session.graining.choice))
        self.about_grain.setText(session.graining.about)
        self.about_grain.setVisible(bool(session.graining.about))
        self.about_metadata.setText(session.kept_metadata.about)
        self.foot.setCurrentIndex(1 if session.doing else 0)
        count = len(session.selected)
        self.button.setText("Restore" if count < 2 else f"Restore {count} faces")
        if session.mending.strength and not count:
            self.button.setText("Mend scratches")
        self.button.setEnabled(not session.obstacle)
        self.hint.setText(session.obstacle or session.mending.hint)

    @Slot(int)
    def _choose_size(self, index: int) -> None:
        self._session.enlarging.choose(self.times.itemData(index))

    @property
    def unusual(self) -> list[str]:
        """What is not as usual of all that is folded away, in a word or two each."""
        beside = {
            "grain of the photo": bool(self._session.graining.choice),
            "metadata": self._session.kept_metadata.policy != KEEP,
            "seed": bool(self._session.seed),
        }
        return [*super().unusual, *(name for name, changed in beside.items() if changed)]

    @Slot(int)
    def _choose_grain(self, index: int) -> None:
        self._session.graining.choose(self.grain.itemData(index))

    def show_kept_metadata(self) -> None:
        """Show the choice of what saved photos keep, to be made by keys as well."""
        self.more.show_all(True)
        self.bring_into_view(self.more)
        self.metadata.setFocus(Qt.FocusReason.ShortcutFocusReason)

    @Slot(int)
    def _choose_metadata(self, index: int) -> None:
        self._session.kept_metadata.choose(self.metadata.itemData(index))

    @Slot(int)
    def _choose_mending(self, index: int) -> None:
        self._session.mending.choose(self.scratches.itemData(index))

    @Slot()
    def _bring_marks(self) -> None:
        """Show what marks are corrected with as soon as there are any, also where the panel is short."""
        seen = self._session.marking.wanted, self._session.marking.visible
        more = seen > self._marks_seen
        self._marks_seen = seen
        if more:
            self.bring_into_view(self.about_marks)

    @Slot()
    def _show_device(self) -> None:
        self.device.setText(self._session.device)


def about_size(enlarging: Enlarging) -> str:
    """What the photo becomes in pixels, or why it cannot; what a larger one would show when it stays as it is, or ""."""
    if enlarging.refusal or enlarging.times == 1 or enlarging.sizes is None:
        return enlarging.refusal or enlarging.advice
    (width, height), (wider, higher) = enlarging.sizes
    return f"{width} × {height} pixels become {wider} × {higher}."


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
        self.setSizes([210, 900, SIDE])
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
        self.panel.reference.choose_asked.connect(self.choose_reference)
        self.refresh()

    @Slot()
    def _show_photo(self) -> None:
        self.centre.setCurrentIndex(1 if self._session.opened else 0)

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
            QGuiApplication.clipboard().setImage(image)
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
