"""Files, opened so that nothing can hang and written so that nothing can be lost.

Opening takes regular files only: a pipe or a device would block or never end. Writing goes to a hidden file beside the
target, which is renamed into place when it is whole, so that no half of a picture is ever seen under its name. Separate
because the dangers are the file system's and not a picture's; knows nothing of what the files hold.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Callable
from pathlib import Path
from typing import IO

from facestudio.errors import UnreadablePhoto, UnwritableOutput

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EINVAL}
_LONGEST_NAME = 60


def shown(path: Path | str) -> str:
    """The name of `path` for a message: on one line, short, and printable whatever bytes it is made of."""
    name = Path(path).name or str(path)
    name = "".join(c if c.isprintable() else "?" for c in name)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 12]}…{name[-10:]}"


def open_regular(path: Path) -> IO[bytes]:
    """Open an existing regular file for reading; UnreadablePhoto in one sentence when there is none."""
    name = shown(path)
    try:
        status = os.stat(path)
        if stat.S_ISDIR(status.st_mode):
            os.scandir(path).close()  # a folder that must not be looked into says so
        _check_regular(status, name)
        # the file may have been swapped since: do not block, and look again at what was really opened
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        descriptor = os.open(path, flags)
    except (OSError, ValueError) as error:
        raise UnreadablePhoto(*_why_unreadable(path, name, error)) from error
    file = os.fdopen(descriptor, "rb")
    try:
        status = os.fstat(descriptor)
        _check_regular(status, name)
        if status.st_size == 0:
            raise UnreadablePhoto(f"{name} is empty.", hint="Copy it again from where it came from.")
    except UnreadablePhoto:
        file.close()
        raise
    return file


def same_file(a: Path, b: Path) -> bool:
    """Whether both paths lead to one file, be it by a symbolic link, a hard link or another spelling."""
    try:
        return os.path.samefile(a, b)
    except (OSError, ValueError):
        return os.path.abspath(a) == os.path.abspath(b)


def write_beside(target: Path, write: Callable[[IO[bytes]], None], overwrite: bool = False) -> None:
    """Let `write` fill a hidden file beside `target`, then rename it into place; on any failure nothing is left.

    An existing `target` raises UnwritableOutput, also when it appears while `write` runs, unless `overwrite` is set; a
    link is then replaced and not followed. What `write` raises passes through, but for OSError.
    """
    name = shown(target)
    _check_target(target, name, overwrite)
    beside = target.parent / f".facestudio-{secrets.token_hex(8)}.part"
    try:
        # not tempfile: its files are private, and the result should get the rights that other new files get
        with open(beside, "xb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(beside, target)
        else:
            _place_new(beside, target)
    except FileExistsError as error:
        raise UnwritableOutput(f"{name} exists already.", hint="Choose another name, or allow overwriting.") from error
    except (OSError, ValueError) as error:
        raise UnwritableOutput(*_why_unwritable(target, name, error)) from error
    finally:
        _remove(beside)
    _sync_folder(target.parent)


def _place_new(beside: Path, target: Path) -> None:
    """Give `beside` the name `target`, which must not exist; there is no moment in which another file could be lost."""
    try:
        os.link(beside, target)
        return
    except FileExistsError:
        raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
    os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))  # no hard links here: take the name, then replace
    try:
        os.replace(beside, target)
    except OSError:
        _remove(target)
        raise


def _check_target(target: Path, name: str, overwrite: bool) -> None:
    try:
        status = os.lstat(target)
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise UnwritableOutput(*_why_unwritable(target, name, error)) from error
    if stat.S_ISDIR(status.st_mode) or target.is_dir():
        raise UnwritableOutput(f"{name} is a folder, so nothing can be written there.", hint="Choose another name.")
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISLNK(status.st_mode)):
        raise UnwritableOutput(f"{name} is not a file but a device or a pipe.", hint="Choose another name.")
    if not overwrite:
        raise UnwritableOutput(f"{name} exists already.", hint="Choose another name, or allow overwriting.")


def _check_regular(status: os.stat_result, name: str) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise UnreadablePhoto(f"{name} is a folder, not a photo.", hint="Choose a photo inside of it.")
    if not stat.S_ISREG(status.st_mode):
        raise UnreadablePhoto(f"{name} is not a file but a device or a pipe.", hint="Choose a photo's file.")


def _why_unreadable(path: Path, name: str, error: OSError | ValueError) -> tuple[str, str]:
    code = getattr(error, "errno", None)
    if code == errno.ELOOP:
        return f"{name} is a link that leads in a circle.", "Open the photo itself."
    if code in (errno.EACCES, errno.EPERM):
        return f"{name} cannot be read: you have no permission to.", "Change the file's permissions, or copy it."
    if code == errno.ENAMETOOLONG:
        return f"The name {name} is too long for this computer.", "Give the file a shorter name."
    if code == errno.ENOENT and os.path.islink(path):
        return f"{name} is a link to a file that is not there.", "Open the photo itself."
    if code in (errno.ENOENT, errno.ENOTDIR) or isinstance(error, ValueError):
        return f"There is no file {name}.", "Check the name and the folder."
    return f"{name} cannot be read: {_system_words(error)}.", "Copy it to this computer and try again."


def _why_unwritable(target: Path, name: str, error: OSError | ValueError) -> tuple[str, str]:
    code = getattr(error, "errno", None)
    folder = shown(target.parent)
    if code in (errno.ENOENT, errno.ENOTDIR):
        return f"{name} cannot be written: there is no folder {folder}.", "Make the folder, or choose another one."
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{name} cannot be written: the folder {folder} does not allow it.", "Choose another folder."
    if code in (errno.ENOSPC, errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC):
        return f"{name} cannot be written: the disk is full.", "Free some space, or choose another disk."
    if code == errno.ENAMETOOLONG:
        return f"The name {name} is too long for this folder.", "Choose a shorter name."
    return f"{name} cannot be written: {_system_words(error)}.", "Choose another folder or name."


def _system_words(error: OSError | ValueError) -> str:
    words = getattr(error, "strerror", None) or "the system refused"
    return words[:1].lower() + words[1:]


def _remove(path: Path) -> None:
    try:
        os.unlink(path)
    except OSError:
        return  # renamed into place, or never made


def _sync_folder(folder: Path) -> None:
    """Make the new name outlive a power cut where the system can; where it cannot, the file itself is safe already."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        return
    finally:
        os.close(descriptor)
