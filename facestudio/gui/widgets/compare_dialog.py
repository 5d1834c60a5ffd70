"""Comparing two people: a face of the open photo beside one of another photo, and below what the recognisers say."""

from __future__ import annotations

from PySide6.QtCore import QMimeData, Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QGuiApplication, QKeySequence, QShortcut
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from facestudio.faces.panel import between_photos
from facestudio.gui.comparing import Comparing
from facestudio.gui.errors import show_error
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.chooser import Chooser
from facestudio.gui.widgets.distributions import DistributionsDialog
from facestudio.gui.widgets.drop_zone import image_in, paths_in
from facestudio.gui.widgets.gauge import Gauge, tone
from facestudio.gui.widgets.photo_dialog import ask_for_photo


class CompareDialog(QDialog):
    """Shows `comparing`, and stops it when it is closed."""

    def __init__(self, comparing: Comparing, theme: Theme, folder: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("compareDialog")
        self.setWindowTitle("The same person?")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self.comparing, self._theme, self._folder = comparing, theme, folder
        comparing.setParent(self)
        self.choosers = (Chooser(), Chooser())
        self.choosers[0].faces.currentRowChanged.connect(self._choose_here)
        self.choosers[1].faces.currentRowChanged.connect(self._choose_there)
        self.words, self.sentence, self.quality = QLabel(), QLabel(), QLabel()
        self.words.setObjectName("compareWords")
        self.quality.setObjectName("chipInfo")
        for label in (self.words, self.sentence, self.quality):
            label.setWordWrap(True)
            label.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.gauge = Gauge(theme)
        self.gauge.clicked.connect(self.show_figures)
        self.choose = QPushButton("Choose the other photo…")
        self.figures = QPushButton("What the figures are based on…")
        self.choose.setToolTip("Or drop a photo here, or paste one (Ctrl+V)")
        self.choose.clicked.connect(self.choose_photo)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Paste), self).activated.connect(self.paste)
        self.figures.clicked.connect(self.show_figures)
        pair = QHBoxLayout()
        pair.setSpacing(28)
        for chooser in self.choosers:
            pair.addWidget(chooser)
        buttons = QHBoxLayout()
        buttons.addWidget(self.choose)
        buttons.addStretch(1)
        buttons.addWidget(self.figures)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 18)
        layout.setSpacing(12)
        layout.addLayout(pair)
        for widget in (self.words, self.gauge, self.sentence, self.quality):
            layout.addWidget(widget)
        layout.addStretch(1)
        layout.addLayout(buttons)
        self.resize(560, 480)
        comparing.changed.connect(self._show)
        comparing.failed.connect(self._show_failure)
        theme.changed.connect(self._show)
        self.finished.connect(comparing.stop)
        self._show()

    @Slot()
    def choose_photo(self) -> None:
        """Ask for the other photo."""
        path = ask_for_photo(self, "Compare with", self._folder)
        if path is not None:
            self.comparing.open(path)

    @Slot()
    def paste(self) -> None:
        """Take what is on the clipboard as the other photo."""
        if not self._take(QGuiApplication.clipboard().mimeData()):
            self.sentence.setText("There is no picture on the clipboard.")

    def _take(self, data: QMimeData | None) -> bool:
        """Take the photo that `data` holds as the other one; False when it holds none."""
        if data is None:
            return False
        paths, image = paths_in(data), image_in(data)
        if paths:
            self.comparing.open(paths[0])
        elif image is not None:
            self.comparing.open_pasted(image)
        return bool(paths) or image is not None

    @Slot()
    def show_figures(self) -> None:
        """Show the distributions that the readout rests on."""
        made = self.comparing.comparison
        if made is not None and made.summary is not None:
            DistributionsDialog("This pair", made.summary, self._theme, self).open()

    @Slot(Exception)
    def _show_failure(self, error: Exception) -> None:
        show_error(self, error)

    @Slot(int)
    def _choose_here(self, index: int) -> None:
        if index >= 0:
            self.comparing.choose(0, index)

    @Slot(int)
    def _choose_there(self, index: int) -> None:
        if index >= 0:
            self.comparing.choose(1, index)

    @Slot()
    def _show(self) -> None:
        for side, chooser in enumerate(self.choosers):
            chooser.fill(self.comparing.names[side], self.comparing.sides[side], self.comparing.chosen[side])
        made = self.comparing.comparison
        summary = made.summary if made else None
        self.gauge.show_verdicts(summary.verdicts if summary else ())
        self.gauge.explain("Click to see what the figures are based on.")
        self.gauge.setVisible(summary is not None)
        self.figures.setEnabled(summary is not None)
        self.words.setVisible(summary is not None)
        self.quality.setVisible(bool(summary and summary.quality))
        if summary is None:
            self.sentence.setText(self.comparing.doing or "Both faces are measured as they are in their photos.")
            return
        self.words.setText(between_photos(summary.words).capitalize())
        self.words.setStyleSheet(f"color: {self._theme.colour(tone(summary)).name()};")
        self.sentence.setText(between_photos(summary.sentence))
        if summary.quality:
            self.quality.setText("Recognisable: {:.0%} and {:.0%}".format(*summary.quality))

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if paths_in(event.mimeData()) or event.mimeData().hasImage():
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        if self._take(event.mimeData()):
            event.acceptProposedAction()
