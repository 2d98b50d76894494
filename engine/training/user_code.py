"""Code of the user's own: it is imported here and nowhere else, and only if its files are what they are said to be.

The user's folder comes last on `sys.path`, so that no file there takes the place of a module of ours or of a library.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from engine.errors import DataError, UsageError
from engine.system.regular_files import read_regular

if TYPE_CHECKING:
    from engine.spec.models import KerasFunction

_LARGEST_FILE = 64 << 20
_OURS = frozenset({"engine", "tui", "__main__"})


@dataclass(frozen=True, eq=False)
class UserFunction:
    """A function that builds a model, what it gets in every combination, and the name that errors give it."""

    function: Callable[..., Any]
    name: str
    arguments: Mapping[str, Any]


def open_function(model: KerasFunction, files: Mapping[str, str]) -> UserFunction:
    """Import the function, if each of `files` has the SHA-256 that is named.

    Raises DataError where one has another, UsageError where there is no such function, and what importing raises.
    """
    changed = changed_files(files)
    if changed:
        message = f"{changed[0]}: has changed since the search began, and is not run"
        raise DataError(message)
    module = _imported(model)
    function = getattr(module, model.name, None)
    if not callable(function):
        message = f"{model.function}: {module.__file__} has no function {model.name}"
        raise UsageError(message)
    return UserFunction(function, model.function, model.arguments)


def changed_files(files: Mapping[str, str]) -> list[str]:
    """Those of the files whose content is not what the digests name, or that cannot be read."""
    return [place for place, digest in files.items() if _digest(place) != digest]


def files_in_use(model: KerasFunction) -> dict[str, str]:
    """The files that the function was imported from, those of its folder or package, with the SHA-256 of each.

    Installed libraries are not among them: their versions are recorded.
    """
    folders = [Path(model.folder).resolve()]
    if not model.is_file:
        top = sys.modules[model.place.partition(".")[0]]
        folders += [Path(path).resolve() for path in getattr(top, "__path__", [])]
    libraries = [Path(path).resolve() for path in set(sysconfig.get_paths().values())]
    files: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        place = getattr(module, "__file__", None)
        if not isinstance(place, str) or not place.endswith(".py") or name.partition(".")[0] in _OURS:
            continue
        file = Path(place).resolve()
        is_theirs = any(file.is_relative_to(folder) for folder in folders)
        is_library = "site-packages" in file.parts or any(file.is_relative_to(library) for library in libraries)
        is_named = module is sys.modules.get(_module_name(model)) or name == model.place
        if is_named or (is_theirs and not is_library):
            files[str(file)] = _digest(str(file))
    return files


def _digest(place: str) -> str:
    """The SHA-256 of a file; empty where it cannot be read."""
    try:
        return hashlib.sha256(read_regular(place, _LARGEST_FILE, follow_links=True)).hexdigest()
    except (OSError, ValueError):
        return ""


def _module_name(model: KerasFunction) -> str:
    return Path(model.place).stem if model.is_file else model.place


def _imported(model: KerasFunction) -> ModuleType:
    if model.folder not in sys.path:
        sys.path.append(model.folder)
    if not model.is_file:
        return importlib.import_module(model.place)
    name, file = _module_name(model), model.file
    if name.isidentifier() and _leads_to(name, file):
        return importlib.import_module(name)
    # Another module has this name: the user's file gets one that none has.
    name = f"user_file_{name}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _leads_to(name: str, file: Path) -> bool:
    """Whether importing this name would import this file."""
    try:
        found = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return False
    return found is not None and found.origin is not None and Path(found.origin).resolve() == file.resolve()
