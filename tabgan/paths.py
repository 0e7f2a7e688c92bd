"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tabgan.checks import Rule

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None  # type: ignore[assignment]

STALE_SECONDS = 24 * 3600.0
"""Age from which an unfinished file counts as left behind, where files cannot be locked."""


def _is_path(value: Any) -> bool:
    if not isinstance(value, str | os.PathLike):
        return False
    text = os.fspath(value)
    return isinstance(text, str) and "\0" not in text and text != ""


PATH = Rule("the path of a file, a string or a pathlib.Path", _is_path)
"""What an argument takes that names a file: no number, no open file, no bytes."""


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Let the body of a ``with`` write a file beside another, which it then replaces at once.

    Whoever reads `path` finds the old content or the new content, whole. If the body raises an
    error, `path` stays as it was. What a process left behind that was killed within the body is
    deleted by the next call for the same path.

    Parameters
    ----------
    path : str or Path
        A regular file or no file yet. Of a symbolic link, what the link points to is replaced. A
        new file gets the permissions that the umask leaves, and a replaced one keeps its own.

    Yields
    ------
    Path
        An empty file in the folder of `path`, for the body to write to.

    Raises
    ------
    OSError
        `path` is no regular file, its permissions forbid to write to it, or the new file cannot be
        written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from tabgan.paths import replacing
    >>> path = Path(tempfile.mkdtemp()) / "notes.txt"
    >>> with replacing(path) as unfinished:
    ...     _ = unfinished.write_text("all of it")
    >>> path.read_text()
    'all of it'
    """
    target = Path(os.path.realpath(path))
    old = _check(target)
    _sweep(target)
    unfinished, file = _create(target)
    try:
        yield unfinished
        with unfinished.open("rb+") as written:
            os.fsync(written.fileno())
        if old is not None:
            # The owner first, for a new owner takes some permissions away.
            with contextlib.suppress(AttributeError, PermissionError):
                os.chown(unfinished, old.st_uid, old.st_gid)
            os.chmod(unfinished, stat.S_IMODE(old.st_mode))
        os.replace(unfinished, target)
    finally:
        if file is not None:
            os.close(file)
        unfinished.unlink(missing_ok=True)


def _check(target: Path) -> os.stat_result | None:
    """Return what is known of the file to replace, None if there is none; refuse other things."""
    try:
        old = os.lstat(target)
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(old.st_mode):
        raise IsADirectoryError("it is a folder")
    if not stat.S_ISREG(old.st_mode):
        raise OSError("it is no regular file")
    if not os.access(target, os.W_OK):
        raise PermissionError("its permissions forbid to write to it")
    return old


def _create(target: Path) -> tuple[Path, int | None]:
    """Make an empty file beside a target; lock it for as long as it is open, where that is known.

    Locks end with the process that holds them, however the process ends.
    """
    while True:
        path = target.with_name(f"{_prefix(target)}{secrets.token_hex(8)}{_SUFFIX}")
        file = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
        if fcntl is None:
            os.close(file)
            return path, None
        fcntl.flock(file, fcntl.LOCK_EX)
        if path.exists():
            return path, file
        # Another process came before the lock, and took the file for one that was left behind.
        os.close(file)


def _sweep(target: Path) -> None:
    """Delete the unfinished files of a target that no process writes any more."""
    try:
        names = os.listdir(target.parent)
    except PermissionError:
        return
    prefix = _prefix(target)
    for name in names:
        if name.startswith(prefix) and name.endswith(_SUFFIX):
            # Another process may write the file, or delete it too, or it is another user's.
            with contextlib.suppress(OSError):
                _delete_if_stale(target.with_name(name))


def _delete_if_stale(path: Path) -> None:
    if fcntl is None:
        if time.time() - path.stat().st_mtime > STALE_SECONDS:
            path.unlink()
        return
    file = os.open(path, os.O_RDWR | os.O_NOFOLLOW)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink()
    finally:
        os.close(file)


_SUFFIX = ".unfinished"


def finished_name(name: str) -> str:
    """Return the name that an unfinished file of `replacing` was to get; other names as they are.

    Parameters
    ----------
    name : str
        Name of a file without its folder.

    Returns
    -------
    str

    Examples
    --------
    >>> from tabgan.paths import finished_name
    >>> finished_name(".rows.csv.0123456789abcdef.unfinished"), finished_name("rows.csv")
    ('rows.csv', 'rows.csv')
    """
    found = re.fullmatch(rf"\.(.+)\.[0-9a-f]{{16}}{re.escape(_SUFFIX)}", name)
    return name if found is None else found[1]


def _prefix(target: Path) -> str:
    """Return what the unfinished files of a target begin with, of bounded length."""
    name = target.name
    if len(os.fsencode(name)) > 200:
        name = hashlib.sha256(os.fsencode(name)).hexdigest()
    return f".{name}."
