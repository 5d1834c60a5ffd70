"""The photos of the list restored into a folder: one job on the compute queue, by the recipe that the panel shows.

Beside `work`, because it is many photos: `batch` does them one after the other, one that fails stops no other, and a journal lets
the same folder be gone on with. Nothing here touches a widget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from facestudio.errors import UsageError
from facestudio.files import shown
from facestudio.formats import format_of
from facestudio.gui.brought import kept_of
from facestudio.mending import BY_HAND
from facestudio.planning import places
from facestudio.progress import Progress

if TYPE_CHECKING:
    from facestudio.gui.brought import Kept
    from facestudio.outcomes import Outcome
    from facestudio.photo import Photo
    from facestudio.recipe import Recipe
    from facestudio.results import Result
    from facestudio.studio import Studio

WORDS = {
    "ok": "restored",
    "partial": "restored in part",
    "mended": "only mended",
    "skipped": "without a face",
    "failed": "failed",
}
_GOOD = ("ok", "partial")


@dataclass(frozen=True)
class Restored:
    """What became of all photos: the folder `out`, and an outcome for each; how many were saved with fewer bits, and how many
    have a mask of scratches, None where no masks were asked for."""

    out: Path
    outcomes: tuple[Outcome, ...]
    deep: int = 0
    masks: int | None = None

    @property
    def words(self) -> str:
        """How many came out how, in a sentence."""
        number = sum(outcome.status in _GOOD for outcome in self.outcomes)
        said = f"Restored {number} of {len(self.outcomes)} photos into {shown(self.out)}"
        counts = {words: sum(o.status == status for o in self.outcomes) for status, words in WORDS.items()}
        rest = [f"{count} {words}" for words, count in counts.items() if count and words != WORDS["ok"]]
        rest += [] if self.masks is None else [f"{self.masks} with a scratch mask"]
        words = "; ".join([said, *([", ".join(rest)] if rest else [])])
        if not self.deep:
            return words
        which = "one of them is" if self.deep == 1 else f"{self.deep} of them are"
        return (
            f"{words}; {which} saved with 8 bits per colour, the original{'s have' if self.deep > 1 else ' has'} more"
        )

    @property
    def reasons(self) -> tuple[tuple[Path, str], ...]:
        """The photos that are not there, or not whole, and why."""
        return tuple((outcome.source, outcome.error) for outcome in self.outcomes if outcome.error)


def restore_all(
    studio: Studio,
    given: Sequence[Path],
    out: Path,
    recipe: Recipe,
    told: Callable[[Path, str], None],
    progress: Progress,
    metadata: str = "keep",
    keep: Callable[[Path, Kept], None] | None = None,
    masks: Path | None = None,
) -> Restored:
    """Restore every face of the photos that are `given`, and of those in folders, into the folder `out`, which keeps their tree.

    `told` hears of each photo what became of it, on this thread. What a run by the same recipe has done there before is kept;
    other files are not replaced. `metadata`: the policy of `Photo.save`. `keep` is given, on this thread, what is needed to show
    the result of a photo later. With `masks`, a folder, each photo is mended by the mask of its name (`PhotoMasks`), and one that
    has none by the recipe; where that is by hand, not at all. UsageError when `out` cannot be the folder for these photos, or
    `masks` not that of their masks.
    """
    from facestudio import batch
    from facestudio.journal import Journal

    if out.exists() and not out.is_dir():
        raise UsageError(f"{shown(out)} is a file.", hint="Choose a folder.")

    planned = batch.Plan(batch.survey(given, out).items)
    files = [path for item in planned.items for path in (item.source, item.target)]
    taken = None if masks is None else studio.scratch_masks(masks, places(planned, out), given, files)

    def work(photo: Photo, progress: Progress) -> Result:
        by_hand = None if taken is None or photo.path is None else taken.of(photo.path)
        plain = by_hand is not None or recipe.scratches == BY_HAND
        wanted = replace(recipe, scratches="") if plain else recipe
        seen = studio.mended(photo, wanted.scratches, progress, by_hand)
        faces = studio.detect_behind(photo, seen, progress)
        return studio.restore(photo, faces, wanted, None, progress, by_hand=by_hand)

    deep: list[Path] = []

    def done(outcome: Outcome) -> None:
        result, output = outcome.result, outcome.output
        if output is not None and result is not None and result.after.loses_depth(format_of(output)):
            deep.append(outcome.source)
        kept = kept_of(outcome, metadata) if keep is not None else None
        if keep is not None and kept is not None:
            keep(outcome.source, kept)
        told(outcome.source, WORDS.get(outcome.status, outcome.status))

    settings = " ".join([recipe.to_json(), f"{studio.far:g}", *studio.own_judges()])
    if metadata != "keep":
        settings += f" metadata {metadata}"
    journal = Journal(out, settings, None if taken is None else taken.own_settings)
    outcomes = batch.run(
        planned,
        batch.Here(work, studio.open),
        writing=batch.Writing(metadata=metadata),
        earlier=batch.Earlier(journal, resume=True),
        audience=batch.Audience(progress, done),
    )
    return Restored(out, tuple(outcomes), len(deep), None if taken is None else taken.number)
