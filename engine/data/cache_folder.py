"""A folder for parsed data that this user, and nobody else, can write."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import tempfile
from pathlib import Path

from engine.errors import cannot_work
from engine.system.regular_files import is_my_folder
from engine.system.whole_files import remove_leftovers, temporary_path

CACHE_VARIABLE = "FOLDWATCH_CACHE"


def preferred_folder(cache_dir: Path | None) -> Path:
    """Where parsed data should lie: `cache_dir`, else $FOLDWATCH_CACHE, else the user's cache folder; not created."""
    root = cache_dir or os.environ.get(CACHE_VARIABLE)
    if root:
        return Path(root).expanduser().absolute() / "data"
    from platformdirs import user_cache_path

    return user_cache_path("foldwatch") / "data"


def download_folder(cache_dir: Path | None) -> Path:
    """Where downloaded files are looked for; not created."""
    preferred = preferred_folder(cache_dir)
    chosen = preferred if is_my_folder(preferred) or not is_my_folder(_fallback()) else _fallback()
    return chosen / "downloads"


def private_folder(cache_dir: Path | None) -> Path:
    """The folder for parsed data, created if need be, mode 0700, proven to be writable.

    Where the preferred one cannot be made, written or trusted, a private one in the system's temporary folder
    serves. Raises as `cannot_work` says if not even that can be made.
    """
    for folder in (preferred_folder(cache_dir), _fallback()):
        if _create(folder):
            return folder
    try:
        return _passing_folder(Path(tempfile.gettempdir()))
    except OSError as error:
        here = Path(tempfile.gettempdir())
        raise cannot_work(here, error, "no private folder for data can be made here") from error


@functools.cache
def _passing_folder(parent: Path) -> Path:
    """One for this process, which takes it along when it ends; what killed ones left is removed now."""
    remove_leftovers(parent)
    folder = temporary_path(parent, "data")
    folder.mkdir(mode=0o700)
    atexit.register(_remove_at_end, folder, os.getpid())
    return folder


def _remove_at_end(folder: Path, maker: int) -> None:
    if os.getpid() == maker:  # not a fork of it
        shutil.rmtree(folder, ignore_errors=True)


def _fallback() -> Path:
    # Known by name so that the next process finds it; whoever else made it is found out by its owner.
    return Path(tempfile.gettempdir()) / f"foldwatch-{os.geteuid()}" / "data"


def _create(folder: Path) -> bool:
    try:
        _make_with_parents(folder.parent)
        # Anybody may have made the fallback's parent, which lies where all may write.
        if folder == _fallback() and not is_my_folder(folder.parent):
            return False
        folder.mkdir(mode=0o700, exist_ok=True)
        if not is_my_folder(folder):
            return False
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".probe-"):
            return True
    except OSError:
        return False


def _make_with_parents(folder: Path) -> None:
    """Create the folder and what is missing above it, all for this user alone."""
    if not folder.exists():
        _make_with_parents(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)
