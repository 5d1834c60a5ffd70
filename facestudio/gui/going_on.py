"""How results that are there were made, so that a run of another day can be gone on with as it was begun.

Separate from `anonymizing` because it is all rules and no state. What the panel cannot say, such as faces that were chosen on the
command line, it cannot go on with either.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from facestudio.anonymize_settings import HIDING, NO_FALLBACK, Settings
from facestudio.errors import UsageError
from facestudio.gui.anonymize_rows import Row

OTHER = "other settings"


def settings_before(rows: Iterable[Row], far: float) -> Settings | None:
    """What most of those `rows` were made with whose results other settings made.

    None where there are none, where a result is as it is asked for now, and where the panel cannot say those settings; `far` is
    the rate that verdicts are given at now.
    """
    written = [row for row in rows if row.output is not None]
    texts = Counter(row.settings for row in written if row.doubt == OTHER and row.settings)
    if not texts or any(not row.doubt for row in written):
        return None
    try:
        found = Settings.from_text(texts.most_common(1)[0][0])
    except UsageError:
        return None
    shown = Settings(found.recipe, far=far)
    said = found.fallback in (HIDING, NO_FALLBACK) and all(
        getattr(found, name) == getattr(shown, name) for name in ("faces", "box", "tries", "far", "leave")
    )
    return found if said else None
