"""Which process something belongs to, also where several machines and containers work in one folder.

Numbers of processes repeat: on another host, after a boot, in another container of one machine. A mark names all of
them, with a token that nobody can guess.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import socket
import time
from pathlib import Path

_ABANDONED_SECONDS = 24 * 3600.0


def boot_id() -> str:
    """A text that differs from one boot of this machine to the next."""
    with contextlib.suppress(OSError):
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    import psutil

    return f"{psutil.boot_time():.0f}"


def process_namespace() -> str:
    """The container of this machine in which process numbers are those seen here; empty without containers."""
    with contextlib.suppress(OSError):
        return str(Path("/proc/self/ns/pid").readlink())
    return ""


def process_started(pid: int) -> float | None:
    """When a process of this host began, in seconds; None if there is none (a zombie counts as none)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] == "Z" else float(fields[19])  # field 22, in clock ticks since boot
    except FileNotFoundError:
        if Path("/proc/self/stat").exists():
            return None
    except ProcessLookupError:
        return None
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None


def new_mark() -> str:
    """A new mark of this process, `machine.pid.token`: nobody has the same, and nobody can guess it."""
    return f"{_machine()}.{os.getpid()}.{secrets.token_hex(8)}"


def is_abandoned(place: Path, mark: str) -> bool:
    """Whether a file or folder with this mark is this user's, and the process that created it will not finish it.

    The process must have ended. Nothing is known of processes elsewhere (another host, container or boot):
    what they left counts as abandoned when it has not changed for a day.
    """
    try:
        status = place.lstat()
    except OSError:
        return False
    if status.st_uid != os.geteuid():
        return False
    machine, _, rest = mark.partition(".")
    pid = rest.partition(".")[0]
    if machine == _machine() and pid.isdecimal() and len(pid) < 20:
        return process_started(int(pid)) is None
    return time.time() - status.st_mtime > _ABANDONED_SECONDS


def _machine() -> str:
    whole = "\0".join((socket.gethostname(), boot_id(), process_namespace()))
    return hashlib.sha256(whole.encode()).hexdigest()[:12]
