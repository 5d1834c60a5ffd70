"""Files, opened so that nothing can hang and written so that nothing can be lost.

Opening takes regular files only: a pipe or a device would block or never end. Writing goes to a file without a name, or to a
hidden one beside the target, which gets its name when it is whole, so that no half of a picture is ever seen. Separate
because the dangers are the file system's and not a picture's; knows nothing of what the files hold.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

from facestudio.errors import DiskFull, UnreadablePhoto, UnwritableOutput

_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EINVAL}
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_LONGEST_NAME = 60


def shown(path: Path | str) -> str:
    """The name of `path` for a message: on one line, short, and printable whatever bytes it is made of."""
    name = whole(path)
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 28]}…{name[-27:]}"


def whole(path: Path | str) -> str:
    """The name of `path` on one line, and printable whatever bytes it is made of, however long it is."""
    name = Path(path).name or str(path)
    return "".join(c if c.isprintable() else "?" for c in name)


def told_apart(paths: Iterable[Path], name: Callable[[Path | str], str] = shown) -> dict[Path, str]:
    """As `name`, after as many folders as tell those of `paths` apart that have one name: `summer/IMG_001.jpg`."""
    alike: dict[str, list[Path]] = {}
    for path in paths:
        alike.setdefault(path.name, []).append(path)
    names: dict[Path, str] = {}
    for group in alike.values():
        folders, deepest = set(group), max(len(path.parts) for path in group)
        count = next(
            (n for n in range(1, deepest) if len({path.parts[-n:] for path in folders}) == len(folders)), deepest
        )
        names |= {path: "/".join(map(name, path.parts[-count:])) for path in group}
    return names


def is_text(path: Path) -> bool:
    """Whether the name of `path` is text, so that it can be written down and read again; some names are other bytes."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


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


class Watched:
    """A `file` of which each read first tells `reading` which share of it was read, 0..1; what that raises ends the reading.

    `times`: how often all of it will be read.
    """

    def __init__(self, file: IO[bytes], reading: Callable[[float | None], None]) -> None:
        self._file, self._reading = file, reading
        self._size = max(os.fstat(file.fileno()).st_size, 1)
        self._read = 0
        self.times = 1

    def read(self, size: int = -1) -> bytes:
        self._reading(min(self._read / (self._size * self.times), 1.0))
        data = self._file.read(size)
        self._read += len(data)  # not where it stands: some files say at their end where their pixels are
        return data

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


def same_file(a: Path, b: Path) -> bool:
    """Whether both paths lead to one file, be it by a symbolic link, a hard link or another spelling."""
    try:
        return os.path.samefile(a, b)
    except (OSError, ValueError):
        return os.path.abspath(a) == os.path.abspath(b)


def real(path: Path) -> Path:
    """`path` without links; one that leads in a circle is answered too, where Path.resolve raises."""
    return Path(os.path.realpath(path))


def make_folder(folder: Path) -> None:
    """Make `folder`, and those around it, where they are missing; UnwritableOutput when nothing can be written there."""
    beside = folder / hidden_name(secrets.token_hex(8))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _new_file(beside).close()
    except (OSError, ValueError) as error:
        words = f"Nothing can be written into the folder {shown(folder)}: {_system_words(error)}."
        raise UnwritableOutput(words, hint="Choose another folder.") from error
    finally:
        _remove(beside)


def write_beside(
    target: Path,
    write: Callable[[IO[bytes]], None],
    overwrite: bool = False,
    check: Callable[[IO[bytes]], None] | None = None,
    token: str = "",
) -> None:
    """Let `write` fill a file without a name, or a hidden one beside `target`, then put it into place; on any failure nothing
    is left.

    An existing `target` raises UnwritableOutput, also when it appears while `write` runs, unless `overwrite` is set; a
    link is then replaced and not followed. What `write` raises passes through, but for OSError; a full disk is DiskFull.

    Args:
        check: is given the file when all of it is on the disk and it has no name yet; what it raises passes through too.
        token: makes the hidden file's name known beforehand (`hidden_name`), for whoever cleans up after a crash.
    """
    name = shown(target)
    _check_target(target, name, overwrite)
    beside = target.parent / hidden_name(token or secrets.token_hex(8))
    try:
        with _new_file(beside) as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
            if check is not None:
                file.seek(0)
                check(file)
            named = os.fstat(file.fileno()).st_nlink > 0
            if not named and not _name(file, beside if overwrite else target):
                _copy(file, beside)
                named = True
        if overwrite:
            os.replace(beside, target)
        elif named:
            _place_new(beside, target)
    except FileExistsError as error:
        raise UnwritableOutput(f"{name} exists already.", hint="Choose another name, or allow overwriting.") from error
    except (OSError, ValueError) as error:
        full = getattr(error, "errno", None) in FULL
        raise (DiskFull if full else UnwritableOutput)(*_why_unwritable(target, name, error)) from error
    finally:
        _remove(beside)
    _sync_folder(target.parent)


def hidden_name(token: str) -> str:
    """The name of a file that is not whole yet."""
    return f".facestudio-{token}.part"


def _new_file(beside: Path) -> IO[bytes]:
    """A new file for writing and reading: without a name where the system can, so that a crash leaves nothing; else `beside`."""
    # not tempfile: its files are private, and the result should get the rights that other new files get
    if hasattr(os, "O_TMPFILE"):
        try:
            descriptor = os.open(beside.parent, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o666)
        except OSError:
            return open(beside, "x+b")  # this file system cannot
        return os.fdopen(descriptor, "w+b")
    return open(beside, "x+b")


def _name(file: IO[bytes], path: Path) -> bool:
    """Give a file without a name the name `path`, which must not exist; False where that cannot be."""
    folder = os.open(path.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        # with a folder's descriptor Python takes linkat, which follows the link in /proc to the file itself
        os.link(f"/proc/self/fd/{file.fileno()}", path, src_dir_fd=folder, follow_symlinks=True)
    except FileExistsError:
        raise
    except (OSError, NotImplementedError):
        return False  # no /proc here, or a file system that cannot; a full disk will say so once more
    finally:
        os.close(folder)
    return True


def _copy(file: IO[bytes], beside: Path) -> None:
    file.seek(0)
    with open(beside, "xb") as copy:
        shutil.copyfileobj(file, copy)
        copy.flush()
        os.fsync(copy.fileno())


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
    if code in FULL:
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
