"""The panel of Anonymize: which photos, where results go, with which method, and what holds of a face that is not verified."""

from __future__ import annotations

from dataclasses import replace

from PySide6.QtCore import QSignalBlocker, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QComboBox, QPushButton, QWidget

from facestudio.anonymize_settings import HIDING, NO_FALLBACK
from facestudio.gui.anonymize_rows import FAILED
from facestudio.gui.anonymizing import Anonymizing
from facestudio.gui.kept_metadata import POLICIES
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.anonymize_boxes import FilesBox, PathLabel, PeopleBox, row
from facestudio.gui.widgets.run_bar import RunBar
from facestudio.gui.widgets.work_panel import WorkPanel, note, titled
from facestudio.gui.workplace import counted
from facestudio.progress import Update

LACK = "No anonymization method is installed. Look under File > Weights (F9), or run `facestudio doctor`."
FALLBACKS = (
    (HIDING, "Hide it with a block", "Nothing of the face is left. The report says that it was hidden."),
    (
        NO_FALLBACK,
        "Leave it to a person",
        "The photo needs review and is not written until somebody decides.",
    ),
)


class AnonymizeBar(RunBar):
    """Counts the photos of a run, and names what else is done: one photo of a review needs no counting."""

    def __init__(self, session: Anonymizing, theme: Theme, parent: QWidget | None = None) -> None:
        self._run = session
        super().__init__(session, theme, parent)

    @Slot(object)
    def _show_update(self, update: Update) -> None:
        named = not self._run.running and self._run.doing
        super()._show_update(replace(update, tally=f"{named.capitalize()}…") if named else update)


class AnonymizePanel(WorkPanel):
    """Shows what `anonymizing` is to do."""

    BAR = AnonymizeBar

    open_asked = Signal()
    folder_asked = Signal()
    output_asked = Signal()

    def __init__(self, anonymizing: Anonymizing, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(anonymizing, theme, "anonymize", LACK, parent)
        self._run = anonymizing
        self.given, self.output = PathLabel(), PathLabel()
        self.choose, self.folder = QPushButton("Photos…"), QPushButton("Folder…")
        self.choose.setToolTip("Choose several photos (Ctrl+O)")
        self.folder.setToolTip("Choose a folder of photos (Ctrl+U)")
        self.choose_output = QPushButton("Change…")
        self.choose_output.setToolTip("Choose the folder that results are written into (Ctrl+Shift+O)")
        for button, asked in (
            (self.choose, self.open_asked),
            (self.folder, self.folder_asked),
            (self.choose_output, self.output_asked),
        ):
            button.clicked.connect(asked)
        self.fallback, self.about_fallback = _choice("What becomes of a face that is not verified", FALLBACKS), note()
        self.fallback.currentIndexChanged.connect(self._choose_fallback)
        self.metadata, self.about_metadata = _choice("What is kept of the photos' metadata", POLICIES), note()
        self.metadata.currentIndexChanged.connect(self._choose_metadata)
        self.people, self.files = PeopleBox(anonymizing), FilesBox(anonymizing)
        self.people.consistent.clicked.connect(self._show_people)
        self.seed.setToolTip("Fixes all randomness: the same photos, options and seed give the same results.")
        self.add_section("PHOTOS", self.given, row(self.folder, self.choose))
        self.add_section("RESULTS GO INTO", self.output, row(self.choose_output))
        self.add_section("METHOD", self.method, self.problem)
        self.add_options()
        self.add_section("WHO BECOMES WHOM", self.people)
        self.add_more(
            titled("A FACE THAT IS NOT VERIFIED", self.fallback, self.about_fallback),
            titled("KEPT METADATA", self.metadata, self.about_metadata),
            titled("NAMES AND TIMES OF THE RESULTS", self.files),
            titled("SEED", self.seed_row),
            titled("WEIGHTS", self.checkpoint, self.licence),
        )
        self.end_sections()
        self.button.clicked.connect(anonymizing.anonymize)
        self.button.setToolTip("Start the run (Ctrl+R)")
        for changed in (
            anonymizing.given_changed,
            anonymizing.rows_changed,
            anonymizing.work_changed,
            anonymizing.recipe_changed,
            anonymizing.offers_changed,
        ):
            changed.connect(self.refresh)
        self.refresh()

    @Slot()
    def refresh(self) -> None:
        """Show what can be done now."""
        run, choices = self._run, self._run.choices
        names = ", ".join(path.name or str(path) for path in run.given)
        self.given.show_words(names or "None yet", "\n".join(map(str, run.given[:20])))
        self.output.show_words(str(run.output or "Chosen with the photos"), str(run.output or ""))
        self.choose_output.setEnabled(bool(run.given))
        for combo, value in ((self.fallback, choices.fallback), (self.metadata, choices.metadata)):
            with QSignalBlocker(combo):
                combo.setCurrentIndex(combo.findData(value))
        self.about_fallback.setText(next(about for id, _, about in FALLBACKS if id == choices.fallback))
        self.about_metadata.setText(next(about for id, _, about in POLICIES if id == choices.metadata))
        self.people.refresh()
        self.files.refresh()
        self.show_unusual()
        self._column.parentWidget().setEnabled(not run.running)
        self.foot.setCurrentIndex(1 if run.doing else 0)
        self.button.setText(self._words())
        self.button.setEnabled(run.ready)
        self.hint.setText(run.obstacle)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)

    @property
    def unusual(self) -> list[str]:
        choices = self._run.choices
        asked = {
            "a face that is not verified": choices.fallback != HIDING,
            "kept metadata": choices.metadata != POLICIES[0][0],
            "numbers for names": choices.names is not None,
            "file times": choices.reset_times,
            "seed": self._run.seed != 0,
            "weights": self.checkpoint.currentIndex() > 0,
        }
        return [*super().unusual, *(name for name, on in asked.items() if on)]

    def _words(self) -> str:
        run = self._run
        every, left, failed = run.photos, run.to_do, run.counts.get(FAILED, 0)
        if not every:
            return "Anonymize"
        if 0 < left < every:
            return f"Continue with {counted(left, 'photo')}"
        return (
            f"Try {counted(failed, 'photo')} again" if failed and not left else f"Anonymize {counted(every, 'photo')}"
        )

    @Slot(bool)
    def _show_people(self, on: bool) -> None:
        """What belongs to a choice that was just made must be seen, also where the panel is short."""
        if on:
            QTimer.singleShot(0, self._scroll_to_people)  # once it has its place

    @Slot()
    def _scroll_to_people(self) -> None:
        self._scroll.ensureWidgetVisible(self.people)

    @Slot(int)
    def _choose_fallback(self, index: int) -> None:
        self._run.choices.set_fallback(self.fallback.itemData(index))
        self.refresh()

    @Slot(int)
    def _choose_metadata(self, index: int) -> None:
        self._run.choices.set_metadata(self.metadata.itemData(index))
        self.refresh()


def _choice(name: str, entries: tuple[tuple[str, str, str], ...]) -> QComboBox:
    combo = QComboBox()
    combo.setAccessibleName(name)
    for value, words, about in entries:
        combo.addItem(words, value)
        combo.setItemData(combo.count() - 1, about, Qt.ItemDataRole.ToolTipRole)
    return combo
