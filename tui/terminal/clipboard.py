"""Copies text to the clipboard of whoever sits at the terminal, over SSH and in tmux, and says how far that went."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import platformdirs

from engine.system.whole_files import write_whole

if TYPE_CHECKING:
    from textual.app import App

MOST_BYTES = 50_000  # terminals drop longer OSC 52 sequences, some without a word


def copy(app: App[Any], text: str) -> str:
    """Try to copy; returns what was done. A file holds the text as well, because no terminal confirms a copy."""
    text = text.encode(errors="replace").decode()  # half a surrogate pair would raise further down
    kept = _keep(text)
    if len(text.encode()) > MOST_BYTES:
        return f"too long for a terminal's clipboard; it is in {kept}"
    # tmux ignores OSC 52 from programs unless set-clipboard is on: give it the text and let it tell the terminal.
    tmux = shutil.which("tmux") if os.environ.get("TMUX") else None
    if tmux is not None:
        done = subprocess.run([tmux, "load-buffer", "-w", "-"], input=text.encode(), capture_output=True, check=False)
        if done.returncode == 0:
            return f"copied through tmux; also in {kept}"
    app.copy_to_clipboard(text)
    return f"sent to the terminal's clipboard; if it does not arrive there, it is in {kept}"


def _keep(text: str) -> str:
    folder = Path(platformdirs.user_cache_dir("foldwatch", appauthor=False))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / "copied.txt"
        write_whole(path, f"{text}\n".encode(), mode=0o600, lasting=False)
    except OSError as error:
        return f"no file ({error.strerror})"
    return str(path)
