"""Names of files in narrow places: broken over lines, and where even these have no room, shortened where two names differ least.

Separate from the list that shows them; knows no files, only words and how wide letters are.
"""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QModelIndex, QObject, QPersistentModelIndex, QSize
from PySide6.QtWidgets import QStyledItemDelegate, QStyleOptionViewItem

LINES = 3  # of an item: of the name, and what became of the photo
ROOM = 28  # px of an item that are neither picture nor words
KEPT = 4000  # names whose lines are kept, as a list is painted often
_BREAKS = " _-,;)]"
_GAP = "…"
_LINE = "\u2028"  # what Qt makes of the end of a line


def lines_of(name: str, width: float, wide: Callable[[str], float], most: int) -> list[str]:
    """`name` on up to `most` lines of `width`, as `wide` measures words, broken behind spaces and the like where that can be.

    What has no room is left out behind the first line: files of a series are told apart by how their names end.
    """
    lines = _broken(name, width, wide)
    if len(lines) <= most:
        return lines
    if most < 2:
        return [_from_end(name, width, wide)]
    head, rest = lines[0], name[len(lines[0]) :]
    for start in range(len(rest)):
        tail = _broken(_GAP + rest[start:].lstrip(), width, wide)
        if len(tail) < most:
            return [head.rstrip(), *tail]
    return [head.rstrip()]


def _broken(words: str, width: float, wide: Callable[[str], float]) -> list[str]:
    lines = []
    while words:
        end = len(words)
        while end > 1 and wide(words[:end].rstrip()) > width:
            end -= 1
        if end < len(words):
            places = [n + 1 for n in range(end) if words[n] in _BREAKS]
            if places and places[-1] >= end / 2:
                end = places[-1]
        lines.append(words[:end])
        words = words[end:]
    return lines


def _from_end(name: str, width: float, wide: Callable[[str], float]) -> str:
    for start in range(len(name)):
        shown = (_GAP if start else "") + name[start:]
        if wide(shown) <= width:
            return shown
    return _GAP


class NamesDelegate(QStyledItemDelegate):
    """Shows the first line of an item's text over as many lines as there are, and the others below it as they are."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._known: dict[tuple[str, int], str] = {}

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        name, _, below = option.text.partition(_LINE)  # type: ignore[attr-defined]
        rect, icon = option.rect, option.decorationSize  # type: ignore[attr-defined]
        width = rect.width() - icon.width() - ROOM
        if width <= 0:
            return
        key = (option.text, width)  # type: ignore[attr-defined]
        if key not in self._known:
            if len(self._known) > KEPT:
                self._known.clear()
            metrics = option.fontMetrics  # type: ignore[attr-defined]
            most = LINES - below.count(_LINE) - 1 if below else LINES
            lines = lines_of(name, width, metrics.horizontalAdvance, most)
            self._known[key] = _LINE.join([*(line.rstrip() for line in lines), *([below] if below else [])])
        option.text = self._known[key]  # type: ignore[attr-defined]

    def sizeHint(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> QSize:
        size = super().sizeHint(option, index)
        lines = LINES * option.fontMetrics.lineSpacing() + 12  # type: ignore[attr-defined]
        return QSize(0, max(size.height(), lines))  # as wide as the list
