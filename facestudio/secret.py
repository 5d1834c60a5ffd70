"""A secret that says whom people become: random, kept in memory for one run, or in a key file that a person asked for.

Whoever has no secret learns nothing from what is made with it (HMAC: RFC 2104). A key file holds nothing but the secret, no
faces and no names. Separate because it knows neither. Standard library only.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from pathlib import Path

from facestudio.errors import UnwritableOutput, UsageError
from facestudio.files import real, shown

_HEADER = "Face Studio key 1: who has it can give people the same new faces again"
_KEY = re.compile(re.escape(_HEADER) + r"\n([0-9a-f]{64})\n?")
_LARGEST = 1024  # bytes of a file that is looked at


class Secret:
    """32 random bytes, or those given."""

    def __init__(self, content: bytes | None = None) -> None:
        self._content = secrets.token_bytes(32) if content is None else content
        if len(self._content) != 32:
            raise ValueError("a secret has 32 bytes")

    def __repr__(self) -> str:
        return f"Secret({self.name})"  # never what it holds

    @property
    def name(self) -> str:
        """Which secret it is, without telling it: the same for the same secret."""
        return self.token("name")

    def token(self, *words: str) -> str:
        """16 hexadecimal digits, always the same for the same secret and words."""
        return self._digest("token", words).hex()[:16]

    def seed(self, *words: str) -> int:
        """A seed in 0..2^63 - 1, always the same for the same secret and words."""
        return int.from_bytes(self._digest("seed", words)[:8], "big") >> 1

    def _digest(self, use: str, words: tuple[str, ...]) -> bytes:
        return hmac.digest(self._content, "\0".join((use, *words)).encode(), hashlib.sha256)


def check_place(key: Path, out: Path) -> None:
    """UsageError when the key file `key` would lie in the folder `out`, beside what it can undo."""
    if real(key).is_relative_to(real(out)):
        raise UsageError(
            f"The key {shown(key)} must not be in {out}, beside the photos that it belongs to.",
            hint="Keep it where nobody who gets the photos can find it.",
        )


def open_key(key: Path) -> tuple[Secret, str]:
    """The secret in the file `key`, which is made, for its owner alone, when there is none; and a warning, "" without one.

    UsageError when the file is something else, UnwritableOutput when it cannot be made.
    """
    try:
        return _made(key), ""
    except FileExistsError:
        return _read(key)
    except OSError as error:
        raise UnwritableOutput(
            f"The key {shown(key)} cannot be made: {error.strerror}.", hint="Choose another place for it."
        ) from error


def _made(key: Path) -> Secret:
    content = secrets.token_bytes(32)
    # O_EXCL: a link or another file is never written to; whole on the disk before anything is made with it
    descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{_HEADER}\n{content.hex()}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        os.unlink(key)
        raise
    return Secret(content)


def _read(key: Path) -> tuple[Secret, str]:
    hint = "Name another file; if it does not exist, it is created."
    try:
        status = os.stat(key)
        if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST:
            raise UsageError(f"The file {shown(key)} is not a Face Studio key.", hint=hint)
        found = _KEY.fullmatch(key.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise UsageError(f"The key {shown(key)} cannot be read.", hint=hint) from error
    if found is None:
        raise UsageError(f"The file {shown(key)} is not a Face Studio key.", hint=hint)
    others = os.name == "posix" and status.st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    warning = f"The key {shown(key)} can be read by others; `chmod 600` keeps it yours." if others else ""
    return Secret(bytes.fromhex(found[1])), warning
