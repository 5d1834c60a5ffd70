"""What is said of a checkpoint in the dialog of weights: its state in a word or two, and in sentences with what to do.

Separate from the dialog, which only lays out and asks. It knows no widget.
"""

from __future__ import annotations

from facestudio import importing, store
from facestudio.gui.weights import CORRUPT, MISSING, PRESENT, Row
from facestudio.manifest import STARTER


def state_in_words(row: Row) -> str:
    """The state of a checkpoint in a word or two."""
    here = "comes with Face Studio" if row.entry.source == STARTER else "here"
    if row.entry.published and row.entry.embeds:
        here += ", calibrated" if row.entry.recognises else ", not calibrated"
    words = {PRESENT: here, MISSING: "not here" if row.entry.published else "missing", CORRUPT: "damaged"}
    return words[row.state]


def state_in_sentences(row: Row, others_judge: bool) -> str:
    """What is here, and what to do; `others_judge`: whether recognisers that the user calibrated are asked."""
    entry, size = row.entry, store.in_words(row.bytes)
    if row.state == PRESENT:
        checked = ", and verified just now" if row.verified else ""
        where = next(iter(entry.files.values())).path.parent
        return f"Here: {size} in {where}{checked}.{_calibration(row, others_judge)}"
    if not entry.published:
        return "The installation is incomplete. Install Face Studio again; the starter weights come with it."
    if row.state == CORRUPT:
        return "Damaged: the files are not what was imported. Download or import them again."
    lacking = importing.names(entry, missing=True)
    which = importing.listed(lacking)
    if len(lacking) < len(importing.names(entry)):
        return f"Here in part; {which} missing."
    way = importing.by_hand(entry) if row.obstacle else f"Download {which}, or import the file if you have it."
    return f"Not here. {way}"


def _calibration(row: Row, others_judge: bool) -> str:
    """What is to be said of the calibration of a recogniser that others published; "" of other weights."""
    entry, own = row.entry, row.entry.own
    if not (entry.published and entry.embeds):
        return ""
    if own is None:
        return " It judges nothing until it is calibrated on photos of people you know."
    if not entry.recognises:
        return " It was calibrated with other weights, so it judges nothing. Calibrate it again."
    judges = "so it judges" if others_judge else "but judging is turned off"
    return f" Calibrated on {own.people} people you know ({own.faces} faces, {own.date}), {judges}."
