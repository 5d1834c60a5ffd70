"""Lengths for text of any size: people who set their system's text larger need words and fields that grow with it."""

from __future__ import annotations

import re

from PySide6.QtGui import QFontMetrics, QGuiApplication

USUAL = 14  # px that a line of text is high where nobody changed its size
SAME = 1.25  # text that is larger by less counts as of the usual size: systems differ a little
_OF_TEXT = re.compile(
    r"(font-size|min-height): (\d+)(pt|px)(?!; max-height)"
)  # what has a greatest height as well is no text


def times() -> float:
    """How many times as large as usual text is here; 1 where it is about so, or smaller."""
    factor = QFontMetrics(QGuiApplication.font()).height() / USUAL
    return 1.0 if factor < SAME else factor


def scaled(length: int) -> int:
    """A `length` in px that holds text of the usual size, for text as large as it is here."""
    return round(length * times())


def widened(length: int) -> int:
    """A `length` in px of something that holds other things besides text, or text that can go on on the next line."""
    return round(length * (1 + times()) / 2)


def sheet_scaled(sheet: str) -> str:
    """A style `sheet`, whose sizes of text and of fields are meant for the usual one, for text as large as it is here."""
    return _OF_TEXT.sub(lambda match: f"{match[1]}: {round(int(match[2]) * times())}{match[3]}", sheet)
