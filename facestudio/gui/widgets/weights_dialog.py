"""The weights: a table of all checkpoints, what is to be known of the chosen one, and what can be done with it.

Closing it stops nothing: a download goes on, and is shown again when the dialog is opened again.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QKeyEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QCheckBox,
    QDialog,
    QFileDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QHeaderView,
    QLabel,
    QMessageBox,
    QProgressBar,
    QPushButton,
    QTableWidget,
    QTableWidgetItem,
    QVBoxLayout,
    QWidget,
)

from facestudio import importing, store
from facestudio.gui.errors import show_error
from facestudio.gui.theme import Theme
from facestudio.gui.weights import CORRUPT, MISSING, PRESENT, Row, Weights
from facestudio.gui.weights_words import state_in_sentences, state_in_words
from facestudio.gui.widgets.drop_zone import paths_in
from facestudio.gui.widgets.job_bar import STEPS, time_left
from facestudio.gui.widgets.question import Answers, ask, nothing
from facestudio.own_people import LEAST_PEOPLE
from facestudio.progress import Update

COLUMNS = ("Name", "What it is for", "Size", "Licence", "State")
PATTERNS = "*.pth *.pt *.ckpt *.bin *.safetensors *.npy *.npz *.onnx"
TONES = {PRESENT: "good", MISSING: "muted", CORRUPT: "bad"}
NAME_WIDTH = 270
Role = QMessageBox.ButtonRole


class WeightsDialog(QDialog):
    """Shows `weights`."""

    def __init__(self, weights: Weights, theme: Theme, folder: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("weightsDialog")
        self.setWindowTitle("Weights")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setAcceptDrops(True)
        self.weights, self._theme, self._folder = weights, theme, folder
        self.table = self._make_table()
        self.title, self.about, self.licence, self.source, self.state = (QLabel() for _ in range(5))
        self.stage, self.left = QLabel(), QLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.download = QPushButton("&Download…")
        self.choose = QPushButton("&Import a file…")
        self.calibrate = QPushButton("C&alibrate…")
        self.others = QCheckBox("Recognisers that I calibrated &judge")
        self.others.setToolTip("Turned off, judging is faster and uses only the recognisers that come with Face Studio")
        self.others.clicked.connect(weights.let_others_judge)
        self.verify = QPushButton("&Verify")
        self.remove = QPushButton("&Remove…")
        self.stop = QPushButton("&Stop")
        self.leave = QPushButton("&Close")
        for button, slot in (
            (self.download, self.ask_to_download),
            (self.choose, self.choose_files),
            (self.calibrate, self.ask_to_calibrate),
            (self.verify, self.check),
            (self.remove, self.ask_to_remove),
            (self.stop, weights.cancel),
            (self.leave, self.close),
        ):
            button.clicked.connect(slot)
            button.setAutoDefault(False)
        self._lay_out()
        weights.changed.connect(self._show)
        weights.progressed.connect(self._show_update)
        weights.failed.connect(self._show_failure)
        weights.other_file.connect(self._ask_about_other_file)
        theme.changed.connect(self._show)
        self.table.currentCellChanged.connect(self._show_chosen)
        self._show()
        self.table.setFocus()
        weights.look()

    # ---- layout

    def _make_table(self) -> QTableWidget:
        table = QTableWidget(0, len(COLUMNS))
        table.setAccessibleName("Checkpoints")
        table.setHorizontalHeaderLabels(list(COLUMNS))
        table.verticalHeader().hide()
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.setEditTriggers(QAbstractItemView.EditTrigger.NoEditTriggers)
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setTabKeyNavigation(False)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        for column in range(len(COLUMNS)):
            header.setSectionResizeMode(column, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        header.setSectionResizeMode(3, QHeaderView.ResizeMode.Stretch)
        table.setColumnWidth(0, NAME_WIDTH)
        return table

    def _lay_out(self) -> None:
        self.title.setObjectName("dialogTitle")
        self.stage.setObjectName("jobStage")
        self.left.setObjectName("jobLeft")
        facts = QGridLayout()
        facts.setHorizontalSpacing(14)
        facts.setVerticalSpacing(5)
        facts.setColumnStretch(1, 1)
        for line, (words, label) in enumerate(
            (("For", self.about), ("Licence", self.licence), ("From", self.source), ("State", self.state))
        ):
            name = QLabel(words)
            name.setObjectName("note")
            facts.addWidget(name, line, 0, Qt.AlignmentFlag.AlignTop)
            facts.addWidget(label, line, 1)
            label.setWordWrap(True)
            label.setTextFormat(Qt.TextFormat.PlainText)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.source.setTextFormat(Qt.TextFormat.RichText)
        self.source.setOpenExternalLinks(True)
        self.source.setAccessibleName("Where it comes from")
        self.source.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for button in (self.download, self.choose, self.calibrate, self.verify, self.remove):
            buttons.addWidget(button)
        buttons.addStretch(1)
        buttons.addWidget(self.others)
        buttons.addWidget(self.leave)
        self.job = QFrame()
        self.job.setObjectName("jobBar")
        progress = QGridLayout(self.job)
        progress.setContentsMargins(0, 0, 0, 0)
        progress.setHorizontalSpacing(12)
        progress.setColumnStretch(0, 1)
        progress.addWidget(self.stage, 0, 0)
        progress.addWidget(self.left, 0, 1, Qt.AlignmentFlag.AlignRight)
        progress.addWidget(self.bar, 1, 0, 1, 2)
        progress.addWidget(self.stop, 0, 2, 2, 1)
        room = self.job.sizePolicy()
        room.setRetainSizeWhenHidden(True)
        self.job.setSizePolicy(room)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(20, 18, 20, 16)
        layout.setSpacing(14)
        layout.addWidget(self.table, 1)
        layout.addWidget(self.title)
        layout.addLayout(facts)
        layout.addWidget(self.job)
        layout.addLayout(buttons)
        self.resize(1080, 700)

    # ---- what is shown

    @property
    def chosen(self) -> Row | None:
        """The row that the buttons are about."""
        item = self.table.item(self.table.currentRow(), 0)
        return self.weights.row(item.data(Qt.ItemDataRole.UserRole)) if item else None

    def choose_row(self, id: str) -> None:
        """Make the checkpoint `id` the chosen one."""
        for line in range(self.table.rowCount()):
            item = self.table.item(line, 0)
            if item is not None and item.data(Qt.ItemDataRole.UserRole) == id:
                self.table.setCurrentCell(line, 0)

    @Slot()
    def _show(self) -> None:
        rows = self.weights.rows or ()
        chosen = self.chosen
        before = chosen.entry.id if chosen else None
        self.table.blockSignals(True)
        self.table.setRowCount(len(rows))
        for line, row in enumerate(rows):
            about = "" if row.state == PRESENT else "about "
            size = f"{about}{store.in_words(row.bytes)}" if row.bytes else "none of its own"
            for column, text in enumerate(
                (row.entry.title, row.entry.purpose, size, row.entry.licence, state_in_words(row))
            ):
                item = QTableWidgetItem(text)
                item.setData(Qt.ItemDataRole.UserRole, row.entry.id)
                item.setToolTip(text)
                self.table.setItem(line, column, item)
            state = self.table.item(line, len(COLUMNS) - 1)
            assert state is not None
            state.setForeground(self._theme.colour(TONES[row.state]))
        if rows and before is None:
            self.table.setCurrentCell(0, 0)
        self.table.blockSignals(False)
        self._show_chosen()
        self.others.setVisible(any(row.entry.own is not None and row.entry.recognises for row in rows))
        self.others.setChecked(self.weights.others_judge)
        working = bool(self.weights.doing)
        self.job.setVisible(working)
        self.stop.setEnabled(working and not self.weights.stopping)
        if not working or self.weights.stopping:
            self.left.clear()
        if working and (self.weights.stopping or self.stage.property("of") != self.weights.about):
            self.stage.setText("Stopping…" if self.weights.stopping else f"{self.weights.doing}…")
            self.bar.setRange(0, 0)
        self.stage.setProperty("of", self.weights.about)

    @Slot()
    def _show_chosen(self) -> None:
        row = self.chosen
        idle = row is not None and not self.weights.doing
        published = row is not None and row.entry.published
        self.download.setEnabled(idle and row is not None and not row.obstacle and row.state != PRESENT)
        self.choose.setEnabled(idle and published)
        self.calibrate.setVisible(row is not None and published and row.entry.embeds)
        self.calibrate.setEnabled(idle and row is not None and row.state == PRESENT)
        self.verify.setEnabled(idle and row is not None and row.state != MISSING)
        self.remove.setEnabled(idle and published and row is not None and row.bytes > 0 and self._has_files(row))
        for label in (self.title, self.about, self.licence, self.source, self.state):
            label.clear()
        if row is None:
            self.title.setText("Looking…" if self.weights.rows is None else "There are no weights")
            return
        entry = row.entry
        self.title.setText(entry.title)
        self.about.setText(entry.purpose)
        self.licence.setText(
            entry.licence + (" (to be accepted before a download)" if not (row.accepted or row.obstacle) else "")
        )
        link = f'<a style="color: {self._theme.colour("link").name()}" href="{entry.source}">{entry.source}</a>'
        self.source.setText(link if published else "Trained for Face Studio and comes with it")
        self.state.setText(state_in_sentences(row, self.weights.others_judge))

    def _has_files(self, row: Row) -> bool:
        return row.state != MISSING or any(file.path.is_file() for file in row.entry.files.values())

    @Slot(object)
    def _show_update(self, update: Update) -> None:
        if self.weights.doing and not self.weights.stopping:
            self.bar.setRange(0, STEPS)
            self.bar.setValue(round(update.fraction * STEPS))
            self.stage.setText(f"{update.stage} ({update.tally})" if update.tally else update.stage)
            self.left.setText(time_left(update.remaining))

    @Slot(Exception)
    def _show_failure(self, error: Exception) -> None:
        show_error(self, error)

    # ---- what is done

    @Slot()
    def ask_to_download(self) -> None:
        """Show the licence if it was not accepted yet, then download."""
        row = self.chosen
        if row is None or row.obstacle:
            return
        if row.accepted:
            self.weights.download(row.entry.id)
            return
        answers: Answers = {
            "Accept and download": (Role.AcceptRole, partial(self.weights.download, row.entry.id, True)),
            "Cancel": (Role.RejectRole, nothing),
        }
        words = f"{row.entry.licence}\n\nRead it at {row.entry.source}\n\n"
        words += f"About {store.in_words(row.entry.bytes)} will be downloaded."
        ask(self, f"The licence of {row.entry.title}", words, answers)

    @Slot()
    def choose_files(self) -> None:
        """Ask for the files to import."""
        if self.chosen is None:
            return
        names, _ = QFileDialog.getOpenFileNames(
            self,
            f"Import {', '.join(importing.names(self.chosen.entry)[:2])}",
            self._folder,
            f"Weights ({PATTERNS});;All files (*)",
        )
        if names:
            self.weights.import_files(self.chosen.entry.id, [Path(name) for name in names])

    @Slot()
    def ask_to_calibrate(self) -> None:
        """Say what is needed, then ask for the folder; or forget what was measured."""
        row = self.chosen
        if row is None:
            return
        forget: Answers = {
            "Forget the calibration": (Role.DestructiveRole, partial(self.weights.uncalibrate, row.entry.id))
        }
        answers: Answers = {
            "Choose the folder…": (Role.AcceptRole, self.choose_people),
            **(forget if row.entry.own is not None else {}),
            "Cancel": (Role.RejectRole, nothing),
        }
        words = (
            f"You need photos of at least {LEAST_PEOPLE} people you know, sorted into one folder per person with at "
            "least two photos each. Afterwards this recogniser judges together with ours.\n\nThe photos are only "
            "read. What is kept are figures that identify nobody."
        )
        ask(self, f"Calibrate {row.entry.title}", words, answers)

    @Slot()
    def choose_people(self) -> None:
        """Ask for the folder of people, and calibrate."""
        if self.chosen is None:
            return
        name = QFileDialog.getExistingDirectory(self, "A folder with one subfolder per person", self._folder)
        if name:
            self.weights.calibrate(self.chosen.entry.id, Path(name))

    @Slot()
    def check(self) -> None:
        """Hash the files of the chosen row."""
        if self.chosen is not None:
            self.weights.verify(self.chosen.entry.id)

    @Slot()
    def ask_to_remove(self) -> None:
        """Ask, with the size, before the files are deleted."""
        row = self.chosen
        if row is None or not row.entry.published:
            return
        again = importing.by_hand(row.entry) if row.obstacle else "They can be downloaded again."
        answers: Answers = {
            "Remove": (Role.DestructiveRole, partial(self.weights.remove, row.entry.id)),
            "Keep": (Role.RejectRole, nothing),
        }
        words = f"{store.in_words(row.bytes)} will be free again. {again}"
        ask(self, f"Remove the weights of {row.entry.title}?", words, answers)

    @Slot(Exception, object)
    def _ask_about_other_file(self, error: Exception, anyway: object) -> None:
        assert callable(anyway)
        answers: Answers = {
            "Import it all the same": (Role.DestructiveRole, anyway),
            "Cancel": (Role.RejectRole, nothing),
        }
        words = "It is still read only as numbers and must fit the network. Import it only if you trust its source."
        ask(self, str(error), words, answers)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and self.download.isEnabled():
            self.ask_to_download()
        elif event.key() == Qt.Key.Key_Delete and self.remove.isEnabled():
            self.ask_to_remove()
        else:
            super().keyPressEvent(event)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if self.choose.isEnabled() and paths_in(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        paths = paths_in(event.mimeData())
        if self.chosen is not None and paths:
            event.acceptProposedAction()
            self.weights.import_files(self.chosen.entry.id, paths)
