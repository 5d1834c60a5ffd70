"""A question before something is lost: a title, a sentence, and answers that say what they do. Does not block."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QAbstractButton, QMessageBox, QWidget

Answers = Mapping[str, tuple[QMessageBox.ButtonRole, Callable[[], object]]]


class Question(QMessageBox):
    """Asks; each of `answers` has the words of a button, its role, and what is called when it is chosen."""

    def __init__(self, parent: QWidget, title: str, text: str, answers: Answers) -> None:
        super().__init__(parent)
        self.setObjectName("question")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(title)
        self.setText(title)
        self.setInformativeText(text)
        self.setIcon(QMessageBox.Icon.Question)
        self._answers = {words: done for words, (_, done) in answers.items()}
        for words, (role, _) in answers.items():
            button = self.addButton(words, role)
            if role == QMessageBox.ButtonRole.RejectRole:
                self.setEscapeButton(button)
            if role == QMessageBox.ButtonRole.AcceptRole:
                self.setDefaultButton(button)
        self.buttonClicked.connect(self._clicked)

    @Slot(QAbstractButton)
    def _clicked(self, button: QAbstractButton) -> None:
        self._answers[button.text()]()


def ask(parent: QWidget, title: str, text: str, answers: Answers) -> Question:
    """Show the question over `parent`."""
    question = Question(parent, title, text, answers)
    question.open()
    return question


def nothing() -> None:
    """What the answer "leave it" does."""
