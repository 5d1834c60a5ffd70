"""The flags `anonymize --consistent`, `--similar` and `--key`: whether they go together, and the secret that they name."""

from __future__ import annotations

from pathlib import Path

from facestudio.cli.console import Screen
from facestudio.ensemble import check
from facestudio.errors import UsageError
from facestudio.secret import Secret, open_key
from facestudio.studio import Studio


def check_people(
    studio: Studio, checkpoint: str, output: Path, *, consistent: bool, similar: bool, key: Path | None, resume: bool
) -> None:
    """UsageError when what was asked for makes no sense; nothing is written."""
    if key is not None and not consistent:
        raise UsageError("--key holds the secret of --consistent; use both together.")
    check(studio, checkpoint, output, consistent=consistent, similar=similar, key=key)
    if consistent and resume and key is None:
        raise UsageError(
            "A run with --consistent can be resumed only with its key file: without one its secret is lost.",
            hint="Use --key FILE, in the first run as well.",
        )


def the_secret(key: Path | None, screen: Screen) -> Secret:
    """The secret in the file `key`, which is made when it is not there; without `key` one for this run alone."""
    if key is None:
        return Secret()
    secret, warning = open_key(key)
    if warning:
        screen.warn(warning)
    return secret
