"""Keras' data files, fetched from Keras' own addresses, accepted only with Keras' hashes."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.errors import InputOutputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.data.sources.keras_files import KerasFile

_TIMEOUT_SECONDS = 30


def download(source: KerasFile, folder: Path, progress: Callable[[str], None] | None) -> Path:
    """Fetch the dataset's file into `folder` (created, 0700) and return its path; it is whole or not there.

    Raises `InputOutputError`, saying what to do instead, if that fails or the file has another hash.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    say = progress or (lambda line: None)
    fetched = folder / source.file_name
    if not fetched.is_file():
        say(f"downloading {source.address}")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # An earlier download with the right hash is taken as it is.
        pooch.retrieve(
            source.address,
            known_hash=f"sha256:{source.sha256}",
            fname=source.file_name,
            path=folder,
            downloader=pooch.HTTPDownloader(
                progressbar=_Progress(source.name, say), chunk_size=2**16, timeout=_TIMEOUT_SECONDS
            ),
        )
    # requests' errors are OSErrors; a wrong hash is a ValueError of pooch's.
    except (OSError, ValueError) as error:
        message = (
            f"{source.name}: download from {source.address} failed ({_first_line(error)}); "
            f"put {source.file_name} in a folder and pass --data-dir FOLDER"
        )
        raise InputOutputError(message) from error
    fetched.chmod(0o600)
    return fetched


def _first_line(error: Exception) -> str:
    line = (str(error).splitlines() or [type(error).__name__])[0]
    return line if len(line) <= 160 else f"{line[:157]}..."


class _Progress:
    """What pooch calls while it downloads; passes on every tenth of the whole, or every 4 MB of an unknown whole."""

    def __init__(self, name: str, say: Callable[[str], None]) -> None:
        self.name, self.say = name, say
        self.total = 0
        self.done = 0
        self.next = 0

    def update(self, count: int) -> None:
        self.done += count
        if self.done >= self.next:
            step = self.total // 10 or 4 * 2**20
            self.next = self.done - self.done % step + step
            whole = f" of {self.total / 1e6:.1f}" if self.total else ""
            done = min(self.done, self.total) if self.total else self.done
            self.say(f"{self.name}: {done / 1e6:.1f}{whole} MB")

    def reset(self) -> None:
        """Pooch fills the bar once more at the end; there is nothing to fill here."""
        self.next = 2**62

    def close(self) -> None:
        """Nothing to close."""
