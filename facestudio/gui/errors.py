"""How an error is shown: a title, the cause in one plain sentence, the next move, and details to copy. One place for all.

It knows the tree of errors, and nothing of what failed. Success is told by a toast; a dialog is for what went wrong.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QLabel, QPushButton, QStyle, QVBoxLayout, QWidget

from facestudio import errors

Offer = tuple[str, Callable[[], None]]  # the words of a button, and what it does
log = logging.getLogger(__name__)

TITLES: tuple[tuple[type[Exception], str], ...] = (
    (errors.UnreadablePhoto, "This photo cannot be opened"),
    (errors.PhotoError, "This photo cannot be used"),
    (errors.NoFaceFound, "No face found"),
    (errors.DiskFull, "The disk is full"),
    (errors.UnwritableOutput, "The result was not saved"),
    (errors.CheckpointError, "The weights cannot be used"),
    (errors.OutOfMemory, "Not enough memory"),
    (errors.UsageError, "This cannot be done"),
    (errors.FaceStudioError, "That did not work"),
)
UNEXPECTED = "Something went wrong inside Face Studio"
UNEXPECTED_HINT = "Your photo was not changed. Please copy the details into a bug report."


def title_of(error: Exception) -> str:
    """The dialog's title for `error`."""
    return next((title for kind, title in TITLES if isinstance(error, kind)), UNEXPECTED)


def cause_of(error: Exception) -> str:
    """What happened, in one sentence."""
    if isinstance(error, errors.FaceStudioError):
        return str(error)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def hint_of(error: Exception) -> str:
    """The user's next move, or "" when there is none."""
    return error.hint if isinstance(error, errors.FaceStudioError) else UNEXPECTED_HINT


def details_of(error: Exception) -> str:
    """What a developer wants to see: the error and where it came from."""
    return "".join(traceback.format_exception(error))


class ErrorDialog(QDialog):
    """Shows one error; closes with Escape or Enter. With an `offer` there is a button for another way."""

    def __init__(self, parent: QWidget | None, error: Exception, offer: Offer | None = None) -> None:
        super().__init__(parent)
        self._offer = offer
        self.setObjectName("errorDialog")
        self.setWindowTitle(title_of(error))
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self._details = details_of(error)

        icon = QLabel()
        critical = self.style().standardIcon(QStyle.StandardPixmap.SP_MessageBoxWarning)
        icon.setPixmap(critical.pixmap(40, 40))
        title, cause, hint = QLabel(title_of(error)), QLabel(cause_of(error)), QLabel(hint_of(error))
        for label, name in ((title, "dialogTitle"), (cause, "dialogCause"), (hint, "dialogHint")):
            label.setObjectName(name)
            label.setTextFormat(Qt.TextFormat.PlainText)  # file names may look like markup
            label.setWordWrap(True)
            label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        hint.setVisible(bool(hint.text()))

        self.copy_button = QPushButton("Copy details")
        self.copy_button.clicked.connect(self.copy_details)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy_button, QDialogButtonBox.ButtonRole.ActionRole)
        if offer is not None:
            self.offer_button = QPushButton(offer[0])
            self.offer_button.setAutoDefault(False)
            self.offer_button.clicked.connect(self.take_offer)
            buttons.addButton(self.offer_button, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        self.copy_button.setAutoDefault(False)
        close = buttons.button(QDialogButtonBox.StandardButton.Close)
        close.setDefault(True)

        text = QVBoxLayout()
        text.setSpacing(8)
        for label in (title, cause, hint):
            text.addWidget(label)
        top = QHBoxLayout()
        top.setSpacing(16)
        top.addWidget(icon, 0, Qt.AlignmentFlag.AlignTop)
        top.addLayout(text, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 20, 22, 16)
        layout.setSpacing(18)
        layout.addLayout(top)
        layout.addWidget(buttons)
        close.setFocus()  # once it is in the dialog
        self.setFixedWidth(480)
        self.resize(480, self.heightForWidth(480))

    @Slot()
    def copy_details(self) -> None:
        """Put the error and its traceback on the clipboard."""
        QGuiApplication.clipboard().setText(self._details)
        self.copy_button.setText("Copied")

    @Slot()
    def take_offer(self) -> None:
        """Close, and go the other way."""
        self.close()
        if self._offer is not None:
            self._offer[1]()


def show_error(parent: QWidget | None, error: Exception, offer: Offer | None = None) -> ErrorDialog:
    """Show `error` over `parent` without blocking, and log it when it is not one that Face Studio itself reports."""
    if not isinstance(error, errors.FaceStudioError):
        log.error("unexpected error", exc_info=error)
    dialog = ErrorDialog(parent, error, offer)
    dialog.open()
    return dialog
