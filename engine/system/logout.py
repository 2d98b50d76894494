"""Whether a process outlives the logout of its user."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
_ANSWER_SECONDS = 5.0


def outliving(command: Sequence[str]) -> list[str]:
    """The command line with which a command outlives a logout wherever the machine allows that.

    For a user with lingering it runs in a scope of the user's service manager. Without lingering the manager ends at
    the last logout with all its scopes, while most machines let a process in a session of its own go on.
    """
    if _lingers() == "yes" and _answer(*_SCOPE, "true") is not None:
        return [*_SCOPE, *command]
    return list(command)


def ends_at_logout() -> str | None:
    """A message for a user whose processes this machine ends at logout, however they were started; None elsewhere."""
    if _lingers() == "no" and _answer("loginctl", "show-user", "--property=KillUserProcesses", "--value") == "yes":
        return "this machine will end the search when you log out; to let it go on: loginctl enable-linger"
    return None


def _lingers() -> str | None:
    return _answer("loginctl", "show-user", str(os.geteuid()), "--property=Linger", "--value")


def _answer(*command: str) -> str | None:
    """What a command prints; None where there is no such command, or it fails."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
