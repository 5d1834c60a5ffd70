"""What `anonymize --consistent` does before a photo is changed: it makes or reads a secret and looks for people in all photos."""

from __future__ import annotations

from pathlib import Path

from facestudio.album import Album, Find
from facestudio.cli.console import Screen
from facestudio.cli.report import count
from facestudio.errors import UsageError
from facestudio.journal import DONE, Journal
from facestudio.methods.base import method_name
from facestudio.planning import Plan
from facestudio.progress import Progress
from facestudio.secret import Secret, check_place, open_key
from facestudio.studio import Studio


def check_similar(studio: Studio, checkpoint: str, similar: bool) -> None:
    """UsageError when the checkpoint's method makes nobody who could be similar."""
    if similar and not studio.makes_people(checkpoint):
        raise UsageError(
            f"{checkpoint} makes nobody else of a face, so --similar has nobody to choose.", hint=_others(studio)
        )


def check_consistent(
    studio: Studio, checkpoint: str, output: Path, consistent: bool, key: Path | None, resume: bool
) -> None:
    """UsageError when what was asked for makes no sense; nothing is written."""
    if key is not None:
        if not consistent:
            raise UsageError("--key is the secret of --consistent; name both.")
        check_place(key, output)
    if not consistent:
        return
    if not studio.makes_people(checkpoint):
        raise UsageError(
            f"{checkpoint} makes nobody else of a face, so --consistent has nobody to keep.", hint=_others(studio)
        )
    if resume and key is None:
        raise UsageError(
            "A run can only be gone on with --consistent by its key: without one its secret is gone.",
            hint="Name it by --key, also in the first run.",
        )


def _others(studio: Studio) -> str:
    able = [method_name(entry) for entry in studio.anonymize_checkpoints() if studio.makes_people(entry.id)]
    return f"Choose --method {' or '.join(dict.fromkeys(able))}." if able else ""


def the_secret(key: Path | None, screen: Screen) -> Secret:
    """The secret in the file `key`, which is made when it is not there; without `key` one for this run alone."""
    if key is None:
        return Secret()
    secret, warning = open_key(key)
    if warning:
        screen.complain(warning)
    return secret


def see_people(album: Album, planned: Plan, find: Find, progress: Progress, journal: Journal | None) -> str:
    """Look for people in all photos and say whom each becomes, as an earlier run in the `journal` did; a sentence about it."""
    album.look([item.source for item in planned.items], find, progress)
    if journal is not None:
        with journal:
            for item in planned.items:
                if journal.state(item.source, item.target) == DONE:
                    record = journal.record(item.source)
                    if record["output"] is not None:  # nobody has seen whom they became in what was not written
                        album.keep(item.source, record)
    album.assign(progress)
    seen = "1 person was" if album.people == 1 else f"{album.people} people were"
    return f"{seen} recognised in {count(len(planned.items), 'photo')}."
