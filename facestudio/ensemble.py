"""The people of a run over many photos: who becomes whom, where it is wanted the same in all of them.

Between `album`, which knows who is in photos, and whoever runs it, window or command line: it looks for people once, lets those
whom an earlier run finished stay whom they became, and tells each photo. An ensemble outlives a run that was stopped, so that
what was seen is not looked for again. Knows no window and no flags.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facestudio.album import Album, Find
from facestudio.anonymize_settings import Settings
from facestudio.anonymized import Anonymized
from facestudio.casting import Cast, Pseudonym
from facestudio.errors import UsageError
from facestudio.journal import DONE, Journal, stamp_of
from facestudio.methods.base import method_name
from facestudio.newcomers import Newcomers, from_text
from facestudio.photo import Photo
from facestudio.planning import Plan
from facestudio.progress import Progress
from facestudio.reviewing import Insisted, insisted, with_insisted
from facestudio.secret import Secret, check_place
from facestudio.trying import Choice

if TYPE_CHECKING:
    from facestudio.outcomes import Outcome
    from facestudio.studio import Studio


def check(
    studio: Studio, checkpoint: str, output: Path, *, consistent: bool = False, similar: bool = False, key: Path | None
) -> None:
    """UsageError when the checkpoint's method makes nobody who could stay the same or be similar, or when the `key` would lie
    in the folder `output`; nothing is written."""
    if consistent and key is not None:
        check_place(key, output)
    if (consistent or similar) and not studio.makes_people(checkpoint):
        able = [method_name(entry) for entry in studio.anonymize_checkpoints() if studio.makes_people(entry.id)]
        lack = "so nobody can stay the same." if consistent else "so nobody can be similar."
        raise UsageError(
            f"{checkpoint} does not replace people by others, {lack}",
            hint=f"Choose the method {' or '.join(dict.fromkeys(able))}." if able else "",
        )


class Ensemble:
    """Who becomes whom by the method of a `checkpoint`.

    Args:
        secret: with it a person becomes the same in all photos; None: each face somebody of its own.
        similar: whoever is drawn is like who it was in apparent age and gender presentation.
    """

    def __init__(self, studio: Studio, checkpoint: str, secret: Secret | None = None, similar: bool = False) -> None:
        self._studio, self._checkpoint = studio, checkpoint
        self._secret, self._similar = secret, similar
        self.album: Album | None = None
        self._insisted: dict[Path, tuple[Insisted, ...]] = {}
        self._newcomers = Newcomers()

    def gather(self, planned: Plan, find: Find, progress: Progress, journal: Journal | None = None) -> str:
        """Look for people in all photos that were not looked at, say whom each becomes, as the run of the `journal` (not open)
        did; a sentence about it, "" without a secret. Errors as of `Studio.album`; when it is stopped, what was seen is kept.
        The new faces that run has given out are known from then on, and none else.
        """
        self.recall(journal)
        if self._secret is None:
            return ""
        if self.album is None:
            self.album = self._studio.album(self._checkpoint, self._secret, self._similar)
        album = self.album
        album.look([item.source for item in planned.items], find, progress, self._studio.max_megapixels)
        if journal is not None:
            with journal:
                for item in planned.items:
                    if journal.state(item.source, item.target) == DONE:
                        record = journal.record(item.source)
                        if record["output"] is not None:  # nobody has seen whom they became in what was not written
                            album.keep(item.source, record)
        album.assign(progress)
        seen = "1 person was" if album.people == 1 else f"{album.people} people were"
        photos = len(planned.items)
        return f"{seen} recognised in {photos} photo{'' if photos == 1 else 's'}."

    def recall(self, journal: Journal | None) -> None:
        """Know the new faces that the run of the `journal` (not open) has given out, and none else."""
        self._newcomers = Newcomers()
        if journal is None or not journal.path.exists():
            return
        with journal:
            for newcomers in map(from_text, journal.asides()):
                for photo in {one.photo for one in newcomers}:
                    self._newcomers.add(photo, newcomers)

    def remember(self, planned: Plan, journal: Journal) -> None:
        """Let what persons insisted on in photos that are as they were when they were done, by whatever settings, be done when
        they are done anew; the `journal` is that of the folder, not open."""
        self._insisted = {}
        if not journal.path.exists():
            return
        with journal:
            for item in planned.items:
                entry = journal.entry(item.source)
                if entry is not None and (entry.size, entry.changed_ns) == stamp_of(item.source):
                    self._insisted[item.source] = insisted(json.loads(entry.record))

    def insisted(self, path: Path | None) -> tuple[Insisted, ...]:
        """The faces of the photo `path` that a person insists on."""
        return self._insisted.get(path, ()) if path is not None else ()

    def recast(self, path: Path, checkpoint: str, record: Mapping[str, Any]) -> Cast | None:
        """Whom the faces of the photo `path` become when a `checkpoint` does them again: the people that its `record` names, and
        those whom its other faces would have become, as far as that is known; None when nobody needs to be somebody.

        With another checkpoint than the run's they are its own people, the same for the same token."""
        if not self._studio.makes_people(checkpoint):
            return None
        persons: dict[int, Pseudonym] = {}
        if self._secret is not None:
            seen = self.album.told(path)[1] if self.album is not None else {}
            tokens = {index: person.token for index, person in seen.items()}
            tokens |= {index: str(face["person"]) for index, face in enumerate(record["faces"]) if face.get("person")}
            # of the people of this checkpoint, who may be others than those of the album
            persons = {n: self._studio.pseudonym(checkpoint, self._secret, token) for n, token in tokens.items()}
        others = {index: iter((person,)) for index, person in persons.items()}
        return self._cast(checkpoint, others)

    def _cast(self, checkpoint: str, persons: Mapping[int, Iterator[Pseudonym]]) -> Cast:
        """Of one photo, whose faces become these `persons`, the others somebody new."""
        return self._studio.cast(checkpoint, persons, self._newcomers, similar=self._similar)

    def anonymize(self, photo: Photo, settings: Settings, find: Find, progress: Progress) -> Anonymized:
        """Change the faces of `photo` that `find` finds by the `settings`; errors as of `Studio.anonymize`, and UsageError when
        others judge by now than the settings say, which the journal would keep."""
        if self._studio.own_judges() != settings.judges:
            raise UsageError(
                "Other recognisers judge by now than when this run began.",
                hint="Begin the run again, so that they judge all.",
            )
        album = self.album
        found, chosen = (album.found(photo) if album else None) or find(photo, progress)
        found, choice = with_insisted(found, self.insisted(photo.path), Choice(chosen, settings.leave))
        cast = album.cast(photo, self._newcomers) if album else self._cast(self._checkpoint, {})
        return self._studio.anonymize(
            photo, found, settings.recipe, choice, progress, effort=settings.effort, cast=cast
        )

    def finished(self, outcome: Outcome) -> None:
        """From now on the people of a photo that was written stay whom they became."""
        if outcome.output is None or outcome.result is None:
            return
        if self.album is not None:
            self.album.finished(outcome.result)
        if isinstance(outcome.result, Anonymized):
            self._newcomers.add(outcome.result.before.content_hash, outcome.result.newcomers)
