"""What starting a search from the form takes: the spec as a file in a private place, and the command that runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import CannotCreateError, InputOutputError, UsageError
from engine.journal import write_whole
from engine.session import make_private_folder

if TYPE_CHECKING:
    from pathlib import Path

    from engine.spec import SearchSpec


def specs_folder(sessions: Path) -> Path:
    """Where specs that the form wrote are kept; no session is ever called so."""
    return sessions / ".specs"


def as_toml(spec: SearchSpec) -> str:
    """The spec as TOML. Raises UsageError where TOML has no word for a value: it knows no `none`."""
    try:
        return spec.to_toml()
    except TypeError as error:
        message = f"the spec cannot be written as TOML, which has no word for none: {error}"
        raise UsageError(message) from error


def write_spec(spec: SearchSpec, path: Path) -> None:
    """Write a spec where somebody asked for it. Raises UsageError and InputOutputError."""
    text = as_toml(spec)
    try:
        write_whole(path, text.encode(), mode=0o644)
    except OSError as error:
        message = f"{path}: the spec cannot be written: {error.strerror}"
        raise InputOutputError(message) from error


def keep_spec(spec: SearchSpec, sessions: Path, name: str) -> Path:
    """Write the spec of a search that is to be called `name` into the private place. Raises as `write_spec`."""
    path = specs_folder(sessions) / f"{name}.toml"
    try:
        make_private_folder(sessions)
        make_private_folder(path.parent)
    except OSError as error:
        message = f"{path.parent}: cannot be created: {error.strerror}"
        raise CannotCreateError(message) from error
    write_spec(spec, path)
    return path


def run_arguments(path: Path, name: str, workers: int | None) -> list[str]:
    """The arguments of `foldwatch` that run a spec as the session `name`."""
    return ["run", str(path), "--name", name, *(["--workers", str(workers)] if workers is not None else [])]
