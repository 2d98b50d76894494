"""What starting a search from the form takes: the spec as a file in a private place, and the command that runs it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.errors import CannotCreateError
from engine.session.places import make_private_folder
from engine.system.regular_files import is_my_folder, is_there
from engine.system.whole_files import write_for_user

if TYPE_CHECKING:
    from pathlib import Path

    from engine.spec.spec import SearchSpec


def specs_folder(sessions: Path) -> Path:
    """Where specs that the form wrote are kept; no session is ever called so.

    In a folder that several users share, each has a place of their own: a spec must not change before it runs.
    """
    usual = sessions / ".specs"
    return usual if not is_there(usual) or is_my_folder(usual) else sessions / f".specs-{os.geteuid()}"


def write_spec(spec: SearchSpec, path: Path) -> None:
    """Write a spec where somebody asked for it. Raises as `write_for_user`."""
    write_for_user(path, spec.to_toml(), "spec")


def keep_spec(spec: SearchSpec, sessions: Path, name: str) -> Path:
    """Write the spec of a search that is to be called `name` into the private place. Raises as `write_for_user`."""
    path = specs_folder(sessions) / f"{name}.toml"
    try:
        make_private_folder(sessions)
        make_private_folder(path.parent)
    except OSError as error:
        message = f"{path.parent}: cannot be created: {error.strerror}"
        raise CannotCreateError(message) from error
    if not is_my_folder(path.parent):
        message = f"{path.parent}: belongs to another user, or others may write to it"
        raise CannotCreateError(message)
    write_for_user(path, spec.to_toml(), "spec", mode=None)
    return path


def run_arguments(path: Path, name: str, workers: int | None, devices: list[str] | None) -> list[str]:
    """The arguments of `foldwatch` that run a spec as the session `name`."""
    arguments = ["run", str(path), "--name", name]
    arguments += ["--workers", str(workers)] if workers is not None else []
    arguments += ["--devices", ",".join(devices)] if devices is not None else []
    return arguments
