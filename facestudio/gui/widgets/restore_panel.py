"""The panel of Restore: what is to be restored, by what, how large, and what else is done to the photo."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QWidget

from facestudio.gui import graining, mending
from facestudio.gui.enlarging import TIMES, Enlarging
from facestudio.gui.kept_metadata import POLICIES
from facestudio.gui.session import Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.choice import Choice
from facestudio.gui.widgets.mark_box import MarkBox
from facestudio.gui.widgets.source_box import SourceBox
from facestudio.gui.widgets.work_panel import WorkPanel, note, titled
from facestudio.metadata import KEEP
from facestudio.methods.base import method_about

REFERENCE_HELP = (
    "Choose a better picture of the same person (Ctrl+Shift+O), drop one here, or paste one with Ctrl+Shift+V"
)
REFERENCE = (
    "A clear picture of the same person tells the method who it is restoring. It works for one face of this photo."
)
SIZE_HELP = "The faces are restored at this size; the rest of the photo is only resampled."
SCRATCHES_HELP = "Scratches, cracks and dust of an old photo are mended before its faces are restored."
GRAIN_HELP = "Match: adds grain like the photo's to faces that were restored smoother than the photo."
METADATA_HELP = "Applies to Save, Save as and Restore all, and is remembered."


class RestorePanel(WorkPanel):
    """Method, checkpoint, reference, options, size, scratches, and the button; folded away are grain, seed and device."""

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(session, theme, "restore", "No weights that restore faces are installed.", parent)
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
        sizes = {times: "Original size" if times == 1 else f"{times} times as large" for times in TIMES}
        self.times, self.about_size = Choice("Size of the result", SIZE_HELP, sizes), note()
        self.add_section("SIZE", self.times, self.about_size)
        self.scratches = Choice("Scratches and specks", SCRATCHES_HELP, mending.CHOICES)
        self.about_scratches = note()
        self.marks = MarkBox(session.marking, note(), theme)
        marking = self.scratches, self.marks, self.marks.about, self.about_scratches
        self.about_marks = self.add_section("SCRATCHES", *marking)
        self._marks_seen = (False, False)
        self.grain, self.about_grain = Choice("Grain of the photo", GRAIN_HELP, graining.CHOICES), note()
        policies = {policy: words for policy, words, _ in reversed(POLICIES)}
        self.metadata = Choice("What saved photos keep of the metadata", METADATA_HELP, policies)
        self.metadata.set_value(session.kept_metadata.policy)
        self.about_metadata = note()
        self.add_more(
            titled("GRAIN OF THE PHOTO", self.grain, self.about_grain),
            titled("METADATA OF SAVED PHOTOS", self.metadata, self.about_metadata),
            titled("SEED", self.seed_row),
            titled("DEVICE", self.device),
        )
        self.end_sections()
        self.times.chosen.connect(session.enlarging.choose)
        self.scratches.chosen.connect(session.mending.choose)
        self.grain.chosen.connect(session.graining.choose)
        self.metadata.chosen.connect(session.kept_metadata.choose)
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
        self.times.set_value(session.enlarging.times)
        self.about_size.setText(about_size(session.enlarging))
        self.about_size.setVisible(bool(self.about_size.text()))
        self.scratches.set_value(session.mending.strength)
        self.about_scratches.setText(session.mending.about)
        self.about_scratches.setVisible(bool(session.mending.about))
        self.grain.set_value(session.graining.choice)
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

    @property
    def unusual(self) -> list[str]:
        """What is not as usual of all that is folded away, in a word or two each."""
        beside = {
            "grain of the photo": bool(self._session.graining.choice),
            "metadata": self._session.kept_metadata.policy != KEEP,
            "seed": bool(self._session.seed),
        }
        return [*super().unusual, *(name for name, changed in beside.items() if changed)]

    def show_kept_metadata(self) -> None:
        """Show the choice of what saved photos keep, to be made by keys as well."""
        self.more.show_all(True)
        self.bring_into_view(self.more)
        self.metadata.setFocus(Qt.FocusReason.ShortcutFocusReason)

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
