"""Tab goes as one reads: from left to right and from top to bottom, whatever was made first.

Qt goes in the order in which widgets were made, and what is made anew, such as the chips of faces or the rows of options, comes
last. So the order is taken from where things stand, each time that it is asked for. Knows no workspace.
"""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QAbstractItemView, QAbstractSpinBox, QComboBox, QScrollArea, QWidget

_WHOLE = (QAbstractItemView, QAbstractSpinBox, QComboBox)  # what is inside of them belongs to them


def stops(root: QWidget) -> list[QWidget]:
    """The widgets below `root` at which Tab stops, as one reads; `root` itself is none."""
    found: list[QWidget] = []
    for widget in _as_read(root):
        stop = bool(widget.focusPolicy() & Qt.FocusPolicy.TabFocus) and widget.focusProxy() is None
        if stop and not isinstance(widget, QScrollArea):
            found.append(widget)
        if not isinstance(widget, _WHOLE):
            found += stops(widget)
    return found


def step(root: QWidget, focused: QWidget | None, forward: bool) -> bool:
    """Give the focus to the stop below `root` that comes after `focused`, or before it; round and round. False without any."""
    order = stops(root)
    if not order:
        return False
    if focused in order:
        place = (order.index(focused) + (1 if forward else -1)) % len(order)
    else:
        place = 0 if forward else -1
    reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
    order[place].setFocus(reason)
    _show(order[place])
    return True


def _as_read(parent: QWidget) -> list[QWidget]:
    """The children of `parent` that can be used, row by row."""
    usable = [
        child
        for child in parent.children()
        if isinstance(child, QWidget) and not child.isWindow() and child.isVisible() and child.isEnabled()
    ]
    rows: list[list[QWidget]] = []
    for child in sorted(usable, key=lambda child: child.y()):
        if rows and _beside(rows[-1][0], child):
            rows[-1].append(child)
        else:
            rows.append([child])
    return [child for row in rows for child in sorted(row, key=lambda child: (child.x(), child.y()))]


def _beside(one: QWidget, other: QWidget) -> bool:
    """Whether both stand in one row: at least half of the lower one is beside the other."""
    a, b = one.geometry(), other.geometry()
    shared = min(a.bottom(), b.bottom()) - max(a.top(), b.top()) + 1
    return 2 * shared >= min(a.height(), b.height())


def _show(widget: QWidget) -> None:
    """Scroll every area around `widget` to where it is seen."""
    around = widget.parentWidget()
    while around is not None:
        if isinstance(around, QScrollArea):
            around.ensureWidgetVisible(widget)
        around = around.parentWidget()
