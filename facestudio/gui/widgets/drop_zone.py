"""What stands where no photo is yet: it says what can be dropped. And the frame that appears while something is dragged."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QMimeData, QPoint, QRectF, Qt, QUrl, Signal, Slot
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QPen, QRegion
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from facestudio.formats import WORDS
from facestudio.gui.session import Session
from facestudio.gui.theme import Theme
from facestudio.gui.widgets.elided_label import ElidedLabel

ICON = 72


class DropZone(QWidget):
    """The empty state."""

    open_asked = Signal()
    folder_asked = Signal()

    def __init__(self, session: Session, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("dropZone")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._session, self._theme = session, theme
        self._icon = QLabel()
        self.title = ElidedLabel()  # the name of what is opened may be long
        self.title.setText("Drop a photo here")
        self.title.setObjectName("dropTitle")
        self.text = QLabel(f"{WORDS},\none photo, several, or a folder. Ctrl+V pastes a picture.")
        self.text.setObjectName("dropText")
        self.text.setWordWrap(True)
        choose = QPushButton("Open a photo…")
        choose.setObjectName("primary")
        choose.clicked.connect(self.open_asked)
        folder = QPushButton("Open a folder…")
        folder.clicked.connect(self.folder_asked)
        self.choose, self.folder = choose, folder
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addStretch(1)
        buttons.addWidget(choose)
        buttons.addWidget(folder)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setSpacing(12)
        layout.setContentsMargins(40, 40, 40, 40)
        layout.addStretch(1)
        for label in (self._icon, self.title, self.text):
            label.setAlignment(Qt.AlignmentFlag.AlignCenter)
            layout.addWidget(label)
        layout.addSpacing(8)
        layout.addLayout(buttons)
        layout.addStretch(1)
        session.opening_changed.connect(self._tell)
        theme.changed.connect(self._draw)
        self._draw()

    @Slot()
    def _tell(self) -> None:
        name = self._session.opening
        self.title.setText(f"Opening {name}…" if name else "Drop a photo here")

    @Slot()
    def _draw(self) -> None:
        pixmap = self._theme.pixmap("photo", ICON * 2, "muted")
        pixmap.setDevicePixelRatio(2)
        self._icon.setPixmap(pixmap)

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        paint_frame(self, self._theme)


def paint_frame(widget: QWidget, theme: Theme) -> None:
    """The dashed frame of a place where something can be dropped."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(theme.colour("border"), 2, Qt.PenStyle.DashLine))
    painter.drawRoundedRect(QRectF(widget.rect()).adjusted(22, 22, -22, -22), 14, 14)


class DropOverlay(QWidget):
    """Lies over the window while something that can be opened is dragged across it; takes no events itself.

    It leaves out a widget on which the drop means something else.
    """

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("dropOverlay")
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self._theme = theme
        self._open = QRegion()
        self.hide()

    def show_over(self, but: QWidget | None = None) -> None:
        """Cover the parent, `but` for what is seen of this widget."""
        parent = self.parentWidget()
        self._open = QRegion()
        if parent is not None:
            self.setGeometry(parent.rect())
            if but is not None and but.isVisible() and but.acceptDrops():
                self._open = but.visibleRegion().translated(but.mapTo(parent, QPoint(0, 0)))
        self.raise_()
        self.show()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setClipRegion(QRegion(self.rect()) - self._open)
        veil = self._theme.colour("window")
        veil.setAlphaF(0.94)
        painter.fillRect(self.rect(), veil)
        inside = QRectF(self.rect()).adjusted(18, 18, -18, -18)
        tint = self._theme.colour("accent")
        painter.setPen(QPen(tint, 3, Qt.PenStyle.DashLine))
        tint.setAlphaF(0.12)
        painter.setBrush(tint)
        painter.drawRoundedRect(inside, 14, 14)
        font = self.font()
        font.setPointSize(20)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        painter.drawText(inside, Qt.AlignmentFlag.AlignCenter, "Drop to open")


def paths_in(data: QMimeData) -> list[Path]:
    """The local files that `data` names."""
    urls = data.urls() if data.hasUrls() else [QUrl(line) for line in data.text().split() if line.startswith("file:")]
    return [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]


def image_in(data: QMimeData) -> QImage | None:
    """The picture that `data` holds without a file, such as one from a browser."""
    image = data.imageData() if data.hasImage() else None
    if image is None or image.isNull():
        return None
    found: QImage = image.toImage() if hasattr(image, "toImage") else image  # some systems hand over a pixmap
    return found
