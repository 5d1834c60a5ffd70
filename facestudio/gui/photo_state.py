"""How things stand with the photo that is open: what can be done with it now, and what is said of it.

Separate from the window, which shows this and decides nothing.
"""

from __future__ import annotations

from facestudio.files import whole
from facestudio.gui.following import made_with
from facestudio.gui.session import Session
from facestudio.gui.work import Opened
from facestudio.quarters import words as words_of


def possible(session: Session, drawing: bool) -> dict[str, bool]:
    """Of the commands of Restore that wait for something, by their names, whether they can be given now.

    `drawing`: whether a box is being drawn, which `stop` ends.
    """
    opened, history, doing = session.opened, session.history, session.doing
    source = opened.source if opened else None
    there = opened is not None
    stoppable = (bool(doing) and not session.stopping) or drawing or bool(session.opening or session.marking.tool)
    return {
        "save": session.results.can_save,
        "save_as": session.results.can_save,
        "copy": there,
        "undo": history.can_undo and not doing,
        "redo": history.can_redo and not doing,
        "restore": not session.obstacle,
        "restore_all": not session.restoring_all.obstacle,
        "stop": stoppable,
        "add_face": session.can_add,
        **dict.fromkeys(("turn_left", "turn_right"), session.turning.possible),
        "figures": bool(session.judged),
        "compare": bool(session.faces) and not doing,
        "find_faces": there and not doing and not history.can_undo and not history.can_redo,
        "tick_all": bool(session.faces),
        "tick_none": bool(session.faces),
        "previous": session.files.neighbour(source, -1) is not None,
        "next": session.files.neighbour(source, 1) is not None,
        **dict.fromkeys(("fit", "actual", "zoom_in", "zoom_out"), there),
        "original": history.current is not None,
        "reset_options": bool(session.offer and session.offer.options),
    }


def name_of(opened: Opened) -> str:
    """What the open photo is called."""
    return opened.name if opened.source is None else whole(opened.source)


def words(session: Session) -> str:
    """What is open, for the status line: its name, size and format, with what it was restored, and what is odd about it."""
    opened, step = session.opened, session.history.current
    if session.opening:
        return f"Opening {session.opening}…"
    if opened is None:
        return "Photos stay on this computer."
    width, height = opened.photo.size
    size = f"{width} × {height}"
    if opened.photo.turn:
        size += f", turned by {words_of(opened.photo.turn)}"
    if step is not None and step.times > 1:
        size += f", enlarged to {width * step.times} × {height * step.times}"
    made = () if step is None else (made_with(step, session.offers or ()),)
    return "   ".join((name_of(opened), size, opened.photo.format, *made, *opened.photo.notes))
