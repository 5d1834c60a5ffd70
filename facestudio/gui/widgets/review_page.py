"""The review of one photo: before and after side by side, below a card a face, above which photo it is and the way to others."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, QTimer, Signal, Slot
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QScrollArea, QToolButton, QVBoxLayout, QWidget

from facestudio.gui.anonymize_rows import TONES
from facestudio.gui.reviewing import Review
from facestudio.gui.text_size import scaled
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.anonymize_boxes import PathLabel
from facestudio.gui.widgets.review_card import ReviewCard
from facestudio.gui.widgets.view import SIDE
from facestudio.gui.widgets.viewer import Viewer

CARDS, ADD = 216, 112  # px of the row's height, and of the width of the button beside it


class ReviewPage(QWidget):
    """Shows `review`."""

    back_asked = Signal()
    asked = Signal(int)  # place of another photo to look at

    def __init__(self, review: Review, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.review, self._theme = review, theme
        self.cards: list[ReviewCard] = []
        self.viewer = Viewer(review, theme)
        self.viewer.set_mode(SIDE)
        self.message = QLabel()
        self.message.setObjectName("reviewMessage")
        self.message.setWordWrap(True)
        self.message.setTextFormat(Qt.TextFormat.PlainText)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self._make_head())
        layout.addWidget(self.message)
        layout.addWidget(self.viewer, 1)
        layout.addWidget(self._make_cards())
        review.photo_changed.connect(self._show_photo)
        review.faces_changed.connect(self._show_faces)
        review.selection_changed.connect(self._show_states)
        review.work_changed.connect(self._show_states)
        theme.changed.connect(self._draw)
        self._draw()
        self._show_photo()

    def _make_head(self) -> QWidget:
        head = QWidget()
        head.setObjectName("galleryHead")
        head.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.back = QPushButton("All photos")
        self.back.setToolTip("Back to the table (Esc)")
        self.back.clicked.connect(self.back_asked)
        self.name, self.status = PathLabel(), QLabel()
        self.status.setObjectName("chipTitle")
        self.earlier, self.later = QToolButton(), QToolButton()
        self.earlier.setToolTip("The previous photo (PgUp)")
        self.earlier.setAccessibleName("The photo before")
        self.later.setToolTip("The next photo (PgDown)")
        self.later.setAccessibleName("The next photo")
        for button in (self.earlier, self.later):
            button.setIconSize(QSize(18, 18))
        self.earlier.clicked.connect(self._go_back)
        self.later.clicked.connect(self._go_on)
        self.next_waiting = QPushButton("Next to review")
        self.next_waiting.setToolTip("The next photo that a person must look at (Ctrl+J)")
        self.next_waiting.clicked.connect(self.go_to_waiting)
        row = QHBoxLayout(head)
        row.setContentsMargins(12, 7, 12, 7)
        row.setSpacing(8)
        row.addWidget(self.back)
        row.addSpacing(6)
        row.addWidget(self.name, 1)
        for widget in (self.status, self.earlier, self.later, self.next_waiting):
            row.addWidget(widget)
        return head

    def _make_cards(self) -> QWidget:
        self.add = QPushButton("Add a face\nby hand")
        self.add.setObjectName("addFace")
        self.add.setToolTip("Drag a box around a face that was missed (F4)")
        self.add.setFixedSize(scaled(ADD), scaled(CARDS - 32))
        self.add.clicked.connect(self.draw_box)
        self._row = QWidget()
        self._row.setObjectName("chipRow")
        self._line = QHBoxLayout(self._row)
        self._line.setContentsMargins(12, 10, 12, 10)
        self._line.setSpacing(10)
        self._line.addStretch(1)
        scroll = QScrollArea()
        scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # what is in it can be reached
        scroll.setObjectName("chipScroll")
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setVerticalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(self._row)
        scroll.setFixedHeight(scaled(CARDS))
        self._scroll = scroll
        strip = QWidget()
        strip.setObjectName("faceStrip")
        strip.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        line = QHBoxLayout(strip)
        line.setContentsMargins(0, 1, 12, 0)
        line.addWidget(scroll, 1)
        line.addWidget(self.add)
        return strip

    # ---- what is shown

    @Slot()
    def _draw(self) -> None:
        self.earlier.setIcon(self._theme.icon("earlier"))
        self.later.setIcon(self._theme.icon("later"))
        self._show_head()

    @Slot()
    def _show_photo(self) -> None:
        self._show_head()
        review = self.review
        if review.row is None:
            words = ""
        elif review.opening:
            words = f"Opening {review.row.name}…"
        else:
            words = review.problem
        self._say(words)

    def _say(self, words: str) -> None:
        self.message.setText(words)
        self.message.setVisible(bool(words))

    def _show_head(self) -> None:
        review, row = self.review, self.review.row
        self.name.show_words(row.name if row else "", str(row.path) if row else "")
        self.status.setText(row.status.capitalize() if row else "")
        self.status.setToolTip(row.reason if row else "")
        if row is not None:
            self.status.setStyleSheet(f"color: {self._theme.colour(TONES.get(row.status, 'text')).name()};")
        self.earlier.setEnabled(review.neighbour(-1) is not None)
        self.later.setEnabled(review.neighbour(1) is not None)
        self.next_waiting.setEnabled(review.next_waiting is not None)

    @Slot()
    def _show_faces(self) -> None:
        for card in self.cards:
            self._line.removeWidget(card)
            card.hide()
            card.deleteLater()
        self.cards = []
        for index, face in enumerate(self.review.shown_faces):
            card = ReviewCard(index, face, self._theme)
            card.chosen.connect(self.review.toggle_face)
            card.again_asked.connect(self.review.try_again)
            card.hide_asked.connect(self.review.obscure)
            card.leave_asked.connect(self.review.leave)
            card.deny_asked.connect(self.review.deny)
            self._line.insertWidget(index, card)
            self.cards.append(card)
        self._show_photo()
        reviewed = self.review.reviewed
        if reviewed is not None and not reviewed.written:
            self._say("No result was written for this photo. Shown is what the method makes of it.")
        elif reviewed is not None and not reviewed.faces:
            self._say("No face was found in this photo. If there is one, add it by hand.")
        self._show_states()

    @Slot()
    def _show_states(self) -> None:
        review = self.review
        for card in self.cards:
            card.show_state(not review.obstacle, card.index in review.selected)
        QTimer.singleShot(0, self._show_chosen)  # once the row has its new width
        self.add.setEnabled(review.can_add)
        self.add.setVisible(review.reviewed is not None)
        self._show_head()

    @Slot()
    def _show_chosen(self) -> None:
        for card in self.cards:
            if card.index in self.review.selected:
                self._scroll.ensureWidgetVisible(card)

    # ---- what is done

    @property
    def chosen(self) -> ReviewCard | None:
        """The face that keys are about: the chosen one, or the first that is in question."""
        selected = [card for card in self.cards if card.index in self.review.selected]
        waiting = [card for card in self.cards if card.leave.isEnabled()]
        return next(iter([*selected, *waiting, *self.cards]), None)

    @Slot()
    def try_again(self) -> None:
        if self.chosen is not None:
            self.chosen.again.click()

    @Slot()
    def obscure(self) -> None:
        if self.chosen is not None:
            self.chosen.hide_it.click()

    @Slot()
    def leave(self) -> None:
        if self.chosen is not None:
            self.chosen.leave.click()

    @Slot()
    def deny(self) -> None:
        if self.chosen is not None:
            self.chosen.deny.click()

    @Slot()
    def draw_box(self) -> None:
        """Let the user draw a box around a face that nobody worked on."""
        self.viewer.draw_box(not self.viewer.drawing.active)

    @Slot()
    def _go_back(self) -> None:
        self.go(-1)

    @Slot()
    def _go_on(self) -> None:
        self.go(1)

    def go(self, step: int) -> None:
        """Look at the next photo in the direction of `step`."""
        place = self.review.neighbour(step)
        if place is not None:
            self.asked.emit(place)

    @Slot()
    def go_to_waiting(self) -> None:
        """Look at the next photo that a person must look at."""
        place = self.review.next_waiting
        if place is not None:
            self.asked.emit(place)
