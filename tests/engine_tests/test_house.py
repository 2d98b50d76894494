"""Every module lies in a room, keeps its private names to itself, and can be imported before any other."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = {
    "analysis",
    "cli",
    "data",
    "formatting",
    "plan",
    "search",
    "session",
    "spec",
    "system",
    "training",
    "workers",
}
FILES = {"__init__.py", "__main__.py", "errors.py", "py.typed"}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_name(path): path for package in ("engine", "tui") for path in sorted((ROOT / package).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in MODULES.items()}


def test_every_module_of_the_engine_lies_in_a_room() -> None:
    # A folder that holds no file of ours is what git leaves of one that was moved.
    found = {path.name for path in (ROOT / "engine").iterdir() if path.is_file() or any(path.rglob("*.py"))}
    assert found == ROOMS | FILES
    without = {path.parent for path in (ROOT / "engine").rglob("*.py")} - {
        path.parent for path in (ROOT / "engine").rglob("__init__.py")
    }
    assert without == set()  # a folder that is no package would be in no layer


def _private_names_of_others(name: str) -> Iterator[str]:
    """`line: module._name` for each private name that a module takes from another of ours."""
    modules: dict[str, str] = {}  # what a module calls another: its name
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom) and node.module:
            for one in node.names:
                if node.module.partition(".")[0] in ("engine", "tui") and _is_private(one.name):
                    yield f"{node.lineno}: {node.module}.{one.name}"
                if f"{node.module}.{one.name}" in MODULES:
                    modules[one.asname or one.name] = f"{node.module}.{one.name}"
        elif isinstance(node, ast.Import):
            modules.update({one.asname or one.name: one.name for one in node.names if one.name in MODULES})
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and _is_private(node.attr) and ast.unparse(node.value) in modules:
            yield f"{node.lineno}: {modules[ast.unparse(node.value)]}.{node.attr}"


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_no_module_takes_a_private_name_of_another() -> None:
    taken = {name: found for name in MODULES if (found := list(_private_names_of_others(name)))}
    assert taken == {}


def _imported_at_once(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports that are done when a module is imported: not those in functions or for type checkers."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            for other in node.orelse:
                yield from _imported_at_once(other)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imported_at_once(node)


def _needs(name: str) -> set[str]:
    """The modules of ours that must have been imported before this one is."""
    found: set[str] = set()
    for node in _imported_at_once(TREES[name]):
        if isinstance(node, ast.Import):
            named = {one.name for one in node.names}
        else:
            assert not node.level, f"{name}: a relative import"
            # A name of a package may be a module in it; then the package itself has nothing to give.
            named = {
                module if (module := f"{node.module}.{one.name}") in MODULES else str(node.module) for one in node.names
            }
        found |= named & MODULES.keys()
    parents = {".".join(one.split(".")[:count]) for one in found for count in range(1, one.count(".") + 1)}
    return (found | parents) - {name, *_parents(name)}


def _parents(name: str) -> set[str]:
    return {".".join(name.split(".")[:count]) for count in range(1, name.count(".") + 1)}


def _circle() -> list[str]:
    """Modules of which each imports the next, and the last the first; empty if there is no such circle."""
    needs = {name: _needs(name) for name in MODULES}
    done: set[str] = set()

    def visit(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(needs[name]):
            if found := visit(other, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(MODULES) if (found := visit(name, []))), [])


def test_no_line_of_imports_forms_a_circle() -> None:
    assert _circle() == []


# Imports what others have made once, and then each module in a child of its own, which has none of ours yet.
_IMPORT_EACH = """
import importlib, os, sys, traceback
for name in "msgspec numpy pandas plotext psutil rich scipy.stats sklearn textual.app typer".split():
    importlib.import_module(name)
assert not {"engine", "tui"} & sys.modules.keys()
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            print(name, traceback.format_exc().strip().splitlines()[-1], flush=True)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        print(name, "ended its process", flush=True)
"""


def _failed_imports(names: list[str]) -> str:
    """A line for each module that a process cannot import before any other of ours."""
    command = [sys.executable, "-W", "ignore", "-c", _IMPORT_EACH, *names]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_every_module_can_be_imported_before_any_other() -> None:
    names = [name for name in MODULES if not name.endswith(".__main__")]
    assert len(names) > 300
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(_failed_imports, (names[::2], names[1::2]))) == ["", ""]
